//! Rows that have run out: deleted a few at a time, by whoever adds another one.

use irgw_core::UnixTime;

use crate::Error;
use crate::column::seconds;
use crate::spent::KEPT_SECONDS;
use crate::sql::{Transaction, values};

/// Deletes two rows of `table`, whose primary key is `key`, that have run out long ago.
///
/// Two for each new one, so that the table shrinks again after a burst and no call pays for all of it. The end is asked
/// for twice: a row that another transaction prolongs meanwhile stays.
pub(crate) fn forget(
    transaction: &Transaction<'_>,
    table: &'static str,
    key: &'static str,
    now: UnixTime,
) -> Result<(), Error> {
    let delete = format!(
        "DELETE FROM {table} WHERE until < ?1 AND ({key}) IN
           (SELECT {key} FROM {table} WHERE until < ?1 ORDER BY until LIMIT 2{})",
        transaction.passing_by()
    );
    transaction.execute(&delete, values![seconds(now).saturating_sub(KEPT_SECONDS)])?;
    Ok(())
}
