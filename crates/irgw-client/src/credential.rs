//! What a request proves beside the client certificate.

use std::time::Duration;

use http::HeaderValue;
use irgw_core::Secret;
use irgw_oauth::client::Skew;

use crate::{Error, Login, Signer};

/// What proves who sends a request, beside the client certificate.
#[derive(Debug)]
#[non_exhaustive]
pub enum Credential {
    /// Nothing: for the services that ask for the certificate alone.
    Certificate,
    /// A token that this end signs (M2M).
    Signer(Signer),
    /// The access token of a customer who logged in (OAuth 2.0).
    Login(Login),
}

impl From<Signer> for Credential {
    fn from(signer: Signer) -> Credential {
        Credential::Signer(signer)
    }
}

impl From<Login> for Credential {
    fn from(login: Login) -> Credential {
        Credential::Login(login)
    }
}

impl Credential {
    pub(crate) async fn proof(&self, now: Duration) -> Result<Option<Proof>, Error> {
        match self {
            Credential::Certificate => Ok(None),
            Credential::Signer(signer) => signer.proof(now).map(Some),
            Credential::Login(login) => login.proof().await.map(Some),
        }
    }

    /// What to send instead of a token that the gateway called bad; `None`: there is nothing better.
    pub(crate) async fn renewed(
        &self,
        refused: &Proof,
        skew: Option<Skew>,
        now: Duration,
    ) -> Result<Option<Proof>, Error> {
        match self {
            Credential::Certificate => Ok(None),
            Credential::Signer(signer) => signer.renewed(refused, skew, now),
            Credential::Login(login) => login.renewed(refused).await.map(Some),
        }
    }
}

/// An `Authorization` field.
#[derive(Debug, Clone)]
pub(crate) struct Proof {
    field: HeaderValue,
    /// Made for this request.
    pub(crate) is_new: bool,
}

impl Proof {
    /// The field with this text.
    pub(crate) fn new(text: &str) -> Result<Proof, Error> {
        let mut field = HeaderValue::from_str(text).map_err(|_| Error::Token)?;
        field.set_sensitive(true);
        Ok(Proof { field, is_new: true })
    }

    /// The same for a later request.
    pub(crate) fn kept(self) -> Proof {
        Proof { is_new: false, ..self }
    }

    pub(crate) fn field(&self) -> HeaderValue {
        self.field.clone()
    }

    /// The token after `Bearer`.
    pub(crate) fn token(&self) -> Secret<String> {
        let text = self.field.to_str().unwrap_or_default();
        Secret::new(text.strip_prefix("Bearer ").unwrap_or(text).to_owned())
    }
}
