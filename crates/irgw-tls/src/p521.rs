//! ECDSA over P-521, which ring lacks: verification for webpki, and signing for the provider's own key (TLS-5).

use std::sync::Arc;

use p521::SecretKey;
use p521::ecdsa::signature::hazmat::{PrehashSigner, PrehashVerifier};
use p521::ecdsa::{DerSignature, SigningKey as Key, VerifyingKey};
use p521::pkcs8::DecodePrivateKey;
use ring::digest::{Algorithm, SHA256, SHA384, SHA512, digest};
use rustls::sign::{Signer, SigningKey};
use rustls::{SignatureAlgorithm, SignatureScheme};
use rustls_pki_types::{
    AlgorithmIdentifier, InvalidSignature, PrivateKeyDer, SignatureVerificationAlgorithm, alg_id,
};

/// `ecdsa-with-SHA256` by a P-521 key.
pub(crate) static ECDSA_P521_SHA256: &dyn SignatureVerificationAlgorithm =
    &P521 { digest: &SHA256, signature: alg_id::ECDSA_SHA256 };
/// `ecdsa-with-SHA384` by a P-521 key.
pub(crate) static ECDSA_P521_SHA384: &dyn SignatureVerificationAlgorithm =
    &P521 { digest: &SHA384, signature: alg_id::ECDSA_SHA384 };
/// `ecdsa-with-SHA512` by a P-521 key.
pub(crate) static ECDSA_P521_SHA512: &dyn SignatureVerificationAlgorithm =
    &P521 { digest: &SHA512, signature: alg_id::ECDSA_SHA512 };

#[derive(Debug)]
struct P521 {
    digest: &'static Algorithm,
    signature: AlgorithmIdentifier,
}

impl SignatureVerificationAlgorithm for P521 {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let key = VerifyingKey::from_sec1_bytes(public_key).map_err(|_| InvalidSignature)?;
        let signature = DerSignature::from_bytes(signature).map_err(|_| InvalidSignature)?;
        key.verify_prehash(&padded(self.digest, message), &signature).map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_P521
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.signature
    }
}

/// The digest as an integer of the field's size: FIPS 186-5 §6.4 takes a digest shorter than the order as it is,
/// while the `ecdsa` crate refuses one of less than half of the field (SHA-256 is 32 of 66 bytes).
fn padded(algorithm: &'static Algorithm, message: &[u8]) -> [u8; 66] {
    let digest = digest(algorithm, message);
    let mut bytes = [0; 66];
    for (byte, from) in bytes.iter_mut().rev().zip(digest.as_ref().iter().rev()) {
        *byte = *from;
    }
    bytes
}

/// A P-521 private key that signs handshakes.
pub(crate) struct P521Key(Arc<Key>);

impl P521Key {
    /// Reads a PKCS#8 or SEC 1 key; `None` when it is not one on this curve.
    pub(crate) fn read(der: &PrivateKeyDer<'_>) -> Option<P521Key> {
        let key = match der {
            PrivateKeyDer::Pkcs8(der) => SecretKey::from_pkcs8_der(der.secret_pkcs8_der()).ok(),
            PrivateKeyDer::Sec1(der) => SecretKey::from_sec1_der(der.secret_sec1_der()).ok(),
            _ => None,
        };
        key.map(|key| P521Key(Arc::new(Key::from(&key))))
    }
}

impl std::fmt::Debug for P521Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("P521Key(…)")
    }
}

impl SigningKey for P521Key {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered
            .contains(&SignatureScheme::ECDSA_NISTP521_SHA512)
            .then(|| Box::new(P521Key(self.0.clone())) as Box<dyn Signer>)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }

    fn public_key(&self) -> Option<rustls_pki_types::SubjectPublicKeyInfoDer<'_>> {
        let point = self.0.verifying_key().to_sec1_point(false);
        Some(rustls::sign::public_key_to_spki(&alg_id::ECDSA_P521, point.as_bytes()))
    }
}

impl Signer for P521Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        let signature: DerSignature = self
            .0
            .sign_prehash(&padded(&SHA512, message))
            .map_err(|_| rustls::Error::General("the P-521 key did not sign".into()))?;
        Ok(signature.as_bytes().to_vec())
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ECDSA_NISTP521_SHA512
    }
}
