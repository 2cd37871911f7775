//! Where a store's database is.

use std::fmt;
use std::path::PathBuf;

#[cfg(feature = "postgres")]
use crate::Server;
use crate::{Error, Store};

/// Where a store's database is: a file of SQLite for the processes of one machine, or a PostgreSQL server for many.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Database {
    /// A file.
    File(PathBuf),
    /// A database on a server.
    #[cfg(feature = "postgres")]
    Server(Server),
}

impl Database {
    /// As [`Store::open`].
    ///
    /// # Errors
    /// As there, and [`Error::Unreachable`].
    pub fn open(&self) -> Result<Store, Error> {
        match self {
            Database::File(path) => Store::open(path),
            #[cfg(feature = "postgres")]
            Database::Server(server) => Store::connect(server),
        }
    }

    /// As [`Store::open_existing`].
    ///
    /// # Errors
    /// As there, and [`Error::Unreachable`].
    pub fn open_existing(&self) -> Result<Store, Error> {
        match self {
            Database::File(path) => Store::open_existing(path),
            #[cfg(feature = "postgres")]
            Database::Server(server) => Store::connect_existing(server),
        }
    }

    /// As [`Store::look`].
    ///
    /// # Errors
    /// As there, and [`Error::Unreachable`].
    pub fn look(&self) -> Result<(), Error> {
        match self {
            Database::File(path) => Store::look(path),
            #[cfg(feature = "postgres")]
            Database::Server(server) => crate::postgres::Pool::look(server),
        }
    }
}

/// As a URL, without a password.
impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Database::File(path) => write!(f, "sqlite:{}", path.display()),
            #[cfg(feature = "postgres")]
            Database::Server(server) => server.fmt(f),
        }
    }
}
