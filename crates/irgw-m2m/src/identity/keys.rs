//! The gateway's key for identity tokens, and its public half as others see it (RFC 7517, RFC 7638).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use irgw_core::Secret;
use ring::digest;
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject as _;
use serde::{Deserialize, Serialize};
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::SubjectPublicKeyInfo;
use zeroize::Zeroizing;

use crate::error::{Error, IdentityFault, KeyFault};
use crate::signature::PublicKey;
use crate::{Algorithm, KeyKind, SigningKey, enrolment};

/// The gateway's private key for identity tokens: P-256, signing with ES256.
///
/// `Debug` shows nothing of it.
#[derive(Debug)]
pub struct IdentityKey {
    key: SigningKey,
    public: PublicJwk,
}

impl IdentityKey {
    /// Makes a new key with the operating system's randomness: the key, and its PKCS#8 form in PEM to keep.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn generate() -> Result<(IdentityKey, Secret<String>), Error> {
        let (key, pkcs8) = SigningKey::generate_p256()?;
        Ok((IdentityKey::new(key)?, Secret::new(pem("PRIVATE KEY", pkcs8.expose()))))
    }

    /// Reads a P-256 private key in PEM, as [`SigningKey::from_pem`] does.
    ///
    /// # Errors
    /// [`Error::Key`]: no such key.
    pub fn from_pem(pem: &[u8]) -> Result<IdentityKey, Error> {
        IdentityKey::new(SigningKey::from_pem(pem)?)
    }

    /// The public half.
    pub fn public(&self) -> &PublicJwk {
        &self.public
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.key.sign(message)
    }

    fn new(key: SigningKey) -> Result<IdentityKey, Error> {
        if key.algorithm() != Algorithm::Es256 {
            return Err(Error::Key(KeyFault::Algorithm));
        }
        let public = PublicJwk::new(key.public_key()?);
        Ok(IdentityKey { key, public })
    }
}

/// A public key for identity tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicJwk {
    id: String,
    key: PublicKey,
}

impl PublicJwk {
    /// Reads a P-256 public key in PEM (`PUBLIC KEY`, RFC 5480).
    ///
    /// # Errors
    /// [`IdentityFault::Keys`].
    pub fn from_pem(pem: &[u8]) -> Result<PublicJwk, Error> {
        let unusable = Error::Identity(IdentityFault::Keys);
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem).map_err(|_| unusable)?;
        match SubjectPublicKeyInfo::from_der(&der) {
            Ok(([], info)) => match enrolment::public_key(&info) {
                Ok(key) if key.kind() == KeyKind::P256 => Ok(PublicJwk::new(key)),
                _ => Err(unusable),
            },
            _ => Err(unusable),
        }
    }

    /// The key's name: its thumbprint (RFC 7638), in base64url.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The key in PEM (`PUBLIC KEY`).
    pub fn to_pem(&self) -> String {
        let mut der = P256_KEY_INFO.to_vec();
        der.extend_from_slice(self.key.bytes());
        pem("PUBLIC KEY", &der)
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        self.key.verify(Algorithm::Es256, message, signature)
    }

    fn new(key: PublicKey) -> PublicJwk {
        let (x, y) = coordinates(&key);
        // RFC 7638 §3.2: the required members, in this order, with no space.
        let required = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        let id = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, required.as_bytes()));
        PublicJwk { id, key }
    }
}

/// The keys that identity tokens may be signed with: one, or two while the gateway changes its key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Jwks(Vec<PublicJwk>);

impl Jwks {
    /// A set of these keys.
    pub fn of<'k>(keys: impl IntoIterator<Item = &'k PublicJwk>) -> Jwks {
        Jwks(keys.into_iter().cloned().collect())
    }

    /// Reads a JWK set (RFC 7517 §5). Keys of another kind or use are skipped, as the RFC asks; at least one must be left.
    /// A key's own `kid` is not believed: a key is named by its thumbprint.
    ///
    /// # Errors
    /// [`IdentityFault::Keys`].
    pub fn from_json(json: &str) -> Result<Jwks, Error> {
        let unusable = Error::Identity(IdentityFault::Keys);
        let set: JwkSet = serde_json::from_str(json).map_err(|_| unusable)?;
        let keys: Vec<PublicJwk> = set.keys.iter().filter_map(Jwk::to_key).collect();
        if keys.is_empty() { Err(unusable) } else { Ok(Jwks(keys)) }
    }

    /// The set as JSON, as the gateway publishes it.
    pub fn to_json(&self) -> String {
        let set = JwkSet { keys: self.0.iter().map(Jwk::from_key).collect() };
        serde_json::to_string(&set).expect("text always becomes json")
    }

    /// The keys.
    pub fn keys(&self) -> &[PublicJwk] {
        &self.0
    }

    pub(super) fn find(&self, id: &str) -> Option<&PublicJwk> {
        self.0.iter().find(|key| key.id == id)
    }
}

#[derive(Serialize, Deserialize)]
struct JwkSet {
    keys: Vec<Jwk>,
}

#[derive(Serialize, Deserialize)]
struct Jwk {
    kty: String,
    #[serde(default)]
    crv: String,
    #[serde(default)]
    x: String,
    #[serde(default)]
    y: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alg: Option<String>,
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    purpose: Option<String>,
}

impl Jwk {
    fn from_key(key: &PublicJwk) -> Jwk {
        let (x, y) = coordinates(&key.key);
        Jwk {
            kty: "EC".to_owned(),
            crv: "P-256".to_owned(),
            x,
            y,
            kid: Some(key.id.clone()),
            alg: Some(Algorithm::Es256.name().to_owned()),
            purpose: Some("sig".to_owned()),
        }
    }

    fn to_key(&self) -> Option<PublicJwk> {
        let suits = self.kty == "EC"
            && self.crv == "P-256"
            && self.alg.as_deref().is_none_or(|alg| alg == Algorithm::Es256.name())
            && self.purpose.as_deref().is_none_or(|purpose| purpose == "sig");
        if !suits {
            return None;
        }
        let mut point = vec![4];
        for coordinate in [&self.x, &self.y] {
            let bytes = URL_SAFE_NO_PAD.decode(coordinate).ok().filter(|bytes| bytes.len() == 32)?;
            point.extend_from_slice(&bytes);
        }
        PublicKey::new(KeyKind::P256, point).ok().map(PublicJwk::new)
    }
}

fn coordinates(key: &PublicKey) -> (String, String) {
    let point = key.bytes().get(1..).unwrap_or_default();
    let (x, y) = point.split_at(point.len() / 2);
    (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y))
}

/// RFC 7468: base64 in lines of 64 characters. May hold a private key, so nothing of it is left behind.
fn pem(label: &str, der: &[u8]) -> String {
    let text = Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(der));
    // Room for all of it, so that it does not move while it grows.
    let mut pem = String::with_capacity(2 * text.len() + 128);
    pem.push_str(&format!("-----BEGIN {label}-----\n"));
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = more;
    }
    pem.push_str(&format!("-----END {label}-----\n"));
    pem
}

/// SubjectPublicKeyInfo { id-ecPublicKey, prime256v1 } up to the point (RFC 5480 §2).
const P256_KEY_INFO: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
