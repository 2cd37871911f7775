//! A token read by the profile's form, nothing of it checked against an enrolment yet (M2M-2).

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use irgw_core::{Logon, Thumbprint, UnixTime};

use crate::Algorithm;
use crate::certificate::at;
use crate::compact::Compact;
use crate::error::{Claim, Error, MemberFault, Part};
use crate::json::{Object, Value};

/// What a token says.
///
/// Trust it as far as what gave it to you: [`crate::verify`] gives claims that were signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// `sub`: which signing certificate it names (M2M-3).
    pub subject: Subject,
    /// `iss` (M2M-5).
    pub issuer: Arc<str>,
    /// `startLogon`: the myIR logon whose delegations apply; `None`: the owner's own access (M2M-7).
    pub start_logon: Option<Logon>,
    /// `iat` (M2M-6).
    pub issued_at: UnixTime,
    /// `exp` (M2M-6).
    pub expires_at: UnixTime,
    /// `nbf`, which the profile does not ask for and RFC 7519 §4.1.5 does not let anybody overlook.
    pub not_before: Option<UnixTime>,
    /// `jti`, needed where an operator requires single use (M2M-10). 1 to 128 bytes without control characters.
    pub jti: Option<Arc<str>>,
}

/// How `sub` names a signing certificate (M2M-3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// By SHA-256 over its DER: 64 hex digits in either case, colons between all pairs or none.
    Sha256(Thumbprint),
    /// By SHA-1 over its DER, spelt likewise in 40 hex digits.
    Sha1([u8; 20]),
    /// By nothing that a certificate has: only where `sub` is not checked (ENV-4).
    Other(Arc<str>),
}

impl Subject {
    /// Reads a `sub`. Every text is one of the three.
    pub fn parse(text: &str) -> Subject {
        if let Ok(thumbprint) = text.parse() {
            return Subject::Sha256(thumbprint);
        }
        match sha1(text) {
            Some(thumbprint) => Subject::Sha1(thumbprint),
            None => Subject::Other(text.into()),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Sha256(thumbprint) => thumbprint.fmt(f),
            Subject::Sha1(thumbprint) => thumbprint.iter().try_for_each(|byte| write!(f, "{byte:02X}")),
            Subject::Other(text) => f.write_str(text),
        }
    }
}

impl Claims {
    pub(crate) fn times(&self) -> Times {
        Times { issued_at: self.issued_at, expires_at: self.expires_at, not_before: self.not_before }
    }
}

/// A token in the profile's form.
pub(crate) struct Token<'a> {
    pub(crate) algorithm: Algorithm,
    pub(crate) claims: Claims,
    pub(crate) signing_input: &'a [u8],
    pub(crate) signature: Vec<u8>,
}

impl<'a> Token<'a> {
    /// Reads a token; the first thing that is not in the profile's form ends it, in the order in which it stands there.
    pub(crate) fn parse(token: &'a str) -> Result<Token<'a>, Error> {
        let Compact { signing_input, header, payload, signature } = Compact::parse(token)?;
        let header = Object::parse(&header).map_err(|fault| Error::Json(Part::Header, fault))?;
        let algorithm = algorithm(&header, TYPE, KeyId::Fixed(KEY_ID))?;
        let payload = Object::parse(&payload).map_err(|fault| Error::Json(Part::Payload, fault))?;
        let claims = claims(&payload)?;
        Ok(Token { algorithm, claims, signing_input, signature })
    }
}

/// Whether `token` has the form of an M2M token: three parts, its header, its claims and their types (M2M-2, M2M-3,
/// M2M-5 to M2M-7). Says nothing about who signed it, or when.
///
/// The gateway asks this to tell an M2M token at a service that takes none ("not permitted") from anything else
/// ("bad token").
pub fn is_well_formed(token: &str) -> bool {
    matches!(
        Token::parse(token),
        Ok(Token { claims: Claims { subject: Subject::Sha256(_) | Subject::Sha1(_), .. }, .. })
    )
}

/// What a kind of token says of its `kid`.
#[derive(Clone, Copy)]
pub(crate) enum KeyId {
    /// It is this text, and chooses no key.
    Fixed(&'static str),
    /// It names one of several keys: [`key_id`].
    Any,
}

/// Checks a header's `typ` and `kid`, and gives its algorithm.
///
/// A registered parameter besides `alg`, `typ` and `kid` is refused: it would bring a key (`jwk`, `jku`, `x5c`, `x5u`,
/// `x5t`), change what the signature covers (`crit`, `b64`, `zip`), or belong to another kind of token. A parameter
/// that nobody registered is ignored, as RFC 7515 §4 asks.
pub(crate) fn algorithm(header: &Object<'_>, typ: &str, kid: KeyId) -> Result<Algorithm, Error> {
    if let Some(name) = REFUSED_PARAMETERS.iter().find(|name| header.member(name).is_some()) {
        return Err(Error::Header(name, MemberFault::Forbidden));
    }
    let algorithm = header_text(header, "alg")?;
    let algorithm = algorithm.parse().map_err(|_| Error::UnknownAlgorithm)?;
    if header_text(header, "typ")? != typ {
        return Err(Error::Header("typ", MemberFault::Value));
    }
    match kid {
        KeyId::Fixed(kid) if key_id(header)? != kid => Err(Error::Header("kid", MemberFault::Value)),
        KeyId::Fixed(_) | KeyId::Any => Ok(algorithm),
    }
}

/// The header's `kid`.
pub(crate) fn key_id<'o>(header: &'o Object<'_>) -> Result<&'o str, Error> {
    header_text(header, "kid")
}

fn header_text<'o>(header: &'o Object<'_>, name: &'static str) -> Result<&'o str, Error> {
    match header.member(name) {
        Some(Value::Text(text)) => Ok(text),
        Some(_) => Err(Error::Header(name, MemberFault::Type)),
        None => Err(Error::Header(name, MemberFault::Missing)),
    }
}

fn claims(payload: &Object<'_>) -> Result<Claims, Error> {
    refuse_audience(payload)?;
    let subject = Subject::parse(subject(payload)?);
    let issuer = issuer(payload)?.into();
    let Times { issued_at, expires_at, not_before } = times(payload)?;
    Ok(Claims {
        subject,
        issuer,
        issued_at,
        expires_at,
        not_before,
        start_logon: start_logon(payload)?,
        jti: token_id(payload)?,
    })
}

/// RFC 7519 §4.1.3: who is not named in an audience must refuse. This profile agrees on no name to be found there.
pub(crate) fn refuse_audience(payload: &Object<'_>) -> Result<(), Error> {
    match payload.member("aud") {
        None => Ok(()),
        Some(_) => Err(Error::Claim(Claim::Audience, MemberFault::Forbidden)),
    }
}

/// `sub` as it is spelt (M2M-3).
pub(crate) fn subject<'o>(payload: &'o Object<'_>) -> Result<&'o str, Error> {
    required(payload, Claim::Subject, text)
}

/// `iss` (M2M-5).
pub(crate) fn issuer<'o>(payload: &'o Object<'_>) -> Result<&'o str, Error> {
    required(payload, Claim::Issuer, text)
}

/// `startLogon` (M2M-7).
pub(crate) fn start_logon(payload: &Object<'_>) -> Result<Option<Logon>, Error> {
    match payload.member("startLogon") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Text(logon)) if logon.is_empty() => Ok(None),
        Some(Value::Text(logon)) => match Logon::new(logon) {
            Ok(logon) => Ok(Some(logon)),
            Err(_) => Err(Error::Claim(Claim::StartLogon, MemberFault::Value)),
        },
        Some(_) => Err(Error::Claim(Claim::StartLogon, MemberFault::Type)),
    }
}

/// `iat`, `exp` and `nbf` (M2M-6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) issued_at: UnixTime,
    pub(crate) expires_at: UnixTime,
    pub(crate) not_before: Option<UnixTime>,
}

pub(crate) fn times(payload: &Object<'_>) -> Result<Times, Error> {
    Ok(Times {
        issued_at: required(payload, Claim::IssuedAt, time)?,
        expires_at: required(payload, Claim::ExpiresAt, time)?,
        not_before: payload.member("nbf").map(|value| time(Claim::NotBefore, value)).transpose()?,
    })
}

fn required<'o, 'a, T>(
    payload: &'o Object<'a>,
    claim: Claim,
    read: impl FnOnce(Claim, &'o Value<'a>) -> Result<T, Error>,
) -> Result<T, Error> {
    read(claim, payload.member(claim.name()).ok_or(Error::Claim(claim, MemberFault::Missing))?)
}

fn text<'o>(claim: Claim, value: &'o Value<'_>) -> Result<&'o str, Error> {
    match value {
        Value::Text(text) if text.is_empty() => Err(Error::Claim(claim, MemberFault::Value)),
        Value::Text(text) => Ok(text),
        _ => Err(Error::Claim(claim, MemberFault::Type)),
    }
}

fn time(claim: Claim, value: &Value<'_>) -> Result<UnixTime, Error> {
    match value {
        Value::Integer(seconds) => Ok(at(*seconds)),
        _ => Err(Error::Claim(claim, MemberFault::Type)),
    }
}

/// `jti` (M2M-10).
pub(crate) fn token_id(payload: &Object<'_>) -> Result<Option<Arc<str>>, Error> {
    let text: &Cow<'_, str> = match payload.member("jti") {
        None => return Ok(None),
        Some(Value::Text(text)) => text,
        Some(_) => return Err(Error::Claim(Claim::TokenId, MemberFault::Type)),
    };
    if text.is_empty() || text.len() > JTI_LIMIT_BYTES || text.chars().any(char::is_control) {
        return Err(Error::Claim(Claim::TokenId, MemberFault::Value));
    }
    Ok(Some(text.as_ref().into()))
}

/// 20 bytes in hex, in either case, colons between all pairs or none.
fn sha1(text: &str) -> Option<[u8; 20]> {
    let digits: Vec<&str> = match text.len() {
        40 => (0..20).map(|n| text.get(2 * n..2 * n + 2)).collect::<Option<_>>()?,
        59 => text.split(':').collect(),
        _ => return None,
    };
    let mut thumbprint = [0; 20];
    if digits.len() != thumbprint.len() {
        return None;
    }
    for (byte, pair) in thumbprint.iter_mut().zip(digits) {
        // `from_str_radix` alone would take a sign for a digit.
        if pair.len() != 2 || !pair.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(thumbprint)
}

/// The `typ` of an M2M token (M2M-2).
pub(crate) const TYPE: &str = "JWT";
/// The `kid` of an M2M token (M2M-2). It chooses no key.
pub(crate) const KEY_ID: &str = "M2M";
const JTI_LIMIT_BYTES: usize = 128;

/// The registered header parameters (IANA "JSON Web Signature and Encryption Header Parameters") that this profile has
/// no use for; most dangerous first.
const REFUSED_PARAMETERS: &[&str] = &[
    "crit",
    "jwk",
    "jku",
    "x5c",
    "x5u",
    "x5t",
    "x5t#S256",
    "b64",
    "zip",
    "enc",
    "cty",
    "epk",
    "apu",
    "apv",
    "iv",
    "tag",
    "p2s",
    "p2c",
    "iss",
    "sub",
    "aud",
    "ppt",
    "url",
    "nonce",
    "svt",
    "trust_chain",
    "peer_trust_chain",
];
