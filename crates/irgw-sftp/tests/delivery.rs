//! Deliveries to OpenSSH's server, cut off at every step: each file once, whole, under its final name (SFTP-3 to SFTP-5).

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that fails is to panic"
)]
#![allow(clippy::print_stdout, reason = "what is skipped is said")]

mod support;
#[path = "support/world.rs"]
mod world;

use std::process::Stdio;
use std::sync::Arc;

use irgw_sftp::delivery::{DeliveryFault, Stage, fetch};
use irgw_sftp::ssh::{Curve, HostPins, PrivateKey};
use irgw_sftp::{SUFFIX, sealed_name};
use tokio::io::{AsyncBufReadExt, BufReader};
use world::{SET, World, content};

#[tokio::test(flavor = "multi_thread")]
async fn set_is_delivered_and_its_control_file_comes_last() {
    let Some(world) = World::new("").await else { return };
    let (outcome, events) = world.attempt().await;
    outcome.unwrap();
    world.expect_delivered();
    let delivered: Vec<_> = events.iter().filter(|event| event.starts_with("Delivered")).collect();
    assert_eq!(delivered.len(), 3);
    assert!(delivered[2].contains("CONTROL"));
    let control_begins =
        events.iter().position(|event| event.starts_with("Uploading") && event.contains("CONTROL"));
    let zips_renamed = events.iter().filter(|event| event.starts_with("Renamed")).count();
    assert_eq!(zips_renamed, 3);
    let before: Vec<_> =
        events[..control_begins.unwrap()].iter().filter(|event| event.starts_with("Delivered")).collect();
    assert_eq!(before.len(), 2, "{events:?}");
    // Another attempt finds nothing to do.
    let (outcome, events) = world.attempt().await;
    assert_eq!((outcome, events), (Ok(()), vec![]));
}

/// The process ends after each event in turn, and after what the next attempt does too.
#[tokio::test(flavor = "multi_thread")]
async fn each_file_arrives_once_wherever_an_attempt_is_cut() {
    for cut in 1.. {
        let Some(world) = World::new("").await else { return };
        if world.attempt_cut_after(cut).await {
            assert!(cut > 12, "{cut}");
            return;
        }
        let names = world.there();
        let control = sealed_name(SET[2]);
        assert!(!names.contains(&control) || SET[..2].iter().all(|zip| names.contains(&sealed_name(zip))));
        world.attempt_cut_after(cut % 5 + 1).await;
        let (outcome, events) = world.attempt().await;
        outcome.unwrap_or_else(|fault| panic!("{cut}: {fault} {events:?}"));
        world.expect_delivered();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn file_that_the_provider_has_taken_is_not_sent_again() {
    let Some(world) = World::new("").await else { return };
    world.attempt().await.0.unwrap();
    // The ledger does not know the end of it: the process had been killed after the rename.
    let stage = world.ledger.stages.lock().unwrap().get(&0).cloned().unwrap();
    let Stage::Delivered { sealed, .. } = stage else { panic!("{stage:?}") };
    world.ledger.stages.lock().unwrap().insert(0, Stage::Sealed(sealed));
    std::fs::remove_file(world.sshd.path(&sealed_name(SET[0]))).unwrap();
    let (outcome, events) = world.attempt().await;
    outcome.unwrap();
    assert_eq!(events.len(), 2);
    assert!(events[0].starts_with("Taken"), "{events:?}");
    assert!(!world.there().contains(&sealed_name(SET[0])));
}

#[tokio::test(flavor = "multi_thread")]
async fn name_that_is_taken_is_left_as_it_is() {
    let Some(world) = World::new("").await else { return };
    let path = world.sshd.path(&sealed_name(SET[0]));
    std::fs::write(&path, "somebody else's").unwrap();
    let (outcome, _) = world.attempt().await;
    assert_eq!(outcome, Err(DeliveryFault::NameTaken { name: sealed_name(SET[0]) }));
    assert!(outcome.unwrap_err().is_for_an_operator());
    assert_eq!(std::fs::read(path).unwrap(), b"somebody else's");
    assert!(!world.there().contains(&sealed_name(SET[2])), "no control file without its zips");
}

#[tokio::test(flavor = "multi_thread")]
async fn file_that_changed_since_it_was_submitted_is_not_sent() {
    let Some(world) = World::new("").await else { return };
    for other in [b"short".to_vec(), content(SET[0])[1..].iter().chain(b"x").copied().collect()] {
        std::fs::write(world.source.path().join(SET[0]), other).unwrap();
        let (outcome, _) = world.attempt().await;
        assert_eq!(outcome, Err(DeliveryFault::SourceChanged { name: SET[0].to_owned() }));
        assert!(!world.there().contains(&sealed_name(SET[0])));
    }
    std::fs::remove_file(world.source.path().join(SET[0])).unwrap();
    let (outcome, _) = world.attempt().await;
    assert!(outcome.unwrap_err().is_for_an_operator());
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_host_key_stops_the_delivery() {
    let Some(mut world) = World::new("").await else { return };
    let other = PrivateKey::generate(Curve::P256).unwrap();
    let pin = other.authorized_key("").parse().unwrap();
    let mut partner = (*world.partner).clone();
    partner.pins = HostPins::only(pin);
    world.partner = Arc::new(partner.clone());
    let (outcome, events) = world.attempt().await;
    assert!(outcome.unwrap_err().is_for_an_operator());
    assert_eq!(events, Vec::<String>::new());
    // The host changed over to the next key: that is told, and the delivery goes on.
    partner.pins.next = Some(world.sshd.pin());
    world.partner = Arc::new(partner);
    let (outcome, events) = world.attempt().await;
    outcome.unwrap();
    assert_eq!(events[0], "NextHostKey");
    world.expect_delivered();
}

#[tokio::test(flavor = "multi_thread")]
async fn temporary_files_of_earlier_turns_are_swept_and_others_are_not() {
    let Some(world) = World::new("").await else { return };
    let stale = format!(".{}.7.part", sealed_name(SET[1]));
    let other_feed = format!(".DAILY_PROVIDER_1500131086_0_201908220930305850_NZT.zip{SUFFIX}.7.part");
    for name in [&stale, &other_feed, &"notes.txt".to_owned()] {
        std::fs::write(world.sshd.path(name), "x").unwrap();
    }
    world.attempt().await.0.unwrap();
    let names = world.there();
    assert!(!names.contains(&stale));
    assert!(names.contains(&other_feed) && names.contains(&"notes.txt".to_owned()));
}

/// A server that lets nobody list or remove is delivered to all the same.
#[tokio::test(flavor = "multi_thread")]
async fn server_that_shows_no_listing_is_delivered_to() {
    let lines = "Subsystem sftp internal-sftp -P opendir,remove";
    let Some(world) = World::new(lines).await else { return };
    world.attempt().await.0.unwrap();
    world.expect_delivered();
}

#[tokio::test(flavor = "multi_thread")]
async fn server_that_is_away_is_tried_again() {
    let Some(mut world) = World::new("").await else { return };
    let mut partner = (*world.partner).clone();
    // Nothing listens where a listener was that is gone.
    partner.port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    world.partner = Arc::new(partner);
    let (outcome, _) = world.attempt().await;
    assert!(matches!(outcome, Err(DeliveryFault::Unreachable(_))), "{outcome:?}");
    assert!(!outcome.unwrap_err().is_for_an_operator());
}

/// Servers of others, in Python: the set arrives there as it does at OpenSSH's.
#[tokio::test(flavor = "multi_thread")]
async fn servers_of_others_are_delivered_to() {
    for library in ["asyncssh", "paramiko"] {
        if !support::python_has(library) {
            continue;
        }
        let Some(mut world) = World::new("").await else { return };
        let folder = world.sshd.path("");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/server.py");
        let mut server = tokio::process::Command::new(support::python())
            .args([script, library])
            .arg(world.sshd.folder.path().join("host_key"))
            .arg(world.sshd.folder.path().join("authorized_keys"))
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut port = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut port).await.unwrap();
        let mut partner = (*world.partner).clone();
        partner.port = port.trim().parse().unwrap();
        partner.inbox = "/".parse().unwrap();
        world.partner = Arc::new(partner);
        let (outcome, events) = world.attempt().await;
        outcome.unwrap_or_else(|fault| panic!("{library}: {fault} {events:?}"));
        world.expect_delivered();
        server.kill().await.unwrap();
    }
}

/// Only names of the feeds, whole, once; gone from the outbox when they are here.
#[tokio::test(flavor = "multi_thread")]
async fn outbox_is_fetched_by_the_names_of_the_feeds() {
    let Some(world) = World::new("").await else { return };
    let (inbox, outbox) = (tempfile::tempdir().unwrap(), world.sshd.path("outbox"));
    let archive = outbox.join("done");
    std::fs::create_dir_all(&archive).unwrap();
    let mut partner = (*world.partner).clone();
    partner.outbox = Some(outbox.to_str().unwrap().parse().unwrap());
    let sealed = SET.map(sealed_name);
    let put = |name: &str, text: &str| std::fs::write(outbox.join(name), text).unwrap();
    for name in [&sealed[0], &sealed[2], "notes.txt", SET[1], ".hidden.pgp"] {
        put(name, name);
    }
    std::os::unix::fs::symlink("/etc/passwd", outbox.join(&sealed[1])).unwrap();
    let all = |_: &str, _: &_| true;
    let fetched = fetch(&world.dialer(), &partner, inbox.path(), 1 << 20, all).await.unwrap();
    assert_eq!(fetched.iter().filter(|file| file.is_cleared).count(), 2, "{fetched:?}");
    let names = |folder: &std::path::Path| {
        let mut names: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(inbox.path()), [sealed[0].clone(), sealed[2].clone()]);
    assert_eq!(std::fs::read_to_string(inbox.path().join(&sealed[0])).unwrap(), sealed[0]);
    assert!(!outbox.join(&sealed[0]).exists() && outbox.join("notes.txt").exists());
    // What is here already is not replaced; what is put aside stays at the provider's.
    partner.archive = Some(archive.to_str().unwrap().parse().unwrap());
    put(&sealed[0], "another one");
    std::fs::remove_file(outbox.join(&sealed[1])).unwrap();
    put(&sealed[1], "the second");
    let fetched = fetch(&world.dialer(), &partner, inbox.path(), 1 << 20, all).await.unwrap();
    assert_eq!(fetched.len(), 1);
    assert_eq!(names(&archive), [sealed[1].clone()]);
    assert_eq!(std::fs::read_to_string(inbox.path().join(&sealed[0])).unwrap(), sealed[0]);
    // A file that is too large stays where it is.
    std::fs::remove_file(inbox.path().join(&sealed[0])).unwrap();
    let outcome = fetch(&world.dialer(), &partner, inbox.path(), 5, all).await;
    assert!(matches!(outcome, Err(DeliveryFault::Files(_))), "{outcome:?}");
    assert!(outbox.join(&sealed[0]).exists() && !inbox.path().join(&sealed[0]).exists());
}
