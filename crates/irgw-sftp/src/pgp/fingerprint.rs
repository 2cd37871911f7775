//! The full name of an OpenPGP key.

use std::fmt;
use std::str::FromStr;

use sequoia_openpgp as openpgp;

/// A key's fingerprint: 20 bytes for a version 4 key, 32 for version 6 (RFC 9580 §5.5.4).
///
/// It is what a certificate is pinned by: a user id can be written by anybody, and key ids (the short form) have
/// been made to collide. Prints as upper-case hex digits; parses from hex digits with or without spaces and colons.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(openpgp::Fingerprint);

impl Fingerprint {
    /// The bytes: 20 or 32 of them.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    pub(super) fn inner(&self) -> &openpgp::Fingerprint {
        &self.0
    }
}

impl From<openpgp::Fingerprint> for Fingerprint {
    fn from(fingerprint: openpgp::Fingerprint) -> Fingerprint {
        Fingerprint(fingerprint)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.to_hex())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_hex())
    }
}

impl FromStr for Fingerprint {
    type Err = InvalidFingerprint;

    fn from_str(text: &str) -> Result<Fingerprint, InvalidFingerprint> {
        let digits: Vec<u8> = text
            .bytes()
            .filter(|byte| ![b' ', b':'].contains(byte))
            .take(65)
            .map(|byte| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
            .collect::<Option<_>>()
            .ok_or(InvalidFingerprint)?;
        let version = match digits.len() {
            40 => 4,
            64 => 6,
            _ => return Err(InvalidFingerprint),
        };
        let bytes: Vec<u8> =
            digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
        openpgp::Fingerprint::from_bytes(version, &bytes).map(Fingerprint).map_err(|_| InvalidFingerprint)
    }
}

/// The text is not a fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a fingerprint is 40 or 64 hex digits; a key id or a user id is not one")]
pub struct InvalidFingerprint;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprint_has_40_or_64_digits() {
        let text = "0123456789ABCDEF0123456789ABCDEF01234567";
        assert_eq!(text.parse::<Fingerprint>().map(|f| f.to_string()).as_deref(), Ok(text));
        let spaced = "0123 4567 89ab cdef 0123  4567 89ab cdef 0123 4567".parse::<Fingerprint>();
        assert_eq!(spaced, text.parse());
        assert_eq!("AB".repeat(32).parse::<Fingerprint>().map(|f| f.as_bytes().len()), Ok(32));
        for bad in ["", "0123456789ABCDEF", "AB", &"A".repeat(41), &"G".repeat(40), &"A".repeat(10_000)] {
            assert_eq!(bad.parse::<Fingerprint>(), Err(InvalidFingerprint), "{bad}");
        }
    }
}
