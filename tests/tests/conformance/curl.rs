//! curl as the caller: what a newcomer types first.

use std::sync::Arc;

use irgw_core::Environment;
use irgw_tests::{Dev, Local};
use libtest_mimic::{Completion, Trial};

use crate::environments::{Environments, ensure, installed};
use crate::tools::curl;
pub(crate) use crate::tools::{provider, token};
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
        let answer = curl(dev, Some(first), &account(dev), &more)?;
        ensure(answer.status == "200", || format!("{version}: {} {}", answer.status, answer.text))?;
    }
    Ok(Completion::Completed)
}

fn no_certificate_gets_no_answer(local: &Local) -> Result {
    let answer = curl(local.dev(), None, &account(local.dev()), &[])?;
    ensure(answer.status == "000" && answer.code != Some(0), || {
        format!("{} {}", answer.status, answer.text)
    })?;
    Ok(Completion::Completed)
}

fn bearer_before_the_token_gets_ev1020(local: &Local) -> Result {
    let first = provider(local.dev(), 0)?;
    let authorization = format!("Authorization: Bearer {}", token(first)?);
    let answer = curl(local.dev(), Some(first), &account(local.dev()), &["-H", &authorization])?;
    ensure(answer.status == "400" && answer.text.contains("EV1020"), || {
        format!("{} {}", answer.status, answer.text)
    })?;
    Ok(Completion::Completed)
}

fn another_providers_token_gets_ev1022(local: &Local) -> Result {
    let (first, second) = (provider(local.dev(), 0)?, provider(local.dev(), 1)?);
    let authorization = format!("Authorization: {}", token(second)?);
    let answer = curl(local.dev(), Some(first), &account(local.dev()), &["-H", &authorization])?;
    ensure(answer.status == "403" && answer.text.contains("EV1022"), || {
        format!("{} {}", answer.status, answer.text)
    })?;
    Ok(Completion::Completed)
}

fn http2_is_spoken(local: &Local) -> Result {
    let first = provider(local.dev(), 0)?;
    let authorization = format!("Authorization: {}", token(first)?);
    let answer = curl(local.dev(), Some(first), &account(local.dev()), &["--http2", "-H", &authorization])?;
    ensure(answer.version == "2", || format!("HTTP/{}", answer.version))?;
    Ok(Completion::Completed)
}

fn desktop_asks_for_no_certificate(local: &Local) -> Result {
    let url = format!("{}/gateway2/gws/returns/1", local.dev().listeners.desktop.base_url);
    let answer = curl(local.dev(), None, &url, &[])?;
    ensure(answer.status == "401" && answer.text.contains("<statusCode>2<"), || {
        format!("{} {}", answer.status, answer.text)
    })?;
    Ok(Completion::Completed)
}
