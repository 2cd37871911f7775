//! The follower: a change is in force within a second, and what cannot be confirmed grows stale.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails is to panic")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use irgw_core::{Environment, Missing, Thumbprint};
use irgw_store::{Error, Event, Follower, Refreshed, Registry, Spent, Store};
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
            assert!(matches!(event, Event::Changed(_) | Event::Reopened), "{event:?}");
        }
        begun.elapsed()
    }

    /// Waits for the report of this revision; what is reported then is of what happens then.
    fn wait_for_revision(&self, wanted: u64) {
        let is_wanted = |event| matches!(event, Event::Changed(Refreshed::Changed { revision, .. }) if revision == wanted);
        while !is_wanted(self.events.recv_timeout(Duration::from_secs(30)).unwrap()) {}
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
    let _ = node.store.spend(&Thumbprint([7; 32]), "jti", NOW, NOW).unwrap();
    node.follower.wake();
    furnish(&node.store);
    node.follower.wake();
    // The first report is of the furnishing.
    let event = node.events.recv_timeout(Duration::from_secs(30)).unwrap();
    assert!(matches!(event, Event::Changed(Refreshed::Changed { .. })), "{event:?}");
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

/// A file that is gone is not confirmed by the connection that still has it open; what takes its place is opened, and
/// closed again when it goes (OA-16, G09).
#[test]
fn file_that_was_exchanged_is_opened_and_one_that_is_gone_not_confirmed() {
    let folder = tempfile::tempdir().unwrap();
    let node = follow(Store::open(&database(&folder)).unwrap(), Duration::from_millis(1));
    furnish(&node.store);
    let revision = node.store.revision().unwrap();
    node.wait_for_revision(revision);
    let aside = folder.path().join("aside.sqlite");
    fs::rename(database(&folder), &aside).unwrap();
    let next = || node.events.recv_timeout(Duration::from_secs(30)).unwrap();
    assert_eq!(next(), Event::Failed(Error::Absent(database(&folder))));
    let other = folder.path().join("other.sqlite");
    drop(Store::open(&other).unwrap());
    fs::rename(&other, database(&folder)).unwrap();
    assert_eq!([next(), next()], [Event::Recovered, Event::Reopened]);
    node.wait_until(|registry| registry.revision() == 0);
    fs::rename(&aside, database(&folder)).unwrap();
    node.wait_until(|registry| registry.revision() == revision);
    assert_eq!(node.store.examine(), Ok(()));
}

/// What takes the place of a database is opened, and never filled.
#[test]
fn empty_file_in_the_place_of_a_database_is_reported_and_left_empty() {
    let folder = tempfile::tempdir().unwrap();
    let node = node_with_a_name(&folder);
    let (aside, empty) = (folder.path().join("aside.sqlite"), folder.path().join("empty"));
    fs::write(&empty, "").unwrap();
    fs::set_permissions(&empty, fs::metadata(database(&folder)).unwrap().permissions()).unwrap();
    fs::rename(database(&folder), &aside).unwrap();
    fs::rename(&empty, database(&folder)).unwrap();
    let look = || {
        node.follower.wake();
        node.events.recv_timeout(Duration::from_secs(30)).unwrap()
    };
    assert_eq!(look(), Event::Failed(Error::Foreign(database(&folder))));
    assert!(node.store.list_providers(&irgw_store::Page::first(1).unwrap()).is_err());
    assert_eq!(fs::metadata(database(&folder)).unwrap().len(), 0);
    fs::rename(&aside, database(&folder)).unwrap();
    assert_eq!(look(), Event::Recovered);
    assert!(node.registry.by_common_name("a.example").is_ok());
    assert_eq!(node.store.examine(), Ok(()));
}

const JTI: &str = "used once";

fn spend(store: &Store) -> Spent {
    store.spend(&Thumbprint([7; 32]), JTI, NOW, NOW).unwrap()
}

const CHILD: &str = "IRGW_STORE_TEST_DATABASE";

/// The other process of the tests below; on its own it does nothing. SQLite lets the connections of one process share
/// what they know of a file, so another store of this process would not do.
#[test]
fn child_process() {
    let Some(database) = std::env::var_os(CHILD) else { return };
    let store = Store::open_existing(database.as_ref()).unwrap();
    store.revoke_client_cert("a.example", NOW).unwrap();
    assert_eq!(spend(&store), Spent::First);
}

fn revoke_and_spend_in_another_process(database: &Path) {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["child_process", "--exact", "--nocapture"]).env(CHILD, database).stdout(Stdio::null());
    assert!(child.status().unwrap().success());
}

/// A node that holds `a.example`, and looks when it is told to.
fn node_with_a_name(folder: &tempfile::TempDir) -> Node {
    let node = follow(Store::open(&database(folder)).unwrap(), NEVER);
    furnish(&node.store);
    node.store.enrol_client_cert(&client_cert("p", "a.example"), NOW).unwrap();
    node.follower.wake();
    node.wait_for_revision(5);
    // The follower may have read while the store copied its log into the database; what is only in the log goes with it.
    let connection = rusqlite::Connection::open(database(folder)).unwrap();
    connection.busy_timeout(Duration::from_secs(30)).unwrap();
    let busy: i64 = connection.query_row("PRAGMA wal_checkpoint(FULL)", [], |row| row.get(0)).unwrap();
    assert_eq!(busy, 0);
    node
}

/// The connections had the removed files open, saw no change in them, and confirmed the registry for ever.
#[test]
fn revocation_is_in_force_when_the_write_ahead_log_was_removed() {
    for removed in [&["-wal", "-shm"][..], &["-wal"], &["-shm"]] {
        let folder = tempfile::tempdir().unwrap();
        let node = node_with_a_name(&folder);
        for suffix in removed {
            fs::remove_file(format!("{}{suffix}", database(&folder).display())).unwrap();
        }
        let reopened = || {
            node.follower.wake();
            let event = node.events.recv_timeout(Duration::from_secs(30));
            assert_eq!(event, Ok(Event::Reopened), "{removed:?}");
        };
        // Shared memory that speaks of a log which is gone keeps other processes out.
        let keeps_others_out = removed == ["-wal"];
        if keeps_others_out {
            reopened();
        }
        revoke_and_spend_in_another_process(&database(&folder));
        if keeps_others_out {
            node.follower.wake();
        } else {
            reopened();
        }
        node.wait_until(|registry| registry.by_common_name("a.example").err() == Some(Missing::Revoked));
        assert_eq!(spend(&node.store), Spent::Again);
        assert_eq!(node.store.examine(), Ok(()));
    }
}

/// A use that is written into a log that nobody else reads is no use at all (M2M-10).
#[test]
fn token_is_spent_once_when_the_write_ahead_log_was_removed() {
    let folder = tempfile::tempdir().unwrap();
    let node = node_with_a_name(&folder);
    for suffix in ["-wal", "-shm"] {
        fs::remove_file(format!("{}{suffix}", database(&folder).display())).unwrap();
    }
    revoke_and_spend_in_another_process(&database(&folder));
    assert_eq!(spend(&node.store), Spent::Again);
}

/// The last connection's closing copied the removed log over what others had written meanwhile.
#[test]
fn node_that_stops_leaves_the_successors_of_its_files_alone() {
    let folder = tempfile::tempdir().unwrap();
    let node = node_with_a_name(&folder);
    for suffix in ["-wal", "-shm"] {
        fs::remove_file(format!("{}{suffix}", database(&folder).display())).unwrap();
    }
    revoke_and_spend_in_another_process(&database(&folder));
    drop(node);
    let store = Store::open_existing(&database(&folder)).unwrap();
    let registry = Registry::load(&store, Environment::Test).unwrap();
    assert_eq!(registry.by_common_name("a.example").unwrap_err(), Missing::Revoked);
    assert_eq!(spend(&store), Spent::Again);
    assert_eq!(store.examine(), Ok(()));
}

/// Each database keeps its own content: the log of the one that was moved away is not read with the one in its place.
#[test]
fn database_that_was_put_back_by_renaming_is_opened_and_the_other_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let node = node_with_a_name(&folder);
    let copy = folder.path().join("copy.sqlite");
    let raw = rusqlite::Connection::open(database(&folder)).unwrap();
    raw.execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
    drop(raw);
    fs::set_permissions(&copy, fs::metadata(database(&folder)).unwrap().permissions()).unwrap();
    node.store.revoke_client_cert("a.example", NOW).unwrap();
    assert_eq!(spend(&node.store), Spent::First);

    let aside = folder.path().join("aside.sqlite");
    fs::rename(database(&folder), &aside).unwrap();
    fs::rename(&copy, database(&folder)).unwrap();
    assert_eq!(spend(&node.store), Spent::First);
    node.follower.wake();
    assert_eq!(node.events.recv_timeout(Duration::from_secs(30)), Ok(Event::Reopened));
    assert!(node.registry.by_common_name("a.example").is_ok());
    assert_eq!(node.store.examine(), Ok(()));

    let aside = Store::open_existing(&aside).unwrap();
    assert_eq!(aside.examine(), Ok(()));
    assert_eq!(spend(&aside), Spent::Again);
    assert_eq!(aside.revoke_client_cert("a.example", support::at(1)), Ok(NOW));
}

#[test]
fn dropped_follower_has_stopped() {
    let node = follow(Store::in_memory().unwrap(), NEVER);
    drop(node.follower);
    // Its end of the channel went with its thread.
    assert!(matches!(node.events.recv(), Err(mpsc::RecvError)));
}
