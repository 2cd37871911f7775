//! TLS to the server, as the profile has it.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use irgw_core::{Channel, Clock, Origin, Transport};
use irgw_tls::client::{Client, ServerRoots};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::Socket;
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Makes connections secure: the server's certificate must come from one of the authorities in a file, for the host's name.
#[derive(Debug, Clone)]
pub(super) struct Tls {
    pub(super) roots: PathBuf,
    pub(super) clock: Arc<dyn Clock>,
}

impl MakeTlsConnect<Socket> for Tls {
    type Stream = Secured;
    type TlsConnect = Connector;
    type Error = Cause;

    /// Reads the authorities each time, so that a new file needs no restart.
    fn make_tls_connect(&mut self, host: &str) -> Result<Connector, Cause> {
        let roots = ServerRoots::from_pem(&fs::read(&self.roots)?)?;
        Ok(Connector(Client::one_way(&roots, host, self.clock.clone())?.with_alpn(&[])))
    }
}

/// To one host.
pub(super) struct Connector(Client);

impl TlsConnect<Socket> for Connector {
    type Stream = Secured;
    type Error = Cause;
    type Future = Pin<Box<dyn Future<Output = Result<Secured, Cause>> + Send>>;

    fn connect(self, socket: Socket) -> Self::Future {
        Box::pin(async move {
            // Nothing is decided by where it came from: the certificate says who it is.
            let origin = Origin::new(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)), Channel::Desktop);
            let (stream, _) = self.0.establish(socket, origin).await?;
            Ok(Secured(stream))
        })
    }
}

/// A secured connection.
pub(super) struct Secured(<Client as Transport<Socket>>::Stream);

impl TlsStream for Secured {
    /// None: the certificate is verified.
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Secured {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, into)
    }
}

impl AsyncWrite for Secured {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
