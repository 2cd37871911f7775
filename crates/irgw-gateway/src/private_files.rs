//! Files for one user alone: written whole or not at all, in directories that one process at a time may lock.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Makes the directory (0700), unless it is there.
pub(crate) fn make_directory(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Writes a file (0600) beside its place and renames it there. When this returns, it is on disk under its name; when the machine
/// stops before that, the name means what it meant before, or the new file as a whole.
pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) -> io::Result<()> {
    let beside = path.with_extension("new");
    // What a stop halfway left, of whatever mode.
    remove(&beside)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(content.as_ref())?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    match path.parent() {
        Some(directory) if directory != Path::new("") => File::open(directory)?.sync_all(),
        _ => Ok(()),
    }
}

/// Removes a file, unless it is not there.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Why a lock cannot be had.
#[derive(Debug)]
pub(crate) enum LockError {
    /// Another process has it: this one, where it has written its id.
    Held(Option<u32>),
    /// The file cannot be used.
    File(io::Error),
}

impl From<io::Error> for LockError {
    fn from(error: io::Error) -> LockError {
        LockError::File(error)
    }
}

/// Locks a file, made (0600) where it is missing, and writes this process's id into it. The lock ends with the file's
/// closing, so with the process, however that ends.
pub(crate) fn lock(path: &Path) -> Result<File, LockError> {
    let mut options = OpenOptions::new();
    let mut file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            file.read_to_string(&mut holder)?;
            return Err(LockError::Held(holder.trim().parse().ok()));
        }
        Err(TryLockError::Error(error)) => return Err(error.into()),
    }
    file.set_len(0)?;
    writeln!(file, "{}", std::process::id())?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stop_left_beside_is_written_anew() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.key");
        fs::write(folder.path().join("file.new"), b"half of what was longer").unwrap();
        write(&path, b"whole").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!folder.path().join("file.new").exists());
    }

    #[test]
    fn second_lock_names_the_holder_until_the_first_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dev.lock");
        let first = lock(&path).unwrap();
        let pid = std::process::id();
        assert!(matches!(lock(&path), Err(LockError::Held(Some(holder))) if holder == pid));
        drop(first);
        assert!(lock(&path).is_ok());
    }
}
