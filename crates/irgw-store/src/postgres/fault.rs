//! What the server's and the connection's errors mean to the store.

use std::error::Error as _;

use tokio_postgres::error::SqlState;

use crate::Error;

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Error {
        let Some(told) = error.as_db_error() else {
            // The text of the error alone says only which sort it is.
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            return Error::Unreachable(format!("{error}{cause}"));
        };
        let (code, message) = (told.code(), told.message().to_owned());
        match *code {
            SqlState::LOCK_NOT_AVAILABLE
            | SqlState::T_R_DEADLOCK_DETECTED
            | SqlState::T_R_SERIALIZATION_FAILURE => Error::Busy,
            SqlState::DISK_FULL => Error::Full,
            SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED => Error::Corrupt(message),
            // It stops, starts, has no place for another connection, or is a standby.
            SqlState::ADMIN_SHUTDOWN
            | SqlState::CRASH_SHUTDOWN
            | SqlState::CANNOT_CONNECT_NOW
            | SqlState::TOO_MANY_CONNECTIONS
            | SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
            | SqlState::READ_ONLY_SQL_TRANSACTION => Error::Unreachable(message),
            _ => Error::Server { code: code.code().to_owned(), message },
        }
    }
}
