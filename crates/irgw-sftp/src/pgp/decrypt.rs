//! A message that comes: decrypted, verified, and released when all of it has (PGP-2).

use std::io::{self, Read};
use std::time::Duration;

use irgw_core::UnixTime;
use openpgp::parse::Parse;
use openpgp::parse::stream::DecryptorBuilder;
use sequoia_openpgp as openpgp;

use super::message::{Findings, Judge};
use super::profile::{Profile, Sha1Bindings};
use super::source::{Meter, Source};
use super::time::{later, system_time};
use super::{DecryptFault, OwnKey, PartnerCert, Quarantine, Verified};

/// How much a message may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of the decrypted file.
    pub bytes: u64,
    /// How many times more bytes than were read may come out, once 1 MiB has: XML compresses to a twentieth, a bomb
    /// to a thousandth and less.
    pub ratio: u64,
}

impl Default for Limits {
    /// 16 GiB, and a hundred times what was read.
    fn default() -> Limits {
        Limits { bytes: 16 << 30, ratio: 100 }
    }
}

/// Decrypts a message with any of the keys held, verifies it, and gives the file back when all of it has verified.
///
/// The message, binary or armoured, must be encrypted with AES-256 and integrity protected, be compressed at most
/// once, and hold exactly one literal, whose name and date are ignored. It must have at least one signature and at
/// most eight; **every** signature must be over the bytes as they are, over SHA-256 or better, by a key of one of
/// `signers` that was live when it signed and is live now. If the signature names its intended recipients, the
/// certificate of the key that decrypted must be among them. A signature may be dated five minutes ahead of `now`.
///
/// What is decrypted goes to the quarantine file and is removed on any fault. Memory is a few MiB whatever the
/// message's size. The call blocks on `message` and on the disk.
///
/// # Errors
/// What is wrong with the message: see [`DecryptFault`]. It is for the log; nothing of it belongs into an answer to
/// the sender.
pub fn decrypt<R: Read + Send + Sync>(
    keys: &[OwnKey],
    signers: &[PartnerCert],
    now: UnixTime,
    limits: &Limits,
    message: R,
    mut quarantine: Quarantine,
) -> Result<Verified, DecryptFault> {
    let source = Source::begin(message)?;
    let meter = source.meter();
    let mut findings = Findings::default();
    // An exception for SHA-1 is one certificate's: where signers differ, each is judged again by its own
    // (`Judge::live`).
    let excepted = signers.iter().any(|signer| signer.profile(now).sha1() == Sha1Bindings::Taken);
    let profile = Profile::new(now, if excepted { Sha1Bindings::Taken } else { Sha1Bindings::Refused });
    let judge = Judge { keys, signers, now, meter: std::sync::Arc::clone(&meter), findings: &mut findings };
    let copied = DecryptorBuilder::from_reader(source)
        .and_then(|builder| {
            builder.buffer_size(BUFFER_BYTES).with_policy(&profile, system_time(later(now, SKEW)), judge)
        })
        .map_err(|error| cause(&error))
        .and_then(|mut plaintext| copy(&mut plaintext, limits, &meter, &mut quarantine));
    let fault = meter.error().map(DecryptFault::Source).or(findings.fault);
    // The library ends without an error only after it has shown the verified structure; this does not rest on that.
    match (fault, copied, findings.signed) {
        (Some(fault), ..) | (None, Err(fault), _) => Err(fault),
        (None, Ok(bytes), Some(signed)) => Ok(quarantine.verified(signed, bytes)),
        (None, Ok(_), None) => Err(DecryptFault::Unsigned),
    }
}

/// How far a signer's clock may run ahead of ours.
const SKEW: Duration = Duration::from_secs(300);
/// The library holds back so much, and twice that is in memory.
const BUFFER_BYTES: usize = 1 << 20;
/// The ratio is asked for from here on: a small file may well be all zeros.
const RATIO_FLOOR_BYTES: u64 = 1 << 20;

fn copy(
    plaintext: &mut impl Read,
    limits: &Limits,
    meter: &Meter,
    quarantine: &mut Quarantine,
) -> Result<u64, DecryptFault> {
    let mut buffer = vec![0; 64 * 1024];
    let mut total: u64 = 0;
    loop {
        let read = match plaintext.read(&mut buffer) {
            Ok(0) => return Ok(total),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(io_cause(&error)),
        };
        let bytes = buffer.get(..read).ok_or(DecryptFault::Malformed)?;
        total = total.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        if total > limits.bytes {
            return Err(DecryptFault::TooLarge { limit: limits.bytes });
        }
        if total > RATIO_FLOOR_BYTES && total > meter.bytes().saturating_mul(limits.ratio) {
            return Err(DecryptFault::Ratio { limit: limits.ratio });
        }
        quarantine.write_all(bytes).map_err(|error| DecryptFault::Sink(error.kind()))?;
    }
}

/// What the library reports while it begins, in our words.
fn cause(error: &openpgp::anyhow::Error) -> DecryptFault {
    error.chain().find_map(known).unwrap_or(DecryptFault::Malformed)
}

/// What the library reports while it reads: it wraps its own errors in those of reading.
pub(super) fn io_cause(error: &io::Error) -> DecryptFault {
    let inner = error.get_ref().map(|inner| inner as &(dyn std::error::Error + 'static));
    let chain = std::iter::successors(inner, |error| error.source());
    std::iter::once(error as &(dyn std::error::Error + 'static))
        .chain(chain)
        .find_map(known)
        .unwrap_or(DecryptFault::Malformed)
}

fn known(error: &(dyn std::error::Error + 'static)) -> Option<DecryptFault> {
    if is_end_of_file(error) {
        return Some(DecryptFault::Truncated);
    }
    // The wrapped error's type is lost on the way, its words are not.
    let modified = openpgp::Error::ManipulatedMessage.to_string();
    (error.to_string() == modified).then_some(DecryptFault::Modified)
}

/// Whether the input ended where it must not.
pub(super) fn is_end_of_file(error: &(dyn std::error::Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::UnexpectedEof)
}
