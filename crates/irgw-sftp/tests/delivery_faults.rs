//! Deliveries over a network that fails, and to servers that lie (SFTP-3 to SFTP-5; E08 to E10).

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that fails is to panic"
)]
#![allow(clippy::print_stdout, reason = "what is skipped, and what a run has met, is said")]

#[path = "support/liar.rs"]
mod liar;
#[path = "support/proxy.rs"]
mod proxy;
mod support;
#[path = "support/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::num::NonZeroU8;
use std::sync::Arc;
use std::time::Duration;

use irgw_sftp::delivery::{DeliveryFault, Partner, Stage};
use irgw_sftp::sealed_name;
use irgw_sftp::ssh::Timeouts;
use irgw_sftp::ssh::sftp::{Error, Operation};
use liar::{Answer, Liar, Script, status};
use proxy::{Direction, Fate, Fault, Proxy};
use russh_sftp::protocol::{Attrs, FileAttributes, Packet, StatusCode};
use support::PATIENCE;
use world::{SET, World, content};

/// Where the faults come from.
const SEED: u64 = 0x1234_5678_9abc_def1;

/// Marsaglia's xorshift.
struct Random(u64);

impl Random {
    /// A number below `limit`.
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    /// A fault after as many bytes as come before anything that happens on a connection, mostly; of each order of magnitude
    /// as often.
    fn fate(&mut self) -> Fate {
        let (direction, magnitudes) = match self.below(2) {
            0 => (Direction::ToServer, 21),
            _ => (Direction::ToClient, 15),
        };
        let magnitude = 1 << self.below(magnitudes);
        let bytes = magnitude + self.below(magnitude);
        let fault = if self.below(4) == 0 { Fault::Stall } else { Fault::Cut };
        Fate { bytes, direction, fault }
    }
}

/// How many rounds are made: so many, or what `IRGW_ROUNDS` says.
fn rounds(usual: u32) -> u32 {
    std::env::var("IRGW_ROUNDS").map_or(usual, |rounds| rounds.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn network_that_fails_anywhere_loses_and_doubles_nothing_e08_e10() {
    let mut random = Random(SEED);
    let mut met: BTreeMap<String, u32> = BTreeMap::new();
    for round in 0..rounds(8) {
        let Some(mut world) = World::new("").await else { return };
        let (address, inbox) = (world.partner.port, world.partner.inbox.clone());
        let proxy = Proxy::before(address).await;
        world.moved_to(proxy.port, inbox.clone());
        world.timeouts = Timeouts { establish: Duration::from_millis(1500), ..Timeouts::default() };
        world.patience = Duration::from_secs(1);
        for _ in 0..=random.below(4) {
            let fates = [random.fate(), random.fate()];
            proxy.expect(fates);
            let (outcome, events) = world.attempt().await;
            let word = match &outcome {
                Ok(()) => "delivered".to_owned(),
                Err(fault) => {
                    assert!(!fault.is_for_an_operator(), "{round}: {fates:?}: {fault:?} {events:?}");
                    kind_of(fault)
                }
            };
            *met.entry(word).or_default() += 1;
            world.expect_no_false_delivery();
            // What stalled arrives late: during the next attempt, or after the last.
            proxy.recover();
        }
        proxy.expect([]);
        world.timeouts = Timeouts::default();
        world.patience = PATIENCE;
        let (mut outcome, events) = world.attempt().await;
        // Late requests of the attempt before may have come in between.
        if outcome.as_ref().is_err_and(|fault| !fault.is_for_an_operator()) {
            outcome = world.attempt().await.0;
        }
        outcome.unwrap_or_else(|fault| panic!("{round}: {fault:?} {events:?}"));
        proxy.ended().await;
        world.sshd.log().await;
        // What came late is swept by the next delivery of the feed.
        world.attempt().await.0.unwrap();
        world.expect_no_false_delivery();
        world.expect_delivered();
    }
    println!("{met:?}");
}

/// A fault without what is different each time.
fn kind_of(fault: &DeliveryFault) -> String {
    match fault {
        DeliveryFault::Files(error) => format!("{error:?}"),
        DeliveryFault::Transport(error) => {
            format!("{error:?}").split([' ', '(', '{']).next().unwrap().to_owned()
        }
        fault => format!("{fault:?}"),
    }
}

/// A world whose server lies, over one connection.
async fn lied_to() -> Option<(World, Liar)> {
    let mut world = World::new("").await?;
    let liar = Liar::of(&world.sshd).await;
    world.partner = Arc::new(Partner { connections: NonZeroU8::MIN, ..(*world.partner).clone() });
    world.moved_to(liar.port, "/".parse().unwrap());
    Some((world, liar))
}

/// The fault of an attempt to which the server answers as `script` says, and that waits for each answer for `patience`. It delivers
/// nothing, and the next attempt, to which the server tells the truth, delivers.
async fn fault_of(
    script: impl FnMut(&Packet) -> Answer + Send + 'static,
    patience: Duration,
) -> Option<DeliveryFault> {
    let (mut world, liar) = lied_to().await?;
    liar.follow(script);
    world.patience = patience;
    let (outcome, events) = world.attempt().await;
    let fault = outcome.expect_err("a lie is found out");
    assert!(!fault.is_for_an_operator(), "{fault:?}");
    assert!(!events.iter().any(|event| event.starts_with("Delivered")), "{events:?}");
    let stages = world.ledger.stages.lock().unwrap().clone();
    assert!(!stages.values().any(|stage| matches!(stage, Stage::Delivered { .. })), "{stages:?}");
    liar.follow(|_| Answer::Truth);
    world.patience = PATIENCE;
    world.attempt().await.0.unwrap();
    world.expect_no_false_delivery();
    world.expect_delivered();
    Some(fault)
}

fn is_part(path: &str) -> bool {
    path.ends_with(".part")
}

fn is_sync(request: &Packet) -> bool {
    matches!(request, Packet::Extended(extended) if extended.request == "fsync@openssh.com")
}

#[tokio::test(flavor = "multi_thread")]
async fn upload_that_the_server_did_not_keep_is_no_delivery_e09() {
    let failing = |is_it: fn(&Packet) -> bool, code, words: &'static str| -> Script {
        Box::new(move |request| match is_it(request) {
            true => Answer::Done(status(request, code, words)),
            false => Answer::Truth,
        })
    };
    let is_write: fn(&Packet) -> bool = |request| matches!(request, Packet::Write(_));
    let is_close: fn(&Packet) -> bool = |request| matches!(request, Packet::Close(_));
    let is_open: fn(&Packet) -> bool = |request| matches!(request, Packet::Open(_));
    let refused = |operation| Error::Refused { operation, code: 4, message: "Failure".into() };
    for (script, error) in [
        (failing(is_write, StatusCode::Failure, "No space left on device"), Error::NoSpace(Operation::Write)),
        (failing(is_write, StatusCode::Failure, "Disk quota exceeded"), Error::Quota(Operation::Write)),
        (failing(is_write, StatusCode::PermissionDenied, ""), Error::Permission(Operation::Write)),
        (failing(is_close, StatusCode::Failure, "Disk quota exceeded"), Error::Quota(Operation::Close)),
        (failing(is_close, StatusCode::Failure, "Failure"), refused(Operation::Close)),
        (failing(is_sync, StatusCode::Failure, "Failure"), refused(Operation::Sync)),
        (failing(is_open, StatusCode::PermissionDenied, "Read-only"), Error::Permission(Operation::Open)),
    ] {
        let Some(fault) = fault_of(script, PATIENCE).await else { return };
        assert_eq!(fault, DeliveryFault::Files(error));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn file_of_another_size_than_was_sent_is_no_delivery_e09() {
    // The size is a lie, or the last write is: the server says that it was done.
    let mut is_written = false;
    let shrunk = move |request: &Packet| match request {
        Packet::Write(_) => {
            is_written = true;
            Answer::Truth
        }
        Packet::Lstat(stat) if is_written && is_part(&stat.path) => {
            let attrs =
                FileAttributes { size: Some(7), permissions: Some(0o100_600), ..FileAttributes::empty() };
            Answer::Undone(Packet::Attrs(Attrs { id: stat.id, attrs }))
        }
        _ => Answer::Truth,
    };
    let Some(fault) = fault_of(shrunk, PATIENCE).await else { return };
    assert!(matches!(fault, DeliveryFault::Files(Error::Size { found: 7, .. })), "{fault:?}");
    let unwritten = |request: &Packet| match request {
        Packet::Write(write) if write.offset > 200_000 => Answer::Undone(status(request, StatusCode::Ok, "")),
        _ => Answer::Truth,
    };
    let Some(fault) = fault_of(unwritten, PATIENCE).await else { return };
    assert!(matches!(fault, DeliveryFault::Files(Error::Size { .. })), "{fault:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn answer_that_does_not_come_is_no_delivery() {
    let silent = |is_it: fn(&Packet) -> bool| -> Script {
        Box::new(move |request| if is_it(request) { Answer::Silence } else { Answer::Truth })
    };
    let ends = |is_it: fn(&Packet) -> bool| -> Script {
        Box::new(move |request| if is_it(request) { Answer::End } else { Answer::Truth })
    };
    let is_close: fn(&Packet) -> bool = |request| matches!(request, Packet::Close(_));
    let is_write: fn(&Packet) -> bool = |request| matches!(request, Packet::Write(_));
    let is_rename: fn(&Packet) -> bool = |request| matches!(request, Packet::Rename(_));
    for (script, error) in [
        (silent(is_write), Error::Timeout(Operation::Write)),
        (silent(is_sync), Error::Timeout(Operation::Sync)),
        (silent(is_close), Error::Timeout(Operation::Close)),
        (silent(is_rename), Error::Timeout(Operation::Rename)),
        (ends(is_write), Error::Lost(Operation::Write)),
        (ends(is_close), Error::Lost(Operation::Close)),
        (ends(is_rename), Error::Lost(Operation::Rename)),
    ] {
        // Silence alone is waited for to its end.
        let patience = if matches!(error, Error::Timeout(_)) { Duration::from_secs(2) } else { PATIENCE };
        let Some(fault) = fault_of(script, patience).await else { return };
        assert_eq!(fault, DeliveryFault::Files(error));
    }
}

/// The rename was done, and the server says that it failed: what has the name is what the ledger says.
#[tokio::test(flavor = "multi_thread")]
async fn rename_that_was_done_and_refused_is_found() {
    let Some((world, liar)) = lied_to().await else { return };
    liar.follow(|request| match request {
        Packet::Rename(_) => Answer::Done(status(request, StatusCode::Failure, "Failure")),
        _ => Answer::Truth,
    });
    let (outcome, events) = world.attempt().await;
    assert_eq!(outcome, Ok(()), "{events:?}");
    world.expect_delivered();
}

/// The rename was not done, and the server says that it was.
#[tokio::test(flavor = "multi_thread")]
async fn rename_that_was_not_done_is_no_delivery() {
    let not_done = |request: &Packet| match request {
        Packet::Rename(_) => Answer::Undone(status(request, StatusCode::Ok, "")),
        _ => Answer::Truth,
    };
    let Some(fault) = fault_of(not_done, PATIENCE).await else { return };
    assert_eq!(fault, DeliveryFault::NotRenamed { name: sealed_name(SET[0]) });
}

/// OpenSSH's server renames by a second name and the removal of the first. An earlier attempt's may be in between: without the first name it
/// removes the second too. If its machine went down there, the next delivery sweeps.
#[tokio::test(flavor = "multi_thread")]
async fn file_with_both_names_is_delivered_once() {
    let Some(world) = World::new("").await else { return };
    world.attempt().await.0.unwrap();
    let stage = world.ledger.stages.lock().unwrap().get(&0).cloned().unwrap();
    let Stage::Delivered { sealed, .. } = stage else { panic!("{stage:?}") };
    let name = world.sshd.path(&sealed_name(SET[0]));
    let temporary = world.sshd.path(&sealed.temporary);
    std::fs::hard_link(&name, &temporary).unwrap();
    world.ledger.stages.lock().unwrap().insert(0, Stage::Sealed(sealed));
    let (outcome, events) = world.attempt().await;
    outcome.unwrap();
    assert!(events[0].starts_with("Found") && temporary.exists(), "{events:?}");
    let (outcome, events) = world.attempt().await;
    outcome.unwrap();
    assert!(events[0].starts_with("Swept"), "{events:?}");
    world.expect_delivered();
}

/// An earlier attempt's rename has made the new name, and not yet removed the old one, when a later attempt asks for the same.
#[tokio::test(flavor = "multi_thread")]
async fn rename_that_an_earlier_attempt_is_in_the_middle_of_is_no_clash() {
    let Some((world, liar)) = lied_to().await else { return };
    let files = world.sshd.path("");
    liar.follow(move |request| match request {
        Packet::Rename(rename) => {
            let path = |path: &str| files.join(path.rsplit('/').next().unwrap());
            std::fs::hard_link(path(&rename.oldpath), path(&rename.newpath)).unwrap();
            Answer::Undone(status(request, StatusCode::Failure, "Failure"))
        }
        _ => Answer::Truth,
    });
    let (outcome, events) = world.attempt().await;
    assert_eq!(outcome, Ok(()), "{events:?}");
    liar.follow(|_| Answer::Truth);
    world.attempt().await.0.unwrap();
    world.expect_delivered();
}

/// Another of the provider's environments shares its inbox: what is about to have its name there is not swept away.
#[tokio::test(flavor = "multi_thread")]
async fn files_of_another_environment_or_platform_are_not_swept() {
    let Some(world) = World::new("").await else { return };
    let others = [("NZX", "NZT"), ("1500216000", "1500216001")]
        .map(|(ours, theirs)| format!(".{}.7.part", sealed_name(&SET[0].replace(ours, theirs))));
    for name in &others {
        std::fs::write(world.sshd.path(name), content(SET[0])).unwrap();
    }
    world.attempt().await.0.unwrap();
    let names = world.there();
    assert!(others.iter().all(|name| names.contains(name)), "{names:?}");
}
