//! Certificate revocation lists (TLS-9, RFC 5280 §5).

use std::fmt;
use std::sync::Arc;

use rustls_pki_types::CertificateRevocationListDer;
use rustls_pki_types::pem::PemObject;
use webpki::{CertRevocationList, OwnedCertRevocationList};
use x509_parser::asn1_rs::{Any, Class, FromDer};
use x509_parser::extensions::{ParsedExtension, X509Extension};
use x509_parser::time::ASN1Time;

use crate::{CrlFault, Error, time};

/// A parsed revocation list, indexed by serial number. Cheap to clone.
///
/// It is authentic only as far as a path is judged by it: its signature is checked with the key of the authority
/// whose certificate it is asked about.
#[derive(Clone)]
pub struct Crl {
    pub(crate) list: Arc<CertRevocationList<'static>>,
    this_update: u64,
    next_update: u64,
}

impl Crl {
    /// The most bytes that a file of revocation lists may have. The largest public one has about 30 MiB.
    pub const LIMIT_BYTES: usize = 64 << 20;

    /// Parses one list in DER, or all `X509 CRL` blocks of PEM.
    ///
    /// # Errors
    /// [`Error::Crl`] when it is too large, is not a complete version 2 list, or has no cRLNumber, or a critical one.
    pub fn parse(bytes: &[u8]) -> Result<Vec<Crl>, Error> {
        if bytes.len() > Self::LIMIT_BYTES {
            return Err(Error::Crl(CrlFault::TooLarge { limit_bytes: Self::LIMIT_BYTES }));
        }
        // DER begins with a SEQUENCE; PEM is text, and no text begins with `0` and a length above 0x7f.
        if let [0x30, 0x81..=0xff, ..] = bytes {
            return Ok(vec![Crl::from_der(bytes)?]);
        }
        let malformed = |what: &str| Error::Crl(CrlFault::Malformed(what.into()));
        let ders: Vec<CertificateRevocationListDer<'static>> =
            CertificateRevocationListDer::pem_slice_iter(bytes)
                .collect::<Result<_, _>>()
                .map_err(|_| malformed("bad PEM"))?;
        if ders.is_empty() {
            return Err(malformed("neither DER nor PEM with an X509 CRL block"));
        }
        ders.iter().map(|der| Crl::from_der(der)).collect()
    }

    fn from_der(der: &[u8]) -> Result<Crl, Error> {
        let malformed = |what: String| Error::Crl(CrlFault::Malformed(what));
        let list = OwnedCertRevocationList::from_der(der).map_err(|error| malformed(format!("{error:?}")))?;
        let head = Head::read(der).ok_or_else(|| malformed("not the DER of a list".into()))?;
        match head.number {
            Number::Absent => return Err(Error::Crl(CrlFault::NoNumber)),
            Number::Critical => return Err(Error::Crl(CrlFault::CriticalNumber)),
            Number::Present => {}
        }
        Ok(Crl { list: Arc::new(list.into()), this_update: head.this_update, next_update: head.next_update })
    }

    /// thisUpdate, in seconds since the Unix epoch.
    pub fn this_update(&self) -> u64 {
        self.this_update
    }

    /// nextUpdate, in seconds since the Unix epoch: from this second on the list has expired.
    pub fn next_update(&self) -> u64 {
        self.next_update
    }

    /// The content of the issuer's Name, in DER without its outer tag.
    pub(crate) fn issuer(&self) -> &[u8] {
        self.list.issuer()
    }
}

impl fmt::Debug for Crl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crl")
            .field("this_update", &time::rfc3339(self.this_update))
            .field("next_update", &time::rfc3339(self.next_update))
            .finish_non_exhaustive()
    }
}

enum Number {
    Absent,
    Critical,
    Present,
}

/// What webpki does not tell of a list. The entries are stepped over and not parsed: there may be millions.
struct Head {
    this_update: u64,
    next_update: u64,
    number: Number,
}

impl Head {
    fn read(der: &[u8]) -> Option<Head> {
        let (_, list) = Any::from_der(der).ok()?;
        let (_, body) = Any::from_der(list.data).ok()?;
        let (mut times, mut number) = (Vec::new(), Number::Absent);
        let mut rest = body.data;
        while !rest.is_empty() {
            let (after, element) = Any::from_der(rest).ok()?;
            match element.tag().0 {
                UTC_TIME | GENERALIZED_TIME => times.push(ASN1Time::from_der(rest).ok()?.1),
                EXTENSIONS if element.class() == Class::ContextSpecific => number = crl_number(element.data)?,
                _ => {}
            }
            rest = after;
        }
        let [this_update, next_update] = times.as_slice() else { return None };
        Some(Head {
            this_update: time::seconds(this_update),
            next_update: time::seconds(next_update),
            number,
        })
    }
}

fn crl_number(extensions: &[u8]) -> Option<Number> {
    let (_, sequence) = Any::from_der(extensions).ok()?;
    let mut rest = sequence.data;
    while !rest.is_empty() {
        let (after, extension) = X509Extension::from_der(rest).ok()?;
        if let ParsedExtension::CRLNumber(_) = extension.parsed_extension() {
            return Some(if extension.critical { Number::Critical } else { Number::Present });
        }
        rest = after;
    }
    Some(Number::Absent)
}

const UTC_TIME: u32 = 23;
const GENERALIZED_TIME: u32 = 24;
/// `crlExtensions [0]` of TBSCertList.
const EXTENSIONS: u32 = 0;
