//! One key of either kind: how it is kept, and what of it is public.

use std::fmt;
use std::io;

use irgw_core::{Rule, Secret, UnixTime};
use irgw_sftp::pgp::{self, Compression, EncryptError, OwnKey, PartnerCert, Protection, Terms};
use irgw_sftp::ssh::{self, PrivateKey};

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It authenticates the gateway at a provider's server.
    Ssh,
    /// It signs what leaves and decrypts what comes.
    Pgp,
}

impl Kind {
    /// The word for it on the command line and in file names: `ssh`, `pgp`.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Ssh => "ssh",
            Kind::Pgp => "pgp",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Ssh => "SSH",
            Kind::Pgp => "OpenPGP",
        })
    }
}

/// A key, open for use. It cannot be printed.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "a handful of keys is ever held")]
pub enum Key {
    /// For SSH.
    Ssh(PrivateKey),
    /// For OpenPGP.
    Pgp(OwnKey),
}

impl Key {
    /// Opens a key as the folder keeps it, protected by this passphrase.
    ///
    /// # Errors
    /// When it is no such key, or not protected, or by another passphrase.
    pub(super) fn open(kind: Kind, bytes: &[u8], passphrase: &Secret<String>) -> Result<Key, KeyFault> {
        match kind {
            Kind::Ssh => match PrivateKey::parse(bytes, None) {
                Ok(_) => Err(KeyFault::Unprotected),
                Err(ssh::KeyFault::NoPassphrase) => Ok(Key::Ssh(PrivateKey::parse(bytes, Some(passphrase))?)),
                Err(fault) => Err(fault.into()),
            },
            Kind::Pgp => match OwnKey::from_bytes(bytes, Protection::Passphrase(passphrase)) {
                Err(pgp::KeyError::Unprotected) => Err(KeyFault::Unprotected),
                read => Ok(Key::Pgp(read?)),
            },
        }
    }

    /// Reads a key from elsewhere: protected by this passphrase, or not protected.
    ///
    /// # Errors
    /// When it is no such key, when it is protected and the passphrase is missing or another one, and when its kind or size
    /// is not allowed (SFTP-2, PGP-1).
    pub fn import(kind: Kind, bytes: &[u8], passphrase: Option<&Secret<String>>) -> Result<Key, KeyFault> {
        match (kind, passphrase) {
            (Kind::Ssh, _) => Ok(Key::Ssh(PrivateKey::parse(bytes, passphrase)?)),
            (Kind::Pgp, Some(passphrase)) => {
                let read = OwnKey::from_bytes(bytes, Protection::Passphrase(passphrase));
                match read {
                    Err(pgp::KeyError::Unprotected) => {
                        Ok(Key::Pgp(OwnKey::from_bytes(bytes, Protection::Unprotected)?))
                    }
                    read => Ok(Key::Pgp(read?)),
                }
            }
            (Kind::Pgp, None) => Ok(Key::Pgp(OwnKey::from_bytes(bytes, Protection::Unprotected)?)),
        }
    }

    /// The key as the folder keeps it.
    pub(super) fn protect(&self, passphrase: &Secret<String>) -> Result<Secret<Vec<u8>>, KeyFault> {
        Ok(match self {
            Key::Ssh(key) => Secret::new(key.to_openssh(Some(passphrase))?.expose().clone().into_bytes()),
            Key::Pgp(key) => key.to_armored(Protection::Passphrase(passphrase))?,
        })
    }

    /// Whether it can do its work at `now`: an OpenPGP key signs, and others can encrypt to it (PGP-1).
    ///
    /// # Errors
    /// Why it cannot: it has expired, was revoked, or has no key for the one or the other.
    pub fn expect_fit(&self, now: UnixTime) -> Result<(), KeyFault> {
        let Key::Pgp(key) = self else { return Ok(()) };
        let ourselves = PartnerCert::enrol(&key.certificate(), now, Terms::default());
        let ourselves = ourselves.map_err(|error| KeyFault::Unfit(EncryptError::Recipient(error)))?;
        pgp::encrypt(&[&ourselves], key, Compression::None, now, io::sink())?.finish()?;
        Ok(())
    }

    /// Which kind it is.
    pub fn kind(&self) -> Kind {
        match self {
            Key::Ssh(_) => Kind::Ssh,
            Key::Pgp(_) => Kind::Pgp,
        }
    }

    /// `SHA256:` and 43 characters of base64, as `ssh-keygen -l` prints it; or 40 or 64 hex digits, as `gpg` does.
    pub fn fingerprint(&self) -> String {
        match self {
            Key::Ssh(key) => key.fingerprint().to_string(),
            Key::Pgp(key) => key.fingerprint().to_string(),
        }
    }

    /// `ecdsa-sha2-nistp256`, `rsa3072` and the like.
    pub fn algorithm(&self) -> String {
        match self {
            Key::Ssh(key) => key.algorithm(),
            Key::Pgp(key) => key.algorithm(),
        }
    }

    /// When it ends, as it is at `now`; an SSH key does not.
    pub fn expires(&self, now: UnixTime) -> Option<UnixTime> {
        match self {
            Key::Ssh(_) => None,
            Key::Pgp(key) => key.expires(now),
        }
    }

    /// What providers are given: a line of `authorized_keys`, or an armoured certificate; without its last line end.
    pub fn public(&self) -> String {
        match self {
            Key::Ssh(key) => key.authorized_key(COMMENT),
            Key::Pgp(key) => String::from_utf8_lossy(&key.certificate()).trim_end().to_owned(),
        }
    }
}

/// What stands behind the public half in `authorized_keys`, so that a provider knows whose it is.
const COMMENT: &str = "ird-gateway";

/// What is wrong with a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFault {
    /// No SSH key, or one that is not allowed, or not by this passphrase.
    #[error(transparent)]
    Ssh(#[from] ssh::KeyFault),
    /// No OpenPGP key, or not by this passphrase.
    #[error(transparent)]
    Pgp(#[from] pgp::KeyError),
    /// It is not protected by a passphrase.
    #[error("the key is not protected by a passphrase; take it in with: irgw key … import")]
    Unprotected,
    /// It is an OpenPGP key that cannot sign, or that nobody can encrypt to.
    #[error("the key cannot be used: {0}")]
    Unfit(#[from] EncryptError),
}

impl KeyFault {
    /// The rule that refuses the key; `None` where it could not be read.
    pub fn rule(&self) -> Option<Rule> {
        match self {
            KeyFault::Ssh(ssh::KeyFault::RsaSize { .. } | ssh::KeyFault::Algorithm(_)) => Some(Rule::Sftp2),
            KeyFault::Pgp(pgp::KeyError::NoDecryptionKey | pgp::KeyError::Rsa) | KeyFault::Unfit(_) => {
                Some(Rule::Pgp1)
            }
            KeyFault::Unprotected => Some(Rule::Pgp3),
            KeyFault::Ssh(_) | KeyFault::Pgp(_) => None,
        }
    }

    /// Whether another passphrase is what is needed.
    pub fn is_locked(&self) -> bool {
        matches!(
            self,
            KeyFault::Ssh(ssh::KeyFault::NoPassphrase | ssh::KeyFault::WrongPassphrase)
                | KeyFault::Pgp(pgp::KeyError::Locked | pgp::KeyError::Passphrase)
        )
    }
}
