//! What can be wrong with a word of this crate.

use std::fmt;

/// The text is not a name of this kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownName {
    /// What was expected, e.g. `environment`.
    pub kind: &'static str,
}

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a known {}", self.kind)
    }
}

impl std::error::Error for UnknownName {}

/// The text cannot be an identifier: see [`crate::ProviderId`] for what can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidId {
    /// No characters at all.
    Empty,
    /// More than the given number of bytes.
    TooLong(usize),
    /// A control character, at the given byte.
    Control(usize),
}

impl fmt::Display for InvalidId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InvalidId::Empty => f.write_str("an identifier must not be empty"),
            InvalidId::TooLong(limit) => write!(f, "an identifier has at most {limit} bytes"),
            InvalidId::Control(at) => write!(f, "an identifier has no control characters (byte {at})"),
        }
    }
}

impl std::error::Error for InvalidId {}

/// The text is not a SHA-256 thumbprint in hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidThumbprint;

impl fmt::Display for InvalidThumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a thumbprint is 64 hex digits (SHA-256 over the certificate's DER), colons allowed")
    }
}

impl std::error::Error for InvalidThumbprint {}
