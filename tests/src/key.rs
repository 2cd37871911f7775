//! Key pairs of every kind that a case may need, also of kinds that must be refused.

use std::fmt;
use std::sync::Arc;

use p521::ecdsa::signature::Signer as _;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair};
use rustls::sign::{Signer, SigningKey};
use rustls::{SignatureAlgorithm, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::{Error, der};

/// A key pair.
pub(crate) enum Key {
    /// On P-256, PKCS#8.
    P256(Vec<u8>),
    /// On P-384, PKCS#8.
    P384(Vec<u8>),
    /// On P-521.
    P521(Box<p521::ecdsa::SigningKey>),
    /// RSA, and its PKCS#8.
    Rsa(Box<RsaKeyPair>, Vec<u8>),
    /// Ed25519, PKCS#8.
    Ed25519(Vec<u8>),
    /// A public key of which nobody has the private half: for certificates that must be refused before a signature counts.
    Hollow {
        /// The SubjectPublicKeyInfo.
        spki: Vec<u8>,
        /// What TLS is told that it is.
        algorithm: SignatureAlgorithm,
    },
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Key::P256(_) => "P-256 key",
            Key::P384(_) => "P-384 key",
            Key::P521(_) => "P-521 key",
            Key::Rsa(..) => "RSA key",
            Key::Ed25519(_) => "Ed25519 key",
            Key::Hollow { .. } => "public key without a private one",
        })
    }
}

const EC_PUBLIC_KEY: &str = "1.2.840.10045.2.1";
const P256: &str = "1.2.840.10045.3.1.7";
const P384: &str = "1.3.132.0.34";
const P521: &str = "1.3.132.0.35";
const RSA: &str = "1.2.840.113549.1.1.1";
const ED25519: &str = "1.3.101.112";

impl Key {
    /// A new key: `p256`, `p384`, `p521`, `ed25519`, or one without a private half: `rsa1024`, `rsa8192` and such, `rsa2048-e1`,
    /// `p192`, `secp256k1`, `p256-explicit`, `dsa`.
    pub(crate) fn generate(kind: &str) -> Result<Key, Error> {
        let random = SystemRandom::new();
        let ec = |algorithm| {
            EcdsaKeyPair::generate_pkcs8(algorithm, &random).map(|document| document.as_ref().to_vec())
        };
        let exhausted = |_| Error::recipe("no randomness");
        match kind {
            "p256" => ec(&signature::ECDSA_P256_SHA256_ASN1_SIGNING).map(Key::P256).map_err(exhausted),
            "p384" => ec(&signature::ECDSA_P384_SHA384_ASN1_SIGNING).map(Key::P384).map_err(exhausted),
            "p521" => {
                let mut scalar = [0; 66];
                // The top bits are clear, so that it is less than the order of the group.
                fill(scalar.get_mut(1..).unwrap_or_default());
                let key = p521::ecdsa::SigningKey::from_slice(&scalar).map_err(Error::recipe)?;
                Ok(Key::P521(Box::new(key)))
            }
            "ed25519" => Ed25519KeyPair::generate_pkcs8(&random)
                .map(|document| Key::Ed25519(document.as_ref().to_vec()))
                .map_err(exhausted),
            "p192" => Ok(hollow_ec(&der::oid("1.2.840.10045.3.1.1"), 49)),
            "secp256k1" => Ok(hollow_ec(&der::oid("1.3.132.0.10"), 65)),
            // ECParameters instead of a curve's name (RFC 5480 §2.1.1 forbids it; CVE-2020-0601).
            "p256-explicit" => {
                Ok(hollow_ec(&der::sequence(&[der::integer(&[1]), der::octets(&[0; 32])]), 65))
            }
            "dsa" => {
                let algorithm = der::sequence(&[der::oid("1.2.840.10040.4.1")]);
                let spki = der::sequence(&[algorithm, der::bit_string(&der::integer(&random_odd(256)))]);
                Ok(Key::Hollow { spki, algorithm: SignatureAlgorithm::DSA })
            }
            "rsa2048-e1" => Ok(hollow_rsa(2048, 1)),
            _ => match kind.strip_prefix("rsa").and_then(|bits| bits.parse().ok()) {
                Some(bits) => Ok(hollow_rsa(bits, 65_537)),
                None => Err(Error::recipe(format_args!("{kind:?} is no kind of key"))),
            },
        }
    }

    /// A private key in PEM (PKCS#8).
    pub(crate) fn from_pem(pem: &[u8]) -> Result<Key, Error> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(Error::recipe)?;
        Key::from_pkcs8(der.secret_pkcs8_der())
    }

    fn from_pkcs8(der: &[u8]) -> Result<Key, Error> {
        use p521::pkcs8::DecodePrivateKey;
        let random = SystemRandom::new();
        if EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_ASN1_SIGNING, der, &random).is_ok() {
            return Ok(Key::P256(der.to_vec()));
        }
        if EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P384_SHA384_ASN1_SIGNING, der, &random).is_ok() {
            return Ok(Key::P384(der.to_vec()));
        }
        if let Ok(pair) = RsaKeyPair::from_pkcs8(der) {
            return Ok(Key::Rsa(Box::new(pair), der.to_vec()));
        }
        let secret = p521::SecretKey::from_pkcs8_der(der)
            .map_err(|_| Error::recipe("the private key is neither RSA nor on P-256, P-384 or P-521"))?;
        Ok(Key::P521(Box::new(secret.into())))
    }

    /// The private half as PKCS#8, DER, where there is one.
    pub(crate) fn pkcs8(&self) -> Option<Vec<u8>> {
        use p521::pkcs8::EncodePrivateKey;
        match self {
            Key::P256(pkcs8) | Key::P384(pkcs8) | Key::Ed25519(pkcs8) | Key::Rsa(_, pkcs8) => {
                Some(pkcs8.clone())
            }
            Key::P521(key) => {
                let secret = p521::SecretKey::from_bytes(&key.to_bytes()).ok()?;
                Some(secret.to_pkcs8_der().ok()?.as_bytes().to_vec())
            }
            Key::Hollow { .. } => None,
        }
    }

    /// The SubjectPublicKeyInfo, DER.
    pub(crate) fn spki(&self) -> Vec<u8> {
        match self {
            Key::P256(pkcs8) => ec_spki(&der::oid(P256), self.pair(pkcs8).public_key().as_ref()),
            Key::P384(pkcs8) => ec_spki(&der::oid(P384), self.pair(pkcs8).public_key().as_ref()),
            Key::P521(key) => ec_spki(&der::oid(P521), key.verifying_key().to_sec1_point(false).as_bytes()),
            Key::Rsa(pair, _) => rsa_spki(pair.public_key().as_ref()),
            Key::Ed25519(pkcs8) => {
                let pair = Ed25519KeyPair::from_pkcs8(pkcs8).expect("made by this module");
                let algorithm = der::sequence(&[der::oid(ED25519)]);
                der::sequence(&[algorithm, der::bit_string(pair.public_key().as_ref())])
            }
            Key::Hollow { spki, .. } => spki.clone(),
        }
    }

    /// The pair of a P-256 or P-384 key, signing as certificates and TLS do.
    fn pair(&self, pkcs8: &[u8]) -> EcdsaKeyPair {
        let algorithm = match self {
            Key::P256(_) => &signature::ECDSA_P256_SHA256_ASN1_SIGNING,
            _ => &signature::ECDSA_P384_SHA384_ASN1_SIGNING,
        };
        EcdsaKeyPair::from_pkcs8(algorithm, pkcs8, &SystemRandom::new())
            .expect("checked when the key was read")
    }

    /// Signs a certificate or a CRL: the AlgorithmIdentifier and the signature.
    pub(crate) fn sign_x509(&self, message: &[u8]) -> Result<(Vec<u8>, Vec<u8>), Error> {
        let random = SystemRandom::new();
        let algorithm = |oid: &str| der::sequence(&[der::oid(oid)]);
        let failed = |_| Error::recipe("signing failed");
        Ok(match self {
            Key::P256(pkcs8) => {
                let signature = self.pair(pkcs8).sign(&random, message).map_err(failed)?;
                (algorithm("1.2.840.10045.4.3.2"), signature.as_ref().to_vec())
            }
            Key::P384(pkcs8) => {
                let signature = self.pair(pkcs8).sign(&random, message).map_err(failed)?;
                (algorithm("1.2.840.10045.4.3.3"), signature.as_ref().to_vec())
            }
            Key::P521(key) => {
                let signature: p521::ecdsa::Signature = key.sign(message);
                (algorithm("1.2.840.10045.4.3.4"), signature.to_der().as_bytes().to_vec())
            }
            Key::Rsa(pair, _) => {
                let identifier = der::sequence(&[der::oid("1.2.840.113549.1.1.11"), der::tlv(5, &[])]);
                (identifier, sign_rsa(pair, &signature::RSA_PKCS1_SHA256, message)?)
            }
            Key::Ed25519(pkcs8) => {
                let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(Error::recipe)?;
                (algorithm(ED25519), pair.sign(message).as_ref().to_vec())
            }
            Key::Hollow { .. } => {
                (algorithm("1.2.840.10045.4.3.2"), der::sequence(&[der::integer(&[1]), der::integer(&[1])]))
            }
        })
    }

    /// Signs a JWS signing input (RFC 7518 §3). An `alg` that does not fit the key is signed with the key's own algorithm.
    pub(crate) fn sign_jws(&self, alg: &str, message: &[u8]) -> Result<Vec<u8>, Error> {
        let random = SystemRandom::new();
        let fixed = |algorithm, pkcs8: &[u8]| {
            EcdsaKeyPair::from_pkcs8(algorithm, pkcs8, &random)
                .map_err(Error::recipe)?
                .sign(&random, message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| Error::recipe("signing failed"))
        };
        match self {
            Key::P256(pkcs8) => fixed(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8),
            Key::P384(pkcs8) => fixed(&signature::ECDSA_P384_SHA384_FIXED_SIGNING, pkcs8),
            Key::P521(key) => {
                let signature: p521::ecdsa::Signature = key.sign(message);
                Ok(signature.to_bytes().to_vec())
            }
            Key::Rsa(pair, _) => {
                let padding: &'static dyn signature::RsaEncoding = match alg {
                    "RS384" => &signature::RSA_PKCS1_SHA384,
                    "RS512" => &signature::RSA_PKCS1_SHA512,
                    "PS256" => &signature::RSA_PSS_SHA256,
                    "PS384" => &signature::RSA_PSS_SHA384,
                    "PS512" => &signature::RSA_PSS_SHA512,
                    _ => &signature::RSA_PKCS1_SHA256,
                };
                sign_rsa(pair, padding, message)
            }
            Key::Ed25519(_) | Key::Hollow { .. } => Err(Error::recipe("no token is signed with such a key")),
        }
    }

    /// The key as a TLS client uses it.
    pub(crate) fn tls(&self) -> Result<Arc<dyn SigningKey>, Error> {
        match self {
            Key::P256(pkcs8) | Key::P384(pkcs8) | Key::Rsa(_, pkcs8) => {
                let der = PrivateKeyDer::Pkcs8(pkcs8.clone().into());
                rustls::crypto::ring::sign::any_supported_type(&der).map_err(Error::recipe)
            }
            Key::P521(key) => Ok(Arc::new(TlsKey::P521(key.clone()))),
            // Its own scheme is not offered, and rustls would then send no certificate at all.
            Key::Ed25519(_) => Ok(Arc::new(TlsKey::Hollow(SignatureAlgorithm::ED25519))),
            Key::Hollow { algorithm, .. } => Ok(Arc::new(TlsKey::Hollow(*algorithm))),
        }
    }
}

fn sign_rsa(
    pair: &RsaKeyPair,
    padding: &'static dyn signature::RsaEncoding,
    message: &[u8],
) -> Result<Vec<u8>, Error> {
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(padding, &SystemRandom::new(), message, &mut signature)
        .map_err(|_| Error::recipe("signing failed"))?;
    Ok(signature)
}

/// Random bytes.
pub(crate) fn fill(bytes: &mut [u8]) {
    SystemRandom::new().fill(bytes).expect("the operating system has randomness");
}

/// A random odd number of exactly so many bytes.
fn random_odd(bytes: usize) -> Vec<u8> {
    let mut number = vec![0; bytes];
    fill(&mut number);
    if let Some(first) = number.first_mut() {
        *first |= 0x80;
    }
    if let Some(last) = number.last_mut() {
        *last |= 1;
    }
    number
}

fn hollow_rsa(bits: usize, exponent: u32) -> Key {
    let modulus = random_odd(bits.div_ceil(8));
    let key = der::sequence(&[der::integer(&modulus), der::integer(&exponent.to_be_bytes())]);
    Key::Hollow { spki: rsa_spki(&key), algorithm: SignatureAlgorithm::RSA }
}

fn hollow_ec(parameters: &[u8], point_bytes: usize) -> Key {
    let mut point = vec![4; point_bytes];
    fill(point.get_mut(1..).unwrap_or_default());
    Key::Hollow { spki: ec_spki(parameters, &point), algorithm: SignatureAlgorithm::ECDSA }
}

fn ec_spki(parameters: &[u8], point: &[u8]) -> Vec<u8> {
    let algorithm = der::sequence(&[der::oid(EC_PUBLIC_KEY), parameters.to_vec()]);
    der::sequence(&[algorithm, der::bit_string(point)])
}

fn rsa_spki(key: &[u8]) -> Vec<u8> {
    let algorithm = der::sequence(&[der::oid(RSA), der::tlv(5, &[])]);
    der::sequence(&[algorithm, der::bit_string(key)])
}

/// TLS client keys that rustls itself does not know.
#[derive(Clone)]
enum TlsKey {
    P521(Box<p521::ecdsa::SigningKey>),
    Hollow(SignatureAlgorithm),
}

impl fmt::Debug for TlsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsKey")
    }
}

impl TlsKey {
    fn schemes(&self) -> &'static [SignatureScheme] {
        match self {
            TlsKey::P521(_) => &[SignatureScheme::ECDSA_NISTP521_SHA512],
            TlsKey::Hollow(SignatureAlgorithm::RSA) => {
                &[SignatureScheme::RSA_PSS_SHA256, SignatureScheme::RSA_PKCS1_SHA256]
            }
            TlsKey::Hollow(_) => &[SignatureScheme::ECDSA_NISTP256_SHA256],
        }
    }
}

impl SigningKey for TlsKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let scheme = self.schemes().iter().copied().find(|scheme| offered.contains(scheme))?;
        Some(Box::new(TlsSigner { key: self.clone(), scheme }))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        match self {
            TlsKey::P521(_) => SignatureAlgorithm::ECDSA,
            TlsKey::Hollow(algorithm) => *algorithm,
        }
    }
}

#[derive(Debug)]
struct TlsSigner {
    key: TlsKey,
    scheme: SignatureScheme,
}

impl Signer for TlsSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        match &self.key {
            TlsKey::P521(key) => {
                let signature: p521::ecdsa::Signature = key.sign(message);
                Ok(signature.to_der().as_bytes().to_vec())
            }
            TlsKey::Hollow(_) => Ok(der::sequence(&[der::integer(&[1]), der::integer(&[1])])),
        }
    }

    fn scheme(&self) -> SignatureScheme {
        self.scheme
    }
}
