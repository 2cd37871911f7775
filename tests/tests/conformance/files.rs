//! Files that change, or are wrong, while the gateway runs: certificates, keys, revocation lists.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use irgw_core::Environment;
use irgw_tests::{Dev, Local};
use libtest_mimic::{Completion, Trial};

use crate::curl::{provider, token};
use crate::environments::{Environments, ensure, eventually, installed, program, ran, text};
use crate::forwarding::ask;
use crate::{Result, skipped};

/// Files are looked at twice a second.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) fn trials(environments: &Arc<Environments>) -> Vec<Trial> {
    let trial = |name: &str, body: fn(&Local) -> Result| {
        let environments = environments.clone();
        Trial::ignorable_test(format!("files::{name}"), move || {
            if let Some(absent) = ["openssl", "curl"].into_iter().find(|needed| installed(needed).is_none()) {
                return Ok(skipped(&format!("{absent} is not installed")));
            }
            body(&*environments.local(Environment::Test)?)
        })
    };
    vec![
        trial("half_written_certificate_keeps_the_old_one", half_written_certificate_keeps_the_old_one),
        trial("malformed_revocation_list_keeps_the_old_one", malformed_revocation_list_keeps_the_old_one),
        trial("key_that_others_may_read_is_refused", key_that_others_may_read_is_refused),
        trial("session_keys_are_never_logged", session_keys_are_never_logged),
    ]
}

/// A folder of the trial's own below the environment's, with copies of these files of its PKI.
fn copies(local: &Local, name: &str, files: &[&str]) -> Result<PathBuf> {
    let folder = local.folder().join(name);
    fs::create_dir_all(&folder)?;
    for file in files {
        fs::copy(local.folder().join("pki").join(file), folder.join(file))?;
    }
    Ok(folder)
}

/// The thumbprint of the certificate that a listener shows.
fn shown(dev: &Dev) -> Result<String> {
    let first = provider(dev, 0)?;
    let address = dev.listeners.cloud.base_url.trim_start_matches("https://");
    let mut client = Command::new("openssl");
    client.args(["s_client", "-connect", address, "-servername", "localhost"]);
    client.args(["-cert", text(&first.certificate), "-key", text(&first.key)]);
    let client = ran(&mut client)?;
    let pem = client
        .out
        .split_once("-----BEGIN CERTIFICATE-----")
        .and_then(|(_, rest)| rest.split_once("-----END"));
    Ok(pem.map(|(pem, _)| pem.to_owned()).unwrap_or_default())
}

/// A19.
fn half_written_certificate_keeps_the_old_one(local: &Local) -> Result {
    let folder = copies(local, "reload", &["server.crt", "server.key", "root.crt", "root.key"])?;
    let overlay = "[[listener]]\ncertificate = \"reload/server.crt\"\nkey = \"reload/server.key\"\n";
    let (dev, _gateway) = local.serve("reloading", overlay.parse()?)?;
    let log = local.folder().join("reloading.log");
    let before = shown(&dev)?;
    ensure(!before.is_empty(), || "no certificate is shown".into())?;
    let (certificate, key) = (folder.join("server.crt"), folder.join("server.key"));
    let (new_certificate, new_key) = (folder.join("new.crt"), folder.join("new.key"));
    let made = ran(Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "30",
        ])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-CA", text(&folder.join("root.crt")), "-CAkey", text(&folder.join("root.key"))])
        .args(["-keyout", text(&new_key), "-out", text(&new_certificate)]))?;
    ensure(made.code == Some(0), || made.err.clone())?;
    let new = fs::read(&new_certificate)?;
    fs::write(&certificate, new.get(..new.len() / 2).unwrap_or_default())?;
    alarmed(&log, "certificate")?;
    ensure(shown(&dev)? == before, || "the old certificate is no longer shown".into())?;
    // The whole certificate beside the old key is a mismatched pair.
    let alarms = alarms(&log, "certificate")?;
    fs::write(&certificate, &new)?;
    eventually(PATIENCE, || alarms_since(&log, "certificate", alarms), |more| *more)?;
    ensure(shown(&dev)? == before, || "a certificate without its key is shown".into())?;
    fs::copy(&new_key, &key)?;
    eventually(PATIENCE, || shown(&dev), |now| !now.is_empty() && *now != before)?;
    let (status, answer) = ask(&dev, "/gateway/account/1", &token(provider(&dev, 0)?)?, &[])?;
    ensure(status == "200", || answer)?;
    Ok(Completion::Completed)
}

/// A14.
fn malformed_revocation_list_keeps_the_old_one(local: &Local) -> Result {
    let folder = copies(local, "lists", &["issuer.crl"])?;
    let (dev, _gateway) = local.serve("lists", "[[root]]\ncrl = [\"lists/issuer.crl\"]\n".parse()?)?;
    let log = local.folder().join("lists.log");
    let token = token(provider(&dev, 0)?)?;
    let list = folder.join("issuer.crl");
    let good = fs::read(&list)?;
    for bad in [good.get(..good.len() / 2).unwrap_or_default(), b"garbage", b""] {
        let before = alarms(&log, "revocation")?;
        fs::write(&list, bad)?;
        eventually(PATIENCE, || alarms_since(&log, "revocation", before), |more| *more)?;
        let (status, answer) = ask(&dev, "/gateway/account/1", &token, &[])?;
        ensure(status == "200", || answer)?;
    }
    Ok(Completion::Completed)
}

/// How many times the log says that something cannot be used.
fn alarms(log: &Path, what: &str) -> Result<usize> {
    let log = fs::read_to_string(log)?;
    Ok(log.lines().filter(|line| line.contains(" ERROR ") && line.contains(what)).count())
}

fn alarms_since(log: &Path, what: &str, before: usize) -> Result<bool> {
    Ok(alarms(log, what)? > before)
}

fn alarmed(log: &Path, what: &str) -> Result<()> {
    eventually(PATIENCE, || alarms_since(log, what, 0), |more| *more).map(|_| ())
}

/// A20.
fn key_that_others_may_read_is_refused(local: &Local) -> Result {
    let folder = copies(local, "readable", &["server.crt", "server.key"])?;
    fs::set_permissions(folder.join("server.key"), fs::Permissions::from_mode(0o644))?;
    let good = fs::read_to_string(local.folder().join("irgw.toml"))?;
    let config = local.folder().join("readable.toml");
    fs::write(&config, good.replacen("key = \"pki/server.key\"", "key = \"readable/server.key\"", 1))?;
    let checked = crate::environments::irgw(&["check", "--config", text(&config)])?;
    let named = checked.err.contains("listener[0].key") && checked.err.contains("0644");
    ensure(checked.code == Some(2) && named, || format!("{:?} {}", checked.code, checked.err))?;
    Ok(Completion::Completed)
}

/// A20.
fn session_keys_are_never_logged(local: &Local) -> Result {
    let keys = local.folder().join("session.keys");
    let config = local.folder().join("irgw.toml");
    let mut command = program()?.command();
    let serve = ran(command.env("SSLKEYLOGFILE", &keys).args(["serve", "--config", text(&config)]))?;
    let named = serve.err.contains("SSLKEYLOGFILE");
    ensure(serve.code == Some(2) && named, || format!("{:?} {}", serve.code, serve.err))?;
    ensure(!keys.exists(), || "session keys are logged".into())?;
    Ok(Completion::Completed)
}
