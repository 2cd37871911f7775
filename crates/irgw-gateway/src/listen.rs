//! One listener: from an accepted connection to its last request.

use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use irgw_core::{Credential, Decision, Origin, Presented, Record, Refusal, Rule, Transport};
use irgw_tls::server::Server;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::config::ListenerConfig;
use crate::handle::{Desk, Visit, causes};
use crate::policy::Door;
use crate::proxy_header::{self, Source};
use crate::watched::{Patience, Stalled, UnderWay, Watched};

/// How long to wait after an accept that failed for want of file descriptors or memory.
const BACK_OFF: Duration = Duration::from_millis(50);

/// A bound listener and all that its connections need.
pub(crate) struct Listener {
    pub(crate) config: ListenerConfig,
    pub(crate) socket: TcpListener,
    pub(crate) tls: Arc<Server>,
    pub(crate) door: Arc<Door>,
    pub(crate) hosts: Arc<[String]>,
    pub(crate) desk: Arc<Desk>,
    /// Connection slots, over all listeners.
    pub(crate) slots: Arc<Semaphore>,
    /// How far the gateway's end has come.
    pub(crate) phase: watch::Receiver<Phase>,
    /// Told when enrolment, roots or revocation lists have changed.
    pub(crate) changes: watch::Receiver<()>,
}

impl Listener {
    /// Accepts connections until the gateway drains; each is a task of its own, tracked by `tasks`.
    pub(crate) async fn run(self: Arc<Listener>, tasks: tokio_util::task::TaskTracker) {
        let mut phase = self.phase.clone();
        loop {
            // A slot first: beyond the limit connections wait in the kernel's queue.
            let accepted = async {
                let slot = self.slots.clone().acquire_owned().await.expect("the semaphore is never closed");
                (slot, self.socket.accept().await)
            };
            let (slot, accepted) = tokio::select! {
                accepted = accepted => accepted,
                _ = phase.wait_for(|phase| *phase >= Phase::Draining) => return,
            };
            match accepted {
                Ok((tcp, address)) => {
                    let listener = self.clone();
                    tasks.spawn(async move { listener.connection(tcp, address, slot).await });
                }
                Err(error) => {
                    tracing::warn!(%error, "accept failed");
                    tokio::time::sleep(BACK_OFF).await;
                }
            }
        }
    }

    async fn connection(&self, tcp: TcpStream, address: SocketAddr, slot: OwnedSemaphorePermit) {
        self.desk.metrics.connections.inc();
        let mut origin = Origin::new(address, self.config.channel);
        let mut step = Rule::Ip1;
        let secured = self.secure(tcp, &mut origin, &mut step);
        match tokio::time::timeout(self.desk.limits.handshake, secured).await {
            Ok(Ok((stream, visit))) => Box::pin(self.serve(stream, visit)).await,
            Ok(Err(refused)) => self.record(refused),
            Err(_) => {
                let cause = "the handshake took too long".into();
                self.record(Refused { origin, rule: step, cause, facts: vec![] });
            }
        }
        self.desk.metrics.connections.dec();
        drop(slot);
    }

    /// Secures a connection. When it is dropped half-way, `origin` and `step` say whose it was and what it waited for.
    async fn secure(
        &self,
        mut tcp: TcpStream,
        origin: &mut Origin,
        step: &mut Rule,
    ) -> Result<(<Server as Transport<TcpStream>>::Stream, Visit), Refused> {
        *origin = self.origin(&mut tcp, *origin).await?;
        *step = Rule::Tls1;
        let origin = *origin;
        if let Err(error) = tcp.set_nodelay(true) {
            return Err(Refused { origin, rule: Rule::Tls1, cause: causes(&error), facts: vec![] });
        }
        let (stream, peer) = self.tls.establish(tcp, origin).await.map_err(|error| Refused {
            origin,
            rule: error.rule(),
            cause: causes(&error),
            facts: error.facts(),
        })?;
        let server_name = stream.get_ref().1.server_name().map(str::to_owned);
        let (door, hosts) = (self.door.clone(), self.hosts.clone());
        Ok((stream, Visit { peer, door, hosts, server_name, barred: OnceLock::new() }))
    }

    /// Where the connection comes from: a listed balancer says so, and must (IP-1, D09).
    async fn origin(&self, tcp: &mut TcpStream, socket: Origin) -> Result<Origin, Refused> {
        if !crate::allow_list::contains(&self.config.balancers, socket.ip()) {
            return Ok(socket);
        }
        match proxy_header::read(tcp).await {
            Ok(Source::Client(client)) => Ok(Origin::through(socket.address, client, socket.channel)),
            Ok(Source::Balancer) => Ok(socket),
            Err(error) => {
                Err(Refused { origin: socket, rule: Rule::Ip1, cause: causes(&error), facts: vec![] })
            }
        }
    }

    async fn serve(&self, stream: <Server as Transport<TcpStream>>::Stream, visit: Visit) {
        let limits = &self.desk.limits;
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let patience = Patience { header: (!http2).then_some(limits.header), write: limits.body_idle };
        let under_way = Arc::new(UnderWay::default());
        let io = TokioIo::new(Watched::new(stream, patience, under_way.clone()));
        let (desk, visit) = (self.desk.clone(), Arc::new(visit));
        let life = Life { listener: self, visit: visit.clone(), under_way: under_way.clone() };
        let service = service_fn(move |request: Request<Incoming>| {
            let (desk, visit, guard) = (desk.clone(), visit.clone(), under_way.enter());
            async move {
                let response = desk.handle(&visit, request).await;
                Ok::<_, std::convert::Infallible>(response.map(|body| body.guarded(guard)))
            }
        });
        let ended = if http2 {
            let mut builder = http2::Builder::new(TokioExecutor::new());
            builder
                .timer(TokioTimer::new())
                .keep_alive_interval(limits.idle)
                .keep_alive_timeout(limits.header)
                .max_concurrent_streams(limits.streams)
                .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
                // Rapid reset and its kin (D11): a few streams may be cancelled, not a flood.
                .max_pending_accept_reset_streams(20)
                .max_local_error_reset_streams(128)
                .max_send_buf_size(64 * 1024);
            let connection = pin!(builder.serve_connection(io, service));
            life.until_done(connection, http2::Connection::graceful_shutdown).await
        } else {
            let mut builder = http1::Builder::new();
            // Between requests hyper's own deadline bounds the wait; a header that dribbles in is the watch's business.
            builder
                .timer(TokioTimer::new())
                .header_read_timeout(limits.idle)
                .max_buf_size(limits.header_bytes);
            let connection = pin!(builder.serve_connection(io, service));
            life.until_done(connection, http1::Connection::graceful_shutdown).await
        };
        if let Some(Err(error)) = ended {
            life.ended(&error);
        }
    }

    fn record(&self, refused: Refused) {
        let Refused { origin, rule, cause, facts } = refused;
        let known: Vec<_> = facts.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        tracing::info!(peer = %origin.address, %rule, cause, facts = known.join(" "), "connection refused");
        let mut record = Record::new(self.desk.clock.since_epoch(), origin, "".into());
        record.decision = Decision::Refused;
        record.reason = Some(rule);
        record.cause = Some(cause);
        record.facts = facts;
        self.desk.metrics.count(&record);
        self.desk.audit.record(&record);
    }
}

/// A connection's life from its first request to its end.
struct Life<'a> {
    listener: &'a Listener,
    visit: Arc<Visit>,
    under_way: Arc<UnderWay>,
}

impl Life<'_> {
    /// Serves until the connection ends; asks it to end after the request under way when it is old or the gateway
    /// drains. Drops it (`None`) when the drain time has run out, when it is twice as old as it may be, or when its
    /// caller's access ends in the middle of a request (TLS-10).
    async fn until_done<C: Future>(
        &self,
        mut connection: Pin<&mut C>,
        shut_down: impl FnOnce(Pin<&mut C>),
    ) -> Option<C::Output> {
        let (mut draining, mut cutting) = (self.listener.phase.clone(), self.listener.phase.clone());
        let age = self.listener.desk.limits.connection_age;
        let mut barred = pin!(self.barred());
        let time_to_go = async {
            tokio::select! {
                () = tokio::time::sleep(age) => {}
                _ = draining.wait_for(|phase| *phase >= Phase::Draining) => {}
            }
        };
        tokio::select! {
            biased;
            ended = connection.as_mut() => return Some(ended),
            () = barred.as_mut() => return None,
            () = time_to_go => {}
        }
        shut_down(connection.as_mut());
        tokio::select! {
            ended = connection => Some(ended),
            () = barred => None,
            () = tokio::time::sleep(age) => None,
            _ = cutting.wait_for(|phase| *phase >= Phase::Cutting) => None,
        }
    }

    /// Ends when the caller may no longer come in and has a request under way. Without one the connection may stay: its
    /// next request is refused, and told so.
    async fn barred(&self) {
        let mut changes = self.listener.changes.clone();
        changes.mark_unchanged();
        while changes.changed().await.is_ok() {
            let now = self.listener.desk.clock.now();
            let presented = Presented { peer: &self.visit.peer, credential: Credential::None, now };
            if let Err(refusal) = self.visit.door.enter(&presented)
                && self.under_way.any()
            {
                // The first reason stands; there is no second.
                let _ = self.visit.barred.set(refusal.rule);
                return;
            }
        }
        std::future::pending().await
    }

    /// Records a request that was refused before it was one: bytes that are no HTTP, or a header that dribbles in.
    fn ended(&self, error: &hyper::Error) {
        let cause = causes(error);
        let io = std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
        let stalled = io.and_then(|error| error.get_ref()?.downcast_ref::<Stalled>());
        if error.is_parse() || stalled == Some(&Stalled::Header) {
            let (origin, facts) = (self.visit.peer.origin, self.visit.facts());
            self.listener.record(Refused { origin, rule: Rule::Gw3, cause, facts });
        } else {
            tracing::debug!(error = cause, "a connection ended");
        }
    }
}

/// How far a gateway's end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// It serves.
    Serving,
    /// Nothing more is accepted; requests under way are answered.
    Draining,
    /// The drain time has run out: what is still under way is dropped, and recorded as such.
    Cutting,
}

/// A connection that ended before its first request.
struct Refused {
    origin: Origin,
    rule: Rule,
    cause: String,
    facts: Vec<(&'static str, String)>,
}
