//! The gateway's own keys for file transfer in a development directory: a passphrase, a key of each kind, a spool.

use std::path::PathBuf;
use std::time::Duration;

use irgw_core::{Secret, UnixTime};
use irgw_sftp::pgp::{Algorithm, OwnKey};
use irgw_sftp::ssh::{Curve, PrivateKey};

use super::{DevError, Layout, files};
use crate::hex::hex;
use crate::transfer::keys::{Key, KeyFolder, Kind, Place, TransferKeys};
use crate::transfer::one_line_of;

/// The public halves of the gateway's keys, as files.
pub(super) struct PublicHalves {
    /// A line of `authorized_keys`.
    pub(super) ssh: PathBuf,
    /// An armoured certificate.
    pub(super) pgp: PathBuf,
}

/// The gateway's keys: those in force, and their public halves as files.
pub(super) struct Own {
    /// Open for use.
    pub(super) keys: TransferKeys,
    /// Written down.
    pub(super) public: PublicHalves,
}

/// Makes what is missing, and writes the public halves of the live keys. A rotation of the directory's keys stays.
pub(super) fn make_or_keep(layout: &Layout, now: UnixTime) -> Result<Own, DevError> {
    let spool = layout.dir.join("spool");
    files::make_directory(&spool).map_err(|error| DevError::file(&spool, error))?;
    let folder = KeyFolder::at(layout.dir.join("keys"));
    let passphrase = passphrase(layout, &folder)?;
    let mut change = folder.change()?;
    if change.manifest().ssh.live().is_none() {
        let key = PrivateKey::generate(Curve::P256).map_err(|_| DevError::Random)?;
        change.add(&Key::Ssh(key), Place::Live, &passphrase, now)?;
    }
    if change.manifest().pgp.live().is_none() {
        let key = OwnKey::generate("irgw dev <gateway@localhost>", Algorithm::Curve25519, now, LIFETIME);
        let key = key.map_err(|_| DevError::Random)?;
        change.add(&Key::Pgp(key), Place::Live, &passphrase, now)?;
    }
    let write = |kind, name| {
        let (path, key) = (layout.pki(name), change.manifest().of(kind).live());
        let public = key.map_or(String::new(), |key| format!("{}\n", key.public));
        files::write(&path, public).map_err(|error| DevError::file(&path, error))?;
        Ok::<_, DevError>(path)
    };
    let public =
        PublicHalves { ssh: write(Kind::Ssh, "gateway-ssh.pub")?, pgp: write(Kind::Pgp, "gateway-pgp.asc")? };
    Ok(Own { keys: folder.open(&passphrase)?, public })
}

/// The passphrase; made before there are keys, since those that are there were protected with another.
fn passphrase(layout: &Layout, folder: &KeyFolder) -> Result<Secret<String>, DevError> {
    let path = layout.dir.join("keys.passphrase");
    if !path.exists() && !folder.path().exists() {
        let line = Secret::new(format!("{}\n", hex(&super::parties::random::<32>()?)));
        files::write(&path, line.expose()).map_err(|error| DevError::file(&path, error))?;
    }
    one_line_of(&path).map_err(|error| DevError::Damaged(path.clone(), error))
}

/// Nobody is to be surprised by it on a laptop.
const LIFETIME: Duration = Duration::from_secs(10 * 365 * 86_400);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000 + seconds))
    }

    #[test]
    fn keys_are_made_once_and_a_lost_passphrase_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::make(folder.path()).unwrap();
        let made = make_or_keep(&layout, at(0)).unwrap().public;
        let read = |path: &PathBuf| std::fs::read_to_string(path).unwrap();
        let first = (read(&made.ssh), read(&made.pgp));
        assert!(
            first.0.starts_with("ecdsa-sha2-nistp256 ")
                && first.1.ends_with("-----END PGP PUBLIC KEY BLOCK-----\n")
        );
        let kept = make_or_keep(&layout, at(1)).unwrap().public;
        assert_eq!((read(&kept.ssh), read(&kept.pgp)), first);
        let passphrase = one_line_of(&layout.dir.join("keys.passphrase")).unwrap();
        assert!(KeyFolder::at(layout.dir.join("keys")).open(&passphrase).is_ok());
        files::remove(&layout.dir.join("keys.passphrase")).unwrap();
        let said = make_or_keep(&layout, at(2)).map(drop).unwrap_err().to_string();
        assert!(said.contains("keys.passphrase is damaged: there is no "), "{said}");
    }
}
