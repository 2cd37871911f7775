//! The throw-away public key infrastructure: a root, an intermediate, and what they issue.

use irgw_core::{Secret, UnixTime};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    PKCS_ECDSA_P384_SHA384, SerialNumber,
};
use time::{Duration, OffsetDateTime};

use super::DevError;
use crate::rsa_key;

/// How long what is issued stays valid: within what a signing certificate may have (M2M-8).
const VALIDITY: Duration = Duration::days(730);

/// A private key's kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyKind {
    P256,
    P384,
    P521,
    Rsa2048,
}

/// A certificate and its private key, PEM.
pub(super) struct Issued {
    pub(super) certificate: String,
    pub(super) der: Vec<u8>,
    pub(super) key: Secret<String>,
}

/// A certificate authority.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(super) certificate: String,
    pub(super) key: Secret<String>,
    from: OffsetDateTime,
}

impl Authority {
    /// A self-signed root.
    pub(super) fn root(name: &str, now: UnixTime) -> Result<Authority, DevError> {
        let from = start(now);
        let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384)?;
        let params = authority_params(name, from);
        let certificate = params.self_signed(&key)?.pem();
        Ok(Authority::of(params, key, certificate, from))
    }

    /// An authority under this one that issues end-entity certificates only.
    pub(super) fn intermediate(&self, name: &str) -> Result<Authority, DevError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = authority_params(name, self.from);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Authority::of(params, key, certificate, self.from))
    }

    fn of(params: CertificateParams, key: KeyPair, certificate: String, from: OffsetDateTime) -> Authority {
        let pem = Secret::new(key.serialize_pem());
        Authority { issuer: Issuer::new(params, key), certificate, key: pem, from }
    }

    /// A server certificate for these names.
    pub(super) fn server(&self, names: &[&str]) -> Result<Issued, DevError> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = common_name("localhost");
        self.issue(params, KeyKind::P256, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A client certificate with this Common Name.
    pub(super) fn client(&self, name: &str, kind: KeyKind) -> Result<Issued, DevError> {
        let mut params = CertificateParams::new(vec![name.to_owned()])?;
        params.distinguished_name = common_name(name);
        self.issue(params, kind, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn issue(
        &self,
        mut params: CertificateParams,
        kind: KeyKind,
        purpose: ExtendedKeyUsagePurpose,
    ) -> Result<Issued, DevError> {
        (params.not_before, params.not_after) = (self.from, self.from + VALIDITY);
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![purpose];
        let key = key_pair(kind)?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Issued {
            certificate: certificate.pem(),
            der: certificate.der().to_vec(),
            key: Secret::new(key.serialize_pem()),
        })
    }

    /// A revocation list that revokes nothing yet.
    pub(super) fn revocation_list(&self) -> Result<String, DevError> {
        let params = CertificateRevocationListParams {
            this_update: self.from,
            next_update: self.from + VALIDITY,
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: Vec::new(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(params.signed_by(&self.issuer)?.pem()?)
    }
}

/// A self-signed signing certificate (M2M-8).
pub(super) fn signing(name: &str, kind: KeyKind, now: UnixTime) -> Result<Issued, DevError> {
    if kind == KeyKind::P521 {
        return super::p521::signing(name, start(now), VALIDITY);
    }
    let from = start(now);
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name(name);
    (params.not_before, params.not_after) = (from, from + VALIDITY);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let key = key_pair(kind)?;
    let certificate = params.self_signed(&key)?;
    Ok(Issued {
        certificate: certificate.pem(),
        der: certificate.der().to_vec(),
        key: Secret::new(key.serialize_pem()),
    })
}

fn key_pair(kind: KeyKind) -> Result<KeyPair, DevError> {
    Ok(match kind {
        KeyKind::P256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?,
        KeyKind::P384 => KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384)?,
        KeyKind::Rsa2048 => {
            let pkcs8 = rsa_key::generate(2048).map_err(|_| DevError::Random)?;
            KeyPair::try_from(pkcs8.expose().as_slice())?
        }
        KeyKind::P521 => return Err(DevError::NoP521Certificate),
    })
}

fn authority_params(name: &str, from: OffsetDateTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name(name);
    (params.not_before, params.not_after) = (from, from + VALIDITY);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn common_name(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    subject
}

/// A little in the past: the clocks of a laptop and of its virtual machine may differ.
fn start(now: UnixTime) -> OffsetDateTime {
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    OffsetDateTime::from_unix_timestamp(now).unwrap_or(OffsetDateTime::UNIX_EPOCH) - Duration::hours(1)
}
