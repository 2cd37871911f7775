//! Tries cases against a target.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use irgw_core::{Channel, Environment, Rule};
use serde_json::Value;

use crate::audit::AuditLog;
use crate::case::{Case, Given, Row};
use crate::certificate::{CertificateRecipe, ClientIdentity, thumbprints};
use crate::dev::Dev;
use crate::exchange::{Endpoint, Session};
use crate::local::Overlay;
use crate::prelude::Logins;
use crate::report::{CaseResult, Outcome, Report};
use crate::requirements::Skips;
use crate::template::Values;
use crate::transfer::{self, Demo};
use crate::{Error, Local, judge, records, told, words};

/// How long the gateway may take to write an audit record; it writes in batches of 100 ms.
const AUDIT_PATIENCE: Duration = Duration::from_secs(3);
/// How long to look for a record that must not come.
const AUDIT_MOMENT: Duration = Duration::from_millis(300);

/// What the cases are tried against.
#[derive(Debug)]
pub struct Target {
    dev: Dev,
    place: Arc<Place>,
    local: Option<Arc<Local>>,
    /// The demo provider, where its folders are here; made when first asked for.
    demo: OnceLock<Result<Demo, String>>,
}

/// One running gateway: its listeners and its audit log.
#[derive(Debug)]
pub(crate) struct Place {
    cloud: Endpoint,
    desktop: Endpoint,
    audit: AuditLog,
    /// Where its clock stands, in seconds since the Unix epoch.
    now: Option<u64>,
    /// The cookies of the customers who have logged in here.
    pub(crate) logins: Logins,
}

impl Place {
    pub(crate) fn of(dev: &Dev, now: Option<u64>) -> Result<Place, Error> {
        Ok(Place {
            now,
            logins: Logins::default(),
            cloud: Endpoint::of(&dev.listeners.cloud)?,
            desktop: Endpoint::of(&dev.listeners.desktop)?,
            audit: AuditLog::follow(&dev.audit_log),
        })
    }

    fn endpoint(&self, given: &Given) -> &Endpoint {
        match given.channel() {
            Channel::Desktop => &self.desktop,
            Channel::Cloud | Channel::Files => &self.cloud,
        }
    }

    /// Its listener with one-way TLS.
    pub(crate) fn desktop(&self) -> &Endpoint {
        &self.desktop
    }

    /// The time here, in seconds since the Unix epoch.
    pub(crate) fn time(&self) -> Result<u64, Error> {
        self.now.map_or_else(seconds_now, Ok)
    }
}

impl Target {
    /// A gateway that somebody else runs. `url` takes the place of the cloud listener's address, and its host that of the
    /// others.
    ///
    /// # Errors
    /// When `identity`, its `dev.json`, cannot be used, or the audit log that it names is not there.
    pub fn remote(identity: &Path, url: Option<&str>) -> Result<Target, Error> {
        let mut dev = Dev::read(identity)?;
        if !dev.audit_log.is_file() {
            let log = dev.audit_log.display();
            let problem = format!("audit_log is {log}, which is not here; no case can be judged without it");
            return Err(Error::content(identity, problem));
        }
        if let Some(url) = url {
            let old = host(&dev.listeners.cloud.base_url).to_owned();
            let new = host(url).to_owned();
            dev.listeners.desktop.base_url = dev.listeners.desktop.base_url.replacen(&old, &new, 1);
            dev.listeners.cloud.base_url = url.trim_end_matches('/').to_owned();
        }
        let place = Arc::new(Place::of(&dev, None)?);
        Ok(Target { dev, place, local: None, demo: OnceLock::new() })
    }

    /// A gateway of the runner's own, which it can start again in other configurations.
    ///
    /// # Errors
    /// When what it wrote about itself cannot be used.
    pub fn local(local: Arc<Local>) -> Result<Target, Error> {
        let dev = local.dev().clone();
        let place = Arc::new(Place::of(&dev, None)?);
        Ok(Target { dev, place, local: Some(local), demo: OnceLock::new() })
    }

    /// A gateway that [`Local::serve`] started, and that says this of itself.
    ///
    /// # Errors
    /// When what it says cannot be used.
    pub fn served(dev: Dev) -> Result<Target, Error> {
        let place = Arc::new(Place::of(&dev, None)?);
        Ok(Target { dev, place, local: None, demo: OnceLock::new() })
    }

    /// Lets a client and a customer do what `given.oauth` says, and fills in a template with what came of it.
    ///
    /// # Errors
    /// When something went otherwise.
    pub fn after(&self, given: &Given, template: &str) -> Result<String, Error> {
        prepare(self, &self.place, given, "after", &BTreeMap::new())?.values.text(template)
    }

    /// Whether somebody listens on the cloud channel, whose certificate `dev.json`'s authority issued. A gateway that refuses
    /// the handshake is there: why it does is for the cases.
    ///
    /// # Errors
    /// What keeps every case from being tried.
    pub fn probe(&self) -> Result<(), Error> {
        self.place.cloud.probe()
    }

    /// Whose rules hold.
    pub fn environment(&self) -> Environment {
        self.dev.environment
    }

    /// What the target says of itself.
    pub fn dev(&self) -> &Dev {
        &self.dev
    }

    /// Opens a connection that stays open, for requests between which something changes.
    ///
    /// # Errors
    /// When a recipe cannot be followed, or the handshake is refused.
    pub fn open(&self, given: &Given) -> Result<Session, Error> {
        let endpoint = self.place.endpoint(given);
        let prepared = prepare(self, &self.place, given, "session", &BTreeMap::new())?;
        endpoint.open(given, prepared.identity.as_ref(), prepared.authorization.as_deref(), &prepared.values)
    }

    /// Sends one request over so many connections at once; the status and body of each answer.
    ///
    /// # Errors
    /// When a recipe cannot be followed, or a connection ends before its answer.
    pub fn race(&self, given: &Given, connections: usize) -> Result<Vec<(u16, String)>, Error> {
        let endpoint = self.place.endpoint(given);
        let with = prepare(self, &self.place, given, "race", &BTreeMap::new())?;
        let authorization = with.authorization.as_deref();
        let open = |_| endpoint.open(given, with.identity.as_ref(), authorization, &with.values);
        let sessions = (0..connections).map(open).collect::<Result<Vec<_>, _>>()?;
        let crashed = |_| Err(Error::Target("a thread of the runner has panicked".into()));
        std::thread::scope(|scope| {
            let asking = sessions.into_iter().map(|mut session| scope.spawn(move || session.ask()));
            let asking: Vec<_> = asking.collect();
            asking.into_iter().map(|asked| asked.join().unwrap_or_else(crashed)).collect()
        })
    }

    /// The gateway in a configuration.
    fn place(&self, configuration: Option<&str>) -> Result<Arc<Place>, Error> {
        match (configuration, &self.local) {
            (Some(name), Some(local)) => local.place(name),
            _ => Ok(self.place.clone()),
        }
    }

    /// The demo provider.
    fn demo(&self) -> Result<&Demo, Error> {
        let demo = self
            .demo
            .get_or_init(|| Demo::of(&self.dev, self.local.as_ref()).map_err(|error| causes(&error)));
        demo.as_ref().map_err(|error| Error::Target(format!("the demo provider cannot be used: {error}")))
    }

    /// What a case needs and the runner cannot make here.
    fn lacks(&self, case: &Case) -> Result<Option<&'static str>, Error> {
        let given = &case.text.given;
        let configuration = case.text.configuration.as_deref().map(Overlay::read).transpose()?;
        let clock_stands = configuration.as_ref().is_some_and(|overlay| overlay.clock_stands);
        let has_clock = self.local.as_ref().is_some_and(|local| local.program().has_a_clock_to_set());
        let revoked =
            matches!(&case.text.given.certificate, CertificateRecipe::Issued(changes) if changes.revoked);
        let past = case.text.given.oauth.as_ref().is_some_and(|oauth| oauth.seconds_ago > 0);
        let has_list = self.dev.client_ca.crl.as_ref().is_some_and(|path| path.is_file());
        let lacking = [
            ((clock_stands || past) && !has_clock, "needs a clock that stands"),
            (configuration.is_some() && self.local.is_none(), "needs a configuration of its own"),
            (revoked && !has_list, "needs the client CA's revocation list"),
            (given.is_a_transfer() && transfer::server(&self.dev).is_err(), "needs a demo provider"),
            (
                given.needs_the_gateways_folders() && self.local.is_none(),
                "needs the gateway's keys and folders",
            ),
            (
                given.is_a_fetch() && !transfer::is_fetched_here(&self.dev),
                "needs the folder of what was fetched",
            ),
        ];
        Ok(lacking.into_iter().find(|(lacks, _)| *lacks).map(|(_, what)| what))
    }
}

fn host(url: &str) -> &str {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = authority.split('/').next().unwrap_or_default();
    authority.rsplit_once(':').map_or(authority, |(host, _)| host)
}

/// Which cases are tried.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// A rule id, or a part of a case's name; *default* all.
    pub only: Option<String>,
}

impl Selection {
    fn takes(&self, case: &Case) -> bool {
        match &self.only {
            None => true,
            Some(only) => match only.parse::<Rule>() {
                Ok(rule) => case.text.rule == rule,
                Err(_) => case.name.contains(only.as_str()),
            },
        }
    }
}

/// Tries the cases, a few at once, and reports.
///
/// Beside what a case expects, this holds for every one: exactly one audit record for every answer and every refused
/// handshake, with the decision and the rule, the time, the channel, the peer and the duration, and without the token; the
/// answer's `X-Gateway-Reason` names the rule in `mock` and `test`, and is never there in `prod` (ERR-1); no backing service
/// is asked before a refusal.
pub fn run(target: &Target, cases: &[Case], skips: &Skips, selection: &Selection) -> Report {
    let waiting: Vec<&Case> = cases.iter().filter(|case| selection.takes(case)).collect();
    let waiting = Mutex::new(waiting.into_iter());
    let results = Mutex::new(Vec::new());
    let next = || waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner).next();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while let Some(case) = next() {
                    let result = attempt(target, case, skips);
                    results.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(result);
                }
            });
        }
    });
    let results = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    Report::new(target.place.cloud.authority.clone(), target.environment(), results)
}

/// Tries one case.
pub fn attempt(target: &Target, case: &Case, skips: &Skips) -> CaseResult {
    let outcome = if let Some(reason) = skips.reason(&case.name) {
        Outcome::Skipped { reason: reason.to_owned() }
    } else if !case.text.environments.contains(&target.environment()) {
        Outcome::OtherEnvironment
    } else {
        here(target, case).unwrap_or_else(|error| failed(&error))
    };
    CaseResult {
        name: case.name.clone(),
        rule: case.text.rule,
        title: case.text.title.clone(),
        attacks: case.text.attacks.clone(),
        tried: words::tried(case),
        expected: words::expected(case),
        outcome,
    }
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
            Ok((came, wrong)) if wrong.is_empty() => return Ok(Outcome::Passed { came }),
            Ok((came, wrong)) => Outcome::Failed { came, wrong },
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
) -> Result<(String, Vec<String>), Error> {
    let given = &case.text.given;
    let endpoint = place.endpoint(given);
    let since = place.audit.now();
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
    Ok((words::came_back(&came), wrong))
}

/// What a connection is made with.
struct Prepared {
    values: Values,
    identity: Option<ClientIdentity>,
    authorization: Option<String>,
    /// What no audit record may hold.
    secrets: Vec<String>,
}

fn prepare(
    target: &Target,
    place: &Place,
    given: &Given,
    name: &str,
    rows: &BTreeMap<String, Row>,
) -> Result<Prepared, Error> {
    let mut values = values(target, place, given, name)?;
    let mut made = Vec::new();
    if let Some(oauth) = &given.oauth {
        let now = place.time()?;
        let past = match (oauth.seconds_ago, &target.local) {
            (0, _) | (_, None) => None,
            (seconds, Some(local)) => Some(local.before(now, seconds)?),
        };
        made = oauth.perform(&target.dev, past.as_deref().unwrap_or(place), now, &mut values)?;
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
    // A case that says itself where the token goes has no other field of it.
    let own_field = given.request.headers.iter().any(|line| line.contains("${token}"));
    let mut secrets = secrets(given, token.as_deref(), &values)?;
    secrets.extend(made);
    Ok(Prepared { values, identity, authorization: token.filter(|_| !own_field), secrets })
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
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `dev.json` of a gateway elsewhere, in a folder of its own.
    fn identity(name: &str) -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!("irgw-tests-remote-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let listener =
            serde_json::json!({ "base_url": "https://127.0.0.1:4046", "ca_file": folder.join("ca.pem") });
        let dev = serde_json::json!({
            "environment": "test",
            "audit_log": folder.join("audit.log"),
            "listeners": { "cloud": listener, "desktop": listener },
            "client_ca": { "certificate": "ca.pem", "key": "ca.key", "crl": folder.join("ca.crl") },
            "providers": [],
        });
        std::fs::write(folder.join("dev.json"), dev.to_string()).unwrap();
        std::fs::write(folder.join("ca.pem"), "").unwrap();
        folder
    }

    #[test]
    fn target_without_its_audit_log_is_refused_at_once() {
        let folder = identity("without-log");
        let error = Target::remote(&folder.join("dev.json"), None).unwrap_err();
        assert!(error.to_string().contains("audit_log"), "{error}");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_a_target_elsewhere_lacks_is_said() {
        let folder = identity("lacking");
        std::fs::write(folder.join("audit.log"), "").unwrap();
        let target = Target::remote(&folder.join("dev.json"), None).unwrap();
        for (what, reason) in [
            ("configuration = \"clock-stands\"", Some("needs a clock that stands")),
            ("configuration = \"throttled\"", Some("needs a configuration of its own")),
            ("[given.certificate]\nrevoked = true", Some("needs the client CA's revocation list")),
            ("[given.ssh]", Some("needs a demo provider")),
            ("", None),
        ] {
            assert_eq!(lacks(&target, what), reason, "{what}");
        }
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_a_target_shows_of_its_transfers_is_enough_for_what_it_fetches() {
        let folder = identity("fetching");
        std::fs::write(folder.join("audit.log"), "").unwrap();
        let mut target = Target::remote(&folder.join("dev.json"), None).unwrap();
        let path = |name: &str| folder.join(name);
        std::fs::create_dir(path("outbox")).unwrap();
        let sftp = serde_json::json!({
            "host": "127.0.0.1", "port": 22, "user": "ird", "host_key": path("host.pub"), "client_key": path("key"),
            "inbox": path("inbox"), "outbox": path("outbox"), "released": path("tds/released"), "received": path("received"),
            "platform": "1500131086", "environment": "NZT",
        });
        let provider = serde_json::json!({ "id": "a", "common_name": "a", "certificate": "a", "key": "a", "sftp": sftp });
        target.dev.providers = vec![serde_json::from_value(provider).unwrap()];
        for (what, reason) in [
            ("[given.set]", Some("needs the gateway's keys and folders")),
            ("[given.set]\nby = \"submit\"", Some("needs the gateway's keys and folders")),
            (
                "[given.file_server]\n[given.set]\nby = \"outbox\"",
                Some("needs the gateway's keys and folders"),
            ),
            ("[given.key_folder]", Some("needs the gateway's keys and folders")),
            (
                "[given.set]\nby = \"outbox\"\nmessage = { signed_by = [\"gateway\"] }",
                Some("needs the gateway's keys and folders"),
            ),
            ("[given.set]\nby = \"outbox\"", None),
        ] {
            assert_eq!(lacks(&target, what), reason, "{what}");
        }
        std::fs::remove_dir(path("outbox")).unwrap();
        let reason = Some("needs the folder of what was fetched");
        assert_eq!(lacks(&target, "[given.set]\nby = \"outbox\""), reason);
        std::fs::remove_dir_all(folder).unwrap();
    }

    fn lacks(target: &Target, given: &str) -> Option<&'static str> {
        let text = format!("rule = \"TLS-9\"\ntitle = \"A case\"\n{given}\n[expect]\nstatus = 200");
        let case = Case { name: "a/case".into(), text: toml::from_str(&text).unwrap() };
        target.lacks(&case).unwrap()
    }
}
