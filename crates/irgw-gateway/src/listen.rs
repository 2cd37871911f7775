//! One listener: from an accepted connection to its last request.

use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use irgw_core::{Decision, Origin, Record, Refusal, Rule, Transport};
use irgw_tls::server::Server;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::config::ListenerConfig;
use crate::handle::{Desk, Visit, causes};
use crate::policy::Door;
use crate::proxy_header::{self, Source};
use crate::watched::{Patience, UnderWay, Watched};

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
        let channel = self.config.channel;
        let secured = tokio::time::timeout(self.desk.limits.handshake, self.secure(tcp, address)).await;
        match secured {
            Ok(Ok((stream, visit))) => Box::pin(self.serve(stream, visit)).await,
            Ok(Err(refused)) => self.record(refused),
            Err(_) => {
                let origin = Origin::new(address, channel);
                self.record(Refused {
                    origin,
                    rule: Rule::Tls1,
                    cause: "the handshake took too long".into(),
                    facts: vec![],
                });
            }
        }
        self.desk.metrics.connections.dec();
        drop(slot);
    }

    async fn secure(
        &self,
        mut tcp: TcpStream,
        address: SocketAddr,
    ) -> Result<(<Server as Transport<TcpStream>>::Stream, Visit), Refused> {
        let origin = self.origin(&mut tcp, address).await?;
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
        Ok((stream, Visit { peer, door: self.door.clone(), hosts: self.hosts.clone(), server_name }))
    }

    /// Where the connection comes from: a listed balancer says so, and must (IP-1, D09).
    async fn origin(&self, tcp: &mut TcpStream, address: SocketAddr) -> Result<Origin, Refused> {
        let channel = self.config.channel;
        let socket = Origin::new(address, channel);
        if !crate::allow_list::contains(&self.config.balancers, address.ip()) {
            return Ok(socket);
        }
        match proxy_header::read(tcp).await {
            Ok(Source::Client(client)) => Ok(Origin::through(address, client, channel)),
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
        let service = service_fn(move |request: Request<Incoming>| {
            let (desk, visit, guard) = (desk.clone(), visit.clone(), under_way.enter());
            async move {
                let response = desk.handle(&visit, request).await;
                drop(guard);
                Ok::<_, std::convert::Infallible>(response)
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
            self.until_done(connection, http2::Connection::graceful_shutdown).await
        } else {
            let mut builder = http1::Builder::new();
            // Between requests hyper's own deadline bounds the wait; a header that dribbles in is the watch's business.
            builder
                .timer(TokioTimer::new())
                .header_read_timeout(limits.idle)
                .max_buf_size(limits.header_bytes);
            let connection = pin!(builder.serve_connection(io, service));
            self.until_done(connection, http1::Connection::graceful_shutdown).await
        };
        if let Some(Err(error)) = ended {
            tracing::debug!(error = causes(&error), "a connection ended");
        }
    }

    /// Serves until the connection ends; asks it to end after the request under way when it is old or the gateway drains, and
    /// drops it when the drain time has run out (`None`).
    async fn until_done<C: Future>(
        &self,
        mut connection: Pin<&mut C>,
        shut_down: impl FnOnce(Pin<&mut C>),
    ) -> Option<C::Output> {
        let (mut draining, mut cutting) = (self.phase.clone(), self.phase.clone());
        let time_to_go = async {
            let old = tokio::time::sleep(self.desk.limits.connection_age);
            tokio::select! {
                () = old => {}
                _ = draining.wait_for(|phase| *phase >= Phase::Draining) => {}
            }
        };
        tokio::select! {
            biased;
            ended = connection.as_mut() => return Some(ended),
            () = time_to_go => {}
        }
        shut_down(connection.as_mut());
        tokio::select! {
            ended = connection => Some(ended),
            _ = cutting.wait_for(|phase| *phase >= Phase::Cutting) => None,
        }
    }

    fn record(&self, refused: Refused) {
        let Refused { origin, rule, cause, facts } = refused;
        tracing::info!(peer = %origin.address, %rule, cause, ?facts, "connection refused");
        let mut record = Record::new(self.desk.clock.since_epoch(), origin, "".into());
        record.decision = Decision::Refused;
        record.reason = Some(rule);
        record.cause = Some(cause);
        record.facts = facts;
        self.desk.metrics.count(&record);
        self.desk.audit.record(&record);
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
