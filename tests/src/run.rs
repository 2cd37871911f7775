//! Tries cases against a target.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use irgw_core::{Channel, Rule};
use serde_json::Value;

use crate::browser::ask;
use crate::case::{Case, Given, Request, Row};
use crate::certificate::{ClientIdentity, thumbprints};
use crate::key::fill;
use crate::report::{CaseResult, Outcome, Report};
use crate::requirements::Skips;
use crate::target::{AUDIT_PATIENCE, Place, Target};
use crate::template::{Values, to_hex};
use crate::{Error, judge, records, told, transfer, words};

/// How long a gateway may take to learn of another's keys.
const KEYS_PATIENCE: Duration = Duration::from_secs(5);
/// How long to look for a record that must not come.
const AUDIT_MOMENT: Duration = Duration::from_millis(300);

/// Which cases are tried.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// A rule id, or a part of a case's name; *default* all.
    pub only: Option<String>,
    /// Is told after every case how many are done, and of how many.
    pub progress: Option<fn(usize, usize)>,
}

impl Selection {
    /// Those of the rule, the one of the name, or those in whose names it is.
    fn of<'a>(&self, cases: &'a [Case]) -> Vec<&'a Case> {
        let Some(only) = &self.only else { return cases.iter().collect() };
        let fits = |is: &dyn Fn(&Case) -> bool| cases.iter().filter(|case| is(case)).collect::<Vec<_>>();
        if let Ok(rule) = only.parse::<Rule>() {
            return fits(&|case| case.text.rule == rule);
        }
        let exact = fits(&|case| case.name == *only);
        if exact.is_empty() { fits(&|case| case.name.contains(only.as_str())) } else { exact }
    }
}

/// Tries the cases, a few at once, and reports.
///
/// Beside what a case expects, this holds for every one: exactly one audit record for every answer and every refused
/// handshake, with the decision and the rule, the time, the channel, the peer and the duration, and without the token; the
/// answer's `X-Gateway-Reason` names the rule in `mock` and `test`, and is never there in `prod` (ERR-1); no backing service
/// is asked before a refusal.
pub fn run(target: &Target, cases: &[Case], skips: &Skips, selection: &Selection) -> Report {
    let waiting = selection.of(cases);
    if waiting.iter().any(|case| case.text.given.oauth.is_some()) {
        target.let_customers_in();
    }
    let count = waiting.len();
    let waiting = Mutex::new(waiting.into_iter());
    let results = Mutex::new(Vec::new());
    let next = || waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner).next();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while let Some(case) = next() {
                    let result = attempt(target, case, skips);
                    let mut results = results.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    results.push(result);
                    if let Some(progress) = selection.progress {
                        progress(results.len(), count);
                    }
                }
            });
        }
    });
    let results = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let place = &target.place;
    Report::new(place.cloud.authority.clone(), target.environment(), place.backing.is_watched(), results)
}

/// Tries one case.
pub fn attempt(target: &Target, case: &Case, skips: &Skips) -> CaseResult {
    let began = Instant::now();
    let outcome = if let Some(reason) = skips.reason(&case.name) {
        Outcome::Skipped { reason: reason.to_owned() }
    } else if !case.text.environments.contains(&target.environment()) {
        Outcome::OtherEnvironment
    } else {
        here(target, case).unwrap_or_else(|error| failed(&error))
    };
    CaseResult::new(&target.dev, case, outcome, began.elapsed())
}

fn here(target: &Target, case: &Case) -> Result<Outcome, Error> {
    if let Some(reason) = target.lacks(case)? {
        return Ok(Outcome::NotRunnableRemotely { reason: reason.into() });
    }
    let place = target.place(case.text.configuration.as_deref())?;
    let given = &case.text.given;
    if !given.is_a_transfer() {
        return within(target, &place, case);
    }
    let mut values = values(target, &place, given, &case.name)?;
    match &given.ssh {
        Some(recipe) => transfer::connect(target.dev(), case, recipe, &mut values),
        None => transfer::transfer(target.demo()?, case, &mut values),
    }
}

fn failed(error: &Error) -> Outcome {
    Outcome::Failed { came: "nothing".into(), wrong: vec![causes(error)] }
}

/// Tries until it comes out as expected, or the case's time is over.
fn within(target: &Target, place: &Place, case: &Case) -> Result<Outcome, Error> {
    let since = place.audit.now();
    let prepared = prepare(target, place, &case.text.given, &case.name, &case.text.rows)?;
    let deadline = Instant::now() + Duration::from_secs(case.text.expect.within_seconds);
    loop {
        let outcome = match once(target, place, case, &prepared, since) {
            Ok(passed @ Outcome::Passed { .. }) => return Ok(passed),
            Ok(other) => other,
            Err(error) => failed(&error),
        };
        if Instant::now() >= deadline {
            return Ok(outcome);
        }
        // The gateway looks at its files now and then; there is nothing to wake us.
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn once(
    target: &Target,
    place: &Place,
    case: &Case,
    with: &Prepared,
    before: usize,
) -> Result<Outcome, Error> {
    let given = &case.text.given;
    let endpoint = place.endpoint(given);
    let since = place.audit.now();
    let seen_since = place.backing.now();
    let came =
        endpoint.exchange(given, with.identity.as_ref(), with.authorization.as_deref(), &with.values)?;
    let local = came.local.to_string();
    let ids: Vec<&str> = came.answers.iter().filter_map(|answer| answer.header("x-request-id")).collect();
    // By the ids that the answers have, or by the connection's own address: a refused handshake has no id, and behind an
    // address translation there is no such address. Behind a PROXY header the peer is whom it names, and the balancer is
    // who connected. A connection to another listener may have the same address at its near end.
    let channel = given.channel().name();
    let ours = |record: &Value| {
        let text = |name: &str| record.get(name).and_then(Value::as_str);
        let by_address = [text("peer"), text("balancer")].contains(&Some(local.as_str()));
        by_address && text("channel") == Some(channel)
            || text("request_id").is_some_and(|id| ids.contains(&id))
    };
    let records = match records::expected(case, &came) {
        0 => place.audit.find(since, ours, 1, AUDIT_MOMENT),
        count => place.audit.find(since, ours, count, AUDIT_PATIENCE),
    };
    let secrets = [with.secrets.clone(), told::secrets(&came.answers)].concat();
    let mut wrong = judge::compare(case, target.environment(), &came, &records, &with.values, &secrets)?;
    // What was made before is looked for in whatever was written since.
    let holds = |record: &Value| secrets.iter().any(|secret| record.to_string().contains(secret));
    if given.oauth.is_some() && !place.audit.find(before, holds, 1, Duration::ZERO).is_empty() {
        wrong.push("an audit record holds a token, a code or a password (G01)".into());
    }
    let seen = place.backing.reached(seen_since, case, &came, &records, &with.mark);
    let came = words::came_back(&came);
    Ok(match (seen.is_empty(), wrong.is_empty()) {
        (false, _) => Outcome::Reached { came, seen, wrong },
        (true, false) => Outcome::Failed { came, wrong },
        (true, true) => Outcome::Passed { came },
    })
}

/// Waits, [`KEYS_PATIENCE`] at most, until a gateway has the keys of access tokens that another one of the same store has made: it
/// looks five times a second.
fn learn_keys(place: &Place, other: &Place) -> Result<(), Error> {
    let (theirs, deadline) = (published_keys(other)?, Instant::now() + KEYS_PATIENCE);
    while !theirs.is_subset(&published_keys(place)?) && Instant::now() < deadline {
        // There is nothing to wake us.
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// The ids of the keys that a gateway's access tokens are checked by.
fn published_keys(place: &Place) -> Result<BTreeSet<String>, Error> {
    let request = Request { path: "/gateway3/oauth/jwks".into(), ..Request::default() };
    let answer = ask(place.desktop(), request)?;
    let set: Value = serde_json::from_slice(&answer.body).map_err(Error::recipe)?;
    let keys = set.get("keys").and_then(Value::as_array).into_iter().flatten();
    Ok(keys.map(|key| judge::text(key, "kid").to_owned()).collect())
}

/// What a connection is made with.
pub(crate) struct Prepared {
    /// A text that no other request has in its User-Agent.
    mark: String,
    pub(crate) values: Values,
    pub(crate) identity: Option<ClientIdentity>,
    pub(crate) authorization: Option<String>,
    /// What no audit record may hold.
    secrets: Vec<String>,
}

pub(crate) fn prepare(
    target: &Target,
    place: &Place,
    given: &Given,
    name: &str,
    rows: &BTreeMap<String, Row>,
) -> Result<Prepared, Error> {
    let mut values = values(target, place, given, name)?;
    let mark = mark();
    values.set("case", format_args!("{name} {mark}"));
    let mut made = Vec::new();
    if let Some(oauth) = &given.oauth {
        let now = place.time()?;
        let past = match (oauth.seconds_ago, &target.local) {
            (0, _) | (_, None) => None,
            (seconds, Some(local)) => Some(local.before(now, seconds)?),
        };
        made = oauth.perform(&target.dev, past.as_deref().unwrap_or(place), now, &mut values)?;
        if let Some(past) = past {
            learn_keys(place, &past)?;
        }
    }
    fill_in_row(rows, &mut values)?;
    let identity = match given.channel() {
        Channel::Desktop => None,
        Channel::Cloud | Channel::Files => given.certificate.make(&target.dev, &values)?,
    };
    if let Some(certificate) = identity.as_ref().and_then(|identity| identity.chain.first()) {
        values.set("client_thumbprint", thumbprints(certificate).0);
    }
    let token = given.token.as_ref().map(|token| token.make(&target.dev, &mut values)).transpose()?;
    if let Some(folder) = &target.save {
        save(folder, identity.as_ref(), token.as_deref())?;
    }
    // A case that says itself where the token goes has no other field of it.
    let own_field = given.request.headers.iter().any(|line| line.contains("${token}"));
    let mut secrets = secrets(given, token.as_deref(), &values)?;
    secrets.extend(made);
    Ok(Prepared { mark, values, identity, authorization: token.filter(|_| !own_field), secrets })
}

/// Writes what was made: the certificate, its key, the token.
fn save(folder: &Path, identity: Option<&ClientIdentity>, token: Option<&str>) -> Result<(), Error> {
    let certificates =
        identity.map(|identity| identity.chain.iter().map(|der| pem("CERTIFICATE", der)).collect());
    let key = identity.and_then(|identity| identity.key.pkcs8()).map(|der| pem("PRIVATE KEY", &der));
    let made = [("client.crt", certificates), ("client.key", key), ("token", token.map(str::to_owned))];
    for (name, text) in made {
        if let Some(text) = text {
            let path = folder.join(name);
            crate::local::write_private(&path, &text)?;
        }
    }
    Ok(())
}

/// A text of RFC 7468.
fn pem(label: &str, der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let lines: Vec<_> = base64.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// Names the texts of the case's row.
pub(crate) fn fill_in_row(rows: &BTreeMap<String, Row>, values: &mut Values) -> Result<(), Error> {
    for (name, text) in rows.values().flat_map(Row::texts) {
        let text = values.text(text)?;
        values.set(name, text);
    }
    Ok(())
}

/// The credentials that the case presents. Such as could stand in a record by chance are too short to be one.
fn secrets(given: &Given, token: Option<&str>, values: &Values) -> Result<Vec<String>, Error> {
    let fields = given.request.headers.iter().filter_map(|line| line.split_once(':'));
    let fields = fields.filter(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    let mut templates: Vec<&str> = fields.map(|(_, value)| value.trim()).collect();
    if token.is_some() {
        templates.extend(["${token}", "${signature}"]);
    }
    let texts = templates.into_iter().map(|template| values.text(template));
    let mut secrets = texts.collect::<Result<Vec<_>, _>>()?;
    secrets.extend(token.map(str::to_owned));
    secrets.retain(|secret| secret.len() >= 16);
    Ok(secrets)
}

fn mark() -> String {
    let mut bytes = [0; 8];
    fill(&mut bytes);
    to_hex(&bytes)
}

/// Seconds since the Unix epoch.
pub(crate) fn seconds_now() -> Result<u64, Error> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH).map_err(Error::recipe)?.as_secs())
}

fn values(target: &Target, place: &Place, given: &Given, name: &str) -> Result<Values, Error> {
    let endpoint = place.endpoint(given);
    let now = place.time()?;
    let mut values = Values::default();
    values.set("now", now);
    values.set("case", name);
    values.set("authority", &endpoint.authority);
    values.set("host", &endpoint.host);
    if let [first, rest @ ..] = target.dev.providers.as_slice() {
        values.set("cn", &first.common_name);
        values.set("provider", &first.id);
        if let Some(other) = rest.first() {
            values.set("other_cn", &other.common_name);
            values.set("other_provider", &other.id);
            if let Some(signing) = other.signing.first() {
                values.set("other_thumbprint", &signing.thumbprint);
                values.set("other_issuer", &signing.issuer);
                values.set("other_owner", &signing.resource_owner);
                values.set("other_logon", signing.logons.first().cloned().unwrap_or_default());
            }
        }
    }
    Ok(values)
}

/// An error and what it rests on.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
