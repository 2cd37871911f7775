//! Why the gateway's own keys cannot be used or changed.

use std::io;
use std::path::PathBuf;

use irgw_core::Rule;

use super::{KeyFault, Kind, State};

/// Why a key folder, or a key in it, cannot be used or changed. What is refused has changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// There is no folder.
    #[error("there is no key folder {}; irgw key ssh generate makes it", .path.display())]
    Absent {
        /// Where it should be.
        path: PathBuf,
    },
    /// A file or folder cannot be read or written.
    #[error("{} cannot be used: {kind}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        kind: io::ErrorKind,
    },
    /// Others than the owner have access (PGP-3, F11).
    #[error(
        "others have access (mode {mode:04o}); run: chmod {wanted:o} {}, and replace keys that they may have read",
        .path.display()
    )]
    Exposed {
        /// To which file or folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// What they may be.
        wanted: u32,
    },
    /// What is written would belong to another user than the folder, who could not read it.
    #[error("{} belongs to user {owner}, and this is user {we}; run the command as that user", .path.display())]
    NotOurs {
        /// The folder.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// Who asks.
        we: u32,
    },
    /// Another process is changing the folder.
    #[error("another command is changing {}; run this one when it has ended", .path.display())]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// `keys.json` is gone, or not what was written.
    #[error("{} cannot be relied on: {reason}; put a good copy back", .path.display())]
    Manifest {
        /// Its path.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A key that is asked for is not there.
    #[error("there is no {state} {kind} key; make one: irgw key {} generate{}", .kind.word(), flag(*.state))]
    Missing {
        /// Which kind.
        kind: Kind,
        /// In which state.
        state: State,
    },
    /// There is a key in the place of the new one.
    #[error("{fingerprint} is the {state} {kind} key; {}", instead(*.state))]
    Taken {
        /// Which kind.
        kind: Kind,
        /// Its state.
        state: State,
        /// The key that is there.
        fingerprint: String,
    },
    /// The key is held already.
    #[error("{fingerprint} is held already, as the {state} one")]
    Held {
        /// The key.
        fingerprint: String,
        /// Its state.
        state: State,
    },
    /// A key cannot be opened, protected or used.
    #[error("{name}: {fault}")]
    Key {
        /// Its file, or its fingerprint.
        name: String,
        /// What is wrong.
        fault: KeyFault,
    },
    /// The file holds another key than `keys.json` says.
    #[error("{} holds the key {found}, and not the one that keys.json names; put the right one back", .path.display())]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// The fingerprint of what it holds.
        found: String,
    },
}

impl KeysError {
    /// The rule that refuses; `None` where the surroundings are not right.
    pub fn rule(&self) -> Option<Rule> {
        match self {
            KeysError::Exposed { .. } => Some(Rule::Pgp3),
            KeysError::Key { fault, .. } => fault.rule(),
            _ => None,
        }
    }
}

fn flag(state: State) -> &'static str {
    match state {
        State::Next => " --next",
        State::Live | State::Old => "",
    }
}

fn instead(state: State) -> &'static str {
    match state {
        State::Next => "rotate to make it live, or give --replace to announce another one instead",
        State::Live | State::Old => {
            "give --next to announce its successor, and rotate when providers know that one"
        }
    }
}
