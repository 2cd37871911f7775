//! What can be wrong with one key of a certificate.

use std::fmt;

use irgw_core::UnixTime;

use super::time::rfc3339;

/// A key's place in its certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The primary key: it makes the certificate, and binds the subkeys.
    Primary,
    /// A subkey.
    Subkey,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Primary => "primary key",
            Role::Subkey => "subkey",
        })
    }
}

/// What is wrong with a key, and since when (PGP-1).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyFault {
    /// Its time has passed.
    Expired {
        /// The first second at which it was no longer valid.
        since: UnixTime,
    },
    /// Its time lies ahead.
    NotYetValid {
        /// The first second of its validity.
        from: UnixTime,
    },
    /// Its owner has revoked it.
    Revoked {
        /// When.
        since: UnixTime,
        /// Why, in the standard's words (RFC 9580 §5.2.3.31); the owner's own comment is left out.
        reason: &'static str,
    },
    /// An RSA key with fewer than 2048 bits, or more than the 4096 that this build computes with.
    RsaSize {
        /// How many it has.
        bits: usize,
    },
    /// A kind of key that the profile does not take: ElGamal, DSA, or one that is unknown here.
    Algorithm {
        /// Its name, or number.
        name: String,
    },
    /// No signature binds it to the certificate.
    Unbound,
    /// What binds it to the certificate is a signature over a hash that can be forged, or by a key that is too
    /// weak.
    WeakBinding {
        /// The hash, e.g. `SHA1`.
        hash: String,
    },
}

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyFault::Expired { since } => write!(f, "expired on {}", rfc3339(*since)),
            KeyFault::NotYetValid { from } => write!(f, "is not valid before {}", rfc3339(*from)),
            KeyFault::Revoked { since, reason } => {
                write!(f, "was revoked on {} ({reason})", rfc3339(*since))
            }
            KeyFault::RsaSize { bits } => write!(f, "is RSA with {bits} bits; 2048 to 4096 are accepted"),
            KeyFault::Algorithm { name } => {
                write!(f, "is {name}, which is not accepted; use RSA or an elliptic curve")
            }
            KeyFault::Unbound => f.write_str("is not bound to the certificate by a valid signature"),
            KeyFault::WeakBinding { hash } => {
                write!(
                    f,
                    "is bound to the certificate by a {hash} signature; its owner must renew it with SHA-256"
                )
            }
        }
    }
}
