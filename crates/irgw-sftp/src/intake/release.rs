//! How a complete set becomes a folder in `released`, once (FILE-4).
//!
//! | what is on disk | a crash here is mended by |
//! |---|---|
//! | files in `opened`, some of them in `staging/SET` | moving them back |
//! | all files in `staging/SET`, receipt `releasing` | renaming the folder |
//! | receipt `releasing`, files in `opened` | dropping the receipt, whose writing had failed |
//! | receipt `releasing`, no `staging/SET` | it was renamed: cleaning up, and telling |
//! | receipt `released` | nothing: whoever is to know is told again |

use irgw_core::UnixTime;

use super::disk::names;
use super::receipt::{Receipt, ReceiptFile, Stage};
use super::sha256::Sha256;
use super::{Event, Intake, Originals, Release, SetName, Trouble};
use crate::fileset::{CompleteSet, FileName};
use crate::sealed_name;

impl Intake {
    /// Releases a set.
    pub(super) fn release(&mut self, complete: &CompleteSet, now: UnixTime) -> Result<(), Trouble> {
        let set = SetName(complete.control_name());
        let control = (FileName::Control(complete.control_name()), complete.control_digest());
        let zips = complete.zips().iter().map(|(name, digest)| (FileName::Zip(*name), *digest));
        let files: Vec<_> = std::iter::once(control)
            .chain(zips)
            .map(|(name, digest)| ReceiptFile { name, sha256: Sha256(digest) })
            .collect();
        let staged = self.folders.staged(&set);
        self.disk.make_folder(&staged)?;
        for ReceiptFile { name, .. } in &files {
            self.disk.rename(&self.folders.opened_file(name), &staged.join(name.to_string()))?;
        }
        let receipt = Receipt { set, stage: Stage::Releasing, at: now, files };
        self.receipts.keep(&self.folders, &self.disk, receipt.clone())?;
        self.finish_release(&receipt)
    }

    /// Goes on with what was decided: the second time does what the first left.
    pub(super) fn finish_release(&mut self, receipt: &Receipt) -> Result<(), Trouble> {
        let staged = self.folders.staged(&receipt.set);
        let is_opened = |file: &ReceiptFile| self.folders.opened_file(&file.name).symlink_metadata().is_ok();
        if staged.symlink_metadata().is_ok() {
            self.disk.rename(&staged, &self.folders.released_set(&receipt.set))?;
        } else if receipt.files.iter().any(is_opened) {
            // The receipt reached the disk though its writing had failed, and the files were moved back.
            return self.receipts.drop(&self.folders, &self.disk, &receipt.set);
        }
        if self.settings.originals == Originals::Archived {
            self.disk.make_folder(&self.folders.archived_set(&receipt.set))?;
        }
        for ReceiptFile { name, .. } in &receipt.files {
            let Some(arrival) = self.arrivals.find(name) else { continue };
            let version = arrival.original;
            match self.settings.originals {
                Originals::Removed => self.remove_original(name, version)?,
                Originals::Archived => {
                    let folder = self.folders.archived_set(&receipt.set);
                    self.take(name, version, &folder.join(sealed_name(&name.to_string())))?;
                }
            }
            self.arrivals.forget(&self.folders, &self.disk, name)?;
        }
        let files = receipt.files.iter().map(|file| file.name.to_string()).collect();
        self.tell(receipt.at, Event::Released { set: receipt.set, files })?;
        let released = Receipt { stage: Stage::Released, ..receipt.clone() };
        self.receipts.keep(&self.folders, &self.disk, released)?;
        self.forget_control(&receipt.set.0);
        Ok(())
    }

    /// Moves back what was staged for a release that was not decided.
    pub(super) fn unstage(&mut self) -> Result<(), Trouble> {
        for set in names(&self.folders.staging())? {
            let folder = self.folders.staging().join(&set);
            let decided = set.parse().ok().and_then(|set| self.receipts.find(&set));
            if decided.is_some_and(|receipt| receipt.stage == Stage::Releasing) {
                continue;
            }
            for file in names(&folder)? {
                self.disk.rename(&folder.join(&file), &self.folders.opened().join(&file))?;
            }
            self.disk.remove_folder(&folder)?;
        }
        Ok(())
    }

    /// Sets that were released and that nobody has acknowledged: [`Intake::announced`]. After a crash, one may be here again.
    pub fn unannounced(&self) -> Vec<Release> {
        let releases = self.receipts.unannounced();
        releases
            .map(|receipt| Release { set: receipt.set, folder: self.folders.released_set(&receipt.set) })
            .collect()
    }

    /// Notes that whoever is to know of a release knows. Of a set that was not released, nothing is noted.
    ///
    /// # Errors
    /// When it cannot be written down: the release is told again.
    pub fn announced(&mut self, set: &SetName) -> Result<(), Trouble> {
        match self.receipts.find(set) {
            Some(receipt) if receipt.stage == Stage::Released => {
                let receipt = Receipt { stage: Stage::Announced, ..receipt.clone() };
                self.receipts.keep(&self.folders, &self.disk, receipt)
            }
            _ => Ok(()),
        }
    }
}
