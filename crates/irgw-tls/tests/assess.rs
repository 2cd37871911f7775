//! What a provider is told of a certificate before connecting (TLS-4 to TLS-9).

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

mod support;

use irgw_tls::{Assessment, ClientTrust, Outcome, assess};
use rcgen::ExtendedKeyUsagePurpose;
use support::{Authority, NAME, NOW, UNTIL, at};

/// The outcomes of TLS-4, 5, 6, 8 and 9: met, not met, or not judged.
fn outcomes(assessment: &Assessment) -> String {
    let letter = |outcome| match outcome {
        Outcome::Met => '+',
        Outcome::NotMet => '-',
        Outcome::NotJudged => '?',
    };
    assessment.findings.iter().map(|finding| letter(finding.outcome)).collect()
}

#[test]
fn every_rule_has_its_finding() {
    let root = Authority::root("Root");
    let stranger = Authority::root("Stranger");
    let serial = 9;
    let crls = root.crl(&[serial], UNTIL);
    let trust = ClientTrust::new(vec![root.approved()], crls).unwrap();
    let server_auth = root.client_with(NAME, |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    let revoked = root.client_with(NAME, |params| {
        params.serial_number = Some(rcgen::SerialNumber::from(serial));
    });
    for (what, der, expected, accepted) in [
        ("good", root.client(NAME).der, "+++++", true),
        ("unknown issuer", stranger.client(NAME).der, "-+++?", false),
        ("wildcard", root.client("*.example.nz").der, "++-++", false),
        ("server's purpose", server_auth.der, "+++-+", false),
        ("revoked", revoked.der, "++++-", false),
        ("small key", root.client_of(NAME, support::der::rsa_spki(1024, 65_537)), "?-+??", false),
    ] {
        let assessment = assess(&[der], &trust, at(NOW)).unwrap();
        assert_eq!(outcomes(&assessment), expected, "{what}: {:?}", assessment.findings);
        assert_eq!(assessment.accepted, accepted, "{what}");
    }
}

#[test]
fn name_that_a_root_may_not_certify_is_a_finding() {
    let root = Authority::root_with("Root", |params| {
        params.name_constraints = Some(rcgen::NameConstraints {
            permitted_subtrees: vec![rcgen::GeneralSubtree::DnsName("allowed.example".into())],
            excluded_subtrees: vec![],
        });
    });
    let assessment = assess(&[root.client(NAME).der], &support::trust(&root), at(NOW)).unwrap();
    assert_eq!((outcomes(&assessment).as_str(), assessment.accepted), ("-++++", false));
}

#[test]
fn key_of_a_certificate_outside_the_path_is_no_finding() {
    let root = Authority::root("Root");
    let issuing = root.intermediate("Issuing");
    let unrelated = Authority::root_of("Other", rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap());
    let sent = [issuing.client(NAME).der, unrelated.der, issuing.der];
    let assessment = assess(&sent, &support::trust(&root), at(NOW)).unwrap();
    assert_eq!((outcomes(&assessment).as_str(), assessment.accepted), ("+++++", true));
    assert_eq!(assessment.findings[1].detail, "keys: P-256, P-256");
}

#[test]
fn assessment_serialises_with_rule_ids() {
    let root = Authority::root("Root");
    let assessment = assess(&[root.client(NAME).der], &support::trust(&root), at(NOW)).unwrap();
    let json = serde_json::to_value(&assessment).unwrap();
    assert_eq!(json["common_name"], NAME);
    assert_eq!(json["key"], "P-256");
    assert_eq!(json["findings"][0]["rule"], "TLS-4");
    assert_eq!(json["findings"][0]["outcome"], "met");
    assert!(assess(&[], &support::trust(&root), at(NOW)).is_err());
    assert!(assess(&[b"no".to_vec().into()], &support::trust(&root), at(NOW)).is_err());
}
