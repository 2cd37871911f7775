//! Every way in which a request ends without a backing service's answer, and the one place that puts it on the wire.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use irgw_core::{Rejection, Rule};

use crate::dialect::{Answer, Denial, Dialect};

/// The exact reason of a refusal, a rule id; in `mock` and `test` alone (ERR-1).
pub(crate) const REASON_HEADER: HeaderName = HeaderName::from_static("x-gateway-reason");

/// Why a request is not forwarded, or its answer not passed on.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// The rule that decides.
    pub rule: Rule,
    /// What the caller is told.
    pub told: Told,
    /// What exactly was wrong: for the log and the audit record alone.
    pub cause: Box<dyn Error + Send + Sync>,
    /// What was proved of the caller all the same, by name: for the audit record alone.
    pub facts: Vec<(&'static str, String)>,
}

/// What the caller is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    /// The request cannot be read in one way: 400.
    BadRequest,
    /// The caller is not enrolled: 403 with an empty body (SPEC section 6).
    NotEnrolled,
    /// No such service: 404.
    NotFound,
    /// The service does not take the method: 405, and which it takes.
    MethodNotAllowed(String),
    /// The body is too large: 413.
    TooLarge,
    /// The Host is not one of the listener's: 421.
    Misdirected,
    /// Too many requests: 429, and when to come back.
    Throttled(Duration),
    /// The dialect's words.
    Denied(Dialect, Denial),
    /// The backing service did not answer properly: 502.
    BadGateway,
    /// The gateway cannot judge at the moment: 503.
    Unavailable,
    /// The backing service did not answer in time: 504.
    Timeout,
}

impl Told {
    /// Whether the caller's own bytes are at fault.
    pub(crate) fn blames_the_caller(&self) -> bool {
        matches!(self, Told::BadRequest | Told::TooLarge)
    }
}

impl Refusal {
    /// A refusal by `rule`.
    pub(crate) fn new(rule: Rule, told: Told, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Refusal {
        Refusal { rule, told, cause: cause.into(), facts: Vec::new() }
    }

    /// What an authenticator, or the joining of proofs, refused; told in a service's dialect.
    pub(crate) fn judged(dialect: Dialect, rejection: Rejection) -> Refusal {
        let told = Told::Denied(dialect, Denial::Judged(rejection.class));
        Refusal { rule: rejection.rule, told, cause: rejection.cause, facts: rejection.facts }
    }

    /// What refused the connection itself.
    pub(crate) fn not_enrolled(rejection: Rejection) -> Refusal {
        let Rejection { rule, cause, facts, .. } = rejection;
        Refusal { rule, told: Told::NotEnrolled, cause, facts }
    }

    /// The answer on the wire. Nothing of the cause is in it.
    pub(crate) fn answer(&self) -> Response<Bytes> {
        let mut response = match &self.told {
            Told::BadRequest => plain(StatusCode::BAD_REQUEST, "The request cannot be read in one way only"),
            Told::NotEnrolled => empty(StatusCode::FORBIDDEN),
            Told::NotFound => plain(StatusCode::NOT_FOUND, "There is nothing here"),
            Told::MethodNotAllowed(methods) => {
                let mut response =
                    plain(StatusCode::METHOD_NOT_ALLOWED, "The service does not take this method");
                let methods = HeaderValue::from_str(methods).expect("method names are visible ASCII");
                response.headers_mut().insert(ALLOW, methods);
                response
            }
            Told::TooLarge => plain(StatusCode::PAYLOAD_TOO_LARGE, "The request body is too large"),
            Told::Misdirected => plain(StatusCode::MISDIRECTED_REQUEST, "This host is not served here"),
            Told::Throttled(wait) => {
                let mut response = plain(StatusCode::TOO_MANY_REQUESTS, "Too many requests; try again later");
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
                response
            }
            Told::Denied(dialect, denial) => denied(*dialect, dialect.answer(*denial)),
            Told::BadGateway => plain(StatusCode::BAD_GATEWAY, "The service did not answer properly"),
            Told::Unavailable => {
                plain(StatusCode::SERVICE_UNAVAILABLE, "The gateway cannot serve at the moment")
            }
            Told::Timeout => plain(StatusCode::GATEWAY_TIMEOUT, "The service did not answer in time"),
        };
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

fn empty(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}

/// A refusal that no dialect has words for, in the same shape, its code the HTTP status.
fn plain(status: StatusCode, message: &str) -> Response<Bytes> {
    json(status, status.as_str(), "gateway", message)
}

fn denied(dialect: Dialect, answer: Answer) -> Response<Bytes> {
    match dialect {
        Dialect::Soap => envelope(answer),
        _ => json(answer.status, answer.code, answer.kind, answer.message),
    }
}

/// `{"errors":[{"code","type","message"}]}` (SPEC section 6). The texts are constants that need no escaping.
fn json(status: StatusCode, code: &str, kind: &str, message: &str) -> Response<Bytes> {
    let body = format!(r#"{{"errors":[{{"code":"{code}","type":"{kind}","message":"{message}"}}]}}"#);
    typed(status, "application/json", body)
}

/// The SOAP 1.2 envelope of the returns, employment and intermediation services.
fn envelope(answer: Answer) -> Response<Bytes> {
    let Answer { status, code, message, .. } = answer;
    let body = format!(
        concat!(
            r#"<?xml version="1.0" encoding="UTF-8"?>"#,
            r#"<soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope"><soap:Body><Response>"#,
            "<statusMessage><statusCode>{}</statusCode><errorMessage>{}</errorMessage></statusMessage>",
            "</Response></soap:Body></soap:Envelope>"
        ),
        code, message
    );
    typed(status, "application/soap+xml; charset=utf-8", body)
}

fn typed(status: StatusCode, media_type: &'static str, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use irgw_core::{Class, TokenFault};

    fn answer(told: Told) -> (u16, String) {
        let response = Refusal::new(Rule::Gw1, told, "secret cause").answer();
        (response.status().as_u16(), String::from_utf8(response.into_body().to_vec()).unwrap())
    }

    #[test]
    fn answer_has_the_published_shape_and_nothing_of_the_cause() {
        let (status, body) = answer(Told::Denied(Dialect::Suite, Denial::NoToken));
        assert_eq!(status, 400);
        assert_eq!(
            body,
            r#"{"errors":[{"code":"EV1021","type":"security","message":"No OAuth or JWT token is present as an HTTP header"}]}"#
        );
    }

    #[test]
    fn unenrolled_caller_gets_an_empty_403() {
        assert_eq!(answer(Told::NotEnrolled), (403, String::new()));
    }

    /// docs/wire.md has every answer that is in no dialect: its status and text.
    #[test]
    fn every_answer_of_the_gateway_is_documented() {
        macro_rules! every {
            ($($told:ident $(($value:expr))?),*) => {{
                // A new one does not compile until it is listed below.
                let _ = |told: &Told| match told { $(Told::$told { .. } => {})* Told::Denied(..) => {} };
                vec![$(Told::$told $(($value))?),*]
            }};
        }
        let every = every![
            BadRequest,
            NotEnrolled,
            NotFound,
            MethodNotAllowed("GET".into()),
            TooLarge,
            Misdirected,
            Throttled(Duration::from_secs(1)),
            BadGateway,
            Unavailable,
            Timeout
        ];
        let page = include_str!("../../../docs/wire.md");
        for told in every {
            let (status, body) = answer(told);
            let text = body.split(r#""message":""#).nth(1).and_then(|rest| rest.split('"').next());
            let row = format!("| {status} | {} |", text.unwrap_or("(an empty body)"));
            assert!(page.lines().any(|line| line.starts_with(&row)), "docs/wire.md has no row {row}");
        }
    }

    #[test]
    fn soap_services_answer_in_an_envelope() {
        let bad = Denial::Judged(Class::BadToken(TokenFault::Times));
        let (status, body) = answer(Told::Denied(Dialect::Soap, bad));
        assert_eq!(status, 401);
        assert!(
            body.contains("<statusCode>1</statusCode><errorMessage>Authentication failure</errorMessage>"),
            "{body}"
        );
    }

    /// What the provider's SDK makes of every answer, in every dialect.
    #[test]
    fn every_denial_is_read_back_by_the_sdk() {
        use irgw_client::{Reason, Refusal as Read};
        use irgw_core::Barrier;

        let dialects = [
            Dialect::Suite,
            Dialect::Income,
            Dialect::Bill,
            Dialect::Tds,
            Dialect::Calculators,
            Dialect::Soap,
        ];
        let bad = [
            TokenFault::Malformed,
            TokenFault::Times,
            TokenFault::UnknownCredential,
            TokenFault::Signature,
            TokenFault::Algorithm,
        ];
        let barriers = [Barrier::Provider, Barrier::Service, Barrier::Client, Barrier::Owner, Barrier::Logon];
        let bad = bad.map(|fault| (Denial::Judged(Class::BadToken(fault)), Reason::BadToken));
        let barred =
            barriers.map(|barrier| (Denial::Judged(Class::NotPermitted(barrier)), Reason::NotPermitted));
        let others = [
            (Denial::NoToken, Reason::NoToken),
            (Denial::TokenProhibited, Reason::NotPermitted),
            (Denial::Certificate, Reason::NotPermitted),
        ];
        let every: Vec<_> = bad.into_iter().chain(barred).chain(others).collect();
        for (dialect, (denial, reason)) in
            dialects.iter().flat_map(|dialect| every.iter().map(move |denial| (*dialect, *denial)))
        {
            let answer = Refusal::new(Rule::Gw1, Told::Denied(dialect, denial), "").answer();
            let read = Read::read(&answer).unwrap_or_else(|| panic!("{dialect:?} {denial:?} is not read"));
            let written = dialect.answer(denial);
            assert_eq!(
                (read.reason, read.code.as_str(), read.message.as_str(), read.status),
                (reason, written.code, written.message, written.status),
                "{dialect:?} {denial:?}"
            );
        }
        for (told, reason) in [
            (Told::NotEnrolled, Reason::NotEnrolled),
            (Told::Throttled(Duration::from_secs(1)), Reason::Throttled),
            (Told::NotFound, Reason::Request),
            (Told::TooLarge, Reason::Request),
            (Told::BadGateway, Reason::Unavailable),
            (Told::Timeout, Reason::Unavailable),
        ] {
            let answer = Refusal::new(Rule::Gw1, told.clone(), "").answer();
            assert_eq!(Read::read(&answer).map(|read| read.reason), Some(reason), "{told:?}");
        }
    }

    #[test]
    fn retry_after_is_rounded_up_to_whole_seconds() {
        let response = Refusal::new(Rule::Gw4, Told::Throttled(Duration::from_millis(1200)), "").answer();
        assert_eq!(response.headers().get(RETRY_AFTER), Some(&HeaderValue::from_static("2")));
    }
}
