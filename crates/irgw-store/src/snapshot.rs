//! What enrolment says at one revision, as it is read from the database: wholly, or what changed since.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use irgw_core::{
    ClientId, Environment, Grants, Logon, Missing, OwnerId, ProviderId, ServiceName, Thumbprint,
};
use irgw_m2m::Credential;
use irgw_oauth::registration::Client;
use irgw_tls::{Enrolment, IssuerPin};

use crate::Error;
use crate::column::{self, text, word};
use crate::registered::{CLIENT_COLUMNS, ClientParts, client};
use crate::revision::Revision;
use crate::revocations::Revoked;
use crate::shards::Shards;
use crate::signing_certs::{COLUMNS, certificate, legacy_sha1};
use crate::sql::{Row, Transaction, values};

/// What enrolment says about one environment, at one revision. Never changed: the next one shares what is the same.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) environment: Environment,
    pub(crate) revision: Revision,
    pub(crate) client_certs: Shards<Arc<str>, Entry<Enrolment>>,
    pub(crate) signing_certs: Shards<Thumbprint, Entry<Credential>>,
    pub(crate) by_sha1: Shards<[u8; 20], Entry<Credential>>,
    pub(crate) owners: Shards<OwnerId, Arc<OwnerLinks>>,
    pub(crate) clients: Shards<ClientId, Entry<Client>>,
    pub(crate) revoked: Revoked,
}

/// An enrolled credential, or why it may not be used here: kept apart for the audit record.
#[derive(Debug)]
pub(crate) enum Entry<T> {
    Held(Arc<T>),
    Gone(Missing),
}

impl<T> Entry<T> {
    pub(crate) fn held(&self) -> Result<Arc<T>, Missing> {
        match self {
            Entry::Held(value) => Ok(value.clone()),
            Entry::Gone(missing) => Err(*missing),
        }
    }
}

impl<T> Clone for Entry<T> {
    fn clone(&self) -> Entry<T> {
        match self {
            Entry::Held(value) => Entry::Held(value.clone()),
            Entry::Gone(missing) => Entry::Gone(*missing),
        }
    }
}

/// What a resource owner is linked to, each in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct OwnerLinks {
    pub(crate) providers: Vec<ProviderId>,
    pub(crate) logons: Vec<Logon>,
}

impl Snapshot {
    /// Reads everything. `transaction` is in a transaction, so that all of it is of one revision.
    pub(crate) fn load(transaction: &Transaction<'_>, environment: Environment) -> Result<Snapshot, Error> {
        let count = |table| {
            let query = format!("SELECT count(*) FROM {table}");
            let count = transaction.one(&query, values![], |row| column::number(row, 0))?;
            Ok::<_, Error>(count.and_then(|count| usize::try_from(count).ok()).unwrap_or(0))
        };
        let signing = count("signing_certs")?;
        let mut snapshot = Snapshot {
            environment,
            revision: Revision::default(),
            client_certs: Shards::with_room_for(count("client_certs")?),
            signing_certs: Shards::with_room_for(signing),
            by_sha1: Shards::with_room_for(signing),
            owners: Shards::with_room_for(count("owners")?),
            clients: Shards::with_room_for(count("clients")?),
            revoked: Revoked::default(),
        };
        snapshot.read(transaction, Rows::All)?;
        Ok(snapshot)
    }

    /// Reads what changed since this snapshot; the next one. Also in a transaction.
    pub(crate) fn advance(&self, transaction: &Transaction<'_>) -> Result<(Snapshot, usize), Error> {
        let mut next = self.clone();
        let rows = next.read(transaction, Rows::Since(self.revision.value))?;
        Ok((next, rows))
    }

    /// Applies rows; how many.
    fn read(&mut self, transaction: &Transaction<'_>, rows: Rows) -> Result<usize, Error> {
        let mut names = Names::default();
        let changed = self.read_client_certs(transaction, rows, &mut names)?
            + self.read_signing_certs(transaction, rows)?
            + self.read_providers_of_owners(transaction, rows, &mut names)?
            + self.read_logons_of_owners(transaction, rows)?
            + self.read_clients(transaction, rows, &mut names)?
            + self.revoked.read(transaction, rows)?;
        self.revision = Revision::current(transaction)?;
        Ok(changed)
    }

    fn read_client_certs(
        &mut self,
        transaction: &Transaction<'_>,
        rows: Rows,
        names: &mut Names,
    ) -> Result<usize, Error> {
        let mut granted = read_grants(transaction, rows)?;
        let none = Arc::new(Grants::default());
        let query = "SELECT common_name, provider, issuer_pin, exclusive, revision, environment, revoked FROM client_certs";
        rows.each(transaction, query, |row| {
            let common_name: Arc<str> = text(row, 0)?.into();
            let entry = match missing(row, self.environment, [5, 6])? {
                Some(missing) => Entry::Gone(missing),
                None => {
                    let services = granted.remove(&*common_name).unwrap_or_default();
                    let grants = Grants { services, exclusive: row.get(3)? };
                    Entry::Held(Arc::new(Enrolment {
                        provider: names.provider(text(row, 1)?)?,
                        common_name: common_name.clone(),
                        grants: if grants == *none { none.clone() } else { Arc::new(grants) },
                        issuer_pin: row.get::<Option<[u8; 32]>>(2)?.map(IssuerPin::from_bytes),
                        revision: column::number(row, 4)?,
                    }))
                }
            };
            self.client_certs.insert(common_name, entry);
            Ok(())
        })
    }

    fn read_signing_certs(&mut self, transaction: &Transaction<'_>, rows: Rows) -> Result<usize, Error> {
        let query = format!("SELECT {COLUMNS} FROM signing_certs");
        rows.each(transaction, &query, |row| {
            let (thumbprint, sha1) = (Thumbprint(column::bytes(row, 0)?), column::bytes(row, 1)?);
            let entry = match missing(row, self.environment, [11, 12])? {
                Some(missing) => Entry::Gone(missing),
                None => Entry::Held(Arc::new(Credential {
                    cert: certificate(row)?,
                    issuer: text(row, 9)?.into(),
                    owner: word(row, 8)?,
                    revision: column::number(row, 14)?,
                    legacy_sha1: legacy_sha1(row)?,
                })),
            };
            self.by_sha1.insert(sha1, entry.clone());
            self.signing_certs.insert(thumbprint, entry);
            Ok(())
        })
    }

    fn read_clients(
        &mut self,
        transaction: &Transaction<'_>,
        rows: Rows,
        names: &mut Names,
    ) -> Result<usize, Error> {
        let mut parts = ClientParts::read(transaction, rows)?;
        let query = format!("SELECT {CLIENT_COLUMNS} FROM clients");
        rows.each(transaction, &query, |row| {
            let entry = match missing(row, self.environment, [5, 6])? {
                Some(missing) => Entry::Gone(missing),
                None => Entry::Held(Arc::new(client(row, names.provider(text(row, 1)?)?, &mut parts)?)),
            };
            self.clients.insert(word(row, 0)?, entry);
            Ok(())
        })
    }

    fn read_providers_of_owners(
        &mut self,
        transaction: &Transaction<'_>,
        rows: Rows,
        names: &mut Names,
    ) -> Result<usize, Error> {
        rows.each(transaction, "SELECT owner, provider, ended IS NOT NULL FROM acts_for", |row| {
            let (provider, ended) = (names.provider(text(row, 1)?)?, row.get(2)?);
            let links = self.owners.entry(word(row, 0)?);
            relink(&mut Arc::make_mut(links).providers, provider, ended);
            Ok(())
        })
    }

    fn read_logons_of_owners(&mut self, transaction: &Transaction<'_>, rows: Rows) -> Result<usize, Error> {
        rows.each(transaction, "SELECT owner, logon, ended IS NOT NULL FROM logons", |row| {
            let (logon, ended) = (word(row, 1)?, row.get(2)?);
            let links = self.owners.entry(word(row, 0)?);
            relink(&mut Arc::make_mut(links).logons, logon, ended);
            Ok(())
        })
    }
}

/// Which rows of a table are read.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rows {
    All,
    /// Those changed after this revision.
    Since(u64),
}

impl Rows {
    /// Calls `apply` with each row of a table's `query`; how many there were.
    pub(crate) fn each(
        self,
        transaction: &Transaction<'_>,
        query: &str,
        apply: impl FnMut(&Row<'_>) -> Result<(), Error>,
    ) -> Result<usize, Error> {
        match self {
            Rows::All => transaction.each(query, values![], apply),
            Rows::Since(revision) => {
                let revision = i64::try_from(revision).unwrap_or(i64::MAX);
                transaction.each(&format!("{query} WHERE revision > ?1"), values![revision], apply)
            }
        }
    }
}

/// Why a credential may not be used in `environment`, by its columns `environment` and `revoked`.
pub(crate) fn missing(
    row: &Row<'_>,
    environment: Environment,
    columns: [usize; 2],
) -> Result<Option<Missing>, Error> {
    let [of, revoked] = columns;
    Ok(if column::environment(row, of)? != environment {
        Some(Missing::OtherEnvironment)
    } else if row.get::<Option<i64>>(revoked)?.is_some() {
        Some(Missing::Revoked)
    } else {
        None
    })
}

/// The granted services by Common Name, for the client certificates that [`Rows`] names.
fn read_grants(
    transaction: &Transaction<'_>,
    rows: Rows,
) -> Result<HashMap<String, BTreeSet<ServiceName>>, Error> {
    let query = match rows {
        Rows::All => "SELECT common_name, service FROM client_cert_grants",
        Rows::Since(_) => {
            "SELECT common_name, service FROM client_certs JOIN client_cert_grants USING (common_name)"
        }
    };
    let mut granted: HashMap<String, BTreeSet<ServiceName>> = HashMap::new();
    rows.each(transaction, query, |row| {
        granted.entry(row.get(0)?).or_default().insert(word(row, 1)?);
        Ok(())
    })?;
    Ok(granted)
}

/// Adds a link that stands, removes one that ended.
fn relink<T: Ord>(links: &mut Vec<T>, other: T, ended: bool) {
    match (links.binary_search(&other), ended) {
        (Ok(at), true) => drop(links.remove(at)),
        (Err(at), false) => links.insert(at, other),
        (Ok(_), false) | (Err(_), true) => {}
    }
}

/// The names of providers that were read, so that a thousand certificates of one provider share one.
#[derive(Debug, Default)]
pub(crate) struct Names(HashSet<ProviderId>);

impl Names {
    pub(crate) fn provider(&mut self, name: &str) -> Result<ProviderId, Error> {
        if let Some(known) = self.0.get(name) {
            return Ok(known.clone());
        }
        let provider = ProviderId::new(name).map_err(|error| Error::Corrupt(error.to_string()))?;
        self.0.insert(provider.clone());
        Ok(provider)
    }
}
