//! The files that a provider has: client certificate, signing certificate, OpenPGP certificate, and their keys.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use irgw_core::{Rule, UnixTime};
use irgw_m2m::{SigningCert, SigningKey};
use irgw_sftp::pgp::{PartnerCert, Terms};
use irgw_tls::{ClientIdentity, ClientTrust, Outcome, assess};

use super::report::Report;
use crate::bounded::{self, Readers};
use crate::commands::CommandError;
use crate::commands::certificate_file::{read_certificate, read_chain};
use crate::commands::dev_file::Pair;
use crate::commands::listing::rfc3339;
use crate::handle::causes;

/// Judges a client certificate as the gateway will, and its key; the two as an identity, if they are one.
///
/// # Errors
/// When a file cannot be read.
pub(super) fn client(
    pair: &Pair,
    trust: &ClientTrust,
    now: UnixTime,
    report: &mut Report,
) -> Result<Option<ClientIdentity>, CommandError> {
    const WHAT: &str = "client certificate";
    let assessment = assess(&read_chain(&pair.certificate)?, trust, now)
        .map_err(|error| CommandError::from(error).about(&pair.certificate))?;
    for finding in assessment.findings {
        match finding.outcome {
            Outcome::Met => report.good(WHAT, finding.rule, finding.detail),
            Outcome::NotMet => report.bad(WHAT, finding.rule, finding.detail, for_client(finding.rule)),
            Outcome::NotJudged => {}
        }
    }
    let identity = ClientIdentity::from_pem(
        &read(&pair.certificate)?,
        &key(&pair.key, "client key", Rule::Tls3, report)?,
    );
    match &identity {
        Ok(identity) => {
            report.good("client key", Rule::Tls3, "it is the certificate's");
            let ends = UnixTime::since_unix_epoch(Duration::from_secs(identity.facts().not_after));
            let advice = "have a new one issued with the same Common Name; nobody need be told (TLS-7)";
            ending(WHAT, Rule::Tls4, ends, now, advice, report);
        }
        Err(error) => {
            let advice = "name the key that the certificate was requested with, as unencrypted PEM";
            report.bad("client key", Rule::Tls3, causes(error), advice);
        }
    }
    Ok(identity.ok())
}

/// Judges a signing certificate as it will be at its enrolment, and its key.
///
/// # Errors
/// When a file cannot be read.
pub(super) fn signing(pair: &Pair, now: UnixTime, report: &mut Report) -> Result<(), CommandError> {
    const WHAT: &str = "signing certificate";
    let cert = match SigningCert::enrol(&read_certificate(&pair.certificate)?, now) {
        Ok(cert) => cert,
        Err(error) => {
            let advice = "make another one: X.509 v3, at most four years, P-256, P-384, P-521 or RSA of 2048 bits or more";
            report.bad(WHAT, error.rule(), error.to_string(), advice);
            return Ok(());
        }
    };
    report.good(WHAT, Rule::M2m8, format!("sub is {}", cert.thumbprint()));
    let advice = "have the next one enrolled beside it: both are good while you change over";
    ending(WHAT, Rule::M2m8, cert.not_after(), now, advice, report);
    let advice = "name the key that the certificate was made with, as unencrypted PEM";
    match SigningKey::from_pem(&key(&pair.key, "signing key", Rule::M2m4, report)?) {
        Ok(key) if key.is_key_of(&cert) => {
            report.good(
                "signing key",
                Rule::M2m4,
                format!("it is the certificate's, and signs {}", key.algorithm()),
            );
        }
        Ok(_) => report.bad("signing key", Rule::M2m4, "it is another certificate's", advice),
        Err(error) => report.bad("signing key", Rule::M2m4, error.to_string(), advice),
    }
    Ok(())
}

/// Judges an OpenPGP certificate as it will be at its enrolment.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn pgp(file: &Path, now: UnixTime, report: &mut Report) -> Result<(), CommandError> {
    const WHAT: &str = "OpenPGP certificate";
    match PartnerCert::enrol(&read(file)?, now, Terms::default()) {
        Ok(cert) => {
            report.good(WHAT, Rule::Pgp1, format!("files can be encrypted to {}", cert.fingerprint()));
            for warning in cert.warnings(now, SOON) {
                let advice = "extend or replace it, and send the new certificate";
                report.bad(WHAT, Rule::Pgp1, warning.to_string(), advice);
            }
        }
        Err(error) => {
            report.bad(WHAT, Rule::Pgp1, causes(&error), "send one that has a live key for encryption")
        }
    }
    Ok(())
}

/// Reads a private key, and says so when others can.
fn key(path: &Path, what: &'static str, rule: Rule, report: &mut Report) -> Result<Vec<u8>, CommandError> {
    let bytes = read(path)?;
    let mode = std::fs::metadata(path)
        .map_err(|error| CommandError::unusable(error).about(path))?
        .permissions()
        .mode();
    if mode & 0o077 != 0 {
        let found = format!("others may read {} (mode {:04o})", path.display(), mode & 0o777);
        report.bad(what, rule, found, "run: chmod 600, and think whether somebody has read it");
    }
    Ok(bytes)
}

fn ending(
    what: &'static str,
    rule: Rule,
    ends: UnixTime,
    now: UnixTime,
    advice: &'static str,
    report: &mut Report,
) {
    let left = ends.as_secs().saturating_sub(now.as_secs());
    // Over already: the judgement says so.
    if left > 0 && left < SOON.as_secs() {
        report.bad(what, rule, format!("it ends on {}", rfc3339(ends)), advice);
    } else if left > 0 {
        report.good(what, rule, format!("it is good until {}", rfc3339(ends)));
    }
}

fn read(path: &Path) -> Result<Vec<u8>, CommandError> {
    bounded::read(path, LIMIT_BYTES, Readers::Anybody)
        .map_err(|error| CommandError::unusable(error).about(path))
}

fn for_client(rule: Rule) -> &'static str {
    match rule {
        Rule::Tls5 => "have one issued for a key on P-384 or P-256, signed with SHA-256 or better",
        Rule::Tls6 => {
            "have one issued with exactly the assigned Common Name, and that dNSName if there are any"
        }
        Rule::Tls8 => {
            "have one issued for client authentication, or ask what the gateway accepts instead and say it with --client-eku"
        }
        Rule::Tls9 => "have a new one issued",
        _ => {
            "put the intermediates behind the end-entity certificate, and have it issued under an approved root"
        }
    }
}

/// What ends within this time is a finding.
const SOON: Duration = Duration::from_secs(30 * 86_400);

const LIMIT_BYTES: u64 = 256 * 1024;
