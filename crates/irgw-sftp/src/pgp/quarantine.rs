//! A decrypted file before and after it has verified (PGP-2).

use std::fmt;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::Path;

use irgw_core::UnixTime;
use tempfile::NamedTempFile;

use super::Fingerprint;

/// A new, empty file for what is being decrypted.
///
/// It is made for this alone (`O_EXCL`), has a name that nobody can guess and begins with `.quarantine-`, and is
/// readable by the service's user alone (mode 0600). It is removed when the value is dropped; what a crash leaves
/// can be told by its name.
#[derive(Debug)]
pub struct Quarantine {
    file: NamedTempFile,
}

impl Quarantine {
    /// Makes the file in a folder, which must be on the file system where it will be published.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn create_in(folder: &Path) -> io::Result<Quarantine> {
        tempfile::Builder::new().prefix(".quarantine-").tempfile_in(folder).map(|file| Quarantine { file })
    }

    pub(super) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.as_file_mut().write_all(bytes)
    }

    pub(super) fn verified(self, signed: Signed, bytes: u64) -> Verified {
        Verified { file: self.file, signed, bytes }
    }
}

/// By whom and when a message was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signed {
    pub(super) signer: Fingerprint,
    pub(super) key: Fingerprint,
    pub(super) at: UnixTime,
}

/// A file that was decrypted and all of whose message has verified. Only [`super::decrypt`] makes one.
///
/// It has no name yet: [`Verified::publish`] gives it one, and dropping it removes it.
pub struct Verified {
    file: NamedTempFile,
    signed: Signed,
    bytes: u64,
}

impl Verified {
    /// The certificate of the enrolled signer.
    pub fn signer(&self) -> &Fingerprint {
        &self.signed.signer
    }

    /// The key of that certificate that signed.
    pub fn key(&self) -> &Fingerprint {
        &self.signed.key
    }

    /// When the signer says that it signed. It proves no order: a signature can be held back.
    pub fn signed_at(&self) -> UnixTime {
        self.signed.at
    }

    /// How many bytes the file has.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The file's content, from its beginning.
    ///
    /// # Errors
    /// When the file cannot be opened again.
    pub fn open(&self) -> io::Result<File> {
        let mut file = self.file.reopen()?;
        file.rewind()?;
        Ok(file)
    }

    /// Gives the file its name, once its bytes are on the disk; then the name is on the disk too. Never over an
    /// existing file.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] when there is such a file. On any error the file is removed, unless only the name could not be
    /// made durable.
    pub fn publish(self, path: &Path) -> io::Result<()> {
        self.file.as_file().sync_all()?;
        self.file.persist_noclobber(path).map_err(|error| error.error)?;
        match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            Some(folder) => File::open(folder)?.sync_all(),
            None => File::open(".")?.sync_all(),
        }
    }
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified").field("signed", &self.signed).field("bytes", &self.bytes).finish()
    }
}
