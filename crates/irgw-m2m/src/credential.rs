//! An enrolled signing certificate, and the look-up that finds it.

use std::fmt::Debug;
use std::sync::Arc;

use irgw_core::{Missing, OwnerId, Thumbprint};

use crate::SigningCert;

/// An enrolled signing certificate: what a token's `sub` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// The certificate.
    pub cert: SigningCert,
    /// The value agreed for `iss` (M2M-5).
    pub issuer: Arc<str>,
    /// The resource owner who signs with it (M2M-9).
    pub owner: OwnerId,
    /// Changes whenever anything of the enrolment changes; a verified token is only remembered for one revision.
    pub revision: u64,
    /// Whether `sub` may name it by its SHA-1 thumbprint.
    pub legacy_sha1: LegacySha1,
}

/// Whether a SHA-1 thumbprint is taken as `sub` (M2M-3: `legacy_sha1_thumbprint`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LegacySha1 {
    /// It is refused.
    #[default]
    Refused,
    /// The operator turned it on.
    Accepted,
}

/// Finds enrolled signing certificates. The answer is the same for the whole of one judgement: implement it over an
/// immutable snapshot, without I/O and without waiting (M2M-11).
pub trait SigningCerts: Debug + Send + Sync + 'static {
    /// The credential whose certificate has this SHA-256 thumbprint.
    ///
    /// # Errors
    /// Why there is none that may be used here.
    fn by_sha256(&self, thumbprint: &Thumbprint) -> Result<Arc<Credential>, Missing>;

    /// The credential whose certificate has this SHA-1 thumbprint. Only asked where that spelling is turned on for
    /// all credentials, or to learn whether it is for this one.
    ///
    /// # Errors
    /// Why there is none that may be used here.
    fn by_sha1(&self, thumbprint: &[u8; 20]) -> Result<Arc<Credential>, Missing>;
}
