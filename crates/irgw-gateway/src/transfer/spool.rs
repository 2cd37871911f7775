//! The spool: who puts files into it, and what is left there when nobody needs it any more, since it says what customers' files say
//! (SFTP-4).
//!
//! ```text
//!   spool/.submitting         locked, shared, by whoever submits; alone, by whoever takes away what was cut off
//!   spool/FOLDER/.submitting  the ledger has never known the folder
//!   spool/FOLDER/NAME         a second name of a submitted file
//! ```

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use irgw_store::{DeliveryState, Store};

/// The name of the lock, and of the mark in a folder that the ledger does not know yet.
const SUBMITTING: &str = ".submitting";

/// Says that a submission is under way, until what is returned is dropped or the process ends. It waits while a start tidies.
///
/// # Errors
/// When the spool cannot be written to.
pub(super) fn submitting(spool: &Path) -> io::Result<File> {
    let lock = open(&spool.join(SUBMITTING))?;
    lock.lock_shared()?;
    Ok(lock)
}

/// Marks a new folder as one that the ledger does not know.
///
/// # Errors
/// When it cannot be written to.
pub(super) fn mark(folder: &Path) -> io::Result<()> {
    open(&folder.join(SUBMITTING)).map(drop)
}

/// Takes the mark away: the ledger knows the folder. If that fails, the ledger's word is what counts.
pub(super) fn unmark(folder: &Path) {
    let _ = fs::remove_file(folder.join(SUBMITTING));
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Removes the folders of deliveries that have ended, where a process was killed before it came to that, and those of submissions
/// that were, unless one is under way now.
///
/// What else the ledger does not know stays, and is told of: a ledger may have known it which an older one has replaced.
///
/// # Errors
/// Faults of the store. What cannot be removed stays for the next time.
pub(crate) fn tidy(store: &Store, spool: &Path) -> Result<(), irgw_store::Error> {
    // As the submission writes it into the ledger.
    let Ok(spool) = fs::canonicalize(spool) else { return Ok(()) };
    // Before the folders are listed: none of them becomes known meanwhile.
    let alone = open(&spool.join(SUBMITTING)).ok().filter(|lock| lock.try_lock().is_ok());
    let Ok(entries) = fs::read_dir(&spool) else { return Ok(()) };
    for path in entries.flatten().map(|entry| entry.path()).filter(|path| !path.ends_with(SUBMITTING)) {
        match store.state_of_folder(&path.to_string_lossy())? {
            Some(DeliveryState::Queued | DeliveryState::Held) => {}
            Some(DeliveryState::Delivered | DeliveryState::Cancelled) => remove(&path),
            None if is_marked(&path) && alone.is_some() => {
                tracing::info!(folder = %path.display(), "a submission was cut off before the ledger knew of it");
                remove(&path);
            }
            None if is_marked(&path) => {
                tracing::info!(folder = %path.display(), "a submission is under way, or was cut off: the next start tells");
            }
            None => {
                tracing::warn!(folder = %path.display(), "no delivery is known whose files these are; if the ledger is not an \
                    older one, remove the folder");
            }
        }
    }
    Ok(())
}

/// Whether a submission has made the folder, and has not come to the ledger. It may have been killed before it made the mark.
fn is_marked(folder: &Path) -> bool {
    let is_empty = || fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
    folder.join(SUBMITTING).exists() || is_empty()
}

fn remove(folder: &Path) {
    if let Err(error) = fs::remove_dir_all(folder) {
        tracing::warn!(folder = %folder.display(), %error, "the spool keeps what nobody needs");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use irgw_core::UnixTime;
    use irgw_sftp::fileset::Feed;
    use irgw_store::{NewDelivery, NewParcel, Submitted};

    use super::*;

    const NOW: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000));

    #[test]
    fn folders_that_nobody_needs_go_and_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        let spool = folder.path().canonicalize().unwrap().join("spool");
        let submit = |name: &str| {
            let path = spool.join(name);
            fs::create_dir_all(&path).unwrap();
            let new = NewDelivery {
                provider: "p".parse().unwrap(),
                environment: "NZT".to_owned(),
                feed: Feed::ReturnStatus,
                folder: path.to_string_lossy().into_owned(),
                parcels: vec![NewParcel { name: name.to_owned(), bytes: 0, digest: [0; 32] }],
            };
            let Submitted::New(id) = store.submit_delivery(&new, NOW).unwrap() else { panic!("{name}") };
            id
        };
        store.add_provider(&"p".parse().unwrap(), "P", NOW).unwrap();
        submit("queued");
        store.cancel_delivery(submit("cancelled"), NOW).unwrap();
        fs::create_dir(spool.join("unknown")).unwrap();
        fs::write(spool.join("unknown/file"), "").unwrap();
        fs::create_dir(spool.join("cut-off")).unwrap();
        mark(&spool.join("cut-off")).unwrap();
        fs::create_dir(spool.join("just-begun")).unwrap();
        let left = || {
            tidy(&store, &spool).unwrap();
            let entries = fs::read_dir(&spool).unwrap().map(|entry| entry.unwrap().file_name());
            let mut left: Vec<_> = entries.filter(|name| name != SUBMITTING).collect();
            left.sort();
            left
        };
        let submission = submitting(&spool).unwrap();
        assert_eq!(left(), ["cut-off", "just-begun", "queued", "unknown"]);
        drop(submission);
        assert_eq!(left(), ["queued", "unknown"]);
    }
}
