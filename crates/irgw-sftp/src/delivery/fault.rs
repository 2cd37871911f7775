//! Why a delivery did not get further.

use std::io;

use irgw_core::{Refusal, Rule};

use super::LedgerFault;
use crate::pgp::EncryptError;
use crate::ssh;
use crate::ssh::sftp;

/// What stopped an attempt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeliveryFault {
    /// The server cannot be reached.
    #[error("the server cannot be reached: {0}")]
    Unreachable(io::ErrorKind),
    /// The server is not the one that was enrolled, or does not let us in.
    #[error(transparent)]
    Transport(#[from] ssh::Error),
    /// The server's files.
    #[error(transparent)]
    Files(#[from] sftp::Error),
    /// The file cannot be encrypted to the provider, or signed by us.
    #[error(transparent)]
    Seal(#[from] EncryptError),
    /// The submitted file cannot be read.
    #[error("{name} cannot be read: {kind}")]
    Source {
        /// The file.
        name: String,
        /// What the system says.
        kind: io::ErrorKind,
    },
    /// The submitted file is not what it was when it was submitted.
    #[error("{name} has changed since it was submitted: cancel this delivery, and submit the set again")]
    SourceChanged {
        /// The file.
        name: String,
    },
    /// The server has a file of this name that is not ours.
    #[error(
        "the server has a file {name} that this delivery did not put there: ask the provider to look at it"
    )]
    NameTaken {
        /// The name at the far end.
        name: String,
    },
    /// The server says that a file has its name, and it has the temporary one still.
    #[error(
        "the server says that it has given {name} its name, and has not: tell the provider if it goes on"
    )]
    NotRenamed {
        /// The name at the far end.
        name: String,
    },
    /// The name cannot be one at the far end.
    #[error("{name:?} cannot be the name of a file at the far end")]
    Name {
        /// The name.
        name: String,
    },
    /// The ledger was not written.
    #[error(transparent)]
    Ledger(#[from] LedgerFault),
    /// A thread of ours ended before its time.
    #[error("a thread that sealed a file ended before its time")]
    Crashed,
}

impl DeliveryFault {
    /// Whether trying again by itself is of no use, or would be wrong: an operator decides.
    pub fn is_for_an_operator(&self) -> bool {
        match self {
            DeliveryFault::SourceChanged { .. }
            | DeliveryFault::NameTaken { .. }
            | DeliveryFault::Name { .. }
            | DeliveryFault::Source { kind: io::ErrorKind::NotFound, .. } => true,
            DeliveryFault::Transport(error) => error.rule() == Rule::Sftp2,
            _ => false,
        }
    }

    /// The rule that stops it.
    pub fn rule(&self) -> Rule {
        match self {
            DeliveryFault::Unreachable(_) => Rule::Sftp1,
            DeliveryFault::Transport(error) => error.rule(),
            DeliveryFault::Seal(error) => error.rule(),
            DeliveryFault::Files(_)
            | DeliveryFault::NameTaken { .. }
            | DeliveryFault::NotRenamed { .. }
            | DeliveryFault::Name { .. } => Rule::Sftp3,
            DeliveryFault::Source { .. }
            | DeliveryFault::SourceChanged { .. }
            | DeliveryFault::Ledger(_)
            | DeliveryFault::Crashed => Rule::Sftp4,
        }
    }
}
