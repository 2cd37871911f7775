//! What works once: transactions, forms and one-time passwords, by a digest (C21, C26).

use irgw_core::UnixTime;
use irgw_oauth::opaque::Digest;

use crate::Error;
use crate::column::seconds;
use crate::forget::forget;
use crate::sql::{Transaction, values};

/// Uses it up; `false`: it was used before.
pub(crate) fn spend(
    transaction: &Transaction<'_>,
    key: &Digest,
    until: UnixTime,
    now: UnixTime,
) -> Result<bool, Error> {
    let insert = "INSERT INTO spent_once (digest, until) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    if transaction.execute(insert, values![key, seconds(until)])? == 0 {
        return Ok(false);
    }
    forget(transaction, "spent_once", "digest", now)?;
    Ok(true)
}

/// Lets it be used after all.
pub(crate) fn restore(transaction: &Transaction<'_>, key: &Digest) -> Result<(), Error> {
    transaction.execute("DELETE FROM spent_once WHERE digest = ?1", values![key])?;
    Ok(())
}
