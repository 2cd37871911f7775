//! HTTP/2 frames as no client library sends them, in floods: the connection ends or is held up, and others are served (D11).

use super::flood::{Arrived, Flood, stream};
use super::trial::{Came, PATIENCE, Trial, ensure, survived};
use crate::h2::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, RST_STREAM, SETTINGS, WINDOW_UPDATE, frame,
    literal,
};
use crate::judge::text;
use crate::{Error, Target};

pub(super) const TRIALS: &[Trial] = &[
    Trial {
        name: "floods::rapid_reset",
        attacks: &["D11"],
        title: "Twenty thousand requests, each cancelled at once (CVE-2023-44487), end the connection",
        body: rapid_reset,
    },
    Trial {
        name: "floods::resets_that_the_gateway_is_made_to_send",
        attacks: &["D11"],
        title: "Twenty thousand requests that the gateway itself must cancel (CVE-2025-8671) end the connection",
        body: resets_that_the_gateway_is_made_to_send,
    },
    Trial {
        name: "floods::continuation",
        attacks: &["D11"],
        title: "A header block that never ends (RUSTSEC-2024-0332) ends the connection",
        body: continuation,
    },
    Trial {
        name: "floods::empty_data",
        attacks: &["D11"],
        title: "Two million pieces of a body without content (RUSTSEC-2026-0258) are bounded",
        body: empty_data,
    },
    Trial {
        name: "floods::settings",
        attacks: &["D11"],
        title: "Settings whose acknowledgements nobody reads are held up, and memory stays bounded",
        body: |target| held_up(target, &frame(SETTINGS, 0, 0, &[0, 4, 0, 1, 0, 0])),
    },
    Trial {
        name: "floods::ping",
        attacks: &["D11"],
        title: "Pings whose acknowledgements nobody reads are held up, and memory stays bounded",
        body: |target| held_up(target, &frame(PING, 0, 0, b"flooding")),
    },
];

fn rapid_reset(target: &Target) -> Result<Came, Error> {
    const REQUESTS: u32 = 20_000;
    let mut flood = Flood::start(target, &[])?;
    let (since, block) = (target.backing().now(), flood.request("GET", "cancelled"));
    flood.pour(
        |number| {
            let opened = frame(HEADERS, END_STREAM | END_HEADERS, stream(number), &block);
            [opened, frame(RST_STREAM, 0, stream(number), &8_u32.to_be_bytes())].concat()
        },
        REQUESTS,
    )?;
    let came = ends(&mut flood)?;
    let forwarded = target.backing().seen(since, |seen| text(seen, "path").ends_with("/cancelled")).len();
    ensure(forwarded < 2000, || format!("{forwarded} of {REQUESTS} cancelled requests were forwarded"))?;
    flood.unharmed()?;
    survived(format!("{}, {forwarded} of {REQUESTS} were forwarded", told(&came)))
}

fn resets_that_the_gateway_is_made_to_send(target: &Target) -> Result<Came, Error> {
    let mut flood = Flood::start(target, &[])?;
    let block = flood.request("POST", "broken");
    flood.pour(
        |number| {
            let opened = frame(HEADERS, END_HEADERS, stream(number), &block);
            [opened, frame(WINDOW_UPDATE, 0, stream(number), &[0; 4])].concat()
        },
        20_000,
    )?;
    let came = ends(&mut flood)?;
    flood.unharmed()?;
    survived(told(&came))
}

fn continuation(target: &Target) -> Result<Came, Error> {
    let mut flood = Flood::start(target, &[])?;
    let block = flood.request("GET", "1");
    flood.pour(|_| frame(HEADERS, END_STREAM, stream(0), &block), 1)?;
    let filler = literal(b"x-filler", &[b'a'; 8000]);
    flood.pour(|_| frame(CONTINUATION, 0, stream(0), &filler), 20_000)?;
    let came = ends(&mut flood)?;
    flood.unharmed()?;
    survived(told(&came))
}

fn empty_data(target: &Target) -> Result<Came, Error> {
    let mut flood = Flood::start(target, &[])?;
    let block = flood.request("POST", "1");
    flood.pour(|_| frame(HEADERS, END_HEADERS, stream(0), &block), 1)?;
    let many = frame(DATA, 0, stream(0), &[]).repeat(1000);
    flood.pour(|_| many.clone(), 2000)?;
    flood.unharmed()?;
    let is_over = |came: &Arrived| came.is_over() || came.resets > 0 || came.answers > 0;
    let came = flood.read(PATIENCE, is_over)?;
    ensure(is_over(&came), || format!("{came:?}"))?;
    survived(told(&came))
}

/// The gateway takes no more than it can answer, and nothing of it grows.
fn held_up(target: &Target, one: &[u8]) -> Result<Came, Error> {
    let mut flood = Flood::start(target, &[])?;
    let many = one.repeat(1000);
    let poured = flood.pour(|_| many.clone(), 5000)?;
    flood.unharmed()?;
    survived(format!("{poured} of 5000 pieces of {} bytes were taken", many.len()))
}

fn ends(flood: &mut Flood) -> Result<Arrived, Error> {
    let came = flood.read(PATIENCE, Arrived::is_over)?;
    ensure(came.is_over(), || format!("the connection goes on: {came:?}"))?;
    Ok(came)
}

fn told(came: &Arrived) -> String {
    let how = match (came.given_up, came.ended) {
        (true, _) => "given up by GOAWAY",
        (false, true) => "closed",
        (false, false) => "answered",
    };
    format!("the connection was {how} after {} answers and {} resets", came.heads, came.resets)
}
