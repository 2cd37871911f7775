//! One certificate, parsed, and what of it goes into logs.

use std::sync::Arc;

use irgw_core::Thumbprint;
use rustls_pki_types::CertificateDer;
use x509_parser::asn1_rs::{Sequence, ToDer};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Name;

use crate::{CommonName, CommonNameFault, Fault, Flaw, Place, digest, time};

/// What identifies a certificate in a log. The texts are the far end's; control characters are replaced, and each is
/// cut at 256 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The subject, as RFC 4514 writes it or nearly so.
    pub subject: Arc<str>,
    /// The issuer, likewise.
    pub issuer: Arc<str>,
    /// The serial number in hex.
    pub serial: Arc<str>,
    /// SHA-256 over the DER.
    pub thumbprint: Thumbprint,
    /// notBefore, in seconds since the Unix epoch.
    pub not_before: u64,
    /// notAfter, in seconds since the Unix epoch.
    pub not_after: u64,
}

impl Facts {
    /// The facts of a certificate, if it can be parsed at all.
    pub(crate) fn read(der: &CertificateDer<'_>) -> Option<Facts> {
        Certificate::parse(der).ok().map(|certificate| certificate.facts())
    }

    /// The facts by name, as an audit record has them: `subject`, `issuer`, `serial`, `thumbprint`, `not_after`.
    pub fn named(&self) -> [(&'static str, String); 5] {
        [
            ("subject", self.subject.to_string()),
            ("issuer", self.issuer.to_string()),
            ("serial", self.serial.to_string()),
            ("thumbprint", self.thumbprint.to_string()),
            ("not_after", time::rfc3339(self.not_after)),
        ]
    }
}

/// A parsed certificate.
pub(crate) struct Certificate<'a> {
    pub(crate) x509: X509Certificate<'a>,
    der: &'a [u8],
}

impl<'a> Certificate<'a> {
    /// Parses DER; the fault's place is the end entity until somebody knows better.
    pub(crate) fn parse(der: &'a CertificateDer<'_>) -> Result<Certificate<'a>, Fault> {
        let der: &[u8] = der;
        match X509Certificate::from_der(der) {
            Ok(([], x509)) => Ok(Certificate { x509, der }),
            Ok(_) => Err(Place::EndEntity.has(Flaw::Malformed("bytes after the certificate"))),
            Err(_) => Err(Place::EndEntity.has(Flaw::Malformed("not the DER of a certificate"))),
        }
    }

    /// The DER of the SubjectPublicKeyInfo.
    pub(crate) fn spki(&self) -> &[u8] {
        self.x509.tbs_certificate.subject_pki.raw
    }

    /// What goes into logs.
    pub(crate) fn facts(&self) -> Facts {
        let validity = self.x509.validity();
        Facts {
            subject: name(self.x509.subject()),
            issuer: name(self.x509.issuer()),
            serial: printable(self.x509.raw_serial().iter().map(|byte| format!("{byte:02x}")).collect()),
            thumbprint: Thumbprint(digest::sha256(self.der)),
            not_before: time::seconds(&validity.not_before),
            not_after: time::seconds(&validity.not_after),
        }
    }

    /// The Common Name (TLS-6).
    pub(crate) fn common_name(&self) -> Result<CommonName, CommonNameFault> {
        let mut names = self.x509.subject().iter_common_name();
        let attribute = names.next().ok_or(CommonNameFault::Absent)?;
        if names.next().is_some() {
            return Err(CommonNameFault::Several);
        }
        CommonName::from_attribute(attribute.attr_value())
    }
}

fn name(name: &X509Name<'_>) -> Arc<str> {
    printable(name.to_string())
}

/// The content of a Name, without its outer tag, as it is printed.
pub(crate) fn name_text(content: &[u8]) -> Arc<str> {
    let whole = Sequence::new(content.into()).to_der_vec().unwrap_or_default();
    X509Name::from_der(&whole).map_or_else(|_| "an unreadable name".into(), |(_, read)| name(&read))
}

const TEXT_LIMIT: usize = 256;

fn printable(text: String) -> Arc<str> {
    irgw_core::printable(&text).chars().take(TEXT_LIMIT).collect::<String>().into()
}
