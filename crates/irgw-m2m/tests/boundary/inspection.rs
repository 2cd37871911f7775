//! What `inspect` says to the signer of a token.

use irgw_core::Rule;
use irgw_m2m::inspect::{Case, Colons, Form, Names, Outcome, Spelling};
use irgw_m2m::{Against, Inspection, inspect};

use crate::der::{Template, modulus, rsa_key};
use crate::parties::{DAY, ES256, ES384, NOW, Party, at, b64, everybody};

fn against(party: &Party) -> Against<'_> {
    Against { certificate: Some(&party.der), issuer: Some("Kōwhai Payroll"), ..Against::default() }
}

fn inspected(token: &str) -> Inspection {
    inspect(token, &against(&ES256), at(NOW))
}

/// The rules that are not met, and what is said of the first.
fn broken(inspection: &Inspection) -> (Vec<Rule>, &str) {
    let broken = inspection.findings.iter().filter(|finding| finding.outcome == Outcome::NotMet);
    let rules: Vec<Rule> = broken.clone().map(|finding| finding.rule).collect();
    assert_eq!(inspection.meets, rules.is_empty());
    (rules, broken.clone().next().map_or("", |finding| finding.explanation.as_str()))
}

fn with_sub(sub: &str) -> String {
    ES256.saying(&ES256.payload().replace(&ES256.thumbprint().to_string(), sub))
}

#[test]
fn a_good_token_meets_every_rule() {
    for party in everybody() {
        let inspection = inspect(&party.token(), &against(party), at(NOW));
        let rules: Vec<Rule> = inspection.findings.iter().map(|finding| finding.rule).collect();
        assert_eq!(
            rules,
            [
                Rule::M2m1,
                Rule::M2m2,
                Rule::M2m3,
                Rule::M2m4,
                Rule::M2m5,
                Rule::M2m6,
                Rule::M2m7,
                Rule::M2m8,
                Rule::M2m10
            ]
        );
        assert!(inspection.findings.iter().all(|finding| finding.outcome == Outcome::Met), "{inspection:#?}");
    }
}

#[test]
fn every_broken_rule_is_named_not_only_the_first() {
    let payload = ES256.payload_at(NOW - 2 * DAY, NOW - DAY).replace("Kōwhai", "Tōtara");
    let token = ES384.jws(r#"{"alg":"ES384","typ":"at+jwt","kid":"M2M"}"#, &payload);
    let inspection = inspected(&format!("Bearer {token}"));
    let (rules, first) = broken(&inspection);
    assert_eq!(rules, [Rule::M2m1, Rule::M2m2, Rule::M2m5, Rule::M2m6]);
    assert!(first.contains("Bearer"), "{first}");
}

#[test]
fn without_a_certificate_it_says_what_it_cannot_tell() {
    let inspection = inspect(&ES256.token(), &Against::default(), at(NOW));
    let open: Vec<Rule> = inspection
        .findings
        .iter()
        .filter(|finding| finding.outcome == Outcome::CannotTell)
        .map(|finding| finding.rule)
        .collect();
    assert_eq!(open, [Rule::M2m3, Rule::M2m4, Rule::M2m5, Rule::M2m6, Rule::M2m8]);
    assert_eq!(inspection.subject.map(|subject| subject.names), Some(Names::CannotTell));
    assert!(inspection.meets);
}

#[test]
fn sub_is_told_by_its_spelling_and_by_whose_it_is_b14() {
    let upper = ES256.thumbprint().to_string();
    let lower = upper.to_lowercase();
    let pairs = |hex: &str, with: &str| {
        hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap()).collect::<Vec<_>>().join(with)
    };
    let sha1: String =
        ES256.credential.cert.sha1_thumbprint().iter().map(|byte| format!("{byte:02X}")).collect();
    let key: String = ring::digest::digest(&ring::digest::SHA256, &ES256.spki)
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let own = Names::GivenCertificate;
    for (sub, form, case, colons, names, met) in [
        (upper.clone(), Form::Sha256, Case::Upper, Colons::Absent, own, Outcome::Met),
        (lower.clone(), Form::Sha256, Case::Lower, Colons::Absent, own, Outcome::Met),
        (pairs(&upper, ":"), Form::Sha256, Case::Upper, Colons::Present, own, Outcome::Met),
        (
            format!("{}{}", &upper[..32], &lower[32..]),
            Form::Sha256,
            Case::Mixed,
            Colons::Absent,
            own,
            Outcome::Met,
        ),
        (sha1.clone(), Form::Sha1, Case::Upper, Colons::Absent, own, Outcome::CannotTell),
        (
            ES384.thumbprint().to_string(),
            Form::Sha256,
            Case::Upper,
            Colons::Absent,
            Names::AnotherCertificate,
            Outcome::NotMet,
        ),
        ("0".repeat(40), Form::Sha1, Case::None, Colons::Absent, Names::AnotherCertificate, Outcome::NotMet),
        (pairs(&upper, " "), Form::Separated, Case::Upper, Colons::Absent, own, Outcome::NotMet),
        (b64(&ES256.thumbprint().0), Form::Base64, Case::None, Colons::Absent, own, Outcome::NotMet),
        (key.clone(), Form::PublicKey, Case::Lower, Colons::Absent, own, Outcome::NotMet),
        (
            "Wiget Company".to_owned(),
            Form::Unknown,
            Case::None,
            Colons::Absent,
            Names::CannotTell,
            Outcome::NotMet,
        ),
    ] {
        let inspection = inspected(&with_sub(&sub));
        assert_eq!(inspection.subject, Some(Spelling { form, case, colons, names }), "{sub}");
        assert_eq!(inspection.findings[2].outcome, met, "{sub}: {}", inspection.findings[2].explanation);
    }
}

#[test]
fn a_wrong_signature_breaks_m2m3() {
    let stranger = Party::new_es256();
    let inspection = inspected(&stranger.saying(&ES256.payload()));
    assert_eq!(broken(&inspection).0, [Rule::M2m3]);
}

#[test]
fn jti_that_no_gateway_takes_breaks_m2m10() {
    for (jti, rules) in [
        ("\"a-1\"".to_owned(), vec![]),
        (format!("\"{}\"", "x".repeat(128)), vec![]),
        (format!("\"{}\"", "x".repeat(129)), vec![Rule::M2m10]),
        ("\"\"".to_owned(), vec![Rule::M2m10]),
        ("7".to_owned(), vec![Rule::M2m10]),
    ] {
        let inspection = inspected(&ES256.saying(&ES256.payload_with(&format!(",\"jti\":{jti}"))));
        assert_eq!(broken(&inspection).0, rules, "{jti}");
    }
}

#[test]
fn weak_key_of_a_certificate_breaks_m2m4_and_not_m2m8() {
    let der = Template::new(&rsa_key(&modulus(1024), &[1, 0, 1])).der();
    let inspection =
        inspect(&ES256.token(), &Against { certificate: Some(&der), ..against(&ES256) }, at(NOW));
    let (rules, first) = broken(&inspection);
    assert_eq!(rules, [Rule::M2m3, Rule::M2m4], "{first}");
    assert_eq!(inspection.findings[7].outcome, Outcome::CannotTell);
}

#[test]
fn what_cannot_be_read_is_said_once() {
    for token in ["", "a.b.c", "....", "Bearer x"] {
        let inspection = inspected(token);
        assert!(broken(&inspection).0.contains(&Rule::M2m2), "{token}");
        assert_eq!(inspection.subject, None);
    }
    // A header that cannot be used hides nothing of the payload.
    let token = ES256.jws("{}", &ES256.payload_at(NOW, NOW + 30_000));
    assert_eq!(broken(&inspected(&token)).0, [Rule::M2m2, Rule::M2m6]);
}

#[test]
fn text_of_the_token_cannot_write_on_a_terminal() {
    let iss = format!("\\u001b[2J{}", "x".repeat(500));
    let inspection = inspected(&ES256.saying(&ES256.payload().replace("Kōwhai Payroll", &iss)));
    let explanation = &inspection.findings[4].explanation;
    assert!(explanation.contains("\\u{1b}[2J") && explanation.len() < 300, "{explanation}");
}

#[test]
fn it_is_data_for_programs_too() {
    let json = serde_json::to_value(inspected(&ES256.token())).unwrap();
    assert_eq!(json["meets"], true);
    assert_eq!(json["findings"][1]["rule"], "M2M-2");
    assert_eq!(json["findings"][1]["outcome"], "met");
    assert_eq!(json["subject"]["form"], "sha-256");
    assert_eq!(json["subject"]["case"], "upper");
    assert_eq!(json["subject"]["colons"], "absent");
    assert_eq!(json["subject"]["names"], "given-certificate");
}
