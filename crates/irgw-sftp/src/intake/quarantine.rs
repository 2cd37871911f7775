//! Where refused files go, and the reasons beside them.

use std::path::{Path, PathBuf};

use irgw_core::UnixTime;
use serde::{Deserialize, Serialize};

use super::inbox::Version;
use super::receipt::{Receipt, ReceiptFile, Stage};
use super::{Event, Intake, Reason, Refusal, SetName, Trouble, wire};
use crate::fileset::FileName;
use crate::sealed_name;

/// What lies beside a file in quarantine, as `NAME.reason.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    /// When.
    #[serde(with = "wire::seconds")]
    pub(super) at: UnixTime,
    /// The set that was refused with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) set: Option<SetName>,
    #[serde(flatten)]
    pub(super) reason: Reason,
}

/// What the name of a file's reason ends with.
pub(super) const REASON: &str = ".reason.json";

impl Intake {
    /// Puts a file of the inbox into quarantine.
    pub(super) fn refuse_file(
        &mut self,
        name: &FileName,
        version: Version,
        refusal: &Refusal,
        now: UnixTime,
    ) -> Result<(), Trouble> {
        let reason = Reason::from(refusal);
        let place = self.place_in_quarantine(name);
        self.tell(
            now,
            Event::Refused { file: name.to_string(), quarantined: file_name(&place), reason: reason.clone() },
        )?;
        self.note(&place, &Note { at: now, set: None, reason })?;
        self.take(name, version, &place).map(drop)
    }

    /// Decides that a set goes to quarantine, with its files that have arrived, and does it.
    pub(super) fn refuse_set(
        &mut self,
        set: SetName,
        files: &[FileName],
        refusal: &Refusal,
        now: UnixTime,
    ) -> Result<(), Trouble> {
        let arrived = files.iter().filter_map(|name| self.arrivals.find(name));
        let files: Vec<_> =
            arrived.map(|arrival| ReceiptFile { name: arrival.name, sha256: arrival.sha256 }).collect();
        let receipt = Receipt { set, stage: Stage::Refusing { reason: refusal.into() }, at: now, files };
        self.receipts.keep(&self.folders, &self.disk, receipt.clone())?;
        self.finish_refusal(&receipt)
    }

    /// Goes on with what was decided: the second time does what the first left.
    pub(super) fn finish_refusal(&mut self, receipt: &Receipt) -> Result<(), Trouble> {
        let Stage::Refusing { reason } = &receipt.stage else { return Ok(()) };
        let files = receipt.files.iter().map(|file| file.name.to_string()).collect();
        self.tell(receipt.at, Event::SetRefused { set: receipt.set, files, reason: reason.clone() })?;
        for ReceiptFile { name, .. } in &receipt.files {
            let Some(arrival) = self.arrivals.find(name) else { continue };
            let version = arrival.original;
            if Version::at(&self.folders.original(name))? == Some(version) {
                let place = self.place_in_quarantine(name);
                let note = Note { at: receipt.at, set: Some(receipt.set), reason: reason.clone() };
                self.note(&place, &note)?;
                self.take(name, version, &place)?;
            }
            self.arrivals.forget(&self.folders, &self.disk, name)?;
        }
        self.receipts.drop(&self.folders, &self.disk, &receipt.set)?;
        self.forget_control(&receipt.set.0);
        Ok(())
    }

    /// A name in the quarantine that no file has: `NAME.pgp`, or else `2-NAME.pgp` and so on.
    fn place_in_quarantine(&self, name: &FileName) -> PathBuf {
        let sealed = sealed_name(&name.to_string());
        let names =
            std::iter::once(sealed.clone()).chain((2_u64..).map(|number| format!("{number}-{sealed}")));
        let mut places = names.map(|name| self.folders.quarantine().join(name));
        places.find(|place| place.symlink_metadata().is_err()).expect("the numbers do not end")
    }

    fn note(&self, place: &Path, note: &Note) -> Result<(), Trouble> {
        let json = serde_json::to_vec(note).expect("a reason is JSON");
        let mut path = place.as_os_str().to_owned();
        path.push(REASON);
        self.disk.write(&PathBuf::from(path), &json)
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
