//! Grants under pressure: races, years of use, and what a copy of the file gives away.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails is to panic")]

mod support;

use std::fs;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use irgw_core::{Environment, Secret, TokenFamily};
use irgw_oauth::grants::{
    ACCESS_LIFETIME, Authorised, CodeFault, Granted, Grants, RefreshFault, Revocations, Session,
};
use irgw_oauth::opaque::{self, Digest};
use irgw_oauth::password;
use irgw_oauth::signing::SigningKey;
use irgw_oauth::vault::Vault;
use irgw_store::{Follower, NewCustomer, NewTokenKey, OldSecret, Registry, Store};
use rusqlite::Connection;

use support::flow::{after, ana, authorise, family, id, is_active, log_in, open, redemption, refresh};
use support::{NOW, client, digest};

/// Each test on two nodes of each kind of database.
macro_rules! on_two_nodes {
    ($($test:ident: $work:ident;)*) => {
        mod on_one_file {
            $(#[test] fn $test() {
                let (_folder, nodes) = crate::two_nodes();
                crate::$work(&nodes);
            })*
        }
        #[cfg(feature = "postgres")]
        mod on_one_server {
            $(#[test] fn $test() {
                let Some(database) = crate::support::postgres::Database::create() else { return };
                crate::$work(&[crate::support::connect(&database), crate::support::connect(&database)]);
            })*
        }
    };
}

on_two_nodes! {
    of_fifty_threads_that_refresh_one_token_one_wins: race_to_refresh;
    of_fifty_threads_that_redeem_one_code_one_wins: race_to_redeem;
    of_fifty_threads_that_spend_one_key_one_wins: race_to_spend;
    of_fifty_threads_that_end_one_transaction_one_wins: race_to_authorise;
    failures_of_fifty_threads_are_all_counted: race_to_fail;
    nothing_outlives_the_consent_that_it_is_given_beside: race_to_withdraw;
    no_change_of_fifty_threads_is_missed: race_to_change;
    follower_brings_a_revocation_within_a_second: follow_a_revocation;
}

/// Two nodes on one file.
fn two_nodes() -> (tempfile::TempDir, [Store; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("irgw.sqlite");
    let nodes = [Store::open(&path).unwrap(), Store::open_existing(&path).unwrap()];
    (folder, nodes)
}

/// What 50 threads are told that do the same at the same time, on these nodes in turn.
fn race<T: Send>(nodes: &[Store], work: impl Fn(&Store, usize) -> T + Sync) -> Vec<T> {
    let start = Barrier::new(50);
    thread::scope(|scope| {
        let run = |n: usize| {
            let (start, work, node) = (&start, &work, &nodes[n % nodes.len()]);
            scope.spawn(move || {
                start.wait();
                work(node, n)
            })
        };
        let threads: Vec<_> = (0..50).map(run).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// C11: one success ever, no error, and no token lives after the losers' replay.
fn race_to_refresh(nodes: &[Store]) {
    open(&nodes[0]);
    for round in ["one", "two", "three"] {
        log_in(&nodes[0], "a", round, NOW);
        let token = format!("{round}.0");
        let told = race(nodes, |node, n| refresh(node, "a", &token, &format!("{round} next {n}"), NOW));
        let won: Vec<_> = (0..50).filter(|n| told[*n].is_ok()).collect();
        assert_eq!(won.len(), 1, "{told:?}");
        let replays = told.iter().filter(|told| matches!(told, Err(RefreshFault::Replayed(_)))).count();
        assert_eq!(replays, 1, "the first loser's call is the replay");
        assert!(told.iter().all(|told| matches!(
            told,
            Ok(Granted { .. }) | Err(RefreshFault::Replayed(_) | RefreshFault::Revoked)
        )));
        assert!(!is_active(&nodes[0], "a", &format!("{round} next {}", won[0]), NOW));
        for n in (0..50).filter(|n| !won.contains(n)) {
            assert_eq!(nodes[0].refresh_token(&digest(&format!("{round} next {n}"))).unwrap(), None);
        }
    }
}

#[test]
fn of_fifty_threads_that_refresh_one_token_one_wins() {
    race_to_refresh(&[Store::in_memory().unwrap()]);
}

/// C07.
fn race_to_redeem(nodes: &[Store]) {
    open(&nodes[0]);
    authorise(&nodes[0], "a", "code", true, NOW);
    let told = race(nodes, |node, n| {
        let mut redemption = redemption("a", "code");
        redemption.family = family(&format!("family {n}"));
        redemption.refresh = Some(digest(&format!("token {n}")));
        node.redeem(&redemption, NOW).unwrap()
    });
    let won: Vec<_> = (0..50).filter(|n| told[*n].is_ok()).collect();
    assert_eq!(won.len(), 1, "{told:?}");
    let began = family(&format!("family {}", won[0]));
    let replays = told.iter().filter(|told| **told == Err(CodeFault::Replayed(began.clone()))).count();
    assert_eq!(replays, 49);
    assert!((0..50).all(|n| !is_active(&nodes[0], "a", &format!("token {n}"), NOW)));
}

/// C21, C26.
fn race_to_spend(nodes: &[Store]) {
    let told = race(nodes, |node, _| Grants::spend(node, &digest("key"), after(60), NOW).unwrap());
    assert_eq!(told.iter().filter(|first| **first).count(), 1);
}

/// OA-18: no failure is lost when many come at once.
fn race_to_fail(nodes: &[Store]) {
    let key = digest("account");
    race(nodes, |node, _| node.note_failure(&[key], Duration::from_secs(900), NOW).unwrap());
    assert_eq!(nodes[1].attempts(&key, NOW).unwrap().failures, 50);
}

/// C21: a transaction that was ended twice gives out one code, and the loser leaves nothing behind.
fn race_to_authorise(nodes: &[Store]) {
    open(&nodes[0]);
    let told = race(nodes, |node, n| authorise(node, "a", &format!("code {n}"), true, NOW));
    assert!(told.iter().all(|told| *told == Authorised::Yes), "each has a transaction of its own");
    let told = race(nodes, |node, _| authorise(node, "b", "one code", true, NOW));
    assert_eq!(told.iter().filter(|told| **told == Authorised::Yes).count(), 1, "{told:?}");
}

/// OA-19: what is given out while a consent is withdrawn or a client disabled does not outlive it.
fn race_to_withdraw(nodes: &[Store]) {
    open(&nodes[0]);
    for round in 0..4 {
        let code = |n: usize| format!("code {round} {n}");
        for n in 0..50 {
            authorise(&nodes[0], "a", &code(n), true, NOW);
        }
        let disables = round == 3;
        let granted = race(nodes, |node, n| match n {
            25 if disables => node.disable_client(&id("a"), NOW).map(|_| false).unwrap(),
            25 => node.withdraw(&ana(), &id("a"), NOW).map(|_| false).unwrap(),
            _ => node.redeem(&redemption("a", &code(n)), NOW).unwrap().is_ok(),
        });
        let lives = (0..50).filter(|n| is_active(&nodes[0], "a", &format!("{}.0", code(*n)), NOW)).count();
        assert_eq!(lives, 0, "of {}", granted.iter().filter(|granted| **granted).count());
    }
}

/// A reader that follows while many change sees every change: no revision comes to light after a later one.
fn race_to_change(nodes: &[Store]) {
    open(&nodes[0]);
    (0..25).for_each(|n| log_in(&nodes[0], "a", &format!("login {n}"), NOW));
    let registry = Registry::load(&nodes[1], Environment::Test).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                registry.refresh(&nodes[1]).unwrap();
            }
        });
        race(nodes, |node, n| match n % 2 {
            0 => node.revoke_access_token(&format!("jti {n}"), after(28_800), NOW).unwrap(),
            _ => node
                .revoke_refresh_token(&digest(&format!("login {}.0", n / 2)), &id("a"), NOW)
                .map(drop)
                .unwrap(),
        });
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    registry.refresh(&nodes[0]).unwrap();
    assert!((0..50).step_by(2).all(|n| registry.is_token_revoked(&format!("jti {n}"))));
    assert!((0..25).all(|n| registry.is_family_revoked(&family(&format!("login {n}")))));
}

/// OA-16: within a second, on another node, with nobody's help.
fn follow_a_revocation(nodes: &[Store]) {
    open(&nodes[0]);
    log_in(&nodes[0], "a", "one", NOW);
    let registry = Registry::load(&nodes[1], Environment::Test).unwrap();
    let (changed, change) = std::sync::mpsc::channel();
    let report = move |event| changed.send(event).unwrap_or_default();
    let _follower = Follower::spawn(&nodes[1], registry.clone(), Follower::INTERVAL, report).unwrap();
    let revoked = Instant::now();
    nodes[0].revoke_refresh_token(&digest("one.0"), &id("a"), NOW).unwrap().unwrap();
    while !registry.is_family_revoked(&family("one")) {
        change.recv_timeout(Duration::from_secs(5)).unwrap();
    }
    assert!(revoked.elapsed() < Duration::from_secs(1), "{:?}", revoked.elapsed());
}

/// C29: after a whole flow, the files hold none of the words that somebody could present.
#[test]
fn file_gives_no_secret_away() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("irgw.sqlite")).unwrap();
    support::furnish(&store);
    let draw = |chars| opaque::draw(chars).unwrap().expose().clone();
    let vault = Vault::new(&[7; 32]);
    let (first, second) = (draw(opaque::SECRET_CHARS), draw(opaque::SECRET_CHARS));
    let mut new = client("a");
    new.secret = Digest::of(&first);
    store.add_client(&new, NOW).unwrap();
    store.rotate_secret(&id("a"), &Digest::of(&second), OldSecret::Kept, NOW).unwrap();

    let word = draw(24);
    let hashed = password::hash(&Secret::new(word.clone())).unwrap();
    let totp = draw(20);
    let customer = NewCustomer {
        subject: ana(),
        user_id: "ana".parse().unwrap(),
        name: "Ana".to_owned(),
        password: hashed,
    };
    store.add_customer(&customer, NOW).unwrap();
    store.set_totp(&vault, &ana(), &Secret::new(totp.clone().into_bytes())).unwrap();
    assert_eq!(store.subject_of("ana").unwrap(), customer.subject);
    let (key, pkcs8) = SigningKey::generate().unwrap();
    let key = NewTokenKey::seal(&vault, Environment::Test, &key, &pkcs8, NOW).unwrap();
    store.add_token_key(&key, NOW).unwrap();

    let code = draw(opaque::CODE_CHARS);
    let (cookie, spent) = (draw(opaque::SECRET_CHARS), draw(opaque::SECRET_CHARS));
    let tokens: Vec<_> = (0..3).map(|_| draw(opaque::REFRESH_TOKEN_CHARS)).collect();
    let login = Session { subject: ana(), logon: "ana".parse().unwrap(), expires_at: after(1_800) };
    store.begin_session(&Digest::of(&cookie), &login, NOW).unwrap();
    Grants::spend(&store, &Digest::of(&spent), after(60), NOW).unwrap();
    authorise(&store, "a", &code, true, NOW);
    let mut redemption = redemption("a", &code[..NAME]);
    (redemption.code, redemption.refresh) = (Digest::of(&code), Some(Digest::of(&tokens[0])));
    redemption.family = TokenFamily::new(&draw(opaque::NAME_CHARS)).unwrap();
    store.redeem(&redemption, NOW).unwrap().unwrap();
    refresh(&store, "a", &tokens[0], &tokens[1], NOW).unwrap();
    refresh(&store, "a", &tokens[1], &tokens[2], NOW).unwrap();
    store.note_failure(&[Digest::of(&word)], Duration::from_secs(900), NOW).unwrap();

    let mut files = Vec::new();
    for file in fs::read_dir(folder.path()).unwrap() {
        files.push(fs::read(file.unwrap().path()).unwrap());
    }
    let holds =
        |needle: &[u8]| files.iter().any(|file| file.windows(needle.len()).any(|window| window == needle));
    assert!(holds(redemption.family.as_str().as_bytes()), "the search finds what is there");
    assert!(holds(Digest::of(&tokens[2]).0.as_slice()));
    let secrets = [&first, &second, &word, &totp, &code, &cookie, &spent];
    for secret in secrets.into_iter().chain(&tokens) {
        assert!(!holds(secret.as_bytes()));
        assert!(!holds(&secret.as_bytes()[..16]), "nor a part of it");
    }
    let private = &pkcs8.expose()[36..68];
    assert!(!holds(private), "the private scalar");
}

const NAME: usize = opaque::NAME_CHARS;

/// Years of logins leave what the last of them need.
#[test]
fn tables_do_not_grow_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("irgw.sqlite");
    let store = Store::open(&path).unwrap();
    open(&store);
    for n in 0..60 {
        let (now, name) = (after(n * 40 * 86_400), format!("login {n}"));
        log_in(&store, "a", &name, now);
        refresh(&store, "a", &format!("{name}.0"), &format!("{name}.1"), now).unwrap();
        store.revoke_refresh_token(&digest(&format!("{name}.1")), &id("a"), now).unwrap();
        let login = Session { subject: ana(), logon: "ana".parse().unwrap(), expires_at: now };
        store.begin_session(&digest(&name), &login, now).unwrap();
        store.note_failure(&[digest(&name)], Duration::from_secs(900), now).unwrap();
    }
    let raw = Connection::open(&path).unwrap();
    let count = |table: &str| -> i64 {
        raw.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    };
    // A year of 40 days each, or the last two.
    for (table, most) in [
        ("families", 12),
        ("refresh_tokens", 24),
        ("codes", 2),
        ("sessions", 2),
        ("spent_once", 2),
        ("attempts", 2),
        ("revocations", 2),
        ("consents", 1),
    ] {
        assert!((1..=most).contains(&count(table)), "{table}: {}", count(table));
    }
    store.examine().unwrap();
}

/// Neither the database nor the memory of a node grows with what nobody can use any more.
#[test]
fn revocation_that_ran_out_is_forgotten() {
    let store = Store::in_memory().unwrap();
    let registry = Registry::load(&store, Environment::Test).unwrap();
    let still_good = ACCESS_LIFETIME.as_secs() / 600;
    for n in 0..2_000 {
        let now = n * 600;
        store.revoke_access_token(&n.to_string(), after(now + 28_800), after(now)).unwrap();
        if n % 25 == 24 {
            registry.refresh(&store).unwrap();
            for known in [n, n.saturating_sub(still_good)] {
                assert!(registry.is_token_revoked(&known.to_string()), "{known} at {n}");
            }
        }
    }
    assert!(registry.size().revocations <= 1_200, "{:?}", registry.size());
    assert!(!registry.is_token_revoked("0"));
    let fresh = Registry::load(&store, Environment::Test).unwrap();
    assert!((48..80).contains(&fresh.size().revocations), "{:?}", fresh.size());
}
