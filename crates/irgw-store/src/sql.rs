//! The seam to the database: one set of statements, values to bind, rows to read, and a transaction that runs them.
//!
//! Statements are in the subset of SQL that every engine reads alike. Parameters are written `?1`, `?2`; a boolean column
//! is the integer 0 or 1; text is compared by its bytes.

use irgw_oauth::opaque::Digest;
use rusqlite::types::{ToSqlOutput, ValueRef};

use crate::Error;

/// What is bound to a parameter, or stands in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Null,
    Integer(i64),
    Text(&'a str),
    Blob(&'a [u8]),
}

/// What can be bound.
pub(crate) trait Bind {
    fn bind(&self) -> Value<'_>;
}

/// The values of a statement's parameters, in their order.
macro_rules! values {
    ($($value:expr),* $(,)?) => { &[$(&$value as &dyn $crate::sql::Bind),*] };
}
pub(crate) use values;

impl Bind for i64 {
    fn bind(&self) -> Value<'_> {
        Value::Integer(*self)
    }
}

impl Bind for bool {
    fn bind(&self) -> Value<'_> {
        Value::Integer(i64::from(*self))
    }
}

impl Bind for str {
    fn bind(&self) -> Value<'_> {
        Value::Text(self)
    }
}

impl Bind for String {
    fn bind(&self) -> Value<'_> {
        Value::Text(self)
    }
}

impl Bind for [u8] {
    fn bind(&self) -> Value<'_> {
        Value::Blob(self)
    }
}

impl<const N: usize> Bind for [u8; N] {
    fn bind(&self) -> Value<'_> {
        Value::Blob(self)
    }
}

impl Bind for Vec<u8> {
    fn bind(&self) -> Value<'_> {
        Value::Blob(self)
    }
}

impl Bind for Digest {
    fn bind(&self) -> Value<'_> {
        Value::Blob(&self.0)
    }
}

impl<T: Bind> Bind for Option<T> {
    fn bind(&self) -> Value<'_> {
        self.as_ref().map_or(Value::Null, T::bind)
    }
}

impl<T: Bind + ?Sized> Bind for &T {
    fn bind(&self) -> Value<'_> {
        (**self).bind()
    }
}

/// What a column can be read as; `None`: it holds something else.
pub(crate) trait Column<'a>: Sized {
    fn read(value: Value<'a>) -> Option<Self>;
}

impl Column<'_> for i64 {
    fn read(value: Value<'_>) -> Option<i64> {
        if let Value::Integer(integer) = value { Some(integer) } else { None }
    }
}

impl Column<'_> for bool {
    fn read(value: Value<'_>) -> Option<bool> {
        i64::read(value).map(|integer| integer != 0)
    }
}

impl<'a> Column<'a> for &'a str {
    fn read(value: Value<'a>) -> Option<&'a str> {
        if let Value::Text(text) = value { Some(text) } else { None }
    }
}

impl Column<'_> for String {
    fn read(value: Value<'_>) -> Option<String> {
        <&str>::read(value).map(str::to_owned)
    }
}

impl<'a> Column<'a> for &'a [u8] {
    fn read(value: Value<'a>) -> Option<&'a [u8]> {
        if let Value::Blob(blob) = value { Some(blob) } else { None }
    }
}

impl Column<'_> for Vec<u8> {
    fn read(value: Value<'_>) -> Option<Vec<u8>> {
        <&[u8]>::read(value).map(<[u8]>::to_vec)
    }
}

impl<const N: usize> Column<'_> for [u8; N] {
    fn read(value: Value<'_>) -> Option<[u8; N]> {
        <&[u8]>::read(value)?.try_into().ok()
    }
}

impl<'a, T: Column<'a>> Column<'a> for Option<T> {
    fn read(value: Value<'a>) -> Option<Option<T>> {
        if value == Value::Null { Some(None) } else { T::read(value).map(Some) }
    }
}

/// A row that a query found. It is read by the place of its columns.
#[derive(Debug)]
pub(crate) enum Row<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    #[cfg(feature = "postgres")]
    Postgres(&'a tokio_postgres::Row),
}

impl Row<'_> {
    /// Column `index`.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when it holds something else.
    pub(crate) fn get<'a, T: Column<'a>>(&'a self, index: usize) -> Result<T, Error> {
        let value = match self {
            Row::Sqlite(row) => match row.get_ref(index)? {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(integer) => Value::Integer(integer),
                ValueRef::Text(text) => Value::Text(
                    std::str::from_utf8(text)
                        .map_err(|_| Error::Corrupt(format!("column {index} is no text")))?,
                ),
                ValueRef::Blob(blob) => Value::Blob(blob),
                ValueRef::Real(real) => {
                    return Err(Error::Corrupt(format!("{real} cannot stand in column {index}")));
                }
            },
            #[cfg(feature = "postgres")]
            Row::Postgres(row) => crate::postgres::column(row, index)?,
        };
        T::read(value).ok_or_else(|| Error::Corrupt(format!("{value:?} cannot stand in column {index}")))
    }
}

/// Which other changes may be under way beside one. SQLite has one writer at a time, whatever is allowed here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// All: what it reads and writes, one row of a table of its own, is decided by that row's lock.
    Any,
    /// All but those that are alone. When it turns out to need a revision it is undone, and begins anew alone.
    Shared,
    /// None that reads what this one writes: it makes a revision, or ends what others are giving out.
    Alone,
}

/// A transaction, of whichever engine: it sees the database as it was when it began, or is alone with it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Transaction<'a> {
    Sqlite(&'a rusqlite::Connection),
    #[cfg(feature = "postgres")]
    Postgres(&'a crate::postgres::Session),
}

impl Transaction<'_> {
    /// The condition that `column` is `?1`, in any spelling by ASCII case: as its unique index compares.
    pub(crate) fn in_any_case(&self, column: &str) -> String {
        match self {
            Transaction::Sqlite(_) => format!("{column} = ?1 COLLATE NOCASE"),
            #[cfg(feature = "postgres")]
            Transaction::Postgres(_) => format!("lower({column}) = lower(?1 COLLATE \"C\")"),
        }
    }

    /// What follows a `SELECT` of rows that are to be deleted, so that it passes by those that others are at.
    pub(crate) fn passing_by(&self) -> &'static str {
        match self {
            // Whoever writes is alone.
            Transaction::Sqlite(_) => "",
            #[cfg(feature = "postgres")]
            Transaction::Postgres(_) => " FOR UPDATE SKIP LOCKED",
        }
    }

    /// What follows a `SELECT` from `table` of a row that is to be changed: other changes wait for this one, then see it.
    #[cfg_attr(not(feature = "postgres"), expect(unused_variables, reason = "one writer holds everything"))]
    pub(crate) fn holding(&self, table: &str) -> String {
        match self {
            Transaction::Sqlite(_) => String::new(),
            #[cfg(feature = "postgres")]
            Transaction::Postgres(session) => session.holding(table),
        }
    }

    /// Whether no other change is under way; otherwise this one is to end, and begins anew when it can be alone.
    pub(crate) fn expect_alone(&self) -> Result<(), Error> {
        match self {
            Transaction::Sqlite(_) => Ok(()),
            #[cfg(feature = "postgres")]
            Transaction::Postgres(session) => session.expect_alone(),
        }
    }

    /// Runs a statement; how many rows it changed.
    pub(crate) fn execute(&self, statement: &str, values: &[&dyn Bind]) -> Result<usize, Error> {
        match self {
            Transaction::Sqlite(connection) => {
                Ok(connection.prepare_cached(statement)?.execute(bound(values))?)
            }
            #[cfg(feature = "postgres")]
            Transaction::Postgres(session) => session.execute(statement, values),
        }
    }

    /// Calls `apply` with each row that a query finds; how many there were. `apply` runs no other statement.
    pub(crate) fn each(
        &self,
        query: &str,
        values: &[&dyn Bind],
        mut apply: impl FnMut(&Row<'_>) -> Result<(), Error>,
    ) -> Result<usize, Error> {
        match self {
            Transaction::Sqlite(connection) => {
                let mut query = connection.prepare_cached(query)?;
                let mut rows = query.query(bound(values))?;
                let mut count = 0;
                while let Some(row) = rows.next()? {
                    apply(&Row::Sqlite(row))?;
                    count += 1;
                }
                Ok(count)
            }
            #[cfg(feature = "postgres")]
            Transaction::Postgres(session) => session.each(query, values, apply),
        }
    }

    /// What `read` makes of each row that a query finds.
    pub(crate) fn all<T>(
        &self,
        query: &str,
        values: &[&dyn Bind],
        mut read: impl FnMut(&Row<'_>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let mut all = Vec::new();
        self.each(query, values, |row| {
            all.push(read(row)?);
            Ok(())
        })?;
        Ok(all)
    }

    /// What `read` makes of the first row that a query finds, if it finds one.
    pub(crate) fn one<T>(
        &self,
        query: &str,
        values: &[&dyn Bind],
        read: impl FnMut(&Row<'_>) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        Ok(self.all(query, values, read)?.into_iter().next())
    }

    /// Whether a query finds a row.
    pub(crate) fn finds(&self, query: &str, values: &[&dyn Bind]) -> Result<bool, Error> {
        Ok(self.each(query, values, |_| Ok(()))? > 0)
    }
}

fn bound(values: &[&dyn Bind]) -> impl rusqlite::Params {
    rusqlite::params_from_iter(values.iter().map(|value| value.bind()))
}

impl rusqlite::ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match *self {
            Value::Null => ValueRef::Null,
            Value::Integer(integer) => ValueRef::Integer(integer),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(blob) => ValueRef::Blob(blob),
        }))
    }
}
