//! The store: how it is opened, changed and read, and batches that happen wholly or not at all.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, Transaction};

use crate::Error;
use crate::connections::{Connections, PATIENCE, Use};
use crate::database::{self, Existing, Location};
use crate::revision::Revision;

/// The gateway's state.
///
/// Every method is one transaction: on disk when it returns, and in force on every node that follows the store
/// ([`crate::Follower`]) within a second. Methods wait for the disk, and for other threads' and processes' use of the
/// database: five seconds in all ([`Store::spend`]: one), then [`Error::Busy`]. An asynchronous caller gives them a thread
/// of their own. Any number of processes may open the same file, each through one store.
///
/// Where another file takes the database's place (a copy is put back), or somebody removes its write-ahead log, the next
/// call opens what is there.
#[derive(Debug)]
pub struct Store {
    connections: Arc<Connections>,
}

impl Store {
    /// Opens the database at `path`, makes it when there is none, and brings it to this program's version.
    ///
    /// The file is made with mode 0600.
    ///
    /// # Errors
    /// [`Error::Exposed`] when others can read or write the file, [`Error::Foreign`] when it is not this program's,
    /// [`Error::Newer`] when a later version wrote it.
    pub fn open(path: &Path) -> Result<Store, Error> {
        let location = Location::File(path.to_owned());
        location.create()?;
        Store::at(location, Existing::Prepared)
    }

    /// Opens the database at `path`, which must be there and of this program's version: a command with a mistyped path is
    /// to fail, not to begin anew, and none changes the database under a gateway of an earlier version.
    ///
    /// # Errors
    /// [`Error::Absent`], [`Error::Older`], and as [`Store::open`].
    pub fn open_existing(path: &Path) -> Result<Store, Error> {
        Store::at(Location::File(path.to_owned()), Existing::Expected)
    }

    /// Whether [`Store::open`] would take what is at `path`, or its absence; nothing is made, changed or locked.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn look(path: &Path) -> Result<(), Error> {
        match Location::File(path.to_owned()).look() {
            Err(Error::Absent(_)) => Ok(()),
            looked => looked,
        }
    }

    /// A new, empty database in memory, gone when the store and all that follows it are dropped.
    ///
    /// # Errors
    /// When the memory cannot be had.
    pub fn in_memory() -> Result<Store, Error> {
        Store::at(Location::memory(), Existing::Prepared)
    }

    fn at(location: Location, existing: Existing) -> Result<Store, Error> {
        Ok(Store { connections: Arc::new(Connections::open(location, existing)?) })
    }

    /// Does several things in one transaction: when `work` fails, none of them happened.
    ///
    /// An operation that refuses has written nothing, so `work` may go on after a refusal (an import that skips what
    /// is enrolled already).
    ///
    /// ```
    /// # use irgw_store::{Error, Store};
    /// # use irgw_core::UnixTime;
    /// # let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_800_000_000));
    /// let store = Store::in_memory()?;
    /// store.batch(|batch| {
    ///     batch.add_provider(&"kowhai".parse().expect("a name"), "Kōwhai Payroll", now)?;
    ///     batch.add_owner(&"tui".parse().expect("a name"), "Tūī Bakery", now)?;
    ///     batch.link(&"kowhai".parse().expect("a name"), &"tui".parse().expect("a name"), now)
    /// })?;
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// What `work` returns, and faults of the database.
    pub fn batch<T>(&self, work: impl FnOnce(&mut Batch<'_>) -> Result<T, Error>) -> Result<T, Error> {
        self.write(PATIENCE, |transaction| {
            let revision = Revision::begin(transaction)?;
            work(&mut Batch { transaction, revision })
        })
        .inspect(|_| self.settle())
    }

    /// Copies the log into the database as far as its readers allow, so that enrolment does not depend on the log's file.
    fn settle(&self) {
        // What is committed is committed: whoever cannot be waited for now is followed by another change.
        let lent = self.connections.lend(Use::Write, Instant::now() + PATIENCE);
        let _ = lent.and_then(|connection| database::settle(&connection));
    }

    /// The revision of the last change to enrolment: it grows, unless an older copy is put back.
    ///
    /// # Errors
    /// Faults of the database.
    pub fn revision(&self) -> Result<u64, Error> {
        self.read(|connection| Ok(Revision::current(connection)?.value))
    }

    /// Looks through the whole database for damage: minutes for a large one, so not at every start.
    ///
    /// # Errors
    /// [`Error::Corrupt`], with the first thing found.
    pub fn examine(&self) -> Result<(), Error> {
        self.read(|connection| {
            let found: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
            if found != "ok" {
                return Err(Error::Corrupt(found));
            }
            let mut orphans = connection.prepare("PRAGMA foreign_key_check")?;
            match orphans.query([])?.next()? {
                Some(row) => {
                    Err(Error::Corrupt(format!("a row of {} refers to none", row.get::<_, String>(0)?)))
                }
                None => Ok(()),
            }
        })
    }

    /// Runs `work` in a transaction that excludes other writers, and commits it when it succeeds. Waits for other writers,
    /// in this process and others, for `patience` in all.
    pub(crate) fn write<T>(
        &self,
        patience: Duration,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let deadline = Instant::now() + patience;
        let mut connection = self.connections.lend(Use::Write, deadline)?;
        connection.busy_timeout(deadline.saturating_duration_since(Instant::now()))?;
        let transaction = database::begin(&mut connection)?;
        let value = work(&transaction)?;
        transaction.commit()?;
        Ok(value)
    }

    /// Runs `work` over one consistent view of the database.
    pub(crate) fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        let mut connection = self.connections.lend(Use::Read, Instant::now() + PATIENCE)?;
        let transaction = connection.transaction()?;
        work(&transaction)
    }

    pub(crate) fn connections(&self) -> &Arc<Connections> {
        &self.connections
    }
}

/// Several changes that happen together: see [`Store::batch`].
#[derive(Debug)]
pub struct Batch<'a> {
    pub(crate) transaction: &'a Transaction<'a>,
    /// What the rows changed here are tagged with.
    pub(crate) revision: i64,
}
