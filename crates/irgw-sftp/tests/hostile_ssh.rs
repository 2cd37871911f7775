//! Servers and clients that misuse SSH itself (E03, E04).

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests fail as tests do"
)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use irgw_core::{Channel, Clock, Missing, Origin, ProviderId, Transport};
use irgw_sftp::ssh::{
    Client, Curve, Error, Fingerprint, HostPins, Phase, PrivateKey, Server, SshKey, Target, Timeouts,
    UserKeys,
};
use russh::server::{Auth, Handler, Msg, Session, VerifiedPublicKey};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::oneshot;

fn target(host: &PrivateKey, establish: Duration) -> Target {
    Target {
        user: "ird".into(),
        key: PrivateKey::generate(Curve::P256).unwrap(),
        pins: HostPins::only(host.authorized_key("").parse().unwrap()),
        timeouts: Timeouts { establish, ..Timeouts::default() },
    }
}

/// A server that lets anybody in.
fn lenient(host: &PrivateKey, preferred: russh::Preferred, far: DuplexStream, reaching: Reaching) {
    let pem = host.to_openssh(None).unwrap();
    let keys = vec![russh::keys::PrivateKey::from_openssh(pem.expose().as_bytes()).unwrap()];
    let config = russh::server::Config { keys, preferred, ..russh::server::Config::default() };
    // It runs in a task of the library's until the client has gone.
    tokio::spawn(async move {
        if let Ok(session) = russh::server::run_stream(Arc::new(config), far, reaching).await {
            let _ = session.await;
        }
    });
}

async fn establish(near: DuplexStream, establish: Duration) -> Error {
    let origin = Origin::new(([127, 0, 0, 1], 22).into(), Channel::Files);
    let client = Client::new(target(&PrivateKey::generate(Curve::P256).unwrap(), establish));
    client.establish(near, origin).await.map(drop).unwrap_err()
}

#[tokio::test]
async fn silent_server_is_given_up_and_nothing_is_left_behind_e03() {
    for said in [b"".as_slice(), b"SSH-2.0-silent\r\n", b"SSH-2.0-silent\r\n\0\0\0\xfc\x0a\x14"] {
        let (near, mut far) = duplex(1 << 16);
        far.write_all(said).await.unwrap();
        assert_eq!(establish(near, Duration::from_millis(50)).await, Error::Timeout(Phase::KeyExchange));
        // The library's task has let go of the stream: it ends after what the client had sent.
        far.read_to_end(&mut Vec::new()).await.unwrap();
    }
}

#[tokio::test]
async fn dropped_future_leaves_nothing_behind() {
    let (near, mut far) = duplex(1 << 16);
    far.write_all(b"SSH-2.0-silent\r\n").await.unwrap();
    let waiting = tokio::time::timeout(Duration::from_millis(50), establish(near, Duration::from_secs(60)));
    assert!(waiting.await.is_err());
    far.read_to_end(&mut Vec::new()).await.unwrap();
}

#[tokio::test]
async fn floods_before_the_identification_end_it_e03() {
    for line in ["hello\r\n".to_owned(), "x".repeat(4096), "SSH-1.5-old\r\n".to_owned()] {
        let (near, mut far) = duplex(1 << 12);
        let flood = tokio::spawn(async move { while far.write_all(line.as_bytes()).await.is_ok() {} });
        let error = establish(near, Duration::from_secs(20)).await;
        assert!(matches!(error, Error::Protocol(Phase::KeyExchange, _)), "{error:?}");
        flood.await.unwrap();
    }
}

#[tokio::test]
async fn lengths_out_of_bounds_end_it_e03() {
    for packet in [b"\xff\xff\xff\xff".as_slice(), b"\0\0\0\0\0\0\0\0", b"\0\0\0\x01\xff\xff\xff\xff"] {
        let (near, mut far) = duplex(1 << 16);
        far.write_all(b"SSH-2.0-liar\r\n").await.unwrap();
        far.write_all(packet).await.unwrap();
        far.write_all(&[0; 64]).await.unwrap();
        let error = establish(near, Duration::from_secs(20)).await;
        assert!(matches!(error, Error::Protocol(Phase::KeyExchange, _) | Error::Lost(_)), "{error:?}");
    }
}

/// A server that lets anybody in, and then wants channels of its own.
struct Reaching {
    tried: Option<oneshot::Sender<Vec<&'static str>>>,
}

impl Handler for Reaching {
    type Error = russh::Error;

    async fn auth_publickey(&mut self, _: &str, _: VerifiedPublicKey<'_>) -> Result<Auth, russh::Error> {
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        _: russh::Channel<Msg>,
        reply: russh::server::ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn subsystem_request(
        &mut self,
        id: russh::ChannelId,
        _: &str,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_success(id)?;
        let (handle, Some(tried)) = (session.handle(), self.tried.take()) else { return Ok(()) };
        tokio::spawn(async move {
            let opened = [
                ("agent", handle.channel_open_agent().await.is_ok()),
                ("x11", handle.channel_open_x11("127.0.0.1", 1).await.is_ok()),
                ("session", handle.channel_open_session().await.is_ok()),
                ("forwarded", handle.channel_open_forwarded_tcpip("h", 1_u32, "h", 1_u32).await.is_ok()),
                ("direct", handle.channel_open_direct_tcpip("h", 1_u32, "h", 1_u32).await.is_ok()),
                ("stream", handle.channel_open_forwarded_streamlocal("/tmp/x").await.is_ok()),
                ("direct stream", handle.channel_open_direct_streamlocal("/tmp/x").await.is_ok()),
            ];
            let _ =
                tried.send(opened.iter().filter(|(_, is_open)| *is_open).map(|(name, _)| *name).collect());
        });
        Ok(())
    }
}

#[tokio::test]
async fn no_channel_of_the_servers_is_accepted_e04() {
    let host = PrivateKey::generate(Curve::P256).unwrap();
    let (near, far) = duplex(1 << 16);
    let (tried, opened) = oneshot::channel();
    lenient(&host, russh::Preferred::DEFAULT, far, Reaching { tried: Some(tried) });
    let origin = Origin::new(([127, 0, 0, 1], 22).into(), Channel::Files);
    let client = Client::new(target(&host, Duration::from_secs(20)));
    let (_stream, _) = client.establish(near, origin).await.unwrap();
    assert_eq!(opened.await, Ok(Vec::new()));
}

#[tokio::test]
async fn without_strict_key_exchange_only_gcm_is_good_enough_e02() {
    let host = PrivateKey::generate(Curve::P256).unwrap();
    for (ciphers, verdict) in [
        ([russh::cipher::AES_256_GCM], Ok(())),
        ([russh::cipher::AES_128_GCM], Ok(())),
        ([russh::cipher::AES_256_CTR], Err(Error::NotStrict)),
    ] {
        let preferred = russh::Preferred {
            kex: vec![russh::kex::CURVE25519].into(),
            cipher: ciphers.to_vec().into(),
            ..russh::Preferred::DEFAULT
        };
        let (near, far) = duplex(1 << 16);
        lenient(&host, preferred, far, Reaching { tried: None });
        let origin = Origin::new(([127, 0, 0, 1], 22).into(), Channel::Files);
        let client = Client::new(target(&host, Duration::from_secs(20)));
        assert_eq!(client.establish(near, origin).await.map(drop), verdict, "{ciphers:?}");
    }
}

/// Judges nobody, since nobody comes so far.
#[derive(Debug)]
struct Nobody;

impl Clock for Nobody {
    fn since_epoch(&self) -> Duration {
        Duration::ZERO
    }
}

impl UserKeys for Nobody {
    fn by_key(&self, _: &str, _: Fingerprint) -> Result<ProviderId, Missing> {
        Err(Missing::Unknown)
    }
}

#[tokio::test]
async fn client_that_says_nothing_or_nonsense_is_let_go_of() {
    let keys = [PrivateKey::generate(Curve::P256).unwrap()];
    let authenticator = Arc::new(SshKey::new(Arc::new(Nobody)));
    let origin = Origin::new(([127, 0, 0, 1], 22).into(), Channel::Files);
    for (said, is_waited_for) in [
        (b"".as_slice(), true),
        (b"SSH-2.0-silent\r\n", true),
        (b"GET / HTTP/1.1\r\n\r\n", false),
        (b"SSH-2.0-liar\r\n\xff\xff\xff\xff", false),
    ] {
        let (near, mut far) = duplex(1 << 16);
        far.write_all(said).await.unwrap();
        let deadline = if is_waited_for { Duration::from_millis(50) } else { Duration::from_secs(20) };
        let server = Server::new(&keys, authenticator.clone(), Arc::new(Nobody)).with_deadline(deadline);
        let error = server.establish(near, origin).await.map(drop).unwrap_err();
        assert_eq!(error == Error::Timeout(Phase::KeyExchange), is_waited_for, "{error:?}");
        far.read_to_end(&mut Vec::new()).await.unwrap();
    }
}
