//! The Common Name by which the gateway knows a client certificate (TLS-6, CN-1).

use std::fmt;
use std::str::FromStr;

use irgw_core::UnixTime;
use rustls_pki_types::CertificateDer;
use x509_parser::asn1_rs::{Any, Tag};

use crate::certificate::Certificate;
use crate::{Error, Flaw, Place, dns, profile};

/// A Common Name that can be enrolled: printable ASCII, no wildcard, no trailing dot (TLS-6).
///
/// 1 to 253 bytes of `0x20`–`0x7E`, no `*`, no space at either end, not ending in `.`. RFC 5280 bounds a Common Name
/// at 64 characters (`ub-common-name`) and public authorities keep to that; private ones do not always, so a longer
/// name is read up to the length of the longest DNS name, and only [`CommonName::assign`] keeps to 64. Names are
/// compared byte for byte: there is no case folding and no IDNA anywhere.
///
/// ```
/// use irgw_tls::CommonName;
///
/// let name = CommonName::parse("298f9c17bbbe48958994982c383c409c.irdgws.test.yourdomainname.com")?;
/// assert_eq!(name.as_str().len(), 63);
/// assert!(CommonName::parse("*.irdgws.yourdomainname.com").is_err());
/// # Ok::<(), irgw_tls::CommonNameFault>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommonName(Box<str>);

impl CommonName {
    /// The most bytes a Common Name may have when it is read.
    pub const LIMIT_BYTES: usize = 253;

    /// The most bytes a Common Name may have when it is assigned: `ub-common-name` of RFC 5280, appendix A.1.
    pub const ASSIGNED_LIMIT_BYTES: usize = 64;

    /// Checks a name.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn parse(text: &str) -> Result<CommonName, CommonNameFault> {
        if text.is_empty() {
            return Err(CommonNameFault::Empty);
        }
        if text.len() > Self::LIMIT_BYTES {
            return Err(CommonNameFault::TooLong { limit_bytes: Self::LIMIT_BYTES });
        }
        if let Some((at, byte)) = text.bytes().enumerate().find(|(_, byte)| !matches!(byte, 0x20..=0x7e)) {
            return Err(CommonNameFault::Character { byte, at });
        }
        if text.contains('*') {
            return Err(CommonNameFault::Wildcard);
        }
        if text.ends_with('.') {
            return Err(CommonNameFault::TrailingDot);
        }
        if text.starts_with(' ') || text.ends_with(' ') {
            return Err(CommonNameFault::OuterSpace);
        }
        Ok(CommonName(text.into()))
    }

    /// Assigns a name to a provider (CN-1): 32 hex digits of `random`, `.irdgws.`, the domain.
    ///
    /// The caller draws `random` anew for each name. The domain is a DNS name (RFC 1123 §2.1) of at most 24 bytes,
    /// because a certificate authority cannot issue a Common Name of more than 64.
    ///
    /// ```
    /// # use irgw_tls::CommonName;
    /// let name = CommonName::assign([0xab; 16], "example.nz")?;
    /// assert_eq!(name.as_str(), "abababababababababababababababab.irdgws.example.nz");
    /// # Ok::<(), irgw_tls::CommonNameFault>(())
    /// ```
    ///
    /// # Errors
    /// When the domain is no DNS name, or too long.
    pub fn assign(random: [u8; 16], domain: &str) -> Result<CommonName, CommonNameFault> {
        if !dns::is_domain(domain) {
            return Err(CommonNameFault::Domain);
        }
        let digits: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let name = format!("{digits}.irdgws.{}", domain.to_ascii_lowercase());
        if name.len() > Self::ASSIGNED_LIMIT_BYTES {
            return Err(CommonNameFault::TooLong { limit_bytes: Self::ASSIGNED_LIMIT_BYTES });
        }
        CommonName::parse(&name)
    }

    /// Reads the value of a subject's Common Name attribute: a PrintableString or UTF8String, and no other string
    /// type.
    pub(crate) fn from_attribute(value: &Any<'_>) -> Result<CommonName, CommonNameFault> {
        if value.header.is_constructed() || !matches!(value.tag(), Tag::PrintableString | Tag::Utf8String) {
            return Err(CommonNameFault::StringType(value.tag().0));
        }
        if let Some((at, byte)) = value.data.iter().copied().enumerate().find(|(_, byte)| !byte.is_ascii()) {
            return Err(CommonNameFault::Character { byte, at });
        }
        let text = std::str::from_utf8(value.data).expect("ASCII is UTF-8");
        CommonName::parse(text)
    }

    /// The name's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The Common Name of a client certificate that is to be enrolled, once all that can be said of the certificate
    /// alone has been checked: its profile (TLS-4, TLS-5), its validity at `now`, its name (TLS-6).
    ///
    /// Its path and its purposes are not looked at: the handshake judges those, by the roots of that day.
    ///
    /// # Errors
    /// [`Error::Certificate`] names what is wrong.
    pub fn of_certificate(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<CommonName, Error> {
        let parsed = Certificate::parse(certificate).map_err(|fault| Error::certificate(fault, None))?;
        let facts = parsed.facts();
        let refused = |flaw| Error::certificate(Place::EndEntity.has(flaw), Some(facts.clone()));
        let traits = profile::end_entity(&parsed).map_err(refused)?;
        if now.as_secs() < facts.not_before {
            return Err(refused(Flaw::NotYetValid { not_before: facts.not_before }));
        }
        if facts.not_after < now.as_secs() {
            return Err(refused(Flaw::Expired { not_after: facts.not_after }));
        }
        let name = parsed.common_name().map_err(|fault| refused(Flaw::CommonName(fault)))?;
        name.is_among(traits.dns_names.as_deref()).map_err(|fault| refused(Flaw::CommonName(fault)))?;
        Ok(name)
    }

    /// Holds the name to the dNSNames of the certificate's subjectAltName, if it has one.
    pub(crate) fn is_among(&self, dns_names: Option<&[Box<str>]>) -> Result<(), CommonNameFault> {
        match dns_names {
            Some(names) if names.iter().all(|dns_name| **dns_name != *self.0) => {
                Err(CommonNameFault::NotAmongDnsNames)
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for CommonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for CommonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl FromStr for CommonName {
    type Err = CommonNameFault;

    fn from_str(text: &str) -> Result<CommonName, CommonNameFault> {
        CommonName::parse(text)
    }
}

/// Why a Common Name is refused (TLS-6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommonNameFault {
    /// The subject has no Common Name attribute.
    Absent,
    /// The subject has more than one: two parties could disagree on which one counts.
    Several,
    /// The attribute is neither a PrintableString nor a UTF8String; its ASN.1 tag number.
    StringType(u32),
    /// No characters at all.
    Empty,
    /// More bytes than the limit.
    TooLong {
        /// The limit.
        limit_bytes: usize,
    },
    /// A byte that is not printable ASCII (NUL, a control character, anything beyond ASCII).
    Character {
        /// The byte.
        byte: u8,
        /// Its position, from 0.
        at: usize,
    },
    /// An asterisk.
    Wildcard,
    /// The name ends in a dot.
    TrailingDot,
    /// A space at either end, which no log would show.
    OuterSpace,
    /// The certificate has a subjectAltName, and the name is not among its dNSNames.
    NotAmongDnsNames,
    /// The domain to assign a name under is no DNS name of at least two labels.
    Domain,
}

impl fmt::Display for CommonNameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CommonNameFault::Absent => f.write_str("the subject has no common name"),
            CommonNameFault::Several => f.write_str("the subject has more than one common name"),
            CommonNameFault::StringType(tag) => {
                write!(f, "the common name is neither a PrintableString nor a UTF8String (tag {tag})")
            }
            CommonNameFault::Empty => f.write_str("the common name is empty"),
            CommonNameFault::TooLong { limit_bytes } => {
                write!(f, "the common name has more than {limit_bytes} bytes")
            }
            CommonNameFault::Character { byte, at } => {
                write!(f, "the common name holds 0x{byte:02x} at byte {at}, which is not printable ASCII")
            }
            CommonNameFault::Wildcard => f.write_str("the common name holds a wildcard"),
            CommonNameFault::TrailingDot => f.write_str("the common name ends in a dot"),
            CommonNameFault::OuterSpace => f.write_str("the common name begins or ends with a space"),
            CommonNameFault::NotAmongDnsNames => {
                f.write_str("the common name is not among the dNSNames of the subjectAltName")
            }
            CommonNameFault::Domain => {
                f.write_str("the domain is not a DNS name of two labels or more, such as example.nz")
            }
        }
    }
}

impl std::error::Error for CommonNameFault {}
