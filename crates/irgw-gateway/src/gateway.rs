//! A running gateway: made of a configuration, bound, served, drained.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use irgw_core::{Authenticator, Channel, Clock, UnixTime};
use irgw_m2m::M2m;
use irgw_oauth::Bearer;
use irgw_store::{Event, Follower, Registry, Spent, Store, TokenKeys};
use irgw_tls::ClientCert;
use irgw_tls::server::Server;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use crate::allow_list::IpAllow;
use crate::audit::AuditLog;
use crate::authorization::Authorization;
use crate::clock_watch::ClockWatch;
use crate::config::{ClientCertificates, Config, ListenerConfig, Problem};
use crate::crowd::Crowd;
use crate::handle::{Desk, causes};
use crate::identity::IdentityTokens;
use crate::identity_files::IdentityFiles;
use crate::life::Phase;
use crate::listen::Listener;
use crate::material;
use crate::metrics::Metrics;
use crate::oauth::OAuth;
use crate::operator::Operator;
use crate::own_files::OwnFiles;
use crate::policy::{Door, Policy, SingleUse, SpentTokens};
use crate::private_files;
use crate::reload::Reload;
use crate::request_id::RequestIds;
use crate::throttle::Throttle;
use crate::transfer::keys::{KeyFiles, TransferKeys};
use crate::transfer::{Dispatcher, Fetcher};
use crate::trust_files::TrustFiles;
use crate::upstream::{Connector, Upstream, UpstreamTimes};

/// A gateway that serves. Dropping it stops it at once; [`Gateway::drain`] lets requests end first.
pub struct Gateway {
    addresses: Vec<(Channel, SocketAddr)>,
    operator: Option<SocketAddr>,
    phase: watch::Sender<Phase>,
    connections: TaskTracker,
    helpers: Vec<JoinHandle<()>>,
    follower: Option<Follower>,
    issuer: Option<String>,
    transfer_keys: Option<watch::Receiver<Arc<TransferKeys>>>,
    desk: Arc<Desk>,
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

/// Backing services close idle connections after a minute or so; a request must not meet that.
const UPSTREAM_IDLE: Duration = Duration::from_secs(20);

/// What is cut ends within this time.
const CUT: Duration = Duration::from_secs(5);

/// How a gateway's end went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Every request under way was answered.
    Whole,
    /// The drain time ran out; this many connections were cut.
    Cut(usize),
}

impl Gateway {
    /// Reads all that the configuration names, binds every listener, and serves.
    ///
    /// Everything is checked and bound before the first connection is accepted: nothing starts half-configured.
    ///
    /// # Errors
    /// The first [`Problem`].
    pub async fn start(config: Config, clock: Arc<dyn Clock>) -> Result<Gateway, Problem> {
        let config = Arc::new(config);
        let metrics = Arc::new(Metrics::new());
        let trust_files = TrustFiles::read(&config.roots, clock.now())?;
        let trust = trust_files.trust().clone();
        let store = Arc::new(material::store(&config)?);
        let registry = Registry::load(&store, config.environment);
        let registry = registry.map_err(|error| config.store.problem(causes(&error)))?;

        let mut bound = Vec::new();
        for listener in &config.listeners {
            let files = IdentityFiles::read(listener)?;
            let identity = files.identity().clone();
            let tls = match listener.client_certificates {
                ClientCertificates::Required => Server::mutual(identity, trust.clone(), clock.clone()),
                ClientCertificates::NotAsked => Server::one_way(identity, clock.clone()),
            };
            let tls = Arc::new(tls.with_alpn(&[b"h2", b"http/1.1"]));
            let socket = TcpListener::bind(listener.listen.value).await;
            let socket = socket
                .map_err(|error| listener.listen.problem(cannot_listen(listener.listen.value, &error)))?;
            bound.push((listener.clone(), files, tls, socket));
        }
        let operator = match &config.operator {
            Some(operator) => {
                let socket = TcpListener::bind(operator.listen.value).await;
                let socket = socket
                    .map_err(|error| operator.listen.problem(cannot_listen(operator.listen.value, &error)))?;
                Some(socket)
            }
            None => None,
        };

        let own = OwnFiles::read(&config.identity, config.operator.as_ref(), config.environment)?;
        let operator_token = own.operator_token();
        let identity = own.identity().clone();
        let transfer = config.files.as_ref().map(KeyFiles::read).transpose()?;
        let transfer_keys = transfer.as_ref().map(KeyFiles::in_force);
        let now = clock.now();
        let authorization = match (&config.oauth, issuer(&config, &bound)) {
            (Some(oauth), Some(issuer)) => {
                Some(Authorization::open(&config, oauth, issuer, &store, &registry, now)?)
            }
            _ => None,
        };
        let issuer =
            authorization.as_ref().map(|authorization| authorization.bearer.tokens.issuer().to_owned());
        let keys = authorization.as_ref().map(|authorization| authorization.keys.clone());
        let mut helpers = Vec::new();
        let authorization = authorization.map(|authorization| {
            let rotation = authorization.rotation.run(clock.clone(), metrics.clone());
            helpers.push(tokio::spawn(rotation));
            (authorization.oauth, authorization.bearer)
        });
        let parts = Parts { authorization, identity, clock: clock.clone(), metrics: metrics.clone() };
        let clock_watch = ClockWatch::since_last_write(&config.audit.value);
        let desk = Arc::new(desk(&config, &store, &registry, parts)?);
        let (changed, changes) = watch::channel(());
        let follower = follow(&store, &registry, &desk, keys, changed.clone())
            .map_err(|error| config.store.problem(causes(&error)))?;
        let (phase, phases) = watch::channel(Phase::Serving);
        if let (Some(files), Some(keys)) = (&config.files, &transfer_keys) {
            private_files::make_directory(&files.spool.value).map_err(|error| files.spool.problem(error))?;
            let dispatcher = Dispatcher {
                store: store.clone(),
                keys: keys.clone(),
                config: files.delivery.clone(),
                spool: files.spool.value.clone(),
                clock: clock.clone(),
                metrics: metrics.clone(),
                audit: desk.audit.clone(),
                breakers: Mutex::default(),
            };
            helpers.push(tokio::spawn(Arc::new(dispatcher).run(phases.clone())));
            if let Some(received) = &files.received {
                let fetcher = Fetcher {
                    store: store.clone(),
                    keys: keys.clone(),
                    every: files.fetch_every,
                    received: received.value.clone(),
                    clock: clock.clone(),
                    metrics: metrics.clone(),
                    audit: desk.audit.clone(),
                };
                helpers.push(tokio::spawn(fetcher.run(phases.clone())));
            }
        }
        let connections = TaskTracker::new();
        let mut addresses = Vec::new();
        let mut identities = Vec::new();
        for (listener, files, tls, socket) in bound {
            addresses.push((listener.channel, local(&socket, listener.listen.value)));
            identities.push((files, tls.clone()));
            let listener = Listener {
                door: Arc::new(door(&listener, &registry, &trust)),
                hosts: listener.hosts.clone().into(),
                config: listener,
                tls,
                desk: desk.clone(),
                crowd: Crowd::new(config.limits.connections, config.limits.connections_per_address),
                phase: phases.clone(),
                changes: changes.clone(),
            };
            helpers.push(tokio::spawn(Arc::new(listener).run(socket, connections.clone())));
        }
        let reload =
            Reload { identities, trust: trust_files, own, transfer, clock, clock_watch, metrics, changed };
        helpers.push(tokio::spawn(reload.run()));
        let mut operator_address = None;
        if let (Some(socket), Some(token), Some(config)) = (operator, operator_token, &config.operator) {
            operator_address = Some(local(&socket, config.listen.value));
            helpers.push(tokio::spawn(Arc::new(Operator::new(desk.clone(), token, phases)).run(socket)));
        }
        Ok(Gateway {
            addresses,
            operator: operator_address,
            phase,
            connections,
            helpers,
            follower: Some(follower),
            issuer,
            transfer_keys,
            desk,
        })
    }

    /// The bound listeners, in the configuration's order.
    pub fn addresses(&self) -> &[(Channel, SocketAddr)] {
        &self.addresses
    }

    /// The bound operator's listener.
    pub fn operator_address(&self) -> Option<SocketAddr> {
        self.operator
    }

    /// The root of the authorization server's URLs, where one is served.
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// The keys of file transfer in force, now and later; `None` without `[files]` in the configuration.
    pub fn transfer_keys(&self) -> Option<watch::Receiver<Arc<TransferKeys>>> {
        self.transfer_keys.clone()
    }

    /// What signs the identity tokens.
    pub(crate) fn identity(&self) -> &Arc<IdentityTokens> {
        &self.desk.identity
    }

    /// Accepts nothing more, answers what is under way within the configured time, and writes the audit log out.
    pub async fn drain(mut self) -> Drained {
        self.phase.send_replace(Phase::Draining);
        self.connections.close();
        let drained = match tokio::time::timeout(self.desk.limits.drain, self.connections.wait()).await {
            Ok(()) => Drained::Whole,
            Err(_) => {
                let cut = Drained::Cut(self.connections.len());
                self.phase.send_replace(Phase::Cutting);
                // Whatever was cut writes its record as it ends.
                if tokio::time::timeout(CUT, self.connections.wait()).await.is_err() {
                    tracing::error!(
                        tasks = self.connections.len(),
                        "requests do not end, and leave no record"
                    );
                }
                cut
            }
        };
        self.helpers.drain(..).for_each(|helper| helper.abort());
        let (desk, follower) = (self.desk.clone(), self.follower.take());
        let closed = tokio::task::spawn_blocking(move || {
            drop(follower);
            desk.audit.close();
        });
        if let Err(error) = closed.await {
            tracing::error!(%error, "the audit log could not be closed");
        }
        drained
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.helpers.drain(..).for_each(|helper| helper.abort());
        self.desk.audit.close();
    }
}

/// The root of the authorization server's URLs: as configured, or at the first desktop listener.
fn issuer(config: &Config, bound: &[Bound]) -> Option<String> {
    let configured = config.oauth.as_ref().and_then(|oauth| oauth.issuer.clone());
    configured.or_else(|| {
        let (listener, _, _, socket) =
            bound.iter().find(|(listener, ..)| listener.channel == Channel::Desktop)?;
        let host = listener.hosts.first().map_or("localhost", String::as_str);
        let port = local(socket, listener.listen.value).port();
        Some(format!("https://{host}:{port}/gateway3/oauth/"))
    })
}

/// A listener that is bound, and does not accept yet.
type Bound = (ListenerConfig, IdentityFiles, Arc<Server>, TcpListener);

fn cannot_listen(address: SocketAddr, error: &std::io::Error) -> String {
    format!("cannot listen on {address}: {error}; another process may have the port: choose another")
}

fn local(socket: &TcpListener, asked: SocketAddr) -> SocketAddr {
    socket.local_addr().unwrap_or(asked)
}

/// What the desk is given ready-made.
struct Parts {
    authorization: Option<(OAuth, Arc<Bearer>)>,
    identity: Arc<IdentityTokens>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
}

fn desk(
    config: &Config,
    store: &Arc<Store>,
    registry: &Arc<Registry>,
    parts: Parts,
) -> Result<Desk, Problem> {
    let Parts { authorization, identity, clock, metrics } = parts;
    let (oauth, bearer) = match authorization {
        Some((oauth, bearer)) => (Some(oauth), Some(bearer as Arc<dyn Authenticator>)),
        None => (None, None),
    };
    let limits = config.limits.clone();
    let times = UpstreamTimes { connect: limits.connect, answer: limits.answer, idle: UPSTREAM_IDLE };
    let mut upstreams = HashMap::new();
    for (name, upstream) in &config.upstreams {
        let tls = material::upstream_tls(upstream, clock.clone())?;
        let connector = Connector::new(&upstream.url, tls);
        upstreams.insert(
            name.clone(),
            Upstream::new(connector, times, limits.upstream_connections, limits.upstream_idle_connections),
        );
    }
    let m2m = M2m::new(
        registry.clone(),
        irgw_m2m::Options {
            skew: config.m2m.skew,
            checks: config.m2m.checks,
            legacy_sha1_thumbprint: config.m2m.legacy_sha1_thumbprint,
            cache_limit_bytes: config.m2m.cache_bytes,
        },
    );
    let throttle = Throttle::new(limits.requests_per_second, limits.burst, limits.requests_under_way);
    let policy = Policy::new(m2m, config.m2m.reuse, bearer, registry.clone(), throttle);
    let audit = AuditLog::open(&config.audit.value, material::audit_key_or_new(config)?);
    let audit = audit.map_err(|error| {
        config.audit.problem(format_args!("cannot write {}: {error}", config.audit.value.display()))
    })?;
    Ok(Desk {
        environment: config.environment,
        reason_header: config.reason_header,
        clock,
        services: config.services.clone(),
        upstreams,
        policy,
        oauth,
        spent: Arc::new(StoredTokens {
            store: store.clone(),
            skew: config.m2m.skew,
            turns: Semaphore::new(SPENDING),
        }),
        registry: registry.clone(),
        identity,
        identity_header: config.identity.header.clone(),
        forward_headers: config.forward_headers.clone(),
        audit: Arc::new(audit),
        metrics,
        request_ids: RequestIds::new(random()?),
        limits,
    })
}

fn random() -> Result<u64, Problem> {
    let mut bytes = [0; 8];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Problem::general("the system gives no random numbers"))?;
    Ok(u64::from_ne_bytes(bytes))
}

/// The address first: it is the cheaper question.
fn door(listener: &ListenerConfig, registry: &Arc<Registry>, trust: &Arc<irgw_tls::ClientTrust>) -> Door {
    let mut authenticators: Vec<Arc<dyn Authenticator>> = Vec::new();
    if let Some(networks) = &listener.allow {
        authenticators.push(Arc::new(IpAllow::new(networks.clone())));
    }
    if listener.client_certificates == ClientCertificates::Required {
        authenticators.push(Arc::new(ClientCert::new(registry.clone(), trust.clone())));
    }
    Door::new(authenticators)
}

/// Keeps the registry up to date, and drops what was derived from it when it changes.
fn follow(
    store: &Store,
    registry: &Arc<Registry>,
    desk: &Arc<Desk>,
    keys: Option<Arc<TokenKeys>>,
    changed: watch::Sender<()>,
) -> Result<Follower, irgw_store::Error> {
    const ALARM: &str = "registry";
    const KEYS_ALARM: &str = "keys of access tokens";
    let desk = desk.clone();
    Follower::spawn(store, registry.clone(), Follower::INTERVAL, move |event| match event {
        Event::Changed(refreshed) => {
            desk.identity.forget();
            if let Some(Err(error)) = keys.as_ref().map(|keys| keys.refresh(desk.clock.now())) {
                desk.metrics.raise(KEYS_ALARM);
                tracing::error!(error = causes(&error), "the keys of access tokens cannot be opened");
            } else {
                desk.metrics.clear(KEYS_ALARM);
            }
            changed.send_replace(());
            tracing::info!(?refreshed, "enrolment changed");
        }
        Event::Failed(error) => {
            desk.metrics.raise(ALARM);
            tracing::error!(error = causes(&error), "the registry cannot be confirmed");
        }
        Event::Recovered => {
            desk.metrics.clear(ALARM);
            tracing::info!("the registry is confirmed again");
        }
        Event::Reopened => {
            tracing::warn!("the database, or its -wal or -shm, was exchanged; what is there now was opened")
        }
        _ => {}
    })
}

/// Spent tokens in the store. A token is remembered until nobody accepts it any more: `exp` and the skew.
struct StoredTokens {
    store: Arc<Store>,
    skew: Duration,
    turns: Semaphore,
}

/// How many tokens are being spent at once. Each holds a thread that others need too; beyond what a disk writes in the
/// second that a request would wait, a refusal at once is the better answer.
const SPENDING: usize = 256;

impl SpentTokens for StoredTokens {
    fn spend(
        &self,
        token: &SingleUse,
        now: UnixTime,
    ) -> Result<Spent, Box<dyn std::error::Error + Send + Sync>> {
        let _turn = self.turns.try_acquire().map_err(|_| "too many tokens are being spent at once")?;
        let until = Duration::from_secs(token.expires_at.as_secs()).saturating_add(self.skew);
        Ok(self.store.spend(&token.credential, &token.jti, UnixTime::since_unix_epoch(until), now)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A thread for each waiting request would leave none for name resolution and files.
    #[test]
    fn token_beyond_those_being_spent_is_refused_at_once() {
        let store = Arc::new(Store::in_memory().unwrap());
        let tokens = StoredTokens { store, skew: Duration::ZERO, turns: Semaphore::new(1) };
        let now = UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000));
        let token =
            SingleUse { credential: irgw_core::Thumbprint([7; 32]), jti: "a".to_owned(), expires_at: now };
        let other = tokens.turns.try_acquire().unwrap();
        assert!(tokens.spend(&token, now).is_err());
        drop(other);
        assert_eq!(tokens.spend(&token, now).unwrap(), Spent::First);
        assert_eq!(tokens.spend(&token, now).unwrap(), Spent::Again);
    }
}
