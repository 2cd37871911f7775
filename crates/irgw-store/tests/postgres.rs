//! What a server is that is not there, not ours, or not trusted.

#![cfg(feature = "postgres")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails is to panic")]

mod support;

use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use irgw_core::{Environment, Secret};
use irgw_oauth::grants::{Grants, Revocations};
use irgw_store::{Error, Event, Follower, Registry, Store};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use support::postgres::{Database, Secured, Server, run};
use support::{NOW, Stopped, connect, digest, flow, furnish, server};

/// A server of a test's own; `None`, and it is said why, where there can be none.
fn own_server(secured: Option<&Secured>) -> Option<Server> {
    match Server::start(secured) {
        Ok(server) => Some(server),
        Err(reason) => {
            // Not `eprintln!`, which the harness keeps to itself.
            let _ = std::io::stderr().write_all(format!("SKIPPED: postgres: {reason}\n").as_bytes());
            None
        }
    }
}

fn is_unreachable<T>(result: &Result<T, Error>) -> bool {
    matches!(result, Err(Error::Unreachable(_)))
}

#[test]
fn server_that_went_away_is_found_again_by_itself() {
    let Some(own) = own_server(None) else { return };
    let store = Store::connect(&server(&own.url)).unwrap();
    furnish(&store);
    let registry = Registry::load(&store, Environment::Test).unwrap();
    let (sender, events) = mpsc::channel();
    let report = move |event| sender.send(event).unwrap_or_default();
    let _follower = Follower::spawn(&store, registry.clone(), Duration::from_millis(20), report).unwrap();
    let next = || events.recv_timeout(Duration::from_secs(30)).unwrap();
    for end in ["stop", "crash"] {
        let revision = store.revision().unwrap();
        own.tell(end);
        assert!(is_unreachable(&store.revision()));
        let name = &end.parse().unwrap();
        assert!(is_unreachable(&store.add_provider(name, end, NOW)));
        let failed = next();
        assert!(matches!(failed, Event::Failed(Error::Unreachable(_))), "{failed:?}");
        assert!(is_unreachable(&Store::connect(&server(&own.url)).map(drop)));

        own.tell("start");
        assert_eq!(store.revision().unwrap(), revision, "what was committed is there, and nothing else is");
        store.add_provider(name, end, NOW).unwrap();
        // One cause is said once, and another one is another.
        while next() != Event::Recovered {}
        assert!(matches!(next(), Event::Changed(_)));
    }
}

#[test]
fn nodes_that_start_at_once_make_the_tables_once() {
    let Some(database) = Database::create() else { return };
    thread::scope(|scope| {
        let starts: Vec<_> = (0..8).map(|_| scope.spawn(|| connect(&database).revision().unwrap())).collect();
        assert!(starts.into_iter().all(|start| start.join().unwrap() == 0));
    });
    assert_eq!(
        database.query("SELECT string_agg(version::text, ',' ORDER BY version) FROM irgw_migrations"),
        "1,2"
    );
}

#[test]
fn tables_of_others_and_of_other_versions_are_left_alone() {
    let Some(database) = Database::create() else { return };
    let server = server(&database.url);
    let opened = || Store::connect(&server).map(drop);
    assert!(matches!(Store::connect_existing(&server), Err(Error::Absent(_))));
    database.query("CREATE TABLE theirs (a INTEGER)");
    assert!(matches!(opened(), Err(Error::Foreign(_))));
    database.query("DROP TABLE theirs");
    opened().unwrap();
    Store::connect_existing(&server).unwrap();
    database.query("CREATE TABLE theirs (a INTEGER)");
    opened().unwrap();
    database.query("INSERT INTO irgw_migrations (version) VALUES (1000)");
    assert_eq!(opened(), Err(Error::Newer { found: 1000, known: 2 }));
}

/// As docs/database.md has it: one role makes the tables, and the gateways' role may change rows alone.
#[test]
fn role_that_may_only_change_rows_is_enough() {
    let Some(own) = own_server(None) else { return };
    own.query("CREATE ROLE irgw_owner LOGIN");
    own.query("CREATE ROLE irgw_gateway LOGIN");
    own.query("CREATE DATABASE guarded OWNER irgw_owner");
    let url = |role: &str| own.url.replace("irgw@", &format!("{role}@")).replace("/postgres", "/guarded");
    let told = Store::connect(&server(&url("irgw_gateway"))).unwrap_err().to_string();
    assert!(told.contains("42501") && told.contains("own the database"), "{told}");
    Store::connect(&server(&url("irgw_owner"))).unwrap();
    let rights = "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO irgw_gateway";
    run("psql", &["-X", "-q", "-d", &url("irgw_owner"), "-c", rights]);

    let store = Store::connect(&server(&url("irgw_gateway"))).unwrap();
    flow::open(&store);
    flow::log_in(&store, "a", "one", NOW);
    flow::refresh(&store, "a", "one.0", "one.1", NOW).unwrap();
    store.withdraw(&flow::ana(), &flow::id("a"), NOW).unwrap();
    store.end_session(&digest("none")).unwrap();
    store.note_failure(&[digest("key")], Duration::from_secs(900), NOW).unwrap();
    assert!(Grants::spend(&store, &digest("key"), NOW, NOW).unwrap());
}

/// As docs/database.md has it, under a node that runs.
#[test]
fn copy_that_is_put_back_is_read_anew() {
    let Some(database) = Database::create() else { return };
    let store = connect(&database);
    flow::open(&store);
    flow::log_in(&store, "a", "one", NOW);
    let registry = Registry::load(&store, Environment::Test).unwrap();
    let (sender, events) = mpsc::channel();
    let report = move |event| sender.send(event).unwrap_or_default();
    let _follower = Follower::spawn(&store, registry.clone(), Duration::from_millis(20), report).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("irgw.dump");
    run("pg_dump", &["-Fc", "-d", &database.url, "-f", copy.to_str().unwrap()]);

    store.revoke_refresh_token(&digest("one.0"), &flow::id("a"), NOW).unwrap();
    store.add_provider(&"late".parse().unwrap(), "Late", NOW).unwrap();
    let is_revoked = || registry.is_family_revoked(&flow::family("one"));
    let until = |wanted: bool| {
        while is_revoked() != wanted {
            events.recv_timeout(Duration::from_secs(30)).unwrap();
        }
    };
    until(true);
    let copy = copy.to_str().unwrap();
    run("pg_restore", &["--clean", "--if-exists", "--single-transaction", "-d", &database.url, copy]);
    until(false);
    store.add_provider(&"late".parse().unwrap(), "Late", NOW).unwrap();
    flow::refresh(&store, "a", "one.0", "one.1", NOW).unwrap();
}

#[test]
fn what_is_no_utf8_is_refused() {
    let Some(database) = Database::create() else { return };
    database.query("CREATE DATABASE irgw_ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'");
    let (address, keys) = database.url.split_once('?').unwrap_or((&database.url, ""));
    let url = format!("{}/irgw_ascii?{keys}", address.rsplit_once('/').unwrap().0);
    let refused = Store::connect(&server(url.trim_end_matches('?'))).unwrap_err().to_string();
    database.query("DROP DATABASE irgw_ascii WITH (FORCE)");
    assert!(refused.contains("SQL_ASCII") && refused.contains("ENCODING 'UTF8'"), "{refused}");
}

/// C29: neither what is printed of a server nor what is said of a failure shows the password.
#[test]
fn password_lets_in_and_is_never_printed() {
    let Some(own) = own_server(None) else { return };
    own.query("CREATE ROLE cautious LOGIN PASSWORD 'correct-horse'");
    own.query("CREATE DATABASE guarded OWNER cautious");
    let without = own.url.replace("irgw@", "cautious@").replace("/postgres", "/guarded");
    let with = |password: &str| without.replace("cautious@", &format!("cautious:{password}@"));

    let right = server(&with("correct-horse"));
    let store = Store::connect(&right).unwrap();
    furnish(&store);
    let from_a_file = server(&without).with_password(&Secret::new("correct-horse".to_owned()));
    Store::connect_existing(&from_a_file).unwrap();
    let printed = format!("{right} {right:?} {store:?} {from_a_file:?}");
    assert!(printed.contains("cautious@") && !printed.contains("correct-horse"), "{printed}");

    let refused = Store::connect(&server(&with("battery-staple"))).unwrap_err();
    let said = format!("{refused} {refused:?}");
    assert!(said.contains("28P01") && !said.contains("battery-staple"), "{said}");
    let missing = Store::connect(&server(&without)).unwrap_err();
    assert!(missing.to_string().contains("password"), "{missing}");
}

#[test]
fn urls_that_cannot_be_used_are_refused_without_their_password() {
    for (url, word) in [
        ("mysql://irgw:correct-horse@host/irgw", "postgres://"),
        ("postgres://irgw:correct-horse@host:port/irgw", "read"),
        ("postgres://irgw:correct-horse@/irgw", "host"),
        ("postgres://irgw:correct-horse@localhost", "database"),
        ("postgres://irgw:correct-horse@db.example/irgw", "sslrootcert"),
        ("postgres://irgw:correct-horse@db.example/irgw?sslmode=require", "sslrootcert"),
        ("postgres://irgw:correct-horse@localhost/irgw?sslmode=verify-full", "sslrootcert"),
        ("postgres://irgw:correct-horse@db.example/irgw?sslrootcert=ca.pem&sslmode=disable", "TLS"),
        ("postgres://irgw:correct-horse@db.example/irgw?sslrootcert=ca.pem&sslmode=prefer", "verify-full"),
        ("postgres://irgw:correct-horse@localhost,db.example/irgw", "db.example"),
    ] {
        let error = irgw_store::Server::parse(url, Path::new(""), Arc::new(Stopped)).unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(said.contains(word) && !said.contains("correct-horse"), "{url}: {said}");
    }
    for url in [
        "postgres://irgw@localhost/irgw",
        "postgresql://irgw@127.0.0.1:5433/irgw?sslmode=disable",
        "postgres://irgw@%2Frun%2Fpostgresql/irgw",
        "postgres://irgw@one.example,two.example/irgw?sslmode=verify-full&sslrootcert=ca.pem",
        "postgres://irgw@db.example/irgw?sslrootcert=ca.pem",
    ] {
        irgw_store::Server::parse(url, Path::new(""), Arc::new(Stopped)).unwrap();
    }
}

/// An authority, and a server's certificate under it.
fn authority(host: &str) -> (String, String, String) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let root = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new([host.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    (root.pem(), certificate.pem(), key.serialize_pem())
}

#[test]
fn server_is_believed_by_its_certificate_alone() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (root, certificate_pem, key_pem) = authority("localhost");
    let Some(own) = own_server(Some(&Secured { port, certificate_pem, key_pem })) else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("root.pem"), root).unwrap();
    std::fs::write(folder.path().join("other.pem"), authority("localhost").0).unwrap();
    let connect = |host: &str, keys: &str| {
        let url = format!("postgres://irgw@{host}:{port}/postgres?{keys}");
        Store::connect(&irgw_store::Server::parse(&url, folder.path(), Arc::new(Stopped)).unwrap())
    };
    let _store = connect("localhost", "sslmode=verify-full&sslrootcert=root.pem").unwrap();
    let secured = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'irgw'";
    assert_eq!(own.query(secured), "t");

    for (host, roots) in [("localhost", "other.pem"), ("127.0.0.1", "root.pem"), ("localhost", "absent.pem")]
    {
        let refused = connect(host, &format!("sslrootcert={roots}")).unwrap_err();
        assert!(matches!(refused, Error::Unreachable(_)), "{host} {roots}: {refused}");
    }
    // The server lets nobody in without TLS, and says so.
    let refused = connect("localhost", "").unwrap_err().to_string();
    assert!(refused.contains("no encryption"), "{refused}");
}
