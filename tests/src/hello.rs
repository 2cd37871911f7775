//! A ClientHello made byte by byte, for what no TLS library still offers (RFC 5246 §7.4.1.2, RFC 8446 §4.1.2).

use std::io::{Read, Write};
use std::net::TcpStream;

use serde::Deserialize;

use crate::Error;
use crate::key::fill;
use crate::template::from_hex;

/// What the ClientHello offers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HelloRecipe {
    /// The highest version: `ssl2` (a record of that version), `ssl3`, `1.0`, `1.1`, `1.2`, `1.3`.
    pub version: String,
    /// Cipher suites, four hex digits each.
    pub suites: Vec<String>,
    /// Compression methods, two hex digits each.
    pub compression: Vec<String>,
    /// How many pieces it is sent in, each a TLS record of its own.
    pub fragments: usize,
}

impl Default for HelloRecipe {
    fn default() -> HelloRecipe {
        HelloRecipe {
            version: "1.2".into(),
            suites: vec!["c02b".into(), "c02c".into(), "cca9".into()],
            compression: vec!["00".into()],
            fragments: 1,
        }
    }
}

/// What the server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HelloAnswer {
    /// A ServerHello: the handshake would go on.
    Accepted {
        /// The legacy version field.
        version: u16,
        /// The chosen suite.
        suite: u16,
        /// The chosen compression method.
        compression: u8,
    },
    /// A fatal alert.
    Alert(u8),
    /// The connection ended without a word.
    Closed,
}

impl HelloRecipe {
    /// Sends it and reads the first answer.
    pub(crate) fn exchange(&self, stream: &mut TcpStream, server_name: &str) -> Result<HelloAnswer, Error> {
        let bytes = self.bytes(server_name)?;
        // A server may refuse after the first record, and its reset must not hide its alert.
        let _ = stream.write_all(&bytes);
        let mut answer = Vec::new();
        let mut buffer = [0; 4096];
        while answer.len() < record_length(&answer) {
            match stream.read(&mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(count) => answer.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            }
        }
        Ok(read_answer(&answer))
    }

    fn bytes(&self, server_name: &str) -> Result<Vec<u8>, Error> {
        let version: [u8; 2] = match self.version.as_str() {
            "ssl2" => return Ok(ssl2()),
            "ssl3" => [3, 0],
            "1.0" => [3, 1],
            "1.1" => [3, 2],
            "1.2" | "1.3" => [3, 3],
            other => return Err(Error::recipe(format_args!("{other:?} is no TLS version"))),
        };
        let hex =
            |text: &String| from_hex(text).ok_or_else(|| Error::recipe(format_args!("{text:?} is not hex")));
        let suites = self.suites.iter().map(hex).collect::<Result<Vec<_>, _>>()?.concat();
        let compression = self.compression.iter().map(hex).collect::<Result<Vec<_>, _>>()?.concat();
        let mut random = [0; 32];
        fill(&mut random);
        let mut hello = version.to_vec();
        hello.extend(random);
        hello.extend(prefixed::<1>(&[]));
        hello.extend(prefixed::<2>(&suites));
        hello.extend(prefixed::<1>(&compression));
        if version >= [3, 1] {
            hello.extend(prefixed::<2>(&extensions(server_name, &self.version)));
        }
        let mut handshake = vec![1];
        handshake.extend(prefixed::<3>(&hello));
        let size = handshake.len().div_ceil(self.fragments.max(1));
        let record = |piece: &[u8]| [&[22, 3, version[1].min(1)], prefixed::<2>(piece).as_slice()].concat();
        Ok(handshake.chunks(size).flat_map(record).collect())
    }
}

fn extensions(server_name: &str, version: &str) -> Vec<u8> {
    let extension = |number: u16, body: &[u8]| [number.to_be_bytes().to_vec(), prefixed::<2>(body)].concat();
    let host = [vec![0], prefixed::<2>(server_name.as_bytes())].concat();
    let mut extensions = [
        extension(0, &prefixed::<2>(&host)),
        // supported_groups: X25519, P-256, P-384.
        extension(10, &prefixed::<2>(&[0, 29, 0, 23, 0, 24])),
        extension(11, &prefixed::<1>(&[0])),
        // signature_algorithms: ECDSA and RSA with SHA-2, and the old SHA-1 pairs.
        extension(13, &prefixed::<2>(&[4, 3, 5, 3, 6, 3, 8, 4, 4, 1, 2, 3, 2, 1])),
        // heartbeat: peer allowed to send (RFC 6520).
        extension(15, &[1]),
        extension(23, &[]),
    ]
    .concat();
    if version == "1.3" {
        let mut share = [0; 32];
        fill(&mut share);
        extensions.extend(extension(43, &prefixed::<1>(&[3, 4])));
        extensions
            .extend(extension(51, &prefixed::<2>(&[&[0, 29], prefixed::<2>(&share).as_slice()].concat())));
    }
    extensions
}

/// A version 2 CLIENT-HELLO that offers SSL 2.0.
fn ssl2() -> Vec<u8> {
    let mut hello = vec![1, 0, 2, 0, 3, 0, 0, 0, 16, 1, 0, 0x80];
    hello.extend([7; 16]);
    let length = u8::try_from(hello.len()).unwrap_or_default();
    [vec![0x80, length], hello].concat()
}

/// The bytes after their length in `N` bytes.
fn prefixed<const N: usize>(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap_or_default().to_be_bytes();
    length.iter().skip(4 - N).chain(bytes).copied().collect()
}

/// How many bytes the first record has, as far as is known.
fn record_length(bytes: &[u8]) -> usize {
    match bytes {
        [_, _, _, high, low, ..] => 5 + usize::from(u16::from_be_bytes([*high, *low])),
        _ => 5,
    }
}

fn read_answer(bytes: &[u8]) -> HelloAnswer {
    match bytes {
        [21, _, _, _, _, _, description, ..] => HelloAnswer::Alert(*description),
        [22, _, _, _, _, 2, _, _, _, hello @ ..] => server_hello(hello).unwrap_or(HelloAnswer::Closed),
        _ => HelloAnswer::Closed,
    }
}

fn server_hello(hello: &[u8]) -> Option<HelloAnswer> {
    let (version, rest) = hello.split_first_chunk::<2>()?;
    let (_random, rest) = rest.split_at_checked(32)?;
    let (session, rest) = rest.split_first()?;
    let (_session, rest) = rest.split_at_checked(usize::from(*session))?;
    let (suite, rest) = rest.split_first_chunk::<2>()?;
    let compression = *rest.first()?;
    Some(HelloAnswer::Accepted {
        version: u16::from_be_bytes(*version),
        suite: u16::from_be_bytes(*suite),
        compression,
    })
}
