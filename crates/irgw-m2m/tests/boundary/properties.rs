//! What holds for every input: nothing panics, and nothing but the signed text is accepted.

use std::sync::LazyLock;

use irgw_m2m::identity::{Jwks, verify as verify_identity};
use irgw_m2m::{Against, M2m, Options, SigningCert, SigningKey, inspect, is_well_formed, verify};
use proptest::prelude::*;

use crate::parties::{ES256, ES384, Enrolled, NOW, Party, at, b64, everybody};

static M2M: LazyLock<M2m> = LazyLock::new(|| M2m::new(Enrolled::of([&*ES256, &ES384]), Options::default()));

/// A good token of each algorithm; signed once, because P-521 is slow.
static GOOD: LazyLock<[String; 6]> = LazyLock::new(|| everybody().map(Party::token));

/// Everything that reads a token reads this one.
fn read(token: &str) {
    let _ = is_well_formed(token);
    let _ = M2M.judge(token, at(NOW));
    let _ = verify_identity(token, &Jwks::default(), "account", at(NOW));
    let against =
        Against { certificate: Some(&ES256.der), issuer: Some("Kōwhai Payroll"), ..Against::default() };
    let inspection = inspect(token, &against, at(NOW));
    assert_eq!(inspection.findings.len(), 9);
    assert!(inspection.findings.iter().all(|finding| !finding.explanation.chars().any(char::is_control)));
}

/// JSON that is nearly a payload or a header.
fn jsonish() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "alg",
        "typ",
        "kid",
        "crit",
        "sub",
        "iss",
        "iat",
        "exp",
        "nbf",
        "jti",
        "startLogon",
        "aud",
        "x",
        "\\u0073ub",
    ]);
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("\"ES256\"".to_owned()),
        Just("\"JWT\"".to_owned()),
        Just("\"M2M\"".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| number.to_string()),
        "\"\\PC{0,8}\"",
    ];
    let value = leaf.prop_recursive(9, 40, 4, |inner| {
        prop::collection::vec(inner, 0..4).prop_map(|values| format!("[{}]", values.join(",")))
    });
    prop::collection::vec((name, value), 0..9).prop_map(|members| {
        let members: Vec<String> =
            members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_without_a_panic(token in "\\PC{0,80}") {
        read(&token);
    }

    #[test]
    fn any_three_parts_are_read_without_a_panic(
        header in prop::collection::vec(any::<u8>(), 1..60),
        payload in prop::collection::vec(any::<u8>(), 1..60),
        signature in prop::collection::vec(any::<u8>(), 1..140),
    ) {
        read(&format!("{}.{}.{}", b64(&header), b64(&payload), b64(&signature)));
    }

    #[test]
    fn anything_like_json_is_read_without_a_panic(header in jsonish(), payload in jsonish()) {
        read(&format!("{}.{}.AAAA", b64(header.as_bytes()), b64(payload.as_bytes())));
        read(&ES256.jws(&ES256.header(), &payload));
    }

    #[test]
    fn any_change_to_a_good_token_is_refused(
        party in 0..6_usize,
        change in 0..4_u8,
        position in any::<prop::sample::Index>(),
        byte in prop::sample::select(b"ABCXYZabcxyz0189-_.=+/ \n".to_vec()),
    ) {
        let (party, good) = (everybody()[party], &GOOD[party]);
        let mut bytes = good.clone().into_bytes();
        let at_byte = position.index(bytes.len());
        match change {
            0 => bytes[at_byte] = byte,
            1 => bytes.insert(at_byte, byte),
            2 => drop(bytes.remove(at_byte)),
            _ => bytes.truncate(at_byte),
        }
        let changed = String::from_utf8(bytes).unwrap();
        prop_assume!(changed != *good);
        prop_assert!(verify(&changed, &party.credential, at(NOW)).is_err());
    }

    #[test]
    fn two_good_tokens_cannot_be_spliced(payload in jsonish(), header in jsonish()) {
        let other = ES256.jws(&header, &payload);
        let good = ES256.token();
        let (g, o): (Vec<&str>, Vec<&str>) = (good.split('.').collect(), other.split('.').collect());
        for parts in [[o[0], g[1], g[2]], [g[0], o[1], g[2]], [g[0], g[1], o[2]]] {
            let spliced = parts.join(".");
            prop_assume!(spliced != good);
            prop_assert!(verify(&spliced, &ES256.credential, at(NOW)).is_err());
        }
    }

    #[test]
    fn any_bytes_are_no_certificate_and_no_key(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        position in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        prop_assert!(SigningCert::enrol(&bytes, at(NOW)).is_err());
        prop_assert!(SigningKey::from_pem(&bytes).is_err());
        // A changed certificate may still be one, under another thumbprint: it must only not panic.
        let mut der = ES256.der.clone();
        let at_byte = position.index(der.len());
        der[at_byte] = byte;
        if let Ok(cert) = SigningCert::enrol(&der, at(NOW)) {
            prop_assert_eq!(cert.thumbprint() == ES256.thumbprint(), der == ES256.der);
        }
    }
}
