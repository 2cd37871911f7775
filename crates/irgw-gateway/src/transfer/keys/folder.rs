//! A key folder as whoever uses the keys sees it.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use irgw_core::{Secret, UnixTime};
use irgw_sftp::pgp::{CERT_LIMIT_BYTES, OwnKey};
use irgw_sftp::ssh::PrivateKey;

use super::{Change, HeldKey, Key, KeyFault, KeysError, Kind, Manifest, State};
use crate::bounded::{self, Readers};

/// The folder of the gateway's own keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFolder {
    path: PathBuf,
}

impl KeyFolder {
    /// The folder at `path`; whether it is there is seen at use.
    pub fn at(path: impl Into<PathBuf>) -> KeyFolder {
        KeyFolder { path: path.into() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file whose change says that keys have changed.
    pub(crate) fn manifest_path(&self) -> PathBuf {
        self.path.join("keys.json")
    }

    /// Which keys are held. No passphrase is needed.
    ///
    /// # Errors
    /// When there is no folder, others have access to it or to what is in it, or `keys.json` cannot be relied on.
    pub fn manifest(&self) -> Result<Manifest, KeysError> {
        self.expect_private()?;
        match self.read("keys.json", MANIFEST_LIMIT_BYTES) {
            Ok(json) => Manifest::parse(json.expose()).map_err(|reason| self.unreliable(reason)),
            Err(KeysError::File { kind: io::ErrorKind::NotFound, .. }) if !self.holds_keys()? => {
                Ok(Manifest::default())
            }
            Err(KeysError::File { kind: io::ErrorKind::NotFound, .. }) => {
                Err(self.unreliable("it is gone, and there are keys in the folder".into()))
            }
            Err(error) => Err(error),
        }
    }

    /// Opens all keys that are needed: the live one of each kind, and the OpenPGP keys that others may have encrypted to.
    ///
    /// Each OpenPGP key takes a good part of a second, as protected keys are meant to.
    ///
    /// # Errors
    /// As [`KeyFolder::manifest`], when there is no live key of a kind, and when a key cannot be opened.
    pub fn open(&self, passphrase: &Secret<String>) -> Result<TransferKeys, KeysError> {
        let manifest = self.manifest()?;
        let live = manifest.ssh.live().ok_or_else(|| missing(Kind::Ssh))?;
        let Key::Ssh(ssh) = self.open_key(Kind::Ssh, live, passphrase)? else {
            return Err(missing(Kind::Ssh));
        };
        let signing = manifest.pgp.live().ok_or_else(|| missing(Kind::Pgp))?;
        let expires = signing.expires;
        let mut pgp = Vec::new();
        for (_, held) in manifest.pgp.keys() {
            if let Key::Pgp(key) = self.open_key(Kind::Pgp, held, passphrase)? {
                pgp.push(key);
            }
        }
        Ok(TransferKeys { ssh, pgp, expires })
    }

    /// The folder, for one process that changes it; it is made (0700) where it is missing.
    ///
    /// # Errors
    /// As [`KeyFolder::manifest`], and when another process is changing it, or it belongs to another user.
    pub fn change(&self) -> Result<Change, KeysError> {
        Change::begin(self.clone())
    }

    /// Opens one key, and sees that it is the one that is named.
    pub(super) fn open_key(
        &self,
        kind: Kind,
        held: &HeldKey,
        passphrase: &Secret<String>,
    ) -> Result<Key, KeysError> {
        let name = file_name(kind, &held.fingerprint);
        let bytes = self.read(&name, KEY_LIMIT_BYTES)?;
        let key = Key::open(kind, bytes.expose(), passphrase)
            .map_err(|fault| KeysError::Key { name: name.clone(), fault })?;
        match key.fingerprint() {
            found if found == held.fingerprint => Ok(key),
            found => Err(KeysError::Mismatch { path: self.path.join(name), found }),
        }
    }

    pub(super) fn unreliable(&self, reason: String) -> KeysError {
        KeysError::Manifest { path: self.manifest_path(), reason }
    }

    /// Whether there are files of keys in the folder.
    fn holds_keys(&self) -> Result<bool, KeysError> {
        let entries = fs::read_dir(&self.path).map_err(failed(&self.path))?;
        Ok(entries.flatten().any(|entry| Path::new(&entry.file_name()).extension() == Some("key".as_ref())))
    }

    pub(super) fn expect_private(&self) -> Result<(), KeysError> {
        let metadata = match fs::metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(KeysError::Absent { path: self.path.clone() });
            }
            read => read.map_err(failed(&self.path))?,
        };
        if !metadata.is_dir() {
            return Err(failed(&self.path)(io::ErrorKind::NotADirectory.into()));
        }
        expect_mode(&self.path, metadata.mode(), 0o700)
    }

    /// A file of the folder that nobody else has access to.
    fn read(&self, name: &str, limit_bytes: u64) -> Result<Secret<Vec<u8>>, KeysError> {
        let path = self.path.join(name);
        // Looked at first for the sake of a refusal that is data; `bounded` looks again at what it has open.
        expect_mode(&path, fs::metadata(&path).map_err(failed(&path))?.mode(), 0o600)?;
        bounded::read(&path, limit_bytes, Readers::Nobody).map(Secret::new).map_err(failed(&path))
    }
}

/// The keys that transfers use: opened once, and again when they change.
#[derive(Debug, Clone)]
pub struct TransferKeys {
    ssh: PrivateKey,
    /// The live one first.
    pgp: Vec<OwnKey>,
    expires: Option<u64>,
}

impl TransferKeys {
    /// The key that authenticates at providers' servers (SFTP-2).
    pub fn live_ssh(&self) -> &PrivateKey {
        &self.ssh
    }

    /// The key that signs what leaves (PGP-1).
    pub fn signing_pgp(&self) -> &OwnKey {
        self.pgp.first().expect("a folder without a live OpenPGP key is not opened")
    }

    /// The keys that decrypt what comes: the live one, the announced one and all old ones (F12).
    pub fn decrypting_pgp(&self) -> &[OwnKey] {
        &self.pgp
    }

    /// When the key that signs ends.
    pub fn signing_ends(&self) -> Option<UnixTime> {
        self.expires.map(|end| UnixTime::since_unix_epoch(std::time::Duration::from_secs(end)))
    }
}

/// The file of a key. A fingerprint's base64 is written as in RFC 4648 §5, without `/`.
pub(super) fn file_name(kind: Kind, fingerprint: &str) -> String {
    let digits = fingerprint.trim_start_matches("SHA256:").replace('/', "_").replace('+', "-");
    format!("{}-{digits}.key", kind.word())
}

/// For `map_err`: a file or folder that cannot be used.
pub(super) fn failed(path: &Path) -> impl Fn(io::Error) -> KeysError {
    let path = path.to_owned();
    move |error| KeysError::File { path: path.clone(), kind: error.kind() }
}

/// For `map_err`: a key that is known by its fingerprint.
pub(super) fn faulty(fingerprint: &str) -> impl Fn(KeyFault) -> KeysError {
    let name = fingerprint.to_owned();
    move |fault| KeysError::Key { name: name.clone(), fault }
}

fn missing(kind: Kind) -> KeysError {
    KeysError::Missing { kind, state: State::Live }
}

fn expect_mode(path: &Path, mode: u32, wanted: u32) -> Result<(), KeysError> {
    match mode & 0o777 {
        mode if mode & 0o077 != 0 => Err(KeysError::Exposed { path: path.to_owned(), mode, wanted }),
        _ => Ok(()),
    }
}

/// A certificate stands in it for each key that was ever used.
const MANIFEST_LIMIT_BYTES: u64 = 16 << 20;

/// Armour makes a third more of it.
const KEY_LIMIT_BYTES: u64 = 2 * CERT_LIMIT_BYTES as u64;
