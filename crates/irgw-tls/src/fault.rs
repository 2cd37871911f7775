//! What can be wrong with a certificate or its path, and which rule says so (TLS-4 to TLS-9).

use std::fmt;

use irgw_core::Rule;

use crate::{CommonNameFault, time};

/// What is wrong with a certification path, and where in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which certificate.
    pub place: Place,
    /// What is wrong with it.
    pub flaw: Flaw,
}

impl Fault {
    /// The rule that refuses.
    pub fn rule(&self) -> Rule {
        self.flaw.rule()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.flaw)
    }
}

impl std::error::Error for Fault {}

/// A certificate's place in its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// The end-entity certificate.
    EndEntity,
    /// An intermediate certificate; 1 issued the end-entity certificate.
    Intermediate(usize),
    /// The approved root.
    Root,
    /// The path as a whole, or it is not known which.
    Path,
}

impl Place {
    /// This flaw, here.
    pub(crate) fn has(self, flaw: Flaw) -> Fault {
        Fault { place: self, flaw }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::EndEntity => f.write_str("end-entity certificate"),
            Place::Intermediate(number) => write!(f, "intermediate certificate {number}"),
            Place::Root => f.write_str("root certificate"),
            Place::Path => f.write_str("certification path"),
        }
    }
}

/// What is wrong with a certificate. Times are seconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flaw {
    /// More certificates than the limit (TLS-4).
    TooManyCertificates {
        /// How many were sent.
        sent: usize,
        /// The limit.
        limit: usize,
    },
    /// More bytes than the limit, all certificates together (TLS-4).
    TooManyBytes {
        /// How many were sent.
        sent_bytes: usize,
        /// The limit.
        limit_bytes: usize,
    },
    /// More intermediates of one subject than the limit: the paths through them multiply (TLS-4).
    TooManyNamesakes {
        /// How many were sent.
        sent: usize,
        /// The limit.
        limit: usize,
    },
    /// Not DER, or not the shape of a certificate (RFC 5280 §4.1); what it is instead.
    Malformed(&'static str),
    /// Not X.509 version 3 (TLS-4).
    Version,
    /// The serial number is not positive, or has more than 20 octets (RFC 5280 §4.1.2.2).
    Serial,
    /// The issuer is empty (RFC 5280 §4.1.2.4).
    EmptyIssuer,
    /// A certificate authority without a subject (RFC 5280 §4.1.2.6).
    EmptySubject,
    /// notBefore is after notAfter (RFC 5280 §4.1.2.5).
    InvertedValidity,
    /// notBefore lies ahead.
    NotYetValid {
        /// notBefore.
        not_before: u64,
    },
    /// notAfter has passed.
    Expired {
        /// notAfter.
        not_after: u64,
    },
    /// The same extension twice (RFC 5280 §4.2); its object identifier.
    DuplicateExtension(String),
    /// An extension that the profile does not know is critical (RFC 5280 §4.2); its object identifier.
    UnknownCriticalExtension(String),
    /// An extension's value cannot be read, or is not one that RFC 5280 §4.2.1 allows; the extension.
    BadExtension(&'static str),
    /// An extension is critical that must not be, or the other way round (RFC 5280 §4.2.1); the extension.
    Criticality(&'static str),
    /// An extension is missing that RFC 5280 §4.2.1 asks for; the extension.
    MissingExtension(&'static str),
    /// No path leads to an approved root.
    UnknownIssuer,
    /// The end-entity certificate was issued by itself.
    SelfSigned,
    /// A signature in the path does not verify.
    BadSignature,
    /// A certificate that is no authority's issued another: basicConstraints CA is not set.
    NotAnAuthority,
    /// An authority's certificate is used as the end-entity certificate.
    AuthorityAsEndEntity,
    /// An issuing certificate's keyUsage lacks keyCertSign, or it has no keyUsage.
    NoKeyCertSign,
    /// An end-entity certificate's keyUsage holds keyCertSign.
    KeyCertSignOnEndEntity,
    /// More intermediates than a pathLenConstraint allows.
    PathLength,
    /// A name constraint is violated.
    NameConstraint,
    /// Judging the path takes more work than the limit; it was given up.
    TooMuchWork,
    /// The path has some other defect; what the validator calls it.
    Invalid(String),
    /// The key is of a kind that is not accepted (TLS-5).
    KeyKind(String),
    /// The RSA modulus is out of bounds (TLS-5): 2048 to 4096 bits, whole bytes.
    RsaSize {
        /// Its size.
        bits: usize,
    },
    /// The RSA exponent is even, or less than 3 (TLS-5).
    RsaExponent,
    /// The signature algorithm is not accepted (TLS-5); its object identifier.
    SignatureAlgorithm(String),
    /// The two places that name the signature algorithm differ (RFC 5280 §4.1.1.2).
    SignatureAlgorithmMismatch,
    /// The Common Name (TLS-6).
    CommonName(CommonNameFault),
    /// No path's extended key usage admits client authentication under the root's setting (TLS-8); the purposes that
    /// are there, none if there is no such extension.
    ExtendedKeyUsage(Vec<String>),
    /// keyUsage lacks digitalSignature (TLS-8).
    NoDigitalSignature,
    /// The certificate is revoked (TLS-9).
    Revoked,
    /// The revocation list that covers it has expired (TLS-9).
    CrlExpired {
        /// nextUpdate.
        next_update: u64,
    },
    /// No revocation list covers it, and the root asks for one (TLS-9).
    RevocationUnknown,
    /// The revocation list that should cover it cannot be used (TLS-9); why.
    BadCrl(String),
}

impl Flaw {
    /// The rule that refuses.
    pub fn rule(&self) -> Rule {
        match self {
            Flaw::KeyKind(_)
            | Flaw::RsaSize { .. }
            | Flaw::RsaExponent
            | Flaw::SignatureAlgorithm(_)
            | Flaw::SignatureAlgorithmMismatch => Rule::Tls5,
            Flaw::CommonName(_) => Rule::Tls6,
            Flaw::ExtendedKeyUsage(_) | Flaw::NoDigitalSignature => Rule::Tls8,
            Flaw::Revoked | Flaw::CrlExpired { .. } | Flaw::RevocationUnknown | Flaw::BadCrl(_) => Rule::Tls9,
            _ => Rule::Tls4,
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Flaw::TooManyCertificates { sent, limit } => {
                write!(f, "{sent} certificates were sent, at most {limit} are read")
            }
            Flaw::TooManyBytes { sent_bytes, limit_bytes } => {
                write!(f, "{sent_bytes} bytes of certificates were sent, at most {limit_bytes} are read")
            }
            Flaw::TooManyNamesakes { sent, limit } => {
                write!(f, "{sent} intermediates of one subject were sent, at most {limit} are read")
            }
            Flaw::Malformed(what) => write!(f, "malformed: {what}"),
            Flaw::Version => f.write_str("not X.509 version 3"),
            Flaw::Serial => f.write_str("the serial number is not a positive integer of at most 20 octets"),
            Flaw::EmptyIssuer => f.write_str("the issuer is empty"),
            Flaw::EmptySubject => f.write_str("a certificate authority without a subject"),
            Flaw::InvertedValidity => f.write_str("notBefore is after notAfter"),
            Flaw::NotYetValid { not_before } => write!(f, "not valid before {}", time::rfc3339(*not_before)),
            Flaw::Expired { not_after } => write!(f, "expired at {}", time::rfc3339(*not_after)),
            Flaw::DuplicateExtension(oid) => write!(f, "extension {oid} is there twice"),
            Flaw::UnknownCriticalExtension(oid) => write!(f, "unknown critical extension {oid}"),
            Flaw::BadExtension(name) => write!(f, "the {name} extension is malformed or not allowed here"),
            Flaw::Criticality(name) => write!(f, "the {name} extension has the wrong criticality"),
            Flaw::MissingExtension(name) => write!(f, "the {name} extension is missing"),
            Flaw::UnknownIssuer => f.write_str("no path leads to an approved root"),
            Flaw::SelfSigned => f.write_str("self-signed"),
            Flaw::BadSignature => f.write_str("the signature does not verify"),
            Flaw::NotAnAuthority => {
                f.write_str("issued a certificate and is not an authority's (basicConstraints)")
            }
            Flaw::AuthorityAsEndEntity => {
                f.write_str("an authority's certificate used as an end-entity certificate")
            }
            Flaw::NoKeyCertSign => f.write_str("issued a certificate without keyCertSign in its keyUsage"),
            Flaw::KeyCertSignOnEndEntity => f.write_str("keyUsage holds keyCertSign"),
            Flaw::PathLength => f.write_str("more intermediates than pathLenConstraint allows"),
            Flaw::NameConstraint => f.write_str("a name constraint is violated"),
            Flaw::TooMuchWork => f.write_str("the path takes too much work to judge"),
            Flaw::Invalid(what) => write!(f, "not valid: {what}"),
            Flaw::KeyKind(what) => {
                write!(f, "a key of kind {what}; accepted are ECDSA on P-256, P-384 and P-521, and RSA")
            }
            Flaw::RsaSize { bits } => {
                write!(f, "an RSA key of {bits} bits; accepted are 2048 to 4096, whole bytes")
            }
            Flaw::RsaExponent => f.write_str("an RSA exponent that is even or less than 3"),
            Flaw::SignatureAlgorithm(oid) => write!(f, "signed with {oid}, which is not accepted"),
            Flaw::SignatureAlgorithmMismatch => {
                f.write_str("the signature algorithm inside the certificate differs from the one outside")
            }
            Flaw::CommonName(fault) => fault.fmt(f),
            Flaw::ExtendedKeyUsage(present) if present.is_empty() => {
                f.write_str("no extended key usage, and the root's setting asks for it")
            }
            Flaw::ExtendedKeyUsage(present) => {
                write!(
                    f,
                    "the extended key usage admits no client authentication, only {}",
                    present.join(", ")
                )
            }
            Flaw::NoDigitalSignature => f.write_str("keyUsage lacks digitalSignature"),
            Flaw::Revoked => f.write_str("revoked"),
            Flaw::CrlExpired { next_update } => {
                write!(f, "the revocation list expired at {}", time::rfc3339(*next_update))
            }
            Flaw::RevocationUnknown => f.write_str("no revocation list covers it, and the root asks for one"),
            Flaw::BadCrl(why) => write!(f, "the revocation list cannot be used: {why}"),
        }
    }
}
