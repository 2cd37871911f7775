//! The PROXY header of a listed load balancer, read to its exact length (IP-1).
//!
//! <https://www.haproxy.org/download/2.6/doc/proxy-protocol.txt>. The header's own parser is the `ppp` crate's; what is
//! here bounds the bytes that it sees, so that nothing of the TLS handshake behind it is consumed.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use ppp::{v1, v2};
use tokio::io::{AsyncRead, AsyncReadExt};

/// The signature that opens a version 2 header.
const V2_SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family and protocol, length.
const V2_HEAD_BYTES: usize = 16;
/// A version 2 header's addresses and type-length-values: more than any balancer sends.
const V2_LIMIT_BYTES: usize = 2048;
/// The longest version 1 header with its CRLF.
const V1_LIMIT_BYTES: usize = 107;

/// Whom the balancer speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The client at this address.
    Client(SocketAddr),
    /// Itself (`LOCAL`, `UNKNOWN`): a health check.
    Balancer,
}

/// Reads one PROXY header, and not a byte more. The caller holds the deadline.
///
/// # Errors
/// When the stream ends, or does not open with a well-formed header of version 1 or 2 for TCP.
pub async fn read(io: &mut (impl AsyncRead + Unpin)) -> Result<Source, InvalidHeader> {
    let mut header = [0; V2_HEAD_BYTES + V2_LIMIT_BYTES];
    // "PROXY TCP4 …" and the signature differ in the first byte; the shortest version 1 header has 15 bytes.
    let (head, _) = header.split_at_mut(V2_SIGNATURE.len());
    io.read_exact(head).await.map_err(InvalidHeader::Io)?;
    if head == V2_SIGNATURE {
        return read_v2(io, &mut header).await;
    }
    if !head.starts_with(b"PROXY ") {
        return Err(InvalidHeader::Signature);
    }
    let mut length = V2_SIGNATURE.len();
    // Byte by byte, once a connection: what follows the line feed is the client's.
    while let Some(next) = header.get_mut(length..length + 1).filter(|_| length < V1_LIMIT_BYTES) {
        io.read_exact(next).await.map_err(InvalidHeader::Io)?;
        length += 1;
        let header = header.get(..length).unwrap_or_default();
        if header.ends_with(b"\r\n") {
            return parse_v1(header);
        }
    }
    Err(InvalidHeader::TooLong)
}

async fn read_v2(
    io: &mut (impl AsyncRead + Unpin),
    header: &mut [u8; V2_HEAD_BYTES + V2_LIMIT_BYTES],
) -> Result<Source, InvalidHeader> {
    let (head, rest) = header.split_at_mut(V2_HEAD_BYTES);
    let (_, unread) = head.split_at_mut(V2_SIGNATURE.len());
    io.read_exact(unread).await.map_err(InvalidHeader::Io)?;
    let length = match unread {
        [.., high, low] => usize::from(u16::from_be_bytes([*high, *low])),
        _ => return Err(InvalidHeader::Syntax),
    };
    let rest = rest.get_mut(..length).ok_or(InvalidHeader::TooLong)?;
    io.read_exact(rest).await.map_err(InvalidHeader::Io)?;
    parse_v2(header.get(..V2_HEAD_BYTES + length).unwrap_or_default())
}

/// Parses a whole version 1 header, CRLF included.
///
/// # Errors
/// [`InvalidHeader::Syntax`].
pub fn parse_v1(header: &[u8]) -> Result<Source, InvalidHeader> {
    let parsed = v1::Header::try_from(header).map_err(|_| InvalidHeader::Syntax)?;
    if parsed.header.len() != header.len() {
        return Err(InvalidHeader::Syntax);
    }
    Ok(match parsed.addresses {
        v1::Addresses::Unknown => Source::Balancer,
        v1::Addresses::Tcp4(tcp) => Source::Client((tcp.source_address, tcp.source_port).into()),
        v1::Addresses::Tcp6(tcp) => Source::Client((tcp.source_address, tcp.source_port).into()),
    })
}

/// Parses a whole version 2 header.
///
/// # Errors
/// [`InvalidHeader::Syntax`], also for what is not a TCP stream.
pub fn parse_v2(header: &[u8]) -> Result<Source, InvalidHeader> {
    let parsed = v2::Header::try_from(header).map_err(|_| InvalidHeader::Syntax)?;
    if parsed.len() != header.len() {
        return Err(InvalidHeader::Syntax);
    }
    if parsed.command == v2::Command::Local {
        return Ok(Source::Balancer);
    }
    match (parsed.protocol, parsed.addresses) {
        (v2::Protocol::Stream, v2::Addresses::IPv4(ip)) => {
            Ok(Source::Client((ip.source_address, ip.source_port).into()))
        }
        (v2::Protocol::Stream, v2::Addresses::IPv6(ip)) => {
            Ok(Source::Client((ip.source_address, ip.source_port).into()))
        }
        _ => Err(InvalidHeader::Syntax),
    }
}

/// Why a balancer's connection has no usable PROXY header.
#[derive(Debug)]
#[non_exhaustive]
pub enum InvalidHeader {
    /// The stream failed or ended.
    Io(io::Error),
    /// The stream opens with neither signature.
    Signature,
    /// Longer than any balancer's.
    TooLong,
    /// Not a header for a TCP connection.
    Syntax,
}

impl fmt::Display for InvalidHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            InvalidHeader::Io(_) => "the connection ended before its PROXY header",
            InvalidHeader::Signature => "a balancer's connection does not open with a PROXY header",
            InvalidHeader::TooLong => "the PROXY header is too long",
            InvalidHeader::Syntax => "the PROXY header is not one for a TCP connection",
        })
    }
}

impl std::error::Error for InvalidHeader {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            InvalidHeader::Io(error) => Some(error),
            InvalidHeader::Signature | InvalidHeader::TooLong | InvalidHeader::Syntax => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was read, and what is left for the TLS handshake.
    async fn read_all(bytes: &[u8]) -> (Result<Source, InvalidHeader>, Vec<u8>) {
        let mut io = bytes;
        let source = read(&mut io).await;
        (source, io.to_vec())
    }

    fn v2(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
        let mut header = V2_SIGNATURE.to_vec();
        header.extend([0x20 | command, family]);
        header.extend(u16::try_from(addresses.len()).unwrap().to_be_bytes());
        header.extend(addresses);
        header
    }

    #[tokio::test]
    async fn header_is_read_to_its_exact_length() {
        let client = Source::Client("192.0.2.7:5000".parse().unwrap());
        let (source, rest) = read_all(b"PROXY TCP4 192.0.2.7 198.51.100.1 5000 443\r\n\x16\x03\x01").await;
        assert_eq!((source.unwrap(), rest.as_slice()), (client, b"\x16\x03\x01".as_slice()));

        let mut bytes = v2(1, 0x11, &[192, 0, 2, 7, 198, 51, 100, 1, 0x13, 0x88, 1, 187]);
        bytes.extend(b"\x16\x03\x01");
        let (source, rest) = read_all(&bytes).await;
        assert_eq!((source.unwrap(), rest.as_slice()), (client, b"\x16\x03\x01".as_slice()));
    }

    #[tokio::test]
    async fn balancer_may_speak_for_itself() {
        assert_eq!(read_all(b"PROXY UNKNOWN\r\n").await.0.unwrap(), Source::Balancer);
        assert_eq!(read_all(&v2(0, 0, &[])).await.0.unwrap(), Source::Balancer);
    }

    /// D09: anything else is refused.
    #[tokio::test]
    async fn malformed_headers_are_refused() {
        let long = [b"PROXY TCP4 ".as_slice(), &[b'1'; 200]].concat();
        let many = v2(1, 0x11, &[0; 3000]);
        for bytes in [
            b"".as_slice(),
            b"PROXY TCP4",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00",
            b"GET / HTTP/1.1\r\n\r\n",
            b"PROXY TCP4 192.0.2.7 198.51.100.1 5000\r\n",
            b"PROXY TCP4 192.0.2.777 198.51.100.1 5000 443\r\n",
            b"PROXY TCP4 192.0.2.7 198.51.100.1 5000 443\n0123456789",
            b"proxy TCP4 192.0.2.7 198.51.100.1 5000 443\r\n",
            &long,
            &many,
            &v2(1, 0x11, &[1, 2, 3]),
            &v2(1, 0x12, &[192, 0, 2, 7, 198, 51, 100, 1, 0x13, 0x88, 1, 187]),
            &v2(7, 0x11, &[192, 0, 2, 7, 198, 51, 100, 1, 0x13, 0x88, 1, 187]),
        ] {
            let (source, _) = read_all(bytes).await;
            assert!(source.is_err(), "{bytes:?}");
        }
    }
}
