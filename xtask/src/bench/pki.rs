//! The certificates and tokens of a benchmark, made afresh for each run.

use std::time::{Duration, SystemTime, SystemTimeError, UNIX_EPOCH};

use irgw_core::{Thumbprint, UnixTime};
use irgw_m2m::{LIFETIME_LIMIT, NewToken, SigningCert, SigningKey, sign};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, SignatureAlgorithm,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use time::OffsetDateTime;

use crate::Error;

/// The common name of every client certificate (TLS-6); renewed certificates with one name are one provider (TLS-7).
pub(super) const COMMON_NAME: &str = "298f9c17bbbe48958994982c383c409c.irdgws.bench.example";

/// What the signing certificate's tokens name as issuer (M2M-5).
pub(super) const ISSUER: &str = "https://bench.example/";

/// Different client certificates per chain, so that no server sees one alone.
const CLIENTS: usize = 20;

/// All certificates of a run.
pub(super) struct Pki {
    /// The server's certificate and its issuer, PEM, and what a client pins.
    pub(super) server_chain: String,
    pub(super) server_key: String,
    pub(super) server_certificate: CertificateDer<'static>,
    /// The approved roots, PEM.
    pub(super) roots: Vec<String>,
    /// Client certificates whose whole path is P-256, and P-384.
    pub(super) p256: Vec<Client>,
    pub(super) p384: Vec<Client>,
    pub(super) signing: Signing,
}

/// A client's certificate and intermediate, and its key.
pub(super) struct Client {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

/// The signing certificate of the tokens.
pub(super) struct Signing {
    pub(super) certificate: CertificateDer<'static>,
    pub(super) thumbprint: Thumbprint,
    pub(super) public_key: String,
    key: SigningKey,
}

impl Pki {
    /// Makes everything.
    pub(super) fn new() -> Result<Pki, Error> {
        make().map_err(Error::step("make the benchmark's certificates"))
    }
}

fn make() -> Result<Pki, Box<dyn std::error::Error + Send + Sync>> {
    let (server_root, _) = authorities("Bench server", &PKCS_ECDSA_P256_SHA256)?;
    let server_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = leaf("localhost", ExtendedKeyUsagePurpose::ServerAuth)?;
    params.subject_alt_names = CertificateParams::new(vec!["localhost".into()])?.subject_alt_names;
    let server = params.signed_by(&server_key, &server_root)?;

    let (root256, p256) = clients("P-256", &PKCS_ECDSA_P256_SHA256)?;
    let (root384, p384) = clients("P-384", &PKCS_ECDSA_P384_SHA384)?;
    Ok(Pki {
        server_chain: format!("{}{}", server.pem(), server_root.pem()),
        server_key: server_key.serialize_pem(),
        server_certificate: server.der().clone(),
        roots: vec![root256, root384],
        p256,
        p384,
        signing: signing()?,
    })
}

/// A root and an intermediate below it.
fn authorities(
    name: &str,
    algorithm: &'static SignatureAlgorithm,
) -> Result<(CertifiedIssuer<'static, KeyPair>, CertifiedIssuer<'static, KeyPair>), rcgen::Error> {
    let authority = |role: &str, below| -> Result<CertificateParams, rcgen::Error> {
        let mut params = named(&format!("{name} {role}"))?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.not_after = OffsetDateTime::now_utc() + time::Duration::days(365);
        Ok(params)
    };
    let root = CertifiedIssuer::self_signed(authority("root", 1)?, KeyPair::generate_for(algorithm)?)?;
    let mut params = authority("intermediate", 0)?;
    params.use_authority_key_identifier_extension = true;
    let intermediate = CertifiedIssuer::signed_by(params, KeyPair::generate_for(algorithm)?, &root)?;
    Ok((root, intermediate))
}

/// A root, PEM, and client certificates two steps below it.
fn clients(
    name: &str,
    algorithm: &'static SignatureAlgorithm,
) -> Result<(String, Vec<Client>), rcgen::Error> {
    let (root, intermediate) = authorities(&format!("Bench {name}"), algorithm)?;
    let client = |_| {
        let key = KeyPair::generate_for(algorithm)?;
        let certificate =
            leaf(COMMON_NAME, ExtendedKeyUsagePurpose::ClientAuth)?.signed_by(&key, &intermediate)?;
        let chain = vec![certificate.der().clone(), intermediate.der().clone()];
        Ok(Client { chain, key: PrivatePkcs8KeyDer::from(key.serialize_der()).into() })
    };
    let clients = (0..CLIENTS).map(client).collect::<Result<_, rcgen::Error>>()?;
    Ok((root.pem(), clients))
}

fn signing() -> Result<Signing, Box<dyn std::error::Error + Send + Sync>> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let certificate = signing_params()?.self_signed(&key)?.der().clone();
    let thumbprint = SigningCert::enrol(&certificate, now()?)?.thumbprint();
    let public_key = key.public_key_pem();
    Ok(Signing {
        certificate,
        thumbprint,
        public_key,
        key: SigningKey::from_pem(key.serialize_pem().as_bytes())?,
    })
}

/// A self-signed signing certificate (M2M-8).
pub(super) fn signing_params() -> Result<CertificateParams, rcgen::Error> {
    leaf("Bench signing", ExtendedKeyUsagePurpose::ClientAuth)
}

fn leaf(common_name: &str, purpose: ExtendedKeyUsagePurpose) -> Result<CertificateParams, rcgen::Error> {
    let mut params = named(common_name)?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![purpose];
    Ok(params)
}

fn named(common_name: &str) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(vec![])?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = OffsetDateTime::now_utc() - time::Duration::days(1);
    params.not_after = OffsetDateTime::now_utc() + time::Duration::days(90);
    Ok(params)
}

impl Signing {
    /// As many different ES256 tokens, each issued at another second of the time before now and good for 8 hours.
    pub(super) fn tokens(&self, count: u32) -> Result<Vec<String>, Error> {
        let now = now().map_err(Error::step("read the clock"))?.as_secs();
        let token = |age: u32| {
            let issued_at = now.saturating_sub(age.into());
            let token = NewToken {
                thumbprint: self.thumbprint,
                issuer: ISSUER,
                start_logon: None,
                issued_at: UnixTime::since_unix_epoch(Duration::from_secs(issued_at)),
                lifetime: LIFETIME_LIMIT,
                jti: None,
            };
            sign(&token, &self.key).map_err(Error::step("sign a token"))
        };
        (0..count).map(token).collect()
    }
}

/// The time that the servers will see.
pub(super) fn now() -> Result<UnixTime, SystemTimeError> {
    Ok(UnixTime::since_unix_epoch(SystemTime::now().duration_since(UNIX_EPOCH)?))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn tokens_differ() {
        let pki = Pki::new().unwrap();
        let tokens: BTreeSet<_> = pki.signing.tokens(1000).unwrap().into_iter().collect();
        assert_eq!(tokens.len(), 1000);
    }

    #[test]
    fn client_certificates_differ_in_all_but_their_name() {
        let pki = Pki::new().unwrap();
        let certificates: BTreeSet<&[u8]> =
            pki.p256.iter().filter_map(|client| client.chain.first()).map(AsRef::as_ref).collect();
        assert_eq!(certificates.len(), CLIENTS);
    }
}
