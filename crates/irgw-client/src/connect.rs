//! A TLS connection to the host of an address, in time.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use irgw_core::{Channel, Clock, Origin, Transport};
use irgw_tls::ClientIdentity;
use irgw_tls::client::{Client, ServerRoots, VerifiedServer};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::SystemClock;

/// Connects to the hosts of `https` addresses, over TLS as the profile has it (TLS-1, TLS-2).
#[derive(Debug, Clone)]
pub struct Connector {
    pub(crate) roots: ServerRoots,
    pub(crate) identity: Option<ClientIdentity>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// TLS over TCP.
pub(crate) type Stream = <Client as Transport<TcpStream>>::Stream;

/// Why there is no connection. The server has seen nothing of the request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectFault {
    /// The address names no host.
    #[error("the address has no host")]
    NoHost,
    /// No address, no TCP or no TLS.
    #[error("no connection to {authority}")]
    Failed {
        /// `HOST:PORT` of the address.
        authority: String,
        /// What went wrong.
        #[source]
        cause: Box<dyn Error + Send + Sync>,
    },
    /// Not in ten seconds.
    #[error("no connection to {authority} in {} s", CONNECT_TIME.as_secs())]
    TimedOut {
        /// `HOST:PORT` of the address.
        authority: String,
    },
}

const CONNECT_TIME: Duration = Duration::from_secs(10);

impl Connector {
    /// Servers' certificates are checked by these roots, and this machine's clock.
    pub fn new(roots: ServerRoots) -> Connector {
        Connector { roots, identity: None, clock: Arc::new(SystemClock) }
    }

    /// The same, with a certificate for servers that ask for one.
    #[must_use]
    pub fn presenting(self, identity: ClientIdentity) -> Connector {
        Connector { identity: Some(identity), ..self }
    }

    /// The same with another clock.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Connector {
        Connector { clock, ..self }
    }

    /// Connects to the host of an address, and says who is there.
    ///
    /// In TLS 1.3 a server that refuses this end's certificate says so only afterwards.
    ///
    /// # Errors
    /// [`ConnectFault`].
    pub async fn visit(&self, uri: &Uri) -> Result<VerifiedServer, ConnectFault> {
        let (_, server) = self.connect(uri, &[b"http/1.1"]).await?;
        Ok(server)
    }

    /// A connection on which one of `protocols` is spoken, the most preferred first (RFC 7301).
    pub(crate) async fn connect(
        &self,
        uri: &Uri,
        protocols: &[&[u8]],
    ) -> Result<(Stream, VerifiedServer), ConnectFault> {
        let authority = uri.authority().ok_or(ConnectFault::NoHost)?;
        // A literal IPv6 address stands in brackets, which resolution does not want.
        let host = authority.host().trim_matches(['[', ']']);
        let port = authority.port_u16().unwrap_or(443);
        let authority = || authority.to_string();
        match timeout(CONNECT_TIME, self.connect_to(host, port, protocols)).await {
            Ok(Ok(connected)) => Ok(connected),
            Ok(Err(cause)) => Err(ConnectFault::Failed { authority: authority(), cause }),
            Err(_) => Err(ConnectFault::TimedOut { authority: authority() }),
        }
    }

    async fn connect_to(
        &self,
        host: &str,
        port: u16,
        protocols: &[&[u8]],
    ) -> Result<(Stream, VerifiedServer), Box<dyn Error + Send + Sync>> {
        let clock = self.clock.clone();
        let tls = match self.identity.clone() {
            None => Client::one_way(&self.roots, host, clock)?,
            Some(identity) => Client::mutual(&self.roots, host, identity, clock)?,
        };
        let tcp = TcpStream::connect((host, port)).await?;
        tcp.set_nodelay(true)?;
        let origin = Origin::new(tcp.peer_addr()?, Channel::Desktop);
        let (stream, peer) = tls.with_alpn(protocols).establish(tcp, origin).await?;
        let server = peer.evidence::<VerifiedServer>().cloned().ok_or("the server showed no certificate")?;
        Ok((stream, server))
    }
}
