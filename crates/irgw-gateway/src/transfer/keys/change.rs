//! What a command does to a key folder: add a key, let the next one become live.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use irgw_core::{Secret, UnixTime};
use rustix::process::geteuid;

use super::folder::{failed, faulty, file_name};
use super::{HeldKey, Key, KeyFolder, KeysError, Kind, Manifest, State};
use crate::private_files::{self, LockError};

/// What a new key is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Live; where there is none yet.
    Live,
    /// Next; where none is announced yet.
    Next,
    /// Next, instead of the one that is announced, which becomes old.
    NextInstead,
}

/// A key folder that no other process changes meanwhile.
#[derive(Debug)]
pub struct Change {
    folder: KeyFolder,
    manifest: Manifest,
    _lock: File,
}

impl Change {
    pub(super) fn begin(folder: KeyFolder) -> Result<Change, KeysError> {
        let path = folder.path();
        private_files::make_directory(path).map_err(failed(path))?;
        folder.expect_private()?;
        expect_owner(path)?;
        let lock_path = path.join("keys.lock");
        let lock = private_files::lock(&lock_path).map_err(|error| match error {
            LockError::Held(_) => KeysError::Busy { path: path.to_owned() },
            LockError::File(error) => failed(&lock_path)(error),
        })?;
        let manifest = folder.manifest()?;
        let change = Change { folder, manifest, _lock: lock };
        if !change.folder.manifest_path().exists() {
            // Before the first key: a folder with keys and without it has lost it.
            change.write(&change.manifest)?;
        }
        Ok(change)
    }

    /// Which keys are held.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Whether a new key could be added; asked before one is made.
    ///
    /// # Errors
    /// [`KeysError::Taken`], and [`KeysError::Missing`] for a next key without a live one.
    pub fn expect_room(&self, kind: Kind, place: Place) -> Result<(), KeysError> {
        let keys = self.manifest.of(kind);
        let (in_its_place, state) = match place {
            Place::Live => (keys.live(), State::Live),
            Place::Next | Place::NextInstead if keys.live().is_none() => {
                return Err(KeysError::Missing { kind, state: State::Live });
            }
            Place::Next => (keys.next(), State::Next),
            Place::NextInstead => (None, State::Next),
        };
        match in_its_place {
            Some(there) => Err(KeysError::Taken { kind, state, fingerprint: there.fingerprint.clone() }),
            None => Ok(()),
        }
    }

    /// Adds a key, protected by the passphrase of the others.
    ///
    /// # Errors
    /// As [`Change::expect_room`]; when the key is held already or cannot be used, the passphrase is not that of the keys that are
    /// held, or something cannot be written. The keys are then what they were.
    pub fn add(
        &mut self,
        key: &Key,
        place: Place,
        passphrase: &Secret<String>,
        now: UnixTime,
    ) -> Result<HeldKey, KeysError> {
        let (kind, fingerprint) = (key.kind(), key.fingerprint());
        self.expect_room(kind, place)?;
        if let Some(state) = self.manifest.of(kind).state(&fingerprint) {
            return Err(KeysError::Held { fingerprint, state });
        }
        key.expect_fit(now).map_err(faulty(&fingerprint))?;
        if let Some((kind, _, held)) = self.manifest.keys().next() {
            self.folder.open_key(kind, held, passphrase)?;
        }
        let protected = key.protect(passphrase).map_err(faulty(&fingerprint))?;
        let path = self.folder.path().join(file_name(kind, &fingerprint));
        private_files::write(&path, protected.expose()).map_err(failed(&path))?;
        let held = HeldKey {
            algorithm: key.algorithm(),
            since: now.as_secs(),
            expires: key.expires(now).map(|end| end.as_secs()),
            public: key.public(),
            fingerprint,
        };
        let mut manifest = self.manifest.clone();
        match place {
            Place::Live => manifest.of_mut(kind).begin(held.clone()),
            Place::Next | Place::NextInstead => manifest.of_mut(kind).announce(held.clone(), now),
        }
        self.commit(manifest)?;
        Ok(held)
    }

    /// The next key becomes live, and the live one old.
    ///
    /// # Errors
    /// When there is no next key, when it cannot be opened or used, or something cannot be written. The keys are then what they
    /// were.
    pub fn rotate(
        &mut self,
        kind: Kind,
        passphrase: &Secret<String>,
        now: UnixTime,
    ) -> Result<(), KeysError> {
        let next = self.manifest.of(kind).next();
        let next = next.ok_or(KeysError::Missing { kind, state: State::Next })?;
        let key = self.folder.open_key(kind, next, passphrase)?;
        key.expect_fit(now).map_err(faulty(&next.fingerprint))?;
        let mut manifest = self.manifest.clone();
        manifest.of_mut(kind).rotate(now);
        self.commit(manifest)
    }

    fn commit(&mut self, manifest: Manifest) -> Result<(), KeysError> {
        self.write(&manifest)?;
        self.manifest = manifest;
        Ok(())
    }

    fn write(&self, manifest: &Manifest) -> Result<(), KeysError> {
        let path = self.folder.manifest_path();
        private_files::write(&path, manifest.to_json()).map_err(failed(&path))
    }
}

/// What root writes into the service's folder, the service could not read.
fn expect_owner(folder: &Path) -> Result<(), KeysError> {
    let (owner, we) = (fs::metadata(folder).map_err(failed(folder))?.uid(), geteuid().as_raw());
    if we != owner {
        return Err(KeysError::NotOurs { path: folder.to_owned(), owner, we });
    }
    Ok(())
}
