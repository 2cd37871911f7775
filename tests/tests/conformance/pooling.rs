//! Connections to a backing service that carry many requests: what is on one is nobody else's, and nothing is sent twice.

use std::sync::Arc;
use std::time::Duration;

use irgw_core::{Environment, UnixTime};
use irgw_m2m::identity::verify;
use irgw_tests::Local;
use libtest_mimic::{Completion, Trial};

use crate::backing::{Backing, OK, Reply, Seen};
use crate::environments::{Environments, ensure, eventually, installed};
use crate::forwarding::{gateway, jwks};
use crate::tools::{PATIENCE, ask, ask_as, field, head, member, provider, read_head, record_of, tls, token};
use crate::{Result, skipped};

pub(crate) fn trials(environments: &Arc<Environments>) -> Vec<Trial> {
    let trial = |name: &str, body: fn(&Local) -> Result| {
        let environments = environments.clone();
        Trial::ignorable_test(format!("pooling::{name}"), move || {
            if installed("curl").is_none() {
                return Ok(skipped("curl is not installed"));
            }
            body(&*environments.local(Environment::Test)?)
        })
    };
    vec![
        trial("second_request_is_delivered_once", second_request_is_delivered_once),
        trial("answer_cut_off_is_delivered_once", answer_cut_off_is_delivered_once),
        trial("silent_service_is_504", silent_service_is_504),
        trial("callers_of_one_connection_are_told_apart", callers_of_one_connection_are_told_apart),
        trial("connection_with_a_broken_answer_is_not_reused", connection_with_a_broken_answer_is_not_reused),
        trial("refusal_of_the_service_passes", refusal_of_the_service_passes),
        trial("interim_answers_without_end_are_cut", interim_answers_without_end_are_cut),
        trial("client_that_reads_nothing_is_cut", client_that_reads_nothing_is_cut),
    ]
}

/// How often a request of this name came.
fn deliveries(backing: &Backing, name: &str) -> Vec<Seen> {
    backing.seen().into_iter().filter(|seen| seen.name() == name).collect()
}

/// D16: read whole over a connection that worked before, and then the service dies.
fn second_request_is_delivered_once(local: &Local) -> Result {
    let backing = Backing::start(|seen| match seen.nth {
        0 => Reply::Keep(OK.to_vec()),
        _ => Reply::Last(Vec::new()),
    })?;
    let (dev, _gateway) = gateway(local, "dies-at-the-second", &backing.url, "")?;
    let token = token(provider(&dev, 0)?)?;
    for (number, method) in ["POST", "GET", "PUT"].iter().enumerate() {
        let (status, answer) = ask(&dev, "/gateway/account/first", &token, &[])?;
        ensure(status == "200", || answer)?;
        let name = format!("second-{number}");
        let more = ["-X", method, "--data-binary", "a filing"];
        let (status, answer) = ask(&dev, &format!("/gateway/account/{name}"), &token, &more)?;
        ensure(status == "502", || format!("{method}: {answer}"))?;
        let seen = deliveries(&backing, &name);
        let reused = matches!(seen.as_slice(), [only] if only.nth == 1 && only.text.ends_with("a filing"));
        ensure(reused, || format!("{method} is not delivered once, over a used connection: {seen:?}"))?;
    }
    Ok(Completion::Completed)
}

/// D16: the answer began, so the caller sees that it ends too early, and the request is not sent again.
fn answer_cut_off_is_delivered_once(local: &Local) -> Result {
    let backing = Backing::start(|seen| match seen.nth {
        0 => Reply::Keep(OK.to_vec()),
        _ => Reply::Last(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf".to_vec()),
    })?;
    let (dev, _gateway) = gateway(local, "cuts-off", &backing.url, "")?;
    let (first, token) = (provider(&dev, 0)?, token(provider(&dev, 0)?)?);
    ask(&dev, "/gateway/account/first", &token, &[])?;
    let url = format!("{}/gateway/account/cut", dev.listeners.cloud.base_url);
    for version in ["--http1.1", "--http2"] {
        let before = deliveries(&backing, "cut").len();
        let more = ["-H", &format!("Authorization: {token}"), version, "--data-binary", "a filing"];
        let answer = crate::tools::curl(&dev, Some(first), &url, &more)?;
        ensure(answer.code != Some(0), || format!("{version}: it looks whole: {}", answer.text))?;
        ensure(deliveries(&backing, "cut").len() == before + 1, || format!("{version}: sent again"))?;
        ask(&dev, "/gateway/account/first", &token, &[])?;
    }
    Ok(Completion::Completed)
}

/// D16.
fn silent_service_is_504(local: &Local) -> Result {
    let backing = Backing::start(|_| Reply::Silence)?;
    let (dev, _gateway) = gateway(local, "silent-service", &backing.url, "answer_seconds = 1\n")?;
    let more = ["--data-binary", "a filing"];
    let (status, answer) = ask(&dev, "/gateway/account/1", &token(provider(&dev, 0)?)?, &more)?;
    ensure(status == "504" && backing.seen().len() == 1, || format!("{:?}: {answer}", backing.seen()))?;
    eventually(PATIENCE, || Ok(backing.ended()), |ended| *ended == 1)?;
    Ok(Completion::Completed)
}

/// D18: a connection has no identity of its own; each head says who asks.
fn callers_of_one_connection_are_told_apart(local: &Local) -> Result {
    let backing = Backing::start(|_| Reply::Keep(OK.to_vec()))?;
    let (dev, _gateway) = gateway(local, "two-callers", &backing.url, "")?;
    let keys = jwks(&dev)?;
    let callers = [provider(&dev, 0)?, provider(&dev, 1)?];
    for (number, caller) in callers.iter().cycle().take(6).enumerate() {
        let (status, answer) = ask_as(&dev, caller, "/gateway/account/1", &token(caller)?, &[])?;
        ensure(status == "200", || answer)?;
        let seen = backing.seen();
        let seen = seen.get(number).ok_or("it was not forwarded")?;
        ensure(seen.connection == 0, || format!("connection {}, so little is shown", seen.connection))?;
        let identity =
            field(seen.text.split_once('\n').map_or("", |(_, fields)| fields), "x-gateway-identity");
        let known = verify(&identity.unwrap_or_default(), &keys, "account", UnixTime::now())?;
        let told = known.provider.as_ref().map(|id| id.as_str());
        ensure(told == Some(caller.id.as_str()), || format!("{} is told as {told:?}", caller.id))?;
    }
    Ok(Completion::Completed)
}

/// D18: what comes after an answer, or instead of one, reaches nobody else.
fn connection_with_a_broken_answer_is_not_reused(local: &Local) -> Result {
    let backing = Backing::start(|seen| {
        Reply::Keep(match seen.name() {
            "garbage" => b"garbage\r\n\r\n".to_vec(),
            "two-lengths" => b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok".to_vec(),
            "two-answers" => [OK, b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen"].concat(),
            "too-much" => [OK, b"stolen"].concat(),
            _ => OK.to_vec(),
        })
    })?;
    let (dev, _gateway) = gateway(local, "broken-and-kept", &backing.url, "")?;
    let callers = [provider(&dev, 0)?, provider(&dev, 1)?];
    let tokens = [token(callers[0])?, token(callers[1])?];
    for name in ["garbage", "two-lengths", "two-answers", "too-much"] {
        ask_as(&dev, callers[0], &format!("/gateway/account/{name}"), &tokens[0], &[])?;
        let broken = backing.seen().last().map(|seen| seen.connection);
        let (status, answer) = ask_as(&dev, callers[1], "/gateway/account/next", &tokens[1], &[])?;
        ensure(status == "200" && answer.ends_with("ok"), || format!("after {name}: {answer}"))?;
        let next = backing.seen().last().map(|seen| seen.connection);
        ensure(next != broken, || format!("after {name} the connection is used again"))?;
    }
    Ok(Completion::Completed)
}

/// D15: the backing service's own refusal is its own.
fn refusal_of_the_service_passes(local: &Local) -> Result {
    let backing = Backing::start(|_| {
        let head = "HTTP/1.1 401 Unauthorized\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\n";
        Reply::Keep(format!("{head}its words").into_bytes())
    })?;
    let (dev, _gateway) = gateway(local, "refusing-service", &backing.url, "")?;
    let (status, answer) = ask(&dev, "/gateway/account/1", &token(provider(&dev, 0)?)?, &[])?;
    ensure(status == "401" && answer.ends_with("its words"), || answer.clone())?;
    ensure(field(&answer, "x-gateway-reason").is_none(), || answer.clone())?;
    let record = record_of(&dev, &answer)?;
    let its_own = record.get("upstream_status").and_then(serde_json::Value::as_u64) == Some(401);
    ensure(its_own && member(&record, "decision") == "admitted", || record.to_string())?;
    Ok(Completion::Completed)
}

/// D15.
fn interim_answers_without_end_are_cut(local: &Local) -> Result {
    // Large ones: hyper looks up from reading after so many reads, and a debug build takes seconds over small ones.
    let interim = format!("HTTP/1.1 102 Processing\r\nX-A: {}\r\n\r\n", "a".repeat(8000)).into_bytes();
    let backing = Backing::start(move |_| Reply::Endless(Vec::new(), interim.clone()))?;
    let (dev, _gateway) = gateway(local, "interim-flood", &backing.url, "answer_seconds = 2\n")?;
    let (status, answer) = ask(&dev, "/gateway/account/1", &token(provider(&dev, 0)?)?, &[])?;
    ensure(status == "502" || status == "504", || answer.chars().take(300).collect())?;
    eventually(PATIENCE, || Ok(backing.ended()), |ended| *ended == 1)?;
    Ok(Completion::Completed)
}

/// D10: a slow reader holds the connection to the backing service no longer than bodies may pause.
fn client_that_reads_nothing_is_cut(local: &Local) -> Result {
    let backing = Backing::start(|_| {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n";
        Reply::Endless(head.to_vec(), vec![b'a'; 64 * 1024])
    })?;
    let (dev, _gateway) = gateway(local, "slow-reader", &backing.url, "body_idle_seconds = 1\n")?;
    let first = provider(&dev, 0)?;
    let mut stream = tls(&dev, first, "http/1.1")?;
    let request = head(&dev, "GET", "/gateway/account/1", &token(first)?, "");
    std::io::Write::write_all(&mut stream, request.as_bytes())?;
    let answer = read_head(&mut stream)?;
    ensure(answer.starts_with("HTTP/1.1 200 "), || answer.clone())?;
    eventually(Duration::from_secs(10), || Ok(backing.ended()), |ended| *ended == 1)?;
    record_of(&dev, &answer)?;
    Ok(Completion::Completed)
}
