//! A finished set goes into the ledger: checked as its receiver will check it, and kept from then on (SFTP-4, FILE-4).

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use irgw_core::{ProviderId, Rule, UnixTime};
use irgw_sftp::fileset::{
    Caps, ControlFault, ControlFile, ControlName, Feed, FileName, ZipFault, ZipName, check_zip,
};
use irgw_store::{NewDelivery, NewParcel, Store, Submitted};
use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};

use super::spool;
use crate::hex::hex;

/// Puts the set in `folder` into the ledger. Its files are linked into the spool, so that nothing is lost when `folder` is
/// emptied afterwards; nothing is copied. `tell` is called with each file as it is looked at.
///
/// # Errors
/// [`SubmitError`]; nothing was written.
pub(crate) fn submit(
    store: &Store,
    spool: &Path,
    provider: &ProviderId,
    feed: Feed,
    folder: &Path,
    now: UnixTime,
    mut tell: impl FnMut(&str),
) -> Result<Submitted, SubmitError> {
    let set = Set::find(folder, feed)?;
    let environment = set.control_name.0.environment;
    let partner = store.partner(provider, environment)?;
    if partner.platform != set.control_name.0.platform {
        return Err(SubmitError::OtherPlatform {
            found: set.control_name.to_string(),
            enrolled: partner.platform.to_string(),
        });
    }
    let spooled = Spooled::make(spool)?;
    let mut parcels = Vec::new();
    for name in set.names() {
        tell(&name);
        let path = spooled.link(folder, &name)?;
        if let Some(transfer) = name.parse().ok().and_then(|zip: ZipName| set.control.transfer(&zip)) {
            let file = File::open(&path).map_err(unreadable(&path))?;
            check_zip(file, transfer, &Caps::default())
                .map_err(|fault| SubmitError::Zip { name: name.clone(), fault })?;
        }
        let (bytes, digest) = digest_of(&path).map_err(unreadable(&path))?;
        parcels.push(NewParcel { name, bytes, digest });
    }
    spooled.sync()?;
    let new = NewDelivery {
        provider: provider.clone(),
        environment: environment.to_string(),
        feed,
        folder: spooled.path.to_string_lossy().into_owned(),
        parcels,
    };
    let submitted = store.submit_delivery(&new, now)?;
    if let Submitted::New(_) = submitted {
        spooled.keep();
    }
    Ok(submitted)
}

/// A control file and the zips that it lists, as they lie in a folder.
struct Set {
    control_name: ControlName,
    control: ControlFile,
}

impl Set {
    fn find(folder: &Path, feed: Feed) -> Result<Set, SubmitError> {
        let mut control = None;
        let mut zips = Vec::new();
        for entry in fs::read_dir(folder).map_err(unreadable(folder))? {
            let entry = entry.map_err(unreadable(folder))?;
            let path = entry.path();
            let name = entry.file_name();
            let name: FileName = name
                .to_str()
                .and_then(|name| name.parse().ok())
                .ok_or_else(|| SubmitError::Stranger(path.clone()))?;
            match name {
                FileName::Zip(zip) => zips.push(zip),
                FileName::Control(name) if control.is_none() => control = Some((name, path)),
                FileName::Control(_) | FileName::Member(_) => return Err(SubmitError::Stranger(path)),
            }
        }
        let (control_name, path) = control.ok_or_else(|| SubmitError::NoControl(folder.to_owned()))?;
        if control_name.0.run.series().feed() != feed {
            return Err(SubmitError::OtherFeed { name: control_name.to_string(), feed });
        }
        let mut bytes = Vec::new();
        let file = File::open(&path).map_err(unreadable(&path))?;
        file.take(CONTROL_LIMIT_BYTES).read_to_end(&mut bytes).map_err(unreadable(&path))?;
        let control = ControlFile::parse(&bytes)
            .map_err(|fault| SubmitError::Control { name: control_name.to_string(), fault })?;
        if !control.fits(&control_name) {
            return Err(SubmitError::OtherSet(control_name.to_string()));
        }
        if let Some(unlisted) = zips.iter().find(|zip| control.transfer(zip).is_none()) {
            return Err(SubmitError::Unlisted(unlisted.to_string()));
        }
        if let Some(missing) = control.transfers().iter().find(|transfer| !zips.contains(&transfer.name)) {
            return Err(SubmitError::Missing(missing.name.to_string()));
        }
        Ok(Set { control_name, control })
    }

    /// The names in the order in which they go: the control file is the last one.
    fn names(&self) -> Vec<String> {
        let zips = self.control.transfers().iter().map(|transfer| transfer.name.to_string());
        zips.chain([self.control_name.to_string()]).collect()
    }
}

/// A folder of the spool's, removed again unless it is kept.
struct Spooled {
    path: PathBuf,
    is_kept: bool,
    _submitting: File,
}

impl Spooled {
    fn make(spool: &Path) -> Result<Spooled, SubmitError> {
        let mut bytes = [0; 8];
        SystemRandom::new().fill(&mut bytes).map_err(|_| SubmitError::Random)?;
        let spool = fs::canonicalize(spool).map_err(unreadable(spool))?;
        let submitting = spool::submitting(&spool).map_err(unreadable(&spool))?;
        let path = spool.join(hex(&bytes));
        fs::create_dir(&path).map_err(unreadable(&path))?;
        let spooled = Spooled { path, is_kept: false, _submitting: submitting };
        spool::mark(&spooled.path).map_err(unreadable(&spooled.path))?;
        Ok(spooled)
    }

    /// A second name for a file of the set's: the first one may go.
    fn link(&self, folder: &Path, name: &str) -> Result<PathBuf, SubmitError> {
        let (from, to) = (folder.join(name), self.path.join(name));
        fs::hard_link(&from, &to).map_err(|error| match error.kind() {
            io::ErrorKind::CrossesDevices => SubmitError::OtherFileSystem { folder: folder.to_owned() },
            _ => unreadable(&from)(error),
        })?;
        // What is linked is looked at, since the name in the set's folder may be another file's by now.
        match fs::symlink_metadata(&to).map_err(unreadable(&to))?.is_file() {
            true => Ok(to),
            false => Err(SubmitError::Stranger(from)),
        }
    }

    /// Has the names on the disk before the ledger speaks of them.
    fn sync(&self) -> Result<(), SubmitError> {
        let parent = self.path.parent().unwrap_or(&self.path);
        for folder in [self.path.as_path(), parent] {
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(unreadable(folder))?;
        }
        Ok(())
    }

    /// The ledger knows it.
    fn keep(mut self) {
        self.is_kept = true;
        spool::unmark(&self.path);
    }
}

impl Drop for Spooled {
    fn drop(&mut self) {
        if !self.is_kept {
            // Only our links; what stays wastes a name.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

fn digest_of(path: &Path) -> io::Result<(u64, [u8; 32])> {
    let file = File::open(path)?;
    file.sync_all()?;
    let mut reader = io::BufReader::with_capacity(256 * 1024, file);
    let mut context = digest::Context::new(&digest::SHA256);
    let mut length = 0;
    loop {
        let bytes = io::BufRead::fill_buf(&mut reader)?;
        if bytes.is_empty() {
            break;
        }
        context.update(bytes);
        length += bytes.len() as u64;
        let read = bytes.len();
        io::BufRead::consume(&mut reader, read);
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    Ok((length, digest))
}

fn unreadable(path: &Path) -> impl Fn(io::Error) -> SubmitError {
    let path = path.to_owned();
    move |error| SubmitError::File { path: path.clone(), kind: error.kind() }
}

/// Beyond what a control file may have, so that a longer one is refused as one.
const CONTROL_LIMIT_BYTES: u64 = 64 << 20;

/// Why a set was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SubmitError {
    /// A file or folder cannot be used.
    #[error("{}: {kind}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        kind: io::ErrorKind,
    },
    /// Something in the folder is no zip or control file of a feed.
    #[error("{} is no file of a set: a set's folder holds its control file and its zips, and nothing else (FILE-1, FILE-2)", .0.display())]
    Stranger(PathBuf),
    /// There is no control file.
    #[error("{} has no control file, …_CONTROL.xml (FILE-3)", .0.display())]
    NoControl(PathBuf),
    /// The set is of the other feed.
    #[error("{name} is not of the feed {feed} (FILE-1, FILE-2)")]
    OtherFeed {
        /// The control file.
        name: String,
        /// The feed that was given.
        feed: Feed,
    },
    /// The control file cannot be read.
    #[error("{name}: {}", crate::handle::causes(fault))]
    Control {
        /// The control file.
        name: String,
        /// What is wrong with it.
        fault: ControlFault,
    },
    /// The control file lists another set.
    #[error("{0} lists the files of another set (FILE-3)")]
    OtherSet(String),
    /// A zip that is not listed.
    #[error("the control file does not list {0} (FILE-3)")]
    Unlisted(String),
    /// A listed zip that is not there.
    #[error("the control file lists {0}, which is not there (FILE-3)")]
    Missing(String),
    /// A zip does not hold what is listed.
    #[error("{name}: {}", crate::handle::causes(fault))]
    Zip {
        /// The zip.
        name: String,
        /// What is wrong with it.
        fault: ZipFault,
    },
    /// The set is for another platform id.
    #[error("{found} is not for the provider's platform id, {enrolled} (FILE-1)")]
    OtherPlatform {
        /// The control file.
        found: String,
        /// As the file server is enrolled.
        enrolled: String,
    },
    /// The spool is elsewhere.
    #[error("{} is on another file system than the spool (files.spool): make the set where it can be linked, since nothing is copied", folder.display())]
    OtherFileSystem {
        /// The set's folder.
        folder: PathBuf,
    },
    /// No random name could be had.
    #[error("the system gives no random numbers")]
    Random,
    /// The store does not take it.
    #[error(transparent)]
    Store(#[from] irgw_store::Error),
}

impl SubmitError {
    /// The rule that refuses the set; `None` for a fault of the surroundings.
    pub(crate) fn rule(&self) -> Option<Rule> {
        match self {
            SubmitError::Stranger(_) | SubmitError::OtherFeed { .. } | SubmitError::OtherPlatform { .. } => {
                Some(Rule::File1)
            }
            SubmitError::NoControl(_)
            | SubmitError::OtherSet(_)
            | SubmitError::Unlisted(_)
            | SubmitError::Missing(_) => Some(Rule::File3),
            SubmitError::Control { fault, .. } => Some(fault.rule()),
            SubmitError::Zip { fault, .. } => Some(fault.rule()),
            SubmitError::Store(error) => error.rule(),
            SubmitError::File { .. } | SubmitError::OtherFileSystem { .. } | SubmitError::Random => None,
        }
    }
}
