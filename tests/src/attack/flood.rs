//! One connection over which HTTP/2 is spoken frame by frame, and what becomes of the gateway meanwhile.

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use super::trial::{PATIENCE, ensure, good, served};
use crate::exchange::Stream;
use crate::h2::{
    ACK, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, RST_STREAM, SETTINGS, frame, literal,
};
use crate::{Error, Target};

/// What a gateway may grow by in a flood, in KiB; a flood sends more.
const GROWTH_KIB: u64 = 64 * 1024;

/// A connection to the cloud channel, as `providers[0]`.
#[derive(Debug)]
pub struct Flood<'a> {
    target: &'a Target,
    tls: Box<Stream>,
    token: String,
    before_kib: Option<u64>,
}

/// What came over the connection until it ended, or until nothing more came.
#[derive(Debug, Default)]
pub struct Arrived {
    /// Field blocks of answers.
    pub heads: usize,
    /// Streams that were reset.
    pub resets: usize,
    /// Streams that were answered to their end.
    pub answers: usize,
    /// GOAWAY.
    pub given_up: bool,
    /// The connection's end.
    pub ended: bool,
}

impl Arrived {
    /// Whether nothing more can come.
    pub fn is_over(&self) -> bool {
        self.given_up || self.ended
    }
}

fn broken(error: std::io::Error) -> Error {
    Error::Target(format!("the connection is broken: {error}"))
}

impl<'a> Flood<'a> {
    /// Opens the connection, with first SETTINGS of this payload, and has one good request answered over it.
    ///
    /// # Errors
    /// When it is not answered by 200.
    pub fn start(target: &'a Target, settings: &[u8]) -> Result<Flood<'a>, Error> {
        served(target)?;
        let token = target.after(&good(), "${token}")?;
        let mut tls = Box::new(target.stream(true)?);
        tls.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").map_err(broken)?;
        tls.write_all(&frame(SETTINGS, 0, 0, settings)).map_err(broken)?;
        let mut flood = Flood { target, tls, token, before_kib: None };
        // What is refused later is refused for what it is: the connection itself is good.
        let block = flood.request("GET", "1");
        flood.pour(|_| frame(HEADERS, END_STREAM | END_HEADERS, 1, &block), 1)?;
        let came = flood.read(PATIENCE, |came| came.heads > 0)?;
        ensure(came.heads == 1 && !came.is_over(), || format!("a good request first: {came:?}"))?;
        flood.before_kib = flood.resident_kib();
        Ok(flood)
    }

    /// The field block of a good request for `/gateway/account/NAME`; its last field is the token.
    pub fn request(&self, method: &str, name: &str) -> Vec<u8> {
        let (authority, path) = (&self.target.cloud().authority, format!("/gateway/account/{name}"));
        let fields = [
            (":method", method),
            (":scheme", "https"),
            (":path", &path),
            (":authority", authority),
            ("authorization", &self.token),
        ];
        fields.iter().flat_map(|(name, value)| literal(name.as_bytes(), value.as_bytes())).collect()
    }

    /// How many bytes of a [`Flood::request`] its token takes.
    pub fn token_bytes(&self) -> usize {
        literal(b"authorization", self.token.as_bytes()).len()
    }

    /// Sends these bytes again and again, reading nothing, until the gateway ends the connection or takes no more for a while; how
    /// often they went.
    ///
    /// # Errors
    /// When the socket's timeout cannot be set.
    pub fn pour(&mut self, bytes: impl Fn(u32) -> Vec<u8>, times: u32) -> Result<u32, Error> {
        self.tls.sock.set_write_timeout(Some(Duration::from_secs(3))).map_err(broken)?;
        for number in 0..times {
            if self.tls.write_all(&bytes(number)).and_then(|()| self.tls.flush()).is_err() {
                return Ok(number);
            }
        }
        Ok(times)
    }

    /// Reads frames, and answers PING, until the connection ends or `enough`.
    ///
    /// # Errors
    /// When the socket's timeout cannot be set.
    pub fn read(&mut self, patience: Duration, enough: impl Fn(&Arrived) -> bool) -> Result<Arrived, Error> {
        let (mut came, deadline) = (Arrived::default(), Instant::now() + patience);
        while !enough(&came) && !came.ended && Instant::now() < deadline {
            let Some((kind, flags, payload)) = self.frame(deadline)? else {
                came.ended = Instant::now() < deadline;
                break;
            };
            came.heads += usize::from(kind == HEADERS);
            match kind {
                RST_STREAM => came.resets += 1,
                GOAWAY => came.given_up = true,
                DATA | HEADERS if flags & END_STREAM != 0 => came.answers += 1,
                // A gateway that ended the connection reads no more.
                PING if flags & ACK == 0 => drop(self.tls.write_all(&frame(PING, ACK, 0, &payload))),
                _ => {}
            }
        }
        Ok(came)
    }

    /// The next frame's kind, flags and payload; `None` at the connection's end, and at the deadline.
    fn frame(&mut self, deadline: Instant) -> Result<Option<(u8, u8, Vec<u8>)>, Error> {
        let mut head = [0; 9];
        if !self.fill(&mut head, deadline)? {
            return Ok(None);
        }
        let [l2, l1, l0, kind, flags, ..] = head;
        let mut payload = vec![0; usize::from(l2) << 16 | usize::from(l1) << 8 | usize::from(l0)];
        Ok(self.fill(&mut payload, deadline)?.then_some((kind, flags, payload)))
    }

    fn fill(&mut self, bytes: &mut [u8], deadline: Instant) -> Result<bool, Error> {
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let left = deadline.saturating_duration_since(Instant::now());
            self.tls.sock.set_read_timeout(Some(left.max(Duration::from_millis(1)))).map_err(broken)?;
            match self.tls.read(rest) {
                Ok(count @ 1..) => filled += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock && !left.is_zero() => {}
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    /// The memory that the gateway has in use (proc(5): VmRSS), where it runs on this machine.
    fn resident_kib(&self) -> Option<u64> {
        let pid = self.target.dev().pid.filter(|_| self.target.cloud().is_loopback())?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.split_whitespace().next()?.parse().ok()
    }

    /// The gateway has not grown, where that can be seen, and serves others.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn unharmed(&self) -> Result<(), Error> {
        served(self.target)?;
        let (Some(before), Some(after)) = (self.before_kib, self.resident_kib()) else { return Ok(()) };
        let grown = after.saturating_sub(before);
        ensure(grown < GROWTH_KIB, || format!("the gateway grew by {grown} KiB"))
    }
}

/// The streams that a client may open are odd; the first was that of the good request.
pub fn stream(number: u32) -> u32 {
    2 * number + 3
}
