//! What was decided about sets: what makes a release happen once, and to its end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use irgw_core::UnixTime;
use serde::{Deserialize, Serialize};

use super::disk::{Disk, names, read};
use super::folders::JSON;
use super::sha256::Sha256;
use super::{Folders, OpenFault, Reason, SetName, Trouble, wire};
use crate::fileset::{ControlFile, Digest, FileName, Series, SetId};

/// A decision about a set, written before anything is done about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Receipt {
    pub(super) set: SetName,
    #[serde(flatten)]
    pub(super) stage: Stage,
    /// When it was decided.
    #[serde(with = "wire::seconds")]
    pub(super) at: UnixTime,
    /// The files of the set: for a release, all of them.
    pub(super) files: Vec<ReceiptFile>,
}

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "kebab-case")]
pub(super) enum Stage {
    /// Its files go to quarantine; then the receipt is removed, so that the set may come again.
    Refusing {
        #[serde(flatten)]
        reason: Reason,
    },
    /// All files are in its staging folder, which is about to be renamed, or was.
    Releasing,
    /// The folder was released; nobody has said yet that it was told of it.
    Released,
    /// Whoever is to know has said that it knows.
    Announced,
}

impl Stage {
    fn is_finished(&self) -> bool {
        matches!(self, Stage::Released | Stage::Announced)
    }
}

/// A file of a set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ReceiptFile {
    #[serde(with = "wire::text")]
    pub(super) name: FileName,
    pub(super) sha256: Sha256,
}

/// A released set that nobody has [acknowledged](super::Intake::announced).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Which.
    pub set: SetName,
    /// Where it was put. It may have been taken away since.
    pub folder: PathBuf,
}

/// All receipts.
#[derive(Debug, Default)]
pub(super) struct Receipts {
    all: BTreeMap<SetName, Receipt>,
    /// The files of the sets that were released, or are about to be.
    spent: BTreeMap<FileName, (SetName, Digest)>,
    /// Those sets of the return-status feed, whose keys come once.
    keys: BTreeMap<SetId, SetName>,
    /// The files of the sets about which it was decided and not yet done.
    busy: BTreeSet<FileName>,
}

impl Receipts {
    pub(super) fn load(folders: &Folders) -> Result<Receipts, OpenFault> {
        let mut receipts = Receipts::default();
        for file in names(&folders.receipts())? {
            let path = folders.receipts().join(&file);
            let Some(name) = file.strip_suffix(JSON) else { continue };
            let Some(bytes) = read(&path)? else { continue };
            match serde_json::from_slice::<Receipt>(&bytes) {
                Ok(receipt) if receipt.set.to_string() == name => receipts.take_in(receipt),
                _ => return Err(OpenFault::Damaged { path }),
            }
        }
        Ok(receipts)
    }

    /// Writes a receipt, in place of an earlier stage of it.
    pub(super) fn keep(&mut self, folders: &Folders, disk: &Disk, receipt: Receipt) -> Result<(), Trouble> {
        let json = serde_json::to_vec(&receipt).expect("a receipt is JSON");
        disk.write(&folders.receipt(&receipt.set), &json)?;
        self.take_in(receipt);
        Ok(())
    }

    /// Removes the receipt of a set that was not released.
    pub(super) fn drop(&mut self, folders: &Folders, disk: &Disk, set: &SetName) -> Result<(), Trouble> {
        disk.remove(&folders.receipt(set))?;
        for file in self.all.remove(set).into_iter().flat_map(|receipt| receipt.files) {
            self.busy.remove(&file.name);
            if self.spent.get(&file.name).is_some_and(|(spent_in, _)| spent_in == set) {
                self.spent.remove(&file.name);
            }
        }
        self.keys.retain(|_, released| released != set);
        Ok(())
    }

    fn take_in(&mut self, receipt: Receipt) {
        for file in &receipt.files {
            match receipt.stage.is_finished() {
                true => self.busy.remove(&file.name),
                false => self.busy.insert(file.name),
            };
        }
        if !matches!(receipt.stage, Stage::Refusing { .. }) {
            for file in &receipt.files {
                self.spent.insert(file.name, (receipt.set, file.sha256.0));
            }
            self.keys.insert(receipt.set.0.0.set_id(), receipt.set);
        }
        self.all.insert(receipt.set, receipt);
    }

    pub(super) fn find(&self, set: &SetName) -> Option<&Receipt> {
        self.all.get(set)
    }

    /// What remains to be done.
    pub(super) fn unfinished(&self) -> impl Iterator<Item = &Receipt> {
        self.all.values().filter(|receipt| !receipt.stage.is_finished())
    }

    /// What nobody has acknowledged.
    pub(super) fn unannounced(&self) -> impl Iterator<Item = &Receipt> {
        self.all.values().filter(|receipt| receipt.stage == Stage::Released)
    }

    /// The set that a file of this name was released in, and its digest.
    pub(super) fn spent(&self, name: &FileName) -> Option<(SetName, Digest)> {
        self.spent.get(name).copied()
    }

    /// Whether it was decided what becomes of a file, and not yet done.
    pub(super) fn is_busy(&self, name: &FileName) -> bool {
        self.busy.contains(name)
    }

    /// The released set that a control file would repeat: it has a zip of it, or its keys.
    pub(super) fn repeated_by(&self, control: &ControlFile) -> Option<SetName> {
        let zips = control.transfers().iter().map(|transfer| FileName::Zip(transfer.name));
        let by_zip = zips.into_iter().find_map(|zip| self.spent(&zip)).map(|(set, _)| set);
        let by_keys = || match control.set_id().series {
            Series::ReturnStatus { .. } => self.keys.get(&control.set_id()).copied(),
            Series::TransactionData(_) => None,
        };
        by_zip.or_else(by_keys)
    }
}
