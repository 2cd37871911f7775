//! The ledger of deliveries: each file once, in order, by one process at a time (SFTP-4, E10).

use std::time::Duration;

use irgw_core::{ProviderId, Rule};
use irgw_sftp::delivery::{DeliveryId, Ledger, LedgerFault, Sealed, Stage, Turn};
use irgw_sftp::fileset::Feed;
use irgw_store::{
    DeliveryEntry, DeliveryFilter, DeliveryState, Error, Kind, NewDelivery, NewParcel, Page, Stopped, Store,
    Submitted,
};

use crate::Fixture;
use crate::support::{NOW, at, furnish};

const LEASE: Duration = Duration::from_secs(15);

fn provider(id: &str) -> ProviderId {
    id.parse().unwrap()
}

/// A set of a provider whose files have these names, each holding the bytes of its name.
fn set(of: &str, feed: Feed, names: &[&str]) -> NewDelivery {
    let parcels = names.iter().map(|name| NewParcel {
        name: (*name).to_owned(),
        bytes: name.len() as u64,
        digest: [u8::try_from(name.len()).unwrap(); 32],
    });
    NewDelivery {
        provider: provider(of),
        environment: "NZT".to_owned(),
        feed,
        folder: "spool".to_owned(),
        parcels: parcels.collect(),
    }
}

fn submit(store: &Store, set: &NewDelivery) -> DeliveryId {
    let submitted = store.submit_delivery(set, NOW).unwrap();
    let (Submitted::New(id) | Submitted::Before(id)) = submitted;
    assert_eq!(submitted, Submitted::New(id));
    id
}

fn stopped(why: &str) -> Stopped {
    Stopped { rule: Some(Rule::Sftp2), why: why.to_owned() }
}

fn claim(store: &Store) -> Option<DeliveryEntry> {
    store.claim_delivery(&[], LEASE, NOW).unwrap()
}

fn sealed(name: &str) -> Sealed {
    Sealed { temporary: name.to_owned(), bytes: 1000, digest: [7; 32] }
}

/// Carries a delivery out, in its turn.
fn carry_out(store: &Store, entry: &DeliveryEntry) {
    let turn = entry.delivery.turn;
    for parcel in &entry.delivery.parcels {
        store.seal(turn, parcel.number, &sealed("t")).unwrap();
        store.deliver(turn, parcel.number, NOW).unwrap();
    }
    store.finish_delivery(turn, NOW).unwrap();
}

pub(crate) fn set_is_submitted_once(Fixture { store, .. }: Fixture) {
    furnish(&store);
    let first = set("p", Feed::TransactionData, &["a.zip", "a.xml"]);
    let id = submit(&store, &first);
    assert_eq!(store.submit_delivery(&first, NOW), Ok(Submitted::Before(id)));
    // The same name with other bytes, or in another set.
    let mut other = first.clone();
    other.parcels[1].digest = [9; 32];
    let taken = Error::NameTaken { name: "a.zip".into(), delivery: id.0 };
    assert_eq!(store.submit_delivery(&other, NOW), Err(taken));
    let crossed = set("p", Feed::TransactionData, &["b.zip", "a.xml"]);
    let taken = Error::NameTaken { name: "a.xml".into(), delivery: id.0 };
    assert_eq!(store.submit_delivery(&crossed, NOW), Err(taken));
    // Another provider's names are its own.
    submit(&store, &set("q", Feed::TransactionData, &["a.zip", "a.xml"]));
    let nobody = store.submit_delivery(&set("x", Feed::ReturnStatus, &["a"]), NOW);
    assert_eq!(nobody, Err(Error::Unknown(Kind::Provider, "x".into())));
}

pub(crate) fn delivery_is_claimed_by_one(fixture: Fixture) {
    let store = &fixture.store;
    furnish(store);
    let id = submit(store, &set("p", Feed::ReturnStatus, &["a", "b"]));
    let entry = claim(store).unwrap();
    assert_eq!(entry.delivery.turn, Turn { delivery: id, number: 1 });
    assert!(claim(store).is_none());
    if let Some(node) = fixture.another_node() {
        assert!(claim(&node).is_none());
    }
    // Whoever is at it says so; when nobody says so any more, it is for the next one.
    store.keep_turn(entry.delivery.turn, 0, LEASE, at(NOW.as_secs() + 10)).unwrap();
    let later = |seconds| store.claim_delivery(&[], LEASE, at(NOW.as_secs() + seconds)).unwrap();
    // A lease is never shorter than it says: its last second is whole.
    assert!(later(25).is_none());
    assert_eq!(later(26).unwrap().delivery.turn.number, 2);
    // The first one's turn is over, whatever it still thinks.
    let turn = entry.delivery.turn;
    assert_eq!(store.keep_turn(turn, 0, LEASE, NOW), Err(Error::TurnLost(id.0)));
    assert_eq!(store.seal(turn, 0, &sealed("t")), Err(LedgerFault::TurnLost));
    assert_eq!(store.deliver(turn, 0, NOW), Err(LedgerFault::TurnLost));
    assert_eq!(store.finish_delivery(turn, NOW), Err(Error::TurnLost(id.0)));
    assert_eq!(store.postpone_delivery(turn, &stopped("late"), false, NOW), Err(Error::TurnLost(id.0)));
}

pub(crate) fn sets_of_a_feed_go_in_order(Fixture { store, .. }: Fixture) {
    furnish(&store);
    let first = submit(&store, &set("p", Feed::TransactionData, &["a"]));
    let second = submit(&store, &set("p", Feed::TransactionData, &["b"]));
    let other = submit(&store, &set("p", Feed::ReturnStatus, &["c"]));
    let entries = [claim(&store).unwrap(), claim(&store).unwrap()];
    assert_eq!(entries.each_ref().map(|entry| entry.delivery.turn.delivery), [first, other]);
    assert!(claim(&store).is_none());
    // The set behind waits while the one before it pauses, and while it is held.
    let turn = entries[0].delivery.turn;
    store.postpone_delivery(turn, &stopped("the server is away"), false, at(NOW.as_secs() + 60)).unwrap();
    assert!(claim(&store).is_none());
    store.retry_delivery(first, NOW).unwrap();
    let turn = claim(&store).unwrap().delivery.turn;
    let troubled = |failures| store.troubled_deliveries(failures).unwrap().len();
    assert_eq!((troubled(1), troubled(0)), (0, 3));
    store.hold_delivery(turn, &stopped("the host key has changed")).unwrap();
    assert_eq!(troubled(9), 1);
    assert!(claim(&store).is_none());
    store.retry_delivery(first, NOW).unwrap();
    carry_out(&store, &claim(&store).unwrap());
    assert_eq!(claim(&store).unwrap().delivery.turn.delivery, second);
}

pub(crate) fn busy_provider_is_passed_by(Fixture { store, .. }: Fixture) {
    furnish(&store);
    submit(&store, &set("p", Feed::TransactionData, &["a"]));
    let behind = submit(&store, &set("q", Feed::TransactionData, &["a"]));
    let entry = store.claim_delivery(&[provider("p")], LEASE, NOW).unwrap().unwrap();
    assert_eq!(entry.delivery.turn.delivery, behind);
}

pub(crate) fn ledger_says_how_far_each_file_has_come(Fixture { store, .. }: Fixture) {
    furnish(&store);
    let id = submit(&store, &set("p", Feed::TransactionData, &["a.zip", "a.xml"]));
    let turn = claim(&store).unwrap().delivery.turn;
    let stages = || store.delivery(id).unwrap().delivery.parcels.into_iter().map(|parcel| parcel.stage);
    // Nothing is delivered that was not whole.
    store.deliver(turn, 0, NOW).unwrap();
    assert_eq!(stages().collect::<Vec<_>>(), [Stage::Waiting, Stage::Waiting]);
    store.seal(turn, 0, &sealed(".a.1")).unwrap();
    assert_eq!(stages().next(), Some(Stage::Sealed(sealed(".a.1"))));
    store.deliver(turn, 0, NOW).unwrap();
    let delivered = Stage::Delivered { sealed: sealed(".a.1"), at: NOW };
    assert_eq!(stages().next(), Some(delivered.clone()));
    // What is delivered stays as it is.
    store.seal(turn, 0, &sealed(".a.2")).unwrap();
    assert_eq!(stages().next(), Some(delivered));
    assert_eq!(store.finish_delivery(turn, NOW), Err(Error::Undelivered(id.0)));
    store.postpone_delivery(turn, &stopped("cut"), true, NOW).unwrap();
    let entry = store.delivery(id).unwrap();
    assert_eq!((entry.state, entry.delivery.failures), (DeliveryState::Queued, 1));
    assert_eq!((entry.stopped, entry.sent), (Some(stopped("cut")), 0));
    carry_out(&store, &claim(&store).unwrap());
    let entry = store.delivery(id).unwrap();
    assert_eq!((entry.state, entry.ended, entry.stopped), (DeliveryState::Delivered, Some(NOW), None));
    let ended = Error::Ended { delivery: id.0, state: "delivered" };
    assert_eq!(store.cancel_delivery(id, NOW), Err(ended.clone()));
    assert_eq!(store.retry_delivery(id, NOW), Err(ended));
    assert_eq!(store.state_of_folder(&entry.folder), Ok(Some(DeliveryState::Delivered)));
    assert_eq!(store.state_of_folder("elsewhere"), Ok(None));
}

pub(crate) fn cancelled_delivery_frees_the_names_that_were_not_used(Fixture { store, .. }: Fixture) {
    furnish(&store);
    let id = submit(&store, &set("p", Feed::TransactionData, &["a.zip", "b.zip"]));
    let turn = claim(&store).unwrap().delivery.turn;
    store.seal(turn, 0, &sealed("t")).unwrap();
    // It may have its name already: nobody knows before the next turn.
    assert_eq!(store.cancel_delivery(id, NOW), Err(Error::UnderWay(id.0)));
    store.deliver(turn, 0, NOW).unwrap();
    store.cancel_delivery(id, NOW).unwrap();
    assert_eq!(store.seal(turn, 1, &sealed("t")), Err(LedgerFault::TurnLost));
    assert!(claim(&store).is_none());
    submit(&store, &set("p", Feed::TransactionData, &["b.zip"]));
    let taken = store.submit_delivery(&set("p", Feed::TransactionData, &["a.zip"]), NOW);
    assert_eq!(taken, Err(Error::NameTaken { name: "a.zip".into(), delivery: id.0 }));
    assert_eq!(store.delivery(DeliveryId(99)).unwrap_err(), Error::Unknown(Kind::Delivery, "99".into()));
}

pub(crate) fn deliveries_are_listed_by_provider_and_state(Fixture { store, .. }: Fixture) {
    furnish(&store);
    let ids: Vec<_> =
        (0..5).map(|n| submit(&store, &set("p", Feed::ReturnStatus, &[&format!("{n}")]))).collect();
    submit(&store, &set("q", Feed::ReturnStatus, &["0"]));
    carry_out(&store, &claim(&store).unwrap());
    let filter = DeliveryFilter { provider: Some(provider("p")), state: Some(DeliveryState::Queued) };
    let first = store.list_deliveries(&filter, &Page::first(3).unwrap()).unwrap();
    let second = store.list_deliveries(&filter, &Page::after(first.next.unwrap(), 3).unwrap()).unwrap();
    let seen: Vec<_> =
        first.items.iter().chain(&second.items).map(|entry| entry.delivery.turn.delivery).collect();
    assert_eq!((seen, second.next), (ids[1..].to_vec(), None));
    let astray = store.list_deliveries(&filter, &Page::after("x".into(), 3).unwrap());
    assert_eq!(astray, Err(Error::After("x".into())));
}
