//! Writes archives by hand, with anything wrong that a test asks for.

use flate2::{Compression, Crc, write::DeflateEncoder};
use std::io::Write;

/// One member: what its two headers say and what lies between them.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) name: Vec<u8>,
    pub(crate) local_name: Option<Vec<u8>>,
    pub(crate) flags: u16,
    pub(crate) local_flags: Option<u16>,
    pub(crate) method: u16,
    pub(crate) local_method: Option<u16>,
    pub(crate) crc: u32,
    pub(crate) deflated: u32,
    pub(crate) inflated: u32,
    pub(crate) local_sizes: Option<[u32; 3]>,
    pub(crate) extra: Vec<u8>,
    pub(crate) local_extra: Vec<u8>,
    pub(crate) comment: Vec<u8>,
    pub(crate) attributes: u32,
    pub(crate) disk: u16,
    pub(crate) offset: Option<u32>,
    pub(crate) data: Vec<u8>,
    /// What lies behind the data: a data descriptor, or anything.
    pub(crate) behind: Vec<u8>,
    /// Whether it has a local header and data of its own.
    pub(crate) is_directory_only: bool,
}

/// A member with nothing wrong, deflated.
pub(crate) fn member(name: &str, content: &[u8]) -> Member {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    let data = encoder.finish().unwrap();
    Member { method: 8, deflated: data.len() as u32, data, ..stored(name, content) }
}

/// A member with nothing wrong, not deflated.
pub(crate) fn stored(name: &str, content: &[u8]) -> Member {
    let mut crc = Crc::new();
    crc.update(content);
    Member {
        name: name.into(),
        local_name: None,
        flags: 0,
        local_flags: None,
        method: 0,
        local_method: None,
        crc: crc.sum(),
        deflated: content.len() as u32,
        inflated: content.len() as u32,
        local_sizes: None,
        extra: Vec::new(),
        local_extra: Vec::new(),
        comment: Vec::new(),
        attributes: 0o100_644 << 16 | 0x20,
        disk: 0,
        offset: None,
        data: content.into(),
        behind: Vec::new(),
        is_directory_only: false,
    }
}

/// What is behind the members.
pub(crate) struct Tail {
    pub(crate) before_directory: Vec<u8>,
    pub(crate) before_end: Vec<u8>,
    pub(crate) disk: u16,
    pub(crate) count_here: u16,
    pub(crate) count: u16,
    pub(crate) bytes: u32,
    pub(crate) start: u32,
    pub(crate) comment: Vec<u8>,
    pub(crate) after: Vec<u8>,
}

/// An archive with nothing wrong but what its members have.
pub(crate) fn archive(members: &[Member]) -> Vec<u8> {
    archive_with(members, |_| ())
}

/// An archive whose tail is changed before it is written.
pub(crate) fn archive_with(members: &[Member], change: impl FnOnce(&mut Tail)) -> Vec<u8> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for member in members {
        let offset = member.offset.unwrap_or(archive.len() as u32);
        let sizes = [member.crc, member.deflated, member.inflated];
        if !member.is_directory_only {
            let name = member.local_name.as_ref().unwrap_or(&member.name);
            let flags = member.local_flags.unwrap_or(member.flags);
            let method = member.local_method.unwrap_or(member.method);
            archive.extend(b"PK\x03\x04\x14\x00");
            put16(&mut archive, &[flags, method, 0, 0x21]);
            put32(&mut archive, &member.local_sizes.unwrap_or(sizes));
            put16(&mut archive, &[name.len() as u16, member.local_extra.len() as u16]);
            archive.extend([name, &member.local_extra, &member.data, &member.behind].into_iter().flatten());
        }
        directory.extend(b"PK\x01\x02\x14\x03\x14\x00");
        put16(&mut directory, &[member.flags, member.method, 0, 0x21]);
        put32(&mut directory, &sizes);
        let lengths = [member.name.len(), member.extra.len(), member.comment.len()];
        put16(&mut directory, &lengths.map(|length| length as u16));
        put16(&mut directory, &[member.disk, 0]);
        put32(&mut directory, &[member.attributes, offset]);
        directory.extend([&member.name, &member.extra, &member.comment].into_iter().flatten());
    }
    let mut tail = Tail {
        before_directory: Vec::new(),
        before_end: Vec::new(),
        disk: 0,
        count_here: members.len() as u16,
        count: members.len() as u16,
        bytes: directory.len() as u32,
        start: archive.len() as u32,
        comment: Vec::new(),
        after: Vec::new(),
    };
    change(&mut tail);
    archive.extend([&tail.before_directory, &directory, &tail.before_end].into_iter().flatten());
    archive.extend(b"PK\x05\x06");
    put16(&mut archive, &[tail.disk, tail.disk, tail.count_here, tail.count]);
    put32(&mut archive, &[tail.bytes, tail.start]);
    put16(&mut archive, &[tail.comment.len() as u16]);
    archive.extend([&tail.comment, &tail.after].into_iter().flatten());
    archive
}

fn put16(bytes: &mut Vec<u8>, fields: &[u16]) {
    bytes.extend(fields.iter().flat_map(|field| field.to_le_bytes()));
}

fn put32(bytes: &mut Vec<u8>, fields: &[u32]) {
    bytes.extend(fields.iter().flat_map(|field| field.to_le_bytes()));
}
