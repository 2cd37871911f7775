//! OAuth clients, registered for one environment each (OA-2, OA-4, GW-2, ENV-2).

use irgw_core::{ClientId, ClientKind, Environment, ProviderId, UnixTime};
use irgw_oauth::opaque::Digest;
use irgw_oauth::registration::RedirectUri;
use irgw_oauth::signing::Algorithm;

use crate::column::{self, check_text, number, seconds, time_at, time_if_any, word};
use crate::families::{self, Of};
use crate::parties::expect_provider;
use crate::registered::{CLIENT_COLUMNS, redirect_uri};
use crate::selection::Selection;
use crate::sql::{Row, Transaction, values};
use crate::{Batch, Error, Kind, Listed, Page, Store};

/// A client to be registered.
#[derive(Debug, Clone)]
pub struct NewClient {
    /// Its id: taken once, in one environment (ENV-2).
    pub id: ClientId,
    /// Whose it is (GW-2).
    pub provider: ProviderId,
    /// Where it may be used, and nowhere else (ENV-2).
    pub environment: Environment,
    /// What customers read on the consent page: 1 to 256 bytes.
    pub name: String,
    /// Cloud or native.
    pub kind: ClientKind,
    /// What its access tokens are signed with (OA-10).
    pub algorithm: Algorithm,
    /// Where answers may be sent (OA-4): at least one, each as [`RedirectUri::register`] takes it.
    pub redirect_uris: Vec<String>,
    /// The digest of its first secret (OA-2).
    pub secret: Digest,
}

/// A registered client, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredClient {
    /// Its id.
    pub id: ClientId,
    /// Whose it is.
    pub provider: ProviderId,
    /// Where it may be used.
    pub environment: Environment,
    /// What customers read on the consent page.
    pub name: String,
    /// Cloud or native.
    pub kind: ClientKind,
    /// What its access tokens are signed with.
    pub algorithm: Algorithm,
    /// Where answers may be sent.
    pub redirect_uris: Vec<RedirectUri>,
    /// Since when it has each secret that is in force, the older one first.
    pub secrets: Vec<UnixTime>,
    /// When it was registered.
    pub since: UnixTime,
    /// When it was disabled.
    pub disabled: Option<UnixTime>,
}

/// Which clients are listed: those that fit everything that is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientFilter {
    /// Only this provider's.
    pub provider: Option<ProviderId>,
    /// Only those of this environment.
    pub environment: Option<Environment>,
}

/// What becomes of a client's secret when there is a new one (OA-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OldSecret {
    /// It is in force beside the new one, until [`Batch::end_old_secrets`].
    Kept,
    /// It ends at once: somebody else may know it.
    Ended,
}

impl Batch<'_> {
    /// Registers a client.
    ///
    /// # Errors
    /// [`Error::Unknown`] for the provider; [`Error::Exists`] or [`Error::OtherEnvironment`] when the id was ever taken;
    /// [`Error::Text`] for the name; [`Error::NoRedirectUri`], [`Error::RedirectUri`].
    pub fn add_client(&mut self, new: &NewClient, now: UnixTime) -> Result<(), Error> {
        expect_provider(self.transaction, &new.provider)?;
        check_text("a client's name", &new.name, NAME_LIMIT_BYTES)?;
        check_redirect_uris(&new.redirect_uris, new.kind)?;
        if let Some(environment) = self.client_environment(&new.id)? {
            let (kind, id) = (Kind::Client, new.id.to_string());
            return Err(match environment == new.environment {
                true => Error::Exists(kind, id),
                false => Error::OtherEnvironment { kind, id, environment },
            });
        }
        self.run(
            "INSERT INTO clients (id, provider, environment, name, kind, algorithm, since, revision)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            values![
                new.id.as_str(),
                new.provider.as_str(),
                new.environment.name(),
                new.name,
                new.kind.name(),
                new.algorithm.name(),
                seconds(now),
                self.revision,
            ],
        )?;
        self.insert_redirect_uris(&new.id, &new.redirect_uris)?;
        self.insert_secret(&new.id, &new.secret, now)
    }

    /// Replaces a client's redirect URIs (OA-4). A code that waits for its redemption keeps its own.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::Revoked`] for one that is disabled; [`Error::NoRedirectUri`], [`Error::RedirectUri`].
    pub fn set_redirect_uris(&mut self, client: &ClientId, uris: &[String]) -> Result<(), Error> {
        self.expect_enabled_client(client)?;
        let query = "SELECT kind FROM clients WHERE id = ?1";
        let kind = self.transaction.one(query, values![client.as_str()], |row| word(row, 0))?;
        check_redirect_uris(uris, kind.ok_or_else(|| unknown(client))?)?;
        self.run("DELETE FROM redirect_uris WHERE client = ?1", values![client.as_str()])?;
        self.insert_redirect_uris(client, uris)?;
        self.touch_client(client)
    }

    /// Gives a client a new secret (OA-2).
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::Revoked`] for one that is disabled; [`Error::TwoSecrets`] when two are in force and the
    /// old ones are to be kept.
    pub fn rotate_secret(
        &mut self,
        client: &ClientId,
        secret: &Digest,
        old: OldSecret,
        now: UnixTime,
    ) -> Result<(), Error> {
        self.expect_enabled_client(client)?;
        match old {
            OldSecret::Ended => drop(self.end_secrets(client, 0, now)?),
            OldSecret::Kept => {
                let count = "SELECT count(*) FROM client_secrets WHERE client = ?1 AND ended IS NULL";
                let count = self.transaction.one(count, values![client.as_str()], |row| number(row, 0))?;
                if count.unwrap_or(0) >= 2 {
                    return Err(Error::TwoSecrets(client.clone()));
                }
            }
        }
        self.insert_secret(client, secret, now)?;
        self.touch_client(client)
    }

    /// Ends the secrets of a client that have a successor: it has changed over to the new one (OA-2). How many.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::Revoked`] for one that is disabled.
    pub fn end_old_secrets(&mut self, client: &ClientId, now: UnixTime) -> Result<usize, Error> {
        self.expect_enabled_client(client)?;
        let ended = self.end_secrets(client, 1, now)?;
        self.touch_client(client)?;
        Ok(ended)
    }

    /// Disables a client for ever, and revokes all that it was granted; since when it is, which is earlier than `now` when
    /// it was already.
    ///
    /// # Errors
    /// [`Error::Unknown`].
    pub fn disable_client(&mut self, client: &ClientId, now: UnixTime) -> Result<UnixTime, Error> {
        if let Some(at) = self.client_disabled(client)? {
            return Ok(at);
        }
        self.run(
            "UPDATE clients SET disabled = ?2, revision = ?3 WHERE id = ?1",
            values![client.as_str(), seconds(now), self.revision],
        )?;
        families::revoke(self.transaction, Of::Client(client), now)?;
        Ok(now)
    }

    fn insert_redirect_uris(&self, client: &ClientId, uris: &[String]) -> Result<(), Error> {
        let insert = "INSERT INTO redirect_uris (client, uri) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        uris.iter().try_for_each(|uri| self.run(insert, values![client.as_str(), uri]).map(drop))
    }

    fn insert_secret(&self, client: &ClientId, secret: &Digest, now: UnixTime) -> Result<(), Error> {
        self.run(
            "INSERT INTO client_secrets (digest, client, number, since)
             SELECT ?1, ?2, 1 + coalesce(max(number), 0), ?3 FROM client_secrets WHERE client = ?2",
            values![secret, client.as_str(), seconds(now)],
        )?;
        Ok(())
    }

    /// Ends all secrets in force but the newest `kept`; how many.
    fn end_secrets(&self, client: &ClientId, kept: i64, now: UnixTime) -> Result<usize, Error> {
        self.run(
            "UPDATE client_secrets SET ended = ?2 WHERE client = ?1 AND ended IS NULL AND number <=
               (SELECT max(number) - ?3 FROM client_secrets WHERE client = ?1)",
            values![client.as_str(), seconds(now), kept],
        )
    }

    /// Lets registries read the client anew.
    fn touch_client(&self, client: &ClientId) -> Result<(), Error> {
        let update = "UPDATE clients SET revision = ?2 WHERE id = ?1";
        self.run(update, values![client.as_str(), self.revision]).map(drop)
    }

    fn expect_enabled_client(&self, client: &ClientId) -> Result<(), Error> {
        match self.client_disabled(client)? {
            Some(at) => Err(Error::Revoked { kind: Kind::Client, id: client.to_string(), at }),
            None => Ok(()),
        }
    }

    fn client_disabled(&self, client: &ClientId) -> Result<Option<UnixTime>, Error> {
        let query = "SELECT disabled FROM clients WHERE id = ?1";
        let found = self.transaction.one(query, values![client.as_str()], |row| time_if_any(row, 0))?;
        found.ok_or_else(|| unknown(client))
    }

    fn client_environment(&self, client: &ClientId) -> Result<Option<Environment>, Error> {
        let query = "SELECT environment FROM clients WHERE id = ?1";
        self.transaction.one(query, values![client.as_str()], |row| column::environment(row, 0))
    }
}

impl Store {
    /// As [`Batch::add_client`].
    ///
    /// # Errors
    /// As there.
    pub fn add_client(&self, new: &NewClient, now: UnixTime) -> Result<(), Error> {
        self.batch(|batch| batch.add_client(new, now))
    }

    /// As [`Batch::set_redirect_uris`].
    ///
    /// # Errors
    /// As there.
    pub fn set_redirect_uris(&self, client: &ClientId, uris: &[String]) -> Result<(), Error> {
        self.batch(|batch| batch.set_redirect_uris(client, uris))
    }

    /// As [`Batch::rotate_secret`].
    ///
    /// # Errors
    /// As there.
    pub fn rotate_secret(
        &self,
        client: &ClientId,
        secret: &Digest,
        old: OldSecret,
        now: UnixTime,
    ) -> Result<(), Error> {
        self.batch(|batch| batch.rotate_secret(client, secret, old, now))
    }

    /// As [`Batch::end_old_secrets`].
    ///
    /// # Errors
    /// As there.
    pub fn end_old_secrets(&self, client: &ClientId, now: UnixTime) -> Result<usize, Error> {
        self.batch(|batch| batch.end_old_secrets(client, now))
    }

    /// As [`Batch::disable_client`].
    ///
    /// # Errors
    /// As there.
    pub fn disable_client(&self, client: &ClientId, now: UnixTime) -> Result<UnixTime, Error> {
        self.batch(|batch| batch.disable_client(client, now))
    }

    /// One client, disabled or not.
    ///
    /// # Errors
    /// [`Error::Unknown`].
    pub fn client(&self, client: &ClientId) -> Result<RegisteredClient, Error> {
        self.read(|transaction| {
            let query = format!("SELECT {CLIENT_COLUMNS} FROM clients WHERE id = ?1");
            let found = transaction.one(&query, values![client.as_str()], listed)?;
            with_parts(transaction, found.ok_or_else(|| unknown(client))?)
        })
    }

    /// The clients, disabled ones too, by id.
    ///
    /// # Errors
    /// [`Error::Unknown`] for the provider of the filter.
    pub fn list_clients(
        &self,
        filter: &ClientFilter,
        page: &Page,
    ) -> Result<Listed<RegisteredClient>, Error> {
        let select = format!("SELECT {CLIENT_COLUMNS} FROM clients WHERE id > ?1");
        let (limit, provider) = (page.probe(), filter.provider.as_ref().map(ProviderId::as_str));
        let environment = filter.environment.map(Environment::name);
        let (query, values) = Selection::after(select, &page.after)
            .only("provider", &provider)
            .only("environment", &environment)
            .page("id", &limit);
        self.read(|transaction| {
            filter.provider.as_ref().map_or(Ok(()), |provider| expect_provider(transaction, provider))?;
            let clients = transaction.all(&query, &values, listed)?.into_iter();
            let clients = clients.map(|client| with_parts(transaction, client)).collect::<Result<_, _>>()?;
            Ok(page.cut(clients, |client| client.id.to_string()))
        })
    }
}

/// OA-4, C03.
fn check_redirect_uris(uris: &[String], kind: ClientKind) -> Result<(), Error> {
    if uris.is_empty() {
        return Err(Error::NoRedirectUri);
    }
    uris.iter().try_for_each(|uri| {
        let registered = RedirectUri::register(uri, kind).map(drop);
        registered.map_err(|fault| Error::RedirectUri { uri: uri.clone(), fault })
    })
}

/// A row, as yet without the redirect URIs and secrets.
fn listed(row: &Row<'_>) -> Result<RegisteredClient, Error> {
    Ok(RegisteredClient {
        id: word(row, 0)?,
        provider: word(row, 1)?,
        name: row.get(2)?,
        kind: word(row, 3)?,
        algorithm: word(row, 4)?,
        environment: column::environment(row, 5)?,
        disabled: time_if_any(row, 6)?,
        since: time_at(row, 7)?,
        redirect_uris: Vec::new(),
        secrets: Vec::new(),
    })
}

fn with_parts(
    transaction: &Transaction<'_>,
    mut client: RegisteredClient,
) -> Result<RegisteredClient, Error> {
    let id = client.id.as_str();
    let uris = "SELECT uri FROM redirect_uris WHERE client = ?1 ORDER BY uri";
    let read_uri = |row: &Row<'_>| redirect_uri(column::text(row, 0)?, client.kind);
    client.redirect_uris = transaction.all(uris, values![id], read_uri)?;
    let secrets = "SELECT since FROM client_secrets WHERE client = ?1 AND ended IS NULL ORDER BY number";
    client.secrets = transaction.all(secrets, values![id], |row| time_at(row, 0))?;
    Ok(client)
}

fn unknown(client: &ClientId) -> Error {
    Error::Unknown(Kind::Client, client.to_string())
}

const NAME_LIMIT_BYTES: usize = 256;
