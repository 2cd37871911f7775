//! The load generator's connection: blocking TLS 1.2 with a client certificate, HTTP/1.1 kept alive.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, HandshakeKind, SignatureScheme, StreamOwned,
};

use super::pki::{Client, Pki};
use crate::Error;

/// No answer of these servers takes this long; a longer one ends the run.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// Where the load goes, as whom, and what it asks.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) address: SocketAddr,
    /// One configuration a client certificate; connections take turns.
    pub(super) identities: Vec<Arc<ClientConfig>>,
    /// Whole requests, as bytes; each is answered 200.
    pub(super) requests: Vec<Vec<u8>>,
    turn: AtomicUsize,
}

impl Target {
    pub(super) fn new(
        address: SocketAddr,
        identities: Vec<Arc<ClientConfig>>,
        requests: Vec<Vec<u8>>,
    ) -> Target {
        Target { address, identities, requests, turn: AtomicUsize::new(0) }
    }

    fn next(&self) -> usize {
        self.turn.fetch_add(1, Ordering::Relaxed)
    }

    /// Connects and finishes the handshake.
    pub(super) fn connect(&self) -> Result<Connection, Error> {
        let turn = self.next();
        let identity = turn.checked_rem(self.identities.len()).and_then(|index| self.identities.get(index));
        let identity = identity.expect("a target has an identity");
        Connection::open(self.address, identity.clone(), turn)
    }
}

/// `GET` of a small resource of a service that takes client-signed JWTs and access tokens; with an Authorization field or
/// without.
pub(super) fn request(authorization: Option<&str>) -> Vec<u8> {
    let authorization = authorization.map(|token| format!("Authorization: {token}\r\n")).unwrap_or_default();
    format!("GET /gateway/account/bench HTTP/1.1\r\nHost: localhost\r\n{authorization}\r\n").into_bytes()
}

/// One kept-alive connection.
pub(super) struct Connection {
    stream: StreamOwned<ClientConnection, TcpStream>,
    buffer: Vec<u8>,
    /// Which request comes next.
    turn: usize,
}

impl Connection {
    fn open(address: SocketAddr, identity: Arc<ClientConfig>, turn: usize) -> Result<Connection, Error> {
        let open = || {
            let mut socket = TcpStream::connect(address)?;
            socket.set_nodelay(true)?;
            socket.set_read_timeout(Some(ANSWER_LIMIT))?;
            let name = ServerName::try_from("localhost").expect("localhost is a name");
            let mut tls = ClientConnection::new(identity, name).map_err(std::io::Error::other)?;
            while tls.is_handshaking() {
                tls.complete_io(&mut socket)?;
            }
            Ok(StreamOwned::new(tls, socket))
        };
        let stream = open().map_err(Error::step::<std::io::Error>("connect"))?;
        // Connections start at different tokens, so that a token's first use is not everybody's at once.
        Ok(Connection { stream, buffer: Vec::new(), turn: turn.wrapping_mul(97) })
    }

    /// Whether the server took up an earlier session.
    pub(super) fn is_resumed(&self) -> bool {
        self.stream.conn.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Sends the next request.
    pub(super) fn send(&mut self, target: &Target) -> Result<(), Error> {
        let index = self.turn.checked_rem(target.requests.len()).unwrap_or(0);
        self.turn = self.turn.wrapping_add(1);
        self.ask(target.requests.get(index).expect("a target has a request"))
    }

    /// Sends this request.
    pub(super) fn ask(&mut self, request: &[u8]) -> Result<(), Error> {
        let send = |stream: &mut StreamOwned<_, _>| {
            stream.write_all(request)?;
            stream.flush()
        };
        send(&mut self.stream).map_err(Error::step("send a request"))
    }

    /// The body of the answer that was received last.
    pub(super) fn body(&self) -> &str {
        let end = self.buffer.windows(4).position(|four| four == b"\r\n\r\n").map_or(0, |at| at + 4);
        self.buffer.get(end..).and_then(|body| std::str::from_utf8(body).ok()).unwrap_or_default()
    }

    /// Reads one answer, which must be 200.
    pub(super) fn receive(&mut self) -> Result<(), Error> {
        self.buffer.clear();
        let mut chunk = [0; 2048];
        loop {
            match answer_length(&self.buffer) {
                Answer::Whole => return Ok(()),
                Answer::Wrong => {
                    let said = String::from_utf8_lossy(&self.buffer).into_owned();
                    return Err(Error::Server {
                        server: "the server",
                        complaint: format!("answered: {said}"),
                    });
                }
                Answer::Part => {}
            }
            let read = self.stream.read(&mut chunk).map_err(Error::step("read an answer"))?;
            self.buffer.extend_from_slice(chunk.get(..read).unwrap_or_default());
            if read == 0 {
                return Err(Error::Server {
                    server: "the server",
                    complaint: "closed in the middle of an answer".into(),
                });
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Part,
    Whole,
    Wrong,
}

/// Whether the bytes are a whole answer of status 200 whose length is given (RFC 9112 §6.2).
fn answer_length(bytes: &[u8]) -> Answer {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Answer::Part };
    let Some(Ok(head)) = bytes.get(..end).map(std::str::from_utf8) else { return Answer::Wrong };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok()).flatten()
    });
    match length {
        _ if !head.starts_with("HTTP/1.1 200") => Answer::Wrong,
        None => Answer::Wrong,
        Some(length) if bytes.len() < end + 4 + length => Answer::Part,
        Some(length) if bytes.len() == end + 4 + length => Answer::Whole,
        Some(_) => Answer::Wrong,
    }
}

/// Whether a client asks for an earlier session to be taken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offer {
    Nothing,
    EarlierSession,
}

/// One configuration for each client certificate: TLS 1.2, `ECDHE-ECDSA-AES128-GCM-SHA256` and nothing else.
pub(super) fn identities(
    pki: &Pki,
    clients: &[Client],
    offer: Offer,
) -> Result<Vec<Arc<ClientConfig>>, Error> {
    let provider = Arc::new(CryptoProvider {
        cipher_suites: vec![ring::cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256],
        ..ring::default_provider()
    });
    let pinned = Arc::new(Pinned { certificate: pki.server_certificate.clone(), provider: provider.clone() });
    let config = |client: &Client| {
        let mut config = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS12])
            .map_err(Error::step("set up the client"))?
            .dangerous()
            .with_custom_certificate_verifier(pinned.clone())
            .with_client_auth_cert(client.chain.clone(), client.key.clone_key())
            .map_err(Error::step("set up the client"))?;
        config.resumption = match offer {
            Offer::Nothing => Resumption::disabled(),
            Offer::EarlierSession => Resumption::in_memory_sessions(16),
        };
        Ok(Arc::new(config))
    };
    clients.iter().map(config).collect()
}

/// Accepts the one certificate that the run's servers have. What checking its path would cost the generator is left
/// out of a measurement of servers; the handshake's signature is checked.
#[derive(Debug)]
struct Pinned {
    certificate: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match *end_entity == self.certificate {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(rustls::CertificateError::UnknownIssuer.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_when_its_body_is() {
        let head = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n";
        assert_eq!(answer_length(b"HTTP/1.1 200 OK\r\n"), Answer::Part);
        assert_eq!(answer_length(format!("{head}o").as_bytes()), Answer::Part);
        assert_eq!(answer_length(format!("{head}ok").as_bytes()), Answer::Whole);
        assert_eq!(answer_length(format!("{head}ok?").as_bytes()), Answer::Wrong);
    }

    #[test]
    fn anything_but_200_with_a_length_is_wrong() {
        assert_eq!(answer_length(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"), Answer::Wrong);
        assert_eq!(answer_length(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), Answer::Wrong);
    }

    #[test]
    fn a_request_carries_its_token_without_a_scheme() {
        let text = String::from_utf8(request(Some("a.b.c"))).unwrap();
        assert!(text.contains("\r\nAuthorization: a.b.c\r\n"));
        assert!(!String::from_utf8(request(None)).unwrap().contains("Authorization"));
    }
}
