//! Which database a store has, and what each does in its own way: transactions, settling, damage.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::Error;
#[cfg(feature = "postgres")]
use crate::postgres::{Pool, Shelf};
use crate::sql::{Transaction, Turn};
use crate::sqlite::connections::{Connections, PATIENCE, Use};
use crate::sqlite::database::{self, Existing, Location};
use crate::sqlite::group::Group;

/// An open database.
#[derive(Debug, Clone)]
pub(crate) enum Engine {
    Sqlite {
        connections: Arc<Connections>,
        group: Arc<Group>,
    },
    #[cfg(feature = "postgres")]
    Postgres(Arc<Pool>),
}

impl Engine {
    /// SQLite's.
    pub(crate) fn sqlite(location: Location, existing: Existing) -> Result<Engine, Error> {
        let connections = Arc::new(Connections::open(location, existing)?);
        Ok(Engine::Sqlite { connections, group: Arc::new(Group::new()) })
    }

    /// Runs `work` in a transaction, and commits it when it succeeds. Waits for the changes that it cannot be beside, in
    /// this process and others, for `patience` in all. What began [`Turn::Shared`] may run twice.
    #[cfg_attr(
        not(feature = "postgres"),
        expect(unused_variables, reason = "SQLite has one writer at a time")
    )]
    pub(crate) fn write<T>(
        &self,
        turn: Turn,
        patience: Duration,
        mut work: impl FnMut(&Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        match self {
            Engine::Sqlite { connections, .. } => {
                let deadline = Instant::now() + patience;
                let mut connection = connections.lend(Use::Write, deadline)?;
                connection.busy_timeout(deadline.saturating_duration_since(Instant::now()))?;
                let transaction = database::begin(&mut connection)?;
                let value = work(&Transaction::Sqlite(&transaction))?;
                transaction.commit()?;
                Ok(value)
            }
            #[cfg(feature = "postgres")]
            Engine::Postgres(pool) => pool.write(turn, patience, work),
        }
    }

    /// As [`Engine::write`], for what many ask for at once: on SQLite they share a commit ([`Group`]), on PostgreSQL each has
    /// a transaction of its own beside the others'.
    #[cfg_attr(
        not(feature = "postgres"),
        expect(unused_variables, reason = "SQLite has one writer at a time")
    )]
    pub(crate) fn write_together<T>(
        &self,
        turn: Turn,
        patience: Duration,
        work: impl FnMut(&Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        match self {
            Engine::Sqlite { connections, group } => group.run(connections, patience, work),
            #[cfg(feature = "postgres")]
            Engine::Postgres(_) => self.write(turn, patience, work),
        }
    }

    /// Runs `work` over one consistent view of the database.
    pub(crate) fn read<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        match self {
            Engine::Sqlite { connections, .. } => {
                let mut connection = connections.lend(Use::Read, Instant::now() + PATIENCE)?;
                let transaction = connection.transaction()?;
                work(&Transaction::Sqlite(&transaction))
            }
            #[cfg(feature = "postgres")]
            Engine::Postgres(pool) => pool.read(Shelf::Work, PATIENCE, work),
        }
    }

    /// Lets what is committed depend on no file beside the database's own, as far as its readers allow.
    pub(crate) fn settle(&self) {
        match self {
            Engine::Sqlite { connections, .. } => {
                // What is committed is committed: whoever cannot be waited for now is followed by another change.
                let lent = connections.lend(Use::Write, Instant::now() + PATIENCE);
                let _ = lent.and_then(|connection| database::settle(&connection));
            }
            #[cfg(feature = "postgres")]
            Engine::Postgres(_) => {}
        }
    }

    /// Looks through the whole database for damage, where that is the store's and not a server's affair.
    pub(crate) fn examine(&self) -> Result<(), Error> {
        match self {
            Engine::Sqlite { connections, .. } => {
                let mut connection = connections.lend(Use::Read, Instant::now() + PATIENCE)?;
                let transaction = connection.transaction()?;
                database::examine(&transaction)
            }
            #[cfg(feature = "postgres")]
            Engine::Postgres(_) => Ok(()),
        }
    }
}
