//! What is left in the spool when nobody needs it any more: it says what customers' files say (SFTP-4).

use std::fs;
use std::path::Path;

use irgw_store::{DeliveryState, Store};

/// Removes the folders of deliveries that have ended, where a process was killed before it came to that.
///
/// What the ledger does not know stays, and is told of: a submission that is under way or was cut off, or something that a
/// ledger knew which an older one has replaced.
///
/// # Errors
/// Faults of the store. What cannot be removed stays for the next time.
pub(crate) fn tidy(store: &Store, spool: &Path) -> Result<(), irgw_store::Error> {
    // As the submission writes it into the ledger.
    let Ok(entries) = fs::canonicalize(spool).and_then(fs::read_dir) else { return Ok(()) };
    for path in entries.flatten().map(|entry| entry.path()) {
        match store.state_of_folder(&path.to_string_lossy())? {
            Some(DeliveryState::Queued | DeliveryState::Held) => {}
            Some(DeliveryState::Delivered | DeliveryState::Cancelled) => {
                if let Err(error) = fs::remove_dir_all(&path) {
                    tracing::warn!(folder = %path.display(), %error, "the spool keeps what nobody needs");
                }
            }
            None => {
                tracing::warn!(folder = %path.display(), "no delivery is known whose files these are; if no submission is under \
                    way, remove the folder");
            }
        }
    }
    Ok(())
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
    fn folders_of_deliveries_that_have_ended_go_and_others_stay() {
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
        tidy(&store, &spool).unwrap();
        let mut left: Vec<_> =
            fs::read_dir(&spool).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["queued", "unknown"]);
    }
}
