//! Providers, resource owners, and what links them (ENV-1, M2M-7, M2M-9).

use irgw_core::{Logon, OwnerId, ProviderId, UnixTime};

use crate::column::{check_text, number, seconds, time_at, word};
use crate::sql::{Bind, Transaction, values};
use crate::{Batch, Error, Kind, Listed, Page, Store};

/// A digital service provider, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// Its id.
    pub id: ProviderId,
    /// Its name.
    pub name: String,
    /// When it was added.
    pub since: UnixTime,
    /// How many client certificates of it are in force, in all environments.
    pub client_certs: u64,
    /// How many resource owners it acts for.
    pub owners: u64,
}

/// A resource owner, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Its id.
    pub id: OwnerId,
    /// Its name.
    pub name: String,
    /// When it was added.
    pub since: UnixTime,
    /// How many providers act for it.
    pub providers: u64,
    /// How many logons are linked to it.
    pub logons: u64,
    /// How many signing certificates of it are not revoked, in all environments.
    pub signing_certs: u64,
}

impl Batch<'_> {
    /// Adds a provider. The name has 1 to 256 bytes.
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::Text`].
    pub fn add_provider(&mut self, id: &ProviderId, name: &str, now: UnixTime) -> Result<(), Error> {
        check_text("a provider's name", name, NAME_LIMIT_BYTES)?;
        let insert = "INSERT INTO providers (id, name, since) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
        match self.run(insert, values![id.as_str(), name, seconds(now)])? {
            0 => Err(Error::Exists(Kind::Provider, id.to_string())),
            _ => Ok(()),
        }
    }

    /// Adds a resource owner. The name has 1 to 256 bytes.
    ///
    /// A provider that signs on its own behalf (M2M-9) is added as a resource owner too, and linked to itself.
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::Text`].
    pub fn add_owner(&mut self, id: &OwnerId, name: &str, now: UnixTime) -> Result<(), Error> {
        check_text("a resource owner's name", name, NAME_LIMIT_BYTES)?;
        let insert = "INSERT INTO owners (id, name, since) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
        match self.run(insert, values![id.as_str(), name, seconds(now)])? {
            0 => Err(Error::Exists(Kind::Owner, id.to_string())),
            _ => Ok(()),
        }
    }

    /// Lets a provider act for a resource owner (M2M-9). Says nothing when it may already.
    ///
    /// # Errors
    /// [`Error::Unknown`] for either party.
    pub fn link(&mut self, provider: &ProviderId, owner: &OwnerId, now: UnixTime) -> Result<(), Error> {
        expect_provider(self.transaction, provider)?;
        expect_owner(self.transaction, owner)?;
        let upsert = "INSERT INTO acts_for (owner, provider, since, revision) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (owner, provider) DO UPDATE
             SET since = excluded.since, ended = NULL, revision = excluded.revision WHERE acts_for.ended IS NOT NULL";
        self.run(upsert, values![owner.as_str(), provider.as_str(), seconds(now), self.revision])?;
        Ok(())
    }

    /// Ends a provider's right to act for a resource owner.
    ///
    /// # Errors
    /// [`Error::Unknown`] when it has none.
    pub fn unlink(&mut self, provider: &ProviderId, owner: &OwnerId, now: UnixTime) -> Result<(), Error> {
        let end = "UPDATE acts_for SET ended = ?3, revision = ?4
             WHERE owner = ?1 AND provider = ?2 AND ended IS NULL";
        match self.run(end, values![owner.as_str(), provider.as_str(), seconds(now), self.revision])? {
            0 => Err(Error::Unknown(Kind::Link, format!("of provider {provider} to resource owner {owner}"))),
            _ => Ok(()),
        }
    }

    /// Links a myIR logon to a resource owner (M2M-7). Says nothing when it is linked already.
    ///
    /// # Errors
    /// [`Error::Unknown`] for the owner.
    pub fn link_logon(&mut self, owner: &OwnerId, logon: &Logon, now: UnixTime) -> Result<(), Error> {
        expect_owner(self.transaction, owner)?;
        let upsert = "INSERT INTO logons (owner, logon, since, revision) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (owner, logon) DO UPDATE
             SET since = excluded.since, ended = NULL, revision = excluded.revision WHERE logons.ended IS NOT NULL";
        self.run(upsert, values![owner.as_str(), logon.as_str(), seconds(now), self.revision])?;
        Ok(())
    }

    /// Ends a logon's link to a resource owner.
    ///
    /// # Errors
    /// [`Error::Unknown`] when it is not linked.
    pub fn unlink_logon(&mut self, owner: &OwnerId, logon: &Logon, now: UnixTime) -> Result<(), Error> {
        let end = "UPDATE logons SET ended = ?3, revision = ?4
             WHERE owner = ?1 AND logon = ?2 AND ended IS NULL";
        match self.run(end, values![owner.as_str(), logon.as_str(), seconds(now), self.revision])? {
            0 => Err(Error::Unknown(Kind::Logon, format!("{logon} of resource owner {owner}"))),
            _ => Ok(()),
        }
    }

    /// Runs one statement; how many rows it changed.
    pub(crate) fn run(&self, statement: &str, values: &[&dyn Bind]) -> Result<usize, Error> {
        self.transaction.execute(statement, values)
    }
}

impl Store {
    /// As [`Batch::add_provider`].
    ///
    /// # Errors
    /// As there.
    pub fn add_provider(&self, id: &ProviderId, name: &str, now: UnixTime) -> Result<(), Error> {
        self.batch(|batch| batch.add_provider(id, name, now))
    }

    /// As [`Batch::add_owner`].
    ///
    /// # Errors
    /// As there.
    pub fn add_owner(&self, id: &OwnerId, name: &str, now: UnixTime) -> Result<(), Error> {
        self.batch(|batch| batch.add_owner(id, name, now))
    }

    /// As [`Batch::link`].
    ///
    /// # Errors
    /// As there.
    pub fn link(&self, provider: &ProviderId, owner: &OwnerId, now: UnixTime) -> Result<(), Error> {
        self.batch(|batch| batch.link(provider, owner, now))
    }

    /// As [`Batch::unlink`].
    ///
    /// # Errors
    /// As there.
    pub fn unlink(&self, provider: &ProviderId, owner: &OwnerId, now: UnixTime) -> Result<(), Error> {
        self.batch(|batch| batch.unlink(provider, owner, now))
    }

    /// As [`Batch::link_logon`].
    ///
    /// # Errors
    /// As there.
    pub fn link_logon(&self, owner: &OwnerId, logon: &Logon, now: UnixTime) -> Result<(), Error> {
        self.batch(|batch| batch.link_logon(owner, logon, now))
    }

    /// As [`Batch::unlink_logon`].
    ///
    /// # Errors
    /// As there.
    pub fn unlink_logon(&self, owner: &OwnerId, logon: &Logon, now: UnixTime) -> Result<(), Error> {
        self.batch(|batch| batch.unlink_logon(owner, logon, now))
    }

    /// The providers, by id.
    ///
    /// # Errors
    /// Faults of the database.
    pub fn list_providers(&self, page: &Page) -> Result<Listed<Provider>, Error> {
        self.providers(None, page)
    }

    /// The providers that act for one resource owner (M2M-9), by id.
    ///
    /// # Errors
    /// [`Error::Unknown`] for the owner.
    pub fn list_providers_of(&self, owner: &OwnerId, page: &Page) -> Result<Listed<Provider>, Error> {
        self.providers(Some(owner), page)
    }

    fn providers(&self, of: Option<&OwnerId>, page: &Page) -> Result<Listed<Provider>, Error> {
        let query = "SELECT id, name, since,
               (SELECT count(*) FROM client_certs WHERE provider = providers.id AND revoked IS NULL),
               (SELECT count(*) FROM acts_for WHERE provider = providers.id AND ended IS NULL)
             FROM providers WHERE id > ?1 AND
               (CAST(?3 AS TEXT) IS NULL OR EXISTS (SELECT 1 FROM acts_for
                 WHERE owner = ?3 AND provider = providers.id AND ended IS NULL))
             ORDER BY id LIMIT ?2";
        self.read(|transaction| {
            of.map_or(Ok(()), |owner| expect_owner(transaction, owner))?;
            let of = of.map(OwnerId::as_str);
            let providers = transaction.all(query, values![page.after, page.probe(), of], |row| {
                Ok(Provider {
                    id: word(row, 0)?,
                    name: row.get(1)?,
                    since: time_at(row, 2)?,
                    client_certs: number(row, 3)?,
                    owners: number(row, 4)?,
                })
            })?;
            Ok(page.cut(providers, |provider| provider.id.to_string()))
        })
    }

    /// The resource owners, or those that one provider acts for, by id.
    ///
    /// # Errors
    /// [`Error::Unknown`] for the provider.
    pub fn list_owners(&self, of: Option<&ProviderId>, page: &Page) -> Result<Listed<Owner>, Error> {
        let query = "SELECT id, name, since,
               (SELECT count(*) FROM acts_for WHERE owner = owners.id AND ended IS NULL),
               (SELECT count(*) FROM logons WHERE owner = owners.id AND ended IS NULL),
               (SELECT count(*) FROM signing_certs WHERE owner = owners.id AND revoked IS NULL)
             FROM owners WHERE id > ?1 AND
               (CAST(?3 AS TEXT) IS NULL OR EXISTS (SELECT 1 FROM acts_for
                 WHERE provider = ?3 AND owner = owners.id AND ended IS NULL))
             ORDER BY id LIMIT ?2";
        self.read(|transaction| {
            of.map_or(Ok(()), |provider| expect_provider(transaction, provider))?;
            let of = of.map(ProviderId::as_str);
            let owners = transaction.all(query, values![page.after, page.probe(), of], |row| {
                Ok(Owner {
                    id: word(row, 0)?,
                    name: row.get(1)?,
                    since: time_at(row, 2)?,
                    providers: number(row, 3)?,
                    logons: number(row, 4)?,
                    signing_certs: number(row, 5)?,
                })
            })?;
            Ok(page.cut(owners, |owner| owner.id.to_string()))
        })
    }

    /// The logons that are linked to a resource owner.
    ///
    /// # Errors
    /// [`Error::Unknown`] for the owner.
    pub fn list_logons(&self, owner: &OwnerId, page: &Page) -> Result<Listed<Logon>, Error> {
        let query = "SELECT logon FROM logons
             WHERE owner = ?1 AND ended IS NULL AND logon > ?2 ORDER BY logon LIMIT ?3";
        self.read(|transaction| {
            expect_owner(transaction, owner)?;
            let values = values![owner.as_str(), page.after, page.probe()];
            Ok(page.cut(transaction.all(query, values, |row| word(row, 0))?, Logon::to_string))
        })
    }
}

pub(crate) fn expect_provider(transaction: &Transaction<'_>, id: &ProviderId) -> Result<(), Error> {
    expect(transaction, Kind::Provider, "SELECT 1 FROM providers WHERE id = ?1", id.as_str())
}

pub(crate) fn expect_owner(transaction: &Transaction<'_>, id: &OwnerId) -> Result<(), Error> {
    expect(transaction, Kind::Owner, "SELECT 1 FROM owners WHERE id = ?1", id.as_str())
}

fn expect(transaction: &Transaction<'_>, kind: Kind, query: &str, id: &str) -> Result<(), Error> {
    let found = transaction.finds(query, values![id])?;
    if found { Ok(()) } else { Err(Error::Unknown(kind, id.to_owned())) }
}

const NAME_LIMIT_BYTES: usize = 256;
