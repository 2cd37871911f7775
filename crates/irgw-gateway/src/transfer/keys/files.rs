//! The keys in force while the gateway runs: read at start, and again when they change.

use std::sync::Arc;

use irgw_core::{Secret, UnixTime};
use tokio::sync::watch;

use super::{Key, KeyFolder, TransferKeys};
use crate::config::{FilesConfig, Problem};
use crate::kept::{Alarm, Kept};
use crate::metrics::Metrics;
use crate::transfer::PassphraseSource;

/// The key folder and the passphrase, as files that are looked at.
pub(crate) struct KeyFiles {
    config: FilesConfig,
    keys: Kept<Arc<TransferKeys>>,
    in_force: watch::Sender<Arc<TransferKeys>>,
    ending: Alarm,
}

impl KeyFiles {
    /// Reads the keys for the first time.
    ///
    /// # Errors
    /// A problem with the setting that names the folder or the passphrase.
    pub(crate) fn read(config: &FilesConfig) -> Result<KeyFiles, Problem> {
        // Every change of a key is a change of this one file.
        let manifest = config.keys.with(KeyFolder::at(&config.keys.value).manifest_path());
        let mut watched = vec![&manifest];
        let passphrase = match &config.passphrase.value {
            PassphraseSource::File(path) => Some(config.passphrase.with(path.clone())),
            PassphraseSource::Env(_) | PassphraseSource::Credential(_) => None,
        };
        watched.extend(&passphrase);
        let keys = Kept::read("file transfer keys".to_owned(), &watched, || open(config))?;
        Ok(KeyFiles {
            config: config.clone(),
            in_force: watch::Sender::new(keys.good().clone()),
            keys,
            ending: Alarm::new("OpenPGP key ends"),
        })
    }

    /// The keys in force, now and later.
    pub(crate) fn in_force(&self) -> watch::Receiver<Arc<TransferKeys>> {
        self.in_force.subscribe()
    }

    /// Reads again what has changed or stands under an alarm, and raises one for the last month of the key that signs.
    pub(crate) fn look(&mut self, metrics: &Metrics, now: UnixTime) {
        let config = &self.config;
        if let Some(keys) = self.keys.look(metrics, |_| open(config)) {
            self.in_force.send_replace(keys.clone());
        }
        let ends = self.keys.good().signing_ends();
        let left = ends.map(|end| end.as_secs().saturating_sub(now.as_secs()) / DAY_SECONDS);
        let problem = left.filter(|days| *days < NOTICE_DAYS).map(|days| {
            config.keys.problem(format_args!(
                "the OpenPGP key that signs is valid for {days} more days; announce the next one with irgw key pgp generate \
                 --next, and rotate when providers have it"
            ))
        });
        self.ending.settle(metrics, problem.map(|problem| problem.to_string()));
    }
}

/// Whether the keys can be read and used at `now`: what `irgw check` asks.
///
/// # Errors
/// A problem with the setting that names the folder or the passphrase.
pub(crate) fn check(config: &FilesConfig, now: UnixTime) -> Result<(), Problem> {
    let keys = open(config)?;
    Key::Pgp(keys.signing_pgp().clone()).expect_fit(now).map_err(|fault| config.keys.problem(fault))
}

/// The passphrase, by the environment of this process.
///
/// # Errors
/// A problem with the setting that names its source.
pub(crate) fn passphrase(config: &FilesConfig) -> Result<Secret<String>, Problem> {
    let source = &config.passphrase;
    source.value.read(|name| std::env::var_os(name)).map_err(|wrong| source.problem(wrong))
}

fn open(config: &FilesConfig) -> Result<Arc<TransferKeys>, Problem> {
    let passphrase = passphrase(config)?;
    let keys = KeyFolder::at(&config.keys.value).open(&passphrase);
    keys.map(Arc::new).map_err(|error| config.keys.problem(error))
}

/// How long before its end an alarm is raised: providers need time to take a new certificate in.
const NOTICE_DAYS: u64 = 30;

const DAY_SECONDS: u64 = 86_400;

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;
    use std::time::Duration;

    use irgw_sftp::pgp::{Algorithm, OwnKey};
    use irgw_sftp::ssh::{Curve, PrivateKey};

    use super::*;
    use crate::Config;
    use crate::transfer::keys::{Kind, Place};

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000 + seconds))
    }

    const PASSPHRASE: &str = "kererū in the pūriri";

    fn passphrase() -> Secret<String> {
        Secret::new(PASSPHRASE.into())
    }

    fn config(folder: &Path) -> FilesConfig {
        let text = r#"environment = "mock"
audit.file = "audit.jsonl"
store.url = "sqlite:store"
identity = { key = "identity.key", issuer = "x" }
services = { table = "published", upstream = "main" }
upstream.main.url = "http://127.0.0.1:9000"
listener = [{ channel = "cloud", listen = "127.0.0.1:0", certificate = "a", key = "b", allow = ["127.0.0.1"] }]
files = { keys = "keys", passphrase_file = "passphrase", spool = "spool" }
"#;
        put_passphrase(folder, PASSPHRASE);
        Config::parse(&folder.join("irgw.toml"), text).unwrap().files.unwrap()
    }

    fn put_passphrase(folder: &Path, text: &str) {
        let path = folder.join("passphrase");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    }

    fn ssh() -> Key {
        Key::Ssh(PrivateKey::generate(Curve::P256).unwrap())
    }

    /// A key that ends after 40 days.
    fn pgp() -> Key {
        let lifetime = Duration::from_secs(40 * DAY_SECONDS);
        Key::Pgp(OwnKey::generate("IR", Algorithm::Curve25519, at(0), lifetime).unwrap())
    }

    fn has_alarm(metrics: &Metrics, name: &str) -> bool {
        metrics.render().contains(&format!("irgw_alarm{{alarm=\"{name}\"}} 1"))
    }

    #[test]
    fn rotated_key_is_in_force_without_a_restart_and_a_lost_passphrase_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        let said = KeyFiles::read(&config).map(drop).unwrap_err().to_string();
        assert!(said.contains("irgw.toml:8: files.keys: there is no key folder "), "{said}");
        let change = || KeyFolder::at(&config.keys.value).change().unwrap();
        for key in [ssh(), pgp()] {
            change().add(&key, Place::Live, &passphrase(), at(0)).unwrap();
        }
        let (mut files, metrics) = (KeyFiles::read(&config).unwrap(), Metrics::new());
        let mut in_force = files.in_force();
        files.look(&metrics, at(0));
        assert!(!in_force.has_changed().unwrap());

        let next = ssh();
        change().add(&next, Place::Next, &passphrase(), at(1)).unwrap();
        change().rotate(Kind::Ssh, &passphrase(), at(2)).unwrap();
        put_passphrase(folder.path(), "kea in the kōwhai tree");
        files.look(&metrics, at(2));
        assert!(has_alarm(&metrics, "file transfer keys"));
        assert_ne!(in_force.borrow().live_ssh().fingerprint().to_string(), next.fingerprint());
        put_passphrase(folder.path(), PASSPHRASE);
        files.look(&metrics, at(2));
        assert!(!has_alarm(&metrics, "file transfer keys"));
        assert_eq!(in_force.borrow_and_update().live_ssh().fingerprint().to_string(), next.fingerprint());
    }

    #[test]
    fn last_month_of_the_key_that_signs_is_an_alarm_until_it_is_rotated() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        let change = || KeyFolder::at(&config.keys.value).change().unwrap();
        for key in [ssh(), pgp()] {
            change().add(&key, Place::Live, &passphrase(), at(0)).unwrap();
        }
        let (mut files, metrics) = (KeyFiles::read(&config).unwrap(), Metrics::new());
        let month = NOTICE_DAYS * DAY_SECONDS;
        let end = 40 * DAY_SECONDS;
        files.look(&metrics, at(end - month));
        assert!(!has_alarm(&metrics, "OpenPGP key ends"));
        files.look(&metrics, at(end - month + 1));
        assert!(has_alarm(&metrics, "OpenPGP key ends"));
        assert!(check(&config, at(end - 1)).is_ok());
        let said = check(&config, at(end)).unwrap_err().to_string();
        assert!(
            said.contains("irgw.toml:8: files.keys: ") && said.contains("expired on 2027-02-24T"),
            "{said}"
        );

        let year = Duration::from_secs(365 * DAY_SECONDS);
        let next = Key::Pgp(OwnKey::generate("IR", Algorithm::Curve25519, at(0), year).unwrap());
        change().add(&next, Place::Next, &passphrase(), at(1)).unwrap();
        change().rotate(Kind::Pgp, &passphrase(), at(2)).unwrap();
        files.look(&metrics, at(end - 1));
        assert!(!has_alarm(&metrics, "OpenPGP key ends"));
    }
}
