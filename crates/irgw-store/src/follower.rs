//! The follower: a thread that keeps a registry up to date with its store.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender, TrySendError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::engine::Engine;
#[cfg(feature = "postgres")]
use crate::postgres::{Pool, Shelf};
use crate::sql::Transaction;
use crate::sqlite::connections::{Connections, PATIENCE, Use};
use crate::{Error, Refreshed, Registry, Store};

/// Keeps a [`Registry`] up to date: asks the database whether it changed, every so often or when told to.
///
/// One question is one `PRAGMA data_version`, a look at shared memory, or one row of a server, on a connection of its own.
/// The thread ends when the follower is dropped.
#[derive(Debug)]
pub struct Follower {
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What a follower reports.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Something changed and is in force: what was derived from the registry is to be dropped.
    Changed(Refreshed),
    /// The database did not answer, or not with sense; said once for each cause. The registry grows stale
    /// ([`Registry::staleness`]).
    Failed(Error),
    /// The database answers again.
    Recovered,
    /// Other files took the database's place, or its companions', and were opened: a copy was put back, or somebody
    /// removed the write-ahead log. [`Event::Changed`] follows when they say something else.
    Reopened,
}

impl Follower {
    /// How often a follower asks unless told otherwise: a change is in force everywhere within a second.
    pub const INTERVAL: Duration = Duration::from_millis(200);

    /// Starts to keep `registry` up to date with `store`, which it was loaded from. `report` is called on the
    /// follower's thread.
    ///
    /// # Errors
    /// When no thread can be had.
    pub fn spawn(
        store: &Store,
        registry: Arc<Registry>,
        interval: Duration,
        mut report: impl FnMut(Event) + Send + 'static,
    ) -> Result<Follower, Error> {
        let mut watch = Watch::new(store, registry);
        // Room for one: a second call while one waits is answered by the same look.
        let (wake, woken) = mpsc::sync_channel(1);
        let work = move || {
            let mut failed = None;
            loop {
                match (watch.look(), &failed) {
                    (Ok((reopened, refreshed)), _) => {
                        if failed.take().is_some() {
                            report(Event::Recovered);
                        }
                        if reopened {
                            report(Event::Reopened);
                        }
                        if refreshed != Refreshed::Unchanged {
                            report(Event::Changed(refreshed));
                        }
                    }
                    (Err(error), Some(known)) if error == *known => {}
                    (Err(error), _) => {
                        report(Event::Failed(error.clone()));
                        failed = Some(error);
                    }
                }
                if let Err(RecvTimeoutError::Disconnected) = woken.recv_timeout(interval) {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("irgw-follower".into()).spawn(work);
        let thread = thread.map_err(|error: io::Error| Error::Thread(error.kind()))?;
        Ok(Follower { wake: Some(wake), thread: Some(thread) })
    }

    /// Asks at once: for whoever just changed something through the same process.
    pub fn wake(&self) {
        if let Some(wake) = &self.wake {
            // Full: a look is to come anyway. Disconnected: the thread is gone, and the registry grows stale.
            let (Ok(()) | Err(TrySendError::Full(()) | TrySendError::Disconnected(()))) = wake.try_send(());
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        drop(self.wake.take());
        if let Some(thread) = self.thread.take() {
            // A panic there was printed there, and is no reason to panic here.
            let _ = thread.join();
        }
    }
}

/// What was last seen of the database.
enum Watch {
    Sqlite {
        registry: Arc<Registry>,
        connections: Arc<Connections>,
        generation: u64,
        /// `None`: not yet looked at.
        data_version: Option<i64>,
    },
    #[cfg(feature = "postgres")]
    Postgres { registry: Arc<Registry>, pool: Arc<Pool> },
}

impl Watch {
    fn new(store: &Store, registry: Arc<Registry>) -> Watch {
        match store.engine().clone() {
            Engine::Sqlite { connections, .. } => {
                let generation = connections.generation();
                Watch::Sqlite { registry, connections, generation, data_version: None }
            }
            #[cfg(feature = "postgres")]
            Engine::Postgres(pool) => Watch::Postgres { registry, pool },
        }
    }

    /// Whether the database was opened anew, and whether it changed; brings the registry up to it.
    fn look(&mut self) -> Result<(bool, Refreshed), Error> {
        match self {
            Watch::Sqlite { registry, connections, generation, data_version } => {
                // Before the files are compared: what is confirmed was true then.
                let asked = Instant::now();
                let mut connection = connections.lend(Use::Follow, asked + PATIENCE)?;
                let reopened = connection.generation() != *generation;
                if reopened {
                    // The number means something to the connection that gave it, and to no other.
                    *data_version = None;
                }
                let found = connection.pragma_query_value(None, "data_version", |row| row.get(0))?;
                if *data_version == Some(found) {
                    registry.confirm(asked);
                    return Ok((false, Refreshed::Unchanged));
                }
                let transaction = connection.transaction()?;
                let refreshed = registry.refresh_in(&Transaction::Sqlite(&transaction))?;
                drop(transaction);
                (*generation, *data_version) = (connection.generation(), Some(found));
                Ok((reopened, refreshed))
            }
            // The newest revision is one row, the last of a small index.
            #[cfg(feature = "postgres")]
            Watch::Postgres { registry, pool } => {
                let refreshed =
                    pool.read(Shelf::Follow, PATIENCE, |transaction| registry.refresh_in(transaction))?;
                Ok((false, refreshed))
            }
        }
    }
}
