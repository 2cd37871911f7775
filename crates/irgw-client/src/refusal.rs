//! The gateway's refusals, as values: SPEC section 6, read back.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{Response, StatusCode};
use irgw_core::{Rule, printable};
use serde::Deserialize;

/// The gateway did not pass the request on.
///
/// The services behind it tell the same things in the same codes: what one of them refuses in these words is read as a
/// refusal too.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// What kind of refusal it is.
    pub reason: Reason,
    /// The HTTP status.
    pub status: StatusCode,
    /// The published code, such as `EV1020`; in a SOAP service the `statusCode`; empty where there is none.
    pub code: String,
    /// The published text.
    pub message: String,
    /// The rule that was broken, which the gateway tells in its mock and test environments alone (ERR-1).
    pub rule: Option<Rule>,
    /// How long to wait, where the gateway says it.
    pub retry_after: Option<Duration>,
}

/// Why a request was not passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The service asks for a token, and there was none.
    NoToken,
    /// The token is not good: its form, its times, its signature, or nobody knows it.
    BadToken,
    /// The token is good, and opens nothing here: the service is not granted, or the provider not linked to whom it acts for.
    NotPermitted,
    /// The certificate is good, and not enrolled in this environment.
    NotEnrolled,
    /// Too many requests.
    Throttled,
    /// The request itself: no such service, a method it does not take, a body too large.
    Request,
    /// The gateway cannot judge, or the service behind it does not answer.
    Unavailable,
}

impl Refusal {
    /// Reads an answer; `None`: it is none of the gateway's refusals, but what a service said.
    pub fn read(answer: &Response<Bytes>) -> Option<Refusal> {
        let status = answer.status();
        if !status.is_client_error() && !status.is_server_error() {
            return None;
        }
        let (reason, code, message) = match answer.body().is_empty() {
            true if status == StatusCode::FORBIDDEN => {
                let told = "the certificate is not enrolled in this environment";
                (Reason::NotEnrolled, String::new(), told.to_owned())
            }
            true => return None,
            false => in_json(answer).or_else(|| in_xml(answer))?,
        };
        let field = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
        let rule = field("x-gateway-reason").and_then(|rule| rule.parse().ok());
        let seconds = field(RETRY_AFTER.as_str()).and_then(|seconds| seconds.parse().ok());
        let retry_after = seconds.map(Duration::from_secs);
        Some(Refusal { reason, status, code, message, rule, retry_after })
    }
}

type Told = (Reason, String, String);

#[derive(Deserialize)]
struct Document {
    errors: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    code: String,
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    message: String,
}

/// `{"errors":[{"code","type","message"}]}`.
fn in_json(answer: &Response<Bytes>) -> Option<Told> {
    let document: Document = serde_json::from_slice(answer.body()).ok()?;
    let Entry { code, kind, message } = document.errors.into_iter().next()?;
    let reason =
        match code.as_str() {
            "EV1021" | "EV1025" | "TDS203" => Reason::NoToken,
            "EV1020" | "EV1024" | "EV1026" | "EV1027" | "EV1028" | "EV1029" | "EV1030" | "TDS202"
            | "TDS206" => Reason::BadToken,
            "EV1022" | "EV1023" | "EV1040" | "EV1041" | "EV1042" | "EV1043" | "TDS200" | "TDS201"
            | "TDS204" => Reason::NotPermitted,
            _ if kind == "gateway" => match answer.status() {
                StatusCode::TOO_MANY_REQUESTS => Reason::Throttled,
                status if status.is_server_error() => Reason::Unavailable,
                _ => Reason::Request,
            },
            _ => return None,
        };
    Some((reason, code, message))
}

/// A SOAP service's response envelope. Its texts are five, so that they are looked for and no XML is parsed.
fn in_xml(answer: &Response<Bytes>) -> Option<Told> {
    const TEXTS: [(&str, &str, Reason); 5] = [
        ("1", "Authentication failure", Reason::BadToken),
        ("2", "Missing authentication token(s)", Reason::NoToken),
        ("3", "Unauthorised access", Reason::NotPermitted),
        ("4", "Unauthorised delegation", Reason::NotPermitted),
        ("5", "Unauthorised vendor", Reason::NotPermitted),
    ];
    let media_type = answer.headers().get(CONTENT_TYPE)?.to_str().ok()?;
    let is_xml = media_type.split(';').next().is_some_and(|kind| kind.trim_end().ends_with("xml"));
    let body = std::str::from_utf8(answer.body()).ok().filter(|_| is_xml)?;
    let (code, text, reason) =
        TEXTS.into_iter().find(|(_, text, _)| body.contains(&format!("errorMessage>{text}</")))?;
    Some((reason, code.to_owned(), text.to_owned()))
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the gateway refused: {}", printable(&self.message))?;
        match self.code.as_str() {
            "" => write!(f, " ({})", self.status.as_u16())?,
            code => write!(f, " ({}, {})", self.status.as_u16(), printable(code))?,
        }
        match &self.rule {
            Some(rule) => write!(f, ", by {rule}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, media_type: &str, body: &'static str) -> Option<Refusal> {
        let answer = Response::builder().status(status).header(CONTENT_TYPE, media_type);
        Refusal::read(&answer.body(Bytes::from_static(body.as_bytes())).unwrap())
    }

    #[test]
    fn what_a_service_says_is_no_refusal() {
        for (status, body) in [
            (200, r#"{"errors":[{"code":"EV1020","type":"security","message":"no"}]}"#),
            (404, r#"{"errors":[{"code":"EV1105","type":"validation","message":"No such account"}]}"#),
            (404, r#"{"errors":[]}"#),
            (400, r#"{"errors":"EV1020"}"#),
            (500, "<errorMessage>Authentication failure</errorMessage>"),
            (404, ""),
        ] {
            assert_eq!(read(status, "application/json", body), None, "{status} {body}");
        }
    }

    #[test]
    fn rule_and_wait_are_read_where_they_are_told() {
        let body =
            r#"{"errors":[{"code":"429","type":"gateway","message":"Too many requests; try again later"}]}"#;
        let answer =
            Response::builder().status(429).header(RETRY_AFTER, "7").header("x-gateway-reason", "GW-3");
        let refusal = Refusal::read(&answer.body(Bytes::from(body)).unwrap()).unwrap();
        assert_eq!(refusal.reason, Reason::Throttled);
        assert_eq!((refusal.rule, refusal.retry_after), (Some(Rule::Gw3), Some(Duration::from_secs(7))));
        assert_eq!(
            refusal.to_string(),
            "the gateway refused: Too many requests; try again later (429, 429), by GW-3"
        );
    }

    #[test]
    fn nothing_that_moves_the_cursor_is_printed() {
        let body = "{\"errors\":[{\"code\":\"EV1022\",\"message\":\"a\\u001b[2Jb\"}]}";
        let refusal = read(403, "application/json", body).unwrap();
        assert!(!refusal.to_string().contains('\u{1b}'));
    }
}
