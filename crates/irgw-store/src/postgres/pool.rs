//! The sessions of a store: made when they are needed, lent to one thread at a time, and made anew when they are lost.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::{self, Runtime};

use crate::Error;
use crate::postgres::wait::wait;
use crate::postgres::{Server, Session, schema};
use crate::sql::{Transaction, Turn};
use crate::sqlite::database::Existing;

/// A store's sessions with one server.
pub(crate) struct Pool {
    server: Arc<Server>,
    /// Where the connections' ends of the sessions run; `None` when the pool is dropped.
    runtime: Option<Runtime>,
    shelves: Mutex<[Idle; 2]>,
    returned: Condvar,
}

/// What a session is lent for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shelf {
    /// Changes, listings and loading.
    Work,
    /// To ask whether something changed: never waits for the others.
    Follow,
}

#[derive(Default)]
struct Idle {
    sessions: Vec<Session>,
    lent: usize,
}

impl Pool {
    /// Opens the database: see [`Existing`].
    pub(crate) fn open(server: &Server, existing: Existing) -> Result<Pool, Error> {
        let pool = Pool::new(server)?;
        let deadline = Instant::now() + CONNECTING;
        let session = pool.lend(Shelf::Work, deadline)?;
        match existing {
            Existing::Expected => schema::expect(&session, &pool.server.to_string())?,
            Existing::Prepared => schema::prepare(&session, &pool.server.to_string(), deadline)?,
        }
        drop(session);
        Ok(pool)
    }

    /// Whether [`Pool::open`] would take what is there, or its absence; nothing is made or changed.
    pub(crate) fn look(server: &Server) -> Result<(), Error> {
        let pool = Pool::new(server)?;
        let session = pool.lend(Shelf::Work, Instant::now() + CONNECTING)?;
        schema::version(&session, &pool.server.to_string()).map(drop)
    }

    fn new(server: &Server) -> Result<Pool, Error> {
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("irgw-postgres")
            .enable_all()
            .build()
            .map_err(|error| Error::Thread(error.kind()))?;
        let (shelves, returned) = (Mutex::default(), Condvar::new());
        Ok(Pool { server: Arc::new(server.clone()), runtime: Some(runtime), shelves, returned })
    }

    /// Runs `work` over one view of the database.
    pub(crate) fn read<T>(
        &self,
        shelf: Shelf,
        patience: Duration,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let session = self.begin(shelf, Instant::now() + patience, |session, _| session.begin_to_read())?;
        let value = work(&Transaction::Postgres(&session));
        // There is nothing to keep.
        session.roll_back();
        value
    }

    /// Runs `work`, and commits it when it succeeds; once more, alone, when it asks for that.
    pub(crate) fn write<T>(
        &self,
        mut turn: Turn,
        patience: Duration,
        mut work: impl FnMut(&Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let deadline = Instant::now() + patience;
        loop {
            let session = self
                .begin(Shelf::Work, deadline, |session, patience| session.begin_to_change(turn, patience))?;
            let worked = work(&Transaction::Postgres(&session));
            if worked.is_err() {
                let again = session.asked_to_be_alone();
                session.roll_back();
                if again {
                    turn = Turn::Alone;
                    continue;
                }
            } else {
                session.commit()?;
            }
            return worked;
        }
    }

    /// Lends a session in which `begin` succeeded. One that was lost since it was used last is made anew.
    fn begin(
        &self,
        shelf: Shelf,
        deadline: Instant,
        begin: impl Fn(&Session, Duration) -> Result<(), Error>,
    ) -> Result<Lent<'_>, Error> {
        loop {
            let session = self.lend(shelf, deadline)?;
            match begin(&session, deadline.saturating_duration_since(Instant::now())) {
                Ok(()) => return Ok(session),
                Err(Error::Unreachable(_)) if !session.is_new => {}
                Err(error) => {
                    session.roll_back();
                    return Err(error);
                }
            }
        }
    }

    /// Lends a session; waits for it until `deadline`.
    fn lend(&self, shelf: Shelf, deadline: Instant) -> Result<Lent<'_>, Error> {
        let mut shelves = self.shelves();
        loop {
            let idle = shelf.of(&mut shelves);
            while let Some(session) = idle.sessions.pop() {
                if session.is_fit() {
                    idle.lent += 1;
                    return Ok(Lent { from: self, shelf, is_new: false, session: Some(session) });
                }
            }
            if idle.lent < shelf.limit() {
                idle.lent += 1;
                break;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::Busy);
            }
            (shelves, _) = self.returned.wait_timeout(shelves, left).unwrap_or_else(PoisonError::into_inner);
        }
        drop(shelves);
        // Its place is taken from here on, and given back however this ends.
        let mut lent = Lent { from: self, shelf, is_new: true, session: None };
        lent.session = Some(self.connect(deadline)?);
        Ok(lent)
    }

    fn connect(&self, deadline: Instant) -> Result<Session, Error> {
        let runtime = self.runtime.as_ref().expect("it is there until the pool is dropped");
        let server = self.server.clone();
        let connecting = runtime.spawn(async move {
            let (client, connection) = server.connect().await?;
            // It ends when the session is dropped, or with the error that the session's next statement is told.
            tokio::spawn(connection);
            Ok::<_, Error>(client)
        });
        let abort = connecting.abort_handle();
        let Some(connected) = wait(connecting, deadline) else {
            abort.abort();
            return Err(Error::Unreachable("it does not answer".to_owned()));
        };
        let client = connected.map_err(|_| Error::Unreachable("the connecting was cut off".to_owned()))??;
        let session = Session::new(client);
        session.batch(SET_UP)?;
        Ok(session)
    }

    /// A panic while this was held left every session in its place or with its borrower.
    fn shelves(&self) -> MutexGuard<'_, [Idle; 2]> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Does not wait, so that it may happen on another runtime's thread.
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.server.fmt(f)
    }
}

impl Shelf {
    fn of(self, shelves: &mut [Idle; 2]) -> &mut Idle {
        let [work, follow] = shelves;
        match self {
            Shelf::Work => work,
            Shelf::Follow => follow,
        }
    }

    /// How many sessions there may be.
    fn limit(self) -> usize {
        match self {
            Shelf::Work => 8,
            Shelf::Follow => 1,
        }
    }
}

/// A session that one thread has. It goes back when this is dropped, if it can be used again.
struct Lent<'a> {
    from: &'a Pool,
    shelf: Shelf,
    /// It was made for this loan.
    is_new: bool,
    session: Option<Session>,
}

impl Deref for Lent<'_> {
    type Target = Session;

    fn deref(&self) -> &Session {
        self.session.as_ref().expect("it is there until this is dropped")
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut shelves = self.from.shelves();
        let idle = self.shelf.of(&mut shelves);
        idle.lent -= 1;
        idle.sessions.extend(self.session.take().filter(Session::is_fit));
        drop(shelves);
        self.from.returned.notify_all();
    }
}

/// How long the opening waits for the server.
const CONNECTING: Duration = Duration::from_secs(10);

/// A gateway that vanishes in the middle of a change must not keep the others waiting for longer than they stand it. What is
/// confirmed is on disk, whatever the server's own setting.
const SET_UP: &str = "SET idle_in_transaction_session_timeout = '10s'; SET tcp_user_timeout = '10s';
    SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3;
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";
