//! Connections that are kept: HTTP/2 where the gateway offers it, else HTTP/1.1.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Uri;
use http_body_util::Full;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tower_service::Service;

use crate::connect::{ConnectFault, Connector, Stream};

/// Connections to one gateway, shared by all clones.
pub(crate) type Pool = Client<Dialer, Full<Bytes>>;

/// A pool that is empty yet.
pub(crate) fn new(connector: Connector) -> Pool {
    Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(Dialer(connector))
}

/// The connector, as the pool wants it.
#[derive(Debug, Clone)]
pub(crate) struct Dialer(Connector);

type Connecting = Pin<Box<dyn Future<Output = Result<Line, ConnectFault>> + Send>>;

impl Service<Uri> for Dialer {
    type Response = Line;
    type Error = ConnectFault;
    type Future = Connecting;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectFault>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Connecting {
        let connector = self.0.clone();
        Box::pin(async move {
            let (stream, _) = connector.connect(&uri, &[b"h2", b"http/1.1"]).await?;
            let is_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            Ok(Line { stream: TokioIo::new(stream), is_h2 })
        })
    }
}

/// A connection, and what is spoken on it.
#[derive(Debug)]
pub(crate) struct Line {
    stream: TokioIo<Stream>,
    is_h2: bool,
}

impl Connection for Line {
    fn connected(&self) -> Connected {
        match self.is_h2 {
            true => Connected::new().negotiated_h2(),
            false => Connected::new(),
        }
    }
}

impl Read for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl Write for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
