//! A gateway on loopback that answers as a test tells it, over TLS.

#![allow(dead_code, reason = "each test binary uses a part of this")]

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use irgw_client::tls::client::ServerRoots;
use irgw_client::tls::{ServerIdentity, server};
use irgw_client::{Builder, Client, SystemClock};
use irgw_core::{Channel, Clock, Origin, Transport};
use tokio::net::TcpListener;

/// A request as it arrived.
pub(crate) type Arrived = Request<Bytes>;

/// What is answered; `None`: nothing, ever.
pub(crate) type Told = Option<Response<Bytes>>;

/// A gateway. Dropping it ends it.
pub(crate) struct Gateway {
    pub(crate) port: u16,
    pub(crate) roots: ServerRoots,
    arrived: Arc<Mutex<Vec<Arrived>>>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Gateway {
    /// One that offers these protocols.
    pub(crate) async fn speaking(
        protocols: &'static [&'static [u8]],
        script: impl Fn(&Arrived) -> Told + Send + Sync + 'static,
    ) -> Gateway {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let identity = ServerIdentity::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap();
        let tls = Arc::new(server::Server::one_way(identity, Arc::new(SystemClock)).with_alpn(protocols));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let arrived = Arc::new(Mutex::new(Vec::new()));
        let (script, heard) = (Arc::new(script), arrived.clone());
        let accepting = tokio::spawn(async move {
            loop {
                let (tcp, address) = listener.accept().await.unwrap();
                let (tls, script, heard) = (tls.clone(), script.clone(), heard.clone());
                tokio::spawn(async move {
                    let origin = Origin::new(address, Channel::Desktop);
                    let Ok((stream, _)) = tls.establish(tcp, origin).await else { return };
                    let service = service_fn(move |request: Request<Incoming>| {
                        let (script, heard) = (script.clone(), heard.clone());
                        async move {
                            let (head, body) = request.into_parts();
                            let body = body.collect().await.unwrap().to_bytes();
                            let request = Request::from_parts(head, body);
                            let told = script(&request);
                            heard.lock().unwrap().push(request);
                            match told {
                                Some(answer) => Ok::<_, Infallible>(answer.map(Full::new)),
                                None => std::future::pending().await,
                            }
                        }
                    });
                    let _ = auto::Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        let roots = ServerRoots::from_pem(certificate.as_bytes()).unwrap();
        Gateway { port, roots, arrived, accepting }
    }

    /// One that offers HTTP/2 and HTTP/1.1.
    pub(crate) async fn new(script: impl Fn(&Arrived) -> Told + Send + Sync + 'static) -> Gateway {
        Gateway::speaking(&[b"h2", b"http/1.1"], script).await
    }

    pub(crate) fn builder(&self) -> Builder {
        Client::builder(format!("https://localhost:{}", self.port)).roots(self.roots.clone())
    }

    pub(crate) fn client(&self) -> Client {
        self.builder().build().unwrap()
    }

    /// The requests for services until now, without those for tokens.
    pub(crate) fn arrived(&self) -> Vec<Arrived> {
        let arrived = self.arrived.lock().unwrap();
        let calls = arrived.iter().filter(|request| !request.uri().path().starts_with("/gateway3/"));
        calls.cloned().collect()
    }

    /// Their `Authorization` fields; empty where there is none.
    pub(crate) fn authorizations(&self) -> Vec<String> {
        self.arrived().iter().map(authorization).collect()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

pub(crate) fn authorization(request: &Arrived) -> String {
    let field = request.headers().get(http::header::AUTHORIZATION);
    field.map_or_else(String::new, |field| field.to_str().unwrap().to_owned())
}

pub(crate) fn get(path: &str) -> Request<Bytes> {
    Request::get(path).body(Bytes::new()).unwrap()
}

pub(crate) fn ok() -> Told {
    Some(Response::new(Bytes::from_static(b"OK")))
}

/// A refusal in the suite's words.
pub(crate) fn refused(status: u16, code: &str) -> Told {
    let body = format!(r#"{{"errors":[{{"code":"{code}","type":"security","message":"no"}}]}}"#);
    let answer = Response::builder().status(status).header("content-type", "application/json");
    Some(answer.body(Bytes::from(body)).unwrap())
}

/// The system's clock, set wrong by so much.
#[derive(Debug)]
pub(crate) struct Behind(pub(crate) Duration);

impl Clock for Behind {
    fn since_epoch(&self) -> Duration {
        SystemClock.since_epoch() - self.0
    }
}
