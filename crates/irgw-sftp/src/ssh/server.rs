//! The server's end of SSH: public keys only, and nothing but the `sftp` subsystem (SFTP-1, SFTP-2).

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use irgw_core::{Authenticator, Clock, Credential, Origin, Peer, Presented, Rule, Transport, Verdict};
use russh::keys::ssh_key::public::KeyData;
use russh::server::{
    Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, RunningSession, Session, VerifiedPublicKey,
};
use russh::{Channel, ChannelId, ChannelOpenFailure, MethodKind, MethodSet, Pty, SshId};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::algorithms;
use super::client::CHANNEL_PACKETS;
use super::private_key::rsa_bits;
use super::stream::Connection;
use super::tether::tether;
use super::{Error, Fingerprint, Phase, PrivateKey, ProvenKey, Stream};

/// The server's end of SSH.
///
/// A connection is established when its client has proved a key that the authenticator accepts and has asked for the `sftp`
/// subsystem. A second channel, a shell, a command, a terminal, the agent, X11 and every kind of forwarding are refused.
/// Whether a key is enrolled is said only to a client that proved to hold it (ENV-5).
pub struct Server {
    config: Arc<russh::server::Config>,
    authenticator: Arc<dyn Authenticator>,
    clock: Arc<dyn Clock>,
    establish: Duration,
}

impl Server {
    /// A server with these host keys; the client's preference decides among them.
    pub fn new(
        host_keys: &[PrivateKey],
        authenticator: Arc<dyn Authenticator>,
        clock: Arc<dyn Clock>,
    ) -> Server {
        let config = russh::server::Config {
            server_id: SshId::Standard("SSH-2.0-irgw".into()),
            methods: MethodSet::from([MethodKind::PublicKey].as_slice()),
            auth_rejection_time: Duration::from_millis(300),
            auth_rejection_time_initial: Some(Duration::ZERO),
            max_auth_attempts: 6,
            keys: host_keys.iter().map(|key| key.private().as_ref().clone()).collect(),
            preferred: algorithms::preferred(),
            limits: algorithms::rekey_limits(),
            inactivity_timeout: None,
            keepalive_interval: Some(Duration::from_secs(15)),
            window_size: WINDOW_BYTES,
            channel_buffer_size: CHANNEL_PACKETS,
            ..russh::server::Config::default()
        };
        Server { config: Arc::new(config), authenticator, clock, establish: Duration::from_secs(30) }
    }

    /// The same server with another limit on the time from the first byte to the open subsystem; by default 30 s.
    pub fn with_deadline(self, establish: Duration) -> Server {
        Server { establish, ..self }
    }

    async fn accept<Io>(
        &self,
        io: Io,
        origin: Origin,
        seen: &Arc<Mutex<Seen>>,
    ) -> Result<(Stream, Peer), Error>
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (tether, io) = tether(io);
        let (ready, mut opened) = oneshot::channel();
        let door = Door {
            origin,
            authenticator: self.authenticator.clone(),
            clock: self.clock.clone(),
            seen: seen.clone(),
            peer: None,
            channel: None,
            ready: Some(ready),
        };
        let mut session: RunningSession<Door> =
            russh::server::run_stream(self.config.clone(), io, door).await?;
        let (channel, peer) = tokio::select! {
            biased;
            Ok(opened) = &mut opened => opened,
            ended = &mut session => {
                let error = ended.err().unwrap_or(Error::Lost(Phase::KeyExchange));
                return Err(lock(seen).explain(error));
            }
        };
        let id = channel.id();
        let stream = Stream::new(channel.into_stream(), Connection::Server { session, channel: id }, tether);
        Ok((stream, peer))
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("authenticator", &self.authenticator).finish_non_exhaustive()
    }
}

impl<Io> Transport<Io> for Server
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Stream;
    type Error = Error;

    async fn establish(&self, io: Io, origin: Origin) -> Result<(Stream, Peer), Error> {
        let seen = Arc::default();
        match timeout(self.establish, self.accept(io, origin, &seen)).await {
            Ok(established) => established,
            Err(_) => Err(Error::Timeout(lock(&seen).phase())),
        }
    }
}

/// What became of a connection's authentication, for the transport's error.
#[derive(Debug, Default)]
struct Seen {
    user: Option<Arc<str>>,
    refused: Option<(Fingerprint, Rule)>,
    is_accepted: bool,
}

impl Seen {
    fn phase(&self) -> Phase {
        match self {
            Seen { is_accepted: true, .. } => Phase::Channel,
            Seen { user: Some(_), .. } => Phase::Authentication,
            Seen { .. } => Phase::KeyExchange,
        }
    }

    /// The library's error, or what we know better.
    fn explain(&self, error: Error) -> Error {
        match (error, self.phase()) {
            (Error::Lost(_) | Error::Protocol(..), Phase::Authentication) => Error::NotAuthenticated {
                user: self.user.clone(),
                key: self.refused.map(|(key, _)| key),
                rule: self.refused.map_or(Rule::Sftp2, |(_, rule)| rule),
            },
            (Error::Lost(_), Phase::Channel) => Error::NoSubsystem,
            (error, phase) => error.during(phase),
        }
    }
}

fn lock(seen: &Mutex<Seen>) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One connection, as the library asks about it.
pub(crate) struct Door {
    origin: Origin,
    authenticator: Arc<dyn Authenticator>,
    clock: Arc<dyn Clock>,
    seen: Arc<Mutex<Seen>>,
    peer: Option<Peer>,
    channel: Option<Channel<Msg>>,
    ready: Option<oneshot::Sender<(Channel<Msg>, Peer)>>,
}

impl Door {
    fn asked_for(&self, user: &str) {
        // A user's name is a stranger's: it is kept for the log, cut to what a log wants.
        lock(&self.seen).user = Some(user.chars().take(128).collect::<String>().into());
    }
}

impl Handler for Door {
    type Error = Error;

    async fn auth_none(&mut self, user: &str) -> Result<Auth, Error> {
        self.asked_for(user);
        Ok(Auth::reject())
    }

    async fn auth_publickey_offered(&mut self, user: &str, offer: PublicKeyOffer<'_>) -> Result<Auth, Error> {
        self.asked_for(user);
        Ok(match is_strong(offer.algorithm.as_str(), offer.public_key.key_data()) {
            true => Auth::Accept,
            false => Auth::reject(),
        })
    }

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Error> {
        self.asked_for(user);
        if !is_strong(key.algorithm.as_str(), key.public_key.key_data()) {
            return Ok(Auth::reject());
        }
        let proven = ProvenKey::new(user, Fingerprint::of(key.public_key.key_data()));
        let fingerprint = proven.fingerprint();
        let peer = Peer::proven(self.origin, Arc::new(proven));
        let presented = Presented { peer: &peer, credential: Credential::None, now: self.clock.now() };
        let rule = match self.authenticator.authenticate(&presented) {
            Verdict::Accept(_) => {
                lock(&self.seen).is_accepted = true;
                self.peer = Some(peer);
                return Ok(Auth::Accept);
            }
            Verdict::Reject(rejection) => rejection.rule,
            Verdict::Absent => Rule::Sftp2,
        };
        lock(&self.seen).refused = Some((fingerprint, rule));
        Ok(Auth::reject())
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Error> {
        match (&self.channel, &self.ready) {
            (None, Some(_)) => {
                self.channel = Some(channel);
                reply.accept().await;
            }
            _ => reply.reject(ChannelOpenFailure::ResourceShortage).await,
        }
        Ok(())
    }

    async fn subsystem_request(
        &mut self,
        id: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), Error> {
        if name != "sftp" {
            return Ok(session.channel_failure(id)?);
        }
        match (self.channel.take(), self.ready.take(), self.peer.clone()) {
            (Some(channel), Some(ready), Some(peer)) => {
                session.channel_success(id)?;
                ready.send((channel, peer)).map_err(|_| Error::Lost(Phase::Channel))
            }
            _ => Ok(session.channel_failure(id)?),
        }
    }

    // What is not answered leaves a client waiting.

    async fn shell_request(&mut self, id: ChannelId, session: &mut Session) -> Result<(), Error> {
        Ok(session.channel_failure(id)?)
    }

    async fn exec_request(&mut self, id: ChannelId, _: &[u8], session: &mut Session) -> Result<(), Error> {
        Ok(session.channel_failure(id)?)
    }

    async fn pty_request(
        &mut self,
        id: ChannelId,
        _: &str,
        _: u32,
        _: u32,
        _: u32,
        _: u32,
        _: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Error> {
        Ok(session.channel_failure(id)?)
    }

    async fn env_request(
        &mut self,
        id: ChannelId,
        _: &str,
        _: &str,
        session: &mut Session,
    ) -> Result<(), Error> {
        Ok(session.channel_failure(id)?)
    }

    async fn x11_request(
        &mut self,
        id: ChannelId,
        _: bool,
        _: &str,
        _: &str,
        _: u32,
        session: &mut Session,
    ) -> Result<(), Error> {
        Ok(session.channel_failure(id)?)
    }

    async fn agent_request(&mut self, id: ChannelId, session: &mut Session) -> Result<bool, Error> {
        session.channel_failure(id)?;
        Ok(false)
    }
}

/// Whether a client may authenticate with this algorithm and key (SFTP-2).
fn is_strong(algorithm: &str, key: &KeyData) -> bool {
    algorithms::is_accepted_signature(algorithm)
        && match key {
            KeyData::Rsa(rsa) => (2048..=8192).contains(&rsa_bits(rsa)),
            _ => true,
        }
}

/// The bytes that a client may send ahead.
const WINDOW_BYTES: u32 = 2 << 20;
