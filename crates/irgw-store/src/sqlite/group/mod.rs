//! Changes that share a commit: each decided by itself, in the caller's own thread, all on disk together.
//!
//! ```text
//!   begin ─► call ─► call ─► call ─► commit ─► all three return        the next begin while this one's log is being written
//! ```
//!
//! What a commit costs is the wait for the disk, whatever is in it. So a call that finds others waiting hands its open transaction
//! on to them, and the last one commits for all. Nothing is answered before the commit: who has an answer can rely on it, and
//! what was decided on the ground of another call's change is told after that one is on disk.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::Error;
use crate::sql::Transaction;
use crate::sqlite::connections::{Connections, Lent, Use};

/// The calls that share transactions, one transaction at a time.
#[derive(Debug)]
pub(crate) struct Group {
    state: Mutex<State>,
    /// For those who wait to be in a transaction.
    turns: Condvar,
    /// For those who wait for their transaction's end.
    ends: Condvar,
}

#[derive(Debug)]
struct State {
    place: Place,
    /// Calls that wait for their turn. Each takes it or, while somebody else has it, goes.
    waiting: usize,
    /// Calls that have been in the open transaction.
    members: usize,
    end: Arc<End>,
}

/// How a transaction ended, once it did.
type End = OnceLock<Result<(), Error>>;

/// Where the open transaction is.
#[derive(Debug)]
enum Place {
    /// There is none.
    Free,
    /// It waits for the next call, of which there is one.
    Open(Lent),
    /// A call has it.
    Taken,
}

impl Group {
    pub(crate) fn new() -> Group {
        let state = State { place: Place::Free, waiting: 0, members: 0, end: Arc::default() };
        Group { state: Mutex::new(state), turns: Condvar::new(), ends: Condvar::new() }
    }

    /// Runs `work` in a transaction that other calls may share, and returns when it is committed. When it fails, what it did is
    /// undone, and what the others did is not. Waits for its turn, and for other writers, for `patience` in all.
    pub(crate) fn run<T>(
        &self,
        connections: &Arc<Connections>,
        patience: Duration,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let deadline = Instant::now() + patience;
        let (mut turn, begun) = self.enter(deadline)?;
        if begun == Begun::NotYet {
            turn.begin(connections, deadline)?;
        }
        let decided = turn.decide(work);
        turn.fault = decided.as_ref().err().cloned();
        let end = turn.end.clone();
        drop(turn);
        // What failed is undone, however the others end.
        let value = decided?;
        self.wait_for(&end)?;
        Ok(value)
    }

    fn enter(&self, deadline: Instant) -> Result<(Turn<'_>, Begun), Error> {
        let mut state = self.lock();
        state.waiting += 1;
        while matches!(state.place, Place::Taken) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                // Whoever has the turn sees that nobody waits, and commits.
                state.waiting -= 1;
                return Err(Error::Busy);
            }
            (state, _) = self.turns.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
        state.waiting -= 1;
        let (lent, begun) = match std::mem::replace(&mut state.place, Place::Taken) {
            Place::Open(lent) => (Some(lent), Begun::Already),
            Place::Free | Place::Taken => {
                (state.members, state.end) = (0, Arc::default());
                (None, Begun::NotYet)
            }
        };
        state.members += 1;
        Ok((Turn { group: self, lent, fault: None, end: state.end.clone() }, begun))
    }

    fn wait_for(&self, end: &End) -> Result<(), Error> {
        let mut state = self.lock();
        loop {
            if let Some(ended) = end.get() {
                return ended.clone();
            }
            state = self.ends.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A panic while this was held left the state whole: nothing in between can panic.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begun {
    Already,
    NotYet,
}

/// The one call that may use the transaction now. Dropped, also by a panic, it hands the transaction on or commits it.
struct Turn<'a> {
    group: &'a Group,
    lent: Option<Lent>,
    /// Why this call's part failed.
    fault: Option<Error>,
    end: Arc<End>,
}

impl Turn<'_> {
    fn begin(&mut self, connections: &Arc<Connections>, deadline: Instant) -> Result<(), Error> {
        let lent = connections.lend(Use::Write, deadline)?;
        lent.busy_timeout(deadline.saturating_duration_since(Instant::now()))?;
        lent.execute_batch("BEGIN IMMEDIATE")?;
        self.lent = Some(lent);
        Ok(())
    }

    fn decide<T>(&mut self, work: impl FnOnce(&Transaction<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let lent = self.lent.as_mut().expect("it was begun");
        let savepoint = lent.savepoint()?;
        // An error and a panic drop the savepoint, which undoes what was done since.
        let value = work(&Transaction::Sqlite(&savepoint))?;
        savepoint.commit()?;
        Ok(value)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let lent = self.lent.take();
        let mut state = self.group.lock();
        // Some faults (a full disk) end the whole transaction.
        let is_open = lent.as_ref().is_some_and(|lent| !lent.is_autocommit());
        match lent {
            Some(lent) if is_open && state.waiting > 0 && state.members < MEMBERS => {
                state.place = Place::Open(lent);
                drop(state);
            }
            lent => {
                drop(state);
                let ended = match &lent {
                    Some(lent) if is_open => commit(lent),
                    Some(_) => Err(self.fault.take().unwrap_or(Error::Busy)),
                    // It was never begun, and its one call knows why.
                    None => Ok(()),
                };
                drop(lent);
                state = self.group.lock();
                // It is set once: here alone, by the last one who had the turn.
                let _ = self.end.set(ended);
                state.place = Place::Free;
                drop(state);
                self.group.ends.notify_all();
            }
        }
        self.group.turns.notify_one();
    }
}

fn commit(connection: &Connection) -> Result<(), Error> {
    let committed = connection.execute_batch("COMMIT");
    if committed.is_err() && !connection.is_autocommit() {
        // The connection goes back, and must not be in a transaction.
        let _ = connection.execute_batch("ROLLBACK");
    }
    Ok(committed?)
}

/// Calls in one transaction at most: who came first is not to wait for everybody, nor are other processes.
const MEMBERS: usize = 64;

#[cfg(test)]
mod tests;
