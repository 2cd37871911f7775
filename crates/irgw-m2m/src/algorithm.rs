//! The six signature algorithms of the profile, and the key kinds that they fit (M2M-2, M2M-4).

use std::fmt;
use std::str::FromStr;

use irgw_core::UnknownName;

/// A signature algorithm that the profile admits (M2M-2; RFC 7518 §3.1).
///
/// There is no `none`, no `HS*` and no `PS*` here, so that no code path can reach one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// ECDSA on P-521 with SHA-512. Needs the feature `es512`.
    Es512,
}

impl Algorithm {
    /// Every algorithm, in the order of RFC 7518 §3.1.
    pub const ALL: &'static [Algorithm] = &[
        Algorithm::Rs256,
        Algorithm::Rs384,
        Algorithm::Rs512,
        Algorithm::Es256,
        Algorithm::Es384,
        Algorithm::Es512,
    ];

    /// The name in a JOSE header: `RS256`.
    pub const fn name(self) -> &'static str {
        match self {
            Algorithm::Rs256 => "RS256",
            Algorithm::Rs384 => "RS384",
            Algorithm::Rs512 => "RS512",
            Algorithm::Es256 => "ES256",
            Algorithm::Es384 => "ES384",
            Algorithm::Es512 => "ES512",
        }
    }

    /// The kind of key that it takes (M2M-4).
    pub const fn key_kind(self) -> KeyKind {
        match self {
            Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512 => KeyKind::Rsa,
            Algorithm::Es256 => KeyKind::P256,
            Algorithm::Es384 => KeyKind::P384,
            Algorithm::Es512 => KeyKind::P521,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Algorithm, UnknownName> {
        let known = Algorithm::ALL.iter().copied().find(|algorithm| algorithm.name() == text);
        known.ok_or(UnknownName { kind: "signature algorithm" })
    }
}

impl serde::Serialize for Algorithm {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// The kind of a signing key, which decides the algorithms that fit it (M2M-4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    /// RSA, 2048 to 4096 bits.
    Rsa,
    /// ECDSA on P-256 (secp256r1).
    P256,
    /// ECDSA on P-384 (secp384r1).
    P384,
    /// ECDSA on P-521 (secp521r1).
    P521,
}

impl KeyKind {
    /// Every kind.
    pub const ALL: &'static [KeyKind] = &[KeyKind::Rsa, KeyKind::P256, KeyKind::P384, KeyKind::P521];

    /// The name in rows and records: `rsa`, `p256`, `p384`, `p521`.
    pub const fn name(self) -> &'static str {
        match self {
            KeyKind::Rsa => "rsa",
            KeyKind::P256 => "p256",
            KeyKind::P384 => "p384",
            KeyKind::P521 => "p521",
        }
    }

    /// The algorithms that fit a key of this kind (M2M-4).
    pub const fn algorithms(self) -> &'static [Algorithm] {
        match self {
            KeyKind::Rsa => &[Algorithm::Rs256, Algorithm::Rs384, Algorithm::Rs512],
            KeyKind::P256 => &[Algorithm::Es256],
            KeyKind::P384 => &[Algorithm::Es384],
            KeyKind::P521 => &[Algorithm::Es512],
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for KeyKind {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<KeyKind, UnknownName> {
        KeyKind::ALL.iter().copied().find(|kind| kind.name() == text).ok_or(UnknownName { kind: "key kind" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_algorithm_fits_exactly_the_kind_that_lists_it() {
        for algorithm in Algorithm::ALL {
            for kind in KeyKind::ALL {
                assert_eq!(kind.algorithms().contains(algorithm), *kind == algorithm.key_kind());
            }
        }
    }

    #[test]
    fn names_are_case_sensitive() {
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm.name().parse(), Ok(*algorithm));
            assert!(algorithm.name().to_lowercase().parse::<Algorithm>().is_err());
        }
        for name in ["none", "None", "NONE", "nOnE", "HS256", "PS256", "EdDSA", "RS1", "ES256K", "", "RS256 "]
        {
            assert!(name.parse::<Algorithm>().is_err(), "{name}");
        }
    }
}
