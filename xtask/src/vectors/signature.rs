//! A signature of Wycheproof's, judged by irgw-m2m and by irgw-tls.

use irgw_m2m::vectors::Key;
use irgw_m2m::{Algorithm, KeyKind};
use rustls_pki_types::{AlgorithmIdentifier, alg_id};

use super::case::Verdict;
use super::der;

/// What a signature is judged by.
#[derive(Clone)]
pub(super) struct Scheme {
    pub(super) algorithm: Algorithm,
    /// RSAPublicKey in DER, or an uncompressed point.
    pub(super) key: Vec<u8>,
}

impl Scheme {
    /// Whether irgw-m2m takes the signature.
    pub(super) fn by_m2m(&self, message: &[u8], signature: &[u8]) -> Verdict {
        let key = Key::new(self.algorithm.key_kind(), &self.key);
        key.and_then(|key| key.verify(self.algorithm, message, signature)).into()
    }

    /// A signature as certificates and handshakes have it: of a curve, ECDSA-Sig-Value (RFC 3279 §2.2.3). `None`: R and S
    /// are not of full width, so cannot be told apart.
    pub(super) fn in_tls(&self, signature: &[u8]) -> Option<Vec<u8>> {
        if self.algorithm.key_kind() == KeyKind::Rsa {
            return Some(signature.to_vec());
        }
        // The key is a byte, then two numbers of the curve's width.
        let width = self.key.len() / 2;
        let (r, s) = signature.split_at_checked(width).filter(|(_, s)| s.len() == width)?;
        Some(der::sequence(&[der::integer(r), der::integer(s)]))
    }

    /// Whether irgw-tls takes the signature, in the form of [`Scheme::in_tls`].
    pub(super) fn by_tls(&self, message: &[u8], signature: &[u8]) -> Verdict {
        let (key, name) = identifiers(self.algorithm);
        let mut known = irgw_tls::SIGNATURE_ALGORITHMS.iter();
        let found = known.find(|known| known.public_key_alg_id() == key && known.signature_alg_id() == name);
        match found.map(|found| found.verify_signature(&self.key, message, signature)) {
            Some(Ok(())) => Verdict::Accepted,
            Some(Err(_)) => Verdict::Refused("the signature is not of this key".into()),
            None => Verdict::Refused("no certificate may have this algorithm".into()),
        }
    }
}

/// The algorithm of a curve in Wycheproof's spelling, or of RSA, with a digest.
pub(super) fn algorithm(curve: Option<&str>, sha: &str) -> Option<Algorithm> {
    Some(match (curve, sha) {
        (Some("secp256r1"), "SHA-256") => Algorithm::Es256,
        (Some("secp384r1"), "SHA-384") => Algorithm::Es384,
        (Some("secp521r1"), "SHA-512") => Algorithm::Es512,
        (None, "SHA-256") => Algorithm::Rs256,
        (None, "SHA-384") => Algorithm::Rs384,
        (None, "SHA-512") => Algorithm::Rs512,
        _ => return None,
    })
}

fn identifiers(algorithm: Algorithm) -> (AlgorithmIdentifier, AlgorithmIdentifier) {
    match algorithm {
        Algorithm::Rs256 => (alg_id::RSA_ENCRYPTION, alg_id::RSA_PKCS1_SHA256),
        Algorithm::Rs384 => (alg_id::RSA_ENCRYPTION, alg_id::RSA_PKCS1_SHA384),
        Algorithm::Rs512 => (alg_id::RSA_ENCRYPTION, alg_id::RSA_PKCS1_SHA512),
        Algorithm::Es256 => (alg_id::ECDSA_P256, alg_id::ECDSA_SHA256),
        Algorithm::Es384 => (alg_id::ECDSA_P384, alg_id::ECDSA_SHA384),
        Algorithm::Es512 => (alg_id::ECDSA_P521, alg_id::ECDSA_SHA512),
    }
}

impl From<Result<(), irgw_m2m::Error>> for Verdict {
    fn from(verified: Result<(), irgw_m2m::Error>) -> Verdict {
        match verified {
            Ok(()) => Verdict::Accepted,
            Err(error) => Verdict::Refused(error.to_string()),
        }
    }
}
