//! `openssl s_client` as the caller: every suite that it knows, old versions, renegotiation, resumption.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::trial::{Came, Trial, ensure, installed, survived};
use crate::dev::{Dev, Listener};
use crate::{Error, Target};

pub(super) const TRIALS: &[Trial] = &[
    Trial {
        name: "openssl::old_versions_are_refused",
        attacks: &["A01"],
        title: "TLS 1.0 and TLS 1.1 are refused where TLS 1.2 and TLS 1.3 are accepted",
        body: |target| with_openssl(target, old_versions_are_refused),
    },
    Trial {
        name: "openssl::exactly_six_suites_are_accepted",
        attacks: &["A02"],
        title: "Of all suites that openssl can offer exactly the profile's six are accepted",
        body: |target| with_openssl(target, exactly_six_suites_are_accepted),
    },
    Trial {
        name: "openssl::no_ticket_and_no_early_data_are_offered",
        attacks: &["A03", "A15"],
        title: "Neither listener offers a session ticket or early data",
        body: |target| with_openssl(target, no_ticket_and_no_early_data_are_offered),
    },
    Trial {
        name: "openssl::renegotiation_is_refused",
        attacks: &["A03"],
        title: "A client that asks to renegotiate is refused",
        body: |target| with_openssl(target, renegotiation_is_refused),
    },
    Trial {
        name: "openssl::session_is_not_resumed",
        attacks: &["A15"],
        title: "A session that openssl kept is not resumed",
        body: |target| with_openssl(target, session_is_not_resumed),
    },
    Trial {
        name: "openssl::server_name_opens_nothing",
        attacks: &["A04", "A17"],
        title: "Whatever server name is asked for, the cloud channel asks for a certificate",
        body: |target| with_openssl(target, server_name_opens_nothing),
    },
];

/// The profile's six, as openssl names them (TLS-2).
const SIX: [&str; 6] = [
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
];

fn with_openssl(target: &Target, body: fn(&Dev) -> Result<Came, Error>) -> Result<Came, Error> {
    match installed("openssl") {
        Some(_) => body(target.dev()),
        None => Ok(Came::NotRun("openssl is not installed".into())),
    }
}

/// `openssl s_client` to the cloud channel, as `providers[0]`.
fn s_client(dev: &Dev, more: &[&str]) -> Result<Command, Error> {
    client(dev, &dev.listeners.cloud, more)
}

fn client(dev: &Dev, listener: &Listener, more: &[&str]) -> Result<Command, Error> {
    let first = dev.providers.first().ok_or_else(|| Error::recipe("the target has no providers[0]"))?;
    let mut command = anybody(listener)?;
    command.args(["-verify_return_error", "-cert", text(&first.certificate)?]);
    command.args(["-cert_chain", text(&first.certificate)?, "-key", text(&first.key)?]).args(more);
    Ok(command)
}

/// The same without a certificate.
fn anybody(listener: &Listener) -> Result<Command, Error> {
    let address = listener.base_url.trim_start_matches("https://");
    let name = address.rsplit_once(':').map_or(address, |(name, _)| name);
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", address, "-servername", name, "-CAfile", text(&listener.ca_file)?]);
    Ok(command)
}

fn text(path: &Path) -> Result<&str, Error> {
    path.to_str().ok_or_else(|| Error::recipe(format_args!("{} is no text", path.display())))
}

/// The suite that was agreed on, if one was.
fn agreed(dev: &Dev, more: &[&str]) -> Result<Option<String>, Error> {
    let (out, _) = piped(&mut s_client(dev, more)?, b"")?;
    let line = out
        .lines()
        .find_map(|line| line.split_once(", Cipher is ").map(|(_, suite)| suite.trim().to_owned()));
    Ok(line.filter(|suite| suite != "(NONE)"))
}

fn suites(version: &str) -> Result<Vec<String>, Error> {
    let list = ["ciphers", "-s", version, "ALL:COMPLEMENTOFALL@SECLEVEL=0"];
    let (out, errors) = piped(Command::new("openssl").args(list), b"")?;
    ensure(!out.trim().is_empty(), || errors)?;
    Ok(out.trim().split(':').map(str::to_owned).collect())
}

fn exactly_six_suites_are_accepted(dev: &Dev) -> Result<Came, Error> {
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
    survived(format!("6 of {tried} suites are accepted"))
}

fn old_versions_are_refused(dev: &Dev) -> Result<Came, Error> {
    for version in ["-tls1", "-tls1_1"] {
        let suite = agreed(dev, &[version, "-cipher", "ALL:@SECLEVEL=0"])?;
        ensure(suite.is_none(), || format!("{version} is accepted with {suite:?}"))?;
    }
    // So that a refusal shows something: the same way of asking is accepted for the versions that are spoken.
    for version in ["-tls1_2", "-tls1_3"] {
        let suite = agreed(dev, &[version, "-cipher", "ALL:@SECLEVEL=0"])?;
        ensure(suite.is_some(), || format!("{version} is refused"))?;
    }
    survived("TLS 1.0 and 1.1 are refused, 1.2 and 1.3 accepted")
}

/// On the one-way listener too, so that no ticket of its can be shown to the other.
fn no_ticket_and_no_early_data_are_offered(dev: &Dev) -> Result<Came, Error> {
    for listener in [&dev.listeners.cloud, &dev.listeners.desktop] {
        // The answer to a request comes after any ticket, so that what is not there was not sent.
        let shown = answered(&mut client(dev, listener, &["-tls1_3", "-ign_eof"])?)?;
        ensure(shown.contains("HTTP/1.1 4"), || format!("no answer: {shown}"))?;
        ensure(!shown.contains("TLS session ticket:"), || "a session ticket is offered".into())?;
        ensure(!shown.contains("Max Early Data: 1"), || "early data are offered".into())?;
    }
    survived("no ticket and no early data on either listener")
}

fn renegotiation_is_refused(dev: &Dev) -> Result<Came, Error> {
    // "R" at the beginning of a line asks openssl to renegotiate.
    let (_, errors) = piped(&mut s_client(dev, &["-tls1_2"])?, b"R\n")?;
    let refused =
        errors.split_once("RENEGOTIATING").is_some_and(|(_, then)| then.contains("no renegotiation"));
    ensure(refused, || format!("renegotiation is not refused: {errors}"))?;
    survived("no renegotiation")
}

fn session_is_not_resumed(dev: &Dev) -> Result<Came, Error> {
    for version in ["-tls1_2", "-tls1_3"] {
        let name = format!("irgw-tests-session{version}-{}.pem", std::process::id());
        let session = std::env::temp_dir().join(name);
        let kept = text(&session)?;
        let first = answered(&mut s_client(dev, &[version, "-ign_eof", "-sess_out", kept])?)?;
        ensure(first.contains("HTTP/1.1 4"), || format!("{version}: no answer: {first}"))?;
        if session.exists() {
            let shown = answered(&mut s_client(dev, &[version, "-ign_eof", "-sess_in", kept])?);
            std::fs::remove_file(&session).map_err(Error::file(&session))?;
            let shown = shown?;
            ensure(shown.contains("HTTP/1.1 4"), || format!("{version}: no second answer: {shown}"))?;
            ensure(!shown.contains("Reused, "), || format!("{version}: the session is resumed"))?;
        }
    }
    survived("the second handshake was a full one, in both versions")
}

fn server_name_opens_nothing(dev: &Dev) -> Result<Came, Error> {
    let names = ["localhost", "LOCALHOST", "other.example", "*.example", "desktop", "127.0.0.1.example"];
    for name in names {
        let mut command = anybody(&dev.listeners.cloud)?;
        let (_, errors) = piped(command.args(["-servername", name, "-tls1_2"]), b"")?;
        ensure(errors.contains("alert"), || format!("{name}: no certificate is asked for: {errors}"))?;
    }
    survived(format!("{} server names, and none opens the channel without a certificate", names.len()))
}

/// Sends a request without a token and shows all that openssl says.
fn answered(command: &mut Command) -> Result<String, Error> {
    let request = b"GET /gateway/account/1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let (out, errors) = piped(command, request)?;
    Ok(out + &errors)
}

/// Runs openssl with this input: its standard output and its error output.
fn piped(command: &mut Command, input: &[u8]) -> Result<(String, String), Error> {
    let broken = |error: std::io::Error| Error::Target(format!("openssl: {error}"));
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(broken)?;
    if let Some(mut pipe) = child.stdin.take() {
        // It may have ended before it read anything.
        let _ = pipe.write_all(input);
    }
    let output = child.wait_with_output().map_err(broken)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((text(&output.stdout), text(&output.stderr)))
}
