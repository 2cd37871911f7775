//! From a thread that writes to a task that reads, which is a few megabytes behind at most.
//!
//! A channel that ends without [`Sender::finish`] is an error to the reader, never the end of the data: half a message must not
//! look like a whole one.

use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::mpsc;

/// Chunks of this size, 5 MiB of them at most. A message comes in bursts of 4 MiB ([`crate::pgp::encrypt`]): with room for one of
/// them, the next is encrypted while this one is on its way.
const CHUNK_BYTES: usize = 128 * 1024;
const CHUNKS: usize = 40;

/// A new pipe.
pub(super) fn pipe() -> (Sender, Receiver) {
    let (sender, receiver) = mpsc::channel(CHUNKS);
    let buffer = BytesMut::with_capacity(CHUNK_BYTES);
    (Sender { buffer, sender }, Receiver { receiver, chunk: Bytes::new(), is_over: false })
}

enum Item {
    Data(Bytes),
    End,
}

/// The end that a thread writes to.
pub(super) struct Sender {
    buffer: BytesMut,
    sender: mpsc::Sender<Item>,
}

impl Sender {
    /// Says that this was all.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        self.send(Item::End)
    }

    fn send(&self, item: Item) -> io::Result<()> {
        self.sender.blocking_send(item).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for Sender {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(CHUNK_BYTES - self.buffer.len());
        self.buffer.extend_from_slice(bytes.get(..taken).unwrap_or(bytes));
        if self.buffer.len() == CHUNK_BYTES {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::replace(&mut self.buffer, BytesMut::with_capacity(CHUNK_BYTES));
        self.send(Item::Data(chunk.freeze()))
    }
}

/// The end that a task reads from.
pub(super) struct Receiver {
    receiver: mpsc::Receiver<Item>,
    chunk: Bytes,
    is_over: bool,
}

impl AsyncRead for Receiver {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.chunk.is_empty() && !self.is_over {
            match ready!(self.receiver.poll_recv(cx)) {
                Some(Item::Data(chunk)) => self.chunk = chunk,
                Some(Item::End) => self.is_over = true,
                None => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            }
        }
        let taken = self.chunk.len().min(buf.remaining());
        buf.put_slice(&self.chunk.split_to(taken));
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    #[tokio::test]
    async fn everything_arrives_in_order() {
        let sent: Vec<u8> = (0..1_000_003_u32).map(|n| (n % 251) as u8).collect();
        let (mut sender, mut receiver) = pipe();
        let bytes = sent.clone();
        let thread = std::thread::spawn(move || {
            sender.write_all(&bytes).unwrap();
            sender.finish().unwrap();
        });
        let mut received = Vec::new();
        receiver.read_to_end(&mut received).await.unwrap();
        assert_eq!(received, sent);
        thread.join().unwrap();
    }

    #[tokio::test]
    async fn writer_that_gives_up_is_an_error() {
        let (mut sender, mut receiver) = pipe();
        std::thread::spawn(move || {
            sender.write_all(b"half").unwrap();
            sender.flush().unwrap();
        });
        let error = receiver.read_to_end(&mut Vec::new()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn reader_that_goes_away_stops_the_writer() {
        let (mut sender, receiver) = pipe();
        drop(receiver);
        let error = sender.write_all(&vec![0; 2 * CHUNK_BYTES]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
