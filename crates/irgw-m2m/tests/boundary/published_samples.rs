//! The samples that the tax authority publishes: its M2M token with its certificate, and its build pack's token.

use std::path::PathBuf;
use std::sync::Arc;

use irgw_core::{Missing, Rule};
use irgw_m2m::error::{CertificateFault, SubjectFault};
use irgw_m2m::inspect::{Case, Colons, Form, Names, Outcome};
use irgw_m2m::{Against, Checks, Credential, Error, LegacySha1, M2m, Options, SigningCert, inspect, verify};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::der::Template;
use crate::parties::{Enrolled, at};

/// 2020-11-09T03:00:00Z: inside `iat` and `exp` of the sample.
const THEN: u64 = 1_604_890_800;

fn sample(name: &str) -> Option<Vec<u8>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/ir/tokens").join(name);
    match std::fs::read(&path) {
        Ok(bytes) => Some(bytes),
        Err(_) => {
            crate::skipped(&format!("no published sample at {}", path.display()));
            None
        }
    }
}

fn token(name: &str) -> Option<String> {
    sample(name).map(|bytes| String::from_utf8(bytes).unwrap().trim_end().to_owned())
}

fn certificate() -> Option<CertificateDer<'static>> {
    sample("m2m-sample.crt").map(|pem| CertificateDer::from_pem_slice(&pem).unwrap())
}

fn credential(der: &[u8]) -> Credential {
    Credential {
        cert: SigningCert::enrol(der, at(THEN)).unwrap(),
        issuer: "Digital Service Provider".into(),
        owner: "dsp".parse().unwrap(),
        revision: 1,
        legacy_sha1: LegacySha1::Refused,
    }
}

#[test]
fn the_sample_is_accepted_at_its_time_and_refused_later() {
    let (Some(token), Some(der)) = (token("m2m-sample.jwt"), certificate()) else { return };
    let credential = credential(&der);
    let claims = verify(&token, &credential, at(THEN)).unwrap();
    assert_eq!((claims.start_logon, claims.expires_at), (None, at(1_604_891_235)));
    assert_eq!(verify(&token, &credential, at(1_604_891_235 + 59)).map(drop), Ok(()));
    assert_eq!(verify(&token, &credential, at(1_604_891_235 + 60)).unwrap_err().rule(), Rule::M2m6);
    // Five years on, its certificate, good for thirty days, cannot even be enrolled.
    let expired = Error::Certificate(CertificateFault::Expired);
    assert_eq!(verify(&token, &credential, at(1_767_225_600)), Err(expired));
    assert_eq!(SigningCert::enrol(&der, at(1_767_225_600)), Err(expired));
}

#[test]
fn the_samples_sub_is_the_thumbprint_in_upper_case() {
    let (Some(token), Some(der)) = (token("m2m-sample.jwt"), certificate()) else { return };
    let against =
        Against { certificate: Some(&der), issuer: Some("Digital Service Provider"), ..Against::default() };
    let inspection = inspect(&token, &against, at(THEN));
    assert!(inspection.findings.iter().all(|finding| finding.outcome == Outcome::Met), "{inspection:#?}");
    let subject = inspection.subject.unwrap();
    assert_eq!(
        (subject.form, subject.case, subject.colons, subject.names),
        (Form::Sha256, Case::Upper, Colons::Absent, Names::GivenCertificate)
    );
}

#[test]
fn the_build_packs_token_names_no_thumbprint() {
    let (Some(token), Some(pem)) = (token("build-pack-appendix-c.jwt"), sample("build-pack-appendix-c.pub"))
    else {
        return;
    };
    let now = at(1_560_894_733);
    let spki = rustls_pki_types::SubjectPublicKeyInfoDer::from_pem_slice(&pem).unwrap();
    let der =
        Template { not_before: "190101000000Z", not_after: "200101000000Z", ..Template::new(&spki) }.der();
    let credential = Credential {
        cert: SigningCert::enrol(&der, now).unwrap(),
        issuer: "www.wigetcompany.com".into(),
        owner: "wiget".parse().unwrap(),
        revision: 1,
        legacy_sha1: LegacySha1::Accepted,
    };
    let refused = Error::Subject(SubjectFault::Form);
    assert_eq!((verify(&token, &credential, now), refused.rule()), (Err(refused), Rule::M2m3));
    // Everything else about it is in order, its signature too.
    let key = ring::signature::UnparsedPublicKey::new(
        &ring::signature::RSA_PKCS1_2048_8192_SHA256,
        credential.cert.row().public_key,
    );
    let (input, signature) = token.rsplit_once('.').unwrap();
    let signature =
        base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, signature).unwrap();
    assert!(key.verify(input.as_bytes(), &signature).is_ok());
    let enrolled = Arc::new(Enrolled::default());
    let mock = Options { checks: Checks::StructureAndTimes, ..Options::default() };
    assert!(
        M2m::new(enrolled.clone(), mock).judge(&token, now).is_ok(),
        "the mock environment takes it (ENV-4)"
    );
    assert_eq!(M2m::new(enrolled, Options::default()).judge(&token, now).unwrap_err(), refused);
}

#[test]
fn an_access_token_is_no_m2m_token_b18() {
    let Some(token) = token("access-token-sample.jwt") else { return };
    let m2m = M2m::new(Arc::new(Enrolled::default()), Options::default());
    assert_eq!(m2m.judge(&token, at(1_656_468_000)).unwrap_err().rule(), Rule::M2m2);
    assert!(!irgw_m2m::is_well_formed(&token));
}

#[test]
fn the_sample_is_refused_where_it_is_not_enrolled() {
    let Some(token) = token("m2m-sample.jwt") else { return };
    let m2m = M2m::new(Arc::new(Enrolled::default()), Options::default());
    assert_eq!(m2m.judge(&token, at(THEN)).unwrap_err(), Error::Credential(Missing::Unknown));
}
