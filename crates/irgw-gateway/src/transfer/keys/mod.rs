//! Inland Revenue's own keys: SSH keys, and OpenPGP keys that sign and decrypt (SFTP-2, PGP-3).
//!
//! A folder, 0700, of files, 0600:
//!
//! ```text
//! keys.json            which key is live, which is next, which are old; their public halves
//! keys.lock            held while a command changes anything
//! ssh-….key            OpenSSH format, encrypted with the passphrase
//! pgp-….key            armoured OpenPGP, protected by the passphrase
//! ```
//!
//! Of each kind one key is *live*: it authenticates, or signs. The *next* one is announced, so that providers can add its
//! public half before it is used; an *old* one is kept, for what was encrypted to it (F12). A file once named in `keys.json`
//! is not written again, and every change is one renaming of `keys.json`: whoever reads, and whatever stops halfway, sees the
//! old state or the new one.

mod change;
mod error;
mod files;
mod folder;
mod key;
mod manifest;
mod succession;

pub use change::{Change, Place};
pub use error::KeysError;
pub use folder::{KeyFolder, TransferKeys};
pub use key::{Key, KeyFault, Kind};
pub use manifest::Manifest;
pub use succession::{HeldKey, State, Succession};

pub(crate) use files::{KeyFiles, check, passphrase};

#[cfg(test)]
mod tests;
