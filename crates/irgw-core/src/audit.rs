//! One decision, as data (GW-6).

use std::sync::Arc;
use std::time::Duration;

use crate::{
    Channel, ClientId, Logon, Origin, OwnerId, Principal, ProviderId, Rule, Scheme, ServiceName, Thumbprint,
};

/// One decision of the gateway: exactly one per request or refused handshake (GW-6).
///
/// Never holds a secret, a token, a password or a body. Whoever decides fills it; the gateway writes it.
#[derive(Debug, Clone)]
pub struct Record {
    /// When the request arrived, since the Unix epoch.
    pub time: Duration,
    /// The request's id, as forwarded in `X-Request-Id`; empty for a refused connection.
    pub request_id: Arc<str>,
    /// Where it came from.
    pub origin: Origin,
    /// The provider.
    pub provider: Option<ProviderId>,
    /// The strongest scheme that was proved.
    pub mechanism: Option<Scheme>,
    /// The resource owner.
    pub owner: Option<OwnerId>,
    /// The myIR logon.
    pub logon: Option<Logon>,
    /// The OAuth client.
    pub client: Option<ClientId>,
    /// The access token's `jti`.
    pub jti: Option<Arc<str>>,
    /// The signing certificate's thumbprint.
    pub thumbprint: Option<Thumbprint>,
    /// The service that was asked for.
    pub service: Option<ServiceName>,
    /// What was decided.
    pub decision: Decision,
    /// The rule that decided a refusal or a failure.
    pub reason: Option<Rule>,
    /// What exactly was wrong.
    pub cause: Option<String>,
    /// More facts by name, e.g. a refused certificate's subject.
    pub facts: Vec<(&'static str, String)>,
    /// The status that the caller got.
    pub status: Option<u16>,
    /// The status that the backing service gave.
    pub upstream_status: Option<u16>,
    /// From the request's arrival to the answer's head.
    pub duration: Duration,
}

impl Record {
    /// A record of what arrived at `time` from `origin`, everything else unknown and the decision a refusal.
    pub fn new(time: Duration, origin: Origin, request_id: Arc<str>) -> Record {
        Record {
            time,
            request_id,
            origin,
            provider: None,
            mechanism: None,
            owner: None,
            logon: None,
            client: None,
            jti: None,
            thumbprint: None,
            service: None,
            decision: Decision::Refused,
            reason: None,
            cause: None,
            facts: Vec::new(),
            status: None,
            upstream_status: None,
            duration: Duration::ZERO,
        }
    }

    /// The channel that it arrived on.
    pub fn channel(&self) -> Channel {
        self.origin.channel
    }

    /// Notes who was calling.
    pub fn identify(&mut self, principal: &Principal) {
        self.provider = principal.provider().cloned();
        self.mechanism = Some(principal.mechanism());
        self.owner = principal.owner().cloned();
        self.logon = principal.logon().cloned();
        self.client = principal.client().map(|(client, _)| client.clone());
        self.jti = principal.token().map(Arc::from);
        self.thumbprint = principal.signing();
    }
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Forwarded, or answered by the gateway on the service's behalf.
    Admitted,
    /// Refused; no backing service saw anything.
    Refused,
    /// Admitted, and the backing service did not answer properly.
    Failed,
}

impl Decision {
    /// The name in records.
    pub const fn name(self) -> &'static str {
        match self {
            Decision::Admitted => "admitted",
            Decision::Refused => "refused",
            Decision::Failed => "failed",
        }
    }
}
