//! `openssl s_client` as the caller: every suite that it knows, and the old versions.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;

use irgw_core::Environment;
use irgw_tests::{Dev, Listener, Local};
use libtest_mimic::{Completion, Trial};

use crate::environments::{Environments, ensure, installed, ran, text};
use crate::tools::provider;
use crate::{Result, skipped};

/// The profile's six, as openssl names them (TLS-2).
const SIX: [&str; 6] = [
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
];

pub(crate) fn trials(environments: &Arc<Environments>) -> Vec<Trial> {
    let trial = |name: &str, body: fn(&Local) -> Result| {
        let environments = environments.clone();
        Trial::ignorable_test(format!("openssl::{name}"), move || {
            if installed("openssl").is_none() {
                return Ok(skipped("openssl is not installed"));
            }
            body(&*environments.local(Environment::Test)?)
        })
    };
    vec![
        trial("exactly_six_suites_are_accepted", exactly_six_suites_are_accepted),
        trial("old_versions_are_refused", old_versions_are_refused),
        trial("no_ticket_and_no_early_data_are_offered", no_ticket_and_no_early_data_are_offered),
        trial("renegotiation_is_refused", renegotiation_is_refused),
        trial("session_is_not_resumed", session_is_not_resumed),
    ]
}

/// `openssl s_client` to the cloud channel, as `providers[0]`.
fn s_client(dev: &Dev, more: &[&str]) -> Result<Command> {
    client(dev, &dev.listeners.cloud, more)
}

fn client(dev: &Dev, listener: &Listener, more: &[&str]) -> Result<Command> {
    let first = provider(dev, 0)?;
    let address = listener.base_url.trim_start_matches("https://");
    let (certificate, key) = (text(&first.certificate), text(&first.key));
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", address, "-servername", "localhost"]);
    command.args(["-CAfile", text(&listener.ca_file), "-verify_return_error"]);
    command.args(["-cert", certificate, "-cert_chain", certificate, "-key", key]).args(more);
    Ok(command)
}

/// The suite that was agreed on, if one was.
fn agreed(dev: &Dev, more: &[&str]) -> Result<Option<String>> {
    let ran = ran(&mut s_client(dev, more)?)?;
    let line = ran
        .out
        .lines()
        .find_map(|line| line.split_once(", Cipher is ").map(|(_, suite)| suite.trim().to_owned()));
    Ok(line.filter(|suite| suite != "(NONE)"))
}

fn suites(version: &str) -> Result<Vec<String>> {
    let listed =
        ran(Command::new("openssl").args(["ciphers", "-s", version, "ALL:COMPLEMENTOFALL@SECLEVEL=0"]))?;
    ensure(listed.code == Some(0), || listed.err.clone())?;
    Ok(listed.out.trim().split(':').map(str::to_owned).collect())
}

/// A02.
fn exactly_six_suites_are_accepted(local: &Local) -> Result {
    let dev = local.dev();
    let mut accepted = BTreeSet::new();
    let mut tried = 0;
    for suite in suites("-tls1_2")? {
        let offered = format!("{suite}@SECLEVEL=0");
        accepted.extend(agreed(dev, &["-tls1_2", "-cipher", &offered])?);
        tried += 1;
    }
    for suite in [
        "TLS_AES_128_GCM_SHA256",
        "TLS_AES_256_GCM_SHA384",
        "TLS_CHACHA20_POLY1305_SHA256",
        "TLS_AES_128_CCM_SHA256",
        "TLS_AES_128_CCM_8_SHA256",
    ] {
        accepted.extend(agreed(dev, &["-tls1_3", "-ciphersuites", suite])?);
        tried += 1;
    }
    ensure(tried > 50, || format!("openssl offered only {tried} suites, which shows little"))?;
    ensure(accepted == SIX.map(str::to_owned).into(), || {
        format!("of {tried} suites these are accepted: {accepted:?}")
    })?;
    Ok(Completion::Completed)
}

/// A01.
fn old_versions_are_refused(local: &Local) -> Result {
    for version in ["-tls1", "-tls1_1"] {
        let suite = agreed(local.dev(), &[version, "-cipher", "ALL:@SECLEVEL=0"])?;
        ensure(suite.is_none(), || format!("{version} is accepted with {suite:?}"))?;
    }
    // So that a refusal shows something: the same way of asking is accepted for the versions that are spoken.
    for version in ["-tls1_2", "-tls1_3"] {
        let suite = agreed(local.dev(), &[version, "-cipher", "ALL:@SECLEVEL=0"])?;
        ensure(suite.is_some(), || format!("{version} is refused"))?;
    }
    Ok(Completion::Completed)
}

/// A03, A15: on the one-way listener too, so that no ticket of its can be shown to the other.
fn no_ticket_and_no_early_data_are_offered(local: &Local) -> Result {
    let listeners = &local.dev().listeners;
    for listener in [&listeners.cloud, &listeners.desktop] {
        // The answer to a request comes after any ticket, so that what is not there was not sent.
        let shown = answered(&mut client(local.dev(), listener, &["-tls1_3", "-ign_eof"])?)?;
        ensure(shown.contains("HTTP/1.1 4"), || format!("no answer: {shown}"))?;
        ensure(!shown.contains("TLS session ticket:"), || "a session ticket is offered".into())?;
        ensure(!shown.contains("Max Early Data: 1"), || "early data are offered".into())?;
    }
    Ok(Completion::Completed)
}

/// A03.
fn renegotiation_is_refused(local: &Local) -> Result {
    // "R" at the beginning of a line asks openssl to renegotiate.
    let (_, errors) = piped(&mut s_client(local.dev(), &["-tls1_2"])?, b"R\n")?;
    let refused =
        errors.split_once("RENEGOTIATING").is_some_and(|(_, then)| then.contains("no renegotiation"));
    ensure(refused, || format!("renegotiation is not refused: {errors}"))?;
    Ok(Completion::Completed)
}

/// A15.
fn session_is_not_resumed(local: &Local) -> Result {
    for version in ["-tls1_2", "-tls1_3"] {
        let session = local.folder().join(format!("session{version}.pem"));
        let first =
            answered(&mut s_client(local.dev(), &[version, "-ign_eof", "-sess_out", text(&session)])?)?;
        ensure(first.contains("HTTP/1.1 4"), || format!("{version}: no answer: {first}"))?;
        if session.exists() {
            let shown =
                answered(&mut s_client(local.dev(), &[version, "-ign_eof", "-sess_in", text(&session)])?)?;
            ensure(shown.contains("HTTP/1.1 4"), || format!("{version}: no second answer: {shown}"))?;
            ensure(!shown.contains("Reused, "), || format!("{version}: the session is resumed"))?;
        }
    }
    Ok(Completion::Completed)
}

/// Sends a request without a token and shows all that openssl says.
fn answered(command: &mut Command) -> Result<String> {
    let request = b"GET /gateway/account/1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let (out, errors) = piped(command, request)?;
    Ok(out + &errors)
}

/// Runs openssl with this input: its standard output and its error output.
fn piped(command: &mut Command, input: &[u8]) -> Result<(String, String)> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    if let Some(mut pipe) = child.stdin.take() {
        pipe.write_all(input)?;
    }
    let output = child.wait_with_output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((text(&output.stdout), text(&output.stderr)))
}
