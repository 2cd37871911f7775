//! The checks of a signing certificate at its enrolment, all but the current time (M2M-8, M2M-4).

use irgw_core::Thumbprint;
use ring::digest;
use x509_parser::certificate::X509Certificate;
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_NIST_EC_P521, OID_PKCS1_RSAENCRYPTION, Oid,
};
use x509_parser::prelude::{FromDer, ParsedExtension};
use x509_parser::public_key::PublicKey as ParsedKey;
use x509_parser::x509::{SubjectPublicKeyInfo, X509Version};

use crate::KeyKind;
use crate::certificate::{SigningCert, at};
use crate::error::{CertificateFault, Error};
use crate::signature::PublicKey;

/// Parses one certificate and checks everything about it that does not depend on the current time.
pub(crate) fn check(der: &[u8]) -> Result<SigningCert, Error> {
    let refuse = |fault| Err(Error::Certificate(fault));
    if der.len() > LIMIT_BYTES {
        return refuse(CertificateFault::TooLong);
    }
    let cert = match X509Certificate::from_der(der) {
        Ok(([], cert)) => cert,
        _ => return refuse(CertificateFault::Encoding),
    };
    if cert.version() != X509Version::V3 {
        return refuse(CertificateFault::Version);
    }
    let seconds = |time: x509_parser::time::ASN1Time| {
        u64::try_from(time.timestamp()).map_err(|_| Error::Certificate(CertificateFault::Encoding))
    };
    let (not_before, not_after) = (seconds(cert.validity().not_before)?, seconds(cert.validity().not_after)?);
    match not_after.checked_sub(not_before) {
        None => return refuse(CertificateFault::ValidityOrder),
        Some(length) if length > VALIDITY_LIMIT_SECONDS => return refuse(CertificateFault::ValidityLength),
        Some(_) => {}
    }
    check_extensions(&cert)?;
    let key = public_key(cert.public_key())?;
    Ok(SigningCert {
        thumbprint: thumbprint(der),
        sha1_thumbprint: sha1_thumbprint(der),
        key,
        not_before: at(not_before),
        not_after: at(not_after),
        subject: shown(&cert.subject().to_string()),
        serial: cert.raw_serial().iter().map(|byte| format!("{byte:02X}")).collect::<String>().into(),
    })
}

/// SHA-256 over a certificate's DER (M2M-3).
pub(crate) fn thumbprint(der: &[u8]) -> Thumbprint {
    let mut thumbprint = [0; 32];
    thumbprint.copy_from_slice(digest::digest(&digest::SHA256, der).as_ref());
    Thumbprint(thumbprint)
}

/// SHA-1 over a certificate's DER: a name, never a proof.
pub(crate) fn sha1_thumbprint(der: &[u8]) -> [u8; 20] {
    let mut thumbprint = [0; 20];
    thumbprint.copy_from_slice(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, der).as_ref());
    thumbprint
}

/// SHA-256 over a certificate's SubjectPublicKeyInfo, which some take for the thumbprint.
pub(crate) fn key_thumbprint(der: &[u8]) -> Option<Thumbprint> {
    let (_, cert) = X509Certificate::from_der(der).ok()?;
    Some(thumbprint(cert.public_key().raw))
}

fn check_extensions(cert: &X509Certificate<'_>) -> Result<(), Error> {
    for extension in cert.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::KeyUsage(usage) if !usage.digital_signature() && !usage.non_repudiation() => {
                return Err(Error::Certificate(CertificateFault::KeyUsage));
            }
            ParsedExtension::ParseError { .. } => return Err(Error::Certificate(CertificateFault::Encoding)),
            ParsedExtension::UnsupportedExtension { .. } | ParsedExtension::Unparsed
                if extension.critical =>
            {
                return Err(Error::Certificate(CertificateFault::CriticalExtension));
            }
            _ => {}
        }
    }
    Ok(())
}

pub(crate) fn public_key(info: &SubjectPublicKeyInfo<'_>) -> Result<PublicKey, Error> {
    let refused = Error::Certificate(CertificateFault::KeyKind);
    let bytes: &[u8] = &info.subject_public_key.data;
    let algorithm = &info.algorithm.algorithm;
    if *algorithm == OID_PKCS1_RSAENCRYPTION {
        let Ok(ParsedKey::RSA(key)) = info.parsed() else { return Err(refused) };
        check_rsa(key.modulus, key.exponent)?;
        if bytes != rsa_public_key(significant(key.modulus), significant(key.exponent)) {
            return Err(refused);
        }
        return PublicKey::new(KeyKind::Rsa, bytes);
    }
    if *algorithm != OID_KEY_TYPE_EC_PUBLIC_KEY {
        return Err(refused);
    }
    // A curve given by its parameters instead of its name is refused: it may be a look-alike with a known base point.
    let curve: Oid<'_> =
        info.algorithm.parameters.as_ref().and_then(|any| any.as_oid().ok()).ok_or(refused)?;
    let kind = if curve == OID_EC_P256 {
        KeyKind::P256
    } else if curve == OID_NIST_EC_P384 {
        KeyKind::P384
    } else if curve == OID_NIST_EC_P521 {
        KeyKind::P521
    } else {
        return Err(refused);
    };
    if kind == KeyKind::P521 && cfg!(not(feature = "es512")) {
        return Err(Error::Certificate(CertificateFault::NoEs512));
    }
    let key = PublicKey::new(kind, bytes)?;
    if key.can_verify() { Ok(key) } else { Err(refused) }
}

fn check_rsa(modulus: &[u8], exponent: &[u8]) -> Result<(), Error> {
    let modulus = significant(modulus);
    let leading = modulus.first().map_or(8, |byte| byte.leading_zeros() as usize);
    let bits = modulus.len().saturating_mul(8).saturating_sub(leading);
    if !(2048..=4096).contains(&bits) {
        return Err(Error::Certificate(CertificateFault::RsaSize { bits }));
    }
    // An odd one is all that ring asks beyond the size. A product of two primes is odd.
    if modulus.last().is_none_or(|byte| byte % 2 == 0) {
        return Err(Error::Certificate(CertificateFault::KeyKind));
    }
    let exponent = significant(exponent);
    let value = exponent.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    if exponent.len() > 5 || !(65_537..=1 << 32).contains(&value) || value % 2 == 0 {
        return Err(Error::Certificate(CertificateFault::RsaExponent));
    }
    Ok(())
}

/// The one DER of an RSAPublicKey (RFC 8017 §A.1.1) of these numbers, without leading zeros, the modulus of 2048 bits or
/// more: ring reads no other, where x509-parser takes negative numbers, more zeros and bytes behind the end.
fn rsa_public_key(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let tlv = |tag: u8, content: &[u8]| match u16::try_from(content.len()).unwrap_or(u16::MAX).to_be_bytes() {
        [0, length @ 0..=127] => [&[tag, length], content].concat(),
        [high, low] => [&[tag, 0x82, high, low], content].concat(),
    };
    let unsigned = |number: &[u8]| match number.first() {
        Some(0..=127) => tlv(0x02, number),
        _ => tlv(0x02, &[&[0], number].concat()),
    };
    tlv(0x30, &[unsigned(modulus), unsigned(exponent)].concat())
}

fn significant(integer: &[u8]) -> &[u8] {
    let zeros = integer.iter().take_while(|byte| **byte == 0).count();
    integer.get(zeros..).unwrap_or_default()
}

/// Text for lists, cut short.
fn shown(text: &str) -> Box<str> {
    irgw_core::printable(text).chars().take(512).collect::<String>().into()
}

const LIMIT_BYTES: usize = 16 * 1024;
const VALIDITY_LIMIT_SECONDS: u64 = 1_461 * 86_400;
