//! Where an intake's files lie.

use std::path::{Path, PathBuf};

use super::SetName;
use crate::fileset::FileName;
use crate::sealed_name;

/// The two folders of an intake. They must be on one file system, since files go from the one to the other by a rename.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folders {
    /// Where encrypted files appear. It must be there.
    pub inbox: PathBuf,
    /// Where everything else is; made when it is missing, for its owner alone. Not in the inbox.
    pub state: PathBuf,
}

impl Folders {
    /// The folders of the state that are made at the start.
    pub(super) fn all(&self) -> [PathBuf; 8] {
        [
            self.state.clone(),
            self.work(),
            self.opened(),
            self.staging(),
            self.released(),
            self.quarantine(),
            self.archive(),
            self.receipts(),
        ]
    }

    pub(super) fn original(&self, name: &FileName) -> PathBuf {
        self.inbox.join(sealed_name(&name.to_string()))
    }

    pub(super) fn work(&self) -> PathBuf {
        self.state.join("work")
    }

    pub(super) fn opened(&self) -> PathBuf {
        self.state.join("opened")
    }

    pub(super) fn opened_file(&self, name: &FileName) -> PathBuf {
        self.opened().join(name.to_string())
    }

    pub(super) fn record(&self, name: &FileName) -> PathBuf {
        self.opened().join(format!("{name}{JSON}"))
    }

    pub(super) fn staging(&self) -> PathBuf {
        self.state.join("staging")
    }

    pub(super) fn staged(&self, set: &SetName) -> PathBuf {
        self.staging().join(set.to_string())
    }

    fn released(&self) -> PathBuf {
        self.state.join("released")
    }

    pub(super) fn released_set(&self, set: &SetName) -> PathBuf {
        self.released().join(set.to_string())
    }

    pub(super) fn quarantine(&self) -> PathBuf {
        quarantine(&self.state)
    }

    fn archive(&self) -> PathBuf {
        self.state.join("archive")
    }

    pub(super) fn archived_set(&self, set: &SetName) -> PathBuf {
        self.archive().join(set.to_string())
    }

    pub(super) fn receipts(&self) -> PathBuf {
        receipts(&self.state)
    }

    pub(super) fn receipt(&self, set: &SetName) -> PathBuf {
        self.receipts().join(format!("{set}{JSON}"))
    }

    pub(super) fn events(&self) -> PathBuf {
        self.state.join("events.jsonl")
    }
}

pub(super) fn quarantine(state: &Path) -> PathBuf {
    state.join("quarantine")
}

pub(super) fn receipts(state: &Path) -> PathBuf {
    state.join("receipts")
}

pub(super) fn status(state: &Path) -> PathBuf {
    state.join("status.json")
}

pub(super) fn lock(state: &Path) -> PathBuf {
    state.join("lock")
}

pub(super) fn at_work(state: &Path) -> PathBuf {
    state.join("at-work")
}

/// What a record's name ends with.
pub(super) const JSON: &str = ".json";
