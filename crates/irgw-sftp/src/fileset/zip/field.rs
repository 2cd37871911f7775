//! Reads the little-endian fields of an archive's headers (APPNOTE.TXT §4.3).

use std::io::{self, Read};

/// A source of fields.
pub(super) struct Fields<R>(pub(super) R);

impl<R: Read> Fields<R> {
    pub(super) fn u16(&mut self) -> io::Result<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> io::Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn bytes(&mut self, length: u16) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length.into()];
        self.0.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn skip<const N: usize>(&mut self) -> io::Result<()> {
        self.array::<N>().map(drop)
    }

    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.0.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}
