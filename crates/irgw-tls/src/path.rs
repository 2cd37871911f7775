//! Judging a certification path: webpki finds and validates it, the profile refuses what webpki lets through.

use std::cell::RefCell;

use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{
    CertRevocationList, EndEntityCert, ExpirationPolicy, ExtendedKeyUsageValidator, KeyPurposeIdIter,
    RevocationOptionsBuilder, UnknownStatusPolicy, VerifiedPath,
};

use x509_parser::asn1_rs::{Any, FromDer, Oid};

use crate::certificate::Certificate;
use crate::profile::{self, Traits};
use crate::store::{Group, Store};
use crate::suites::SIGNATURES;
use crate::trust::Limits;
use crate::verified::{Path, Window};
use crate::{CrlPolicy, Fault, Flaw, IssuerPin, Place, time};

/// What is presented: an end-entity certificate, parsed too, and what came with it.
pub(crate) struct Presented<'a> {
    pub(crate) certificate: &'a Certificate<'a>,
    pub(crate) end_entity: &'a CertificateDer<'a>,
    pub(crate) intermediates: &'a [CertificateDer<'a>],
}

/// A path that met the profile, the Common Name aside.
pub(crate) struct Judged {
    pub(crate) path: Path,
    /// What the end-entity certificate says.
    pub(crate) end_entity: Traits,
    /// What its authorities say, from the issuing one to the root.
    pub(crate) authorities: Vec<Traits>,
}

/// Refuses what is too much to read, before any of it is parsed.
pub(crate) fn measure(
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    limits: &Limits,
) -> Result<(), Fault> {
    let sent = intermediates.len() + 1;
    if sent > limits.certificates {
        return Err(Place::Path.has(Flaw::TooManyCertificates { sent, limit: limits.certificates }));
    }
    let sent_bytes = end_entity.len() + intermediates.iter().map(|der| der.len()).sum::<usize>();
    if sent_bytes > limits.bytes {
        return Err(Place::Path.has(Flaw::TooManyBytes { sent_bytes, limit_bytes: limits.bytes }));
    }
    Ok(())
}

/// Refuses a maze: intermediates of the same subject could each stand at every turn, and webpki, which bounds the
/// signatures that it checks and not the turns that it takes before, would be busy for a second with nine of them.
fn disentangle(intermediates: &[CertificateDer<'_>], limits: &Limits) -> Result<(), Fault> {
    let parsed: Vec<_> = intermediates.iter().filter_map(|der| EndEntityCert::try_from(der).ok()).collect();
    let namesakes = |subject: &[u8]| parsed.iter().filter(|other| other.subject() == subject).count();
    match parsed.iter().map(|cert| namesakes(cert.subject())).max() {
        Some(sent) if sent > limits.namesakes => {
            Err(Place::Path.has(Flaw::TooManyNamesakes { sent, limit: limits.namesakes }))
        }
        _ => Ok(()),
    }
}

/// Judges what is presented by the store, at `now`.
pub(crate) fn judge(
    store: &Store,
    presented: &Presented<'_>,
    limits: &Limits,
    now: UnixTime,
) -> Result<Judged, Fault> {
    let parsed =
        EndEntityCert::try_from(presented.end_entity).map_err(|error| Place::EndEntity.has(flaw(error)))?;
    disentangle(presented.intermediates, limits)?;
    let mut refusal = Place::Path.has(Flaw::UnknownIssuer);
    for group in &store.groups {
        match judge_by(store, group, &parsed, presented, limits, now) {
            Ok(judged) => return Ok(judged),
            // A path to one of this group's roots says more than that there is none.
            Err(fault) if fault.flaw != Flaw::UnknownIssuer => refusal = fault,
            Err(_) => {}
        }
    }
    let x509 = &presented.certificate.x509;
    if refusal.flaw == Flaw::UnknownIssuer && x509.subject().as_raw() == x509.issuer().as_raw() {
        return Err(Place::EndEntity.has(Flaw::SelfSigned));
    }
    Err(refusal)
}

/// Judges by the roots of one group, and by the lists of one key of each issuer at a time: a path is accepted only by
/// lists that the keys in it signed.
fn judge_by(
    store: &Store,
    group: &Group,
    parsed: &EndEntityCert<'_>,
    presented: &Presented<'_>,
    limits: &Limits,
    now: UnixTime,
) -> Result<Judged, Fault> {
    let certificates: Vec<_> =
        presented.intermediates.iter().filter_map(|der| EndEntityCert::try_from(der).ok()).collect();
    let issuers: Vec<&[u8]> = certificates.iter().chain([parsed]).map(|cert| cert.issuer()).collect();
    let mut refusal: Option<Fault> = None;
    for lists in store.arrangements(&issuers) {
        match judge_with(&lists, store, group, parsed, presented, limits, now) {
            Ok(judged) => return Ok(judged),
            Err(fault) => match &refusal {
                Some(Fault { flaw: Flaw::BadCrl(_), .. }) | None => refusal = Some(fault),
                Some(_) => {}
            },
        }
    }
    Err(refusal.unwrap_or(Place::Path.has(Flaw::UnknownIssuer)))
}

fn judge_with(
    lists: &[&CertRevocationList<'_>],
    store: &Store,
    group: &Group,
    parsed: &EndEntityCert<'_>,
    presented: &Presented<'_>,
    limits: &Limits,
    now: UnixTime,
) -> Result<Judged, Fault> {
    let revocation = RevocationOptionsBuilder::new(lists).ok().map(|options| {
        options
            .with_status_policy(match group.policy {
                CrlPolicy::Required => UnknownStatusPolicy::Deny,
                CrlPolicy::WhereLoaded | CrlPolicy::StaleAccepted => UnknownStatusPolicy::Allow,
            })
            .with_expiration_policy(match group.policy {
                CrlPolicy::StaleAccepted => ExpirationPolicy::Ignore,
                CrlPolicy::WhereLoaded | CrlPolicy::Required => ExpirationPolicy::Enforce,
            })
            .build()
    });
    if revocation.is_none() && group.policy == CrlPolicy::Required {
        return Err(Place::Path.has(Flaw::RevocationUnknown));
    }
    // webpki looks for another path when one is refused here, and then reports its own reason; ours is kept beside
    // it.
    let refused = RefCell::new(None);
    let judged = RefCell::new(None);
    let consider = |path: &VerifiedPath<'_>| match examine(store, path, presented, limits, now) {
        Ok(found) => {
            *judged.borrow_mut() = Some(found);
            Ok(())
        }
        Err(fault) => {
            *refused.borrow_mut() = Some(fault);
            Err(webpki::Error::UnknownIssuer)
        }
    };
    let verified = parsed.verify_for_usage(
        SIGNATURES.all,
        &group.anchors,
        presented.intermediates,
        now,
        AnyPurpose,
        revocation,
        Some(&consider),
    );
    let outcome = verified.map(|_| ());
    match (outcome, judged.into_inner(), refused.into_inner()) {
        (Ok(()), Some(judged), _) => Ok(judged),
        (_, _, Some(fault)) => Err(fault),
        (Err(error), ..) => Err(place(&error, presented).has(flaw(error))),
        (Ok(()), None, None) => Err(Place::Path.has(Flaw::UnknownIssuer)),
    }
}

/// Holds a path that webpki found good to the profile.
fn examine(
    store: &Store,
    path: &VerifiedPath<'_>,
    presented: &Presented<'_>,
    limits: &Limits,
    now: UnixTime,
) -> Result<Judged, Fault> {
    let root = store.root_of(path.anchor()).ok_or_else(|| Place::Path.has(Flaw::UnknownIssuer))?;
    let end_entity = profile::end_entity(presented.certificate).map_err(|flaw| Place::EndEntity.has(flaw))?;
    let mut window = Window { from: root.not_before, until: root.not_after };
    let mut pins = Vec::new();
    let mut used = Vec::new();
    let mut authorities = Vec::new();
    narrow(&mut window, presented.certificate, store, now);
    let mut counted = 0;
    // webpki holds intermediates to their pathLenConstraint, and does not look at a root's.
    let allowed = root.traits.path_length.and_then(|length| usize::try_from(length).ok());
    let allowed = allowed.map_or(limits.intermediates, |length| length.min(limits.intermediates));
    for (index, cert) in path.intermediate_certificates().enumerate() {
        let place = Place::Intermediate(index + 1);
        // RFC 5280 §4.2.1.9 does not count what is self-issued.
        counted += usize::from(cert.subject() != cert.issuer());
        if counted > allowed {
            return Err(Place::Path.has(Flaw::PathLength));
        }
        let der = cert.der();
        let certificate = Certificate::parse(&der).map_err(|fault| place.has(fault.flaw))?;
        used.extend(presented.intermediates.iter().position(|sent| **sent == *der));
        authorities.push(profile::intermediate(&certificate).map_err(|flaw| place.has(flaw))?);
        pins.push(IssuerPin::of_spki(&cert.subject_public_key_info()));
        narrow(&mut window, &certificate, store, now);
    }
    if now.as_secs() > root.not_after {
        return Err(Place::Root.has(Flaw::Expired { not_after: root.not_after }));
    }
    if now.as_secs() < root.not_before {
        return Err(Place::Root.has(Flaw::NotYetValid { not_before: root.not_before }));
    }
    pins.push(root.pin);
    authorities.push(root.traits.clone());
    // webpki holds an intermediate to cRLSign, and does not look at the key usage of a root.
    if root.traits.no_crl_sign && store.crls().iter().any(|crl| crl.issuer() == root.anchor.subject.as_ref())
    {
        return Err(Place::Root.has(Flaw::BadCrl("its issuer may not sign lists (no cRLSign)".into())));
    }
    end_entity
        .purposes
        .admit(authorities.iter().map(|authority| &authority.purposes), root.client_eku())
        .map_err(|flaw| Place::EndEntity.has(flaw))?;
    let path = Path { root: root.name().clone(), used: used.into(), pins: pins.into(), window };
    Ok(Judged { path, end_entity, authorities })
}

/// Narrows the window to the certificate's validity, and to that of every unexpired list of its issuer's.
fn narrow(window: &mut Window, certificate: &Certificate<'_>, store: &Store, now: UnixTime) {
    let validity = certificate.x509.validity();
    *window = window.narrowed(Window {
        from: time::seconds(&validity.not_before),
        until: time::seconds(&validity.not_after),
    });
    let issuer = name_content(certificate.x509.issuer().as_raw());
    for crl in store.crls().iter().filter(|crl| crl.issuer() == issuer) {
        if crl.next_update() > now.as_secs() {
            window.until = window.until.min(crl.next_update() - 1);
        }
    }
}

/// A Name without its outer tag and length.
fn name_content(name: &[u8]) -> &[u8] {
    Any::from_der(name).map_or(&[], |(_, any)| any.data)
}

/// Leaves extended key usage to [`crate::profile::Purposes`], which knows the root's setting; refuses only what
/// cannot be read.
struct AnyPurpose;

impl ExtendedKeyUsageValidator for AnyPurpose {
    fn validate(&self, purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        purposes.into_iter().try_for_each(|purpose| purpose.map(|_| ()))
    }
}

/// Where webpki's error is, as far as it tells.
fn place(error: &webpki::Error, presented: &Presented<'_>) -> Place {
    let validity = presented.certificate.x509.validity();
    match error {
        webpki::Error::CaUsedAsEndEntity => Place::EndEntity,
        webpki::Error::CertExpired { not_after, .. }
            if not_after.as_secs() == time::seconds(&validity.not_after) =>
        {
            Place::EndEntity
        }
        webpki::Error::CertNotValidYet { not_before, .. }
            if not_before.as_secs() == time::seconds(&validity.not_before) =>
        {
            Place::EndEntity
        }
        _ => Place::Path,
    }
}

/// webpki's errors in this crate's words.
fn flaw(error: webpki::Error) -> Flaw {
    use webpki::Error as E;
    match error {
        E::UnknownIssuer => Flaw::UnknownIssuer,
        E::CertExpired { not_after, .. } => Flaw::Expired { not_after: not_after.as_secs() },
        E::CertNotValidYet { not_before, .. } => Flaw::NotYetValid { not_before: not_before.as_secs() },
        E::InvalidCertValidity => Flaw::InvertedValidity,
        E::InvalidSignatureForPublicKey => Flaw::BadSignature,
        E::CaUsedAsEndEntity => Flaw::AuthorityAsEndEntity,
        E::EndEntityUsedAsCa => Flaw::NotAnAuthority,
        E::PathLenConstraintViolated | E::MaximumPathDepthExceeded => Flaw::PathLength,
        E::NameConstraintViolation => Flaw::NameConstraint,
        E::MaximumSignatureChecksExceeded
        | E::MaximumPathBuildCallsExceeded
        | E::MaximumNameConstraintComparisonsExceeded => Flaw::TooMuchWork,
        E::UnsupportedCertVersion => Flaw::Version,
        E::SignatureAlgorithmMismatch => Flaw::SignatureAlgorithmMismatch,
        E::UnsupportedSignatureAlgorithmContext(context) => {
            Flaw::SignatureAlgorithm(object_identifier(&context.signature_algorithm_id))
        }
        E::UnsupportedSignatureAlgorithmForPublicKeyContext(context) => {
            Flaw::SignatureAlgorithm(object_identifier(&context.signature_algorithm_id))
        }
        E::EmptyEkuExtension => Flaw::BadExtension("extKeyUsage"),
        E::CertRevoked => Flaw::Revoked,
        E::CrlExpired { next_update, .. } => Flaw::CrlExpired { next_update: next_update.as_secs() },
        E::UnknownRevocationStatus => Flaw::RevocationUnknown,
        E::IssuerNotCrlSigner => Flaw::BadCrl("its issuer may not sign lists (no cRLSign)".into()),
        E::InvalidCrlSignatureForPublicKey => Flaw::BadCrl("its signature does not verify".into()),
        E::UnsupportedCrlSignatureAlgorithmContext(_)
        | E::UnsupportedCrlSignatureAlgorithmForPublicKeyContext(_) => {
            Flaw::BadCrl("its signature algorithm is not accepted".into())
        }
        E::BadDer | E::BadDerTime | E::TrailingData(_) => Flaw::Malformed("not the DER of a certificate"),
        other => Flaw::Invalid(format!("{other:?}")),
    }
}

/// The object identifier that an AlgorithmIdentifier's content begins with.
fn object_identifier(algorithm: &[u8]) -> String {
    Oid::from_der(algorithm).map_or_else(|_| "an unreadable algorithm".into(), |(_, oid)| oid.to_id_string())
}
