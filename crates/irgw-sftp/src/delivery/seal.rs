//! A file on its way out of the folder: read, checked against the ledger, encrypted and signed, as it is uploaded.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use irgw_core::UnixTime;
use ring::digest;
use tokio::io::{AsyncRead, ReadBuf};

use super::pipe::{Receiver, Sender, pipe};
use super::{DeliveryFault, Parcel};
use crate::pgp::{Compression, EncryptError, OwnKey, PartnerCert, encrypt};

/// What a file is sealed with.
#[derive(Clone)]
pub(super) struct Seal {
    pub(super) recipient: PartnerCert,
    pub(super) signer: Arc<OwnKey>,
    pub(super) compression: Compression,
    pub(super) now: UnixTime,
}

/// The sealed file, made on a thread of its own as it is read. It ends without an error only if the file was what the ledger
/// says.
pub(super) struct Sealing {
    receiver: Receiver,
    context: digest::Context,
    thread: tokio::task::JoinHandle<Result<(), DeliveryFault>>,
}

impl Sealing {
    /// Begins to read and seal the parcel's file in `folder`. `progress` is told how many bytes more were read, each time.
    pub(super) fn begin(
        folder: &Path,
        parcel: &Parcel,
        seal: Seal,
        progress: impl Fn(u64) + Send + 'static,
    ) -> Sealing {
        let (sender, receiver) = pipe();
        let (path, parcel) = (folder.join(&parcel.name), parcel.clone());
        let thread = tokio::task::spawn_blocking(move || run(&path, &parcel, &seal, sender, &progress));
        Sealing { receiver, context: digest::Context::new(&digest::SHA256), thread }
    }

    /// The digest of what was read, or what stopped it: asked for when reading has ended.
    pub(super) async fn end(self) -> Result<[u8; 32], DeliveryFault> {
        drop(self.receiver);
        let digest = self.context.finish();
        self.thread.await.unwrap_or(Err(DeliveryFault::Crashed))?;
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest.as_ref());
        Ok(bytes)
    }
}

impl AsyncRead for Sealing {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let poll = Pin::new(&mut self.receiver).poll_read(cx, buf);
        self.context.update(buf.filled().get(before..).unwrap_or_default());
        poll
    }
}

fn run(
    path: &Path,
    parcel: &Parcel,
    seal: &Seal,
    sender: Sender,
    progress: &impl Fn(u64),
) -> Result<(), DeliveryFault> {
    let unreadable =
        |error: io::Error| DeliveryFault::Source { name: parcel.name.clone(), kind: error.kind() };
    let mut file = File::open(path).map_err(unreadable)?;
    let mut message = encrypt(&[&seal.recipient], &seal.signer, seal.compression, seal.now, sender)?;
    let mut context = digest::Context::new(&digest::SHA256);
    let mut left = parcel.bytes;
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let read = file.read(&mut buffer).map_err(unreadable)?;
        let bytes = buffer.get(..read).unwrap_or_default();
        // A file that grows is another file, however long it goes on.
        let changed = (bytes.is_empty() && left > 0) || bytes.len() as u64 > left;
        if changed {
            return Err(DeliveryFault::SourceChanged { name: parcel.name.clone() });
        }
        if bytes.is_empty() {
            break;
        }
        left -= bytes.len() as u64;
        context.update(bytes);
        message.write_all(bytes).map_err(|error| EncryptError::Sink(error.kind()))?;
        progress(bytes.len() as u64);
    }
    if context.finish().as_ref() != parcel.digest {
        return Err(DeliveryFault::SourceChanged { name: parcel.name.clone() });
    }
    message.finish()?.finish().map_err(|error| EncryptError::Sink(error.kind()).into())
}

const BUFFER_BYTES: usize = 256 * 1024;
