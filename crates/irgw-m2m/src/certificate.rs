//! A checked signing certificate: its public key, its thumbprints and its validity (M2M-8, M2M-4).

use std::time::Duration;

use irgw_core::{Thumbprint, UnixTime};

use crate::error::{CertificateFault, Error};
use crate::signature::PublicKey;
use crate::{Algorithm, KeyKind, enrolment};

/// A signing certificate that passed every check at enrolment.
///
/// [`SigningCert::enrol`] is its only maker; [`SigningCert::restore`] brings back what it made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningCert {
    pub(crate) thumbprint: Thumbprint,
    pub(crate) sha1_thumbprint: [u8; 20],
    pub(crate) key: PublicKey,
    pub(crate) not_before: UnixTime,
    pub(crate) not_after: UnixTime,
    pub(crate) subject: Box<str>,
    pub(crate) serial: Box<str>,
}

impl SigningCert {
    /// Checks one X.509 certificate in DER as M2M-8 and M2M-4 ask, at the time of its enrolment.
    ///
    /// Version 3; valid at `now`, and for at most 1,461 days; RSA of 2048 to 4096 bits with a public exponent of at
    /// least 65537, or a key on P-256, P-384 or P-521 (named, uncompressed); a keyUsage, where there is one, that
    /// allows signatures; no critical extension that is not understood. Self-signed or issued makes no difference:
    /// what is trusted is this certificate.
    ///
    /// # Errors
    /// [`Error::Certificate`], with what is wrong.
    pub fn enrol(der: &[u8], now: UnixTime) -> Result<SigningCert, Error> {
        let cert = enrolment::check(der)?;
        cert.in_force(now)?;
        Ok(cert)
    }

    /// Brings back an enrolled certificate from the columns that [`SigningCert::row`] gave, without parsing X.509.
    ///
    /// # Errors
    /// When the columns cannot be what [`SigningCert::row`] gave: a key of an impossible length, a validity that
    /// ends before it begins.
    pub fn restore(row: SigningCertRow) -> Result<SigningCert, Error> {
        let SigningCertRow {
            thumbprint,
            sha1_thumbprint,
            key_kind,
            public_key,
            not_before,
            not_after,
            subject,
            serial,
        } = row;
        let key = PublicKey::new(key_kind, public_key)?;
        if not_after < not_before {
            return Err(Error::Certificate(CertificateFault::ValidityOrder));
        }
        let (subject, serial) = (subject.into(), serial.into());
        Ok(SigningCert { thumbprint, sha1_thumbprint, key, not_before, not_after, subject, serial })
    }

    /// The columns to keep.
    pub fn row(&self) -> SigningCertRow {
        SigningCertRow {
            thumbprint: self.thumbprint,
            sha1_thumbprint: self.sha1_thumbprint,
            key_kind: self.key.kind(),
            public_key: self.key.bytes().to_vec(),
            not_before: self.not_before,
            not_after: self.not_after,
            subject: self.subject.to_string(),
            serial: self.serial.to_string(),
        }
    }

    /// SHA-256 over the DER: what `sub` names (M2M-3).
    pub fn thumbprint(&self) -> Thumbprint {
        self.thumbprint
    }

    /// SHA-1 over the DER: what `sub` names where the operator turned `legacy_sha1_thumbprint` on (M2M-3).
    pub fn sha1_thumbprint(&self) -> [u8; 20] {
        self.sha1_thumbprint
    }

    /// The key's kind.
    pub fn key_kind(&self) -> KeyKind {
        self.key.kind()
    }

    /// The algorithms that fit the key (M2M-4).
    pub fn algorithms(&self) -> &'static [Algorithm] {
        self.key.kind().algorithms()
    }

    /// The first second of its validity.
    pub fn not_before(&self) -> UnixTime {
        self.not_before
    }

    /// The last second of its validity.
    pub fn not_after(&self) -> UnixTime {
        self.not_after
    }

    /// The subject as text, for lists: `C=NZ, O=Digital Service Provider`.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The serial number in hex, for lists.
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// Whether it may be used at `now` (M2M-8). Both ends of the validity are inside it (RFC 5280 §4.1.2.5).
    ///
    /// # Errors
    /// [`CertificateFault::NotYetValid`] and [`CertificateFault::Expired`].
    pub fn in_force(&self, now: UnixTime) -> Result<(), Error> {
        if now < self.not_before {
            return Err(Error::Certificate(CertificateFault::NotYetValid));
        }
        if self.not_after < now {
            return Err(Error::Certificate(CertificateFault::Expired));
        }
        Ok(())
    }
}

/// The columns of an enrolled signing certificate: all that verifying needs, already parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningCertRow {
    /// SHA-256 over the DER.
    pub thumbprint: Thumbprint,
    /// SHA-1 over the DER.
    pub sha1_thumbprint: [u8; 20],
    /// The key's kind.
    pub key_kind: KeyKind,
    /// The key as signatures are verified with it: for RSA the DER of an RSAPublicKey (RFC 8017 §A.1.1), for a curve
    /// the uncompressed point (SEC 1 §2.3.3; 65, 97 or 133 bytes).
    pub public_key: Vec<u8>,
    /// The first second of its validity.
    pub not_before: UnixTime,
    /// The last second of its validity.
    pub not_after: UnixTime,
    /// The subject as text.
    pub subject: String,
    /// The serial number in hex.
    pub serial: String,
}

/// The time `seconds` after the Unix epoch.
pub(crate) fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}
