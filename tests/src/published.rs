//! The published answers: what must stand beside a code (SPEC section 6). An oracle of its own, not the gateway's table.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::answer::Answer;

/// One row of `answers.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    dialect: String,
    code: String,
    status: u16,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    message: String,
}

#[derive(Deserialize)]
struct Table {
    answer: Vec<Row>,
}

static TABLE: LazyLock<Table> =
    LazyLock::new(|| toml::from_str(include_str!("../answers.toml")).expect("a unit test reads it"));

#[derive(Deserialize)]
struct Errors {
    errors: Vec<ErrorText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ErrorText {
    code: String,
    #[serde(rename = "type")]
    kind: String,
    message: String,
}

/// What is wrong with an answer that should carry `code` in `dialect`; nothing, when nothing is.
pub(crate) fn compare(dialect: &str, code: &str, answer: &Answer) -> Vec<String> {
    let Some(row) = TABLE.answer.iter().find(|row| row.dialect == dialect && row.code == code) else {
        return vec![format!("the case expects {code}, which {dialect} does not have")];
    };
    let mut wrong = Vec::new();
    let mut check = |what: &str, expected: &str, got: &str| {
        if expected != got {
            wrong.push(format!("{what} is {got:?}, not {expected:?}"));
        }
    };
    check("the status", &row.status.to_string(), &answer.status.to_string());
    if dialect == "soap" {
        let (got, message) = envelope(&answer.text());
        check("statusCode", code, &got);
        check("errorMessage", &row.message, &message);
        return wrong;
    }
    // Of HTTP/2 answers the header fields are not read.
    let media_type =
        if answer.headers.is_empty() { Some("application/json") } else { answer.header("content-type") };
    let media_type = media_type.unwrap_or_default();
    check("the media type", "application/json", media_type.split(';').next().unwrap_or_default());
    match serde_json::from_slice::<Errors>(&answer.body) {
        Ok(errors) => match errors.errors.as_slice() {
            [error] => {
                check("the code", code, &error.code);
                check("the text", &row.message, &error.message);
                if let Some(kind) = &row.kind {
                    check("the type", kind, &error.kind);
                }
            }
            several => wrong.push(format!("there are {} errors, not one", several.len())),
        },
        Err(error) => wrong.push(format!("the body is not the published shape: {error}")),
    }
    wrong
}

/// The code that an answer carries, in whichever shape.
pub(crate) fn code(answer: &Answer) -> Option<String> {
    let code = match serde_json::from_slice::<Errors>(&answer.body) {
        Ok(errors) => errors.errors.into_iter().next()?.code,
        Err(_) => envelope(&answer.text()).0,
    };
    (!code.is_empty()).then_some(code)
}

/// `statusCode` and `errorMessage` of a response envelope; no XML parser reads what no document type can change.
fn envelope(body: &str) -> (String, String) {
    let element = |name: &str| {
        let after = body.split_once(&format!("<{name}>"))?.1;
        Some(after.split_once(&format!("</{name}>"))?.0.to_owned())
    };
    (element("statusCode").unwrap_or_default(), element("errorMessage").unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, media_type: &str, body: &str) -> Answer {
        let headers = vec![("content-type".into(), media_type.into())];
        Answer { status, headers, body: body.into() }
    }

    const NO_TOKEN: &str = r#"{"errors":[{"code":"EV1021","type":"security","message":"No OAuth or JWT token is present as an HTTP header"}]}"#;

    #[test]
    fn published_answer_is_right() {
        assert!(compare("suite", "EV1021", &answer(400, "application/json", NO_TOKEN)).is_empty());
    }

    #[test]
    fn every_difference_is_named() {
        assert_eq!(compare("suite", "EV1021", &answer(401, "text/plain", NO_TOKEN)).len(), 2);
        assert_eq!(compare("suite", "EV1020", &answer(400, "application/json", NO_TOKEN)).len(), 2);
        assert_eq!(compare("suite", "EV1021", &answer(400, "application/json", "{}")).len(), 1);
        assert_eq!(compare("suite", "EV9999", &answer(400, "application/json", NO_TOKEN)).len(), 1);
    }

    #[test]
    fn envelope_is_read() {
        let body =
            "<a><statusMessage><statusCode>2</statusCode><errorMessage>No</errorMessage></statusMessage></a>";
        assert_eq!(envelope(body), ("2".into(), "No".into()));
    }

    #[test]
    fn code_is_found_in_either_shape() {
        assert_eq!(code(&answer(400, "application/json", NO_TOKEN)).as_deref(), Some("EV1021"));
        assert_eq!(
            code(&answer(401, "application/soap+xml", "<statusCode>2</statusCode>")).as_deref(),
            Some("2")
        );
        assert_eq!(code(&answer(403, "text/plain", "")), None);
    }
}
