//! Another party's certificate, as enrolment took it.

use std::fmt;
use std::time::Duration;

use irgw_core::UnixTime;
use openpgp::Cert;
use openpgp::cert::prelude::*;
use openpgp::packet::{Packet, Tag};
use openpgp::parse::{PacketParserBuilder, PacketParserResult, Parse};
use openpgp::serialize::MarshalInto;
use sequoia_openpgp as openpgp;

use super::judge::{self, Fit, Purpose, refused};
use super::profile::{Profile, Sha1Bindings};
use super::time::{later, rfc3339, unix_time};
use super::{CertError, CertFault, Fingerprint, Role};

/// The most bytes that a certificate or a secret key may have: 256 KiB, armoured or not.
pub const CERT_LIMIT_BYTES: usize = 256 * 1024;

/// What was agreed with a partner beside the certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terms {
    /// Until when signatures over SHA-1 that bind the certificate together are taken, by a recorded exception.
    /// None: never.
    pub sha1_bindings_until: Option<UnixTime>,
    /// The form in which messages to the partner are encrypted.
    pub container: Container,
}

/// A form of integrity-protected encryption (RFC 9580 §5.13).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Container {
    /// SEIPD version 1, with a modification detection code: what every OpenPGP software reads, GnuPG 2.2 included.
    #[default]
    Seipd1,
    /// SEIPD version 2, with OCB: for partners whose software is known to read it.
    Seipd2,
}

/// A partner's certificate: whom we encrypt to, and whose signatures we accept.
///
/// It holds what was enrolled and is judged at each use, because time passes: [`PartnerCert::encryption_key`] says
/// which key that would be now. It is identified by its full fingerprint, never by a user id or a key id.
#[derive(Clone)]
pub struct PartnerCert {
    cert: Cert,
    terms: Terms,
}

impl PartnerCert {
    /// Takes in a certificate, binary or armoured, that can be encrypted to now (PGP-1).
    ///
    /// # Errors
    /// Everything that is wrong with it: too many bytes, not one certificate, a secret key, an unknown version; a
    /// key that is expired, revoked, not yet valid, too weak or weakly bound; no key for encryption.
    pub fn enrol(bytes: &[u8], now: UnixTime, terms: Terms) -> Result<PartnerCert, CertError> {
        let partner = PartnerCert { cert: parse(bytes)?, terms };
        partner.encryption_key(now)?;
        Ok(partner)
    }

    /// Takes in a certificate that was enrolled before, e.g. out of a store. It may have expired since: that is
    /// seen at use.
    ///
    /// # Errors
    /// When the bytes are not one certificate, or are not the pinned one.
    pub fn restore(bytes: &[u8], pinned: &Fingerprint, terms: Terms) -> Result<PartnerCert, CertError> {
        let cert = parse(bytes)?;
        if cert.fingerprint() != *pinned.inner() {
            return Err(refused(&cert, vec![CertFault::NotThePinned { pinned: pinned.clone() }]));
        }
        Ok(PartnerCert { cert, terms })
    }

    /// The certificate with what a newer copy of it adds: a later expiry, a new subkey, a revocation. Nothing that
    /// was known is forgotten, so that an old copy does not undo a revocation.
    ///
    /// # Errors
    /// When the bytes are not one certificate, are another one, or make it larger than a certificate may be.
    pub fn merge(&self, bytes: &[u8]) -> Result<PartnerCert, CertError> {
        let newer = PartnerCert::restore(bytes, &self.fingerprint(), self.terms)?;
        let cert = self.cert.clone().merge_public(newer.cert).map_err(|_| CertFault::Malformed)?;
        let merged = PartnerCert { cert, terms: self.terms };
        // What is stored must be readable again.
        if merged.to_bytes().len() > CERT_LIMIT_BYTES {
            return Err(refused(&merged.cert, vec![CertFault::TooLarge]));
        }
        Ok(merged)
    }

    /// The certificate's fingerprint, by which it is pinned.
    pub fn fingerprint(&self) -> Fingerprint {
        self.cert.fingerprint().into()
    }

    /// The first user id, fit for a terminal. It says what the certificate's maker wrote, and proves nothing.
    pub fn user_id(&self) -> Option<String> {
        judge::user_id(&self.cert)
    }

    /// The certificate as binary OpenPGP, for a store.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.cert.to_vec().expect("a certificate in memory can be written to memory")
    }

    /// What was agreed with the partner.
    pub fn terms(&self) -> Terms {
        self.terms
    }

    /// The key that a message would be encrypted to now: the newest one that may be used.
    ///
    /// # Errors
    /// Why there is none.
    pub fn encryption_key(&self, now: UnixTime) -> Result<Fingerprint, CertError> {
        self.with_encryption_key(now, |key| Fingerprint::from(key.key().fingerprint()))
    }

    /// What the operator should know before it is too late: which of the primary key, the key that is encrypted to and
    /// the newest one that signs ends within so long from now, and what rests on an exception. None for a
    /// certificate that cannot be encrypted to at all: [`PartnerCert::encryption_key`] says why.
    pub fn warnings(&self, now: UnixTime, within: Duration) -> Vec<Warning> {
        let profile = self.profile(now);
        let newest =
            |purpose| judge::fit_keys(&self.cert, &profile, now, purpose).map(|keys| keys.into_iter().next());
        let (Ok(primary), Ok(encryption)) =
            (judge::primary(&self.cert, &profile, now), newest(Purpose::Encryption))
        else {
            return vec![];
        };
        let mut keys = vec![primary];
        for key in encryption.into_iter().chain(newest(Purpose::Signing).ok().flatten()) {
            if keys.iter().all(|known| known.key().fingerprint() != key.key().fingerprint()) {
                keys.push(key);
            }
        }
        let horizon = later(now, within);
        let mut warnings: Vec<Warning> = keys
            .iter()
            .filter_map(|key| {
                let at = key.key_expiration_time().map(unix_time).filter(|at| *at <= horizon)?;
                let role = if key.primary() { Role::Primary } else { Role::Subkey };
                Some(Warning::Expires { key: key.key().fingerprint().into(), role, at })
            })
            .collect();
        let strict = Profile::new(now, Sha1Bindings::Refused);
        if judge::fit_keys(&self.cert, &strict, now, Purpose::Encryption).is_err()
            && let Some(until) = self.terms.sha1_bindings_until
        {
            warnings.push(Warning::Sha1Exception { until });
        }
        warnings
    }

    pub(super) fn with_encryption_key<T>(
        &self,
        now: UnixTime,
        then: impl FnOnce(&Fit<'_>) -> T,
    ) -> Result<T, CertError> {
        let profile = self.profile(now);
        let keys = judge::fit_keys(&self.cert, &profile, now, Purpose::Encryption)?;
        Ok(then(keys.first().expect("an empty list of fit keys is an error")))
    }

    /// The policy by which this certificate is judged.
    pub(super) fn profile(&self, now: UnixTime) -> Profile {
        let excepted = self.terms.sha1_bindings_until.is_some_and(|until| now < until);
        Profile::new(now, if excepted { Sha1Bindings::Taken } else { Sha1Bindings::Refused })
    }

    pub(super) fn cert(&self) -> &Cert {
        &self.cert
    }
}

impl fmt::Debug for PartnerCert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PartnerCert({})", self.fingerprint())
    }
}

impl PartialEq for PartnerCert {
    fn eq(&self, other: &PartnerCert) -> bool {
        self.cert == other.cert && self.terms == other.terms
    }
}

impl Eq for PartnerCert {}

/// What will go wrong with a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// A key that is in use expires.
    Expires {
        /// Which.
        key: Fingerprint,
        /// Its place.
        role: Role,
        /// The first second at which it is no longer valid.
        at: UnixTime,
    },
    /// The certificate is accepted by the exception for SHA-1 alone, which ends.
    Sha1Exception {
        /// When.
        until: UnixTime,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::Expires { key, role, at } => write!(f, "{role} {key} expires on {}", rfc3339(*at)),
            Warning::Sha1Exception { until } => {
                write!(f, "accepted with SHA-1 signatures by an exception that ends on {}", rfc3339(*until))
            }
        }
    }
}

/// One certificate and nothing else.
fn parse(bytes: &[u8]) -> Result<Cert, CertError> {
    if bytes.len() > CERT_LIMIT_BYTES {
        return Err(CertFault::TooLarge.into());
    }
    match first_packet(bytes) {
        Some(Packet::PublicKey(_)) => {}
        Some(Packet::SecretKey(_)) => return Err(CertFault::SecretKey.into()),
        Some(Packet::Unknown(unknown)) if unknown.tag() == Tag::SecretKey => {
            return Err(CertFault::SecretKey.into());
        }
        Some(Packet::Unknown(unknown)) if unknown.tag() == Tag::PublicKey => {
            let version = unknown.body().first().copied().unwrap_or_default();
            let known = [4, 6].contains(&version);
            return Err(if known { CertFault::Malformed } else { CertFault::Version(version) }.into());
        }
        _ => return Err(CertFault::Malformed.into()),
    }
    let mut certs = CertParser::from_bytes(bytes).map_err(|_| CertFault::Malformed)?;
    let cert = certs.next().and_then(Result::ok).ok_or(CertFault::Malformed)?;
    match certs.next() {
        None => {}
        Some(Ok(_)) => return Err(CertFault::Several.into()),
        Some(Err(_)) => return Err(CertFault::Malformed.into()),
    }
    if cert.is_tsk() {
        return Err(refused(&cert, vec![CertFault::SecretKey]));
    }
    Ok(cert)
}

/// The first packet, its body read.
fn first_packet(bytes: &[u8]) -> Option<Packet> {
    let parser = PacketParserBuilder::from_bytes(bytes).ok()?.buffer_unread_content().build().ok()?;
    let PacketParserResult::Some(parser) = parser else { return None };
    parser.next().ok().map(|(packet, _)| packet)
}
