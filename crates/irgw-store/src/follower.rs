//! The follower: a thread that keeps a registry up to date with its store.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender, TrySendError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::database::{FileIdentity, Location};
use crate::{Error, Refreshed, Registry, Store};

/// Keeps a [`Registry`] up to date: asks the database whether it changed, every so often or when told to.
///
/// One question is one `PRAGMA data_version`, a look at shared memory, on a connection of its own. The thread ends when
/// the follower is dropped.
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
}

impl Follower {
    /// How often a follower asks unless told otherwise: a change is in force everywhere within a second.
    pub const INTERVAL: Duration = Duration::from_millis(200);

    /// Starts to keep `registry` up to date with `store`, which it was loaded from. `report` is called on the
    /// follower's thread.
    ///
    /// # Errors
    /// When the database cannot be opened once more, or no thread be had.
    pub fn spawn(
        store: &Store,
        registry: Arc<Registry>,
        interval: Duration,
        mut report: impl FnMut(Event) + Send + 'static,
    ) -> Result<Follower, Error> {
        let mut watch = Watch::open(store, registry)?;
        // Room for one: a second call while one waits is answered by the same look.
        let (wake, woken) = mpsc::sync_channel(1);
        let work = move || {
            let mut failed = None;
            loop {
                match (watch.look(), &failed) {
                    (Ok(refreshed), _) => {
                        if failed.take().is_some() {
                            report(Event::Recovered);
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

/// A connection and what was last seen through it.
struct Watch {
    registry: Arc<Registry>,
    location: Location,
    identity: FileIdentity,
    connection: Connection,
    /// `None`: not yet looked at.
    data_version: Option<i64>,
}

impl Watch {
    fn open(store: &Store, registry: Arc<Registry>) -> Result<Watch, Error> {
        let location = store.location().clone();
        let (identity, connection) = (location.identity()?, store.connect()?);
        Ok(Watch { registry, location, identity, connection, data_version: None })
    }

    /// Whether the database changed; brings the registry up to it.
    fn look(&mut self) -> Result<Refreshed, Error> {
        let asked = Instant::now();
        // An open connection would not notice, and confirm a file that nobody writes to any more.
        if self.location.identity()? != self.identity {
            return Err(Error::Replaced);
        }
        let data_version = self.connection.pragma_query_value(None, "data_version", |row| row.get(0))?;
        if self.data_version == Some(data_version) {
            self.registry.confirm(asked);
            return Ok(Refreshed::Unchanged);
        }
        let transaction = self.connection.transaction()?;
        let refreshed = self.registry.refresh_in(&transaction)?;
        drop(transaction);
        self.data_version = Some(data_version);
        Ok(refreshed)
    }
}
