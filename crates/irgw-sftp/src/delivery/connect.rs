//! A connection to a partner's file server.

use std::io;
use std::time::Duration;

use irgw_core::{Channel, Origin, Transport};
use tokio::net::TcpStream;

use super::{DeliveryFault, Partner};
use crate::ssh::sftp::Remote;
use crate::ssh::{Client, Pinned, PrivateKey, Target, Timeouts, VerifiedHost};

/// What connects.
#[derive(Debug, Clone)]
pub struct Dialer {
    /// What logs in.
    pub key: PrivateKey,
    /// How long to wait for a server to let us in.
    pub timeouts: Timeouts,
    /// How long to wait for each of its answers.
    pub patience: Duration,
}

/// Connects to a partner's server; which of its pinned keys it has.
///
/// # Errors
/// When it cannot be reached, is another one, or does not let us in.
pub(super) async fn connect(dialer: &Dialer, partner: &Partner) -> Result<(Remote, Pinned), DeliveryFault> {
    let unreachable = |error: io::Error| DeliveryFault::Unreachable(error.kind());
    let connecting = TcpStream::connect((partner.host.as_str(), partner.port));
    let tcp = tokio::time::timeout(dialer.timeouts.establish, connecting)
        .await
        .map_err(|_| DeliveryFault::Unreachable(io::ErrorKind::TimedOut))?
        .map_err(unreachable)?;
    tcp.set_nodelay(true).map_err(unreachable)?;
    let origin = Origin::new(tcp.peer_addr().map_err(unreachable)?, Channel::Files);
    let client = Client::new(Target {
        user: partner.login.clone(),
        key: dialer.key.clone(),
        pins: partner.pins.clone(),
        timeouts: dialer.timeouts,
    });
    let (stream, peer) = client.establish(tcp, origin).await?;
    let pinned = peer.evidence::<VerifiedHost>().map_or(Pinned::Current, VerifiedHost::pinned);
    Ok((Remote::open(stream, dialer.patience).await?, pinned))
}
