//! The demo provider and the gateway as a local run knows them: their folders, their keys, the events of the provider's intake.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use sequoia_openpgp as openpgp;

use openpgp::Cert;
use openpgp::cert::CertBuilder;
use openpgp::cert::amalgamation::key::PrimaryKey;
use openpgp::crypto::Password;
use openpgp::packet::Packet;
use openpgp::parse::Parse;

use super::server;
use crate::audit::AuditLog;
use crate::dev::SftpServer;
use crate::key::fill;
use crate::template::Values;
use crate::{Error, Local};

/// A local gateway's demo provider.
#[derive(Debug)]
pub(crate) struct Demo {
    pub(super) local: Arc<Local>,
    /// The provider's id, and that of another one, which has no file server of its own.
    pub(super) provider: String,
    pub(super) other_provider: String,
    pub(super) server: SftpServer,
    /// The provider's OpenPGP certificate, as a file.
    pub(super) certificate: PathBuf,
    /// The provider's OpenPGP key, and the gateway's, and somebody else's.
    pub(super) key: Cert,
    pub(super) gateway: Cert,
    pub(super) stranger: Cert,
    events: [AuditLog; 2],
    numbers: AtomicU32,
    /// The minute of the first set, of 2020: where there were runs before, another one in every run, for a name that was released stays so.
    first_minute: u32,
}

impl Demo {
    pub(crate) fn of(local: &Arc<Local>) -> Result<Demo, Error> {
        let dev = local.dev();
        let server = server(dev)?.clone();
        let [first, second, ..] = dev.providers.as_slice() else {
            return Err(Error::recipe("the target has fewer than two providers"));
        };
        let pgp = first.pgp.clone().ok_or_else(|| Error::recipe("providers[0] has no OpenPGP key"))?;
        let events = ["tds", "psn"].map(|feed| AuditLog::follow(&state(&server, feed).join("events.jsonl")));
        Ok(Demo {
            provider: first.id.clone(),
            other_provider: second.id.clone(),
            key: read_cert(&pgp.key)?,
            certificate: pgp.certificate,
            gateway: gateway_key(&local.files("keys")?, &local.files("passphrase_file")?)?,
            stranger: CertBuilder::general_purpose(Some("Somebody else"))
                .generate()
                .map_err(Error::recipe)?
                .0,
            events,
            server,
            local: local.clone(),
            numbers: AtomicU32::new(0),
            first_minute: if local.is_fresh() { 0 } else { any_minute() },
        })
    }

    /// A number that no other case has.
    pub(super) fn number(&self) -> u32 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Names what the texts of a case may need. A case that enrols a file server has an environment code of its own.
    pub(super) fn describe(&self, values: &mut Values, number: u32, has_own_code: bool) {
        let code = if has_own_code { code(number) } else { self.server.environment.clone() };
        values.set("code", code);
        values.set("platform", &self.server.platform);
        values.set("stamp", stamp(self.first_minute + number));
        values.set("extract", 2_000_000 + u64::from(self.first_minute + number));
        values.set("batch", 3_000_000 + u64::from(self.first_minute + number));
    }

    /// A folder of the case's own.
    pub(super) fn folder(&self, number: u32) -> Result<PathBuf, Error> {
        let folder = self.local.folder().join("transfers").join(number.to_string());
        std::fs::create_dir_all(&folder).map_err(Error::file(&folder))?;
        Ok(folder)
    }

    /// What the intake of a feed tells.
    pub(super) fn events(&self, feed: &str) -> &AuditLog {
        let [tds, psn] = &self.events;
        if feed == "psn" { psn } else { tds }
    }

    /// What the intake of a feed knows.
    pub(super) fn state(&self, feed: &str) -> PathBuf {
        state(&self.server, feed)
    }
}

fn state(server: &SftpServer, feed: &str) -> PathBuf {
    let provider = server.released.ancestors().nth(2).unwrap_or(&server.released);
    provider.join(feed)
}

/// 18 digits, a minute after those of the number before: sets of one feed must not overlap, for what lies between a set's first
/// zip and its control file is of the set.
fn stamp(number: u32) -> String {
    let month = 1 + number / MINUTES_OF_A_MONTH % 12;
    let (day, hour, minute) = (1 + number / 1440 % 28, number / 60 % 24, number % 60);
    format!("2020{month:02}{day:02}{hour:02}{minute:02}300000")
}

/// Of 28 days.
const MINUTES_OF_A_MONTH: u32 = 28 * 1440;

fn any_minute() -> u32 {
    let mut bytes = [0; 4];
    fill(&mut bytes);
    u32::from_be_bytes(bytes) % (12 * MINUTES_OF_A_MONTH)
}

/// Three letters.
fn code(number: u32) -> String {
    let letter = |number: u32| char::from(b'A' + u8::try_from(number % 26).unwrap_or_default());
    ['C', letter(number / 26), letter(number)].iter().collect()
}

fn read_cert(path: &Path) -> Result<Cert, Error> {
    let bytes = std::fs::read(path).map_err(Error::file(path))?;
    Cert::from_bytes(&bytes).map_err(|error| Error::content(path, error))
}

/// The gateway's own key, which `irgw dev` keeps under a passphrase.
fn gateway_key(keys: &Path, passphrase: &Path) -> Result<Cert, Error> {
    let entries = std::fs::read_dir(keys).map_err(Error::file(keys))?.flatten();
    let mut paths = entries.map(|entry| entry.path());
    let is_pgp =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("pgp-"));
    let path = paths.find(is_pgp).ok_or_else(|| Error::content(keys, "there is no OpenPGP key"))?;
    let password = std::fs::read_to_string(passphrase).map_err(Error::file(passphrase))?;
    let password = Password::from(password.trim_end());
    let cert = read_cert(&path)?;
    let wrong = |error| Error::content(&path, error);
    let mut open = Vec::new();
    for key in cert.keys().secret() {
        let secret = key.key().clone().decrypt_secret(&password).map_err(wrong)?;
        open.push(match key.primary() {
            true => Packet::from(secret.role_into_primary()),
            false => Packet::from(secret.role_into_subordinate()),
        });
    }
    Ok(cert.insert_packets(open).map_err(wrong)?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_have_their_own_minute_and_their_own_code() {
        assert_eq!(stamp(0), "202001010000300000");
        assert_eq!(stamp(1500), "202001020100300000");
        assert_eq!((code(0), code(27)), ("CAA".to_owned(), "CBB".to_owned()));
    }
}
