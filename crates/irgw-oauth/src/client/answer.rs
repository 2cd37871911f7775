//! What the authorization server answers: tokens (OA-11), and what it says of one (OA-14).

use std::fmt;
use std::time::Duration;

use irgw_core::{Secret, UnixTime};
use oauth2::basic::BasicTokenType;
use serde::{Deserialize, Deserializer, Serialize, de};

use super::pending::copy;
use super::skew::Skew;

/// An access token, and what came with it.
pub struct Tokens {
    pub(super) access_token: Secret<String>,
    pub(super) refresh_token: Option<Secret<String>>,
    pub(super) expires_at: UnixTime,
    pub(super) skew: Skew,
    pub(super) scope: Option<String>,
}

impl Tokens {
    /// What follows `Authorization: Bearer `.
    pub fn access_token(&self) -> &Secret<String> {
        &self.access_token
    }

    /// Works once (OA-12); leave its use to [`TokenFile`](super::TokenFile). Native clients get none.
    pub fn refresh_token(&self) -> Option<&Secret<String>> {
        self.refresh_token.as_ref()
    }

    /// The first second, by the server's clock, in which the access token is no longer good.
    pub fn expires_at(&self) -> UnixTime {
        self.expires_at
    }

    /// How far the server's clock was ahead when the tokens were issued.
    pub fn skew(&self) -> Skew {
        self.skew
    }

    /// The scope, if the server said it.
    pub fn scope(&self) -> Option<&str> {
        self.scope.as_deref()
    }

    /// Whether the access token is good for `margin` more, when this machine's clock shows `now` and the server's is
    /// `skew` ahead.
    pub fn is_fresh(&self, margin: Duration, skew: Skew, now: Duration) -> bool {
        let then = skew.server_time(now).as_secs().saturating_add(margin.as_secs());
        then < self.expires_at.as_secs()
    }
}

impl Clone for Tokens {
    fn clone(&self) -> Tokens {
        Tokens {
            access_token: copy(&self.access_token),
            refresh_token: self.refresh_token.as_ref().map(copy),
            expires_at: self.expires_at,
            skew: self.skew,
            scope: self.scope.clone(),
        }
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens")
            .field("expires_at", &self.expires_at.as_secs())
            .field("has_refresh_token", &self.refresh_token.is_some())
            .finish_non_exhaustive()
    }
}

/// What the server says of a token (RFC 7662 §2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Introspection {
    /// It is over, revoked, unknown or another client's; the server does not say which.
    Inactive,
    /// It is good. What the server left out is `None`.
    Active {
        /// Whose it is.
        client_id: Option<String>,
        /// The customer's myIR user id.
        username: Option<String>,
        /// The customer's stable name.
        subject: Option<String>,
        /// What it opens.
        scope: Option<String>,
        /// The first second in which it is no longer good.
        expires_at: Option<UnixTime>,
        /// When it was issued.
        issued_at: Option<UnixTime>,
    },
}

/// The kind of a token that is presented to introspection or revocation: a hint, no more (RFC 7009 §2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// `access_token`.
    Access,
    /// `refresh_token`.
    Refresh,
}

impl TokenKind {
    pub(super) fn hint(self) -> &'static str {
        match self {
            TokenKind::Access => "access_token",
            TokenKind::Refresh => "refresh_token",
        }
    }
}

/// The token endpoint's JSON (RFC 6749 §5.1). Not the `oauth2` crate's: `expires_in` comes as a number and as a string
/// (OA-11), and `token_type` is the one that is understood.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Answer {
    pub(super) access_token: oauth2::AccessToken,
    #[serde(deserialize_with = "bearer")]
    token_type: BasicTokenType,
    /// In seconds; IR documents 28,800 (OA-10), which RFC 6749 §5.1 lets an answer leave out.
    #[serde(default = "documented_lifetime", deserialize_with = "seconds")]
    pub(super) expires_in: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) refresh_token: Option<oauth2::RefreshToken>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) scope: Option<String>,
}

impl oauth2::TokenResponse for Answer {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &oauth2::AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &BasicTokenType {
        &self.token_type
    }

    fn expires_in(&self) -> Option<Duration> {
        Some(Duration::from_secs(self.expires_in))
    }

    fn refresh_token(&self) -> Option<&oauth2::RefreshToken> {
        self.refresh_token.as_ref()
    }

    fn scopes(&self) -> Option<&Vec<oauth2::Scope>> {
        None
    }
}

fn documented_lifetime() -> u64 {
    crate::grants::ACCESS_LIFETIME.as_secs()
}

/// RFC 6749 §7.1: a client must not use a token whose type it does not understand; the name's case does not matter.
fn bearer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BasicTokenType, D::Error> {
    let name = String::deserialize(deserializer)?;
    match name.eq_ignore_ascii_case("bearer") {
        true => Ok(BasicTokenType::Bearer),
        false => Err(de::Error::custom("the token type is not Bearer")),
    }
}

/// A number of seconds, `28800` or `"28800"` (OA-11).
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    struct Seconds;

    impl de::Visitor<'_> for Seconds {
        type Value = u64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a number of seconds, or a string of digits")
        }

        fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<u64, E> {
            Ok(seconds)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<u64, E> {
            let digits = text.trim();
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            let parsed = is_number.then(|| digits.parse().ok()).flatten();
            parsed.ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
        }
    }

    deserializer.deserialize_any(Seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<(u64, bool)> {
        let answer: Answer = serde_json::from_str(json).ok()?;
        Some((answer.expires_in, answer.refresh_token.is_some()))
    }

    fn expires_in(value: &str) -> Option<u64> {
        let json = format!(r#"{{"access_token":"a","token_type":"Bearer","expires_in":{value}}}"#);
        read(&json).map(|answer| answer.0)
    }

    #[test]
    fn lifetime_is_a_number_or_a_string() {
        assert_eq!(expires_in("28800"), Some(28800));
        assert_eq!(expires_in("\"28800\""), Some(28800));
        assert_eq!(expires_in("\" 28800 \""), Some(28800));
        assert_eq!(expires_in("0"), Some(0));
        for bad in ["-1", "\"-1\"", "\"\"", "\"8h\"", "true", "null", "[]", "1e99", "99999999999999999999"] {
            assert_eq!(expires_in(bad), None, "{bad}");
        }
    }

    #[test]
    fn lifetime_that_is_left_out_is_the_documented_one() {
        assert_eq!(read(r#"{"access_token":"a","token_type":"bearer"}"#), Some((28800, false)));
    }

    #[test]
    fn other_token_types_are_refused() {
        assert!(read(r#"{"access_token":"a","token_type":"BEARER","refresh_token":"r"}"#).is_some());
        for bad in [r#""mac""#, r#""""#, "null"] {
            assert!(read(&format!(r#"{{"access_token":"a","token_type":{bad}}}"#)).is_none());
        }
        assert!(read(r#"{"access_token":"a"}"#).is_none());
    }

    #[test]
    fn expiry_is_by_the_servers_clock() {
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let skew =
            Skew::measure(at(4600), Duration::from_millis(1_000_500), Duration::from_millis(1_000_500));
        let tokens = Tokens {
            access_token: Secret::new("a".into()),
            refresh_token: None,
            expires_at: at(5000),
            skew,
            scope: None,
        };
        let fresh =
            |margin, now| tokens.is_fresh(Duration::from_secs(margin), skew, Duration::from_secs(now));
        assert!(fresh(0, 1399));
        assert!(!fresh(0, 1400), "the last second is over");
        assert!(fresh(60, 1339) && !fresh(60, 1340));
        assert!(!format!("{tokens:?}").contains("\"a\""));
    }
}
