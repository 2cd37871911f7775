//! The claims: M2M-3 and M2M-5 to M2M-8, attacks B11 to B15 and B22.

use std::time::Duration;

use irgw_core::{Rule, TokenFault};
use irgw_m2m::error::{CertificateFault, Claim, MemberFault, SubjectFault, TimeFault};
use irgw_m2m::{Claims, Error, LegacySha1, verify, verify_with_skew};

use crate::parties::{DAY, ES256, ES384, NOW, Party, at};

fn judge(payload: &str) -> Result<Claims, Error> {
    verify(&ES256.saying(payload), &ES256.credential, at(NOW))
}

fn with_sub(party: &Party, sub: &str) -> String {
    party.payload().replace(&party.thumbprint().to_string(), sub)
}

#[test]
fn times_are_whole_numbers_of_seconds_b11() {
    let wrong = [
        "\"1767225600\"",
        "1767225600.0",
        "1.7e9",
        "1E9",
        "-1",
        "-0",
        "9223372036854775808",
        "18446744073709551616",
        "null",
        "[]",
        "{}",
        "true",
        "\"\"",
    ];
    for claim in [Claim::IssuedAt, Claim::ExpiresAt] {
        let good = if claim == Claim::IssuedAt { NOW - 60 } else { NOW + 540 };
        let member = format!("\"{claim}\":{good}");
        for value in wrong {
            let error =
                judge(&ES256.payload().replace(&member, &format!("\"{claim}\":{value}"))).unwrap_err();
            assert_eq!(error, Error::Claim(claim, MemberFault::Type), "{claim} {value}");
            assert_eq!((error.rule(), error.fault()), (Rule::M2m6, TokenFault::Times));
        }
        let missing = judge(&ES256.payload().replace(&format!(",{member}"), "")).unwrap_err();
        assert_eq!((missing, missing.rule()), (Error::Claim(claim, MemberFault::Missing), Rule::M2m6));
        let overflow = judge(&ES256.payload().replace(&member, &format!("\"{claim}\":1e400")));
        assert_eq!(overflow.unwrap_err().rule(), Rule::M2m2);
    }
    // In range and absurd: arithmetic holds.
    let last = i64::MAX;
    assert_eq!(
        judge(&ES256.payload_at(NOW, 0).replace("\"exp\":0", &format!("\"exp\":{last}"))),
        Err(Error::Times(TimeFault::Lifetime))
    );
    assert_eq!(judge(&ES256.payload_at(last as u64 - 1, last as u64)), Err(Error::Times(TimeFault::Future)));
    assert_eq!(judge(&ES256.payload_at(0, 1)), Err(Error::Times(TimeFault::Expired)));
    assert_eq!(judge(&ES256.payload_at(0, 0)), Err(Error::Times(TimeFault::Order)));
}

#[test]
fn a_token_lives_from_its_first_to_its_last_second_b12_b13() {
    let (issued, expires) = (NOW, NOW + 600);
    let token = ES256.saying(&ES256.payload_at(issued, expires));
    for (now, skew, expected) in [
        (issued - 61, 60, Err(TimeFault::Future)),
        (issued - 60, 60, Ok(())),
        (issued, 60, Ok(())),
        (expires + 59, 60, Ok(())),
        (expires + 60, 60, Err(TimeFault::Expired)),
        (issued - 1, 0, Err(TimeFault::Future)),
        (issued, 0, Ok(())),
        (expires - 1, 0, Ok(())),
        (expires, 0, Err(TimeFault::Expired)),
    ] {
        let result =
            verify_with_skew(&token, &ES256.credential, at(now), Duration::from_secs(skew)).map(drop);
        assert_eq!(result, expected.map_err(Error::Times), "{now} skew {skew}");
    }
}

#[test]
fn eight_hours_are_exact_and_have_no_skew_b12() {
    for (life, expected) in
        [(28_800, Ok(())), (28_801, Err(TimeFault::Lifetime)), (1, Ok(())), (0, Err(TimeFault::Order))]
    {
        let result = judge(&ES256.payload_at(NOW, NOW + life)).map(drop);
        assert_eq!(result, expected.map_err(Error::Times), "{life}");
    }
    assert_eq!(judge(&ES256.payload_at(NOW, NOW - 1)), Err(Error::Times(TimeFault::Order)));
    let error = Error::Times(TimeFault::Lifetime);
    assert_eq!((error.rule(), error.fault()), (Rule::M2m6, TokenFault::Times));
}

#[test]
fn nbf_is_honoured_where_there_is_one() {
    assert!(judge(&ES256.payload_with(&format!(",\"nbf\":{}", NOW + 60))).is_ok());
    let early = judge(&ES256.payload_with(&format!(",\"nbf\":{}", NOW + 61)));
    assert_eq!(early, Err(Error::Times(TimeFault::NotYetValid)));
    assert_eq!(
        judge(&ES256.payload_with(",\"nbf\":\"0\"")),
        Err(Error::Claim(Claim::NotBefore, MemberFault::Type))
    );
}

#[test]
fn aud_is_refused_because_nobody_agreed_on_one() {
    for aud in ["\"account\"", "[]", "null"] {
        let error = judge(&ES256.payload_with(&format!(",\"aud\":{aud}"))).unwrap_err();
        assert_eq!(
            (error, error.rule()),
            (Error::Claim(Claim::Audience, MemberFault::Forbidden), Rule::M2m2)
        );
    }
}

#[test]
fn other_claims_are_ignored() {
    assert!(judge(&ES256.payload_with(r#","scope":"MYIR.Services","x":{"y":[1,2.5,null]}"#)).is_ok());
}

#[test]
fn iat_is_not_before_the_certificate_b13() {
    let begins = ES256.credential.cert.not_before().as_secs();
    let token = |iat: u64| ES256.saying(&ES256.payload_at(iat, iat + 600));
    let result = |iat| verify(&token(iat), &ES256.credential, at(begins)).map(drop);
    assert_eq!(result(begins), Ok(()));
    assert_eq!(
        result(begins - 1),
        Err(Error::Times(TimeFault::BeforeCertificate)),
        "no skew between its own times"
    );
}

#[test]
fn the_certificate_must_be_inside_its_validity_when_used_b13() {
    let cert = &ES256.credential.cert;
    let (begins, ends) = (cert.not_before().as_secs(), cert.not_after().as_secs());
    for (now, expected) in [
        (begins - 1, Err(CertificateFault::NotYetValid)),
        (begins, Ok(())),
        (ends, Ok(())),
        (ends + 1, Err(CertificateFault::Expired)),
    ] {
        let iat = now.clamp(begins, ends);
        let token = ES256.saying(&ES256.payload_at(iat, iat + 600));
        let result = verify(&token, &ES256.credential, at(now)).map(drop);
        assert_eq!(result, expected.map_err(Error::Certificate), "{now}");
    }
    let error = Error::Certificate(CertificateFault::Expired);
    assert_eq!((error.rule(), error.fault()), (Rule::M2m8, TokenFault::UnknownCredential));
}

#[test]
fn sub_is_the_thumbprint_in_any_case_with_colons_or_without_b14() {
    let upper = ES256.thumbprint().to_string();
    let lower = upper.to_lowercase();
    let mixed: String =
        upper.chars().enumerate().map(|(n, c)| if n % 3 == 0 { c.to_ascii_lowercase() } else { c }).collect();
    for sub in [&upper, &lower, &mixed, &colons(&upper), &colons(&lower)] {
        assert!(judge(&with_sub(&ES256, sub)).is_ok(), "{sub}");
    }
}

#[test]
fn no_other_spelling_of_sub_is_taken_b14() {
    let hex = ES256.thumbprint().to_string();
    let wrong = [
        String::from("Wiget Company"),
        format!(" {hex}"),
        format!("{hex} "),
        hex[..63].to_owned(),
        hex[..62].to_owned(),
        format!("{hex}00"),
        hex.replacen(|_| true, "G", 1),
        colons(&hex).replace(':', " "),
        colons(&hex).replace(':', "-"),
        format!("{}:", colons(&hex)),
        colons(&hex).replacen(':', "", 1),
        format!("0x{hex}"),
        hex.replacen(|_| true, "０", 1),
        "*".to_owned(),
        "%".repeat(64),
    ];
    for sub in wrong {
        let error = judge(&with_sub(&ES256, &sub)).unwrap_err();
        assert_eq!(error, Error::Subject(SubjectFault::Form), "{sub}");
        assert_eq!((error.rule(), error.fault()), (Rule::M2m3, TokenFault::UnknownCredential));
    }
    let member = format!("\"sub\":\"{hex}\"");
    for (value, fault) in [
        ("\"sub\":7", MemberFault::Type),
        ("\"sub\":null", MemberFault::Type),
        ("\"sub\":[]", MemberFault::Type),
        ("\"sub\":\"\"", MemberFault::Value),
        ("\"x\":0", MemberFault::Missing),
    ] {
        let error = judge(&ES256.payload().replace(&member, value)).unwrap_err();
        assert_eq!((error, error.rule()), (Error::Claim(Claim::Subject, fault), Rule::M2m3), "{value}");
    }
}

#[test]
fn the_key_is_that_of_the_certificate_that_sub_names_b14() {
    // Signed by ES256, naming ES384's certificate: held against either, it is refused.
    let other = with_sub(&ES256, &ES384.thumbprint().to_string());
    assert_eq!(judge(&other), Err(Error::OtherCredential));
    let token = ES256.saying(&other);
    assert!(matches!(verify(&token, &ES384.credential, at(NOW)), Err(Error::AlgorithmMismatch { .. })));
    // Naming a certificate of the same kind that is not the signer's.
    let stranger = Party::new_es256();
    let token = stranger.saying(&ES256.payload());
    assert_eq!(verify(&token, &ES256.credential, at(NOW)), Err(Error::Signature));
}

#[test]
fn sha1_thumbprint_is_taken_only_where_it_is_turned_on_b14() {
    let sha1: String =
        ES256.credential.cert.sha1_thumbprint().iter().map(|byte| format!("{byte:02x}")).collect();
    let mut lenient = ES256.credential.clone();
    lenient.legacy_sha1 = LegacySha1::Accepted;
    for sub in [&sha1, &sha1.to_uppercase(), &colons(&sha1)] {
        let token = ES256.saying(&with_sub(&ES256, sub));
        assert_eq!(verify(&token, &ES256.credential, at(NOW)), Err(Error::Subject(SubjectFault::Sha1)));
        assert!(verify(&token, &lenient, at(NOW)).is_ok(), "{sub}");
    }
    for sub in
        [&sha1[..39], &format!("+{}", &sha1[1..]), &colons(&sha1).replace(':', " "), &colons(&sha1)[1..]]
    {
        let token = ES256.saying(&with_sub(&ES256, sub));
        assert_eq!(verify(&token, &lenient, at(NOW)), Err(Error::Subject(SubjectFault::Form)), "{sub}");
    }
    let token = ES256.saying(&with_sub(&ES256, &"0".repeat(40)));
    assert_eq!(verify(&token, &lenient, at(NOW)), Err(Error::OtherCredential));
}

#[test]
fn iss_is_the_agreed_value_byte_for_byte_b15() {
    // The same letters with the macron as a combining character.
    let decomposed = "Ko\u{304}whai Payroll";
    for iss in
        [decomposed, "Kōwhai Payroll ", " Kōwhai Payroll", "kōwhai payroll", "Kowhai Payroll", "Tōtara"]
    {
        let error = judge(&ES256.payload().replace("Kōwhai Payroll", iss)).unwrap_err();
        assert_eq!(
            (error, error.rule(), error.fault()),
            (Error::Issuer, Rule::M2m5, TokenFault::Malformed),
            "{iss}"
        );
    }
    let member = "\"iss\":\"Kōwhai Payroll\"";
    for (value, fault) in [
        ("\"iss\":[\"Kōwhai Payroll\"]", MemberFault::Type),
        ("\"iss\":null", MemberFault::Type),
        ("\"iss\":\"\"", MemberFault::Value),
        ("\"x\":0", MemberFault::Missing),
    ] {
        let error = judge(&ES256.payload().replace(member, value)).unwrap_err();
        assert_eq!((error, error.rule()), (Error::Claim(Claim::Issuer, fault), Rule::M2m5), "{value}");
    }
    // Escaped, it is the same text.
    assert!(judge(&ES256.payload().replace("Kōwhai", "K\\u014dwhai")).is_ok());
}

#[test]
fn iss_is_not_told_to_who_cannot_sign_b15() {
    let stranger = Party::new_es256();
    for payload in [ES256.payload(), ES256.payload().replace("Kōwhai", "Tōtara")] {
        let result = verify(&stranger.saying(&payload), &ES256.credential, at(NOW));
        assert_eq!(result, Err(Error::Signature));
    }
}

#[test]
fn start_logon_is_text_or_nothing_b22() {
    for (member, logon) in [
        ("", None),
        (",\"startLogon\":null", None),
        (",\"startLogon\":\"\"", None),
        (",\"startLogon\":\"TomTom123\"", Some("TomTom123")),
    ] {
        let claims = judge(&ES256.payload_with(member)).unwrap();
        assert_eq!(claims.start_logon.as_ref().map(|logon| logon.as_str()), logon, "{member}");
    }
    let long = format!("\"{}\"", "x".repeat(10_000));
    for (value, fault) in [
        ("7", MemberFault::Type),
        ("true", MemberFault::Type),
        ("[]", MemberFault::Type),
        ("{}", MemberFault::Type),
        ("\"a\\u0000b\"", MemberFault::Value),
        (long.as_str(), MemberFault::Value),
    ] {
        let error = judge(&ES256.payload_with(&format!(",\"startLogon\":{value}"))).unwrap_err();
        assert_eq!(
            (error, error.rule()),
            (Error::Claim(Claim::StartLogon, fault), Rule::M2m7),
            "{value:.20}"
        );
    }
}

#[test]
fn jti_is_short_text_or_nothing() {
    assert_eq!(judge(&ES256.payload_with(",\"jti\":\"a-1\"")).unwrap().jti.as_deref(), Some("a-1"));
    let long = format!("\"{}\"", "x".repeat(129));
    for value in ["null", "7", "\"\"", "\"a\\n\"", long.as_str()] {
        let error = judge(&ES256.payload_with(&format!(",\"jti\":{value}"))).unwrap_err();
        assert_eq!(error.rule(), Rule::M2m10, "{value:.20}");
    }
}

#[test]
fn the_first_rule_broken_is_the_reason() {
    // Out of date, of another issuer, and signed by nobody: each repaired in turn.
    let wrong = ES256.payload_at(NOW - 2 * DAY, NOW - DAY).replace("Kōwhai", "Tōtara");
    let stranger = Party::new_es256();
    let rule = |payload: &str, signer: &Party| {
        verify(&signer.saying(payload), &ES256.credential, at(NOW)).map_err(|error| error.rule()).map(drop)
    };
    assert_eq!(rule(&wrong.replace("\"sub\":", "\"sub\":7,\"x\":"), &stranger), Err(Rule::M2m3));
    assert_eq!(rule(&wrong, &stranger), Err(Rule::M2m6));
    let in_time = ES256.payload().replace("Kōwhai", "Tōtara");
    assert_eq!(verify(&stranger.saying(&in_time), &ES256.credential, at(NOW)), Err(Error::Signature));
    assert_eq!(rule(&in_time, &ES256), Err(Rule::M2m5));
    assert_eq!(rule(&ES256.payload(), &ES256), Ok(()));
}

fn colons(hex: &str) -> String {
    let pairs: Vec<&str> = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap()).collect();
    pairs.join(":")
}
