//! The message's bytes as they are read: without armour, counted, and their beginning looked at first.

use std::io::{self, Cursor, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use openpgp::armor;
use openpgp::packet::{Packet, SEIP};
use openpgp::parse::buffered_reader::BufferedReader;
use openpgp::parse::{PacketParser, PacketParserResult, Parse};
use sequoia_openpgp as openpgp;

use super::DecryptFault;

/// How many of a message's bytes are looked at before the library decrypts any.
pub(super) const BEGINNING_BYTES: u64 = 512 * 1024;

/// A message without its armour.
pub(super) struct Source<'a> {
    bytes: Box<dyn Read + Send + Sync + 'a>,
    meter: Arc<Meter>,
}

/// What was read so far, and what went wrong.
#[derive(Default)]
pub(super) struct Meter {
    bytes: AtomicU64,
    error: OnceLock<io::ErrorKind>,
}

impl<'a> Source<'a> {
    /// Reads the beginning of a message, which may be armoured, and checks it.
    ///
    /// # Errors
    /// When it cannot be read, is empty, or holds encrypted data too short to be any.
    pub(super) fn begin<R: Read + Send + Sync + 'a>(message: R) -> Result<Source<'a>, DecryptFault> {
        let meter = Arc::<Meter>::default();
        let mut raw = Watched { inner: message, meter: Arc::clone(&meter) };
        let fault = |meter: &Meter, error: io::Error| {
            meter.error().map_or_else(|| super::decrypt::io_cause(&error), DecryptFault::Source)
        };
        let mut first = [0];
        if let Err(error) = raw.read_exact(&mut first) {
            return Err(fault(&meter, error));
        }
        // The first octet of a packet has its highest bit set (RFC 9580 §4.2); armour is ASCII.
        let is_binary = first[0] & 0x80 != 0;
        let raw = Cursor::new(first).chain(raw);
        let mut bytes: Box<dyn Read + Send + Sync + 'a> = if is_binary {
            Box::new(raw)
        } else {
            let kind = Some(armor::Kind::Message);
            Box::new(armor::Reader::from_reader(raw, armor::ReaderMode::Tolerant(kind)))
        };
        let mut beginning = Vec::new();
        if let Err(error) = bytes.by_ref().take(BEGINNING_BYTES).read_to_end(&mut beginning) {
            return Err(fault(&meter, error));
        }
        check_length(&beginning)?;
        meter.bytes.store(0, Ordering::Relaxed);
        Ok(Source { bytes: Box::new(Cursor::new(beginning).chain(bytes)), meter })
    }

    pub(super) fn meter(&self) -> Arc<Meter> {
        Arc::clone(&self.meter)
    }
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read(buffer)?;
        self.meter.bytes.fetch_add(u64::try_from(read).unwrap_or(u64::MAX), Ordering::Relaxed);
        Ok(read)
    }
}

impl Meter {
    /// How many bytes the library has read, those that wait in its buffers included.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The error that reading ended with.
    pub(super) fn error(&self) -> Option<io::ErrorKind> {
        self.error.get().copied()
    }
}

/// Keeps the reader's own error apart from what the library makes of it.
struct Watched<R> {
    inner: R,
    meter: Arc<Meter>,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer).inspect_err(|error| {
            if error.kind() != io::ErrorKind::Interrupted {
                self.meter.error.get_or_init(|| error.kind());
            }
        })
    }
}

/// Refuses integrity-protected data that have no room for what is always in them.
///
/// Sequoia 2.4.2 panics when it decrypts data of version 1 (RFC 9580 §5.13.1) that end within their last 22 octets,
/// the modification detection code, and anybody who has our public key can send that. Encrypted data that begin
/// behind what is looked at here are refused before they are decrypted, by the limit on what may stand in front of
/// them.
fn check_length(beginning: &[u8]) -> Result<(), DecryptFault> {
    let mut next = PacketParser::from_bytes(beginning).ok();
    for _ in 0..super::message::PACKET_LIMIT {
        let Some(PacketParserResult::Some(mut parser)) = next else { return Ok(()) };
        if let Packet::SEIP(SEIP::V1(_)) = parser.packet {
            // The version octet has been read.
            let length = parser.data(SEIPD1_LEAST_BYTES).map_or(0, |body| body.len());
            return if length < SEIPD1_LEAST_BYTES { Err(DecryptFault::Truncated) } else { Ok(()) };
        }
        next = parser.next().ok().map(|(_, next)| next);
    }
    Ok(())
}

/// An AES block, its last two octets again, and the modification detection code.
const SEIPD1_LEAST_BYTES: usize = 16 + 2 + 22;
