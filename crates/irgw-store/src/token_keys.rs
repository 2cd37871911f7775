//! The keys that access tokens are signed with, sealed in the database and open in memory (OA-10, C18).

use std::sync::Arc;

use arc_swap::ArcSwap;
use irgw_core::{Environment, Secret, UnixTime};
use irgw_oauth::signing::{Algorithm, Keyring, Keys, SigningKey, TimedKey};
use irgw_oauth::vault::Vault;

use crate::column::{self, seconds, time_at, time_if_any, word};
use crate::sql::{Row, values};
use crate::{Batch, Error, Kind, Store};

/// A key to be kept.
#[derive(Debug)]
pub struct NewTokenKey {
    /// Its `kid`.
    pub id: String,
    /// Where its tokens are good, and nowhere else (ENV-2).
    pub environment: Environment,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// The private key, sealed.
    sealed: Vec<u8>,
    /// The first second in which it signs. Announce a successor before (`JWKS`), so that who verifies knows it in time.
    pub signs_from: UnixTime,
}

impl NewTokenKey {
    /// Seals a key, of which `pkcs8` is the private form.
    ///
    /// # Errors
    /// [`Error::Sealed`] when the operating system gives no randomness.
    pub fn seal(
        vault: &Vault,
        environment: Environment,
        key: &SigningKey,
        pkcs8: &Secret<Vec<u8>>,
        signs_from: UnixTime,
    ) -> Result<NewTokenKey, Error> {
        let what = key_of(key.id());
        let sealed = vault.seal(&what, pkcs8.expose()).map_err(|_| Error::Sealed(what))?;
        Ok(NewTokenKey {
            id: key.id().to_owned(),
            environment,
            algorithm: key.algorithm(),
            sealed,
            signs_from,
        })
    }
}

/// A key, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenKey {
    /// Its `kid`.
    pub id: String,
    /// Where its tokens are good.
    pub environment: Environment,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// When it was made.
    pub since: UnixTime,
    /// The first second in which it signs.
    pub signs_from: UnixTime,
    /// The first second in which its tokens are good no more; `None`: it has no successor yet.
    pub verifies_until: Option<UnixTime>,
}

impl Batch<'_> {
    /// Keeps a key.
    ///
    /// # Errors
    /// [`Error::Exists`].
    pub fn add_token_key(&mut self, new: &NewTokenKey, now: UnixTime) -> Result<(), Error> {
        let insert = "INSERT INTO oauth_keys (kid, environment, algorithm, sealed, since, signs_from)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
        let values = values![
            new.id,
            new.environment.name(),
            new.algorithm.name(),
            new.sealed,
            seconds(now),
            seconds(new.signs_from)
        ];
        match self.run(insert, values)? {
            0 => Err(Error::Exists(Kind::TokenKey, new.id.clone())),
            _ => Ok(()),
        }
    }

    /// Says when a key's last token ends. An end that was set comes no later; what it is now.
    ///
    /// # Errors
    /// [`Error::Unknown`].
    pub fn retire_token_key(&mut self, id: &str, verifies_until: UnixTime) -> Result<UnixTime, Error> {
        let update = "UPDATE oauth_keys SET verifies_until =
               CASE WHEN verifies_until < ?2 THEN verifies_until ELSE ?2 END
             WHERE kid = ?1 RETURNING verifies_until";
        let until =
            self.transaction.one(update, values![id, seconds(verifies_until)], |row| time_at(row, 0))?;
        until.ok_or_else(|| Error::Unknown(Kind::TokenKey, id.to_owned()))
    }
}

impl Store {
    /// As [`Batch::add_token_key`].
    ///
    /// # Errors
    /// As there.
    pub fn add_token_key(&self, new: &NewTokenKey, now: UnixTime) -> Result<(), Error> {
        self.batch(|batch| batch.add_token_key(new, now))
    }

    /// As [`Batch::retire_token_key`].
    ///
    /// # Errors
    /// As there.
    pub fn retire_token_key(&self, id: &str, verifies_until: UnixTime) -> Result<UnixTime, Error> {
        self.batch(|batch| batch.retire_token_key(id, verifies_until))
    }

    /// The keys of an environment, retired ones too, by the time they begin to sign.
    ///
    /// # Errors
    /// Faults of the database.
    pub fn list_token_keys(&self, environment: Environment) -> Result<Vec<TokenKey>, Error> {
        self.read(|transaction| transaction.all(KEYS, values![environment.name()], listed))
    }

    /// The keys of an environment, open, without those whose last token ended before `now`.
    ///
    /// # Errors
    /// [`Error::Sealed`] when the vault does not open one; [`Error::Corrupt`] when one is no key.
    pub fn keyring(&self, environment: Environment, vault: &Vault, now: UnixTime) -> Result<Keyring, Error> {
        self.read(|transaction| {
            let sealed = |row: &Row<'_>| Ok((listed(row)?, row.get::<Vec<u8>>(6)?));
            let mut keys = Vec::new();
            for (listed, sealed) in transaction.all(KEYS, values![environment.name()], sealed)? {
                if listed.verifies_until.is_some_and(|until| until <= now) {
                    continue;
                }
                let what = key_of(&listed.id);
                let pkcs8 = vault.open(&what, &sealed).ok_or(Error::Sealed(what))?;
                let key = SigningKey::from_pkcs8(listed.algorithm, pkcs8.expose())
                    .map_err(|_| Error::Corrupt(format!("the token key {} is no key", listed.id)))?;
                let (signs_from, verifies_until) = (listed.signs_from, listed.verifies_until);
                keys.push(TimedKey { key, signs_from, verifies_until });
            }
            Ok(Keyring::new(keys))
        })
    }

    /// Whether anything is sealed in the database: then the vault's key is not to be made anew.
    ///
    /// # Errors
    /// Faults of the database.
    pub fn holds_sealed(&self) -> Result<bool, Error> {
        let query = "SELECT 1 WHERE EXISTS (SELECT 1 FROM oauth_keys)
             OR EXISTS (SELECT 1 FROM customers WHERE totp IS NOT NULL)";
        self.read(|transaction| transaction.finds(query, values![]))
    }
}

/// The keys of one environment in memory. Whoever follows the store ([`crate::Event::Changed`]) says [`TokenKeys::refresh`].
#[derive(Debug)]
pub struct TokenKeys {
    store: Arc<Store>,
    vault: Arc<Vault>,
    environment: Environment,
    current: ArcSwap<Keyring>,
}

impl TokenKeys {
    /// Opens the keys.
    ///
    /// # Errors
    /// As [`Store::keyring`].
    pub fn load(
        store: Arc<Store>,
        vault: Arc<Vault>,
        environment: Environment,
        now: UnixTime,
    ) -> Result<TokenKeys, Error> {
        let current = ArcSwap::from_pointee(store.keyring(environment, &vault, now)?);
        Ok(TokenKeys { store, vault, environment, current })
    }

    /// Opens them again.
    ///
    /// # Errors
    /// As [`Store::keyring`]; the keys are then those from before.
    pub fn refresh(&self, now: UnixTime) -> Result<(), Error> {
        self.current.store(Arc::new(self.store.keyring(self.environment, &self.vault, now)?));
        Ok(())
    }
}

impl Keys for TokenKeys {
    fn keyring(&self) -> Arc<Keyring> {
        self.current.load_full()
    }
}

fn listed(row: &Row<'_>) -> Result<TokenKey, Error> {
    Ok(TokenKey {
        id: row.get(0)?,
        environment: column::environment(row, 1)?,
        algorithm: word(row, 2)?,
        since: time_at(row, 3)?,
        signs_from: time_at(row, 4)?,
        verifies_until: time_if_any(row, 5)?,
    })
}

/// What a private key is sealed for.
fn key_of(id: &str) -> String {
    format!("token key {id}")
}

const KEYS: &str =
    "SELECT kid, environment, algorithm, since, signs_from, verifies_until, sealed FROM oauth_keys
    WHERE environment = ?1 ORDER BY signs_from, kid";
