//! What the ledger says of a delivery, and what a delivery writes there (SFTP-4).

use std::fmt;
use std::str::FromStr;

use irgw_core::{ProviderId, UnixTime};

use crate::fileset::Feed;

/// The number of a delivery: they count up in the order in which sets were submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId(pub u64);

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for DeliveryId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<DeliveryId, Self::Err> {
        text.parse().map(DeliveryId)
    }
}

/// The right to carry out one delivery: each claim has a number of its own, and only the latest one writes (E10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Which delivery.
    pub delivery: DeliveryId,
    /// Which claim of it, from 1.
    pub number: u64,
}

/// A delivery as a turn begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The right to carry it out.
    pub turn: Turn,
    /// Whose server it goes to.
    pub provider: ProviderId,
    /// The file environment of its names, such as `NZT`.
    pub environment: String,
    /// What its files are.
    pub feed: Feed,
    /// How many attempts have failed since it last got further.
    pub failures: u32,
    /// Its files, in the order in which they are to arrive: the control file is the last one (SFTP-5).
    pub parcels: Vec<Parcel>,
}

/// One file of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// Its place in the set, from 0.
    pub number: u32,
    /// Its name as it was submitted.
    pub name: String,
    /// Its length, in bytes, as it was submitted.
    pub bytes: u64,
    /// The SHA-256 digest of what was submitted: other bytes are not sent in its place.
    pub digest: [u8; 32],
    /// How far it has come.
    pub stage: Stage,
}

/// How far a file has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// Nothing of it counts yet.
    Waiting,
    /// All of it is at the far end under its temporary name, and is about to have its own.
    Sealed(Sealed),
    /// It has its name there.
    Delivered {
        /// What is there.
        sealed: Sealed,
        /// Since when.
        at: UnixTime,
    },
}

/// A file as it is at the far end: encrypted and signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The temporary name that it has, or had.
    pub temporary: String,
    /// Its length there, in bytes.
    pub bytes: u64,
    /// The SHA-256 digest of what is there.
    pub digest: [u8; 32],
}

/// What a delivery writes as it goes. What returns `Ok` is on disk.
pub trait Ledger: Send + Sync {
    /// A file is whole under its temporary name: it will be renamed next.
    ///
    /// # Errors
    /// [`LedgerFault`]: it must not be renamed.
    fn seal(&self, turn: Turn, parcel: u32, sealed: &Sealed) -> Result<(), LedgerFault>;

    /// A file has its name.
    ///
    /// # Errors
    /// [`LedgerFault`]: the next turn will find that out by itself.
    fn deliver(&self, turn: Turn, parcel: u32, now: UnixTime) -> Result<(), LedgerFault>;
}

/// Why nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerFault {
    /// The turn has passed to another, or the delivery was cancelled.
    #[error("this delivery is no longer ours: another process has taken it over, or it was cancelled")]
    TurnLost,
    /// The ledger could not be written.
    #[error("the ledger cannot be written: {0}")]
    Unavailable(String),
}
