//! Files that were opened and wait for their set.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;

use irgw_core::UnixTime;
use serde::{Deserialize, Serialize};

use super::disk::{Disk, names, read, trouble};
use super::folders::JSON;
use super::inbox::Version;
use super::sha256::Sha256;
use super::{Deed, Folders, Trouble, wire};
use crate::fileset::FileName;

/// A file that was decrypted and verified; its content is `opened/NAME`, and this is `opened/NAME.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Arrival {
    #[serde(with = "wire::text")]
    pub(super) name: FileName,
    /// Of the content.
    pub(super) sha256: Sha256,
    /// Of another content that has arrived under the same name since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) disputed_by: Option<Sha256>,
    /// The encrypted file in the inbox.
    pub(super) original: Version,
    /// When it was first seen.
    #[serde(with = "wire::seconds")]
    pub(super) at: UnixTime,
    /// The fingerprint of the certificate that it was signed by.
    pub(super) signer: String,
}

impl Arrival {
    /// Of the contents that have arrived under the name: one, or two if they differ.
    pub(super) fn digests(&self) -> impl Iterator<Item = Sha256> {
        std::iter::once(self.sha256).chain(self.disputed_by)
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Arrivals(BTreeMap<FileName, Arrival>);

impl Arrivals {
    /// Reads the records. One that is damaged counts as none: its file is opened again.
    pub(super) fn load(folders: &Folders) -> Result<Arrivals, Trouble> {
        let mut arrivals = BTreeMap::new();
        for file in names(&folders.opened())? {
            let Some(Ok(name)) = file.strip_suffix(JSON).map(str::parse::<FileName>) else { continue };
            let Some(bytes) = read(&folders.record(&name))? else { continue };
            let record = serde_json::from_slice::<Arrival>(&bytes).ok();
            arrivals.extend(record.filter(|record| record.name == name).map(|record| (name, record)));
        }
        Ok(Arrivals(arrivals))
    }

    /// Forgets the arrivals whose content is not what was verified, but for those that are busy. Their originals are opened again.
    pub(super) fn verify(
        &mut self,
        folders: &Folders,
        disk: &Disk,
        is_busy: impl Fn(&FileName) -> bool,
    ) -> Result<(), Trouble> {
        let mut damaged = Vec::new();
        for (name, arrival) in self.0.iter().filter(|(name, _)| !is_busy(name)) {
            let path = folders.opened_file(name);
            let found = match File::open(&path) {
                Ok(file) => Some(Sha256::of(file).map_err(trouble(Deed::Read, &path))?),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(trouble(Deed::Read, &path)(error)),
            };
            if found != Some(arrival.sha256) {
                damaged.push(*name);
            }
        }
        damaged.iter().try_for_each(|name| self.forget(folders, disk, name))
    }

    /// Removes files that have no record, and records that cannot be read.
    pub(super) fn sweep(&self, folders: &Folders, disk: &Disk) -> Result<(), Trouble> {
        for file in names(&folders.opened())? {
            let name = file.strip_suffix(JSON).unwrap_or(&file);
            if !name.parse().is_ok_and(|name| self.0.contains_key(&name)) {
                disk.remove(&folders.opened().join(&file))?;
            }
        }
        Ok(())
    }

    /// Writes an arrival's record, whose content is there.
    pub(super) fn keep(&mut self, folders: &Folders, disk: &Disk, arrival: Arrival) -> Result<(), Trouble> {
        let json = serde_json::to_vec(&arrival).expect("a record is JSON");
        disk.write(&folders.record(&arrival.name), &json)?;
        self.0.insert(arrival.name, arrival);
        Ok(())
    }

    /// Removes a file's content, if it is still there, and its record.
    pub(super) fn forget(&mut self, folders: &Folders, disk: &Disk, name: &FileName) -> Result<(), Trouble> {
        disk.remove(&folders.opened_file(name))?;
        disk.remove(&folders.record(name))?;
        self.0.remove(name);
        Ok(())
    }

    pub(super) fn find(&self, name: &FileName) -> Option<&Arrival> {
        self.0.get(name)
    }

    /// By name.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arrival> {
        self.0.values()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
