//! TLS as the gateway's listeners accept it: mutual on the cloud channel, one-way elsewhere (TLS-1 to TLS-3).

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use irgw_core::{Clock, Origin, Peer, Transport, UnixTime};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{Acceptor, ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, DistinguishedName, NoKeyLog, ServerConfig, SignatureScheme};
use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use crate::handshake::{Time, carried, refused};
use crate::suites::{SIGNATURES, VERSIONS, provider};
use crate::{ClientTrust, Error, ServerIdentity};

/// The server's end of TLS.
///
/// TLS 1.2 and 1.3 with the six suites; no renegotiation, no compression, no early data, no session resumption of any
/// kind (a resumed session would skip the client certificate, and a ticket of one listener could be tried at another,
/// A15), no key log. ALPN offers `h2` and `http/1.1`. The policy is the listener's, never the server name's (A17).
pub struct Server {
    config: Arc<ServerConfig>,
    identity: Arc<CurrentIdentity>,
    trust: Option<Arc<ClientTrust>>,
    clock: Arc<dyn Clock>,
}

impl Server {
    /// Mutual TLS: a client certificate is required (TLS-3) and must meet `trust`. The peer's evidence is a
    /// [`crate::VerifiedCert`].
    ///
    /// The certificate request names no authorities: a client need not be told which ones are approved (ENV-5), and
    /// clients that hold one certificate send it.
    pub fn mutual(identity: ServerIdentity, trust: Arc<ClientTrust>, clock: Arc<dyn Clock>) -> Server {
        Server::new(identity, Some(trust), clock)
    }

    /// One-way TLS: no client certificate is asked for, and nothing is proved about the client.
    pub fn one_way(identity: ServerIdentity, clock: Arc<dyn Clock>) -> Server {
        Server::new(identity, None, clock)
    }

    fn new(identity: ServerIdentity, trust: Option<Arc<ClientTrust>>, clock: Arc<dyn Clock>) -> Server {
        let identity = Arc::new(CurrentIdentity(ArcSwap::new(identity.certified())));
        let builder = ServerConfig::builder_with_details(provider(), Arc::new(Time(clock.clone())))
            .with_protocol_versions(VERSIONS)
            .expect("the provider has suites of both versions");
        let builder = match &trust {
            Some(trust) => builder.with_client_cert_verifier(Arc::new(Verifier(trust.clone()))),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(identity.clone());
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.max_early_data_size = 0;
        config.key_log = Arc::new(NoKeyLog {});
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Server { config: Arc::new(config), identity, trust, clock }
    }

    /// The same server with other application protocols, the most preferred first; none: no ALPN.
    pub fn with_alpn(mut self, protocols: &[&[u8]]) -> Server {
        let mut config = ServerConfig::clone(&self.config);
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        self.config = Arc::new(config);
        self
    }

    /// Presents another identity from the next handshake on; open connections keep theirs.
    pub fn replace_identity(&self, identity: ServerIdentity) {
        self.identity.0.store(identity.certified());
    }

    /// The trust of a mutual server.
    pub fn trust(&self) -> Option<&Arc<ClientTrust>> {
        self.trust.as_ref()
    }

    /// What the handshake proved about the client.
    fn peer<Io>(&self, stream: &TlsStream<Io>, origin: Origin) -> Result<Peer, Error> {
        let Some(trust) = &self.trust else { return Ok(Peer::anonymous(origin)) };
        let (_, connection) = stream.get_ref();
        match connection.peer_certificates() {
            // Verified a moment ago, within the handshake: this finds the same value in the memo.
            Some([end_entity, intermediates @ ..]) => {
                let cert = trust.verify(end_entity, intermediates, self.clock.now())?;
                Ok(Peer::proven(origin, cert))
            }
            _ => Err(Error::NoCertificate { sni: None }),
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("mutual", &self.trust.is_some()).finish_non_exhaustive()
    }
}

impl<Io> Transport<Io> for Server
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = TlsStream<Io>;
    type Error = Error;

    async fn establish(&self, io: Io, origin: Origin) -> Result<(TlsStream<Io>, Peer), Error> {
        let hello =
            LazyConfigAcceptor::new(Acceptor::default(), io).await.map_err(|error| refused(&error, None))?;
        let sni: Option<Arc<str>> = hello.client_hello().server_name().map(Into::into);
        let stream =
            hello.into_stream(self.config.clone()).await.map_err(|error| refused(&error, sni.clone()))?;
        let peer = self.peer(&stream, origin).map_err(|error| error.asked_for(sni))?;
        Ok((stream, peer))
    }
}

/// The identity that handshakes present, whatever server name the client asks for.
#[derive(Debug)]
struct CurrentIdentity(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for CurrentIdentity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

/// Client certificates as rustls asks about them.
#[derive(Debug)]
struct Verifier(Arc<ClientTrust>);

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.0.verify(end_entity, intermediates, now).map_err(carried)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signed, &SIGNATURES)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signed, &SIGNATURES)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        SIGNATURES.supported_schemes()
    }
}
