//! Listing a folder, within limits (E15).

use russh_sftp::protocol::{OpenDir, Packet};
use tokio::io::{AsyncRead, AsyncWrite};

use super::packet::{Entry, Handle, Reply, Use};
use super::remote::{handle, refused};
use super::{Breach, Error, FileName, Folder, Limited, Operation, Remote, RemoteFile};

/// How much of a folder is listened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListLimits {
    /// Names, wanted or not.
    pub names: u64,
    /// Bytes of all of them.
    pub bytes: u64,
}

impl Default for ListLimits {
    /// 100,000 names, 16 MiB.
    fn default() -> ListLimits {
        ListLimits { names: 100_000, bytes: 16 << 20 }
    }
}

/// The files of a folder that were wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Regular files with a wanted name, in the server's order.
    pub files: Vec<(FileName, RemoteFile)>,
    /// How many other things there are: unwanted names, names that are none (E06), folders, links.
    pub passed_over: u64,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Remote<S> {
    /// The regular files of a folder whose names the caller wants. A name is shown to `wanted` only if it is a [`FileName`].
    ///
    /// # Errors
    /// [`Error::TooMany`] as soon as the server says more than `limits` allow, [`Error::NoSuchFile`] and the others.
    pub async fn list(
        &mut self,
        folder: &Folder,
        limits: ListLimits,
        mut wanted: impl FnMut(&FileName) -> bool,
    ) -> Result<Listing, Error> {
        let path = folder.as_str().to_owned();
        let ask = |id| Packet::OpenDir(OpenDir { id, path });
        let open = handle(Operation::List, self.wire.ask(Operation::List, ask).await?)?;
        let listed = self.read_folder(&open, limits, &mut wanted).await;
        let closed = self.close(open).await;
        let (mut listing, unknown) = listed?;
        closed?;
        for name in unknown {
            match self.look(&folder.file(&name)).await {
                Ok(file) => listing.files.push((name, file)),
                Err(Error::NotRegular | Error::NoSuchFile(_)) => listing.passed_over += 1,
                Err(error) => return Err(error),
            }
        }
        Ok(listing)
    }

    /// The files, and the wanted names of which the listing does not say what they are: version 3 lets it.
    async fn read_folder(
        &mut self,
        open: &Handle,
        limits: ListLimits,
        wanted: &mut impl FnMut(&FileName) -> bool,
    ) -> Result<(Listing, Vec<FileName>), Error> {
        let mut listing = Listing::default();
        let mut unknown = Vec::new();
        let mut seen = Seen { limits, names: 0, bytes: 0 };
        loop {
            let entries = match self.wire.ask_handle(Operation::List, open, Use::ReadFolder).await? {
                Reply::Names(entries) => entries,
                Reply::Status { code: 1, .. } => return Ok((listing, unknown)),
                other => return Err(refused(Operation::List, other)),
            };
            // Page after page without names would never meet a limit.
            if entries.is_empty() {
                return Err(Error::Protocol(Breach::WrongReply));
            }
            for Entry { name, attributes } in entries {
                seen.count(&name)?;
                let Some(name) = name.parse().ok().filter(|name| wanted(name)) else {
                    listing.passed_over += 1;
                    continue;
                };
                match (attributes.is_regular(), attributes.size) {
                    (Some(true), Some(size)) => {
                        listing.files.push((name, RemoteFile { size, modified: attributes.modified }));
                    }
                    (Some(false), _) => listing.passed_over += 1,
                    (Some(true) | None, _) => unknown.push(name),
                }
            }
        }
    }
}

/// What was heard of a folder.
struct Seen {
    limits: ListLimits,
    names: u64,
    bytes: u64,
}

impl Seen {
    fn count(&mut self, name: &str) -> Result<(), Error> {
        self.names += 1;
        self.bytes += name.len() as u64;
        match self.limits {
            ListLimits { names, .. } if self.names > names => {
                Err(Error::TooMany { what: Limited::Names, limit: names })
            }
            ListLimits { bytes, .. } if self.bytes > bytes => {
                Err(Error::TooMany { what: Limited::ListingBytes, limit: bytes })
            }
            _ => Ok(()),
        }
    }
}
