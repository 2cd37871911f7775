//! Reading a file of bounded size, and only if nobody else may read it where it holds a secret (A20).

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Who may read a file besides its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readers {
    /// Whoever can.
    Anybody,
    /// Nobody (A20).
    Nobody,
    /// Whom an access list names: its mask shows as the group's bits (acl(5)), as on a credential of systemd's.
    ListedUsers,
}

impl Readers {
    /// The permission bits that open a file to others than these.
    fn forbidden(self) -> u32 {
        match self {
            Readers::Anybody => 0,
            Readers::Nobody => 0o077,
            Readers::ListedUsers => 0o037,
        }
    }
}

/// Reads a whole file. Size and mode are those of what is read, whatever its name comes to mean meanwhile.
///
/// # Errors
/// When it cannot be read, is larger than `limit_bytes`, or is open to others than `readers`; the text has no path.
pub(crate) fn read(path: &Path, limit_bytes: u64, readers: Readers) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let mode = metadata.mode() & 0o777;
    if mode & readers.forbidden() != 0 {
        let told = format!("others may read it (mode {mode:04o}); run: chmod 600 {}", path.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, told));
    }
    // Room for all of it first: a buffer that grows leaves copies of a secret behind.
    let room = metadata.len().min(limit_bytes).saturating_add(1);
    let mut bytes = Vec::with_capacity(usize::try_from(room).unwrap_or_default());
    file.take(limit_bytes + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit_bytes {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it has more than {limit_bytes} bytes"),
        ));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn limit_is_the_last_size_that_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, b"four").unwrap();
        assert_eq!(read(&path, 4, Readers::Anybody).unwrap(), b"four");
        assert_eq!(read(&path, 3, Readers::Anybody).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn file_without_an_end_is_refused() {
        let refused = read(Path::new("/dev/zero"), 1000, Readers::Anybody).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn a20_secret_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, b"secret").unwrap();
        for (mode, readable) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(read(&path, 100, Readers::Nobody).is_ok(), readable, "{mode:o}");
        }
    }
}
