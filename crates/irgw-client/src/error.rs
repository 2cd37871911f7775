//! Why there is no answer of a service.

use irgw_oauth::client::RenewError;

use crate::{Reason, Refusal};

/// Why a request has no answer of a service behind the gateway.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No gateway is there.
    #[error("{0:?} is not the address of a gateway: https://HOST or https://HOST:PORT is")]
    Base(String),
    /// A request names a path alone: which host it goes to is the client's to say.
    #[error("a request names a path, such as /gateway/account/status, and no host")]
    Address,
    /// A request brings an `Authorization` field: it is the credential's to make.
    #[error("a request brings no Authorization field: the client's credential makes it")]
    Authorization,
    /// The signing key is not the signing certificate's.
    #[error("the signing key is not the signing certificate's")]
    KeyOfAnother,
    /// No token can be signed: the key or the certificate cannot be used, or the token would be none.
    #[error("no token can be signed")]
    Sign(#[source] irgw_m2m::Error),
    /// The authorization server gave out a token that no field of HTTP can hold.
    #[error("the access token has characters that no field can hold")]
    Token,
    /// There is no access token that is good.
    #[error(transparent)]
    Login(#[from] RenewError),
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    Randomness,
    /// There is no connection: the gateway has not seen the request.
    #[error("the request was not sent")]
    Unsent(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The gateway may have seen the request, and a service may have acted on it.
    #[error("the request was sent, and its answer was not seen")]
    Unanswered(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The answer is longer than the client reads; the service has acted on the request.
    #[error("the answer is longer than {limit_bytes} bytes")]
    TooLong {
        /// The most that is read.
        limit_bytes: usize,
    },
    /// The gateway refused the request. No service has seen it, but where the gateway had waited for one
    /// ([`Reason::Unavailable`]), or one refused it in the gateway's words.
    #[error(transparent)]
    Refused(Box<Refusal>),
}

impl Error {
    /// Whether the same request can be sent again without the danger that it is done twice.
    pub fn changed_nothing(&self) -> bool {
        match self {
            Error::Unanswered(_) | Error::TooLong { .. } => false,
            Error::Refused(refusal) => refusal.reason != Reason::Unavailable,
            _ => true,
        }
    }

    /// The gateway's refusal, where this is one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Error::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }
}
