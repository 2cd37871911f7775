//! One connection to a target: TLS as the case wants it, then its request, then what came back.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, WebPkiServerVerifier};
use rustls::sign::CertifiedKey;
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme, StreamOwned,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::answer::{Answer, End, Reader};
use crate::case::{Given, Request, Tls};
use crate::certificate::{ClientIdentity, read_chain};
use crate::dev::Listener;
use crate::hello::HelloAnswer;
use crate::template::Values;
use crate::{Error, h2};
use std::io::Write;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long to look for what should not come.
const A_MOMENT: Duration = Duration::from_millis(300);

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Came {
    /// The address that the connection was made from.
    pub(crate) local: SocketAddr,
    /// How the handshake ended: what was agreed, or why it was refused.
    pub(crate) handshake: Result<Agreed, String>,
    /// The answers, in order.
    pub(crate) answers: Vec<Answer>,
    /// How the connection was at the end.
    pub(crate) end: End,
}

/// What a handshake agreed on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Agreed {
    /// `1.2` or `1.3`, and the suite.
    pub(crate) what: String,
    /// Whether an earlier session was resumed.
    pub(crate) resumed: bool,
    /// The version field and the compression method of a ServerHello that was read byte by byte.
    pub(crate) hello: Option<(u16, u8)>,
}

/// Where a listener is.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    /// Its host name.
    pub(crate) host: String,
    /// Host and port.
    pub(crate) authority: String,
    address: SocketAddr,
    roots: Arc<RootCertStore>,
}

impl Endpoint {
    /// Resolves a listener of `dev.json`.
    pub(crate) fn of(listener: &Listener) -> Result<Endpoint, Error> {
        let wrong = || Error::Target(format!("{:?} is not https://HOST:PORT", listener.base_url));
        let authority = listener.base_url.strip_prefix("https://").ok_or_else(wrong)?.trim_end_matches('/');
        let (host, port) = authority.rsplit_once(':').unwrap_or((authority, "443"));
        let port: u16 = port.parse().map_err(|_| wrong())?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let mut addresses: Vec<_> = (host, port)
            .to_socket_addrs()
            .map_err(|error| Error::Target(format!("{host}: {error}")))?
            .collect();
        // "localhost" is both; a gateway on the IPv4 loopback alone is the usual case.
        addresses.sort_by_key(SocketAddr::is_ipv6);
        let address = *addresses.first().ok_or_else(wrong)?;
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(read_chain(&listener.ca_file)?);
        Ok(Endpoint {
            host: host.to_owned(),
            authority: authority.to_owned(),
            address,
            roots: Arc::new(roots),
        })
    }

    /// Whether it is on this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        self.address.ip().is_loopback()
    }

    /// Connects, and says nothing.
    pub(crate) fn connect(&self) -> Result<TcpStream, Error> {
        let broken =
            |error: std::io::Error| Error::Target(format!("cannot reach {}: {error}", self.authority));
        let stream = TcpStream::connect_timeout(&self.address, PATIENCE).map_err(broken)?;
        stream.set_nodelay(true).map_err(broken)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(broken)?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(broken)?;
        Ok(stream)
    }

    /// Connects and begins a handshake: an error unless it succeeds, or the gateway refuses it with an alert.
    pub(crate) fn probe(&self) -> Result<(), Error> {
        let mut tcp = self.connect()?;
        let config = self.config(&Tls::default(), None, false)?;
        let mut connection =
            ClientConnection::new(config, server_name(&self.host)?).map_err(Error::recipe)?;
        while connection.is_handshaking() {
            if let Err(error) = connection.complete_io(&mut tcp) {
                let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
                if matches!(cause, Some(rustls::Error::AlertReceived(_))) {
                    break;
                }
                return Err(Error::Target(format!("cannot speak to {}: {error}", self.authority)));
            }
        }
        Ok(())
    }

    /// Carries out what is given.
    pub(crate) fn exchange(
        &self,
        given: &Given,
        identity: Option<&ClientIdentity>,
        authorization: Option<&str>,
        values: &Values,
    ) -> Result<Came, Error> {
        if let Some(hello) = &given.hello {
            let mut stream = self.connect()?;
            let local = local(&stream)?;
            let handshake = match hello.exchange(&mut stream, &self.host)? {
                HelloAnswer::Accepted { version, suite, compression } => Ok(Agreed {
                    what: format!("{version:04x} {suite:04x} {compression:02x}"),
                    resumed: false,
                    hello: Some((version, compression)),
                }),
                HelloAnswer::Alert(number) => Err(format!("alert {number}")),
                HelloAnswer::Closed => Err("closed".into()),
            };
            return Ok(Came { local, handshake, answers: Vec::new(), end: End::Closed });
        }
        let config = self.config(&given.tls, identity, given.request.h2.is_some())?;
        if given.tls.resume {
            // The first connection only fetches a session; what it asks for does not matter.
            self.talk(&config, given, authorization, values)?;
        }
        self.talk(&config, given, authorization, values)
    }

    fn config(
        &self,
        tls: &Tls,
        identity: Option<&ClientIdentity>,
        h2: bool,
    ) -> Result<Arc<ClientConfig>, Error> {
        let mut provider = rustls::crypto::ring::default_provider();
        if let Some(suite) = &tls.suite {
            // rustls writes TLS13_ where IANA writes TLS_.
            let wanted = |name: String| name == *suite || name.replacen("TLS13_", "TLS_", 1) == *suite;
            provider.cipher_suites.retain(|known| wanted(format!("{:?}", known.suite())));
            if provider.cipher_suites.is_empty() {
                return Err(Error::recipe(format_args!("{suite:?} is no suite that can be offered")));
            }
        }
        let versions = tls.versions.iter().map(|version| match version.as_str() {
            "1.2" => Ok(&rustls::version::TLS12),
            "1.3" => Ok(&rustls::version::TLS13),
            other => Err(Error::recipe(format_args!("{other:?} is no TLS version that can be spoken"))),
        });
        let mut versions = versions.collect::<Result<Vec<_>, _>>()?;
        if versions.is_empty() {
            versions = vec![&rustls::version::TLS12, &rustls::version::TLS13];
        }
        let provider = Arc::new(provider);
        let verifier = WebPkiServerVerifier::builder_with_provider(self.roots.clone(), provider.clone())
            .build()
            .map_err(|error| Error::Target(error.to_string()))?;
        let name = server_name(&self.host)?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions)
            .map_err(Error::recipe)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(OneName { name, verifier }));
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let certified = Arc::new(CertifiedKey::new(identity.chain.clone(), identity.key.tls()?));
                builder.with_client_cert_resolver(Arc::new(Always(certified)))
            }
        };
        config.alpn_protocols = vec![if h2 { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
        config.enable_sni = tls.sni.as_deref() != Some("none");
        Ok(Arc::new(config))
    }

    fn talk(
        &self,
        config: &Arc<ClientConfig>,
        given: &Given,
        authorization: Option<&str>,
        values: &Values,
    ) -> Result<Came, Error> {
        let (local, connected) = self.handshake(config, given, values)?;
        let refused =
            |why: String| Came { local, handshake: Err(why), answers: Vec::new(), end: End::Closed };
        let stream = match connected {
            Ok(stream) => stream,
            Err(why) => return Ok(refused(why)),
        };
        let agreed = Agreed {
            what: format!("{:?} {:?}", stream.conn.protocol_version(), stream.conn.negotiated_cipher_suite()),
            resumed: stream.conn.handshake_kind() == Some(rustls::HandshakeKind::Resumed),
            hello: None,
        };
        let (answers, end) = converse(stream, &given.request, authorization, values)?;
        let by_hand = given.request.raw.is_some() || given.request.h2.is_some();
        // In TLS 1.3 the client finishes first, and learns of the refusal when it reads.
        match &end {
            End::Broken(why) if answers.is_empty() && why.contains("received fatal alert") => {
                Ok(refused(why.clone()))
            }
            End::Broken(_) | End::Closed if answers.is_empty() && !by_hand => {
                Ok(refused("closed before any answer".into()))
            }
            _ => Ok(Came { local, handshake: Ok(agreed), answers, end }),
        }
    }

    /// Connects and completes the handshake; the inner error says how it was refused.
    fn handshake(
        &self,
        config: &Arc<ClientConfig>,
        given: &Given,
        values: &Values,
    ) -> Result<(SocketAddr, Result<Stream, String>), Error> {
        let mut tcp = self.connect()?;
        let local = local(&tcp)?;
        if let Some(preface) = &given.preface {
            // A server may refuse before it has read everything.
            let _ = tcp.write_all(&values.bytes(preface)?);
        }
        let sni = given.tls.sni.as_deref().filter(|name| *name != "none").unwrap_or(&self.host);
        let mut connection =
            ClientConnection::new(config.clone(), server_name(&values.text(sni)?)?).map_err(Error::recipe)?;
        while connection.is_handshaking() {
            match connection.complete_io(&mut tcp) {
                Ok((0, 0)) => return Ok((local, Err("closed".into()))),
                Ok(_) => {}
                Err(error) => return Ok((local, Err(error.to_string()))),
            }
        }
        Ok((local, Ok(StreamOwned::new(connection, tcp))))
    }

    /// A connection for bytes as they are, of HTTP/2 or of HTTP/1.1.
    pub(crate) fn stream(&self, identity: Option<&ClientIdentity>, h2: bool) -> Result<Stream, Error> {
        let config = self.config(&Tls::default(), identity, h2)?;
        let (_, connected) = self.handshake(&config, &Given::default(), &Values::default())?;
        connected.map_err(|why| Error::Target(format!("the handshake was refused: {why}")))
    }

    /// A good ClientHello in its record.
    pub(crate) fn first_flight(&self) -> Result<Vec<u8>, Error> {
        let config = self.config(&Tls::default(), None, false)?;
        let mut connection =
            ClientConnection::new(config, server_name(&self.host)?).map_err(Error::recipe)?;
        let mut bytes = Vec::new();
        connection.write_tls(&mut bytes).map_err(Error::recipe)?;
        Ok(bytes)
    }

    /// Opens a connection that stays open.
    pub(crate) fn open(
        &self,
        given: &Given,
        identity: Option<&ClientIdentity>,
        authorization: Option<&str>,
        values: &Values,
    ) -> Result<Session, Error> {
        let config = self.config(&given.tls, identity, false)?;
        let (_, connected) = self.handshake(&config, given, values)?;
        let stream = connected.map_err(|why| Error::Target(format!("the handshake was refused: {why}")))?;
        let request = Request { times: 2, ..given.request.clone() };
        Ok(Session { bytes: compose(&request, authorization, values)?, reader: Reader::new(stream) })
    }
}

/// An open connection over which the same request is sent again and again.
pub struct Session {
    reader: Reader<Stream>,
    bytes: Vec<u8>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Session")
    }
}

impl Session {
    /// Sends the request and returns the answer's status and body.
    ///
    /// # Errors
    /// When the connection has ended.
    pub fn ask(&mut self) -> Result<(u16, String), Error> {
        let ended = |what: &dyn std::fmt::Debug| Error::Target(format!("the connection has ended: {what:?}"));
        let sent = self.reader.stream().write_all(&self.bytes).and_then(|()| self.reader.stream().flush());
        sent.map_err(|error| ended(&error))?;
        let answer = self.reader.answer("GET").map_err(|end| ended(&end))?;
        Ok((answer.status, answer.text()))
    }
}

/// A TLS connection.
pub(crate) type Stream = StreamOwned<ClientConnection, TcpStream>;

fn converse(
    stream: Stream,
    request: &Request,
    authorization: Option<&str>,
    values: &Values,
) -> Result<(Vec<Answer>, End), Error> {
    let mut reader = Reader::new(stream);
    if let Some(fields) = &request.h2 {
        let expand = |(name, value): &(String, String)| Ok((values.bytes(name)?, values.bytes(value)?));
        let fields = fields.iter().map(expand).collect::<Result<Vec<_>, Error>>()?;
        return Ok(match h2::exchange(&mut reader, &fields) {
            Ok(answer) => (vec![answer], End::Idle),
            Err(end) => (Vec::new(), end),
        });
    }
    let bytes = match &request.raw {
        Some(raw) => values.bytes(raw)?,
        None => compose(request, authorization, values)?,
    };
    let mut answers = Vec::new();
    for _ in 0..request.times {
        // A server that refuses early resets the connection; its answer is still there to read.
        let _ = reader.stream().write_all(&bytes).and_then(|()| reader.stream().flush());
        match reader.answer(request.method()) {
            Ok(answer) => answers.push(answer),
            Err(end) => return Ok((answers, end)),
        }
    }
    let moment = reader.stream().sock.set_read_timeout(Some(A_MOMENT));
    moment.map_err(|error| Error::Target(error.to_string()))?;
    // What else comes is an answer to something that was smuggled in.
    while let Ok(answer) = reader.answer(request.method()) {
        answers.push(answer);
    }
    Ok((answers, reader.end()))
}

/// The request as it goes on the wire.
fn compose(request: &Request, authorization: Option<&str>, values: &Values) -> Result<Vec<u8>, Error> {
    let mut bytes = values.bytes(&format!("{} {} HTTP/1.1\r\n", request.method(), request.path))?;
    let mut line = |text: &str| -> Result<(), Error> {
        bytes.extend(values.bytes(text)?);
        bytes.extend_from_slice(b"\r\n");
        Ok(())
    };
    for host in &request.hosts {
        line(&format!("Host: {host}"))?;
    }
    line("User-Agent: irgw-tests ${case}")?;
    if let Some(authorization) = authorization {
        line(&format!("Authorization: {authorization}"))?;
    }
    for header in &request.headers {
        line(header)?;
    }
    let own_connection =
        request.headers.iter().any(|header| header.to_ascii_lowercase().starts_with("connection:"));
    if request.times == 1 && !own_connection {
        line("Connection: close")?;
    }
    if request.form.is_some() {
        line("Content-Type: application/x-www-form-urlencoded")?;
    }
    let body = request.form.as_deref().or(request.body.as_deref());
    let body = body.map(|body| values.bytes(body)).transpose()?;
    if let Some(body) = &body {
        line(&format!("Content-Length: {}", body.len()))?;
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend(body.unwrap_or_default());
    Ok(bytes)
}

fn local(stream: &TcpStream) -> Result<SocketAddr, Error> {
    stream.local_addr().map_err(|error| Error::Target(error.to_string()))
}

fn server_name(name: &str) -> Result<ServerName<'static>, Error> {
    ServerName::try_from(name.to_owned())
        .map_err(|_| Error::recipe(format_args!("{name:?} is no server name")))
}

/// Shows its certificate whatever the server asks for.
#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesClientCert for Always {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Checks the server certificate against the target's own name, whichever name the ClientHello asks for.
#[derive(Debug)]
struct OneName {
    name: ServerName<'static>,
    verifier: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for OneName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.verifier.verify_server_cert(end_entity, intermediates, &self.name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
