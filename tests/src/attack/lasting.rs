//! What outlasts a handshake or points elsewhere: a certificate that ends on an open connection, a token that names an address.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::trial::{Came, PATIENCE, Trial, ensure, good, survived};
use crate::certificate::{CertificateRecipe, Changes};
use crate::judge::text;
use crate::target::AUDIT_PATIENCE;
use crate::token::TokenRecipe;
use crate::{Error, Given, Target};

pub(super) const TRIALS: &[Trial] = &[
    Trial {
        name: "lasting::certificate_expires_on_an_open_connection",
        attacks: &["A16"],
        title: "A certificate that was valid in the handshake is judged again at every request",
        body: certificate_expires_on_an_open_connection,
    },
    Trial {
        name: "lasting::no_connection_is_made_to_where_a_token_points",
        attacks: &["B04"],
        title: "Keys are enrolled, never fetched from where a token says",
        body: no_connection_is_made_to_where_a_token_points,
    },
];

fn certificate_expires_on_an_open_connection(target: &Target) -> Result<Came, Error> {
    let brief = Changes { not_after: "${now+5}".into(), ..Changes::default() };
    let given = Given { certificate: CertificateRecipe::Issued(Box::new(brief)), ..good() };
    let mut open = target.open(&given)?;
    let first = open.ask()?;
    ensure(first.0 == 200, || format!("the open connection does not work: {first:?}"))?;
    let since = target.place.audit.now();
    let (began, mut asked) = (Instant::now(), 1);
    loop {
        let (status, body) = open.ask()?;
        asked += 1;
        if status == 403 {
            ensure(body.is_empty(), || format!("the refusal says {body}"))?;
            let expired =
                |record: &Value| text(record, "reason") == "TLS-4" && text(record, "decision") == "refused";
            let found = target.place.audit.find(since, expired, 1, AUDIT_PATIENCE);
            ensure(!found.is_empty(), || "no audit record says that it expired".into())?;
            return survived(format!("request {asked} was refused after {:.1?}", began.elapsed()));
        }
        ensure(status == 200, || format!("{status} {body}"))?;
        ensure(began.elapsed() < PATIENCE, || "the certificate is good after its end".into())?;
        // Until the clock has moved on; there is nothing to wake us.
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn no_connection_is_made_to_where_a_token_points(target: &Target) -> Result<Came, Error> {
    let broken = |error: std::io::Error| Error::Target(error.to_string());
    // Where the target can reach us: the address that our own connections to it come from.
    let here = target.cloud().connect()?.local_addr().map_err(broken)?.ip();
    let there = TcpListener::bind((here, 0)).map_err(broken)?;
    there.set_nonblocking(true).map_err(broken)?;
    let address = there.local_addr().map_err(broken)?;
    for name in ["jku", "x5u"] {
        let header = [(name.to_owned(), format!("\"http://{address}/keys\""))].into();
        let token = TokenRecipe { header, ..TokenRecipe::default() };
        let (status, body) = target.open(&Given { token: Some(token), ..Given::default() })?.ask()?;
        ensure(status == 400 && body.contains("EV1020"), || format!("{name}: {status} {body}"))?;
        ensure(there.accept().is_err(), || format!("{name} is fetched"))?;
    }
    survived("jku and x5u are refused, and nobody came for the keys")
}
