//! Why an exchange with the authorization server did not do what was asked.

use std::time::Duration;

use super::{OAuthError, SendFault};
use crate::Unavailable;

/// Why an exchange with the authorization server did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It refused, in words of its own.
    #[error("the authorization server refuses")]
    Refused {
        /// The status of the answer.
        status: u16,
        /// What it said.
        #[source]
        error: OAuthError,
    },
    /// It did nothing, and asks for patience: 429, or 503 while it cannot reach its state (OA-16).
    #[error("the authorization server is busy ({status}); try again later")]
    Busy {
        /// The status of the answer.
        status: u16,
        /// `Retry-After`, where it is a number of seconds.
        retry_after: Option<Duration>,
    },
    /// There is no answer.
    #[error(transparent)]
    NoAnswer(#[from] SendFault),
    /// There is one that is none of an authorization server's: a redirect, another content, a status with no words.
    #[error("the answer ({status}) is not an authorization server's: {why}")]
    Misunderstood {
        /// The status of the answer.
        status: u16,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The operating system gives no randomness.
    #[error(transparent)]
    Randomness(#[from] Unavailable),
    /// The request could not be made.
    #[error("the request could not be made")]
    Request,
    /// The redirect URI is none of the client's.
    #[error("the redirect URI is not one of the client's")]
    RedirectUri,
}

impl Error {
    /// Whether the server surely did not act on the request, so that what was presented, such as a refresh token, is as
    /// good as before.
    ///
    /// A status of 400 to 499 refuses before anything is changed, and so do 429 and 503. After any other failure the
    /// server may have rotated the token and its answer been lost (C11).
    pub fn changed_nothing(&self) -> bool {
        match self {
            Error::Refused { status, .. } | Error::Misunderstood { status, .. } => {
                (400..500).contains(status)
            }
            Error::NoAnswer(SendFault::Unanswered(_)) => false,
            Error::Busy { .. }
            | Error::NoAnswer(SendFault::Unsent(_))
            | Error::Randomness(_)
            | Error::Request
            | Error::RedirectUri => true,
        }
    }

    /// The refusal in the server's words, if it is one.
    pub fn refusal(&self) -> Option<&OAuthError> {
        match self {
            Error::Refused { error, .. } => Some(error),
            _ => None,
        }
    }
}
