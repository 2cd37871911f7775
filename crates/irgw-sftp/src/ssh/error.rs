//! Why an SSH connection is not established: data for the log, never for the far end.

use std::fmt;
use std::sync::Arc;

use irgw_core::{Refusal, Rule, printable};
use russh::AlgorithmKind;

use super::{Fingerprint, HostKeyFault};

/// Why a connection is not established. [`Refusal::rule`] names the rule, [`Refusal::facts`] what is known of the far end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The host's key is not a pinned one: raise an alert, deliver nothing (SFTP-2).
    #[error(transparent)]
    HostKey(Box<HostKeyFault>),
    /// The host signed the key exchange with an algorithm that is not offered, such as `ssh-rsa` (SHA-1).
    #[error("the host signed with {algorithm}, which is not accepted; it needs a newer SSH server")]
    HostSignature {
        /// The algorithm.
        algorithm: Arc<str>,
    },
    /// The host did not prove that it holds its key.
    #[error("the host did not prove that it holds its key")]
    HostProof,
    /// The far end offers nothing that is accepted (SFTP-2).
    #[error("no {kind} in common; the far end offers only {}", offered.join(", "))]
    Algorithms {
        /// Of which kind.
        kind: Negotiated,
        /// What the far end offers.
        offered: Box<[Arc<str>]>,
    },
    /// The far end knows no strict key exchange, and the cipher needs it (Terrapin, CVE-2023-48795).
    #[error("the far end knows neither strict key exchange nor AES-GCM; it needs a newer SSH software")]
    NotStrict,
    /// The server does not accept the key.
    #[error("the server does not accept the key for {user:?}; it takes {methods:?}")]
    KeyRefused {
        /// The user that was asked for.
        user: Arc<str>,
        /// The methods that the server would go on with.
        methods: Box<[&'static str]>,
    },
    /// The server accepts the key and asks for a second factor, which nobody is there to give.
    #[error("the server asks for more than a key: {methods:?}")]
    MoreThanKey {
        /// The methods that it asks for.
        methods: Box<[&'static str]>,
    },
    /// The server takes RSA signatures with SHA-1 only.
    #[error("the server takes RSA signatures with SHA-1 only; use an ECDSA key")]
    RsaSha1,
    /// The server opens no channel, or has no `sftp` subsystem.
    #[error("the server has no sftp subsystem for this user")]
    NoSubsystem,
    /// The client proved no key that is enrolled for its user.
    #[error("the client proved no enrolled key")]
    NotAuthenticated {
        /// The user that it last asked for.
        user: Option<Arc<str>>,
        /// The key that it last proved.
        key: Option<Fingerprint>,
        /// The rule that refused that key.
        rule: Rule,
    },
    /// The far end took too long.
    #[error("the far end took too long: {0}")]
    Timeout(Phase),
    /// The connection ended.
    #[error("the connection ended: {0}")]
    Lost(Phase),
    /// The far end does not speak SSH as RFC 4253 and RFC 4254 have it.
    #[error("the far end does not speak SSH as it should: {0} ({1})")]
    Protocol(Phase, Arc<str>),
}

/// What two ends must have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Negotiated {
    /// The key exchange.
    KeyExchange,
    /// The host key's signature.
    HostKey,
    /// The cipher.
    Cipher,
    /// The message authentication code.
    Mac,
    /// The compression.
    Compression,
}

impl fmt::Display for Negotiated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Negotiated::KeyExchange => "key exchange",
            Negotiated::HostKey => "host key algorithm",
            Negotiated::Cipher => "cipher",
            Negotiated::Mac => "MAC",
            Negotiated::Compression => "compression",
        })
    }
}

/// How far a connection had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Identification and key exchange (RFC 4253).
    KeyExchange,
    /// Authentication of the user (RFC 4252).
    Authentication,
    /// The channel and its subsystem (RFC 4254).
    Channel,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Phase::KeyExchange => "key exchange",
            Phase::Authentication => "authentication",
            Phase::Channel => "channel",
        })
    }
}

impl Error {
    /// The same, in a later phase than the key exchange.
    pub(crate) fn during(self, phase: Phase) -> Error {
        match self {
            Error::Lost(_) => Error::Lost(phase),
            Error::Timeout(_) => Error::Timeout(phase),
            Error::Protocol(_, detail) => Error::Protocol(phase, detail),
            other => other,
        }
    }

    pub(crate) fn protocol(phase: Phase, detail: &str) -> Error {
        Error::Protocol(phase, printable(detail).into())
    }
}

/// What the library reports, in the phase in which it reports by itself.
impl From<russh::Error> for Error {
    fn from(error: russh::Error) -> Error {
        let phase = Phase::KeyExchange;
        match error {
            russh::Error::NoCommonAlgo { kind, theirs, .. } => Error::Algorithms {
                kind: match kind {
                    AlgorithmKind::Kex => Negotiated::KeyExchange,
                    AlgorithmKind::Key => Negotiated::HostKey,
                    AlgorithmKind::Cipher => Negotiated::Cipher,
                    AlgorithmKind::Mac => Negotiated::Mac,
                    AlgorithmKind::Compression => Negotiated::Compression,
                },
                // A key-exchange packet has room for thousands of names.
                offered: theirs.iter().take(32).map(|name| short(name)).collect(),
            },
            russh::Error::WrongServerSig => Error::HostProof,
            russh::Error::Disconnect
            | russh::Error::HUP
            | russh::Error::SendError
            | russh::Error::RecvError
            | russh::Error::IO(_) => Error::Lost(phase),
            russh::Error::KeepaliveTimeout
            | russh::Error::InactivityTimeout
            | russh::Error::ConnectionTimeout
            | russh::Error::Elapsed(_) => Error::Timeout(phase),
            russh::Error::ChannelOpenFailure(_) => Error::NoSubsystem,
            other => Error::protocol(phase, &other.to_string()),
        }
    }
}

/// A name of the far end's, fit for a log.
fn short(name: &str) -> Arc<str> {
    printable(name).chars().take(64).collect::<String>().into()
}

impl Refusal for Error {
    fn rule(&self) -> Rule {
        match self {
            Error::HostKey(_)
            | Error::HostSignature { .. }
            | Error::HostProof
            | Error::Algorithms { .. }
            | Error::NotStrict
            | Error::RsaSha1 => Rule::Sftp2,
            Error::NotAuthenticated { rule, .. } => *rule,
            Error::KeyRefused { .. }
            | Error::MoreThanKey { .. }
            | Error::NoSubsystem
            | Error::Timeout(_)
            | Error::Lost(_)
            | Error::Protocol(..) => Rule::Sftp1,
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let mut known = Vec::new();
        match self {
            Error::HostKey(fault) => {
                known.push(("presented", fault.presented.to_string()));
                known.push(("current", fault.current.to_string()));
                known.extend(fault.next.map(|next| ("next", next.to_string())));
            }
            Error::NotAuthenticated { user, key, .. } => {
                known.extend(user.as_ref().map(|user| ("user", printable(user))));
                known.extend(key.map(|key| ("key", key.to_string())));
            }
            _ => {}
        }
        known
    }
}
