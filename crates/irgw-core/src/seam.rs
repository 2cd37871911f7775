//! The two seams: `Transport` proves, `Authenticator` judges.

use std::error::Error;
use std::fmt::{self, Debug};
use std::future::Future;
use std::time::Duration;

use crate::{Origin, Peer, Presented, Rule, UnixTime, Verdict};

/// Secures a byte stream and reports what that proved about the far end. One per listener or target.
///
/// `Io` is any duplex byte stream, so that tests use an in-memory pipe. A dropped future leaves the stream dropped, and
/// nothing else behind.
pub trait Transport<Io>: Send + Sync + 'static {
    /// The secured stream.
    type Stream: Send + 'static;
    /// Why it could not be secured.
    type Error: Refusal;

    /// Secures `io`, whose far end is at `origin`. The caller holds the deadline.
    fn establish(
        &self,
        io: Io,
        origin: Origin,
    ) -> impl Future<Output = Result<(Self::Stream, Peer), Self::Error>> + Send;
}

/// Why a transport refused, with what is known about the far end: for the log, never for the far end.
pub trait Refusal: Error + Send + Sync + 'static {
    /// The rule that refuses.
    fn rule(&self) -> Rule;

    /// What is known, by name: `sni`, `subject`, `issuer`, `serial`, … Values are the far end's and may hold anything
    /// but control characters.
    fn facts(&self) -> Vec<(&'static str, String)>;
}

/// Proves who is calling. Chosen at run time by the service table; synchronous, because nothing on the hot path waits.
///
/// An authenticator never writes and never does I/O.
pub trait Authenticator: Debug + Send + Sync + 'static {
    /// The scheme that it judges.
    fn scheme(&self) -> Scheme;

    /// Judges what one request presents.
    fn authenticate(&self, presented: &Presented<'_>) -> Verdict;
}

/// The schemes by which a caller proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// An X.509 client certificate (TLS-3 to TLS-12).
    ClientCert,
    /// An OAuth 2.0 access token (OA-10).
    Bearer,
    /// A client-signed JWT (M2M-1).
    M2m,
    /// An address on the allow-list (IP-1).
    IpAllow,
    /// An SSH key (SFTP-2).
    SshKey,
}

impl Scheme {
    /// The name in records and in the identity token: `mtls`, `oauth`, `m2m`, `address`, `ssh`.
    pub const fn name(self) -> &'static str {
        match self {
            Scheme::ClientCert => "mtls",
            Scheme::Bearer => "oauth",
            Scheme::M2m => "m2m",
            Scheme::IpAllow => "address",
            Scheme::SshKey => "ssh",
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Tells the time. Library code takes `now` as an argument; what runs on its own (a transport, a worker) owns a clock.
pub trait Clock: Debug + Send + Sync + 'static {
    /// The time since the Unix epoch.
    fn since_epoch(&self) -> Duration;

    /// The same in whole seconds.
    fn now(&self) -> UnixTime {
        UnixTime::since_unix_epoch(self.since_epoch())
    }
}
