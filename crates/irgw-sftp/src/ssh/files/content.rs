//! Files: opened, read, written, looked at.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use russh_sftp::protocol::{FileAttributes, OpenFlags};
use rustix::fs::{FileType, Mode, OFlags, Timespec, Timestamps};
use rustix::io::Errno;

use super::Files;
use super::answer::{Answer, Refusal, attributes};
use super::jail::{Last, size};
use super::session::{Answered, DATA_BYTES, Open};
use super::share::Share;

impl Files {
    pub(super) fn open_file(&mut self, path: &str, flags: OpenFlags, attrs: &FileAttributes) -> Answered {
        let policy = self.share.policy();
        let has = |flag| flags.contains(flag);
        let (may_read, may_write) = (has(OpenFlags::READ), has(OpenFlags::WRITE) || has(OpenFlags::APPEND));
        // Before the file is made or emptied.
        self.has_room()?;
        if (may_read && !policy.may_read) || !(may_read || may_write) {
            return Err(Refusal::Policy);
        }
        let place = self.share.jail().find(path, Last::Followed)?;
        let mut system = match (may_read, may_write) {
            (true, true) => OFlags::RDWR,
            (false, true) => OFlags::WRONLY,
            _ => OFlags::RDONLY,
        };
        let creates = may_write && has(OpenFlags::CREATE);
        if creates {
            system |= OFlags::CREATE;
        }
        if has(OpenFlags::EXCLUDE) {
            system |= OFlags::EXCL;
        }
        if may_write && !policy.may_change(place.name()) {
            // What is there already is not opened for writing: the system decides whether it is there.
            if !creates {
                return Err(Refusal::Policy);
            }
            system |= OFlags::EXCL;
        }
        let file = match place.open(system, permissions(attrs).unwrap_or(DEFAULT_MODE)) {
            Err(Errno::EXIST) if !has(OpenFlags::EXCLUDE) => return Err(Refusal::Policy),
            opened => File::from(opened?),
        };
        let stat = rustix::fs::fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(Refusal::System(Errno::ISDIR));
        }
        // Truncated after it is known to be a file, so that it is known what is given back.
        if may_write && has(OpenFlags::TRUNCATE) && stat.st_size > 0 {
            file.set_len(0)?;
            self.share.release(size(&stat));
        }
        self.keep(Open::File { file, is_append: has(OpenFlags::APPEND), may_read, may_write })
    }

    pub(super) fn read(&mut self, handle: &str, offset: u64, length: u32) -> Answered {
        match self.opened(handle)? {
            Open::File { file, may_read: true, .. } => {
                let mut data = vec![0; u64::from(length).min(DATA_BYTES) as usize];
                let mut filled = 0;
                while let Some(rest) = data.get_mut(filled..).filter(|rest| !rest.is_empty()) {
                    match file.read_at(rest, offset.saturating_add(filled as u64)) {
                        Ok(0) => break,
                        Ok(read) => filled += read,
                        Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                data.truncate(filled);
                if data.is_empty() { Err(Refusal::End) } else { Ok(Answer::Data(data)) }
            }
            Open::File { .. } => Err(Refusal::Policy),
            Open::Folder(_) => Err(Refusal::NoHandle),
        }
    }

    pub(super) fn write(&mut self, handle: &str, offset: u64, data: &[u8]) -> Answered {
        let share = self.share.clone();
        match self.opened(handle)? {
            Open::File { file, may_write: true, is_append, .. } => {
                let before = file.metadata()?.len();
                let offset = if *is_append { before } else { offset };
                let end = offset.checked_add(data.len() as u64).ok_or(Errno::FBIG)?;
                share.reserve(end.saturating_sub(before))?;
                let written = file.write_all_at(data, offset);
                if written.is_err() {
                    let after = file.metadata().map_or(end, |metadata| metadata.len());
                    share.release(end.max(before).saturating_sub(after.max(before)));
                }
                Ok(written.map(|()| Answer::Done)?)
            }
            Open::File { .. } => Err(Refusal::Policy),
            Open::Folder(_) => Err(Refusal::NoHandle),
        }
    }

    pub(super) fn stat(&mut self, path: &str, last: Last) -> Answered {
        let place = self.share.jail().find(path, last)?;
        Ok(Answer::Attributes(attributes(&place.stat()?)))
    }

    pub(super) fn stat_open(&mut self, handle: &str) -> Answered {
        let stat = match self.opened(handle)? {
            Open::File { file, .. } => rustix::fs::fstat(file)?,
            Open::Folder(folder) => folder.stat()?,
        };
        Ok(Answer::Attributes(attributes(&stat)))
    }

    pub(super) fn set_stat(&mut self, path: &str, attrs: &FileAttributes) -> Answered {
        let place = self.share.jail().find(path, Last::Followed)?;
        if !self.share.policy().may_change(place.name()) {
            return Err(Refusal::Policy);
        }
        let flags = if attrs.size.is_some() { OFlags::WRONLY } else { OFlags::RDONLY };
        let file = File::from(place.open(flags, Mode::empty())?);
        set(&self.share, &file, attrs)
    }

    pub(super) fn set_stat_open(&mut self, handle: &str, attrs: &FileAttributes) -> Answered {
        let share = self.share.clone();
        match self.opened(handle)? {
            Open::File { file, may_write: true, .. } => set(&share, file, attrs),
            Open::File { .. } => Err(Refusal::Policy),
            Open::Folder(_) => Err(Refusal::NoHandle),
        }
    }
}

/// Sets what a client may set of a file: size, permission bits, times. Whose it is stays.
fn set(share: &Share, file: &File, attrs: &FileAttributes) -> Answered {
    if attrs.uid.is_some() || attrs.gid.is_some() {
        return Err(Refusal::Policy);
    }
    if let Some(size) = attrs.size {
        let before = file.metadata()?.len();
        share.reserve(size.saturating_sub(before))?;
        file.set_len(size)?;
        share.release(before.saturating_sub(size));
    }
    if let Some(mode) = permissions(attrs) {
        rustix::fs::fchmod(file.as_fd(), mode)?;
    }
    if let (Some(accessed), Some(modified)) = (attrs.atime, attrs.mtime) {
        let at = |seconds: u32| Timespec { tv_sec: seconds.into(), tv_nsec: 0 };
        let times = Timestamps { last_access: at(accessed), last_modification: at(modified) };
        rustix::fs::futimens(file.as_fd(), &times)?;
    }
    Ok(Answer::Done)
}

/// The permission bits, without set-user-id and its kin.
pub(super) fn permissions(attrs: &FileAttributes) -> Option<Mode> {
    attrs.permissions.map(|mode| Mode::from_raw_mode(mode & 0o777))
}

const DEFAULT_MODE: Mode = Mode::from_raw_mode(0o666);
