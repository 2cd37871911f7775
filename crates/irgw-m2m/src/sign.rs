//! Signing a token, as a provider does (M2M-2 to M2M-7).

use std::time::Duration;

use irgw_core::{Logon, Thumbprint, UnixTime};
use serde::Serialize;

use crate::SigningKey;
use crate::compact::{signing_input, with_signature};
use crate::error::{Error, TimeFault};
use crate::token::{KEY_ID, TYPE, Token};
use crate::verify::LIFETIME_LIMIT;

/// What a new token is to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewToken<'a> {
    /// The enrolled signing certificate's thumbprint (M2M-3).
    pub thumbprint: Thumbprint,
    /// The value agreed for `iss` (M2M-5).
    pub issuer: &'a str,
    /// The myIR logon whose delegations are to apply; `None`: the resource owner's own access (M2M-7).
    pub start_logon: Option<&'a Logon>,
    /// `iat`.
    pub issued_at: UnixTime,
    /// `exp - iat`, in whole seconds: 1 second to 8 hours (M2M-6). Fifteen minutes is a good value.
    pub lifetime: Duration,
    /// `jti`, where the gateway requires single use (M2M-10): a fresh random name.
    pub jti: Option<&'a str>,
}

/// Signs a token. The header is exactly `{"alg":"…","typ":"JWT","kid":"M2M"}`.
///
/// Send the result as it is: `Authorization: <token>`, with no `Bearer` before it (M2M-1).
///
/// # Errors
/// [`Error::Times`] when the lifetime is none that the profile admits, [`Error::Key`] when the key cannot sign, and what
/// every reader would refuse of the rest: an empty issuer (M2M-5), a `jti` that is none (M2M-10), too long a token (M2M-2).
pub fn sign(token: &NewToken<'_>, key: &SigningKey) -> Result<String, Error> {
    let lifetime = token.lifetime.as_secs();
    if lifetime == 0 {
        return Err(Error::Times(TimeFault::Order));
    }
    if lifetime > LIFETIME_LIMIT.as_secs() {
        return Err(Error::Times(TimeFault::Lifetime));
    }
    let payload = Payload {
        sub: token.thumbprint,
        iss: token.issuer,
        start_logon: token.start_logon,
        iat: token.issued_at.as_secs(),
        exp: token.issued_at.as_secs().saturating_add(lifetime),
        jti: token.jti,
    };
    let payload = serde_json::to_vec(&payload).expect("text and whole numbers always become json");
    let header = format!(r#"{{"alg":"{}","typ":"{TYPE}","kid":"{KEY_ID}"}}"#, key.algorithm());
    let input = signing_input(&header, &payload);
    let signature = key.sign(input.as_bytes())?;
    let text = with_signature(input, &signature);
    Token::parse(&text)?;
    Ok(text)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Payload<'a> {
    sub: Thumbprint,
    iss: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_logon: Option<&'a Logon>,
    iat: u64,
    exp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<&'a str>,
}
