//! What is revoked before its time: kept in the database until no access token of it can be good, and in every node's memory
//! (OA-15, OA-16).

use std::sync::Arc;
use std::time::Duration;

use irgw_core::{TokenFamily, UnixTime};

use crate::Error;
use crate::column::{self, word};
use crate::forget::forget;
use crate::shards::Shards;
use crate::snapshot::Rows;
use crate::sql::{Transaction, values};

/// What can be revoked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Name<'a> {
    /// A family, by its name.
    Family(&'a str),
    /// One access token, by its `jti`.
    Token(&'a str),
}

/// Keeps a revocation until `until` (seconds), or as long as it is kept already.
pub(crate) fn keep(
    transaction: &Transaction<'_>,
    name: Name<'_>,
    until: i64,
    revision: i64,
    now: UnixTime,
) -> Result<(), Error> {
    let (kind, name) = match name {
        Name::Family(family) => (FAMILY, family),
        Name::Token(jti) => (TOKEN, jti),
    };
    let insert = "INSERT INTO revocations (kind, name, until, revision) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (kind, name) DO UPDATE
         SET until = CASE WHEN revocations.until < excluded.until THEN excluded.until ELSE revocations.until END";
    transaction.execute(insert, values![kind, name, until, revision])?;
    forget(transaction, "revocations", "kind, name", now)
}

/// How far the clocks of the nodes may be apart, or a token may be signed later than its family's end was decided.
pub(crate) const SKEW: Duration = Duration::from_secs(120);

const FAMILY: &str = "family";
const TOKEN: &str = "token";

/// What is revoked, in memory. Never more than some 1,000 names and twice what the database keeps, at about 100 bytes each.
#[derive(Debug, Clone)]
pub(crate) struct Revoked {
    families: Shards<TokenFamily, ()>,
    tokens: Shards<Arc<str>, ()>,
    /// How many there were when all were read last.
    at_first: usize,
}

impl Revoked {
    pub(crate) fn is_family_revoked(&self, family: &TokenFamily) -> bool {
        self.families.find(family).is_some()
    }

    pub(crate) fn is_token_revoked(&self, jti: &str) -> bool {
        self.tokens.find(jti).is_some()
    }

    pub(crate) fn len(&self) -> usize {
        self.families.len() + self.tokens.len()
    }

    /// Applies rows; how many. What the database forgets is forgotten here when it has become half of what is known: so
    /// no clock is needed here, and each row is read twice.
    pub(crate) fn read(&mut self, transaction: &Transaction<'_>, rows: Rows) -> Result<usize, Error> {
        let read = self.apply(transaction, rows)?;
        if matches!(rows, Rows::Since(_)) && self.len() <= 2 * self.at_first + ROOM {
            return Ok(read);
        }
        if matches!(rows, Rows::Since(_)) {
            *self = Revoked::default();
            self.apply(transaction, Rows::All)?;
        }
        self.at_first = self.len();
        Ok(read)
    }

    fn apply(&mut self, transaction: &Transaction<'_>, rows: Rows) -> Result<usize, Error> {
        rows.each(transaction, "SELECT kind, name FROM revocations", |row| {
            match column::text(row, 0)? {
                FAMILY => self.families.insert(word(row, 1)?, ()),
                _ => self.tokens.insert(column::text(row, 1)?.into(), ()),
            }
            Ok(())
        })
    }
}

impl Default for Revoked {
    fn default() -> Revoked {
        Revoked { families: Shards::with_room_for(0), tokens: Shards::with_room_for(0), at_first: 0 }
    }
}

/// How many names more than twice as many as at first are no reason to read all.
const ROOM: usize = 1_000;
