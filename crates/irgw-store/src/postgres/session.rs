//! One session with the server, as one thread has it: its statements, and the transaction that it is in.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::time::{Duration, Instant};

use futures_core::Stream;
use tokio_postgres::{Client, Statement};

use crate::Error;
use crate::postgres::wait::wait;
use crate::postgres::wire;
use crate::sql::{Bind, Row, Turn};

/// A session. What it runs answers within [`ANSWER`], step by step, or the session is given up.
pub(crate) struct Session {
    client: Client,
    /// By their text, with `?`.
    statements: RefCell<HashMap<String, Statement>>,
    /// What the transaction under way is.
    state: Cell<State>,
    /// What went wrong first in it: the server undoes it, whatever else is said.
    failed: RefCell<Option<Error>>,
    /// The server owes it an answer that nobody waits for any more.
    lost: Cell<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Reading,
    Changing(Turn),
    /// It asked to be alone.
    Unfit,
}

impl Session {
    pub(super) fn new(client: Client) -> Session {
        Session {
            client,
            statements: RefCell::default(),
            state: Cell::new(State::Idle),
            failed: RefCell::default(),
            lost: Cell::new(false),
        }
    }

    /// Whether it can be lent again.
    pub(super) fn is_fit(&self) -> bool {
        !self.lost.get() && !self.client.is_closed() && self.state.get() == State::Idle
    }

    /// Begins to read: one view of the database, for all statements.
    pub(super) fn begin_to_read(&self) -> Result<(), Error> {
        self.begin(State::Reading, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    }

    /// Begins a change; waits for others, at each lock, for `patience`.
    pub(super) fn begin_to_change(&self, turn: Turn, patience: Duration) -> Result<(), Error> {
        let lock = match turn {
            Turn::Any => String::new(),
            Turn::Shared => format!("; SELECT pg_advisory_xact_lock_shared({CHANGES})"),
            Turn::Alone => format!("; SELECT pg_advisory_xact_lock({CHANGES})"),
        };
        let milliseconds = patience.as_millis().clamp(1, 600_000);
        self.begin(
            State::Changing(turn),
            &format!("BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = {milliseconds}{lock}"),
        )
    }

    fn begin(&self, state: State, statements: &str) -> Result<(), Error> {
        *self.failed.borrow_mut() = None;
        self.state.set(state);
        self.batch(statements)
    }

    /// Commits what was begun.
    ///
    /// # Errors
    /// What went wrong in it, if something did: then it is undone. [`Error::Unreachable`] leaves open whether it happened.
    pub(super) fn commit(&self) -> Result<(), Error> {
        if let Some(error) = self.failed.take() {
            self.roll_back();
            return Err(error);
        }
        self.batch("COMMIT")?;
        self.state.set(State::Idle);
        Ok(())
    }

    /// Undoes what was begun. A session that cannot is not fit any more, and the server undoes it when it is closed.
    pub(super) fn roll_back(&self) {
        if !self.lost.get() && self.batch("ROLLBACK").is_ok() {
            self.state.set(State::Idle);
        }
    }

    /// Runs statements without parameters.
    pub(super) fn batch(&self, statements: &str) -> Result<(), Error> {
        self.wait(self.client.batch_execute(statements))
    }

    pub(crate) fn execute(&self, statement: &str, values: &[&dyn Bind]) -> Result<usize, Error> {
        let statement = self.prepare(statement, values)?;
        let changed = self.wait(self.client.execute_raw(&statement, values.iter().map(|value| value.bind())));
        Ok(usize::try_from(changed?).unwrap_or(usize::MAX))
    }

    pub(crate) fn each(
        &self,
        query: &str,
        values: &[&dyn Bind],
        mut apply: impl FnMut(&Row<'_>) -> Result<(), Error>,
    ) -> Result<usize, Error> {
        let query = self.prepare(query, values)?;
        let rows = self.wait(self.client.query_raw(&query, values.iter().map(|value| value.bind())))?;
        let mut rows = pin!(rows);
        let mut count = 0;
        while let Some(row) =
            self.wait(poll_fn(|context| rows.as_mut().poll_next(context).map(Option::transpose)))?
        {
            apply(&Row::Postgres(&row))?;
            count += 1;
        }
        Ok(count)
    }

    /// What follows a `SELECT` from `table` of a row that is to be changed.
    pub(crate) fn holding(&self, table: &str) -> String {
        match self.state.get() {
            State::Changing(_) => format!(" FOR UPDATE OF {table}"),
            State::Idle | State::Reading | State::Unfit => String::new(),
        }
    }

    /// Whether the change is alone; otherwise it is to be undone, and [`Session::asked_to_be_alone`].
    pub(crate) fn expect_alone(&self) -> Result<(), Error> {
        if self.state.get() == State::Changing(Turn::Alone) {
            return Ok(());
        }
        self.state.set(State::Unfit);
        Err(Error::Busy)
    }

    pub(super) fn asked_to_be_alone(&self) -> bool {
        self.state.get() == State::Unfit
    }

    fn prepare(&self, statement: &str, values: &[&dyn Bind]) -> Result<Statement, Error> {
        if let Some(prepared) = self.statements.borrow().get(statement) {
            return Ok(prepared.clone());
        }
        let (text, types) = (wire::numbered(statement), wire::types(values));
        let prepared = self.wait(self.client.prepare_typed(&text, &types))?;
        self.statements.borrow_mut().insert(statement.to_owned(), prepared.clone());
        Ok(prepared)
    }

    /// Waits for the server.
    fn wait<T>(&self, answer: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, Error> {
        let error = match wait(answer, Instant::now() + ANSWER) {
            Some(Ok(value)) => return Ok(value),
            Some(Err(error)) => Error::from(error),
            None => {
                self.lost.set(true);
                Error::Unreachable(format!("no answer for {} s", ANSWER.as_secs()))
            }
        };
        self.failed.borrow_mut().get_or_insert_with(|| error.clone());
        Err(error)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("state", &self.state).finish_non_exhaustive()
    }
}

/// The advisory lock of all changes: `irgw` in ASCII.
pub(super) const CHANGES: i64 = 0x6972_6777;

/// How long the server may take for the next step of an answer: longer than anybody waits for a lock.
const ANSWER: Duration = Duration::from_secs(8);
