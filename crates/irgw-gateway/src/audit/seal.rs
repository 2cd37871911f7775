//! The chain of seals over the audit log.

use std::fmt;
use std::io::{self, BufRead};

use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

/// The seal before the first: a log starts from nothing.
pub(super) const START: [u8; 32] = [0; 32];

/// A line that seals all bytes since the seal before it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SealLine {
    /// SHA-256 over the previous seal and the bytes of the batch, in hex.
    pub(super) seal: String,
    /// Records in the batch.
    pub(super) records: u64,
}

/// The seal over `batch`, behind `previous`.
pub(super) fn seal(previous: &[u8; 32], batch: &[u8]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    context.update(previous);
    context.update(batch);
    bytes(context)
}

fn bytes(context: Context) -> [u8; 32] {
    let mut seal = [0; 32];
    seal.copy_from_slice(context.finish().as_ref());
    seal
}

pub(super) fn hex(seal: &[u8; 32]) -> String {
    irgw_core::Thumbprint(*seal).to_string().to_ascii_lowercase()
}

/// What a log that verified holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Sealed records.
    pub records: u64,
    /// Seals.
    pub batches: u64,
    /// Lines behind the last seal: written, and not yet sealed.
    pub unsealed: u64,
    /// The last seal, in hex: what to keep elsewhere.
    pub last_seal: String,
    /// All seals, in order.
    #[serde(skip)]
    pub seals: Vec<String>,
}

/// Where a log does not verify.
#[derive(Debug)]
#[non_exhaustive]
pub enum Broken {
    /// The log cannot be read.
    Io(io::Error),
    /// A seal does not fit the bytes before it.
    Seal {
        /// The seal's line, from 1.
        line: u64,
        /// The first line that it seals.
        first: u64,
    },
    /// A seal's count differs from the lines that it seals.
    Count {
        /// The seal's line, from 1.
        line: u64,
    },
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Broken::Io(_) => f.write_str("the log cannot be read"),
            Broken::Seal { line, first } => write!(f, "lines {first} to {line} are not as they were sealed"),
            Broken::Count { line } => {
                write!(f, "the seal in line {line} counts other records than stand before it")
            }
        }
    }
}

impl std::error::Error for Broken {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Broken::Io(error) => Some(error),
            Broken::Seal { .. } | Broken::Count { .. } => None,
        }
    }
}

/// Verifies a log from its start.
///
/// # Errors
/// [`Broken`], at the first seal that does not fit.
pub fn verify(mut log: impl BufRead) -> Result<Verified, Broken> {
    let mut previous = START;
    let mut context = restarted(&previous);
    let (mut number, mut first, mut pending) = (0, 1, 0);
    let mut verified =
        Verified { records: 0, batches: 0, unsealed: 0, last_seal: hex(&START), seals: Vec::new() };
    let mut line = Vec::new();
    loop {
        line.clear();
        if log.read_until(b'\n', &mut line).map_err(Broken::Io)? == 0 {
            verified.unsealed = pending;
            return Ok(verified);
        }
        number += 1;
        match serde_json::from_slice::<SealLine>(&line) {
            Ok(found) => {
                previous = bytes(std::mem::replace(&mut context, restarted(&previous)));
                if found.seal != hex(&previous) {
                    return Err(Broken::Seal { line: number, first });
                }
                if found.records != pending {
                    return Err(Broken::Count { line: number });
                }
                context = restarted(&previous);
                verified.records += pending;
                verified.batches += 1;
                verified.last_seal.clone_from(&found.seal);
                verified.seals.push(found.seal);
                (pending, first) = (0, number + 1);
            }
            Err(_) => {
                context.update(&line);
                pending += 1;
            }
        }
    }
}

fn restarted(previous: &[u8; 32]) -> Context {
    let mut context = Context::new(&SHA256);
    context.update(previous);
    context
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(batches: &[&[&str]]) -> Vec<u8> {
        let mut log = Vec::new();
        let mut previous = START;
        for batch in batches {
            let bytes: Vec<u8> = batch.iter().flat_map(|line| format!("{line}\n").into_bytes()).collect();
            previous = seal(&previous, &bytes);
            log.extend(bytes);
            let line = SealLine { seal: hex(&previous), records: batch.len() as u64 };
            log.extend(serde_json::to_vec(&line).unwrap());
            log.push(b'\n');
        }
        log
    }

    #[test]
    fn whole_log_verifies() {
        let verified = verify(log(&[&["{\"a\":1}", "{\"b\":2}"], &["{\"c\":3}"]]).as_slice()).unwrap();
        assert_eq!((verified.records, verified.batches, verified.unsealed), (3, 2, 0));
    }

    /// G10: any flipped byte of the records is found.
    #[test]
    fn any_flipped_byte_is_found() {
        let whole = log(&[&["{\"a\":1}", "{\"b\":2}"], &["{\"c\":3}"]]);
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            let same = verify(changed.as_slice()).is_ok_and(|verified| verified.records == 3);
            assert!(!same, "byte {at}");
        }
    }

    #[test]
    fn removed_batch_is_found() {
        let whole = log(&[&["a"], &["b"], &["c"]]);
        let text = String::from_utf8(whole).unwrap();
        let lines: Vec<_> = text.lines().collect();
        let cut = [&lines[..2], &lines[4..]].concat().join("\n") + "\n";
        assert!(matches!(verify(cut.as_bytes()), Err(Broken::Seal { line: 4, first: 3 })));
    }
}
