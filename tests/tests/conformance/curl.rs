//! curl as the caller: what a newcomer types first.

use std::process::Command;
use std::sync::Arc;

use irgw_core::Environment;
use irgw_tests::{Dev, Local, Provider};
use libtest_mimic::{Completion, Failed, Trial};

use crate::environments::{Environments, ensure, installed, irgw, ran, text};
use crate::{Result, skipped};

pub(crate) fn trials(environments: &Arc<Environments>) -> Vec<Trial> {
    let trial = |name: &str, body: fn(&Local) -> Result| {
        let environments = environments.clone();
        Trial::ignorable_test(format!("curl::{name}"), move || {
            if installed("curl").is_none() {
                return Ok(skipped("curl is not installed"));
            }
            body(&*environments.local(Environment::Test)?)
        })
    };
    vec![
        trial("good_token_gets_200", good_token_gets_200),
        trial("no_certificate_gets_no_answer", no_certificate_gets_no_answer),
        trial("bearer_before_the_token_gets_ev1020", bearer_before_the_token_gets_ev1020),
        trial("another_providers_token_gets_ev1022", another_providers_token_gets_ev1022),
        trial("http2_is_spoken", http2_is_spoken),
        trial("desktop_asks_for_no_certificate", desktop_asks_for_no_certificate),
    ]
}

/// A provider, or an error that says that the target has none.
pub(crate) fn provider(dev: &Dev, index: usize) -> Result<&Provider> {
    dev.providers.get(index).ok_or_else(|| Failed::from(format!("the environment has no providers[{index}]")))
}

/// A token that `irgw m2m sign` makes for a provider's first signing certificate.
pub(crate) fn token(provider: &Provider) -> Result<String> {
    let signing = provider.signing.first().ok_or("no signing certificate")?;
    let (key, certificate) = (text(&signing.key), text(&signing.certificate));
    let signed =
        irgw(&["m2m", "sign", "--key", key, "--certificate", certificate, "--issuer", &signing.issuer])?;
    ensure(signed.code == Some(0), || format!("irgw m2m sign: {}", signed.err))?;
    Ok(signed.out.trim().to_owned())
}

/// What curl's last line says: the status, the protocol and the number of TLS connections that failed.
struct Answer {
    status: String,
    version: String,
    body: String,
    code: Option<i32>,
}

fn curl(dev: &Dev, path: &str, certificate: Option<&Provider>, more: &[&str]) -> Result<Answer> {
    let mut command = Command::new("curl");
    command.args([
        "--silent",
        "--show-error",
        "--max-time",
        "20",
        "--write-out",
        "\n%{http_code} %{http_version}",
    ]);
    command.args(["--cacert", text(&dev.listeners.cloud.ca_file)]);
    if let Some(provider) = certificate {
        command.args(["--cert", text(&provider.certificate), "--key", text(&provider.key)]);
    }
    let ran = ran(command.args(more).arg(path))?;
    let (body, line) = ran.out.rsplit_once('\n').unwrap_or(("", &ran.out));
    let (status, version) = line.split_once(' ').unwrap_or((line, ""));
    Ok(Answer { status: status.into(), version: version.into(), body: body.into(), code: ran.code })
}

fn account(dev: &Dev) -> String {
    format!("{}/gateway/account/1", dev.listeners.cloud.base_url)
}

fn good_token_gets_200(local: &Local) -> Result {
    let dev = local.dev();
    let first = provider(dev, 0)?;
    let authorization = format!("Authorization: {}", token(first)?);
    for version in ["--http1.1", "--http2", "--tls-max"] {
        let more: Vec<&str> = match version {
            "--tls-max" => vec!["--tls-max", "1.2", "-H", &authorization],
            other => vec![other, "-H", &authorization],
        };
        let answer = curl(dev, &account(dev), Some(first), &more)?;
        ensure(answer.status == "200", || format!("{version}: {} {}", answer.status, answer.body))?;
    }
    Ok(Completion::Completed)
}

fn no_certificate_gets_no_answer(local: &Local) -> Result {
    let answer = curl(local.dev(), &account(local.dev()), None, &[])?;
    ensure(answer.status == "000" && answer.code != Some(0), || {
        format!("{} {}", answer.status, answer.body)
    })?;
    Ok(Completion::Completed)
}

fn bearer_before_the_token_gets_ev1020(local: &Local) -> Result {
    let first = provider(local.dev(), 0)?;
    let authorization = format!("Authorization: Bearer {}", token(first)?);
    let answer = curl(local.dev(), &account(local.dev()), Some(first), &["-H", &authorization])?;
    ensure(answer.status == "400" && answer.body.contains("EV1020"), || {
        format!("{} {}", answer.status, answer.body)
    })?;
    Ok(Completion::Completed)
}

fn another_providers_token_gets_ev1022(local: &Local) -> Result {
    let (first, second) = (provider(local.dev(), 0)?, provider(local.dev(), 1)?);
    let authorization = format!("Authorization: {}", token(second)?);
    let answer = curl(local.dev(), &account(local.dev()), Some(first), &["-H", &authorization])?;
    ensure(answer.status == "403" && answer.body.contains("EV1022"), || {
        format!("{} {}", answer.status, answer.body)
    })?;
    Ok(Completion::Completed)
}

fn http2_is_spoken(local: &Local) -> Result {
    let first = provider(local.dev(), 0)?;
    let authorization = format!("Authorization: {}", token(first)?);
    let answer = curl(local.dev(), &account(local.dev()), Some(first), &["--http2", "-H", &authorization])?;
    ensure(answer.version == "2", || format!("HTTP/{}", answer.version))?;
    Ok(Completion::Completed)
}

fn desktop_asks_for_no_certificate(local: &Local) -> Result {
    let url = format!("{}/gateway2/gws/returns/1", local.dev().listeners.desktop.base_url);
    let answer = curl(local.dev(), &url, None, &[])?;
    ensure(answer.status == "401" && answer.body.contains("<statusCode>2<"), || {
        format!("{} {}", answer.status, answer.body)
    })?;
    Ok(Completion::Completed)
}
