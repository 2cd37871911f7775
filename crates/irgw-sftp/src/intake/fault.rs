//! What can go wrong: with a file or a set, with the disk, and at the start.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use irgw_core::Rule;
use serde::{Deserialize, Serialize};

use super::SetName;
use crate::fileset::{ControlName, SetFault, Stray, ZipName};
use crate::pgp::DecryptFault;

/// Why a file, or a whole set, is put into quarantine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It is not for this intake.
    #[error(transparent)]
    Stray(Stray),
    /// It cannot be decrypted, or its signature does not verify.
    #[error(transparent)]
    Message(DecryptFault),
    /// The set is not what its control file says.
    #[error(transparent)]
    Set(SetFault),
    /// A set with a file of this name was released, and its content was another.
    #[error("a file of this name and with other content was released in {0}")]
    Replaced(SetName),
    /// The control file lists a zip that was released in another set, or is a second one for released keys.
    #[error("it is a second control file for what was released in {0}")]
    Spent(SetName),
    /// Two control files list the same zip, so neither of them can be right by itself.
    #[error("{zip} is listed by {other} too")]
    Contested {
        /// Which zip.
        zip: ZipName,
        /// The other control file.
        other: ControlName,
    },
}

impl Refusal {
    /// The rule that refuses.
    pub fn rule(&self) -> Rule {
        match self {
            Refusal::Stray(stray) => stray.rule(),
            Refusal::Message(fault) => fault.rule(),
            Refusal::Set(fault) => fault.rule(),
            Refusal::Replaced(_) | Refusal::Spent(_) | Refusal::Contested { .. } => Rule::File4,
        }
    }
}

/// A refusal as it is written down: what lies beside a file in quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The rule that refuses.
    pub rule: Rule,
    /// Why, in words: the refusal and all that led to it.
    pub why: String,
}

impl From<&Refusal> for Reason {
    fn from(refusal: &Refusal) -> Reason {
        let mut why = refusal.to_string();
        let mut cause = refusal.source();
        while let Some(error) = cause {
            why.push_str(": ");
            why.push_str(&error.to_string());
            cause = error.source();
        }
        Reason { rule: refusal.rule(), why }
    }
}

/// Something that hindered a pass and says nothing about the files. The next pass tries again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Trouble {
    /// The disk.
    #[error("cannot {deed} {}: {kind}", path.display())]
    Io {
        /// What was being done.
        deed: Deed,
        /// To what.
        path: PathBuf,
        /// Why not.
        kind: io::ErrorKind,
    },
    /// As many files wait as [`super::Limits::files`] allows; those that are still in the inbox stay there.
    #[error("{limit} files wait for their sets; complete or remove some")]
    Full {
        /// The limit.
        limit: usize,
    },
    /// As many control files wait as [`super::Limits::sets`] allows; those that are still in the inbox stay there.
    #[error("{limit} sets wait for zips; complete or remove some")]
    TooManySets {
        /// The limit.
        limit: usize,
    },
    /// The inbox has more entries than are looked at in one pass.
    #[error("the inbox has more than {limit} entries; remove what does not belong there")]
    Crowded {
        /// The limit.
        limit: usize,
    },
}

/// What is done to a file or a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// It is read.
    Read,
    /// It is written.
    Write,
    /// It is given another name.
    Move,
    /// It is removed.
    Remove,
}

impl std::fmt::Display for Deed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Deed::Read => "read",
            Deed::Write => "write",
            Deed::Move => "move",
            Deed::Remove => "remove",
        })
    }
}

/// Why an intake does not start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenFault {
    /// A folder cannot be used.
    #[error(transparent)]
    Trouble(#[from] Trouble),
    /// The two folders are on two file systems, or one is in the other.
    #[error("{} and {} must be two folders beside each other on one file system", inbox.display(), state.display())]
    Apart {
        /// The inbox.
        inbox: PathBuf,
        /// The state folder.
        state: PathBuf,
    },
    /// Another intake has the state folder.
    #[error("another process has {}; stop it first", state.display())]
    Taken {
        /// The state folder.
        state: PathBuf,
    },
    /// Others than its owner may enter the state folder, which holds taxpayers' data in the clear.
    #[error("others may enter {} (mode {mode:04o}); run: chmod 700 {}", state.display(), state.display())]
    Exposed {
        /// The state folder.
        state: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A receipt is no receipt. What was released is not known then, so nothing may be.
    #[error("{} is damaged; restore it, or remove it if its set may be released again", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
    },
}
