//! Failed logins, counted by a digest of the account or the address (OA-18, C24).

use std::time::Duration;

use irgw_core::UnixTime;
use irgw_oauth::grants::Attempts;
use irgw_oauth::opaque::Digest;

use crate::Error;
use crate::column::{number, seconds, seconds_after};
use crate::forget::forget;
use crate::sql::{Transaction, values};

/// The failures in the window.
pub(crate) fn under(transaction: &Transaction<'_>, key: &Digest, now: UnixTime) -> Result<Attempts, Error> {
    let query = "SELECT failures, last FROM attempts WHERE digest = ?1 AND until > ?2";
    let found = transaction.one(query, values![key, seconds(now)], |row| {
        let failures = u32::try_from(number(row, 0)?).unwrap_or(u32::MAX);
        Ok(Attempts { failures, last: number(row, 1)? })
    })?;
    Ok(found.unwrap_or_default())
}

/// Counts one more; those whose window is over count no more.
pub(crate) fn note(
    transaction: &Transaction<'_>,
    key: &Digest,
    window: Duration,
    now: UnixTime,
) -> Result<(), Error> {
    let upsert = "INSERT INTO attempts (digest, failures, last, until) VALUES (?1, 1, ?2, ?3)
         ON CONFLICT (digest) DO UPDATE
         SET failures = CASE WHEN attempts.until > ?2 THEN attempts.failures + 1 ELSE 1 END, last = ?2, until = ?3";
    transaction.execute(upsert, values![key, seconds(now), seconds_after(now, window)])?;
    forget(transaction, "attempts", "digest", now)
}

/// Forgets them.
pub(crate) fn reset(transaction: &Transaction<'_>, key: &Digest) -> Result<(), Error> {
    transaction.execute("DELETE FROM attempts WHERE digest = ?1", values![key])?;
    Ok(())
}
