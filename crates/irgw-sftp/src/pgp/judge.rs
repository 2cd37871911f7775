//! Whether a key of a certificate may be used now, and if not, why (PGP-1).

use std::time::SystemTime;

use irgw_core::{UnixTime, printable};
use openpgp::Cert;
use openpgp::cert::prelude::*;
use openpgp::crypto::mpi::PublicKey;
use openpgp::packet::key::{PublicParts, UnspecifiedRole};
use openpgp::packet::{Key, Signature};
use openpgp::types::{KeyFlags, PublicKeyAlgorithm, ReasonForRevocation, RevocationStatus};
use sequoia_openpgp as openpgp;

use super::profile::{Lenient, Profile, is_strong};
use super::time::{system_time, unix_time};
use super::{CertError, CertFault, Fingerprint, KeyFault, Role};

/// A key that was found fit for use.
pub(super) type Fit<'a> = ValidErasedKeyAmalgamation<'a, PublicParts>;

/// What a key is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To encrypt what is sent (RFC 9580 §5.2.3.29, flag 0x04).
    Encryption,
    /// To sign.
    Signing,
}

impl Purpose {
    fn is_in(self, flags: &KeyFlags) -> bool {
        match self {
            Purpose::Encryption => flags.for_transport_encryption(),
            Purpose::Signing => flags.for_signing(),
        }
    }

    fn missing(self) -> CertFault {
        match self {
            Purpose::Encryption => CertFault::NoEncryptionKey,
            Purpose::Signing => CertFault::NoSigningKey,
        }
    }
}

/// The keys of a certificate that may be used for a purpose now, the newest first.
///
/// # Errors
/// When the primary key may not be used, or none of the keys that are meant for the purpose.
pub(super) fn fit_keys<'a>(
    cert: &'a Cert,
    profile: &'a Profile,
    now: UnixTime,
    purpose: Purpose,
) -> Result<Vec<Fit<'a>>, CertError> {
    primary(cert, profile, now)?;
    let mut faults = Vec::new();
    let mut fit = Vec::new();
    for key in cert.keys() {
        match judge(&key, profile, now) {
            Ok(valid) if valid.key_flags().is_some_and(|flags| purpose.is_in(&flags)) => fit.push(valid),
            Ok(_) => {}
            Err(fault) if is_meant_for(&key, purpose) => faults.push(key_fault(&key, fault)),
            Err(_) => {}
        }
    }
    fit.sort_by_key(|key| (std::cmp::Reverse(key.key().creation_time()), key.key().fingerprint()));
    if !fit.is_empty() {
        return Ok(fit);
    }
    if faults.is_empty() {
        faults.push(purpose.missing());
    }
    Err(refused(cert, faults))
}

/// One key of a certificate, judged with the primary key that binds it.
///
/// # Errors
/// When it, or the primary key, may not be used.
pub(super) fn fit_key<'a>(
    cert: &'a Cert,
    profile: &'a Profile,
    now: UnixTime,
    key: &openpgp::Fingerprint,
) -> Result<Fit<'a>, CertError> {
    primary(cert, profile, now)?;
    let key = cert.keys().find(|candidate| candidate.key().fingerprint() == *key);
    let key = key.ok_or_else(|| refused(cert, vec![CertFault::NoSigningKey]))?;
    judge(&key, profile, now).map_err(|fault| refused(cert, vec![key_fault(&key, fault)]))
}

/// The refusal of a certificate that could be read.
pub(super) fn refused(cert: &Cert, faults: Vec<CertFault>) -> CertError {
    CertError { fingerprint: Some(cert.fingerprint().into()), user_id: user_id(cert), faults }
}

/// The first user id, fit for a terminal and at most so long that a log can hold it.
pub(super) fn user_id(cert: &Cert) -> Option<String> {
    let user_id = cert.userids().next()?;
    let text = String::from_utf8_lossy(user_id.userid().value()).chars().take(128).collect::<String>();
    Some(printable(&text))
}

/// The primary key.
///
/// # Errors
/// When it may not be used.
pub(super) fn primary<'a>(cert: &'a Cert, profile: &'a Profile, now: UnixTime) -> Result<Fit<'a>, CertError> {
    let key = cert.keys().next().expect("a certificate has a primary key");
    judge(&key, profile, now).map_err(|fault| refused(cert, vec![key_fault(&key, fault)]))
}

fn key_fault(key: &ErasedKeyAmalgamation<'_, PublicParts>, fault: KeyFault) -> CertFault {
    let role = if key.primary() { Role::Primary } else { Role::Subkey };
    CertFault::Key { key: Fingerprint::from(key.key().fingerprint()), role, fault }
}

fn judge<'a>(
    key: &ErasedKeyAmalgamation<'a, PublicParts>,
    profile: &'a Profile,
    now: UnixTime,
) -> Result<Fit<'a>, KeyFault> {
    algorithm(key.key())?;
    let at = system_time(now);
    if key.key().creation_time() > at {
        return Err(KeyFault::NotYetValid { from: unix_time(key.key().creation_time()) });
    }
    let Ok(valid) = key.clone().with_policy(profile, at) else { return Err(unbound(key, at)) };
    // Revoked before expired: it is the graver word, and it stays when the owner prolongs the key.
    if let RevocationStatus::Revoked(revocations) = valid.revocation_status() {
        return Err(revoked(&revocations));
    }
    if valid.alive().is_err() {
        let since = valid.key_expiration_time().map_or(now, unix_time);
        return Err(KeyFault::Expired { since });
    }
    Ok(valid)
}

#[expect(
    deprecated,
    reason = "the old names are those of keys that are in use, and of those that are refused"
)]
fn algorithm(key: &Key<PublicParts, UnspecifiedRole>) -> Result<(), KeyFault> {
    let algorithm = key.pk_algo();
    let name = match (algorithm, key.mpis()) {
        (_, PublicKey::RSA { n, .. }) => {
            let bits = n.bits();
            return if (2048..=4096).contains(&bits) { Ok(()) } else { Err(KeyFault::RsaSize { bits }) };
        }
        (PublicKeyAlgorithm::DSA, _) => algorithm.to_string(),
        (
            _,
            PublicKey::EdDSA { curve, .. } | PublicKey::ECDSA { curve, .. } | PublicKey::ECDH { curve, .. },
        ) if !curve.is_supported() => format!("{algorithm} on {curve}"),
        _ if !algorithm.is_supported() => algorithm.to_string(),
        _ => return Ok(()),
    };
    Err(KeyFault::Algorithm { name })
}

/// Why there is no signature that binds the key at a time and that the profile takes.
fn unbound(key: &ErasedKeyAmalgamation<'_, PublicParts>, at: SystemTime) -> KeyFault {
    if let Ok(valid) = key.clone().with_policy(&Lenient, at) {
        let back = valid.binding_signature().embedded_signatures().map(|back| back.hash_algo());
        let weak =
            std::iter::once(valid.binding_signature().hash_algo()).chain(back).find(|hash| !is_strong(*hash));
        // Bound over a good hash, and refused for something else: a critical statement that is not understood.
        return weak.map_or(KeyFault::Unbound, |hash| KeyFault::WeakBinding { hash: hash.to_string() });
    }
    // Bound from a later time on: the certificate is not valid yet.
    let first = bindings(key).into_iter().filter_map(|binding| binding.signature_creation_time()).min();
    match first {
        Some(first) if first > at => KeyFault::NotYetValid { from: unix_time(first) },
        _ => KeyFault::Unbound,
    }
}

fn revoked(revocations: &[&Signature]) -> KeyFault {
    let first = revocations.iter().min_by_key(|revocation| revocation.signature_creation_time());
    let since = first.and_then(|revocation| revocation.signature_creation_time());
    let code = first.and_then(|revocation| revocation.reason_for_revocation()).map(|(code, _)| code);
    KeyFault::Revoked {
        since: unix_time(since.unwrap_or(SystemTime::UNIX_EPOCH)),
        reason: match code {
            Some(ReasonForRevocation::KeySuperseded) => "key is superseded",
            Some(ReasonForRevocation::KeyCompromised) => "key material has been compromised",
            Some(ReasonForRevocation::KeyRetired) => "key is retired and no longer used",
            _ => "no reason specified",
        },
    }
}

/// Whether any of its signatures says that a key is for a purpose, whether or not that signature is good.
pub(super) fn is_meant_for(key: &ErasedKeyAmalgamation<'_, PublicParts>, purpose: Purpose) -> bool {
    bindings(key).into_iter().filter_map(|binding| binding.key_flags()).any(|flags| purpose.is_in(&flags))
}

/// The signatures that say what a key is for: a subkey's own, or for the primary key also those of the user ids.
fn bindings<'a>(key: &ErasedKeyAmalgamation<'a, PublicParts>) -> Vec<&'a Signature> {
    let own = key.self_signatures();
    if !key.primary() {
        return own.collect();
    }
    let user_ids = key.cert().userids().flat_map(|user_id| user_id.self_signatures().collect::<Vec<_>>());
    own.chain(user_ids).collect()
}
