//! Files that GnuPG encrypted and signed.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use irgw_sftp::pgp::{Algorithm, CertFault, OwnKey, PartnerCert, Terms};

use crate::skipped;
use crate::support::{Made, Place, TDS, at, parties};

/// Runs GnuPG in a home of its own; what it printed.
fn gpg(home: &Path, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut process = Command::new("gpg")
        .args([
            "--batch",
            "--quiet",
            "--no-tty",
            "--pinentry-mode",
            "loopback",
            "--passphrase",
            "",
            "--homedir",
        ])
        .arg(home)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    process.stdin.take().unwrap().write_all(input).unwrap();
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success(), "gpg {arguments:?}");
    output.stdout
}

#[test]
fn a_set_that_gnupg_sent_is_released() {
    if Command::new("gpg").arg("--version").stdout(Stdio::null()).status().is_err() {
        return skipped("gpg is not installed");
    }
    let made = Made::new(TDS, 2);
    let mut place = Place::new();
    place.settings.expectation.max_age = None;
    // GnuPG's keys are made now, so everything happens now.
    let now = at(std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() + 60);
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    fs::set_permissions(home, Permissions::from_mode(0o700)).unwrap();
    gpg(home, &["--quick-generate-key", "ir@example.govt.nz", "rsa2048", "default", "never"], b"");
    let certificate = gpg(home, &["--export", "--armor", "ir@example.govt.nz"], b"");
    // It signs, and has no key to encrypt to: nobody is to.
    let refused = PartnerCert::enrol(&certificate, now, Terms::default()).unwrap_err();
    assert_eq!(refused.faults, [CertFault::NoEncryptionKey]);
    let fingerprint = refused.fingerprint.unwrap();
    place.signers = vec![PartnerCert::restore(&certificate, &fingerprint, Terms::default()).unwrap()];
    let year = std::time::Duration::from_secs(10 * 365 * 24 * 3600);
    let receiver =
        OwnKey::generate("sftp@example.co.nz", Algorithm::Curve25519, at(now.as_secs() - 120), year).unwrap();
    gpg(home, &["--import"], &receiver.certificate());
    place.keys = vec![parties().receiver.clone(), receiver.clone()];
    for (name, bytes) in made.files() {
        let sealed = gpg(
            home,
            &[
                "--trust-model",
                "always",
                "--cipher-algo",
                "AES256",
                "--digest-algo",
                "SHA256",
                "--sign",
                "--encrypt",
                "--recipient",
                &receiver.fingerprint().to_string(),
            ],
            &bytes,
        );
        place.arrive(&name, &sealed);
    }
    let _ = Command::new("gpgconf").arg("--homedir").arg(home).args(["--kill", "gpg-agent"]).status();
    let mut intake = place.open();
    let pass = intake.pass(now);
    assert_eq!(pass.troubles, []);
    assert_eq!(place.released(&made.set), made.files(), "{:?}", pass.events);
    assert!(fs::read_dir(place.path("inbox")).unwrap().next().is_none());
}
