//! The ledger of deliveries: what was submitted, whose turn it is, and how far each file has come (SFTP-4).

use std::time::Duration;

use irgw_core::{ProviderId, Rule, UnixTime};
use irgw_sftp::delivery::{Delivery, DeliveryId, Ledger, LedgerFault, Parcel, Sealed, Stage, Turn};
use irgw_sftp::fileset::Feed;

use crate::column::{bytes, number, seconds, seconds_after, time_at, time_if_any, word, word_if_any};
use crate::parties::expect_provider;
use crate::sql::{Row, Transaction, Turn as Beside, values};
use crate::sqlite::connections::PATIENCE;
use crate::{Error, Kind, Listed, Page, Store};

/// A set that is to be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDelivery {
    /// Whose server it goes to.
    pub provider: ProviderId,
    /// The file environment of its names: three letters.
    pub environment: String,
    /// What its files are.
    pub feed: Feed,
    /// The folder in which its files lie until they are delivered.
    pub folder: String,
    /// Its files, in the order in which they are to arrive.
    pub parcels: Vec<NewParcel>,
}

/// A file of a set that is to be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewParcel {
    /// Its name: for one provider, a name is delivered once.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// The SHA-256 digest of its bytes.
    pub digest: [u8; 32],
}

/// What became of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submitted {
    /// It is in the ledger.
    New(DeliveryId),
    /// The same set, with the same bytes, was submitted before: nothing was written.
    Before(DeliveryId),
}

/// How far a delivery has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// It goes out by itself, at once or after the pause that follows a failure.
    Queued,
    /// It waits for an operator: to try again, or to cancel it. Later sets of its feed wait behind it.
    Held,
    /// Every file has its name at the far end.
    Delivered,
    /// An operator has given it up.
    Cancelled,
}

impl DeliveryState {
    const ALL: [DeliveryState; 4] =
        [DeliveryState::Queued, DeliveryState::Held, DeliveryState::Delivered, DeliveryState::Cancelled];

    /// Its name, in the ledger and in listings.
    pub const fn name(self) -> &'static str {
        match self {
            DeliveryState::Queued => "queued",
            DeliveryState::Held => "held",
            DeliveryState::Delivered => "delivered",
            DeliveryState::Cancelled => "cancelled",
        }
    }
}

impl std::str::FromStr for DeliveryState {
    type Err = irgw_core::UnknownName;

    fn from_str(text: &str) -> Result<DeliveryState, Self::Err> {
        DeliveryState::ALL
            .into_iter()
            .find(|state| state.name() == text)
            .ok_or(irgw_core::UnknownName { kind: "state of a delivery" })
    }
}

/// A delivery as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryEntry {
    /// What it is, and how far each file has come. Its turn is the last one.
    pub delivery: Delivery,
    /// How far it has come.
    pub state: DeliveryState,
    /// The folder in which its files lie until they are delivered.
    pub folder: String,
    /// When it was submitted.
    pub since: UnixTime,
    /// When it was delivered or cancelled.
    pub ended: Option<UnixTime>,
    /// When it is tried next, if it is queued.
    pub due: UnixTime,
    /// How many bytes of files that have no name yet the present attempt has sent, as last noted.
    pub sent: u64,
    /// What stopped the last attempt.
    pub stopped: Option<Stopped>,
}

/// What stopped an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// The rule; `None` for a fault of our own surroundings.
    pub rule: Option<Rule>,
    /// Why, in words.
    pub why: String,
}

/// Which deliveries are listed: those that fit everything that is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// Only this provider's.
    pub provider: Option<ProviderId>,
    /// Only those that have come this far.
    pub state: Option<DeliveryState>,
}

impl Store {
    /// Puts a set into the ledger. It is on disk when this returns, and delivered from then on, whatever happens.
    ///
    /// # Errors
    /// [`Error::Unknown`] for the provider; [`Error::NameTaken`] when one of its names was submitted in another set, or with
    /// other bytes.
    pub fn submit_delivery(&self, new: &NewDelivery, now: UnixTime) -> Result<Submitted, Error> {
        self.write(Beside::Alone, PATIENCE, |transaction| {
            transaction.expect_alone()?;
            expect_provider(transaction, &new.provider)?;
            if let Some(before) = submitted_before(transaction, new)? {
                return Ok(Submitted::Before(before));
            }
            insert(transaction, new, now).map(Submitted::New)
        })
        .inspect(|_| self.settle())
    }

    /// Takes the next delivery that is due, for `lease` or up to a second more, since times are whole seconds: the oldest set of a feed
    /// before the next one, and none that somebody is at. `busy` are providers that have no room for another one now.
    ///
    /// # Errors
    /// Faults of the database.
    pub fn claim_delivery(
        &self,
        busy: &[ProviderId],
        lease: Duration,
        now: UnixTime,
    ) -> Result<Option<DeliveryEntry>, Error> {
        let query = "SELECT number, provider FROM deliveries AS it
             WHERE state = 'queued' AND due <= ?1 AND claimed < ?1 AND NOT EXISTS
               (SELECT 1 FROM deliveries AS earlier WHERE earlier.provider = it.provider
                AND earlier.environment = it.environment AND earlier.feed = it.feed
                AND earlier.number < it.number AND earlier.state IN ('queued', 'held'))
             ORDER BY due, number";
        // Most of the time nothing is due, and whoever only looks waits for nobody.
        let due = |transaction: &Transaction<'_>| -> Result<Option<u64>, Error> {
            let all = transaction.all(query, values![seconds(now)], |row| {
                Ok((number(row, 0)?, word::<ProviderId>(row, 1)?))
            })?;
            Ok(all.into_iter().find(|(_, provider)| !busy.contains(provider)).map(|(number, _)| number))
        };
        if self.read(due)?.is_none() {
            return Ok(None);
        }
        self.write(Beside::Alone, PATIENCE, |transaction| {
            transaction.expect_alone()?;
            let Some(found) = due(transaction)? else { return Ok(None) };
            let claim = "UPDATE deliveries SET turn = turn + 1, claimed = ?2, sent = 0 WHERE number = ?1";
            transaction.execute(claim, values![integer(found), seconds_after(now, lease)])?;
            entry(transaction, DeliveryId(found)).map(Some)
        })
    }

    /// Prolongs a turn, and notes how many bytes it has sent of files that have no name yet.
    ///
    /// # Errors
    /// [`Error::TurnLost`].
    pub fn keep_turn(&self, turn: Turn, sent: u64, lease: Duration, now: UnixTime) -> Result<(), Error> {
        self.in_turn(turn, "claimed = ?3, sent = ?4", values![seconds_after(now, lease), integer(sent)])
    }

    /// Ends a turn that failed: the delivery is due again at `due`. `progress`: it got further, so failures count anew.
    ///
    /// # Errors
    /// [`Error::TurnLost`].
    pub fn postpone_delivery(
        &self,
        turn: Turn,
        stopped: &Stopped,
        progress: bool,
        due: UnixTime,
    ) -> Result<(), Error> {
        let set = "claimed = 0, sent = 0, fault = ?3, rule = ?4, due = ?5,
             failures = CASE WHEN ?6 = 1 THEN 1 ELSE failures + 1 END";
        let rule = stopped.rule.map(Rule::id);
        self.in_turn(turn, set, values![stopped.why, rule, seconds(due), progress])
    }

    /// Ends a turn that failed in a way that no repetition mends: the delivery waits for an operator.
    ///
    /// # Errors
    /// [`Error::TurnLost`].
    pub fn hold_delivery(&self, turn: Turn, stopped: &Stopped) -> Result<(), Error> {
        let set = "claimed = 0, sent = 0, fault = ?3, rule = ?4, state = 'held', failures = failures + 1";
        self.in_turn(turn, set, values![stopped.why, stopped.rule.map(Rule::id)])
    }

    /// Ends a turn in which every file came to have its name.
    ///
    /// # Errors
    /// [`Error::TurnLost`]; [`Error::Undelivered`] when a file has not.
    pub fn finish_delivery(&self, turn: Turn, now: UnixTime) -> Result<(), Error> {
        self.write(Beside::Any, PATIENCE, |transaction| {
            expect_turn(transaction, turn)?;
            let open = "SELECT 1 FROM parcels WHERE delivery = ?1 AND delivered IS NULL";
            if transaction.finds(open, values![integer(turn.delivery.0)])? {
                return Err(Error::Undelivered(turn.delivery.0));
            }
            let finish =
                "UPDATE deliveries SET state = 'delivered', ended = ?2, claimed = 0, sent = 0, failures = 0,
                 fault = NULL, rule = NULL WHERE number = ?1";
            transaction.execute(finish, values![integer(turn.delivery.0), seconds(now)])?;
            Ok(())
        })
        .inspect(|()| self.settle())
    }

    /// Lets a delivery go out now that is held, or that waits after a failure.
    ///
    /// # Errors
    /// [`Error::Unknown`]; [`Error::Ended`] when it is delivered or cancelled.
    pub fn retry_delivery(&self, id: DeliveryId, now: UnixTime) -> Result<(), Error> {
        self.change(id, |transaction| {
            let retry = "UPDATE deliveries SET state = 'queued', due = ?2, failures = 0 WHERE number = ?1";
            transaction.execute(retry, values![integer(id.0), seconds(now)])?;
            Ok(())
        })
    }

    /// Gives a delivery up. Files that have their name stay there; the names of the others can be submitted again.
    ///
    /// # Errors
    /// [`Error::Unknown`]; [`Error::Ended`] when it is delivered or cancelled; [`Error::UnderWay`] when a file is about to
    /// have its name.
    pub fn cancel_delivery(&self, id: DeliveryId, now: UnixTime) -> Result<(), Error> {
        self.change(id, |transaction| {
            let sealed =
                "SELECT 1 FROM parcels WHERE delivery = ?1 AND temporary IS NOT NULL AND delivered IS NULL";
            if transaction.finds(sealed, values![integer(id.0)])? {
                return Err(Error::UnderWay(id.0));
            }
            // Whoever is at it finds that the turn is over.
            let cancel = "UPDATE deliveries SET state = 'cancelled', ended = ?2, turn = turn + 1, claimed = 0
                 WHERE number = ?1";
            transaction.execute(cancel, values![integer(id.0), seconds(now)])?;
            let release = "DELETE FROM delivered_names WHERE delivery = ?1 AND name IN
                 (SELECT name FROM parcels WHERE delivery = ?1 AND delivered IS NULL)";
            transaction.execute(release, values![integer(id.0)])?;
            Ok(())
        })
    }

    /// What a delivery's folder is still for; `None` when no delivery is known whose files lie in it.
    ///
    /// # Errors
    /// Faults of the database.
    pub fn state_of_folder(&self, folder: &str) -> Result<Option<DeliveryState>, Error> {
        let query = "SELECT state FROM deliveries WHERE folder = ?1";
        self.read(|transaction| transaction.one(query, values![folder], |row| word(row, 0)))
    }

    /// The deliveries that an operator is to know of, the oldest first, 100 at most: those that are held, and those that have
    /// failed so many times in a row.
    ///
    /// # Errors
    /// Faults of the database.
    pub fn troubled_deliveries(&self, failures: u32) -> Result<Vec<DeliveryEntry>, Error> {
        let query = "SELECT number FROM deliveries
             WHERE state IN ('queued', 'held') AND (state = 'held' OR failures >= ?1) ORDER BY number LIMIT 100";
        self.read(|transaction| {
            let numbers = transaction.all(query, values![i64::from(failures)], |row| number(row, 0))?;
            numbers.into_iter().map(|number| entry(transaction, DeliveryId(number))).collect()
        })
    }

    /// A delivery.
    ///
    /// # Errors
    /// [`Error::Unknown`].
    pub fn delivery(&self, id: DeliveryId) -> Result<DeliveryEntry, Error> {
        self.read(|transaction| entry(transaction, id))
    }

    /// Deliveries, the oldest first.
    ///
    /// # Errors
    /// [`Error::After`], and faults of the database.
    pub fn list_deliveries(
        &self,
        filter: &DeliveryFilter,
        page: &Page,
    ) -> Result<Listed<DeliveryEntry>, Error> {
        let after = match page.after.as_str() {
            "" => 0,
            text => text.parse::<i64>().map_err(|_| Error::After(text.to_owned()))?,
        };
        let query = "SELECT number FROM deliveries WHERE number > ?1
             AND (CAST(?2 AS TEXT) IS NULL OR provider = ?2) AND (CAST(?3 AS TEXT) IS NULL OR state = ?3) ORDER BY number LIMIT ?4";
        self.read(|transaction| {
            let provider = filter.provider.as_ref().map(ProviderId::as_str);
            let values = values![after, provider, filter.state.map(DeliveryState::name), page.probe()];
            let numbers = transaction.all(query, values, |row| number(row, 0))?;
            let entries = numbers
                .into_iter()
                .map(|number| entry(transaction, DeliveryId(number)))
                .collect::<Result<Vec<_>, _>>()?;
            Ok(page.cut(entries, |entry| entry.delivery.turn.delivery.to_string()))
        })
    }

    /// Changes the row of a delivery whose turn this is.
    fn in_turn(&self, turn: Turn, set: &str, more: &[&dyn crate::sql::Bind]) -> Result<(), Error> {
        self.write(Beside::Any, PATIENCE, |transaction| {
            expect_turn(transaction, turn)?;
            let (delivery, claim) = (integer(turn.delivery.0), integer(turn.number));
            let values: Vec<_> = values![delivery, claim].iter().chain(more).copied().collect();
            let update = format!("UPDATE deliveries SET {set} WHERE number = ?1 AND turn = ?2");
            transaction.execute(&update, &values)?;
            Ok(())
        })
    }

    /// An operator's change of a delivery that has not ended.
    fn change(
        &self,
        id: DeliveryId,
        mut work: impl FnMut(&Transaction<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.write(Beside::Alone, PATIENCE, |transaction| {
            transaction.expect_alone()?;
            let state = entry(transaction, id)?.state;
            match state {
                DeliveryState::Queued | DeliveryState::Held => work(transaction),
                DeliveryState::Delivered | DeliveryState::Cancelled => {
                    Err(Error::Ended { delivery: id.0, state: state.name() })
                }
            }
        })
        .inspect(|()| self.settle())
    }
}

impl Ledger for Store {
    fn seal(&self, turn: Turn, parcel: u32, sealed: &Sealed) -> Result<(), LedgerFault> {
        let update = "UPDATE parcels SET temporary = ?3, sealed_bytes = ?4, sealed_digest = ?5
             WHERE delivery = ?1 AND number = ?2 AND delivered IS NULL";
        let (delivery, parcel) = (integer(turn.delivery.0), i64::from(parcel));
        Ok(self.write(Beside::Any, PATIENCE, |transaction| {
            expect_turn(transaction, turn)?;
            let values = values![delivery, parcel, sealed.temporary, integer(sealed.bytes), sealed.digest];
            transaction.execute(update, values)?;
            Ok(())
        })?)
    }

    fn deliver(&self, turn: Turn, parcel: u32, now: UnixTime) -> Result<(), LedgerFault> {
        let update = "UPDATE parcels SET delivered = ?3
             WHERE delivery = ?1 AND number = ?2 AND temporary IS NOT NULL AND delivered IS NULL";
        let (delivery, parcel) = (integer(turn.delivery.0), i64::from(parcel));
        Ok(self.write(Beside::Any, PATIENCE, |transaction| {
            expect_turn(transaction, turn)?;
            transaction.execute(update, values![delivery, parcel, seconds(now)])?;
            Ok(())
        })?)
    }
}

impl From<Error> for LedgerFault {
    fn from(error: Error) -> LedgerFault {
        match error {
            Error::TurnLost(_) => LedgerFault::TurnLost,
            error => LedgerFault::Unavailable(error.to_string()),
        }
    }
}

/// Holds the delivery's row, if the turn is still this one.
fn expect_turn(transaction: &Transaction<'_>, turn: Turn) -> Result<(), Error> {
    let query = format!(
        "SELECT 1 FROM deliveries WHERE number = ?1 AND turn = ?2 AND state = 'queued'{}",
        transaction.holding("deliveries")
    );
    match transaction.finds(&query, values![integer(turn.delivery.0), integer(turn.number)])? {
        true => Ok(()),
        false => Err(Error::TurnLost(turn.delivery.0)),
    }
}

/// The delivery that holds exactly these files; `None` when all their names are free.
fn submitted_before(transaction: &Transaction<'_>, new: &NewDelivery) -> Result<Option<DeliveryId>, Error> {
    let query = "SELECT delivery FROM delivered_names WHERE provider = ?1 AND name = ?2";
    let mut taken = Vec::new();
    for parcel in &new.parcels {
        let by = transaction.one(query, values![new.provider.as_str(), parcel.name], |row| number(row, 0))?;
        taken.extend(by.map(|delivery| (parcel, DeliveryId(delivery))));
    }
    let Some(&(first, delivery)) = taken.first() else { return Ok(None) };
    let before = entry(transaction, delivery)?.delivery.parcels;
    let is_same = before.len() == new.parcels.len()
        && before.iter().zip(&new.parcels).all(|(before, new)| {
            (&before.name, before.bytes, before.digest) == (&new.name, new.bytes, new.digest)
        });
    match is_same {
        true => Ok(Some(delivery)),
        false => Err(Error::NameTaken { name: first.name.clone(), delivery: delivery.0 }),
    }
}

fn insert(transaction: &Transaction<'_>, new: &NewDelivery, now: UnixTime) -> Result<DeliveryId, Error> {
    let last = "SELECT coalesce(max(number), 0) FROM deliveries";
    let id = transaction.one(last, values![], |row| row.get::<i64>(0))?.unwrap_or(0).saturating_add(1);
    let insert = "INSERT INTO deliveries
           (number, provider, environment, feed, folder, state, since, turn, claimed, due, failures, sent)
         VALUES (?1, ?2, ?3, ?4, ?5, 'queued', ?6, 0, 0, ?6, 0, 0)";
    let provider = new.provider.as_str();
    let values = values![id, provider, new.environment, new.feed.name(), new.folder, seconds(now)];
    transaction.execute(insert, values)?;
    for (number, parcel) in (0_i64..).zip(&new.parcels) {
        let insert =
            "INSERT INTO parcels (delivery, number, name, bytes, digest) VALUES (?1, ?2, ?3, ?4, ?5)";
        let values = values![id, number, parcel.name, integer(parcel.bytes), parcel.digest];
        transaction.execute(insert, values)?;
        let take = "INSERT INTO delivered_names (provider, name, delivery) VALUES (?1, ?2, ?3)";
        transaction.execute(take, values![provider, parcel.name, id])?;
    }
    u64::try_from(id).map(DeliveryId).map_err(|_| Error::Corrupt(format!("{id} is no number of a delivery")))
}

fn entry(transaction: &Transaction<'_>, id: DeliveryId) -> Result<DeliveryEntry, Error> {
    let parcels = "SELECT number, name, bytes, digest, temporary, sealed_bytes, sealed_digest, delivered
         FROM parcels WHERE delivery = ?1 ORDER BY number";
    let parcels = transaction.all(parcels, values![integer(id.0)], parcel)?;
    let query = "SELECT provider, environment, feed, turn, failures, state, folder, since, ended, due, sent,
           fault, rule FROM deliveries WHERE number = ?1";
    let found = transaction.one(query, values![integer(id.0)], |row| {
        Ok(DeliveryEntry {
            delivery: Delivery {
                turn: Turn { delivery: id, number: number(row, 3)? },
                provider: word(row, 0)?,
                environment: row.get(1)?,
                feed: word(row, 2)?,
                failures: u32::try_from(number(row, 4)?).unwrap_or(u32::MAX),
                parcels: Vec::new(),
            },
            state: word(row, 5)?,
            folder: row.get(6)?,
            since: time_at(row, 7)?,
            ended: time_if_any(row, 8)?,
            due: time_at(row, 9)?,
            sent: number(row, 10)?,
            stopped: match row.get(11)? {
                Some(why) => Some(Stopped { rule: word_if_any(row, 12)?, why }),
                None => None,
            },
        })
    })?;
    let mut found = found.ok_or_else(|| Error::Unknown(Kind::Delivery, id.to_string()))?;
    found.delivery.parcels = parcels;
    Ok(found)
}

fn parcel(row: &Row<'_>) -> Result<Parcel, Error> {
    let stage = match (row.get::<Option<String>>(4)?, time_if_any(row, 7)?) {
        (None, _) => Stage::Waiting,
        (Some(temporary), delivered) => {
            let sealed = Sealed { temporary, bytes: number(row, 5)?, digest: bytes(row, 6)? };
            match delivered {
                None => Stage::Sealed(sealed),
                Some(at) => Stage::Delivered { sealed, at },
            }
        }
    };
    Ok(Parcel {
        number: u32::try_from(number(row, 0)?).unwrap_or(u32::MAX),
        name: row.get(1)?,
        bytes: number(row, 2)?,
        digest: bytes(row, 3)?,
        stage,
    })
}

/// A number as a column.
fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
