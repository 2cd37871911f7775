//! Changes on disk, each of them durable before the next.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{Deed, Trouble};

/// Makes the changes. Every change of an intake goes through here, so that a test can cut the power before any of them.
#[derive(Debug, Default)]
pub(super) struct Disk {
    /// How many changes there is power for; none: for all of them.
    #[cfg(test)]
    pub(super) power: std::cell::Cell<Option<u32>>,
}

impl Disk {
    /// Renames a file or a folder. A file that has the new name is replaced, a folder that is not empty is not.
    pub(super) fn rename(&self, from: &Path, to: &Path) -> Result<(), Trouble> {
        self.change()?;
        let error = trouble(Deed::Move, from);
        fs::rename(from, to).map_err(&error)?;
        sync(parent(to)).and_then(|()| sync(parent(from))).map_err(error)
    }

    /// Writes a whole file, readable by its owner alone, in place of what has its name.
    pub(super) fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), Trouble> {
        self.change()?;
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        let beside = PathBuf::from(beside);
        let written = || {
            let mut file =
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
            file.write_all(bytes)?;
            file.sync_all()
        };
        written().map_err(trouble(Deed::Write, &beside))?;
        self.rename(&beside, path)
    }

    /// Adds a line to a file. What a crash left of a line before it is ended first.
    pub(super) fn append(&self, path: &Path, line: &str) -> Result<(), Trouble> {
        self.change()?;
        let appended = || {
            let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
            let torn = match ends_with_newline(&file)? {
                true => "",
                false => "\n",
            };
            file.write_all(format!("{torn}{line}\n").as_bytes())?;
            file.sync_all()
        };
        appended().map_err(trouble(Deed::Write, path))
    }

    /// Makes a folder, for its owner alone, if it is not there.
    pub(super) fn make_folder(&self, path: &Path) -> Result<(), Trouble> {
        self.change()?;
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.and_then(|()| sync(parent(path))).map_err(trouble(Deed::Write, path))
    }

    /// Removes a file, if it is there.
    pub(super) fn remove(&self, path: &Path) -> Result<(), Trouble> {
        self.change()?;
        absent_is_good(fs::remove_file(path))
            .and_then(|()| sync(parent(path)))
            .map_err(trouble(Deed::Remove, path))
    }

    /// Removes a folder and all that is in it, if it is there.
    pub(super) fn remove_folder(&self, path: &Path) -> Result<(), Trouble> {
        self.change()?;
        absent_is_good(fs::remove_dir_all(path))
            .and_then(|()| sync(parent(path)))
            .map_err(trouble(Deed::Remove, path))
    }

    /// Another name for a file, unless there is a file of that name.
    pub(super) fn link(&self, from: &Path, to: &Path) -> Result<(), Trouble> {
        self.change()?;
        match fs::hard_link(from, to) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(trouble(Deed::Move, from)(error))
            }
            _ => sync(parent(to)).map_err(trouble(Deed::Move, from)),
        }
    }

    /// Stands before every change, also those that others make (the publication of a decrypted file).
    pub(super) fn change(&self) -> Result<(), Trouble> {
        #[cfg(test)]
        if let Some(left) = self.power.get() {
            let Some(left) = left.checked_sub(1) else {
                return Err(trouble(Deed::Write, Path::new("power"))(io::ErrorKind::Other.into()));
            };
            self.power.set(Some(left));
        }
        Ok(())
    }
}

/// What an error of the disk is to the intake.
pub(super) fn trouble(deed: Deed, path: &Path) -> impl Fn(io::Error) -> Trouble {
    let path = path.to_owned();
    move |error| Trouble::Io { deed, path: path.clone(), kind: error.kind() }
}

/// Reads a file of the state folder; nothing when there is none.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, Trouble> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(trouble(Deed::Read, path)(error)),
    }
}

/// The names in a folder of the state, sorted; those that no program here gives are left out.
pub(super) fn names(folder: &Path) -> Result<Vec<String>, Trouble> {
    let error = trouble(Deed::Read, folder);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(&error)? {
        names.extend(entry.map_err(&error)?.file_name().into_string().ok());
    }
    names.sort_unstable();
    Ok(names)
}

fn ends_with_newline(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::FileExt;
    let Some(last) = file.metadata()?.len().checked_sub(1) else { return Ok(true) };
    let mut byte = [0];
    file.read_exact_at(&mut byte, last)?;
    Ok(byte == *b"\n")
}

fn absent_is_good(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
