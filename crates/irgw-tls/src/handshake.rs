//! From what the TLS library reports to what this crate does.

use std::io;
use std::sync::Arc;

use irgw_core::{Clock, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{CertificateError, OtherError, PeerIncompatible};

use crate::{Error, HandshakeFault};

/// A handshake's I/O error in this crate's words.
pub(crate) fn refused(error: &io::Error, sni: Option<Arc<str>>) -> Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(inner) => explain(inner).asked_for(sni),
        None => Error::Stream { kind: error.kind(), sni },
    }
}

/// Carries an error of ours through rustls, to be taken out again by [`refused`].
pub(crate) fn carried(error: Error) -> rustls::Error {
    rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(error))))
}

fn explain(error: &rustls::Error) -> Error {
    use rustls::Error as E;
    let fault = match error {
        E::InvalidCertificate(CertificateError::Other(OtherError(inner))) => {
            match inner.downcast_ref::<Error>() {
                Some(ours) => return ours.clone(),
                None => HandshakeFault::ServerCertificate,
            }
        }
        E::NoCertificatesPresented => return Error::NoCertificate { sni: None },
        E::InvalidCertificate(CertificateError::BadSignature) => HandshakeFault::Signature,
        E::PeerIncompatible(
            PeerIncompatible::NoSignatureSchemesInCommon
            | PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon,
        ) => HandshakeFault::Suite,
        E::InvalidCertificate(_) => HandshakeFault::ServerCertificate,
        // What comes from before TLS 1.2 has no signature_algorithms extension, and rustls misses that first.
        E::PeerIncompatible(
            PeerIncompatible::SignatureAlgorithmsExtensionRequired
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled
            | PeerIncompatible::SupportedVersionsExtensionRequired
            | PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => HandshakeFault::Version,
        E::PeerIncompatible(PeerIncompatible::NullCompressionRequired) => HandshakeFault::Protocol,
        E::PeerIncompatible(_) => HandshakeFault::Suite,
        E::AlertReceived(_) => HandshakeFault::Alert,
        _ => HandshakeFault::Protocol,
    };
    Error::Handshake { fault, detail: error.to_string().into(), sni: None }
}

/// A transport's clock as rustls asks for it.
#[derive(Debug)]
pub(crate) struct Time(pub(crate) Arc<dyn Clock>);

impl TimeProvider for Time {
    fn current_time(&self) -> Option<UnixTime> {
        Some(self.0.now())
    }
}
