//! The parts under the profile, for test vectors of others: a signature by a key, and a compact JWS by a key.
//!
//! What is accepted here is no token: no claim is looked at, no time, and nobody's enrolment.

use crate::compact::Compact;
use crate::error::{Error, MemberFault, Part};
use crate::json::{Object, Value};
use crate::signature::PublicKey;
use crate::{Algorithm, KeyKind};

/// A public key that stands in no certificate.
#[derive(Debug, Clone)]
pub struct Key(PublicKey);

impl Key {
    /// Of an RSAPublicKey in DER (RFC 8017 §A.1.1), or of an uncompressed point (SEC 1 §2.3.3).
    ///
    /// # Errors
    /// When its length is none of a key that may be enrolled (M2M-4).
    pub fn new(kind: KeyKind, bytes: &[u8]) -> Result<Key, Error> {
        PublicKey::new(kind, bytes).map(Key)
    }

    /// Verifies a signature over `message`: RSASSA-PKCS1-v1_5, or R and S at full width (RFC 7518 §3.4).
    ///
    /// # Errors
    /// When the algorithm does not fit the key (M2M-4), or the signature is not of this key.
    pub fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        self.0.verify(algorithm, message, signature)
    }

    /// Verifies a compact JWS (RFC 7515 §5.2) as far as the profile's form goes for any payload: three parts, each spelt
    /// in one way, a header without a repeated member, whose `alg` is this algorithm.
    ///
    /// # Errors
    /// When the form, the algorithm or the signature is not right.
    pub fn verify_jws(&self, algorithm: Algorithm, jws: &str) -> Result<(), Error> {
        let jws = Compact::parse(jws)?;
        let header = Object::parse(&jws.header).map_err(|fault| Error::Json(Part::Header, fault))?;
        match header.member("alg") {
            Some(Value::Text(alg)) if alg == algorithm.name() => {
                self.verify(algorithm, jws.signing_input, &jws.signature)
            }
            _ => Err(Error::Header("alg", MemberFault::Value)),
        }
    }
}
