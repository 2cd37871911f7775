//! The token file on disk: its JSON, written whole or not at all, and its lock.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use irgw_core::{Secret, UnixTime};
use serde::{Deserialize, Serialize};
use tokio::sync::MutexGuard;
use zeroize::{Zeroize, Zeroizing};

use crate::client::{ClientConfig, Skew, Tokens};
use crate::opaque::Digest;

/// Why a token file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileFault {
    /// The operating system refuses.
    #[error("cannot {what} {}", path.display())]
    Io {
        /// What was tried: `read`, `write`, `lock`, `remove`.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Others can read it. Its tokens may be known: revoke them, and log in again.
    #[error("{} can be read by others (mode {mode:03o}); its tokens may be known, so log in again, or chmod 600", path.display())]
    Exposed {
        /// Which file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It is no token file, or of another version.
    #[error("{} is not a token file of version {VERSION}", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
    },
    /// Its tokens are another client's, or come from another server: they are not sent to this one.
    #[error("{} holds the tokens of client {client_id} at {token_url}", path.display())]
    Foreign {
        /// Which file.
        path: PathBuf,
        /// Whose tokens.
        client_id: String,
        /// From where.
        token_url: String,
    },
}

const VERSION: u32 = 1;
/// A token file is not longer.
const LIMIT_BYTES: u64 = 64 * 1024;

/// The file's JSON.
#[derive(Serialize, Deserialize)]
pub(super) struct Record {
    version: u32,
    token_url: String,
    client_id: String,
    access_token: String,
    /// In seconds since 1970 by the server's clock.
    expires_at: u64,
    /// How far that clock was ahead.
    #[serde(default)]
    skew_ms: Skew,
    refresh_token: Option<String>,
    #[serde(default)]
    scope: Option<String>,
    /// Written before the refresh token is used, and gone when the answer is written.
    pub(super) pending: Option<Mark>,
}

/// The write-ahead mark: this refresh token is about to be used.
#[derive(Serialize, Deserialize)]
pub(super) struct Mark {
    refresh_token_sha256: String,
    since: u64,
}

impl Mark {
    pub(super) fn new(refresh_token: &Secret<String>, since: UnixTime) -> Mark {
        Mark { refresh_token_sha256: hex(&Digest::of(refresh_token.expose())), since: since.as_secs() }
    }

    pub(super) fn is_about(&self, refresh_token: &Digest) -> bool {
        self.refresh_token_sha256 == hex(refresh_token)
    }

    pub(super) fn since(&self) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(self.since))
    }
}

fn hex(digest: &Digest) -> String {
    digest.0.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Record {
    pub(super) fn new(config: &ClientConfig, tokens: &Tokens) -> Record {
        Record {
            version: VERSION,
            token_url: config.token_url().to_owned(),
            client_id: config.client_id().to_string(),
            access_token: tokens.access_token().expose().clone(),
            expires_at: tokens.expires_at().as_secs(),
            skew_ms: tokens.skew(),
            refresh_token: tokens.refresh_token().map(|token| token.expose().clone()),
            scope: tokens.scope().map(str::to_owned),
            pending: None,
        }
    }

    pub(super) fn tokens(&self) -> Tokens {
        Tokens {
            access_token: Secret::new(self.access_token.clone()),
            refresh_token: self.refresh_token.clone().map(Secret::new),
            expires_at: UnixTime::since_unix_epoch(Duration::from_secs(self.expires_at)),
            skew: self.skew_ms,
            scope: self.scope.clone(),
        }
    }

    pub(super) fn strike_refresh_token(&mut self) {
        self.refresh_token.zeroize();
        self.refresh_token = None;
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.access_token.zeroize();
        self.refresh_token.zeroize();
    }
}

/// The file's content, if there is a file. It is replaced by renaming, so that it is whole without the lock.
pub(super) fn read(path: &Path, config: &ClientConfig) -> Result<Option<Record>, FileFault> {
    let failed = |source| FileFault::Io { what: "read", path: path.to_owned(), source };
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(failed)?,
    };
    guard(path, &file.metadata().map_err(failed)?)?;
    let mut text = Zeroizing::new(Vec::with_capacity(4096));
    file.take(LIMIT_BYTES).read_to_end(&mut text).map_err(failed)?;
    // What serde says of a malformed file may quote a token.
    let record: Record =
        serde_json::from_slice(&text).map_err(|_| FileFault::Malformed { path: path.to_owned() })?;
    if record.version != VERSION {
        return Err(FileFault::Malformed { path: path.to_owned() });
    }
    if record.token_url != config.token_url() || record.client_id != config.client_id().as_str() {
        return Err(FileFault::Foreign {
            path: path.to_owned(),
            client_id: record.client_id.clone(),
            token_url: record.token_url.clone(),
        });
    }
    Ok(Some(record))
}

/// Replaces the file, durably: a new one beside it, `fsync`, rename, `fsync` of the folder. The caller holds the lock.
pub(super) fn write(path: &Path, record: &Record) -> Result<(), FileFault> {
    let failed = |source| FileFault::Io { what: "write", path: path.to_owned(), source };
    let text = Zeroizing::new(serde_json::to_vec_pretty(record).map_err(|error| failed(error.into()))?);
    let beside = companion(path, ".new");
    let replace = || {
        // One that a crash left may not have our permissions, nor be ours.
        remove_if_there(&beside)?;
        let mut file = private(OpenOptions::new().write(true).create_new(true)).open(&beside)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        sync_folder(path)
    };
    replace().map_err(failed)
}

/// Removes the file. The lock file stays: one that is made anew would be another lock.
pub(super) fn remove(path: &Path) -> Result<(), FileFault> {
    let removed = remove_if_there(path).and_then(|()| sync_folder(path));
    removed.map_err(|source| FileFault::Io { what: "remove", path: path.to_owned(), source })
}

/// The lock file, made where it is missing. The lock is on a file of its own, since the other one is replaced.
pub(super) fn open_lock(path: &Path) -> Result<File, FileFault> {
    let lock = companion(path, ".lock");
    let opened = private(OpenOptions::new().write(true).create(true).truncate(false)).open(&lock);
    opened.map_err(|source| FileFault::Io { what: "lock", path: path.to_owned(), source })
}

/// The lock, until it is dropped: among this process's tasks, and among processes.
pub(super) struct Locked<'a> {
    _file: File,
    _gate: MutexGuard<'a, ()>,
}

impl<'a> Locked<'a> {
    pub(super) fn new(gate: MutexGuard<'a, ()>, file: File) -> Locked<'a> {
        Locked { _file: file, _gate: gate }
    }
}

fn companion(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600)
}

#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(unix)]
fn guard(path: &Path, metadata: &fs::Metadata) -> Result<(), FileFault> {
    use std::os::unix::fs::MetadataExt;
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(FileFault::Exposed { path: path.to_owned(), mode }) }
}

#[cfg(not(unix))]
fn guard(_: &Path, _: &fs::Metadata) -> Result<(), FileFault> {
    Ok(())
}

#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
