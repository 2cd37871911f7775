//! One HTTP/2 request with header fields exactly as given, also such as no client library would send (RFC 9113).

use std::io::{Read, Write};

use crate::answer::{Answer, End, Reader};

/// Sends one request without a body on stream 1 and reads its answer. Of the answer's header fields only the status is read.
pub(crate) fn exchange<S: Read + Write>(
    reader: &mut Reader<S>,
    fields: &[(Vec<u8>, Vec<u8>)],
) -> Result<Answer, End> {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(SETTINGS, 0, 0, &[]));
    let block: Vec<u8> = fields.iter().flat_map(|(name, value)| literal(name, value)).collect();
    bytes.extend(frame(HEADERS, END_STREAM | END_HEADERS, 1, &block));
    let sent = reader.stream().write_all(&bytes).and_then(|()| reader.stream().flush());
    sent.map_err(|error| End::Broken(error.to_string()))?;
    read(reader)
}

fn read<S: Read + Write>(reader: &mut Reader<S>) -> Result<Answer, End> {
    let mut answer = Answer::default();
    loop {
        let head = reader.exactly(9)?;
        let [l2, l1, l0, kind, flags, s3, s2, s1, s0] = head.as_slice() else { return Err(End::Closed) };
        let payload = reader.exactly(usize::from(*l2) << 16 | usize::from(*l1) << 8 | usize::from(*l0))?;
        let stream = u32::from_be_bytes([*s3, *s2, *s1, *s0]);
        match (*kind, stream) {
            (SETTINGS, _) if flags & ACK == 0 => {
                let _ = reader.stream().write_all(&frame(SETTINGS, ACK, 0, &[]));
            }
            (HEADERS, 1) => answer.status = status(&payload).unwrap_or(0),
            (DATA, 1) => answer.body.extend(payload),
            (RST_STREAM, 1) => return Err(End::Broken("stream reset".into())),
            (GOAWAY, _) => return Err(End::Broken("connection given up".into())),
            _ => {}
        }
        if stream == 1 && matches!(*kind, HEADERS | DATA) && flags & END_STREAM != 0 {
            return Ok(answer);
        }
    }
}

/// Kinds of frames (RFC 9113 §6).
pub const DATA: u8 = 0;
/// A field block.
pub const HEADERS: u8 = 1;
/// The end of one stream.
pub const RST_STREAM: u8 = 3;
/// What a peer may do.
pub const SETTINGS: u8 = 4;
/// Whether the peer is there.
pub const PING: u8 = 6;
/// The end of the connection.
pub const GOAWAY: u8 = 7;
/// More may come.
pub const WINDOW_UPDATE: u8 = 8;
/// More of a field block.
pub const CONTINUATION: u8 = 9;
/// The flag of what answers SETTINGS or PING.
pub const ACK: u8 = 1;
/// The flag of the stream's last frame.
pub const END_STREAM: u8 = 1;
/// The flag of the field block's last frame.
pub const END_HEADERS: u8 = 4;

/// A frame (RFC 9113 §4.1) of at most 2²⁴ - 1 bytes.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or_default().to_be_bytes();
    let mut frame: Vec<u8> = length.iter().skip(1).copied().collect();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// A literal field without indexing and without Huffman coding (RFC 7541 §6.2.2).
pub fn literal(name: &[u8], value: &[u8]) -> Vec<u8> {
    let string = |bytes: &[u8]| {
        let mut string = match u8::try_from(bytes.len()) {
            Ok(short @ ..0x7f) => vec![short],
            _ => {
                let mut rest = bytes.len() - 0x7f;
                let mut length = vec![0x7f];
                while rest >= 0x80 {
                    length.push(u8::try_from(rest & 0x7f).unwrap_or_default() | 0x80);
                    rest >>= 7;
                }
                length.push(u8::try_from(rest).unwrap_or_default());
                length
            }
        };
        string.extend_from_slice(bytes);
        string
    };
    [vec![0], string(name), string(value)].concat()
}

/// The status, which stands first in an answer's header block: from the static table, or a literal of three digits.
fn status(block: &[u8]) -> Option<u16> {
    let (first, rest) = block.split_first()?;
    match first {
        // A change of the dynamic table's size stands before the fields (RFC 7541 §6.3).
        0x20..=0x3f => status(rest),
        0x88 => Some(200),
        0x89 => Some(204),
        0x8a => Some(206),
        0x8b => Some(304),
        0x8c => Some(400),
        0x8d => Some(404),
        0x8e => Some(500),
        // A literal whose name is entry 8, `:status`.
        0x48 | 0x08 | 0x18 => match rest {
            [0x03, digits @ ..] => std::str::from_utf8(digits.get(..3)?).ok()?.parse().ok(),
            [length, coded @ ..] if length & 0x80 != 0 => digits(coded.get(..usize::from(length & 0x7f))?),
            _ => None,
        },
        _ => None,
    }
}

/// Three digits in the Huffman code: `0` to `2` are five bits, `3` to `9` six (RFC 7541, appendix B).
fn digits(coded: &[u8]) -> Option<u16> {
    let bits: Vec<u8> = coded.iter().flat_map(|byte| (0..8).rev().map(move |n| byte >> n & 1)).collect();
    let mut rest = bits.as_slice();
    let mut number = 0;
    for _ in 0..3 {
        let value = |bits: &[u8]| bits.iter().fold(0_u16, |value, bit| value << 1 | u16::from(*bit));
        let five = value(rest.get(..5)?);
        let (digit, length) = match five {
            0..=2 => (five, 5),
            _ => (value(rest.get(..6)?).checked_sub(0x16)?, 6),
        };
        number = number * 10 + digit;
        rest = rest.get(length..)?;
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_is_read_in_every_form() {
        assert_eq!(status(&[0x8c, 1, 2]), Some(400));
        assert_eq!(status(b"\x48\x03403"), Some(403));
        // 403: 011010 00000 011001, padded with ones.
        assert_eq!(status(&[0x48, 0x83, 0b0110_1000, 0b0000_1100, 0b1111_1111]), Some(403));
        // 401: 011010 00000 00001.
        assert_eq!(status(&[0x48, 0x82, 0b0110_1000, 0b0000_0001]), Some(401));
    }

    #[test]
    fn long_literals_have_long_lengths() {
        assert_eq!(literal(b"a", &[b'b'; 200]).get(..5), Some([0, 1, b'a', 0x7f, 73].as_slice()));
    }
}
