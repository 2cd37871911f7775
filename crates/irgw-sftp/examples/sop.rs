//! A Stateless OpenPGP command line (draft-dkg-openpgp-stateless-cli) over [`irgw_sftp::pgp`], for interoperability
//! tests.
//!
//! It shows the library as it is: `encrypt` always signs (`--sign-with`), and `decrypt` releases nothing that is
//! not signed by one of `--verify-with`; it then exits with NO_SIGNATURE (3), where other programs write the file
//! and no verification. Detached signatures are no part of the feeds: `sign` and `verify` are Sequoia's own,
//! without the library's blinding of RSA.
//!
//! ```text
//! sop generate-key "Kiwi Payroll" > dsp.key          sop extract-cert < dsp.key > dsp.cert
//! sop encrypt --sign-with=ir.key dsp.cert < file > file.pgp
//! sop decrypt --verify-with=ir.cert --verifications-out=signed dsp.key < file.pgp > file
//! ```

use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::time::Duration;

use irgw_core::{Secret, UnixTime};
use irgw_sftp::pgp::{
    Algorithm, CertError, CertFault, Compression, DecryptFault, EncryptError, Fingerprint, KeyError, Limits,
    OwnKey, PartnerCert, Protection, Quarantine, Terms, decrypt, encrypt,
};
use openpgp::armor;
use openpgp::cert::prelude::*;
use openpgp::parse::Parse;
use openpgp::parse::stream::{DetachedVerifierBuilder, MessageLayer, MessageStructure, VerificationHelper};
use openpgp::policy::StandardPolicy;
use openpgp::serialize::stream::{Message, Signer};
use sequoia_openpgp as openpgp;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, told }) => {
            // What cannot be told cannot be helped: the exit code says it too.
            let _ = writeln!(io::stderr(), "sop: {told}");
            ExitCode::from(code)
        }
    }
}

fn run() -> Result<(), Failure> {
    let mut words = std::env::args().skip(1);
    let command = words.next().ok_or_else(|| fail(Code::MissingArg, "which subcommand?"))?;
    let call = Call::parse(words)?;
    match command.as_str() {
        "version" => version(&call),
        "generate-key" => generate_key(&call),
        "extract-cert" => extract_cert(&call),
        "encrypt" => encrypt_message(&call),
        "decrypt" => decrypt_message(&call),
        "sign" => sign(&call),
        "verify" => verify(&call),
        "armor" => to_armor(&call),
        "dearmor" => from_armor(&call),
        other => Err(fail(Code::UnsupportedSubcommand, other)),
    }
}

/// The exit codes of the draft that occur here.
#[derive(Clone, Copy)]
enum Code {
    Failed = 1,
    NoSignature = 3,
    CertCannotEncrypt = 17,
    MissingArg = 19,
    CannotDecrypt = 29,
    UnsupportedOption = 37,
    BadData = 41,
    OutputExists = 59,
    MissingInput = 61,
    KeyIsProtected = 67,
    UnsupportedSubcommand = 69,
    KeyCannotSign = 79,
    UnsupportedProfile = 89,
}

struct Failure {
    code: u8,
    told: String,
}

fn fail(code: Code, told: impl Display) -> Failure {
    Failure { code: code as u8, told: told.to_string() }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        fail(Code::Failed, error)
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Failure {
        let code = match error {
            KeyError::Locked | KeyError::Passphrase => Code::KeyIsProtected,
            KeyError::Failed => Code::Failed,
            _ => Code::BadData,
        };
        fail(code, error)
    }
}

impl From<CertError> for Failure {
    fn from(error: CertError) -> Failure {
        let unusable =
            |fault: &CertFault| matches!(fault, CertFault::Key { .. } | CertFault::NoEncryptionKey);
        let code = if error.faults.iter().all(unusable) { Code::CertCannotEncrypt } else { Code::BadData };
        fail(code, error)
    }
}

impl From<EncryptError> for Failure {
    fn from(error: EncryptError) -> Failure {
        let code = match &error {
            EncryptError::Recipients => Code::MissingArg,
            EncryptError::Recipient(_) => Code::CertCannotEncrypt,
            EncryptError::Signer(_) => Code::KeyCannotSign,
            _ => Code::Failed,
        };
        fail(code, error)
    }
}

impl From<DecryptFault> for Failure {
    fn from(fault: DecryptFault) -> Failure {
        let code = match &fault {
            DecryptFault::NotForUs | DecryptFault::SessionKey | DecryptFault::Cipher(_) => {
                Code::CannotDecrypt
            }
            DecryptFault::Unsigned
            | DecryptFault::UnknownSigner(_)
            | DecryptFault::Signer(_)
            | DecryptFault::BadSignature
            | DecryptFault::Hash(_)
            | DecryptFault::SignatureType
            | DecryptFault::NotIntended => Code::NoSignature,
            DecryptFault::Source(_) | DecryptFault::Sink(_) => Code::Failed,
            _ => Code::BadData,
        };
        fail(code, fault)
    }
}

impl From<openpgp::anyhow::Error> for Failure {
    fn from(error: openpgp::anyhow::Error) -> Failure {
        fail(Code::BadData, error)
    }
}

/// What stands behind the subcommand.
struct Call {
    options: Vec<(String, String)>,
    operands: Vec<String>,
}

impl Call {
    const FLAGS: [&'static str; 4] = ["--no-armor", "--backend", "--extended", "--sop-spec"];

    fn parse(mut words: impl Iterator<Item = String>) -> Result<Call, Failure> {
        let mut call = Call { options: vec![], operands: vec![] };
        while let Some(word) = words.next() {
            if word == "--" {
                call.operands.extend(words.by_ref());
            } else if let Some((name, value)) = word.split_once('=').filter(|_| word.starts_with("--")) {
                call.options.push((name.into(), value.into()));
            } else if Call::FLAGS.contains(&word.as_str()) {
                call.options.push((word, String::new()));
            } else if word.starts_with("--") {
                let value = words.next().ok_or_else(|| fail(Code::MissingArg, &word))?;
                call.options.push((word, value));
            } else {
                call.operands.push(word);
            }
        }
        Ok(call)
    }

    /// Fails where an option is given that the subcommand does not know.
    fn only(&self, known: &[&str]) -> Result<(), Failure> {
        match self.options.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            Some((name, _)) => Err(fail(Code::UnsupportedOption, name)),
            None => Ok(()),
        }
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.options.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn is_armored(&self) -> bool {
        self.all("--no-armor").next().is_none()
    }

    fn passphrase(&self) -> Result<Option<Secret<String>>, Failure> {
        let Some(path) = self.all("--with-key-password").next() else { return Ok(None) };
        let text = String::from_utf8(read(path)?).map_err(|_| fail(Code::BadData, path))?;
        Ok(Some(Secret::new(text.trim_end().to_owned())))
    }
}

fn read(path: &str) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| fail(Code::MissingInput, format_args!("{path}: {error}")))
}

fn stdin() -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn own_key(bytes: &[u8], passphrase: Option<&Secret<String>>) -> Result<OwnKey, Failure> {
    let unprotected = OwnKey::from_bytes(bytes, Protection::Unprotected);
    match (unprotected, passphrase) {
        (Err(KeyError::Locked), Some(passphrase)) => {
            Ok(OwnKey::from_bytes(bytes, Protection::Passphrase(passphrase))?)
        }
        (read, _) => Ok(read?),
    }
}

fn version(call: &Call) -> Result<(), Failure> {
    call.only(&["--backend", "--extended", "--sop-spec"])?;
    let mut out = io::stdout();
    match call.options.first().map(|(name, _)| name.as_str()) {
        None => writeln!(out, "irgw-sftp {}", env!("CARGO_PKG_VERSION"))?,
        Some("--sop-spec") => writeln!(out, "~draft-dkg-openpgp-stateless-cli-11")?,
        Some(_) => {
            writeln!(out, "irgw-sftp {}\nsequoia-openpgp {}", env!("CARGO_PKG_VERSION"), openpgp::VERSION)?
        }
    }
    Ok(())
}

fn generate_key(call: &Call) -> Result<(), Failure> {
    call.only(&["--no-armor", "--with-key-password", "--profile"])?;
    let algorithm = match call.all("--profile").next() {
        None | Some("default" | "rfc4880") => Algorithm::Rsa3072,
        Some("curve25519") => Algorithm::Curve25519,
        Some(profile) => return Err(fail(Code::UnsupportedProfile, profile)),
    };
    let [user_id] = &call.operands[..] else { return Err(fail(Code::MissingArg, "one user id")) };
    let three_years = Duration::from_secs(3 * 365 * 24 * 3600);
    let key = OwnKey::generate(user_id, algorithm, UnixTime::now(), three_years)?;
    let passphrase = call.passphrase()?;
    let protection = passphrase.as_ref().map_or(Protection::Unprotected, Protection::Passphrase);
    write_armored(call, key.to_armored(protection)?.expose())
}

fn extract_cert(call: &Call) -> Result<(), Failure> {
    call.only(&["--no-armor"])?;
    // The public half is there without the passphrase, so this is not the library's `OwnKey`.
    let cert = Cert::from_bytes(&stdin()?)?;
    let mut bytes = Vec::new();
    openpgp::serialize::Serialize::serialize(&cert.armored(), &mut bytes)?;
    write_armored(call, &bytes)
}

fn encrypt_message(call: &Call) -> Result<(), Failure> {
    call.only(&["--no-armor", "--sign-with", "--with-key-password", "--as", "--profile"])?;
    if call.all("--as").any(|form| form != "binary") {
        return Err(fail(Code::UnsupportedOption, "--as: a file is sent as it is (binary)"));
    }
    let now = UnixTime::now();
    let mut signers = call.all("--sign-with");
    let (Some(signer), None) = (signers.next(), signers.next()) else {
        return Err(fail(Code::MissingArg, "--sign-with: what is sent is signed, by one key"));
    };
    let signer = own_key(&read(signer)?, call.passphrase()?.as_ref())?;
    let partners = call
        .operands
        .iter()
        .map(|path| Ok(PartnerCert::enrol(&read(path)?, now, Terms::default())?))
        .collect::<Result<Vec<_>, Failure>>()?;
    let recipients: Vec<&PartnerCert> = partners.iter().collect();
    if call.is_armored() {
        let sink = armor::Writer::new(io::stdout(), armor::Kind::Message)?;
        let mut message = encrypt(&recipients, &signer, Compression::None, now, sink)?;
        io::copy(&mut io::stdin().lock(), &mut message)?;
        message.finish()?.finalize()?;
    } else {
        let mut message = encrypt(&recipients, &signer, Compression::None, now, io::stdout())?;
        io::copy(&mut io::stdin().lock(), &mut message)?;
        message.finish()?;
    }
    Ok(())
}

fn decrypt_message(call: &Call) -> Result<(), Failure> {
    call.only(&["--verify-with", "--verifications-out", "--with-key-password"])?;
    let now = UnixTime::now();
    let passphrase = call.passphrase()?;
    let keys = call
        .operands
        .iter()
        .map(|path| own_key(&read(path)?, passphrase.as_ref()))
        .collect::<Result<Vec<_>, _>>()?;
    let signers =
        call.all("--verify-with").map(|path| signer(&read(path)?)).collect::<Result<Vec<_>, _>>()?;
    if keys.is_empty() || signers.is_empty() {
        return Err(fail(Code::MissingArg, "a key, and --verify-with: nothing unsigned is released"));
    }
    let mut told = call.all("--verifications-out").map(create).next().transpose()?;
    let folder = std::env::temp_dir();
    let quarantine = Quarantine::create_in(&folder)?;
    let verified = decrypt(&keys, &signers, now, &Limits::default(), io::stdin(), quarantine)?;
    if let Some(told) = &mut told {
        let at = rfc3339(verified.signed_at().as_secs());
        writeln!(told, "{at} {} {} mode:binary", verified.key(), verified.signer())?;
    }
    io::copy(&mut verified.open()?, &mut io::stdout())?;
    Ok(())
}

/// A certificate to verify with: it may have no encryption key, which enrolment would ask for.
fn signer(bytes: &[u8]) -> Result<PartnerCert, Failure> {
    let pinned = Fingerprint::from(Cert::from_bytes(bytes)?.fingerprint());
    Ok(PartnerCert::restore(bytes, &pinned, Terms::default())?)
}

fn create(path: &str) -> Result<File, Failure> {
    File::create_new(path).map_err(|error| fail(Code::OutputExists, format_args!("{path}: {error}")))
}

fn sign(call: &Call) -> Result<(), Failure> {
    call.only(&["--no-armor", "--with-key-password", "--as"])?;
    let policy = StandardPolicy::new();
    let mut signatures = Vec::new();
    let data = stdin()?;
    for path in &call.operands {
        let cert = Cert::from_bytes(&read(path)?)?;
        let keys = cert.keys().with_policy(&policy, None).alive().revoked(false).for_signing();
        let key = keys.unencrypted_secret().next().ok_or_else(|| fail(Code::KeyCannotSign, path))?;
        let pair = key.key().clone().into_keypair()?;
        let mut message = Signer::new(Message::new(&mut signatures), pair)?.detached().build()?;
        message.write_all(&data)?;
        message.finalize()?;
    }
    if signatures.is_empty() {
        return Err(fail(Code::MissingArg, "a key"));
    }
    let mut out = armor::Writer::new(Vec::new(), armor::Kind::Signature)?;
    out.write_all(&signatures)?;
    write_armored(call, &out.finalize()?)
}

fn verify(call: &Call) -> Result<(), Failure> {
    call.only(&[])?;
    let [signature, certs @ ..] = &call.operands[..] else {
        return Err(fail(Code::MissingArg, "a signature"));
    };
    let certs =
        certs.iter().map(|path| Ok(Cert::from_bytes(&read(path)?)?)).collect::<Result<_, Failure>>()?;
    let policy = StandardPolicy::new();
    let helper = Detached { certs, lines: vec![] };
    let signature = read(signature)?;
    let mut verifier = DetachedVerifierBuilder::from_bytes(&signature)?.with_policy(&policy, None, helper)?;
    verifier.verify_bytes(stdin()?).map_err(|error| fail(Code::NoSignature, error))?;
    for line in verifier.into_helper().lines {
        writeln!(io::stdout(), "{line}")?;
    }
    Ok(())
}

struct Detached {
    certs: Vec<Cert>,
    lines: Vec<String>,
}

impl VerificationHelper for Detached {
    fn get_certs(&mut self, _: &[openpgp::KeyHandle]) -> openpgp::Result<Vec<Cert>> {
        Ok(self.certs.clone())
    }

    fn check(&mut self, structure: MessageStructure<'_>) -> openpgp::Result<()> {
        for layer in structure {
            let MessageLayer::SignatureGroup { results } = layer else { continue };
            for good in results.into_iter().flatten() {
                let at = good
                    .sig
                    .signature_creation_time()
                    .and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
                let at = rfc3339(at.unwrap_or_default().as_secs());
                let (key, cert) = (good.ka.key().fingerprint(), good.ka.cert().fingerprint());
                self.lines.push(format!("{at} {} {} mode:binary", key.to_hex(), cert.to_hex()));
            }
        }
        if self.lines.is_empty() {
            Err(openpgp::Error::BadSignature("no good signature".into()).into())
        } else {
            Ok(())
        }
    }
}

fn rfc3339(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).unwrap_or_default();
    let date = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    date.format(&Rfc3339).unwrap_or_default()
}

/// Writes what is armoured, or its bytes if they are asked for.
fn write_armored(call: &Call, armored: &[u8]) -> Result<(), Failure> {
    if call.is_armored() {
        io::stdout().write_all(armored)?;
    } else {
        io::copy(
            &mut armor::Reader::from_bytes(armored, armor::ReaderMode::VeryTolerant),
            &mut io::stdout(),
        )?;
    }
    Ok(())
}

fn to_armor(call: &Call) -> Result<(), Failure> {
    call.only(&[])?;
    let bytes = stdin()?;
    if bytes.starts_with(b"-----BEGIN PGP ") {
        return Ok(io::stdout().write_all(&bytes)?);
    }
    let first = bytes.first().ok_or_else(|| fail(Code::BadData, "nothing to armour"))?;
    // The packet type of the old and the new format (RFC 9580 §4.2).
    let tag = if first & 0x40 == 0 { first >> 2 & 0x0f } else { first & 0x3f };
    let kind = match tag {
        2 => armor::Kind::Signature,
        5 => armor::Kind::SecretKey,
        6 => armor::Kind::PublicKey,
        _ => armor::Kind::Message,
    };
    let mut out = armor::Writer::new(io::stdout(), kind)?;
    out.write_all(&bytes)?;
    out.finalize()?;
    Ok(())
}

fn from_armor(call: &Call) -> Result<(), Failure> {
    call.only(&[])?;
    let mut reader = armor::Reader::from_reader(io::stdin(), armor::ReaderMode::VeryTolerant);
    io::copy(&mut reader, &mut io::stdout()).map_err(|error| fail(Code::BadData, error))?;
    Ok(())
}
