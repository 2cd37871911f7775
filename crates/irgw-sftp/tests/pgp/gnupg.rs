//! GnuPG at the other end, in a home of its own for each test.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use irgw_core::{Secret, UnixTime};
use irgw_sftp::pgp::{
    Algorithm, CertFault, Compression, DecryptFault, Fingerprint, KeyFault, OwnKey, PartnerCert, Protection,
    Terms, Warning, encrypt,
};
use std::io::Write;
use tempfile::TempDir;

use crate::support::{DAY, YEAR, after, before, noise, open_at};

/// GnuPG with a home that it shares with nobody.
struct Gpg {
    home: TempDir,
}

impl Gpg {
    /// None, and says so, where GnuPG is not installed.
    fn new() -> Option<Gpg> {
        let found = Command::new("gpg").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !found.is_ok_and(|status| status.success()) {
            println!("SKIPPED: gpg is not installed");
            return None;
        }
        // Its agent's socket is in there, whose path has to be short, wherever TMPDIR is.
        Some(Gpg { home: tempfile::tempdir_in("/tmp").unwrap() })
    }

    fn command(&self) -> Command {
        let mut command = Command::new("gpg");
        command
            .args(["--batch", "--no-tty", "--quiet", "--yes", "--trust-model", "always"])
            .args(["--pinentry-mode", "loopback", "--passphrase", ""])
            .env("GNUPGHOME", self.home.path())
            .env("LC_ALL", "C");
        command
    }

    /// Runs it to its end and gives back what it wrote.
    fn run(&self, arguments: &[&str]) -> Vec<u8> {
        let output = self.command().args(arguments).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "gpg {arguments:?}: {told}");
        output.stdout
    }

    fn path(&self, name: &str) -> String {
        self.home.path().join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn import(&self, bytes: &[u8]) {
        let path = self.write("import", bytes);
        self.run(&["--import", &path]);
    }

    /// A key pair: a primary key that signs and a subkey that decrypts, with extra options for both.
    fn generate(&self, user_id: &str, sign: &str, encrypt: Option<&str>, options: &[&str]) -> String {
        self.run(&[options, &["--quick-generate-key", user_id, sign, "default", "1y"]].concat());
        let listed = self.run(&["--with-colons", "--list-keys", user_id]);
        let listed = String::from_utf8(listed).unwrap();
        let line = listed.lines().find(|line| line.starts_with("fpr:")).unwrap();
        let fingerprint = line.split(':').nth(9).unwrap().to_owned();
        if let Some(encrypt) = encrypt {
            self.run(&[options, &["--quick-add-key", &fingerprint, encrypt, "encr", "1y"]].concat());
        }
        fingerprint
    }

    fn certificate(&self, fingerprint: &str) -> Vec<u8> {
        self.run(&["--armor", "--export", fingerprint])
    }

    /// Decrypts to a file; gives back the plaintext and the status lines.
    fn decrypt(&self, message: &[u8], options: &[&str]) -> (Vec<u8>, String) {
        let (from, to) = (self.write("message.gpg", message), self.path("plaintext"));
        let status =
            self.run(&[options, &["--status-fd", "1", "--output", &to, "--decrypt", &from]].concat());
        // Notations are written as they are, which need not be text.
        (std::fs::read(to).unwrap(), String::from_utf8_lossy(&status).into_owned())
    }

    /// Signs and encrypts a file.
    fn encrypt(&self, to: &[&str], by: &str, data: &[u8], options: &[&str]) -> Vec<u8> {
        let (from, out) = (self.write("file", data), self.path("file.gpg"));
        let mut arguments = [&["--local-user", by], options].concat();
        for recipient in to {
            arguments.extend(["--recipient", recipient]);
        }
        arguments.extend(["--output", &out, "--sign", "--encrypt", &from]);
        self.run(&arguments);
        std::fs::read(out).unwrap()
    }
}

impl Drop for Gpg {
    /// Stops the agent of this home, and no other.
    fn drop(&mut self) {
        let home: &Path = self.home.path();
        let _ = Command::new("gpgconf").arg("--homedir").arg(home).args(["--kill", "gpg-agent"]).status();
    }
}

/// GnuPG reads the clock, so these tests do.
fn today() -> UnixTime {
    UnixTime::now()
}

fn key(user_id: &str, algorithm: Algorithm) -> OwnKey {
    OwnKey::generate(user_id, algorithm, before(today(), DAY), YEAR).unwrap()
}

fn enrol(certificate: &[u8]) -> PartnerCert {
    PartnerCert::enrol(certificate, today(), Terms::default()).unwrap()
}

#[test]
fn gnupg_reads_what_we_send() {
    let Some(gpg) = Gpg::new() else { return };
    for (algorithm, sign, encr) in
        [(Algorithm::Rsa3072, "rsa2048", "rsa2048"), (Algorithm::Curve25519, "ed25519", "cv25519")]
    {
        let ours = key("Inland Revenue", algorithm);
        gpg.import(&ours.certificate());
        let theirs = gpg.generate(&format!("DSP {sign}"), sign, Some(encr), &[]);
        let partner = enrol(&gpg.certificate(&theirs));
        for compression in [Compression::None, Compression::Zip, Compression::Zlib] {
            for data in [&b""[..], b"<FileTransfers/>", &noise(5 << 20)] {
                let mut message = encrypt(&[&partner], &ours, compression, today(), Vec::new()).unwrap();
                message.write_all(data).unwrap();
                let (plaintext, status) = gpg.decrypt(&message.finish().unwrap(), &[]);
                assert!(plaintext == data, "{sign} {compression:?} {} bytes", data.len());
                has_line(&status, "DECRYPTION_INFO 2 9");
                has_line(&status, "DECRYPTION_OKAY");
                has_line(&status, "GOODMDC");
                // Binary, no date, no name.
                has_line(&status, "PLAINTEXT 62 0");
                signed_over_sha256(&status, &ours.fingerprint());
            }
        }
    }
}

fn has_line(status: &str, begins: &str) {
    let begins = format!("[GNUPG:] {begins}");
    assert!(status.lines().any(|line| line.starts_with(&begins)), "no `{begins}` in\n{status}");
}

/// `VALIDSIG <key> <date> <time> <expires> <version> <reserved> <algorithm> <hash> <class> <primary key>`.
fn signed_over_sha256(status: &str, signer: &Fingerprint) {
    let line = status.lines().find(|line| line.starts_with("[GNUPG:] VALIDSIG ")).unwrap();
    let words: Vec<&str> = line.split(' ').collect();
    assert_eq!((words[9], words[10], words[11]), ("8", "00", signer.to_string().as_str()), "{line}");
}

#[test]
fn we_read_what_gnupg_sends() {
    let Some(gpg) = Gpg::new() else { return };
    let data = [noise(3 << 20), vec![b'x'; 100_000]].concat();
    for (algorithm, sign, encr) in
        [(Algorithm::Rsa3072, "rsa2048", "rsa2048"), (Algorithm::Curve25519, "ed25519", "cv25519")]
    {
        let ours = key("Inland Revenue", algorithm);
        gpg.import(&ours.certificate());
        let theirs = gpg.generate(&format!("DSP {sign}"), sign, Some(encr), &[]);
        let partner = enrol(&gpg.certificate(&theirs));
        let recipient = ours.fingerprint().to_string();
        let options: [&[&str]; 8] = [
            &[],
            &["--compress-algo", "none"],
            &["--compress-algo", "zip"],
            &["--compress-algo", "bzip2"],
            &["--armor"],
            &["--throw-keyids"],
            &["--hidden-recipient", &theirs],
            &["--recipient", &theirs],
        ];
        for options in options {
            let message = gpg.encrypt(&[&recipient], &theirs, &data, options);
            let opened =
                open_at(today(), std::slice::from_ref(&ours), std::slice::from_ref(&partner), &message);
            assert!(opened.as_ref() == Ok(&data), "{sign} {options:?}: {:?}", opened.err());
        }
    }
}

#[test]
fn what_gnupg_sends_otherwise_is_refused() {
    let Some(gpg) = Gpg::new() else { return };
    let ours = key("Inland Revenue", Algorithm::Curve25519);
    gpg.import(&ours.certificate());
    let theirs = gpg.generate("DSP", "ed25519", Some("cv25519"), &[]);
    let other = gpg.generate("other", "ed25519", Some("cv25519"), &[]);
    let partner = enrol(&gpg.certificate(&theirs));
    let recipient = ours.fingerprint().to_string();
    let opened = |message: &[u8]| {
        open_at(today(), std::slice::from_ref(&ours), std::slice::from_ref(&partner), message).unwrap_err()
    };
    let sent = |to: &str, by: &str, options: &[&str]| opened(&gpg.encrypt(&[to], by, b"data\n", options));
    assert!(matches!(sent(&recipient, &other, &[]), DecryptFault::UnknownSigner(_)));
    assert_eq!(sent(&theirs, &theirs, &[]), DecryptFault::NotForUs);
    let aes = DecryptFault::Cipher("AES-128".into());
    assert_eq!(sent(&recipient, &theirs, &["--cipher-algo", "AES"]), aes);
    assert_eq!(sent(&recipient, &theirs, &["--digest-algo", "SHA224"]), DecryptFault::Hash("SHA224".into()));
    assert_eq!(sent(&recipient, &theirs, &["--textmode"]), DecryptFault::SignatureType);
    let twice = sent(&recipient, &theirs, &["--local-user", &other]);
    assert!(matches!(twice, DecryptFault::UnknownSigner(_)), "{twice:?}");

    let file = gpg.write("file", b"data");
    let out = gpg.path("out");
    gpg.run(&["--recipient", &recipient, "--output", &out, "--encrypt", &file]);
    assert_eq!(opened(&std::fs::read(&out).unwrap()), DecryptFault::Unsigned);
    gpg.run(&["--local-user", &theirs, "--output", &out, "--sign", &file]);
    assert_eq!(opened(&std::fs::read(&out).unwrap()), DecryptFault::NotEncrypted);
    gpg.run(&["--local-user", &theirs, "--output", &out, "--clearsign", &file]);
    let clear = opened(&std::fs::read(&out).unwrap());
    assert!(matches!(clear, DecryptFault::Truncated | DecryptFault::Malformed), "{clear:?}");
    gpg.run(&["--output", &out, "--passphrase", "word", "--symmetric", &file]);
    assert_eq!(opened(&std::fs::read(&out).unwrap()), DecryptFault::NotForUs);
}

#[test]
fn secret_keys_go_both_ways() {
    let Some(gpg) = Gpg::new() else { return };
    let passphrase = Secret::new(String::from("four words of it"));
    let given = ["--passphrase", "four words of it"];
    for (sign, encr) in [("rsa2048", "rsa2048"), ("ed25519", "cv25519")] {
        // Theirs, made by gpg under a passphrase, opens here.
        let user_id = format!("rotated {sign}");
        let theirs = gpg.generate(&user_id, sign, Some(encr), &given);
        let exported = gpg.run(&[&given[..], &["--armor", "--export-secret-keys", &theirs]].concat());
        let opened = OwnKey::from_bytes(&exported, Protection::Passphrase(&passphrase)).unwrap();
        assert_eq!(opened.fingerprint().to_string(), theirs);
        let partner = enrol(&opened.certificate());
        let mut message = encrypt(&[&partner], &opened, Compression::None, today(), Vec::new()).unwrap();
        message.write_all(b"to ourselves").unwrap();
        let message = message.finish().unwrap();
        assert_eq!(open_at(today(), &[opened], &[partner], &message).as_deref(), Ok(&b"to ourselves"[..]));
        let (plaintext, _) = gpg.decrypt(&message, &given);
        assert_eq!(plaintext, b"to ourselves");
    }
    // Ours, protected by us, opens there.
    let ours = key("Inland Revenue", Algorithm::Curve25519);
    gpg.import(ours.to_armored(Protection::Passphrase(&passphrase)).unwrap().expose());
    let partner = enrol(&ours.certificate());
    let message =
        encrypt(&[&partner], &ours, Compression::None, today(), Vec::new()).unwrap().finish().unwrap();
    let (plaintext, status) = gpg.decrypt(&message, &given);
    assert_eq!(plaintext, b"");
    has_line(&status, "DECRYPTION_OKAY");
}

#[test]
fn weak_certificates_of_gnupg_are_refused() {
    let Some(gpg) = Gpg::new() else { return };
    let refused = |fingerprint: &str| {
        let error = PartnerCert::enrol(&gpg.certificate(fingerprint), today(), Terms::default()).unwrap_err();
        assert_eq!(error.fingerprint.map(|it| it.to_string()).as_deref(), Some(fingerprint));
        let [CertFault::Key { fault, .. }] = &error.faults[..] else { panic!("{:?}", error.faults) };
        fault.clone()
    };
    let short = gpg.generate("short", "rsa1024", Some("rsa1024"), &[]);
    assert_eq!(refused(&short), KeyFault::RsaSize { bits: 1024 });
    let short = gpg.generate("short subkey", "rsa2048", Some("rsa1024"), &[]);
    assert_eq!(refused(&short), KeyFault::RsaSize { bits: 1024 });
    let dsa = gpg.generate("dsa", "dsa2048", None, &[]);
    assert!(matches!(refused(&dsa), KeyFault::Algorithm { name } if name.contains("DSA")));
    let elgamal = gpg.generate("elgamal", "rsa2048", Some("elg1024"), &[]);
    assert!(matches!(refused(&elgamal), KeyFault::Algorithm { name } if name.contains("ElGamal")));
    let old = gpg.generate("old", "ed25519", Some("cv25519"), &["--faked-system-time", "20240101T000000"]);
    assert!(matches!(refused(&old), KeyFault::Expired { .. }));
}

#[test]
fn sha1_bindings_are_taken_by_a_dated_exception_alone() {
    let Some(gpg) = Gpg::new() else { return };
    let theirs = gpg.generate("sha1", "rsa2048", Some("rsa2048"), &["--cert-digest-algo", "SHA1"]);
    let certificate = gpg.certificate(&theirs);
    let error = PartnerCert::enrol(&certificate, today(), Terms::default()).unwrap_err();
    let weak = |fault: &CertFault| matches!(fault, CertFault::Key { fault: KeyFault::WeakBinding { hash }, .. } if hash == "SHA1");
    assert!(error.faults.iter().all(weak), "{error}");

    let until = after(today(), DAY);
    let terms = Terms { sha1_bindings_until: Some(until), ..Terms::default() };
    let partner = PartnerCert::enrol(&certificate, today(), terms).unwrap();
    assert_eq!(partner.warnings(today(), Duration::ZERO), [Warning::Sha1Exception { until }]);
    assert!(partner.encryption_key(until).is_err());

    // What it signs over SHA-256 is read; what it signs over SHA-1 is not.
    let ours = key("Inland Revenue", Algorithm::Curve25519);
    gpg.import(&ours.certificate());
    let recipient = ours.fingerprint().to_string();
    let opened = |options: &[&str]| {
        let message = gpg.encrypt(&[&recipient], &theirs, b"data", options);
        open_at(today(), std::slice::from_ref(&ours), std::slice::from_ref(&partner), &message)
    };
    assert_eq!(opened(&["--digest-algo", "SHA256"]).as_deref(), Ok(&b"data"[..]));
    assert_eq!(opened(&["--digest-algo", "SHA1"]), Err(DecryptFault::Hash("SHA1".into())));
}

#[test]
fn revocation_made_by_gnupg_is_seen() {
    let Some(gpg) = Gpg::new() else { return };
    let theirs = gpg.generate("DSP", "ed25519", Some("cv25519"), &[]);
    let partner = enrol(&gpg.certificate(&theirs));
    let kept = std::fs::read_to_string(gpg.path(&format!("openpgp-revocs.d/{theirs}.rev"))).unwrap();
    // GnuPG keeps it with a colon in front, so that nobody imports it by mistake.
    gpg.import(kept.replace(":-----BEGIN", "-----BEGIN").as_bytes());
    let revoked = partner.merge(&gpg.certificate(&theirs)).unwrap();
    let error = revoked.encryption_key(today()).unwrap_err();
    assert!(matches!(error.faults[..], [CertFault::Key { fault: KeyFault::Revoked { .. }, .. }]), "{error}");
}
