//! The authenticator of client certificates: from the verified certificate to the provider, on every request (TLS-6
//! to TLS-10).

use std::sync::Arc;

use irgw_core::{Authenticator, Barrier, Presented, Proof, Refusal, Rejection, Rule, Scheme, Verdict};

use crate::{ClientTrust, Enrolments, IssuerPin, VerifiedCert};

/// Judges requests by the client certificate of their connection.
///
/// Nothing that was found at the handshake is taken for granted: validity, revocation and enrolment are looked at on
/// every request, so that an open connection ends with what it rests on (TLS-10). While nothing changed that costs
/// two atomic loads and the enrolment's look-up.
#[derive(Debug, Clone)]
pub struct ClientCert {
    enrolments: Arc<dyn Enrolments>,
    trust: Arc<ClientTrust>,
}

impl ClientCert {
    /// Judges by these enrolments, and by the trust that the listener's handshakes are judged by.
    pub fn new(enrolments: Arc<dyn Enrolments>, trust: Arc<ClientTrust>) -> ClientCert {
        ClientCert { enrolments, trust }
    }

    /// Judges a verified certificate at the time of `presented`.
    fn judge(&self, cert: &VerifiedCert, presented: &Presented<'_>) -> Result<Proof, Rejection> {
        self.trust
            .confirm(cert, presented.now)
            .map_err(|error| Rejection::not_permitted(error.rule(), Barrier::Provider, error))?;
        let enrolment = self.enrolments.by_common_name(cert.common_name().as_str()).map_err(|missing| {
            Rejection::not_permitted(missing.rule(Rule::Tls6), Barrier::Provider, missing)
        })?;
        // The look-up is the store's; that it found this very name is what TLS-6 rests on.
        if *enrolment.common_name != *cert.common_name().as_str() {
            return Err(Rejection::not_permitted(Rule::Tls6, Barrier::Provider, OtherName));
        }
        if let Some(pin) = enrolment.issuer_pin.filter(|pin| !cert.meets(pin)) {
            let cause = PinNotMet { pin, issuer: cert.issuer_pin() };
            return Err(Rejection::not_permitted(Rule::Tls7, Barrier::Provider, cause));
        }
        Ok(Proof::Provider {
            provider: enrolment.provider.clone(),
            common_name: enrolment.common_name.clone(),
            grants: enrolment.grants.clone(),
        })
    }
}

impl Authenticator for ClientCert {
    fn scheme(&self) -> Scheme {
        Scheme::ClientCert
    }

    fn authenticate(&self, presented: &Presented<'_>) -> Verdict {
        match presented.peer.evidence::<VerifiedCert>() {
            Some(cert) => self.judge(cert, presented).into(),
            None => Verdict::Absent,
        }
    }
}

#[derive(Debug)]
struct OtherName;

impl std::fmt::Display for OtherName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the enrolment that was found is of another name")
    }
}

impl std::error::Error for OtherName {}

#[derive(Debug)]
struct PinNotMet {
    pin: IssuerPin,
    issuer: Option<IssuerPin>,
}

impl std::fmt::Display for PinNotMet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the enrolment pins authority {}", self.pin)?;
        match self.issuer {
            Some(issuer) => write!(f, ", the certificate was issued by {issuer}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for PinNotMet {}
