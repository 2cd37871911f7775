//! What cases and trials are tried against: one running gateway, known by its `dev.json`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use irgw_core::{Channel, Environment};

use crate::audit::AuditLog;
use crate::backing::{Backing, is_whole, told};
use crate::case::{Case, Given, Request};
use crate::certificate::CertificateRecipe;
use crate::dev::Dev;
use crate::exchange::{Endpoint, Session, Stream};
use crate::judge::text;
use crate::local::Overlay;
use crate::oauth::{Done, OAuthRecipe, Step};
use crate::prelude::Logins;
use crate::run::{causes, prepare, seconds_now};
use crate::template::Values;
use crate::transfer::{self, Demo};
use crate::{Error, Local, expiry};

/// How long the gateway may take to write an audit record; it writes in batches of 100 ms.
pub(crate) const AUDIT_PATIENCE: Duration = Duration::from_secs(3);
/// Longer than anybody is slowed down (OA-18).
const FORGIVENESS: Duration = Duration::from_secs(75);

/// What the cases are tried against.
#[derive(Debug)]
pub struct Target {
    pub(crate) dev: Dev,
    pub(crate) place: Arc<Place>,
    pub(crate) local: Option<Arc<Local>>,
    /// Where what is made for the cases is kept.
    pub(crate) save: Option<PathBuf>,
    /// The customers whose logins are slowed down since before the run.
    slowed: OnceLock<BTreeSet<usize>>,
    /// The folder of one that somebody else runs, where it is here.
    folder: Option<Arc<Local>>,
    /// The demo provider, where its folders are here; made when first asked for.
    demo: OnceLock<Result<Demo, String>>,
}

/// One running gateway: its listeners and its audit log.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) cloud: Endpoint,
    desktop: Endpoint,
    pub(crate) audit: AuditLog,
    pub(crate) backing: Backing,
    /// Where its clock stands, in seconds since the Unix epoch.
    now: Option<u64>,
    /// The cookies of the customers who have logged in here.
    pub(crate) logins: Logins,
}

/// Places in the logs to look from.
#[derive(Debug)]
pub(crate) struct Watch {
    audit: usize,
    backing: usize,
}

impl Place {
    pub(crate) fn of(dev: &Dev, now: Option<u64>) -> Result<Place, Error> {
        Ok(Place {
            now,
            logins: Logins::default(),
            cloud: Endpoint::of(&dev.listeners.cloud)?,
            desktop: Endpoint::of(&dev.listeners.desktop)?,
            audit: AuditLog::follow(&dev.audit_log),
            backing: Backing::follow(dev),
        })
    }

    pub(crate) fn endpoint(&self, given: &Given) -> &Endpoint {
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
        let folder = Local::beside(&dev).map(Arc::new);
        Ok(Target {
            dev,
            place,
            local: None,
            folder,
            save: None,
            slowed: OnceLock::new(),
            demo: OnceLock::new(),
        })
    }

    /// A gateway of the runner's own, which it can start again in other configurations.
    ///
    /// # Errors
    /// When what it wrote about itself cannot be used.
    pub fn local(local: Arc<Local>) -> Result<Target, Error> {
        let dev = local.dev().clone();
        let place = Arc::new(Place::of(&dev, None)?);
        Ok(Target {
            dev,
            place,
            local: Some(local),
            folder: None,
            save: None,
            slowed: OnceLock::new(),
            demo: OnceLock::new(),
        })
    }

    /// A gateway that [`Local::serve`] started, and that says this of itself.
    ///
    /// # Errors
    /// When what it says cannot be used.
    pub fn served(dev: Dev) -> Result<Target, Error> {
        let place = Arc::new(Place::of(&dev, None)?);
        Ok(Target {
            dev,
            place,
            local: None,
            folder: None,
            save: None,
            slowed: OnceLock::new(),
            demo: OnceLock::new(),
        })
    }

    /// Lets a client and a customer do what `given.oauth` says, and fills in a template with what came of it.
    ///
    /// # Errors
    /// When something went otherwise.
    pub fn after(&self, given: &Given, template: &str) -> Result<String, Error> {
        prepare(self, &self.place, given, "after", &BTreeMap::new())?.values.text(template)
    }

    /// Whether the identities are in date, and somebody listens on the cloud channel whose certificate `dev.json`'s authority issued. A gateway that refuses
    /// the handshake is there: why it does is for the cases.
    ///
    /// # Errors
    /// What keeps every case from being tried.
    pub fn probe(&self) -> Result<(), Error> {
        expiry::check(&self.dev, seconds_now()?)?;
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

    /// Keeps what is made for the cases in this folder: `client.crt`, `client.key`, `token`, of the last one.
    #[must_use]
    pub fn saving(self, folder: PathBuf) -> Target {
        Target { save: Some(folder), ..self }
    }

    /// The listener with mutual TLS.
    pub(crate) fn cloud(&self) -> &Endpoint {
        &self.place.cloud
    }

    /// What has reached the backing service.
    pub(crate) fn backing(&self) -> &Backing {
        &self.place.backing
    }

    /// A connection to the cloud channel as `providers[0]`, for bytes as they are, of HTTP/2 or of HTTP/1.1.
    pub(crate) fn stream(&self, h2: bool) -> Result<Stream, Error> {
        let identity = CertificateRecipe::default().make(&self.dev, &Values::default())?;
        self.cloud().stream(identity.as_ref(), h2)
    }

    /// Lets every customer log in at a target that was there before the run: so what failed in an earlier run is forgiven (OA-18), rather
    /// than hides what the target does in this one. That takes a minute when many logins have just failed.
    pub(crate) fn let_customers_in(&self) {
        let customers = if self.local.is_none() { self.dev.customers.len() } else { 0 };
        let deadline = Instant::now() + FORGIVENESS;
        let is_slowed = |customer: &usize| {
            while !self.can_log_in(*customer) {
                if Instant::now() >= deadline {
                    return true;
                }
                // The wait ends by itself; there is nothing to wake us.
                std::thread::sleep(Duration::from_secs(2));
            }
            false
        };
        self.slowed.get_or_init(|| (0..customers).filter(is_slowed).collect());
    }

    fn can_log_in(&self, customer: usize) -> bool {
        let has_second_step =
            self.dev.customers.get(customer).is_some_and(|known| known.totp_secret.is_some());
        // The one-time password of now is left to the cases: each is good once.
        let (steps, path, form) = match has_second_step {
            true => (vec![Done::Page, Done::Password], "code", "code=${totp_before}"),
            false => (vec![Done::Page], "login", "user_id=${user_id|form}&password=${password|form}"),
        };
        let steps = steps.into_iter().map(Step::Done).collect();
        let request = Request {
            path: format!("/gateway3/oauth/{path}"),
            headers: vec!["Cookie: ${cookie}".into()],
            form: Some(format!("transaction=${{transaction}}&{form}")),
            ..Request::default()
        };
        let given = Given {
            oauth: Some(OAuthRecipe { customer, steps, ..OAuthRecipe::default() }),
            request,
            ..Given::default()
        };
        let answer = self.open(&given).and_then(|mut session| session.ask());
        // Otherwise the form comes again.
        let is_form =
            |page: &str| ["password", "code"].iter().any(|name| page.contains(&format!("name=\"{name}\"")));
        answer.is_ok_and(|(status, page)| status < 400 && !is_form(&page))
    }

    /// From here on.
    pub(crate) fn watch(&self) -> Watch {
        Watch { audit: self.place.audit.now(), backing: self.place.backing.now() }
    }

    /// The requests since then that have reached the backing service and that no audit record admits, each in a line.
    pub(crate) fn unadmitted(&self, since: &Watch) -> Vec<String> {
        let deadline = Instant::now() + AUDIT_PATIENCE;
        loop {
            let mut seen = self.place.backing.seen(since.backing, is_whole);
            let records = self.place.audit.find(since.audit, |_| true, 0, Duration::ZERO);
            let admitted = records.iter().filter(|record| text(record, "decision") != "refused");
            let mut admitted: BTreeSet<&str> = admitted.map(|record| text(record, "request_id")).collect();
            // A refused handshake's record has none, and neither has what came past the gateway.
            admitted.remove("");
            seen.retain(|seen| !admitted.contains(text(seen, "request_id")));
            if seen.is_empty() || Instant::now() >= deadline {
                return seen.iter().map(told).collect();
            }
            // The gateway writes in batches; there is nothing to wake us.
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The gateway in a configuration.
    pub(crate) fn place(&self, configuration: Option<&str>) -> Result<Arc<Place>, Error> {
        match (configuration, &self.local) {
            (Some(name), Some(local)) => local.place(name),
            _ => Ok(self.place.clone()),
        }
    }

    /// The demo provider.
    pub(crate) fn demo(&self) -> Result<&Demo, Error> {
        let local = self.local.as_ref().or(self.folder.as_ref());
        let demo = self.demo.get_or_init(|| Demo::of(&self.dev, local).map_err(|error| causes(&error)));
        demo.as_ref().map_err(|error| Error::Target(format!("the demo provider cannot be used: {error}")))
    }

    /// What a case needs and the runner cannot make here.
    pub(crate) fn lacks(&self, case: &Case) -> Result<Option<&'static str>, Error> {
        let given = &case.text.given;
        let configuration = case.text.configuration.as_deref().map(Overlay::read).transpose()?;
        let clock_stands = configuration.as_ref().is_some_and(|overlay| overlay.clock_stands);
        let has_clock = self.local.as_ref().is_some_and(|local| local.program().has_a_clock_to_set());
        let revoked =
            matches!(&case.text.given.certificate, CertificateRecipe::Issued(changes) if changes.revoked);
        let past = case.text.given.oauth.as_ref().is_some_and(|oauth| oauth.seconds_ago > 0);
        let has_list = self.dev.client_ca.crl.as_ref().is_some_and(|path| path.is_file());
        let logs_in =
            given.oauth.as_ref().filter(|oauth| oauth.logs_in() || given.request.path.ends_with("/login"));
        let is_slowed = |customer: &usize| self.slowed.get().is_some_and(|slowed| slowed.contains(customer));
        let lacking = [
            (
                logs_in.is_some_and(|oauth| is_slowed(&oauth.customer)),
                "the customer is slowed down by logins that failed before this run",
            ),
            ((clock_stands || past) && !has_clock, "needs a clock that stands"),
            (configuration.is_some() && self.local.is_none(), "needs a configuration of its own"),
            (revoked && !has_list, "needs the client CA's revocation list"),
            (given.needs_the_command_line() && self.local.is_none(), "needs the gateway's command line"),
            (given.is_a_transfer() && transfer::server(&self.dev).is_err(), "needs a demo provider"),
            (
                given.needs_the_gateways_folders() && self.local.is_none() && self.folder.is_none(),
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

#[cfg(test)]
mod tests {
    use super::*;

    /// `dev.json` of a gateway elsewhere, in a folder of its own.
    fn identity(name: &str) -> PathBuf {
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
            ("[given.set]\nby = \"submit\"", Some("needs the gateway's command line")),
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
            ("[given.set]\nby = \"submit\"", Some("needs the gateway's command line")),
            ("[given.file_server]\n[given.set]\nby = \"outbox\"", Some("needs the gateway's command line")),
            ("[given.key_folder]", Some("needs the gateway's command line")),
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
