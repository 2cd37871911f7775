//! A byte stream on a tether: when the tether is dropped, whoever holds the stream gets an error at once.
//!
//! The SSH library moves the stream into a task of its own, which would outlive a transport's dropped future and wait on
//! a peer that says nothing. With the tether nothing is left behind, whatever the peer does.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;

/// Holds a [`Tethered`] stream; dropping it ends the stream in both directions.
#[derive(Debug)]
pub(crate) struct Tether {
    _ends: [oneshot::Sender<Infallible>; 2],
}

/// A stream that works for as long as its [`Tether`] is held.
#[derive(Debug)]
pub(crate) struct Tethered<Io> {
    io: Io,
    // One for each direction, since the two halves of a split stream are polled by different tasks.
    reading: End,
    writing: End,
}

/// Puts a stream on a tether.
pub(crate) fn tether<Io>(io: Io) -> (Tether, Tethered<Io>) {
    let (reading_end, reading) = oneshot::channel();
    let (writing_end, writing) = oneshot::channel();
    let tethered = Tethered { io, reading: End(Some(reading)), writing: End(Some(writing)) };
    (Tether { _ends: [reading_end, writing_end] }, tethered)
}

/// The near end of a tether; empty once it was dropped.
#[derive(Debug)]
struct End(Option<oneshot::Receiver<Infallible>>);

impl End {
    /// Fails if the tether was dropped, else has the task woken when it is. Asked before the stream, which may have bytes
    /// without end.
    fn held(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if let Some(end) = &mut self.0 {
            if Pin::new(end).poll(context).is_pending() {
                return Ok(());
            }
            self.0 = None;
        }
        Err(io::ErrorKind::ConnectionAborted.into())
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Tethered<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.reading.held(context)?;
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Tethered<Io> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.writing.held(context)?;
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writing.held(context)?;
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writing.held(context)?;
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn dropped_tether_ends_a_read_and_a_write_that_wait() {
        let (near, far) = tokio::io::duplex(16);
        let (tether, tethered) = tether(near);
        let (mut read, mut write) = tokio::io::split(tethered);
        let reading = tokio::spawn(async move { read.read_u8().await });
        let writing = tokio::spawn(async move { write.write_all(&[0; 64]).await });
        tokio::task::yield_now().await;
        drop(tether);
        assert_eq!(reading.await.unwrap().unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
        assert_eq!(writing.await.unwrap().unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
        drop(far);
    }

    #[tokio::test]
    async fn dropped_tether_ends_a_stream_that_always_has_bytes() {
        let (tether, mut endless) = tether(tokio::io::join(tokio::io::repeat(b'x'), tokio::io::sink()));
        endless.read_u8().await.unwrap();
        drop(tether);
        for _ in 0..2 {
            assert_eq!(endless.read_u8().await.unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
        }
    }
}
