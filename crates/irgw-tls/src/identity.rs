//! Who this end is: certificate chain and private key, checked against each other before anything uses them (TLS-2).

use std::fmt;
use std::sync::Arc;

use rustls::crypto::ring::sign::any_supported_type;
use rustls::sign::{CertifiedKey, SigningKey};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};

use crate::certificate::{Certificate, Facts};
use crate::key::{Curve, Key};
use crate::p521::P521Key;
use crate::{Error, Flaw, IdentityFault};

/// A server's certificate chain and private key, an elliptic-curve one on P-256 or P-384 (TLS-2).
#[derive(Debug, Clone)]
pub struct ServerIdentity(Identity);

impl ServerIdentity {
    /// Reads a PEM chain, end-entity certificate first, and its PEM private key (PKCS#8 or SEC 1). Both may be the
    /// same file.
    ///
    /// A pair of which one half is new and the other old does not pass, so that a caller who re-reads files keeps the
    /// old identity until both are there (A19).
    ///
    /// # Errors
    /// [`Error::Identity`]: a part is missing or unreadable, the key is not the certificate's, or it is of a kind
    /// that none of the six suites can use.
    pub fn from_pem(certificate_pem: &[u8], key_pem: &[u8]) -> Result<ServerIdentity, Error> {
        let identity = Identity::from_pem(certificate_pem, key_pem)?;
        match identity.key {
            Ok(Key::Ec(Curve::P256 | Curve::P384)) => Ok(ServerIdentity(identity)),
            Ok(other) => Err(refused(IdentityFault::NotEllipticCurve(other.name()))),
            Err(flaw) => Err(refused(IdentityFault::NotEllipticCurve(match flaw {
                Flaw::KeyKind(kind) => format!("of kind {kind}"),
                other => other.to_string(),
            }))),
        }
    }

    /// Subject, issuer, serial number, thumbprint and validity of the end-entity certificate.
    pub fn facts(&self) -> &Facts {
        &self.0.facts
    }

    /// Whether the end-entity certificate is valid at `now`. A server with one that is not still serves, since to
    /// stop would help nobody; whoever runs it is to be told.
    pub fn is_current(&self, now: UnixTime) -> bool {
        self.0.is_current(now)
    }

    pub(crate) fn certified(self) -> Arc<CertifiedKey> {
        self.0.certified
    }
}

/// A client's certificate chain and private key, of any kind that TLS-5 accepts.
#[derive(Debug, Clone)]
pub struct ClientIdentity(Identity);

impl ClientIdentity {
    /// Reads a PEM chain, end-entity certificate first, and its PEM private key (PKCS#8, SEC 1 or PKCS#1).
    ///
    /// # Errors
    /// [`Error::Identity`]: a part is missing or unreadable, or the key is not the certificate's.
    pub fn from_pem(certificate_pem: &[u8], key_pem: &[u8]) -> Result<ClientIdentity, Error> {
        Identity::from_pem(certificate_pem, key_pem).map(ClientIdentity)
    }

    /// Subject, issuer, serial number, thumbprint and validity of the end-entity certificate.
    pub fn facts(&self) -> &Facts {
        &self.0.facts
    }

    /// Whether the end-entity certificate is valid at `now`.
    pub fn is_current(&self, now: UnixTime) -> bool {
        self.0.is_current(now)
    }

    pub(crate) fn certified(self) -> Arc<CertifiedKey> {
        self.0.certified
    }
}

#[derive(Clone)]
struct Identity {
    certified: Arc<CertifiedKey>,
    facts: Facts,
    key: Result<Key, Flaw>,
}

impl Identity {
    fn from_pem(certificate_pem: &[u8], key_pem: &[u8]) -> Result<Identity, Error> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificate_pem)
            .collect::<Result<_, _>>()
            .map_err(|_| refused(IdentityFault::UnreadableCertificate))?;
        let end_entity = chain.first().ok_or_else(|| refused(IdentityFault::NoCertificate))?;
        let (facts, key) = {
            let certificate =
                Certificate::parse(end_entity).map_err(|_| refused(IdentityFault::UnreadableCertificate))?;
            (certificate.facts(), Key::accept(certificate.x509.public_key()))
        };
        let private = PrivateKeyDer::from_pem_slice(key_pem).map_err(|_| refused(IdentityFault::NoKey))?;
        let private = signing_key(&private).ok_or_else(|| refused(IdentityFault::UnreadableKey))?;
        let certified = CertifiedKey::new(chain, private);
        certified.keys_match().map_err(|_| refused(IdentityFault::Mismatch))?;
        Ok(Identity { certified: Arc::new(certified), facts, key })
    }

    fn is_current(&self, now: UnixTime) -> bool {
        (self.facts.not_before..=self.facts.not_after).contains(&now.as_secs())
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("facts", &self.facts).finish_non_exhaustive()
    }
}

fn signing_key(der: &PrivateKeyDer<'_>) -> Option<Arc<dyn SigningKey>> {
    match any_supported_type(der) {
        Ok(key) => Some(key),
        Err(_) => P521Key::read(der).map(|key| Arc::new(key) as Arc<dyn SigningKey>),
    }
}

fn refused(fault: IdentityFault) -> Error {
    Error::Identity(fault)
}
