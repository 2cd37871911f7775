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
