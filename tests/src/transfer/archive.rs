//! Writes zips by hand (APPNOTE.TXT §4.3), with one thing wrong.

use std::io::Write;

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use serde::Deserialize;

use crate::Error;
use crate::template::Values;

/// How a zip differs from what the control file lists.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ZipRecipe {
    /// The name that the last member has instead of its own.
    pub called: Option<String>,
    /// A member more, of this name.
    pub also: Option<String>,
    /// `missing`, `twice`, `encrypted`, `link`, `folder`, `comment`, `method`, `zip64`, `crc`, `counts`, `doctype`, `bomb`, `behind`, `in-front`,
    /// `gap` or `cut-off`.
    pub flaw: Option<String>,
}

/// A member as its headers tell it.
#[derive(Clone)]
struct Member {
    name: Vec<u8>,
    content: Vec<u8>,
    flags: u16,
    method: u16,
    crc_error: u32,
    attributes: u32,
    extra: Vec<u8>,
    comment: Vec<u8>,
    /// Bytes behind the content.
    behind: Vec<u8>,
}

impl ZipRecipe {
    /// Whether the zip is as it should be.
    fn is_good(&self) -> bool {
        self.called.is_none() && self.also.is_none() && self.flaw.is_none()
    }

    /// A zip of these names and contents, but for the flaw.
    pub(super) fn zip(&self, files: &[(String, String)], values: &Values) -> Result<Vec<u8>, Error> {
        let mut members: Vec<Member> = files.iter().map(|(name, content)| member(name, content)).collect();
        if self.is_good() {
            return Ok(archive(&members));
        }
        if let Some(name) = &self.also {
            members.push(Member { name: values.bytes(name)?, ..member("", "<Customers/>") });
        }
        if let (Some(name), Some(last)) = (&self.called, members.last_mut()) {
            last.name = values.bytes(name)?;
        }
        let Some(flaw) = &self.flaw else { return Ok(archive(&members)) };
        let flaw = values.text(flaw)?;
        let [first, ..] = members.as_mut_slice() else { return Err(Error::recipe("a zip without members")) };
        match flaw.as_str() {
            "encrypted" => first.flags = 1,
            "link" => first.attributes = 0o120_777 << 16,
            "folder" => first.attributes = 0o040_755 << 16,
            "comment" => first.comment = b"by hand".to_vec(),
            "method" => first.method = 12,
            "zip64" => first.extra = [&[1, 0, 16, 0][..], &[0; 16]].concat(),
            "crc" => first.crc_error = 1,
            "counts" => first.content = text(first).replacen("</Period>", "<Tx /></Period>", 1).into_bytes(),
            "doctype" => first.content = [b"<!DOCTYPE Customers>", &first.content[..]].concat(),
            "bomb" => first.content = [&first.content[..], &vec![b' '; 8 << 20]].concat(),
            "gap" => first.behind = b"between".to_vec(),
            _ => {}
        }
        let whole = |members: &[Member]| archive(members);
        Ok(match flaw.as_str() {
            "missing" => {
                members.pop();
                whole(&members)
            }
            "twice" => {
                let again = first.clone();
                members.pop();
                members.push(again);
                whole(&members)
            }
            "in-front" => [b"#!/bin/sh\n", &whole(&members)[..]].concat(),
            "behind" => [&whole(&members)[..], b"behind"].concat(),
            "cut-off" => {
                let mut zip = whole(&members);
                zip.truncate(zip.len() - 30);
                zip
            }
            "encrypted" | "link" | "folder" | "comment" | "method" | "zip64" | "crc" | "counts"
            | "doctype" | "bomb" | "gap" => whole(&members),
            _ => return Err(Error::recipe(format_args!("a zip has no flaw {flaw:?}"))),
        })
    }
}

fn text(member: &Member) -> String {
    String::from_utf8_lossy(&member.content).into_owned()
}

fn member(name: &str, content: &str) -> Member {
    Member {
        name: name.into(),
        content: content.into(),
        flags: 0,
        method: 8,
        crc_error: 0,
        attributes: 0o100_644 << 16,
        extra: Vec::new(),
        comment: Vec::new(),
        behind: Vec::new(),
    }
}

fn archive(members: &[Member]) -> Vec<u8> {
    let (mut zip, mut directory) = (Vec::new(), Vec::new());
    for member in members {
        let deflated = deflate(&member.content);
        let mut crc = Crc::new();
        crc.update(&member.content);
        let sizes = [crc.sum() ^ member.crc_error, length(&deflated), length(&member.content)];
        let offset = length(&zip);
        // The second field is the time, the third the date: 1 January 1980.
        let fields = [member.flags, member.method, 0, 0x21];
        let lengths = [&member.name, &member.extra, &member.comment].map(|bytes| bytes.len() as u16);
        zip.extend(b"PK\x03\x04\x14\x00");
        put_u16(&mut zip, &fields);
        put_u32(&mut zip, &sizes);
        put_u16(&mut zip, &lengths[..2]);
        zip.extend([&member.name, &member.extra, &deflated, &member.behind].into_iter().flatten());
        directory.extend(b"PK\x01\x02\x14\x03\x14\x00");
        put_u16(&mut directory, &fields);
        put_u32(&mut directory, &sizes);
        put_u16(&mut directory, &lengths);
        put_u16(&mut directory, &[0, 0]);
        put_u32(&mut directory, &[member.attributes, offset]);
        directory.extend([&member.name, &member.extra, &member.comment].into_iter().flatten());
    }
    let (start, count) = (length(&zip), members.len() as u16);
    zip.extend(&directory);
    zip.extend(b"PK\x05\x06");
    put_u16(&mut zip, &[0, 0, count, count]);
    put_u32(&mut zip, &[length(&directory), start]);
    put_u16(&mut zip, &[0]);
    zip
}

fn deflate(content: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    let written = encoder.write_all(content).and_then(|()| encoder.finish());
    written.expect("a vector takes everything")
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

fn put_u16(bytes: &mut Vec<u8>, fields: &[u16]) {
    bytes.extend(fields.iter().flat_map(|field| field.to_le_bytes()));
}

fn put_u32(bytes: &mut Vec<u8>, fields: &[u32]) {
    bytes.extend(fields.iter().flat_map(|field| field.to_le_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zip(flaw: &str) -> Result<Vec<u8>, Error> {
        let files =
            [("a.xml", "<a/>"), ("b.xml", "<b/>")].map(|(name, content)| (name.into(), content.into()));
        let recipe = ZipRecipe {
            flaw: Some(flaw.into()).filter(|flaw: &String| !flaw.is_empty()),
            ..ZipRecipe::default()
        };
        recipe.zip(&files, &Values::default())
    }

    #[test]
    fn flaws_change_the_archive_and_unknown_ones_are_errors() {
        let good = zip("").unwrap();
        assert!(good.starts_with(b"PK\x03\x04") && good.len() > 100);
        for flaw in ["missing", "twice", "encrypted", "link", "behind", "cut-off", "crc"] {
            assert_ne!(zip(flaw).unwrap(), good, "{flaw}");
        }
        assert!(zip("lost").is_err());
    }
}
