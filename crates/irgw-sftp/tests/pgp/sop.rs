//! Other programs at the other end, through the Stateless OpenPGP command line: Sequoia's `sqop`, PGPainless, and
//! our own example.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use irgw_core::UnixTime;
use irgw_sftp::pgp::{Algorithm, Compression, OwnKey, PartnerCert, Protection, Terms, encrypt};
use tempfile::TempDir;

use crate::support::{DAY, YEAR, before, noise, open_at};

/// A program, with a folder for the files that its arguments name.
struct Sop {
    program: PathBuf,
    folder: TempDir,
}

impl Sop {
    /// None, and says so, where the program is not there.
    fn new(program: &Path) -> Option<Sop> {
        let version =
            Command::new(program).arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !version.is_ok_and(|status| status.success()) {
            println!("SKIPPED: {} is not installed", program.display());
            return None;
        }
        Some(Sop { program: program.into(), folder: tempfile::tempdir().unwrap() })
    }

    fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Runs it; gives back the exit code and what it wrote.
    fn try_run(&self, arguments: &[&str], input: &[u8]) -> (Option<i32>, Vec<u8>) {
        let mut child = Command::new(&self.program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        // It may end without having read everything.
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        if !output.status.success() {
            println!("{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        (output.status.code(), output.stdout)
    }

    fn run(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let (code, output) = self.try_run(arguments, input);
        assert_eq!(code, Some(0), "{arguments:?}");
        output
    }

    /// A secret key and its certificate, made by the program.
    fn generate(&self) -> (Vec<u8>, Vec<u8>) {
        let secret = self.run(&["generate-key", "DSP <sftp@example.co.nz>"], b"");
        let public = self.run(&["extract-cert"], &secret);
        (secret, public)
    }
}

/// These programs read the clock, so these tests do.
fn today() -> UnixTime {
    UnixTime::now()
}

fn enrol(certificate: &[u8]) -> PartnerCert {
    PartnerCert::enrol(certificate, today(), Terms::default()).unwrap()
}

fn reads_and_is_read(program: &Path) {
    let Some(sop) = Sop::new(program) else { return };
    let (secret, public) = sop.generate();
    let secret = sop.file("their.key", &secret);
    let partner = enrol(&public);
    for algorithm in [Algorithm::Rsa3072, Algorithm::Curve25519] {
        let ours = OwnKey::generate("IR", algorithm, before(today(), DAY), YEAR).unwrap();
        let certificate = sop.file("our.cert", &ours.certificate());
        for compression in [Compression::None, Compression::Zip, Compression::Zlib] {
            let data = noise(300_000);
            let mut message = encrypt(&[&partner], &ours, compression, today(), Vec::new()).unwrap();
            message.write_all(&data).unwrap();
            let verifications = sop.folder.path().join(format!("{algorithm:?}{compression:?}"));
            let out = format!("--verifications-out={}", verifications.display());
            let verify_with = format!("--verify-with={certificate}");
            let message = message.finish().unwrap();
            let plaintext = sop.run(&["decrypt", &verify_with, &out, &secret], &message);
            assert!(plaintext == data, "{algorithm:?} {compression:?}");
            let told = std::fs::read_to_string(verifications).unwrap();
            assert!(told.contains(&ours.fingerprint().to_string()), "{told}");
        }
        let data = noise(300_000);
        let sign_with = format!("--sign-with={secret}");
        for armor in [&["--no-armor"][..], &[]] {
            let arguments = [&["encrypt"], armor, &[&sign_with, &certificate]].concat();
            let message = sop.run(&arguments, &data);
            let opened =
                open_at(today(), std::slice::from_ref(&ours), std::slice::from_ref(&partner), &message);
            assert!(opened.as_ref() == Ok(&data), "{algorithm:?} {armor:?}: {:?}", opened.err());
        }
    }
}

#[test]
fn sqop_reads_us_and_is_read() {
    reads_and_is_read(Path::new("sqop"));
}

#[test]
fn pgpainless_reads_us_and_is_read() {
    reads_and_is_read(Path::new("pgpainless-cli"));
}

/// The example, which `cargo test` builds beside the tests.
fn example() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    tests.parent().unwrap().parent().unwrap().join("examples/sop")
}

#[test]
fn example_reads_us_and_is_read() {
    reads_and_is_read(&example());
}

#[test]
fn example_exits_with_the_codes_of_the_draft() {
    let Some(sop) = Sop::new(&example()) else { return };
    let ours = OwnKey::generate("IR", Algorithm::Curve25519, before(today(), DAY), YEAR).unwrap();
    let bare = sop.file("our.key", ours.to_armored(Protection::Unprotected).unwrap().expose());
    let passphrase = irgw_core::Secret::new(String::from("words"));
    let locked =
        sop.file("locked.key", ours.to_armored(Protection::Passphrase(&passphrase)).unwrap().expose());
    let cert = sop.file("our.cert", &ours.certificate());
    let (sign_with, verify_with) = (format!("--sign-with={bare}"), format!("--verify-with={cert}"));
    let code = |arguments: &[&str], input: &[u8]| sop.try_run(arguments, input).0;
    assert_eq!(code(&["inline-sign"], b""), Some(69));
    assert_eq!(code(&["encrypt", &cert], b""), Some(19));
    assert_eq!(code(&["encrypt", "--frob=1", &cert], b""), Some(37));
    assert_eq!(code(&["encrypt", &sign_with, "absent"], b""), Some(61));
    assert_eq!(code(&["encrypt", &format!("--sign-with={locked}"), &cert], b""), Some(67));
    assert_eq!(code(&["decrypt", &verify_with, &bare], b"junk"), Some(41));
    assert_eq!(
        code(&["decrypt", &verify_with, &format!("--verifications-out={cert}"), &bare], b""),
        Some(59)
    );
    let message = sop.run(&["encrypt", &sign_with, &cert], b"data");
    assert_eq!(sop.run(&["decrypt", &verify_with, &bare], &message), b"data");
    let words = sop.file("words", b"words\n");
    let unlock = format!("--with-key-password={words}");
    assert_eq!(sop.run(&["decrypt", &verify_with, &unlock, &locked], &message), b"data");

    let signature = sop.file("signature", &sop.run(&["sign", &bare], b"data"));
    let line = sop.run(&["verify", &signature, &cert], b"data");
    assert!(String::from_utf8(line).unwrap().contains(&ours.fingerprint().to_string()));
    assert_eq!(code(&["verify", &signature, &cert], b"date"), Some(3));
    let binary = sop.run(&["dearmor"], &message);
    assert_eq!(sop.run(&["dearmor"], &sop.run(&["armor"], &binary)), binary);
}
