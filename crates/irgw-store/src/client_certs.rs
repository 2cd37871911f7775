//! Client certificates, enrolled by their Common Name (TLS-6, TLS-7, TLS-12, ENV-2).

use std::collections::BTreeSet;

use irgw_core::{Environment, Grants, ProviderId, UnixTime};
use irgw_tls::{CommonName, IssuerPin};

use crate::column::{self, seconds, time_at, time_if_any, word};
use crate::parties::expect_provider;
use crate::selection::Selection;
use crate::sql::{Row, Transaction, values};
use crate::{Batch, Error, Kind, Listed, Page, Store};

/// A Common Name to be enrolled.
#[derive(Debug, Clone)]
pub struct NewClientCert {
    /// Whose it is.
    pub provider: ProviderId,
    /// Where it may be used, and nowhere else (ENV-2).
    pub environment: Environment,
    /// The name.
    pub common_name: CommonName,
    /// What the certificate opens by itself (TLS-12).
    pub grants: Grants,
    /// The certificate authority that must have issued the certificate (TLS-7).
    pub issuer_pin: Option<IssuerPin>,
}

/// An enrolled Common Name, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCert {
    /// Whose it is.
    pub provider: ProviderId,
    /// Where it may be used.
    pub environment: Environment,
    /// The name.
    pub common_name: CommonName,
    /// What the certificate opens by itself.
    pub grants: Grants,
    /// The certificate authority that must have issued the certificate.
    pub issuer_pin: Option<IssuerPin>,
    /// When it was enrolled.
    pub since: UnixTime,
    /// When it was revoked.
    pub revoked: Option<UnixTime>,
}

/// Which client certificates are listed: those that fit everything that is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientCertFilter {
    /// Only this provider's.
    pub provider: Option<ProviderId>,
    /// Only those of this environment.
    pub environment: Option<Environment>,
}

impl Batch<'_> {
    /// Enrols a Common Name.
    ///
    /// # Errors
    /// [`Error::Unknown`] for the provider; [`Error::OtherEnvironment`], [`Error::Enrolled`] or [`Error::Revoked`] when
    /// the name was ever enrolled; [`Error::DiffersByCase`]; [`Error::NothingGranted`].
    pub fn enrol_client_cert(&mut self, new: &NewClientCert, now: UnixTime) -> Result<(), Error> {
        expect_provider(self.transaction, &new.provider)?;
        if new.grants.exclusive && new.grants.services.is_empty() {
            return Err(Error::NothingGranted);
        }
        self.expect_new_common_name(&new.common_name, new.environment)?;
        self.run(
            "INSERT INTO client_certs
               (common_name, provider, environment, issuer_pin, exclusive, since, revision)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            values![
                new.common_name.as_str(),
                new.provider.as_str(),
                new.environment.name(),
                new.issuer_pin.map(IssuerPin::to_bytes),
                new.grants.exclusive,
                seconds(now),
                self.revision,
            ],
        )?;
        for service in &new.grants.services {
            let insert = "INSERT INTO client_cert_grants (common_name, service) VALUES (?1, ?2)";
            self.run(insert, values![new.common_name.as_str(), service.as_str()])?;
        }
        Ok(())
    }

    /// Replaces what a client certificate opens by itself (TLS-12).
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::Revoked`], [`Error::NothingGranted`].
    pub fn grant(&mut self, common_name: &str, grants: &Grants) -> Result<(), Error> {
        if let Some(at) = self.client_cert_revoked(common_name)? {
            return Err(Error::Revoked { kind: Kind::ClientCert, id: common_name.to_owned(), at });
        }
        if grants.exclusive && grants.services.is_empty() {
            return Err(Error::NothingGranted);
        }
        self.run(
            "UPDATE client_certs SET exclusive = ?2, revision = ?3 WHERE common_name = ?1",
            values![common_name, grants.exclusive, self.revision],
        )?;
        self.run("DELETE FROM client_cert_grants WHERE common_name = ?1", values![common_name])?;
        for service in &grants.services {
            let insert = "INSERT INTO client_cert_grants (common_name, service) VALUES (?1, ?2)";
            self.run(insert, values![common_name, service.as_str()])?;
        }
        Ok(())
    }

    /// Revokes a Common Name for ever; since when it is, which is earlier than `now` when it was already.
    ///
    /// # Errors
    /// [`Error::Unknown`].
    pub fn revoke_client_cert(&mut self, common_name: &str, now: UnixTime) -> Result<UnixTime, Error> {
        if let Some(at) = self.client_cert_revoked(common_name)? {
            return Ok(at);
        }
        self.run(
            "UPDATE client_certs SET revoked = ?2, revision = ?3 WHERE common_name = ?1",
            values![common_name, seconds(now), self.revision],
        )?;
        Ok(now)
    }

    /// Revokes all client certificates of a provider, in all environments: it is no longer a caller (TLS-10). How many.
    ///
    /// # Errors
    /// [`Error::Unknown`].
    pub fn revoke_provider(&mut self, provider: &ProviderId, now: UnixTime) -> Result<usize, Error> {
        expect_provider(self.transaction, provider)?;
        self.run(
            "UPDATE client_certs SET revoked = ?2, revision = ?3 WHERE provider = ?1 AND revoked IS NULL",
            values![provider.as_str(), seconds(now), self.revision],
        )
    }

    /// Refuses a name that was ever enrolled, in any environment and any spelling.
    fn expect_new_common_name(&self, name: &CommonName, environment: Environment) -> Result<(), Error> {
        let query = format!(
            "SELECT common_name, provider, environment, revoked FROM client_certs WHERE {}",
            self.transaction.in_any_case("common_name")
        );
        let found = self.transaction.one(&query, values![name.as_str()], |row| {
            let (enrolled, holder): (String, String) = (row.get(0)?, row.get(1)?);
            Ok((enrolled, holder, column::environment(row, 2)?, time_if_any(row, 3)?))
        })?;
        let Some((enrolled, holder, enrolled_in, revoked)) = found else { return Ok(()) };
        let kind = Kind::ClientCert;
        Err(if enrolled_in != environment {
            Error::OtherEnvironment { kind, id: enrolled, environment: enrolled_in }
        } else if enrolled != name.as_str() {
            Error::DiffersByCase { enrolled }
        } else if let Some(at) = revoked {
            Error::Revoked { kind, id: enrolled, at }
        } else {
            Error::Enrolled { kind, id: enrolled, holder: format!("provider {holder}") }
        })
    }

    fn client_cert_revoked(&self, common_name: &str) -> Result<Option<UnixTime>, Error> {
        let query = "SELECT revoked FROM client_certs WHERE common_name = ?1";
        let found = self.transaction.one(query, values![common_name], |row| time_if_any(row, 0))?;
        found.ok_or_else(|| Error::Unknown(Kind::ClientCert, common_name.to_owned()))
    }
}

impl Store {
    /// As [`Batch::enrol_client_cert`].
    ///
    /// # Errors
    /// As there.
    pub fn enrol_client_cert(&self, new: &NewClientCert, now: UnixTime) -> Result<(), Error> {
        self.batch(|batch| batch.enrol_client_cert(new, now))
    }

    /// As [`Batch::grant`].
    ///
    /// # Errors
    /// As there.
    pub fn grant(&self, common_name: &str, grants: &Grants) -> Result<(), Error> {
        self.batch(|batch| batch.grant(common_name, grants))
    }

    /// As [`Batch::revoke_client_cert`].
    ///
    /// # Errors
    /// As there.
    pub fn revoke_client_cert(&self, common_name: &str, now: UnixTime) -> Result<UnixTime, Error> {
        self.batch(|batch| batch.revoke_client_cert(common_name, now))
    }

    /// As [`Batch::revoke_provider`].
    ///
    /// # Errors
    /// As there.
    pub fn revoke_provider(&self, provider: &ProviderId, now: UnixTime) -> Result<usize, Error> {
        self.batch(|batch| batch.revoke_provider(provider, now))
    }

    /// One enrolled Common Name, revoked or not.
    ///
    /// # Errors
    /// [`Error::Unknown`].
    pub fn client_cert(&self, common_name: &str) -> Result<ClientCert, Error> {
        self.read(|transaction| {
            let query = "SELECT common_name, provider, environment, issuer_pin, exclusive, since, revoked
                 FROM client_certs WHERE common_name = ?1";
            let found = transaction.one(query, values![common_name], listed)?;
            let found = found.ok_or_else(|| Error::Unknown(Kind::ClientCert, common_name.to_owned()))?;
            with_services(transaction, found)
        })
    }

    /// The enrolled Common Names, revoked ones too, by name.
    ///
    /// # Errors
    /// [`Error::Unknown`] for the provider of the filter.
    pub fn list_client_certs(
        &self,
        filter: &ClientCertFilter,
        page: &Page,
    ) -> Result<Listed<ClientCert>, Error> {
        let select = "SELECT common_name, provider, environment, issuer_pin, exclusive, since, revoked
             FROM client_certs WHERE common_name > ?1";
        let (limit, provider) = (page.probe(), filter.provider.as_ref().map(ProviderId::as_str));
        let environment = filter.environment.map(Environment::name);
        let (query, values) = Selection::after(select, &page.after)
            .only("provider", &provider)
            .only("environment", &environment)
            .page("common_name", &limit);
        self.read(|transaction| {
            filter.provider.as_ref().map_or(Ok(()), |provider| expect_provider(transaction, provider))?;
            let certs = transaction.all(&query, &values, listed)?.into_iter();
            let certs = certs.map(|cert| with_services(transaction, cert)).collect::<Result<_, _>>()?;
            Ok(page.cut(certs, |cert| cert.common_name.to_string()))
        })
    }
}

/// A row, as yet without the granted services.
fn listed(row: &Row<'_>) -> Result<ClientCert, Error> {
    Ok(ClientCert {
        common_name: word(row, 0)?,
        provider: word(row, 1)?,
        environment: column::environment(row, 2)?,
        issuer_pin: row.get::<Option<[u8; 32]>>(3)?.map(IssuerPin::from_bytes),
        grants: Grants { services: BTreeSet::new(), exclusive: row.get(4)? },
        since: time_at(row, 5)?,
        revoked: time_if_any(row, 6)?,
    })
}

fn with_services(transaction: &Transaction<'_>, mut cert: ClientCert) -> Result<ClientCert, Error> {
    let query = "SELECT service FROM client_cert_grants WHERE common_name = ?1";
    let services = transaction.all(query, values![cert.common_name.as_str()], |row| word(row, 0))?;
    cert.grants.services = services.into_iter().collect();
    Ok(cert)
}
