//! One client's requests, answered one by one: bytes in, bytes out.

use std::collections::HashMap;
use std::fs::File;

use bytes::Bytes;
use russh_sftp::protocol::{Packet, Version};
use rustix::fs::Dir;
use rustix::io::Errno;

use super::answer::{Answer, Refusal, free, reply};
use super::jail::Last;
use super::share::Share;
use super::tree::Clobber;
use crate::ssh::sftp::packet::LIMIT_BYTES;

/// One client's session: SFTP version 3 as OpenSSH's server speaks it, within a [`Share`].
///
/// Every request is answered when it is made; nothing is under way in between. The files are closed when it is dropped.
#[derive(Debug)]
pub struct Files {
    pub(super) share: Share,
    is_begun: bool,
    open: HashMap<u32, Open>,
    next_handle: u32,
}

#[derive(Debug)]
pub(super) enum Open {
    File { file: File, is_append: bool, may_read: bool, may_write: bool },
    Folder(Dir),
}

/// The session ends: the client speaks no SFTP 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the client does not speak SFTP version 3")]
pub struct NotSftp;

pub(super) type Answered = Result<Answer, Refusal>;

impl Files {
    pub(crate) fn new(share: Share) -> Files {
        Files { share, is_begun: false, open: HashMap::new(), next_handle: 0 }
    }

    /// Answers one packet; neither has its length in front, the answer has.
    ///
    /// # Errors
    /// [`NotSftp`] when the first packet is not INIT, or a later one has not even a type and an id.
    pub fn answer(&mut self, mut packet: Bytes) -> Result<Bytes, NotSftp> {
        let head = packet.first_chunk::<5>().copied().ok_or(NotSftp)?;
        let [kind, id @ ..] = head;
        let id = u32::from_be_bytes(id);
        if !self.is_begun {
            // INIT has a version where the others have an id.
            if kind != INIT || id < 3 {
                return Err(NotSftp);
            }
            self.is_begun = true;
            return Ok(Bytes::try_from(Packet::Version(self.version())).unwrap_or_default());
        }
        let answer = match Packet::try_from(&mut packet) {
            Ok(request) => self.perform(request),
            Err(_) if is_known(kind) => Err(Refusal::BadMessage),
            Err(_) => Err(Refusal::Unsupported),
        };
        Ok(reply(id, answer))
    }

    fn version(&self) -> Version {
        let mut version = Version::new();
        let mut has = |name: &str, value: &str| version.extensions.insert(name.into(), value.into());
        has("fsync@openssh.com", "1");
        has("statvfs@openssh.com", "2");
        has("limits@openssh.com", "1");
        if self.share.policy().may_overwrite {
            has("posix-rename@openssh.com", "1");
        }
        version
    }

    fn perform(&mut self, request: Packet) -> Answered {
        match request {
            Packet::Open(open) => self.open_file(&open.filename, open.pflags, &open.attrs),
            Packet::Close(close) => self.close(&close.handle),
            Packet::Read(read) => self.read(&read.handle, read.offset, read.len),
            Packet::Write(write) => self.write(&write.handle, write.offset, &write.data),
            Packet::Lstat(stat) => self.stat(&stat.path, Last::Itself),
            Packet::Stat(stat) => self.stat(&stat.path, Last::Followed),
            Packet::Fstat(stat) => self.stat_open(&stat.handle),
            Packet::SetStat(set) => self.set_stat(&set.path, &set.attrs),
            Packet::FSetStat(set) => self.set_stat_open(&set.handle, &set.attrs),
            Packet::OpenDir(open) => self.open_folder(&open.path),
            Packet::ReadDir(read) => self.read_folder(&read.handle),
            Packet::Remove(remove) => self.remove(&remove.filename),
            Packet::MkDir(make) => self.make_folder(&make.path, &make.attrs),
            Packet::RmDir(remove) => self.remove_folder(&remove.path),
            Packet::RealPath(path) => self.real_path(&path.path),
            Packet::Rename(rename) => self.rename(&rename.oldpath, &rename.newpath, Clobber::Never),
            Packet::ReadLink(link) => self.read_link(&link.path),
            // The draft has the link first, OpenSSH and everybody after it the target.
            Packet::Symlink(link) => self.link(&link.linkpath, &link.targetpath),
            Packet::Extended(extended) => self.extended(&extended.request, extended.data.into()),
            _ => Err(Refusal::BadMessage),
        }
    }

    fn extended(&mut self, request: &str, mut data: Bytes) -> Answered {
        let mut string = || russh_sftp::de::from_bytes::<String>(&mut data).map_err(|_| Refusal::BadMessage);
        match request {
            "fsync@openssh.com" => match self.opened(&string()?)? {
                Open::File { file, .. } => Ok(file.sync_all().map(|()| Answer::Done)?),
                Open::Folder(_) => Err(Refusal::NoHandle),
            },
            "posix-rename@openssh.com" if self.share.policy().may_overwrite => {
                let (from, to) = (string()?, string()?);
                self.rename(&from, &to, Clobber::Always)
            }
            "statvfs@openssh.com" => {
                let place = self.share.jail().find(&string()?, Last::Followed)?;
                let folder = place.folder();
                Ok(Answer::Extended(free(&rustix::fs::fstatvfs(folder)?)))
            }
            "limits@openssh.com" => {
                let handles = self.share.policy().max_handles as u64;
                let limits = [PACKET_BYTES, DATA_BYTES, DATA_BYTES, handles];
                Ok(Answer::Extended(limits.into_iter().flat_map(u64::to_be_bytes).collect()))
            }
            _ => Err(Refusal::Unsupported),
        }
    }

    /// Whether another handle may be opened.
    pub(super) fn has_room(&self) -> Result<(), Refusal> {
        match self.open.len() < self.share.policy().max_handles {
            true => Ok(()),
            false => Err(Refusal::TooManyHandles),
        }
    }

    /// Keeps what is open, under a number that the client uses it by.
    pub(super) fn keep(&mut self, open: Open) -> Answered {
        self.has_room()?;
        // A number comes again after four thousand million, when its first bearer is long closed, or is passed over.
        while self.open.contains_key(&self.next_handle) {
            self.next_handle = self.next_handle.wrapping_add(1);
        }
        let number = self.next_handle;
        self.next_handle = number.wrapping_add(1);
        self.open.insert(number, open);
        Ok(Answer::Handle(number.to_string()))
    }

    pub(super) fn opened(&mut self, handle: &str) -> Result<&mut Open, Refusal> {
        handle.parse().ok().and_then(|number: u32| self.open.get_mut(&number)).ok_or(Refusal::NoHandle)
    }

    fn close(&mut self, handle: &str) -> Answered {
        let closed = handle.parse().ok().and_then(|number: u32| self.open.remove(&number));
        match closed.ok_or(Refusal::NoHandle)? {
            // What a network file system says only now is said by this too; std's close is silent.
            Open::File { file, may_write: true, .. } => {
                Ok(synced(rustix::fs::fdatasync(&file)).map(|()| Answer::Done)?)
            }
            _ => Ok(Answer::Done),
        }
    }
}

/// What came of writing to the disk; some file systems cannot be told to, which is no failure.
pub(super) fn synced(result: rustix::io::Result<()>) -> rustix::io::Result<()> {
    match result {
        Err(Errno::INVAL | Errno::ROFS | Errno::NOTSUP) => Ok(()),
        other => other,
    }
}

fn is_known(kind: u8) -> bool {
    matches!(kind, 3..=20 | 200)
}

const INIT: u8 = 1;
const PACKET_BYTES: u64 = LIMIT_BYTES as u64;
/// The most that one request reads or writes: OpenSSH's.
pub(super) const DATA_BYTES: u64 = PACKET_BYTES - 1024;
