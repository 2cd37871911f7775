//! Whether a signature is of a key: ring for RSA, P-256 and P-384, p521 for P-521.

use ring::agreement;
use ring::rand::SystemRandom;
use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};

use crate::error::{CertificateFault, Error};
use crate::{Algorithm, KeyKind};

/// A public key in the form in which signatures are verified with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublicKey {
    kind: KeyKind,
    bytes: Box<[u8]>,
}

impl PublicKey {
    /// Takes a key's bytes: an RSAPublicKey in DER, or an uncompressed point.
    pub(crate) fn new(kind: KeyKind, bytes: impl Into<Box<[u8]>>) -> Result<PublicKey, Error> {
        let bytes = bytes.into();
        let fits = match kind {
            // SEQUENCE { INTEGER (2048 to 4096 bits), INTEGER (at least 65537) } takes 270 to 528 bytes.
            KeyKind::Rsa => (268..=530).contains(&bytes.len()),
            KeyKind::P256 => is_uncompressed(&bytes, 32),
            KeyKind::P384 => is_uncompressed(&bytes, 48),
            KeyKind::P521 => is_uncompressed(&bytes, 66),
        };
        if fits { Ok(PublicKey { kind, bytes }) } else { Err(Error::Certificate(CertificateFault::KeyKind)) }
    }

    pub(crate) fn kind(&self) -> KeyKind {
        self.kind
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether the library that verifies with this key can read it: its point is on the curve. An RSA key is read by
    /// [`crate::enrolment`]: ring has nothing that would read one without a signature.
    ///
    /// Asked once, at enrolment: a key that nothing can verify with would be found out by its owner's first request.
    pub(crate) fn can_verify(&self) -> bool {
        match self.kind {
            KeyKind::Rsa => true,
            KeyKind::P256 => is_on_curve(&agreement::ECDH_P256, &self.bytes),
            KeyKind::P384 => is_on_curve(&agreement::ECDH_P384, &self.bytes),
            KeyKind::P521 => is_on_p521(&self.bytes),
        }
    }

    /// Checks that `algorithm` fits this key (M2M-4).
    pub(crate) fn fits(&self, algorithm: Algorithm) -> Result<(), Error> {
        if algorithm.key_kind() == self.kind {
            Ok(())
        } else {
            Err(Error::AlgorithmMismatch { alg: algorithm, key: self.kind })
        }
    }

    /// Verifies `signature` over `message` with an algorithm that fits the key.
    ///
    /// An ECDSA signature is R and S at full width, 64, 96 or 132 bytes and not one more or fewer (RFC 7518 §3.4).
    /// A high S is as good as a low one: RFC 7518 asks for neither, and nothing here takes a signature for a name.
    pub(crate) fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        self.fits(algorithm)?;
        let scheme: &'static dyn VerificationAlgorithm = match algorithm {
            Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
            Algorithm::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
            Algorithm::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
            Algorithm::Es256 => &signature::ECDSA_P256_SHA256_FIXED,
            Algorithm::Es384 => &signature::ECDSA_P384_SHA384_FIXED,
            Algorithm::Es512 => return verify_es512(&self.bytes, message, signature),
        };
        UnparsedPublicKey::new(scheme, &self.bytes).verify(message, signature).map_err(|_| Error::Signature)
    }
}

fn is_uncompressed(point: &[u8], width: usize) -> bool {
    point.first() == Some(&4) && point.len() == 1 + 2 * width
}

/// Ring checks a point where it agrees on a key with its holder, and offers no other way to have one checked. What was
/// agreed on is dropped, and no answer depends on the randomness drawn for it.
fn is_on_curve(curve: &'static agreement::Algorithm, point: &[u8]) -> bool {
    let point = agreement::UnparsedPublicKey::new(curve, point);
    agreement::EphemeralPrivateKey::generate(curve, &SystemRandom::new())
        .is_ok_and(|own| agreement::agree_ephemeral(own, &point, |_| ()).is_ok())
}

#[cfg(feature = "es512")]
fn is_on_p521(point: &[u8]) -> bool {
    p521::ecdsa::VerifyingKey::from_sec1_bytes(point).is_ok()
}

#[cfg(not(feature = "es512"))]
fn is_on_p521(_: &[u8]) -> bool {
    false
}

#[cfg(feature = "es512")]
fn verify_es512(key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), Error> {
    use p521::ecdsa::signature::Verifier;
    use p521::ecdsa::{Signature, VerifyingKey};

    let key = VerifyingKey::from_sec1_bytes(key).map_err(|_| Error::Signature)?;
    let signature = Signature::from_slice(signature).map_err(|_| Error::Signature)?;
    key.verify(message, &signature).map_err(|_| Error::Signature)
}

#[cfg(not(feature = "es512"))]
fn verify_es512(_: &[u8], _: &[u8], _: &[u8]) -> Result<(), Error> {
    Err(Error::Certificate(CertificateFault::NoEs512))
}
