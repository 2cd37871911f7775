//! Compares what came back with what a case expects, and with what holds for every case.

use irgw_core::{Environment, Rule};
use serde_json::Value;

use crate::Error;
use crate::answer::{Answer, End};
use crate::case::{Case, Expect, Handshake, Reason, Seen};
use crate::certificate::thumbprints;
use crate::exchange::Came;
use crate::published;
use crate::template::Values;

/// What is wrong; nothing, when nothing is. `records` are the audit records of the connection, in order.
pub(crate) fn compare(
    case: &Case,
    environment: Environment,
    came: &Came,
    records: &[Value],
    values: &Values,
) -> Result<Vec<String>, Error> {
    let expect = &case.text.expect;
    let mut wrong = Wrong(Vec::new());
    match (&came.handshake, expect.handshake) {
        // A server that breaks off during a huge request looks the same as one that refuses the handshake.
        (Err(_), None) if expect.any_status.contains(&0) => return Ok(wrong.0),
        (Err(why), None | Some(Handshake::Accepted)) => {
            wrong.add(format!("the handshake was refused: {why}"));
            return Ok(wrong.0);
        }
        (Ok(agreed), Some(Handshake::Refused)) => {
            wrong.add(format!("the handshake was not refused: {}", agreed.what));
            return Ok(wrong.0);
        }
        (Err(_), Some(Handshake::Refused)) => {
            refused_handshake(&mut wrong, case, records);
            return Ok(wrong.0);
        }
        (Ok(_), Some(Handshake::Accepted)) if expect.status.is_none() => return Ok(wrong.0),
        (Ok(_), _) => {}
    }
    statuses(&mut wrong, case, came);
    if expect.closes && came.end == End::Idle {
        wrong.add("the connection stays open");
    }
    let Some(last) = came.answers.last() else { return Ok(wrong.0) };
    for answer in &came.answers {
        always(&mut wrong, environment, answer, expect);
    }
    fields(&mut wrong, last, expect, values)?;
    if let Some(code) = &expect.code {
        let dialect = expect.dialect.as_deref().unwrap_or("suite");
        published::compare(dialect, code, last).into_iter().for_each(|difference| wrong.add(difference));
    }
    if let Some(body) = &expect.body
        && values.text(body)? != last.text()
    {
        wrong.add(format!("the body is {:?}, not {body:?}", last.text()));
    }
    if let Some(seen) = &expect.seen {
        compare_seen(&mut wrong, seen, last, values)?;
    }
    if expect.any_status.is_empty() {
        let reason = reason(case, last.status);
        header_reason(&mut wrong, environment, last, reason.as_ref());
        record(&mut wrong, case, came, records, reason.as_ref(), values)?;
    }
    Ok(wrong.0)
}

struct Wrong(Vec<String>);

impl Wrong {
    fn add(&mut self, difference: impl Into<String>) {
        self.0.push(difference.into());
    }
}

/// The rule that must have refused; `None` when nothing must have.
fn reason(case: &Case, status: u16) -> Option<Reason> {
    let expected = case.text.expect.reason.clone();
    (!(200..300).contains(&status)).then(|| expected.unwrap_or(Reason::Rule(case.text.rule)))
}

fn fits(reason: &Reason, id: &str) -> bool {
    match reason {
        Reason::Rule(rule) => rule.id() == id,
        Reason::Any(rules) => rules.iter().any(|rule| rule.id() == id),
    }
}

fn named(reason: &Reason) -> String {
    match reason {
        Reason::Rule(rule) => rule.to_string(),
        Reason::Any(rules) => rules.iter().map(Rule::to_string).collect::<Vec<_>>().join(" or "),
    }
}

fn refused_handshake(wrong: &mut Wrong, case: &Case, records: &[Value]) {
    let reason = case.text.expect.reason.clone().unwrap_or(Reason::Rule(case.text.rule));
    match records {
        [record] => {
            if text(record, "decision") != "refused" {
                wrong.add(format!("the audit record's decision is {:?}", text(record, "decision")));
            }
            if !fits(&reason, text(record, "reason")) {
                let cause = text(record, "cause");
                wrong.add(format!(
                    "the audit record names {} ({cause}), not {}",
                    text(record, "reason"),
                    named(&reason)
                ));
            }
        }
        others => {
            wrong.add(format!("there are {} audit records of the refused handshake, not one", others.len()))
        }
    }
}

fn statuses(wrong: &mut Wrong, case: &Case, came: &Came) {
    let expect = &case.text.expect;
    let got: Vec<u16> = came.answers.iter().map(|answer| answer.status).collect();
    if !expect.any_status.is_empty() {
        let last = got.first().copied().unwrap_or(0);
        if !expect.any_status.contains(&last) || got.len() > 1 {
            wrong.add(format!("the statuses are {got:?}, not one of {:?}", expect.any_status));
        }
        return;
    }
    let Some(status) = expect.status else { return };
    let mut expected = vec![expect.earlier_status.unwrap_or(status); case.text.given.request.times];
    if let Some(last) = expected.last_mut() {
        *last = status;
    }
    if got != expected {
        let body = came.answers.last().map(Answer::text).unwrap_or_default();
        let body: String = body.chars().take(200).collect();
        wrong.add(format!("the statuses are {got:?}, not {expected:?} ({:?}, {body:?})", came.end));
    }
}

/// What holds for every answer of the gateway.
fn always(wrong: &mut Wrong, environment: Environment, answer: &Answer, expect: &Expect) {
    if environment == Environment::Prod && answer.header("x-gateway-reason").is_some() {
        wrong.add("X-Gateway-Reason in prod (ERR-1)");
    }
    if !(200..300).contains(&answer.status) && echo(answer).is_some() && expect.seen.is_none() {
        wrong.add("a refusal with the backing service's answer");
    }
    for inside in ["server", "x-powered-by", "via"] {
        if answer.header(inside).is_some() {
            wrong.add(format!("the answer has the field {inside} (D15)"));
        }
    }
}

fn fields(wrong: &mut Wrong, answer: &Answer, expect: &Expect, values: &Values) -> Result<(), Error> {
    for (name, value) in &expect.headers {
        let value = values.text(value)?;
        match answer.header(name) {
            None => wrong.add(format!("the answer has no {name}")),
            Some(got) if !value.is_empty() && got != value => {
                wrong.add(format!("{name} is {got:?}, not {value:?}"))
            }
            Some(_) => {}
        }
    }
    for name in &expect.absent_headers {
        if let Some(got) = answer.header(name) {
            wrong.add(format!("the answer has {name}: {got}"));
        }
    }
    Ok(())
}

fn header_reason(wrong: &mut Wrong, environment: Environment, answer: &Answer, reason: Option<&Reason>) {
    // HTTP/2 answers are read without their header fields.
    if environment == Environment::Prod || answer.headers.is_empty() {
        return;
    }
    match (answer.header("x-gateway-reason"), reason) {
        (Some(got), Some(reason)) if fits(reason, got) => {}
        (None, None) => {}
        (got, reason) => {
            let expected = reason.map_or("none".into(), named);
            wrong.add(format!("X-Gateway-Reason is {}, not {expected}", got.unwrap_or("absent")));
        }
    }
}

fn record(
    wrong: &mut Wrong,
    case: &Case,
    came: &Came,
    records: &[Value],
    reason: Option<&Reason>,
    values: &Values,
) -> Result<(), Error> {
    let Some(last) = came.answers.last() else { return Ok(()) };
    if records.len() != came.answers.len() {
        wrong.add(format!("there are {} audit records of {} answers", records.len(), came.answers.len()));
    }
    let Some(record) = records.last() else { return Ok(()) };
    let decision = if reason.is_some() { "refused" } else { "admitted" };
    if !case.text.expect.audit.contains_key("decision") && text(record, "decision") != decision {
        wrong.add(format!("the audit record's decision is {:?}, not {decision:?}", text(record, "decision")));
    }
    if let Some(reason) = reason
        && !fits(reason, text(record, "reason"))
    {
        let cause = text(record, "cause");
        wrong.add(format!(
            "the audit record names {} ({cause}), not {}",
            text(record, "reason"),
            named(reason)
        ));
    }
    if record.get("status").and_then(Value::as_u64) != Some(u64::from(last.status)) {
        wrong.add(format!("the audit record's status is {:?}, not {}", record.get("status"), last.status));
    }
    if decision == "refused" && record.get("upstream_status").is_some_and(|status| !status.is_null()) {
        wrong.add("the backing service was asked, though the request is refused");
    }
    if let Some(id) = last.header("x-request-id")
        && text(record, "request_id") != id
    {
        wrong.add(format!(
            "the audit record's request_id is {:?}, the answer's {id:?}",
            text(record, "request_id")
        ));
    }
    for (name, expected) in &case.text.expect.audit {
        let expected = expand(expected, values)?;
        let got = record.get(name).unwrap_or(&Value::Null);
        if *got != expected {
            wrong.add(format!("the audit record's {name} is {got}, not {expected}"));
        }
    }
    Ok(())
}

/// The backing service's echo, when the answer is one.
fn echo(answer: &Answer) -> Option<Value> {
    let value: Value = serde_json::from_slice(&answer.body).ok()?;
    (value.get("method").is_some() && value.get("headers").is_some()).then_some(value)
}

fn compare_seen(wrong: &mut Wrong, seen: &Seen, answer: &Answer, values: &Values) -> Result<(), Error> {
    let Some(echo) = echo(answer) else {
        wrong.add(format!("the backing service's echo did not come: {:?}", answer.text()));
        return Ok(());
    };
    let target = match echo.get("query").and_then(Value::as_str) {
        Some(query) => format!("{}?{query}", text(&echo, "path")),
        None => text(&echo, "path").to_owned(),
    };
    let method = text(&echo, "method").to_owned();
    for (name, expected, got) in [("method", &seen.method, method), ("request target", &seen.path, target)] {
        if let Some(expected) = expected {
            let expected = values.text(expected)?;
            if got != expected {
                wrong.add(format!("the backing service saw the {name} {got:?}, not {expected:?}"));
            }
        }
    }
    if let Some(body) = &seen.body
        && !text(&echo, "body_sha256").eq_ignore_ascii_case(&thumbprints(&values.bytes(body)?).0)
    {
        let bytes = echo.get("body_bytes").unwrap_or(&Value::Null);
        wrong.add(format!("the backing service saw another body, of {bytes} bytes"));
    }
    for (name, expected) in &seen.headers {
        let expected = values.text(expected)?;
        match header(&echo, name).as_slice() {
            [got] if expected.is_empty() || *got == expected => {}
            got => wrong.add(format!("the backing service saw {name} {got:?}, not {expected:?}")),
        }
    }
    for name in &seen.absent_headers {
        let got = header(&echo, name);
        if !got.is_empty() {
            wrong.add(format!("the backing service saw {name}: {got:?}"));
        }
    }
    if let Some(nowhere) = &seen.nowhere {
        let nowhere = values.text(nowhere)?;
        let head =
            serde_json::json!([echo.get("path"), echo.get("headers"), echo.get("identity")]).to_string();
        if head.contains(&nowhere) {
            wrong.add(format!("the backing service saw {nowhere:?}"));
        }
    }
    let identity = echo.get("identity").unwrap_or(&Value::Null);
    for (name, expected) in &seen.identity {
        let expected = expand(expected, values)?;
        let got = identity.get(name).unwrap_or(&Value::Null);
        if *got != expected {
            wrong.add(format!("the identity's {name} is {got}, not {expected}"));
        }
    }
    for name in &seen.identity_without {
        if identity.get(name).is_some_and(|value| !value.is_null()) {
            wrong.add(format!("the identity has {name}"));
        }
    }
    Ok(())
}

/// All values of a header field in the echo: an object of texts or lists, or a list of pairs.
fn header(echo: &Value, name: &str) -> Vec<String> {
    let texts = |value: &Value| match value {
        Value::Array(values) => values.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Value::String(value) => vec![value.clone()],
        _ => Vec::new(),
    };
    match echo.get("headers") {
        Some(Value::Object(fields)) => {
            let named = fields.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
            named.flat_map(|(_, value)| texts(value)).collect()
        }
        Some(Value::Array(fields)) => fields
            .iter()
            .filter_map(|field| match field.as_array()?.as_slice() {
                [known, value] if known.as_str()?.eq_ignore_ascii_case(name) => {
                    Some(value.as_str()?.to_owned())
                }
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// A text's `${…}` replaced; any other value as it is.
fn expand(value: &Value, values: &Values) -> Result<Value, Error> {
    match value {
        Value::String(text) if text == "null" => Ok(Value::Null),
        Value::String(text) => values.text(text).map(Value::String),
        other => Ok(other.clone()),
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}
