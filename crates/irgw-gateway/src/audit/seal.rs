//! Seals: each is a hash over the one before it and the bytes since, and a key vouches for it.

use std::fmt;
use std::str::FromStr;

use irgw_core::{InvalidThumbprint, Thumbprint};
use ring::digest::{Context, SHA256};
use ring::hmac;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::hex::hex;

/// SHA-256 over the seal before and the bytes since; in hex.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seal([u8; 32]);

impl Seal {
    /// The seal before the first: a log starts from nothing.
    pub const START: Seal = Seal([0; 32]);

    /// Begins the seal behind this one: the bytes that it is to seal follow.
    pub(super) fn context(&self) -> Context {
        let mut context = Context::new(&SHA256);
        context.update(&self.0);
        context
    }
}

impl From<Context> for Seal {
    fn from(context: Context) -> Seal {
        let mut seal = [0; 32];
        seal.copy_from_slice(context.finish().as_ref());
        Seal(seal)
    }
}

impl fmt::Display for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl FromStr for Seal {
    type Err = InvalidThumbprint;

    fn from_str(text: &str) -> Result<Seal, InvalidThumbprint> {
        text.parse().map(|Thumbprint(seal)| Seal(seal))
    }
}

impl Serialize for Seal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Seal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Seal, D::Error> {
        Thumbprint::deserialize(deserializer).map(|Thumbprint(seal)| Seal(seal))
    }
}

/// The key that vouches for seals: whoever lacks it can write a log, and not one that verifies.
#[derive(Debug, Clone)]
pub struct SealKey(hmac::Key);

impl SealKey {
    /// A key of 256 bits.
    pub fn new(bytes: &[u8; 32]) -> SealKey {
        SealKey(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// The line that ends a batch, with its line feed.
    pub(super) fn line(&self, seal: Seal, records: u64) -> Vec<u8> {
        line_of(&SealLine { seal, mac: hex(hmac::sign(&self.0, &seal.0).as_ref()), records })
    }

    /// Whether this key made the line.
    pub(super) fn vouches_for(&self, line: &SealLine) -> bool {
        let mac = line.mac.parse::<Thumbprint>();
        mac.is_ok_and(|Thumbprint(mac)| {
            hex(&mac) == line.mac && hmac::verify(&self.0, &line.seal.0, &mac).is_ok()
        })
    }
}

/// A line that seals all bytes since the seal before it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SealLine {
    pub(super) seal: Seal,
    /// HMAC-SHA-256 over the seal's 32 bytes, in hex.
    mac: String,
    /// Records in the batch.
    pub(super) records: u64,
}

impl SealLine {
    /// Reads a line that is exactly as it is written; a missing line feed is no matter, a crash may cut that.
    pub(super) fn read(line: &[u8]) -> Option<SealLine> {
        exactly(line)
    }
}

/// What the log says of itself.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Note {
    /// The first line of a file: what follows is sealed behind this seal, which the file before it ends with.
    Continues(Seal),
    /// So many lines stand before this one that were found without a seal: nobody vouches for them.
    Recovered(u64),
}

impl Note {
    pub(super) fn line(&self) -> Vec<u8> {
        line_of(self)
    }

    pub(super) fn read(line: &[u8]) -> Option<Note> {
        exactly(line)
    }
}

fn line_of(value: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).expect("strings and numbers serialise, and memory takes them");
    line.push(b'\n');
    line
}

fn exactly<T: Serialize + for<'de> Deserialize<'de>>(line: &[u8]) -> Option<T> {
    let value = serde_json::from_slice(line).ok()?;
    let written = line_of(&value);
    (written == line || written.strip_suffix(b"\n") == Some(line)).then_some(value)
}
