//! What can go wrong with a certificate, a secret key, a message that leaves and a message that comes.

use std::fmt;
use std::io;

use irgw_core::Rule;

use super::cert::CERT_LIMIT_BYTES;
use super::{Fingerprint, KeyFault, Role};

/// Why a partner's certificate is refused: whose it is, and everything that is wrong with it (PGP-1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertError {
    /// The certificate's fingerprint, as far as it could be read.
    pub fingerprint: Option<Fingerprint>,
    /// Its primary user id, fit for a terminal; written by whoever made the certificate, and proof of nothing.
    pub user_id: Option<String>,
    /// What is wrong; at least one.
    pub faults: Vec<CertFault>,
}

impl CertError {
    /// The rule that refuses.
    pub fn rule(&self) -> Rule {
        Rule::Pgp1
    }
}

impl From<CertFault> for CertError {
    fn from(fault: CertFault) -> CertError {
        CertError { fingerprint: None, user_id: None, faults: vec![fault] }
    }
}

impl fmt::Display for CertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the OpenPGP certificate")?;
        if let Some(fingerprint) = &self.fingerprint {
            write!(f, " {fingerprint}")?;
        }
        if let Some(user_id) = &self.user_id {
            write!(f, " ({user_id})")?;
        }
        f.write_str(" is refused")?;
        for (index, fault) in self.faults.iter().enumerate() {
            f.write_str(if index == 0 { ": " } else { "; " })?;
            fault.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for CertError {}

/// One thing that is wrong with a certificate (PGP-1).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertFault {
    /// More bytes than [`CERT_LIMIT_BYTES`].
    #[error("it has more than {CERT_LIMIT_BYTES} bytes; export it without other people's signatures")]
    TooLarge,
    /// Not an OpenPGP certificate, binary or armoured.
    #[error("it is not an OpenPGP public key; send the output of `gpg --export --armor`")]
    Malformed,
    /// More than one certificate.
    #[error("there is more than one certificate; send one")]
    Several,
    /// A secret key was handed in.
    #[error("this is a secret key: delete this copy, make a new key, and send the public key alone")]
    SecretKey,
    /// A version of OpenPGP keys that is not read here.
    #[error("its version is {0}; versions 4 and 6 are accepted")]
    Version(u8),
    /// Another certificate than the one that was enrolled.
    #[error("it is not the enrolled certificate, which is {pinned}; enrol a new one on its own")]
    NotThePinned {
        /// The fingerprint that was enrolled.
        pinned: Fingerprint,
    },
    /// A key in it cannot be used.
    #[error("{role} {key} {fault}")]
    Key {
        /// Which.
        key: Fingerprint,
        /// Its place.
        role: Role,
        /// What is wrong with it.
        fault: KeyFault,
    },
    /// No key in it may encrypt what is sent (RFC 9580 §5.2.3.29, flag 0x04).
    #[error("no key in it is meant for encryption; its owner must add an encryption subkey")]
    NoEncryptionKey,
    /// No key in it may sign.
    #[error("no key in it is meant for signing; its owner must add a signing subkey")]
    NoSigningKey,
}

/// Why a secret key of this party's cannot be used (PGP-3).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// More bytes than [`CERT_LIMIT_BYTES`].
    #[error("the key file has more than {CERT_LIMIT_BYTES} bytes")]
    TooLarge,
    /// Not an OpenPGP secret key, binary or armoured.
    #[error("the file is not an OpenPGP secret key; use the output of `gpg --export-secret-keys`")]
    Malformed,
    /// More than one key.
    #[error("the file holds more than one key; keep one key in a file")]
    Several,
    /// The key is protected, and no passphrase was given.
    #[error("the secret key is protected; give its passphrase")]
    Locked,
    /// The key is not protected, and a passphrase was given.
    #[error("the secret key is not protected by a passphrase; protect it")]
    Unprotected,
    /// The passphrase does not open the key.
    #[error("the passphrase does not open the secret key")]
    Passphrase,
    /// No secret part of a key that decrypts.
    #[error("there is no secret key for decryption in the file")]
    NoDecryptionKey,
    /// RSA numbers that do not belong together, or a size that is not computed with.
    #[error("an RSA key in the file is damaged, or not of 2048 to 4096 bits")]
    Rsa,
    /// The library could not make, protect or write the key.
    #[error("the secret key could not be made or written")]
    Failed,
}

impl KeyError {
    /// The rule that refuses.
    pub fn rule(&self) -> Rule {
        Rule::Pgp3
    }
}

/// Why a message cannot be encrypted (PGP-1).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncryptError {
    /// No recipients, or more than sixty-four.
    #[error("a message has 1 to {limit} recipients", limit = super::encrypt::RECIPIENT_LIMIT)]
    Recipients,
    /// A recipient's certificate cannot be used now.
    #[error("recipient: {0}")]
    Recipient(CertError),
    /// The signing key cannot be used now.
    #[error("signer: {0}")]
    Signer(CertError),
    /// What was encrypted could not be written.
    #[error("the encrypted file cannot be written: {0}")]
    Sink(io::ErrorKind),
    /// The library failed.
    #[error("the message could not be encrypted")]
    Failed,
}

impl EncryptError {
    /// The rule that refuses.
    pub fn rule(&self) -> Rule {
        Rule::Pgp1
    }
}

/// Why a message is not released (PGP-1, PGP-2): the reason that goes with the quarantined file.
///
/// It is for the log and the operator. A partner is told that the file was refused and no more, so that nobody
/// learns from the answer how a forged message was decrypted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecryptFault {
    /// Not an OpenPGP message, or packets in an order that the standard does not allow (RFC 9580 §10.3).
    #[error("the file is not a well-formed OpenPGP message")]
    Malformed,
    /// It ends too early. One that is cut off behind its first mebibytes lacks its integrity protection, and is
    /// [`Modified`].
    ///
    /// [`Modified`]: DecryptFault::Modified
    #[error("the message is cut off")]
    Truncated,
    /// It is not encrypted.
    #[error("the message is not encrypted")]
    NotEncrypted,
    /// The encrypted data have no integrity protection (a packet of type 9; RFC 9580 §5.7).
    #[error("the message has no integrity protection; the sender must turn it on (MDC)")]
    NoIntegrity,
    /// A packet of a type or version that is not read here, e.g. GnuPG's own OCB encryption (type 20).
    #[error(
        "the message has a packet of type {0} that is not read here; the sender must use standard encryption"
    )]
    Unsupported(u8),
    /// The integrity protection does not fit: the message was modified.
    #[error("the message was modified or cut off on the way")]
    Modified,
    /// It is encrypted to none of the keys that are held.
    #[error("the message is encrypted to none of our keys")]
    NotForUs,
    /// It names a key that is held, and what that key decrypts is not a session key.
    #[error("the session key cannot be decrypted")]
    SessionKey,
    /// Another cipher than AES-256.
    #[error("the message is encrypted with {0}; the sender must use AES-256")]
    Cipher(String),
    /// No signature.
    #[error("the message is not signed")]
    Unsigned,
    /// A signature by a key that is in none of the signers' certificates.
    #[error("the message is signed by {0}, which is not enrolled")]
    UnknownSigner(String),
    /// A signature by an enrolled signer whose certificate or key cannot be used.
    #[error("the message is signed by a key that cannot be used: {0}")]
    Signer(CertError),
    /// A signature that is not by the key that it names, or not over these data.
    #[error("a signature of the message does not verify")]
    BadSignature,
    /// A signature over another hash than SHA-256 or better.
    #[error("the message is signed over {0}; the sender must use SHA-256")]
    Hash(String),
    /// A signature of another type than over the bytes as they are (RFC 9580 §5.2.1.1).
    #[error(
        "a signature of the message is not over its bytes as they are; the sender must sign in binary mode"
    )]
    SignatureType,
    /// The signature names its intended recipients, and we are none of them (RFC 9580 §5.2.3.36).
    #[error("the message was signed for somebody else and forwarded to us")]
    NotIntended,
    /// More than one literal.
    #[error("the message holds more than one file")]
    SeveralLiterals,
    /// Encryption in encryption, or compression in compression.
    #[error("the message is nested")]
    Nested,
    /// More packets than any message needs.
    #[error("the message has too many packets")]
    TooManyPackets,
    /// More bytes than [`super::Limits::bytes`].
    #[error("the decrypted file is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// More bytes out of fewer bytes than [`super::Limits::ratio`] allows.
    #[error("the message decompresses to more than {limit} times its size")]
    Ratio {
        /// The limit.
        limit: u64,
    },
    /// The message could not be read.
    #[error("the message cannot be read: {0}")]
    Source(io::ErrorKind),
    /// The file could not be written.
    #[error("the decrypted file cannot be written: {0}")]
    Sink(io::ErrorKind),
}

impl DecryptFault {
    /// The rule that refuses.
    pub fn rule(&self) -> Rule {
        match self {
            DecryptFault::Cipher(_)
            | DecryptFault::Hash(_)
            | DecryptFault::NoIntegrity
            | DecryptFault::Unsupported(_) => Rule::Pgp1,
            _ => Rule::Pgp2,
        }
    }
}
