//! Tokens that may be used once, and were (M2M-10).

use std::time::Duration;

use irgw_core::{Thumbprint, UnixTime};

use crate::column::seconds;
use crate::digest::sha256;
use crate::sql::{Turn, values};
use crate::{Error, Store};

/// Whether a token was spent now or before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Spent {
    /// Nobody used it before: it is spent now, and known to be by every node.
    First,
    /// It was used before.
    Again,
}

impl Store {
    /// Spends a token: of all calls with the same `credential` and `jti`, on all nodes, exactly one sees
    /// [`Spent::First`] (M2M-10).
    ///
    /// `jti` may be of any length: 72 bytes are kept of it and its credential. `expires` is the second from which nobody
    /// accepts the token any more (`exp` and the skew); some time after it the token is forgotten. Waits for the disk,
    /// and for other writers a second at most: a request is waiting too.
    ///
    /// # Errors
    /// [`Error::Busy`] and faults of the database: whether the token was spent is unknown, so the request must be refused.
    pub fn spend(
        &self,
        credential: &Thumbprint,
        jti: &str,
        expires: UnixTime,
        now: UnixTime,
    ) -> Result<Spent, Error> {
        self.write(Turn::Any, SPEND_PATIENCE, |transaction| {
            let insert = "INSERT INTO spent_tokens (credential, jti_digest, expires) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO NOTHING";
            let values = values![credential.0, sha256(jti.as_bytes()), seconds(expires)];
            if transaction.execute(insert, values)? == 0 {
                return Ok(Spent::Again);
            }
            // Two for one, so that the table shrinks again after a burst and no call pays for all of it.
            let forget = format!(
                "DELETE FROM spent_tokens WHERE (credential, jti_digest) IN
                 (SELECT credential, jti_digest FROM spent_tokens WHERE expires < ?1 ORDER BY expires LIMIT 2{})",
                transaction.passing_by()
            );
            transaction.execute(&forget, values![seconds(now).saturating_sub(KEPT_SECONDS)])?;
            Ok(Spent::First)
        })
    }
}

/// How long what has run out is kept beyond its end: no node's clock is that wrong.
pub(crate) const KEPT_SECONDS: i64 = 3600;

/// How long a request waits for other writers.
const SPEND_PATIENCE: Duration = Duration::from_secs(1);
