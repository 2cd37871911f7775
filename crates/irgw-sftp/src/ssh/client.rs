//! The client's end of SSH: to one server, whose host keys are pinned, with one key (SFTP-1, SFTP-2).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use irgw_core::{Origin, Peer, Transport};
use russh::client::{AuthResult, ChannelOpenHandle, Handle, Handler, Msg, Session};
use russh::keys::{HashAlg, PrivateKeyWithHashAlg, PublicKey, PublicKeyOrCertificate};
use russh::{Channel, ChannelMsg, Names, SshId, cipher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::algorithms;
use super::stream::Connection;
use super::tether::tether;
use super::{Error, Fingerprint, HostPins, Phase, Pinned, PrivateKey, Stream};

/// A server to connect to, and how to prove who we are there.
#[derive(Debug, Clone)]
pub struct Target {
    /// The user's name, which the provider gives.
    pub user: String,
    /// The key that the provider put into the user's `authorized_keys`.
    pub key: PrivateKey,
    /// The host keys that the server may have.
    pub pins: HostPins,
    /// How long to wait.
    pub timeouts: Timeouts,
}

/// How long to wait for a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// From the first byte to the open subsystem. By default 30 s.
    pub establish: Duration,
    /// For a sign of life on an idle connection; after the third that stays out the connection ends. By default 15 s.
    pub keepalive: Duration,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts { establish: Duration::from_secs(30), keepalive: Duration::from_secs(15) }
    }
}

/// The client's end of SSH, to one server.
///
/// The host is verified before any key of ours is offered (E05). Public-key authentication is all that is ever tried: a
/// server that asks for a password, or for more than the key, is refused. There is no agent, no forwarding and no X11:
/// whatever channel the server opens is rejected.
pub struct Client {
    target: Target,
    config: Arc<russh::client::Config>,
}

impl Client {
    /// A client of this server.
    pub fn new(target: Target) -> Client {
        let config = russh::client::Config {
            client_id: SshId::Standard("SSH-2.0-irgw".into()),
            preferred: algorithms::preferring(target.pins.algorithms()),
            limits: algorithms::rekey_limits(),
            keepalive_interval: Some(target.timeouts.keepalive),
            window_size: WINDOW_BYTES,
            channel_buffer_size: CHANNEL_PACKETS,
            ..russh::client::Config::default()
        };
        Client { target, config: Arc::new(config) }
    }

    async fn connect<Io>(&self, io: Io, origin: Origin, phase: &mut Phase) -> Result<(Stream, Peer), Error>
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (tether, io) = tether(io);
        let check = HostCheck { pins: self.target.pins.clone() };
        let mut session = russh::client::connect_stream(self.config.clone(), io, check).await?;
        let proof = session.agent_session_binding().ok_or(Error::HostProof)?;
        let host = VerifiedHost::by(&self.target.pins, proof.host_key(), proof.signature())?;
        *phase = Phase::Authentication;
        self.authenticate(&mut session).await.map_err(|error| error.during(Phase::Authentication))?;
        *phase = Phase::Channel;
        let channel = open(&session).await.map_err(|error| error.during(Phase::Channel))?;
        let stream = Stream::new(channel.into_stream(), Connection::Client(session), tether);
        Ok((stream, Peer::proven(origin, Arc::new(host))))
    }

    async fn authenticate(&self, session: &mut Handle<HostCheck>) -> Result<(), Error> {
        let Target { user, key, .. } = &self.target;
        let hash = match key.is_rsa() {
            true => match session.best_supported_rsa_hash().await? {
                Some(Some(hash)) => Some(hash),
                Some(None) => return Err(Error::RsaSha1),
                // The server does not say (RFC 8308); what it does not know it refuses.
                None => Some(HashAlg::Sha512),
            },
            false => None,
        };
        let key = PrivateKeyWithHashAlg::new(key.private().clone(), hash);
        match session.authenticate_publickey(user, key).await? {
            AuthResult::Success => Ok(()),
            AuthResult::Failure { remaining_methods, partial_success } => {
                // What the library also says when the connection ended.
                if remaining_methods.is_empty() && session.is_closed() {
                    return Err(Error::Lost(Phase::Authentication));
                }
                let methods = remaining_methods.iter().map(<&'static str>::from).collect();
                Err(match partial_success {
                    true => Error::MoreThanKey { methods },
                    false => Error::KeyRefused { user: user.as_str().into(), methods },
                })
            }
        }
    }
}

/// Opens a session channel with the `sftp` subsystem.
async fn open(session: &Handle<HostCheck>) -> Result<Channel<Msg>, Error> {
    let mut channel = session.channel_open_session().await?;
    channel.request_subsystem(true, "sftp").await?;
    loop {
        match channel.wait().await {
            Some(ChannelMsg::Success) => return Ok(channel),
            Some(ChannelMsg::WindowAdjusted { .. }) => {}
            Some(_) => return Err(Error::NoSubsystem),
            None => return Err(Error::Lost(Phase::Channel)),
        }
    }
}

/// The first string of a blob (RFC 4251 §5).
fn first_string(blob: &[u8]) -> Option<&str> {
    let (length, rest) = blob.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    std::str::from_utf8(rest.get(..length)?).ok()
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("target", &self.target).finish_non_exhaustive()
    }
}

impl<Io> Transport<Io> for Client
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Stream;
    type Error = Error;

    async fn establish(&self, io: Io, origin: Origin) -> Result<(Stream, Peer), Error> {
        let mut phase = Phase::KeyExchange;
        let established = timeout(self.target.timeouts.establish, self.connect(io, origin, &mut phase)).await;
        established.unwrap_or(Err(Error::Timeout(phase)))
    }
}

/// The server at the far end: its host key is a pinned one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifiedHost {
    fingerprint: Fingerprint,
    pinned: Pinned,
}

impl VerifiedHost {
    /// What a key exchange proved, which the library has verified with the key.
    ///
    /// It does so by the algorithm that the signature names, so that an RSA host could sign with SHA-1 whatever was agreed
    /// on: that is found here, before we authenticate.
    fn by(pins: &HostPins, key: &[u8], signature: &[u8]) -> Result<VerifiedHost, Error> {
        let algorithm = first_string(signature).ok_or(Error::HostProof)?;
        if !algorithms::is_accepted_signature(algorithm) {
            return Err(Error::HostSignature { algorithm: irgw_core::printable(algorithm).into() });
        }
        let key = PublicKey::from_bytes(key).map_err(|_| Error::HostProof)?;
        let pinned = pins.check(&key).map_err(Error::HostKey)?;
        Ok(VerifiedHost { fingerprint: Fingerprint::of(key.key_data()), pinned })
    }

    /// The host key.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Which pin it met.
    pub fn pinned(&self) -> Pinned {
        self.pinned
    }
}

/// What the library asks while a connection lasts.
pub(crate) struct HostCheck {
    pins: HostPins,
}

impl Handler for HostCheck {
    type Error = Error;

    async fn check_server_key(&mut self, host: &PublicKeyOrCertificate) -> Result<bool, Error> {
        match host {
            PublicKeyOrCertificate::PublicKey { key, .. } => {
                self.pins.check(key).map_err(Error::HostKey)?;
                Ok(true)
            }
            // None is asked for.
            PublicKeyOrCertificate::Certificate(_) => Ok(false),
        }
    }

    async fn kex_done(&mut self, _: Option<&[u8]>, names: &Names, _: &mut Session) -> Result<(), Error> {
        let is_gcm = names.cipher == cipher::AES_256_GCM || names.cipher == cipher::AES_128_GCM;
        if is_gcm || names.strict_kex() { Ok(()) } else { Err(Error::NotStrict) }
    }

    // The library accepts what a server opens unless it is told otherwise; a reply that is dropped rejects (E04).

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Error> {
        Ok(())
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Error> {
        Ok(())
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        _: Channel<Msg>,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Error> {
        Ok(())
    }

    async fn server_channel_open_session(
        &mut self,
        _: Channel<Msg>,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Error> {
        Ok(())
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Error> {
        Ok(())
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Error> {
        Ok(())
    }

    async fn server_channel_open_x11(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Error> {
        Ok(())
    }
}

/// The bytes that the server may send ahead: as many as 270 MiB a second are on their way in 30 ms.
const WINDOW_BYTES: u32 = 8 << 20;

/// The packets that wait for their reader, before nothing more is read from the network: 2 MiB of the usual size, and the
/// bound on what a peer that ignores the window can make us hold (16 MiB of 256 KiB packets).
pub(crate) const CHANNEL_PACKETS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ssh::Curve;

    #[test]
    fn host_that_signs_with_sha1_is_refused_e02() {
        let key = PrivateKey::generate(Curve::P256).unwrap();
        let pins = HostPins::only(key.fingerprint().into());
        let blob = key.private().public_key().to_bytes().unwrap();
        let by = |name: &str| {
            let signature = [&(name.len() as u32).to_be_bytes(), name.as_bytes(), &[0; 8]].concat();
            VerifiedHost::by(&pins, &blob, &signature)
        };
        let fingerprint = key.fingerprint();
        assert_eq!(by("ecdsa-sha2-nistp256"), Ok(VerifiedHost { fingerprint, pinned: Pinned::Current }));
        assert_eq!(by("rsa-sha2-256").map(drop), Ok(()));
        for weak in ["ssh-rsa", "ssh-dss", ""] {
            assert_eq!(by(weak), Err(Error::HostSignature { algorithm: weak.into() }));
        }
    }

    #[test]
    fn first_string_is_bounded_by_its_blob() {
        assert_eq!(first_string(b"\0\0\0\x07ssh-rsa\0\0"), Some("ssh-rsa"));
        for blob in [b"".as_slice(), b"\0\0\0", b"\0\0\0\x08ssh-rsa", b"\xff\xff\xff\xffx", b"\0\0\0\x01\xff"]
        {
            assert_eq!(first_string(blob), None);
        }
    }
}
