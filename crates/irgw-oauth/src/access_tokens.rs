//! Verifying access tokens: each signature once, everything that may change at every use (OA-10).

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use irgw_core::{TokenFamily, UnixTime};
use irgw_memo::Memo;

use crate::access_token::{Claims, LIMIT_BYTES, SCOPE, TokenError, check_times};
use crate::signing::{Keys, SigningKey};

/// The access tokens of one issuer for one audience.
///
/// A token whose signature was good is remembered by its full text. What is remembered is what it says, and nothing that can change:
/// that its key is in force, whom it is for and its times are checked at every use, and revocation and the client by whoever asks.
pub struct AccessTokens {
    issuer: String,
    audience: String,
    keys: Arc<dyn Keys>,
    known: Memo<Arc<Known>>,
}

/// What a token with a good signature says.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) claims: Claims,
    /// Both are in the claims' `jti`: shared here, so that no request copies them.
    pub(crate) family: TokenFamily,
    pub(crate) jti: Arc<str>,
}

impl AccessTokens {
    /// Those that `issuer` issues for `audience`, signed with `keys`. `limit_bytes` bounds what is remembered, at about 1,700 a
    /// token; 0: nothing is.
    pub fn new(issuer: String, audience: String, keys: Arc<dyn Keys>, limit_bytes: usize) -> AccessTokens {
        AccessTokens { issuer, audience, keys, known: Memo::new(limit_bytes) }
    }

    /// The issuer.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Verifies a token at `now`.
    ///
    /// Its first segment must be, byte for byte, what one of our keys writes: no header is parsed, so nothing in one can choose
    /// how the token is checked (RFC 8725 §3.1).
    ///
    /// # Errors
    /// The first check that fails.
    pub(crate) fn verify(&self, token: &str, now: UnixTime) -> Result<Arc<Known>, TokenError> {
        if token.len() > LIMIT_BYTES {
            return Err(TokenError::Malformed);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(TokenError::Malformed)?;
        // A header names its key by a digest of it, so what is remembered was signed with the key that is found here.
        let keyring = self.keys.keyring();
        let key = keyring.by_header(header, now).ok_or(TokenError::Key)?;
        let known = match self.known.find(token) {
            Some(known) => known,
            None => {
                let known = Arc::new(check_signature(key, message, payload, signature)?);
                let is_over = |known: &Arc<Known>| now.as_secs() >= known.claims.exp;
                self.known.remember(token, known.clone(), is_over);
                known
            }
        };
        let Claims { iss, aud, scope, .. } = &known.claims;
        if *iss != self.issuer || *aud != self.audience || scope != SCOPE {
            return Err(TokenError::Elsewhere);
        }
        check_times(&known.claims, now)?;
        Ok(known)
    }
}

fn check_signature(
    key: &SigningKey,
    message: &str,
    payload: &str,
    signature: &str,
) -> Result<Known, TokenError> {
    // The decoder refuses padding and spare bits, so that one token has one spelling.
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenError::Malformed)?;
    if !key.verifies(message.as_bytes(), &signature) {
        return Err(TokenError::Signature);
    }
    let payload = URL_SAFE_NO_PAD.decode(payload).map_err(|_| TokenError::Malformed)?;
    let claims: Claims = serde_json::from_slice(&payload).map_err(|_| TokenError::Malformed)?;
    let family = claims.family().ok_or(TokenError::Malformed)?;
    let jti = claims.jti.as_str().into();
    Ok(Known { claims, family, jti })
}

impl fmt::Debug for AccessTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessTokens")
            .field("issuer", &self.issuer)
            .field("known", &self.known)
            .finish_non_exhaustive()
    }
}
