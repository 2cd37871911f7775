//! Paths that cannot lead out of a folder.
//!
//! Every component is opened relative to the one before, without following links. A link is read and walked by us, as if the
//! folder were the root of the file system, or refused. `..` goes back along the way that was come, never above the root. So
//! there is no moment at which a path is checked and another at which it is used.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat, openat, readlinkat, statat};
use rustix::io::{Errno, Result};

/// A folder that paths cannot lead out of.
#[derive(Debug)]
pub(crate) struct Jail {
    root: OwnedFd,
    follows_links: bool,
    max_name_bytes: usize,
}

/// Where a path leads: a name in an open folder. What has the name may be missing, and is never a link that was to be
/// followed.
#[derive(Debug)]
pub(crate) struct Place {
    folder: OwnedFd,
    /// `.` for a folder that the path leads to by `/` or `..`.
    name: String,
}

/// What becomes of a link at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Last {
    /// The link itself is meant.
    Itself,
    /// What it leads to is meant.
    Followed,
}

impl Jail {
    pub(crate) fn open(root: &Path, follows_links: bool, max_name_bytes: usize) -> Result<Jail> {
        let root = openat(CWD, root, FOLDER.difference(OFlags::NOFOLLOW), Mode::empty())?;
        Ok(Jail { root, follows_links, max_name_bytes })
    }

    pub(crate) fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// Walks a path, absolute and relative ones alike from the root.
    pub(crate) fn find(&self, path: &str, last: Last) -> Result<Place> {
        let mut way = vec![self.root.try_clone().map_err(|_| Errno::MFILE)?];
        let mut ahead = self.components(path)?;
        let mut links = 0;
        while let Some(name) = ahead.pop_front() {
            let Some(here) = way.last() else { return Err(Errno::INVAL) };
            if name == ".." {
                if way.len() > 1 {
                    way.pop();
                }
                continue;
            }
            let is_last = ahead.is_empty();
            if is_last && last == Last::Itself {
                return end(way, name);
            }
            match openat(here, name.as_str(), FOLDER, Mode::empty()) {
                Ok(_) if is_last => return end(way, name),
                Ok(_) if way.len() >= MAX_DEPTH => return Err(Errno::NAMETOOLONG),
                Ok(folder) => way.push(folder),
                Err(Errno::NOTDIR | Errno::LOOP) => match readlinkat(here, name.as_str(), Vec::new()) {
                    Ok(_) if !self.follows_links => return Err(Errno::ACCESS),
                    Ok(_) if links == MAX_LINKS => return Err(Errno::LOOP),
                    Ok(target) => {
                        links += 1;
                        let target = target.to_str().map_err(|_| Errno::NOENT)?;
                        if target.starts_with('/') {
                            way.truncate(1);
                        }
                        let mut before = self.components(target)?;
                        before.append(&mut ahead);
                        ahead = before;
                    }
                    Err(Errno::INVAL) if is_last => return end(way, name),
                    Err(Errno::INVAL) => return Err(Errno::NOTDIR),
                    Err(error) => return Err(error),
                },
                // Nothing there, or a folder that we may not enter: the operation on it tells.
                Err(Errno::NOENT | Errno::ACCESS) if is_last => return end(way, name),
                Err(error) => return Err(error),
            }
        }
        end(way, ".".into())
    }

    fn components(&self, path: &str) -> Result<VecDeque<String>> {
        if path.len() > MAX_PATH_BYTES || path.contains('\0') || path.contains(char::REPLACEMENT_CHARACTER) {
            return Err(Errno::INVAL);
        }
        let mut components = VecDeque::new();
        for component in path.split('/').filter(|component| !matches!(*component, "" | ".")) {
            if component.len() > self.max_name_bytes {
                return Err(Errno::NAMETOOLONG);
            }
            components.push_back(component.to_owned());
        }
        Ok(components)
    }
}

fn end(mut way: Vec<OwnedFd>, name: String) -> Result<Place> {
    Ok(Place { folder: way.pop().ok_or(Errno::INVAL)?, name })
}

impl Place {
    pub(crate) fn folder(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What has the name, links as links.
    pub(crate) fn stat(&self) -> Result<Stat> {
        statat(&self.folder, self.name.as_str(), AtFlags::SYMLINK_NOFOLLOW)
    }

    /// Opens what has the name, if it is neither a link nor anything whose opening has consequences.
    pub(crate) fn open(&self, flags: OFlags, mode: Mode) -> Result<OwnedFd> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        match openat(&self.folder, self.name.as_str(), flags, mode) {
            // A link that came between.
            Err(Errno::LOOP) => Err(Errno::ACCESS),
            opened => opened,
        }
    }

    pub(crate) fn open_folder(&self) -> Result<OwnedFd> {
        self.open(OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())
    }
}

/// The path without `.`, `..` and doubled slashes, as a client sees it.
pub(crate) fn normalised(path: &str) -> String {
    let mut components = Vec::new();
    for component in path.split('/') {
        match component {
            "" | "." => {}
            ".." => drop(components.pop()),
            other => components.push(other),
        }
    }
    format!("/{}", components.join("/"))
}

/// The bytes of all regular files below a folder, links not followed. What disappears meanwhile counts for nothing.
pub(crate) fn measure(folder: OwnedFd, depth: usize) -> Result<u64> {
    let mut bytes = 0_u64;
    let entries = rustix::fs::Dir::read_from(&folder)?;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let Ok(stat) = statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => bytes = bytes.saturating_add(size(&stat)),
            FileType::Directory if depth < MAX_DEPTH => {
                if let Ok(below) = openat(&folder, OsStr::from_bytes(name.to_bytes()), FOLDER, Mode::empty())
                {
                    bytes = bytes.saturating_add(measure(below, depth + 1)?);
                }
            }
            _ => {}
        }
    }
    Ok(bytes)
}

pub(crate) fn size(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or(0)
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

const MAX_PATH_BYTES: usize = 4096;
const MAX_DEPTH: usize = 64;
const MAX_LINKS: usize = 40;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use proptest::prelude::*;
    use rustix::fs::Mode;

    use super::*;

    /// A folder with a secret beside it.
    fn jail(follows_links: bool) -> (tempfile::TempDir, Jail) {
        let outer = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(outer.path().join("root/a/b")).unwrap();
        std::fs::write(outer.path().join("secret"), "secret").unwrap();
        std::fs::write(outer.path().join("root/file"), "file").unwrap();
        for (target, link) in [
            ("../secret", "up"),
            ("/secret", "absolute"),
            ("/file", "inside"),
            ("a", "folder"),
            ("loop", "loop"),
            ("../../../../secret", "a/far"),
        ] {
            symlink(target, outer.path().join("root").join(link)).unwrap();
        }
        let jail = Jail::open(&outer.path().join("root"), follows_links, 255).unwrap();
        (outer, jail)
    }

    fn read(jail: &Jail, path: &str) -> Result<String> {
        let opened = jail.find(path, Last::Followed)?.open(OFlags::RDONLY, Mode::empty())?;
        std::io::read_to_string(std::fs::File::from(opened)).map_err(|_| Errno::ISDIR)
    }

    #[test]
    fn no_path_leads_out() {
        let (_outer, jail) = jail(true);
        for path in
            ["../secret", "/../secret", "a/../../secret", "up", "absolute", "a/far", "folder/../../secret"]
        {
            assert_eq!(read(&jail, path), Err(Errno::NOENT), "{path}");
        }
        for path in
            ["file", "/file", "../file", "a/b/../../file", "inside", "folder/../file", "/./a//b/../../file"]
        {
            assert_eq!(read(&jail, path).as_deref(), Ok("file"), "{path}");
        }
        assert_eq!(read(&jail, "loop"), Err(Errno::LOOP));
        assert_eq!(read(&jail, "file/x"), Err(Errno::NOTDIR));
    }

    #[test]
    fn links_are_refused_where_the_policy_has_none() {
        let (_outer, jail) = jail(false);
        for path in ["up", "inside", "folder/b", "loop", "a/far"] {
            assert_eq!(read(&jail, path), Err(Errno::ACCESS), "{path}");
        }
        assert!(jail.find("inside", Last::Itself).unwrap().stat().is_ok());
    }

    #[test]
    fn names_are_bounded_and_text() {
        let (_outer, jail) = jail(true);
        for (path, error) in [
            ("a\0b".to_owned(), Errno::INVAL),
            ("a\u{fffd}".to_owned(), Errno::INVAL),
            ("x".repeat(256), Errno::NAMETOOLONG),
            ("x/".repeat(3000), Errno::INVAL),
        ] {
            assert_eq!(jail.find(&path, Last::Itself).map(drop), Err(error));
        }
        assert_eq!(normalised("a/./../b//c/.."), "/b");
        assert_eq!(normalised("../../.."), "/");
    }

    #[test]
    fn measure_counts_regular_files_alone() {
        let (outer, jail) = jail(true);
        std::fs::write(outer.path().join("root/a/b/more"), "12345").unwrap();
        assert_eq!(measure(jail.root().try_clone_to_owned().unwrap(), 0), Ok(9));
    }

    proptest! {
        #[test]
        fn whatever_is_asked_the_secret_is_not_read(
            parts in proptest::collection::vec(
                prop::sample::select(vec!["..", ".", "", "a", "b", "up", "absolute", "far", "folder", "secret", "root"]),
                0..12,
            ),
        ) {
            let (_outer, jail) = jail(true);
            prop_assert_ne!(read(&jail, &parts.join("/")).ok(), Some("secret".to_owned()));
        }
    }
}
