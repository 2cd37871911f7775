//! Which public keys are accepted (TLS-5).

use x509_parser::asn1_rs::{FromDer, Oid, oid};
use x509_parser::public_key::RSAPublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::Flaw;

/// An accepted public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    /// ECDSA on a named curve.
    Ec(Curve),
    /// RSA of this many bits.
    Rsa(usize),
}

/// The three accepted curves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Curve {
    P256,
    P384,
    P521,
}

impl Key {
    /// Reads and judges a key.
    pub(crate) fn accept(spki: &SubjectPublicKeyInfo<'_>) -> Result<Key, Flaw> {
        let algorithm = &spki.algorithm;
        if algorithm.algorithm == EC_PUBLIC_KEY {
            // RFC 5480 §2.1.1: a named curve; curve parameters of one's own are how CVE-2020-0601 worked.
            let Some(curve) = algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok())
            else {
                return Err(Flaw::KeyKind("ECDSA with explicit curve parameters".into()));
            };
            return CURVES
                .iter()
                .find(|(oid, _)| *oid == curve)
                .map(|(_, curve)| Key::Ec(*curve))
                .ok_or_else(|| Flaw::KeyKind(format!("ECDSA on curve {curve}")));
        }
        if algorithm.algorithm == RSA_ENCRYPTION {
            return accept_rsa(&spki.subject_public_key.data);
        }
        Err(Flaw::KeyKind(algorithm.algorithm.to_id_string()))
    }

    /// `P-256`, `RSA-2048`.
    pub(crate) fn name(self) -> String {
        match self {
            Key::Ec(Curve::P256) => "P-256".into(),
            Key::Ec(Curve::P384) => "P-384".into(),
            Key::Ec(Curve::P521) => "P-521".into(),
            Key::Rsa(bits) => format!("RSA-{bits}"),
        }
    }
}

fn accept_rsa(bytes: &[u8]) -> Result<Key, Flaw> {
    let Ok(([], key)) = RSAPublicKey::from_der(bytes) else {
        return Err(Flaw::KeyKind("RSA in an unreadable form".into()));
    };
    let bits = significant_bits(key.modulus);
    if !(2048..=4096).contains(&bits) || !bits.is_multiple_of(8) {
        return Err(Flaw::RsaSize { bits });
    }
    let odd = key.exponent.last().is_some_and(|byte| byte & 1 == 1);
    if !odd || significant_bits(key.exponent) < 2 {
        return Err(Flaw::RsaExponent);
    }
    Ok(Key::Rsa(bits))
}

/// The bits of a DER integer's content without leading zeros; 0 for a negative one.
fn significant_bits(mut bytes: &[u8]) -> usize {
    if bytes.first().is_some_and(|byte| byte & 0x80 != 0) {
        return 0;
    }
    while let [0, rest @ ..] = bytes {
        bytes = rest;
    }
    let leading = bytes.first().map_or(0, |byte| byte.leading_zeros());
    bytes.len() * 8 - usize::try_from(leading).expect("a byte has at most 8 leading zeros")
}

const EC_PUBLIC_KEY: Oid<'static> = oid!(1.2.840.10045.2.1);
const RSA_ENCRYPTION: Oid<'static> = oid!(1.2.840.113549.1.1.1);
const CURVES: [(Oid<'static>, Curve); 3] = [
    (oid!(1.2.840.10045.3.1.7), Curve::P256),
    (oid!(1.3.132.0.34), Curve::P384),
    (oid!(1.3.132.0.35), Curve::P521),
];
