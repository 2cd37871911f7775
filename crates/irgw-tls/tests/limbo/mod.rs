//! Runs cases of x509-limbo (https://x509-limbo.com) against the profile.
//!
//! Most cases are about servers' certificates. They are adapted: the root's `client_eku` setting takes the purpose
//! that the case asks for, the name that the case expects is matched by subjectAltName as a TLS client would, and the
//! Common Name is looked at in the cases that are about it.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use irgw_tls::{ApprovedRoot, ClientEku, ClientTrust, Crl, Error, Limits};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use serde::Deserialize;

/// One case, as limbo's schema has it.
#[derive(Debug, Deserialize)]
pub(crate) struct Case {
    pub(crate) id: String,
    trusted_certs: Vec<String>,
    untrusted_intermediates: Vec<String>,
    peer_certificate: String,
    validation_time: Option<String>,
    extended_key_usage: Vec<String>,
    pub(crate) expected_result: Expected,
    expected_peer_name: Option<PeerName>,
    max_chain_depth: Option<usize>,
    #[serde(default)]
    crls: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Expected {
    Success,
    Failure,
}

#[derive(Debug, Deserialize)]
struct PeerName {
    kind: String,
    value: String,
}

#[derive(Debug, Deserialize)]
struct Suite {
    testcases: Vec<Case>,
}

/// A case where the profile differs from limbo on purpose.
#[derive(Debug, Deserialize)]
pub(crate) struct Difference {
    pub(crate) reason: String,
}

/// The committed differences by case id.
pub(crate) fn differences() -> BTreeMap<String, Difference> {
    toml::from_str(include_str!("../limbo-differences.toml"))
        .expect("limbo-differences.toml is as it should be")
}

/// The cases, if the data is there.
pub(crate) fn cases() -> Option<Vec<Case>> {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/vectors/limbo-core.json.gz");
    let file = std::fs::File::open(path).ok()?;
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("the vectors are gzip");
    let suite: Suite = serde_json::from_str(&text).expect("the vectors are in limbo's schema");
    Some(suite.testcases)
}

impl Case {
    /// What the profile makes of it: the reason of a refusal.
    pub(crate) fn run(&self) -> Result<(), String> {
        let now = self.validation_time.as_deref().map_or(DEFAULT_TIME, seconds);
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
        let asked = |purpose: &str| self.extended_key_usage.iter().any(|asked| asked == purpose);
        let client_eku = if asked("clientAuth") {
            ClientEku::ClientAuth
        } else if asked("serverAuth") || self.id.starts_with("webpki::") {
            ClientEku::ServerAuthAccepted
        } else {
            ClientEku::AbsentAccepted
        };
        // A root that cannot be approved is not on the list; others may be.
        let mut refused_roots = Vec::new();
        let mut roots = Vec::new();
        for pem in &self.trusted_certs {
            match ApprovedRoot::new("limbo", der(pem)?, now) {
                Ok(root) => roots.push(root.with_client_eku(client_eku)),
                Err(error) => refused_roots.push(error.to_string()),
            }
        }
        let mut crls = Vec::new();
        for pem in &self.crls {
            crls.extend(Crl::parse(pem.as_bytes()).map_err(|error| error.to_string())?);
        }
        let default = Limits::default();
        let intermediates = self.max_chain_depth.map_or(default.intermediates, |depth| depth.min(6));
        let limits = Limits { intermediates, ..default };
        let trust = ClientTrust::with_limits(roots, crls, limits).map_err(|error| error.to_string())?;
        let end_entity = der(&self.peer_certificate)?;
        let intermediates: Vec<_> =
            self.untrusted_intermediates.iter().map(|pem| der(pem)).collect::<Result<_, _>>()?;
        // The cases about the Common Name are judged with it: TLS-6 asks what the CA/Browser Forum asks.
        let verdict = match self.id.starts_with("webpki::cn::") {
            true => trust.verify(&end_entity, &intermediates, now).map(|_| ()),
            false => trust.verify_path(&end_entity, &intermediates, now),
        };
        verdict.map_err(|error: Error| match refused_roots.first() {
            Some(root) => format!("{error} ({root})"),
            None => error.to_string(),
        })?;
        self.match_name(&end_entity)
    }

    fn match_name(&self, der: &CertificateDer<'_>) -> Result<(), String> {
        let Some(PeerName { kind, value }) = &self.expected_peer_name else { return Ok(()) };
        if !matches!(kind.as_str(), "DNS" | "IP") {
            return Ok(());
        }
        let name = ServerName::try_from(value.as_str()).map_err(|_| "expected name is no name")?;
        let cert = webpki::EndEntityCert::try_from(der).map_err(|error| error.to_string())?;
        cert.verify_is_valid_for_subject_name(&name).map_err(|error| format!("{error:?}"))
    }
}

fn der(pem: &str) -> Result<CertificateDer<'static>, String> {
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| format!("{error:?}"))
}

/// The time of cases that name none: 2024-06-01.
const DEFAULT_TIME: u64 = 1_717_200_000;

/// `2024-01-01T00:00:00+00:00` in seconds; the cases' times are all UTC.
fn seconds(time: &str) -> u64 {
    let part = |from: usize, to: usize| time[from..to].parse::<u64>().expect("digits");
    let (year, month, day) = (part(0, 4), part(5, 7), part(8, 10));
    let (shifted_year, shifted_month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let era = shifted_year / 400;
    let year_of_era = shifted_year % 400;
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    days * 86_400 + part(11, 13) * 3600 + part(14, 16) * 60 + part(17, 19)
}
