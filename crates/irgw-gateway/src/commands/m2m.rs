//! `irgw m2m sign|verify|inspect`: client-signed JWTs at the command line.

use std::fs;
use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use irgw_core::{Logon, Secret, UnixTime, printable};
use irgw_m2m::inspect::{Case, Colons, Form, Names, Outcome, Spelling};
use irgw_m2m::{Against, Credential, LegacySha1, NewToken, SigningCert, SigningKey};
use serde::Serialize;

use super::{CommandError, certificate_file};

/// The arguments of `irgw m2m`.
#[derive(Debug, clap::Args)]
pub(crate) struct M2mArgs {
    #[command(subcommand)]
    command: M2mCommand,
}

#[derive(Debug, clap::Subcommand)]
enum M2mCommand {
    /// Sign a token; it is printed on one line
    #[command(after_help = "Example:
  TOKEN=$(irgw m2m sign --key tui.key --certificate tui.crt --issuer \"Tui Bakery\")
  curl -H \"Authorization: $TOKEN\" …          without the word Bearer (M2M-1)")]
    Sign {
        /// The private key: PKCS#8, PKCS#1 or SEC 1, PEM
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// The enrolled signing certificate, PEM or DER; its thumbprint becomes `sub`
        #[arg(long, value_name = "FILE")]
        certificate: PathBuf,
        /// The agreed `iss`
        #[arg(long)]
        issuer: String,
        /// The myIR logon whose delegations apply; without it the owner's own access does (M2M-7)
        #[arg(long, value_name = "LOGON")]
        start_logon: Option<Logon>,
        /// How long it lives, at most 28800 (M2M-6)
        #[arg(long, value_name = "SECONDS", default_value_t = 600)]
        lifetime: u64,
        /// An id of its own, where the operator allows each token once (M2M-10)
        #[arg(long)]
        jti: Option<String>,
        /// RS256, RS384 or RS512 for an RSA key; an elliptic-curve key has one algorithm
        #[arg(long, value_name = "ALG")]
        alg: Option<irgw_m2m::Algorithm>,
    },
    /// Verify a token against a certificate, as the gateway would
    #[command(
        after_help = "Exit codes: 0 it is valid, 1 it is refused and the rule is named, 2 a file cannot be read."
    )]
    Verify {
        /// The token, a file that holds it, or - for standard input
        token: String,
        /// The signing certificate, PEM or DER
        #[arg(long, value_name = "FILE")]
        certificate: PathBuf,
        /// The agreed `iss`
        #[arg(long)]
        issuer: String,
        /// Judge as of this time, in seconds since 1970
        #[arg(long, value_name = "SECONDS")]
        at: Option<u64>,
        /// Accept a SHA-1 thumbprint as `sub` (M2M-3)
        #[arg(long)]
        legacy_sha1_thumbprint: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Say for each rule whether a token meets it, and how its `sub` is spelt
    #[command(
        after_help = "Exit codes: 0 every rule that could be judged is met, 1 one is not, 2 a file cannot be read."
    )]
    Inspect {
        /// The token, a file that holds it, or - for standard input
        token: String,
        /// The signing certificate, PEM or DER: without it the signature cannot be judged
        #[arg(long, value_name = "FILE")]
        certificate: Option<PathBuf>,
        /// The agreed `iss`
        #[arg(long)]
        issuer: Option<String>,
        /// Judge as of this time, in seconds since 1970
        #[arg(long, value_name = "SECONDS")]
        at: Option<u64>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Does what the command says.
///
/// # Errors
/// When the token is refused, or a file cannot be used.
pub(crate) fn run(args: &M2mArgs, now: UnixTime, out: &mut impl Write) -> Result<(), CommandError> {
    match &args.command {
        M2mCommand::Sign { key, certificate, issuer, start_logon, lifetime, jti, alg } => {
            let cert = signing_cert(certificate, now)?;
            let mut signing = signing_key(key)?;
            if !signing.is_key_of(&cert) {
                let (key, certificate) = (key.display(), certificate.display());
                return Err(CommandError::unusable(format_args!("{key} is not the key of {certificate}")));
            }
            if let Some(alg) = alg {
                signing = signing.with_algorithm(*alg)?;
            }
            let token = NewToken {
                thumbprint: cert.thumbprint(),
                issuer,
                start_logon: start_logon.as_ref(),
                issued_at: now,
                lifetime: Duration::from_secs(*lifetime),
                jti: jti.as_deref(),
            };
            writeln!(out, "{}", irgw_m2m::sign(&token, &signing)?)?;
            Ok(())
        }
        M2mCommand::Verify { token, certificate, issuer, at, legacy_sha1_thumbprint, json } => {
            let now = at.map_or(now, time);
            let token = token_text(token)?;
            let legacy_sha1 =
                if *legacy_sha1_thumbprint { LegacySha1::Accepted } else { LegacySha1::Refused };
            let credential = Credential {
                cert: signing_cert(certificate, now)?,
                issuer: Arc::from(issuer.as_str()),
                owner: "the-certificate's".parse().expect("a constant that is well-formed"),
                revision: 0,
                legacy_sha1,
            };
            let claims = irgw_m2m::verify(&token, &credential, now)?;
            let view = ClaimsView {
                sub: claims.subject.to_string(),
                iss: claims.issuer.to_string(),
                start_logon: claims.start_logon.as_ref().map(Logon::to_string),
                iat: claims.issued_at.as_secs(),
                exp: claims.expires_at.as_secs(),
                jti: claims.jti.as_ref().map(ToString::to_string),
            };
            if *json {
                writeln!(out, "{}", serde_json::to_string(&view).map_err(CommandError::unusable)?)?;
            } else {
                writeln!(
                    out,
                    "valid: signed by {}, for {} s more",
                    credential.cert.subject(),
                    view.exp.saturating_sub(now.as_secs())
                )?;
                writeln!(out, "  sub         {}\n  iss         {}", view.sub, printable(&view.iss))?;
                writeln!(
                    out,
                    "  startLogon  {}",
                    view.start_logon.as_deref().map_or("(the owner's own access)".to_owned(), printable)
                )?;
                writeln!(out, "  iat, exp    {}, {}", view.iat, view.exp)?;
            }
            Ok(())
        }
        M2mCommand::Inspect { token, certificate, issuer, at, json } => {
            let token = token_text(token)?;
            let der = certificate.as_deref().map(certificate_file::read_certificate).transpose()?;
            let against =
                Against { certificate: der.as_deref(), issuer: issuer.as_deref(), ..Against::default() };
            let inspection = irgw_m2m::inspect(&token, &against, at.map_or(now, time));
            if *json {
                writeln!(
                    out,
                    "{}",
                    serde_json::to_string_pretty(&inspection).map_err(CommandError::unusable)?
                )?;
            } else {
                for finding in &inspection.findings {
                    let outcome = match finding.outcome {
                        Outcome::Met => "met",
                        Outcome::NotMet => "NOT MET",
                        Outcome::CannotTell => "cannot tell",
                    };
                    writeln!(out, "{:<7} {outcome:<12} {}", finding.rule, finding.explanation)?;
                }
                if let Some(spelling) = &inspection.subject {
                    writeln!(out, "sub     {}", in_words(spelling))?;
                }
            }
            match inspection.findings.iter().find(|finding| finding.outcome == Outcome::NotMet) {
                Some(broken) => {
                    Err(CommandError::refused(broken.rule, "the gateway would refuse this token"))
                }
                None => Ok(()),
            }
        }
    }
}

/// Which spelling of which thumbprint a `sub` is.
fn in_words(spelling: &Spelling) -> String {
    let form = match spelling.form {
        Form::Sha256 => "the SHA-256 thumbprint in hex",
        Form::Sha1 => "the SHA-1 thumbprint in hex",
        Form::Base64 => "the SHA-256 thumbprint in base64",
        Form::Separated => "the SHA-256 thumbprint in hex, oddly separated",
        Form::PublicKey => "the SHA-256 of the public key",
        Form::Unknown => return "no thumbprint in any known spelling".to_owned(),
    };
    let case = match spelling.case {
        Case::Upper => ", upper case",
        Case::Lower => ", lower case",
        Case::Mixed => ", mixed case",
        Case::None => "",
    };
    let colons = match spelling.colons {
        Colons::Present => ", with colons",
        Colons::Absent => "",
    };
    let names = match spelling.names {
        Names::GivenCertificate => "of the given certificate",
        Names::AnotherCertificate => "of another certificate than the given one",
        Names::CannotTell => "(give --certificate to learn whose)",
    };
    format!("{form}{case}{colons} {names}")
}

#[derive(Serialize)]
struct ClaimsView {
    sub: String,
    iss: String,
    #[serde(rename = "startLogon")]
    start_logon: Option<String>,
    iat: u64,
    exp: u64,
    jti: Option<String>,
}

fn time(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

fn signing_cert(path: &Path, now: UnixTime) -> Result<SigningCert, CommandError> {
    let der = certificate_file::read_certificate(path)?;
    SigningCert::enrol(&der, now).map_err(|error| CommandError::from(error).about(path))
}

fn signing_key(path: &Path) -> Result<SigningKey, CommandError> {
    let unreadable = |error| CommandError::unusable(format_args!("cannot read {}: {error}", path.display()));
    let pem = Secret::new(fs::read(path).map_err(unreadable)?);
    SigningKey::from_pem(pem.expose()).map_err(|error| {
        CommandError::unusable(format_args!(
            "{}: {error}; PKCS#8, PKCS#1 and SEC 1 PEM are allowed",
            path.display()
        ))
    })
}

/// The token itself, out of a file, or from standard input; bounded.
fn token_text(argument: &str) -> Result<String, CommandError> {
    const LIMIT_BYTES: u64 = 64 * 1024;
    let read = |from: &mut dyn Read| {
        let mut text = String::new();
        from.take(LIMIT_BYTES).read_to_string(&mut text).map(|_| text.trim_end().to_owned())
    };
    let text = match argument {
        "-" => {
            if std::io::stdin().is_terminal() {
                return Err(CommandError::unusable("standard input is a terminal; pipe the token into it"));
            }
            read(&mut std::io::stdin().lock())
        }
        // What is there is meant, a pipe as well: /dev/fd/63 is how a shell passes `<(…)`.
        token if is_token(token) && !Path::new(token).exists() => return Ok(token.trim().to_owned()),
        path => fs::File::open(path).and_then(|mut file| read(&mut file)),
    };
    text.map_err(|error| {
        let named: String = argument.chars().take(64).collect();
        CommandError::unusable(format_args!(
            "cannot read the token from {named}: {error} (a token itself has two dots and no slash)"
        ))
    })
}

/// Whether an argument is meant as a token and not as a path: it has two dots and no slash.
fn is_token(argument: &str) -> bool {
    !argument.contains('/') && argument.matches('.').count() == 2
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Irgw {
        #[command(flatten)]
        m2m: M2mArgs,
    }

    fn refused(words: &[&str]) -> (u8, String) {
        let args = Irgw::try_parse_from([&["m2m"], words].concat()).unwrap();
        let error = run(&args.m2m, time(1_800_000_000), &mut Vec::new()).unwrap_err();
        (error.exit_code(), error.to_string())
    }

    #[test]
    fn mistyped_path_is_a_file_that_cannot_be_read() {
        for path in ["token.jwt", "absent", "absent/a.b.c", "/dev/fd/no.such.thing", ""] {
            let (code, message) = refused(&["inspect", path]);
            assert_eq!(code, 2, "{path}: {message}");
            assert!(message.starts_with(&format!("cannot read the token from {path}: ")), "{message}");
        }
        assert_eq!(refused(&["inspect", "a.b.c"]).0, 1);
        assert_eq!(refused(&["inspect", "Bearer a.b.c"]).0, 1);
    }

    #[test]
    fn token_is_read_from_a_pipe() {
        use std::os::fd::AsRawFd;
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(b"a.b.c\n").unwrap();
        drop(writer);
        assert_eq!(token_text(&format!("/dev/fd/{}", reader.as_raw_fd())), Ok("a.b.c".to_owned()));
    }

    #[test]
    fn certificate_that_is_refused_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tui.pem");
        fs::write(&path, "no certificate").unwrap();
        let path = path.to_str().unwrap();
        for words in [
            &["verify", "a.b.c", "--issuer", "i", "--certificate", path][..],
            &["sign", "--key", path, "--issuer", "i", "--certificate", path],
        ] {
            assert!(refused(words).1.starts_with(&format!("refused by M2M-8: {path}: ")));
        }
    }
}
