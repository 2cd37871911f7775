//! Changes of enrolment by another process while the gateway runs: in force within a second, on open connections too.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use irgw_core::Environment;
use irgw_tests::{Case, CaseText, Local, Outcome, Skips, Target, attempt};
use libtest_mimic::{Completion, Trial};

use crate::environments::{Environments, ensure, eventually, installed, irgw, ran, text};
use crate::tools::{P256, certificate, irgw_in, sign};
use crate::{Result, skipped};

/// TLS-10: a change is in force within a second.
const ONE_SECOND: Duration = Duration::from_secs(1);

pub(crate) fn trials(environments: &Arc<Environments>) -> Vec<Trial> {
    let trial = |name: &str, body: fn(&Local, &Target) -> Result| {
        let environments = environments.clone();
        Trial::ignorable_test(format!("enrolment::{name}"), move || {
            if installed("openssl").is_none() {
                return Ok(skipped("openssl is not installed"));
            }
            let (local, target) =
                (environments.local(Environment::Test)?, environments.target(Environment::Test)?);
            body(&local, &target)
        })
    };
    vec![
        trial("certificate_revoked_on_an_open_connection", certificate_revoked_on_an_open_connection),
        trial("provider_revoked_on_an_open_connection", provider_revoked_on_an_open_connection),
        trial("signing_certificate_rolls_over_and_is_revoked", signing_certificate_rolls_over_and_is_revoked),
        trial("link_ended_on_an_open_connection", link_ended_on_an_open_connection),
        trial("issuer_pinned_to_another_authority", issuer_pinned_to_another_authority),
        trial("credentials_of_another_environment", credentials_of_another_environment),
    ]
}

/// Runs an enrolment command that must succeed.
fn enrol(local: &Local, arguments: &[&str]) -> Result<String> {
    let ran = irgw_in(local, arguments)?;
    ensure(ran.code == Some(0), || format!("irgw {}: {}", arguments.join(" "), ran.err))?;
    Ok(ran.out)
}

/// A provider of the trial's own, with a Common Name that opens the customer-service.
fn new_provider(local: &Local, id: &str) -> Result<String> {
    enrol(local, &["provider", "add", id, "--acts-for-itself"])?;
    let domain = format!("{id}.example.nz");
    let grant = ["--grant", "customer-service"];
    let out = enrol(
        local,
        &[&["credential", "add", "client-cert", "--provider", id, "--assign", &domain], &grant[..]].concat(),
    )?;
    let name = out.split_whitespace().find(|word| word.contains(".irgws.") || word.contains(".irdgws."));
    Ok(name
        .ok_or_else(|| format!("no Common Name in {out:?}"))?
        .trim_matches(['"', ',', '.', ':'])
        .to_owned())
}

/// What a caller with a certificate of this Common Name, issued by the client CA, is given.
fn given(common_name: &str, token: &str, path: &str) -> Result<CaseText> {
    let text = format!(
        "rule = \"TLS-10\"\ntitle = \"t\"\n[given.certificate]\ncommon_names = [\"{common_name}\"]\n\
         [given.request]\npath = \"{path}\"\n{token}\n[expect]\nstatus = 200\n"
    );
    Ok(toml::from_str(&text)?)
}

const CERTIFICATE_ONLY: &str = "/gateway/customer-service/1";

/// Asks over new connections until the status is `expected`, for at most a second.
fn new_connections(target: &Target, case: &CaseText, expected: u16) -> Result<()> {
    let ask = || Ok(target.open(&case.given).and_then(|mut session| session.ask())?);
    eventually(ONE_SECOND, ask, |(status, _)| *status == expected).map(|_| ())
}

/// TLS-10, A16.
fn certificate_revoked_on_an_open_connection(local: &Local, target: &Target) -> Result {
    let name = new_provider(local, "rata-revoked")?;
    let case = given(&name, "", CERTIFICATE_ONLY)?;
    new_connections(target, &case, 200)?;
    let mut open = target.open(&case.given)?;
    ensure(open.ask()?.0 == 200, || "the open connection does not work".into())?;
    enrol(local, &["credential", "revoke", "client-cert", &name])?;
    let (_, body) = eventually(ONE_SECOND, || Ok(open.ask()?), |(status, _)| *status != 200)?;
    ensure(body.is_empty(), || format!("a revoked caller is told {body:?} (ENV-5)"))?;
    new_connections(target, &case, 403)?;
    Ok(Completion::Completed)
}

/// TLS-10, A16: what ends all that a provider has.
fn provider_revoked_on_an_open_connection(local: &Local, target: &Target) -> Result {
    let name = new_provider(local, "miro-revoked")?;
    let case = given(&name, "", CERTIFICATE_ONLY)?;
    new_connections(target, &case, 200)?;
    let mut open = target.open(&case.given)?;
    ensure(open.ask()?.0 == 200, || "the open connection does not work".into())?;
    enrol(local, &["credential", "revoke", "provider", "miro-revoked"])?;
    eventually(ONE_SECOND, || Ok(open.ask()?), |(status, _)| *status == 403)?;
    Ok(Completion::Completed)
}

/// A self-signed signing certificate by openssl: the paths of its key and itself, and its thumbprint.
fn signing_certificate(local: &Local, name: &str) -> Result<(String, String, String)> {
    let (key, certificate) = certificate(local.folder(), name, P256, "30", &[])?;
    let mut show = Command::new("openssl");
    let shown = ran(show.args(["x509", "-in", &certificate, "-noout", "-fingerprint", "-sha256"]))?;
    let thumbprint = shown.out.rsplit('=').next().unwrap_or_default().trim().replace(':', "");
    Ok((key, certificate, thumbprint))
}

/// M2M-8, B23: both certificates are good during roll-over; a revoked one is refused though its token has not expired.
fn signing_certificate_rolls_over_and_is_revoked(local: &Local, target: &Target) -> Result {
    let name = new_provider(local, "totara")?;
    let (old_key, old, old_thumbprint) = signing_certificate(local, "totara-old")?;
    let (new_key, new, _) = signing_certificate(local, "totara-new")?;
    let (_, third, _) = signing_certificate(local, "totara-third")?;
    let issuer = "https://totara.example.nz";
    enrol(
        local,
        &[
            "credential",
            "add",
            "signing-cert",
            "--owner",
            "totara",
            "--issuer",
            issuer,
            "--certificate",
            &old,
        ],
    )?;
    let header = |token: &str| format!("headers = [\"Authorization: {token}\"]");
    let (with_old, with_new) = (sign(&old_key, &old, issuer)?, sign(&new_key, &new, issuer)?);
    let with_old = given(&name, &header(&with_old), "/gateway/account/1")?;
    let with_new = given(&name, &header(&with_new), "/gateway/account/1")?;
    new_connections(target, &with_old, 200)?;
    new_connections(target, &with_new, 400)?;
    enrol(local, &["credential", "rotate", &old_thumbprint, "--certificate", &new])?;
    new_connections(target, &with_new, 200)?;
    let mut open = target.open(&with_old.given)?;
    ensure(open.ask()?.0 == 200, || "the old certificate is refused during the roll-over".into())?;
    let refused = irgw_in(local, &["credential", "rotate", &old_thumbprint, "--certificate", &third])?;
    ensure(refused.code == Some(1) && refused.err.contains("M2M-8"), || {
        format!("a third certificate: {}", refused.err)
    })?;
    enrol(local, &["credential", "revoke", "signing-cert", &old_thumbprint])?;
    let (status, body) = eventually(ONE_SECOND, || Ok(open.ask()?), |(status, _)| *status != 200)?;
    ensure(status == 400 && body.contains("EV1020"), || format!("{status} {body}"))?;
    new_connections(target, &with_new, 200)?;
    Ok(Completion::Completed)
}

/// M2M-9: the provider no longer acts for the resource owner.
fn link_ended_on_an_open_connection(local: &Local, target: &Target) -> Result {
    let name = new_provider(local, "matai")?;
    let (key, certificate, _) = signing_certificate(local, "matai")?;
    let add = [
        "credential",
        "add",
        "signing-cert",
        "--owner",
        "matai",
        "--issuer",
        "matai",
        "--certificate",
        &certificate,
    ];
    enrol(local, &add)?;
    let token = sign(&key, &certificate, "matai")?;
    let case = given(&name, &format!("headers = [\"Authorization: {token}\"]"), "/gateway/account/1")?;
    new_connections(target, &case, 200)?;
    let mut open = target.open(&case.given)?;
    ensure(open.ask()?.0 == 200, || "the open connection does not work".into())?;
    enrol(local, &["provider", "unlink", "matai", "--acts-for", "matai"])?;
    let (_, body) = eventually(ONE_SECOND, || Ok(open.ask()?), |(status, _)| *status == 403)?;
    ensure(body.contains("EV1022"), || body.clone())?;
    Ok(Completion::Completed)
}

/// TLS-7, A12: the right name from an approved authority that is not the pinned one.
fn issuer_pinned_to_another_authority(local: &Local, target: &Target) -> Result {
    enrol(local, &["provider", "add", "kauri"])?;
    let ca = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"];
    let (_, other) = certificate(local.folder(), "another-authority", P256, "30", &ca)?;
    let own = &local.dev().client_ca.certificate;
    for (pin, expected) in [(text(own), 200), (other.as_str(), 403)] {
        let added = enrol(
            local,
            &[
                &["credential", "add", "client-cert", "--provider", "kauri"][..],
                &["--assign", "kauri.example.nz", "--pin-issuer", pin, "--grant", "customer-service"],
            ]
            .concat(),
        )?;
        let name = added.split_whitespace().find(|word| word.contains(".irdgws.")).ok_or("no Common Name")?;
        let case = given(name.trim_matches(['"', ',', ':']), "", CERTIFICATE_ONLY)?;
        new_connections(target, &case, expected)?;
        if expected == 403 {
            eventually(ONE_SECOND, || Ok(judged(target, &case, "TLS-7").is_ok()), |known| *known)?;
        }
    }
    Ok(Completion::Completed)
}

/// The audit record names the rule.
fn judged(target: &Target, case: &CaseText, rule: &str) -> Result<()> {
    let mut text = case.clone();
    text.rule = rule.parse()?;
    text.expect = toml::from_str("status = 403\nbody = \"\"\n")?;
    let result = attempt(target, &Case { name: format!("enrolment/{rule}"), text }, &Skips::default());
    match result.outcome {
        Outcome::Passed { .. } => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

/// ENV-2, A13, B21: what is enrolled in prod is refused in test, and cannot be enrolled in both.
fn credentials_of_another_environment(local: &Local, target: &Target) -> Result {
    let text_of = std::fs::read_to_string(local.folder().join("irgw.toml"))?;
    let prod = local.folder().join("as-prod.toml");
    std::fs::write(&prod, text_of.replace("environment = \"test\"", "environment = \"prod\""))?;
    let in_prod = |arguments: &[&str]| irgw(&[arguments, &["--config", text(&prod)]].concat());
    enrol(local, &["provider", "add", "puriri", "--acts-for-itself"])?;
    let name = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f.irdgws.puriri.nz";
    let add = ["credential", "add", "client-cert", "--provider", "puriri", "--common-name", name];
    let added = in_prod(&add)?;
    ensure(added.code == Some(0), || added.err.clone())?;
    let case = given(name, "", CERTIFICATE_ONLY)?;
    new_connections(target, &case, 403)?;
    // The registry may still have to learn of it, and says "not enrolled" until then.
    eventually(ONE_SECOND * 2, || Ok(judged(target, &case, "ENV-2").is_ok()), |known| *known)?;
    let again = irgw_in(local, &add)?;
    ensure(again.code == Some(1) && again.err.contains("ENV-2"), || {
        format!("the same name in test: {}", again.err)
    })?;
    let (_, certificate, _) = signing_certificate(local, "puriri")?;
    let add = [
        "credential",
        "add",
        "signing-cert",
        "--owner",
        "puriri",
        "--issuer",
        "puriri",
        "--certificate",
        &certificate,
    ];
    let added = in_prod(&add)?;
    ensure(added.code == Some(0), || added.err.clone())?;
    let again = irgw_in(local, &add)?;
    ensure(again.code == Some(1) && again.err.contains("ENV-2"), || {
        format!("the same key in test: {}", again.err)
    })?;
    Ok(Completion::Completed)
}
