//! The sample backing service: answers what it received, and whose identity the gateway says it was.

use std::convert::Infallible;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use irgw_core::{Clock, ServiceName};
use irgw_m2m::identity::{Identity, verify};
use ring::digest::{Context, SHA256};
use serde::Serialize;
use tokio::net::TcpListener;

use crate::hex::hex;
use crate::identity::IdentityTokens;

/// What the sample service answers: `GET …/status` with `OK`, everything else with this.
#[derive(Debug, Serialize)]
struct Echo<'a> {
    method: &'a str,
    path: &'a str,
    query: Option<&'a str>,
    headers: Vec<(&'a str, String)>,
    body_bytes: u64,
    body_sha256: String,
    /// The identity that the gateway passed on, verified; absent when it could not be.
    identity: Option<IdentityView>,
    identity_error: Option<String>,
}

/// A line of the log: that a request has come this far. Neither its query nor a credential is in it.
#[derive(Debug, Serialize)]
struct Line<'a> {
    /// The gateway's `X-Request-Id`.
    request_id: &'a str,
    method: &'a str,
    path: &'a str,
    user_agent: &'a str,
    /// Whether its body came to the end.
    whole: bool,
}

/// Every request that has come, one JSON object a line. A long log begins anew.
struct Log(Mutex<File>);

/// Where the log begins anew, in bytes.
const LOG_BYTES: u64 = 64 << 20;

impl Log {
    fn open(path: &Path) -> io::Result<Log> {
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        file.set_len(0)?;
        Ok(Log(Mutex::new(file)))
    }

    fn note(&self, head: &Parts, whole: bool) {
        let field = |name| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let line = Line {
            request_id: field("x-request-id"),
            method: head.method.as_str(),
            path: head.uri.path(),
            user_agent: field("user-agent"),
            whole,
        };
        let mut json = serde_json::to_vec(&line).unwrap_or_default();
        json.push(b'\n');
        let file = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let written = file.metadata().and_then(|known| match known.len() > LOG_BYTES {
            true => file.set_len(0),
            false => Ok(()),
        });
        if let Err(error) = written.and_then(|()| file.write_all(&json)) {
            tracing::warn!(%error, "the sample service cannot write its log");
        }
    }
}

#[derive(Debug, Serialize)]
struct IdentityView {
    audience: String,
    environment: &'static str,
    mechanism: &'static str,
    provider: Option<String>,
    common_name: Option<String>,
    owner: Option<String>,
    logon: Option<String>,
    client: Option<String>,
    thumbprint: Option<String>,
    token: Option<String>,
}

/// Serves until the task is aborted.
pub(super) async fn serve(socket: TcpListener, sample: Sample) {
    let sample = Arc::new(sample);
    loop {
        let Ok((tcp, _)) = socket.accept().await else { continue };
        let sample = sample.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let sample = sample.clone();
                async move { Ok::<_, Infallible>(sample.answer(request).await) }
            });
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new());
            if let Err(error) = http.serve_connection(TokioIo::new(tcp), service).await {
                tracing::debug!(%error, "a connection to the sample service ended");
            }
        });
    }
}

/// What it does with a request.
pub(super) struct Sample {
    gateway: Arc<IdentityTokens>,
    services: Vec<ServiceName>,
    clock: Arc<dyn Clock>,
    log: Log,
}

impl Sample {
    /// Identity tokens are checked by the published keys of `gateway`, for whichever of `services` they are meant; `log` begins
    /// anew.
    pub(super) fn new(
        gateway: Arc<IdentityTokens>,
        services: Vec<ServiceName>,
        clock: Arc<dyn Clock>,
        log: &Path,
    ) -> io::Result<Sample> {
        Ok(Sample { gateway, services, clock, log: Log::open(log)? })
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, mut body) = request.into_parts();
        let mut digest = Context::new(&SHA256);
        let mut body_bytes = 0;
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else {
                self.log.note(&head, false);
                return text(StatusCode::BAD_REQUEST, "the body broke off\n");
            };
            if let Some(data) = frame.data_ref() {
                body_bytes += u64::try_from(data.len()).unwrap_or(0);
                digest.update(data);
            }
        }
        self.log.note(&head, true);
        if head.method == Method::GET && head.uri.path().ends_with("/status") {
            return text(StatusCode::OK, "OK");
        }
        let (identity, identity_error) = match self.identity(head.headers.get("x-gateway-identity")) {
            Ok(identity) => (Some(identity), None),
            Err(error) => (None, Some(error)),
        };
        let headers = head.headers.iter();
        let echo = Echo {
            method: head.method.as_str(),
            path: head.uri.path(),
            query: head.uri.query(),
            headers: headers
                .map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes()).into()))
                .collect(),
            body_bytes,
            body_sha256: hex(digest.finish().as_ref()),
            identity,
            identity_error,
        };
        let mut json = serde_json::to_vec_pretty(&echo).unwrap_or_default();
        json.push(b'\n');
        let mut response = Response::new(Full::new(Bytes::from(json)));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }

    /// What an internal service does: the token's audience must be the service that it is. This one is all of them.
    fn identity(&self, token: Option<&HeaderValue>) -> Result<IdentityView, String> {
        let token = token.and_then(|token| token.to_str().ok()).ok_or("there is no identity token")?;
        let (keys, now) = (self.gateway.published(), self.clock.now());
        let mut last = String::new();
        for service in &self.services {
            match verify(token, &keys, service.as_str(), now) {
                Ok(identity) => return Ok(view(identity)),
                Err(error) => last = crate::handle::causes(&error),
            }
        }
        Err(last)
    }
}

fn view(identity: Identity) -> IdentityView {
    IdentityView {
        audience: identity.audience,
        environment: identity.environment.name(),
        mechanism: identity.mechanism.name(),
        provider: identity.provider.map(|id| id.to_string()),
        common_name: identity.common_name,
        owner: identity.owner.map(|id| id.to_string()),
        logon: identity.logon.map(|id| id.to_string()),
        client: identity.client.map(|id| id.to_string()),
        thumbprint: identity.thumbprint.map(|thumbprint| thumbprint.to_string()),
        token: identity.token,
    }
}

fn text(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}
