//! A private signing key: read from PEM, never printed.

use std::fmt;

use irgw_core::Secret;
use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair as _, RsaEncoding, RsaKeyPair};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use x509_parser::asn1_rs::{
    BitString, Error as Asn1Error, FromDer as _, Integer, OctetString, Oid, OptTaggedExplicit, Sequence,
};
use x509_parser::oid_registry::{OID_EC_P256, OID_NIST_EC_P384, OID_NIST_EC_P521};
use zeroize::Zeroize as _;

use crate::error::{Error, KeyFault};
use crate::signature::PublicKey;
use crate::{Algorithm, KeyKind, SigningCert};

/// A private key and the algorithm that it signs with.
///
/// `Debug` shows the algorithm alone. What ring and p521 hold of the key is theirs to wipe.
pub struct SigningKey {
    pair: Pair,
    algorithm: Algorithm,
}

enum Pair {
    Rsa(Box<RsaKeyPair>),
    Curve(Box<EcdsaKeyPair>),
    #[cfg(feature = "es512")]
    P521(Box<p521::ecdsa::SigningKey>),
}

impl SigningKey {
    /// Reads the first private key of a PEM text, without a passphrase: PKCS#8 (`PRIVATE KEY`), for RSA also PKCS#1
    /// (`RSA PRIVATE KEY`), for a curve also SEC 1 (`EC PRIVATE KEY`). What stands around it is skipped.
    ///
    /// An RSA key signs with RS256 until [`SigningKey::with_algorithm`] says otherwise; a curve has one algorithm. A key on
    /// P-256 or P-384 must hold its public key beside the private one, as openssl writes it.
    ///
    /// # Errors
    /// [`Error::Key`]: no such key, or none of a kind and size that the profile admits (M2M-4).
    pub fn from_pem(pem: &[u8]) -> Result<SigningKey, Error> {
        let mut der = PrivateKeyDer::from_pem_slice(pem).map_err(|_| Error::Key(KeyFault::Pem))?;
        let key = SigningKey::from_der(&der);
        der.zeroize();
        key
    }

    /// Reads a private key in DER.
    ///
    /// # Errors
    /// As [`SigningKey::from_pem`].
    pub fn from_der(key: &PrivateKeyDer<'_>) -> Result<SigningKey, Error> {
        let pair = match key {
            PrivateKeyDer::Pkcs8(key) => pkcs8(key.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(key) => rsa(RsaKeyPair::from_der(key.secret_pkcs1_der())),
            PrivateKeyDer::Sec1(key) => sec1(key.secret_sec1_der()),
            _ => None,
        };
        let pair = pair.ok_or(Error::Key(KeyFault::Kind))?;
        let algorithm = pair.first_algorithm();
        Ok(SigningKey { pair, algorithm })
    }

    /// Makes a new P-256 key with the operating system's randomness: the key, and its PKCS#8 form to keep.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn generate_p256() -> Result<(SigningKey, Secret<Vec<u8>>), Error> {
        let failed = Error::Key(KeyFault::Failed);
        let document =
            EcdsaKeyPair::generate_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
                .map_err(|_| failed)?;
        let pkcs8 = document.as_ref().to_vec();
        let key = SigningKey::from_der(&PrivateKeyDer::Pkcs8(document.as_ref().into()))?;
        Ok((key, Secret::new(pkcs8)))
    }

    /// The same key, signing with another algorithm that fits it.
    ///
    /// # Errors
    /// When the algorithm does not fit (M2M-4).
    pub fn with_algorithm(self, algorithm: Algorithm) -> Result<SigningKey, Error> {
        if algorithm.key_kind() == self.algorithm.key_kind() {
            Ok(SigningKey { algorithm, ..self })
        } else {
            Err(Error::Key(KeyFault::Algorithm))
        }
    }

    /// The algorithm that it signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether this is the private key of that certificate.
    pub fn is_key_of(&self, cert: &SigningCert) -> bool {
        self.public_key().is_ok_and(|key| key == cert.key)
    }

    /// The public half.
    pub(crate) fn public_key(&self) -> Result<PublicKey, Error> {
        match &self.pair {
            Pair::Rsa(pair) => PublicKey::new(KeyKind::Rsa, pair.public_key().as_ref()),
            Pair::Curve(pair) => PublicKey::new(self.algorithm.key_kind(), pair.public_key().as_ref()),
            #[cfg(feature = "es512")]
            Pair::P521(key) => {
                PublicKey::new(KeyKind::P521, key.verifying_key().to_sec1_point(false).as_bytes())
            }
        }
    }

    /// Signs a message: RSASSA-PKCS1-v1_5 (RFC 8017 §8.2), or R and S at full width (RFC 7518 §3.4). The randomness that an
    /// ECDSA signature needs is the operating system's, drawn by ring; P-521 draws none (RFC 6979).
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let failed = Error::Key(KeyFault::Failed);
        match &self.pair {
            Pair::Rsa(pair) => {
                let padding: &'static dyn RsaEncoding = match self.algorithm {
                    Algorithm::Rs384 => &signature::RSA_PKCS1_SHA384,
                    Algorithm::Rs512 => &signature::RSA_PKCS1_SHA512,
                    _ => &signature::RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(padding, &SystemRandom::new(), message, &mut signature).map_err(|_| failed)?;
                Ok(signature)
            }
            Pair::Curve(pair) => {
                let signature = pair.sign(&SystemRandom::new(), message).map_err(|_| failed)?;
                Ok(signature.as_ref().to_vec())
            }
            #[cfg(feature = "es512")]
            Pair::P521(key) => {
                use p521::ecdsa::signature::Signer as _;
                let signature: p521::ecdsa::Signature = key.try_sign(message).map_err(|_| failed)?;
                Ok(signature.to_bytes().to_vec())
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

impl Pair {
    fn first_algorithm(&self) -> Algorithm {
        match self {
            Pair::Rsa(_) => Algorithm::Rs256,
            Pair::Curve(pair) if pair.public_key().as_ref().len() == P256_POINT_BYTES => Algorithm::Es256,
            Pair::Curve(_) => Algorithm::Es384,
            #[cfg(feature = "es512")]
            Pair::P521(_) => Algorithm::Es512,
        }
    }
}

fn pkcs8(der: &[u8]) -> Option<Pair> {
    let curve = |scheme| EcdsaKeyPair::from_pkcs8(scheme, der, &SystemRandom::new()).ok();
    rsa(RsaKeyPair::from_pkcs8(der))
        .or_else(|| curve(P256).or_else(|| curve(P384)).map(|pair| Pair::Curve(Box::new(pair))))
        .or_else(|| p521_pkcs8(der))
}

/// Ring takes 2048 to 4096 bits and a public exponent from 65537 on.
fn rsa<E>(pair: Result<RsaKeyPair, E>) -> Option<Pair> {
    pair.ok().map(|pair| Pair::Rsa(Box::new(pair)))
}

/// ECPrivateKey ::= SEQUENCE { version 1, privateKey OCTET STRING, [0] parameters, [1] publicKey } (RFC 5915 §3).
fn sec1(der: &[u8]) -> Option<Pair> {
    type Parsed<'a> = (OctetString<'a>, Option<Oid<'a>>, Option<BitString<'a>>);
    let parsed = Sequence::from_der_and_then(
        der,
        |content| -> Result<(&[u8], Parsed<'_>), x509_parser::nom::Err<Asn1Error>> {
            let (rest, _version) = Integer::from_der(content)?;
            let (rest, private) = OctetString::from_der(rest)?;
            let (rest, curve) = OptTaggedExplicit::<Oid<'_>, Asn1Error, 0>::from_der(rest)?;
            let (rest, public) = OptTaggedExplicit::<BitString<'_>, Asn1Error, 1>::from_der(rest)?;
            let (curve, public) =
                (curve.map(|tagged| tagged.into_inner()), public.map(|tagged| tagged.into_inner()));
            Ok((rest, (private, curve, public)))
        },
    );
    let (_, (private, curve, public)) = parsed.ok()?;
    let curve = curve?;
    if curve == OID_NIST_EC_P521 {
        return p521_sec1(der);
    }
    let scheme = if curve == OID_EC_P256 {
        P256
    } else if curve == OID_NIST_EC_P384 {
        P384
    } else {
        return None;
    };
    let public = public?;
    let pair = EcdsaKeyPair::from_private_key_and_public_key(
        scheme,
        private.as_ref(),
        &public.data,
        &SystemRandom::new(),
    );
    pair.ok().map(|pair| Pair::Curve(Box::new(pair)))
}

#[cfg(feature = "es512")]
fn p521_pkcs8(der: &[u8]) -> Option<Pair> {
    use p521::pkcs8::DecodePrivateKey as _;
    let key = p521::SecretKey::from_pkcs8_der(der).ok()?;
    Some(Pair::P521(Box::new(key.into())))
}

#[cfg(feature = "es512")]
fn p521_sec1(der: &[u8]) -> Option<Pair> {
    let key = p521::SecretKey::from_sec1_der(der).ok()?;
    Some(Pair::P521(Box::new(key.into())))
}

#[cfg(not(feature = "es512"))]
fn p521_pkcs8(_: &[u8]) -> Option<Pair> {
    None
}

#[cfg(not(feature = "es512"))]
fn p521_sec1(_: &[u8]) -> Option<Pair> {
    None
}

static P256: &EcdsaSigningAlgorithm = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
static P384: &EcdsaSigningAlgorithm = &signature::ECDSA_P384_SHA384_FIXED_SIGNING;
const P256_POINT_BYTES: usize = 65;
