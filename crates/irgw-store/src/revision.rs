//! Which state of enrolment a reader has seen: a number that grows, and a tag that no other history gives it.

use std::hash::{BuildHasher, RandomState};

use crate::Error;
use crate::column::number;
use crate::sql::{Row, Transaction, values};

/// A state of enrolment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Revision {
    /// How many changes led to it.
    pub(crate) value: u64,
    /// 64 random bits. A copy of the database that was put back and changed has other tags from there on.
    tag: i64,
}

impl Revision {
    /// The one that this transaction sees.
    pub(crate) fn current(transaction: &Transaction<'_>) -> Result<Revision, Error> {
        let query = "SELECT value, tag FROM revisions ORDER BY value DESC LIMIT 1";
        let read = |row: &Row<'_>| Ok(Revision { value: number(row, 0)?, tag: row.get(1)? });
        transaction.one(query, values![], read)?.ok_or_else(|| Error::Corrupt("no revision".to_owned()))
    }

    /// Begins the next one; its number, for the rows that are changed.
    ///
    /// Only a change that is alone may: revisions are seen in the order of their numbers, or a reader that has seen the
    /// later one would never ask for the earlier.
    pub(crate) fn begin(transaction: &Transaction<'_>) -> Result<i64, Error> {
        transaction.expect_alone()?;
        let insert =
            "INSERT INTO revisions (value, tag) SELECT max(value) + 1, ?1 FROM revisions RETURNING value";
        let value = transaction.one(insert, values![draw()], |row| row.get::<i64>(0))?;
        let value = value.ok_or_else(|| Error::Corrupt("no revision".to_owned()))?;
        let forget = "DELETE FROM revisions WHERE value <= ?1";
        transaction.execute(forget, values![value.saturating_sub(KEPT)])?;
        Ok(value)
    }

    /// Whether the database that this transaction sees came from this state: what changed since is all that is new.
    pub(crate) fn precedes(&self, transaction: &Transaction<'_>) -> Result<bool, Error> {
        let query = "SELECT 1 FROM revisions WHERE value = ?1 AND tag = ?2";
        transaction.finds(query, values![i64::try_from(self.value).unwrap_or(i64::MAX), self.tag])
    }
}

/// 64 random bits: `RandomState` is the standard library's source of fresh randomness.
fn draw() -> i64 {
    RandomState::new().hash_one("tag").cast_signed()
}

/// How many revisions a reader may lag behind and still read only what changed.
const KEPT: i64 = 10_000;
