//! One-time passwords (RFC 6238, C26): six digits, thirty seconds, HMAC-SHA-1, each good once.

use irgw_core::{Secret, UnixTime};
use totp_rs::{Algorithm, Builder};

/// A key of one-time passwords has so many bytes (RFC 4226 §4, R6).
pub const KEY_BYTES: usize = 20;

/// The time step, counted from the epoch, whose password `code` is: this one, the one before or the one after, for a
/// clock that differs (RFC 6238 §5.2). `None`: it is no password of these. The same step is not to be taken twice.
pub fn step(key: &Secret<Vec<u8>>, code: &str, now: UnixTime) -> Option<u64> {
    if code.len() != 6 || !code.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let totp = Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(6)
        .with_step_duration(STEP_SECS)
        .with_skew(1)
        .with_secret(key.expose().clone())
        .build()
        .ok()?;
    totp.check(code, now.as_secs())
}

/// A key as people type it into their authenticator: base32 without padding (RFC 4648 §6).
pub fn to_base32(key: &Secret<Vec<u8>>) -> String {
    const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut text = String::new();
    for chunk in key.expose().chunks(5) {
        let mut bits = [0; 8];
        bits.iter_mut().skip(3).zip(chunk).for_each(|(place, byte)| *place = *byte);
        let number = u64::from_be_bytes(bits);
        let digits = (0..8).map(|digit| (number >> (35 - 5 * digit)) as usize & 31);
        let used = (chunk.len() * 8).div_ceil(5);
        text.extend(digits.take(used).filter_map(|digit| DIGITS.get(digit)).map(|digit| char::from(*digit)));
    }
    text
}

/// A time step is so many seconds long.
pub const STEP_SECS: u64 = 30;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    /// RFC 4648 §10, without the padding.
    #[test]
    fn key_is_shown_in_base32() {
        for (bytes, text) in [
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(to_base32(&Secret::new(bytes.into())), text);
        }
    }

    /// RFC 6238 appendix B, the last six of its eight digits.
    #[test]
    fn passwords_of_the_standard_are_found_in_their_step() {
        let key = Secret::new(b"12345678901234567890".to_vec());
        for (seconds, code) in [(59, "287082"), (1_111_111_109, "081804"), (2_000_000_000, "279037")] {
            assert_eq!(step(&key, code, at(seconds)), Some(seconds / 30), "{code}");
            assert_eq!(step(&key, code, at(seconds + 30)), Some(seconds / 30));
            assert_eq!(step(&key, code, at(seconds + 60)), None);
        }
        for bad in ["", "28708", "2870822", "28708a", "２８７０８２"] {
            assert_eq!(step(&key, bad, at(59)), None);
        }
    }
}
