//! Authorization codes, by their digest (OA-8).

use irgw_core::{ClientId, TokenFamily, UnixTime};
use irgw_oauth::customers::Subject;
use irgw_oauth::grants::Code;
use irgw_oauth::opaque::Digest;

use crate::Error;
use crate::column::{seconds, subject, time_at, word, word_if_any};
use crate::forget::forget;
use crate::sql::{Transaction, values};

/// Keeps a new code.
pub(crate) fn keep(
    transaction: &Transaction<'_>,
    digest: &Digest,
    code: &Code,
    now: UnixTime,
) -> Result<(), Error> {
    let insert =
        "INSERT INTO codes (digest, client, subject, logon, redirect_uri, challenge, expires, family, until)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let expires = seconds(code.expires_at);
    let values = values![
        digest.0,
        code.client.as_str(),
        code.subject.as_str(),
        code.logon.as_str(),
        code.redirect_uri,
        code.challenge,
        expires,
        code.family.as_ref().map(TokenFamily::as_str),
        expires.saturating_add(REPLAY_SECONDS),
    ];
    transaction.execute(insert, values)?;
    forget(transaction, "codes", "digest", now)
}

/// A code, redeemed or not. A change that finds it holds it: of two that redeem it, the second sees that it is redeemed.
pub(crate) fn find(transaction: &Transaction<'_>, digest: &Digest) -> Result<Option<Code>, Error> {
    let query = format!(
        "SELECT client, subject, logon, redirect_uri, challenge, expires, family FROM codes WHERE digest = ?1{}",
        transaction.holding("codes")
    );
    transaction.one(&query, values![digest], |row| {
        Ok(Code {
            client: word(row, 0)?,
            subject: subject(row, 1)?,
            logon: word(row, 2)?,
            redirect_uri: row.get(3)?,
            challenge: row.get(4)?,
            expires_at: time_at(row, 5)?,
            family: word_if_any(row, 6)?,
        })
    })
}

/// Notes what the code's redemption began; whoever presents it again ends that.
pub(crate) fn mark_redeemed(
    transaction: &Transaction<'_>,
    digest: &Digest,
    family: &TokenFamily,
) -> Result<(), Error> {
    let update = "UPDATE codes SET family = ?2 WHERE digest = ?1";
    transaction.execute(update, values![digest, family.as_str()])?;
    Ok(())
}

/// Deletes the codes under a consent that were not redeemed: another consent does not revive them.
pub(crate) fn cancel(
    transaction: &Transaction<'_>,
    subject: &Subject,
    client: &ClientId,
) -> Result<(), Error> {
    let delete = "DELETE FROM codes WHERE subject = ?1 AND client = ?2 AND family IS NULL";
    transaction.execute(delete, values![subject.as_str(), client.as_str()])?;
    Ok(())
}

/// How long a code is known beyond its end, so that its second use ends what the first began: a day.
const REPLAY_SECONDS: i64 = 86_400;
