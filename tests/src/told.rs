//! What the authorization server tells: JSON, redirects, pages, tokens, and what every answer of its has (C22, C27, C28).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::Error;
use crate::answer::Answer;
use crate::expect::{Expect, Location};
use crate::judge::{Wrong, expand};
use crate::template::{Values, decoded};

/// Adds what is wrong with what the answer says.
pub(crate) fn compare(
    wrong: &mut Wrong,
    expect: &Expect,
    answer: &Answer,
    values: &Values,
) -> Result<(), Error> {
    let json = members(answer);
    for (name, expected) in &expect.json {
        member(wrong, "the answer's", &json, (name, expected), values)?;
    }
    if expect.json.contains_key("error") && json.len() != 2 {
        wrong.add(format!("an error has more or less than its description: {:?}", answer.text()));
    }
    for name in expect.json_without.iter().filter(|name| json.contains_key(*name)) {
        wrong.add(format!("the answer has {name}"));
    }
    let token = claims(json.get("access_token").and_then(Value::as_str).unwrap_or_default());
    for (name, expected) in &expect.claims {
        member(wrong, "the access token's", &token, (name, expected), values)?;
    }
    let text = answer.text();
    for held in &expect.holds {
        if !text.contains(&values.text(held)?) {
            wrong.add(format!(
                "the body does not hold {held:?}: {}",
                text.chars().take(400).collect::<String>()
            ));
        }
    }
    for lacked in &expect.lacks {
        if text.contains(&values.text(lacked)?) {
            wrong.add(format!("the body holds {lacked:?}"));
        }
    }
    location(wrong, expect.location.as_ref(), answer, values)
}

fn member(
    wrong: &mut Wrong,
    whose: &str,
    json: &Map<String, Value>,
    (name, expected): (&str, &Value),
    values: &Values,
) -> Result<(), Error> {
    let expected = expand(expected, values)?;
    let got = json.get(name).unwrap_or(&Value::Null);
    let is_any = expected == "" && !got.is_null();
    // A number that is the time and some seconds is a text in the case.
    let is_number = got.is_number() && expected.as_str() == Some(&got.to_string());
    if !is_any && !is_number && *got != expected {
        wrong.add(format!("{whose} {name} is {got}, not {expected}"));
    }
    Ok(())
}

fn location(
    wrong: &mut Wrong,
    expected: Option<&Location>,
    answer: &Answer,
    values: &Values,
) -> Result<(), Error> {
    let (got, expected) = match (answer.header("location"), expected) {
        (None, None) => return Ok(()),
        (Some(got), Some(expected)) => (got, expected),
        (got, _) => {
            wrong.add(format!("the browser is sent to {got:?}"));
            return Ok(());
        }
    };
    let to = values.text(&expected.to)?;
    let Some(rest) = got.strip_prefix(&to) else {
        wrong.add(format!("the browser is sent to {got:?}, not to {to:?}"));
        return Ok(());
    };
    let got = parameters(rest.trim_start_matches(['?', '&']));
    let all = got.len() == expected.query.len();
    let mut right = all;
    for (name, value) in &expected.query {
        let value = values.text(value)?;
        right &= got.iter().any(|(known, got)| known == name && (value.is_empty() || *got == value));
    }
    if !right {
        wrong.add(format!("the browser takes {got:?} along, not {:?}", expected.query));
    }
    Ok(())
}

/// What every answer of the authorization server has.
pub(crate) fn always(wrong: &mut Wrong, answer: &Answer, path: &str) {
    // The HTTP layer's own, and those over HTTP/2, whose fields are not read.
    if answer.header("x-request-id").is_none() {
        return;
    }
    let mut must = |name: &str, part: &str| {
        if !answer.header(name).is_some_and(|value| value.contains(part)) {
            wrong.add(format!("{name} is {:?}, without {part:?}", answer.header(name)));
        }
    };
    let is_public = ["jwks", "style.css", "/gateway3/oauth"].iter().any(|end| path.ends_with(end));
    if !is_public && !answer.body.is_empty() {
        must("cache-control", "no-store");
    }
    let media_type = answer.header("content-type").unwrap_or_default();
    if media_type.starts_with("text/html") {
        must("content-security-policy", "frame-ancestors 'none'");
        must("content-security-policy", "default-src 'none'");
        must("x-frame-options", "DENY");
        must("x-content-type-options", "nosniff");
        must("referrer-policy", "no-referrer");
    }
    let is_error = members(answer).contains_key("error");
    if is_error {
        must("content-type", "application/json");
        must("x-content-type-options", "nosniff");
        must("pragma", "no-cache");
    }
    if is_error && answer.status == 401 {
        must("www-authenticate", "Basic realm=");
    }
    if answer.header("set-cookie").is_some() {
        for part in ["__Host-", "; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax"] {
            must("set-cookie", part);
        }
    }
    // Never 307 or 308, with which the form would go along (RFC 9700 §4.12).
    if answer.header("location").is_some() && ![302, 303].contains(&answer.status) {
        wrong.add(format!("the browser is sent on with {}", answer.status));
    }
}

/// The tokens, codes and cookies in answers, none of which an audit record may hold.
pub(crate) fn secrets(answers: &[Answer]) -> Vec<String> {
    let mut secrets = Vec::new();
    for answer in answers {
        let json = members(answer);
        let tokens =
            ["access_token", "refresh_token"].into_iter().filter_map(|name| json.get(name)?.as_str());
        secrets.extend(tokens.map(str::to_owned));
        let query = answer.header("location").and_then(|location| location.split_once('?'));
        let sent = query.map(|(_, query)| parameters(query)).unwrap_or_default();
        secrets.extend(sent.into_iter().filter(|(name, _)| name == "code").map(|(_, code)| code));
        secrets.extend(cookie(answer).and_then(|cookie| Some(cookie.split_once('=')?.1.to_owned())));
    }
    secrets
}

/// The cookie that an answer gives, `NAME=VALUE`.
pub(crate) fn cookie(answer: &Answer) -> Option<String> {
    Some(answer.header("set-cookie")?.split(';').next()?.to_owned())
}

/// The parameters of a query.
pub(crate) fn parameters(query: &str) -> Vec<(String, String)> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    };
    query.split('&').filter(|pair| !pair.is_empty()).map(pair).collect()
}

/// The members of a JSON body; none, when it is no object.
pub(crate) fn members(answer: &Answer) -> Map<String, Value> {
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

/// The members of a JWT's header and of its payload.
fn claims(token: &str) -> Map<String, Value> {
    let parts = token.split('.').take(2).filter_map(|part| URL_SAFE_NO_PAD.decode(part).ok());
    parts.filter_map(|part| serde_json::from_slice::<Map<String, Value>>(&part).ok()).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(expect: &str, answer: &Answer) -> usize {
        let mut wrong = Wrong::default();
        let expect: Expect = toml::from_str(&format!("status = 302\n{expect}")).unwrap();
        compare(&mut wrong, &expect, answer, &Values::default()).unwrap();
        Vec::from(wrong).len()
    }

    #[test]
    fn redirect_has_all_its_parameters_and_no_other() {
        let headers = vec![("location".into(), "https://a/cb?code=1&state=a%20b".into())];
        let answer = Answer { status: 302, headers, body: Vec::new() };
        assert_eq!(
            wrong("location = { to = 'https://a/cb', query = { code = '', state = 'a b' } }", &answer),
            0
        );
        assert_eq!(wrong("location = { to = 'https://a/cb', query = { code = '' } }", &answer), 1);
        assert_eq!(wrong("location = { to = 'https://b/cb', query = { code = '' } }", &answer), 1);
        assert_eq!(wrong("", &answer), 1);
    }

    #[test]
    fn error_has_its_description_and_nothing_else() {
        let expect = "json = { error = 'x', error_description = 'y' }";
        let answer = |body: &str| Answer { status: 400, headers: Vec::new(), body: body.into() };
        assert_eq!(wrong(expect, &answer(r#"{"error":"x","error_description":"y"}"#)), 0);
        assert_eq!(wrong(expect, &answer(r#"{"error":"x","error_description":"y","uri":"z"}"#)), 1);
        assert_eq!(wrong(expect, &answer(r#"{"error":"x"}"#)), 2);
    }
}
