//! Which state of enrolment a reader has seen: a number that grows, and a tag that no other history gives it.

use rusqlite::{Connection, OptionalExtension, params};

use crate::Error;

/// A state of enrolment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Revision {
    /// How many changes led to it.
    pub(crate) value: u64,
    /// 64 random bits. A copy of the database that was put back and changed has other tags from there on.
    tag: i64,
}

impl Revision {
    /// The one that this connection sees.
    pub(crate) fn current(connection: &Connection) -> Result<Revision, Error> {
        let query = "SELECT value, tag FROM revisions ORDER BY value DESC LIMIT 1";
        let (value, tag): (i64, i64) =
            connection.prepare_cached(query)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let value = u64::try_from(value).map_err(|_| Error::Corrupt(format!("the revision is {value}")))?;
        Ok(Revision { value, tag })
    }

    /// Begins the next one; its number, for the rows that are changed.
    pub(crate) fn begin(connection: &Connection) -> Result<i64, Error> {
        let insert = "INSERT INTO revisions (value, tag) SELECT max(value) + 1, random() FROM revisions RETURNING value";
        let value: i64 = connection.prepare_cached(insert)?.query_row([], |row| row.get(0))?;
        let forget = "DELETE FROM revisions WHERE value <= ?1";
        connection.prepare_cached(forget)?.execute([value.saturating_sub(KEPT)])?;
        Ok(value)
    }

    /// Whether the database that this connection sees came from this state: what changed since is all that is new.
    pub(crate) fn precedes(&self, connection: &Connection) -> Result<bool, Error> {
        let query = "SELECT 1 FROM revisions WHERE value = ?1 AND tag = ?2";
        let values = params![i64::try_from(self.value).unwrap_or(i64::MAX), self.tag];
        Ok(connection.prepare_cached(query)?.query_row(values, |_| Ok(())).optional()?.is_some())
    }
}

/// How many revisions a reader may lag behind and still read only what changed.
const KEPT: i64 = 10_000;
