//! The follower: a change is in force within a second, and what cannot be confirmed grows stale.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails is to panic")]

mod support;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use irgw_core::{Environment, Missing};
use irgw_store::{Error, Event, Follower, Registry, Store};
use irgw_tls::Enrolments;

use support::{NOW, client_cert, furnish};

/// Long enough for a follower that never looks unless it is told to.
const NEVER: Duration = Duration::from_secs(3600);

struct Node {
    store: Store,
    registry: Arc<Registry>,
    follower: Follower,
    events: Receiver<Event>,
}

fn follow(store: Store, interval: Duration) -> Node {
    let registry = Registry::load(&store, Environment::Test).unwrap();
    let (sender, events) = mpsc::channel();
    // A send fails only when the test is over.
    let report = move |event| drop(sender.send(event));
    let follower = Follower::spawn(&store, registry.clone(), interval, report).unwrap();
    Node { store, registry, follower, events }
}

fn database(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("irgw.sqlite")
}

impl Node {
    /// Waits for reports until `fact` holds; how long that took.
    fn wait_until(&self, fact: impl Fn(&Registry) -> bool) -> Duration {
        let begun = Instant::now();
        while !fact(&self.registry) {
            let event = self.events.recv_timeout(Duration::from_secs(30)).unwrap();
            assert!(matches!(event, Event::Changed(_)), "{event:?}");
        }
        begun.elapsed()
    }
}

#[test]
fn change_of_another_process_is_in_force_within_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let node = follow(Store::open(&database(&folder)).unwrap(), Follower::INTERVAL);
    let operator = Store::open_existing(&database(&folder)).unwrap();
    furnish(&operator);
    operator.enrol_client_cert(&client_cert("p", "a.example"), NOW).unwrap();
    let took = node.wait_until(|registry| registry.by_common_name("a.example").is_ok());
    assert!(took < Duration::from_secs(1), "{took:?}");
    operator.revoke_client_cert("a.example", NOW).unwrap();
    let revoked = |registry: &Registry| registry.by_common_name("a.example").err() == Some(Missing::Revoked);
    let took = node.wait_until(revoked);
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[test]
fn follower_looks_at_once_when_woken() {
    let node = follow(Store::in_memory().unwrap(), NEVER);
    furnish(&node.store);
    node.store.enrol_client_cert(&client_cert("p", "a.example"), NOW).unwrap();
    node.follower.wake();
    node.wait_until(|registry| registry.by_common_name("a.example").is_ok());
}

#[test]
fn spent_tokens_change_nothing_that_is_followed() {
    let node = follow(Store::in_memory().unwrap(), NEVER);
    let revision = node.registry.revision();
    let _ = node.store.spend(&irgw_core::Thumbprint([7; 32]), "jti", NOW, NOW).unwrap();
    node.follower.wake();
    furnish(&node.store);
    node.follower.wake();
    // The first report is of the furnishing.
    let event = node.events.recv_timeout(Duration::from_secs(30)).unwrap();
    assert!(matches!(event, Event::Changed(irgw_store::Refreshed::Changed { .. })), "{event:?}");
    assert!(node.registry.revision() > revision);
}

#[test]
fn each_look_confirms_the_registry() {
    let node = follow(Store::in_memory().unwrap(), Duration::from_millis(1));
    let loaded = Instant::now();
    let fresh = Duration::from_secs(3600);
    // At a time that lies an hour ahead the registry is an hour old, less what was confirmed meanwhile.
    let begun = node.registry.staleness(loaded + fresh);
    while node.registry.staleness(loaded + fresh) >= begun {
        std::thread::yield_now();
    }
}

/// A file that is gone or was exchanged is not confirmed by the connection that still has it open (OA-16, G09).
#[test]
fn file_that_was_exchanged_is_reported_and_not_confirmed() {
    let folder = tempfile::tempdir().unwrap();
    let node = follow(Store::open(&database(&folder)).unwrap(), Duration::from_millis(1));
    let aside = folder.path().join("aside.sqlite");
    fs::rename(database(&folder), &aside).unwrap();
    let next = || node.events.recv_timeout(Duration::from_secs(30)).unwrap();
    assert_eq!(next(), Event::Failed(Error::Absent(database(&folder))));
    let other = tempfile::tempdir().unwrap();
    drop(Store::open(&database(&other)).unwrap());
    fs::copy(database(&other), database(&folder)).unwrap();
    assert_eq!(next(), Event::Failed(Error::Replaced));
    fs::rename(&aside, database(&folder)).unwrap();
    assert_eq!(next(), Event::Recovered);
}

#[test]
fn dropped_follower_has_stopped() {
    let node = follow(Store::in_memory().unwrap(), NEVER);
    drop(node.follower);
    // Its end of the channel went with its thread.
    assert!(matches!(node.events.recv(), Err(mpsc::RecvError)));
}
