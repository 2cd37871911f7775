//! Consents of customers to clients (OA-7, OA-19).

use irgw_core::{ClientId, UnixTime};
use irgw_oauth::customers::Subject;
use irgw_oauth::grants::Consent;

use crate::Error;
use crate::codes;
use crate::column::{seconds, time_at, word};
use crate::families::{self, Of};
use crate::forget::forget;
use crate::sql::{Transaction, values};

/// Gives a consent, in the place of an earlier one; `false`, and nothing changed: the client or the customer is disabled.
pub(crate) fn give(
    transaction: &Transaction<'_>,
    subject: &Subject,
    consent: &Consent,
    now: UnixTime,
) -> Result<bool, Error> {
    let upsert = format!(
        "INSERT INTO consents (subject, client, since, until)
         SELECT ?1, id, ?3, ?4 FROM clients WHERE id = ?2 AND {ENABLED}
         ON CONFLICT (subject, client) DO UPDATE SET since = excluded.since, until = excluded.until"
    );
    let values = values![
        subject.as_str(),
        consent.client.as_str(),
        seconds(consent.since),
        seconds(consent.expires_at)
    ];
    let given = transaction.execute(&upsert, values)? > 0;
    forget(transaction, "consents", "subject, client", now)?;
    Ok(given)
}

/// Whether the consent stands, and neither the client nor the customer is disabled.
pub(crate) fn stands(
    transaction: &Transaction<'_>,
    subject: &Subject,
    client: &ClientId,
    now: UnixTime,
) -> Result<bool, Error> {
    let query = format!(
        "SELECT 1 FROM consents JOIN clients ON id = client
         WHERE subject = ?1 AND client = ?2 AND until > ?3 AND {ENABLED}"
    );
    let values = values![subject.as_str(), client.as_str(), seconds(now)];
    transaction.finds(&query, values)
}

/// The consents of a customer that stand, by client.
pub(crate) fn of(
    transaction: &Transaction<'_>,
    subject: &Subject,
    now: UnixTime,
) -> Result<Vec<Consent>, Error> {
    let query = format!(
        "SELECT client, consents.since, until FROM consents JOIN clients ON id = client
         WHERE subject = ?1 AND until > ?2 AND {ENABLED} ORDER BY client"
    );
    transaction.all(&query, values![subject.as_str(), seconds(now)], |row| {
        Ok(Consent { client: word(row, 0)?, since: time_at(row, 1)?, expires_at: time_at(row, 2)? })
    })
}

/// Withdraws a consent with all that was issued under it; whether it stood.
pub(crate) fn withdraw(
    transaction: &Transaction<'_>,
    subject: &Subject,
    client: &ClientId,
    now: UnixTime,
) -> Result<bool, Error> {
    let stood = stands(transaction, subject, client, now)?;
    let delete = "DELETE FROM consents WHERE subject = ?1 AND client = ?2";
    transaction.execute(delete, values![subject.as_str(), client.as_str()])?;
    codes::cancel(transaction, subject, client)?;
    // Also where none stood: families live on beyond a consent's end, and whoever withdraws wants them ended.
    families::revoke(transaction, Of::Consent(subject, client), now)?;
    Ok(stood)
}

/// The client in `clients` may act, and the customer `?1` may log in. A directory of the operator's own has no customers here.
const ENABLED: &str = "clients.disabled IS NULL
    AND NOT EXISTS (SELECT 1 FROM customers WHERE customers.subject = ?1 AND customers.disabled IS NOT NULL)";
