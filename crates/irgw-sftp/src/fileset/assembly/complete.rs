//! A set that may be released (FILE-4).

use super::Digest;
use crate::fileset::{ControlFile, ControlName, ZipName};

/// A set that may be released: all of it arrived, and all of it was found right. Only [`Assembly::release`](super::Assembly::release) makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompleteSet {
    pub(super) control_name: ControlName,
    pub(super) control_digest: Digest,
    pub(super) control: ControlFile,
    pub(super) zips: Vec<(ZipName, Digest)>,
}

impl CompleteSet {
    /// The control file's name.
    pub fn control_name(&self) -> ControlName {
        self.control_name
    }

    /// The control file's digest.
    pub fn control_digest(&self) -> Digest {
        self.control_digest
    }

    /// The control file.
    pub fn control(&self) -> &ControlFile {
        &self.control
    }

    /// The zips, by name: exactly those that the control file lists.
    pub fn zips(&self) -> &[(ZipName, Digest)] {
        &self.zips
    }
}
