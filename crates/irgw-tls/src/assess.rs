//! What the profile makes of a certificate, rule by rule: for a provider who wants to know before connecting.

use irgw_core::{Rule, UnixTime};
use rustls_pki_types::CertificateDer;
use serde::Serialize;

use crate::certificate::Certificate;
use crate::key::Key;
use crate::profile;
use crate::{ClientEku, ClientTrust, CommonName, CommonNameFault, Error, Fault, Flaw, Place, time};

/// What the profile makes of a certificate. Serialises as it is shown, in JSON or any other format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Assessment {
    /// The subject.
    pub subject: String,
    /// The issuer.
    pub issuer: String,
    /// The serial number in hex.
    pub serial: String,
    /// SHA-256 over the certificate, 64 hex digits.
    pub thumbprint: String,
    /// The Common Name, if it can be one.
    pub common_name: Option<String>,
    /// The kind of key, e.g. `P-384` or `RSA-2048`, if it is accepted.
    pub key: Option<String>,
    /// notBefore, as `2026-01-31T12:00:00Z`.
    pub not_before: String,
    /// notAfter, likewise.
    pub not_after: String,
    /// Whether a handshake would accept the certificate; whether it is enrolled is another matter.
    pub accepted: bool,
    /// One entry a rule, in the rules' order.
    pub findings: Vec<Finding>,
}

/// What one rule makes of a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// Whether it is met.
    pub outcome: Outcome,
    /// Why, or what was found.
    pub detail: String,
}

/// Whether a rule is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It is.
    Met,
    /// It is not.
    NotMet,
    /// That could not be found out, because something before it failed.
    NotJudged,
}

/// Assesses a chain, the end-entity certificate first, by the trust that a listener would judge it by.
///
/// # Errors
/// [`Error::Certificate`] when the end-entity certificate cannot be parsed; everything else is a finding.
pub fn assess(chain: &[CertificateDer<'_>], trust: &ClientTrust, now: UnixTime) -> Result<Assessment, Error> {
    let nothing =
        || Error::certificate(Place::EndEntity.has(Flaw::Malformed("there is no certificate")), None);
    let (end_entity, intermediates) = chain.split_first().ok_or_else(nothing)?;
    let certificate = Certificate::parse(end_entity).map_err(|fault| Error::certificate(fault, None))?;
    let (path, used) = match trust.path_of(end_entity, intermediates, now) {
        Ok(used) => (None, used),
        Err(error) => (Some(fault_of(error)?), Vec::new()),
    };
    let full = match trust.verify(end_entity, intermediates, now) {
        Ok(_) => None,
        Err(error) => Some(fault_of(error)?),
    };
    let common_name = certificate.common_name();
    let key = Key::accept(certificate.x509.public_key());
    let mut findings = vec![
        path_finding(path.as_ref()),
        key_finding(std::iter::once(end_entity).chain(used), path.as_ref()),
        match (&common_name, &full) {
            (Err(fault), _) => not_met(Rule::Tls6, fault.to_string()),
            (Ok(_), Some(Fault { flaw: Flaw::CommonName(fault), .. })) => {
                not_met(Rule::Tls6, fault.to_string())
            }
            (Ok(name), _) => match missing_dns_name(&certificate, name) {
                Some(fault) => not_met(Rule::Tls6, fault.to_string()),
                None => met(Rule::Tls6, format!("the common name is {name}")),
            },
        },
        purpose_finding(&certificate, path.as_ref()),
        match &path {
            None => met(Rule::Tls9, "not revoked, as far as revocation lists are loaded".into()),
            Some(fault) if fault.rule() == Rule::Tls9 => not_met(Rule::Tls9, fault.to_string()),
            Some(fault) if fault.rule() == Rule::Tls8 => {
                met(Rule::Tls9, "not revoked, as far as revocation lists are loaded".into())
            }
            Some(_) => not_judged(Rule::Tls9, "the path is not valid".into()),
        },
    ];
    // What the whole judgement names is a finding, whatever the parts have made of it.
    if let Some(fault) = &full {
        match findings.iter_mut().find(|finding| finding.rule == fault.rule()) {
            Some(finding) if finding.outcome == Outcome::NotMet => {}
            Some(finding) => *finding = not_met(fault.rule(), fault.to_string()),
            None => findings.push(not_met(fault.rule(), fault.to_string())),
        }
    }
    let facts = certificate.facts();
    Ok(Assessment {
        subject: facts.subject.to_string(),
        issuer: facts.issuer.to_string(),
        serial: facts.serial.to_string(),
        thumbprint: facts.thumbprint.to_string(),
        common_name: common_name.ok().map(|name| name.to_string()),
        key: key.ok().map(Key::name),
        not_before: time::rfc3339(facts.not_before),
        not_after: time::rfc3339(facts.not_after),
        accepted: full.is_none(),
        findings,
    })
}

/// The fault that an error is made of; the error itself when it is of another kind.
fn fault_of(error: Error) -> Result<Fault, Error> {
    match error {
        Error::Certificate { fault, .. } => Ok(fault),
        other => Err(other),
    }
}

/// TLS-4: a fault of another rule was found on a path that met this one, unless it is the key's, which is looked at
/// early.
fn path_finding(fault: Option<&Fault>) -> Finding {
    match fault {
        Some(fault) if fault.rule() == Rule::Tls4 => not_met(Rule::Tls4, fault.to_string()),
        Some(fault) if fault.rule() == Rule::Tls5 => {
            not_judged(Rule::Tls4, "a key or signature in the path is not accepted".into())
        }
        _ => met(Rule::Tls4, "the path leads to an approved root".into()),
    }
}

/// TLS-5, of the certificates of the path: what else was sent plays no part.
fn key_finding<'a>(
    certificates: impl IntoIterator<Item = &'a CertificateDer<'a>>,
    path: Option<&Fault>,
) -> Finding {
    if let Some(fault) = path.filter(|fault| fault.rule() == Rule::Tls5) {
        return not_met(Rule::Tls5, fault.to_string());
    }
    let mut names = Vec::new();
    for der in certificates {
        let Ok(certificate) = Certificate::parse(der) else { continue };
        match Key::accept(certificate.x509.public_key()) {
            Ok(key) => names.push(key.name()),
            Err(flaw) => return not_met(Rule::Tls5, flaw.to_string()),
        }
    }
    met(Rule::Tls5, format!("keys: {}", names.join(", ")))
}

fn missing_dns_name(certificate: &Certificate<'_>, name: &CommonName) -> Option<CommonNameFault> {
    let traits = profile::end_entity(certificate).ok()?;
    name.is_among(traits.dns_names.as_deref()).err()
}

fn purpose_finding(certificate: &Certificate<'_>, path: Option<&Fault>) -> Finding {
    if let Some(fault) = path.filter(|fault| fault.rule() == Rule::Tls8) {
        return not_met(Rule::Tls8, fault.to_string());
    }
    match profile::end_entity(certificate) {
        Err(flaw) if flaw.rule() == Rule::Tls8 => not_met(Rule::Tls8, flaw.to_string()),
        Err(_) => not_judged(Rule::Tls8, "the certificate has another defect".into()),
        Ok(traits) => {
            let settings = [ClientEku::ClientAuth, ClientEku::ServerAuthAccepted, ClientEku::AbsentAccepted];
            match settings.into_iter().find(|setting| traits.purposes.admit([], *setting).is_ok()) {
                Some(ClientEku::ClientAuth) => met(Rule::Tls8, "clientAuth is there".into()),
                Some(setting) if path.is_none() => met(
                    Rule::Tls8,
                    format!("admitted by the root's client_eku setting; {} is needed", setting.name()),
                ),
                Some(setting) => {
                    not_judged(Rule::Tls8, format!("client_eku = {:?} is needed", setting.name()))
                }
                None => not_met(Rule::Tls8, "the extended key usage admits no client authentication".into()),
            }
        }
    }
}

fn met(rule: Rule, detail: String) -> Finding {
    Finding { rule, outcome: Outcome::Met, detail }
}

fn not_met(rule: Rule, detail: String) -> Finding {
    Finding { rule, outcome: Outcome::NotMet, detail }
}

fn not_judged(rule: Rule, detail: String) -> Finding {
    Finding { rule, outcome: Outcome::NotJudged, detail }
}
