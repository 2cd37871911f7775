//! The operator's listener, on loopback: health, metrics, and the public keys that identity tokens are checked by.
//!
//! | path | answer |
//! |---|---|
//! | `/healthz` | 200 while the process serves |
//! | `/readyz` | 200 while requests are judged; 503 while it drains, and when the registry is stale or the audit log cannot be written |
//! | `/identity/jwks.json` | the public keys of the identity tokens, a JWK set (GW-3) |
//! | `/metrics` | OpenMetrics text; needs `Authorization: Bearer` and the operator's token |
//! | `/openapi.json` | what is served here and by the authorization server, an OpenAPI 3.1 document |

mod description;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use ring::digest::{SHA256, digest};
use subtle::ConstantTimeEq;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use crate::handle::Desk;
use crate::life::Phase;
use crate::oauth::OAuth;

/// Connections at once: for one operator and their monitoring.
const CONNECTIONS: usize = 64;
const PATIENCE: Duration = Duration::from_secs(10);

/// Serves the operator.
pub(crate) struct Operator {
    desk: Arc<Desk>,
    token: watch::Receiver<OperatorToken>,
    phase: watch::Receiver<Phase>,
    description: String,
}

/// What is served.
const PATHS: [&str; 5] = ["/healthz", "/readyz", "/identity/jwks.json", "/metrics", "/openapi.json"];

impl Operator {
    pub(crate) fn new(
        desk: Arc<Desk>,
        token: watch::Receiver<OperatorToken>,
        phase: watch::Receiver<Phase>,
    ) -> Operator {
        let oauth = desk.oauth.as_ref().map(OAuth::description);
        Operator { description: description::document(oauth.as_deref()), desk, token, phase }
    }

    /// Accepts until the task is aborted.
    pub(crate) async fn run(self: Arc<Operator>, socket: TcpListener) {
        let slots = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let slot = slots.clone().acquire_owned().await.expect("the semaphore is never closed");
            let Ok((tcp, _)) = socket.accept().await else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let operator = self.clone();
            tokio::spawn(async move {
                let service =
                    service_fn(|request| std::future::ready(Ok::<_, Infallible>(operator.answer(&request))));
                let mut http = http1::Builder::new();
                http.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
                if let Err(error) = http.serve_connection(TokioIo::new(tcp), service).await {
                    tracing::debug!(%error, "an operator's connection ended");
                }
                drop(slot);
            });
        }
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        if request.method() != Method::GET {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only GET is served here\n");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
            return response;
        }
        match request.uri().path() {
            "/healthz" => text(StatusCode::OK, "ok\n"),
            "/readyz" => self.readiness(),
            "/identity/jwks.json" => {
                typed(StatusCode::OK, "application/jwk-set+json", self.desk.identity.published().to_json())
            }
            "/metrics" if self.is_operator(request) => typed(
                StatusCode::OK,
                "application/openmetrics-text; version=1.0.0; charset=utf-8",
                self.metrics(),
            ),
            "/metrics" => {
                let mut response =
                    text(StatusCode::UNAUTHORIZED, "send the operator's token: Authorization: Bearer …\n");
                response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
                response
            }
            "/openapi.json" => typed(StatusCode::OK, "application/json", self.description.clone()),
            _ => typed(StatusCode::NOT_FOUND, TEXT, format!("not found; try {}\n", PATHS.join(", "))),
        }
    }

    fn readiness(&self) -> Response<Full<Bytes>> {
        if *self.phase.borrow() >= Phase::Draining {
            return text(StatusCode::SERVICE_UNAVAILABLE, "draining\n");
        }
        if self.desk.registry.staleness(Instant::now()) > self.desk.limits.max_staleness {
            return text(StatusCode::SERVICE_UNAVAILABLE, "the registry is stale\n");
        }
        if self.desk.audit.is_failing() {
            return text(StatusCode::SERVICE_UNAVAILABLE, "the audit log cannot be written\n");
        }
        text(StatusCode::OK, "ready\n")
    }

    fn metrics(&self) -> String {
        let desk = &self.desk;
        for (alarm, stands) in [
            ("audit log", desk.audit.is_failing()),
            ("audit log changed by others", desk.audit.is_disturbed()),
        ] {
            match stands {
                true => desk.metrics.raise(alarm),
                false => desk.metrics.clear(alarm),
            }
        }
        desk.metrics.note_tokens(&desk.policy.m2m().cache_counts());
        desk.metrics.render()
    }

    fn is_operator(&self, request: &Request<Incoming>) -> bool {
        let field = request.headers().get(AUTHORIZATION).and_then(|field| field.to_str().ok());
        let token = field.and_then(|field| field.strip_prefix("Bearer ")).unwrap_or_default();
        self.token.borrow().is(token)
    }
}

/// What lets the operator in: a bearer token's digest.
#[derive(Debug, Clone)]
pub(crate) struct OperatorToken(Arc<[u8]>);

impl OperatorToken {
    /// The digest of `token`.
    pub(crate) fn new(token: &str) -> OperatorToken {
        OperatorToken(digest(&SHA256, token.as_bytes()).as_ref().into())
    }

    /// Whether it is this one. Digests have one length, so that comparing them tells nothing of the token's.
    pub(crate) fn is(&self, token: &str) -> bool {
        OperatorToken::new(token).0.ct_eq(&self.0).into()
    }
}

const TEXT: &str = "text/plain; charset=utf-8";

fn text(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    typed(status, TEXT, text.to_owned())
}

fn typed(status: StatusCode, media_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
