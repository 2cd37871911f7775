//! The demo provider and the gateway as a run knows them that sees their folders: their keys, and both their ends.

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

use super::end::End;
use super::server;
use super::set::By;
use crate::dev::{Dev, SftpServer};
use crate::key::fill;
use crate::template::Values;
use crate::{Error, Local};

/// The demo provider of a gateway whose folders are here.
#[derive(Debug)]
pub(crate) struct Demo {
    local: Option<Arc<Local>>,
    /// The provider's id, and that of another one, which has no file server of its own.
    pub(super) provider: String,
    pub(super) other_provider: String,
    pub(super) server: SftpServer,
    /// The provider's OpenPGP certificate, as a file.
    pub(super) certificate: PathBuf,
    /// The provider's OpenPGP key, and the gateway's, and somebody else's. A gateway that somebody else runs shows its certificate
    /// alone.
    pub(super) key: Cert,
    pub(super) gateway: Cert,
    pub(super) stranger: Cert,
    /// The provider's end, and the gateway's, where it says where that is.
    inbox: End,
    outbox: Option<End>,
    numbers: AtomicU32,
}

impl Demo {
    /// That of a gateway which says this of itself; `local` if its folder is here.
    pub(crate) fn of(dev: &Dev, local: Option<&Arc<Local>>) -> Result<Demo, Error> {
        let server = server(dev)?.clone();
        let [first, second, ..] = dev.providers.as_slice() else {
            return Err(Error::recipe("the target has fewer than two providers"));
        };
        let pgp = first.pgp.clone().ok_or_else(|| Error::recipe("providers[0] has no OpenPGP key"))?;
        let gateway = match (local, &dev.gateway_pgp) {
            (Some(local), _) => gateway_key(&local.files("keys")?, &local.files("passphrase_file")?)?,
            (None, Some(gateway)) => read_cert(&gateway.certificate)?,
            (None, None) => return Err(Error::recipe("the target has no OpenPGP certificate")),
        };
        let stranger = CertBuilder::general_purpose(Some("Somebody else")).generate();
        let states = server.released.ancestors().nth(2).unwrap_or(&server.released);
        let outbox = server.received.as_deref();
        let is_fresh = local.is_some_and(|local| local.is_fresh());
        Ok(Demo {
            provider: first.id.clone(),
            other_provider: second.id.clone(),
            key: read_cert(&pgp.key)?,
            certificate: pgp.certificate,
            gateway,
            stranger: stranger.map_err(Error::recipe)?.0,
            inbox: End::follow(&server.inbox, states, "gateway", "provider"),
            outbox: outbox.map(|received| End::follow(&server.outbox, received, "provider", "gateway")),
            numbers: AtomicU32::new(if is_fresh { FIRST_LOCAL } else { anywhere_before(FIRST_LOCAL) }),
            server,
            local: local.cloned(),
        })
    }

    /// The runner's own gateway.
    pub(super) fn local(&self) -> Result<&Local, Error> {
        self.local.as_deref().ok_or_else(|| Error::recipe("the target is not local"))
    }

    /// The end that a set gets to.
    pub(super) fn end(&self, by: By) -> Result<&End, Error> {
        match by {
            By::Inbox | By::Submit => Ok(&self.inbox),
            By::Outbox => {
                self.outbox.as_ref().ok_or_else(|| Error::recipe("the target says not what it has received"))
            }
        }
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
        values.set("stamp", stamp(number));
        let day = |number| stamp(number).chars().take(8).collect::<String>();
        values.set("day", day(number));
        values.set("another_day", day(number + 1440));
        values.set("extract", 2_000_000_000 + u64::from(number));
        values.set("batch", 3_000_000_000 + u64::from(number));
    }

    /// A folder of the case's own.
    pub(super) fn folder(&self, number: u32) -> Result<PathBuf, Error> {
        let folder = self.local()?.folder().join("transfers").join(number.to_string());
        std::fs::create_dir_all(&folder).map_err(Error::file(&folder))?;
        Ok(folder)
    }
}

/// 18 digits, a minute after those of the number before: sets of one feed must not overlap, for what lies between a set's first
/// zip and its control file is of the set.
fn stamp(number: u32) -> String {
    let (minute, hour, day) = (number % 60, number / 60 % 24, 1 + number / 1440 % DAYS);
    let month = number / (1440 * DAYS);
    format!("{}{:02}{day:02}{hour:02}{minute:02}300000", 2000 + month / 12, 1 + month % 12)
}

/// Days of a month: any has so many, and another day after them.
const DAYS: u32 = 27;

/// The first number of a run with a gateway of its own, which knows no set yet: January 2020.
const FIRST_LOCAL: u32 = 20 * 12 * DAYS * 1440;

/// A number by chance: a gateway that goes on running knows the sets of the runs before.
fn anywhere_before(number: u32) -> u32 {
    let mut bytes = [0; 4];
    fill(&mut bytes);
    u32::from_le_bytes(bytes) % number
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
        assert_eq!(stamp(0), "200001010000300000");
        assert_eq!(stamp(FIRST_LOCAL), "202001010000300000");
        assert_eq!(stamp(FIRST_LOCAL + 1500), "202001020100300000");
        assert_eq!(stamp(FIRST_LOCAL - 1), "201912272359300000");
        assert_eq!((code(0), code(27)), ("CAA".to_owned(), "CBB".to_owned()));
    }
}
