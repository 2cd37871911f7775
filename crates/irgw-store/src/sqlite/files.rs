//! The files that a database is made of: whose they are, and whether they are still the ones that were opened.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::Error;

/// Which files stand at a database's path now: its own, its write-ahead log and its shared memory.
///
/// All three are compared. A connection keeps on using files that were removed, and sees no change in them for ever: a
/// revocation that another process writes into their successors would never be noticed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Files {
    pub(crate) database: Identity,
    /// Its companions, [`COMPANIONS`], where they exist.
    companions: [Option<Identity>; 2],
}

impl Files {
    /// Looks at the files of the database at `path`.
    ///
    /// # Errors
    /// When there is none, when it is no file, and when others than its owner can read or write it: it holds who may
    /// call, and as whom.
    pub(crate) fn at(path: &Path) -> Result<Files, Error> {
        let metadata = fs::metadata(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::Absent(path.to_owned()),
            kind => Error::File(path.to_owned(), kind),
        })?;
        if !metadata.is_file() {
            return Err(Error::NoFile(path.to_owned()));
        }
        guard(path, &metadata)?;
        let companion = |suffix| match fs::metadata(companion(path, suffix)) {
            Ok(metadata) => Ok(Some(Identity::of(&metadata))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::File(companion(path, suffix), error.kind())),
        };
        let [log, memory] = COMPANIONS;
        Ok(Files { database: Identity::of(&metadata), companions: [companion(log)?, companion(memory)?] })
    }

    /// Whether the database and both of its companions are there.
    pub(crate) fn are_complete(&self) -> bool {
        self.companions.iter().all(Option::is_some)
    }

    /// The companions at `path` that are the same as in `other`.
    pub(crate) fn shared_companions(&self, other: &Files, path: &Path) -> Vec<PathBuf> {
        let pairs = COMPANIONS.iter().zip(self.companions.iter().zip(&other.companions));
        pairs
            .filter(|(_, (ours, theirs))| ours.is_some() && ours == theirs)
            .map(|(suffix, _)| companion(path, suffix))
            .collect()
    }
}

/// Tells one file from another at the same path. All are the same where the system has no such numbers, and in memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    #[cfg(unix)]
    fn of(metadata: &fs::Metadata) -> Identity {
        use std::os::unix::fs::MetadataExt;
        Identity { device: metadata.dev(), inode: metadata.ino() }
    }

    #[cfg(not(unix))]
    fn of(_: &fs::Metadata) -> Identity {
        Identity::default()
    }
}

/// Who owns the file, and who asks, where the system tells.
pub(crate) fn users(path: &Path) -> Option<[u32; 2]> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        // A process's own folder there belongs to its effective user.
        Some([fs::metadata(path).ok()?.uid(), fs::metadata("/proc/self").ok()?.uid()])
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

#[cfg(unix)]
fn guard(path: &Path, metadata: &fs::Metadata) -> Result<(), Error> {
    use std::os::unix::fs::MetadataExt;
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(Error::Exposed { path: path.to_owned(), mode }) }
}

#[cfg(not(unix))]
fn guard(_: &Path, _: &fs::Metadata) -> Result<(), Error> {
    Ok(())
}

fn companion(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// What SQLite appends to a database's path: write-ahead log, shared memory.
const COMPANIONS: [&str; 2] = ["-wal", "-shm"];
