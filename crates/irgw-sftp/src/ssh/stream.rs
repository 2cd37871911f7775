//! The byte stream of the SFTP subsystem, as both transports hand it out.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use russh::server::RunningSession;
use russh::{ChannelId, Disconnect, client};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;

use super::client::HostCheck;
use super::server::Door;
use super::tether::Tether;

/// The `sftp` subsystem of one SSH connection (RFC 4254 §6.5): bytes in both directions, encrypted and authenticated.
///
/// Dropping it ends the connection at once; [`Stream::finish`] ends it with the courtesies.
pub struct Stream {
    bytes: Pin<Box<dyn Duplex>>,
    connection: Connection,
    // Last, so that it is dropped last: what was sent before has then left the other fields.
    _tether: Tether,
}

trait Duplex: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Duplex for T {}

pub(crate) enum Connection {
    Client(client::Handle<HostCheck>),
    Server { session: RunningSession<Door>, channel: ChannelId },
}

impl Stream {
    pub(crate) fn new(
        bytes: impl AsyncRead + AsyncWrite + Send + 'static,
        connection: Connection,
        tether: Tether,
    ) -> Stream {
        Stream { bytes: Box::pin(bytes), connection, _tether: tether }
    }

    /// Ends the connection as RFC 4254 §5.3 and RFC 4253 §11.1 have it, waiting for the far end for at most a few seconds. A
    /// server says exit status 0, without which OpenSSH's client reports a lost connection.
    pub async fn finish(self) {
        let farewell = async {
            match self.connection {
                Connection::Client(session) => {
                    // Whether the far end still listens does not matter: everything it was asked is answered.
                    let _ = session.disconnect(Disconnect::ByApplication, "", "").await;
                    let _ = session.await;
                }
                Connection::Server { session, channel } => {
                    let handle = session.handle();
                    let _ = handle.exit_status_request(channel, 0).await;
                    let _ = handle.eof(channel).await;
                    let _ = handle.close(channel).await;
                    let _ = session.await;
                }
            }
        };
        let _ = timeout(FAREWELL, farewell).await;
    }
}

const FAREWELL: Duration = Duration::from_secs(3);

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.bytes.as_mut().poll_read(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.bytes.as_mut().poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.bytes.as_mut().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.bytes.as_mut().poll_shutdown(context)
    }
}
