//! The SQLite file: who may read it, whose it is, and what happens when several processes use it or it breaks.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails is to panic")]

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use irgw_core::{Environment, Thumbprint};
use irgw_store::{ClientCertFilter, Error, Page, Refreshed, Registry, Spent, Store};
use irgw_tls::Enrolments;
use rusqlite::Connection;
use rusqlite::backup::Backup;

use support::{NOW, client_cert, furnish, signing_cert};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn database(&self) -> PathBuf {
        self.0.path().join("irgw.sqlite")
    }

    fn open(&self) -> Result<Store, Error> {
        Store::open(&self.database())
    }

    /// A connection past the store, as a wrong program would have it.
    fn raw(&self) -> Connection {
        Connection::open(self.database()).unwrap()
    }
}

#[test]
fn file_and_its_companions_are_readable_by_their_owner_alone() {
    let folder = Folder::new();
    let store = folder.open().unwrap();
    furnish(&store);
    let mut files: Vec<_> = fs::read_dir(folder.0.path()).unwrap().map(Result::unwrap).collect();
    files.sort_by_key(|file| file.file_name());
    assert_eq!(files.len(), 3, "database, write-ahead log, shared memory");
    for file in files {
        assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600, "{file:?}");
    }
}

#[test]
fn file_that_others_can_use_is_refused() {
    let folder = Folder::new();
    drop(folder.open().unwrap());
    for mode in [0o640, 0o604, 0o620, 0o666] {
        fs::set_permissions(folder.database(), fs::Permissions::from_mode(mode)).unwrap();
        let refused = folder.open().unwrap_err();
        assert_eq!(refused, Error::Exposed { path: folder.database(), mode });
        assert!(refused.to_string().contains("chmod 600"));
    }
    fs::set_permissions(folder.database(), fs::Permissions::from_mode(0o400)).unwrap();
    assert!(!matches!(folder.open(), Err(Error::Exposed { .. })));
}

#[test]
fn mistyped_path_does_not_begin_anew() {
    let folder = Folder::new();
    assert_eq!(Store::open_existing(&folder.database()).unwrap_err(), Error::Absent(folder.database()));
    assert!(!folder.database().exists());
}

#[test]
fn database_of_another_program_or_a_later_version_is_refused() {
    let folder = Folder::new();
    drop(folder.open().unwrap());
    folder.raw().pragma_update(None, "user_version", 5).unwrap();
    let refused = folder.open().unwrap_err();
    assert_eq!(refused, Error::Newer { found: 5, known: 4 });
    assert_eq!(refused.to_string().lines().count(), 1);

    let folder = Folder::new();
    folder.raw().execute_batch("CREATE TABLE theirs (a)").unwrap();
    fs::set_permissions(folder.database(), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(folder.open().unwrap_err(), Error::Foreign(folder.database()));

    let folder = Folder::new();
    fs::write(folder.database(), "not a database, and long enough to look like one".repeat(100)).unwrap();
    fs::set_permissions(folder.database(), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(folder.open().unwrap_err(), Error::Foreign(folder.database()));
}

/// A13, B21: ENV-2 holds whatever program writes: the schema says so.
#[test]
fn schema_refuses_one_credential_in_two_environments() {
    let folder = Folder::new();
    let store = folder.open().unwrap();
    furnish(&store);
    store.enrol_client_cert(&client_cert("p", "a.example"), NOW).unwrap();
    let cert = signing_cert(2028);
    store.enrol_signing_cert(&cert.of("o", "i"), NOW).unwrap();

    let raw = folder.raw();
    raw.pragma_update(None, "foreign_keys", true).unwrap();
    let client = "INSERT INTO client_certs (common_name, provider, environment, exclusive, since, revision)";
    let signing = "INSERT INTO signing_certs SELECT";
    let columns = |thumbprint: &str, sha1: &str, environment: &str| {
        format!(
            "{signing} {thumbprint}, {sha1}, owner, issuer, {environment}, legacy_sha1, key_kind, public_key, key_digest,
             not_before, not_after, subject, serial, since, revoked, revision FROM signing_certs"
        )
    };
    for statement in [
        format!("{client} VALUES ('a.example', 'p', 'prod', 0, 0, 9)"),
        format!("{client} VALUES ('A.Example', 'p', 'prod', 0, 0, 9)"),
        format!("{client} VALUES ('b.example', 'p', 'qual', 0, 0, 9)"),
        format!("{client} VALUES ('b.example', 'nobody', 'prod', 0, 0, 9)"),
        columns("thumbprint", "randomblob(20)", "'prod'"),
        columns("randomblob(32)", "thumbprint_sha1", "environment"),
        columns("randomblob(32)", "randomblob(20)", "'prod'"),
        "INSERT INTO signing_keys SELECT digest, 'prod' FROM signing_keys".to_owned(),
    ] {
        let refused = raw.execute(&statement, []).unwrap_err();
        assert!(refused.to_string().contains("constraint failed"), "{statement}: {refused}");
    }
    // The last form is right where it stays in its environment: a renewed certificate with the same key.
    raw.execute(&columns("randomblob(32)", "randomblob(20)", "environment"), []).unwrap();
}

#[test]
fn many_may_open_a_new_file_at_once() {
    for _ in 0..10 {
        let folder = Folder::new();
        thread::scope(|scope| {
            for number in 0..4 {
                let folder = &folder;
                scope.spawn(move || {
                    let store = folder.open().unwrap();
                    store.add_provider(&format!("p{number}").parse().unwrap(), "P", NOW).unwrap();
                });
            }
        });
        let store = folder.open().unwrap();
        assert_eq!(store.list_providers(&Page::first(10).unwrap()).unwrap().items.len(), 4);
        assert_eq!(store.revision(), Ok(4));
    }
}

/// G11: of connections that race for one name exactly one wins, and no change is lost.
#[test]
fn race_for_one_name_has_one_winner() {
    let folder = Folder::new();
    furnish(&folder.open().unwrap());
    let won: usize = thread::scope(|scope| {
        let racers: Vec<_> = (0..4)
            .map(|racer| {
                let folder = &folder;
                scope.spawn(move || {
                    let store = folder.open().unwrap();
                    let enrol = |name: String| store.enrol_client_cert(&client_cert("p", &name), NOW);
                    enrol(format!("own-{racer}.example")).unwrap();
                    (0..25).filter(|number| enrol(format!("{number}.example")).is_ok()).count()
                })
            })
            .collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).sum()
    });
    assert_eq!(won, 25);
    let store = folder.open().unwrap();
    let listed = store.list_client_certs(&ClientCertFilter::default(), &Page::first(100).unwrap()).unwrap();
    assert_eq!(listed.items.len(), 25 + 4);
}

const CHILD: &str = "IRGW_STORE_TEST_DATABASE";

/// The other process of [`two_processes_write_one_file`]; on its own it does nothing.
#[test]
fn child_process() {
    let Some(database) = std::env::var_os(CHILD) else { return };
    let store = Store::open_existing(database.as_ref()).unwrap();
    for number in 0..50 {
        store.enrol_client_cert(&client_cert("q", &format!("child-{number}.example")), NOW).unwrap();
    }
}

#[test]
fn two_processes_write_one_file() {
    let folder = Folder::new();
    let store = folder.open().unwrap();
    furnish(&store);
    let registry = Registry::load(&store, Environment::Test).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child_process", "--exact"])
        .env(CHILD, folder.database())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    for number in 0..50 {
        store.enrol_client_cert(&client_cert("p", &format!("parent-{number}.example")), NOW).unwrap();
        registry.refresh(&store).unwrap();
    }
    assert!(child.wait().unwrap().success());
    registry.refresh(&store).unwrap();
    assert_eq!(registry.size().client_certs, 100);
    assert_eq!(store.examine(), Ok(()));
}

/// G09: what is damaged is said to be, and nothing is admitted by it.
#[test]
fn damaged_file_is_an_error_and_no_panic() {
    let folder = Folder::new();
    let store = folder.open().unwrap();
    furnish(&store);
    let certs: Vec<_> = (0..20).map(|number| client_cert("p", &format!("{number}.example"))).collect();
    store.batch(|batch| certs.iter().try_for_each(|cert| batch.enrol_client_cert(cert, NOW))).unwrap();
    drop(store);
    let whole = fs::read(folder.database()).unwrap();
    assert!(whole.len() > 20 * 4096);
    let mut said = 0;
    for page in 1..whole.len() / 4096 {
        let mut damaged = whole.clone();
        damaged[page * 4096..][..64].fill(0xa5);
        fs::write(folder.database(), &damaged).unwrap();
        let Ok(store) = folder.open() else { continue };
        let loaded = Registry::load(&store, Environment::Test);
        let enrolled = store.enrol_client_cert(&client_cert("p", "new.example"), NOW);
        let examined = store.examine();
        assert!(examined.is_err(), "page {page} is damaged");
        said += usize::from(loaded.is_err() || enrolled.is_err());
    }
    assert!(said > 0);
}

/// G09: a writer that does not finish keeps nobody from reading.
#[test]
fn held_database_is_read_all_the_same() {
    let folder = Folder::new();
    let store = folder.open().unwrap();
    furnish(&store);
    store.enrol_client_cert(&client_cert("p", "a.example"), NOW).unwrap();
    let raw = folder.raw();
    raw.execute_batch("BEGIN IMMEDIATE; INSERT INTO revisions VALUES (1000, 0);").unwrap();
    let registry = Registry::load(&store, Environment::Test).unwrap();
    assert_eq!(registry.size().client_certs, 1);
    assert_eq!(registry.revision(), store.revision().unwrap());
    raw.execute_batch("ROLLBACK").unwrap();
}

/// The wait for other threads and the wait for other processes have one end: waiting requests do not wait in turn.
#[test]
fn waiting_for_a_held_database_is_bounded_for_all_together() {
    let folder = Folder::new();
    let store = folder.open().unwrap();
    let raw = folder.raw();
    raw.execute_batch("BEGIN IMMEDIATE").unwrap();
    let begun = Instant::now();
    thread::scope(|scope| {
        for number in 0..8 {
            let store = &store;
            scope.spawn(move || {
                let spent = store.spend(&Thumbprint([7; 32]), &number.to_string(), NOW, NOW);
                assert_eq!(spent, Err(Error::Busy));
            });
        }
    });
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    raw.execute_batch("ROLLBACK").unwrap();
    assert_eq!(store.spend(&Thumbprint([7; 32]), "0", NOW, NOW), Ok(Spent::First));
}

/// G07: a copy that was put back into the open file is read anew, wholly, whatever number its revision has by then.
#[test]
fn restored_database_is_loaded_anew() {
    // Behind what was loaded, at its number, beyond it.
    for changes_since in 0..4 {
        let folder = Folder::new();
        let store = folder.open().unwrap();
        furnish(&store);
        store.enrol_client_cert(&client_cert("p", "kept.example"), NOW).unwrap();
        let mut copy = Connection::open(folder.0.path().join("copy.sqlite")).unwrap();
        let copied = |from: &Connection, to: &mut Connection| {
            Backup::new(from, to).unwrap().run_to_completion(100, Duration::ZERO, None).unwrap();
        };
        copied(&folder.raw(), &mut copy);
        for lost in ["lost-1.example", "lost-2.example"] {
            store.enrol_client_cert(&client_cert("p", lost), NOW).unwrap();
        }
        let registry = Registry::load(&store, Environment::Test).unwrap();
        assert_eq!(registry.size().client_certs, 3);

        copied(&copy, &mut folder.raw());
        for number in 0..changes_since {
            let new = client_cert("p", &format!("new-{number}.example"));
            store.enrol_client_cert(&new, NOW).unwrap();
        }
        assert_eq!(registry.refresh(&store).map(|refreshed| refreshed != Refreshed::Unchanged), Ok(true));
        assert_eq!(registry.size().client_certs, 1 + changes_since, "{changes_since} changes since");
        assert!(registry.by_common_name("lost-1.example").is_err());
        assert_eq!(registry.refresh(&store), Ok(Refreshed::Unchanged));
    }
}

/// The tags of revisions are kept within bounds; a reader that lags behind all of them reads everything.
#[test]
fn reader_that_lags_far_behind_reads_everything() {
    let folder = Folder::new();
    let store = folder.open().unwrap();
    furnish(&store);
    store.enrol_client_cert(&client_cert("p", "a.example"), NOW).unwrap();
    let registry = Registry::load(&store, Environment::Test).unwrap();
    let raw = folder.raw();
    raw.execute_batch("INSERT INTO revisions VALUES (20000, 0)").unwrap();
    store.enrol_client_cert(&client_cert("p", "b.example"), NOW).unwrap();
    let kept: i64 = raw.query_row("SELECT count(*) FROM revisions", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 2);
    assert_eq!(registry.refresh(&store), Ok(Refreshed::Changed { revision: 20_001, rows: 2 }));
}

/// A database of the first version is brought to this one by the gateway, and not by a command that runs beside it.
#[test]
fn database_of_an_earlier_version_is_migrated_by_open_alone() {
    let folder = Folder::new();
    let raw = folder.raw();
    raw.execute_batch(include_str!("../src/sqlite/schema.sql")).unwrap();
    raw.execute_batch(
        "UPDATE revision SET value = 7; PRAGMA user_version = 1; PRAGMA application_id = 0x69726777;",
    )
    .unwrap();
    fs::set_permissions(folder.database(), fs::Permissions::from_mode(0o600)).unwrap();
    let refused = Store::open_existing(&folder.database()).unwrap_err();
    assert_eq!(refused, Error::Older { found: 1, known: 4 });
    assert_eq!(folder.open().unwrap().revision(), Ok(7));
    assert_eq!(Store::open_existing(&folder.database()).unwrap().revision(), Ok(7));
}

/// SQLite says "unable to open database file" of all these.
#[test]
fn file_that_cannot_be_opened_says_why() {
    let folder = Folder::new();
    fs::create_dir(folder.database()).unwrap();
    let refused = folder.open().unwrap_err();
    assert_eq!(refused, Error::NoFile(folder.database()));
    assert!(refused.to_string().ends_with("irgw.sqlite is not a file"));

    // What stands where a companion would be made keeps even the superuser from making it.
    let folder = Folder::new();
    drop(folder.open().unwrap());
    fs::create_dir(folder.0.path().join("irgw.sqlite-wal")).unwrap();
    let refused = folder.open().unwrap_err();
    let asking = fs::metadata("/proc/self").unwrap().uid();
    let users = Some([fs::metadata(folder.database()).unwrap().uid(), asking]);
    assert_eq!(refused, Error::Denied { path: folder.database(), users });
    assert!(
        refused.to_string().contains(&format!("and user {asking} asks; run this as the database's owner"))
    );
}

/// An empty file at the path of a database is none: to fill it would be to begin anew.
#[test]
fn empty_file_is_filled_by_open_alone() {
    let folder = Folder::new();
    fs::write(folder.database(), "").unwrap();
    fs::set_permissions(folder.database(), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(Store::open_existing(&folder.database()).unwrap_err(), Error::Foreign(folder.database()));
    assert_eq!(fs::metadata(folder.database()).unwrap().len(), 0);
    drop(folder.open().unwrap());
    assert!(Store::open_existing(&folder.database()).is_ok());
}

/// A copy may come back in another mode than the database had; in that mode readers keep writers waiting.
#[test]
fn write_ahead_mode_is_set_whenever_a_database_is_opened() {
    let folder = Folder::new();
    drop(folder.open().unwrap());
    let mode = |pragma: &str| folder.raw().query_row(pragma, [], |row| row.get::<_, String>(0)).unwrap();
    for open in [Store::open, Store::open_existing] {
        assert_eq!(mode("PRAGMA journal_mode = DELETE"), "delete");
        let store = open(&folder.database()).unwrap();
        assert_eq!(mode("PRAGMA journal_mode"), "wal");
        drop(store);
    }
}

/// Debian 12's tool is of version 3.40: backups are made with what a system has.
#[test]
fn schema_is_read_by_an_older_sqlite() {
    let folder = Folder::new();
    drop(folder.open().unwrap());
    let raw = folder.raw();
    let newer: i64 = raw
        .query_row("SELECT count(*) FROM sqlite_schema WHERE sql LIKE '%octet_length%'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(newer, 0);
    let check =
        |id: &str| raw.execute("INSERT INTO providers (id, name, since) VALUES (?1, 'P', 0)", [id]).is_ok();
    // 128 bytes in 64 letters, and one more.
    assert!(check(&"ā".repeat(64)) && !check(&"ā".repeat(65)));
}
