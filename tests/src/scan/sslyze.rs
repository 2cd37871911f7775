//! sslyze: versions and suites must be those of `sslyze-profile.json`, and known attacks must fail.
//!
//! What that form says of certificates is about public web servers (lifetimes, OCSP staples, two certificate deployments); the
//! development PKI is none.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{Finding, Scanner, Surface, run};
use crate::{Error, folder};

/// What is true of a listener that is well.
const FACTS: [(&str, bool); 5] = [
    ("/tls_compression/result/supports_compression", false),
    ("/session_renegotiation/result/is_vulnerable_to_client_renegotiation_dos", false),
    ("/heartbleed/result/is_vulnerable_to_heartbleed", false),
    ("/openssl_ccs_injection/result/is_vulnerable_to_ccs_injection", false),
    ("/tls_1_3_early_data/result/supports_early_data", false),
];

/// Every difference from the profile, on the cloud listener.
pub(super) fn scan(program: &Path, surface: &Surface) -> Result<Vec<Finding>, Error> {
    let dev = surface.dev();
    let provider = dev.providers.first().ok_or_else(|| Error::Target("dev.json names no provider".into()))?;
    let (report, profile) = (surface.file("sslyze.json"), folder().join("sslyze-profile.json"));
    let mut command = Command::new(program);
    command.arg("--cert").arg(&provider.certificate).arg("--key").arg(&provider.key);
    command.arg("--certinfo_ca_file").arg(&dev.listeners.cloud.ca_file);
    command.arg("--custom_tls_config").arg(&profile).arg("--json_out").arg(&report);
    let output = run(command.arg(dev.listeners.cloud.base_url.trim_start_matches("https://")))?;
    let read = std::fs::read(&report).ok().and_then(|text| serde_json::from_slice::<Value>(&text).ok());
    let scan = read.as_ref().and_then(|report| report.pointer("/server_scan_results/0/scan_result"));
    let scan = scan.ok_or_else(|| Scanner::Sslyze.broke("scanned nothing", &output))?;
    let profile: Value = std::fs::read(&profile)
        .map_err(Error::file(&profile))
        .and_then(|text| serde_json::from_slice(&text).map_err(|error| Error::content(&profile, error)))?;
    let mut findings =
        suites(scan, &profile).ok_or_else(|| Scanner::Sslyze.broke("lists no suites", &output))?;
    for (pointer, expected) in FACTS {
        if scan.pointer(pointer).and_then(Value::as_bool).is_some_and(|value| value != expected) {
            findings.push(Finding::new(format!("cloud {pointer}"), format!("is {}", !expected)));
        }
    }
    Ok(findings)
}

/// SSL 2.0 is left to the case tls/ssl-2: the old OpenSSL by which sslyze tries it cannot load a certificate that an ECDSA
/// key signed.
fn suites(scan: &Value, profile: &Value) -> Option<Vec<Finding>> {
    let mut findings = Vec::new();
    for (command, expected) in [
        ("ssl_3_0_cipher_suites", Vec::new()),
        ("tls_1_0_cipher_suites", Vec::new()),
        ("tls_1_1_cipher_suites", Vec::new()),
        ("tls_1_2_cipher_suites", names(profile.pointer("/ciphers/iana")?, "")?),
        ("tls_1_3_cipher_suites", names(profile.pointer("/ciphersuites")?, "")?),
    ] {
        let accepted = scan.pointer(&format!("/{command}/result/accepted_cipher_suites"))?;
        let accepted = names(accepted, "/cipher_suite/name")?;
        if accepted != expected {
            let says = format!("accepted are {accepted:?}, not {expected:?}");
            findings.push(Finding::new(format!("cloud {command}"), says));
        }
    }
    Some(findings)
}

/// What stands at `pointer` in each entry, sorted.
fn names(list: &Value, pointer: &str) -> Option<Vec<String>> {
    let names = list.as_array()?.iter().map(|entry| Some(entry.pointer(pointer)?.as_str()?.to_owned()));
    let mut names = names.collect::<Option<Vec<_>>>()?;
    names.sort();
    Some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suite_that_is_not_in_the_profile_is_a_finding_and_so_is_one_that_lacks() {
        let accepted = |names: &[&str]| {
            let suites: Vec<Value> =
                names.iter().map(|name| serde_json::json!({ "cipher_suite": { "name": name } })).collect();
            serde_json::json!({ "result": { "accepted_cipher_suites": suites } })
        };
        let profile = serde_json::json!({ "ciphers": { "iana": ["B", "A"] }, "ciphersuites": ["C"] });
        let scan = |old: &[&str], tls_1_3: &[&str]| {
            let scan = serde_json::json!({
                "ssl_3_0_cipher_suites": accepted(&[]), "tls_1_0_cipher_suites": accepted(old),
                "tls_1_1_cipher_suites": accepted(&[]), "tls_1_2_cipher_suites": accepted(&["A", "B"]),
                "tls_1_3_cipher_suites": accepted(tls_1_3),
            });
            suites(&scan, &profile).unwrap().into_iter().map(|finding| finding.of).collect::<Vec<_>>()
        };
        assert!(scan(&[], &["C"]).is_empty());
        assert_eq!(scan(&["D"], &[]), ["cloud tls_1_0_cipher_suites", "cloud tls_1_3_cipher_suites"]);
        assert_eq!(suites(&serde_json::json!({}), &profile), None);
    }
}
