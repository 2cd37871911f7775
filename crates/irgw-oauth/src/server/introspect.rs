//! Introspection (RFC 7662, OA-14): what a token is, told to the client that it was issued to.

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Response, StatusCode};
use irgw_core::UnixTime;
use serde_json::{Value, json};

use super::client_auth::{Natives, Unauthenticated};
use super::{AuthorizationServer, Noted};
use crate::access_token::SCOPE;
use crate::access_tokens::Known;
use crate::fault::{Fault, json};
use crate::form::Form;
use crate::opaque::Digest;
use crate::registration::Client;

impl AuthorizationServer {
    pub(super) fn introspect(
        &self,
        head: &Parts,
        form: &Form,
        now: UnixTime,
        noted: &mut Noted,
    ) -> Result<Response<Bytes>, Fault> {
        let client = self.client(head, form, Natives::ShowSecret, noted).map_err(|error| match error {
            Unauthenticated::Nothing | Unauthenticated::NoSecret => Fault::Unauthenticated,
            _ => Fault::BadCredentials,
        })?;
        let token = form.need("token")?;
        let known = match self.own_access_token(token, &client, now) {
            Some(known) if self.is_live(&known) => Some(json!({
                "active": true,
                "client_id": known.claims.clientid,
                "username": known.claims.start_logon,
                "scope": known.claims.scope,
                "sub": known.claims.sub,
                "exp": known.claims.exp,
                "iat": known.claims.iat,
                "token_type": "Bearer",
            })),
            Some(_) => None,
            None if is_access_token(token) => None,
            None => self.own_refresh_token(token, &client, now).map_err(|error| noted.failed(error))?,
        };
        Ok(json(StatusCode::OK, &known.unwrap_or_else(|| json!({ "active": false }))))
    }

    /// What an access token of this client says.
    pub(super) fn own_access_token(&self, token: &str, client: &Client, now: UnixTime) -> Option<Arc<Known>> {
        let known = self.state.tokens.verify(token, now).ok()?;
        (known.claims.clientid == client.id).then_some(known)
    }

    fn is_live(&self, known: &Known) -> bool {
        let revocations = &self.state.revocations;
        !revocations.is_token_revoked(&known.jti) && !revocations.is_family_revoked(&known.family)
    }

    fn own_refresh_token(
        &self,
        token: &str,
        client: &Client,
        now: UnixTime,
    ) -> Result<Option<Value>, crate::Unavailable> {
        let found = self.state.grants.refresh_token(&Digest::of(token))?;
        let Some(found) = found.filter(|found| found.is_active(&client.id, now)) else { return Ok(None) };
        // Without it the token cannot be exchanged (OA-12).
        if !self.state.grants.has_consent(&found.subject, &client.id, now)? {
            return Ok(None);
        }
        let issued_at = found.expires_at.as_secs() - crate::grants::REFRESH_LIFETIME.as_secs();
        Ok(Some(json!({
            "active": true,
            "client_id": found.client,
            "username": found.logon,
            "scope": SCOPE,
            "sub": found.subject.as_str(),
            "exp": found.expires_at.as_secs(),
            "iat": issued_at,
        })))
    }
}

/// Whether a request's token can be nothing but an access token: it is answered from memory.
pub(super) fn is_of_an_access_token(body: &[u8]) -> bool {
    Form::parse(body).is_ok_and(|form| form.find("token").is_some_and(is_access_token))
}

/// The characters of a refresh token are those of base64url (OA-12), so whatever has a dot is none.
fn is_access_token(token: &str) -> bool {
    token.contains('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_no_refresh_token_is_answered_from_memory() {
        assert!(is_of_an_access_token(b"token_type_hint=refresh_token&token=a.b.c"));
        for other in ["token=abc", "client_id=a.b", "token=", "", "token=a.b&token=c", "%zz&token=a.b"] {
            assert!(!is_of_an_access_token(other.as_bytes()), "{other}");
        }
        let drawn = crate::opaque::draw(crate::opaque::REFRESH_TOKEN_CHARS).unwrap();
        assert!(!is_access_token(drawn.expose()));
    }
}
