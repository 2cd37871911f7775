//! The provider's side: log a customer in, use the tokens, renew them, give them back.
//!
//! ```text
//!   Client::begin ──► URL for the browser, Pending ──► Pending::finish(callback) ──► Code     state, PKCE
//!                                                           ▲ Loopback::receive             │
//!                                                           │ (native applications)         ▼
//!   TokenFile::fresh ◄── TokenFile::store ◄──────────── Tokens ◄──────────────── Client::redeem
//!     │ expired: lock, write ahead, Client::refresh, write                                         one refresh at a time
//!     ▼
//!   access token
//! ```
//!
//! It speaks no HTTP: an [`Http`] of the caller's does. It opens no browser, and reads no clock but the one that it is
//! given. The `oauth2` crate makes the requests and reads the errors; secrets pass through its types, which do not wipe
//! their memory.
//!
//! ```
//! use std::sync::Arc;
//! use irgw_core::{ClientKind, Clock};
//! use irgw_oauth::client::{Client, ClientConfig, Endpoints, Http, SendFault};
//!
//! # #[derive(Debug)] struct System;
//! # impl Clock for System { fn since_epoch(&self) -> std::time::Duration { std::time::Duration::from_secs(1_800_000_000) } }
//! # struct Https;
//! # impl Http for Https {
//! #     async fn send(&self, _: http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>, SendFault> {
//! #         Ok(http::Response::new(br#"{"access_token":"a","token_type":"Bearer","expires_in":"28800"}"#.to_vec()))
//! #     }
//! # }
//! # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
//! # runtime.block_on(async {
//! let config = ClientConfig::new(
//!     &Endpoints::below("https://services.ird.govt.nz/gateway3/oauth"),
//!     "my-client-id".parse()?,
//!     None,
//!     &["http://127.0.0.1/callback"],
//!     ClientKind::Native,
//! )?;
//! let client = Client::new(config, Https, Arc::new(System));
//!
//! let (url, pending) = client.begin_at("http://127.0.0.1:49152/callback")?;
//! println!("open {url}");
//! # let state = url.split("state=").nth(1).and_then(|rest| rest.split('&').next()).unwrap_or_default();
//! # let callback = format!("http://127.0.0.1:49152/callback?code=c&state={state}");
//! let code = pending.finish(&callback, client.now())?;     // where the browser was sent to
//! let tokens = client.redeem(&code).await?;
//! assert!(!tokens.access_token().expose().is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod answer;
mod config;
mod error;
mod exchange;
mod http;
mod loopback;
mod pending;
mod refusal;
mod skew;
#[cfg(test)]
mod testing;
mod token_file;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use irgw_core::{Clock, Secret, UnixTime};
use oauth2::{
    AccessToken, AuthorizationCode, CsrfToken, EndpointNotSet, EndpointSet, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, RefreshToken, Scope, StandardRevocableToken,
};

pub use self::answer::{Introspection, TokenKind, Tokens};
pub use self::config::{ClientConfig, ConfigFault, Endpoints};
pub use self::error::Error;
pub use self::http::{Http, RESPONSE_LIMIT_BYTES, SendFault};
pub use self::loopback::{Loopback, LoopbackFault};
pub use self::pending::{CallbackFault, Code, PENDING_LIFETIME, Pending};
pub use self::refusal::OAuthError;
pub use self::skew::{Skew, date};
pub use self::token_file::{FileFault, Kept, RenewError, TokenFile};
use crate::opaque::{SECRET_CHARS, draw};

/// The one scope (OA-1).
pub const SCOPE: &str = "MYIR.Services";

/// A provider's application at one authorization server.
pub struct Client<H> {
    config: ClientConfig,
    oauth: OAuth2,
    http: H,
    clock: Arc<dyn Clock>,
    /// In milliseconds; [`UNMEASURED`] before the first answer.
    skew: AtomicI64,
}

type OAuth2 = oauth2::Client<
    refusal::Body,
    answer::Answer,
    exchange::Introspected,
    StandardRevocableToken,
    refusal::Body,
    EndpointSet,
    EndpointNotSet,
    EndpointSet,
    EndpointSet,
    EndpointSet,
>;

const UNMEASURED: i64 = i64::MIN;

impl<H: Http> Client<H> {
    /// A client that speaks through `http` and reads the time off `clock`.
    pub fn new(config: ClientConfig, http: H, clock: Arc<dyn Clock>) -> Client<H> {
        let mut oauth = oauth2::Client::new(oauth2::ClientId::new(config.client_id.to_string()))
            .set_auth_uri(config.authorize.clone())
            .set_token_uri(config.token.clone())
            .set_introspection_url(config.introspect.clone())
            .set_revocation_url(config.revoke.clone());
        if let Some(secret) = &config.secret {
            oauth = oauth.set_client_secret(oauth2::ClientSecret::new(secret.expose().clone()));
        }
        Client { config, oauth, http, clock, skew: AtomicI64::new(UNMEASURED) }
    }

    /// What it was made with.
    pub fn config(&self) -> &ClientConfig {
        &self.config
    }

    /// This machine's time.
    pub fn now(&self) -> UnixTime {
        self.clock.now()
    }

    /// How far the server's clock was ahead at its last answer; `None`: it has not answered yet.
    pub fn skew(&self) -> Option<Skew> {
        match self.skew.load(Ordering::Relaxed) {
            UNMEASURED => None,
            millis => Some(Skew::from_millis(millis)),
        }
    }

    /// Whether the tokens' access token is good for `margin` more, as far as this client knows the server's clock.
    pub fn is_fresh(&self, tokens: &Tokens, margin: std::time::Duration) -> bool {
        tokens.is_fresh(margin, self.skew().unwrap_or(tokens.skew), self.clock.since_epoch())
    }

    /// Begins an authorization with the first redirect URI: the address for the customer's browser, and what must be
    /// kept until it comes back (RFC 6749 §4.1.1, RFC 7636 §4.3).
    ///
    /// # Errors
    /// [`Error::Randomness`].
    pub fn begin(&self) -> Result<(String, Pending), Error> {
        let usual = self.config.redirect_uris().next().ok_or(Error::RedirectUri)?.to_owned();
        self.begin_at(&usual)
    }

    /// The same with another of the registered redirect URIs, such as [`Loopback::redirect_uri`], whose port was chosen just now.
    ///
    /// # Errors
    /// [`Error::RedirectUri`], [`Error::Randomness`].
    pub fn begin_at(&self, redirect_uri: &str) -> Result<(String, Pending), Error> {
        if !self.config.redirect_uris.iter().any(|registered| registered.admits(redirect_uri)) {
            return Err(Error::RedirectUri);
        }
        // 43 characters of base64url each: what OA-3 allows in a state, and OA-6 in a verifier; 258 bits.
        let (state, verifier) = (draw(SECRET_CHARS)?, draw(SECRET_CHARS)?);
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier_of(&verifier));
        let (url, _) = self
            .oauth
            .authorize_url(|| CsrfToken::new(state.expose().clone()))
            .add_scope(Scope::new(SCOPE.to_owned()))
            .set_pkce_challenge(challenge)
            .set_redirect_uri(Cow::Owned(redirect_url(redirect_uri)?))
            .url();
        let pending =
            Pending { state, verifier, redirect_uri: redirect_uri.to_owned(), issued_at: self.now() };
        Ok((url.into(), pending))
    }

    /// Redeems a code (RFC 6749 §4.1.3). Once: a code that is presented twice ends what it began (OA-8).
    ///
    /// # Errors
    /// As [`Error`] says. After [`SendFault::Unanswered`] the code may be used up: begin again.
    pub async fn redeem(&self, code: &Code) -> Result<Tokens, Error> {
        let redirect_uri = redirect_url(&code.redirect_uri)?;
        self.tokens(|call| {
            self.oauth
                .exchange_code(AuthorizationCode::new(code.code.expose().clone()))
                .set_pkce_verifier(verifier_of(&code.verifier))
                .set_redirect_uri(Cow::Borrowed(&redirect_uri))
                .request(&call)
        })
        .await
    }

    /// Exchanges a refresh token, which is spent by it (RFC 6749 §6, OA-12).
    ///
    /// Nothing here remembers that: two calls with one token, or a second one after a lost answer, revoke the whole
    /// family. [`TokenFile`] calls this under a lock and with a note on disk; call that.
    ///
    /// # Errors
    /// As [`Error`] says; [`Error::changed_nothing`] tells whether the token is as good as before.
    pub async fn refresh(&self, refresh_token: &Secret<String>) -> Result<Tokens, Error> {
        let token = RefreshToken::new(refresh_token.expose().clone());
        self.tokens(|call| self.oauth.exchange_refresh_token(&token).request(&call)).await
    }

    /// Asks about a token of this client's (RFC 7662 §2.1, OA-14).
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn introspect(&self, token: &Secret<String>, kind: TokenKind) -> Result<Introspection, Error> {
        let token = AccessToken::new(token.expose().clone());
        let said = self
            .exchange(|call| self.oauth.introspect(&token).set_token_type_hint(kind.hint()).request(&call));
        said.await.map(exchange::introspection)
    }

    /// Gives a token back (RFC 7009 §2.1, OA-15): a refresh token with its family, an access token alone. A token that
    /// the server does not know is no error.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn revoke(&self, token: &Secret<String>, kind: TokenKind) -> Result<(), Error> {
        self.exchange(|call| {
            let text = token.expose().clone();
            let token = match kind {
                TokenKind::Access => AccessToken::new(text).into(),
                TokenKind::Refresh => RefreshToken::new(text).into(),
            };
            let request = self.oauth.revoke_token(token);
            request.expect("the configuration holds an https address for revocation").request(&call)
        })
        .await
    }
}

impl<H> fmt::Debug for Client<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("config", &self.config).finish_non_exhaustive()
    }
}

fn verifier_of(text: &Secret<String>) -> PkceCodeVerifier {
    PkceCodeVerifier::new(text.expose().clone())
}

fn redirect_url(text: &str) -> Result<RedirectUrl, Error> {
    // It keeps the text beside what it parsed, and sends the text: the comparison is of characters (OA-4).
    RedirectUrl::new(text.to_owned()).map_err(|_| Error::RedirectUri)
}

#[cfg(test)]
mod tests;
