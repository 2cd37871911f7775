//! The connections of a store: lent to one thread at a time, after a bounded wait, and never to files that are gone.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::Error;
use crate::sqlite::database::{Existing, Location};
use crate::sqlite::files::Files;

/// Three connections to one database: see [`Use`].
///
/// Before one is lent, the files at the database's path are compared with those that are open. When they are others
/// (a copy was put back, or somebody removed the write-ahead log) all connections are closed, then opened anew: all,
/// since SQLite lets the connections of one process to one file share what they know of its log.
pub(crate) struct Connections {
    location: Location,
    desk: Mutex<Desk>,
    /// Who waits for which connection: one is woken for one that came back.
    writers: Condvar,
    readers: Condvar,
    followers: Condvar,
}

/// What a connection is lent for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Use {
    /// Changes.
    Write,
    /// Listings and loading.
    Read,
    /// To ask whether something changed: never waits for a long listing.
    Follow,
}

struct Desk {
    /// The files that are open; `None` when opening them anew failed.
    files: Option<Files>,
    /// How often the connections were opened.
    generation: u64,
    writer: Option<Connection>,
    reader: Option<Connection>,
    follower: Option<Connection>,
    lent: usize,
}

impl Connections {
    /// Opens the database.
    pub(crate) fn open(location: Location, existing: Existing) -> Result<Connections, Error> {
        let mut desk =
            Desk { files: None, generation: 0, writer: None, reader: None, follower: None, lent: 0 };
        desk.open(&location, existing)?;
        let desk = Mutex::new(desk);
        let [writers, readers, followers] = [(); 3].map(|()| Condvar::new());
        Ok(Connections { location, desk, writers, readers, followers })
    }

    /// Lends a connection; waits for it until `deadline`.
    ///
    /// # Errors
    /// [`Error::Busy`] at the deadline, [`Error::Replaced`] when what uses files that are gone has not ended by then,
    /// and what opening the database may fail with.
    pub(crate) fn lend(self: &Arc<Self>, what: Use, deadline: Instant) -> Result<Lent, Error> {
        let mut desk = self.desk();
        loop {
            match self.try_lend(&mut desk, what) {
                Ok(Some(lent)) => return Ok(lent),
                Ok(None) => {}
                Err(error) => {
                    // Whoever waits behind is to hear of it too.
                    self.waiting(what).notify_one();
                    return Err(error);
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let current = desk.files == Some(self.location.files()?);
                return Err(if current { Error::Busy } else { Error::Replaced });
            }
            (desk, _) = self.waiting(what).wait_timeout(desk, left).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Lends a connection that is there; `None`: it is not, or nothing may be lent before what is lent has come back.
    fn try_lend(self: &Arc<Self>, desk: &mut Desk, what: Use) -> Result<Option<Lent>, Error> {
        if desk.lent > 0 && desk.place(what).is_none() {
            return Ok(None);
        }
        if desk.files != Some(self.location.files()?) {
            if desk.lent > 0 {
                return Ok(None);
            }
            desk.leave(&self.location)?;
            desk.open(&self.location, Existing::Expected)?;
        }
        let Some(connection) = desk.place(what).take() else { return Ok(None) };
        desk.lent += 1;
        Ok(Some(Lent { from: self.clone(), what, generation: desk.generation, connection: Some(connection) }))
    }

    fn waiting(&self, what: Use) -> &Condvar {
        match what {
            Use::Write => &self.writers,
            Use::Read => &self.readers,
            Use::Follow => &self.followers,
        }
    }

    /// How often the connections were opened.
    pub(crate) fn generation(&self) -> u64 {
        self.desk().generation
    }

    /// A panic while this was held left every connection in its place or with its borrower.
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        let desk = self.desk.get_mut().unwrap_or_else(PoisonError::into_inner);
        if self.location.files().ok() != desk.files {
            // Nobody is left to be told when this fails.
            let _ = desk.close_without_a_trace();
        }
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.location.fmt(f)
    }
}

impl Desk {
    fn place(&mut self, what: Use) -> &mut Option<Connection> {
        match what {
            Use::Write => &mut self.writer,
            Use::Read => &mut self.reader,
            Use::Follow => &mut self.follower,
        }
    }

    fn open(&mut self, location: &Location, existing: Existing) -> Result<(), Error> {
        let before = location.files()?;
        let (writer, reader, follower) =
            location.connections(existing).map_err(|error| location.explain(error))?;
        // Each has read by now, so each has opened the companions.
        let files = location.files()?;
        if files.database != before.database || !location.is_whole(&files) {
            return Err(Error::Replaced);
        }
        self.generation += 1;
        (self.files, self.writer) = (Some(files), Some(writer));
        (self.reader, self.follower) = (Some(reader), Some(follower));
        Ok(())
    }

    /// Closes what is open to files that are no longer the database's.
    fn leave(&mut self, location: &Location) -> Result<(), Error> {
        if let (Some(files), Some(writer)) = (self.files, &self.writer) {
            location.part(writer, &files)?;
        }
        self.close_without_a_trace()
    }

    /// Closes all without what SQLite does at the last closing, which is to copy the log into the database and remove
    /// the file that has the log's name: neither belongs to this log any more.
    fn close_without_a_trace(&mut self) -> Result<(), Error> {
        self.files = None;
        for place in [&mut self.writer, &mut self.reader, &mut self.follower] {
            if let Some(connection) = place.take() {
                connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
            }
        }
        Ok(())
    }
}

/// A connection that one thread has. It goes back when this is dropped.
pub(crate) struct Lent {
    from: Arc<Connections>,
    what: Use,
    generation: u64,
    connection: Option<Connection>,
}

impl Lent {
    /// How often the connections had been opened when this one was: another number, another connection.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }
}

impl fmt::Debug for Lent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.from.fmt(f)
    }
}

impl Deref for Lent {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("it is there until this is dropped")
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut Connection {
        self.connection.as_mut().expect("it is there until this is dropped")
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut desk = self.from.desk();
        *desk.place(self.what) = self.connection.take();
        desk.lent -= 1;
        let last = desk.lent == 0;
        drop(desk);
        self.from.waiting(self.what).notify_one();
        if last {
            // Nobody may have had a connection because all were awaited.
            [&self.from.writers, &self.from.readers, &self.from.followers]
                .into_iter()
                .for_each(Condvar::notify_one);
        }
    }
}

/// How long a change waits for others: for the threads of this process and for other processes together.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
