//! What holds for connections: where they come from, whom they name, how old they grow, and whose turn it is.

use std::io::{Read, Write};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use irgw_core::Environment;
use irgw_tests::Local;
use libtest_mimic::{Completion, Trial};

use crate::backing::{Backing, OK, Reply};
use crate::environments::{Environments, ensure, eventually, installed};
use crate::forwarding::gateway;
use crate::tools::{
    PATIENCE, ask, ask_as, connect, field, head, member, provider, read_head, record_of, tls, token,
};
use crate::{Result, skipped};

pub(crate) fn trials(environments: &Arc<Environments>) -> Vec<Trial> {
    let trial = |name: &str, needs: &'static [&'static str], body: fn(&Local) -> Result| {
        let environments = environments.clone();
        Trial::ignorable_test(format!("connections::{name}"), move || {
            if let Some(absent) = needs.iter().find(|needed| installed(needed).is_none()) {
                return Ok(skipped(&format!("{absent} is not installed")));
            }
            body(&*environments.local(Environment::Test)?)
        })
    };
    vec![
        trial("mapped_address_is_judged_as_ipv4", &["curl"], mapped_address_is_judged_as_ipv4),
        trial("old_connection_closes_after_its_request", &[], old_connection_closes_after_its_request),
        trial("half_open_connections_are_outlived", &[], half_open_connections_are_outlived),
        trial("one_providers_load_is_its_own", &["curl"], one_providers_load_is_its_own),
    ]
}

/// D08: over a socket of both families an IPv4 client comes from `::ffff:127.0.0.1`.
fn mapped_address_is_judged_as_ipv4(local: &Local) -> Result {
    let overlay = "[[listener]]\nlisten = \"[::]:0\"\nallow = [\"127.0.0.0/8\"]\n";
    let (dev, _gateway) = local.serve("both-families", overlay.parse()?)?;
    let token = token(provider(&dev, 0)?)?;
    let (status, answer) = ask(&dev, "/gateway/account/1", &token, &["-4"])?;
    ensure(status == "200", || answer.clone())?;
    let record = record_of(&dev, &answer)?;
    ensure(member(&record, "peer").starts_with("127.0.0.1:"), || record.to_string())?;
    let (status, answer) = ask(&dev, "/gateway/account/1", &token, &["-6"])?;
    ensure(status == "403", || format!("::1, which is not on the list: {answer}"))?;
    Ok(Completion::Completed)
}

/// A16: the request under way is answered, and says that it was the last.
fn old_connection_closes_after_its_request(local: &Local) -> Result {
    let (release, wait): (Sender<()>, _) = channel();
    let wait = Mutex::new(wait);
    let backing = Backing::start(move |_| {
        // Ends too when the trial has failed and the sender is gone.
        let _ = wait.lock().unwrap_or_else(PoisonError::into_inner).recv();
        Reply::Keep(OK.to_vec())
    })?;
    let (dev, _gateway) = gateway(local, "ageing", &backing.url, "connection_age_seconds = 1\n")?;
    let first = provider(&dev, 0)?;
    let mut busy = tls(&dev, first, "http/1.1")?;
    busy.write_all(head(&dev, "GET", "/gateway/account/1", &token(first)?, "").as_bytes())?;
    eventually(PATIENCE, || Ok(backing.seen().len()), |seen| *seen == 1)?;
    // A younger one over which nothing comes ends at the same age: then the busy one has passed it.
    let mut younger = tls(&dev, first, "http/1.1")?;
    let ended = younger.read(&mut [0]);
    ensure(!matches!(ended, Ok(1)), || "an idle connection is told something".into())?;
    release.send(())?;
    let answer = read_head(&mut busy)?;
    let last = field(&answer, "connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    ensure(answer.starts_with("HTTP/1.1 200 ") && last, || answer)?;
    let mut rest = Vec::new();
    // The end may come without close_notify.
    let _ = busy.read_to_end(&mut rest);
    ensure(rest == b"ok", || format!("{rest:?}"))?;
    Ok(Completion::Completed)
}

/// A18: more connections than there are places, none of which says anything; then others are served again.
fn half_open_connections_are_outlived(local: &Local) -> Result {
    let limits = "[limits]\nconnections = 8\nhandshake_seconds = 1\n";
    let (dev, _gateway) = local.serve("few-places", limits.parse()?)?;
    let first = provider(&dev, 0)?;
    let request = head(&dev, "GET", "/gateway/account/1", &token(first)?, "Connection: close\r\n");
    let began = Instant::now();
    let silent = (0..24).map(|_| connect(&dev)).collect::<Result<Vec<_>>>()?;
    let mut good = tls(&dev, first, "http/1.1")?;
    good.write_all(request.as_bytes())?;
    let answer = read_head(&mut good)?;
    let took = began.elapsed();
    ensure(answer.starts_with("HTTP/1.1 200 "), || answer)?;
    // Eight at a time, a second each: it was the twenty-fifth.
    ensure(took >= Duration::from_secs(3), || {
        format!("served after {took:?}, so the places are more than 8")
    })?;
    drop(silent);
    for _ in 0..16 {
        let mut good = tls(&dev, first, "http/1.1")?;
        good.write_all(request.as_bytes())?;
        let answer = read_head(&mut good)?;
        ensure(answer.starts_with("HTTP/1.1 200 "), || answer)?;
    }
    Ok(Completion::Completed)
}

/// D19, GW-4. However slow this is, a provider that asks without pause is beyond one request a second some time.
fn one_providers_load_is_its_own(local: &Local) -> Result {
    let limits = "[limits]\nrequests_per_second = 1\nburst = 2\n";
    let (dev, _gateway) = local.serve("one-at-a-time", limits.parse()?)?;
    let (greedy, modest) = (provider(&dev, 0)?, provider(&dev, 1)?);
    let mut open = tls(&dev, greedy, "http/1.1")?;
    let request = head(&dev, "HEAD", "/gateway/account/1", &token(greedy)?, "");
    let mut ask_again = || -> Result<String> {
        open.write_all(request.as_bytes())?;
        read_head(&mut open)
    };
    let refused = eventually(PATIENCE, &mut ask_again, |answer| answer.starts_with("HTTP/1.1 429 "))?;
    ensure(field(&refused, "retry-after").is_some(), || refused)?;
    let (status, answer) = ask_as(&dev, modest, "/gateway/account/1", &token(modest)?, &[])?;
    ensure(status == "200", || answer)?;
    Ok(Completion::Completed)
}
