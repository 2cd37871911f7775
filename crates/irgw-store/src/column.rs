//! How the crate's words are written in columns, and read back.

use std::str::FromStr;
use std::time::Duration;

use irgw_core::{Environment, UnixTime};
use rusqlite::Row;

use crate::Error;

/// A time as a column: whole seconds since the Unix epoch.
pub(crate) fn seconds(time: UnixTime) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
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
    row.get::<_, Option<i64>>(index)?.map(time).transpose()
}

/// The word in column `index`.
pub(crate) fn word<T: FromStr>(row: &Row<'_>, index: usize) -> Result<T, Error> {
    let text = row.get_ref(index)?.as_str().map_err(|error| Error::Corrupt(error.to_string()))?;
    text.parse().map_err(|_| Error::Corrupt(format!("{text:?} cannot stand in column {index}")))
}

/// The environment in column `index`.
pub(crate) fn environment(row: &Row<'_>, index: usize) -> Result<Environment, Error> {
    word(row, index)
}

/// The `N` bytes in column `index`.
pub(crate) fn bytes<const N: usize>(row: &Row<'_>, index: usize) -> Result<[u8; N], Error> {
    Ok(row.get(index)?)
}

/// The count or revision in column `index`.
pub(crate) fn number(row: &Row<'_>, index: usize) -> Result<u64, Error> {
    let value: i64 = row.get(index)?;
    u64::try_from(value).map_err(|_| Error::Corrupt(format!("{value} cannot stand in column {index}")))
}

/// A text that an operator may choose: 1 to `limit_bytes` bytes without control characters.
pub(crate) fn check_text(what: &'static str, text: &str, limit_bytes: usize) -> Result<(), Error> {
    let fits = (1..=limit_bytes).contains(&text.len()) && !text.chars().any(char::is_control);
    if fits { Ok(()) } else { Err(Error::Text { what, limit_bytes }) }
}
