//! The built-in directory of customers: their passwords and second step (OA-7, OA-18).

use std::sync::Arc;

use irgw_core::Secret;
use irgw_oauth::customers::{Customer, Customers, Subject, account};
use irgw_oauth::vault::Vault;
use irgw_oauth::{Unavailable, password};

use crate::column::{subject, word};
use crate::customers::{second_step, totp_of};
use crate::sql::{Row, values};
use crate::{Error, Store};

/// The customers in a [`Store`].
///
/// A user id is looked up without the space around it and without ASCII case ([`account`]): people's phones add both. Who
/// counts failures must count them by the same name (C24).
#[derive(Debug, Clone)]
pub struct Directory {
    /// Where they are kept.
    pub store: Arc<Store>,
    /// What opens the keys of their one-time passwords.
    pub vault: Arc<Vault>,
}

impl Customers for Directory {
    /// One look-up and one Argon2 computation, whoever asks with whatever (C25).
    fn log_in(&self, user_id: &str, password: &Secret<String>) -> Result<Option<Customer>, Unavailable> {
        let query = "SELECT subject, user_id, name, totp IS NOT NULL, password FROM customers
             WHERE account = ?1 AND disabled IS NULL";
        let found = self.store.read(|transaction| {
            transaction.one(query, values![account(user_id)], |row| Ok((customer(row)?, row.get(4)?)))
        })?;
        let (customer, hashed): (_, Option<String>) = found.unzip();
        let is_right = password::verify(password, hashed.as_deref());
        Ok(customer.filter(|_| is_right))
    }

    fn customer(&self, subject: &Subject) -> Result<Option<Customer>, Unavailable> {
        let query = "SELECT subject, user_id, name, totp IS NOT NULL FROM customers
             WHERE subject = ?1 AND disabled IS NULL";
        Ok(self.store.read(|transaction| transaction.one(query, values![subject.as_str()], customer))?)
    }

    fn totp_key(&self, subject: &Subject) -> Result<Option<Secret<Vec<u8>>>, Unavailable> {
        let query = "SELECT totp FROM customers WHERE subject = ?1 AND disabled IS NULL";
        let sealed: Option<Option<Vec<u8>>> = self
            .store
            .read(|transaction| transaction.one(query, values![subject.as_str()], |row| row.get(0)))?;
        let Some(sealed) = sealed.flatten() else { return Ok(None) };
        let what = totp_of(subject);
        // Not `None`: who exchanged the vault's key must not have exchanged two steps for one.
        Ok(Some(self.vault.open(&what, &sealed).ok_or(Error::Sealed(what))?))
    }
}

fn customer(row: &Row<'_>) -> Result<Customer, Error> {
    Ok(Customer {
        subject: subject(row, 0)?,
        logon: word(row, 1)?,
        name: row.get(2)?,
        second_step: second_step(row, 3)?,
    })
}
