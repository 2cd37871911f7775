//! The pure floor: a token, a credential and the time in; claims out.

use std::time::Duration;

use irgw_core::UnixTime;

use crate::certificate::at;
use crate::error::{Error, SubjectFault, TimeFault};
use crate::token::{Claims, Subject, Times, Token};
use crate::{Credential, LegacySha1};

/// How far two clocks may be apart, unless an operator says otherwise (M2M-6).
pub const DEFAULT_SKEW: Duration = Duration::from_secs(60);

/// The longest life of a token, `exp - iat` (M2M-6).
pub const LIFETIME_LIMIT: Duration = Duration::from_secs(28_800);

/// Verifies one token with one credential at `now`, with the default skew of 60 seconds.
///
/// The checks run in this order, and the first that fails is the answer:
///
/// 1. the form (M2M-2, and each claim's type by its own rule);
/// 2. `sub` names the credential's certificate (M2M-3), which is inside its validity (M2M-8);
/// 3. `alg` fits its key (M2M-4);
/// 4. the times (M2M-6);
/// 5. the signature (M2M-3: it is of the key that `sub` names);
/// 6. `iss` (M2M-5).
///
/// What needs only the token, the certificate and the clock comes before the signature, because it is cheap and tells a
/// stranger nothing that is not public. What only the enrolment knows comes after it: who cannot sign cannot
/// find out the agreed `iss` by trying.
///
/// # Errors
/// The first rule that the token breaks: [`Error::rule`].
pub fn verify(token: &str, credential: &Credential, now: UnixTime) -> Result<Claims, Error> {
    verify_with_skew(token, credential, now, DEFAULT_SKEW)
}

/// [`verify`], for clocks that may be `skew` apart.
///
/// # Errors
/// As [`verify`].
pub fn verify_with_skew(
    token: &str,
    credential: &Credential,
    now: UnixTime,
    skew: Duration,
) -> Result<Claims, Error> {
    let token = Token::parse(token)?;
    check_subject(&token.claims.subject, credential, credential.legacy_sha1)?;
    check_signed(&token, credential, now, skew)?;
    Ok(token.claims)
}

/// Steps 2 (without the look-up) to 6.
pub(crate) fn check_signed(
    token: &Token<'_>,
    credential: &Credential,
    now: UnixTime,
    skew: Duration,
) -> Result<(), Error> {
    credential.cert.in_force(now)?;
    credential.cert.key.fits(token.algorithm)?;
    check_times(token.claims.times(), credential.cert.not_before(), now, skew)?;
    credential.cert.key.verify(token.algorithm, token.signing_input, &token.signature)?;
    check_issuer(&token.claims, credential)
}

/// The same for a token whose signature by this credential's key is remembered.
pub(crate) fn check_remembered(
    claims: &Claims,
    credential: &Credential,
    now: UnixTime,
    skew: Duration,
) -> Result<(), Error> {
    credential.cert.in_force(now)?;
    check_times(claims.times(), credential.cert.not_before(), now, skew)?;
    check_issuer(claims, credential)
}

/// M2M-3: `sub` names this credential's certificate, in a spelling that is taken.
fn check_subject(subject: &Subject, credential: &Credential, legacy_sha1: LegacySha1) -> Result<(), Error> {
    let named = match (subject, legacy_sha1) {
        (Subject::Sha256(thumbprint), _) => *thumbprint == credential.cert.thumbprint(),
        (Subject::Sha1(thumbprint), LegacySha1::Accepted) => *thumbprint == credential.cert.sha1_thumbprint(),
        (Subject::Sha1(_), LegacySha1::Refused) => return Err(Error::Subject(SubjectFault::Sha1)),
        (Subject::Other(_), _) => return Err(Error::Subject(SubjectFault::Form)),
    };
    if named { Ok(()) } else { Err(Error::OtherCredential) }
}

/// M2M-6 without the certificate: the difference without any skew, `now` with it.
pub(crate) fn check_own_times(times: Times, now: UnixTime, skew: Duration) -> Result<(), Error> {
    let (issued, expires) = (times.issued_at.as_secs(), times.expires_at.as_secs());
    match expires.checked_sub(issued) {
        None | Some(0) => return Err(Error::Times(TimeFault::Order)),
        Some(lifetime) if lifetime > LIFETIME_LIMIT.as_secs() => {
            return Err(Error::Times(TimeFault::Lifetime));
        }
        Some(_) => {}
    }
    let latest = at(now.as_secs().saturating_add(skew.as_secs()));
    if times.issued_at > latest {
        return Err(Error::Times(TimeFault::Future));
    }
    if times.not_before.is_some_and(|not_before| not_before > latest) {
        return Err(Error::Times(TimeFault::NotYetValid));
    }
    if has_expired(times.expires_at, now, skew) {
        return Err(Error::Times(TimeFault::Expired));
    }
    Ok(())
}

/// M2M-6: whether `exp` has passed, beyond the skew.
pub(crate) fn has_expired(expires_at: UnixTime, now: UnixTime, skew: Duration) -> bool {
    now.as_secs() >= expires_at.as_secs().saturating_add(skew.as_secs())
}

/// M2M-6 with the certificate. No skew here: both times are the signer's own.
pub(crate) fn check_times(
    times: Times,
    cert_not_before: UnixTime,
    now: UnixTime,
    skew: Duration,
) -> Result<(), Error> {
    check_own_times(times, now, skew)?;
    if times.issued_at < cert_not_before {
        return Err(Error::Times(TimeFault::BeforeCertificate));
    }
    Ok(())
}

/// M2M-5, byte for byte.
fn check_issuer(claims: &Claims, credential: &Credential) -> Result<(), Error> {
    if claims.issuer == credential.issuer { Ok(()) } else { Err(Error::Issuer) }
}
