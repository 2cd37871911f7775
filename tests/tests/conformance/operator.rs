//! What is the operator's: figures that nobody else reads, and a log that nobody changes unseen.

use std::sync::Arc;

use irgw_core::Environment;
use irgw_tests::Local;
use libtest_mimic::{Completion, Trial};

use crate::environments::{Environments, ensure, eventually, installed, irgw, text};
use crate::tools::{PATIENCE, ask, curl, provider, record_of, token};
use crate::{Result, skipped};

pub(crate) fn trials(environments: &Arc<Environments>) -> Vec<Trial> {
    let trial = |name: &str, body: fn(&Local) -> Result| {
        let environments = environments.clone();
        Trial::ignorable_test(format!("operator::{name}"), move || {
            if installed("curl").is_none() {
                return Ok(skipped("curl is not installed"));
            }
            body(&*environments.local(Environment::Test)?)
        })
    };
    vec![
        trial("metrics_need_the_operators_token", metrics_need_the_operators_token),
        trial("changed_audit_log_is_found_out", changed_audit_log_is_found_out),
    ]
}

/// G02.
fn metrics_need_the_operators_token(local: &Local) -> Result {
    let dev = local.dev();
    let operator = dev.listeners.operator.as_ref().ok_or("no operator's listener")?;
    let file = operator.token_file.as_ref().ok_or("no operator's token")?;
    let right = std::fs::read_to_string(file)?.trim().to_owned();
    let url = format!("{}/metrics", operator.base_url);
    let fields = |token: &str| format!("Authorization: {token}");
    for (field, expected) in [
        ("Accept: */*".to_owned(), "401"),
        (fields("Bearer wrong"), "401"),
        (fields("Bearer "), "401"),
        (fields(&right), "401"),
        (fields(&format!("Bearer {right}x")), "401"),
        (fields(&format!("Basic {right}")), "401"),
        (fields(&format!("Bearer {right}")), "200"),
    ] {
        let answer = curl(dev, None, &url, &["-H", &field])?;
        ensure(answer.status == expected, || format!("{expected} expected: {}", answer.text))?;
        ensure(answer.text.contains("# EOF") == (expected == "200"), || answer.text.clone())?;
    }
    Ok(Completion::Completed)
}

/// G10, GW-6.
fn changed_audit_log_is_found_out(local: &Local) -> Result {
    let (dev, gateway) = local.serve("to-be-changed", toml::Table::new())?;
    let token = token(provider(&dev, 0)?)?;
    for _ in 0..3 {
        let (_, answer) = ask(&dev, "/gateway/account/1", &token, &[])?;
        record_of(&dev, &answer)?;
    }
    let copy = local.folder().join("changed-audit.log");
    let verified = |bytes: &[u8]| {
        std::fs::write(&copy, bytes)?;
        irgw(&["audit", "verify", text(&copy)])
    };
    let whole = || Ok(std::fs::read(&dev.audit_log)?);
    // A batch ends in its seal, which is written with it.
    let log = eventually(PATIENCE, whole, |log| log.ends_with(b"}\n"))?;
    drop(gateway);
    let good = verified(&log)?;
    ensure(good.code == Some(0), || format!("unchanged: {}{}", good.out, good.err))?;
    let lines: Vec<&[u8]> = log.split_inclusive(|byte| *byte == b'\n').collect();
    ensure(lines.len() >= 6, || format!("{} lines, which shows little", lines.len()))?;
    for number in 0..lines.len() {
        let mut flipped = lines.concat();
        let at = lines.iter().take(number).map(|line| line.len()).sum::<usize>() + 20;
        flipped.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1);
        let found = verified(&flipped)?;
        ensure(found.code == Some(1) && found.err.contains("GW-6"), || {
            format!("a bit of line {}: {:?} {}", number + 1, found.code, found.err)
        })?;
    }
    let without: Vec<u8> =
        lines.iter().enumerate().filter(|(at, _)| *at != 2).flat_map(|(_, l)| l.to_vec()).collect();
    let found = verified(&without)?;
    ensure(found.code == Some(1), || format!("a line is gone: {:?} {}", found.code, found.err))?;
    Ok(Completion::Completed)
}
