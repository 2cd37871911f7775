//! Downloading, with many reads under way.

use std::collections::VecDeque;

use bytes::Bytes;
use russh_sftp::protocol::OpenFlags;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::packet::{Handle, Reply, Use};
use super::remote::refused;
use super::{Breach, Error, Limited, Operation, Remote, RemotePath};

impl<S: AsyncRead + AsyncWrite + Unpin> Remote<S> {
    /// Reads a regular file of the server's into `sink`; its size. At most 8 MiB are under way and in memory.
    ///
    /// # Errors
    /// [`Error::NotRegular`] for a link, a folder or a device (E07), [`Error::TooMany`] when the server says that the file has more
    /// than `limit_bytes`, [`Error::Size`] when it has fewer bytes or more than the server said, [`Error::Sink`] when the sink
    /// fails. What the sink has by then is to be thrown away.
    pub async fn download(
        &mut self,
        path: &RemotePath,
        limit_bytes: u64,
        sink: &mut (impl AsyncWrite + Unpin),
    ) -> Result<u64, Error> {
        let size = self.look(path).await?.size;
        if size > limit_bytes {
            return Err(Error::TooMany { what: Limited::FileBytes, limit: limit_bytes });
        }
        let open = self.open_file(path, OpenFlags::READ).await?;
        // What has the name may have changed since; what is open cannot change into a folder or a device.
        let read = match self.look_at_open(&open).await {
            Ok(file) if file.size == size => self.read_all(&open, size, sink).await,
            Ok(file) => Err(Error::Size { expected: size, found: file.size }),
            Err(error) => Err(error),
        };
        let closed = self.close(open).await;
        read.and(closed)?;
        sink.flush().await.map_err(|error| Error::Sink(error.kind()))?;
        Ok(size)
    }

    async fn read_all(
        &mut self,
        open: &Handle,
        size: u64,
        sink: &mut (impl AsyncWrite + Unpin),
    ) -> Result<(), Error> {
        let mut reads = Reads { pieces: VecDeque::new() };
        let mut asked = 0;
        // One read beyond the end, whose answer must be that there is nothing more.
        let mut is_end_asked = false;
        loop {
            while !is_end_asked
                && reads.pieces.front().is_none_or(|first| asked - first.offset < READ_AHEAD_BYTES)
            {
                is_end_asked = asked == size;
                let length = if is_end_asked { 1 } else { (size - asked).min(self.chunk.read_bytes as u64) };
                // A chunk is far below 4 GiB.
                let length = u32::try_from(length).unwrap_or(u32::MAX);
                let id = self.wire.use_handle(open, Use::Read { offset: asked, length });
                reads.pieces.push_back(Piece { id, offset: asked, length, data: None });
                asked += if is_end_asked { 0 } else { u64::from(length) };
            }
            let (id, reply) = self.wire.reply(Operation::Read).await?;
            if let Some(rest) = reads.answer(id, reply, size)? {
                let id = self.wire.use_handle(open, Use::Read { offset: rest.offset, length: rest.length });
                reads.insert_behind(rest, id);
            }
            while let Some(data) = reads.pop_ready() {
                sink.write_all(&data).await.map_err(|error| Error::Sink(error.kind()))?;
            }
            if reads.pieces.is_empty() && is_end_asked {
                return Ok(());
            }
        }
    }
}

/// The most bytes from the first read whose answer has not come to the end of the last: what the transport lets a server send
/// ahead, so that a long way to it does not slow it down.
const READ_AHEAD_BYTES: u64 = 8 << 20;

/// A part of the file that was asked for.
struct Piece {
    id: u32,
    offset: u64,
    length: u32,
    data: Option<Bytes>,
}

/// What is left of a piece after a short answer.
struct Rest {
    offset: u64,
    length: u32,
}

/// The parts that are under way, in the file's order.
struct Reads {
    pieces: VecDeque<Piece>,
}

impl Reads {
    /// Takes an answer; what is left of the piece, if the server gave less than was asked for.
    fn answer(&mut self, id: u32, reply: Reply, size: u64) -> Result<Option<Rest>, Error> {
        // Others are late replies to somebody who went away.
        let Some(piece) = self.pieces.iter_mut().find(|piece| piece.id == id && piece.data.is_none()) else {
            return Ok(None);
        };
        let is_beyond = piece.offset == size;
        match reply {
            Reply::Status { code: 1, .. } if is_beyond => {
                piece.data = Some(Bytes::new());
                Ok(None)
            }
            Reply::Status { code: 1, .. } => Err(Error::Size { expected: size, found: piece.offset }),
            Reply::Data(data) if data.len() > piece.length as usize => {
                Err(Error::Protocol(Breach::MoreThanAsked))
            }
            Reply::Data(data) if data.is_empty() => Err(Error::Protocol(Breach::WrongReply)),
            Reply::Data(_) if is_beyond => Err(Error::Size { expected: size, found: size + 1 }),
            Reply::Data(data) => {
                let got = u32::try_from(data.len()).unwrap_or(u32::MAX);
                let rest = Rest { offset: piece.offset + u64::from(got), length: piece.length - got };
                piece.length = got;
                piece.data = Some(data);
                Ok((rest.length > 0).then_some(rest))
            }
            other => Err(refused(Operation::Read, other)),
        }
    }

    fn insert_behind(&mut self, rest: Rest, id: u32) {
        let at = self.pieces.partition_point(|piece| piece.offset < rest.offset);
        self.pieces.insert(at, Piece { id, offset: rest.offset, length: rest.length, data: None });
    }

    /// The first part's bytes, if they have come.
    fn pop_ready(&mut self) -> Option<Bytes> {
        let data = self.pieces.front_mut()?.data.take()?;
        self.pieces.pop_front();
        Some(data)
    }
}
