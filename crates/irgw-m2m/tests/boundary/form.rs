//! The form of a token: M2M-2, attacks B01 to B10, B16 to B18.

use irgw_core::{Rule, TokenFault};
use irgw_m2m::error::{JsonFault, MemberFault, Part};
use irgw_m2m::{Algorithm, Error, TOKEN_LIMIT_BYTES, is_well_formed, verify};

use crate::parties::{ES256, ES384, ES512, NOW, Party, RS256, at, b64, everybody};

fn refusal(party: &Party, token: &str) -> Error {
    verify(token, &party.credential, at(NOW)).expect_err(token)
}

fn with_header(header: &str) -> Error {
    refusal(&ES256, &ES256.jws(header, &ES256.payload()))
}

#[test]
fn every_algorithm_verifies() {
    for party in everybody() {
        let claims = verify(&party.token(), &party.credential, at(NOW)).unwrap();
        assert_eq!(claims.issuer.as_ref(), "Kōwhai Payroll", "{}", party.algorithm);
    }
}

#[test]
fn unsigned_and_unknown_algorithms_are_refused_b01_b03() {
    let names = [
        "none", "None", "NONE", "nOnE", "HS256", "HS384", "HS512", "PS256", "PS512", "EdDSA", "RS1",
        "ES256K", "es256", "", " ES256",
    ];
    for alg in names {
        let error = with_header(&format!(r#"{{"alg":"{alg}","typ":"JWT","kid":"M2M"}}"#));
        assert_eq!(
            (error, error.rule(), error.fault()),
            (Error::UnknownAlgorithm, Rule::M2m2, TokenFault::Algorithm)
        );
    }
    assert_eq!(with_header(r#"{"typ":"JWT","kid":"M2M"}"#), Error::Header("alg", MemberFault::Missing));
    assert_eq!(
        with_header(r#"{"alg":null,"typ":"JWT","kid":"M2M"}"#),
        Error::Header("alg", MemberFault::Type)
    );
    let good = ES256.token();
    let (input, _) = good.rsplit_once('.').unwrap();
    assert_eq!(refusal(&ES256, &format!("{input}.")), Error::Parts);
    let none =
        format!("{}.{}.", b64(br#"{"alg":"none","typ":"JWT","kid":"M2M"}"#), b64(ES256.payload().as_bytes()));
    assert_eq!(refusal(&ES256, &none), Error::Parts);
}

#[test]
fn the_certificate_is_never_an_hmac_secret_b02() {
    use ring::hmac;
    let header = r#"{"alg":"HS256","typ":"JWT","kid":"M2M"}"#;
    for secret in [RS256.der.as_slice(), RS256.spki.as_slice(), b""] {
        let input = format!("{}.{}", b64(header.as_bytes()), b64(RS256.payload().as_bytes()));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), input.as_bytes());
        assert_eq!(refusal(&RS256, &format!("{input}.{}", b64(tag.as_ref()))), Error::UnknownAlgorithm);
        // The same signature under an algorithm that is known.
        let input = format!("{}.{}", b64(RS256.header().as_bytes()), b64(RS256.payload().as_bytes()));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), input.as_bytes());
        assert_eq!(refusal(&RS256, &format!("{input}.{}", b64(tag.as_ref()))), Error::Signature);
    }
}

#[test]
fn algorithm_must_fit_the_enrolled_key_b03() {
    for party in everybody() {
        for alg in Algorithm::ALL {
            let token = party.jws(&format!(r#"{{"alg":"{alg}","typ":"JWT","kid":"M2M"}}"#), &party.payload());
            let result = verify(&token, &party.credential, at(NOW)).map(drop);
            let expected = if *alg == party.algorithm {
                Ok(())
            } else if alg.key_kind() == party.algorithm.key_kind() {
                Err(Error::Signature)
            } else {
                Err(Error::AlgorithmMismatch { alg: *alg, key: party.algorithm.key_kind() })
            };
            assert_eq!(result, expected, "{alg} with the key of {}", party.algorithm);
        }
    }
    let error = Error::AlgorithmMismatch { alg: Algorithm::Rs256, key: irgw_m2m::KeyKind::P256 };
    assert_eq!((error.rule(), error.fault()), (Rule::M2m4, TokenFault::Algorithm));
}

#[test]
fn key_material_and_processing_rules_in_the_header_are_refused_b04_b05() {
    let jwk = format!(r#"{{"kty":"EC","crv":"P-256","x":"{}","y":"{}"}}"#, "A".repeat(43), "A".repeat(43));
    for (name, value) in [
        ("jwk", jwk.as_str()),
        ("jku", r#""https://attacker.example/jwks""#),
        ("x5c", r#"["MIIB"]"#),
        ("x5u", r#""https://attacker.example/cert""#),
        ("x5t", r#""AAAA""#),
        ("x5t#S256", r#""AAAA""#),
        ("crit", r#"["exp"]"#),
        ("crit", "[]"),
        ("crit", r#"["b64"],"b64":false"#),
        ("b64", "false"),
        ("b64", "true"),
        ("zip", r#""DEF""#),
        ("enc", r#""A256GCM""#),
        ("cty", r#""JWT""#),
    ] {
        let error = with_header(&format!(r#"{{"alg":"ES256","typ":"JWT","kid":"M2M","{name}":{value}}}"#));
        assert!(matches!(error, Error::Header(_, MemberFault::Forbidden)), "{name}: {error}");
        assert_eq!((error.rule(), error.fault()), (Rule::M2m2, TokenFault::Malformed));
    }
    // Escaped, it is the same name.
    let escaped = with_header(r#"{"alg":"ES256","typ":"JWT","kid":"M2M","\u0063rit":["exp"]}"#);
    assert_eq!(escaped, Error::Header("crit", MemberFault::Forbidden));
}

#[test]
fn unregistered_header_parameters_are_ignored() {
    let token =
        ES256.jws(r#"{"alg":"ES256","x-vendor":{"a":[1]},"typ":"JWT","kid":"M2M"}"#, &ES256.payload());
    assert!(verify(&token, &ES256.credential, at(NOW)).is_ok());
}

#[test]
fn white_space_inside_the_json_is_insignificant() {
    let header = "{\r\n\t\"alg\": \"ES256\", \r\n\t\"typ\": \"JWT\", \r\n\t\"kid\": \"M2M\"\r\n}";
    let payload = ES256.payload().replace(',', ",\r\n  ");
    assert!(verify(&ES256.jws(header, &payload), &ES256.credential, at(NOW)).is_ok());
}

#[test]
fn curve_signatures_have_one_length_and_no_zeros_b06() {
    for party in [&ES256, &ES384, &ES512] {
        let good = party.token();
        let (input, _) = good.rsplit_once('.').unwrap();
        let signature = party.sign(input.as_bytes());
        let width = signature.len() / 2;
        let refused = |signature: &[u8]| {
            let error = refusal(party, &format!("{input}.{}", b64(signature)));
            assert_eq!(
                (error, error.rule(), error.fault()),
                (Error::Signature, Rule::M2m3, TokenFault::Signature)
            );
        };
        refused(&vec![0; 2 * width]);
        let (r, s) = signature.split_at(width);
        refused(&[r, &vec![0; width]].concat());
        refused(&[&vec![0; width], s].concat());
        refused(&[&vec![0xff; width], s].concat());
        refused(&signature[1..]);
        refused(&signature[..2 * width - 1]);
        refused(&[&signature[..], &[0]].concat());
        refused(&[&[0], &signature[..]].concat());
        refused(&as_der(r, s));
    }
}

#[test]
fn a_high_s_is_as_good_as_a_low_one_b06() {
    // The order of P-256 (SEC 2 §2.4.2). RFC 7518 does not ask for the lower of S and n - S, and nothing here takes a signature
    // for a token's name: single use goes by `jti`.
    let order = hex_literal("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
    let good = ES256.token();
    let (input, _) = good.rsplit_once('.').unwrap();
    let signature = ES256.sign(input.as_bytes());
    let (r, s) = signature.split_at(32);
    let mut other = [0; 32];
    let mut borrow = 0;
    for digit in (0..32).rev() {
        let difference = i16::from(order[digit]) - i16::from(s[digit]) - borrow;
        borrow = i16::from(difference < 0);
        other[digit] = difference.rem_euclid(256) as u8;
    }
    let token = |s: &[u8]| format!("{input}.{}", b64(&[r, s].concat()));
    assert!(verify(&token(s), &ES256.credential, at(NOW)).is_ok());
    assert!(verify(&token(&other), &ES256.credential, at(NOW)).is_ok());
}

fn hex_literal(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// SEQUENCE { INTEGER r, INTEGER s } for lengths below 128, which is all that P-256 and P-384 need; longer for P-521.
fn as_der(r: &[u8], s: &[u8]) -> Vec<u8> {
    let integer = |bytes: &[u8]| {
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        let mut content = bytes[zeros..].to_vec();
        if content[0] & 0x80 != 0 {
            content.insert(0, 0);
        }
        [&[2, content.len() as u8], &content[..]].concat()
    };
    let content = [integer(r), integer(s)].concat();
    let length =
        if content.len() < 128 { vec![content.len() as u8] } else { vec![0x81, content.len() as u8] };
    [vec![0x30], length, content].concat()
}

#[test]
fn json_has_one_reading_b08() {
    let good = ES256.payload();
    let open = &good[..good.len() - 1];
    let sub = ES256.thumbprint();
    let cases = [
        (format!(r#"{open},"sub":"{sub}"}}"#), JsonFault::Duplicate),
        (format!(r#"{open},"\u0073ub":"{sub}"}}"#), JsonFault::Duplicate),
        (format!(r#"{open},"x":{{"a":1,"a":1}}}}"#), JsonFault::Duplicate),
        (format!("{open},}}"), JsonFault::NotAnObject),
        (format!("\u{feff}{good}"), JsonFault::NotAnObject),
        (format!(r#"{open},"x":NaN}}"#), JsonFault::NotAnObject),
        (format!("{good}{good}"), JsonFault::NotAnObject),
        (format!("{good}\0"), JsonFault::NotAnObject),
        (format!("[{good}]"), JsonFault::NotAnObject),
        ("\"text\"".to_owned(), JsonFault::NotAnObject),
        (format!(r#"{open},"x":{}1{}}}"#, "[".repeat(3000), "]".repeat(3000)), JsonFault::Depth),
        (format!(r#"{open},"x":[{}1]}}"#, "1,".repeat(3000)), JsonFault::Size),
    ];
    for (payload, fault) in cases {
        assert_eq!(
            refusal(&ES256, &ES256.saying(&payload)),
            Error::Json(Part::Payload, fault),
            "{payload:.120}"
        );
    }
    let twice = with_header(r#"{"alg":"none","alg":"ES256","typ":"JWT","kid":"M2M"}"#);
    assert_eq!((twice, twice.rule()), (Error::Json(Part::Header, JsonFault::Duplicate), Rule::M2m2));
}

#[test]
fn a_token_has_one_spelling_b09() {
    let good = ES256.token();
    let (input, signature) = good.rsplit_once('.').unwrap();
    let (header, payload) = input.split_once('.').unwrap();
    // 64 bytes are 86 characters, of which the last carries two bits.
    let last = signature.chars().last().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for other in alphabet.chars().filter(|other| *other != last) {
        let changed = format!("{input}.{}{other}", &signature[..signature.len() - 1]);
        assert!(
            matches!(refusal(&ES256, &changed), Error::Base64url(Part::Signature) | Error::Signature),
            "{other}"
        );
    }
    for changed in [
        format!("{good}="),
        format!("{good}=="),
        format!("{good}\n"),
        format!("{good} "),
        format!(" {good}"),
        format!("{header}=.{payload}.{signature}"),
        format!("{header}\r\n.{payload}.{signature}"),
        format!("{header}.{payload}.+{}", &signature[1..]),
    ] {
        assert!(matches!(refusal(&ES256, &changed), Error::Base64url(_)), "{changed}");
    }
    for changed in [
        format!("{good}."),
        format!(".{good}"),
        format!("{good}.e30.e30"),
        input.to_owned(),
        format!("{header}..{signature}"),
        format!(r#"{{"payload":"{payload}","protected":"{header}","signature":"{signature}"}}"#),
    ] {
        assert_eq!(refusal(&ES256, &changed), Error::Parts, "{changed}");
    }
}

#[test]
fn an_oversized_token_is_refused_unread_b10() {
    let big =
        format!(r#"{},"x":"{}"}}"#, ES256.payload().trim_end_matches('}'), "x".repeat(TOKEN_LIMIT_BYTES));
    assert_eq!(refusal(&ES256, &ES256.saying(&big)), Error::TooLong);
    assert_eq!(refusal(&ES256, &"a.b.c".repeat(2_000_000)), Error::TooLong);
    // Under the limit it is read, and a big header member changes nothing.
    let large = format!(r#"{{"alg":"ES256","typ":"JWT","kid":"M2M","x":"{}"}}"#, "x".repeat(8_000));
    assert!(verify(&ES256.jws(&large, &ES256.payload()), &ES256.credential, at(NOW)).is_ok());
}

#[test]
fn kid_is_a_fixed_word_b16() {
    let wrong = ["m2m", "M2M ", "", "../../etc/passwd", "' or 1=1 --", &"M".repeat(8_000)];
    for kid in wrong {
        let error = with_header(&format!(r#"{{"alg":"ES256","typ":"JWT","kid":"{kid}"}}"#));
        assert_eq!(error, Error::Header("kid", MemberFault::Value), "{kid:.20}");
    }
    assert_eq!(with_header(r#"{"alg":"ES256","typ":"JWT"}"#), Error::Header("kid", MemberFault::Missing));
    assert_eq!(
        with_header(r#"{"alg":"ES256","typ":"JWT","kid":7}"#),
        Error::Header("kid", MemberFault::Type)
    );
}

#[test]
fn typ_tells_kinds_of_token_apart_b17_b18() {
    for typ in ["at+jwt", "at-JWT", "jwt", "JWS", "application/jwt", "irgw-identity+jwt", ""] {
        let error = with_header(&format!(r#"{{"alg":"ES256","typ":"{typ}","kid":"M2M"}}"#));
        assert_eq!(error, Error::Header("typ", MemberFault::Value), "{typ}");
    }
    assert_eq!(with_header(r#"{"alg":"ES256","kid":"M2M"}"#), Error::Header("typ", MemberFault::Missing));
    assert_eq!(
        with_header(r#"{"alg":"ES256","typ":["JWT"],"kid":"M2M"}"#),
        Error::Header("typ", MemberFault::Type)
    );
}

#[test]
fn well_formed_is_a_question_of_form_alone() {
    let good = ES256.token();
    assert!(is_well_formed(&good));
    let (input, _) = good.rsplit_once('.').unwrap();
    assert!(is_well_formed(&format!("{input}.AAAA")), "the signature is not looked at");
    assert!(is_well_formed(&ES256.saying(&ES256.payload_at(5, 7))), "nor are the times");
    for token in ["", "a.b.c", "e30.e30.AA", &good.replace('.', ""), &format!("Bearer {good}")] {
        assert!(!is_well_formed(token), "{token}");
    }
    assert!(!is_well_formed(&ES256.jws(r#"{"alg":"ES256","typ":"at+jwt","kid":"M2M"}"#, &ES256.payload())));
    assert!(!is_well_formed(&ES256.saying(r#"{"sub":"Wiget Company","iss":"a","iat":1,"exp":2}"#)));
}
