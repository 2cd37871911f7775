//! The one table of what the authorization server refuses with: status, `error`, `error_description`, rule (OA-5, OA-17).

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_TYPE, HeaderValue, PRAGMA, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use http::{Response, StatusCode};
use irgw_core::Rule;
use serde_json::json;

/// A refusal in JSON (RFC 6749 §5.2): never a redirect, never a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    // The authorization endpoint.
    UnknownClient,
    RedirectUri(String),
    ResponseType,
    State,
    ChallengeMethod,
    Challenge,
    // Every endpoint.
    Missing(&'static str),
    Repeated(String),
    Malformed(&'static str),
    Unavailable,
    // The token endpoint.
    AuthorizationMissing,
    AuthorizationInvalid,
    CredentialsMissing,
    TokenClient,
    Secret,
    GrantType,
    Code,
    CodeExpired,
    CodeRedirectUri,
    Verifier,
    RefreshToken,
    RefreshNotAllowed,
    Scope,
    // Introspection and revocation.
    Unauthenticated,
    BadCredentials,
    NoClientNamed,
    // HTTP.
    Method(&'static str),
    LengthRequired,
    MediaType,
}

impl Fault {
    /// Status, `error`, `error_description` and the rule that refuses.
    pub(crate) fn row(&self) -> (StatusCode, &'static str, String, Rule) {
        let (status, error, description, rule) = match self {
            Fault::UnknownClient => (401, "invalid_client", "Client is invalid.", Rule::Oa5),
            Fault::RedirectUri(uri) => {
                let shown: String = uri.chars().take(ECHO_LIMIT_CHARS).collect();
                let description = format!(
                    "Invalid redirect_uri. Provided redirect_uri ({shown}) is not configured for this client."
                );
                return (StatusCode::BAD_REQUEST, "invalid_request", description, Rule::Oa4);
            }
            Fault::ResponseType => {
                (400, "invalid_request", "Invalid response_type. Response type must be 'code'", Rule::Oa5)
            }
            Fault::State => (400, "invalid_request", "Invalid state.", Rule::Oa3),
            Fault::ChallengeMethod => (
                400,
                "invalid_request",
                "Invalid code_challenge_method. Code challenge method must be 'S256'",
                Rule::Oa6,
            ),
            Fault::Challenge => (400, "invalid_request", "Invalid code_challenge.", Rule::Oa6),
            Fault::Missing(name) => {
                let description = format!("Invalid request format. Missing parameter: {name}");
                return (StatusCode::BAD_REQUEST, "invalid_request", description, Rule::Oa5);
            }
            Fault::Repeated(name) => {
                let shown: String = name.chars().take(ECHO_LIMIT_CHARS).collect();
                let description = format!("Invalid request format. Repeated parameter: {shown}");
                return (StatusCode::BAD_REQUEST, "invalid_request", description, Rule::Oa5);
            }
            Fault::Malformed(what) => {
                let description = format!("Invalid request format. {what}");
                return (StatusCode::BAD_REQUEST, "invalid_request", description, Rule::Oa9);
            }
            Fault::Unavailable => (503, "temporarily_unavailable", "Try again later.", Rule::Oa16),
            Fault::AuthorizationMissing => {
                (400, "invalid_request", "Invalid client. Missing authorization header.", Rule::Oa17)
            }
            Fault::AuthorizationInvalid => {
                (400, "invalid_request", "Invalid authorization header.", Rule::Oa17)
            }
            Fault::CredentialsMissing => (
                400,
                "invalid_request",
                "This API requires authentication using HTTP Basic Auth or by including credentials in the request body.",
                Rule::Oa17,
            ),
            Fault::TokenClient => (400, "invalid_client", "Client is invalid.", Rule::Oa17),
            Fault::Secret => (
                401,
                "invalid_client",
                "The provided secret or assertion are not valid for this client.",
                Rule::Oa2,
            ),
            Fault::GrantType => (400, "unsupported_grant_type", "Invalid grant_type.", Rule::Oa1),
            Fault::Code => (401, "invalid_grant", "Invalid authorization code.", Rule::Oa8),
            Fault::CodeExpired => (401, "invalid_grant", "The authorization code has expired.", Rule::Oa8),
            Fault::CodeRedirectUri => (
                401,
                "invalid_grant",
                "Invalid redirect_uri. Value does not match the authorization request.",
                Rule::Oa8,
            ),
            Fault::Verifier => (400, "invalid_request", "Invalid code_verifier.", Rule::Oa6),
            Fault::RefreshToken => (401, "invalid_grant", "Refresh token is invalid.", Rule::Oa12),
            Fault::RefreshNotAllowed => {
                (400, "unauthorized_client", "Token refresh is not allowed for this client.", Rule::Oa12)
            }
            Fault::Scope => (400, "invalid_scope", "Invalid scope requested", Rule::Oa1),
            Fault::Unauthenticated => {
                (401, "invalid_client", "Your client must authenticate to use this API.", Rule::Oa17)
            }
            Fault::BadCredentials => (401, "invalid_client", "Invalid authorization header.", Rule::Oa17),
            Fault::NoClientNamed => {
                (401, "invalid_client", "Invalid request format. Missing parameter: client_id", Rule::Oa17)
            }
            Fault::Method(allowed) => {
                let description = format!("Invalid request method. Use {allowed}.");
                return (StatusCode::METHOD_NOT_ALLOWED, "invalid_request", description, Rule::Oa9);
            }
            Fault::LengthRequired => (411, "invalid_request", "A Content-Length is required.", Rule::Oa9),
            Fault::MediaType => (
                415,
                "invalid_request",
                "The content type must be application/x-www-form-urlencoded.",
                Rule::Oa9,
            ),
        };
        let status = StatusCode::from_u16(status).expect("the table holds valid statuses");
        (status, error, description.to_owned(), rule)
    }

    /// The answer.
    pub(crate) fn answer(&self) -> Response<Bytes> {
        let (status, error, description, _) = self.row();
        let mut response = json(status, &json!({ "error": error, "error_description": description }));
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(
                WWW_AUTHENTICATE,
                HeaderValue::from_static(r#"Basic realm="oauth", charset="UTF-8""#),
            );
        }
        response
    }
}

/// A JSON answer that nobody keeps (RFC 6749 §5.1, C28).
///
/// Whatever HTML or a script could take for its own is escaped, as is `/` (C05): what a caller sent comes back as text only.
pub(crate) fn json(status: StatusCode, value: &serde_json::Value) -> Response<Bytes> {
    let mut text = String::new();
    for c in value.to_string().chars() {
        match c {
            '/' => text.push_str("\\/"),
            '<' | '>' | '&' | '\'' => text.push_str(&format!("\\u{:04x}", u32::from(c))),
            c if c.is_ascii() => text.push(c),
            c => {
                let mut units = [0; 2];
                c.encode_utf16(&mut units).iter().for_each(|unit| text.push_str(&format!("\\u{unit:04x}")));
            }
        }
    }
    let mut response = Response::new(Bytes::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(
        "content-security-policy",
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    );
    uncached(&mut response);
    response
}

/// Says that nobody may keep the answer.
pub(crate) fn uncached(response: &mut Response<Bytes>) {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(PRAGMA, HeaderValue::from_static("no-cache"));
}

/// How much of what a caller sent is repeated in an answer.
const ECHO_LIMIT_CHARS: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    /// docs/wire.md has every row of the table, and no other.
    #[test]
    fn every_fault_is_documented() {
        macro_rules! every {
            ($($fault:ident $(($value:expr))?),*) => {{
                // A new one does not compile until it is listed below.
                let _ = |fault: &Fault| match fault { $(Fault::$fault { .. } => {})* };
                vec![$(Fault::$fault $(($value))?),*]
            }};
        }
        let every = every![
            UnknownClient,
            RedirectUri("URI".into()),
            ResponseType,
            State,
            ChallengeMethod,
            Challenge,
            Missing("NAME"),
            Repeated("NAME".into()),
            Malformed("…"),
            Unavailable,
            AuthorizationMissing,
            AuthorizationInvalid,
            CredentialsMissing,
            TokenClient,
            Secret,
            GrantType,
            Code,
            CodeExpired,
            CodeRedirectUri,
            Verifier,
            RefreshToken,
            RefreshNotAllowed,
            Scope,
            Unauthenticated,
            BadCredentials,
            NoClientNamed,
            Method("POST"),
            LengthRequired,
            MediaType
        ];
        let page = include_str!("../../../docs/wire.md");
        let (_, table) = page.split_once("\n## The authorization server\n").expect("the page has this part");
        let table = table.split("\n## ").next().unwrap_or(table);
        let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
        for fault in &every {
            let (status, error, description, rule) = fault.row();
            let row = format!("| {} | {error} | {description} | {rule} |", status.as_u16());
            assert!(rows.iter().any(|line| line.starts_with(&row)), "docs/wire.md has no row {row}");
        }
        assert_eq!(rows.len(), every.len(), "docs/wire.md has rows of no fault");
    }
}
