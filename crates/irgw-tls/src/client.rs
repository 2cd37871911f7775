//! TLS as a provider speaks it to the gateway, and the gateway to backing services.

use std::fmt;
use std::sync::Arc;

use irgw_core::{Clock, Origin, Peer, Thumbprint, Transport};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, NoKeyLog, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::certificate::Facts;
use crate::handshake::{Time, refused};
use crate::suites::{VERSIONS, provider};
use crate::{ClientIdentity, Error, digest};

/// The authorities that a client accepts servers' certificates from.
#[derive(Debug, Clone)]
pub struct ServerRoots(Arc<RootCertStore>);

impl ServerRoots {
    /// All CERTIFICATE blocks of a PEM file.
    ///
    /// # Errors
    /// [`Error::Pem`] when there is none, or one that cannot be read.
    pub fn from_pem(pem: &[u8]) -> Result<ServerRoots, Error> {
        let expected = "root certificates";
        let mut store = RootCertStore::empty();
        for der in CertificateDer::pem_slice_iter(pem) {
            let der = der.map_err(|_| Error::Pem { expected })?;
            store.add(der).map_err(|_| Error::Pem { expected })?;
        }
        if store.is_empty() {
            return Err(Error::Pem { expected });
        }
        Ok(ServerRoots(Arc::new(store)))
    }

    /// The whole Mozilla list.
    pub fn mozilla() -> ServerRoots {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
        ServerRoots(Arc::new(store))
    }
}

/// The client's end of TLS, to one server.
///
/// The same versions, suites and signatures as [`crate::server::Server`], so the server's key is an elliptic-curve
/// one unless TLS 1.3 is spoken. No session resumption, no early data, no key log. ALPN offers `h2` and `http/1.1`.
/// In TLS 1.3 a server refuses a client certificate after this end has established: the first read tells.
pub struct Client {
    config: Arc<ClientConfig>,
    server: ServerName<'static>,
}

impl Client {
    /// A client that proves nothing about itself. `server` is a DNS name or an address, without a port.
    ///
    /// # Errors
    /// [`Error::ServerName`].
    pub fn one_way(roots: &ServerRoots, server: &str, clock: Arc<dyn Clock>) -> Result<Client, Error> {
        Client::new(roots, server, None, clock)
    }

    /// A client that presents this identity to a server that asks for one.
    ///
    /// # Errors
    /// [`Error::ServerName`].
    pub fn mutual(
        roots: &ServerRoots,
        server: &str,
        identity: ClientIdentity,
        clock: Arc<dyn Clock>,
    ) -> Result<Client, Error> {
        Client::new(roots, server, Some(identity), clock)
    }

    fn new(
        roots: &ServerRoots,
        server: &str,
        identity: Option<ClientIdentity>,
        clock: Arc<dyn Clock>,
    ) -> Result<Client, Error> {
        let server =
            ServerName::try_from(server).map_err(|_| Error::ServerName { name: server.into() })?.to_owned();
        let provider = provider();
        let verifier = WebPkiServerVerifier::builder_with_provider(roots.0.clone(), provider.clone())
            .build()
            .expect("there are roots, and no revocation lists that could be malformed");
        let builder = ClientConfig::builder_with_details(provider, Arc::new(Time(clock)))
            .with_protocol_versions(VERSIONS)
            .expect("the provider has suites of both versions")
            .with_webpki_verifier(verifier);
        let mut config = match identity {
            Some(identity) => {
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity.certified())))
            }
            None => builder.with_no_client_auth(),
        };
        config.resumption = Resumption::disabled();
        config.key_log = Arc::new(NoKeyLog {});
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Client { config: Arc::new(config), server })
    }

    /// The same client with other application protocols, the most preferred first; none: no ALPN.
    pub fn with_alpn(mut self, protocols: &[&[u8]]) -> Client {
        let mut config = ClientConfig::clone(&self.config);
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        self.config = Arc::new(config);
        self
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("server", &self.server).finish_non_exhaustive()
    }
}

/// The server at the far end: its certificate was verified for the name that was connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedServer {
    thumbprint: Thumbprint,
    issuer: Option<Arc<str>>,
}

impl VerifiedServer {
    /// SHA-256 over its certificate.
    pub fn thumbprint(&self) -> Thumbprint {
        self.thumbprint
    }

    /// Who issued its certificate, as RFC 4514 writes it or nearly so; `None`: it is in a form that is not read here.
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }
}

impl<Io> Transport<Io> for Client
where
    Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = TlsStream<Io>;
    type Error = Error;

    async fn establish(&self, io: Io, origin: Origin) -> Result<(TlsStream<Io>, Peer), Error> {
        let stream = TlsConnector::from(self.config.clone())
            .connect(self.server.clone(), io)
            .await
            .map_err(|error| refused(&error, None))?;
        let certificates = stream.get_ref().1.peer_certificates();
        let peer = match certificates.and_then(|chain| chain.first()) {
            Some(der) => {
                let thumbprint = Thumbprint(digest::sha256(der));
                let issuer = Facts::read(der).map(|facts| facts.issuer);
                Peer::proven(origin, Arc::new(VerifiedServer { thumbprint, issuer }))
            }
            None => Peer::anonymous(origin),
        };
        Ok((stream, peer))
    }
}
