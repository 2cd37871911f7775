//! The authorization server: its endpoints, as one function from a request to an answer.
//!
//! | path below the issuer | method | what |
//! |---|---|---|
//! | `authorize` | GET | begins an authorization (RFC 6749 §4.1.1) |
//! | `login`, `code`, `consent` | POST | the pages' forms |
//! | `applications`, `logout` | GET, POST | connected applications (OA-19) |
//! | `token` | POST | redeems a code, exchanges a refresh token (RFC 6749 §4.1.3, §6) |
//! | `introspect` | POST | RFC 7662 |
//! | `revoke` | POST | RFC 7009 |
//! | `jwks`, `style.css` | GET | public keys (RFC 7517), the pages' style sheet |
//!
//! The metadata (RFC 8414) are at `/.well-known/oauth-authorization-server` followed by the issuer's path.

mod authorize;
mod browser;
mod client_auth;
mod interactive;
mod introspect;
mod known;
mod metadata;
mod revoke;
mod throttle;
mod token;
mod transaction;
mod views;

pub(crate) use metadata::WELL_KNOWN;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use irgw_core::{ClientId, Decision, Logon, Record, Rule, UnixTime};

use crate::customers::Customers;
use crate::fault::Fault;
use crate::form::Form;
use crate::grants::{Grants, Revocations};
use crate::pages::{self, ProblemKind};
use crate::registration::Clients;
use crate::signing::Keys;
use crate::vault::Vault;
use crate::{AccessTokens, Unavailable};

/// What an operator chooses.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The token URL's root, `https://HOST/gateway3/oauth/`: `iss`, and what every link begins with. Nothing that a caller
    /// sends changes it (C32).
    pub issuer: String,
    /// `aud` of access tokens.
    pub audience: String,
    /// How long a spent refresh token may come again before its family is revoked for it (OA-12).
    pub grace: Duration,
    /// Whether customers are asked (ENV-4).
    pub consent: ConsentPage,
}

/// Whether customers are asked for their consent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ConsentPage {
    /// They are.
    #[default]
    Shown,
    /// Whoever logs in has consented: for the mock environment alone.
    Skipped,
}

/// Where the server's state is.
#[derive(Debug, Clone)]
pub struct State {
    /// Registered clients.
    pub clients: Arc<dyn Clients>,
    /// Customers.
    pub customers: Arc<dyn Customers>,
    /// Codes, families, consents, sessions.
    pub grants: Arc<dyn Grants>,
    /// What is revoked.
    pub revocations: Arc<dyn Revocations>,
    /// What access tokens are signed with.
    pub keys: Arc<dyn Keys>,
    /// Those that were issued.
    pub tokens: Arc<AccessTokens>,
    /// What seals the forms' transactions.
    pub vault: Arc<Vault>,
}

/// An authorization server of one environment.
#[derive(Debug)]
pub struct AuthorizationServer {
    settings: Settings,
    state: State,
}

impl AuthorizationServer {
    /// With these settings, over this state.
    pub fn new(settings: Settings, state: State) -> AuthorizationServer {
        AuthorizationServer { settings, state }
    }

    /// Which endpoint a path names, if it is one of this server's. Paths are compared as they are written.
    pub fn endpoint(&self, path: &str) -> Option<Endpoint> {
        let root = self.path();
        if let Some(rest) = path.strip_prefix(WELL_KNOWN) {
            return (rest.trim_end_matches('/') == root.trim_end_matches('/')).then_some(Endpoint::Metadata);
        }
        Some(match path.strip_prefix(root)? {
            "authorize" => Endpoint::Authorize,
            "login" => Endpoint::Login,
            "code" => Endpoint::Code,
            "consent" => Endpoint::Consent,
            "applications" => Endpoint::Applications,
            "logout" => Endpoint::Logout,
            "style.css" => Endpoint::Style,
            "token" => Endpoint::Token,
            "introspect" => Endpoint::Introspect,
            "revoke" => Endpoint::Revoke,
            "jwks" => Endpoint::Jwks,
            _ => return None,
        })
    }

    /// The largest body that an endpoint reads, in bytes.
    pub const BODY_LIMIT_BYTES: u64 = 16 * 1024;

    /// Whether [`AuthorizationServer::answer`] may wait for the state: not for what is in memory, of which the introspection of
    /// access tokens is asked for most.
    pub fn waits(&self, endpoint: Endpoint, body: &Bytes) -> bool {
        match endpoint {
            Endpoint::Metadata | Endpoint::Jwks | Endpoint::Style => false,
            Endpoint::Introspect => !introspect::is_of_an_access_token(body),
            _ => true,
        }
    }

    /// Answers a request, and writes into `record` what was decided. It blocks on the state where it
    /// [waits](AuthorizationServer::waits): a caller that must not gives it a thread.
    pub fn answer(
        &self,
        endpoint: Endpoint,
        head: &Parts,
        body: &Bytes,
        now: UnixTime,
        record: &mut Record,
    ) -> Response<Bytes> {
        let mut noted = Noted { request_id: record.request_id.clone(), ..Noted::default() };
        let address = record.origin.ip();
        let answered = match endpoint {
            Endpoint::Authorize => get(head).and_then(|()| self.authorize(head, now, &mut noted)),
            Endpoint::Login => {
                page_form(head, body).and_then(|form| self.login(head, &form, address, now, &mut noted))
            }
            Endpoint::Code => {
                page_form(head, body).and_then(|form| self.code(head, &form, address, now, &mut noted))
            }
            Endpoint::Consent => {
                page_form(head, body).and_then(|form| self.consent(head, &form, now, &mut noted))
            }
            Endpoint::Applications if head.method == Method::GET => {
                self.applications(head, None, now, &mut noted)
            }
            Endpoint::Applications if head.method != Method::POST => Err(Fault::Method("GET, POST")),
            Endpoint::Applications => {
                page_form(head, body).and_then(|form| self.applications(head, Some(&form), now, &mut noted))
            }
            Endpoint::Logout => {
                page_form(head, body).and_then(|form| self.logout(head, &form, now, &mut noted))
            }
            Endpoint::Style => get(head).map(|()| pages::stylesheet()),
            Endpoint::Metadata => get(head).map(|()| self.metadata()),
            Endpoint::Jwks => get(head).map(|()| self.jwks(now)),
            Endpoint::Token => post(head, body).and_then(|form| self.token(head, &form, now, &mut noted)),
            Endpoint::Introspect => {
                post(head, body).and_then(|form| self.introspect(head, &form, now, &mut noted))
            }
            Endpoint::Revoke => post(head, body).and_then(|form| self.revoke(head, &form, now, &mut noted)),
        };
        let response = match answered {
            Ok(response) => {
                match noted.rule {
                    None => record.decision = Decision::Admitted,
                    Some(rule) => record.reason = Some(rule),
                }
                record.cause = noted.cause;
                response
            }
            Err(fault) => {
                let (_, _, description, rule) = fault.row();
                let mut response = match endpoint.is_for_customers() {
                    true => self.problem(problem_of(&fault), &noted),
                    false => fault.answer(),
                };
                if let Fault::Method(allowed) = fault {
                    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
                    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
                }
                record.reason = Some(noted.rule.unwrap_or(rule));
                record.cause = Some(noted.cause.unwrap_or(description));
                if fault == Fault::Unavailable {
                    record.decision = Decision::Failed;
                }
                response
            }
        };
        record.client = noted.client;
        record.logon = noted.logon;
        record.jti = noted.jti.map(Into::into);
        record.status = Some(response.status().as_u16());
        response
    }

    /// The issuer's path, `/gateway3/oauth/`.
    pub(crate) fn path(&self) -> &str {
        self.settings.issuer.get(self.origin().len()..).filter(|path| !path.is_empty()).unwrap_or("/")
    }

    /// The issuer's scheme and authority, `https://HOST`.
    pub(crate) fn origin(&self) -> &str {
        let issuer = self.settings.issuer.as_str();
        let authority = issuer.find("://").map_or(0, |at| at + 3);
        let end = issuer.get(authority..).and_then(|rest| rest.find('/')).map(|at| authority + at);
        end.and_then(|end| issuer.get(..end)).unwrap_or(issuer)
    }
}

/// One of the server's endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Endpoint {
    /// RFC 8414.
    Metadata,
    /// RFC 7517.
    Jwks,
    /// RFC 6749 §3.1.
    Authorize,
    /// The login page's form.
    Login,
    /// The one-time password's form.
    Code,
    /// The consent page's forms.
    Consent,
    /// The connected applications, and their forms.
    Applications,
    /// Ends a login.
    Logout,
    /// The pages' style sheet.
    Style,
    /// RFC 6749 §3.2.
    Token,
    /// RFC 7662.
    Introspect,
    /// RFC 7009.
    Revoke,
}

impl Endpoint {
    /// What an audit record calls it.
    pub fn name(self) -> &'static str {
        match self {
            Endpoint::Metadata => "oauth-metadata",
            Endpoint::Jwks => "oauth-jwks",
            Endpoint::Authorize => "oauth-authorize",
            Endpoint::Login => "oauth-login",
            Endpoint::Code => "oauth-code",
            Endpoint::Consent => "oauth-consent",
            Endpoint::Applications => "oauth-applications",
            Endpoint::Logout => "oauth-logout",
            Endpoint::Style => "oauth-style",
            Endpoint::Token => "oauth-token",
            Endpoint::Introspect => "oauth-introspect",
            Endpoint::Revoke => "oauth-revoke",
        }
    }

    /// Whether a customer reads the answer, so that a refusal is a page too. An authorization request's is an
    /// application's to read (OA-5).
    fn is_for_customers(self) -> bool {
        use Endpoint::{Applications, Code, Consent, Login, Logout};
        matches!(self, Login | Code | Consent | Applications | Logout)
    }
}

fn problem_of(fault: &Fault) -> ProblemKind {
    match fault {
        Fault::Unavailable => ProblemKind::Unavailable,
        _ => ProblemKind::BadRequest,
    }
}

/// What the audit record is told besides the answer.
#[derive(Debug, Default)]
struct Noted {
    request_id: Arc<str>,
    client: Option<ClientId>,
    logon: Option<Logon>,
    jti: Option<String>,
    rule: Option<Rule>,
    cause: Option<String>,
}

impl Noted {
    /// A refusal whose reason is more than the caller is told.
    fn because(&mut self, cause: impl fmt::Display) {
        self.cause = Some(cause.to_string());
    }

    /// A refusal that the customer is told of on a page, or the application by a redirect.
    fn refuse(&mut self, rule: Rule, cause: &str) {
        self.rule = Some(rule);
        self.cause = Some(cause.to_owned());
    }

    /// State that was asked for.
    fn had<T>(&mut self, asked: Result<T, Unavailable>) -> Result<T, Fault> {
        asked.map_err(|error| self.failed(error))
    }

    /// State that could not be had.
    fn failed(&mut self, error: Unavailable) -> Fault {
        let mut cause = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(inner) = source {
            cause.push_str(&format!(": {inner}"));
            source = inner.source();
        }
        self.cause = Some(cause);
        Fault::Unavailable
    }
}

/// A page's form, which no other site may post (C21).
fn page_form(head: &Parts, body: &Bytes) -> Result<Form, Fault> {
    if head.method != Method::POST {
        return Err(Fault::Method("POST"));
    }
    let site = head.headers.get("sec-fetch-site").map(|site| site.as_bytes());
    if site.is_some_and(|site| site != b"same-origin") {
        return Err(Fault::Malformed("The form is not of this site."));
    }
    post(head, body)
}

fn after(now: UnixTime, time: Duration) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs()).saturating_add(time))
}

fn get(head: &Parts) -> Result<(), Fault> {
    if head.method == Method::GET { Ok(()) } else { Err(Fault::Method("GET")) }
}

/// OA-9, C16: a form that was posted, with its length, and nothing in the query.
fn post(head: &Parts, body: &Bytes) -> Result<Form, Fault> {
    if head.method != Method::POST {
        return Err(Fault::Method("POST"));
    }
    if !head.headers.contains_key(CONTENT_LENGTH) {
        return Err(Fault::LengthRequired);
    }
    let media_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (media_type, parameters) = media_type.split_once(';').unwrap_or((media_type, ""));
    let is_form = media_type.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded");
    let is_utf8 = match parameters.trim() {
        "" => true,
        charset => {
            charset.eq_ignore_ascii_case("charset=utf-8") || charset.eq_ignore_ascii_case("charset=\"utf-8\"")
        }
    };
    if !is_form || !is_utf8 {
        return Err(Fault::MediaType);
    }
    if head.uri.query().is_some_and(|query| !query.is_empty()) {
        return Err(Fault::Malformed("Parameters belong in the body."));
    }
    Form::parse(body)
}
