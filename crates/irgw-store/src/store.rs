//! The store: how it is opened, changed and read, and batches that happen wholly or not at all.

use std::path::Path;
#[cfg(feature = "postgres")]
use std::sync::Arc;
use std::time::Duration;

use crate::Error;
use crate::engine::Engine;
#[cfg(feature = "postgres")]
use crate::postgres::{Pool, Server};
use crate::revision::Revision;
use crate::sql::{Transaction, Turn};
use crate::sqlite::connections::PATIENCE;
use crate::sqlite::database::{Existing, Location};

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
    engine: Engine,
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
        Ok(Store { engine: Engine::sqlite(location, existing)? })
    }

    /// Opens the database on a server, makes our tables when there are none, and brings them to this program's version.
    ///
    /// The store keeps a few sessions, and makes new ones when they are lost. While the server is away every call fails
    /// with [`Error::Unreachable`]; a change that was cut off while it was being committed may have happened.
    ///
    /// # Errors
    /// [`Error::Unreachable`], [`Error::Foreign`] when the schema holds tables of others, [`Error::Newer`] when a later
    /// version made ours.
    #[cfg(feature = "postgres")]
    pub fn connect(server: &Server) -> Result<Store, Error> {
        Ok(Store { engine: Engine::Postgres(Arc::new(Pool::open(server, Existing::Prepared)?)) })
    }

    /// Opens the database on a server, whose tables must be there and of this program's version.
    ///
    /// # Errors
    /// [`Error::Absent`], [`Error::Older`], and as [`Store::connect`].
    #[cfg(feature = "postgres")]
    pub fn connect_existing(server: &Server) -> Result<Store, Error> {
        Ok(Store { engine: Engine::Postgres(Arc::new(Pool::open(server, Existing::Expected)?)) })
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
        let mut work = Some(work);
        self.write(Turn::Alone, PATIENCE, |transaction| {
            let work = work.take().expect("what begins alone begins once");
            let revision = Revision::begin(transaction)?;
            work(&mut Batch { transaction, revision })
        })
        .inspect(|_| self.settle())
    }

    /// As [`Engine::settle`].
    pub(crate) fn settle(&self) {
        self.engine.settle();
    }

    /// The revision of the last change to enrolment: it grows, unless an older copy is put back.
    ///
    /// # Errors
    /// Faults of the database.
    pub fn revision(&self) -> Result<u64, Error> {
        self.read(|transaction| Ok(Revision::current(transaction)?.value))
    }

    /// Looks through the whole database for damage: minutes for a large one, so not at every start. A server looks after
    /// its own.
    ///
    /// # Errors
    /// [`Error::Corrupt`], with the first thing found.
    pub fn examine(&self) -> Result<(), Error> {
        self.engine.examine()
    }

    /// As [`Engine::write`].
    pub(crate) fn write<T>(
        &self,
        turn: Turn,
        patience: Duration,
        work: impl FnMut(&Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.engine.write(turn, patience, work)
    }

    /// As [`Engine::write_together`].
    pub(crate) fn write_together<T>(
        &self,
        turn: Turn,
        patience: Duration,
        work: impl FnMut(&Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.engine.write_together(turn, patience, work)
    }

    /// As [`Engine::read`].
    pub(crate) fn read<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.engine.read(work)
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }
}

/// Several changes that happen together: see [`Store::batch`].
#[derive(Debug)]
pub struct Batch<'a> {
    pub(crate) transaction: &'a Transaction<'a>,
    /// What the rows changed here are tagged with.
    pub(crate) revision: i64,
}
