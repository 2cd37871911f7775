//! The token endpoint: redeems a code, exchanges a refresh token (OA-8 to OA-12, OA-17).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::request::Parts;
use http::{Response, StatusCode};
use irgw_core::{ClientKind, Rule, TokenFamily, UnixTime};
use ring::digest::{SHA256, digest};
use serde_json::json;

use super::client_auth::{Natives, Unauthenticated};
use super::{AuthorizationServer, Noted};
use crate::access_token::{self, Claims, Grant, SCOPE};
use crate::fault::{Fault, json};
use crate::form::Form;
use crate::grants::{ACCESS_LIFETIME, CodeFault, Granted, Redemption, RefreshFault};
use crate::opaque::{Digest, NAME_CHARS, REFRESH_TOKEN_CHARS, draw};
use crate::registration::Client;
use crate::signing::{Keyring, SigningKey};

impl AuthorizationServer {
    pub(super) fn token(
        &self,
        head: &Parts,
        form: &Form,
        now: UnixTime,
        noted: &mut Noted,
    ) -> Result<Response<Bytes>, Fault> {
        let client = self.client(head, form, Natives::MayOmitSecret, noted).map_err(|error| match error {
            Unauthenticated::Nothing => Fault::CredentialsMissing,
            Unauthenticated::NoSecret => Fault::AuthorizationMissing,
            Unauthenticated::Malformed => Fault::AuthorizationInvalid,
            Unauthenticated::Client => Fault::TokenClient,
            Unauthenticated::Secret => Fault::Secret,
        })?;
        match form.need("grant_type")? {
            "authorization_code" => self.redeem(&client, form, now, noted),
            "refresh_token" => self.exchange(&client, form, now, noted),
            _ => Err(Fault::GrantType),
        }
    }

    fn redeem(
        &self,
        client: &Client,
        form: &Form,
        now: UnixTime,
        noted: &mut Noted,
    ) -> Result<Response<Bytes>, Fault> {
        let (code, redirect_uri) = (form.need("code")?, form.need("redirect_uri")?);
        let keyring = self.state.keys.keyring();
        let key = signing_key(&keyring, client, now, noted)?;
        let challenge = form.find("code_verifier").map(challenge_of).transpose()?;
        let refresh = match client.kind {
            ClientKind::Cloud => Some(noted.had(draw(REFRESH_TOKEN_CHARS))?),
            ClientKind::Native => None,
        };
        let family = noted.had(draw(NAME_CHARS))?;
        let family: TokenFamily = family.expose().parse().map_err(|_| Fault::Unavailable)?;
        let redemption = Redemption {
            code: Digest::of(code),
            client: client.id.clone(),
            redirect_uri: redirect_uri.to_owned(),
            challenge,
            family,
            refresh: refresh.as_ref().map(|token| Digest::of(token.expose())),
        };
        let redeemed = noted.had(self.state.grants.redeem(&redemption, now))?;
        let granted = redeemed.map_err(|fault| {
            noted.because(format_args!("the code: {fault}"));
            match fault {
                CodeFault::Expired => Fault::CodeExpired,
                CodeFault::RedirectUri => Fault::CodeRedirectUri,
                CodeFault::Verifier => {
                    noted.rule = Some(Rule::Oa6);
                    Fault::Code
                }
                CodeFault::Unknown | CodeFault::Replayed(_) | CodeFault::Withdrawn => Fault::Code,
            }
        })?;
        // A directory of the operator's own may have dropped the customer since.
        if noted.had(self.state.customers.customer(&granted.subject))?.is_none() {
            noted.because("the customer is gone");
            return Err(Fault::Code);
        }
        let refresh = refresh.as_ref().map(|token| token.expose().as_str());
        self.issue(client, &granted, (Grant::AuthorizationCode, refresh), key, now, noted)
    }

    fn exchange(
        &self,
        client: &Client,
        form: &Form,
        now: UnixTime,
        noted: &mut Noted,
    ) -> Result<Response<Bytes>, Fault> {
        if client.kind == ClientKind::Native {
            return Err(Fault::RefreshNotAllowed);
        }
        let presented = Digest::of(form.need("refresh_token")?);
        // Sent again, it may ask for nothing else (RFC 6749 §6).
        if form.find("scope").is_some_and(|scope| scope != SCOPE) {
            return Err(Fault::Scope);
        }
        // All that could fail comes before the exchange: a rotation whose answer is not sent is lost to the client.
        let keyring = self.state.keys.keyring();
        let key = signing_key(&keyring, client, now, noted)?;
        let grants = &self.state.grants;
        if let Some(known) = noted.had(grants.refresh_token(&presented))?
            && noted.had(self.state.customers.customer(&known.subject))?.is_none()
        {
            noted.because("the customer is gone");
            return Err(Fault::RefreshToken);
        }
        let next = noted.had(draw(REFRESH_TOKEN_CHARS))?;
        let digest = Digest::of(next.expose());
        let exchanged = grants.refresh(&presented, &client.id, &digest, self.settings.grace, now);
        let granted = noted.had(exchanged)?.map_err(|fault| {
            noted.because(format_args!("the refresh token: {fault}"));
            if fault == RefreshFault::Revoked {
                noted.rule = Some(Rule::Oa16);
            }
            Fault::RefreshToken
        })?;
        self.issue(client, &granted, (Grant::RefreshToken, Some(next.expose())), key, now, noted)
    }

    /// The access token, with the refresh token that was kept (OA-11).
    fn issue(
        &self,
        client: &Client,
        granted: &Granted,
        (grant, refresh): (Grant, Option<&str>),
        key: &SigningKey,
        now: UnixTime,
        noted: &mut Noted,
    ) -> Result<Response<Bytes>, Fault> {
        noted.logon = Some(granted.logon.clone());
        let parties = (self.settings.issuer.as_str(), self.settings.audience.as_str());
        let customer = (&granted.subject, &granted.logon);
        let token = Claims::new(parties, &client.id, customer, &granted.family, grant, now)
            .and_then(|claims| {
                let token = access_token::sign(&claims, key)?;
                noted.jti = Some(claims.jti);
                Ok(token)
            })
            .map_err(|error| noted.failed(error))?;
        let mut answer = json!({
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": ACCESS_LIFETIME.as_secs(),
            "scope": SCOPE,
        });
        if let (Some(refresh), Some(members)) = (refresh, answer.as_object_mut()) {
            members.insert("refresh_token".to_owned(), refresh.into());
        }
        Ok(json(StatusCode::OK, &answer))
    }
}

/// The key that signs this client's tokens now.
fn signing_key<'k>(
    keyring: &'k Keyring,
    client: &Client,
    now: UnixTime,
    noted: &mut Noted,
) -> Result<&'k SigningKey, Fault> {
    keyring.signing(client.algorithm, now).ok_or_else(|| {
        noted.because(format_args!("no key signs {} now", client.algorithm));
        Fault::Unavailable
    })
}

/// The challenge of a verifier: 43 to 128 unreserved characters, by S256 (RFC 7636 §4.1, §4.6).
fn challenge_of(verifier: &str) -> Result<String, Fault> {
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(is_unreserved) {
        return Err(Fault::Verifier);
    }
    Ok(URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes())))
}
