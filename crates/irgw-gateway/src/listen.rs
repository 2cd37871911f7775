//! One listener: from an accepted connection to its last request.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use irgw_core::{Decision, Origin, Record, Refusal, Rule, Transport};
use irgw_tls::server::Server;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use crate::config::ListenerConfig;
use crate::crowd::{Crowd, Slot};
use crate::handle::{Desk, Visit, causes};
use crate::life::{self, Life, Phase};
use crate::policy::Door;
use crate::proxy_header::{self, Source};
use crate::under_way::UnderWay;
use crate::watched::{Patience, Watched};

/// How long to wait after an accept that failed for want of file descriptors or memory.
const BACK_OFF: Duration = Duration::from_millis(50);

/// A secured connection; boxed, so that the futures that it passes through are small.
type Stream = Box<<Server as Transport<TcpStream>>::Stream>;

/// A bound listener and all that its connections need.
pub(crate) struct Listener {
    pub(crate) config: ListenerConfig,
    pub(crate) tls: Arc<Server>,
    pub(crate) door: Arc<Door>,
    pub(crate) hosts: Arc<[String]>,
    pub(crate) desk: Arc<Desk>,
    /// Connections at once: each listener has its own, so that strangers at one cannot shut the other.
    pub(crate) crowd: Crowd,
    /// How far the gateway's end has come.
    pub(crate) phase: watch::Receiver<Phase>,
    /// Told when enrolment, roots or revocation lists have changed.
    pub(crate) changes: watch::Receiver<()>,
}

impl Listener {
    /// Accepts connections until the gateway drains, and then closes the socket; each connection is a task of its own,
    /// tracked by `tasks`.
    pub(crate) async fn run(self: Arc<Listener>, socket: TcpListener, tasks: TaskTracker) {
        let mut phase = self.phase.clone();
        loop {
            // Room first: beyond the limit connections wait in the kernel's queue.
            let accepted = async {
                self.desk.audit.room().await;
                let slot = self.crowd.room().await;
                (slot, socket.accept().await)
            };
            let (slot, accepted) = tokio::select! {
                accepted = accepted => accepted,
                _ = phase.wait_for(|phase| *phase >= Phase::Draining) => return,
            };
            match accepted {
                Ok((tcp, address)) => {
                    let (listener, tracker) = (self.clone(), tasks.clone());
                    tasks.spawn(async move { listener.connection(tcp, address, slot, tracker).await });
                }
                Err(error) => {
                    tracing::warn!(%error, "accept failed");
                    tokio::time::sleep(BACK_OFF).await;
                }
            }
        }
    }

    async fn connection(&self, tcp: TcpStream, address: SocketAddr, slot: Slot, tasks: TaskTracker) {
        let is_balancer = crate::allow_list::contains(&self.config.balancers, address.ip().to_canonical());
        // Behind a balancer, one address is everybody.
        let seat = if is_balancer { Some(None) } else { self.crowd.seat(address.ip()).map(Some) };
        let Some(_seat) = seat else {
            tracing::debug!(peer = %address, "closed: the address has all the connections that it may have");
            return;
        };
        self.desk.metrics.connections.inc();
        let mut origin = Origin::new(address, self.config.channel);
        let mut step = Rule::Ip1;
        // Boxed, so that the handshake's state is gone while the connection lives.
        let secured = Box::pin(self.secure(tcp, &mut origin, &mut step));
        match tokio::time::timeout(self.desk.limits.handshake, secured).await {
            Ok(Ok((stream, visit))) => Box::pin(self.serve(stream, visit, tasks)).await,
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
    ) -> Result<(Stream, Visit), Refused> {
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
        Ok((Box::new(stream), Visit { peer, door, hosts, server_name, cut: OnceLock::new() }))
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

    async fn serve(&self, stream: Stream, visit: Visit, tasks: TaskTracker) {
        let visit = Arc::new(visit);
        let ended = match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") => Box::pin(self.http2(stream, visit.clone(), tasks)).await,
            _ => Box::pin(self.http1(stream, visit.clone())).await,
        };
        if let Some(Err(error)) = ended {
            match life::refusal(&error) {
                Some(cause) => {
                    let (origin, facts) = (visit.peer.origin, visit.facts());
                    self.record(Refused { origin, rule: Rule::Gw3, cause, facts });
                }
                None => tracing::debug!(error = causes(&error), "a connection ended"),
            }
        }
    }

    async fn http1(&self, stream: Stream, visit: Arc<Visit>) -> Option<hyper::Result<()>> {
        let limits = &self.desk.limits;
        let life = self.life(visit);
        let patience = Patience { header: Some(limits.header), write: limits.body_idle };
        let io = TokioIo::new(Watched::new(stream, patience, life.under_way.clone()));
        let mut builder = http1::Builder::new();
        // Idleness is the life's business, a header that dribbles in the watch's.
        builder.header_read_timeout(None).max_buf_size(limits.header_bytes);
        let mut connection = Box::pin(builder.serve_connection(io, life.service()));
        life.spend(connection.as_mut(), http1::Connection::graceful_shutdown).await
    }

    async fn http2(
        &self,
        stream: Stream,
        visit: Arc<Visit>,
        tasks: TaskTracker,
    ) -> Option<hyper::Result<()>> {
        let limits = &self.desk.limits;
        let life = self.life(visit);
        let patience = Patience { header: None, write: limits.body_idle };
        let io = TokioIo::new(Watched::new(stream, patience, life.under_way.clone()));
        let mut builder = http2::Builder::new(Tracked(tasks));
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
        let mut connection = Box::pin(builder.serve_connection(io, life.service()));
        life.spend(connection.as_mut(), http2::Connection::graceful_shutdown).await
    }

    fn life(&self, visit: Arc<Visit>) -> Life {
        let (phase, changes) = (self.phase.clone(), self.changes.clone());
        Life { desk: self.desk.clone(), visit, under_way: Arc::new(UnderWay::new()), phase, changes }
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

/// A connection that ended before its first request.
struct Refused {
    origin: Origin,
    rule: Rule,
    cause: String,
    facts: Vec<(&'static str, String)>,
}

/// Spawns what serves HTTP/2 streams, so that the gateway's end waits for it too.
#[derive(Debug, Clone)]
struct Tracked(TaskTracker);

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Tracked {
    fn execute(&self, work: F) {
        self.0.spawn(work);
    }
}
