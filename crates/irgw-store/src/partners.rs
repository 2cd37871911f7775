//! Providers' file servers, one for each file environment (SFTP-1, SFTP-2, PGP-1).

use std::num::NonZeroU8;

use irgw_core::{ProviderId, UnixTime};
use irgw_sftp::delivery::Partner;
use irgw_sftp::fileset::EnvironmentCode;
use irgw_sftp::pgp::{Compression, Container, PartnerCert, Terms};
use irgw_sftp::ssh::HostPins;
use irgw_sftp::ssh::sftp::Folder;

use crate::column::{seconds, text, time_at, time_if_any, word, word_if_any};
use crate::parties::expect_provider;
use crate::sql::{Row, Transaction, Turn, values};
use crate::sqlite::connections::PATIENCE;
use crate::{Error, Kind, Store};

/// A provider's file server as it is enrolled.
#[derive(Debug, Clone)]
pub struct EnrolledPartner {
    /// What is known of it.
    pub partner: Partner,
    /// Since when.
    pub since: UnixTime,
    /// When it was disabled: nothing is delivered to it.
    pub disabled: Option<UnixTime>,
}

impl Store {
    /// Enrols a provider's file server, in the place of the one that it has in this file environment.
    ///
    /// # Errors
    /// [`Error::Unknown`] for the provider.
    pub fn set_partner(&self, partner: &Partner, now: UnixTime) -> Result<(), Error> {
        let upsert = "INSERT INTO partners (provider, environment, platform, host, port, login, host_pin, next_host_pin,
               certificate, fingerprint, container, sha1_until, inbox, outbox, archive, compression, connections, since)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
             ON CONFLICT (provider, environment) DO UPDATE SET platform = excluded.platform, host = excluded.host,
               port = excluded.port, login = excluded.login, host_pin = excluded.host_pin,
               next_host_pin = excluded.next_host_pin, certificate = excluded.certificate,
               fingerprint = excluded.fingerprint, container = excluded.container, sha1_until = excluded.sha1_until,
               inbox = excluded.inbox, outbox = excluded.outbox, archive = excluded.archive,
               compression = excluded.compression, connections = excluded.connections, disabled = NULL";
        let terms = partner.certificate.terms();
        let container = match terms.container {
            Container::Seipd1 => "seipd1",
            Container::Seipd2 => "seipd2",
        };
        self.write(Turn::Alone, PATIENCE, |transaction| {
            transaction.expect_alone()?;
            expect_provider(transaction, &partner.provider)?;
            let values = values![
                partner.provider.as_str(),
                partner.environment.to_string(),
                partner.platform.to_string(),
                partner.host,
                i64::from(partner.port),
                partner.login,
                partner.pins.current.to_string(),
                partner.pins.next.as_ref().map(ToString::to_string),
                partner.certificate.to_bytes(),
                partner.certificate.fingerprint().to_string(),
                container,
                terms.sha1_bindings_until.map(seconds),
                partner.inbox.as_str(),
                partner.outbox.as_ref().map(Folder::as_str),
                partner.archive.as_ref().map(Folder::as_str),
                partner.compression.name(),
                i64::from(partner.connections.get()),
                seconds(now),
            ];
            transaction.execute(upsert, values)?;
            Ok(())
        })
        .inspect(|()| self.settle())
    }

    /// Ends deliveries to a file server, until it is set again.
    ///
    /// # Errors
    /// [`Error::Unknown`].
    pub fn disable_partner(
        &self,
        provider: &ProviderId,
        environment: EnvironmentCode,
        now: UnixTime,
    ) -> Result<(), Error> {
        let disable =
            "UPDATE partners SET disabled = coalesce(disabled, ?3) WHERE provider = ?1 AND environment = ?2";
        let environment = environment.to_string();
        self.write(Turn::Alone, PATIENCE, |transaction| {
            transaction.expect_alone()?;
            match transaction.execute(disable, values![provider.as_str(), environment, seconds(now)])? {
                0 => Err(unknown(provider, &environment)),
                _ => Ok(()),
            }
        })
        .inspect(|()| self.settle())
    }

    /// A provider's file server in a file environment, if it is not disabled.
    ///
    /// # Errors
    /// [`Error::Unknown`]; [`Error::Revoked`] when it is disabled.
    pub fn partner(&self, provider: &ProviderId, environment: EnvironmentCode) -> Result<Partner, Error> {
        let environment = environment.to_string();
        let query = format!("{PARTNERS} WHERE provider = ?1 AND environment = ?2");
        let found = self
            .read(|transaction| transaction.one(&query, values![provider.as_str(), environment], enrolled))?;
        match found.ok_or_else(|| unknown(provider, &environment))? {
            EnrolledPartner { disabled: Some(at), .. } => {
                Err(Error::Revoked { kind: Kind::Partner, id: format!("{provider} in {environment}"), at })
            }
            EnrolledPartner { partner, .. } => Ok(partner),
        }
    }

    /// All file servers, or one provider's, disabled ones too.
    ///
    /// # Errors
    /// Faults of the database.
    pub fn list_partners(&self, provider: Option<&ProviderId>) -> Result<Vec<EnrolledPartner>, Error> {
        self.read(|transaction: &Transaction<'_>| match provider {
            None => {
                transaction.all(&format!("{PARTNERS} ORDER BY provider, environment"), values![], enrolled)
            }
            Some(provider) => {
                let query = format!("{PARTNERS} WHERE provider = ?1 ORDER BY environment");
                transaction.all(&query, values![provider.as_str()], enrolled)
            }
        })
    }
}

const PARTNERS: &str = "SELECT provider, environment, platform, host, port, login, host_pin, next_host_pin, certificate,
       fingerprint, container, sha1_until, inbox, outbox, archive, compression, connections, since, disabled FROM partners";

fn enrolled(row: &Row<'_>) -> Result<EnrolledPartner, Error> {
    let container = match text(row, 10)? {
        "seipd2" => Container::Seipd2,
        _ => Container::Seipd1,
    };
    let terms = Terms { sha1_bindings_until: time_if_any(row, 11)?, container };
    let certificate: Vec<u8> = row.get(8)?;
    let certificate = PartnerCert::restore(&certificate, &word(row, 9)?, terms)
        .map_err(|error| Error::Corrupt(error.to_string()))?;
    let partner = Partner {
        provider: word(row, 0)?,
        environment: word(row, 1)?,
        platform: word(row, 2)?,
        host: row.get(3)?,
        port: small(row, 4)?,
        login: row.get(5)?,
        pins: HostPins { current: word(row, 6)?, next: word_if_any(row, 7)? },
        inbox: word(row, 12)?,
        outbox: word_if_any(row, 13)?,
        archive: word_if_any(row, 14)?,
        certificate,
        compression: word::<Compression>(row, 15)?,
        connections: NonZeroU8::new(small(row, 16)?)
            .ok_or_else(|| Error::Corrupt("a file server without connections".to_owned()))?,
    };
    Ok(EnrolledPartner { partner, since: time_at(row, 17)?, disabled: time_if_any(row, 18)? })
}

fn small<T: TryFrom<i64>>(row: &Row<'_>, index: usize) -> Result<T, Error> {
    let value: i64 = row.get(index)?;
    T::try_from(value).map_err(|_| Error::Corrupt(format!("{value} cannot stand in column {index}")))
}

fn unknown(provider: &ProviderId, environment: &str) -> Error {
    Error::Unknown(Kind::Partner, format!("{provider} in {environment}"))
}
