//! Requests and replies over one byte stream, many under way at once, with no task beside the caller's.

use std::collections::VecDeque;
use std::pin::pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use russh_sftp::protocol::{Init, Packet};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::packet::{self, Handle, Reply, Use};
use super::{Breach, Error, Operation};

/// The client's end of SFTP 3 over a byte stream.
///
/// Requests are queued by [`Wire::ask`] and its kin, and sent while [`Wire::reply`] waits. A caller that goes away in between
/// leaves replies under way; they are dropped when they come.
pub(crate) struct Wire<S> {
    stream: S,
    outbox: VecDeque<Bytes>,
    inbox: BytesMut,
    next_id: u32,
    /// Requests whose replies have not come, in order.
    awaited: VecDeque<u32>,
    patience: Duration,
    broken: Option<Error>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// Agrees on version 3. Also gives the server's extensions.
    pub(crate) async fn open(
        stream: S,
        patience: Duration,
    ) -> Result<(Wire<S>, Vec<(String, String)>), Error> {
        let mut wire = Wire {
            stream,
            outbox: VecDeque::new(),
            inbox: BytesMut::new(),
            next_id: 0,
            awaited: VecDeque::new(),
            patience,
            broken: None,
        };
        wire.queue(Packet::Init(Init::default()));
        let packet = wire.packet(Operation::Init).await?;
        let (version, extensions) = packet::read_version(packet).map_err(Error::Protocol)?;
        match version {
            3 => Ok((wire, extensions)),
            other => Err(Error::Protocol(Breach::Version(other))),
        }
    }

    pub(crate) fn into_stream(self) -> S {
        self.stream
    }

    /// Queues a request that names paths, and gives its id.
    pub(crate) fn request(&mut self, build: impl FnOnce(u32) -> Packet) -> u32 {
        let id = self.new_id();
        self.queue(build(id));
        id
    }

    /// Queues a request for an open handle, and gives its id.
    pub(crate) fn use_handle(&mut self, handle: &Handle, purpose: Use<'_>) -> u32 {
        let id = self.new_id();
        self.outbox.push_back(handle.request(id, purpose));
        id
    }

    /// Asks and waits for the answer.
    pub(crate) async fn ask(
        &mut self,
        operation: Operation,
        build: impl FnOnce(u32) -> Packet,
    ) -> Result<Reply, Error> {
        let id = self.request(build);
        self.answer(operation, id).await
    }

    /// Asks for something of an open handle, and waits for the answer.
    pub(crate) async fn ask_handle(
        &mut self,
        operation: Operation,
        handle: &Handle,
        purpose: Use<'_>,
    ) -> Result<Reply, Error> {
        let id = self.use_handle(handle, purpose);
        self.answer(operation, id).await
    }

    /// The reply to this request; those to earlier ones, whose callers went away, are dropped.
    async fn answer(&mut self, operation: Operation, id: u32) -> Result<Reply, Error> {
        loop {
            let (answered, reply) = self.reply(operation).await?;
            if answered == id {
                return Ok(reply);
            }
        }
    }

    /// The next reply to any request under way, and the request's id.
    pub(crate) async fn reply(&mut self, operation: Operation) -> Result<(u32, Reply), Error> {
        let packet = self.packet(operation).await?;
        let read = packet::read(packet).and_then(|(id, reply)| {
            // Servers answer in order, most of them: the first is nearly always the one.
            let at = self.awaited.iter().position(|awaited| *awaited == id).ok_or(Breach::UnknownRequest)?;
            self.awaited.remove(at);
            Ok((id, reply))
        });
        read.map_err(|breach| self.break_off(Error::Protocol(breach)))
    }

    fn new_id(&mut self) -> u32 {
        let id = self.next_id;
        self.next_id = id.wrapping_add(1);
        self.awaited.push_back(id);
        id
    }

    fn queue(&mut self, packet: Packet) {
        match Bytes::try_from(packet) {
            Ok(bytes) => self.outbox.push_back(bytes),
            // Only a string of 4 GiB is refused, and names are bounded.
            Err(_) => self.broken = Some(Error::Protocol(Breach::Malformed)),
        }
    }

    async fn packet(&mut self, operation: Operation) -> Result<Bytes, Error> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        let patience = self.patience;
        match timeout(patience, std::future::poll_fn(|context| self.poll_packet(context))).await {
            Ok(Ok(Ok(packet))) => Ok(packet),
            Ok(Ok(Err(breach))) => Err(self.break_off(Error::Protocol(breach))),
            Ok(Err(_)) => Err(self.break_off(Error::Lost(operation))),
            Err(_) => Err(self.break_off(Error::Timeout(operation))),
        }
    }

    fn break_off(&mut self, error: Error) -> Error {
        self.broken = Some(error.clone());
        error
    }

    /// Sends what is queued and reads what comes, until a packet is there.
    fn poll_packet(&mut self, context: &mut Context<'_>) -> Poll<std::io::Result<Result<Bytes, Breach>>> {
        let mut is_flushed = false;
        while let Some(front) = self.outbox.front_mut() {
            let Poll::Ready(written) = pin!(self.stream.write(front)).poll(context)? else { break };
            if written == 0 {
                return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into()));
            }
            front.advance(written);
            if front.is_empty() {
                self.outbox.pop_front();
            }
            is_flushed = self.outbox.is_empty();
        }
        if is_flushed {
            let _ = pin!(self.stream.flush()).poll(context)?;
        }
        loop {
            match packet::take(&mut self.inbox) {
                Ok(None) => {}
                Ok(Some(packet)) => return Poll::Ready(Ok(Ok(packet))),
                Err(breach) => return Poll::Ready(Ok(Err(breach))),
            }
            // Room for the whole packet at once: a buffer that grows as it fills is copied each time.
            self.inbox.reserve(packet::lacking(&self.inbox).max(READ_BYTES));
            if ready!(pin!(self.stream.read_buf(&mut self.inbox)).poll(context))? == 0 {
                return Poll::Ready(Err(std::io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }
}

const READ_BYTES: usize = 64 * 1024;
