//! The provider's end from the command line: keys in files, sets in folders, one look at a time.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::Cursor;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use irgw_core::{Secret, UnixTime};
use irgw_sftp::fileset::{BuildLimits, SetBuilder, ZipName};
use irgw_sftp::pgp::{Algorithm, Compression, OwnKey, PartnerCert, Protection, Terms, encrypt};
use irgw_sftp::sealed_name;
use irgw_sftp::ssh::sftp::{Remote, RemotePath, Start};
use irgw_sftp::ssh::{Client, Curve, HostPins, PrivateKey, Target, Timeouts};
use serde_json::Value;
use tempfile::TempDir;

use super::*;
use crate::SystemClock;

#[derive(Parser)]
struct Irgw {
    #[command(flatten)]
    receive: ReceiveArgs,
}

const PASSPHRASE: &str = "tahi rua toru";
const SET: &str = "DAILY_PROVIDER_1500131086_1_201908220930310000_NZT";

/// A provider's machine: its key, Inland Revenue's certificate, an inbox.
struct Machine {
    folder: TempDir,
    ird: OwnKey,
    own: OwnKey,
    now: UnixTime,
}

impl Machine {
    fn new() -> Machine {
        let folder = tempfile::tempdir().unwrap();
        let now = SystemClock.now();
        let year = Duration::from_secs(365 * 24 * 3600);
        let [ird, own] =
            ["ird", "own"].map(|who| OwnKey::generate(who, Algorithm::Curve25519, now, year).unwrap());
        let machine = Machine { folder, ird, own, now };
        let passphrase = Secret::new(PASSPHRASE.to_owned());
        let own = machine.own.to_armored(Protection::Passphrase(&passphrase)).unwrap();
        machine.write("own.asc", own.expose(), 0o600);
        machine.write("pass", PASSPHRASE.as_bytes(), 0o600);
        machine.write("ird.asc", &machine.ird.certificate(), 0o644);
        fs::create_dir(machine.path("inbox")).unwrap();
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8], mode: u32) {
        fs::write(self.path(name), bytes).unwrap();
        fs::set_permissions(self.path(name), Permissions::from_mode(mode)).unwrap();
    }

    /// A set as Inland Revenue sends it: names, and what is encrypted.
    fn set(&self) -> BTreeMap<String, Vec<u8>> {
        let first: ZipName = "DAILY_PROVIDER_1500131086_0_201908220930300000_NZT.zip".parse().unwrap();
        let mut builder = SetBuilder::new(first.0, BuildLimits::default(), |_| Ok(Cursor::new(Vec::new())));
        let member = "DAILY_CUSTOMER_0_201908220930300000_NZT.xml".parse().unwrap();
        builder.add(member, &b"<A><Period><Tx/></Period></A>"[..]).unwrap();
        let built = builder.finish("201908220930310000".parse().unwrap()).unwrap();
        let mut files =
            BTreeMap::from([(built.control_name.to_string(), built.control.to_xml().into_bytes())]);
        files.extend(built.zips.into_iter().map(|(name, zip)| (name.to_string(), zip.into_inner())));
        files
    }

    fn seal(&self, bytes: &[u8]) -> Vec<u8> {
        let own = PartnerCert::enrol(&self.own.certificate(), self.now, Terms::default()).unwrap();
        let mut message = encrypt(&[&own], &self.ird, Compression::None, self.now, Vec::new()).unwrap();
        message.write_all(bytes).unwrap();
        message.finish().unwrap()
    }

    fn send(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path("inbox").join(sealed_name(name)), self.seal(bytes)).unwrap();
    }

    fn run(&self, line: &str) -> (Result<(), CommandError>, String) {
        let line = line.replace("@", &format!("{}/", self.folder.path().display()));
        let args = Irgw::try_parse_from(std::iter::once("receive").chain(line.split_whitespace())).unwrap();
        let mut out = Vec::new();
        let outcome = run(&args.receive, &SystemClock, &mut out);
        (outcome, String::from_utf8(out).unwrap())
    }

    fn watch(&self, more: &str) -> (Result<(), CommandError>, String) {
        self.run(&format!(
            "watch @inbox --state @state --feed tds --platform 1500131086 --environment NZT --key @own.asc \
             --passphrase-file @pass --signer @ird.asc --once {more}"
        ))
    }

    fn status(&self) -> Value {
        let (outcome, json) = self.run("status --state @state --json");
        outcome.unwrap();
        serde_json::from_str(&json).unwrap()
    }
}

#[test]
fn set_is_released_and_the_hook_runs_until_it_is_content() {
    let machine = Machine::new();
    let hook = |last: &str| {
        let script =
            format!("#!/bin/sh\necho \"$IRGW_SET $1\" >> {}\n{last}\n", machine.path("told").display());
        machine.write("hook", script.as_bytes(), 0o700);
    };
    hook("exit 3");
    for (name, bytes) in machine.set() {
        machine.send(&name, &bytes);
    }
    let (outcome, said) = machine.watch("--hook @hook");
    let error = outcome.unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("the hook for DAILY_PROVIDER_1500131086_1_"), "{error}");
    assert!(error.to_string().contains("exit status: 3; it will be run again"), "{error}");
    assert!(said.ends_with(&format!("released     {SET}, 2 files\n")), "{said}");
    assert_eq!(machine.status()["released_sets"][0]["announced"], false);
    hook("");
    for _ in 0..2 {
        assert_eq!(machine.watch("--hook @hook"), (Ok(()), String::new()));
    }
    let told = fs::read_to_string(machine.path("told")).unwrap();
    let line = format!("{SET} {}\n", machine.path("state/released").join(SET).display());
    assert_eq!(told, line.repeat(2));
    assert_eq!(machine.status()["released_sets"][0]["announced"], true);
    let released = machine.path("state/released").join(SET);
    let names = machine.set();
    assert!(names.iter().all(|(name, bytes)| fs::read(released.join(name)).unwrap() == *bytes));
}

#[test]
fn status_says_what_is_missing_and_what_was_refused() {
    let machine = Machine::new();
    let (control, zip) =
        (format!("{SET}_CONTROL.xml"), "DAILY_PROVIDER_1500131086_0_201908220930300000_NZT.zip");
    let set = machine.set();
    machine.send(&control, &set[&control]);
    let (outcome, said) = machine.watch("--json");
    assert_eq!(outcome, Ok(()));
    let event: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&event["event"], &event["file"]), (&"arrived".into(), &Value::from(control.clone())));
    let status = machine.status();
    assert_eq!(status["watch"][0]["at_work"], false);
    assert_eq!(status["waiting_sets"][0]["set"], SET);
    assert_eq!(status["waiting_sets"][0]["missing"][0], zip);

    machine.send(zip, b"no zip");
    let (outcome, said) = machine.watch("");
    let error = outcome.unwrap_err();
    assert_eq!(error.exit_code(), 1);
    assert!(
        error.to_string().starts_with(&format!("refused by FILE-4: {SET}: {zip} is refused: the zip")),
        "{error}"
    );
    assert!(said.contains("refused      the set "), "{said}");
    let (_, table) = machine.run("status --state @state");
    for words in ["no waiting sets", "no released sets", "FILE-4", zip, "AT WORK"] {
        assert!(table.contains(words), "{table}");
    }
}

#[test]
fn keys_that_cannot_be_used_are_refused_at_the_start() {
    let machine = Machine::new();
    for (file, bytes, mode, code, words) in [
        ("own.asc", None, 0o640, 2, "others may read it"),
        ("pass", Some("wrong"), 0o600, 1, "refused by PGP-3: "),
        ("pass", Some(""), 0o600, 2, "one line"),
        ("ird.asc", Some("no key"), 0o644, 1, "refused by PGP-1: "),
        ("state", Some("a file"), 0o600, 2, "cannot write"),
    ] {
        let machine = Machine::new();
        let bytes =
            bytes.map_or_else(|| fs::read(machine.path(file)).unwrap(), |text| text.as_bytes().to_vec());
        machine.write(file, &bytes, mode);
        let error = machine.watch("").0.unwrap_err();
        assert_eq!(error.exit_code(), code, "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
    let error = machine.run("status --state @absent").0.unwrap_err();
    assert!(error.to_string().contains("absent"), "{error}");
}

#[tokio::test]
async fn server_admits_one_key_and_keeps_what_arrived() {
    let machine = Machine::new();
    let made = || PrivateKey::generate(Curve::P256).unwrap();
    let (host, ird, other) = (made(), made(), made());
    machine.write("host.key", host.to_openssh(None).unwrap().expose().as_bytes(), 0o600);
    let keys = format!("# Inland Revenue\n{}\n", ird.authorized_key("ird"));
    machine.write("ird.pub", keys.as_bytes(), 0o644);
    let line =
        "receive serve --listen 127.0.0.1:0 --root @. --host-key @host.key --user ird --client-key @ird.pub";
    let line = line.replace('@', &format!("{}/", machine.folder.path().display()));
    let args = Irgw::try_parse_from(line.split_whitespace()).unwrap();
    let ReceiveCommand::Serve(args) = &args.receive.command else { panic!() };
    let post = serve::Post::open(args, Arc::new(SystemClock)).await.unwrap();
    let address = post.address;
    let connect = async |user: &str, key: &PrivateKey| {
        use irgw_core::{Channel, Origin, Transport};
        let pin = host.authorized_key("").parse().unwrap();
        let target = Target {
            user: user.to_owned(),
            key: key.clone(),
            pins: HostPins::only(pin),
            timeouts: Timeouts::default(),
        };
        let tcp = tokio::net::TcpStream::connect(address).await.unwrap();
        Client::new(target).establish(tcp, Origin::new(address, Channel::Files)).await
    };
    let visit = async {
        assert!(connect("ird", &other).await.is_err());
        assert!(connect("root", &ird).await.is_err());
        let (stream, _) = connect("ird", &ird).await.unwrap();
        let mut remote = Remote::open(stream, Duration::from_secs(20)).await.unwrap();
        let path = |text: &str| {
            let folder: irgw_sftp::ssh::sftp::Folder = "inbox".parse().unwrap();
            folder.file(&text.parse().unwrap())
        };
        let (part, whole): (RemotePath, RemotePath) = (path("x.pgp.part"), path("x.pgp"));
        remote.upload(&part, Start::Afresh, &mut &b"sealed"[..]).await.unwrap();
        remote.rename(&part, &whole).await.unwrap();
        assert!(remote.remove(&whole).await.is_err());
        assert_eq!(fs::read(machine.path("inbox/x.pgp")).unwrap(), b"sealed");
    };
    tokio::select! {
        () = visit => {}
        never = post.server.run() => match never {},
    }
}

#[test]
fn server_says_which_file_is_wrong() {
    let machine = Machine::new();
    let host = PrivateKey::generate(Curve::P256).unwrap();
    machine.write("host.key", host.to_openssh(None).unwrap().expose().as_bytes(), 0o600);
    machine.write("no.pub", b"# nothing\n", 0o644);
    machine.write("option.pub", format!("restrict {}", host.authorized_key("")).as_bytes(), 0o644);
    for (line, words) in [
        ("--root @absent --host-key @host.key --client-key @good.pub", "absent: "),
        ("--root @inbox --host-key @absent.key --client-key @good.pub", "absent.key: "),
        ("--root @inbox --host-key @host.key --client-key @no.pub", "refused by SFTP-2: "),
        ("--root @inbox --host-key @host.key --client-key @absent.pub", "absent.pub: "),
    ] {
        machine.write("good.pub", host.authorized_key("").as_bytes(), 0o644);
        let error = machine.run(&format!("serve --listen 127.0.0.1:0 --user ird {line}")).0.unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
}
