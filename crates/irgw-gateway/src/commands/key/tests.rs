//! `irgw key ssh` and `irgw key pgp` as an operator runs them, beside ssh-keygen and gpg.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use clap::Parser;
use irgw_core::UnixTime;

use super::*;

#[derive(Parser)]
struct Irgw {
    #[command(flatten)]
    key: KeyArgs,
}

const CONFIGURATION: &str = r#"environment = "test"
store.url = "sqlite:irgw.sqlite"
audit.file = "audit.jsonl"
identity = { key = "identity.key", issuer = "https://gateway.example/" }
upstream.main.url = "http://127.0.0.1:9000"
services = { table = "published", upstream = "main" }
files = { keys = "keys", passphrase_file = "passphrase", spool = "spool" }
[[listener]]
channel = "desktop"
listen = "127.0.0.1:0"
certificate = "server.crt"
key = "server.key"
"#;

/// The configuration of a gateway that does not run.
struct Gateway(tempfile::TempDir);

impl Gateway {
    fn new() -> Gateway {
        let gateway = Gateway(tempfile::tempdir().unwrap());
        gateway.write("irgw.toml", CONFIGURATION);
        gateway.write("passphrase", "kererū in the pūriri\n");
        gateway
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A file, 0600.
    fn write(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).unwrap();
        fs::set_permissions(self.path(name), Permissions::from_mode(0o600)).unwrap();
    }

    /// Runs `irgw key …`: what it printed, or its exit code and message.
    fn run(&self, words: &[&str]) -> Result<String, (u8, String)> {
        let config = self.path("irgw.toml").display().to_string();
        let line = ["key"].iter().chain(words).copied().chain(["--config", &config]);
        let args = Irgw::try_parse_from(line)
            .map_err(|error| (u8::try_from(error.exit_code()).unwrap(), error.to_string()))?;
        let (mut out, now) = (Vec::new(), std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap());
        run(&args.key, UnixTime::since_unix_epoch(now), &mut out)
            .map_err(|error| (error.exit_code(), error.to_string()))?;
        Ok(String::from_utf8(out).unwrap())
    }

    fn ok(&self, line: &str) -> String {
        self.run(&line.split(' ').collect::<Vec<_>>()).unwrap()
    }

    fn refused(&self, line: &str) -> (u8, String) {
        self.run(&line.split(' ').collect::<Vec<_>>()).unwrap_err()
    }

    /// State and fingerprint of each key of a kind.
    fn listed(&self, kind: &str) -> Vec<(String, String)> {
        let json: serde_json::Value = serde_json::from_str(&self.ok(&format!("{kind} list --json"))).unwrap();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let keys = json[format!("{kind}_keys")].as_array().unwrap().iter();
        keys.map(|key| (text(&key["state"]), text(&key["fingerprint"]))).collect()
    }
}

/// Whether a program is there; says so when a test does without it.
fn has(program: &str) -> bool {
    let found = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .any(|folder| folder.join(program).is_file());
    if !found {
        println!("SKIPPED: {program} is not installed");
    }
    found
}

fn output(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn first_line(printed: &str) -> String {
    printed.lines().next().unwrap().to_owned()
}

#[test]
fn ssh_key_is_made_announced_and_rotated() {
    let gateway = Gateway::new();
    let first = first_line(&gateway.ok("ssh generate"));
    let (code, said) = gateway.refused("ssh generate");
    assert!(code == 2 && said.starts_with(&format!("{first} is the live SSH key; give --next")), "{said}");
    let announced = gateway.ok("ssh generate --curve p384 --next");
    let second = first_line(&announced);
    assert!(announced.contains("irgw key ssh export --next") && announced.contains("irgw key ssh rotate"));
    assert_eq!(
        gateway.listed("ssh"),
        [("live".to_owned(), first.clone()), ("next".to_owned(), second.clone())]
    );
    assert!(gateway.ok("ssh export").starts_with("ecdsa-sha2-nistp256 AAAA"));
    let exported = gateway.ok("ssh export --next");
    assert!(
        exported.starts_with("ecdsa-sha2-nistp384 AAAA") && exported.ends_with(" ird-gateway\n"),
        "{exported}"
    );
    let rotated = gateway.ok("ssh rotate");
    assert_eq!(
        rotated,
        format!("{second} is live\n{first} is not used any more: providers may take it away\n")
    );
    assert_eq!(gateway.ok("ssh export"), exported);
    assert_eq!(
        gateway.refused("ssh rotate"),
        (2, "there is no next SSH key; make one: irgw key ssh generate --next".to_owned())
    );
    let table = gateway.ok("ssh list");
    assert!(table.starts_with("STATE  FINGERPRINT") && table.lines().count() == 3, "{table}");
}

#[test]
fn list_and_export_need_no_passphrase_and_the_others_do() {
    let gateway = Gateway::new();
    gateway.ok("ssh generate");
    fs::remove_file(gateway.path("passphrase")).unwrap();
    gateway.ok("ssh list");
    gateway.ok("ssh export");
    let (code, said) = gateway.refused("ssh generate --next");
    assert!(code == 2 && said.contains("irgw.toml:7: files.passphrase_file: there is no "), "{said}");
    assert_eq!(gateway.listed("ssh").len(), 1);
}

/// PGP-3.
#[test]
fn what_is_not_right_is_said_in_one_line() {
    let gateway = Gateway::new();
    for line in ["ssh list", "pgp export", "pgp list --json"] {
        let (code, said) = gateway.refused(line);
        assert!(code == 2 && said.contains("there is no key folder"), "{said}");
    }
    gateway.ok("pgp generate --user-id IR --algorithm curve25519");
    fs::set_permissions(gateway.path("keys"), Permissions::from_mode(0o750)).unwrap();
    let (code, said) = gateway.refused("pgp list");
    let chmod = format!("run: chmod 700 {}", gateway.path("keys").display());
    assert!(code == 1 && said.starts_with("refused by PGP-3: ") && said.contains(&chmod), "{said}");
    fs::set_permissions(gateway.path("keys"), Permissions::from_mode(0o700)).unwrap();

    fs::set_permissions(gateway.path("passphrase"), Permissions::from_mode(0o644)).unwrap();
    let (code, said) = gateway.refused("ssh generate");
    assert!(code == 2 && said.contains("chmod 600") && !said.contains("kererū"), "{said}");
    assert!(!said.contains('\n'), "{said}");

    gateway.write("irgw.toml", &CONFIGURATION.replace("files =", "# files ="));
    let (code, said) = gateway.refused("ssh list");
    assert!(code == 2 && said.contains("no [files] table"), "{said}");
}

#[test]
fn arguments_that_cannot_be_meant_are_refused() {
    let gateway = Gateway::new();
    for line in [
        &["pgp", "generate"][..],
        &["pgp", "generate", "--user-id", " "],
        &["pgp", "generate", "--user-id", "two\nlines"],
        &["pgp", "generate", "--user-id", "IR", "--expires", "21y"],
        &["ssh", "generate", "--curve", "ed25519"],
        &["ssh", "generate", "--replace"],
        &["ssh", "import"],
    ] {
        assert_eq!(gateway.run(line).unwrap_err().0, 2, "{line:?}");
    }
    assert!(!gateway.path("keys").exists());
}

#[test]
fn exported_line_is_read_by_ssh_keygen() {
    if !has("ssh-keygen") {
        return;
    }
    let gateway = Gateway::new();
    for curve in ["p256", "p384", "p521", "rsa3072"] {
        let first = if curve == "p256" { "" } else { " --next --replace" };
        let fingerprint = first_line(&gateway.ok(&format!("ssh generate --curve {curve}{first}")));
        let exported = gateway.ok(if curve == "p256" { "ssh export" } else { "ssh export --next" });
        gateway.write("line", &exported);
        let read = output(Command::new("ssh-keygen").arg("-l").arg("-f").arg(gateway.path("line")));
        assert!(read.contains(&fingerprint) && read.contains("ird-gateway"), "{read}");
    }
    // The secret half too, by whoever has the passphrase.
    let key = fs::read_dir(gateway.path("keys")).unwrap().map(|entry| entry.unwrap().path());
    for key in key.filter(|path| path.extension() == Some("key".as_ref())) {
        let public = Command::new("ssh-keygen")
            .args(["-y", "-P", "kererū in the pūriri", "-f"])
            .arg(&key)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(public.status.success(), "{}", String::from_utf8_lossy(&public.stderr));
    }
}

#[test]
fn key_of_ssh_keygen_is_taken_in() {
    if !has("ssh-keygen") {
        return;
    }
    let gateway = Gateway::new();
    let generate = |name: &str, kind: &[&str], passphrase: &str| {
        let path = gateway.path(name);
        output(Command::new("ssh-keygen").args(["-q", "-N", passphrase, "-f"]).arg(&path).args(kind));
        let fingerprint = output(Command::new("ssh-keygen").arg("-l").arg("-f").arg(&path));
        (path.display().to_string(), fingerprint.split(' ').nth(1).unwrap().to_owned())
    };
    let (bare, fingerprint) = generate("bare", &["-t", "ecdsa", "-b", "256"], "");
    assert_eq!(first_line(&gateway.ok(&format!("ssh import {bare}"))), fingerprint);
    assert_eq!(
        gateway.refused(&format!("ssh import {bare} --next")),
        (2, format!("{fingerprint} is held already, as the live one"))
    );

    let (locked, fingerprint) = generate("locked", &["-t", "rsa", "-b", "2048"], "short");
    let (code, said) = gateway.refused(&format!("ssh import {locked} --next"));
    assert!(code == 2 && said.contains("--passphrase-file"), "{said}");
    gateway.write("theirs", "short\n");
    let theirs = gateway.path("theirs").display().to_string();
    let imported = gateway.ok(&format!("ssh import {locked} --next --passphrase-file {theirs}"));
    assert_eq!(first_line(&imported), fingerprint);
    gateway.ok("ssh rotate");
    assert_eq!(gateway.listed("ssh")[0], ("live".to_owned(), fingerprint));

    let (ed25519, _) = generate("ed25519", &["-t", "ed25519"], "");
    let (code, said) = gateway.refused(&format!("ssh import {ed25519} --next"));
    assert!(code == 1 && said.starts_with("refused by SFTP-2: ") && said.contains("ssh-ed25519"), "{said}");
    fs::set_permissions(&bare, Permissions::from_mode(0o644)).unwrap();
    assert!(gateway.refused(&format!("ssh import {bare} --next")).1.contains("chmod 600"));
}

/// A home of gpg's own, whose agent ends with it.
struct Gpg(tempfile::TempDir);

impl Gpg {
    fn new() -> Gpg {
        let home = tempfile::tempdir().unwrap();
        fs::set_permissions(home.path(), Permissions::from_mode(0o700)).unwrap();
        Gpg(home)
    }

    fn command(&self) -> Command {
        let mut command = Command::new("gpg");
        command.arg("--homedir").arg(self.0.path()).args([
            "--batch",
            "--no-tty",
            "--pinentry-mode",
            "loopback",
        ]);
        command
    }

    fn run(&self, arguments: &[&str]) -> String {
        output(self.command().args(arguments))
    }

    /// The fingerprint of the first key that `--with-colons` lists.
    fn fingerprint(listed: &str) -> String {
        let line = listed.lines().find(|line| line.starts_with("fpr:")).unwrap();
        line.split(':').nth(9).unwrap().to_owned()
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf")
            .arg("--homedir")
            .arg(self.0.path())
            .args(["--kill", "gpg-agent"])
            .status();
    }
}

#[test]
fn exported_certificate_is_imported_by_gpg() {
    if !has("gpg") {
        return;
    }
    let (gateway, gpg) = (Gateway::new(), Gpg::new());
    for (number, algorithm) in ["curve25519", "rsa3072"].into_iter().enumerate() {
        let next = if number == 0 { "" } else { "--next" };
        let words =
            ["pgp", "generate", "--user-id", "Inland Revenue <ir@example.govt.nz>", "--algorithm", algorithm];
        let words: Vec<&str> = words.into_iter().chain((!next.is_empty()).then_some(next)).collect();
        let fingerprint = first_line(&gateway.run(&words).unwrap());
        let exported = gateway.ok(format!("pgp export {next}").trim_end());
        assert!(exported.starts_with("-----BEGIN PGP PUBLIC KEY BLOCK-----\n"), "{exported}");
        gateway.write("exported.asc", &exported);
        let path = gateway.path("exported.asc").display().to_string();
        gpg.run(&["--import", &path]);
        let listed = gpg.run(&["--with-colons", "--list-keys", &fingerprint]);
        assert_eq!(Gpg::fingerprint(&listed), fingerprint);
        assert!(listed.contains("Inland Revenue <ir@example.govt.nz>"));
        // It can be encrypted to.
        gpg.run(&["--trust-model", "always", "-r", &fingerprint, "-o", "/dev/null", "--yes", "-e", &path]);
    }
    let json: serde_json::Value = serde_json::from_str(&gateway.ok("pgp list --json")).unwrap();
    assert_eq!(json["pgp_keys"][0]["algorithm"], "ed25519");
    assert_eq!(json["pgp_keys"][1]["algorithm"], "rsa3072");
    let expires = json["pgp_keys"][0]["expires"].as_str().unwrap();
    assert!(expires.ends_with('Z') && expires.len() == 20, "{expires}");
}

#[test]
fn key_of_gpg_is_taken_in() {
    if !has("gpg") {
        return;
    }
    let (gateway, gpg) = (Gateway::new(), Gpg::new());
    gpg.run(&[
        "--passphrase",
        "theirs",
        "--quick-generate-key",
        "IR <ir@example.govt.nz>",
        "rsa2048",
        "sign",
        "1y",
    ]);
    let fingerprint = Gpg::fingerprint(&gpg.run(&["--with-colons", "--list-keys"]));
    gpg.run(&["--passphrase", "theirs", "--quick-add-key", &fingerprint, "rsa2048", "encrypt", "1y"]);
    let exported = gpg.run(&["--passphrase", "theirs", "--armor", "--export-secret-keys", &fingerprint]);
    gateway.write("secret.asc", &exported);
    gateway.write("theirs", "theirs");
    let (secret, theirs) =
        (gateway.path("secret.asc").display().to_string(), gateway.path("theirs").display().to_string());
    assert!(gateway.refused(&format!("pgp import {secret}")).1.contains("--passphrase-file"));
    let imported = gateway.ok(&format!("pgp import {secret} --passphrase-file {theirs}"));
    assert_eq!(first_line(&imported), fingerprint);
    assert_eq!(gateway.listed("pgp"), [("live".to_owned(), fingerprint)]);
    expect_unchanged_without_an_encryption_key(&gateway, &gpg, &theirs);
}

/// PGP-1: such a key could sign, and nobody could answer.
fn expect_unchanged_without_an_encryption_key(gateway: &Gateway, gpg: &Gpg, theirs: &str) {
    gpg.run(&["--passphrase", "theirs", "--quick-generate-key", "Signs alone", "rsa2048", "sign", "1y"]);
    let fingerprint = Gpg::fingerprint(&gpg.run(&["--with-colons", "--list-keys", "Signs alone"]));
    let exported = gpg.run(&["--passphrase", "theirs", "--armor", "--export-secret-keys", &fingerprint]);
    gateway.write("signs.asc", &exported);
    let path = gateway.path("signs.asc").display().to_string();
    let (code, said) = gateway.refused(&format!("pgp import {path} --next --passphrase-file {theirs}"));
    assert!(code == 1 && said.starts_with("refused by PGP-1: "), "{said}");
    assert_eq!(gateway.listed("pgp").len(), 1);
}
