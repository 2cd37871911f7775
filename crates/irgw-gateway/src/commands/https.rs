//! HTTPS for the provider's commands: one connection for each request, bounded in time and bytes.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use http::header::HOST;
use http::uri::{PathAndQuery, Uri};
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use irgw_core::{Channel, Origin, Transport};
use irgw_oauth::client::{Http, RESPONSE_LIMIT_BYTES, SendFault};
use irgw_tls::ClientIdentity;
use irgw_tls::client::{Client, ServerRoots, VerifiedServer};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::SystemClock;
use crate::handle::causes;

/// Speaks HTTP/1.1 over TLS to whatever host the request names, and follows no redirect.
#[derive(Debug)]
pub(super) struct Https {
    roots: ServerRoots,
    identity: Option<ClientIdentity>,
}

type Cause = Box<dyn Error + Send + Sync>;

const CONNECT_TIME: Duration = Duration::from_secs(10);
const ANSWER_TIME: Duration = Duration::from_secs(30);

impl Https {
    /// Servers' certificates are checked by these roots.
    pub(super) fn new(roots: ServerRoots) -> Https {
        Https { roots, identity: None }
    }

    /// The same, with a certificate for servers that ask for one.
    pub(super) fn presenting(self, identity: ClientIdentity) -> Https {
        Https { identity: Some(identity), ..self }
    }

    /// Connects to the host of an address, and says who is there.
    ///
    /// # Errors
    /// When there is no connection, or no TLS on it.
    pub(super) async fn visit(&self, uri: &Uri) -> Result<VerifiedServer, Cause> {
        let (_, server) = self.connected(uri).await?;
        Ok(server)
    }

    /// A connection to the host of an address, in time.
    async fn connected(&self, uri: &Uri) -> Result<(SendRequest<Full<Bytes>>, VerifiedServer), Cause> {
        let authority = uri.authority().ok_or("the address has no host")?;
        // A literal IPv6 address stands in brackets, which resolution does not want.
        let host = authority.host().trim_matches(['[', ']']);
        let connecting = timeout(CONNECT_TIME, self.connect(host, authority.port_u16().unwrap_or(443)));
        match connecting.await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(format!("no connection to {authority}: {}", causes(&*error)).into()),
            Err(_) => {
                let seconds = CONNECT_TIME.as_secs();
                Err(format!("no connection to {authority} in {seconds} s").into())
            }
        }
    }

    async fn connect(
        &self,
        host: &str,
        port: u16,
    ) -> Result<(SendRequest<Full<Bytes>>, VerifiedServer), Cause> {
        let clock = Arc::new(SystemClock);
        let tls = match self.identity.clone() {
            None => Client::one_way(&self.roots, host, clock)?,
            Some(identity) => Client::mutual(&self.roots, host, identity, clock)?,
        };
        let tls = tls.with_alpn(&[b"http/1.1"]);
        let tcp = TcpStream::connect((host, port)).await?;
        tcp.set_nodelay(true)?;
        let address = tcp.peer_addr()?;
        let (stream, peer) = tls.establish(tcp, Origin::new(address, Channel::Desktop)).await?;
        let server = peer.evidence::<VerifiedServer>().cloned().ok_or("the server showed no certificate")?;
        let mut http = http1::Builder::new();
        http.max_headers(100).max_buf_size(64 * 1024);
        let (sender, connection) = http.handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move {
            // Whoever waits for the answer is told by the sender.
            let _ = connection.await;
        });
        Ok((sender, server))
    }
}

impl Http for Https {
    async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, SendFault> {
        let unsent = |cause: Cause| SendFault::Unsent(cause);
        let uri = request.uri().clone();
        let (mut sender, _) = self.connected(&uri).await.map_err(unsent)?;
        let request = to_origin_form(request, &uri).map_err(|error| unsent(error.into()))?;
        match timeout(ANSWER_TIME, exchange(&mut sender, request)).await {
            Ok(answer) => answer,
            Err(_) => Err(SendFault::Unanswered(format!("no answer in {} s", ANSWER_TIME.as_secs()).into())),
        }
    }
}

async fn exchange(
    sender: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<Response<Vec<u8>>, SendFault> {
    let response = sender.try_send_request(request).await.map_err(|mut failed| {
        // What comes back was never written.
        match failed.take_message() {
            Some(_) => SendFault::Unsent(failed.into_error().into()),
            None => SendFault::Unanswered(failed.into_error().into()),
        }
    })?;
    let (head, body) = response.into_parts();
    let body = Limited::new(body, RESPONSE_LIMIT_BYTES).collect().await.map_err(SendFault::Unanswered)?;
    Ok(Response::from_parts(head, body.to_bytes().to_vec()))
}

/// RFC 9112 §3.2.1: the path alone, and the host in a field.
fn to_origin_form(request: Request<Vec<u8>>, uri: &Uri) -> Result<Request<Full<Bytes>>, http::Error> {
    let (mut head, body) = request.into_parts();
    let host = uri.authority().map_or("", |authority| authority.as_str());
    head.headers.insert(HOST, HeaderValue::from_str(host)?);
    head.uri = uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/")).into();
    Ok(Request::from_parts(head, Full::new(Bytes::from(body))))
}
