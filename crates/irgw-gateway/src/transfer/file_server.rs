//! A provider's file server: admits Inland Revenue's keys alone (SFTP-1, SFTP-2).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use irgw_core::{Channel, Clock, Missing, Origin, ProviderId, Refusal, Transport, printable};
use irgw_sftp::ssh::files::{Share, serve};
use irgw_sftp::ssh::{Fingerprint, PrivateKey, Server, SshKey, UserKeys};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::crowd::Crowd;

/// A file server that listens.
pub(crate) struct FileServer {
    listener: TcpListener,
    server: Arc<Server>,
    share: Share,
}

/// What never is.
pub(crate) enum Never {}

impl FileServer {
    /// Serves `share` on `listener` to whoever holds a key that is admitted.
    pub(crate) fn new(
        listener: TcpListener,
        host_key: &PrivateKey,
        admitted: Admitted,
        share: Share,
        clock: Arc<dyn Clock>,
    ) -> FileServer {
        let keys = Arc::new(SshKey::new(Arc::new(admitted)));
        FileServer {
            listener,
            server: Arc::new(Server::new(std::slice::from_ref(host_key), keys, clock)),
            share,
        }
    }

    /// Serves for as long as it is asked to. A dropped future ends all connections.
    pub(crate) async fn run(self) -> Never {
        let crowd = Crowd::new(CONNECTIONS, CONNECTIONS_OF_ONE_ADDRESS);
        let mut connections = JoinSet::new();
        loop {
            let slot = crowd.room().await;
            let (tcp, from) = match self.listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                    continue;
                }
            };
            while connections.try_join_next().is_some() {}
            let Some(seat) = crowd.seat(from.ip()) else { continue };
            let (server, share) = (self.server.clone(), self.share.clone());
            connections.spawn(async move {
                connection(&server, &share, tcp, from).await;
                drop((slot, seat));
            });
        }
    }
}

async fn connection(server: &Server, share: &Share, tcp: TcpStream, from: SocketAddr) {
    // An answer is not to wait for the next one.
    let _ = tcp.set_nodelay(true);
    match server.establish(tcp, Origin::new(from, Channel::Files)).await {
        Ok((mut stream, _)) => {
            tracing::debug!(%from, "connected to the file server");
            match serve(&mut stream, share.session(), IDLE).await {
                Ok(()) => tracing::debug!(%from, "disconnected from the file server"),
                Err(ended) => tracing::info!(%from, why = %ended, "disconnected from the file server"),
            }
            stream.finish().await;
        }
        Err(error) => {
            let why = printable(&error.to_string());
            tracing::warn!(%from, rule = %error.rule(), why, "refused by the file server");
        }
    }
}

/// The keys that are admitted, and the user that they are admitted as.
#[derive(Debug)]
pub(crate) struct Admitted {
    /// The user's name.
    pub(crate) user: String,
    /// The keys.
    pub(crate) keys: Vec<Fingerprint>,
}

impl UserKeys for Admitted {
    fn by_key(&self, user: &str, key: Fingerprint) -> Result<ProviderId, Missing> {
        match user == self.user && self.keys.contains(&key) {
            true => Ok(ProviderId::new("inland-revenue").expect("a short word")),
            false => Err(Missing::Unknown),
        }
    }
}

const CONNECTIONS: usize = 64;
const CONNECTIONS_OF_ONE_ADDRESS: usize = 16;
const IDLE: Duration = Duration::from_secs(300);
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
