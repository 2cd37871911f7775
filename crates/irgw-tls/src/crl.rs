//! Certificate revocation lists (TLS-9, RFC 5280 §5).

use std::fmt;
use std::sync::Arc;

use rustls_pki_types::CertificateRevocationListDer;
use rustls_pki_types::pem::PemObject;
use webpki::{CertRevocationList, OwnedCertRevocationList};
use x509_parser::asn1_rs::{Any, Class, FromDer};
use x509_parser::extensions::{ParsedExtension, X509Extension};
use x509_parser::time::ASN1Time;

use crate::{CrlFault, Error, certificate, time};

/// A parsed revocation list, indexed by serial number. Cheap to clone.
///
/// It is authentic only as far as a path is judged by it: its signature is checked with the key of the authority
/// whose certificate it is asked about. [`crate::ClientTrust::parse_lists`] checks it before, where it can.
#[derive(Clone)]
pub struct Crl {
    pub(crate) list: Arc<CertRevocationList<'static>>,
    this_update: u64,
    next_update: u64,
    /// The cRLNumber, big-endian without leading zeros.
    number: Box<[u8]>,
    /// The authorityKeyIdentifier, if there is one.
    key_id: Option<Box<[u8]>>,
}

impl Crl {
    /// The most bytes that a file of revocation lists may have. The largest public one has about 30 MiB.
    pub const LIMIT_BYTES: usize = 64 << 20;

    /// Parses one list in DER, or all `X509 CRL` blocks of PEM.
    ///
    /// # Errors
    /// [`Error::Crl`] when it is too large, is not a complete version 2 list, or has no cRLNumber, or a critical one.
    pub fn parse(bytes: &[u8]) -> Result<Vec<Crl>, Error> {
        Crl::split(bytes)?.iter().map(|der| Crl::from_der(der)).collect()
    }

    /// The DER of each list.
    pub(crate) fn split(bytes: &[u8]) -> Result<Vec<CertificateRevocationListDer<'_>>, Error> {
        if bytes.len() > Self::LIMIT_BYTES {
            return Err(Error::Crl(CrlFault::TooLarge { limit_bytes: Self::LIMIT_BYTES }));
        }
        // DER begins with a SEQUENCE; PEM is text, and no text begins with `0` and a length above 0x7f.
        if let [0x30, 0x81..=0xff, ..] = bytes {
            return Ok(vec![bytes.into()]);
        }
        let malformed = |what: &str| Error::Crl(CrlFault::Malformed(what.into()));
        let ders = CertificateRevocationListDer::pem_slice_iter(bytes)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| malformed("bad PEM"))?;
        if ders.is_empty() {
            return Err(malformed("neither DER nor PEM with an X509 CRL block"));
        }
        Ok(ders)
    }

    pub(crate) fn from_der(der: &[u8]) -> Result<Crl, Error> {
        let malformed = |what: String| Error::Crl(CrlFault::Malformed(what));
        let list = OwnedCertRevocationList::from_der(der).map_err(|error| malformed(format!("{error:?}")))?;
        let head = Head::read(der).ok_or_else(|| malformed("not the DER of a list".into()))?;
        let number = match head.number {
            Number::Absent => return Err(Error::Crl(CrlFault::NoNumber)),
            Number::Critical => return Err(Error::Crl(CrlFault::CriticalNumber)),
            Number::Present(number) => number,
        };
        Ok(Crl {
            list: Arc::new(list.into()),
            this_update: head.this_update,
            next_update: head.next_update,
            number,
            key_id: head.key_id,
        })
    }

    /// Whether `next` may take the place of `former` without undoing a revocation by mistake (A14): for each list in
    /// `former` there must be one of the same issuer and distribution point, and of the same key where there are
    /// several, whose cRLNumber is not smaller, nor its thisUpdate where the numbers are the same (RFC 5280 §5.2.3).
    ///
    /// # Errors
    /// [`Error::Crl`] with [`CrlFault::Dropped`] or [`CrlFault::Older`].
    pub fn check_succession(former: &[Crl], next: &[Crl]) -> Result<(), Error> {
        for old in former {
            let same_scope: Vec<&Crl> = next.iter().filter(|new| new.scope() == old.scope()).collect();
            let same_key = same_scope.iter().filter(|new| new.key_id == old.key_id);
            let newest =
                same_key.max_by_key(|new| new.age()).or(same_scope.iter().max_by_key(|new| new.age()));
            match newest {
                None => return Err(Error::Crl(CrlFault::Dropped { issuer: old.issuer_text() })),
                Some(new) if new.age() < old.age() => {
                    return Err(Error::Crl(CrlFault::Older { issuer: old.issuer_text() }));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// What a list speaks for: its issuer, and the distribution point that limits it.
    fn scope(&self) -> (&[u8], Option<&[u8]>) {
        (self.issuer(), self.list.issuing_distribution_point())
    }

    /// Grows from one list of a scope to the next.
    fn age(&self) -> (usize, &[u8], u64) {
        (self.number.len(), &self.number, self.this_update)
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

    /// The issuer for messages.
    pub(crate) fn issuer_text(&self) -> Arc<str> {
        certificate::name_text(self.issuer())
    }

    /// The authorityKeyIdentifier, if there is one.
    pub(crate) fn key_id(&self) -> Option<&[u8]> {
        self.key_id.as_deref()
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
    Present(Box<[u8]>),
}

/// What webpki does not tell of a list. The entries are stepped over and not parsed: there may be millions.
struct Head {
    this_update: u64,
    next_update: u64,
    number: Number,
    key_id: Option<Box<[u8]>>,
}

impl Head {
    fn read(der: &[u8]) -> Option<Head> {
        let (_, list) = Any::from_der(der).ok()?;
        let (_, body) = Any::from_der(list.data).ok()?;
        let (mut times, mut number, mut key_id) = (Vec::new(), Number::Absent, None);
        let mut rest = body.data;
        while !rest.is_empty() {
            let (after, element) = Any::from_der(rest).ok()?;
            match element.tag().0 {
                UTC_TIME | GENERALIZED_TIME => times.push(ASN1Time::from_der(rest).ok()?.1),
                EXTENSIONS if element.class() == Class::ContextSpecific => {
                    (number, key_id) = extensions(element.data)?;
                }
                _ => {}
            }
            rest = after;
        }
        let [this_update, next_update] = times.as_slice() else { return None };
        Some(Head {
            this_update: time::seconds(this_update),
            next_update: time::seconds(next_update),
            number,
            key_id,
        })
    }
}

/// The cRLNumber and the authorityKeyIdentifier.
fn extensions(extensions: &[u8]) -> Option<(Number, Option<Box<[u8]>>)> {
    let (_, sequence) = Any::from_der(extensions).ok()?;
    let (mut number, mut key_id) = (Number::Absent, None);
    let mut rest = sequence.data;
    while !rest.is_empty() {
        let (after, extension) = X509Extension::from_der(rest).ok()?;
        match extension.parsed_extension() {
            ParsedExtension::CRLNumber(_) if extension.critical => number = Number::Critical,
            ParsedExtension::CRLNumber(value) => number = Number::Present(value.to_bytes_be().into()),
            ParsedExtension::AuthorityKeyIdentifier(id) => {
                key_id = id.key_identifier.as_ref().map(|id| id.0.into());
            }
            _ => {}
        }
        rest = after;
    }
    Some((number, key_id))
}

const UTC_TIME: u32 = 23;
const GENERALIZED_TIME: u32 = 24;
/// `crlExtensions [0]` of TBSCertList.
const EXTENSIONS: u32 = 0;
