//! Explains a token to its signer: for each rule whether the token meets it, and why not (M2M-1 to M2M-8, M2M-10).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use irgw_core::{Rule, Thumbprint, UnixTime};
use serde::Serialize;

use crate::compact::Compact;
use crate::error::{Error, Part, SubjectFault};
use crate::json::Object;
use crate::token::{self, KEY_ID, KeyId, Subject, TYPE};
use crate::verify::{DEFAULT_SKEW, check_own_times, check_times};
use crate::{Algorithm, SigningCert, enrolment};

/// What a token is held against, as far as the one who asks knows it.
#[derive(Debug, Clone, Copy)]
pub struct Against<'a> {
    /// The signing certificate in DER.
    pub certificate: Option<&'a [u8]>,
    /// The value agreed for `iss`.
    pub issuer: Option<&'a str>,
    /// How far the gateway's clock may be from the signer's.
    pub skew: Duration,
}

impl Default for Against<'_> {
    fn default() -> Self {
        Against { certificate: None, issuer: None, skew: DEFAULT_SKEW }
    }
}

/// What was found out about a token.
///
/// As JSON: `{"meets":false,"findings":[{"rule":"M2M-2","outcome":"met","explanation":"…"}, …],"subject":{…}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Inspection {
    /// Whether no rule is broken, as far as could be told.
    pub meets: bool,
    /// One for each of M2M-1 to M2M-8 and M2M-10, in this order.
    pub findings: Vec<Finding>,
    /// What `sub` is, when there is one.
    pub subject: Option<Spelling>,
}

/// What was found out about one rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// Whether the token meets it.
    pub outcome: Outcome,
    /// Why, in a sentence. Text of the token stands in it escaped and cut short.
    pub explanation: String,
}

/// Whether a token meets a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It does.
    Met,
    /// It does not.
    NotMet,
    /// What was given is not enough to say.
    CannotTell,
}

/// How `sub` is spelt, and what it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Spelling {
    /// What it is.
    pub form: Form,
    /// The case of its hex digits.
    pub case: Case,
    /// Whether colons stand between its bytes.
    pub colons: Colons,
    /// Whether it is of the given certificate.
    pub names: Names,
}

/// What a `sub` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Form {
    /// A SHA-256 thumbprint in hex: what the profile asks for.
    #[serde(rename = "sha-256")]
    Sha256,
    /// A SHA-1 thumbprint in hex: only where the operator turned it on.
    #[serde(rename = "sha-1")]
    Sha1,
    /// The certificate's SHA-256 thumbprint in base64, which is how `x5t#S256` is written: not taken.
    #[serde(rename = "sha-256 in base64")]
    Base64,
    /// The SHA-256 thumbprint in hex with something else than colons between the bytes: not taken.
    #[serde(rename = "sha-256 with other separators")]
    Separated,
    /// SHA-256 over the certificate's public key, not over the certificate: not taken.
    #[serde(rename = "sha-256 of the public key")]
    PublicKey,
    /// Nothing known.
    #[serde(rename = "none")]
    Unknown,
}

/// The case of hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Case {
    /// `AB`.
    Upper,
    /// `ab`.
    Lower,
    /// `aB`.
    Mixed,
    /// No letters, or no hex.
    None,
}

/// Whether colons stand between bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Colons {
    /// `AB:CD`.
    Present,
    /// `ABCD`.
    Absent,
}

/// Whose thumbprint a `sub` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Names {
    /// The given certificate's.
    GivenCertificate,
    /// Not the given certificate's.
    AnotherCertificate,
    /// No certificate was given.
    CannotTell,
}

/// Holds `token` against the rules of the profile, all of them, not only up to the first that it breaks.
///
/// `token` may be the whole value of an Authorization field. Whether a certificate is enrolled, whether a provider may act
/// for its owner and whether a logon is linked to that owner only the gateway can tell.
pub fn inspect(token: &str, against: &Against<'_>, now: UnixTime) -> Inspection {
    let (bare, m2m1) = authorization(token);
    let certificate = against.certificate.map(enrolment::check);
    let cert = certificate.as_ref().and_then(|checked| checked.as_ref().ok());
    let (compact, form_fault) = match Compact::parse(bare) {
        Ok(compact) => (Some(compact), None),
        Err(error) => (None, Some(error)),
    };
    let header = compact.as_ref().map(|compact| read(Part::Header, &compact.header));
    let payload = compact.as_ref().map(|compact| read(Part::Payload, &compact.payload));
    let algorithm = match &header {
        Some(Ok(header)) => Some(token::algorithm(header, TYPE, KeyId::Fixed(KEY_ID))),
        _ => None,
    };
    let form = form_fault
        .or_else(|| header.as_ref().and_then(|header| header.as_ref().err().copied()))
        .or_else(|| algorithm.and_then(Result::err))
        .or_else(|| payload.as_ref().and_then(|payload| payload.as_ref().err().copied()))
        .or_else(|| members(&payload).and_then(|payload| token::refuse_audience(payload).err()));
    let algorithm = algorithm.and_then(Result::ok);
    let payload = members(&payload);
    let subject = payload.map(token::subject);
    let spelling = subject.and_then(Result::ok).map(|sub| spelling(sub, against.certificate));
    let findings = vec![
        m2m1,
        match form {
            None => met(Rule::M2m2, format!("header alg {}, typ {TYPE}, kid {KEY_ID}", name(algorithm))),
            Some(error) => not_met(Rule::M2m2, error.to_string()),
        },
        signer(subject, spelling, cert, compact.as_ref().zip(algorithm)),
        match (&certificate, algorithm, cert) {
            (Some(Err(error)), ..) if error.rule() == Rule::M2m4 => not_met(Rule::M2m4, error.to_string()),
            (_, None, _) => cannot_tell(Rule::M2m4, "the header's `alg` cannot be used"),
            (.., None) => cannot_tell(Rule::M2m4, "no usable signing certificate was given"),
            (_, Some(algorithm), Some(cert)) => match cert.key.fits(algorithm) {
                Ok(()) => met(Rule::M2m4, format!("{algorithm} fits a key of kind {}", cert.key_kind())),
                Err(error) => not_met(Rule::M2m4, error.to_string()),
            },
        },
        issuer(payload, against.issuer),
        times(payload, cert, now, against.skew),
        match payload.map(token::start_logon) {
            None => unreadable(Rule::M2m7),
            Some(Err(error)) => not_met(Rule::M2m7, error.to_string()),
            Some(Ok(None)) => met(Rule::M2m7, "no `startLogon`: the resource owner's own access applies"),
            Some(Ok(Some(logon))) => {
                let shown = shown(logon.as_str());
                cannot_tell(
                    Rule::M2m7,
                    format!("only the gateway knows whether logon {shown} is linked to the owner"),
                )
            }
        },
        match &certificate {
            None => cannot_tell(Rule::M2m8, "no signing certificate was given"),
            Some(checked) => {
                match checked.as_ref().map_err(|error| *error).and_then(|cert| cert.in_force(now)) {
                    Ok(()) => met(
                        Rule::M2m8,
                        "the signing certificate could be enrolled, and is inside its validity",
                    ),
                    Err(error) if error.rule() == Rule::M2m8 => not_met(Rule::M2m8, error.to_string()),
                    Err(_) => cannot_tell(Rule::M2m8, "the signing certificate's key cannot be used"),
                }
            }
        },
        match payload.map(token::token_id) {
            None => unreadable(Rule::M2m10),
            Some(Err(error)) => not_met(Rule::M2m10, error.to_string()),
            Some(Ok(None)) => met(
                Rule::M2m10,
                "no `jti`: the token may be used until it expires, but not where the operator requires single use",
            ),
            Some(Ok(Some(_))) => {
                met(Rule::M2m10, "`jti` can be remembered where the operator requires single use")
            }
        },
    ];
    let meets = findings.iter().all(|finding| finding.outcome != Outcome::NotMet);
    Inspection { meets, findings, subject: spelling }
}

fn read(part: Part, bytes: &[u8]) -> Result<Object<'_>, Error> {
    Object::parse(bytes).map_err(|fault| Error::Json(part, fault))
}

fn members<'o, 'a>(object: &'o Option<Result<Object<'a>, Error>>) -> Option<&'o Object<'a>> {
    object.as_ref().and_then(|object| object.as_ref().ok())
}

/// M2M-1: the bare token out of what may be a whole field.
fn authorization(text: &str) -> (&str, Finding) {
    let text = text.trim();
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
            (token.trim(), not_met(Rule::M2m1, "the word Bearer stands before the token, and must not"))
        }
        _ => (text, met(Rule::M2m1, "a bare token, without the word Bearer")),
    }
}

/// M2M-3: `sub` names the certificate, and the signature is of its key.
fn signer(
    subject: Option<Result<&str, Error>>,
    spelling: Option<Spelling>,
    cert: Option<&SigningCert>,
    signed: Option<(&Compact<'_>, Algorithm)>,
) -> Finding {
    let rule = Rule::M2m3;
    let spelling = match (subject, spelling) {
        (None, _) | (Some(Ok(_)), None) => return unreadable(rule),
        (Some(Err(error)), _) => return not_met(rule, error.to_string()),
        (Some(Ok(_)), Some(spelling)) => spelling,
    };
    let described = match spelling.form {
        Form::Sha256 => "`sub` is a sha-256 thumbprint",
        Form::Sha1 => "`sub` is a sha-1 thumbprint, which is taken only where the operator turned it on",
        Form::Base64 => {
            return not_met(rule, "`sub` is the certificate's sha-256 thumbprint in base64; write it in hex");
        }
        Form::Separated => {
            return not_met(rule, "`sub` is a sha-256 thumbprint with other separators than colons");
        }
        Form::PublicKey => {
            return not_met(
                rule,
                "`sub` is sha-256 over the public key; it must be over the whole certificate in der",
            );
        }
        Form::Unknown => return not_met(rule, Error::Subject(SubjectFault::Form).to_string()),
    };
    if spelling.names == Names::AnotherCertificate {
        return not_met(rule, format!("{described}, but not of the given certificate"));
    }
    let Some(cert) = cert else {
        return cannot_tell(
            rule,
            format!("{described}; no usable signing certificate was given to check the signature"),
        );
    };
    let Some((compact, algorithm)) = signed.filter(|(_, algorithm)| cert.key.fits(*algorithm).is_ok()) else {
        return cannot_tell(rule, format!("{described}; its `alg` does not allow checking the signature"));
    };
    match cert.key.verify(algorithm, compact.signing_input, &compact.signature) {
        Err(error) => not_met(rule, error.to_string()),
        Ok(()) if spelling.form == Form::Sha1 => cannot_tell(rule, described),
        Ok(()) => met(rule, format!("{described} of the given certificate, whose key made the signature")),
    }
}

/// M2M-5.
fn issuer(payload: Option<&Object<'_>>, agreed: Option<&str>) -> Finding {
    let rule = Rule::M2m5;
    match (payload.map(token::issuer), agreed) {
        (None, _) => unreadable(rule),
        (Some(Err(error)), _) => not_met(rule, error.to_string()),
        (Some(Ok(issuer)), None) => {
            cannot_tell(rule, format!("`iss` is {}; the value agreed was not given", shown(issuer)))
        }
        (Some(Ok(issuer)), Some(agreed)) if issuer == agreed => met(rule, "`iss` is the value agreed"),
        (Some(Ok(issuer)), Some(agreed)) => {
            not_met(rule, format!("`iss` is {}, the value agreed is {}", shown(issuer), shown(agreed)))
        }
    }
}

/// M2M-6.
fn times(payload: Option<&Object<'_>>, cert: Option<&SigningCert>, now: UnixTime, skew: Duration) -> Finding {
    let rule = Rule::M2m6;
    let times = match payload.map(token::times) {
        None => return unreadable(rule),
        Some(Err(error)) => return not_met(rule, error.to_string()),
        Some(Ok(times)) => times,
    };
    let life = times.expires_at.as_secs().saturating_sub(times.issued_at.as_secs());
    let left = times.expires_at.as_secs().saturating_sub(now.as_secs());
    let described = format!("valid for {life} seconds, of which {left} are left");
    let checked = match cert {
        Some(cert) => check_times(times, cert.not_before(), now, skew),
        None => check_own_times(times, now, skew),
    };
    match (checked, cert) {
        (Err(error), _) => not_met(rule, error.to_string()),
        (Ok(()), Some(_)) => met(rule, described),
        (Ok(()), None) => cannot_tell(
            rule,
            format!("{described}; no certificate was given whose validity `iat` must be inside"),
        ),
    }
}

fn spelling(sub: &str, certificate: Option<&[u8]>) -> Spelling {
    let thumbprint = certificate.map(enrolment::thumbprint);
    let (form, own) = match Subject::parse(sub) {
        Subject::Sha256(named) if Some(named) == thumbprint => (Form::Sha256, Some(true)),
        Subject::Sha256(named) if Some(named) == certificate.and_then(enrolment::key_thumbprint) => {
            (Form::PublicKey, Some(true))
        }
        Subject::Sha256(_) => (Form::Sha256, certificate.map(|_| false)),
        Subject::Sha1(named) => (Form::Sha1, certificate.map(|der| enrolment::sha1_thumbprint(der) == named)),
        Subject::Other(text) => other_spelling(&text, thumbprint),
    };
    let names = match own {
        Some(true) => Names::GivenCertificate,
        Some(false) => Names::AnotherCertificate,
        None => Names::CannotTell,
    };
    let letters = |is: fn(&u8) -> bool| sub.bytes().any(|byte| is(&byte));
    let case = match (form, letters(u8::is_ascii_uppercase), letters(u8::is_ascii_lowercase)) {
        (Form::Base64 | Form::Unknown, ..) | (_, false, false) => Case::None,
        (_, true, true) => Case::Mixed,
        (_, true, false) => Case::Upper,
        (_, false, true) => Case::Lower,
    };
    let colons = if sub.contains(':') { Colons::Present } else { Colons::Absent };
    Spelling { form, case, colons, names }
}

/// The usual mistakes.
fn other_spelling(sub: &str, thumbprint: Option<Thumbprint>) -> (Form, Option<bool>) {
    let hex: String = sub.chars().filter(char::is_ascii_hexdigit).collect();
    let separators = sub.chars().all(|c| c.is_ascii_hexdigit() || matches!(c, ' ' | ':' | '-' | '.'));
    if let (true, Ok(named)) = (separators, hex.parse::<Thumbprint>()) {
        return (Form::Separated, thumbprint.map(|own| own == named));
    }
    let own = thumbprint.is_some_and(|Thumbprint(own)| {
        let text = sub.trim_end_matches('=');
        text == URL_SAFE_NO_PAD.encode(own) || text == STANDARD.encode(own).trim_end_matches('=')
    });
    if own { (Form::Base64, Some(true)) } else { (Form::Unknown, None) }
}

fn met(rule: Rule, explanation: impl Into<String>) -> Finding {
    Finding { rule, outcome: Outcome::Met, explanation: explanation.into() }
}

fn not_met(rule: Rule, explanation: impl Into<String>) -> Finding {
    Finding { rule, outcome: Outcome::NotMet, explanation: explanation.into() }
}

fn cannot_tell(rule: Rule, explanation: impl Into<String>) -> Finding {
    Finding { rule, outcome: Outcome::CannotTell, explanation: explanation.into() }
}

fn unreadable(rule: Rule) -> Finding {
    cannot_tell(rule, "the payload cannot be read")
}

fn name(algorithm: Option<Algorithm>) -> &'static str {
    algorithm.map_or("unknown", Algorithm::name)
}

/// Text of a token in quotes, for a terminal: control characters escaped, cut after 64 characters.
fn shown(text: &str) -> String {
    let cut: String = text.chars().take(64).collect();
    if cut.len() < text.len() { format!("{cut:?}…") } else { format!("{cut:?}") }
}
