//! Connections to a backing service: plain or TLS, HTTP/1.1 or, where it is offered by ALPN, HTTP/2.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use http::uri::Authority;
use http::{HeaderValue, Uri};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use irgw_core::{Channel, Origin, Transport};
use irgw_tls::client::Client;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;

use super::pool::Sender;

/// Connects to one backing service.
#[derive(Debug)]
pub(crate) struct Connector {
    scheme: &'static str,
    authority: Authority,
    host: HeaderValue,
    port: u16,
    tls: Option<Client>,
}

/// Why there is no connection.
#[derive(Debug)]
#[non_exhaustive]
pub(crate) enum ConnectError {
    /// Its name does not resolve, or nobody listens.
    Tcp(io::Error),
    /// Its certificate is not the expected one, or the handshake failed.
    Tls(irgw_tls::Error),
    /// It does not speak HTTP.
    Http(hyper::Error),
    /// It takes too long.
    Timeout(Duration),
    /// It closes every connection at once.
    Closed,
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConnectError::Tcp(_) => f.write_str("no TCP connection"),
            ConnectError::Tls(_) => f.write_str("no TLS connection"),
            ConnectError::Http(_) => f.write_str("no HTTP connection"),
            ConnectError::Timeout(limit) => write!(f, "no connection in {} s", limit.as_secs()),
            ConnectError::Closed => f.write_str("it closes every connection at once"),
        }
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ConnectError::Tcp(error) => Some(error),
            ConnectError::Tls(error) => Some(error),
            ConnectError::Http(error) => Some(error),
            ConnectError::Timeout(_) | ConnectError::Closed => None,
        }
    }
}

impl Connector {
    /// Connects to `url`, an origin; with `tls` its scheme is `https`.
    pub(crate) fn new(url: &Uri, tls: Option<Client>) -> Connector {
        let authority =
            url.authority().expect("the configuration checked that an upstream has an authority").clone();
        let host = HeaderValue::from_str(authority.as_str()).expect("an authority is visible ASCII");
        let (scheme, usual) = if tls.is_some() { ("https", 443) } else { ("http", 80) };
        let port = authority.port_u16().unwrap_or(usual);
        Connector { scheme, authority, host, port, tls }
    }

    pub(super) fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }

    pub(super) fn authority(&self) -> &HeaderValue {
        &self.host
    }

    /// Connects. The permit is held until the connection ends.
    pub(super) async fn connect(&self, permit: OwnedSemaphorePermit) -> Result<Sender, ConnectError> {
        // A literal IPv6 address stands in brackets, which resolution does not want.
        let host = self.authority.host().trim_matches(['[', ']']);
        let tcp = TcpStream::connect((host, self.port)).await.map_err(ConnectError::Tcp)?;
        tcp.set_nodelay(true).map_err(ConnectError::Tcp)?;
        let address = tcp.peer_addr().unwrap_or(SocketAddr::from(([0; 4], 0)));
        let Some(tls) = &self.tls else { return http1_over(tcp, permit).await };
        let (stream, _peer) =
            tls.establish(tcp, Origin::new(address, Channel::Cloud)).await.map_err(ConnectError::Tls)?;
        match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => http2_over(stream, permit).await,
            _ => http1_over(stream, permit).await,
        }
    }
}

async fn http1_over(
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    permit: OwnedSemaphorePermit,
) -> Result<Sender, ConnectError> {
    let mut http = http1::Builder::new();
    http.max_headers(100).max_buf_size(64 * 1024);
    let (sender, connection) = http.handshake(TokioIo::new(io)).await.map_err(ConnectError::Http)?;
    drive(connection, permit);
    Ok(Sender::Http1(sender))
}

async fn http2_over(
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    permit: OwnedSemaphorePermit,
) -> Result<Sender, ConnectError> {
    let mut http = http2::Builder::new(TokioExecutor::new());
    http.timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(20))
        .max_header_list_size(64 * 1024);
    let (sender, connection) = http.handshake(TokioIo::new(io)).await.map_err(ConnectError::Http)?;
    drive(connection, permit);
    Ok(Sender::Http2(sender))
}

/// Drives a connection to its end, on a task of its own.
fn drive(connection: impl Future<Output = hyper::Result<()>> + Send + 'static, permit: OwnedSemaphorePermit) {
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to a backing service ended");
        }
        drop(permit);
    });
}
