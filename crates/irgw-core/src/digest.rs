//! A certificate's SHA-256 thumbprint.

use std::fmt;
use std::str::FromStr;

use crate::InvalidThumbprint;

/// SHA-256 over a certificate's DER (M2M-3).
///
/// Printed as IR prints it, 64 upper-case hex digits; parsed in either case, with or without colons between the bytes.
/// This crate computes no digest: whoever parses a certificate makes its thumbprint.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Thumbprint(pub [u8; 32]);

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // By hand, since every audit record has one: a call of the formatting machinery per byte costs a microsecond.
        let mut digits = [0; 64];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(self.0) {
            pair.copy_from_slice(&[hex_digit(byte >> 4), hex_digit(byte & 0xf)]);
        }
        f.write_str(str::from_utf8(&digits).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Thumbprint {
    type Err = InvalidThumbprint;

    fn from_str(text: &str) -> Result<Thumbprint, InvalidThumbprint> {
        parse_hex(text).map(Thumbprint).ok_or(InvalidThumbprint)
    }
}

impl serde::Serialize for Thumbprint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Thumbprint {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Thumbprint, D::Error> {
        let text = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The digit of a value below 16.
const fn hex_digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'A' + value - 10 }
}

/// `N` bytes written as hex, in either case, all pairs separated by colons or none.
fn parse_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let step = if text.len() == 2 * N { 2 } else { 3 };
    if step == 3 && text.len() != 3 * N - 1 {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, group) in bytes.iter_mut().zip(text.as_bytes().chunks(step)) {
        let (high, low, rest) = match group {
            [high, low, rest @ ..] => (high, low, rest),
            _ => return None,
        };
        if !matches!(rest, [] | [b':']) {
            return None;
        }
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

fn digit(character: u8) -> Option<u8> {
    char::from(character).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thumbprint_parses_in_either_case_and_with_colons() {
        let plain = "F2C9F8F14F9A432095DB8B9FC1EB746C6783B7C343754561F9AECCB7C782E632";
        let thumbprint: Thumbprint = plain.parse().unwrap();
        assert_eq!(thumbprint.to_string(), plain);
        assert_eq!(plain.to_lowercase().parse(), Ok(thumbprint));
        let pairs: Vec<&str> = plain.as_bytes().chunks(2).map(|c| std::str::from_utf8(c).unwrap()).collect();
        assert_eq!(pairs.join(":").parse(), Ok(thumbprint));
    }

    #[test]
    fn thumbprint_is_refused_when_short_long_or_oddly_separated() {
        let plain = "F2C9F8F14F9A432095DB8B9FC1EB746C6783B7C343754561F9AECCB7C782E632";
        for text in [
            "",
            &plain[..40],
            &plain[..63],
            &format!("{plain}00"),
            &format!(" {plain}"),
            &plain.replace('F', "G"),
        ] {
            assert_eq!(text.parse::<Thumbprint>(), Err(InvalidThumbprint), "{text}");
        }
        let pairs: Vec<&str> = plain.as_bytes().chunks(2).map(|c| std::str::from_utf8(c).unwrap()).collect();
        assert!(pairs.join(" ").parse::<Thumbprint>().is_err());
        assert!(format!("{}:", pairs.join(":")).parse::<Thumbprint>().is_err());
    }
}
