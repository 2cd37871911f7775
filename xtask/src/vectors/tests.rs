//! The vectors of `../shared/data`, judged as `cargo xtask vectors` does; and files that cannot be used.

use std::io::Write as _;

use super::report::Counts;
use super::*;

fn args(limbo: &Path) -> Args {
    Args { dir: None, limbo: Some(limbo.into()), client: false, results: None, json: true }
}

fn suite(name: &str) -> Option<Suite> {
    let mut report = Report::default();
    suites(&run::root().join(USUAL), &mut report).unwrap();
    let found = report.suites.into_iter().find(|suite| suite.name == name);
    if found.is_none() {
        // Not println: libtest keeps what a passing test prints.
        let _ = writeln!(std::io::stderr(), "SKIPPED: no {name} vectors at {USUAL}");
    }
    found
}

/// A06, A07, A09, A10: of the 208 cases, webpki alone judges 136 rightly, and accepts 22 wrongly outside `webpki::`.
#[test]
fn profile_judges_as_limbo_does_but_where_a_reason_is_given() {
    let Some(suite) = suite("x509-limbo") else { return };
    assert!(suite.is_clean() && suite.unknown.is_empty(), "{}", suite.to_text());
    assert_eq!(suite.total.cases, 208);
    assert!(suite.total.right >= 155, "{:?}", suite.total);
    assert!(suite.outside_webpki.unwrap().wrongly_accepted <= 3, "{}", suite.to_text());
}

/// B02, B06, B07.
#[test]
fn signatures_are_judged_as_wycheproof_does_but_where_a_reason_is_given() {
    let Some(suite) = suite("Wycheproof") else { return };
    assert!(suite.is_clean() && suite.unknown.is_empty(), "{}", suite.to_text());
    // Of 54 ECDSA signatures, R and S cannot be told apart, so that there is no form of them for irgw-tls.
    let all = 401 + 2 * (262 + 280 + 318 + 259 + 258 + 259) - 54;
    let Counts { cases, wrongly_accepted, skipped, .. } = suite.total;
    assert_eq!((cases, wrongly_accepted, skipped), (all, 0, 0));
}

/// A chain of a new authority's, valid in 2024, as one case of limbo's schema.
fn limbo_case(
    id: &str,
    kind: &str,
    eku: rcgen::ExtendedKeyUsagePurpose,
    expected: &str,
) -> serde_json::Value {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};
    let mut root = CertificateParams::new(Vec::new()).unwrap();
    (root.not_before, root.not_after) = (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(2030, 1, 1));
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    root.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    root.distinguished_name.push(rcgen::DnType::CommonName, "root");
    let root_key = KeyPair::generate().unwrap();
    let issuer_pem = root.self_signed(&root_key).unwrap().pem();
    let mut leaf = CertificateParams::new(vec!["client.example".to_owned()]).unwrap();
    (leaf.not_before, leaf.not_after) = (rcgen::date_time_ymd(2023, 1, 1), rcgen::date_time_ymd(2025, 1, 1));
    leaf.use_authority_key_identifier_extension = true;
    leaf.extended_key_usages = vec![eku];
    leaf.distinguished_name.push(rcgen::DnType::CommonName, "client.example");
    let key = KeyPair::generate().unwrap();
    let leaf = leaf.signed_by(&key, &Issuer::from_params(&root, &root_key)).unwrap();
    serde_json::json!({
        "id": id, "features": [], "description": "", "validation_kind": kind, "trusted_certs": [issuer_pem],
        "untrusted_intermediates": [], "peer_certificate": leaf.pem(), "peer_certificate_key": null,
        "validation_time": "2024-01-01T00:00:00Z", "signature_algorithms": [], "key_usage": [],
        "extended_key_usage": [], "expected_result": expected, "expected_peer_name": null,
        "expected_peer_names": [{ "kind": "DNS", "value": "client.example" }], "max_chain_depth": null, "crls": [],
    })
}

fn written(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("limbo.json");
    fs::write(&path, text).unwrap();
    (folder, path)
}

#[test]
fn fresh_set_is_judged_and_its_results_are_in_limbos_schema() {
    use rcgen::ExtendedKeyUsagePurpose::{ClientAuth, EmailProtection, ServerAuth};
    let mut mail = limbo_case("own::mail", "CLIENT", EmailProtection, "SUCCESS");
    mail["extended_key_usage"] = serde_json::json!(["emailProtection"]);
    let mut other_name = limbo_case("own::other-name", "CLIENT", ClientAuth, "FAILURE");
    other_name["expected_peer_name"] = serde_json::json!({ "kind": "DNS", "value": "other.example" });
    let cases = [
        limbo_case("own::client", "CLIENT", ClientAuth, "SUCCESS"),
        limbo_case("own::server-as-client", "SERVER", ServerAuth, "FAILURE"),
        other_name,
        mail,
    ];
    let (folder, path) = written(&serde_json::json!({ "version": 1, "testcases": cases }).to_string());
    let results = folder.path().join("results.json");
    let args = Args { client: true, results: Some(results.clone()), ..args(&path) };
    assert_eq!(format!("{:?}", args.run().unwrap()), format!("{:?}", ExitCode::SUCCESS));
    let results: serde_json::Value = serde_json::from_slice(&fs::read(results).unwrap()).unwrap();
    assert_eq!(results["version"], 1);
    assert!(results["harness"].as_str().unwrap().starts_with("irgw-"));
    let found: Vec<_> = results["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|case| (case["id"].as_str().unwrap(), case["actual_result"].as_str().unwrap(), &case["context"]))
        .collect();
    assert_eq!((found[0].0, found[0].1), ("own::client", "SUCCESS"));
    assert!(found[0].2.is_null() && found[1].2.is_string());
    assert_eq!(found[1..].iter().map(|case| case.1).collect::<Vec<_>>(), ["FAILURE", "FAILURE", "SKIPPED"]);
}

#[test]
fn difference_without_a_reason_is_1() {
    let case = limbo_case("own::client", "CLIENT", rcgen::ExtendedKeyUsagePurpose::ClientAuth, "FAILURE");
    let (_folder, path) = written(&serde_json::json!({ "version": 1, "testcases": [case] }).to_string());
    assert_eq!(format!("{:?}", args(&path).run().unwrap()), format!("{:?}", ExitCode::FAILURE));
}

#[test]
fn file_that_cannot_be_used_is_one_line_and_2() {
    let good = limbo_case("own::a", "CLIENT", rcgen::ExtendedKeyUsagePurpose::ClientAuth, "SUCCESS");
    let with = |member: &str, value: serde_json::Value| {
        let mut case = good.clone();
        case[member] = value;
        serde_json::json!({ "version": 1, "testcases": [case] }).to_string()
    };
    let version_2 = serde_json::json!({ "version": 2, "testcases": [] }).to_string();
    let twice = serde_json::json!({ "version": 1, "testcases": [good, good] }).to_string();
    for (text, said) in [
        ("", "EOF"),
        ("[]", "invalid"),
        (version_2.as_str(), "version 2"),
        (&with("id", "a\u{1b}[2J\0".into()), "is no id"),
        (&twice, "two cases are named \"own::a\""),
        (&with("validation_time", "yesterday".into()), "is none"),
        (&with("validation_time", "1969-01-01T00:00:00Z".into()), "is none"),
        (&with("validation_kind", "\n\u{1b}[2J".into()), "unknown variant"),
        (&with("trusted_certs", serde_json::Value::Null), "invalid type: null"),
        (&with("max_chain_depth", (-1).into()), "invalid value"),
    ] {
        let (_folder, path) = written(text);
        let error = args(&path).run().unwrap_err();
        let line = error.to_string();
        assert!(
            line.starts_with("cannot use ") && line.contains(said) && !line.contains(char::is_control),
            "{line:?}"
        );
        assert_eq!(format!("{:?}", crate::explain(&error)), format!("{:?}", ExitCode::from(2)));
    }
    let empty = tempfile::tempdir().unwrap();
    for dir in [empty.path().to_owned(), empty.path().join("absent")] {
        let args = Args { dir: Some(dir), ..args(Path::new("")) };
        assert!(matches!(Args { limbo: None, ..args }.run(), Err(Error::Input(_))));
    }
}
