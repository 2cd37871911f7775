//! What the authorization server refuses with, as values: the published tables of OA-5 and OA-17.

use std::fmt;

use irgw_core::{Rule, printable};
use serde::{Deserialize, Serialize};

/// A refusal of the authorization server, by its `error` and `error_description` (RFC 6749 §4.1.2.1, §5.2).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum OAuthError {
    /// The customer refused, or did not consent (OA-5).
    AccessDenied,
    /// Another scope than `MYIR.Services` (OA-1).
    InvalidScope,
    /// No such client, or one of another environment.
    UnknownClient,
    /// The redirect URI is not registered for the client (OA-4); the server repeats it.
    RedirectUriNotRegistered {
        /// As the server read it.
        redirect_uri: String,
    },
    /// A parameter is missing.
    MissingParameter {
        /// Which.
        name: String,
    },
    /// `response_type` is not `code`.
    InvalidResponseType,
    /// There is no `Authorization` header.
    AuthorizationMissing,
    /// The `Authorization` header is not HTTP Basic as RFC 7617 writes it.
    AuthorizationMalformed,
    /// Neither the header nor the body has the client's credentials.
    CredentialsMissing,
    /// A grant other than `authorization_code` and `refresh_token`.
    UnsupportedGrantType,
    /// A native client has no refresh tokens (OA-12).
    RefreshNotAllowed,
    /// The client's secret is wrong.
    WrongSecret,
    /// The code was used, is another client's, or never was one (OA-8); or the verifier is not its (OA-6).
    InvalidCode,
    /// The code's ten minutes are over.
    ExpiredCode,
    /// Another redirect URI than in the authorization request.
    RedirectUriMismatch,
    /// The refresh token was used, revoked or is over, or the consent was withdrawn: log in again (OA-12).
    InvalidRefreshToken,
    /// Introspection and revocation need the client's credentials.
    NotAuthenticated,
    /// Those that were sent to introspection or revocation are wrong.
    BadCredentials,
    /// Revocation needs a client's name.
    ClientNotNamed,
    /// What no table has.
    Other {
        /// `error`.
        error: String,
        /// `error_description`.
        description: Option<String>,
    },
}

/// Every row that has no variable part: `error`, `error_description`, and what it means.
const ROWS: &[(&str, &str, OAuthError)] = &[
    ("invalid_client", "Client is invalid.", OAuthError::UnknownClient),
    (
        "invalid_request",
        "Invalid response_type. Response type must be 'code'",
        OAuthError::InvalidResponseType,
    ),
    ("invalid_request", "Invalid client. Missing authorization header.", OAuthError::AuthorizationMissing),
    ("invalid_request", "Invalid authorization header.", OAuthError::AuthorizationMalformed),
    (
        "invalid_request",
        "This API requires authentication using HTTP Basic Auth or by including credentials in the request body.",
        OAuthError::CredentialsMissing,
    ),
    ("unsupported_grant_type", "Invalid grant_type.", OAuthError::UnsupportedGrantType),
    ("unauthorized_client", "Token refresh is not allowed for this client.", OAuthError::RefreshNotAllowed),
    (
        "invalid_client",
        "The provided secret or assertion are not valid for this client.",
        OAuthError::WrongSecret,
    ),
    ("invalid_grant", "Invalid authorization code.", OAuthError::InvalidCode),
    ("invalid_grant", "The authorization code has expired.", OAuthError::ExpiredCode),
    (
        "invalid_grant",
        "Invalid redirect_uri. Value does not match the authorization request.",
        OAuthError::RedirectUriMismatch,
    ),
    ("invalid_grant", "Refresh token is invalid.", OAuthError::InvalidRefreshToken),
    ("invalid_client", "Your client must authenticate to use this API.", OAuthError::NotAuthenticated),
    ("invalid_client", "Invalid authorization header.", OAuthError::BadCredentials),
    ("invalid_client", "Invalid request format. Missing parameter: client_id", OAuthError::ClientNotNamed),
];

impl OAuthError {
    /// Reads the pair. What is not in the published tables is kept as it came.
    ///
    /// ```
    /// use irgw_oauth::client::OAuthError;
    ///
    /// let error = OAuthError::read("invalid_grant", Some("Refresh token is invalid."));
    /// assert_eq!(error, OAuthError::InvalidRefreshToken);
    /// assert!(error.ends_grant());
    /// ```
    pub fn read(error: &str, description: Option<&str>) -> OAuthError {
        // By redirect, the first word decides: a customer's refusal has no published description.
        match error {
            "access_denied" => return OAuthError::AccessDenied,
            "invalid_scope" => return OAuthError::InvalidScope,
            _ => {}
        }
        let said = description.unwrap_or_default();
        if let Some((_, _, known)) = ROWS.iter().find(|row| row.0 == error && row.1 == said) {
            return known.clone();
        }
        if error == "invalid_request" {
            if let Some(name) = said.strip_prefix("Invalid request format. Missing parameter: ") {
                return OAuthError::MissingParameter { name: name.to_owned() };
            }
            let uri = said
                .strip_prefix("Invalid redirect_uri. Provided redirect_uri (")
                .and_then(|rest| rest.strip_suffix(") is not configured for this client."));
            if let Some(uri) = uri {
                return OAuthError::RedirectUriNotRegistered { redirect_uri: uri.to_owned() };
            }
        }
        OAuthError::Other { error: error.to_owned(), description: description.map(str::to_owned) }
    }

    /// The `error`: RFC 6749's word.
    pub fn code(&self) -> &str {
        match self {
            OAuthError::AccessDenied => "access_denied",
            OAuthError::InvalidScope => "invalid_scope",
            OAuthError::RedirectUriNotRegistered { .. } | OAuthError::MissingParameter { .. } => {
                "invalid_request"
            }
            OAuthError::Other { error, .. } => error,
            known => ROWS.iter().find(|row| row.2 == *known).map_or("invalid_request", |row| row.0),
        }
    }

    /// The rule by which the server refuses.
    pub fn rule(&self) -> Rule {
        match self {
            OAuthError::AccessDenied
            | OAuthError::InvalidScope
            | OAuthError::RedirectUriNotRegistered { .. }
            | OAuthError::InvalidResponseType => Rule::Oa5,
            OAuthError::InvalidCode | OAuthError::ExpiredCode => Rule::Oa8,
            OAuthError::RefreshNotAllowed | OAuthError::InvalidRefreshToken => Rule::Oa12,
            _ => Rule::Oa17,
        }
    }

    /// Whether what was presented, a code or a refresh token, is good for nothing any more: log in again.
    pub fn ends_grant(&self) -> bool {
        self.code() == "invalid_grant"
    }
}

impl fmt::Display for OAuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |text: &str| printable(&text.chars().take(SHOWN_CHARS).collect::<String>());
        match self {
            OAuthError::AccessDenied => f.write_str("access_denied: the customer did not authorise"),
            OAuthError::InvalidScope => f.write_str("invalid_scope: the one scope is MYIR.Services"),
            OAuthError::RedirectUriNotRegistered { redirect_uri } => {
                let uri = short(redirect_uri);
                write!(f, "invalid_request: the redirect URI {uri} is not registered for this client")
            }
            OAuthError::MissingParameter { name } => {
                write!(f, "invalid_request: the parameter {} is missing", short(name))
            }
            OAuthError::Other { error, description: None } => f.write_str(&short(error)),
            OAuthError::Other { error, description: Some(said) } => {
                write!(f, "{}: {}", short(error), short(said))
            }
            known => {
                let said = ROWS.iter().find(|row| row.2 == *known).map_or("", |row| row.1);
                write!(f, "{}: {}", known.code(), said.trim_end_matches('.'))
            }
        }
    }
}

impl std::error::Error for OAuthError {}

/// How much of another's text is shown.
const SHOWN_CHARS: usize = 200;

/// The JSON body of a refusal (RFC 6749 §5.2).
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Body {
    error: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error_description: Option<String>,
}

impl Body {
    pub(super) fn read(&self) -> OAuthError {
        OAuthError::read(&self.error, self.error_description.as_deref())
    }
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.read().fmt(f)
    }
}

impl oauth2::ErrorResponse for Body {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_tables_is_a_value_and_keeps_its_words() {
        for (error, description, known) in ROWS {
            let read = OAuthError::read(error, Some(description));
            assert_eq!(read, *known);
            assert_eq!(read.code(), *error);
            assert_eq!(read.to_string(), format!("{error}: {}", description.trim_end_matches('.')));
            assert!(ROWS.iter().filter(|row| row.2 == *known).count() == 1, "{known:?} stands once");
        }
    }

    #[test]
    fn rows_with_a_variable_part_carry_it() {
        let read = |description| OAuthError::read("invalid_request", Some(description));
        let missing = |name: &str| OAuthError::MissingParameter { name: name.to_owned() };
        for name in ["client_id", "redirect_uri", "grant_type", "token"] {
            let said = format!("Invalid request format. Missing parameter: {name}");
            assert_eq!(OAuthError::read("invalid_request", Some(&said)), missing(name));
        }
        assert_eq!(
            read(
                "Invalid redirect_uri. Provided redirect_uri (https://a/b(1)) is not configured for this client."
            ),
            OAuthError::RedirectUriNotRegistered { redirect_uri: "https://a/b(1)".into() }
        );
    }

    #[test]
    fn redirected_errors_are_known_without_their_description() {
        for description in [None, Some("Invalid scope requested")] {
            assert_eq!(OAuthError::read("invalid_scope", description), OAuthError::InvalidScope);
            assert_eq!(OAuthError::read("access_denied", description), OAuthError::AccessDenied);
        }
    }

    #[test]
    fn what_no_table_has_is_kept_and_shown_safely() {
        let other = OAuthError::read("server_error", Some("\u{1b}[31mboom"));
        let kept =
            OAuthError::Other { error: "server_error".into(), description: Some("\u{1b}[31mboom".into()) };
        assert_eq!(other, kept);
        assert_eq!(other.to_string(), "server_error: \u{fffd}[31mboom");
        assert!(OAuthError::read("invalid_grant", Some("New words.")).ends_grant());
        assert!(OAuthError::read(&"x".repeat(9999), None).to_string().len() == SHOWN_CHARS);
    }
}
