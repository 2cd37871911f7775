//! The authorization server on the token channel: HTTP around [`irgw_oauth::AuthorizationServer`] (ENV-3, OA-1 to OA-19).

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use irgw_core::{Clock, Rule};
use irgw_oauth::{AuthorizationServer, Endpoint};
use tokio::sync::Semaphore;

use crate::body::{BodyError, RequestBody, ResponseBody};
use crate::config::Limits;
use crate::entry::Entry;
use crate::refusal::{Refusal, Told};
use crate::throttle::Turn;

/// Requests that wait for the database at once; writes go one after another anyway.
const TURNS: usize = 32;

/// Serves the authorization server's endpoints: a request that waits for the database on a thread that may.
pub(crate) struct OAuth {
    server: Arc<AuthorizationServer>,
    turns: Arc<Semaphore>,
    /// Logins at once: each password takes a core and 19 MiB (C24).
    logins: Arc<Semaphore>,
}

impl OAuth {
    pub(crate) fn new(server: AuthorizationServer) -> OAuth {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let [turns, logins] = [TURNS, cores].map(|count| Arc::new(Semaphore::new(count)));
        OAuth { server: Arc::new(server), turns, logins }
    }

    /// Which endpoint a path names.
    pub(crate) fn endpoint(&self, path: &str) -> Option<Endpoint> {
        self.server.endpoint(path)
    }

    /// What applications may ask it, an OpenAPI 3.1 document.
    pub(crate) fn description(&self) -> String {
        self.server.description()
    }

    /// Answers a request. Once its turn has come it is decided and recorded, also when the caller goes away: what was
    /// issued or revoked is in the audit log, and a thread that hashes a password counts until it ends (C24).
    pub(crate) async fn answer(
        &self,
        endpoint: Endpoint,
        head: &Parts,
        body: Incoming,
        (limits, clock): (&Limits, &Arc<dyn Clock>),
        turn: Turn,
        entry: &mut Entry<'_>,
    ) -> Result<Response<ResponseBody>, Refusal> {
        entry.record.service = endpoint.name().parse().ok();
        let body = RequestBody::new(body, AuthorizationServer::BODY_LIMIT_BYTES, limits.body_idle);
        let body = body.collect().await.map_err(unreadable)?.to_bytes();
        if !self.server.waits(endpoint, &body) {
            return Ok(finish(self.server.answer(endpoint, head, &body, clock.now(), &mut entry.record)));
        }
        let slots = if endpoint == Endpoint::Login { &self.logins } else { &self.turns };
        let busy = |cause: &'static str| Refusal::new(Rule::Oa18, Told::Unavailable, cause);
        let slot = tokio::time::timeout(limits.answer, slots.clone().acquire_owned()).await;
        let slot = slot.map_err(|_| busy("no slot in time"))?.map_err(|_| busy("closed"))?;
        let (server, head, clock, mut handed) =
            (self.server.clone(), head.clone(), clock.clone(), entry.hand_over());
        let decided = tokio::task::spawn_blocking(move || {
            let _held = (slot, turn);
            // Now, not when the request's head came: whoever sends slowly does not stretch what expires (OA-8).
            let response = server.answer(endpoint, &head, &body, clock.now(), &mut handed.record);
            (response, handed)
        });
        let (response, handed) =
            decided.await.map_err(|error| Refusal::new(Rule::Oa16, Told::Unavailable, error))?;
        entry.take_back(handed);
        Ok(finish(response))
    }
}

/// Every answer, also a page's: never over plain HTTP (RFC 6797).
fn finish(mut response: Response<Bytes>) -> Response<ResponseBody> {
    let lasting = HeaderValue::from_static("max-age=31536000");
    response.headers_mut().insert(http::header::STRICT_TRANSPORT_SECURITY, lasting);
    response.map(|bytes: Bytes| bytes.into())
}

fn unreadable(error: BodyError) -> Refusal {
    let told = match error {
        BodyError::TooLarge(_) => Told::TooLarge,
        BodyError::Stalled(_) | BodyError::Broken(_) => Told::BadRequest,
    };
    Refusal::new(Rule::Oa9, told, error)
}
