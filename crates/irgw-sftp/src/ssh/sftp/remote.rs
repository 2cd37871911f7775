//! A server's files, as a delivery needs them.

use std::time::Duration;

use russh_sftp::protocol::{Extended, FileAttributes, Lstat, Open, OpenFlags, Packet, Remove, Rename};
use tokio::io::{AsyncRead, AsyncWrite};

use super::packet::{self, Attributes, Handle, Reply, Use};
use super::wire::Wire;
use super::{Breach, Error, Folder, Operation, RemotePath};
use crate::ssh::Stream;

/// A server's files over the `sftp` subsystem, or any other byte stream.
///
/// It does what a delivery needs: look, upload, give the final name, list, download, put aside. Nothing follows a link: what is
/// not a regular file is refused. One operation is under way at a time; several connections do several.
///
/// A future that is dropped leaves what it had asked for done or not done, and a file of the server's open until the connection
/// ends; the connection can be used on.
pub struct Remote<S = Stream> {
    pub(super) wire: Wire<S>,
    /// Whether the server can be told to write to its disk: `fsync@openssh.com`.
    pub(super) can_sync: bool,
    /// Whether it tells its free room: `statvfs@openssh.com`.
    tells_free: bool,
    /// What one request reads or writes.
    pub(super) chunk: Chunk,
}

/// How many bytes of a file one request has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) read_bytes: usize,
    pub(super) write_bytes: usize,
}

impl Chunk {
    /// As many as a server says that it takes, within our own limits. Less than what every server takes it cannot mean, and 0
    /// is its word for no limit.
    fn within(limits: packet::Limits) -> Chunk {
        let bytes = |limit: u64| match usize::try_from(limit) {
            Ok(1..=LARGEST_CHUNK_BYTES) => (limit as usize).max(CHUNK_BYTES),
            _ => LARGEST_CHUNK_BYTES,
        };
        Chunk { read_bytes: bytes(limits.read_bytes), write_bytes: bytes(limits.write_bytes) }
    }
}

/// A regular file of the server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemoteFile {
    /// Its size in bytes.
    pub size: u64,
    /// When it was last changed, in seconds since the Unix epoch, if the server says. It may say anything.
    pub modified: Option<u32>,
}

impl RemoteFile {
    /// How much of an upload that was cut off is sure to be good, if this is what it left: all but the last 4 MiB. Writes within
    /// them were under way together, so that one may be missing before others that were done, and the size does not tell.
    pub fn sure_bytes(&self) -> u64 {
        self.size.saturating_sub(WINDOW_BYTES)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Remote<S> {
    /// Agrees on version 3. Every single answer may take `patience`.
    ///
    /// # Errors
    /// When the server speaks another version, or none.
    pub async fn open(stream: S, patience: Duration) -> Result<Remote<S>, Error> {
        let (wire, extensions) = Wire::open(stream, patience).await?;
        let has = |wanted: &str| extensions.iter().any(|(name, _)| name == wanted);
        let chunk = Chunk { read_bytes: CHUNK_BYTES, write_bytes: CHUNK_BYTES };
        let mut remote = Remote { wire, can_sync: has(packet::FSYNC), tells_free: has(STATVFS), chunk };
        if has(LIMITS) {
            let ask = |id| Packet::Extended(Extended { id, request: LIMITS.into(), data: Vec::new() });
            // A server that does not answer what it offered is taken as one that did not offer it.
            if let Reply::Extended(reply) = remote.wire.ask(Operation::Init, ask).await? {
                remote.chunk = Chunk::within(packet::read_limits(reply).map_err(Error::Protocol)?);
            }
        }
        Ok(remote)
    }

    /// Gives the stream back, to end the connection with the courtesies.
    pub fn into_stream(self) -> S {
        self.wire.into_stream()
    }

    /// Looks at a file, also at what an upload left that was cut off. Links are not followed.
    ///
    /// # Errors
    /// [`Error::NoSuchFile`], and [`Error::NotRegular`] for what is not a regular file (E07).
    pub async fn look(&mut self, path: &RemotePath) -> Result<RemoteFile, Error> {
        let path = path.to_string();
        let reply = self.wire.ask(Operation::Stat, |id| Packet::Lstat(Lstat { id, path })).await?;
        regular(attributes(Operation::Stat, reply)?)
    }

    /// Gives a file another name, never one that is there already: the upload's last step (SFTP-3).
    ///
    /// Version 3 says that a rename fails when the new name exists, and OpenSSH's server keeps to that, atomically. For
    /// servers that do not, the name is looked for first; what appears between the two requests they overwrite.
    ///
    /// # Errors
    /// [`Error::Exists`]; after [`Error::Lost`] and [`Error::Timeout`] the file has the one name or the other.
    pub async fn rename(&mut self, from: &RemotePath, to: &RemotePath) -> Result<(), Error> {
        if self.exists(to).await? {
            return Err(Error::Exists);
        }
        let (oldpath, newpath) = (from.to_string(), to.to_string());
        let rename = |id| Packet::Rename(Rename { id, oldpath, newpath });
        match done(Operation::Rename, self.wire.ask(Operation::Rename, rename).await?) {
            // The code of a name that exists is that of any failure.
            Err(Error::Refused { .. }) if self.exists(to).await? => Err(Error::Exists),
            renamed => renamed,
        }
    }

    /// Puts a file that was pulled and is done with into another folder of the server's, under its own name.
    ///
    /// # Errors
    /// As [`Remote::rename`].
    pub async fn archive(&mut self, path: &RemotePath, folder: &Folder) -> Result<(), Error> {
        self.rename(path, &folder.file(path.name())).await
    }

    /// Removes a file.
    ///
    /// # Errors
    /// [`Error::NoSuchFile`], [`Error::Permission`] and the others.
    pub async fn remove(&mut self, path: &RemotePath) -> Result<(), Error> {
        let filename = path.to_string();
        done(
            Operation::Remove,
            self.wire.ask(Operation::Remove, |id| Packet::Remove(Remove { id, filename })).await?,
        )
    }

    /// Whether anything has this name.
    async fn exists(&mut self, path: &RemotePath) -> Result<bool, Error> {
        match self.look(path).await {
            Ok(_) | Err(Error::NotRegular) => Ok(true),
            Err(Error::NoSuchFile(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn open_file(&mut self, path: &RemotePath, flags: OpenFlags) -> Result<Handle, Error> {
        let (filename, attrs) = (path.to_string(), FileAttributes::empty());
        let open = |id| Packet::Open(Open { id, filename, pflags: flags, attrs });
        handle(Operation::Open, self.wire.ask(Operation::Open, open).await?)
    }

    /// Looks at a file that is open.
    pub(super) async fn look_at_open(&mut self, open: &Handle) -> Result<RemoteFile, Error> {
        let reply = self.wire.ask_handle(Operation::Stat, open, Use::Stat).await?;
        regular(attributes(Operation::Stat, reply)?)
    }

    /// Closes a file; what only shows now, like a quota, is a failure of the whole (E09).
    pub(super) async fn close(&mut self, open: Handle) -> Result<(), Error> {
        let reply = self.wire.ask_handle(Operation::Close, &open, Use::Close).await?;
        done(Operation::Close, reply)
    }

    /// The error, or [`Error::NoSpace`] where the server gives no reason and has no room: version 3 has no code for that.
    pub(super) async fn explain(&mut self, error: Error, path: &RemotePath) -> Error {
        let Error::Refused { operation, .. } = error else { return error };
        if !self.tells_free {
            return error;
        }
        let folder = path.folder().as_str();
        let data = [&u32::try_from(folder.len()).unwrap_or(0).to_be_bytes(), folder.as_bytes()].concat();
        let ask = |id| Packet::Extended(Extended { id, request: STATVFS.into(), data });
        match self.wire.ask(operation, ask).await {
            Ok(Reply::Extended(reply)) => match packet::read_free(reply) {
                Ok((bytes, files)) if bytes < LEAST_ROOM_BYTES || files == 0 => Error::NoSpace(operation),
                _ => error,
            },
            _ => error,
        }
    }
}

/// The data of one request to a server that tells no limits: with header and handle it fits the 32 KiB of one SSH packet, and
/// is not sent in two. Every server takes it (draft-ietf-secsh-filexfer-02 §3).
const CHUNK_BYTES: usize = 32 * 1024 - 64;

/// The most data that we put into one request or ask for by one: with header and handle it fits the longest packet.
const LARGEST_CHUNK_BYTES: usize = packet::LIMIT_BYTES - 1024;

/// The most bytes from the first write that is not yet answered to the end of the last. What was uploaded further in front is
/// sure to be there. It is twice what OpenSSH's server lets come ahead, so that nobody waits for answers who could send.
pub(super) const WINDOW_BYTES: u64 = 4 << 20;

/// A disk with less free than a request may hold is full.
const LEAST_ROOM_BYTES: u64 = 256 * 1024;

const STATVFS: &str = "statvfs@openssh.com";
const LIMITS: &str = "limits@openssh.com";

fn regular(attributes: Attributes) -> Result<RemoteFile, Error> {
    match (attributes.is_regular(), attributes.size) {
        (Some(false), _) => Err(Error::NotRegular),
        // Version 3 lets a server leave the type out, and some on systems without links do.
        (_, Some(size)) => Ok(RemoteFile { size, modified: attributes.modified }),
        (_, None) => Err(Error::Protocol(Breach::WrongReply)),
    }
}

/// The status OK.
pub(super) fn done(operation: Operation, reply: Reply) -> Result<(), Error> {
    match reply {
        Reply::Status { code: 0, .. } => Ok(()),
        other => Err(refused(operation, other)),
    }
}

pub(super) fn handle(operation: Operation, reply: Reply) -> Result<Handle, Error> {
    match reply {
        Reply::Handle(handle) => Ok(handle),
        other => Err(refused(operation, other)),
    }
}

fn attributes(operation: Operation, reply: Reply) -> Result<Attributes, Error> {
    match reply {
        Reply::Attributes(attributes) => Ok(attributes),
        other => Err(refused(operation, other)),
    }
}

/// The error of a reply that is not the one that was hoped for.
pub(super) fn refused(operation: Operation, reply: Reply) -> Error {
    match reply {
        Reply::Status { code, message } if code != 0 => Error::refusal(operation, code, &message),
        _ => Error::Protocol(Breach::WrongReply),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_within_the_servers_limits_and_ours() {
        let within = |read_bytes, write_bytes| Chunk::within(packet::Limits { read_bytes, write_bytes });
        let chunk = |read_bytes, write_bytes| Chunk { read_bytes, write_bytes };
        assert_eq!(within(261_120, 65_536), chunk(261_120, 65_536));
        assert_eq!(within(0, u64::MAX), chunk(LARGEST_CHUNK_BYTES, LARGEST_CHUNK_BYTES));
        assert_eq!(within(1, 32_768), chunk(CHUNK_BYTES, 32_768));
    }
}
