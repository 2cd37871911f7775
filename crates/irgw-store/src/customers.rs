//! Customers of the built-in directory, as the operator keeps them (ENV-1, OA-7, OA-19).

use irgw_core::{Logon, Secret, UnixTime};
use irgw_oauth::customers::{SecondStep, Subject, account};
use irgw_oauth::vault::Vault;

use crate::column::{check_text, seconds, subject, time_at, time_if_any, word};
use crate::families::{self, Of};
use crate::sql::{Bind, Row, values};
use crate::{Batch, Error, Kind, Listed, Page, Store, sessions};

/// A customer to be added.
#[derive(Debug, Clone)]
pub struct NewCustomer {
    /// The customer's name in tokens, drawn at random.
    pub subject: Subject,
    /// The myIR user id. No two customers' differ by ASCII case or the space around them alone (C24).
    pub user_id: Logon,
    /// How pages address the customer: 1 to 256 bytes.
    pub name: String,
    /// The password's Argon2id hash, a PHC string ([`irgw_oauth::password::hash`]).
    pub password: String,
}

/// A customer, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolledCustomer {
    /// The customer's name in tokens.
    pub subject: Subject,
    /// The myIR user id.
    pub user_id: Logon,
    /// How pages address the customer.
    pub name: String,
    /// Whether a one-time password is asked for.
    pub second_step: SecondStep,
    /// When the customer was added.
    pub since: UnixTime,
    /// When the customer was disabled.
    pub disabled: Option<UnixTime>,
}

impl Batch<'_> {
    /// Adds a customer.
    ///
    /// # Errors
    /// [`Error::Exists`] when the user id is somebody's, in any spelling; [`Error::Text`] for the name;
    /// [`Error::NoHash`] for the password.
    pub fn add_customer(&mut self, new: &NewCustomer, now: UnixTime) -> Result<(), Error> {
        check_text("a customer's name", &new.name, NAME_LIMIT_BYTES)?;
        check_text(
            "a user id without the space around it",
            &account(new.user_id.as_str()),
            USER_ID_LIMIT_BYTES,
        )?;
        if !new.password.starts_with(HASH) {
            return Err(Error::NoHash);
        }
        let insert = "INSERT INTO customers (subject, user_id, account, name, password, since)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (account) DO NOTHING";
        let values = values![
            new.subject.as_str(),
            new.user_id.as_str(),
            account(new.user_id.as_str()),
            new.name,
            new.password,
            seconds(now)
        ];
        match self.run(insert, values)? {
            0 => Err(Error::Exists(Kind::Customer, new.user_id.to_string())),
            _ => Ok(()),
        }
    }

    /// Disables a customer for ever: ends all logins and revokes every family. Since when, which is earlier than `now` when
    /// it was done already.
    ///
    /// # Errors
    /// [`Error::Unknown`].
    pub fn disable_customer(&mut self, subject: &Subject, now: UnixTime) -> Result<UnixTime, Error> {
        let query = "SELECT disabled FROM customers WHERE subject = ?1";
        let found = self.transaction.one(query, values![subject.as_str()], |row| time_if_any(row, 0))?;
        if let Some(at) = found.ok_or_else(|| unknown(subject.as_str()))? {
            return Ok(at);
        }
        let update = "UPDATE customers SET disabled = ?2 WHERE subject = ?1";
        self.run(update, values![subject.as_str(), seconds(now)])?;
        sessions::end_all(self.transaction, subject)?;
        families::revoke(self.transaction, Of::Customer(subject), now)?;
        Ok(now)
    }

    /// Sets the customer's password, an Argon2id hash ([`irgw_oauth::password::hash`]), and ends all logins: whoever knew
    /// the old one may be in one of them. What applications were granted stays.
    ///
    /// # Errors
    /// [`Error::Unknown`]; [`Error::NoHash`].
    pub fn set_password(&mut self, subject: &Subject, password: &str) -> Result<(), Error> {
        if !password.starts_with(HASH) {
            return Err(Error::NoHash);
        }
        let update = "UPDATE customers SET password = ?2 WHERE subject = ?1";
        self.log_in_otherwise(subject, update, values![subject.as_str(), password])
    }

    /// Sets the key of the customer's one-time passwords (RFC 6238), sealed, or ends the second step; ends all logins.
    ///
    /// # Errors
    /// [`Error::Unknown`].
    fn set_sealed_totp(&mut self, subject: &Subject, sealed: Option<&[u8]>) -> Result<(), Error> {
        let update = "UPDATE customers SET totp = ?2 WHERE subject = ?1";
        self.log_in_otherwise(subject, update, values![subject.as_str(), sealed])
    }

    /// Changes what a customer logs in with; no login stands that was made otherwise.
    fn log_in_otherwise(
        &mut self,
        subject: &Subject,
        update: &str,
        values: &[&dyn Bind],
    ) -> Result<(), Error> {
        match self.run(update, values)? {
            0 => Err(unknown(subject.as_str())),
            _ => sessions::end_all(self.transaction, subject),
        }
    }
}

impl Store {
    /// As [`Batch::add_customer`].
    ///
    /// # Errors
    /// As there.
    pub fn add_customer(&self, new: &NewCustomer, now: UnixTime) -> Result<(), Error> {
        self.batch(|batch| batch.add_customer(new, now))
    }

    /// As [`Batch::disable_customer`].
    ///
    /// # Errors
    /// As there.
    pub fn disable_customer(&self, subject: &Subject, now: UnixTime) -> Result<UnixTime, Error> {
        self.batch(|batch| batch.disable_customer(subject, now))
    }

    /// As [`Batch::set_password`].
    ///
    /// # Errors
    /// As there.
    pub fn set_password(&self, subject: &Subject, password: &str) -> Result<(), Error> {
        self.batch(|batch| batch.set_password(subject, password))
    }

    /// Asks the customer for one-time passwords from now on: keeps their key (RFC 6238), sealed for this customer alone. All
    /// logins end, and the next one asks.
    ///
    /// # Errors
    /// [`Error::Unknown`]; [`Error::Sealed`] when it cannot be sealed.
    pub fn set_totp(&self, vault: &Vault, subject: &Subject, key: &Secret<Vec<u8>>) -> Result<(), Error> {
        let what = totp_of(subject);
        let sealed = vault.seal(&what, key.expose()).map_err(|_| Error::Sealed(what))?;
        self.batch(|batch| batch.set_sealed_totp(subject, Some(&sealed)))
    }

    /// Asks the customer for no one-time password any more; all logins end.
    ///
    /// # Errors
    /// [`Error::Unknown`].
    pub fn clear_totp(&self, subject: &Subject) -> Result<(), Error> {
        self.batch(|batch| batch.set_sealed_totp(subject, None))
    }

    /// The customer with this user id, in any spelling; disabled or not.
    ///
    /// # Errors
    /// [`Error::Unknown`].
    pub fn subject_of(&self, user_id: &str) -> Result<Subject, Error> {
        self.read(|transaction| {
            let query = "SELECT subject FROM customers WHERE account = ?1";
            let found = transaction.one(query, values![account(user_id)], |row| subject(row, 0))?;
            found.ok_or_else(|| unknown(user_id))
        })
    }

    /// The customers, disabled ones too, by user id without case.
    ///
    /// # Errors
    /// Faults of the database.
    pub fn list_customers(&self, page: &Page) -> Result<Listed<EnrolledCustomer>, Error> {
        let query = "SELECT subject, user_id, name, totp IS NOT NULL, since, disabled FROM customers
             WHERE account > ?1 ORDER BY account LIMIT ?2";
        self.read(|transaction| {
            let customers = transaction.all(query, values![page.after, page.probe()], listed)?;
            Ok(page.cut(customers, |customer| account(customer.user_id.as_str())))
        })
    }
}

fn listed(row: &Row<'_>) -> Result<EnrolledCustomer, Error> {
    Ok(EnrolledCustomer {
        subject: subject(row, 0)?,
        user_id: word(row, 1)?,
        name: row.get(2)?,
        second_step: second_step(row, 3)?,
        since: time_at(row, 4)?,
        disabled: time_if_any(row, 5)?,
    })
}

/// Whether column `index` says that there is a key of one-time passwords.
pub(crate) fn second_step(row: &Row<'_>, index: usize) -> Result<SecondStep, Error> {
    Ok(if row.get(index)? { SecondStep::Totp } else { SecondStep::None })
}

/// What the key of a customer's one-time passwords is sealed for.
pub(crate) fn totp_of(subject: &Subject) -> String {
    format!("key of one-time passwords of customer {subject}")
}

fn unknown(id: &str) -> Error {
    Error::Unknown(Kind::Customer, id.to_owned())
}

/// What every hash begins with; the schema says so too.
const HASH: &str = "$argon2id$";
const NAME_LIMIT_BYTES: usize = 256;
const USER_ID_LIMIT_BYTES: usize = 128;
