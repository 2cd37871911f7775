//! An archive's end record, central directory and local headers (APPNOTE.TXT §4.3).

use std::collections::BTreeMap;
use std::io::{BufReader, Read, Seek, SeekFrom};

use irgw_core::printable;

use super::{Caps, Counts, Fields, FileTransfer, MemberFlaw, MemberName, ZipFault};
use crate::fileset::NAME_LIMIT_BYTES;

/// The central directory of an archive that has exactly the listed members.
pub(super) struct Directory {
    /// In the order in which they lie in the archive.
    pub(super) entries: Vec<Entry>,
    /// Where the directory starts.
    pub(super) start: u64,
    /// The sum over the entries.
    pub(super) inflated_bytes: u64,
}

/// One member, as the directory describes it.
pub(super) struct Entry {
    pub(super) name: MemberName,
    pub(super) listed: Counts,
    pub(super) method: Method,
    pub(super) crc: u32,
    pub(super) deflated: u64,
    pub(super) inflated: u64,
    pub(super) offset: u64,
    flags: u16,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Stored,
    Deflated,
}

impl Directory {
    pub(super) fn read<R: Read + Seek>(
        reader: &mut R,
        transfer: &FileTransfer,
        caps: &Caps,
    ) -> Result<Directory, ZipFault> {
        let length = reader.seek(SeekFrom::End(0))?;
        let end = length.checked_sub(END_BYTES).ok_or(ZipFault::End)?;
        reader.seek(SeekFrom::Start(end))?;
        let End { count, bytes, start } = End::read(&mut *reader)?;
        if start.checked_add(bytes) != Some(end) {
            return Err(ZipFault::Directory);
        }
        let listed = transfer.children.len();
        if usize::from(count) != listed {
            return Err(ZipFault::MemberCount { listed, found: count.into() });
        }
        reader.seek(SeekFrom::Start(start))?;
        let mut fields = Fields(BufReader::new(reader.take(bytes)));
        let mut listed: BTreeMap<_, _> =
            transfer.children.iter().map(|child| (child.name, Some(child.counts))).collect();
        let mut entries = Vec::with_capacity(count.into());
        let mut inflated_bytes = 0_u64;
        for _ in 0..count {
            let entry = Entry::read(&mut fields, &mut listed).map_err(|fault| match fault {
                ZipFault::CutOff => ZipFault::Directory,
                fault => fault,
            })?;
            if entry.inflated > entry.deflated.saturating_mul(caps.ratio).max(FREE_BYTES) {
                return Err(entry.flawed(MemberFlaw::Ratio { limit: caps.ratio }));
            }
            inflated_bytes = inflated_bytes.saturating_add(entry.inflated);
            entries.push(entry);
        }
        if fields.0.read(&mut [0])? != 0 {
            return Err(ZipFault::Directory);
        }
        if inflated_bytes > caps.inflated_bytes {
            return Err(ZipFault::TooLarge { limit_bytes: caps.inflated_bytes });
        }
        entries.sort_unstable_by_key(|entry| entry.offset);
        Ok(Directory { entries, start, inflated_bytes })
    }
}

/// The end of central directory record (§4.3.16).
struct End {
    count: u16,
    bytes: u64,
    start: u64,
}

impl End {
    fn read(reader: impl Read) -> Result<End, ZipFault> {
        let mut fields = Fields(reader);
        let signature = fields.u32()?;
        let (disk, directory_disk) = (fields.u16()?, fields.u16()?);
        let (count_here, count) = (fields.u16()?, fields.u16()?);
        let (bytes, start) = (fields.u32()?, fields.u32()?);
        let comment_bytes = fields.u16()?;
        if signature != END_SIGNATURE || comment_bytes != 0 {
            return Err(ZipFault::End);
        }
        if [disk, directory_disk, count_here, count].contains(&u16::MAX) || [bytes, start].contains(&u32::MAX)
        {
            return Err(ZipFault::Zip64);
        }
        if disk != 0 || directory_disk != 0 || count_here != count {
            return Err(ZipFault::End);
        }
        Ok(End { count, bytes: bytes.into(), start: start.into() })
    }
}

impl Entry {
    /// Reads one header of the central directory (§4.3.12), and ticks its member off the list.
    fn read<R: Read>(
        fields: &mut Fields<R>,
        listed: &mut BTreeMap<MemberName, Option<Counts>>,
    ) -> Result<Entry, ZipFault> {
        if fields.u32()? != CENTRAL_SIGNATURE {
            return Err(ZipFault::Directory);
        }
        // The version that made it, the version that is needed to read it.
        fields.skip::<4>()?;
        let (flags, method) = (fields.u16()?, fields.u16()?);
        // Time and date.
        fields.skip::<4>()?;
        let (crc, deflated, inflated) = (fields.u32()?, fields.u32()?, fields.u32()?);
        let (name_bytes, extra_bytes, comment_bytes) = (fields.u16()?, fields.u16()?, fields.u16()?);
        let disk = fields.u16()?;
        // Internal attributes.
        fields.skip::<2>()?;
        let (attributes, offset) = (fields.u32()?, fields.u32()?);
        let raw_name = fields.bytes(name_bytes)?;
        let extra = fields.bytes(extra_bytes)?;

        let name = str::from_utf8(&raw_name).ok().and_then(|name| name.parse().ok());
        let Some((name, counts)) = name.and_then(|name| Some((name, listed.get_mut(&name)?))) else {
            return Err(ZipFault::Unlisted { name: shown(&raw_name) });
        };
        let flawed = |flaw| ZipFault::Member { name, flaw };
        let listed = counts.take().ok_or(flawed(MemberFlaw::Twice))?;
        if flags & ENCRYPTED_FLAGS != 0 {
            return Err(flawed(MemberFlaw::Encrypted));
        }
        if flags & !KNOWN_FLAGS != 0 {
            return Err(flawed(MemberFlaw::Flags(flags)));
        }
        if disk != 0 || [deflated, inflated, offset].contains(&u32::MAX) {
            return Err(ZipFault::Zip64);
        }
        let kind = attributes >> 16 & UNIX_KIND;
        if attributes & NOT_A_FILE != 0 || (kind != 0 && kind != UNIX_PLAIN) {
            return Err(flawed(MemberFlaw::NotAFile));
        }
        check_extra(&extra).map_err(flawed)?;
        if comment_bytes != 0 {
            return Err(flawed(MemberFlaw::Comment));
        }
        let method = match method {
            0 if deflated == inflated => Method::Stored,
            0 => return Err(flawed(MemberFlaw::Length)),
            8 => Method::Deflated,
            other => return Err(flawed(MemberFlaw::Method(other))),
        };
        let (deflated, inflated, offset) = (deflated.into(), inflated.into(), offset.into());
        Ok(Entry { name, listed, method, crc, deflated, inflated, offset, flags })
    }

    /// Reads the header in front of the member (§4.3.7), which must say what the directory says; how many bytes it has.
    pub(super) fn read_local_header(&self, input: &mut impl Read) -> Result<u64, ZipFault> {
        let mut fields = Fields(input);
        if fields.u32()? != LOCAL_SIGNATURE {
            return Err(ZipFault::Layout { at: self.offset });
        }
        // The version that is needed to read it.
        fields.skip::<2>()?;
        let (flags, method) = (fields.u16()?, fields.u16()?);
        // Time and date.
        fields.skip::<4>()?;
        let sizes = [fields.u32()?, fields.u32()?, fields.u32()?];
        let (name_bytes, extra_bytes) = (fields.u16()?, fields.u16()?);
        let name = fields.bytes(name_bytes)?;
        let extra = fields.bytes(extra_bytes)?;

        let is_method = match self.method {
            Method::Stored => method == 0,
            Method::Deflated => method == 8,
        };
        // A member whose sizes follow it may have zeros here.
        let is_sizes = sizes.map(u64::from) == self.sizes() || (self.has_descriptor() && sizes == [0; 3]);
        if flags != self.flags || !is_method || !is_sizes || name != self.name.to_string().into_bytes() {
            return Err(self.flawed(MemberFlaw::Header));
        }
        check_extra(&extra).map_err(|flaw| self.flawed(flaw))?;
        Ok(LOCAL_BYTES + u64::from(name_bytes) + u64::from(extra_bytes))
    }

    /// Reads the `bytes` that lie between the member, which ends at `at`, and what follows it: a data descriptor (§4.3.9) if it has
    /// one, with or without a signature, and else nothing.
    pub(super) fn read_descriptor(&self, input: &mut impl Read, at: u64, bytes: u64) -> Result<(), ZipFault> {
        let mut fields = Fields(input);
        match (self.has_descriptor(), bytes) {
            (false, 0) => return Ok(()),
            (true, 16) if fields.u32()? == DESCRIPTOR_SIGNATURE => {}
            (true, 12) => {}
            _ => return Err(ZipFault::Layout { at }),
        }
        let sizes = [fields.u32()?, fields.u32()?, fields.u32()?];
        if sizes.map(u64::from) == self.sizes() { Ok(()) } else { Err(self.flawed(MemberFlaw::Header)) }
    }

    fn sizes(&self) -> [u64; 3] {
        [self.crc.into(), self.deflated, self.inflated]
    }

    fn has_descriptor(&self) -> bool {
        self.flags & DESCRIPTOR_FLAG != 0
    }

    pub(super) fn flawed(&self, flaw: MemberFlaw) -> ZipFault {
        ZipFault::Member { name: self.name, flaw }
    }
}

/// Extra fields (§4.5) can say anything again: the sizes, the name, the encryption. Times and owners change nothing.
fn check_extra(mut extra: &[u8]) -> Result<(), MemberFlaw> {
    while let Some((head, rest)) = extra.split_first_chunk::<4>() {
        let [id_low, id_high, length_low, length_high] = *head;
        let id = u16::from_le_bytes([id_low, id_high]);
        let length = u16::from_le_bytes([length_low, length_high]);
        extra = match rest.get(length.into()..) {
            Some(rest) if HARMLESS_EXTRA.contains(&id) => rest,
            _ => return Err(MemberFlaw::Extra(id)),
        };
    }
    if extra.is_empty() { Ok(()) } else { Err(MemberFlaw::Extra(0)) }
}

/// A stranger's name, short and printable.
fn shown(raw_name: &[u8]) -> String {
    let start = raw_name.get(..NAME_LIMIT_BYTES).unwrap_or(raw_name);
    printable(&String::from_utf8_lossy(start))
}

const END_SIGNATURE: u32 = 0x0605_4b50;
const CENTRAL_SIGNATURE: u32 = 0x0201_4b50;
const LOCAL_SIGNATURE: u32 = 0x0403_4b50;
const DESCRIPTOR_SIGNATURE: u32 = 0x0807_4b50;
const END_BYTES: u64 = 22;
const LOCAL_BYTES: u64 = 30;

/// Traditional encryption, strong encryption, and a masked local header.
const ENCRYPTED_FLAGS: u16 = 1 | 1 << 6 | 1 << 13;
/// The sizes follow the member.
const DESCRIPTOR_FLAG: u16 = 1 << 3;
/// How hard the compressor tried, the descriptor, and a name in UTF-8.
const KNOWN_FLAGS: u16 = 0b110 | DESCRIPTOR_FLAG | 1 << 11;
/// NTFS times, extended timestamp, Unix owners and times, in two forms.
const HARMLESS_EXTRA: [u16; 4] = [0x000a, 0x5455, 0x5855, 0x7875];
/// The attributes of a volume label, a folder and a reparse point.
const NOT_A_FILE: u32 = 0x08 | 0x10 | 0x400;
/// The bits of a Unix mode that say what kind of file it is, and the kind of a plain one.
const UNIX_KIND: u32 = 0o170_000;
const UNIX_PLAIN: u32 = 0o100_000;
/// A member of at most this many bytes may be compressed as well as it can be.
const FREE_BYTES: u64 = 1 << 20;
