//! Why a handshake, a certificate or a setting of this crate is refused: data for the log, never for the far end.

use std::fmt;
use std::io;
use std::sync::Arc;

use irgw_core::{Refusal, Rule};

use crate::Fault;
use crate::certificate::Facts;

/// Why a handshake, a certificate or a setting is refused. [`Refusal::rule`] names the rule, [`Refusal::facts`] what
/// is known about the far end.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The client's certificate, or its path, does not meet the profile (TLS-4 to TLS-9).
    Certificate {
        /// What is wrong, and where.
        fault: Fault,
        /// Whose certificate it is, as far as it could be read.
        facts: Option<Box<Facts>>,
        /// The server name that the client asked for.
        sni: Option<Arc<str>>,
    },
    /// The client sent no certificate (TLS-3).
    NoCertificate {
        /// The server name that the client asked for.
        sni: Option<Arc<str>>,
    },
    /// The handshake failed for another reason.
    Handshake {
        /// Why.
        fault: HandshakeFault,
        /// What the TLS library says.
        detail: Arc<str>,
        /// The server name that the client asked for.
        sni: Option<Arc<str>>,
    },
    /// The stream ended or failed during the handshake.
    Stream {
        /// How.
        kind: io::ErrorKind,
        /// The server name that the client asked for.
        sni: Option<Arc<str>>,
    },
    /// A certificate cannot be put on the approved list (TLS-4).
    Root {
        /// The name that it would have had.
        name: Arc<str>,
        /// What is wrong with it.
        fault: Fault,
    },
    /// The Mozilla list has no approved owner of this name (TLS-4).
    UnknownOwner {
        /// The name.
        name: Arc<str>,
    },
    /// The Mozilla list has no root of this owner any more, or none that can be approved (TLS-4).
    NoRootLeft {
        /// The owner.
        owner: &'static str,
        /// Whose roots its certificates lead to instead.
        successor: Option<&'static str>,
    },
    /// Two roots of the approved list have the same name or the same certificate (TLS-4).
    DuplicateRoot {
        /// The name.
        name: Arc<str>,
    },
    /// A revocation list cannot be used (TLS-9).
    Crl(CrlFault),
    /// A certificate and private key cannot be used as an identity (TLS-2).
    Identity(IdentityFault),
    /// A PEM file cannot be read, or holds nothing of the kind that is asked for.
    Pem {
        /// What was asked for.
        expected: &'static str,
    },
    /// The name of the server to connect to is neither a DNS name nor an address.
    ServerName {
        /// The name.
        name: Arc<str>,
    },
}

/// Why a handshake failed, certificates aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandshakeFault {
    /// The far end offers neither TLS 1.2 nor 1.3 (TLS-1).
    Version,
    /// The far end offers none of the six suites, or no group or signature scheme that goes with them (TLS-2).
    Suite,
    /// The signature of the far end's certificate key does not verify, or is of a kind that is not accepted (TLS-5).
    Signature,
    /// The far end refused us with an alert.
    Alert,
    /// The far end's certificate is not accepted: it is a server's, and this end the client.
    ServerCertificate,
    /// The far end does not speak TLS as RFC 5246 and RFC 8446 have it (TLS-1).
    Protocol,
}

/// Why a revocation list is refused (TLS-9, RFC 5280 §5).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CrlFault {
    /// More bytes than are read.
    TooLarge {
        /// The limit.
        limit_bytes: usize,
    },
    /// Neither DER nor PEM of a revocation list; what is wrong.
    Malformed(String),
    /// There is no cRLNumber (RFC 5280 §5.2.3).
    NoNumber,
    /// The cRLNumber is critical (RFC 5280 §5.2.3).
    CriticalNumber,
    /// Its issuer is known, and the signature is not by its key in an accepted algorithm.
    BadSignature {
        /// Who should have signed it.
        issuer: Arc<str>,
    },
    /// The list that should take another's place does not cover what that does.
    Dropped {
        /// Whose list is missing.
        issuer: Arc<str>,
    },
    /// The list that should take another's place is older (RFC 5280 §5.2.3).
    Older {
        /// Whose list it is.
        issuer: Arc<str>,
    },
}

/// Why a certificate and key are refused as an identity.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdentityFault {
    /// There is no certificate in the PEM.
    NoCertificate,
    /// There is no private key in the PEM.
    NoKey,
    /// The private key cannot be read: it is encrypted, or of a kind that is not known.
    UnreadableKey,
    /// The end-entity certificate cannot be read.
    UnreadableCertificate,
    /// The private key is not the certificate's.
    Mismatch,
    /// The key is not an elliptic-curve key on P-256 or P-384 (TLS-2); what it is.
    NotEllipticCurve(String),
}

impl Error {
    /// A certificate fault, its facts taken from the certificate if that can be read.
    pub(crate) fn certificate(fault: Fault, facts: Option<Facts>) -> Error {
        Error::Certificate { fault, facts: facts.map(Box::new), sni: None }
    }

    /// The same, with the name that the client asked for.
    pub(crate) fn asked_for(mut self, name: Option<Arc<str>>) -> Error {
        match &mut self {
            Error::Certificate { sni, .. }
            | Error::NoCertificate { sni }
            | Error::Handshake { sni, .. }
            | Error::Stream { sni, .. } => *sni = name,
            _ => {}
        }
        self
    }
}

impl Refusal for Error {
    fn rule(&self) -> Rule {
        match self {
            Error::Certificate { fault, .. } => fault.rule(),
            Error::NoCertificate { .. } => Rule::Tls3,
            Error::Handshake { fault, .. } => match fault {
                HandshakeFault::Version | HandshakeFault::Protocol | HandshakeFault::Alert => Rule::Tls1,
                HandshakeFault::Suite => Rule::Tls2,
                HandshakeFault::Signature => Rule::Tls5,
                HandshakeFault::ServerCertificate => Rule::Tls4,
            },
            Error::Stream { .. } | Error::ServerName { .. } => Rule::Tls1,
            Error::Root { fault, .. } => fault.rule(),
            Error::UnknownOwner { .. }
            | Error::NoRootLeft { .. }
            | Error::DuplicateRoot { .. }
            | Error::Pem { .. } => Rule::Tls4,
            Error::Crl(_) => Rule::Tls9,
            Error::Identity(_) => Rule::Tls2,
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let mut known = Vec::new();
        if let Error::Certificate { sni: Some(sni), .. }
        | Error::NoCertificate { sni: Some(sni) }
        | Error::Handshake { sni: Some(sni), .. }
        | Error::Stream { sni: Some(sni), .. } = self
        {
            known.push(("sni", sni.to_string()));
        }
        if let Error::Certificate { facts: Some(facts), .. } = self {
            known.extend(facts.named());
        }
        known
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Certificate { fault, .. } => fault.fmt(f),
            Error::NoCertificate { .. } => f.write_str("the client sent no certificate"),
            Error::Handshake { fault, detail, .. } => write!(f, "{fault} ({detail})"),
            Error::Stream { kind, .. } => write!(f, "the stream failed during the handshake: {kind}"),
            Error::Root { name, fault } => write!(f, "root {name:?} cannot be approved: {}", fault.flaw),
            Error::UnknownOwner { name } => write!(
                f,
                "{name:?} is not an approved owner of roots in the Mozilla list; allowed are {}",
                crate::mozilla::owners().collect::<Vec<_>>().join(", ")
            ),
            Error::NoRootLeft { owner, successor } => {
                write!(f, "the Mozilla list has no root of {owner} any more")?;
                match successor {
                    Some(successor) => write!(f, "; its certificates lead to {successor}'s"),
                    None => Ok(()),
                }
            }
            Error::DuplicateRoot { name } => write!(f, "root {name:?} is on the approved list twice"),
            Error::Crl(fault) => fault.fmt(f),
            Error::Identity(fault) => fault.fmt(f),
            Error::Pem { expected } => write!(f, "no PEM of {expected}"),
            Error::ServerName { name } => write!(f, "{name:?} is neither a DNS name nor an address"),
        }
    }
}

impl std::error::Error for Error {}

impl fmt::Display for HandshakeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HandshakeFault::Version => "neither TLS 1.2 nor TLS 1.3 is offered",
            HandshakeFault::Suite => {
                "none of the six cipher suites is offered, or nothing that goes with them"
            }
            HandshakeFault::Signature => "the far end did not prove that it holds its certificate's key",
            HandshakeFault::Alert => "the far end refused the handshake",
            HandshakeFault::ServerCertificate => "the server's certificate is not accepted",
            HandshakeFault::Protocol => "the far end does not speak TLS as it should",
        })
    }
}

impl fmt::Display for CrlFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CrlFault::TooLarge { limit_bytes } => {
                write!(f, "the revocation list has more than {limit_bytes} bytes")
            }
            CrlFault::Malformed(what) => write!(f, "not a revocation list: {what}"),
            CrlFault::NoNumber => f.write_str("the revocation list has no cRLNumber"),
            CrlFault::CriticalNumber => f.write_str("the revocation list's cRLNumber is critical"),
            CrlFault::BadSignature { issuer } => {
                write!(f, "the revocation list is not signed by {issuer}, whose it says it is")
            }
            CrlFault::Dropped { issuer } => {
                write!(f, "there is no longer a revocation list of {issuer} for what the one in force covers")
            }
            CrlFault::Older { issuer } => {
                write!(f, "the revocation list of {issuer} is older than the one in force")
            }
        }
    }
}

impl fmt::Display for IdentityFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IdentityFault::NoCertificate => f.write_str("there is no CERTIFICATE block"),
            IdentityFault::NoKey => f.write_str("there is no unencrypted PRIVATE KEY block"),
            IdentityFault::UnreadableKey => f.write_str("the private key is of a kind that cannot be used"),
            IdentityFault::UnreadableCertificate => f.write_str("the certificate cannot be read"),
            IdentityFault::Mismatch => f.write_str("the private key is not the certificate's"),
            IdentityFault::NotEllipticCurve(kind) => write!(
                f,
                "the server's key is {kind}; all six cipher suites need an elliptic-curve key on P-256 or P-384"
            ),
        }
    }
}
