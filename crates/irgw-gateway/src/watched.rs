//! A client's byte stream under watch: a header that dribbles in and a reader that stalls end the connection (D10), and
//! an answer that ends it is not lost to what the client still sends.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::under_way::UnderWay;

/// How long, and for how many bytes, a client that is still sending is listened to after its last answer: closing a
/// socket with bytes unread resets it, and a reset can overtake the answer (RFC 9112, section 9.6).
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 1024 * 1024;

/// What is watched for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// From a header's first byte to its request. `None`: framing other than HTTP/1.1, which bounds headers itself.
    pub(crate) header: Option<Duration>,
    /// The far end reads nothing while there is something to write.
    pub(crate) write: Duration,
}

/// A stream under watch. Its timers exist only while something is waited for.
pub(crate) struct Watched<Io> {
    io: Io,
    patience: Patience,
    under_way: Arc<UnderWay>,
    /// When the bytes of a request that is not yet one began to arrive.
    header_began: Option<Instant>,
    read_deadline: Option<Pin<Box<Sleep>>>,
    write_deadline: Option<Pin<Box<Sleep>>>,
    /// The last read brought bytes: there may be more that nobody will read.
    more_to_read: bool,
    lingering: Option<Lingering>,
}

/// An end whose last bytes are out, and who waits for the far end's.
struct Lingering {
    deadline: Pin<Box<Sleep>>,
    left: usize,
}

impl<Io> Watched<Io> {
    pub(crate) fn new(io: Io, patience: Patience, under_way: Arc<UnderWay>) -> Watched<Io> {
        Watched {
            io,
            patience,
            under_way,
            header_began: None,
            read_deadline: None,
            write_deadline: None,
            more_to_read: false,
            lingering: None,
        }
    }

    fn watch_write<T>(&mut self, cx: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.write_deadline = None;
            return poll;
        }
        let patience = self.patience.write;
        let deadline = self.write_deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        match deadline.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(Stalled::Reader.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// What the client is too slow at; carried in an [`io::Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stalled {
    /// Sending a request's header.
    Header,
    /// Reading an answer.
    Reader,
}

impl fmt::Display for Stalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stalled::Header => "the request header is too slow",
            Stalled::Reader => "the client reads nothing",
        })
    }
}

impl std::error::Error for Stalled {}

impl From<Stalled> for io::Error {
    fn from(stalled: Stalled) -> io::Error {
        io::Error::new(io::ErrorKind::TimedOut, stalled)
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Watched<Io> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let poll = Pin::new(&mut this.io).poll_read(cx, buf);
        this.more_to_read = poll.is_ready() && buf.filled().len() > before;
        let Some(patience) = this.patience.header else { return poll };
        if this.under_way.any() {
            this.header_began = None;
            this.read_deadline = None;
            return poll;
        }
        if this.more_to_read {
            let began = *this.header_began.get_or_insert_with(Instant::now);
            if began.elapsed() > patience {
                return Poll::Ready(Err(Stalled::Header.into()));
            }
        }
        if poll.is_pending()
            && let Some(began) = this.header_began
        {
            let deadline = this
                .read_deadline
                .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(began + patience)));
            if deadline.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(Stalled::Header.into()));
            }
        }
        poll
    }
}

impl<Io: AsyncRead + Unpin> Watched<Io> {
    /// Reads and throws away until the far end has closed, or has had its time or its bytes.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let lingering = self.lingering.get_or_insert_with(|| Lingering {
            deadline: Box::pin(tokio::time::sleep(LINGER)),
            left: LINGER_BYTES,
        });
        if lingering.deadline.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let mut bytes = [0; 4096];
        while lingering.left > 0 {
            let mut buf = ReadBuf::new(&mut bytes);
            match Pin::new(&mut self.io).poll_read(cx, &mut buf) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => {
                    lingering.left = lingering.left.saturating_sub(buf.filled().len());
                }
                Poll::Ready(_) => break,
            }
        }
        Poll::Ready(())
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<Io> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        // An answer is being written: whatever was read before it was a whole request.
        this.header_began = None;
        this.read_deadline = None;
        let poll = Pin::new(&mut this.io).poll_write(cx, bytes);
        this.watch_write(cx, poll)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.io).poll_flush(cx);
        this.watch_write(cx, poll)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.lingering.is_none() {
            let poll = Pin::new(&mut this.io).poll_shutdown(cx);
            ready!(this.watch_write(cx, poll))?;
            // HTTP/2 reads on by itself.
            if !this.more_to_read || this.patience.header.is_none() {
                return Poll::Ready(Ok(()));
            }
        }
        this.poll_linger(cx).map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    const PATIENCE: Patience =
        Patience { header: Some(Duration::from_secs(10)), write: Duration::from_secs(30) };

    #[tokio::test(start_paused = true)]
    async fn dribbling_header_ends_the_connection_however_often_a_byte_comes() {
        let (mut client, server) = tokio::io::duplex(64);
        let mut watched = Watched::new(server, PATIENCE, Arc::new(UnderWay::new()));
        let dribble = tokio::spawn(async move {
            while client.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_secs(3)).await;
            }
        });
        let began = Instant::now();
        let mut buf = [0; 1];
        let error = loop {
            if let Err(error) = watched.read_exact(&mut buf).await {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(began.elapsed() <= Duration::from_secs(13));
        drop(watched);
        dribble.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn idle_connection_is_none_of_the_watchs_business() {
        let (_client, server) = tokio::io::duplex(64);
        let mut watched = Watched::new(server, PATIENCE, Arc::new(UnderWay::new()));
        let waited = tokio::time::timeout(Duration::from_secs(60), watched.read_u8()).await;
        assert!(waited.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn reader_that_stalls_ends_the_connection() {
        let (_client, server) = tokio::io::duplex(64);
        let mut watched = Watched::new(server, PATIENCE, Arc::new(UnderWay::new()));
        let error = watched.write_all(&[0; 1000]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    /// How long it takes to shut down after `read` bytes of what the client sent.
    async fn shutdown_after(read: usize, client: DuplexStream, server: DuplexStream) -> Duration {
        let mut watched = Watched::new(server, PATIENCE, Arc::new(UnderWay::new()));
        watched.read_exact(&mut vec![0; read]).await.unwrap();
        let began = Instant::now();
        watched.shutdown().await.unwrap();
        drop(client);
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn client_that_is_still_sending_is_listened_to_for_a_while() {
        let (mut client, server) = tokio::io::duplex(1 << 20);
        client.write_all(&[b'x'; 100_000]).await.unwrap();
        assert_eq!(shutdown_after(1000, client, server).await, LINGER);
    }

    #[tokio::test(start_paused = true)]
    async fn client_that_has_closed_is_not_waited_for() {
        let (mut client, server) = tokio::io::duplex(1 << 20);
        client.write_all(&[b'x'; 100_000]).await.unwrap();
        client.shutdown().await.unwrap();
        assert_eq!(shutdown_after(1000, client, server).await, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn client_that_never_stops_is_cut() {
        let (mut client, server) = tokio::io::duplex(4 * LINGER_BYTES);
        client.write_all(&vec![b'x'; 2 * LINGER_BYTES]).await.unwrap();
        assert_eq!(shutdown_after(1000, client, server).await, Duration::ZERO);
    }
}
