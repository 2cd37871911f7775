//! Callers who never finish, where deadlines are too long to wait for at any target; the others are trials of the attack pack.

use std::io::ErrorKind::{ConnectionReset, UnexpectedEof};
use std::io::{Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use irgw_core::Environment;
use irgw_tests::Local;
use libtest_mimic::{Completion, Trial};

use crate::Result;
use crate::environments::{Environments, ensure};
use crate::tools::{Tls, head, member, provider, read_head, record_of, tls, token};

/// What is allowed for a handshake where nothing else is said.
const HANDSHAKE: Duration = Duration::from_secs(10);
const SHORT_DEADLINES: &str = "[limits]\nidle_seconds = 2\n";

pub(crate) fn trials(environments: &Arc<Environments>) -> Vec<Trial> {
    let trial = |name: &str, body: fn(&Local) -> Result| {
        let environments = environments.clone();
        Trial::ignorable_test(format!("stalling::{name}"), move || {
            body(&*environments.local(Environment::Test)?)
        })
    };
    vec![
        trial("idle_connection_ends", idle_connection_ends),
        trial("body_that_stops_is_cut", body_that_stops_is_cut),
    ]
}

/// Reads until the gateway ends the connection; fails when it does not within the patience.
fn ended(stream: &mut impl Read) -> Result<()> {
    let mut buffer = [0; 1024];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ConnectionReset | UnexpectedEof) => return Ok(()),
            Err(error) => return Err(format!("the connection does not end: {error}").into()),
        }
    }
}

/// D10: a kept-alive connection over which nothing comes.
fn idle_connection_ends(local: &Local) -> Result {
    let (dev, _gateway) = local.serve("idle", SHORT_DEADLINES.parse()?)?;
    let mut stream = tls(&dev, provider(&dev, 0)?, "http/1.1")?;
    let token = token(provider(&dev, 0)?)?;
    stream.write_all(head(&dev, "HEAD", "/gateway/account/1", &token, "").as_bytes())?;
    let (answer, began) = (read_head(&mut stream)?, Instant::now());
    ensure(answer.starts_with("HTTP/1.1 200 "), || answer)?;
    ended_after(&mut stream, began, Duration::from_secs(2))
}

/// D10: ten bytes are announced, and one comes.
fn body_that_stops_is_cut(local: &Local) -> Result {
    let (dev, _gateway) = local.serve("stopped-body", "[limits]\nbody_idle_seconds = 1\n".parse()?)?;
    let first = provider(&dev, 0)?;
    let mut stream = tls(&dev, first, "http/1.1")?;
    let began = Instant::now();
    let head = head(&dev, "POST", "/gateway/account/1", &token(first)?, "Content-Length: 10\r\n");
    stream.write_all(format!("{head}x").as_bytes())?;
    let answer = read_head(&mut stream)?;
    ensure(answer.starts_with("HTTP/1.1 400 "), || answer.clone())?;
    let done = ended_after(&mut stream, began, Duration::from_secs(1))?;
    ensure(began.elapsed() < HANDSHAKE, || format!("it ended after {:?}", began.elapsed()))?;
    let record = record_of(&dev, &answer)?;
    ensure(member(&record, "reason") == "GW-3", || record.to_string())?;
    Ok(done)
}

/// The gateway ends the connection, and no earlier than the deadline: one that it refused would end at once.
fn ended_after(stream: &mut Tls, began: Instant, deadline: Duration) -> Result {
    ended(stream)?;
    let took = began.elapsed();
    // The gateway's clock began to run a little before ours.
    ensure(took + Duration::from_millis(100) >= deadline, || format!("it ended after {took:?} already"))?;
    Ok(Completion::Completed)
}
