//! The keys that access tokens are signed with: one signs, its successor is announced, its predecessor is remembered (OA-10).

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use irgw_core::{Secret, UnixTime, UnknownName};
use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair, KeyPair as _, RsaKeyPair, UnparsedPublicKey};
use serde_json::json;

use crate::Unavailable;

/// What an access token is signed with (OA-10).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// ECDSA over P-256 with SHA-256; the default.
    #[default]
    Es256,
    /// RSA PKCS#1 v1.5 with SHA-256.
    Rs256,
    /// RSA PKCS#1 v1.5 with SHA-512.
    Rs512,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Algorithm; 3] = [Algorithm::Es256, Algorithm::Rs256, Algorithm::Rs512];

    /// The `alg` (RFC 7518 §3.1).
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Es256 => "ES256",
            Algorithm::Rs256 => "RS256",
            Algorithm::Rs512 => "RS512",
        }
    }

    fn verification(self) -> &'static dyn signature::VerificationAlgorithm {
        match self {
            Algorithm::Es256 => &signature::ECDSA_P256_SHA256_FIXED,
            Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
            Algorithm::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
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
        let found = Algorithm::ALL.into_iter().find(|algorithm| algorithm.name() == text);
        found.ok_or(UnknownName { kind: "signing algorithm" })
    }
}

/// A key pair for access tokens. It is parsed once; `Debug` shows its name alone.
pub struct SigningKey {
    algorithm: Algorithm,
    pair: Pair,
    id: String,
    header: String,
}

enum Pair {
    Ecdsa(Box<EcdsaKeyPair>),
    Rsa(Box<RsaKeyPair>),
}

impl SigningKey {
    /// Makes a P-256 key with the operating system's randomness: the key, and its PKCS#8 form to keep. RSA keys are made
    /// elsewhere and read.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn generate() -> Result<(SigningKey, Secret<Vec<u8>>), Unavailable> {
        let made =
            EcdsaKeyPair::generate_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        let pkcs8 = made.map_err(|_| Unavailable::new("the system gives no random numbers"))?;
        let pkcs8 = Secret::new(pkcs8.as_ref().to_vec());
        Ok((SigningKey::from_pkcs8(Algorithm::Es256, pkcs8.expose())?, pkcs8))
    }

    /// Reads a private key (PKCS#8 DER): P-256 for ES256, RSA of 2048 to 4096 bits otherwise.
    ///
    /// # Errors
    /// When it is no such key.
    pub fn from_pkcs8(algorithm: Algorithm, pkcs8: &[u8]) -> Result<SigningKey, Unavailable> {
        let wrong =
            |why: ring::error::KeyRejected| Unavailable::new(format!("no key for {algorithm}: {why}"));
        let pair = match algorithm {
            Algorithm::Es256 => Pair::Ecdsa(Box::new(
                EcdsaKeyPair::from_pkcs8(
                    &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
                    pkcs8,
                    &SystemRandom::new(),
                )
                .map_err(wrong)?,
            )),
            Algorithm::Rs256 | Algorithm::Rs512 => {
                Pair::Rsa(Box::new(RsaKeyPair::from_pkcs8(pkcs8).map_err(wrong)?))
            }
        };
        let id = thumbprint(&pair);
        let header = json!({ "alg": algorithm.name(), "typ": TYPE, "kid": id }).to_string();
        Ok(SigningKey { algorithm, pair, id, header: URL_SAFE_NO_PAD.encode(header) })
    }

    /// Its `kid`: the thumbprint of the public key (RFC 7638), in base64url.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What it signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The public key as a JWK (RFC 7517, RFC 7518 §6).
    pub fn to_jwk(&self) -> serde_json::Value {
        let mut jwk = required_members(&self.pair);
        let more = [("kid", self.id.as_str()), ("alg", self.algorithm.name()), ("use", "sig")];
        if let Some(members) = jwk.as_object_mut() {
            members.extend(more.map(|(name, value)| (name.to_owned(), value.into())));
        }
        jwk
    }

    /// The first segment of every token that it signs.
    pub(crate) fn header(&self) -> &str {
        &self.header
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Unavailable> {
        let random = SystemRandom::new();
        let failed = |_| Unavailable::new("the key does not sign");
        match &self.pair {
            Pair::Ecdsa(pair) => Ok(pair.sign(&random, message).map_err(failed)?.as_ref().to_vec()),
            Pair::Rsa(pair) => {
                let padding: &dyn signature::RsaEncoding = match self.algorithm {
                    Algorithm::Rs512 => &signature::RSA_PKCS1_SHA512,
                    _ => &signature::RSA_PKCS1_SHA256,
                };
                let mut signed = vec![0; pair.public().modulus_len()];
                pair.sign(padding, &random, message, &mut signed).map_err(failed)?;
                Ok(signed)
            }
        }
    }

    pub(crate) fn verifies(&self, message: &[u8], signed: &[u8]) -> bool {
        let public: &[u8] = match &self.pair {
            Pair::Ecdsa(pair) => pair.public_key().as_ref(),
            Pair::Rsa(pair) => pair.public_key().as_ref(),
        };
        UnparsedPublicKey::new(self.algorithm.verification(), public).verify(message, signed).is_ok()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.id).field("algorithm", &self.algorithm).finish()
    }
}

/// RFC 7638 §3.2: the required members in the order of their names, with no space.
fn required_members(pair: &Pair) -> serde_json::Value {
    match pair {
        Pair::Ecdsa(pair) => {
            let point = pair.public_key().as_ref().get(1..).unwrap_or_default();
            let (x, y) = point.split_at(point.len() / 2);
            json!({ "crv": "P-256", "kty": "EC", "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y) })
        }
        Pair::Rsa(pair) => {
            let public = signature::RsaPublicKeyComponents::<Vec<u8>>::from(pair.public());
            json!({ "e": URL_SAFE_NO_PAD.encode(public.e), "kty": "RSA", "n": URL_SAFE_NO_PAD.encode(public.n) })
        }
    }
}

fn thumbprint(pair: &Pair) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, required_members(pair).to_string().as_bytes());
    URL_SAFE_NO_PAD.encode(digest)
}

/// The `typ` of an access token (OA-10, RFC 9068 §2.1).
pub const TYPE: &str = "at+jwt";

/// A key with its times.
#[derive(Debug)]
pub struct TimedKey {
    /// The key.
    pub key: SigningKey,
    /// The first second in which it signs; published before.
    pub signs_from: UnixTime,
    /// The first second in which its tokens are good no more; `None`: it has no successor yet.
    pub verifies_until: Option<UnixTime>,
}

/// The keys of one environment, as one moment of the store says.
#[derive(Debug, Default)]
pub struct Keyring(Vec<TimedKey>);

impl Keyring {
    /// Of these keys, in any order.
    pub fn new(keys: Vec<TimedKey>) -> Keyring {
        Keyring(keys)
    }

    /// The key that signs with `algorithm` now: of those whose time has come, the newest. Of two of the same second it is
    /// the one that has no successor.
    pub fn signing(&self, algorithm: Algorithm, now: UnixTime) -> Option<&SigningKey> {
        let able = self.0.iter().filter(|timed| timed.key.algorithm == algorithm && timed.signs_from <= now);
        let newness = |timed: &&TimedKey| (timed.signs_from, timed.verifies_until.is_none());
        let newest = able.filter(|timed| timed.is_good(now)).max_by_key(newness);
        newest.map(|timed| &timed.key)
    }

    /// The key that writes this first segment, as long as its tokens are good.
    pub(crate) fn by_header(&self, header: &str, now: UnixTime) -> Option<&SigningKey> {
        let found = self.0.iter().find(|timed| timed.key.header == header && timed.is_good(now));
        found.map(|timed| &timed.key)
    }

    /// The public keys as a JWK set (RFC 7517 §5): announced, signing, and those whose tokens are still good.
    pub fn to_jwks(&self, now: UnixTime) -> String {
        let good = self.0.iter().filter(|timed| timed.is_good(now));
        json!({ "keys": good.map(|timed| timed.key.to_jwk()).collect::<Vec<_>>() }).to_string()
    }
}

impl TimedKey {
    fn is_good(&self, now: UnixTime) -> bool {
        self.verifies_until.is_none_or(|until| now < until)
    }
}

/// The keys in force, in memory.
pub trait Keys: fmt::Debug + Send + Sync + 'static {
    /// All of them.
    fn keyring(&self) -> std::sync::Arc<Keyring>;
}
