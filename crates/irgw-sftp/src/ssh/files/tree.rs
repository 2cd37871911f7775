//! Names: listed, given, changed and taken away; folders and links.

use russh_sftp::protocol::{File, FileAttributes};
use rustix::fs::{AtFlags, Dir, FileType, Mode, RenameFlags};
use rustix::io::Errno;

use super::Files;
use super::answer::{Answer, Refusal, entry};
use super::content::permissions;
use super::jail::{Last, Place, normalised, size};
use super::session::{Answered, Open, synced};

impl Files {
    pub(super) fn remove(&mut self, path: &str) -> Answered {
        let place = self.share.jail().find(path, Last::Itself)?;
        let stat = place.stat()?;
        let policy = self.share.policy();
        if !policy.may_unname(place.name()) && !policy.may_fetch_away(&normalised(path)) {
            return Err(Refusal::Policy);
        }
        rustix::fs::unlinkat(place.folder(), place.name(), AtFlags::empty())?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile && stat.st_nlink == 1 {
            self.share.release(size(&stat));
        }
        Ok(Answer::Done)
    }

    pub(super) fn rename(&mut self, from: &str, to: &str, clobber: Clobber) -> Answered {
        let from = self.share.jail().find(from, Last::Itself)?;
        let to = self.share.jail().find(to, Last::Itself)?;
        from.stat()?;
        if !self.share.policy().may_unname(from.name()) {
            return Err(Refusal::Policy);
        }
        match clobber {
            Clobber::Always => {
                rustix::fs::renameat(from.folder(), from.name(), to.folder(), to.name())?;
            }
            Clobber::Never => rename_to_free_name(&from, &to)?,
        }
        // Who is told that a file has its final name must find it there after a crash.
        Ok(synced(rustix::fs::fsync(to.folder())).map(|()| Answer::Done)?)
    }

    pub(super) fn open_folder(&mut self, path: &str) -> Answered {
        if !self.share.policy().may_read {
            return Err(Refusal::Policy);
        }
        let folder = self.share.jail().find(path, Last::Followed)?.open_folder()?;
        self.keep(Open::Folder(Dir::new(folder)?))
    }

    pub(super) fn read_folder(&mut self, handle: &str) -> Answered {
        let Open::Folder(folder) = self.opened(handle)? else { return Err(Refusal::NoHandle) };
        let mut page = Vec::new();
        while page.len() < PAGE_NAMES {
            let Some(next) = folder.read() else { break };
            let next = next?;
            let stat = rustix::fs::statat(folder.fd()?, next.file_name(), AtFlags::SYMLINK_NOFOLLOW);
            // What has gone meanwhile is left out.
            if let Ok(stat) = stat {
                page.push(entry(next.file_name().to_string_lossy().into_owned(), &stat));
            }
        }
        if page.is_empty() { Err(Refusal::End) } else { Ok(Answer::Names(page)) }
    }

    pub(super) fn make_folder(&mut self, path: &str, attrs: &FileAttributes) -> Answered {
        let place = self.share.jail().find(path, Last::Itself)?;
        if !self.share.policy().may_change_folders {
            return Err(Refusal::Policy);
        }
        let mode = permissions(attrs).unwrap_or(Mode::RWXU | Mode::RWXG | Mode::RWXO);
        rustix::fs::mkdirat(place.folder(), place.name(), mode)?;
        Ok(Answer::Done)
    }

    pub(super) fn remove_folder(&mut self, path: &str) -> Answered {
        let place = self.share.jail().find(path, Last::Itself)?;
        if !self.share.policy().may_change_folders {
            return Err(Refusal::Policy);
        }
        rustix::fs::unlinkat(place.folder(), place.name(), AtFlags::REMOVEDIR)?;
        Ok(Answer::Done)
    }

    pub(super) fn real_path(&mut self, path: &str) -> Answered {
        if path.contains(['\0', char::REPLACEMENT_CHARACTER]) {
            return Err(Refusal::System(Errno::INVAL));
        }
        Ok(Answer::Names(vec![File::dummy(normalised(path))]))
    }

    pub(super) fn read_link(&mut self, path: &str) -> Answered {
        if !self.share.policy().may_link {
            return Err(Refusal::Policy);
        }
        let place = self.share.jail().find(path, Last::Itself)?;
        let target = rustix::fs::readlinkat(place.folder(), place.name(), Vec::new())?;
        let target = target.into_string().map_err(|_| Errno::ILSEQ)?;
        Ok(Answer::Names(vec![File::dummy(target)]))
    }

    pub(super) fn link(&mut self, target: &str, path: &str) -> Answered {
        if !self.share.policy().may_link {
            return Err(Refusal::Policy);
        }
        let place = self.share.jail().find(path, Last::Itself)?;
        rustix::fs::symlinkat(target, place.folder(), place.name())?;
        Ok(Answer::Done)
    }
}

/// Whether a rename takes the place of what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clobber {
    Never,
    Always,
}

/// Renames, failing if the new name exists, in one step.
fn rename_to_free_name(from: &Place, to: &Place) -> Result<(), Refusal> {
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    match rustix::fs::renameat_with(
        from.folder(),
        from.name(),
        to.folder(),
        to.name(),
        RenameFlags::NOREPLACE,
    ) {
        // The file system cannot; a second name can be had without clobbering everywhere.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
        renamed => return Ok(renamed?),
    }
    rustix::fs::linkat(from.folder(), from.name(), to.folder(), to.name(), AtFlags::empty())?;
    rustix::fs::unlinkat(from.folder(), from.name(), AtFlags::empty())?;
    Ok(())
}

/// The names of one page of a listing: as many as OpenSSH's.
const PAGE_NAMES: usize = 100;
