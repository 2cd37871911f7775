//! A chain of x509-limbo's, judged by the client-certificate profile of irgw-tls (TLS-4 to TLS-10).
//!
//! Most chains are servers'. They are adapted: the root's `client_eku` setting takes the purpose that the case asks for,
//! the name that the case expects is matched by subjectAltName as a TLS client would, and the Common Name is looked at in
//! the cases that are about it.

use std::time::Duration;

use irgw_tls::{ApprovedRoot, ClientEku, ClientTrust, Crl, Error, Limits};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::Purpose;
use super::limbo::{Chain, Kind, PeerName};

/// A case with the setting that its purpose is judged under.
pub(super) struct Adapted<'a> {
    chain: &'a Chain,
    client_eku: ClientEku,
    now: UnixTime,
}

impl<'a> Adapted<'a> {
    /// Adapts a case; `None` where it asks for a purpose that is no TLS peer's, such as emailProtection.
    pub(super) fn new(chain: &'a Chain, purpose: Purpose, now: u64) -> Option<Adapted<'a>> {
        let asked = |purpose: &str| chain.extended_key_usage.iter().any(|asked| asked == purpose);
        let is_client = purpose == Purpose::Client || chain.validation_kind == Kind::Client;
        let client_eku = if asked("clientAuth") {
            ClientEku::ClientAuth
        } else if asked("serverAuth") {
            ClientEku::ServerAuthAccepted
        } else if !chain.extended_key_usage.is_empty() && !asked("anyExtendedKeyUsage") {
            return None;
        } else if is_client {
            ClientEku::ClientAuth
        } else if chain.id.starts_with("webpki::") {
            ClientEku::ServerAuthAccepted
        } else {
            ClientEku::AbsentAccepted
        };
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
        Some(Adapted { chain, client_eku, now })
    }

    /// What the profile makes of it: the reason of a refusal.
    pub(super) fn verify(&self) -> Result<(), String> {
        let chain = self.chain;
        // A root that cannot be approved is not on the list; others may be.
        let mut refused_roots = Vec::new();
        let mut roots = Vec::new();
        for pem in &chain.trusted_certs {
            match ApprovedRoot::new("limbo", der(pem)?, self.now) {
                Ok(root) => roots.push(root.with_client_eku(self.client_eku)),
                Err(error) => refused_roots.push(error.to_string()),
            }
        }
        let mut crls = Vec::new();
        for pem in &chain.crls {
            crls.extend(Crl::parse(pem.as_bytes()).map_err(text)?);
        }
        let trust = ClientTrust::with_limits(roots, crls, self.limits()).map_err(text)?;
        let end_entity = der(&chain.peer_certificate)?;
        let intermediates: Vec<_> =
            chain.untrusted_intermediates.iter().map(|pem| der(pem)).collect::<Result<_, _>>()?;
        // The cases about the Common Name are judged with it: TLS-6 asks what the CA/Browser Forum asks.
        let verdict = match chain.id.starts_with("webpki::cn::") {
            true => trust.verify(&end_entity, &intermediates, self.now).map(|_| ()),
            false => trust.verify_path(&end_entity, &intermediates, self.now),
        };
        verdict.map_err(|error| match refused_roots.first() {
            Some(root) => format!("{error} ({root})"),
            None => error.to_string(),
        })?;
        let names = chain.expected_peer_name.iter().chain(&chain.expected_peer_names);
        names.into_iter().try_for_each(|name| match_name(&end_entity, name))
    }

    /// The default, with the length of the path that the case allows, as far as the validator follows one.
    fn limits(&self) -> Limits {
        let default = Limits::default();
        let allowed = self.chain.max_chain_depth.and_then(|depth| usize::try_from(depth).ok());
        let intermediates = allowed.map_or(default.intermediates, |depth| depth.min(default.intermediates));
        Limits { intermediates, ..default }
    }
}

/// Mail addresses are not matched: nothing of the gateway's is known by one.
fn match_name(der: &CertificateDer<'_>, PeerName { kind, value }: &PeerName) -> Result<(), String> {
    if !matches!(kind.as_str(), "DNS" | "IP") {
        return Ok(());
    }
    let name = ServerName::try_from(value.as_str()).map_err(|_| "the expected name is no name")?;
    let cert = webpki::EndEntityCert::try_from(der).map_err(|error| error.to_string())?;
    cert.verify_is_valid_for_subject_name(&name).map_err(|error| format!("{error:?}"))
}

fn der(pem: &str) -> Result<CertificateDer<'static>, String> {
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| format!("{error:?}"))
}

fn text(error: Error) -> String {
    error.to_string()
}
