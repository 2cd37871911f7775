//! Calls in one transaction: shared on disk, apart in everything else.

use std::sync::mpsc;
use std::thread;

use super::*;
use crate::Store;
use crate::engine::Engine;
use crate::sql::{Turn, values};

const PATIENCE: Duration = Duration::from_secs(20);

/// A store with a table of marks.
fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("irgw.sqlite")).unwrap();
    let create = "CREATE TABLE marks (name TEXT)";
    store.write(Turn::Alone, PATIENCE, |writing| writing.execute(create, values![])).unwrap();
    (folder, store)
}

fn together<T>(store: &Store, work: impl FnOnce(&Transaction<'_>) -> Result<T, Error>) -> Result<T, Error> {
    waiting_for(PATIENCE, store, work)
}

fn waiting_for<T>(
    patience: Duration,
    store: &Store,
    work: impl FnOnce(&Transaction<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let (connections, group) = parts(store);
    group.run(connections, patience, work)
}

fn mark(writing: &Transaction<'_>, name: &str) -> Result<(), Error> {
    writing.execute("INSERT INTO marks (name) VALUES (?1)", values![name])?;
    Ok(())
}

fn marks(store: &Store) -> Vec<String> {
    let query = "SELECT name FROM marks ORDER BY name";
    store.read(|transaction| transaction.all(query, values![], |row| row.get(0))).unwrap()
}

fn group(store: &Store) -> &Group {
    parts(store).1
}

fn parts(store: &Store) -> (&Arc<Connections>, &Group) {
    match store.engine() {
        Engine::Sqlite { connections, group } => (connections, group),
        #[cfg(feature = "postgres")]
        Engine::Postgres(_) => unreachable!("the tests' stores are files"),
    }
}

/// Returns when so many calls wait for their turn: the one that has it will hand it on.
fn wait_for_others(store: &Store, count: usize) {
    while group(store).lock().waiting < count {
        thread::yield_now();
    }
}

#[test]
fn calls_that_wait_share_a_commit() {
    let (_folder, store) = store();
    thread::scope(|scope| {
        let first = scope.spawn(|| {
            together(&store, |writing| {
                wait_for_others(&store, 3);
                mark(writing, "first")
            })
        });
        while !matches!(group(&store).lock().place, Place::Taken) {
            thread::yield_now();
        }
        for name in ["a", "b", "c"] {
            let store = &store;
            scope.spawn(move || together(store, |writing| mark(writing, name)).unwrap());
        }
        first.join().unwrap().unwrap();
    });
    assert_eq!(group(&store).lock().members, 4);
    assert_eq!(marks(&store), ["a", "b", "c", "first"]);
}

/// The second is in the first one's transaction, and what `second` does there is what the tests look at.
fn pair(
    store: &Store,
    second: impl FnOnce(&Transaction<'_>, &mpsc::Receiver<Result<(), Error>>) -> Result<(), Error> + Send,
) -> (Result<(), Error>, thread::Result<Result<(), Error>>) {
    let (sender, first_ended) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(move || {
            let ended = together(store, |writing| {
                wait_for_others(store, 1);
                mark(writing, "first")
            });
            sender.send(ended).unwrap();
        });
        while !matches!(group(store).lock().place, Place::Taken) {
            thread::yield_now();
        }
        let (seen, first_ended) = (Mutex::new(first_ended), mpsc::channel());
        let (give_back, back) = first_ended;
        let second = scope.spawn(move || {
            let seen = seen.into_inner().unwrap();
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                together(store, |writing| second(writing, &seen))
            }));
            give_back.send(seen).unwrap();
            result
        });
        let second = second.join().unwrap();
        (back.recv().unwrap().recv().unwrap(), second)
    })
}

#[test]
fn nobody_is_answered_before_the_commit() {
    let (_folder, store) = store();
    let (first, second) = pair(&store, |writing, first_ended| {
        let seen = writing.one("SELECT count(*) FROM marks", values![], |row| row.get::<i64>(0))?;
        assert_eq!(seen, Some(1), "the first one's change is seen by the second");
        assert_eq!(marks(&store), Vec::<String>::new(), "and by nobody else");
        assert!(first_ended.try_recv().is_err(), "the first one has no answer yet");
        mark(writing, "second")
    });
    assert_eq!((first, second.unwrap()), (Ok(()), Ok(())));
    assert_eq!(marks(&store), ["first", "second"]);
}

#[test]
fn failure_undoes_its_own_part_alone() {
    let (_folder, store) = store();
    let (first, second) = pair(&store, |writing, _| {
        mark(writing, "second")?;
        Err(Error::Full)
    });
    assert_eq!((first, second.unwrap()), (Ok(()), Err(Error::Full)));
    assert_eq!(marks(&store), ["first"]);
}

#[test]
fn panic_undoes_its_own_part_alone() {
    let (_folder, store) = store();
    let (first, second) = pair(&store, |writing, _| {
        mark(writing, "second")?;
        panic!("on purpose")
    });
    assert!(first.is_ok() && second.is_err());
    assert_eq!(marks(&store), ["first"]);
    together(&store, |writing| mark(writing, "third")).unwrap();
    assert_eq!(marks(&store), ["first", "third"]);
}

/// As SQLite does by itself when a disk is full.
#[test]
fn transaction_that_was_lost_is_lost_for_all_who_were_in_it() {
    let (_folder, store) = store();
    let (first, second) = pair(&store, |writing, _| {
        writing.execute("ROLLBACK", values![])?;
        Err(Error::Full)
    });
    assert_eq!((first, second.unwrap()), (Err(Error::Full), Err(Error::Full)));
    assert_eq!(marks(&store), Vec::<String>::new());
    together(&store, |writing| mark(writing, "third")).unwrap();
    assert_eq!(marks(&store), ["third"]);
}

#[test]
fn who_waits_too_long_goes_and_holds_nobody_up() {
    let (_folder, store) = store();
    together(&store, |writing| {
        let busy = thread::scope(|scope| {
            let other = scope.spawn(|| waiting_for(Duration::ZERO, &store, |writing| mark(writing, "other")));
            other.join().unwrap()
        });
        assert_eq!(busy, Err(Error::Busy));
        mark(writing, "first")
    })
    .unwrap();
    assert_eq!(marks(&store), ["first"]);
}
