//! The SQLite file: how it is made, opened, guarded and migrated.

use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior, ffi};

use crate::Error;
use crate::sqlite::connections::PATIENCE;
use crate::sqlite::files::{Files, users};

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

    /// Opens three connections to a database that exists, and prepares it.
    pub(crate) fn connections(
        &self,
        existing: Existing,
    ) -> Result<(Connection, Connection, Connection), Error> {
        let mut first = self.connect()?;
        self.prepare(&mut first, existing)?;
        Ok((first, self.connect()?, self.connect()?))
    }

    /// What a fault of the opening says about the file.
    pub(crate) fn explain(&self, error: Error) -> Error {
        match (error, self) {
            (Error::Database { code, .. }, Location::File(path)) if DENIALS.contains(&(code & 0xff)) => {
                Error::Denied { path: path.clone(), users: users(path) }
            }
            (Error::Database { code: ffi::SQLITE_NOTADB, .. }, _) => Error::Foreign(self.path()),
            (other, _) => other,
        }
    }

    fn connect(&self) -> Result<Connection, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = match self {
            Location::File(path) => Connection::open_with_flags(path, flags)?,
            Location::Memory(name) => {
                let flags = flags | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_URI;
                Connection::open_with_flags(name, flags)?
            }
        };
        if connection.is_readonly(rusqlite::MAIN_DB)? {
            return Err(self.explain(Error::Database { code: ffi::SQLITE_READONLY, message: String::new() }));
        }
        connection.busy_timeout(PATIENCE)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        connection.pragma_update(None, "foreign_keys", true)?;
        // FULL: what was confirmed survives a power cut, in write-ahead mode too.
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "cell_size_check", true)?;
        connection.set_prepared_statement_cache_capacity(64);
        open_companions(&connection)?;
        Ok(connection)
    }

    /// Which files the path names now.
    pub(crate) fn files(&self) -> Result<Files, Error> {
        match self {
            Location::File(path) => Files::at(path),
            Location::Memory(_) => Ok(Files::default()),
        }
    }

    /// Whether these are all the files that an open database has.
    pub(crate) fn is_whole(&self, files: &Files) -> bool {
        matches!(self, Location::Memory(_)) || files.are_complete()
    }

    /// Takes leave of `files`, which `connection` has open and which are no longer the ones at the path.
    ///
    /// Where the database was exchanged beside its companions, the log's content is written where it belongs, into the
    /// file that was moved away, and the companions are removed: read with another database they would damage it.
    pub(crate) fn part(&self, connection: &Connection, files: &Files) -> Result<(), Error> {
        let Location::File(path) = self else { return Ok(()) };
        let current = Files::at(path)?;
        let left_behind = current.shared_companions(files, path);
        if current.database == files.database || left_behind.is_empty() {
            return Ok(());
        }
        connection.busy_timeout(Duration::ZERO)?;
        let busy: bool = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if busy {
            return Err(Error::Busy);
        }
        left_behind
            .into_iter()
            .try_for_each(|file| fs::remove_file(&file).map_err(|error| Error::File(file, error.kind())))
    }

    /// Whether it is this program's, of the newest version (or brings it there) and in write-ahead mode.
    pub(crate) fn prepare(&self, connection: &mut Connection, existing: Existing) -> Result<(), Error> {
        // In one view: another process may be making the tables at this moment.
        let view = connection.transaction()?;
        let version = self.version(&view)?;
        drop(view);
        if existing == Existing::Expected && version < KNOWN {
            return Err(match version {
                0 => Error::Foreign(self.path()),
                found => Error::Older { found, known: KNOWN },
            });
        }
        if matches!(self, Location::File(_)) {
            write_ahead(connection)?;
            open_companions(connection)?;
        }
        if version < KNOWN { self.migrate(connection) } else { Ok(()) }
    }

    fn migrate(&self, connection: &mut Connection) -> Result<(), Error> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Asked again under the lock: another process may have been faster.
        let version = self.version(&transaction)?;
        for (number, migration) in (1..).zip(MIGRATIONS).skip_while(|(number, _)| *number <= version) {
            transaction.execute_batch(migration)?;
            transaction.pragma_update(None, "user_version", number)?;
        }
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.commit()?;
        settle(connection)
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

    /// Whether the file can be taken, by its header alone (<https://sqlite.org/fileformat2.html>): SQLite itself would
    /// write companions of it.
    pub(crate) fn look(&self) -> Result<(), Error> {
        let Location::File(path) = self else { return Ok(()) };
        Files::at(path)?;
        let wrong = |error: io::Error| Error::File(path.clone(), error.kind());
        // For writing too, which changes nothing and is what will be needed.
        let file = fs::OpenOptions::new().read(true).write(true).open(path).map_err(wrong)?;
        let mut header = Vec::new();
        file.take(100).read_to_end(&mut header).map_err(wrong)?;
        if header.is_empty() {
            return Ok(());
        }
        let number = |at: usize| {
            let bytes = header.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
            bytes.map_or(0, |bytes| i64::from(i32::from_be_bytes(bytes)))
        };
        let (pages, version, application) = (number(28), number(60), number(68));
        // What was written last may be in the log still; nothing but SQLite can tell then.
        let logged = fs::exists(format!("{}-wal", path.display())).unwrap_or(false);
        let empty = (application, version) == (0, 0) && (logged || pages <= 1);
        if !header.starts_with(b"SQLite format 3\0") || (application != APPLICATION_ID && !empty) {
            return Err(Error::Foreign(path.clone()));
        }
        if version > KNOWN {
            return Err(Error::Newer { found: version, known: KNOWN });
        }
        Ok(())
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

/// Copies the write-ahead log into the database as far as its readers allow, and waits for none.
pub(crate) fn settle(connection: &Connection) -> Result<(), Error> {
    Ok(connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?)
}

/// Looks through the whole database for damage.
pub(crate) fn examine(connection: &Connection) -> Result<(), Error> {
    let found: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if found != "ok" {
        return Err(Error::Corrupt(found));
    }
    let mut orphans = connection.prepare("PRAGMA foreign_key_check")?;
    match orphans.query([])?.next()? {
        Some(row) => Err(Error::Corrupt(format!("a row of {} refers to none", row.get::<_, String>(0)?))),
        None => Ok(()),
    }
}

/// Brings a file into write-ahead mode: it is new, or a copy in another mode was put in its place.
///
/// SQLite does not let two wait for each other here and refuses one of them at once, so the wait is ours.
fn write_ahead(connection: &Connection) -> Result<(), Error> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0)) {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => return Err(Error::Journal(mode)),
            Err(error) => match Error::from(error) {
                Error::Busy if Instant::now() < deadline => thread::sleep(Duration::from_millis(2)),
                error => return Err(error),
            },
        }
    }
}

/// The first read opens the write-ahead log and its shared memory.
fn open_companions(connection: &Connection) -> Result<(), Error> {
    Ok(connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?)
}

/// What is asked of a database that is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    /// It is there, of this program's version: an empty file is refused, not filled.
    Expected,
    /// It is filled when it is empty, and brought to this program's version.
    Prepared,
}

/// How SQLite says that the system did not let it.
const DENIALS: [i32; 4] = [ffi::SQLITE_CANTOPEN, ffi::SQLITE_PERM, ffi::SQLITE_READONLY, ffi::SQLITE_AUTH];

/// `irgw` in ASCII: marks the file as this program's.
const APPLICATION_ID: i64 = 0x6972_6777;

/// The step from each version to the next one; never changed once released, only added to.
const MIGRATIONS: [&str; 4] = [
    include_str!("schema.sql"),
    include_str!("revisions.sql"),
    include_str!("oauth.sql"),
    include_str!("deliveries.sql"),
];

/// The version after the last step.
const KNOWN: i64 = MIGRATIONS.len() as i64;
