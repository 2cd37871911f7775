//! A message that leaves: encrypted to the partner, signed by us, in constant memory (PGP-1, PGP-2).

use std::io::{self, Write};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use irgw_core::{UnixTime, UnknownName};
use openpgp::crypto::SessionKey;
use openpgp::packet::pkesk::{PKESK3, PKESK6};
use openpgp::packet::signature::SignatureBuilder;
use openpgp::packet::{PKESK, Packet};
use openpgp::serialize::Serialize;
use openpgp::serialize::stream::{Compressor, LiteralWriter, Message, Signer};
use openpgp::types::{AEADAlgorithm, CompressionAlgorithm, HashAlgorithm, SignatureType, SymmetricAlgorithm};
use sequoia_openpgp as openpgp;

use super::cert::Container;
use super::time::system_time;
use super::{EncryptError, OwnKey, PartnerCert};

/// The most recipients that a message may have.
pub(super) const RECIPIENT_LIMIT: usize = 64;

/// Whether what is sent is compressed first, as agreed with the partner (PGP-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// As it is: the feeds' files are zip archives already.
    #[default]
    None,
    /// DEFLATE (RFC 1951): what every OpenPGP software reads.
    Zip,
    /// DEFLATE in the zlib format (RFC 1950).
    Zlib,
}

impl Compression {
    const ALL: [Compression; 3] = [Compression::None, Compression::Zip, Compression::Zlib];

    /// Its name: `none`, `zip` or `zlib`.
    pub const fn name(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Zip => "zip",
            Compression::Zlib => "zlib",
        }
    }
}

impl FromStr for Compression {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Compression, UnknownName> {
        let mut all = Compression::ALL.into_iter();
        all.find(|compression| compression.name() == text).ok_or(UnknownName { kind: "compression" })
    }
}

/// Begins a message to one partner or several, signed by us.
///
/// The whole message that [`Encryptor::finish`] ends is, from the outside in: one encrypted session key for each
/// recipient's newest live encryption key, data encrypted with AES-256 and integrity protected, compression if
/// asked for, and a binary literal without name or date, signed over SHA-256. The signature names the recipients,
/// so that none of them can pass the file on as if it had been meant for somebody else (RFC 9580 §5.2.3.36). SEIPD
/// version 2 is used when all recipients' terms say so.
///
/// `sink` gets the message in pieces of up to 4 MiB, which is also what is in memory.
///
/// # Errors
/// When there are no recipients or too many, or one of them or the signer has no key that may be used now; nothing
/// has been written then. [`EncryptError::Sink`] when the beginning cannot be written.
pub fn encrypt<W: Write + Send + 'static>(
    recipients: &[&PartnerCert],
    signer: &OwnKey,
    compression: Compression,
    now: UnixTime,
    sink: W,
) -> Result<Encryptor<W>, EncryptError> {
    if recipients.is_empty() || recipients.len() > RECIPIENT_LIMIT {
        return Err(EncryptError::Recipients);
    }
    let signing = signer.signer(now).map_err(EncryptError::Signer)?;
    let seipd2 = recipients.iter().all(|recipient| recipient.terms().container == Container::Seipd2);
    let session_key = SessionKey::new(CIPHER_KEY_BYTES).map_err(failed)?;
    let session_keys = recipients
        .iter()
        .map(|recipient| encrypted_session_key(recipient, &session_key, seipd2, now))
        .collect::<Result<Vec<_>, _>>()?;

    let sink = Shared(Arc::new(Mutex::new(Some(sink))));
    let mut message = Message::new(sink.clone());
    for packet in session_keys {
        packet.serialize(&mut message).map_err(failed)?;
    }
    let mut encryptor = openpgp::serialize::stream::Encryptor::with_session_key(message, CIPHER, session_key)
        .map_err(failed)?;
    if seipd2 {
        encryptor = encryptor.aead_algo(AEADAlgorithm::OCB);
    }
    let mut message = encryptor.build().map_err(failed)?;
    if let Some(algorithm) = algorithm(compression) {
        message = Compressor::new(message).algo(algorithm).build().map_err(failed)?;
    }
    let mut signature = Signer::with_template(message, signing, SignatureBuilder::new(SignatureType::Binary))
        .and_then(|signature| signature.hash_algo(HashAlgorithm::SHA256))
        .map_err(failed)?
        .creation_time(system_time(now));
    for recipient in recipients {
        signature = signature.add_intended_recipient(recipient.cert());
    }
    let message = signature.build().map_err(failed)?;
    let message = LiteralWriter::new(message).build().map_err(failed)?;
    Ok(Encryptor { message, sink })
}

const CIPHER: SymmetricAlgorithm = SymmetricAlgorithm::AES256;
const CIPHER_KEY_BYTES: usize = 32;

fn algorithm(compression: Compression) -> Option<CompressionAlgorithm> {
    match compression {
        Compression::None => None,
        Compression::Zip => Some(CompressionAlgorithm::Zip),
        Compression::Zlib => Some(CompressionAlgorithm::Zlib),
    }
}

fn encrypted_session_key(
    recipient: &PartnerCert,
    session_key: &SessionKey,
    seipd2: bool,
    now: UnixTime,
) -> Result<Packet, EncryptError> {
    let packet = recipient.with_encryption_key(now, |key| {
        if seipd2 {
            PKESK6::for_recipient(session_key, key.key()).map(PKESK::from)
        } else {
            PKESK3::for_recipient(CIPHER, session_key, key.key()).map(PKESK::from)
        }
    });
    packet.map_err(EncryptError::Recipient)?.map(Packet::from).map_err(failed)
}

/// What the library reports: the sink's error if it is one.
fn failed(error: openpgp::anyhow::Error) -> EncryptError {
    error.downcast_ref::<io::Error>().map_or(EncryptError::Failed, |error| EncryptError::Sink(error.kind()))
}

/// A message that is being written: the file's bytes go in, the message goes to the sink.
///
/// Without [`Encryptor::finish`] the message has no signature and no end, and no recipient accepts it: so is what a
/// dropped value leaves in its sink.
#[must_use = "a message that is not finished is refused by its recipient"]
pub struct Encryptor<W> {
    message: Message<'static>,
    sink: Shared<W>,
}

impl<W: Write> Encryptor<W> {
    /// Signs and ends the message, and gives the sink back, flushed.
    ///
    /// # Errors
    /// When the end could not be written: the message in the sink is useless.
    pub fn finish(self) -> Result<W, EncryptError> {
        self.message.finalize().map_err(failed)?;
        let mut sink = self.sink.take().ok_or(EncryptError::Failed)?;
        sink.flush().map_err(|error| EncryptError::Sink(error.kind()))?;
        Ok(sink)
    }
}

impl<W> Write for Encryptor<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.message.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.message.flush()
    }
}

/// The sink, which the library's writers own until they are done and which is then given back.
struct Shared<W>(Arc<Mutex<Option<W>>>);

impl<W> Shared<W> {
    fn take(&self) -> Option<W> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn with<T>(&mut self, then: impl FnOnce(&mut W) -> io::Result<T>) -> io::Result<T> {
        let mut sink = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        then(sink.as_mut().ok_or(io::ErrorKind::BrokenPipe)?)
    }
}

impl<W> Clone for Shared<W> {
    fn clone(&self) -> Shared<W> {
        Shared(Arc::clone(&self.0))
    }
}

impl<W: Write> Write for Shared<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.with(|sink| sink.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.with(Write::flush)
    }
}
