//! How the crate's words are written in columns, and read back.

use std::str::FromStr;
use std::time::Duration;

use irgw_core::{Environment, UnixTime};
use irgw_oauth::customers::Subject;

use crate::Error;
use crate::sql::Row;

/// A time as a column: whole seconds since the Unix epoch.
pub(crate) fn seconds(time: UnixTime) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

/// The time that is `later` than `time`, as a column.
pub(crate) fn seconds_after(time: UnixTime, later: Duration) -> i64 {
    seconds(time).saturating_add(i64::try_from(later.as_secs()).unwrap_or(i64::MAX))
}

/// A column as a time.
pub(crate) fn time(seconds: i64) -> Result<UnixTime, Error> {
    let seconds = u64::try_from(seconds).map_err(|_| Error::Corrupt(format!("{seconds} is no time")))?;
    Ok(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
}

/// The time in column `index`.
pub(crate) fn time_at(row: &Row<'_>, index: usize) -> Result<UnixTime, Error> {
    time(row.get(index)?)
}

/// The time in column `index`, if there is one.
pub(crate) fn time_if_any(row: &Row<'_>, index: usize) -> Result<Option<UnixTime>, Error> {
    row.get::<Option<i64>>(index)?.map(time).transpose()
}

/// The word in column `index`.
pub(crate) fn word<T: FromStr>(row: &Row<'_>, index: usize) -> Result<T, Error> {
    let text = text(row, index)?;
    text.parse().map_err(|_| Error::Corrupt(format!("{text:?} cannot stand in column {index}")))
}

/// The word in column `index`, if there is one.
pub(crate) fn word_if_any<T: FromStr>(row: &Row<'_>, index: usize) -> Result<Option<T>, Error> {
    row.get::<Option<&str>>(index)?.map(|_| word(row, index)).transpose()
}

/// The environment in column `index`.
pub(crate) fn environment(row: &Row<'_>, index: usize) -> Result<Environment, Error> {
    word(row, index)
}

/// The customer's name in column `index`.
pub(crate) fn subject(row: &Row<'_>, index: usize) -> Result<Subject, Error> {
    let text = text(row, index)?;
    Subject::parse(text).map_err(|_| Error::Corrupt(format!("{text:?} is no subject")))
}

/// The `N` bytes in column `index`.
pub(crate) fn bytes<const N: usize>(row: &Row<'_>, index: usize) -> Result<[u8; N], Error> {
    row.get(index)
}

/// The count or revision in column `index`.
pub(crate) fn number(row: &Row<'_>, index: usize) -> Result<u64, Error> {
    let value: i64 = row.get(index)?;
    u64::try_from(value).map_err(|_| Error::Corrupt(format!("{value} cannot stand in column {index}")))
}

/// The text in column `index`, where it lies.
pub(crate) fn text<'a>(row: &'a Row<'_>, index: usize) -> Result<&'a str, Error> {
    row.get(index)
}

/// A text that an operator may choose: 1 to `limit_bytes` bytes without control characters.
pub(crate) fn check_text(what: &'static str, text: &str, limit_bytes: usize) -> Result<(), Error> {
    let fits = (1..=limit_bytes).contains(&text.len()) && !text.chars().any(char::is_control);
    if fits { Ok(()) } else { Err(Error::Text { what, limit_bytes }) }
}
