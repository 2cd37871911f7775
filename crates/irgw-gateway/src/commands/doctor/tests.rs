//! The doctor beside a development gateway, and with what is wrong.

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use irgw_core::{Clock, Environment, Rule};
use irgw_store::Store;

use super::*;
use crate::SystemClock;
use crate::dev::{Dev, Options, Ports};

#[derive(Debug, Parser)]
struct Irgw {
    #[command(flatten)]
    doctor: DoctorArgs,
}

/// A gateway in a folder of its own, as long as it is held.
struct World {
    folder: tempfile::TempDir,
    dev: Dev,
    _runtime: tokio::runtime::Runtime,
}

impl World {
    fn new(environment: Environment) -> World {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { dir: folder.path().into(), environment, ports: Ports::Auto };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let dev = runtime.block_on(Dev::start(&options, Arc::new(SystemClock))).unwrap();
        World { folder, dev, _runtime: runtime }
    }

    fn pki(&self, name: &str) -> String {
        self.folder.path().join("pki").join(name).display().to_string()
    }

    fn of_dir(&self) -> Told {
        doctor(&["--dir", self.folder.path().to_str().unwrap()], SystemClock.now())
    }

    /// With the certificate of one party and the key of another.
    fn pair(&self, certificate: &str, key: &str, now: UnixTime) -> Told {
        let (certificate, key, root) = (self.pki(certificate), self.pki(key), self.pki("root.crt"));
        doctor(&["--certificate", &certificate, "--key", &key, "--root", &root], now)
    }
}

/// What was printed, and the exit code with the line of error.
struct Told {
    lines: Vec<String>,
    refused: Option<(u8, String)>,
}

impl Told {
    fn bad(&self) -> Vec<&str> {
        self.lines.iter().map(String::as_str).filter(|line| line.starts_with("BAD")).collect()
    }

    /// The one thing that is bad begins and ends so.
    fn one_is_bad(&self, what: &str, rule: Rule, holds: &str) {
        let bad = self.bad();
        let [line] = bad.as_slice() else { panic!("{:#?}", self.lines) };
        assert!(line.starts_with(&format!("BAD   {what:<20} {rule:<6} ")) && line.contains(holds), "{line}");
        let (code, error) = self.refused.as_ref().unwrap();
        assert!(*code == 1 && error.starts_with(&format!("refused by {rule}: 1 of ")), "{error}");
    }
}

fn doctor(words: &[&str], now: UnixTime) -> Told {
    let args = Irgw::try_parse_from([&["doctor"], words].concat()).unwrap().doctor;
    let mut out = Vec::new();
    let refused = run(&args, now, &mut out).err().map(|error| (error.exit_code(), error.to_string()));
    let lines = String::from_utf8(out).unwrap().lines().map(str::to_owned).collect();
    Told { lines, refused }
}

#[test]
fn provider_of_a_development_gateway_is_well_until_it_is_revoked() {
    let world = World::new(Environment::Test);
    let told = world.of_dir();
    assert_eq!((told.bad(), &told.refused), (vec![], &None));
    for what in [
        "client certificate",
        "client key",
        "signing certificate",
        "signing key",
        "OpenPGP certificate",
        "file server",
        "token channel",
        "clock",
        "OAuth metadata",
        "cloud channel",
    ] {
        assert!(told.lines.iter().any(|line| line.starts_with(&format!("good  {what} "))), "{what}");
    }

    let store = Store::open(&world.folder.path().join("irgw.sqlite")).unwrap();
    let provider = world.dev.manifest().providers[0].id.parse().unwrap();
    store.revoke_provider(&provider, SystemClock.now()).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    let told = loop {
        let told = world.of_dir();
        if told.refused.is_some() || Instant::now() > deadline {
            break told;
        }
    };
    told.one_is_bad("cloud channel", Rule::Tls6, "compare the Common Name");
}

#[test]
fn mock_asks_for_no_certificate() {
    let told = World::new(Environment::Mock).of_dir();
    assert!(told.lines.iter().any(|line| line.contains("ENV-4  this is mock")), "{:#?}", told.lines);
}

#[test]
fn files_that_do_not_belong_together_are_found() {
    let world = World::new(Environment::Test);
    let now = SystemClock.now();
    world.pair("kowhai-payroll.crt", "rimu-accounting.key", now).one_is_bad(
        "client key",
        Rule::Tls3,
        "is not the certificate's",
    );
    let (certificate, key) = (world.pki("kowhai-payroll-es256.crt"), world.pki("rimu-accounting-es256.key"));
    doctor(&["--signing-certificate", &certificate, "--signing-key", &key], now).one_is_bad(
        "signing key",
        Rule::M2m4,
        "another certificate's",
    );
    // The public roots are not the development gateway's.
    let (certificate, key) = (world.pki("kowhai-payroll.crt"), world.pki("kowhai-payroll.key"));
    doctor(&["--certificate", &certificate, "--key", &key], now).one_is_bad(
        "client certificate",
        Rule::Tls4,
        "no path leads to an approved root",
    );
}

#[test]
fn what_ends_soon_and_what_others_can_read_is_found() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new(Environment::Test);
    let now = SystemClock.now();
    // The demo's certificates are good for two years.
    let at = |days: u64| UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs() + days * 86_400));
    let (certificate, key) = ("kowhai-payroll.crt", "kowhai-payroll.key");
    assert!(world.pair(certificate, key, at(690)).refused.is_none());
    world.pair(certificate, key, at(710)).one_is_bad("client certificate", Rule::Tls4, "it ends on");
    world.pair(certificate, key, at(740)).one_is_bad("client certificate", Rule::Tls4, "expired at");

    std::fs::set_permissions(world.pki(key), PermissionsExt::from_mode(0o640)).unwrap();
    world.pair(certificate, key, now).one_is_bad("client key", Rule::Tls3, "(mode 0640); run: chmod 600");
}

#[test]
fn servers_that_are_others_or_away_are_found() {
    let world = World::new(Environment::Test);
    let (root, now) = (world.pki("root.crt"), SystemClock.now());
    let issuer = &world.dev.manifest().oauth.issuer;
    doctor(&["--server", issuer], now).one_is_bad("token channel", Rule::Tls1, "UnknownIssuer");
    let other = issuer.replace("localhost", "127.0.0.1");
    doctor(&["--server", &other, "--ca", &root], now).one_is_bad("OAuth metadata", Rule::Oa1, "issuer");
    let away = ["--cloud", "https://localhost:1", "--ca", &root];
    doctor(&away, now).one_is_bad("cloud channel", Rule::Tls1, "look at name, port and firewall");

    let json = doctor(&[&away[..], &["--json"]].concat(), now).lines.join("\n");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json[0]["good"], &json[0]["rule"]), (&false.into(), &"TLS-1".into()));
}

#[test]
fn file_server_with_another_host_key_is_found() {
    let world = World::new(Environment::Test);
    let now = SystemClock.now();
    let sftp = world.dev.manifest().providers[0].sftp.clone().unwrap();
    let address = format!("{}@{}:{}", sftp.user, sftp.host, sftp.port);
    let look = |key: &str| doctor(&["--sftp", &address, "--host-key", key], now);
    assert!(look(sftp.host_key.to_str().unwrap()).refused.is_none());
    // The gateway's own key is one, and not the server's.
    look(&world.pki("gateway-ssh.pub")).one_is_bad(
        "file server",
        Rule::Sftp2,
        "hand over the key that it has",
    );
    let (away, key) = ("ird@localhost:1", sftp.host_key.to_str().unwrap());
    doctor(&["--sftp", away, "--host-key", key], now).one_is_bad("file server", Rule::Sftp1, "no connection");
}

#[test]
fn what_cannot_be_looked_at_is_2() {
    let code = |words: &[&str]| doctor(words, SystemClock.now()).refused.map(|(code, _)| code);
    assert_eq!(code(&[]), Some(2));
    assert_eq!(code(&["--dir", "/no/such/folder"]), Some(2));
    assert_eq!(code(&["--certificate", "/no/such/file", "--key", "/no/such/file"]), Some(2));
    assert!(Irgw::try_parse_from(["doctor", "--certificate", "a"]).is_err());
}
