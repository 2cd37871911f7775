//! What a provider received, from the encrypted files in a folder to whole sets in another (FILE-4, PGP-2).
//!
//! ```text
//!   inbox/NAME.pgp ──► decrypt, verify ──► opened/NAME ──┐ control file and zips, in any order
//!                          │                             ▼
//!                          │                     judge: missing? wrong? ──► staging/SET ──(one rename)──► released/SET
//!                          ▼                             ▼
//!                     quarantine/NAME.pgp, with its reason beside it
//! ```
//!
//! An [`Intake`] owns a *state folder*; whatever puts files into the inbox (this crate's server, OpenSSH's, a copy by hand)
//! does so by a rename, so that a name is a whole file. Each [`Intake::pass`] looks at the inbox once and takes everything as far
//! as it goes. There is no thread, no clock and no connection here.
//!
//! # What is promised
//!
//! * A folder in `released/` is a whole set: the control file and every zip that it lists, byte for byte as they were signed. It
//!   appears by one rename.
//! * A set is released once. Its receipt stays, so the same files are told as repeats when they come again, also after the folder was
//!   taken away. A zip is never part of two sets.
//! * All this holds through a crash at any point: what is on disk says how to go on, and each step is durable before the next.
//! * What has arrived has arrived, also when somebody takes its original out of the inbox. To give a file up that waits, stop the
//!   intake and remove it from the inbox and from `opened/`.
//! * What is wrong is kept as it came, with the rule and the reason beside it. To try again (after a key was added, say), move the
//!   file back into the inbox.
//! * Events, in `events.jsonl` and from [`Intake::pass`], come at least once: a crash may repeat one.
//!
//! # The state folder
//!
//! | entry | what it holds |
//! |---|---|
//! | `opened/` | files that were decrypted and wait for their set, each with a record of its digest |
//! | `staging/`, `work/` | what is being moved, and what is being decrypted |
//! | `released/SET/` | whole sets, for the provider to take away; `SET` is the control file's name without its ending |
//! | `quarantine/` | encrypted originals that were refused, and their reasons |
//! | `archive/SET/` | encrypted originals of released sets, if they are [kept](Originals::Archived) |
//! | `receipts/` | one file for each set that was released |
//! | `events.jsonl` | one line of JSON for each [`Event`] |
//! | `lock`, `at-work` | locked while an intake has the folder |
//! | `status.json` | which sets wait, and for what: [`Status`] |
//!
//! The folder holds taxpayers' data in the clear: it is made for its owner alone (mode 0700). Memory grows with the number of files
//! that wait, which [`Limits`] bounds, and with the names of the files ever released; never with a file's size, a control file's aside.

mod arrival;
mod decide;
mod disk;
mod event;
mod fault;
mod folders;
mod inbox;
mod judge;
mod pass;
mod quarantine;
mod receipt;
mod receive;
mod release;
mod set_name;
mod settings;
mod sha256;
mod status;
mod wire;

#[cfg(test)]
mod tests;

pub use event::{Event, Unexpected};
pub use fault::{Deed, OpenFault, Reason, Refusal, Trouble};
pub use folders::Folders;
pub use pass::{Intake, Pass};
pub use receipt::Release;
pub use set_name::SetName;
pub use settings::{Limits, Originals, Settings};
pub use status::{Quarantined, Released, Status, Waiting};
