//! What an intake accepts, and how much of it.

use crate::fileset::{Caps, Expectation};
use crate::pgp;

/// What an intake accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Whose files are expected. A file of the other feed is left in the inbox; whatever else is not expected is refused.
    pub expectation: Expectation,
    /// Another intake takes the other feed's files out of the same inbox: they are passed over in silence, and otherwise each
    /// is an event, once for an open intake.
    pub is_inbox_shared: bool,
    /// What becomes of the encrypted originals of a released set.
    pub originals: Originals,
    /// How much is taken on.
    pub limits: Limits,
}

/// What becomes of encrypted originals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Originals {
    /// They are removed.
    #[default]
    Removed,
    /// They go to `archive/SET`.
    Archived,
}

/// How much an intake takes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most files that wait for their sets.
    pub files: usize,
    /// The most control files that wait for zips.
    pub sets: usize,
    /// What one message may hold.
    pub message: pgp::Limits,
    /// What one zip may hold.
    pub zip: Caps,
}

impl Default for Limits {
    /// 20,000 files, 64 sets, and the defaults of the other two.
    fn default() -> Limits {
        Limits { files: 20_000, sets: 64, message: pgp::Limits::default(), zip: Caps::default() }
    }
}
