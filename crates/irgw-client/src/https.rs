//! One request on one connection: what tokens are asked for with, where a request that was sent twice would end a login.

use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::uri::{PathAndQuery, Uri};
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use irgw_oauth::client::{Http, RESPONSE_LIMIT_BYTES, SendFault};
use tokio::time::timeout;

use crate::Connector;

/// Speaks HTTP/1.1 over TLS to whatever host the request names: one connection for each request, bounded in time and bytes.
/// It follows no redirect and sends nothing twice.
#[derive(Debug, Clone)]
pub struct Https(Connector);

const ANSWER_TIME: Duration = Duration::from_secs(30);

impl Https {
    /// HTTPS over this connector's connections.
    pub fn new(connector: Connector) -> Https {
        Https(connector)
    }

    async fn connected(&self, uri: &Uri) -> Result<SendRequest<Full<Bytes>>, SendFault> {
        let unsent = |fault| SendFault::Unsent(fault);
        let (stream, _) = self.0.connect(uri, &[b"http/1.1"]).await.map_err(|fault| unsent(fault.into()))?;
        let mut http = http1::Builder::new();
        http.max_headers(100).max_buf_size(64 * 1024);
        let handshake = http.handshake(TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(|error| unsent(error.into()))?;
        tokio::spawn(async move {
            // Whoever waits for the answer is told by the sender.
            let _ = connection.await;
        });
        Ok(sender)
    }
}

impl Http for Https {
    async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, SendFault> {
        let uri = request.uri().clone();
        let mut sender = self.connected(&uri).await?;
        let request = to_origin_form(request, &uri).map_err(|error| SendFault::Unsent(error.into()))?;
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
