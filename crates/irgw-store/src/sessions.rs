//! Logins that stand in a browser, by a digest of their cookie (OA-7).

use irgw_core::UnixTime;
use irgw_oauth::customers::Subject;
use irgw_oauth::grants::Session;
use irgw_oauth::opaque::Digest;

use crate::Error;
use crate::column::{seconds, subject, time_at, word};
use crate::forget::forget;
use crate::sql::{Transaction, values};

/// Keeps a login, in the place of the one that has this cookie.
pub(crate) fn begin(
    transaction: &Transaction<'_>,
    digest: &Digest,
    login: &Session,
    now: UnixTime,
) -> Result<(), Error> {
    let upsert = "INSERT INTO sessions (digest, subject, logon, until) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (digest) DO UPDATE SET subject = excluded.subject, logon = excluded.logon, until = excluded.until";
    let values = values![digest, login.subject.as_str(), login.logon.as_str(), seconds(login.expires_at)];
    transaction.execute(upsert, values)?;
    forget(transaction, "sessions", "digest", now)
}

/// The login, if it stands.
pub(crate) fn find(
    transaction: &Transaction<'_>,
    digest: &Digest,
    now: UnixTime,
) -> Result<Option<Session>, Error> {
    let query = "SELECT subject, logon, until FROM sessions WHERE digest = ?1 AND until > ?2";
    transaction.one(query, values![digest, seconds(now)], |row| {
        Ok(Session { subject: subject(row, 0)?, logon: word(row, 1)?, expires_at: time_at(row, 2)? })
    })
}

/// Ends a login.
pub(crate) fn end(transaction: &Transaction<'_>, digest: &Digest) -> Result<(), Error> {
    transaction.execute("DELETE FROM sessions WHERE digest = ?1", values![digest])?;
    Ok(())
}

/// Ends all logins of a customer.
pub(crate) fn end_all(transaction: &Transaction<'_>, subject: &Subject) -> Result<(), Error> {
    transaction.execute("DELETE FROM sessions WHERE subject = ?1", values![subject.as_str()])?;
    Ok(())
}
