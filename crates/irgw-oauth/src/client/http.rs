//! The seam to whoever speaks HTTP: this crate has no HTTP stack.

use std::error::Error;

/// Sends one request over TLS and brings its answer back.
///
/// Whoever implements it bounds the time of the whole exchange, follows no redirect (the request carries a secret),
/// stops reading at [`RESPONSE_LIMIT_BYTES`] with [`SendFault::Unanswered`], and never sends twice: a refresh that was
/// sent again would be taken for a theft (OA-12).
pub trait Http: Send + Sync {
    /// Sends `request`, whose URI is absolute, and returns the whole answer, whatever its status.
    ///
    /// # Errors
    /// [`SendFault`], which says whether the server may have seen the request. Dropped, the future leaves that open.
    fn send(
        &self,
        request: http::Request<Vec<u8>>,
    ) -> impl Future<Output = Result<http::Response<Vec<u8>>, SendFault>> + Send;
}

/// The longest body that is read.
pub const RESPONSE_LIMIT_BYTES: usize = 64 * 1024;

/// Why there is no answer. The difference decides whether a refresh token can be used again.
#[derive(Debug, thiserror::Error)]
pub enum SendFault {
    /// The server has not seen the request: no address, no connection, no TLS.
    #[error("the request was not sent")]
    Unsent(#[source] Box<dyn Error + Send + Sync>),
    /// The server may have seen it, and acted: the connection broke, or time was up.
    #[error("the request was sent, and its answer was not seen")]
    Unanswered(#[source] Box<dyn Error + Send + Sync>),
}
