//! Makes OpenPGP messages (RFC 9580 §10.3) with one thing wrong.

use std::io::Write;
use std::time::SystemTime;

use sequoia_openpgp as openpgp;
use serde::Deserialize;

use openpgp::Cert;
use openpgp::crypto::KeyPair;
use openpgp::packet::signature::SignatureBuilder;
use openpgp::packet::{Literal, Packet};
use openpgp::policy::StandardPolicy;
use openpgp::serialize::Serialize;
use openpgp::serialize::stream::{Compressor, Encryptor, LiteralWriter, Message, Recipient, Signer};
use openpgp::types::{CompressionAlgorithm, DataFormat, HashAlgorithm, SignatureType, SymmetricAlgorithm};

use super::demo::Demo;
use super::end::End;
use crate::Error;
use crate::template::Values;

/// How a message differs from a good one: encrypted with AES-256 to the end that it goes to, signed by the other one over SHA-256,
/// not compressed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MessageRecipe {
    /// `gateway`, `provider`, `stranger`; of the gateway's signature a run elsewhere has not the key.
    pub signed_by: Option<Vec<String>>,
    /// The same.
    pub to: Option<String>,
    /// `aes-256`, `aes-128`, `twofish`, `camellia-256`.
    pub cipher: String,
    /// `sha-256`, `sha-512`, `sha-224`.
    pub hash: String,
    /// `none`, `zip`, `zlib`.
    pub compression: String,
    /// `in-the-clear`, `without-integrity`, `cut-off`, `flipped`, `two-files`, `nested`, `bomb`, `text-mode`, `other-data` or `forwarded`.
    pub flaw: Option<String>,
}

impl Default for MessageRecipe {
    fn default() -> MessageRecipe {
        MessageRecipe {
            signed_by: None,
            to: None,
            cipher: "aes-256".into(),
            hash: "sha-256".into(),
            compression: "none".into(),
            flaw: None,
        }
    }
}

impl MessageRecipe {
    /// Whether the case has this one sign it.
    pub(crate) fn is_signed_by(&self, name: &str) -> bool {
        self.signed_by.as_ref().is_some_and(|names| names.iter().any(|signer| signer == name))
    }

    /// The message that holds `data`, for an end.
    pub(super) fn message(
        &self,
        demo: &Demo,
        end: &End,
        data: &[u8],
        values: &Values,
    ) -> Result<Vec<u8>, Error> {
        let text = |template: &str| values.text(template);
        let flaw = self.flaw.as_deref().map(text).transpose()?.unwrap_or_default();
        let cipher = named(CIPHERS, &text(&self.cipher)?)?;
        let hash = named(HASHES, &text(&self.hash)?)?;
        let compression = named(COMPRESSIONS, &text(&self.compression)?)?;
        let by = match &self.signed_by {
            Some(names) => names.iter().map(|by| party(demo, &text(by)?)).collect::<Result<_, Error>>()?,
            None => vec![party(demo, end.sender)?],
        };
        let to = party(demo, &self.to.as_deref().map_or(Ok(end.reader.to_owned()), text)?)?;
        let sign = |data: &[u8]| signed(&by, &flaw, hash, &demo.stranger, data).map_err(Error::recipe);
        let inside = match flaw.as_str() {
            "bomb" => packed(CompressionAlgorithm::Zip, &sign(&vec![b' '; 32 << 20])?),
            "two-files" => Ok([sign(data)?, literal(b"<another/>").map_err(Error::recipe)?].concat()),
            "nested" => packed(CompressionAlgorithm::Zip, &sign(data)?)
                .and_then(|once| packed(CompressionAlgorithm::Zip, &once)),
            _ => match compression {
                CompressionAlgorithm::Uncompressed => Ok(sign(data)?),
                algorithm => packed(algorithm, &sign(data)?),
            },
        };
        let inside = inside.map_err(Error::recipe)?;
        let mut message = encrypted(to, cipher, &inside).map_err(Error::recipe)?;
        match flaw.as_str() {
            "in-the-clear" => return Ok(inside),
            "without-integrity" => return Ok(without_integrity(&message)),
            "cut-off" => message.truncate(message.len() - 40),
            "flipped" => message.iter_mut().rev().nth(60).into_iter().for_each(|byte| *byte ^= 1),
            "" | "bomb" | "two-files" | "nested" | "text-mode" | "other-data" | "forwarded" => {}
            _ => return Err(Error::recipe(format_args!("a message has no flaw {flaw:?}"))),
        }
        Ok(message)
    }
}

fn party<'a>(demo: &'a Demo, name: &str) -> Result<&'a Cert, Error> {
    match name {
        "gateway" => Ok(&demo.gateway),
        "provider" => Ok(&demo.key),
        "stranger" => Ok(&demo.stranger),
        _ => Err(Error::recipe(format_args!("nobody is called {name:?}"))),
    }
}

fn named<T: Copy>(known: &[(&str, T)], name: &str) -> Result<T, Error> {
    let found = known.iter().find(|(known, _)| *known == name).map(|(_, algorithm)| *algorithm);
    found.ok_or_else(|| Error::recipe(format_args!("no algorithm is called {name:?}")))
}

/// One-pass packets, a literal and signatures; the literal alone, when nobody signs.
fn signed(
    by: &[&Cert],
    flaw: &str,
    hash: HashAlgorithm,
    stranger: &Cert,
    data: &[u8],
) -> openpgp::Result<Vec<u8>> {
    let Some((first, others)) = by.split_first() else { return literal(data) };
    let typ = if flaw == "text-mode" { SignatureType::Text } else { SignatureType::Binary };
    let mut packets = Vec::new();
    let mut signer =
        Signer::with_template(Message::new(&mut packets), signing_key(first)?, SignatureBuilder::new(typ))?;
    for other in others {
        signer = signer.add_signer(signing_key(other)?)?;
    }
    if flaw == "forwarded" {
        signer = signer.add_intended_recipient(stranger);
    }
    let mut message = LiteralWriter::new(signer.hash_algo(hash)?.build()?).build()?;
    message.write_all(data)?;
    message.finalize()?;
    if flaw == "other-data" {
        // Behind the literal's head, where the data begin.
        let place = packets.windows(data.len()).position(|window| window == data);
        place.and_then(|at| packets.get_mut(at + data.len() / 2)).into_iter().for_each(|byte| *byte ^= 1);
    }
    Ok(packets)
}

fn literal(data: &[u8]) -> openpgp::Result<Vec<u8>> {
    let mut literal = Literal::new(DataFormat::Binary);
    literal.set_body(data.to_vec());
    let mut bytes = Vec::new();
    Packet::from(literal).serialize(&mut bytes)?;
    Ok(bytes)
}

fn packed(algorithm: CompressionAlgorithm, packets: &[u8]) -> openpgp::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut message = Compressor::new(Message::new(&mut bytes)).algo(algorithm).build()?;
    message.write_all(packets)?;
    message.finalize()?;
    Ok(bytes)
}

fn encrypted(to: &Cert, cipher: SymmetricAlgorithm, packets: &[u8]) -> openpgp::Result<Vec<u8>> {
    let keys = to.keys().with_policy(POLICY, None).alive().revoked(false).for_transport_encryption();
    let mut bytes = Vec::new();
    let mut message = Encryptor::for_recipients(Message::new(&mut bytes), keys.map(Recipient::from))
        .symmetric_algo(cipher)
        .build()?;
    message.write_all(packets)?;
    message.finalize()?;
    Ok(bytes)
}

/// The session key of a message, then a container of type 9 in place of the protected one: how EFAIL takes the protection away.
fn without_integrity(message: &[u8]) -> Vec<u8> {
    let length = message.get(1).copied().map_or(0, usize::from);
    let head = message.get(..2 + length).unwrap_or_default();
    [head, &[0xc9, 32], &[7; 32]].concat()
}

fn signing_key(cert: &Cert) -> openpgp::Result<KeyPair> {
    let mut keys = cert.keys().with_policy(POLICY, None).alive().for_signing().secret();
    let key = keys.next().ok_or_else(|| openpgp::Error::InvalidOperation("no signing key".into()))?;
    key.key().clone().into_keypair()
}

pub(super) const POLICY: &StandardPolicy<'_> = &StandardPolicy::new();

const CIPHERS: &[(&str, SymmetricAlgorithm)] = &[
    ("aes-256", SymmetricAlgorithm::AES256),
    ("aes-128", SymmetricAlgorithm::AES128),
    ("twofish", SymmetricAlgorithm::Twofish),
    ("camellia-256", SymmetricAlgorithm::Camellia256),
];

const HASHES: &[(&str, HashAlgorithm)] = &[
    ("sha-256", HashAlgorithm::SHA256),
    ("sha-512", HashAlgorithm::SHA512),
    ("sha-224", HashAlgorithm::SHA224),
];

const COMPRESSIONS: &[(&str, CompressionAlgorithm)] = &[
    ("none", CompressionAlgorithm::Uncompressed),
    ("zip", CompressionAlgorithm::Zip),
    ("zlib", CompressionAlgorithm::Zlib),
];

/// The time some days ago.
pub(super) fn days_ago(days: u64) -> SystemTime {
    SystemTime::now() - std::time::Duration::from_secs(days * 86_400)
}
