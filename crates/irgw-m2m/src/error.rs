//! What can be wrong with a token, a certificate or a key: data, each with the rule that it breaks.

use std::fmt;

use irgw_core::{Missing, Rejection, Rule, TokenFault};

use crate::{Algorithm, KeyKind};

/// Why a token, a certificate or a key is refused.
///
/// Holds no byte of a token and no byte of a key, so that it can stand in any log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The request's Authorization field is not a bare JWT (M2M-1).
    #[error("the authorization field is not one bare jwt")]
    NotAJwt,
    /// The token has more bytes than [`crate::TOKEN_LIMIT_BYTES`] (M2M-2).
    #[error("the token is longer than {} bytes", crate::TOKEN_LIMIT_BYTES)]
    TooLong,
    /// The token is not three non-empty parts with two dots between them (RFC 7515 §7.1).
    #[error("the token is not three parts separated by dots")]
    Parts,
    /// A part is not base64url in its one canonical spelling (RFC 7515 §2, RFC 4648 §3.5).
    #[error("the {0} is not canonical base64url without padding")]
    Base64url(Part),
    /// A part is not the JSON that the profile takes (RFC 8259, RFC 7515 §4).
    #[error("the {0} {1}")]
    Json(Part, JsonFault),
    /// A header member is missing or wrong (M2M-2).
    #[error("header `{0}` {1}")]
    Header(&'static str, MemberFault),
    /// `alg` is none of the six (M2M-2).
    #[error("`alg` is not one of RS256, RS384, RS512, ES256, ES384, ES512")]
    UnknownAlgorithm,
    /// A claim is missing or is not what it must be; each claim has a rule of its own.
    #[error("claim `{0}` {1}")]
    Claim(Claim, MemberFault),
    /// `sub` is not a thumbprint in a form that this credential or this gateway takes (M2M-3).
    #[error("`sub` is not a thumbprint: {0}")]
    Subject(SubjectFault),
    /// No signing certificate that may be used is enrolled under `sub` (M2M-3, ENV-2).
    #[error("the signing certificate that `sub` names is {0}")]
    Credential(Missing),
    /// `sub` names another certificate than the one to verify with (M2M-3).
    #[error("`sub` names another signing certificate")]
    OtherCredential,
    /// `alg` does not fit the enrolled key (M2M-4).
    #[error("{alg} does not fit the enrolled key, which is {key}")]
    AlgorithmMismatch {
        /// The token's algorithm.
        alg: Algorithm,
        /// The enrolled key's kind.
        key: KeyKind,
    },
    /// `iss` is not the value agreed for the credential (M2M-5).
    #[error("`iss` is not the value agreed for the credential")]
    Issuer,
    /// The token's times are not in order (M2M-6).
    #[error("{0}")]
    Times(TimeFault),
    /// The signing certificate may not be used or enrolled (M2M-8, M2M-4).
    #[error("the signing certificate {0}")]
    Certificate(CertificateFault),
    /// The signature is not of the key that `sub` names (M2M-3).
    #[error("the signature does not verify with the key that `sub` names")]
    Signature,
    /// A private key cannot be used (M2M-4).
    #[error("the private key {0}")]
    Key(KeyFault),
    /// An identity token, or a key to check one with, is refused (GW-3).
    #[error("the identity token {0}")]
    Identity(IdentityFault),
}

impl Error {
    /// The rule that refuses: the reason code of the audit record.
    pub fn rule(&self) -> Rule {
        match self {
            Error::NotAJwt => Rule::M2m1,
            Error::TooLong
            | Error::Parts
            | Error::Base64url(_)
            | Error::Json(..)
            | Error::Header(..)
            | Error::UnknownAlgorithm => Rule::M2m2,
            Error::Claim(claim, _) => claim.rule(),
            Error::Credential(missing) => missing.rule(Rule::M2m3),
            Error::Subject(_) | Error::OtherCredential | Error::Signature => Rule::M2m3,
            Error::AlgorithmMismatch { .. } | Error::Key(_) => Rule::M2m4,
            Error::Issuer => Rule::M2m5,
            Error::Times(_) => Rule::M2m6,
            Error::Certificate(fault) => fault.rule(),
            Error::Identity(_) => Rule::Gw3,
        }
    }

    /// What the caller may be told, before a dialect puts it into words (SPEC section 6).
    pub fn fault(&self) -> TokenFault {
        match self {
            Error::UnknownAlgorithm | Error::AlgorithmMismatch { .. } | Error::Key(_) => {
                TokenFault::Algorithm
            }
            Error::Claim(Claim::IssuedAt | Claim::ExpiresAt | Claim::NotBefore, _) | Error::Times(_) => {
                TokenFault::Times
            }
            Error::Claim(Claim::Subject, _)
            | Error::Subject(_)
            | Error::Credential(_)
            | Error::OtherCredential
            | Error::Certificate(_) => TokenFault::UnknownCredential,
            Error::Signature => TokenFault::Signature,
            Error::NotAJwt
            | Error::TooLong
            | Error::Parts
            | Error::Base64url(_)
            | Error::Json(..)
            | Error::Header(..)
            | Error::Claim(..)
            | Error::Issuer
            | Error::Identity(_) => TokenFault::Malformed,
        }
    }
}

impl From<Error> for Rejection {
    fn from(error: Error) -> Rejection {
        Rejection::bad_token(error.rule(), error.fault(), error)
    }
}

/// A part of a compact JWS (RFC 7515 §7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The first.
    Header,
    /// The second.
    Payload,
    /// The third.
    Signature,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Part::Header => "header",
            Part::Payload => "payload",
            Part::Signature => "signature",
        })
    }
}

/// Why a part is not the JSON that the profile takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonFault {
    /// Not one JSON object in UTF-8 and nothing after it (RFC 8259).
    NotAnObject,
    /// The same member twice in one object, escapes resolved (RFC 7515 §4, RFC 7519 §4).
    Duplicate,
    /// Nested deeper than eight levels.
    Depth,
    /// More than 128 values.
    Size,
}

impl fmt::Display for JsonFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            JsonFault::NotAnObject => "is not one json object",
            JsonFault::Duplicate => "has a member twice",
            JsonFault::Depth => "is nested too deeply",
            JsonFault::Size => "has too many values",
        })
    }
}

/// What is wrong with a member of the header or the payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberFault {
    /// It is required and not there.
    Missing,
    /// It has another JSON type than it must have.
    Type,
    /// It has a value that it must not have.
    Value,
    /// It has no place in this profile.
    Forbidden,
}

impl fmt::Display for MemberFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MemberFault::Missing => "is missing",
            MemberFault::Type => "is of a wrong json type",
            MemberFault::Value => "has a wrong value",
            MemberFault::Forbidden => "is not allowed",
        })
    }
}

/// A claim of the profile (M2M-3, M2M-5 to M2M-7, M2M-10; RFC 7519 §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// `sub`.
    Subject,
    /// `iss`.
    Issuer,
    /// `aud`.
    Audience,
    /// `iat`.
    IssuedAt,
    /// `exp`.
    ExpiresAt,
    /// `nbf`.
    NotBefore,
    /// `startLogon`.
    StartLogon,
    /// `jti`.
    TokenId,
}

impl Claim {
    /// The name in the payload.
    pub const fn name(self) -> &'static str {
        match self {
            Claim::Subject => "sub",
            Claim::Issuer => "iss",
            Claim::Audience => "aud",
            Claim::IssuedAt => "iat",
            Claim::ExpiresAt => "exp",
            Claim::NotBefore => "nbf",
            Claim::StartLogon => "startLogon",
            Claim::TokenId => "jti",
        }
    }

    /// The rule that says what the claim must be.
    pub const fn rule(self) -> Rule {
        match self {
            Claim::Subject => Rule::M2m3,
            Claim::Issuer => Rule::M2m5,
            Claim::IssuedAt | Claim::ExpiresAt | Claim::NotBefore => Rule::M2m6,
            Claim::StartLogon => Rule::M2m7,
            Claim::TokenId => Rule::M2m10,
            Claim::Audience => Rule::M2m2,
        }
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why `sub` is not a thumbprint that is taken (M2M-3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubjectFault {
    /// Neither 64 nor 40 hex digits.
    Form,
    /// A SHA-1 thumbprint, and `legacy_sha1_thumbprint` is off.
    Sha1,
}

impl fmt::Display for SubjectFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SubjectFault::Form => "it is not 64 hex digits",
            SubjectFault::Sha1 => "it is a sha-1 one, which is not turned on",
        })
    }
}

/// Why a token's times are refused (M2M-6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeFault {
    /// `exp` is not after `iat`.
    Order,
    /// `exp - iat` is more than eight hours.
    Lifetime,
    /// `iat` is before the signing certificate's notBefore.
    BeforeCertificate,
    /// `iat` is in the future, beyond the skew.
    Future,
    /// `nbf` is in the future, beyond the skew.
    NotYetValid,
    /// `exp` has passed, beyond the skew.
    Expired,
}

impl fmt::Display for TimeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TimeFault::Order => "`exp` is not after `iat`",
            TimeFault::Lifetime => "`exp` is more than 28800 seconds after `iat`",
            TimeFault::BeforeCertificate => "`iat` is before the signing certificate's validity",
            TimeFault::Future => "`iat` is in the future",
            TimeFault::NotYetValid => "`nbf` is in the future",
            TimeFault::Expired => "the token has expired",
        })
    }
}

/// Why a signing certificate may not be enrolled or used (M2M-8, M2M-4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateFault {
    /// Not one DER certificate, or bytes after it.
    Encoding,
    /// More than 16 KiB.
    TooLong,
    /// Another version than v3.
    Version,
    /// notAfter is before notBefore.
    ValidityOrder,
    /// Valid for more than 1,461 days.
    ValidityLength,
    /// Its validity has not begun.
    NotYetValid,
    /// Its validity has ended.
    Expired,
    /// A key that is neither RSA nor on P-256, P-384 or P-521, or not well-formed.
    KeyKind,
    /// An RSA modulus of fewer than 2048 or more than 4096 bits.
    RsaSize {
        /// The modulus's length.
        bits: usize,
    },
    /// An RSA public exponent below 65537, even, or above 2^32.
    RsaExponent,
    /// A keyUsage without digitalSignature and nonRepudiation (RFC 5280 §4.2.1.3).
    KeyUsage,
    /// A critical extension that is not understood (RFC 5280 §4.2).
    CriticalExtension,
    /// A P-521 key, and this build has no `es512`.
    NoEs512,
}

impl CertificateFault {
    /// The rule that refuses.
    pub const fn rule(self) -> Rule {
        match self {
            CertificateFault::KeyKind
            | CertificateFault::RsaSize { .. }
            | CertificateFault::RsaExponent
            | CertificateFault::NoEs512 => Rule::M2m4,
            _ => Rule::M2m8,
        }
    }
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CertificateFault::Encoding => "is not one x.509 certificate in der",
            CertificateFault::TooLong => "is longer than 16384 bytes",
            CertificateFault::Version => "is not of version 3",
            CertificateFault::ValidityOrder => "ends before it begins",
            CertificateFault::ValidityLength => "is valid for more than 1461 days",
            CertificateFault::NotYetValid => "is not yet valid",
            CertificateFault::Expired => "has expired",
            CertificateFault::KeyKind => "has a key that is not rsa, p-256, p-384 or p-521",
            CertificateFault::RsaSize { bits } => {
                return write!(f, "has an rsa key of {bits} bits, not 2048 to 4096");
            }
            CertificateFault::RsaExponent => "has an rsa key with a weak public exponent",
            CertificateFault::KeyUsage => "has a key usage that excludes signatures",
            CertificateFault::CriticalExtension => "has a critical extension that is not understood",
            CertificateFault::NoEs512 => "has a p-521 key, which this build does not support",
        })
    }
}

/// Why a private key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyFault {
    /// No unencrypted private key in PEM: PKCS#8, PKCS#1 (RSA) or SEC 1 (EC).
    Pem,
    /// Neither RSA of 2048 to 4096 bits nor on P-256, P-384 or P-521, or not well-formed.
    Kind,
    /// The algorithm asked for does not fit the key.
    Algorithm,
    /// The signature could not be computed.
    Failed,
}

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KeyFault::Pem => "is not an unencrypted pkcs#8, pkcs#1 or sec 1 key in pem",
            KeyFault::Kind => "is not a well-formed rsa, p-256, p-384 or p-521 key",
            KeyFault::Algorithm => "does not fit the algorithm asked for",
            KeyFault::Failed => "could not compute a signature",
        })
    }
}

/// Why an identity token, or a key to check one with, is refused (GW-3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdentityFault {
    /// Not a JWS in compact form with a header and a payload that are strict JSON, or of another `typ`.
    Form,
    /// Another algorithm than ES256.
    Algorithm,
    /// `kid` names no key that is known.
    UnknownKey,
    /// The signature is not of the key that `kid` names.
    Signature,
    /// For another service.
    Audience,
    /// A claim is missing or is not what it must be.
    Claims,
    /// Expired, or not yet valid.
    Times,
    /// The keys are not a JWK set with P-256 keys (RFC 7517 §5), or not a P-256 public key in PEM.
    Keys,
}

impl fmt::Display for IdentityFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            IdentityFault::Form => "is not of the kind that the gateway makes",
            IdentityFault::Signature => "has a signature that does not verify",
            IdentityFault::Algorithm => "is not signed with es256",
            IdentityFault::UnknownKey => "is signed with a key that is not known",
            IdentityFault::Audience => "is for another service",
            IdentityFault::Claims => "lacks a claim, or has one that cannot be",
            IdentityFault::Times => "has expired, or is not yet valid",
            IdentityFault::Keys => {
                "cannot be checked: the keys are neither a jwk set of p-256 keys nor such a key in pem"
            }
        })
    }
}
