//! A request's way through the gateway: route, judge, forward, record.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, HeaderName, HeaderValue, TRANSFER_ENCODING,
};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, Request, Response, StatusCode, Uri, Version};
use hyper::body::Incoming;
use irgw_core::{Channel, Clock, Credential, Decision, Environment, Peer, Presented, Record, Rule};
use irgw_store::Registry;
use irgw_tls::VerifiedCert;

use crate::NormalPath;
use crate::audit::AuditLog;
use crate::body::{BodyError, RequestBody, ResponseBody};
use crate::config::{Limits, ReasonHeader};
use crate::entry::Entry;
use crate::identity::IdentityTokens;
use crate::life::Cut;
use crate::metrics::Metrics;
use crate::oauth::OAuth;
use crate::policy::{Door, Permit, Policy, SpentTokens};
use crate::refusal::{REASON_HEADER, Refusal, Told};
use crate::services::{AsksStatus, Route, ServiceTable, StatusAnswer};
use crate::throttle::{Payer, Turn};
use crate::upstream::{SendError, Upstream};
use crate::{headers, request_id::RequestIds};

/// The id that links the caller's answer, the backing service's request and the audit record.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Says `mock` on every answer of a mock gateway.
pub(crate) const ENVIRONMENT: HeaderName = HeaderName::from_static("x-gateway-environment");

/// The fields that the gateway itself sets, besides the identity's.
pub(crate) const OWN_FIELDS: [HeaderName; 3] = [REQUEST_ID, ENVIRONMENT, REASON_HEADER];

/// All that requests are handled with; shared by all listeners.
pub(crate) struct Desk {
    pub(crate) environment: Environment,
    pub(crate) reason_header: ReasonHeader,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) services: ServiceTable,
    pub(crate) upstreams: std::collections::HashMap<String, Upstream>,
    pub(crate) policy: Policy,
    pub(crate) oauth: Option<OAuth>,
    pub(crate) spent: Arc<dyn SpentTokens>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) identity: Arc<IdentityTokens>,
    pub(crate) identity_header: HeaderName,
    pub(crate) forward_headers: Vec<HeaderName>,
    pub(crate) audit: Arc<AuditLog>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) request_ids: RequestIds,
    pub(crate) limits: Limits,
}

/// One connection, as its requests see it.
pub(crate) struct Visit {
    pub(crate) peer: Peer,
    pub(crate) door: Arc<Door>,
    /// The host names that the listener serves; empty: any.
    pub(crate) hosts: Arc<[String]>,
    /// The server name that the client asked for in the TLS handshake.
    pub(crate) server_name: Option<String>,
    /// Why the connection was cut while requests were under way.
    pub(crate) cut: OnceLock<Cut>,
}

impl Visit {
    /// What the connection showed, for the record of a refusal at the door, where there is no provider to name.
    pub(crate) fn facts(&self) -> Vec<(&'static str, String)> {
        let asked = self.server_name.iter().map(|name| ("sni", name.clone()));
        let shown = self.peer.evidence::<VerifiedCert>().map(|cert| cert.facts().named());
        asked.chain(shown.into_iter().flatten()).collect()
    }
}

impl Desk {
    /// Answers one request. Whatever happens to it, exactly one audit record says so.
    pub(crate) async fn handle(&self, visit: &Visit, request: Request<Incoming>) -> Response<ResponseBody> {
        // Before anything is decided: a decision that cannot be recorded is not made, nor waited for without end.
        if let Err(full) = self.audit.room_within(self.limits.answer).await {
            let refusal = Refusal::new(Rule::Gw6, Told::Unavailable, full);
            return refusal.answer().map(ResponseBody::from);
        }
        let (head, body) = request.into_parts();
        let mut entry = Entry::new(self, visit);
        let outcome = self.answer(visit, &head, body, &mut entry).await;
        let mut response = match outcome {
            Ok(response) => response,
            Err(refusal) => {
                let refusal = self.charge_stranger(&entry, refusal);
                entry.refuse(&refusal);
                let mut response = refusal.answer().map(ResponseBody::from);
                if refusal.told == Told::BadRequest && head.version != Version::HTTP_2 {
                    // What follows on the connection may be the rest of what could not be read (D01).
                    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                response
            }
        };
        // The authorization server's refusals too, which are answers in its own words.
        if let Some(rule) = entry.record.reason.filter(|_| self.reason_header == ReasonHeader::Shown) {
            response.headers_mut().insert(REASON_HEADER, HeaderValue::from_static(rule.id()));
        }
        let id = HeaderValue::from_str(&entry.record.request_id).expect("request ids are hex digits");
        response.headers_mut().insert(REQUEST_ID, id);
        if self.environment == Environment::Mock {
            // Checks are relaxed here: nobody is to take this for a real gateway (G05).
            response.headers_mut().insert(ENVIRONMENT, HeaderValue::from_static(Environment::Mock.name()));
        }
        entry.finish(response.status());
        response
    }

    /// Charges a refusal that came before anybody was charged to the caller's address: strangers have their limit too.
    fn charge_stranger(&self, entry: &Entry<'_>, refusal: Refusal) -> Refusal {
        let payer = Payer::at(entry.visit.peer.origin.ip());
        match entry.charged {
            true => refusal,
            false => self.policy.charge(&payer).err().unwrap_or(refusal),
        }
    }

    async fn answer(
        &self,
        visit: &Visit,
        head: &Parts,
        body: Incoming,
        entry: &mut Entry<'_>,
    ) -> Result<Response<ResponseBody>, Refusal> {
        one_coding(head)?;
        let host = one_host(head)?;
        let path = NormalPath::parse(target_path(head)?)
            .map_err(|ambiguous| Refusal::new(Rule::Gw1, Told::BadRequest, ambiguous))?;
        if self.registry.staleness(Instant::now()) > self.limits.max_staleness {
            let cause = "the registry could not be confirmed for too long";
            return Err(Refusal::new(Rule::Tls10, Told::Unavailable, cause));
        }
        let credential =
            Credential::parse(head.headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes));
        let presented = Presented { peer: &visit.peer, credential, now: self.clock.now() };
        let entered = visit.door.enter(&presented).inspect_err(|_| entry.record.facts = visit.facts())?;
        entry.entered(&entered);
        let turn = self.policy.charge(entered.payer())?;
        right_host(visit, &host)?;
        let oauth = self.oauth.as_ref().filter(|_| visit.peer.origin.channel == Channel::Desktop);
        if let Some((oauth, endpoint)) =
            oauth.and_then(|oauth| Some((oauth, oauth.endpoint(head.uri.path())?)))
        {
            return oauth.answer(endpoint, head, body, (&self.limits, &self.clock), turn, entry).await;
        }
        let route = self
            .services
            .find(visit.peer.origin.channel, &path)
            .ok_or_else(|| Refusal::new(Rule::Gw1, Told::NotFound, "no service has this path"))?;
        entry.record.service = Some(route.service.name.clone());
        let admitted = self.policy.admit(entered, route, &presented)?;
        entry.admitted(&admitted);
        let route = admitted.route();
        let asks_status = route.asks_status == AsksStatus::Yes && head.method == http::Method::GET;
        let by_gateway = asks_status && route.service.status == StatusAnswer::Gateway;
        let fields = if by_gateway { HeaderMap::new() } else { self.forwardable(route, head)? };
        // Last of all: a token that may be used once is not spent on a request that is refused.
        let permit = admitted.settle(&self.spent, presented.now).await?;
        if by_gateway {
            entry.record.decision = Decision::Admitted;
            return Ok(Response::new(Bytes::from_static(b"OK").into()));
        }
        self.forward(&permit, head, fields, body, turn, entry).await
    }

    /// What only an admitted caller comes to: whether the service takes the request, and which of its fields are forwarded.
    fn forwardable(&self, route: &Route, head: &Parts) -> Result<HeaderMap, Refusal> {
        if !route.service.takes(&head.method) {
            let methods: Vec<_> = route.service.methods.iter().map(|method| method.as_str()).collect();
            let told = Told::MethodNotAllowed(methods.join(", "));
            return Err(Refusal::new(Rule::Gw1, told, "the service does not take the method"));
        }
        let announced =
            head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if announced.is_some_and(|length| length > self.limits.body_bytes) {
            let cause = BodyError::TooLarge(self.limits.body_bytes);
            return Err(Refusal::new(Rule::Gw3, Told::TooLarge, cause));
        }
        headers::forwarded(&head.headers, &self.forward_headers)
            .map_err(|nominated| Refusal::new(Rule::Gw3, Told::BadRequest, nominated))
    }

    async fn forward(
        &self,
        permit: &Permit,
        head: &Parts,
        fields: HeaderMap,
        body: Incoming,
        turn: Turn,
        entry: &mut Entry<'_>,
    ) -> Result<Response<ResponseBody>, Refusal> {
        let route = permit.route();
        let upstream =
            self.upstreams.get(&route.service.upstream).expect("the configuration names every upstream");
        let request = self.upstream_request(permit, head, fields, body, &entry.record)?;
        entry.record.decision = Decision::Failed;
        let (response, lease) = upstream.send(request).await.map_err(failed)?;
        let (mut head, body) = response.into_parts();
        entry.record.upstream_status = Some(head.status.as_u16());
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(Refusal::new(Rule::Gw3, Told::BadGateway, "the backing service switches protocols"));
        }
        if head.headers.contains_key(TRANSFER_ENCODING) && head.headers.contains_key(CONTENT_LENGTH) {
            // Two ends of one body (RFC 9112 §6.3): the caller would see another one than the gateway.
            let cause = "the answer has both a Transfer-Encoding and a Content-Length";
            return Err(Refusal::new(Rule::Gw3, Told::BadGateway, cause));
        }
        if head.status == StatusCode::NO_CONTENT {
            head.headers.remove(CONTENT_LENGTH);
        }
        entry.record.decision = Decision::Admitted;
        headers::withhold(&mut head.headers, upstream.origin(), &self.identity_header);
        head.version = Version::default();
        Ok(Response::from_parts(head, ResponseBody::upstream(body, self.limits.body_idle, lease, turn)))
    }

    fn upstream_request(
        &self,
        permit: &Permit,
        head: &Parts,
        mut fields: HeaderMap,
        body: Incoming,
        record: &Record,
    ) -> Result<Request<RequestBody>, Refusal> {
        // Content-Length is set anew from the body that the gateway read.
        fields.remove(CONTENT_LENGTH);
        let identity =
            self.identity.token(permit.principal(), &permit.route().service.name, self.clock.now());
        let identity = identity.map_err(|error| Refusal::new(Rule::Gw3, Told::Unavailable, error))?;
        fields.insert(self.identity_header.clone(), identity);
        let id = HeaderValue::from_str(&record.request_id).expect("request ids are hex digits");
        fields.insert(REQUEST_ID, id);
        let body = RequestBody::new(body, self.limits.body_bytes, self.limits.body_idle);
        let mut request = Request::new(body);
        *request.method_mut() = head.method.clone();
        *request.uri_mut() = target(&permit.route().path, head.uri.query())?;
        *request.headers_mut() = fields;
        Ok(request)
    }
}

/// One way to find the body's end: `chunked` is the only transfer coding (RFC 9112 §6.1, D01).
fn one_coding(head: &Parts) -> Result<(), Refusal> {
    let mut codings = head.headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(Refusal::new(Rule::Gw3, Told::BadRequest, "a transfer coding other than chunked")),
    }
}

/// The request's one host: Host, or HTTP/2's `:authority` (GW-1, RFC 9112 §3.2, RFC 9113 §8.3.1).
fn one_host(head: &Parts) -> Result<String, Refusal> {
    let refuse = |cause: &'static str| Err(Refusal::new(Rule::Gw1, Told::BadRequest, cause));
    let mut fields = head.headers.get_all(HOST).iter();
    let field = fields.next();
    if fields.next().is_some() {
        return refuse("there is more than one Host");
    }
    let field = match field.map(|field| field.to_str()) {
        Some(Ok(field)) => Some(field),
        Some(Err(_)) => return refuse("the Host is not ASCII"),
        None => None,
    };
    let authority =
        head.uri.authority().filter(|_| head.version == Version::HTTP_2).map(|authority| authority.as_str());
    let host = match (field, authority) {
        (Some(field), Some(authority)) if field != authority => return refuse("Host and :authority differ"),
        (Some(host), _) | (None, Some(host)) => host,
        (None, None) => return refuse("there is no Host"),
    };
    match host.parse::<http::uri::Authority>() {
        Ok(authority) if !host.contains('@') => Ok(authority.host().to_ascii_lowercase()),
        _ => refuse("the Host is not a host"),
    }
}

/// The path as it was sent. Absolute-form and authority-form targets are not served (D02).
fn target_path(head: &Parts) -> Result<&str, Refusal> {
    if head.version != Version::HTTP_2 && (head.uri.scheme().is_some() || head.uri.authority().is_some()) {
        return Err(Refusal::new(Rule::Gw1, Told::BadRequest, "the request target is not an absolute path"));
    }
    Ok(head.uri.path())
}

/// A17: neither the handshake nor the request names a host that the other does not.
fn right_host(visit: &Visit, host: &str) -> Result<(), Refusal> {
    let asked = visit.server_name.as_deref();
    let served = visit.hosts.is_empty() || visit.hosts.iter().any(|served| served == host);
    if served && asked.is_none_or(|asked| asked.eq_ignore_ascii_case(host)) {
        return Ok(());
    }
    let cause =
        format!("the request is for {host:?}, the TLS connection for {:?}", asked.unwrap_or("no name"));
    Err(Refusal::new(Rule::Gw1, Told::Misdirected, cause))
}

fn target(path: &str, query: Option<&str>) -> Result<Uri, Refusal> {
    let target = match query {
        Some(query) => PathAndQuery::try_from(format!("{path}?{query}")),
        None => PathAndQuery::try_from(path),
    };
    target.map(Uri::from).map_err(|error| Refusal::new(Rule::Gw1, Told::BadRequest, error))
}

/// What the caller is told when the backing service gave no answer, and whose fault it was.
fn failed(error: SendError) -> Refusal {
    let mut cause: &(dyn std::error::Error + 'static) = &error;
    while let Some(source) = cause.source() {
        cause = source;
        if let Some(body) = cause.downcast_ref::<BodyError>() {
            let told = match body {
                BodyError::TooLarge(_) => Told::TooLarge,
                BodyError::Stalled(_) | BodyError::Broken(_) => Told::BadRequest,
            };
            return Refusal::new(Rule::Gw3, told, causes(body));
        }
    }
    let told = match error {
        SendError::Timeout(_) => Told::Timeout,
        SendError::Full => Told::Unavailable,
        _ => Told::BadGateway,
    };
    Refusal::new(Rule::Gw3, told, error)
}

/// An error and its sources in one line.
pub(crate) fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
