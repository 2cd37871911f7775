//! Compares what came back with what a case expects, and with what holds for every case.

use irgw_core::{Environment, Rule};
use serde_json::Value;

use crate::Error;
use crate::answer::{Answer, End};
use crate::case::Case;
use crate::certificate::thumbprints;
use crate::exchange::Came;
use crate::expect::{Expect, Handshake, Reason, Seen, Shows, is_success};
use crate::template::Values;
use crate::{published, records, told};

/// What is wrong; nothing, when nothing is. `records` are the audit records of the connection, in order; `secrets` are the
/// texts that none of them may hold.
pub(crate) fn compare(
    case: &Case,
    environment: Environment,
    came: &Came,
    records: &[Value],
    values: &Values,
    secrets: &[String],
) -> Result<Vec<String>, Error> {
    let mut wrong = Wrong::default();
    if handshake(&mut wrong, case, came) {
        if came.handshake.is_ok() {
            answers(&mut wrong, case, environment, came, values)?;
        }
        records::compare(&mut wrong, case, came, records, values, secrets)?;
    }
    Ok(wrong.into())
}

/// Whether the handshake ended as it must.
fn handshake(wrong: &mut Wrong, case: &Case, came: &Came) -> bool {
    let expect = &case.text.expect;
    let before = wrong.0.len();
    match (&came.handshake, expect.handshake) {
        (Err(_), Some(Handshake::Refused)) => {}
        // A server that breaks off during a huge request looks the same as one that refuses the handshake.
        (Err(_), None) if expect.any_status.contains(&0) => {}
        (Err(why), _) => wrong.add(format!("the handshake was refused: {why}")),
        (Ok(agreed), Some(Handshake::Refused)) => {
            wrong.add(format!("the handshake was not refused: {}", agreed.what));
        }
        (Ok(agreed), _) => {
            if expect.resumed.is_some_and(|resumed| resumed != agreed.resumed) {
                wrong.add(format!("the session was resumed: {}", agreed.resumed));
            }
            if agreed.hello.is_some_and(|hello| hello != (0x0303, 0)) {
                wrong.add(format!(
                    "the ServerHello is not of TLS 1.2 or 1.3 without compression: {}",
                    agreed.what
                ));
            }
        }
    }
    wrong.0.len() == before
}

fn answers(
    wrong: &mut Wrong,
    case: &Case,
    environment: Environment,
    came: &Came,
    values: &Values,
) -> Result<(), Error> {
    let expect = &case.text.expect;
    if expect.status.is_none() && expect.any_status.is_empty() {
        return Ok(());
    }
    statuses(wrong, case, came);
    if expect.closes && came.end == End::Idle {
        wrong.add("the connection stays open");
    }
    let last = came.answers.len().saturating_sub(1);
    for (index, answer) in came.answers.iter().enumerate() {
        always(wrong, answer, expect);
        if case.text.given.request.is_for_the_authorization_server() {
            told::always(wrong, answer, &case.text.given.request.path);
        }
        header_reason(wrong, case, environment, answer, reason(case, answer.status, index).as_ref());
        if index < last && expect.earlier_status.is_some() {
            continue;
        }
        fields(wrong, answer, expect, values)?;
        told::compare(wrong, expect, answer, values)?;
        if let Some(code) = &expect.code {
            let dialect = expect.dialect.as_deref().unwrap_or("suite");
            published::compare(dialect, code, answer)
                .into_iter()
                .for_each(|difference| wrong.add(difference));
        }
        if let Some(body) = &expect.body
            && values.text(body)? != answer.text()
        {
            wrong.add(format!("the body is {:?}, not {body:?}", answer.text()));
        }
        if let Some(seen) = &expect.seen {
            compare_seen(wrong, seen, answer, values)?;
        }
    }
    Ok(())
}

/// Every difference that was found.
#[derive(Default)]
pub(crate) struct Wrong(Vec<String>);

impl From<Wrong> for Vec<String> {
    fn from(wrong: Wrong) -> Vec<String> {
        wrong.0
    }
}

impl Wrong {
    pub(crate) fn add(&mut self, difference: impl Into<String>) {
        self.0.push(difference.into());
    }
}

/// The rule that must have refused the request of this number; `None` when nothing must have.
pub(crate) fn reason(case: &Case, status: u16, index: usize) -> Option<Reason> {
    let expect = &case.text.expect;
    let earlier = expect.earlier_reason.as_ref().filter(|_| index + 1 < case.text.given.request.times);
    let expected = earlier.or(expect.reason.as_ref()).cloned();
    let is_refused = expect.outcome.map_or(!is_success(status), |shows| shows == Shows::Refused);
    is_refused.then(|| expected.unwrap_or(Reason::Rule(case.text.rule)))
}

pub(crate) fn fits(reason: &Reason, id: &str) -> bool {
    match reason {
        Reason::Rule(rule) => rule.id() == id,
        Reason::Any(rules) => rules.iter().any(|rule| rule.id() == id),
    }
}

pub(crate) fn named(reason: &Reason) -> String {
    match reason {
        Reason::Rule(rule) => rule.to_string(),
        Reason::Any(rules) => rules.iter().map(Rule::to_string).collect::<Vec<_>>().join(" or "),
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
    if status == 0 && got.is_empty() {
        return;
    }
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
fn always(wrong: &mut Wrong, answer: &Answer, expect: &Expect) {
    if !is_success(answer.status) && echo(answer).is_some() && expect.seen.is_none() {
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

/// The gateway's own answers have a request id, and name the rule outside `prod`; those of the HTTP layer have neither.
fn header_reason(
    wrong: &mut Wrong,
    case: &Case,
    environment: Environment,
    answer: &Answer,
    reason: Option<&Reason>,
) {
    // HTTP/2 answers are read without their header fields.
    if answer.headers.is_empty() {
        return;
    }
    let expect = &case.text.expect;
    let unread = answer.header("x-request-id").is_none();
    if unread != expect.unread && expect.any_status.is_empty() {
        let what = if unread { "no X-Request-Id" } else { "an X-Request-Id" };
        wrong.add(format!("the answer has {what}"));
    }
    let reason = reason.filter(|_| !unread && environment != Environment::Prod);
    match (answer.header("x-gateway-reason"), reason) {
        (Some(got), Some(reason)) if fits(reason, got) => {}
        (None, None) => {}
        (got, reason) => {
            let expected = reason.map_or("none".into(), named);
            wrong.add(format!("X-Gateway-Reason is {}, not {expected}", got.unwrap_or("absent")));
        }
    }
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
pub(crate) fn expand(value: &Value, values: &Values) -> Result<Value, Error> {
    match value {
        Value::String(text) if text == "null" => Ok(Value::Null),
        Value::String(text) => values.text(text).map(Value::String),
        other => Ok(other.clone()),
    }
}

pub(crate) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::Agreed;

    fn handshake_is_wrong(expect: &str, agreed: Agreed) -> bool {
        let text = format!("rule = \"TLS-1\"\ntitle = \"A case\"\n[expect]\n{expect}");
        let case = Case { name: "a/case".into(), text: toml::from_str(&text).unwrap() };
        let local = "127.0.0.1:5000".parse().unwrap();
        let came = Came { local, handshake: Ok(agreed), answers: Vec::new(), end: End::Closed };
        !handshake(&mut Wrong::default(), &case, &came)
    }

    #[test]
    fn compression_and_old_versions_are_no_accepted_hello() {
        let hello =
            |version, compression| Agreed { hello: Some((version, compression)), ..Agreed::default() };
        assert!(!handshake_is_wrong("handshake = \"accepted\"", hello(0x0303, 0)));
        assert!(handshake_is_wrong("handshake = \"accepted\"", hello(0x0303, 1)));
        assert!(handshake_is_wrong("handshake = \"accepted\"", hello(0x0302, 0)));
    }

    #[test]
    fn resumption_is_judged() {
        let resumed = || Agreed { resumed: true, ..Agreed::default() };
        assert!(handshake_is_wrong("status = 200\nresumed = false", resumed()));
        assert!(!handshake_is_wrong("status = 200", resumed()));
    }
}
