//! What enrolment says at one revision, as it is read from the database: wholly, or what changed since.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use irgw_core::{Environment, Grants, Logon, Missing, OwnerId, ProviderId, ServiceName, Thumbprint};
use irgw_m2m::Credential;
use irgw_tls::{Enrolment, IssuerPin};
use rusqlite::{Connection, Row};

use crate::Error;
use crate::column::{self, word};
use crate::revision::Revision;
use crate::shards::Shards;
use crate::signing_certs::{COLUMNS, certificate, legacy_sha1};

/// What enrolment says about one environment, at one revision. Never changed: the next one shares what is the same.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) environment: Environment,
    pub(crate) revision: Revision,
    pub(crate) client_certs: Shards<Arc<str>, Entry<Enrolment>>,
    pub(crate) signing_certs: Shards<Thumbprint, Entry<Credential>>,
    pub(crate) by_sha1: Shards<[u8; 20], Entry<Credential>>,
    pub(crate) owners: Shards<OwnerId, Arc<OwnerLinks>>,
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
    /// Reads everything. `connection` is in a transaction, so that all of it is of one revision.
    pub(crate) fn load(connection: &Connection, environment: Environment) -> Result<Snapshot, Error> {
        let count = |table| {
            let mut query = connection.prepare(&format!("SELECT count(*) FROM {table}"))?;
            let count: i64 = query.query_row([], |row| row.get(0))?;
            Ok::<_, Error>(usize::try_from(count).unwrap_or(0))
        };
        let signing = count("signing_certs")?;
        let mut snapshot = Snapshot {
            environment,
            revision: Revision::default(),
            client_certs: Shards::with_room_for(count("client_certs")?),
            signing_certs: Shards::with_room_for(signing),
            by_sha1: Shards::with_room_for(signing),
            owners: Shards::with_room_for(count("owners")?),
        };
        snapshot.read(connection, Rows::All)?;
        Ok(snapshot)
    }

    /// Reads what changed since this snapshot; the next one. Also in a transaction.
    pub(crate) fn advance(&self, connection: &Connection) -> Result<(Snapshot, usize), Error> {
        let mut next = self.clone();
        let rows = next.read(connection, Rows::Since(self.revision.value))?;
        Ok((next, rows))
    }

    /// Applies rows; how many.
    fn read(&mut self, connection: &Connection, rows: Rows) -> Result<usize, Error> {
        let mut names = Names::default();
        let changed = self.read_client_certs(connection, rows, &mut names)?
            + self.read_signing_certs(connection, rows)?
            + self.read_providers_of_owners(connection, rows, &mut names)?
            + self.read_logons_of_owners(connection, rows)?;
        self.revision = Revision::current(connection)?;
        Ok(changed)
    }

    fn read_client_certs(
        &mut self,
        connection: &Connection,
        rows: Rows,
        names: &mut Names,
    ) -> Result<usize, Error> {
        let mut granted = read_grants(connection, rows)?;
        let none = Arc::new(Grants::default());
        let query = "SELECT common_name, provider, issuer_pin, exclusive, revision, environment, revoked FROM client_certs";
        rows.each(connection, query, |row| {
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
                        issuer_pin: row.get::<_, Option<[u8; 32]>>(2)?.map(IssuerPin::from_bytes),
                        revision: column::number(row, 4)?,
                    }))
                }
            };
            self.client_certs.insert(common_name, entry);
            Ok(())
        })
    }

    fn read_signing_certs(&mut self, connection: &Connection, rows: Rows) -> Result<usize, Error> {
        let query = format!("SELECT {COLUMNS} FROM signing_certs");
        rows.each(connection, &query, |row| {
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

    fn read_providers_of_owners(
        &mut self,
        connection: &Connection,
        rows: Rows,
        names: &mut Names,
    ) -> Result<usize, Error> {
        rows.each(connection, "SELECT owner, provider, ended IS NOT NULL FROM acts_for", |row| {
            let (provider, ended) = (names.provider(text(row, 1)?)?, row.get(2)?);
            let links = self.owners.entry(word(row, 0)?);
            relink(&mut Arc::make_mut(links).providers, provider, ended);
            Ok(())
        })
    }

    fn read_logons_of_owners(&mut self, connection: &Connection, rows: Rows) -> Result<usize, Error> {
        rows.each(connection, "SELECT owner, logon, ended IS NOT NULL FROM logons", |row| {
            let (logon, ended) = (word(row, 1)?, row.get(2)?);
            let links = self.owners.entry(word(row, 0)?);
            relink(&mut Arc::make_mut(links).logons, logon, ended);
            Ok(())
        })
    }
}

/// Which rows of a table are read.
#[derive(Debug, Clone, Copy)]
enum Rows {
    All,
    /// Those changed after this revision.
    Since(u64),
}

impl Rows {
    /// Calls `apply` with each row of a table's `query`; how many there were.
    fn each(
        self,
        connection: &Connection,
        query: &str,
        mut apply: impl FnMut(&Row<'_>) -> Result<(), Error>,
    ) -> Result<usize, Error> {
        let mut query = match self {
            Rows::All => connection.prepare_cached(query)?,
            Rows::Since(_) => connection.prepare_cached(&format!("{query} WHERE revision > ?1"))?,
        };
        let mut rows = match self {
            Rows::All => query.query([])?,
            Rows::Since(revision) => query.query([i64::try_from(revision).unwrap_or(i64::MAX)])?,
        };
        let mut count = 0;
        while let Some(row) = rows.next()? {
            apply(row)?;
            count += 1;
        }
        Ok(count)
    }
}

/// Why a credential may not be used in `environment`, by its columns `environment` and `revoked`.
fn missing(row: &Row<'_>, environment: Environment, columns: [usize; 2]) -> Result<Option<Missing>, Error> {
    let [of, revoked] = columns;
    Ok(if column::environment(row, of)? != environment {
        Some(Missing::OtherEnvironment)
    } else if row.get::<_, Option<i64>>(revoked)?.is_some() {
        Some(Missing::Revoked)
    } else {
        None
    })
}

/// The granted services by Common Name, for the client certificates that [`Rows`] names.
fn read_grants(connection: &Connection, rows: Rows) -> Result<HashMap<String, BTreeSet<ServiceName>>, Error> {
    let query = match rows {
        Rows::All => "SELECT common_name, service FROM client_cert_grants",
        Rows::Since(_) => {
            "SELECT common_name, service FROM client_certs JOIN client_cert_grants USING (common_name)"
        }
    };
    let mut granted: HashMap<String, BTreeSet<ServiceName>> = HashMap::new();
    rows.each(connection, query, |row| {
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
struct Names(HashSet<ProviderId>);

impl Names {
    fn provider(&mut self, name: &str) -> Result<ProviderId, Error> {
        if let Some(known) = self.0.get(name) {
            return Ok(known.clone());
        }
        let provider = ProviderId::new(name).map_err(|error| Error::Corrupt(error.to_string()))?;
        self.0.insert(provider.clone());
        Ok(provider)
    }
}

/// The text in column `index`, where it lies.
fn text<'a>(row: &'a Row<'_>, index: usize) -> Result<&'a str, Error> {
    row.get_ref(index)?.as_str().map_err(|error| Error::Corrupt(error.to_string()))
}
