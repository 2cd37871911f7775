//! HTTP/2 frames as no client library sends them, in floods: the connection ends or is held up, and others are served (D11).

use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use irgw_core::Environment;
use irgw_tests::{Dev, Local, Process, frame, literal};
use libtest_mimic::{Completion, Trial};

use crate::Result;
use crate::backing::{Backing, Reply};
use crate::environments::{Environments, ensure};
use crate::forwarding::gateway;
use crate::tools::{PATIENCE, Tls, head, provider, read_head, tls, token};

pub(crate) fn trials(environments: &Arc<Environments>) -> Vec<Trial> {
    let trial = |name: &str, body: fn(&Local) -> Result| {
        let environments = environments.clone();
        Trial::ignorable_test(format!("floods::{name}"), move || {
            body(&*environments.local(Environment::Test)?)
        })
    };
    vec![
        trial("rapid_reset", rapid_reset),
        trial("resets_that_the_gateway_is_made_to_send", resets_that_the_gateway_is_made_to_send),
        trial("continuation", continuation),
        trial("empty_data", empty_data),
        trial("settings", settings),
        trial("ping", ping),
        trial("streams_beyond_the_limit", streams_beyond_the_limit),
        trial("closed_window_holds_nothing_for_ever", closed_window_holds_nothing_for_ever),
        trial("post_that_is_refused_early_has_its_answer", post_that_is_refused_early_has_its_answer),
    ]
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// What a gateway may grow by in a flood; a flood sends more.
const GROWTH_KIB: u64 = 64 * 1024;

/// Deadlines that are short, so that what is held up ends within the trial.
const LIMITS: &str = "body_idle_seconds = 1\nidle_seconds = 1\nheader_seconds = 1\n";

/// One gateway, one connection over which HTTP/2 is spoken frame by frame.
struct Flood {
    dev: Dev,
    gateway: Process,
    backing: Backing,
    tls: Tls,
    before_kib: u64,
}

/// What came over the connection until it ended, or until nothing more came.
#[derive(Debug, Default)]
struct Came {
    /// Field blocks of answers.
    heads: usize,
    resets: usize,
    /// Streams that were answered to their end.
    answers: usize,
    given_up: bool,
    ended: bool,
}

impl Came {
    fn is_over(&self) -> bool {
        self.given_up || self.ended
    }
}

impl Flood {
    /// Starts the gateway, and a connection whose first SETTINGS have this payload.
    fn start(local: &Local, name: &str, settings: &[u8], limits: &str) -> Result<Flood> {
        let backing = Backing::start(|seen| match seen.name() {
            "silent" => Reply::Silence,
            "endless" => {
                let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n";
                Reply::Endless(head.to_vec(), vec![b'a'; 64 * 1024])
            }
            _ => Reply::Keep(crate::backing::OK.to_vec()),
        })?;
        let (dev, gateway) = gateway(local, name, &backing.url, limits)?;
        let mut tls = tls(&dev, provider(&dev, 0)?, "h2")?;
        tls.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")?;
        tls.write_all(&frame(SETTINGS, 0, 0, settings))?;
        let mut flood = Flood { dev, gateway, backing, tls, before_kib: 0 };
        // What is refused later is refused for what it is: the connection itself is good.
        let block = flood.request("GET", "1")?;
        flood.pour(|_| frame(HEADERS, END_STREAM | END_HEADERS, 1, &block), 1)?;
        let came = flood.read(PATIENCE, |came| came.heads > 0)?;
        ensure(came.heads == 1 && !came.is_over(), || format!("a good request first: {came:?}"))?;
        flood.served()?;
        flood.before_kib = flood.resident_kib()?;
        Ok(flood)
    }

    /// The field block of a request.
    fn request(&self, method: &str, name: &str) -> Result<Vec<u8>> {
        let authority = self.dev.listeners.cloud.base_url.trim_start_matches("https://");
        let (path, token) = (format!("/gateway/account/{name}"), token(provider(&self.dev, 0)?)?);
        let fields = [
            (":method", method),
            (":scheme", "https"),
            (":path", &path),
            (":authority", authority),
            ("authorization", &token),
        ];
        Ok(fields.iter().flat_map(|(name, value)| literal(name.as_bytes(), value.as_bytes())).collect())
    }

    /// Sends these bytes again and again, reading nothing, until the gateway ends the connection or takes no more for a while.
    fn pour(&mut self, bytes: impl Fn(u32) -> Vec<u8>, times: u32) -> Result<()> {
        self.tls.sock.set_write_timeout(Some(Duration::from_secs(3)))?;
        for number in 0..times {
            if self.tls.write_all(&bytes(number)).and_then(|()| self.tls.flush()).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Reads frames, and answers PING, until the connection ends or `enough`.
    fn read(&mut self, patience: Duration, enough: impl Fn(&Came) -> bool) -> Result<Came> {
        let (mut came, deadline) = (Came::default(), Instant::now() + patience);
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
    fn frame(&mut self, deadline: Instant) -> Result<Option<(u8, u8, Vec<u8>)>> {
        let mut head = [0; 9];
        if !self.fill(&mut head, deadline)? {
            return Ok(None);
        }
        let [l2, l1, l0, kind, flags, ..] = head;
        let mut payload = vec![0; usize::from(l2) << 16 | usize::from(l1) << 8 | usize::from(l0)];
        Ok(self.fill(&mut payload, deadline)?.then_some((kind, flags, payload)))
    }

    fn fill(&mut self, bytes: &mut [u8], deadline: Instant) -> Result<bool> {
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let left = deadline.saturating_duration_since(Instant::now());
            self.tls.sock.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
            match self.tls.read(rest) {
                Ok(count @ 1..) => filled += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock && !left.is_zero() => {}
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    /// A good request over another connection is answered.
    fn served(&self) -> Result<()> {
        let first = provider(&self.dev, 0)?;
        let mut other = tls(&self.dev, first, "http/1.1")?;
        let request = head(&self.dev, "GET", "/gateway/account/1", &token(first)?, "Connection: close\r\n");
        other.write_all(request.as_bytes())?;
        let answer = read_head(&mut other)?;
        ensure(answer.starts_with("HTTP/1.1 200 "), || answer)
    }

    /// The memory that the gateway has in use (proc(5): VmRSS).
    fn resident_kib(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.gateway.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next()).ok_or("no VmRSS")?;
        Ok(number.parse()?)
    }

    /// The gateway has not grown, and serves others.
    fn unharmed(&self) -> Result<()> {
        self.served()?;
        let grown = self.resident_kib()?.saturating_sub(self.before_kib);
        ensure(grown < GROWTH_KIB, || format!("the gateway grew by {grown} KiB"))
    }
}

/// The streams that a client may open are odd; the first was that of the good request.
fn stream(number: u32) -> u32 {
    2 * number + 3
}

/// Twenty thousand requests, each cancelled at once (CVE-2023-44487).
fn rapid_reset(local: &Local) -> Result {
    let mut flood = Flood::start(local, "rapid-reset", &[], LIMITS)?;
    let block = flood.request("GET", "silent")?;
    let open_and_cancel = |number| {
        let opened = frame(HEADERS, END_STREAM | END_HEADERS, stream(number), &block);
        [opened, frame(RST_STREAM, 0, stream(number), &8_u32.to_be_bytes())].concat()
    };
    flood.pour(open_and_cancel, 20_000)?;
    let came = flood.read(PATIENCE, Came::is_over)?;
    ensure(came.is_over(), || format!("{came:?}"))?;
    let forwarded = flood.backing.seen().len();
    ensure(forwarded < 2_000, || format!("{forwarded} of 20,000 cancelled requests were forwarded"))?;
    flood.unharmed()?;
    Ok(Completion::Completed)
}

/// Requests that the gateway itself must cancel, since each is followed by what is not allowed (CVE-2025-8671).
fn resets_that_the_gateway_is_made_to_send(local: &Local) -> Result {
    let mut flood = Flood::start(local, "made-you-reset", &[], LIMITS)?;
    let block = flood.request("POST", "silent")?;
    let open_and_break = |number| {
        let opened = frame(HEADERS, END_HEADERS, stream(number), &block);
        [opened, frame(WINDOW_UPDATE, 0, stream(number), &[0; 4])].concat()
    };
    flood.pour(open_and_break, 20_000)?;
    let came = flood.read(PATIENCE, Came::is_over)?;
    ensure(came.is_over(), || format!("{came:?}"))?;
    flood.unharmed()?;
    Ok(Completion::Completed)
}

/// A header block that never ends (RUSTSEC-2024-0332).
fn continuation(local: &Local) -> Result {
    let mut flood = Flood::start(local, "continuation-flood", &[], LIMITS)?;
    let block = flood.request("GET", "1")?;
    flood.pour(|_| frame(HEADERS, END_STREAM, stream(0), &block), 1)?;
    let filler = literal(b"x-filler", &[b'a'; 8000]);
    flood.pour(|_| frame(CONTINUATION, 0, stream(0), &filler), 20_000)?;
    let came = flood.read(PATIENCE, Came::is_over)?;
    ensure(came.is_over(), || format!("{came:?}"))?;
    flood.unharmed()?;
    Ok(Completion::Completed)
}

/// A body of frames without content (RUSTSEC-2026-0258).
fn empty_data(local: &Local) -> Result {
    let mut flood = Flood::start(local, "empty-data", &[], LIMITS)?;
    let block = flood.request("POST", "1")?;
    flood.pour(|_| frame(HEADERS, END_HEADERS, stream(0), &block), 1)?;
    let many = frame(DATA, 0, stream(0), &[]).repeat(1000);
    flood.pour(|_| many.clone(), 2_000)?;
    flood.unharmed()?;
    let came = flood.read(PATIENCE, |came| came.is_over() || came.resets > 0 || came.answers > 0)?;
    ensure(came.is_over() || came.resets > 0 || came.answers > 0, || format!("{came:?}"))?;
    Ok(Completion::Completed)
}

/// Each asks for an acknowledgement that nobody reads.
fn settings(local: &Local) -> Result {
    let mut flood = Flood::start(local, "settings-flood", &[], LIMITS)?;
    let many = frame(SETTINGS, 0, 0, &[0, 4, 0, 1, 0, 0]).repeat(1000);
    held_up(&mut flood, &many)
}

/// Each asks for an acknowledgement that nobody reads.
fn ping(local: &Local) -> Result {
    let mut flood = Flood::start(local, "ping-flood", &[], LIMITS)?;
    let many = frame(PING, 0, 0, b"flooding").repeat(1000);
    held_up(&mut flood, &many)
}

/// The gateway takes no more than it can answer, and ends the connection when it has waited long enough.
fn held_up(flood: &mut Flood, many: &[u8]) -> Result {
    flood.pour(|_| many.to_vec(), 5_000)?;
    flood.unharmed()?;
    let came = flood.read(PATIENCE, |came| came.ended)?;
    ensure(came.ended, || format!("the connection does not end: {came:?}"))?;
    Ok(Completion::Completed)
}

/// GW-3: a hundred streams at once.
fn streams_beyond_the_limit(local: &Local) -> Result {
    let mut flood = Flood::start(local, "many-streams", &[], "")?;
    let block = flood.request("GET", "silent")?;
    flood.pour(|number| frame(HEADERS, END_STREAM | END_HEADERS, stream(number), &block), 300)?;
    let came = flood.read(PATIENCE, |came| came.resets >= 200 || came.is_over())?;
    ensure(came.resets >= 200 || came.is_over(), || format!("{came:?}"))?;
    let forwarded = flood.backing.seen().iter().filter(|seen| seen.name() == "silent").count();
    ensure(forwarded <= 100, || format!("{forwarded} requests of one connection are under way"))?;
    flood.unharmed()?;
    Ok(Completion::Completed)
}

/// D10 too: answers for which there is no window, on a connection that is alive otherwise, are cut like any that nobody reads.
fn closed_window_holds_nothing_for_ever(local: &Local) -> Result {
    // SETTINGS_INITIAL_WINDOW_SIZE is 0 (RFC 9113 §6.5.2).
    let mut flood = Flood::start(local, "closed-window", &[0, 4, 0, 0, 0, 0], LIMITS)?;
    let block = flood.request("GET", "endless")?;
    flood.pour(|number| frame(HEADERS, END_STREAM | END_HEADERS, stream(number), &block), 50)?;
    let came = flood.read(PATIENCE, |came| came.resets >= 50 || came.is_over())?;
    flood.unharmed()?;
    ensure(came.resets >= 50 || came.is_over(), || format!("the streams are held: {came:?}"))?;
    Ok(Completion::Completed)
}

/// RFC 9113 §8.1: the refusal comes whole before the stream is reset, though the body was not read.
fn post_that_is_refused_early_has_its_answer(local: &Local) -> Result {
    let mut flood = Flood::start(local, "early-refusal", &[], "")?;
    let block = flood.request("POST", "1")?;
    // Without the token, which stands last.
    let token = literal(b"authorization", token(provider(&flood.dev, 0)?)?.as_bytes()).len();
    let block = block.get(..block.len() - token).unwrap_or_default();
    for number in 0..50 {
        flood.pour(|_| frame(HEADERS, END_HEADERS, stream(number), block), 1)?;
        let came = flood.read(PATIENCE, |came| came.answers > 0 || came.is_over())?;
        ensure(came.answers == 1, || format!("POST {number} has no answer: {came:?}"))?;
        // What the client sent meanwhile is no reason to end the connection.
        flood.pour(|_| frame(DATA, END_STREAM, stream(number), b"a body"), 1)?;
    }
    Ok(Completion::Completed)
}
