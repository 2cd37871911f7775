//! A member's content, inflated while it is read, and verified when it ends.

use std::io::{self, BufRead, Read};

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::MemberFlaw;
use super::directory::{Entry, Method};

/// Reads a member to the end that the directory states, and not a byte further.
///
/// The end is reported only once the length and the CRC-32 have been found right; until then nothing that was read can be
/// relied on.
pub(super) struct Contents<'a, R> {
    input: &'a mut R,
    entry: &'a Entry,
    inflate: Option<Decompress>,
    deflated_left: u64,
    inflated: u64,
    crc: Crc,
    is_over: bool,
    flaw: Option<MemberFlaw>,
}

impl<'a, R: BufRead> Contents<'a, R> {
    pub(super) fn new(input: &'a mut R, entry: &'a Entry) -> Contents<'a, R> {
        let inflate = match entry.method {
            Method::Stored => None,
            Method::Deflated => Some(Decompress::new(false)),
        };
        Contents {
            input,
            entry,
            inflate,
            deflated_left: entry.deflated,
            inflated: 0,
            crc: Crc::new(),
            is_over: false,
            flaw: None,
        }
    }

    /// What was found to be wrong with the member, rather than with the reader below.
    pub(super) fn flaw(&self) -> Option<MemberFlaw> {
        self.flaw
    }

    /// One step: how many bytes were taken, how many given, and whether that was the last.
    fn step(&mut self, into: &mut [u8]) -> Result<(usize, usize, bool), StepError> {
        let bytes = self.input.fill_buf().map_err(StepError::Read)?;
        let left = usize::try_from(self.deflated_left).unwrap_or(usize::MAX);
        let bytes = bytes.get(..left).unwrap_or(bytes);
        let Some(inflate) = &mut self.inflate else {
            let mut bytes = bytes;
            let copied = bytes.read(into).map_err(StepError::Read)?;
            return Ok((copied, copied, copied == left));
        };
        let (taken, given) = (inflate.total_in(), inflate.total_out());
        let status = inflate.decompress(bytes, into, FlushDecompress::None);
        let status = status.map_err(|_| StepError::Flaw(MemberFlaw::Deflate))?;
        let delta = |now: u64, before: u64| usize::try_from(now - before).unwrap_or(usize::MAX);
        let (taken, given) = (delta(inflate.total_in(), taken), delta(inflate.total_out(), given));
        Ok((taken, given, status == Status::StreamEnd))
    }

    fn advance(&mut self, into: &mut [u8]) -> Result<usize, StepError> {
        loop {
            let (taken, given, is_last) = self.step(into)?;
            self.input.consume(taken);
            self.deflated_left = self.deflated_left.saturating_sub(taken as u64);
            self.inflated = self.inflated.saturating_add(given as u64);
            self.crc.update(into.get(..given).unwrap_or_default());
            if self.inflated > self.entry.inflated {
                return Err(StepError::Flaw(MemberFlaw::Length));
            }
            if is_last {
                self.verify().map_err(StepError::Flaw)?;
                self.is_over = true;
                return Ok(given);
            }
            if given > 0 {
                return Ok(given);
            }
            if taken == 0 {
                // It asks for bytes that the member does not have.
                return Err(StepError::Flaw(MemberFlaw::Deflate));
            }
        }
    }

    fn verify(&self) -> Result<(), MemberFlaw> {
        if self.deflated_left != 0 {
            return Err(MemberFlaw::Deflate);
        }
        if self.inflated != self.entry.inflated {
            return Err(MemberFlaw::Length);
        }
        if self.crc.sum() != self.entry.crc {
            return Err(MemberFlaw::Crc);
        }
        Ok(())
    }
}

enum StepError {
    Read(io::Error),
    Flaw(MemberFlaw),
}

impl<R: BufRead> Read for Contents<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.is_over || into.is_empty() {
            return Ok(0);
        }
        self.advance(into).map_err(|error| match error {
            StepError::Read(error) => error,
            StepError::Flaw(flaw) => {
                self.flaw = Some(flaw);
                io::ErrorKind::InvalidData.into()
            }
        })
    }
}
