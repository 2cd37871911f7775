//! Families of tokens and their refresh tokens, of which one at most is live (OA-12, OA-13).

use irgw_core::{ClientId, TokenFamily, UnixTime};
use irgw_oauth::customers::Subject;
use irgw_oauth::grants::{ACCESS_LIFETIME, Granted, REFRESH_LIFETIME, RefreshToken};
use irgw_oauth::opaque::Digest;

use crate::Error;
use crate::column::{seconds, seconds_after, subject, time_at, time_if_any, word};
use crate::forget::forget;
use crate::revision::Revision;
use crate::revocations::{self, Name};
use crate::sql::{Bind, Transaction, values};

/// Begins a family, with its first refresh token if there is one.
pub(crate) fn begin(
    transaction: &Transaction<'_>,
    client: &ClientId,
    granted: &Granted,
    refresh: Option<&Digest>,
    now: UnixTime,
) -> Result<(), Error> {
    let lifetime = if refresh.is_some() { REFRESH_LIFETIME } else { ACCESS_LIFETIME };
    let insert =
        "INSERT INTO families (id, client, subject, logon, since, until) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let values = values![
        granted.family.as_str(),
        client.as_str(),
        granted.subject.as_str(),
        granted.logon.as_str(),
        seconds(now),
        seconds_after(now, lifetime),
    ];
    transaction.execute(insert, values)?;
    refresh.map_or(Ok(()), |first| insert_token(transaction, first, &granted.family, now))?;
    forget(transaction, "families", "id", now)
}

/// Spends the live refresh token of a family, and keeps the one after it.
pub(crate) fn advance(
    transaction: &Transaction<'_>,
    presented: &Digest,
    next: &Digest,
    family: &TokenFamily,
    now: UnixTime,
) -> Result<(), Error> {
    let spend = "UPDATE refresh_tokens SET spent = ?2 WHERE digest = ?1";
    transaction.execute(spend, values![presented, seconds(now)])?;
    insert_token(transaction, next, family, now)?;
    let prolong = "UPDATE families SET until = ?2 WHERE id = ?1 AND until < ?2";
    transaction.execute(prolong, values![family.as_str(), seconds_after(now, REFRESH_LIFETIME)])?;
    Ok(())
}

fn insert_token(
    transaction: &Transaction<'_>,
    digest: &Digest,
    family: &TokenFamily,
    now: UnixTime,
) -> Result<(), Error> {
    let insert = "INSERT INTO refresh_tokens (digest, family, until) VALUES (?1, ?2, ?3)";
    let values = values![digest, family.as_str(), seconds_after(now, REFRESH_LIFETIME)];
    transaction.execute(insert, values)?;
    forget(transaction, "refresh_tokens", "digest", now)
}

/// A refresh token, live or not. A change that finds it holds it: of two that spend it, the second sees that it is spent.
pub(crate) fn find_token(
    transaction: &Transaction<'_>,
    digest: &Digest,
) -> Result<Option<RefreshToken>, Error> {
    let query = format!(
        "SELECT id, client, subject, logon, refresh_tokens.until, spent, revoked IS NOT NULL
         FROM refresh_tokens JOIN families ON family = id WHERE digest = ?1{}",
        transaction.holding("refresh_tokens")
    );
    transaction.one(&query, values![digest], |row| {
        Ok(RefreshToken {
            family: word(row, 0)?,
            client: word(row, 1)?,
            subject: subject(row, 2)?,
            logon: word(row, 3)?,
            expires_at: time_at(row, 4)?,
            spent_at: time_if_any(row, 5)?,
            is_revoked: row.get(6)?,
        })
    })
}

/// Which families end.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Of<'a> {
    /// This one.
    Family(&'a TokenFamily),
    /// All of a customer.
    Customer(&'a Subject),
    /// All of a client.
    Client(&'a ClientId),
    /// All under one consent.
    Consent(&'a Subject, &'a ClientId),
}

/// Revokes families, for every node's memory too (OA-16). Those that are revoked stay as they are; how many were not.
pub(crate) fn revoke(transaction: &Transaction<'_>, of: Of<'_>, now: UnixTime) -> Result<usize, Error> {
    let (which, names) = match of {
        Of::Family(family) => ("id = ?1", vec![family.as_str()]),
        Of::Customer(subject) => ("subject = ?1", vec![subject.as_str()]),
        Of::Client(client) => ("client = ?1", vec![client.as_str()]),
        Of::Consent(subject, client) => {
            ("subject = ?1 AND client = ?2", vec![subject.as_str(), client.as_str()])
        }
    };
    let query = format!("SELECT id FROM families WHERE {which} AND revoked IS NULL");
    let names: Vec<_> = names.iter().map(|name| name as &dyn Bind).collect();
    let ids: Vec<String> = transaction.all(&query, &names, |row| row.get(0))?;
    if ids.is_empty() {
        return Ok(0);
    }
    let revision = Revision::begin(transaction)?;
    let until = seconds_after(now, ACCESS_LIFETIME + revocations::SKEW);
    for id in &ids {
        let update = "UPDATE families SET revoked = ?2 WHERE id = ?1";
        transaction.execute(update, values![id, seconds(now)])?;
        revocations::keep(transaction, Name::Family(id), until, revision, now)?;
    }
    Ok(ids.len())
}
