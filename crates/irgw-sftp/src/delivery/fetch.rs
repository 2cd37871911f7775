//! Fetches what a provider has put into its outbox (SFTP-1, SFTP-3).

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::connect::{Dialer, connect};
use super::{DeliveryFault, Partner};
use crate::fileset::FileName as FeedName;
use crate::name_of_sealed;
use crate::ssh::sftp::{self, FileName, ListLimits, Remote, RemoteFile};

/// A file that was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Its name, as it is in the outbox and in our inbox.
    pub name: String,
    /// Its size there, and when it was last changed as the server says.
    pub file: RemoteFile,
    /// Whether it is gone from the outbox: removed, or put aside. If not, the provider does not let us, and it will be there
    /// again.
    pub is_cleared: bool,
}

/// Fetches every zip and control file of the feeds out of a partner's outbox into the folder `inbox`, and removes it there, or
/// puts it aside as agreed, once it is on our disk. `wanted` may leave out what was fetched before and could not be removed.
///
/// Only names of the feeds are looked at, links are not followed, and a file that the server shows differently from one moment to
/// the next is left for later. A file appears in `inbox` whole, by a rename; one of that name that is there already is not
/// replaced, and the one in the outbox is left where it is. Without an outbox there is nothing to do.
///
/// # Errors
/// The first thing that stopped it; what was fetched before that is whole, and will be told as a repeat when it comes again.
pub async fn fetch(
    dialer: &Dialer,
    partner: &Partner,
    inbox: &Path,
    limit_bytes: u64,
    mut wanted: impl FnMut(&str, &RemoteFile) -> bool,
) -> Result<Vec<Fetched>, DeliveryFault> {
    let Some(outbox) = &partner.outbox else { return Ok(Vec::new()) };
    let (mut remote, _) = connect(dialer, partner).await?;
    let is_of_a_feed = |name: &FileName| {
        matches!(name_of_sealed(name.as_str()), Some(Ok(FeedName::Zip(_) | FeedName::Control(_))))
    };
    let listing = remote.list(outbox, ListLimits::default(), is_of_a_feed).await?;
    let mut fetched = Vec::new();
    for (name, file) in listing.files {
        let path = outbox.file(&name);
        if !wanted(name.as_str(), &file) || inbox.join(name.as_str()).exists() {
            continue;
        }
        match take(&mut remote, &path, inbox, limit_bytes).await {
            Ok(()) => {}
            // It is being written, or was taken away: another time.
            Err(DeliveryFault::Files(
                sftp::Error::Size { .. } | sftp::Error::NoSuchFile(_) | sftp::Error::NotRegular,
            )) => continue,
            Err(fault) => return Err(fault),
        }
        let cleared = match &partner.archive {
            Some(archive) => remote.archive(&path, archive).await,
            None => remote.remove(&path).await,
        };
        let is_cleared = match cleared {
            Ok(()) | Err(sftp::Error::NoSuchFile(_)) => true,
            Err(sftp::Error::Permission(_) | sftp::Error::Refused { .. } | sftp::Error::Exists) => false,
            Err(error) => return Err(error.into()),
        };
        fetched.push(Fetched { name: name.as_str().to_owned(), file, is_cleared });
    }
    remote.into_stream().finish().await;
    Ok(fetched)
}

/// Downloads one file beside its place, and gives it its name when it is on the disk.
async fn take(
    remote: &mut Remote,
    path: &sftp::RemotePath,
    inbox: &Path,
    limit_bytes: u64,
) -> Result<(), DeliveryFault> {
    let name = path.name().as_str();
    let unwritable = |error: io::Error| DeliveryFault::Files(sftp::Error::Sink(error.kind()));
    let temporary = inbox.join(format!(".{name}.fetched"));
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)
        .map_err(unwritable)?;
    let mut sink = tokio::fs::File::from_std(file);
    remote.download(path, limit_bytes, &mut sink).await?;
    sink.sync_all().await.map_err(unwritable)?;
    // Not over a file that has come to be there: a link is refused where a rename would replace.
    fs::hard_link(&temporary, inbox.join(name)).map_err(unwritable)?;
    fs::remove_file(&temporary).map_err(unwritable)?;
    File::open(inbox).and_then(|folder| folder.sync_all()).map_err(unwritable)
}
