//! What this crate asks of enrolment: whose a Common Name is (TLS-6, TLS-7, TLS-12).

use std::fmt::{self, Debug};
use std::str::FromStr;
use std::sync::Arc;

use irgw_core::{Grants, Missing, ProviderId};
use rustls_pki_types::{CertificateDer, SubjectPublicKeyInfoDer};

use crate::certificate::Certificate;
use crate::{Error, Flaw, Place, digest};

/// One enrolled Common Name.
#[derive(Debug, Clone)]
pub struct Enrolment {
    /// Whose it is.
    pub provider: ProviderId,
    /// The name, byte for byte as the certificate must have it.
    pub common_name: Arc<str>,
    /// What the certificate opens by itself (TLS-12).
    pub grants: Arc<Grants>,
    /// The certificate authority that must have issued it (TLS-7).
    pub issuer_pin: Option<IssuerPin>,
    /// Grows with every change to this enrolment.
    pub revision: u64,
}

/// Looks up enrolled Common Names of one environment. On the hot path: no I/O, no waiting.
pub trait Enrolments: Debug + Send + Sync + 'static {
    /// The enrolment of exactly this name, compared byte for byte.
    ///
    /// # Errors
    /// Why there is none: see [`Missing`].
    fn by_common_name(&self, common_name: &str) -> Result<Arc<Enrolment>, Missing>;
}

/// A pinned certificate authority: SHA-256 over the DER of its SubjectPublicKeyInfo (TLS-7).
///
/// The key and not the certificate is pinned, so that a re-issued or cross-signed certificate of the same authority
/// keeps working. A pin is met by any certificate authority of the verified path, the root included: who pins the
/// root survives a change of intermediates, who pins the intermediate is stricter. Printed as 64 lower-case hex
/// digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IssuerPin([u8; 32]);

impl IssuerPin {
    /// The pin of a certificate authority's certificate: nothing else could ever be met by a path.
    ///
    /// # Errors
    /// When the bytes are not a certificate, or one of no authority: basicConstraints does not say CA, or a keyUsage lacks
    /// keyCertSign (RFC 5280 §4.2.1.9, §4.2.1.3).
    pub fn of(certificate: &CertificateDer<'_>) -> Result<IssuerPin, Error> {
        let certificate = Certificate::parse(certificate).map_err(|fault| Error::certificate(fault, None))?;
        let refused = |flaw| Err(Error::certificate(Place::EndEntity.has(flaw), Some(certificate.facts())));
        match certificate.x509.basic_constraints() {
            Ok(Some(constraints)) if constraints.value.ca => {}
            Ok(_) => return refused(Flaw::NotAnAuthority),
            Err(_) => return refused(Flaw::BadExtension("basicConstraints")),
        }
        match certificate.x509.key_usage() {
            Ok(Some(usage)) if !usage.value.key_cert_sign() => return refused(Flaw::NoKeyCertSign),
            Ok(_) => {}
            Err(_) => return refused(Flaw::BadExtension("keyUsage")),
        }
        Ok(IssuerPin(digest::sha256(certificate.spki())))
    }

    pub(crate) fn of_spki(spki: &SubjectPublicKeyInfoDer<'_>) -> IssuerPin {
        IssuerPin(digest::sha256(spki))
    }

    /// The pin from its 32 bytes, as [`IssuerPin::to_bytes`] gave them.
    pub const fn from_bytes(bytes: [u8; 32]) -> IssuerPin {
        IssuerPin(bytes)
    }

    /// The 32 bytes.
    pub const fn to_bytes(self) -> [u8; 32] {
        self.0
    }
}

impl fmt::Display for IssuerPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Debug for IssuerPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for IssuerPin {
    type Err = InvalidPin;

    fn from_str(text: &str) -> Result<IssuerPin, InvalidPin> {
        text.parse().map(|irgw_core::Thumbprint(bytes)| IssuerPin(bytes)).map_err(|_| InvalidPin)
    }
}

/// The text is not an [`IssuerPin`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidPin;

impl fmt::Display for InvalidPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an issuer pin is 64 hex digits (SHA-256 over the authority's SubjectPublicKeyInfo)")
    }
}

impl std::error::Error for InvalidPin {}
