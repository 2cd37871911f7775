//! Secure file transfer: SSH and SFTP at both ends, OpenPGP, and the file sets of the feeds (SFTP, PGP and FILE rules).
//!
//! | module | what is there | rules |
//! |---|---|---|
//! | [`delivery`] (both features) | a set on its way to a provider's server, its ledger; what is fetched | SFTP-3 to SFTP-5 |
//! | [`fileset`] | names, control files, building and verifying a set | FILE-1 to FILE-4 |
//! | [`intake`] (feature `pgp`, Unix) | what a provider received: decrypted, verified, released set by set | FILE-4, PGP-2 |
//! | [`pgp`] (feature) | encrypt and sign, decrypt and verify; what a certificate must be | PGP-1 to PGP-3 |
//! | [`ssh`] (feature) | the SSH transports of both ends, pinned host keys, SFTP 3 over them | SFTP-1 to SFTP-3 |

#[cfg(all(unix, feature = "pgp", feature = "ssh"))]
pub mod delivery;
pub mod fileset;
#[cfg(all(unix, feature = "pgp"))]
pub mod intake;
#[cfg(feature = "pgp")]
pub mod pgp;
#[cfg(feature = "ssh")]
pub mod ssh;

#[cfg(any(feature = "pgp", feature = "ssh"))]
mod own_keys;
mod sealed;

pub use sealed::{SUFFIX, name_of_sealed, sealed_name};
