//! Signing certificates of resource owners (M2M-3, M2M-5, M2M-8, ENV-2).

use irgw_core::{Environment, OwnerId, Thumbprint, UnixTime};
use irgw_m2m::{KeyKind, LegacySha1, SigningCert, SigningCertRow};

use crate::column::{self, check_text, seconds, time_at, time_if_any, word};
use crate::digest::sha256;
use crate::parties::expect_owner;
use crate::selection::Selection;
use crate::sql::{Row, values};
use crate::{Batch, Error, Kind, Listed, Page, Store};

/// A signing certificate to be enrolled.
#[derive(Debug, Clone)]
pub struct NewSigningCert {
    /// Who signs with it.
    pub owner: OwnerId,
    /// Where it may be used, and nowhere else (ENV-2).
    pub environment: Environment,
    /// The value agreed for `iss` (M2M-5): 1 to 1,024 bytes without control characters.
    ///
    /// Owner, issuer value and environment together are one credential, which may have two certificates in force, for
    /// roll-over (M2M-8).
    pub issuer: String,
    /// The certificate, checked.
    pub cert: SigningCert,
    /// The same certificate as it came, to be shown and exported.
    pub der: Vec<u8>,
    /// Whether `sub` may name it by its SHA-1 thumbprint (M2M-3).
    pub legacy_sha1: LegacySha1,
}

/// An enrolled signing certificate, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolledSigningCert {
    /// Who signs with it.
    pub owner: OwnerId,
    /// Where it may be used.
    pub environment: Environment,
    /// The value agreed for `iss`.
    pub issuer: String,
    /// The certificate.
    pub cert: SigningCert,
    /// Whether `sub` may name it by its SHA-1 thumbprint.
    pub legacy_sha1: LegacySha1,
    /// When it was enrolled.
    pub since: UnixTime,
    /// When it was revoked.
    pub revoked: Option<UnixTime>,
}

/// Which signing certificates are listed: those that fit everything that is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SigningCertFilter {
    /// Only this resource owner's.
    pub owner: Option<OwnerId>,
    /// Only those with this issuer value.
    pub issuer: Option<String>,
    /// Only those of this environment.
    pub environment: Option<Environment>,
}

impl Batch<'_> {
    /// Enrols a signing certificate, beside the one that is in force, if any.
    ///
    /// # Errors
    /// [`Error::Unknown`] for the owner; [`Error::OtherEnvironment`], [`Error::Enrolled`] or [`Error::Revoked`] when the
    /// certificate was ever enrolled, and the first also when its key is another environment's; [`Error::TwoInForce`];
    /// [`Error::OtherDer`]; [`Error::Text`] for the issuer value.
    pub fn enrol_signing_cert(&mut self, new: &NewSigningCert, now: UnixTime) -> Result<(), Error> {
        self.expect_acceptable(new)?;
        if let [first, second, ..] = self.in_force(new, now)?[..] {
            let (owner, issuer) = (new.owner.clone(), new.issuer.clone());
            return Err(Error::TwoInForce { owner, issuer, thumbprints: [first, second] });
        }
        self.insert_signing_cert(new, now)
    }

    /// Enrols a signing certificate and revokes the one that it replaces, at once (M2M-8).
    ///
    /// For a roll-over without a gap use [`Batch::enrol_signing_cert`], and revoke the old one when the signer has
    /// changed over.
    ///
    /// # Errors
    /// As [`Batch::enrol_signing_cert`], and [`Error::NotItsPredecessor`] when `old` is not an unrevoked certificate of
    /// the same owner, issuer value and environment.
    pub fn replace_signing_cert(
        &mut self,
        new: &NewSigningCert,
        old: &Thumbprint,
        now: UnixTime,
    ) -> Result<(), Error> {
        self.expect_acceptable(new)?;
        let query = "SELECT 1 FROM signing_certs
             WHERE thumbprint = ?1 AND owner = ?2 AND issuer = ?3 AND environment = ?4 AND revoked IS NULL";
        let values = values![old.0, new.owner.as_str(), new.issuer, new.environment.name()];
        if !self.transaction.finds(query, values)? {
            return Err(Error::NotItsPredecessor(*old));
        }
        let remaining: Vec<_> = self.in_force(new, now)?.into_iter().filter(|other| other != old).collect();
        if let [first, second, ..] = remaining[..] {
            let (owner, issuer) = (new.owner.clone(), new.issuer.clone());
            return Err(Error::TwoInForce { owner, issuer, thumbprints: [first, second] });
        }
        self.revoke_signing_cert(old, now)?;
        self.insert_signing_cert(new, now)
    }

    /// Revokes a signing certificate for ever; since when it is, which is earlier than `now` when it was already.
    ///
    /// # Errors
    /// [`Error::Unknown`].
    pub fn revoke_signing_cert(&mut self, thumbprint: &Thumbprint, now: UnixTime) -> Result<UnixTime, Error> {
        let query = "SELECT revoked FROM signing_certs WHERE thumbprint = ?1";
        match self.transaction.one(query, values![thumbprint.0], |row| time_if_any(row, 0))? {
            None => return Err(Error::Unknown(Kind::SigningCert, thumbprint.to_string())),
            Some(Some(at)) => return Ok(at),
            Some(None) => {}
        }
        self.run(
            "UPDATE signing_certs SET revoked = ?2, revision = ?3 WHERE thumbprint = ?1",
            values![thumbprint.0, seconds(now), self.revision],
        )?;
        Ok(now)
    }

    /// Everything that is asked of a new signing certificate but its number.
    fn expect_acceptable(&self, new: &NewSigningCert) -> Result<(), Error> {
        expect_owner(self.transaction, &new.owner)?;
        check_text("an issuer value", &new.issuer, ISSUER_LIMIT_BYTES)?;
        let thumbprint = new.cert.thumbprint();
        if sha256(&new.der) != thumbprint.0 {
            return Err(Error::OtherDer(thumbprint));
        }
        self.expect_new_thumbprint(&new.cert, new.environment)?;
        self.expect_key_of(&new.cert, new.environment)
    }

    /// Refuses a certificate that was ever enrolled, under either thumbprint.
    fn expect_new_thumbprint(&self, cert: &SigningCert, environment: Environment) -> Result<(), Error> {
        let query = "SELECT thumbprint, owner, environment, revoked FROM signing_certs
             WHERE thumbprint = ?1 OR thumbprint_sha1 = ?2";
        let values = values![cert.thumbprint().0, cert.sha1_thumbprint()];
        let found = self.transaction.one(query, values, |row| {
            let thumbprint = Thumbprint(column::bytes(row, 0)?).to_string();
            let holder: String = row.get(1)?;
            Ok((thumbprint, holder, column::environment(row, 2)?, time_if_any(row, 3)?))
        })?;
        let Some((id, holder, enrolled_in, revoked)) = found else { return Ok(()) };
        let kind = Kind::SigningCert;
        Err(if enrolled_in != environment {
            Error::OtherEnvironment { kind, id, environment: enrolled_in }
        } else if let Some(at) = revoked {
            Error::Revoked { kind, id, at }
        } else {
            Error::Enrolled { kind, id, holder: format!("resource owner {holder}") }
        })
    }

    /// Refuses a key that belongs to another environment, whatever certificate it came in (ENV-2).
    fn expect_key_of(&self, cert: &SigningCert, environment: Environment) -> Result<(), Error> {
        let query = "SELECT environment FROM signing_keys WHERE digest = ?1";
        let digest = sha256(&cert.row().public_key);
        match self.transaction.one(query, values![digest], |row| column::environment(row, 0))? {
            Some(other) if other != environment => Err(Error::OtherEnvironment {
                kind: Kind::SigningKey,
                id: cert.thumbprint().to_string(),
                environment: other,
            }),
            _ => Ok(()),
        }
    }

    /// The certificates of the same credential that are neither revoked nor expired, the one that ends first first.
    fn in_force(&self, new: &NewSigningCert, now: UnixTime) -> Result<Vec<Thumbprint>, Error> {
        let query = "SELECT thumbprint FROM signing_certs
             WHERE owner = ?1 AND issuer = ?2 AND environment = ?3 AND revoked IS NULL AND not_after >= ?4
             ORDER BY not_after, thumbprint";
        let values = values![new.owner.as_str(), new.issuer, new.environment.name(), seconds(now)];
        self.transaction.all(query, values, |row| column::bytes(row, 0).map(Thumbprint))
    }

    fn insert_signing_cert(&self, new: &NewSigningCert, now: UnixTime) -> Result<(), Error> {
        let row = new.cert.row();
        let key_digest = sha256(&row.public_key);
        self.run(
            "INSERT INTO signing_keys (digest, environment) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            values![key_digest, new.environment.name()],
        )?;
        self.run(
            "INSERT INTO signing_certs
               (thumbprint, thumbprint_sha1, owner, issuer, environment, legacy_sha1, key_kind, public_key,
                key_digest, not_before, not_after, subject, serial, since, revision)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
            values![
                row.thumbprint.0,
                row.sha1_thumbprint,
                new.owner.as_str(),
                new.issuer,
                new.environment.name(),
                new.legacy_sha1 == LegacySha1::Accepted,
                row.key_kind.name(),
                row.public_key,
                key_digest,
                seconds(row.not_before),
                seconds(row.not_after),
                row.subject,
                row.serial,
                seconds(now),
                self.revision,
            ],
        )?;
        self.run(
            "INSERT INTO signing_cert_ders (thumbprint, der) VALUES (?1, ?2)",
            values![row.thumbprint.0, new.der],
        )?;
        Ok(())
    }
}

impl Store {
    /// As [`Batch::enrol_signing_cert`].
    ///
    /// # Errors
    /// As there.
    pub fn enrol_signing_cert(&self, new: &NewSigningCert, now: UnixTime) -> Result<(), Error> {
        self.batch(|batch| batch.enrol_signing_cert(new, now))
    }

    /// As [`Batch::replace_signing_cert`].
    ///
    /// # Errors
    /// As there.
    pub fn replace_signing_cert(
        &self,
        new: &NewSigningCert,
        old: &Thumbprint,
        now: UnixTime,
    ) -> Result<(), Error> {
        self.batch(|batch| batch.replace_signing_cert(new, old, now))
    }

    /// As [`Batch::revoke_signing_cert`].
    ///
    /// # Errors
    /// As there.
    pub fn revoke_signing_cert(&self, thumbprint: &Thumbprint, now: UnixTime) -> Result<UnixTime, Error> {
        self.batch(|batch| batch.revoke_signing_cert(thumbprint, now))
    }

    /// The enrolled signing certificates, revoked ones too, by thumbprint.
    ///
    /// # Errors
    /// [`Error::Unknown`] for the owner of the filter, [`Error::After`] when the page begins after what is no thumbprint.
    pub fn list_signing_certs(
        &self,
        filter: &SigningCertFilter,
        page: &Page,
    ) -> Result<Listed<EnrolledSigningCert>, Error> {
        let select = format!("SELECT {COLUMNS} FROM signing_certs WHERE thumbprint > ?1");
        let after = match page.after.as_str() {
            "" => Vec::new(),
            key => key.parse::<Thumbprint>().map_err(|_| Error::After(key.to_owned()))?.0.to_vec(),
        };
        let (limit, owner) = (page.probe(), filter.owner.as_ref().map(OwnerId::as_str));
        let environment = filter.environment.map(Environment::name);
        let (query, values) = Selection::after(select, &after)
            .only("owner", &owner)
            .only("issuer", &filter.issuer)
            .only("environment", &environment)
            .page("thumbprint", &limit);
        self.read(|transaction| {
            filter.owner.as_ref().map_or(Ok(()), |owner| expect_owner(transaction, owner))?;
            let certs = transaction.all(&query, &values, listed)?;
            Ok(page.cut(certs, |listed| listed.cert.thumbprint().to_string()))
        })
    }

    /// One enrolled signing certificate.
    ///
    /// # Errors
    /// [`Error::Unknown`].
    pub fn signing_cert(&self, thumbprint: &Thumbprint) -> Result<EnrolledSigningCert, Error> {
        let query = format!("SELECT {COLUMNS} FROM signing_certs WHERE thumbprint = ?1");
        self.read(|transaction| {
            let found = transaction.one(&query, values![thumbprint.0], listed)?;
            found.ok_or_else(|| Error::Unknown(Kind::SigningCert, thumbprint.to_string()))
        })
    }

    /// The DER of an enrolled signing certificate.
    ///
    /// # Errors
    /// [`Error::Unknown`].
    pub fn signing_cert_der(&self, thumbprint: &Thumbprint) -> Result<Vec<u8>, Error> {
        self.read(|transaction| {
            let query = "SELECT der FROM signing_cert_ders WHERE thumbprint = ?1";
            let der = transaction.one(query, values![thumbprint.0], |row| row.get(0))?;
            der.ok_or_else(|| Error::Unknown(Kind::SigningCert, thumbprint.to_string()))
        })
    }
}

/// The columns that [`certificate`] and its two callers read, in their order.
pub(crate) const COLUMNS: &str =
    "thumbprint, thumbprint_sha1, key_kind, public_key, not_before, not_after, subject,
    serial, owner, issuer, legacy_sha1, environment, revoked, since, revision";

fn listed(row: &Row<'_>) -> Result<EnrolledSigningCert, Error> {
    Ok(EnrolledSigningCert {
        cert: certificate(row)?,
        owner: word(row, 8)?,
        issuer: row.get(9)?,
        legacy_sha1: legacy_sha1(row)?,
        environment: column::environment(row, 11)?,
        revoked: time_if_any(row, 12)?,
        since: time_at(row, 13)?,
    })
}

/// The certificate of a row with [`COLUMNS`].
pub(crate) fn certificate(row: &Row<'_>) -> Result<SigningCert, Error> {
    let thumbprint = Thumbprint(column::bytes(row, 0)?);
    let columns = SigningCertRow {
        thumbprint,
        sha1_thumbprint: column::bytes(row, 1)?,
        key_kind: word::<KeyKind>(row, 2)?,
        public_key: row.get(3)?,
        not_before: time_at(row, 4)?,
        not_after: time_at(row, 5)?,
        subject: row.get(6)?,
        serial: row.get(7)?,
    };
    SigningCert::restore(columns)
        .map_err(|error| Error::Corrupt(format!("signing certificate {thumbprint}: {error}")))
}

/// How a row with [`COLUMNS`] may be named by `sub`.
pub(crate) fn legacy_sha1(row: &Row<'_>) -> Result<LegacySha1, Error> {
    Ok(if row.get(10)? { LegacySha1::Accepted } else { LegacySha1::Refused })
}

const ISSUER_LIMIT_BYTES: usize = 1024;
