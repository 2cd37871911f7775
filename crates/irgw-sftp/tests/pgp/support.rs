//! Keys, messages and quarantine folders for the tests.

use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

use irgw_core::UnixTime;
use irgw_sftp::pgp::{
    Algorithm, Compression, DecryptFault, Limits, OwnKey, PartnerCert, Protection, Quarantine, Terms,
    Verified, decrypt, encrypt,
};
use openpgp::Cert;
use openpgp::parse::Parse;
use sequoia_openpgp as openpgp;
use tempfile::TempDir;

pub(crate) const DAY: Duration = Duration::from_secs(24 * 3600);
pub(crate) const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// 2026-05-28T20:26:40Z, when the tests happen that need no other program.
pub(crate) fn now() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(1_780_000_000))
}

pub(crate) fn after(time: UnixTime, by: Duration) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(time.as_secs()) + by)
}

pub(crate) fn before(time: UnixTime, by: Duration) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(time.as_secs()) - by)
}

pub(crate) fn system(time: UnixTime) -> std::time::SystemTime {
    std::time::UNIX_EPOCH + Duration::from_secs(time.as_secs())
}

/// A new key, made a day before [`now`] and valid for a year.
pub(crate) fn key(user_id: &str) -> OwnKey {
    OwnKey::generate(user_id, Algorithm::Curve25519, before(now(), DAY), YEAR).unwrap()
}

/// The certificate of a key, enrolled at [`now`].
pub(crate) fn enrolled(key: &OwnKey) -> PartnerCert {
    PartnerCert::enrol(&key.certificate(), now(), Terms::default()).unwrap()
}

/// The key as Sequoia knows it, to make messages that this library does not make.
pub(crate) fn bare(key: &OwnKey) -> Cert {
    Cert::from_bytes(key.to_armored(Protection::Unprotected).unwrap().expose()).unwrap()
}

/// Bytes that do not compress and do not repeat.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::from_fn(|| Some(next())).flatten().take(length).collect()
}

pub(crate) fn seal(to: &PartnerCert, by: &OwnKey, compression: Compression, data: &[u8]) -> Vec<u8> {
    let mut message = encrypt(&[to], by, compression, now(), Vec::new()).unwrap();
    message.write_all(data).unwrap();
    message.finish().unwrap()
}

/// Decrypts at [`now`]; what comes out verified is read, what is refused must have left nothing.
pub(crate) fn open(
    keys: &[OwnKey],
    signers: &[PartnerCert],
    message: &[u8],
) -> Result<Vec<u8>, DecryptFault> {
    open_at(now(), keys, signers, message)
}

pub(crate) fn open_at(
    now: UnixTime,
    keys: &[OwnKey],
    signers: &[PartnerCert],
    message: &[u8],
) -> Result<Vec<u8>, DecryptFault> {
    let (verified, _folder) = verify(now, keys, signers, &Limits::default(), message)?;
    Ok(content(&verified))
}

/// The verified file, in a folder that lives as long as it is held.
pub(crate) fn verify(
    now: UnixTime,
    keys: &[OwnKey],
    signers: &[PartnerCert],
    limits: &Limits,
    message: &[u8],
) -> Result<(Verified, TempDir), DecryptFault> {
    let folder = tempfile::tempdir().unwrap();
    let quarantine = Quarantine::create_in(folder.path()).unwrap();
    let result = decrypt(keys, signers, now, limits, message, quarantine);
    assert!(result.is_ok() || is_empty(folder.path()), "a refused message left a file");
    result.map(|verified| (verified, folder))
}

pub(crate) fn content(verified: &Verified) -> Vec<u8> {
    let mut bytes = Vec::new();
    verified.open().unwrap().read_to_end(&mut bytes).unwrap();
    assert_eq!(verified.bytes(), bytes.len() as u64);
    bytes
}

pub(crate) fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().next().is_none()
}
