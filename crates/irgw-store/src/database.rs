//! The SQLite file: how it is made, opened, guarded and migrated.

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use crate::Error;

/// Where a database is; every connection to it is made here.
#[derive(Debug, Clone)]
pub(crate) enum Location {
    /// A file, in write-ahead mode.
    File(PathBuf),
    /// A database in this process's memory, shared by the connections that know its name.
    Memory(String),
}

impl Location {
    /// A new database in memory, with a name that no other one has.
    pub(crate) fn memory() -> Location {
        // `RandomState` is the standard library's source of fresh randomness; 128 bits do not repeat.
        let (high, low) = (RandomState::new().hash_one("name"), RandomState::new().hash_one("name"));
        Location::Memory(format!("file:/irgw-{high:016x}{low:016x}?vfs=memdb"))
    }

    /// Makes the file if there is none, readable by its owner alone. SQLite gives its companions the same mode.
    pub(crate) fn create(&self) -> Result<(), Error> {
        let Location::File(path) = self else { return Ok(()) };
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(path) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(Error::File(path.clone(), error.kind())),
        }
    }

    /// Opens a connection to a database that exists, after a look at who else can read it.
    pub(crate) fn connect(&self) -> Result<Connection, Error> {
        let connection = match self {
            Location::File(path) => {
                guard(path)?;
                let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                Connection::open_with_flags(path, flags)?
            }
            Location::Memory(name) => {
                let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
                    | OpenFlags::SQLITE_OPEN_CREATE
                    | OpenFlags::SQLITE_OPEN_URI
                    | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                Connection::open_with_flags(name, flags)?
            }
        };
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        connection.pragma_update(None, "foreign_keys", true)?;
        // FULL: what was confirmed survives a power cut, in write-ahead mode too.
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "cell_size_check", true)?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(connection)
    }

    /// Which file the path names now.
    pub(crate) fn identity(&self) -> Result<FileIdentity, Error> {
        match self {
            Location::File(path) => guard(path),
            Location::Memory(_) => Ok(FileIdentity::default()),
        }
    }

    /// Whether it is this program's, and brings it to the newest version.
    pub(crate) fn prepare(&self, connection: &mut Connection) -> Result<(), Error> {
        if self.version(connection)? == KNOWN {
            return Ok(());
        }
        if matches!(self, Location::File(_)) {
            connection.pragma_update(None, "journal_mode", "WAL")?;
        }
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Asked again under the lock: another process may have been faster.
        let version = self.version(&transaction)?;
        for (number, migration) in (1..).zip(MIGRATIONS).skip_while(|(number, _)| *number <= version) {
            transaction.execute_batch(migration)?;
            transaction.pragma_update(None, "user_version", number)?;
        }
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.commit()?;
        Ok(())
    }

    /// The database's version: 0 for an empty one.
    fn version(&self, connection: &Connection) -> Result<i64, Error> {
        let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let (application, version) = (pragma("application_id")?, pragma("user_version")?);
        if application != APPLICATION_ID {
            let tables: i64 =
                connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
            if application != 0 || version != 0 || tables != 0 {
                return Err(Error::Foreign(self.path()));
            }
        }
        if version > KNOWN {
            return Err(Error::Newer { found: version, known: KNOWN });
        }
        Ok(version)
    }

    fn path(&self) -> PathBuf {
        match self {
            Location::File(path) => path.clone(),
            Location::Memory(name) => name.into(),
        }
    }
}

/// Begins a write: waits its turn before it reads, so that what it read is still true when it writes.
pub(crate) fn begin(connection: &mut Connection) -> Result<Transaction<'_>, Error> {
    Ok(connection.transaction_with_behavior(TransactionBehavior::Immediate)?)
}

/// Refuses a file that others than its owner can read or write: it holds who may call, and as whom.
fn guard(path: &Path) -> Result<FileIdentity, Error> {
    let metadata = fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::Absent(path.to_owned()),
        kind => Error::File(path.to_owned(), kind),
    })?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let mode = metadata.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(Error::Exposed { path: path.to_owned(), mode });
        }
        Ok(FileIdentity { device: metadata.dev(), inode: metadata.ino() })
    }
    #[cfg(not(unix))]
    {
        let _ = metadata;
        Ok(FileIdentity::default())
    }
}

/// Tells one file from another at the same path. All are the same where the system has no such numbers, and in memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct FileIdentity {
    device: u64,
    inode: u64,
}

/// `irgw` in ASCII: marks the file as this program's.
const APPLICATION_ID: i64 = 0x6972_6777;

/// How long a connection waits for another one's write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The step from each version to the next one; never changed once released, only added to.
const MIGRATIONS: [&str; 1] = [include_str!("schema.sql")];

/// The version after the last step.
const KNOWN: i64 = MIGRATIONS.len() as i64;
