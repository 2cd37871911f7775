//! A throw-away public key infrastructure, made anew by every test.

#![allow(dead_code, reason = "each test binary uses a part of this")]
#![allow(unreachable_pub, reason = "a module of test binaries, not of a library")]

pub mod der;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use irgw_core::{Channel, Clock, Missing, Origin, UnixTime};
use irgw_tls::{ApprovedRoot, ClientTrust, Crl, Enrolment, Enrolments, Error, Flaw};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, RevokedCertParams,
    SerialNumber,
};
use rustls_pki_types::CertificateDer;

/// Noon of a day in June 2026, in seconds since the Unix epoch: the time of every test.
pub const NOW: u64 = 1_781_006_400;
/// Certificates are valid from a day before to a year after.
pub const FROM: u64 = NOW - 86_400;
pub const UNTIL: u64 = NOW + 365 * 86_400;

/// A Common Name as IR assigns it.
pub const NAME: &str = "298f9c17bbbe48958994982c383c409c.irdgws.test.example.nz";

pub fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

pub fn date(seconds: u64) -> time::OffsetDateTime {
    time::OffsetDateTime::from_unix_timestamp(seconds.try_into().unwrap()).unwrap()
}

/// A certificate authority.
pub struct Authority {
    pub params: CertificateParams,
    pub key: KeyPair,
    pub der: CertificateDer<'static>,
}

impl Authority {
    /// A self-signed root.
    pub fn root(name: &str) -> Authority {
        Authority::root_with(name, |_| {})
    }

    pub fn root_with(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = authority_params(name);
        change(&mut params);
        let der = params.self_signed(&key).unwrap().der().clone();
        Authority { params, key, der }
    }

    /// The same with a key of one's own, e.g. an RSA one.
    pub fn root_of(name: &str, key: KeyPair) -> Authority {
        let params = authority_params(name);
        let der = params.self_signed(&key).unwrap().der().clone();
        Authority { params, key, der }
    }

    /// An intermediate under this one.
    pub fn intermediate(&self, name: &str) -> Authority {
        self.intermediate_with(name, |_| {})
    }

    pub fn intermediate_with(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = authority_params(name);
        params.use_authority_key_identifier_extension = true;
        change(&mut params);
        let der = self.sign(&params, &key);
        Authority { params, key, der }
    }

    pub fn sign(&self, params: &CertificateParams, key: &impl PublicKeyData) -> CertificateDer<'static> {
        params.signed_by(key, &Issuer::from_params(&self.params, &self.key)).unwrap().der().clone()
    }

    /// A client certificate for a public key of any kind, given as SubjectPublicKeyInfo.
    pub fn client_of(&self, name: &str, spki: Vec<u8>) -> CertificateDer<'static> {
        let placeholder = self.client(name);
        der::resigned(&placeholder.der, &self.key, |parts| parts[der::SPKI] = spki)
    }

    /// A client certificate of this name.
    pub fn client(&self, name: &str) -> Client {
        self.client_with(name, |_| {})
    }

    pub fn client_with(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Client {
        let key = KeyPair::generate().unwrap();
        let mut params = client_params(name);
        change(&mut params);
        Client { der: self.sign(&params, &key), key_pem: key.serialize_pem() }
    }

    /// A revocation list of these serial numbers, from a day before `NOW` to `next_update`.
    pub fn crl(&self, serials: &[u64], next_update: u64) -> Vec<Crl> {
        Crl::parse(&self.crl_der(serials, next_update)).unwrap()
    }

    /// The same, from another second on.
    pub fn crl_from(&self, this_update: u64, serials: &[u64], next_update: u64) -> Vec<Crl> {
        Crl::parse(&self.crl_der_from(this_update, serials, next_update)).unwrap()
    }

    pub fn crl_der(&self, serials: &[u64], next_update: u64) -> Vec<u8> {
        self.crl_der_from(FROM, serials, next_update)
    }

    fn crl_der_from(&self, this_update: u64, serials: &[u64], next_update: u64) -> Vec<u8> {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date(FROM),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: date(this_update),
            next_update: date(next_update),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: rcgen::KeyIdMethod::Sha256,
        };
        params.signed_by(&Issuer::from_params(&self.params, &self.key)).unwrap().der().to_vec()
    }

    /// This one on the approved list, under the default settings.
    pub fn approved(&self) -> ApprovedRoot {
        ApprovedRoot::new("test root", self.der.clone(), at(NOW)).unwrap()
    }

    /// The message's intermediates when this is the only one.
    pub fn alone(&self) -> &[CertificateDer<'static>] {
        std::slice::from_ref(&self.der)
    }

    pub fn pem(&self) -> String {
        pem("CERTIFICATE", &self.der)
    }
}

/// A client's certificate and key.
pub struct Client {
    pub der: CertificateDer<'static>,
    pub key_pem: String,
}

impl Client {
    /// The chain in PEM: this certificate, then these.
    pub fn chain_pem(&self, intermediates: &[&Authority]) -> String {
        let rest: String = intermediates.iter().map(|authority| authority.pem()).collect();
        pem("CERTIFICATE", &self.der) + &rest
    }
}

pub fn authority_params(name: &str) -> CertificateParams {
    let mut params = dated_params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

pub fn client_params(name: &str) -> CertificateParams {
    let mut params = dated_params(name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    params
}

fn dated_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date(FROM);
    params.not_after = date(UNTIL);
    params
}

pub fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// Trust in one root under the default settings.
pub fn trust(root: &Authority) -> ClientTrust {
    ClientTrust::new(vec![root.approved()], Vec::new()).unwrap()
}

/// What is wrong with a client certificate, judged at `NOW` with nothing beside it.
pub fn flaw(trust: &ClientTrust, der: &CertificateDer<'_>) -> Option<Flaw> {
    flaw_of(trust.verify(der, &[], at(NOW)).map(|_| ()))
}

pub fn flaw_of(result: Result<(), Error>) -> Option<Flaw> {
    match result {
        Ok(()) => None,
        Err(Error::Certificate { fault, .. }) => Some(fault.flaw),
        Err(other) => panic!("{other}"),
    }
}

/// A clock that is set.
#[derive(Debug)]
pub struct SetClock(AtomicU64);

impl SetClock {
    pub fn new() -> Arc<SetClock> {
        Arc::new(SetClock(AtomicU64::new(NOW)))
    }
    pub fn set(&self, seconds: u64) {
        self.0.store(seconds, Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn since_epoch(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::SeqCst))
    }
}

/// Enrolments that a test changes.
#[derive(Debug, Default)]
pub struct Register(Mutex<HashMap<String, Result<Arc<Enrolment>, Missing>>>);

impl Register {
    pub fn put(&self, name: &str, entry: Result<Enrolment, Missing>) {
        self.0.lock().unwrap().insert(name.into(), entry.map(Arc::new));
    }
}

impl Enrolments for Register {
    fn by_common_name(&self, common_name: &str) -> Result<Arc<Enrolment>, Missing> {
        self.0.lock().unwrap().get(common_name).cloned().unwrap_or(Err(Missing::Unknown))
    }
}

pub fn enrolment(name: &str) -> Enrolment {
    Enrolment {
        provider: "Kererū Payroll".parse().unwrap(),
        common_name: name.into(),
        grants: Arc::default(),
        issuer_pin: None,
        revision: 1,
    }
}

pub fn origin() -> Origin {
    Origin::new("192.0.2.7:50000".parse().unwrap(), Channel::Cloud)
}

/// An RSA key of 3072 bits, made once a test binary, in PKCS#8 PEM.
pub fn rsa_pem() -> String {
    use rsa::pkcs8::EncodePrivateKey;
    static KEY: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| {
        let key = rsa::RsaPrivateKey::new(&mut rsa::rand_core::UnwrapErr(getrandom::SysRng), 3072).unwrap();
        key.to_pkcs8_pem(rsa::pkcs8::LineEnding::LF).unwrap().to_string()
    });
    KEY.clone()
}

/// A P-521 key: its PKCS#8 PEM, its SEC 1 PEM and its SubjectPublicKeyInfo.
pub fn p521_key() -> (String, String, Vec<u8>) {
    use p521::pkcs8::{EncodePrivateKey, EncodePublicKey};
    let mut bytes = [0x42; 66];
    bytes[0] = 0;
    bytes[65] = u8::try_from(std::process::id() & 0x7f).unwrap() | 1;
    let key = p521::SecretKey::from_slice(&bytes).unwrap();
    let pem = key.to_pkcs8_pem(p521::pkcs8::LineEnding::LF).unwrap().to_string();
    let sec1 = key.to_sec1_pem(p521::pkcs8::LineEnding::LF).unwrap().to_string();
    (pem, sec1, key.public_key().to_public_key_der().unwrap().as_bytes().to_vec())
}
