//! Two gateways on one PostgreSQL server act as one, and lose nothing when it is killed (OA-8, OA-12, OA-16, TLS-10).

mod nodes;
#[allow(clippy::unwrap_used, reason = "the store's tests share it: what fails there is to panic")]
#[path = "../../../../crates/irgw-store/tests/support/postgres.rs"]
mod server;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use irgw_core::Environment;
use irgw_tests::{Dev, Given, Local, Target};
use libtest_mimic::{Completion, Trial};
use serde_json::Value;

use crate::Result;
use crate::environments::{Environments, ensure, eventually, installed, irgw, text};
use crate::kills::{Client, check, settle};
use crate::races::race_over;
use crate::refresh::{Asker, text_of};
use crate::tools::{PATIENCE, ask, curl, provider, token};
use crate::{say, skipped};
use nodes::Nodes;
use server::{Database, Server};

/// OA-16, TLS-10: a change is in force everywhere within a second.
const ONE_SECOND: Duration = Duration::from_secs(1);

pub(crate) fn trials(environments: &Arc<Environments>) -> Vec<Trial> {
    let trial = |name: &str, body: fn(&Local) -> Result| {
        let environments = environments.clone();
        Trial::ignorable_test(format!("postgres::{name}"), move || {
            body(&*environments.local(Environment::Test)?)
        })
    };
    vec![
        trial("two_gateways_act_as_one", two_gateways_act_as_one),
        trial("one_of_fifty_has_the_token_over_two_gateways", one_of_fifty_has_the_token),
        trial("server_that_is_killed_loses_nothing", server_that_is_killed_loses_nothing),
        trial("gateway_without_its_server_says_so_and_recovers", gateway_without_its_server),
    ]
}

/// A database, or why there is none.
macro_rules! database {
    () => {
        match Database::create() {
            Some(database) => database,
            None => return Ok(Completion::ignored_with("there is no PostgreSQL server")),
        }
    };
}

/// A server of the trial's own, or why there is none.
macro_rules! own_server {
    () => {
        match Server::start(None) {
            Ok(server) => server,
            Err(reason) => return Ok(skipped(&format!("postgres: {reason}"))),
        }
    };
}

/// G08.
fn two_gateways_act_as_one(local: &Local) -> Result {
    if installed("curl").is_none() {
        return Ok(skipped("curl is not installed"));
    }
    let nodes = Nodes::start(local, "postgres", database!())?;
    let [one, two] = &nodes.devs;
    let checked = nodes.irgw(&["check"])?;
    ensure(checked.contains("store postgres://irgw@"), || checked.clone())?;

    // Whoever is enrolled is so on both.
    let jwt = token(provider(one, 0)?)?;
    for dev in [one, two] {
        let (status, answer) = ask(dev, "/gateway/account/1", &jwt, &[])?;
        ensure(status == "200", || answer)?;
    }
    // A customer logs in at one gateway, and the client redeems the code at the other.
    let login: Given = toml::from_str("oauth = { steps = [\"authorise\"] }\n[request]\npath = \"/\"")?;
    let form = "grant_type=authorization_code&code=${code}&redirect_uri=${redirect_uri|form}&code_verifier=${verifier}";
    let form = Target::served(one.clone())?.after(&login, form)?;
    let (mut first, mut second) = (Asker::connect(one)?, Asker::connect(two)?);
    let (status, issued) = second.post("token", &form)?;
    ensure(status == 200, || format!("the code of another gateway: {status} {issued}"))?;
    let (access, refresh) = (text_of(&issued, "access_token"), text_of(&issued, "refresh_token"));
    let bearer = format!("Bearer {access}");
    for (dev, asker) in [(one, &mut first), (two, &mut second)] {
        ensure(asker.is_active(access)?, || "a gateway does not know the token".into())?;
        let (status, answer) = ask(dev, "/gateway/account/1", &bearer, &[])?;
        ensure(status == "200", || answer)?;
    }
    // What is revoked at one gateway is refused by the other within a second.
    let (status, _) = first.post("revoke", &format!("token={refresh}"))?;
    let revoked = Instant::now();
    ensure(status == 200, || format!("the revocation: {status}"))?;
    let asked = || Ok(ask(two, "/gateway/account/1", &bearer, &[])?.0);
    eventually(ONE_SECOND, asked, |status| status == "400")?;
    say(&format!("a revocation was in force on the other gateway after {:?}", revoked.elapsed()));
    let (status, body) = second.refresh(refresh)?;
    ensure(status == 401, || format!("{status} {body}"))?;

    // A key that is rolled over beside them is published by both; so is who loses access.
    let rotated = nodes.irgw(&["key", "rotate"])?;
    let id = rotated.lines().next().unwrap_or_default();
    for dev in [one, two] {
        eventually(ONE_SECOND, || keys(dev), |keys| !id.is_empty() && keys.contains(id))?;
    }
    nodes.irgw(&["credential", "revoke", "provider", &provider(one, 0)?.id])?;
    for dev in [one, two] {
        let asked = || Ok(ask(dev, "/gateway/account/1", &jwt, &[])?.0);
        eventually(ONE_SECOND, asked, |status| status == "403")?;
    }
    Ok(Completion::Completed)
}

/// The public keys that a gateway publishes for access tokens.
fn keys(dev: &Dev) -> Result<String> {
    let url = format!("{}/gateway3/oauth/jwks", dev.listeners.desktop.base_url);
    Ok(curl(dev, None, &url, &[])?.text)
}

/// G08, C11: over two gateways on one server.
fn one_of_fifty_has_the_token(local: &Local) -> Result {
    let nodes = Nodes::start(local, "postgres-race", database!())?;
    race_over(&nodes.families, &nodes.devs.each_ref())
}

/// C11, with the database as the one that dies: what was answered holds, and nothing is half done.
fn server_that_is_killed_loses_nothing(local: &Local) -> Result {
    let own = own_server!();
    let nodes = Nodes::on(local, "postgres-killed", &own.url, "", None)?;
    let families = &nodes.families;
    let mut clients = (0..8).map(|_| Client::of(families)).collect::<Result<Vec<_>>>()?;
    let (mut answered, mut doubts) = (0, 0);
    for _ in 0..3 {
        let (answers, is_over) = (AtomicU32::new(0), AtomicBool::new(false));
        thread::scope(|scope| {
            let workers: Vec<_> = clients
                .iter_mut()
                .zip(nodes.devs.iter().cycle())
                .map(|(client, dev)| scope.spawn(|| refresh_until(dev, client, &answers, &is_over)))
                .collect();
            let deadline = Instant::now() + PATIENCE;
            while answers.load(Ordering::Relaxed) < 50 && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(1));
            }
            own.tell("crash");
            is_over.store(true, Ordering::Relaxed);
            let ended = workers.into_iter().map(|worker| worker.join().expect("a client does not panic"));
            ended.collect::<Result<Vec<()>>>()
        })?;
        own.tell("start");
        answered += answers.into_inner();
        ensure(answered > 0, || "nobody was answered".into())?;
        for (client, dev) in clients.iter_mut().zip(nodes.devs.iter().cycle()) {
            check(families, client)?;
            if client.in_doubt {
                doubts += 1;
                settle(families, dev, client)?;
            }
        }
    }
    for (client, dev) in clients.iter_mut().zip(nodes.devs.iter().cycle()) {
        let (status, body) = client.refresh(&mut Asker::connect(dev)?)?;
        ensure(status == 200, || format!("a client whose answer came is refused: {status} {body}"))?;
    }
    say(&format!("{answered} refreshes were answered in 3 lives of the server; {doubts} were in doubt"));
    Ok(Completion::Completed)
}

/// Refreshes until the server is gone: then there is one answer, and the gateway gives it.
fn refresh_until(dev: &Dev, client: &mut Client, answers: &AtomicU32, is_over: &AtomicBool) -> Result<()> {
    let mut asker = Asker::connect(dev)?;
    while !is_over.load(Ordering::Relaxed) {
        match client.refresh(&mut asker)? {
            (200, _) => answers.fetch_add(1, Ordering::Relaxed),
            (503, body) if text_of(&body, "error") == "temporarily_unavailable" => return Ok(()),
            (status, body) => return Err(format!("a live token is answered {status} {body}").into()),
        };
    }
    Ok(())
}

fn gateway_without_its_server(local: &Local) -> Result {
    if installed("curl").is_none() {
        return Ok(skipped("curl is not installed"));
    }
    let own = own_server!();
    own.query("CREATE ROLE cautious LOGIN PASSWORD 'correct-horse'");
    own.query("CREATE DATABASE guarded OWNER cautious");
    let url = own.url.replace("irgw@", "cautious:correct-horse@").replace("/postgres", "/guarded");
    let nodes = Nodes::on(local, "postgres-away", &url, "max_staleness_seconds = 1\n", None)?;
    let [one, _] = &nodes.devs;
    let jwt = token(provider(one, 0)?)?;
    let asked = || Ok(ask(one, "/gateway/account/1", &jwt, &[])?.0);
    ensure(asked()? == "200", || "the gateway does not work".into())?;
    let refresh = nodes.families.begin()?;

    own.tell("stop");
    let mut asker = Asker::connect(one)?;
    let (status, body) = asker.refresh(&refresh)?;
    let expected = status == 503 && text_of(&body, "error") == "temporarily_unavailable";
    ensure(expected && !body.to_string().contains("postgres"), || format!("{status} {body}"))?;
    // A registry that cannot be confirmed is good for as long as the configuration says.
    eventually(PATIENCE, asked, |status| status == "503")?;
    for command in [&["provider", "list"][..], &["serve"]] {
        let ran = irgw(&[command, &["--config", text(&nodes.config)]].concat())?;
        let is_told = ran.code == Some(2) && ran.err.contains("the database server cannot be reached");
        ensure(is_told && ran.err.trim_end().lines().count() == 1, || format!("{command:?}: {}", ran.err))?;
        ensure(!ran.err.contains("correct-horse"), || ran.err.clone())?;
    }

    own.tell("start");
    eventually(PATIENCE, asked, |status| status == "200")?;
    let (status, body): (u16, Value) = asker.refresh(&refresh)?;
    ensure(status == 200, || format!("the token that was refused by nobody: {status} {body}"))?;
    // C29: the password is in no log.
    for file in std::fs::read_dir(local.folder())?.flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        if name.starts_with("postgres-away") && name.ends_with(".log") {
            let log = std::fs::read_to_string(file.path())?;
            ensure(!log.contains("correct-horse"), || format!("{name} holds the password"))?;
        }
    }
    Ok(Completion::Completed)
}
