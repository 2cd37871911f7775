//! The store: one connection that writes, one that lists, and batches that happen wholly or not at all.

use std::fmt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, Transaction};

use crate::Error;
use crate::database::{self, Location};

/// The gateway's state.
///
/// Every method is one transaction: on disk when it returns, and in force on every node that follows the store
/// ([`crate::Follower`]) within a second. Methods wait for the disk and for other processes' writes (at most five
/// seconds, then [`Error::Busy`]): an asynchronous caller gives them a thread of their own. Any number of processes
/// may open the same file.
pub struct Store {
    location: Location,
    writer: Mutex<Connection>,
    reader: Mutex<Connection>,
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
        Store::at(location)
    }

    /// Opens the database at `path`, which must be there: a command with a mistyped path is to fail, not to begin anew.
    ///
    /// # Errors
    /// [`Error::Absent`], and as [`Store::open`].
    pub fn open_existing(path: &Path) -> Result<Store, Error> {
        Store::at(Location::File(path.to_owned()))
    }

    /// A new, empty database in memory, gone when the store and all that follows it are dropped.
    ///
    /// # Errors
    /// When the memory cannot be had.
    pub fn in_memory() -> Result<Store, Error> {
        Store::at(Location::memory())
    }

    fn at(location: Location) -> Result<Store, Error> {
        let mut writer = location.connect()?;
        location.prepare(&mut writer)?;
        let reader = location.connect()?;
        Ok(Store { location, writer: Mutex::new(writer), reader: Mutex::new(reader) })
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
        self.write(|transaction| {
            let bump = "UPDATE revision SET value = value + 1 RETURNING value";
            let revision = transaction.prepare_cached(bump)?.query_row([], |row| row.get(0))?;
            work(&mut Batch { transaction, revision })
        })
    }

    /// The revision of the last change to enrolment; it only grows.
    ///
    /// # Errors
    /// Faults of the database.
    pub fn revision(&self) -> Result<u64, Error> {
        self.read(revision)
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

    /// Runs `work` in a transaction that excludes other writers, and commits it when it succeeds.
    pub(crate) fn write<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut connection = lock(&self.writer);
        let transaction = database::begin(&mut connection)?;
        let value = work(&transaction)?;
        transaction.commit()?;
        Ok(value)
    }

    /// Runs `work` over one consistent view of the database.
    pub(crate) fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        let mut connection = lock(&self.reader);
        let transaction = connection.transaction()?;
        work(&transaction)
    }

    /// Another connection to the same database.
    pub(crate) fn connect(&self) -> Result<Connection, Error> {
        self.location.connect()
    }

    pub(crate) fn location(&self) -> &Location {
        &self.location
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store").field(&self.location).finish()
    }
}

/// Several changes that happen together: see [`Store::batch`].
#[derive(Debug)]
pub struct Batch<'a> {
    pub(crate) transaction: &'a Transaction<'a>,
    /// What the rows changed here are tagged with.
    pub(crate) revision: i64,
}

/// The revision that this connection sees.
pub(crate) fn revision(connection: &Connection) -> Result<u64, Error> {
    let mut query = connection.prepare_cached("SELECT value FROM revision")?;
    let value: i64 = query.query_row([], |row| row.get(0))?;
    u64::try_from(value).map_err(|_| Error::Corrupt(format!("the revision is {value}")))
}

/// A panic while the lock was held rolled its transaction back, so the connection is as good as before.
fn lock(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}
