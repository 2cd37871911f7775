//! Signers made at run time, and tokens put together by hand: whatever a test wants to say, signed or not.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use irgw_core::{Missing, Thumbprint, UnixTime};
use irgw_m2m::{Algorithm, Credential, LegacySha1, SigningCert, SigningCerts, SigningKey};
use p521::ecdsa::signature::Signer as _;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{self, EcdsaKeyPair, KeyPair as _, RsaKeyPair};
use rsa::pkcs8::{EncodePrivateKey as _, EncodePublicKey as _};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::der::{self, Template};

/// The time of all tests: 2026-01-01T00:00:00Z.
pub(crate) const NOW: u64 = 1_767_225_600;
pub(crate) const DAY: u64 = 86_400;

pub(crate) fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

/// A private key with a certificate, and what enrolment makes of it.
pub(crate) struct Party {
    pub(crate) algorithm: Algorithm,
    pub(crate) pkcs8: Vec<u8>,
    pub(crate) spki: Vec<u8>,
    pub(crate) der: Vec<u8>,
    pub(crate) credential: Credential,
}

/// One signer of each algorithm; RS* share a key, and so the certificate.
pub(crate) static RS256: LazyLock<Party> = LazyLock::new(|| Party::of_rsa(Algorithm::Rs256));
pub(crate) static RS384: LazyLock<Party> = LazyLock::new(|| RS256.with(Algorithm::Rs384));
pub(crate) static RS512: LazyLock<Party> = LazyLock::new(|| RS256.with(Algorithm::Rs512));
pub(crate) static ES256: LazyLock<Party> = LazyLock::new(|| Party::of_curve(Algorithm::Es256));
pub(crate) static ES384: LazyLock<Party> = LazyLock::new(|| Party::of_curve(Algorithm::Es384));
pub(crate) static ES512: LazyLock<Party> = LazyLock::new(Party::of_p521);

pub(crate) fn everybody() -> [&'static Party; 6] {
    [&RS256, &RS384, &RS512, &ES256, &ES384, &ES512]
}

impl Party {
    pub(crate) fn new_es256() -> Party {
        Party::of_curve(Algorithm::Es256)
    }

    fn of_rsa(algorithm: Algorithm) -> Party {
        let key = rsa::RsaPrivateKey::new(&mut rsa::rand_core::UnwrapErr(getrandom::SysRng), 2048).unwrap();
        let spki = key.to_public_key().to_public_key_der().unwrap().as_bytes().to_vec();
        Party::new(algorithm, key.to_pkcs8_der().unwrap().as_bytes().to_vec(), spki)
    }

    fn of_curve(algorithm: Algorithm) -> Party {
        let (scheme, curve) = if algorithm == Algorithm::Es256 {
            (&signature::ECDSA_P256_SHA256_FIXED_SIGNING, der::P256)
        } else {
            (&signature::ECDSA_P384_SHA384_FIXED_SIGNING, der::P384)
        };
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(scheme, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(scheme, pkcs8.as_ref(), &random).unwrap();
        let spki = der::named_curve(curve, pair.public_key().as_ref());
        Party::new(algorithm, pkcs8.as_ref().to_vec(), spki)
    }

    fn of_p521() -> Party {
        let mut secret = [0; 66];
        SystemRandom::new().fill(&mut secret[1..]).unwrap();
        let key = p521::SecretKey::from_slice(&secret).unwrap();
        let pkcs8 = p521::pkcs8::EncodePrivateKey::to_pkcs8_der(&key).unwrap().as_bytes().to_vec();
        let spki =
            p521::pkcs8::EncodePublicKey::to_public_key_der(&key.public_key()).unwrap().as_bytes().to_vec();
        Party::new(Algorithm::Es512, pkcs8, spki)
    }

    fn new(algorithm: Algorithm, pkcs8: Vec<u8>, spki: Vec<u8>) -> Party {
        let der = Template::new(&spki).der();
        let credential = credential(&der);
        Party { algorithm, pkcs8, spki, der, credential }
    }

    fn with(&self, algorithm: Algorithm) -> Party {
        let (pkcs8, spki) = (self.pkcs8.clone(), self.spki.clone());
        Party { algorithm, pkcs8, spki, der: self.der.clone(), credential: self.credential.clone() }
    }

    /// The key as the crate reads it.
    pub(crate) fn key(&self) -> SigningKey {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.pkcs8.as_slice()));
        SigningKey::from_der(&key).unwrap().with_algorithm(self.algorithm).unwrap()
    }

    pub(crate) fn thumbprint(&self) -> Thumbprint {
        self.credential.cert.thumbprint()
    }

    /// A good header for this signer.
    pub(crate) fn header(&self) -> String {
        format!(r#"{{"alg":"{}","typ":"JWT","kid":"M2M"}}"#, self.algorithm)
    }

    /// A good payload of this signer: issued a minute ago, good for ten.
    pub(crate) fn payload(&self) -> String {
        self.payload_with("")
    }

    /// The same with more members, each with a comma before it.
    pub(crate) fn payload_with(&self, more: &str) -> String {
        let (sub, iat, exp) = (self.thumbprint(), NOW - 60, NOW + 540);
        format!(r#"{{"sub":"{sub}","iss":"Kōwhai Payroll","iat":{iat},"exp":{exp}{more}}}"#)
    }

    /// The same with these times.
    pub(crate) fn payload_at(&self, iat: u64, exp: u64) -> String {
        let sub = self.thumbprint();
        format!(r#"{{"sub":"{sub}","iss":"Kōwhai Payroll","iat":{iat},"exp":{exp}}}"#)
    }

    /// A good token.
    pub(crate) fn token(&self) -> String {
        self.jws(&self.header(), &self.payload())
    }

    /// A token with this payload, well signed.
    pub(crate) fn saying(&self, payload: &str) -> String {
        self.jws(&self.header(), payload)
    }

    /// Any header and any payload, well signed with the signer's algorithm.
    pub(crate) fn jws(&self, header: &str, payload: &str) -> String {
        let input = format!("{}.{}", b64(header.as_bytes()), b64(payload.as_bytes()));
        let signature = self.sign(input.as_bytes());
        format!("{input}.{}", b64(&signature))
    }

    /// Signs with ring or p521 directly, not with the crate under test.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        let rsa = |padding: &'static dyn signature::RsaEncoding| {
            let pair = RsaKeyPair::from_pkcs8(&self.pkcs8).unwrap();
            let mut signature = vec![0; pair.public().modulus_len()];
            pair.sign(padding, &random, message, &mut signature).unwrap();
            signature
        };
        let curve = |scheme| {
            let pair = EcdsaKeyPair::from_pkcs8(scheme, &self.pkcs8, &random).unwrap();
            pair.sign(&random, message).unwrap().as_ref().to_vec()
        };
        match self.algorithm {
            Algorithm::Rs256 => rsa(&signature::RSA_PKCS1_SHA256),
            Algorithm::Rs384 => rsa(&signature::RSA_PKCS1_SHA384),
            Algorithm::Rs512 => rsa(&signature::RSA_PKCS1_SHA512),
            Algorithm::Es256 => curve(&signature::ECDSA_P256_SHA256_FIXED_SIGNING),
            Algorithm::Es384 => curve(&signature::ECDSA_P384_SHA384_FIXED_SIGNING),
            Algorithm::Es512 => {
                use p521::pkcs8::DecodePrivateKey as _;
                let key: p521::ecdsa::SigningKey =
                    p521::SecretKey::from_pkcs8_der(&self.pkcs8).unwrap().into();
                let signature: p521::ecdsa::Signature = key.sign(message);
                signature.to_bytes().to_vec()
            }
        }
    }
}

pub(crate) fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What enrolment makes of a certificate.
pub(crate) fn credential(der: &[u8]) -> Credential {
    Credential {
        cert: SigningCert::enrol(der, at(NOW)).unwrap(),
        issuer: "Kōwhai Payroll".into(),
        owner: "kowhai".parse().unwrap(),
        revision: 1,
        legacy_sha1: LegacySha1::Refused,
    }
}

/// A registry of what a test enrols.
#[derive(Debug, Default)]
pub(crate) struct Enrolled(pub(crate) std::sync::Mutex<Vec<(Arc<Credential>, Option<Missing>)>>);

impl Enrolled {
    pub(crate) fn of<'p>(parties: impl IntoIterator<Item = &'p Party>) -> Arc<Enrolled> {
        let enrolled = Enrolled::default();
        parties.into_iter().for_each(|party| enrolled.add(party.credential.clone()));
        Arc::new(enrolled)
    }

    pub(crate) fn add(&self, credential: Credential) {
        self.0.lock().unwrap().push((Arc::new(credential), None));
    }

    /// Changes the enrolment of a certificate.
    pub(crate) fn change(
        &self,
        thumbprint: Thumbprint,
        change: impl FnOnce(&mut Credential, &mut Option<Missing>),
    ) {
        let mut all = self.0.lock().unwrap();
        let (credential, missing) =
            all.iter_mut().find(|(credential, _)| credential.cert.thumbprint() == thumbprint).unwrap();
        let mut changed = Credential::clone(credential);
        change(&mut changed, missing);
        *credential = Arc::new(changed);
    }

    fn find(&self, is: impl Fn(&Credential) -> bool) -> Result<Arc<Credential>, Missing> {
        let all = self.0.lock().unwrap();
        match all.iter().find(|(credential, _)| is(credential)) {
            None => Err(Missing::Unknown),
            Some((_, Some(missing))) => Err(*missing),
            Some((credential, None)) => Ok(credential.clone()),
        }
    }
}

impl SigningCerts for Enrolled {
    fn by_sha256(&self, thumbprint: &Thumbprint) -> Result<Arc<Credential>, Missing> {
        self.find(|credential| credential.cert.thumbprint() == *thumbprint)
    }

    fn by_sha1(&self, thumbprint: &[u8; 20]) -> Result<Arc<Credential>, Missing> {
        self.find(|credential| credential.cert.sha1_thumbprint() == *thumbprint)
    }
}
