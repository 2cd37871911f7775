//! The packets that carry handles and data, and the replies (draft-ietf-secsh-filexfer-02 §3, §6, §7).
//!
//! Requests that name paths are the SFTP library's to write. These are not, since the library takes a handle for text, where
//! the draft has any bytes, and libssh's server for one gives binary ones; it knows no status code above 8, where servers
//! send later versions'; it stops at a status without words; and it reads a listing with extended attributes wrongly.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::Breach;

/// The longest packet in either direction, without its length: what OpenSSH allows.
pub(crate) const LIMIT_BYTES: usize = 256 * 1024;

/// Takes one packet, without its length, off the front of what was received; none if it has not all come.
pub(crate) fn take(received: &mut BytesMut) -> Result<Option<Bytes>, Breach> {
    let Some(length) = received.first_chunk::<4>().map(|length| u32::from_be_bytes(*length)) else {
        return Ok(None);
    };
    let bytes = usize::try_from(length).unwrap_or(usize::MAX);
    if bytes == 0 || bytes > LIMIT_BYTES {
        return Err(Breach::PacketLength(length));
    }
    if received.len() - 4 < bytes {
        return Ok(None);
    }
    received.advance(4);
    Ok(Some(received.split_to(bytes).freeze()))
}

/// How many bytes the first packet lacks whose length has come.
pub(crate) fn lacking(received: &BytesMut) -> usize {
    let length = received.first_chunk::<4>().map_or(0, |length| u32::from_be_bytes(*length));
    usize::try_from(length)
        .unwrap_or(LIMIT_BYTES)
        .min(LIMIT_BYTES)
        .saturating_sub(received.len().saturating_sub(4))
}

/// An open file or folder of the server's: at most 256 bytes that mean nothing to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Handle(Bytes);

/// What a handle is used for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Use<'a> {
    Close,
    Read {
        offset: u64,
        length: u32,
    },
    Write {
        offset: u64,
        data: &'a [u8],
    },
    Stat,
    ReadFolder,
    /// `fsync@openssh.com`.
    Sync,
}

impl Handle {
    /// The whole packet of a request, its length included.
    pub(crate) fn request(&self, id: u32, purpose: Use<'_>) -> Bytes {
        let (kind, data_bytes) = match purpose {
            Use::Close => (4, 0),
            Use::Read { .. } => (5, 12),
            Use::Write { data, .. } => (6, 12 + data.len()),
            Use::Stat => (8, 0),
            Use::ReadFolder => (12, 0),
            Use::Sync => (200, 4 + FSYNC.len()),
        };
        let length = 1 + 4 + 4 + self.0.len() + data_bytes;
        let mut packet = BytesMut::with_capacity(4 + length);
        packet.put_u32(to_u32(length));
        packet.put_u8(kind);
        packet.put_u32(id);
        if let Use::Sync = purpose {
            put_string(&mut packet, FSYNC.as_bytes());
        }
        put_string(&mut packet, &self.0);
        match purpose {
            Use::Read { offset, length } => {
                packet.put_u64(offset);
                packet.put_u32(length);
            }
            Use::Write { offset, data } => {
                packet.put_u64(offset);
                put_string(&mut packet, data);
            }
            Use::Close | Use::Stat | Use::ReadFolder | Use::Sync => {}
        }
        packet.freeze()
    }
}

pub(crate) const FSYNC: &str = "fsync@openssh.com";

fn put_string(packet: &mut BytesMut, bytes: &[u8]) {
    packet.put_u32(to_u32(bytes.len()));
    packet.put_slice(bytes);
}

fn to_u32(length: usize) -> u32 {
    u32::try_from(length).expect("what we send is shorter than a packet may be")
}

/// What a server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    Status { code: u32, message: String },
    Handle(Handle),
    Data(Bytes),
    Names(Vec<Entry>),
    Attributes(Attributes),
    Extended(Bytes),
}

/// One entry of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The name, with U+FFFD in place of what is not UTF-8.
    pub(crate) name: String,
    pub(crate) attributes: Attributes,
}

/// What a server says about a file, as far as it matters to us.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Attributes {
    pub(crate) size: Option<u64>,
    pub(crate) mode: Option<u32>,
    pub(crate) modified: Option<u32>,
}

impl Attributes {
    /// Whether it is a regular file; unknown where the server says no mode, or one without a type.
    pub(crate) fn is_regular(self) -> Option<bool> {
        self.mode.map(|mode| mode & 0o170_000).filter(|kind| *kind != 0).map(|kind| kind == 0o100_000)
    }
}

/// The version that a server answers with, and the names of its extensions with their values.
pub(crate) fn read_version(packet: Bytes) -> Result<(u32, Vec<(String, String)>), Breach> {
    let mut reader = Reader(packet);
    if reader.u8()? != 2 {
        return Err(Breach::WrongReply);
    }
    let version = reader.u32()?;
    let mut extensions = Vec::new();
    while !reader.0.is_empty() {
        extensions.push((reader.text()?, reader.text()?));
    }
    Ok((version, extensions))
}

/// Reads a reply and the id of its request.
pub(crate) fn read(packet: Bytes) -> Result<(u32, Reply), Breach> {
    let mut reader = Reader(packet);
    let kind = reader.u8()?;
    let id = reader.u32()?;
    let reply = match kind {
        101 => Reply::Status {
            code: reader.u32()?,
            message: if reader.0.is_empty() { String::new() } else { reader.text()? },
        },
        102 => {
            let handle = reader.string()?;
            if handle.len() > 256 {
                return Err(Breach::Malformed);
            }
            Reply::Handle(Handle(handle))
        }
        103 => Reply::Data(reader.string()?),
        104 => {
            let count = reader.u32()?;
            let mut entries = Vec::new();
            for _ in 0..count {
                let name = reader.text()?;
                reader.string()?;
                entries.push(Entry { name, attributes: reader.attributes()? });
            }
            Reply::Names(entries)
        }
        105 => Reply::Attributes(reader.attributes()?),
        201 => Reply::Extended(reader.0),
        _ => return Err(Breach::WrongReply),
    };
    Ok((id, reply))
}

/// Reads the fields of a packet, each within what is left of it.
struct Reader(Bytes);

impl Reader {
    fn u8(&mut self) -> Result<u8, Breach> {
        self.0.try_get_u8().map_err(|_| Breach::Malformed)
    }

    fn u32(&mut self) -> Result<u32, Breach> {
        self.0.try_get_u32().map_err(|_| Breach::Malformed)
    }

    fn u64(&mut self) -> Result<u64, Breach> {
        self.0.try_get_u64().map_err(|_| Breach::Malformed)
    }

    fn string(&mut self) -> Result<Bytes, Breach> {
        let length = self.u32()? as usize;
        if length > self.0.len() {
            return Err(Breach::Malformed);
        }
        Ok(self.0.split_to(length))
    }

    fn text(&mut self) -> Result<String, Breach> {
        Ok(String::from_utf8_lossy(&self.string()?).into_owned())
    }

    fn attributes(&mut self) -> Result<Attributes, Breach> {
        let flags = self.u32()?;
        let has = |flag| flags & flag != 0;
        let mut attributes = Attributes::default();
        if has(0x1) {
            attributes.size = Some(self.u64()?);
        }
        if has(0x2) {
            self.u32()?;
            self.u32()?;
        }
        if has(0x4) {
            attributes.mode = Some(self.u32()?);
        }
        if has(0x8) {
            self.u32()?;
            attributes.modified = Some(self.u32()?);
        }
        if has(0x8000_0000) {
            for _ in 0..self.u32()? {
                self.string()?;
                self.string()?;
            }
        }
        Ok(attributes)
    }
}

/// The free room that `statvfs@openssh.com` tells: blocks for us, in bytes, and files.
pub(crate) fn read_free(reply: Bytes) -> Result<(u64, u64), Breach> {
    let mut reader = Reader(reply);
    let mut fields = [0; 11];
    for field in &mut fields {
        *field = reader.u64()?;
    }
    let [_, fragment, _, _, blocks, _, _, files, ..] = fields;
    Ok((blocks.saturating_mul(fragment), files))
}

/// The most data that a server takes in one request; 0: it does not limit them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) read_bytes: u64,
    pub(crate) write_bytes: u64,
}

/// What `limits@openssh.com` tells: the longest packet, the longest read, the longest write, the most handles.
pub(crate) fn read_limits(reply: Bytes) -> Result<Limits, Breach> {
    let mut reader = Reader(reply);
    reader.u64()?;
    Ok(Limits { read_bytes: reader.u64()?, write_bytes: reader.u64()? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use russh_sftp::protocol::{Packet, Write};

    use super::*;

    #[test]
    fn requests_are_those_of_the_library() {
        let handle = Handle(Bytes::from_static(b"h1"));
        let ours = handle.request(7, Use::Write { offset: 1 << 33, data: b"data" });
        let write = Write { id: 7, handle: "h1".into(), offset: 1 << 33, data: b"data".to_vec() };
        assert_eq!(ours, Bytes::try_from(Packet::Write(write)).unwrap());
        let close = russh_sftp::protocol::Close { id: 9, handle: "h1".into() };
        assert_eq!(handle.request(9, Use::Close), Bytes::try_from(Packet::Close(close)).unwrap());
        let read = russh_sftp::protocol::Read { id: 9, handle: "h1".into(), offset: 5, len: 6 };
        let ours = handle.request(9, Use::Read { offset: 5, length: 6 });
        assert_eq!(ours, Bytes::try_from(Packet::Read(read)).unwrap());
    }

    #[test]
    fn replies_that_the_library_stops_at_are_read() {
        let reply = |bytes: &[u8]| read(Bytes::copy_from_slice(bytes));
        let status = |code, message: &str| Ok((7, Reply::Status { code, message: message.into() }));
        assert_eq!(reply(b"\x65\0\0\0\x07\0\0\0\x04"), status(4, ""));
        assert_eq!(reply(b"\x65\0\0\0\x07\0\0\0\x0e\0\0\0\x02no\0\0\0\0"), status(14, "no"));
        let handle = Reply::Handle(Handle(Bytes::from_static(b"\x80\xff")));
        assert_eq!(reply(b"\x66\0\0\0\x07\0\0\0\x02\x80\xff"), Ok((7, handle)));
        let entry = b"\0\0\0\x01a\0\0\0\0\x80\0\0\x04\0\0\x81\xa4\0\0\0\x01\0\0\0\x01x\0\0\0\x01y";
        let names = [b"\x68\0\0\0\x07\0\0\0\x02".as_slice(), entry, entry].concat();
        let Ok((7, Reply::Names(entries))) = reply(&names) else { panic!() };
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[1].attributes.is_regular(), Some(true));
    }

    #[test]
    fn lengths_are_bounded_e03() {
        let taken = |bytes: &[u8]| take(&mut BytesMut::from(bytes));
        assert_eq!(taken(b"\xff\xff\xff\xff"), Err(Breach::PacketLength(u32::MAX)));
        assert_eq!(taken(b"\0\x04\0\x01x"), Err(Breach::PacketLength(256 * 1024 + 1)));
        assert_eq!(taken(b"\0\0\0\0"), Err(Breach::PacketLength(0)));
        assert_eq!(taken(b"\0\x04\0\0x"), Ok(None));
        assert_eq!(taken(b"\0\0\0"), Ok(None));
        assert_eq!(taken(b"\0\0\0\x01xy"), Ok(Some(Bytes::from_static(b"x"))));
    }

    #[test]
    fn what_a_packet_lacks_is_bounded_e03() {
        let lacking = |bytes: &[u8]| lacking(&BytesMut::from(bytes));
        assert_eq!((lacking(b""), lacking(b"\0\0\0"), lacking(b"\0\0\0\x05xy")), (0, 0, 3));
        assert_eq!(lacking(b"\0\0\0\x01xy"), 0);
        assert_eq!(lacking(b"\xff\xff\xff\xff"), LIMIT_BYTES);
    }

    proptest! {
        #[test]
        fn no_packet_makes_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let bytes = Bytes::from(bytes);
            let _ = take(&mut BytesMut::from(&bytes[..]));
            let _ = read(bytes.clone());
            let _ = read_version(bytes.clone());
            let _ = read_limits(bytes.clone());
            let _ = read_free(bytes);
        }

        #[test]
        fn no_reply_of_a_known_kind_makes_the_reader_panic(
            kind in prop::sample::select(vec![101_u8, 102, 103, 104, 105, 201]),
            bytes in proptest::collection::vec(prop::sample::select(vec![0_u8, 1, 4, 0x80, 0xff]), 0..80),
        ) {
            let _ = read(Bytes::from([&[kind, 0, 0, 0, 1][..], &bytes].concat()));
        }
    }
}
