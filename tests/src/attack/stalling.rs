//! Callers who never finish: each ends at a deadline, and others are served meanwhile (A18, D10).

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use super::trial::{Came, PATIENCE, Trial, ended, ensure, served, survived};
use crate::{Error, Target};

pub(super) const TRIALS: &[Trial] = &[
    Trial {
        name: "stalling::five_hundred_silent_connections_hold_up_nobody",
        attacks: &["A18", "D10"],
        title: "Five hundred connections that say nothing are open while a good request is answered",
        body: five_hundred_silent_connections_hold_up_nobody,
    },
    Trial {
        name: "stalling::bytes_that_are_no_tls_end_at_once",
        attacks: &["A18"],
        title: "What is no TLS ends long before the handshake's deadline",
        body: bytes_that_are_no_tls_end_at_once,
    },
    Trial {
        name: "stalling::half_a_hello_ends_at_the_deadline",
        attacks: &["A18"],
        title: "A ClientHello that dribbles in, a byte now and then, does not move the handshake's deadline",
        body: half_a_hello_ends_at_the_deadline,
    },
    Trial {
        name: "stalling::half_a_header_ends_at_the_deadline",
        attacks: &["D10"],
        title: "A request's header that dribbles in, a byte now and then, does not move the header's deadline",
        body: half_a_header_ends_at_the_deadline,
    },
];

/// What no deadline is below: a connection that ends sooner was refused.
const SOON: Duration = Duration::from_millis(900);
/// Between two bytes of what dribbles.
const A_BYTE: Duration = Duration::from_millis(100);

fn five_hundred_silent_connections_hold_up_nobody(target: &Target) -> Result<Came, Error> {
    let mut silent = (0..500).map(|_| target.cloud().connect()).collect::<Result<Vec<_>, _>>()?;
    let began = Instant::now();
    served(target)?;
    let took = began.elapsed();
    let last = silent.last_mut().ok_or_else(|| Error::recipe("there is no connection"))?;
    last.set_read_timeout(Some(PATIENCE)).map_err(|error| Error::Target(error.to_string()))?;
    ended(last)?;
    survived(format!("a good request was answered beside {} silent connections in {took:.0?}", silent.len()))
}

fn bytes_that_are_no_tls_end_at_once(target: &Target) -> Result<Came, Error> {
    for bytes in [&b"SSH-2.0-x\r\n"[..], &[0; 64], &[0xff; 64], b"GET / HTTP/1.1\r\n\r\n"] {
        let mut stream = target.cloud().connect()?;
        let _ = stream.write_all(bytes);
        let took = ended(&mut stream)?;
        ensure(took < Duration::from_secs(5), || format!("{bytes:?} ended after {took:?}"))?;
    }
    // A record header too large for any handshake, and then the end.
    let mut stream = target.cloud().connect()?;
    let _ = stream.write_all(&[0x16, 3, 1, 0xff, 0xff, 1]);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    ended(&mut stream)?;
    survived("five beginnings that are no TLS ended at once")
}

fn half_a_hello_ends_at_the_deadline(target: &Target) -> Result<Came, Error> {
    let mut stream = target.cloud().connect()?;
    // A record that announces 512 bytes of handshake and a ClientHello.
    let hello = [22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3];
    stream.write_all(&hello).map_err(|error| Error::Target(error.to_string()))?;
    stream.set_read_timeout(Some(A_BYTE)).map_err(|error| Error::Target(error.to_string()))?;
    dribbled(&mut stream, &[0])
}

fn half_a_header_ends_at_the_deadline(target: &Target) -> Result<Came, Error> {
    let mut stream = target.stream(false)?;
    let half = b"GET /gateway/account/1 HTTP/1.1\r\nHost: localhost\r\nX-A";
    stream.write_all(half).map_err(|error| Error::Target(error.to_string()))?;
    stream.sock.set_read_timeout(Some(A_BYTE)).map_err(|error| Error::Target(error.to_string()))?;
    dribbled(&mut stream, b"a")
}

/// Sends a byte now and then until the far end has had enough: not at once, and within the patience.
fn dribbled(stream: &mut (impl Read + Write), byte: &[u8]) -> Result<Came, Error> {
    let (began, mut buffer) = (Instant::now(), [0; 4096]);
    while began.elapsed() < PATIENCE {
        let is_over = match stream.read(&mut buffer) {
            Ok(count) => count == 0,
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        };
        if is_over || stream.write_all(byte).and_then(|()| stream.flush()).is_err() {
            let took = began.elapsed();
            ensure(took > SOON, || format!("it ended after {took:?}, which is no deadline"))?;
            return survived(format!("it ended after {took:.1?}"));
        }
    }
    Err(Error::Target(format!("what dribbles keeps the connection for {PATIENCE:?}")))
}
