//! What is the operator's: figures that nobody else reads, and a log that nobody changes unseen.

use std::sync::Arc;

use irgw_core::Environment;
use irgw_tests::Local;
use libtest_mimic::{Completion, Trial};
use serde_json::Value;

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
        trial("description_is_of_what_is_served", description_is_of_what_is_served),
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

/// Each path of `/openapi.json`, at the address that it names, is answered as it says; how a 404 lists them too.
fn description_is_of_what_is_served(local: &Local) -> Result {
    let dev = local.dev();
    let operator = dev.listeners.operator.as_ref().ok_or("no operator's listener")?;
    let at = |url: &str, more: &[&str]| curl(dev, None, url, more);
    let document = at(&format!("{}/openapi.json", operator.base_url), &[])?;
    let body = document.text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let document: Value = serde_json::from_str(body)?;
    let paths = document.get("paths").and_then(Value::as_object).ok_or("the description has no paths")?;
    let missing = at(&format!("{}/nowhere", operator.base_url), &[])?;
    for (path, item) in paths {
        let server = item.pointer("/servers/0/url").and_then(Value::as_str);
        ensure(server.is_some() || missing.text.contains(path), || format!("{path}: {}", missing.text))?;
        let url = format!("{}{path}", server.unwrap_or(&operator.base_url));
        for (method, operation) in
            item.as_object().into_iter().flatten().filter(|(name, _)| *name != "servers")
        {
            // Without credentials and parameters: each says so in a way that it describes, and none is unknown.
            let fields = if method == "post" { &["--data", ""][..] } else { &[] };
            let answer = at(&url, fields)?;
            let described = operation.pointer(&format!("/responses/{}", answer.status));
            ensure(described.is_some(), || format!("{method} {url}: {}", answer.text))?;
            let other = at(&url, &["--request", "DELETE"])?;
            let allow = format!("allow: {}\r\n", method.to_uppercase());
            ensure(other.status == "405" && other.text.contains(&allow), || {
                format!("{url}: {}", other.text)
            })?;
        }
    }
    let oauth = dev.oauth.as_ref().ok_or("no authorization server")?;
    for endpoint in ["authorize", "token", "introspect", "revoke", "jwks"] {
        let described = |(path, item): (&String, &Value)| {
            let server = item.pointer("/servers/0/url").and_then(Value::as_str).unwrap_or_default();
            format!("{server}{path}") == format!("{}{endpoint}", oauth.issuer)
        };
        ensure(paths.iter().any(described), || format!("{endpoint} is not described"))?;
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
