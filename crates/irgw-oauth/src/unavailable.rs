//! State that could not be read or written.

use std::error::Error;
use std::fmt;

/// The state that a decision needs could not be read or written, so nothing was decided: the caller is told 503, and the
/// log why.
#[derive(Debug)]
pub struct Unavailable(Box<dyn Error + Send + Sync>);

impl Unavailable {
    /// For this cause.
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Unavailable {
        Unavailable(cause.into())
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the authorization server's state is not available")
    }
}

impl Error for Unavailable {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}
