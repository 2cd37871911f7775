//! The tables: whether they are there, of this program's version, and how they are brought there.

use std::time::Instant;

use crate::Error;
use crate::postgres::Session;
use crate::sql::{Transaction, Turn, values};
use crate::sqlite::connections::PATIENCE;

/// What the database holds: the version of our tables, 0 when it has none and nothing else in their place.
///
/// # Errors
/// [`Error::Foreign`] when what is there is somebody else's, [`Error::Newer`]; [`Error::Server`] when its texts are not UTF-8.
pub(super) fn version(session: &Session, name: &str) -> Result<i64, Error> {
    session.begin_to_read()?;
    let version = version_in(&Transaction::Postgres(session), name);
    session.roll_back();
    version
}

fn version_in(transaction: &Transaction<'_>, name: &str) -> Result<i64, Error> {
    let encoding = transaction
        .one("SELECT current_setting('server_encoding')", values![], |row| row.get::<String>(0))?;
    if encoding.as_deref() != Some("UTF8") {
        let message = format!("the database's encoding is {}", encoding.unwrap_or_default());
        return Err(Error::Server { code: "22021".to_owned(), message });
    }
    let tables = "SELECT count(*), count(*) FILTER (WHERE relname = 'irgw_migrations') FROM pg_class
         WHERE relnamespace = to_regnamespace(current_schema()::text) AND relkind IN ('r', 'p', 'v', 'm')";
    let counts = transaction.one(tables, values![], |row| Ok((row.get::<i64>(0)?, row.get::<i64>(1)?)))?;
    match counts {
        Some((_, 1)) => {}
        Some((0, _)) => return Ok(0),
        _ => return Err(Error::Foreign(name.into())),
    }
    let newest = "SELECT coalesce(max(version), 0) FROM irgw_migrations";
    let version = transaction.one(newest, values![], |row| row.get::<i64>(0))?.unwrap_or(0);
    if version > KNOWN { Err(Error::Newer { found: version, known: KNOWN }) } else { Ok(version) }
}

/// Whether the tables are there, of this program's version.
///
/// # Errors
/// [`Error::Absent`], [`Error::Older`], and as [`version`].
pub(super) fn expect(session: &Session, name: &str) -> Result<(), Error> {
    match version(session, name)? {
        0 => Err(Error::Absent(name.into())),
        found if found < KNOWN => Err(Error::Older { found, known: KNOWN }),
        _ => Ok(()),
    }
}

/// Brings the tables to this program's version.
pub(super) fn prepare(session: &Session, name: &str, deadline: Instant) -> Result<(), Error> {
    if version(session, name)? == KNOWN {
        return Ok(());
    }
    session.begin_to_change(Turn::Alone, PATIENCE.min(deadline.saturating_duration_since(Instant::now())))?;
    let migrated = migrate(session, name);
    match migrated {
        Ok(()) => session.commit(),
        Err(error) => {
            session.roll_back();
            Err(error)
        }
    }
}

fn migrate(session: &Session, name: &str) -> Result<(), Error> {
    let transaction = Transaction::Postgres(session);
    // Asked again under the lock: another gateway may have been faster.
    let version = version_in(&transaction, name)?;
    session.batch("CREATE TABLE IF NOT EXISTS irgw_migrations (version BIGINT PRIMARY KEY)")?;
    for (number, migration) in (1_i64..).zip(MIGRATIONS).skip_while(|(number, _)| *number <= version) {
        session.batch(migration)?;
        transaction.execute("INSERT INTO irgw_migrations (version) VALUES (?1)", values![number])?;
    }
    Ok(())
}

/// The step from each version to the next one; never changed once released, only added to.
const MIGRATIONS: [&str; 2] = [include_str!("schema.sql"), include_str!("deliveries.sql")];

/// The version after the last step.
const KNOWN: i64 = MIGRATIONS.len() as i64;
