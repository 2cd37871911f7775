//! Floods of HTTP/2 frames before a backing service that does what no real one would; the others are trials of the attack pack (D11).

use std::sync::Arc;

use irgw_core::Environment;
use irgw_tests::attack::{Flood, stream};
use irgw_tests::h2::{DATA, END_HEADERS, END_STREAM, HEADERS, PING, SETTINGS, frame};
use irgw_tests::{Local, Process, Target};
use libtest_mimic::{Completion, Trial};

use crate::Result;
use crate::backing::{Backing, Reply};
use crate::environments::{Environments, ensure};
use crate::forwarding::gateway;
use crate::tools::PATIENCE;

pub(crate) fn trials(environments: &Arc<Environments>) -> Vec<Trial> {
    let trial = |name: &str, body: fn(&Local) -> Result| {
        let environments = environments.clone();
        Trial::ignorable_test(format!("floods::{name}"), move || {
            body(&*environments.local(Environment::Test)?)
        })
    };
    vec![
        trial("acknowledgements_that_nobody_reads_end_it", acknowledgements_that_nobody_reads_end_it),
        trial("streams_beyond_the_limit", streams_beyond_the_limit),
        trial("closed_window_holds_nothing_for_ever", closed_window_holds_nothing_for_ever),
        trial("post_that_is_refused_early_has_its_answer", post_that_is_refused_early_has_its_answer),
    ]
}

/// Deadlines that are short, so that what is held up ends within the trial.
const LIMITS: &str = "body_idle_seconds = 1\nidle_seconds = 1\nheader_seconds = 1\n";

/// A gateway before a backing service of the trial's own.
struct Gateway {
    target: Target,
    backing: Backing,
    _process: Process,
}

impl Gateway {
    fn start(local: &Local, name: &str, limits: &str) -> Result<Gateway> {
        let backing = Backing::start(|seen| match seen.name() {
            "silent" => Reply::Silence,
            "endless" => {
                let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n";
                Reply::Endless(head.to_vec(), vec![b'a'; 64 * 1024])
            }
            _ => Reply::Keep(crate::backing::OK.to_vec()),
        })?;
        let (dev, process) = gateway(local, name, &backing.url, limits)?;
        Ok(Gateway { target: Target::served(dev)?, backing, _process: process })
    }
}

/// The gateway takes no more than it can answer, and ends the connection when it has waited long enough.
fn acknowledgements_that_nobody_reads_end_it(local: &Local) -> Result {
    let gateway = Gateway::start(local, "unread-acknowledgements", LIMITS)?;
    for one in [frame(SETTINGS, 0, 0, &[0, 4, 0, 1, 0, 0]), frame(PING, 0, 0, b"flooding")] {
        let mut flood = Flood::start(&gateway.target, &[])?;
        let many = one.repeat(1000);
        flood.pour(|_| many.clone(), 5_000)?;
        flood.unharmed()?;
        let came = flood.read(PATIENCE, |came| came.ended)?;
        ensure(came.ended, || format!("the connection does not end: {came:?}"))?;
    }
    Ok(Completion::Completed)
}

/// GW-3: a hundred streams at once.
fn streams_beyond_the_limit(local: &Local) -> Result {
    let gateway = Gateway::start(local, "many-streams", "")?;
    let mut flood = Flood::start(&gateway.target, &[])?;
    let block = flood.request("GET", "silent");
    flood.pour(|number| frame(HEADERS, END_STREAM | END_HEADERS, stream(number), &block), 300)?;
    let came = flood.read(PATIENCE, |came| came.resets >= 200 || came.is_over())?;
    ensure(came.resets >= 200 || came.is_over(), || format!("{came:?}"))?;
    let forwarded = gateway.backing.seen().iter().filter(|seen| seen.name() == "silent").count();
    ensure(forwarded <= 100, || format!("{forwarded} requests of one connection are under way"))?;
    flood.unharmed()?;
    Ok(Completion::Completed)
}

/// D10 too: answers for which there is no window, on a connection that is alive otherwise, are cut like any that nobody reads.
fn closed_window_holds_nothing_for_ever(local: &Local) -> Result {
    // SETTINGS_INITIAL_WINDOW_SIZE is 0 (RFC 9113 §6.5.2).
    let gateway = Gateway::start(local, "closed-window", LIMITS)?;
    let mut flood = Flood::start(&gateway.target, &[0, 4, 0, 0, 0, 0])?;
    let block = flood.request("GET", "endless");
    flood.pour(|number| frame(HEADERS, END_STREAM | END_HEADERS, stream(number), &block), 50)?;
    let came = flood.read(PATIENCE, |came| came.resets >= 50 || came.is_over())?;
    flood.unharmed()?;
    ensure(came.resets >= 50 || came.is_over(), || format!("the streams are held: {came:?}"))?;
    Ok(Completion::Completed)
}

/// RFC 9113 §8.1: the refusal comes whole before the stream is reset, though the body was not read.
fn post_that_is_refused_early_has_its_answer(local: &Local) -> Result {
    let gateway = Gateway::start(local, "early-refusal", "")?;
    let mut flood = Flood::start(&gateway.target, &[])?;
    let block = flood.request("POST", "1");
    // Without the token, which stands last.
    let block = block.get(..block.len() - flood.token_bytes()).unwrap_or_default();
    for number in 0..50 {
        flood.pour(|_| frame(HEADERS, END_HEADERS, stream(number), block), 1)?;
        let came = flood.read(PATIENCE, |came| came.answers > 0 || came.is_over())?;
        ensure(came.answers == 1, || format!("POST {number} has no answer: {came:?}"))?;
        // What the client sent meanwhile is no reason to end the connection.
        flood.pour(|_| frame(DATA, END_STREAM, stream(number), b"a body"), 1)?;
    }
    Ok(Completion::Completed)
}
