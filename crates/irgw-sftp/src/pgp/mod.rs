//! OpenPGP (RFC 4880, RFC 9580): what leaves is encrypted and signed, what comes is decrypted and verified (PGP-1
//! to PGP-3).
//!
//! ```text
//!   file ──► encrypt(to: PartnerCert, by: OwnKey) ──► Encryptor ──► the partner
//!
//!   the partner ──► decrypt(keys: OwnKey, signers: PartnerCert) ──► Quarantine ──► Verified ──► publish
//! ```
//!
//! Both ways stream in constant memory. A [`PartnerCert`] is another party's certificate as enrolment took it: it
//! is known by its full fingerprint and judged afresh at each use, because keys expire and are revoked. An
//! [`OwnKey`] is a secret key of this party's. What [`decrypt`] writes is in a [`Quarantine`] file that nobody else
//! can open; only [`Verified`], which
//! [`decrypt`] makes when the whole message has authenticated, can give it a name.
//!
//! Messages have one form: encrypted with AES-256 and integrity protected (SEIPD version 1, or version 2 where
//! [`Terms`] say so), compressed at most once, signed with SHA-256 or better, one literal. Whatever else arrives is refused
//! with a [`DecryptFault`] that says what it was.
//!
//! # Side channels
//!
//! The build has Sequoia's pure Rust back end, whose RSA private-key operations are not blinded. RSA decryption and
//! signing of messages therefore go through the `rsa` crate's blinded calls (RUSTSEC-2023-0071). Elliptic-curve
//! operations are Sequoia's, and so are the self-signatures of a key that is being generated.
//!
//! # What this does not do
//!
//! It finds no keys (no key server, no WKD), follows no web of trust, asks no designated revoker, and reads no
//! message that is encrypted to a passphrase, signed in the clear or signed apart from its data.
//!
//! ```
//! use std::{io::Write, time::Duration};
//! use irgw_core::UnixTime;
//! use irgw_sftp::pgp::{Algorithm, Compression, Limits, OwnKey, PartnerCert, Quarantine, Terms, decrypt, encrypt};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let now = UnixTime::since_unix_epoch(Duration::from_secs(1_780_000_000));
//! let year = Duration::from_secs(365 * 24 * 3600);
//! let ours = OwnKey::generate("Inland Revenue <gateway@example.govt.nz>", Algorithm::Curve25519, now, year)?;
//! let theirs = OwnKey::generate("Kiwi Payroll <sftp@example.co.nz>", Algorithm::Curve25519, now, year)?;
//!
//! let partner = PartnerCert::enrol(&theirs.certificate(), now, Terms::default())?;
//! let mut message = encrypt(&[&partner], &ours, Compression::None, now, Vec::new())?;
//! message.write_all(b"<FileTransfers/>")?;
//! let ciphertext = message.finish()?;
//!
//! let gateway = PartnerCert::enrol(&ours.certificate(), now, Terms::default())?;
//! let folder = tempfile::tempdir()?;
//! let quarantine = Quarantine::create_in(folder.path())?;
//! let verified = decrypt(&[theirs], &[gateway], now, &Limits::default(), &ciphertext[..], quarantine)?;
//! assert_eq!(verified.signer(), &ours.fingerprint());
//! verified.publish(&folder.path().join("control.xml"))?;
//! # Ok(())
//! # }
//! ```

mod cert;
mod decrypt;
mod encrypt;
mod error;
mod fault;
mod fingerprint;
mod judge;
mod message;
mod own_key;
mod profile;
mod quarantine;
mod rsa;
mod source;
mod time;

pub use cert::{CERT_LIMIT_BYTES, Container, PartnerCert, Terms, Warning};
pub use decrypt::{Limits, decrypt};
pub use encrypt::{Compression, Encryptor, encrypt};
pub use error::{CertError, CertFault, DecryptFault, EncryptError, KeyError};
pub use fault::{KeyFault, Role};
pub use fingerprint::{Fingerprint, InvalidFingerprint};
pub use own_key::{Algorithm, OwnKey, Protection};
pub use quarantine::{Quarantine, Verified};
