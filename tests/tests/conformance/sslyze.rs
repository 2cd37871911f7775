//! sslyze as the auditor: the cloud listener held to the project's own profile file.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use irgw_core::Environment;
use irgw_tests::{Local, folder};
use libtest_mimic::{Completion, Trial};
use serde_json::Value;

use crate::environments::{Environments, ensure, installed, ran, text};
use crate::tools::provider;
use crate::{Result, skipped};

pub(crate) fn trials(environments: &Arc<Environments>) -> Vec<Trial> {
    let environments = environments.clone();
    vec![Trial::ignorable_test("sslyze::listener_meets_the_profile", move || match sslyze() {
        None => Ok(skipped(
            "sslyze is not installed (pip install sslyze in a venv, and IRGW_SSLYZE=VENV/bin/sslyze)",
        )),
        Some(sslyze) => listener_meets_the_profile(&*environments.local(Environment::Test)?, sslyze),
    })]
}

fn sslyze() -> Option<PathBuf> {
    match std::env::var_os("IRGW_SSLYZE") {
        Some(path) => Some(PathBuf::from(path)).filter(|path| path.is_file()),
        None => installed("sslyze"),
    }
}

/// Suites, versions and curves must be those of tests/sslyze-profile.json. What that form says of certificates is about public
/// web servers (lifetimes, OCSP staples, two certificate deployments); the development PKI is none.
fn listener_meets_the_profile(local: &Local, sslyze: PathBuf) -> Result {
    let dev = local.dev();
    let client = provider(dev, 0)?;
    let report = local.folder().join("sslyze.json");
    let profile = folder().join("sslyze-profile.json");
    let target = dev.listeners.cloud.base_url.trim_start_matches("https://");
    let mut command = Command::new(sslyze);
    command.args(["--cert", text(&client.certificate), "--key", text(&client.key)]);
    command.args(["--certinfo_ca_file", text(&dev.listeners.cloud.ca_file)]);
    command.args(["--custom_tls_config", text(&profile), "--json_out", text(&report), target]);
    let ran = ran(&mut command)?;
    let json = std::fs::read(&report).map_err(|error| format!("{error}: {} {}", ran.out, ran.err))?;
    let json: Value = serde_json::from_slice(&json)?;
    let scan = json.pointer("/server_scan_results/0/scan_result").ok_or("sslyze scanned nothing")?;
    // SSL 2.0 is left to the case tls/ssl-2: the old OpenSSL by which sslyze tries it cannot load a certificate that an ECDSA
    // key signed.
    for (command, expected) in [
        ("ssl_3_0_cipher_suites", Vec::new()),
        ("tls_1_0_cipher_suites", Vec::new()),
        ("tls_1_1_cipher_suites", Vec::new()),
        ("tls_1_2_cipher_suites", wanted(&profile, "/ciphers/iana")?),
        ("tls_1_3_cipher_suites", wanted(&profile, "/ciphersuites")?),
    ] {
        let accepted =
            scan.pointer(&format!("/{command}/result/accepted_cipher_suites")).and_then(Value::as_array);
        let accepted = accepted.ok_or_else(|| format!("sslyze has no result of {command}: {}", ran.out))?;
        let mut names: Vec<String> = accepted
            .iter()
            .filter_map(|suite| Some(suite.pointer("/cipher_suite/name")?.as_str()?.to_owned()))
            .collect();
        names.sort();
        ensure(names == expected, || format!("{command}: {names:?}, not {expected:?}"))?;
    }
    for (pointer, expected) in [
        ("/tls_compression/result/supports_compression", false),
        ("/session_renegotiation/result/is_vulnerable_to_client_renegotiation_dos", false),
        ("/heartbleed/result/is_vulnerable_to_heartbleed", false),
        ("/openssl_ccs_injection/result/is_vulnerable_to_ccs_injection", false),
        ("/tls_1_3_early_data/result/supports_early_data", false),
    ] {
        if let Some(value) = scan.pointer(pointer).and_then(Value::as_bool) {
            ensure(value == expected, || format!("{pointer} is {value}"))?;
        }
    }
    Ok(Completion::Completed)
}

fn wanted(profile: &std::path::Path, pointer: &str) -> Result<Vec<String>> {
    let profile: Value = serde_json::from_slice(&std::fs::read(profile)?)?;
    let names = profile.pointer(pointer).and_then(Value::as_array).ok_or("the profile file has no suites")?;
    let mut names: Vec<String> = names.iter().filter_map(|name| Some(name.as_str()?.to_owned())).collect();
    names.sort();
    Ok(names)
}
