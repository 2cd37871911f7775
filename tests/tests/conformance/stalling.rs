//! Callers who never finish: a stalled handshake, a dribbled header, a flood of streams. Others are served meanwhile.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use irgw_core::Environment;
use irgw_tests::{Case, CaseText, Dev, Local, Outcome, Skips, Target, attempt};
use libtest_mimic::{Completion, Trial};

use crate::curl::provider;
use crate::environments::{Environments, installed, text};
use crate::{Result, skipped};

/// What a configuration with short deadlines allows for a handshake and a header, and a generous rest.
const PATIENCE: Duration = Duration::from_secs(10);
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
    ]
}

fn connect(dev: &Dev) -> Result<TcpStream> {
    let address = dev.listeners.cloud.base_url.rsplit(':').next().unwrap_or_default();
    let stream = TcpStream::connect(("127.0.0.1", address.parse::<u16>()?))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Reads until the gateway ends the connection; fails when it does not within the patience.
fn ended(stream: &mut TcpStream) -> Result<()> {
    let mut buffer = [0; 1024];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return Ok(()),
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
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {
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

fn bytes_that_are_no_tls_end_at_once(_local: &Local, target: &Target) -> Result {
    for bytes in [
        &b"SSH-2.0-x\r\n"[..],
        &[0; 64],
        &[0xff; 64],
        b"GET / HTTP/1.1\r\n\r\n",
        &[0x16, 3, 1, 0xff, 0xff, 1],
    ] {
        let mut stream = connect(target.dev())?;
        stream.write_all(bytes)?;
        stream.shutdown(std::net::Shutdown::Write)?;
        ended(&mut stream)?;
    }
    served(target)?;
    Ok(Completion::Completed)
}

/// D10: a header that never ends.
fn half_a_header_ends_at_the_deadline(local: &Local, _target: &Target) -> Result {
    let (dev, _gateway) = local.serve("half-header", SHORT_DEADLINES.parse()?)?;
    ends_by_itself(&dev, b"GET /gateway/account/1 HTTP/1.1\r\nHost: localhost\r\nX-A")
}

/// D10: a kept-alive connection over which nothing comes.
fn idle_connection_ends(local: &Local, _target: &Target) -> Result {
    let (dev, _gateway) = local.serve("idle", SHORT_DEADLINES.parse()?)?;
    ends_by_itself(&dev, b"GET /gateway/account/1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

/// Sends these bytes over TLS and nothing more, and waits for the gateway to end the connection.
fn ends_by_itself(dev: &Dev, bytes: &[u8]) -> Result {
    if installed("openssl").is_none() {
        return Ok(skipped("openssl is not installed"));
    }
    let first = provider(dev, 0)?;
    let address = dev.listeners.cloud.base_url.trim_start_matches("https://");
    let mut client = Command::new("openssl");
    client.args(["s_client", "-quiet", "-connect", address, "-servername", "localhost"]);
    client.args(["-cert", text(&first.certificate), "-key", text(&first.key)]);
    let mut client = client.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    // Held open, so that openssl ends when the gateway does and not before.
    let mut input = client.stdin.take().ok_or("no standard input")?;
    input.write_all(bytes)?;
    let deadline = Instant::now() + PATIENCE;
    while client.try_wait()?.is_none() {
        if Instant::now() >= deadline {
            client.kill()?;
            client.wait()?;
            return Err("the connection does not end".into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(input);
    Ok(Completion::Completed)
}
