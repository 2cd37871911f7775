//! The key by which this end proves who it is: ECDSA, or RSA where the far end takes nothing else (SFTP-2).

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use irgw_core::Secret;
use russh::keys::key::safe_rng;
use russh::keys::ssh_key::public::{KeyData, RsaPublicKey};
use russh::keys::ssh_key::{self, LineEnding};
use russh::keys::{Algorithm, EcdsaCurve};
use zeroize::Zeroizing;

use super::Fingerprint;

/// A private key, of a user or of a host. It cannot be printed.
#[derive(Clone)]
pub struct PrivateKey(Arc<ssh_key::PrivateKey>);

/// The curves of SFTP-2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Curve {
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
    /// NIST P-521.
    P521,
}

impl PrivateKey {
    /// A new ECDSA key, made of the system's random numbers.
    ///
    /// # Errors
    /// [`KeyFault::Random`].
    pub fn generate(curve: Curve) -> Result<PrivateKey, KeyFault> {
        let curve = match curve {
            Curve::P256 => EcdsaCurve::NistP256,
            Curve::P384 => EcdsaCurve::NistP384,
            Curve::P521 => EcdsaCurve::NistP521,
        };
        let mut key = ssh_key::PrivateKey::random(&mut safe_rng(), Algorithm::Ecdsa { curve })
            .map_err(|_| KeyFault::Random)?;
        // Without a comment some keys end in a zero, which paramiko takes for padding.
        key.set_comment("irgw");
        Ok(PrivateKey(Arc::new(key)))
    }

    /// The key in a file of the OpenSSH format, at most 64 KiB.
    ///
    /// # Errors
    /// What [`PrivateKey::parse`] says, [`KeyFault::File`], and [`KeyFault::Exposed`] when others than the owner could
    /// read or write the file.
    pub fn load(path: &Path, passphrase: Option<&Secret<String>>) -> Result<PrivateKey, KeyFault> {
        let file = File::open(path).map_err(|error| KeyFault::File(error.kind()))?;
        refuse_exposed(&file)?;
        // Room for all of it first: a buffer that grows leaves copies behind.
        let mut pem = Zeroizing::new(Vec::with_capacity(LIMIT_BYTES + 1));
        let read = file.take(LIMIT_BYTES as u64 + 1).read_to_end(&mut pem);
        read.map_err(|error| KeyFault::File(error.kind()))?;
        PrivateKey::parse(&pem, passphrase)
    }

    /// The key in `-----BEGIN OPENSSH PRIVATE KEY-----`, as `ssh-keygen` writes it.
    ///
    /// # Errors
    /// When it is not one, when the passphrase is missing or wrong, and when the key is neither ECDSA nor RSA of 2048 to
    /// 8192 bits.
    pub fn parse(pem: &[u8], passphrase: Option<&Secret<String>>) -> Result<PrivateKey, KeyFault> {
        if pem.len() > LIMIT_BYTES {
            return Err(KeyFault::Malformed);
        }
        let mut key = ssh_key::PrivateKey::from_openssh(pem).map_err(|_| KeyFault::Malformed)?;
        if key.is_encrypted() {
            let passphrase = passphrase.ok_or(KeyFault::NoPassphrase)?;
            key = key.decrypt(passphrase.expose()).map_err(|_| KeyFault::WrongPassphrase)?;
        }
        match key.public_key().key_data() {
            KeyData::Ecdsa(_) => {}
            KeyData::Rsa(rsa) => {
                let bits = rsa_bits(rsa);
                if !(2048..=8192).contains(&bits) {
                    return Err(KeyFault::RsaSize { bits });
                }
            }
            _ => return Err(KeyFault::Algorithm(key.algorithm().to_string())),
        }
        Ok(PrivateKey(Arc::new(key)))
    }

    /// The key in the OpenSSH format, encrypted (AES-256-CTR, bcrypt-pbkdf) if there is a passphrase.
    ///
    /// # Errors
    /// [`KeyFault::Random`].
    pub fn to_openssh(&self, passphrase: Option<&Secret<String>>) -> Result<Secret<String>, KeyFault> {
        let text = match passphrase {
            Some(passphrase) => self
                .0
                .encrypt(&mut safe_rng(), passphrase.expose())
                .and_then(|encrypted| encrypted.to_openssh(LineEnding::LF)),
            None => self.0.to_openssh(LineEnding::LF),
        };
        text.map(|text| Secret::new(text.to_string())).map_err(|_| KeyFault::Random)
    }

    /// The public half as a line of `authorized_keys`, ended by the comment: what the far end is given.
    ///
    /// ```text
    /// ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAI… ird-gateway
    /// ```
    ///
    /// Of the comment, printable ASCII is kept.
    pub fn authorized_key(&self, comment: &str) -> String {
        let comment: String = comment.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').collect();
        let mut public = self.0.public_key().clone();
        public.set_comment(comment);
        public.to_openssh().unwrap_or_default()
    }

    /// The public half's fingerprint.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.0.public_key().key_data())
    }

    pub(crate) fn private(&self) -> &Arc<ssh_key::PrivateKey> {
        &self.0
    }

    pub(crate) fn is_rsa(&self) -> bool {
        self.0.algorithm().is_rsa()
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({} {})", self.0.algorithm(), self.fingerprint())
    }
}

/// The size of an RSA key's modulus.
pub(crate) fn rsa_bits(key: &RsaPublicKey) -> usize {
    key.n().as_positive_bytes().map_or(0, bits)
}

fn bits(number: &[u8]) -> usize {
    number.first().map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize)
}

#[cfg(unix)]
fn refuse_exposed(file: &File) -> Result<(), KeyFault> {
    use std::os::unix::fs::MetadataExt;
    let mode = file.metadata().map_err(|error| KeyFault::File(error.kind()))?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyFault::Exposed { mode });
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_exposed(_: &File) -> Result<(), KeyFault> {
    Ok(())
}

const LIMIT_BYTES: usize = 1 << 16;

/// Why a private key is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFault {
    /// The file cannot be read.
    #[error("the key file cannot be read: {0}")]
    File(io::ErrorKind),
    /// Others than the owner could read or write the file.
    #[error(
        "the key file's mode is {mode:o}: run chmod 600 on it, and replace a key that others may have read"
    )]
    Exposed {
        /// The permission bits.
        mode: u32,
    },
    /// Not an OpenSSH private key.
    #[error("not a private key in the OpenSSH format; ssh-keygen -p rewrites an older one")]
    Malformed,
    /// The key is encrypted and no passphrase is given.
    #[error("the key is encrypted: give its passphrase")]
    NoPassphrase,
    /// The passphrase does not open the key.
    #[error("the passphrase is not the key's")]
    WrongPassphrase,
    /// An RSA key of the wrong size.
    #[error("an RSA key has 2048 to 8192 bits, this one has {bits}; make an ECDSA key instead")]
    RsaSize {
        /// The size of its modulus.
        bits: usize,
    },
    /// Neither ECDSA nor RSA.
    #[error("a key is ECDSA, or RSA where the far end takes nothing else; this one is {0}")]
    Algorithm(String),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    Random,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_survives_being_written_and_read() {
        for (curve, name) in [
            (Curve::P256, "ecdsa-sha2-nistp256 "),
            (Curve::P384, "ecdsa-sha2-nistp384 "),
            (Curve::P521, "ecdsa-sha2-nistp521 "),
        ] {
            let key = PrivateKey::generate(curve).unwrap();
            let pem = key.to_openssh(None).unwrap();
            let read = PrivateKey::parse(pem.expose().as_bytes(), None).unwrap();
            assert_eq!(read.fingerprint(), key.fingerprint());
            let line = read.authorized_key("ird\ngateway");
            assert!(line.starts_with(name) && line.ends_with(" irdgateway"), "{line}");
        }
    }

    #[test]
    fn passphrase_is_asked_for_and_checked() {
        let key = PrivateKey::generate(Curve::P256).unwrap();
        let secret = |text: &str| Secret::new(text.to_owned());
        let pem = key.to_openssh(Some(&secret("tui"))).unwrap();
        let parse = |passphrase: Option<&str>| {
            let passphrase = passphrase.map(secret);
            PrivateKey::parse(pem.expose().as_bytes(), passphrase.as_ref()).map(|key| key.fingerprint())
        };
        assert_eq!(parse(Some("tui")), Ok(key.fingerprint()));
        assert_eq!(parse(Some("kea")), Err(KeyFault::WrongPassphrase));
        assert_eq!(parse(None), Err(KeyFault::NoPassphrase));
    }

    #[cfg(unix)]
    #[test]
    fn file_that_others_can_read_is_refused_f11() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, PrivateKey::generate(Curve::P256).unwrap().to_openssh(None).unwrap().expose())
            .unwrap();
        for (mode, verdict) in
            [(0o600, Ok(())), (0o400, Ok(())), (0o640, Err(0o640)), (0o604, Err(0o604)), (0o620, Err(0o620))]
        {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let verdict = verdict.map_err(|mode| KeyFault::Exposed { mode });
            assert_eq!(PrivateKey::load(&path, None).map(drop), verdict);
        }
        let missing = PrivateKey::load(&folder.path().join("none"), None).map(drop);
        assert_eq!(missing, Err(KeyFault::File(io::ErrorKind::NotFound)));
    }

    #[test]
    fn other_kinds_and_small_rsa_keys_are_refused() {
        let pem = |algorithm| {
            ssh_key::PrivateKey::random(&mut safe_rng(), algorithm)
                .unwrap()
                .to_openssh(LineEnding::LF)
                .unwrap()
        };
        let ed25519 = PrivateKey::parse(pem(Algorithm::Ed25519).as_bytes(), None).map(drop);
        assert_eq!(ed25519, Err(KeyFault::Algorithm("ssh-ed25519".into())));
        assert_eq!(
            PrivateKey::parse(b"-----BEGIN RSA PRIVATE KEY-----", None).map(drop),
            Err(KeyFault::Malformed)
        );
        assert_eq!((bits(&[0x80]), bits(&[0x01, 0]), bits(&[])), (8, 9, 0));
    }

    #[test]
    fn key_is_not_printed_g01() {
        let key = PrivateKey::generate(Curve::P256).unwrap();
        let text = format!("{key:?}");
        assert_eq!(text, format!("PrivateKey(ecdsa-sha2-nistp256 {})", key.fingerprint()));
    }
}
