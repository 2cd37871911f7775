//! One look at the inbox, and everything that follows from it.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use irgw_core::UnixTime;
use rustix::fs::Access;

use super::arrival::Arrivals;
use super::disk::{Disk, names, trouble};
use super::inbox::Version;
use super::judge::{Checks, Controls};
use super::receipt::{Receipt, Receipts, Stage};
use super::status::Snapshot;
use super::{Deed, Event, Folders, OpenFault, Settings, Trouble, folders};
use crate::fileset::FileName;
use crate::pgp::{OwnKey, PartnerCert};
use crate::sealed_name;

/// What a pass did, and what hindered it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pass {
    /// What happened, in order.
    pub events: Vec<Event>,
    /// What could not be done, and is tried again by the next pass.
    pub troubles: Vec<Trouble>,
}

/// The receiving end of one feed: see the [module](super).
#[derive(Debug)]
pub struct Intake {
    pub(super) folders: Folders,
    pub(super) settings: Settings,
    pub(super) disk: Disk,
    pub(super) arrivals: Arrivals,
    pub(super) receipts: Receipts,
    pub(super) keys: Vec<OwnKey>,
    pub(super) signers: Vec<PartnerCert>,
    pub(super) controls: Controls,
    pub(super) checks: Checks,
    /// What was told of in the inbox and is left alone.
    pub(super) ignored: BTreeSet<String>,
    events: Vec<Event>,
    pub(super) snapshot: Option<Snapshot>,
    /// Something is, or may be, half done.
    is_unfinished: bool,
    /// What earlier runs left in `opened` was compared with its records.
    is_verified: bool,
    /// Something has arrived, or left, that no set was judged with.
    pub(super) is_changed: bool,
    /// Held as long as the intake is there.
    _lock: [File; 2],
}

impl Intake {
    /// Opens the state folder, making it if need be. `keys` are tried for each file; `signers` are whose signatures count.
    ///
    /// What a crash left is put right by the first pass.
    ///
    /// # Errors
    /// [`OpenFault`]; nothing in the inbox was touched.
    pub fn open(
        folders: Folders,
        settings: Settings,
        keys: Vec<OwnKey>,
        signers: Vec<PartnerCert>,
    ) -> Result<Intake, OpenFault> {
        let disk = Disk::default();
        let inbox = fs::metadata(&folders.inbox).map_err(trouble(Deed::Read, &folders.inbox))?;
        // Files are to be taken out of it.
        let is_writable = rustix::fs::access(&folders.inbox, Access::WRITE_OK | Access::EXEC_OK);
        is_writable.map_err(|errno| trouble(Deed::Write, &folders.inbox)(errno.into()))?;
        disk.make_folder(&folders.state)?;
        let state = fs::metadata(&folders.state).map_err(trouble(Deed::Read, &folders.state))?;
        if inbox.dev() != state.dev() || !is_beside(&folders)? {
            return Err(OpenFault::Apart { inbox: folders.inbox, state: folders.state });
        }
        if state.mode() & 0o077 != 0 {
            return Err(OpenFault::Exposed { mode: state.mode() & 0o777, state: folders.state });
        }
        let lock = lock(&folders.state)?.ok_or_else(|| OpenFault::Taken { state: folders.state.clone() })?;
        for folder in folders.all() {
            disk.make_folder(&folder)?;
        }
        Ok(Intake {
            arrivals: Arrivals::load(&folders)?,
            receipts: Receipts::load(&folders)?,
            folders,
            settings,
            disk,
            keys,
            signers,
            controls: Controls::new(),
            checks: Checks::new(),
            ignored: BTreeSet::new(),
            events: Vec::new(),
            snapshot: None,
            is_unfinished: true,
            is_verified: false,
            is_changed: true,
            _lock: lock,
        })
    }

    /// Looks at the inbox and takes everything as far as it goes.
    ///
    /// It blocks on the disk: files are decrypted, hashed and checked here. A file or a set in trouble does not keep the others back.
    pub fn pass(&mut self, now: UnixTime) -> Pass {
        let mut troubles = Vec::new();
        if self.is_unfinished {
            self.mend(&mut troubles);
        }
        self.look(now, &mut troubles);
        self.judge(now, &mut troubles);
        self.is_unfinished = !troubles.is_empty();
        Pass { events: std::mem::take(&mut self.events), troubles }
    }

    /// Finishes what was begun, and undoes what was not decided.
    fn mend(&mut self, troubles: &mut Vec<Trouble>) {
        let unfinished: Vec<Receipt> = self.receipts.unfinished().cloned().collect();
        for receipt in unfinished {
            let outcome = match receipt.stage {
                Stage::Refusing { .. } => self.finish_refusal(&receipt),
                Stage::Releasing => self.finish_release(&receipt),
                Stage::Released | Stage::Announced => Ok(()),
            };
            troubles.extend(outcome.err());
        }
        let is_mended = self.unstage().and_then(|()| self.clear_work()).and_then(|()| {
            if !self.is_verified {
                self.arrivals.verify(&self.folders, &self.disk, |name| self.receipts.is_busy(name))?;
                self.is_verified = true;
            }
            self.arrivals.sweep(&self.folders, &self.disk)
        });
        troubles.extend(is_mended.err());
        self.is_changed = true;
    }

    /// Removes what was being decrypted, or was about to be removed.
    fn clear_work(&self) -> Result<(), Trouble> {
        let work = self.folders.work();
        names(&work)?.iter().try_for_each(|file| self.disk.remove(&work.join(file)))
    }

    /// Moves an original out of the inbox, if it is still the one of this version.
    pub(super) fn take(&self, name: &FileName, version: Version, to: &Path) -> Result<bool, Trouble> {
        let from = self.folders.original(name);
        if Version::at(&from)? != Some(version) {
            return Ok(false);
        }
        self.disk.rename(&from, to)?;
        if Version::at(to)? == Some(version) {
            return Ok(true);
        }
        // Another one had come in between: it goes back, unless yet another has its name.
        self.disk.link(to, &from)?;
        self.disk.remove(to)?;
        Ok(false)
    }

    pub(super) fn remove_original(&self, name: &FileName, version: Version) -> Result<(), Trouble> {
        let aside: PathBuf = self.folders.work().join(sealed_name(&name.to_string()));
        self.take(name, version, &aside)?;
        self.disk.remove(&aside)
    }

    /// Tells of an event: before what it tells of is done for good, so that no crash can swallow it.
    pub(super) fn tell(&mut self, now: UnixTime, event: Event) -> Result<(), Trouble> {
        self.disk.append(&self.folders.events(), &event.to_json(now))?;
        self.events.push(event);
        Ok(())
    }
}

/// Locks the state folder; none if another process has it.
///
/// The first file keeps others out. The second is for those who ask whether there is an intake, by trying to lock it for a
/// moment: that must not keep an intake out.
fn lock(state: &Path) -> Result<Option<[File; 2]>, Trouble> {
    let open = |path: PathBuf| {
        let file = File::options().write(true).create(true).truncate(false).open(&path);
        file.map_err(trouble(Deed::Write, &path))
    };
    let (lock, at_work) = (open(folders::lock(state))?, open(folders::at_work(state))?);
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(trouble(Deed::Write, &folders::lock(state))(error)),
    }
    at_work.lock_shared().map_err(trouble(Deed::Write, &folders::at_work(state)))?;
    Ok(Some([lock, at_work]))
}

/// Whether there is an intake at work on the state folder.
pub(super) fn is_at_work(state: &Path) -> Result<bool, Trouble> {
    let path = folders::at_work(state);
    let error = trouble(Deed::Read, &path);
    let file = match File::open(&path) {
        Err(absent) if absent.kind() == io::ErrorKind::NotFound => return Ok(false),
        file => file.map_err(&error)?,
    };
    match file.try_lock() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(failed)) => Err(error(failed)),
    }
}

/// Whether neither folder is in the other.
fn is_beside(folders: &Folders) -> Result<bool, Trouble> {
    let real = |path: &Path| path.canonicalize().map_err(trouble(Deed::Read, path));
    let (inbox, state) = (real(&folders.inbox)?, real(&folders.state)?);
    Ok(!inbox.starts_with(&state) && !state.starts_with(&inbox))
}
