//! What an authenticator says of a request: nothing presented, a proof, or a rejection.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::{ClientId, ClientKind, Logon, OwnerId, ProviderId, Rule, ServiceName, Thumbprint, TokenFamily};

/// An authenticator's judgement. Three, because the wire has three answers (SPEC section 6).
#[derive(Debug)]
pub enum Verdict {
    /// Nothing of this scheme was presented: "no token".
    Absent,
    /// What was presented proves this.
    Accept(Proof),
    /// What was presented is refused; no other scheme is tried.
    Reject(Rejection),
}

impl From<Result<Proof, Rejection>> for Verdict {
    fn from(result: Result<Proof, Rejection>) -> Verdict {
        match result {
            Ok(proof) => Verdict::Accept(proof),
            Err(rejection) => Verdict::Reject(rejection),
        }
    }
}

/// One thing that was proved about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Proof {
    /// A client certificate whose Common Name is enrolled (TLS-6).
    Provider {
        /// Who sent the request.
        provider: ProviderId,
        /// The enrolled Common Name.
        common_name: Arc<str>,
        /// What the enrolment opens by the certificate alone.
        grants: Arc<Grants>,
    },
    /// A JWT signed by an enrolled signing certificate (M2M-3).
    Owner {
        /// The signing certificate.
        credential: Thumbprint,
        /// Whose identity the transaction runs under.
        owner: OwnerId,
        /// The myIR logon whose delegations apply; `None`: the owner's own access (M2M-7).
        logon: Option<Logon>,
    },
    /// What a JWT claims, its `sub`, `iss` and signature unchecked: the mock environment's default (ENV-4).
    Claim {
        /// The claimed `sub`.
        subject: Arc<str>,
        /// The claimed `startLogon`.
        logon: Option<Logon>,
    },
    /// An access token of the authorization server (OA-10).
    Grant {
        /// Which application.
        client: ClientId,
        /// Its kind.
        kind: ClientKind,
        /// The customer's myIR logon.
        logon: Logon,
        /// The token family (OA-13).
        family: TokenFamily,
        /// The token's own id.
        jti: Arc<str>,
    },
    /// The address is on the allow-list (IP-1).
    Address,
}

/// What a client-certificate enrolment opens by the certificate alone (TLS-12).
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Grants {
    /// The mTLS-only services that this certificate may call.
    pub services: BTreeSet<ServiceName>,
    /// The certificate serves those services and no others.
    pub exclusive: bool,
}

/// A refusal, in the terms of the profile.
#[derive(Debug)]
pub struct Rejection {
    /// The rule that refuses: the reason code.
    pub rule: Rule,
    /// What the caller is told.
    pub class: Class,
    /// What exactly was wrong: for the log and the audit record, never for the caller (ERR-1).
    pub cause: Box<dyn Error + Send + Sync>,
    /// What was proved of the caller all the same, by name: for the audit record (GW-6), never for the caller.
    pub facts: Vec<(&'static str, String)>,
}

impl Rejection {
    /// A credential that is not valid.
    pub fn bad_token(
        rule: Rule,
        fault: TokenFault,
        cause: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Rejection {
        Rejection { rule, class: Class::BadToken(fault), cause: cause.into(), facts: Vec::new() }
    }

    /// A caller who is known and may not do this.
    pub fn not_permitted(
        rule: Rule,
        barrier: Barrier,
        cause: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Rejection {
        Rejection { rule, class: Class::NotPermitted(barrier), cause: cause.into(), facts: Vec::new() }
    }

    /// The same, with what was proved of the caller.
    pub fn knowing(mut self, facts: impl IntoIterator<Item = (&'static str, String)>) -> Rejection {
        self.facts.extend(facts);
        self
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.cause)
    }
}

/// What the caller is told, before a service's dialect puts it into words (SPEC section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// The credential is not valid.
    BadToken(TokenFault),
    /// The credential is well-formed, the access is not permitted.
    NotPermitted(Barrier),
}

/// Why a credential is not valid; only the `calculators` dialect tells these apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenFault {
    /// Not a token of this kind, or not in its strict form.
    Malformed,
    /// Expired, not yet valid, or valid for too long.
    Times,
    /// The credential that it names is not enrolled, or no longer valid.
    UnknownCredential,
    /// The signature does not verify.
    Signature,
    /// The algorithm is not the enrolled credential's.
    Algorithm,
}

/// What stands between a known caller and the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Barrier {
    /// The client certificate's provider is not enrolled.
    Provider,
    /// The service does not admit this kind of credential, or the certificate has no grant for it.
    Service,
    /// The provider is not enrolled to act for the resource owner.
    Owner,
    /// The logon is not linked to the resource owner.
    Logon,
    /// The OAuth client is not the provider's, or not of the channel's kind.
    Client,
}
