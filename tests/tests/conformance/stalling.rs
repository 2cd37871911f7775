//! Callers who never finish: a stalled handshake, a dribbled header, a body that stops. Others are served meanwhile.

use std::io::ErrorKind::{ConnectionReset, UnexpectedEof};
use std::io::{Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use irgw_core::Environment;
use irgw_tests::{Case, CaseText, Local, Outcome, Skips, Target, attempt};
use libtest_mimic::{Completion, Trial};

use crate::Result;
use crate::environments::{Environments, ensure};
use crate::tools::{Tls, connect, head, member, provider, read_head, record_of, tls, token};

/// What is allowed for a handshake where nothing else is said.
const HANDSHAKE: Duration = Duration::from_secs(10);
const SHORT_DEADLINES: &str =
    "[limits]\nhandshake_seconds = 1\nheader_seconds = 1\nidle_seconds = 2\nconnections = 4096\n";

pub(crate) fn trials(environments: &Arc<Environments>) -> Vec<Trial> {
    let trial = |name: &str, body: fn(&Local, &Target) -> Result| {
        let environments = environments.clone();
        Trial::ignorable_test(format!("stalling::{name}"), move || {
            body(&*environments.local(Environment::Test)?, &*environments.target(Environment::Test)?)
        })
    };
    vec![
        trial("stalled_handshakes_end_and_hold_up_nobody", stalled_handshakes_end_and_hold_up_nobody),
        trial("half_a_hello_ends_at_the_deadline", half_a_hello_ends_at_the_deadline),
        trial("bytes_that_are_no_tls_end_at_once", bytes_that_are_no_tls_end_at_once),
        trial("half_a_header_ends_at_the_deadline", half_a_header_ends_at_the_deadline),
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

/// A good request over the environment's own gateway is answered.
fn served(target: &Target) -> Result<()> {
    let text: CaseText = toml::from_str(
        "rule = \"GW-3\"\ntitle = \"t\"\n[given.token]\nsigning = \"ES256\"\n[expect]\nstatus = 200\n",
    )?;
    match attempt(target, &Case { name: "stalling/served".into(), text }, &Skips::default()).outcome {
        Outcome::Passed { .. } => Ok(()),
        other => Err(format!("a good request meanwhile: {other:?}").into()),
    }
}

/// A18, D10: five hundred connections that say nothing.
fn stalled_handshakes_end_and_hold_up_nobody(local: &Local, target: &Target) -> Result {
    let mut silent = (0..500).map(|_| connect(target.dev())).collect::<Result<Vec<_>>>()?;
    served(target)?;
    silent.clear();
    // The deadline itself, in a configuration where it is short.
    let (dev, _gateway) = local.serve("short-deadlines", SHORT_DEADLINES.parse()?)?;
    let mut silent = connect(&dev)?;
    ended(&mut silent)?;
    Ok(Completion::Completed)
}

/// A18: the beginning of a ClientHello, and then a byte now and then, which does not move the deadline.
fn half_a_hello_ends_at_the_deadline(local: &Local, _target: &Target) -> Result {
    let (dev, _gateway) = local.serve("dribbling", SHORT_DEADLINES.parse()?)?;
    let mut stream = connect(&dev)?;
    // A record that announces 512 bytes of handshake and a ClientHello.
    stream.write_all(&[22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3])?;
    stream.set_read_timeout(Some(Duration::from_millis(100)))?;
    let mut buffer = [0; 64];
    for _ in 0..80 {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(Completion::Completed),
            Err(error) if error.kind() == ConnectionReset => {
                return Ok(Completion::Completed);
            }
            _ => {}
        }
        if stream.write_all(&[0]).is_err() {
            return Ok(Completion::Completed);
        }
    }
    Err("a dribbled ClientHello keeps the connection for eight times the deadline".into())
}

/// A18: long before the deadline of a handshake.
fn bytes_that_are_no_tls_end_at_once(_local: &Local, target: &Target) -> Result {
    for bytes in [&b"SSH-2.0-x\r\n"[..], &[0; 64], &[0xff; 64], b"GET / HTTP/1.1\r\n\r\n"] {
        let began = Instant::now();
        let mut stream = connect(target.dev())?;
        stream.write_all(bytes)?;
        ended(&mut stream)?;
        ensure(began.elapsed() < HANDSHAKE / 2, || format!("{bytes:?} after {:?}", began.elapsed()))?;
    }
    // A record header too large for any handshake, and then the end.
    let mut stream = connect(target.dev())?;
    stream.write_all(&[0x16, 3, 1, 0xff, 0xff, 1])?;
    stream.shutdown(std::net::Shutdown::Write)?;
    ended(&mut stream)?;
    served(target)?;
    Ok(Completion::Completed)
}

/// D10: a header that never ends.
fn half_a_header_ends_at_the_deadline(local: &Local, _target: &Target) -> Result {
    let (dev, _gateway) = local.serve("half-header", SHORT_DEADLINES.parse()?)?;
    let mut stream = tls(&dev, provider(&dev, 0)?, "http/1.1")?;
    let began = Instant::now();
    stream.write_all(b"GET /gateway/account/1 HTTP/1.1\r\nHost: localhost\r\nX-A")?;
    ended_after(&mut stream, began, Duration::from_secs(1))
}

/// D10: a kept-alive connection over which nothing comes.
fn idle_connection_ends(local: &Local, _target: &Target) -> Result {
    let (dev, _gateway) = local.serve("idle", SHORT_DEADLINES.parse()?)?;
    let mut stream = tls(&dev, provider(&dev, 0)?, "http/1.1")?;
    let token = token(provider(&dev, 0)?)?;
    stream.write_all(head(&dev, "HEAD", "/gateway/account/1", &token, "").as_bytes())?;
    let (answer, began) = (read_head(&mut stream)?, Instant::now());
    ensure(answer.starts_with("HTTP/1.1 200 "), || answer)?;
    ended_after(&mut stream, began, Duration::from_secs(2))
}

/// D10: ten bytes are announced, and one comes.
fn body_that_stops_is_cut(local: &Local, _target: &Target) -> Result {
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
