//! The identity that the gateway passes on: GW-3.

use std::time::Duration;

use irgw_core::{Environment, Rule, Scheme};
use irgw_m2m::error::IdentityFault;
use irgw_m2m::identity::{Identity, IdentityKey, Jwks, PublicJwk, sign, verify};
use irgw_m2m::{Error, KeyKind, SigningCertRow};

use crate::parties::{ES256, NOW, Party, at, b64};

fn identity() -> Identity {
    Identity {
        provider: "kowhai-payroll".parse().ok(),
        common_name: Some("298f9c17bbbe48958994982c383c409c.irdgws.test.kowhai.example".to_owned()),
        owner: "kowhai".parse().ok(),
        logon: "TomTom123".parse().ok(),
        client: "client".parse().ok(),
        thumbprint: Some(ES256.thumbprint()),
        token: Some("jti".to_owned()),
        ..Identity::new(
            "https://gateway.example",
            "account",
            Environment::Test,
            Scheme::M2m,
            at(NOW),
            Duration::from_secs(60),
        )
    }
}

fn key() -> (IdentityKey, Jwks) {
    let (key, _) = IdentityKey::generate().unwrap();
    let jwks = Jwks::of([key.public()]);
    (key, jwks)
}

fn fault(result: Result<Identity, Error>) -> IdentityFault {
    match result {
        Err(error @ Error::Identity(fault)) => {
            assert_eq!(error.rule(), Rule::Gw3);
            fault
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_the_gateway_says_arrives() {
    let (key, jwks) = key();
    let full = identity();
    let bare = Identity::new(
        "gateway",
        "account",
        Environment::Prod,
        Scheme::ClientCert,
        at(NOW),
        Duration::from_secs(60),
    );
    for identity in [full, bare] {
        let token = sign(&identity, &key).unwrap();
        assert_eq!(verify(&token, &jwks, "account", at(NOW)), Ok(identity));
    }
}

#[test]
fn it_is_for_one_service_and_one_minute() {
    let (key, jwks) = key();
    let token = sign(&identity(), &key).unwrap();
    assert_eq!(fault(verify(&token, &jwks, "income", at(NOW))), IdentityFault::Audience);
    assert!(verify(&token, &jwks, "account", at(NOW - 60)).is_ok());
    assert_eq!(fault(verify(&token, &jwks, "account", at(NOW - 61))), IdentityFault::Times);
    assert!(verify(&token, &jwks, "account", at(NOW + 119)).is_ok());
    assert_eq!(fault(verify(&token, &jwks, "account", at(NOW + 120))), IdentityFault::Times);
}

#[test]
fn only_the_gateways_key_signs_it() {
    let (key, jwks) = key();
    let (stranger, strangers) = self::key();
    let token = sign(&identity(), &key).unwrap();
    assert_eq!(fault(verify(&token, &strangers, "account", at(NOW))), IdentityFault::UnknownKey);
    let forged = sign(&identity(), &stranger).unwrap();
    let claimed_id = forged.replacen(&b64_header(&stranger), &b64_header(&key), 1);
    assert_eq!(fault(verify(&claimed_id, &jwks, "account", at(NOW))), IdentityFault::Signature);
    for at_byte in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        bytes[at_byte] = if bytes[at_byte] == b'A' { b'B' } else { b'A' };
        assert!(
            verify(std::str::from_utf8(&bytes).unwrap(), &jwks, "account", at(NOW)).is_err(),
            "byte {at_byte}"
        );
    }
    // While the gateway changes its key, both are known.
    let both = Jwks::of([key.public(), stranger.public()]);
    assert!(
        verify(&token, &both, "account", at(NOW)).is_ok()
            && verify(&forged, &both, "account", at(NOW)).is_ok()
    );
}

fn b64_header(key: &IdentityKey) -> String {
    b64(format!(r#"{{"alg":"ES256","typ":"irgw-identity+jwt","kid":"{}"}}"#, key.public().id()).as_bytes())
}

#[test]
fn no_other_kind_of_token_is_taken_for_it_b18() {
    let party = Party::new_es256();
    let jwks = jwks_of(&party);
    let id = jwks.keys()[0].id().to_owned();
    let payload = format!(
        r#"{{"iss":"g","aud":"account","iat":{NOW},"exp":{},"environment":"test","mechanism":"m2m"}}"#,
        NOW + 60
    );
    let with = |header: &str, payload: &str| verify(&party.jws(header, payload), &jwks, "account", at(NOW));
    let good = format!(r#"{{"alg":"ES256","typ":"irgw-identity+jwt","kid":"{id}"}}"#);
    assert!(with(&good, &payload).is_ok());
    for typ in ["JWT", "at+jwt", "irgw-identity+JWT"] {
        let header = format!(r#"{{"alg":"ES256","typ":"{typ}","kid":"{id}"}}"#);
        assert_eq!(fault(with(&header, &payload)), IdentityFault::Form, "{typ}");
    }
    let header = format!(r#"{{"alg":"RS256","typ":"irgw-identity+jwt","kid":"{id}"}}"#);
    assert_eq!(fault(with(&header, &payload)), IdentityFault::Algorithm);
    let header = format!(r#"{{"alg":"ES256","typ":"irgw-identity+jwt","kid":"{id}","crit":["x"]}}"#);
    assert_eq!(fault(with(&header, &payload)), IdentityFault::Form);
    assert_eq!(
        fault(with(r#"{"alg":"ES256","typ":"irgw-identity+jwt"}"#, &payload)),
        IdentityFault::UnknownKey
    );
    for (from, to, expected) in [
        ("\"m2m\"", "\"magic\"", IdentityFault::Claims),
        ("\"test\"", "\"nowhere\"", IdentityFault::Claims),
        ("\"account\"", "[\"account\"]", IdentityFault::Audience),
        ("\"exp\"", "\"x\"", IdentityFault::Claims),
        ("\"iss\"", "\"iss\":\"g\",\"iss\"", IdentityFault::Form),
    ] {
        assert_eq!(fault(with(&good, &payload.replace(from, to))), expected, "{from} {to}");
    }
}

/// A party's key as if it were the gateway's.
fn jwks_of(party: &Party) -> Jwks {
    let SigningCertRow { public_key, key_kind, .. } = party.credential.cert.row();
    assert_eq!(key_kind, KeyKind::P256);
    let (x, y) = (b64(&public_key[1..33]), b64(&public_key[33..]));
    Jwks::from_json(&format!(r#"{{"keys":[{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}]}}"#)).unwrap()
}

#[test]
fn keys_travel_as_jwks_and_as_pem() {
    let (key, jwks) = key();
    assert_eq!(Jwks::from_json(&jwks.to_json()).as_ref(), Ok(&jwks));
    assert_eq!(PublicJwk::from_pem(key.public().to_pem().as_bytes()).as_ref(), Ok(key.public()));
    let (again, pem) = IdentityKey::generate().unwrap();
    assert_eq!(IdentityKey::from_pem(pem.expose().as_bytes()).unwrap().public(), again.public());
    assert!(!format!("{again:?}").contains(&pem.expose()[40..60]));
}

#[test]
fn key_id_is_the_rfc7638_thumbprint() {
    // The point of RFC 7517 appendix A.1; its thumbprint was computed without this crate.
    let jwks = Jwks::from_json(
        r#"{"keys":[{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
            "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"enc","kid":"1"},
           {"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
            "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","kid":"1"}]}"#,
    )
    .unwrap();
    let ids: Vec<&str> = jwks.keys().iter().map(PublicJwk::id).collect();
    assert_eq!(ids, ["cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s"], "the one for encryption is skipped");
}

#[test]
fn keys_that_are_none_are_refused() {
    for json in [
        "",
        "{}",
        "[]",
        r#"{"keys":[]}"#,
        r#"{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}"#,
        r#"{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}"#,
        r#"{"keys":[{"kty":"oct","k":"AA"}]}"#,
    ] {
        assert_eq!(Jwks::from_json(json).map(drop), Err(Error::Identity(IdentityFault::Keys)), "{json}");
    }
    assert!(PublicJwk::from_pem(b"").is_err());
}
