//! Checks a received zip against what the control file lists for it (FILE-4).
//!
//! The archive is read by one strict grammar of its own, without the `zip` crate: that one looks for the end record from behind,
//! lets a later entry of one name hide an earlier one and reads both directories of a Zip64 file, as it should for archives
//! that somebody has at hand. Here an archive must have one reading only: entries from the first byte, one behind the other, then
//! their directory, then the end record, and nothing before, between or behind.

use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};

use super::count::{CountError, count};
use super::{Counts, Feed, FileTransfer, MemberName};

mod contents;
mod directory;
mod fault;
mod field;

use contents::Contents;
use directory::{Directory, Entry};
pub use fault::{MemberFlaw, ZipFault};
use field::Fields;

/// What a zip may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// The most bytes of all members together, inflated.
    pub inflated_bytes: u64,
    /// How many times as long as its deflated form a member of more than 1 MiB may be.
    pub ratio: u64,
}

impl Default for Caps {
    /// 16 GiB, and 200 times. The samples have 9 times; DEFLATE itself ends at about 1,000.
    fn default() -> Caps {
        Caps { inflated_bytes: 16 << 30, ratio: 200 }
    }
}

/// A zip that holds exactly what the control file lists for it. Only [`check_zip`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedZip {
    transfer: FileTransfer,
    inflated_bytes: u64,
}

impl CheckedZip {
    /// What the control file lists for it.
    pub fn transfer(&self) -> &FileTransfer {
        &self.transfer
    }

    /// The bytes of all members together.
    pub fn inflated_bytes(&self) -> u64 {
        self.inflated_bytes
    }
}

/// Checks that an archive holds exactly the members that `transfer` lists, each whole and with the counts that it lists.
///
/// Every byte of the archive is accounted for. Refused are members that are missing, unlisted, there twice, encrypted, or
/// anything but plain files; compression other than DEFLATE; Zip64 (so an archive has less than 4 GiB and 65,535 members);
/// comments; extra fields other than times and owners; and whatever `caps` does not allow, before anything is inflated. A name
/// that a control file can list has no path separators and no second spelling.
///
/// All members are inflated, their CRC-32 is verified and their records and periods are counted. That takes one pass over the archive after
/// its directory; memory grows with the number of listed members, not with their size.
///
/// # Errors
/// The first thing that is wrong, or the error of the reader as [`ZipFault::Io`].
pub fn check_zip<R: Read + Seek>(
    mut reader: R,
    transfer: &FileTransfer,
    caps: &Caps,
) -> Result<CheckedZip, ZipFault> {
    let Directory { entries, start, inflated_bytes } = Directory::read(&mut reader, transfer, caps)?;
    let feed = transfer.name.0.run.series().feed();
    reader.seek(SeekFrom::Start(0))?;
    let mut input = BufReader::with_capacity(BUFFER_BYTES, reader);
    let mut at = 0;
    let ends = entries.iter().skip(1).map(|next| next.offset).chain([start]);
    for (entry, end) in entries.iter().zip(ends) {
        if entry.offset != at {
            return Err(ZipFault::Layout { at });
        }
        let header_bytes = entry.read_local_header(&mut input)?;
        let data_end = at + header_bytes + entry.deflated;
        // A member that reaches into what follows it is told before it is inflated.
        let descriptor_bytes = end.checked_sub(data_end).ok_or(ZipFault::Layout { at: end })?;
        let found = read_content(&mut input, entry, feed)?;
        if found != entry.listed {
            return Err(entry.flawed(MemberFlaw::Counts { listed: entry.listed, found }));
        }
        entry.read_descriptor(&mut input, data_end, descriptor_bytes)?;
        at = end;
    }
    if at != start {
        return Err(ZipFault::Layout { at });
    }
    Ok(CheckedZip { transfer: transfer.clone(), inflated_bytes })
}

fn read_content(input: &mut impl BufRead, entry: &Entry, feed: Feed) -> Result<Counts, ZipFault> {
    let mut contents = Contents::new(input, entry);
    let counted = count(BufReader::with_capacity(BUFFER_BYTES, &mut contents), feed);
    match (contents.flaw(), counted) {
        (Some(flaw), _) => Err(entry.flawed(flaw)),
        (None, Ok(counts)) => Ok(counts),
        (None, Err(CountError::Content(fault))) => Err(entry.flawed(MemberFlaw::Content(fault))),
        (None, Err(CountError::Read(error))) => Err(error.into()),
    }
}

const BUFFER_BYTES: usize = 64 * 1024;
