//! Uploading, with many writes under way.

use std::collections::VecDeque;

use russh_sftp::protocol::OpenFlags;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use super::packet::{Handle, Use};
use super::remote::{WINDOW_BYTES, done};
use super::{Error, Operation, Remote, RemotePath};

/// Where an upload begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With an empty file, whatever there was of that name.
    Afresh,
    /// Behind this many bytes, which the file has already and which are sure to be good ([`super::RemoteFile::sure_bytes`]): the
    /// source begins with the byte after them.
    At(u64),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Remote<S> {
    /// Writes a file of the server's, to be given its final name afterwards (SFTP-3); the file's size at the end.
    ///
    /// The bytes are on the server's disk when this returns, if the server can be told so (`fsync@openssh.com`), and the
    /// file has as many as were sent, whatever became of the writes. At most 4 MiB are under way and in memory.
    ///
    /// # Errors
    /// [`Error::Size`] when a partial file is shorter than where to go on from, or the file has not the size that was sent;
    /// [`Error::Source`] when the source fails; [`Error::NoSpace`], [`Error::Quota`], [`Error::Permission`] of the server.
    /// What had been written stays, to go on from: see [`super::RemoteFile::sure_bytes`].
    pub async fn upload(
        &mut self,
        path: &RemotePath,
        start: Start,
        source: &mut (impl AsyncRead + Unpin),
    ) -> Result<u64, Error> {
        match (start, self.look(path).await) {
            (Start::At(expected), Ok(file)) if file.size < expected => {
                return Err(Error::Size { expected, found: file.size });
            }
            (Start::Afresh, Err(Error::NoSuchFile(_))) | (_, Ok(_)) => {}
            (_, Err(error)) => return Err(error),
        }
        let (flags, offset) = match start {
            Start::Afresh => (OpenFlags::WRITE | OpenFlags::CREATE | OpenFlags::TRUNCATE, 0),
            Start::At(offset) => (OpenFlags::WRITE, offset),
        };
        let open = match self.open_file(path, flags).await {
            Ok(open) => open,
            Err(error) => return Err(self.explain(error, path).await),
        };
        let written = match self.write_all(&open, offset, source).await {
            Ok(end) => self.sync(&open).await.map(|()| end),
            Err(error) => Err(error),
        };
        // Closed in any case; the first error is the one that says something.
        let closed = self.close(open).await;
        let expected = match written.and_then(|end| closed.map(|()| end)) {
            Ok(end) => end,
            Err(error) => return Err(self.explain(error, path).await),
        };
        match self.look(path).await?.size {
            found if found == expected => Ok(found),
            found => Err(Error::Size { expected, found }),
        }
    }

    /// Writes all of the source from `offset` on; where it ends.
    async fn write_all(
        &mut self,
        open: &Handle,
        mut offset: u64,
        source: &mut (impl AsyncRead + Unpin),
    ) -> Result<u64, Error> {
        let chunk_bytes = self.chunk.write_bytes;
        let mut chunk = vec![0; chunk_bytes];
        let mut under_way: VecDeque<(u32, u64)> = VecDeque::new();
        let mut outcome = Ok(());
        let mut has_more = true;
        loop {
            // Counted from the first write that is not answered, whatever was answered since.
            let end = |offset| offset + chunk_bytes as u64;
            while has_more && under_way.front().is_none_or(|(_, first)| end(offset) - first <= WINDOW_BYTES) {
                match fill(source, &mut chunk).await {
                    Ok(data) => {
                        has_more = data.len() == chunk_bytes;
                        if !data.is_empty() {
                            let id = self.wire.use_handle(open, Use::Write { offset, data });
                            under_way.push_back((id, offset));
                            offset += data.len() as u64;
                        }
                    }
                    Err(error) => {
                        has_more = false;
                        outcome = outcome.and(Err(Error::Source(error.kind())));
                    }
                }
            }
            if under_way.is_empty() {
                return outcome.map(|()| offset);
            }
            let (id, reply) = self.wire.reply(Operation::Write).await?;
            // Others are late replies to somebody who went away.
            if let Some(at) = under_way.iter().position(|(written, _)| *written == id) {
                under_way.remove(at);
                if let Err(error) = done(Operation::Write, reply) {
                    has_more = false;
                    outcome = outcome.and(Err(error));
                }
            }
        }
    }

    async fn sync(&mut self, open: &Handle) -> Result<(), Error> {
        if !self.can_sync {
            return Ok(());
        }
        done(Operation::Sync, self.wire.ask_handle(Operation::Sync, open, Use::Sync).await?)
    }
}

/// As much of the source as fits: less only at its end.
async fn fill<'a>(source: &mut (impl AsyncRead + Unpin), chunk: &'a mut [u8]) -> std::io::Result<&'a [u8]> {
    let mut filled = 0;
    while let Some(rest) = chunk.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match source.read(rest).await? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(chunk.get(..filled).unwrap_or_default())
}
