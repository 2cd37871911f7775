//! The access token: a JWT that this server signs and the gateway verifies (OA-10, RFC 9068).
//!
//! ```text
//! {"alg":"ES256","kid":"<RFC 7638 thumbprint>","typ":"at+jwt"}
//! {"jti":"<family>.<22 characters>","iss":"https://HOST/gateway3/oauth/","aud":"…","sub":"<uuid>","startLogon":"…",
//!  "clientid":"…","scope":"MYIR.Services","grant":"AUTHORIZATION_CODE","iat":1604890695,"nbf":1604890395,"exp":1604919495}
//! ```
//!
//! The `jti` begins with the token's family, so that one name says both what to revoke alone and what to revoke with the rest.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use irgw_core::{ClientId, Logon, TokenFamily, TokenFault, UnixTime};
use serde::{Deserialize, Serialize};

use crate::Unavailable;
use crate::customers::Subject;
use crate::grants::ACCESS_LIFETIME;
use crate::opaque::{NAME_CHARS, draw};
use crate::signing::SigningKey;

/// The one scope (OA-1).
pub const SCOPE: &str = "MYIR.Services";

/// What a token is issued by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Grant {
    /// A code was redeemed.
    AuthorizationCode,
    /// A refresh token was exchanged.
    RefreshToken,
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// `jti`: `<family>.<unique>`.
    pub jti: String,
    /// The issuer.
    pub iss: String,
    /// Whom it is for.
    pub aud: String,
    /// The customer.
    pub sub: String,
    /// The customer's myIR logon.
    #[serde(rename = "startLogon")]
    pub start_logon: Logon,
    /// Whom it was issued to.
    pub clientid: ClientId,
    /// [`SCOPE`].
    pub scope: String,
    /// What it was issued by.
    pub grant: Grant,
    /// Issued at, in seconds since the epoch.
    pub iat: u64,
    /// The first second in which it is good: five minutes before `iat`, for clocks that differ.
    pub nbf: u64,
    /// The first second in which it is no longer good.
    pub exp: u64,
}

impl Claims {
    /// Of a new token.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub(crate) fn new(
        (issuer, audience): (&str, &str),
        client: &ClientId,
        (subject, logon): (&Subject, &Logon),
        family: &TokenFamily,
        grant: Grant,
        now: UnixTime,
    ) -> Result<Claims, Unavailable> {
        let iat = now.as_secs();
        Ok(Claims {
            jti: format!("{family}.{}", draw(NAME_CHARS)?.expose()),
            iss: issuer.to_owned(),
            aud: audience.to_owned(),
            sub: subject.to_string(),
            start_logon: logon.clone(),
            clientid: client.clone(),
            scope: SCOPE.to_owned(),
            grant,
            iat,
            nbf: iat.saturating_sub(BEFORE_SECS),
            exp: iat.saturating_add(ACCESS_LIFETIME.as_secs()),
        })
    }

    /// The token's family (OA-13).
    pub fn family(&self) -> Option<TokenFamily> {
        self.jti.split_once('.').and_then(|(family, _)| family.parse().ok())
    }
}

/// Signs a token.
pub(crate) fn sign(claims: &Claims, key: &SigningKey) -> Result<String, Unavailable> {
    let payload = serde_json::to_vec(claims).map_err(Unavailable::new)?;
    let mut token = format!("{}.{}", key.header(), URL_SAFE_NO_PAD.encode(payload));
    let signature = key.sign(token.as_bytes())?;
    token.push('.');
    token.push_str(&URL_SAFE_NO_PAD.encode(signature));
    Ok(token)
}

/// Whether a token is good at `now` by its own times.
pub(crate) fn check_times(claims: &Claims, now: UnixTime) -> Result<(), TokenError> {
    let now = now.as_secs();
    if now < claims.nbf || now >= claims.exp { Err(TokenError::Times) } else { Ok(()) }
}

/// Why an access token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It is no access token of ours.
    #[error("it is no access token of this server's form")]
    Malformed,
    /// No key of ours writes such a header now.
    #[error("no key in force signs tokens with this header")]
    Key,
    /// The signature is wrong.
    #[error("the signature does not verify")]
    Signature,
    /// Another issuer, audience or scope.
    #[error("it was issued by, or for, somebody else")]
    Elsewhere,
    /// Not yet, or no longer.
    #[error("it is not good at this time")]
    Times,
    /// It, its family or its client was revoked.
    #[error("it was revoked")]
    Revoked,
}

impl TokenError {
    /// What the `calculators` dialect tells apart.
    pub(crate) fn fault(self) -> TokenFault {
        match self {
            TokenError::Malformed | TokenError::Elsewhere => TokenFault::Malformed,
            TokenError::Key | TokenError::Revoked => TokenFault::UnknownCredential,
            TokenError::Signature => TokenFault::Signature,
            TokenError::Times => TokenFault::Times,
        }
    }
}

/// An access token is not longer.
pub(crate) const LIMIT_BYTES: usize = 4 * 1024;
/// How much earlier than `iat` a token is good, in seconds.
const BEFORE_SECS: u64 = 300;
