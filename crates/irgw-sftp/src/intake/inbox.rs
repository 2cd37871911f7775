//! What lies in the inbox: files to open, and what is left alone (E06, E07, E15).

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use irgw_core::printable;
use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};

use super::disk::trouble;
use super::{Deed, Trouble, Unexpected};
use crate::fileset::FileName;
use crate::name_of_sealed;

/// The most entries of the inbox that one pass looks at.
pub(super) const ENTRY_LIMIT: usize = 100_000;

/// What tells one file from another that has its name later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Version {
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

impl Version {
    /// Of a regular file; none for anything else.
    pub(super) fn of(metadata: &Metadata) -> Option<Version> {
        metadata.is_file().then(|| Version {
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        })
    }

    /// Of the regular file that has this name now.
    pub(super) fn at(path: &Path) -> Result<Option<Version>, Trouble> {
        match fs::symlink_metadata(path) {
            Ok(metadata) => Ok(Version::of(&metadata)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(trouble(Deed::Read, path)(error)),
        }
    }
}

/// One entry of the inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    /// A file of the feeds, encrypted.
    File(FileName, Version),
    /// Something else, which is left where it is. The name is fit for a terminal and at most 128 characters long.
    Other(String, Unexpected),
}

/// The entries of the inbox, by name, and whether there are more than are looked at. Names that begin with a dot or end in
/// `.part` are still under way, and are left out.
pub(super) fn list(inbox: &Path) -> Result<(Vec<Entry>, bool), Trouble> {
    let error = trouble(Deed::Read, inbox);
    let mut names = Vec::new();
    for entry in fs::read_dir(inbox).map_err(&error)?.take(ENTRY_LIMIT + 1) {
        names.push(entry.map_err(&error)?.file_name());
    }
    let is_crowded = names.len() > ENTRY_LIMIT;
    names.sort_unstable();
    let mut entries = Vec::new();
    for name in names {
        let text = name.to_string_lossy();
        if text.starts_with('.') || text.ends_with(".part") {
            continue;
        }
        entries.extend(judge(&text, &inbox.join(&name))?);
    }
    Ok((entries, is_crowded))
}

/// What an entry is; none if it is gone.
fn judge(text: &str, path: &Path) -> Result<Option<Entry>, Trouble> {
    let other = |why| Ok(Some(Entry::Other(printable(text).chars().take(128).collect(), why)));
    let name = match name_of_sealed(text) {
        None => return other(Unexpected::Ending),
        Some(Err(fault)) => return other(Unexpected::Name(fault)),
        Some(Ok(FileName::Member(_))) => return other(Unexpected::Member),
        Some(Ok(name)) => name,
    };
    match fs::symlink_metadata(path) {
        Ok(metadata) => match Version::of(&metadata) {
            Some(version) => Ok(Some(Entry::File(name, version))),
            None => other(Unexpected::NotAFile),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(trouble(Deed::Read, path)(error)),
    }
}

/// Opens a file of the inbox: the one of this version, and never through a link. None: it is another one now.
pub(super) fn open(path: &Path, version: Version) -> Result<Option<File>, Trouble> {
    let error = trouble(Deed::Read, path);
    // A pipe with a good name would otherwise hold up whoever opens it.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::empty()).map(File::from);
    let file = file.map_err(|errno| error(errno.into()))?;
    let found = file.metadata().map_err(&error)?;
    Ok((Version::of(&found) == Some(version)).then_some(file))
}
