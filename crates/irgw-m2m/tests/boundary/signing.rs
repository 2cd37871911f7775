//! Private keys and signing, as a provider uses them.

use std::time::Duration;

use base64::Engine as _;
use irgw_core::Rule;
use irgw_m2m::error::{KeyFault, TimeFault};
use irgw_m2m::{Algorithm, Error, NewToken, SigningKey, sign, verify};

use crate::parties::{ES256, ES384, ES512, NOW, Party, RS256, at, everybody};

fn new_token(party: &Party) -> NewToken<'_> {
    NewToken {
        thumbprint: party.thumbprint(),
        issuer: "Kōwhai Payroll",
        start_logon: None,
        issued_at: at(NOW),
        lifetime: Duration::from_secs(900),
        jti: None,
    }
}

#[test]
fn what_is_signed_verifies_with_every_algorithm() {
    let logon = "TomTom123".parse().unwrap();
    for party in everybody() {
        let token = NewToken { start_logon: Some(&logon), jti: Some("a-1"), ..new_token(party) };
        let text = sign(&token, &party.key()).unwrap();
        let claims = verify(&text, &party.credential, at(NOW)).unwrap();
        assert_eq!((claims.start_logon.as_ref(), claims.jti.as_deref()), (Some(&logon), Some("a-1")));
        assert_eq!((claims.issued_at, claims.expires_at), (at(NOW), at(NOW + 900)));
    }
}

#[test]
fn the_header_is_exactly_the_three_members() {
    let text = sign(&new_token(&ES256), &ES256.key()).unwrap();
    let part = |n: usize| {
        let part = text.split('.').nth(n).unwrap();
        String::from_utf8(base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    assert_eq!(part(0), r#"{"alg":"ES256","typ":"JWT","kid":"M2M"}"#);
    let (sub, exp) = (ES256.thumbprint(), NOW + 900);
    assert_eq!(part(1), format!(r#"{{"sub":"{sub}","iss":"Kōwhai Payroll","iat":{NOW},"exp":{exp}}}"#));
}

#[test]
fn an_issuer_is_only_ever_text() {
    let mut party = Party::new_es256();
    party.credential.issuer = "a\",\"x\":\"\\".into();
    let token = NewToken { issuer: "a\",\"x\":\"\\", ..new_token(&party) };
    assert!(verify(&sign(&token, &party.key()).unwrap(), &party.credential, at(NOW)).is_ok());
}

#[test]
fn a_lifetime_outside_the_profile_is_not_signed() {
    let with = |seconds| {
        sign(&NewToken { lifetime: Duration::from_secs(seconds), ..new_token(&ES256) }, &ES256.key())
            .map(drop)
    };
    assert_eq!(with(28_800), Ok(()));
    assert_eq!(with(28_801), Err(Error::Times(TimeFault::Lifetime)));
    assert_eq!(with(0), Err(Error::Times(TimeFault::Order)));
}

#[test]
fn what_every_reader_refuses_is_not_signed() {
    let new = new_token(&ES256);
    let rule = |token: &NewToken<'_>| sign(token, &ES256.key()).map(drop).map_err(|error| error.rule());
    assert_eq!(rule(&NewToken { issuer: "", ..new }), Err(Rule::M2m5));
    assert_eq!(rule(&NewToken { issuer: &"x".repeat(16 * 1024), ..new }), Err(Rule::M2m2));
    let long = "x".repeat(129);
    for jti in ["", "a\nb", &long] {
        assert_eq!(rule(&NewToken { jti: Some(jti), ..new }), Err(Rule::M2m10), "{jti:?}");
    }
    assert_eq!(rule(&NewToken { jti: Some(&long[1..]), ..new }), Ok(()));
}

#[test]
fn an_algorithm_fits_its_kind_of_key_alone() {
    assert_eq!(RS256.key().with_algorithm(Algorithm::Rs512).map(|key| key.algorithm()), Ok(Algorithm::Rs512));
    let refused = |party: &Party, algorithm| party.key().with_algorithm(algorithm).map(drop);
    assert_eq!(refused(&RS256, Algorithm::Es256), Err(Error::Key(KeyFault::Algorithm)));
    assert_eq!(refused(&ES256, Algorithm::Es384), Err(Error::Key(KeyFault::Algorithm)));
    assert_eq!(refused(&ES512, Algorithm::Rs512), Err(Error::Key(KeyFault::Algorithm)));
}

#[test]
fn a_key_knows_its_certificate() {
    for party in everybody() {
        assert!(party.key().is_key_of(&party.credential.cert), "{}", party.algorithm);
    }
    assert!(!ES256.key().is_key_of(&ES384.credential.cert));
    assert!(!Party::new_es256().key().is_key_of(&ES256.credential.cert));
}

#[test]
fn a_key_cannot_be_printed() {
    assert_eq!(format!("{:?}", ES256.key()), "SigningKey { algorithm: Es256, .. }");
}

#[test]
fn keys_are_read_from_pem_pkcs8() {
    for party in everybody() {
        let key = SigningKey::from_pem(pem("PRIVATE KEY", &party.pkcs8).as_bytes()).unwrap();
        assert_eq!(key.algorithm().key_kind(), party.algorithm.key_kind());
    }
}

#[test]
fn what_is_no_private_key_is_refused() {
    let read = |text: &str| SigningKey::from_pem(text.as_bytes()).map(drop);
    let not_pem = Err(Error::Key(KeyFault::Pem));
    assert_eq!(read(""), not_pem);
    assert_eq!(read("no key"), not_pem);
    assert_eq!(read(&pem("CERTIFICATE", &ES256.der)), not_pem);
    assert_eq!(read(&pem("PUBLIC KEY", &ES256.spki)), not_pem);
    assert_eq!(read(&pem("ENCRYPTED PRIVATE KEY", &ES256.pkcs8)), not_pem);
    let no_key = Err(Error::Key(KeyFault::Kind));
    for label in ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"] {
        assert_eq!(read(&pem(label, &[0x30, 0x00])), no_key, "{label}");
        assert_eq!(read(&pem(label, &ES256.spki)), no_key, "{label}");
    }
    for end in (0..ES256.pkcs8.len()).step_by(7) {
        assert!(read(&pem("PRIVATE KEY", &ES256.pkcs8[..end])).is_err(), "cut at {end}");
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}
