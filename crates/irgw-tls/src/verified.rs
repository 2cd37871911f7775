//! A client certificate that was verified: what a mutual-TLS connection proves.

use std::fmt;
use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;
use irgw_core::Thumbprint;
use rustls_pki_types::CertificateDer;

use crate::authority::Authority;
use crate::certificate::Facts;
use crate::store::Store;
use crate::{CommonName, Error, IssuerPin};

/// A client certificate whose path met the profile, and whose key the far end proved to hold.
///
/// Only [`crate::ClientTrust`] makes one. It is shared by all connections that present the certificate, and judged
/// again by [`crate::ClientTrust::confirm`] whenever the approved roots or revocation lists change, or time leaves
/// the window in which the last judgement holds.
pub struct VerifiedCert {
    common_name: CommonName,
    facts: Facts,
    /// The certificate, then all that was sent with it when it was verified first.
    pub(crate) chain: Box<[CertificateDer<'static>]>,
    pub(crate) standing: ArcSwap<Standing>,
}

impl VerifiedCert {
    pub(crate) fn new(
        common_name: CommonName,
        facts: Facts,
        chain: Box<[CertificateDer<'static>]>,
        standing: Standing,
    ) -> VerifiedCert {
        VerifiedCert { common_name, facts, chain, standing: ArcSwap::from_pointee(standing) }
    }

    /// The subject's Common Name (TLS-6).
    pub fn common_name(&self) -> &CommonName {
        &self.common_name
    }

    /// Subject, issuer, serial number, thumbprint and validity, for logs.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// SHA-256 over the certificate.
    pub fn thumbprint(&self) -> Thumbprint {
        self.facts.thumbprint
    }

    /// The approved root that the path leads to; `None` when the last judgement refused the certificate.
    pub fn root(&self) -> Option<Arc<str>> {
        self.standing.load().path.as_ref().ok().map(|path| path.root.clone())
    }

    /// The pin of the authority that issued the certificate (TLS-7); `None` when the last judgement refused it.
    pub fn issuer_pin(&self) -> Option<IssuerPin> {
        self.standing.load().path.as_ref().ok().and_then(|path| path.pins.first().copied())
    }

    /// Whether the pin is that of an authority of the verified path, the root included (TLS-7).
    pub fn meets(&self, pin: &IssuerPin) -> bool {
        self.standing.load().path.as_ref().is_ok_and(|path| path.pins.contains(pin))
    }

    /// Whether the certificates of the path that was found good are all among these. If so, the path would be found
    /// again.
    pub(crate) fn is_covered_by(&self, intermediates: &[CertificateDer<'_>]) -> bool {
        let standing = self.standing.load();
        let own = |index: &usize| self.chain.get(index + 1);
        let is_sent = |der: &CertificateDer<'static>| intermediates.iter().any(|sent| **sent == **der);
        let Ok(path) = &standing.path else { return false };
        path.used.iter().all(|index| own(index).is_some_and(is_sent))
    }

    /// Whether exactly these came with it when it was verified first, in any order.
    pub(crate) fn came_with(&self, intermediates: &[CertificateDer<'_>]) -> bool {
        let own = self.chain.get(1..).unwrap_or_default();
        own.iter().all(|der| intermediates.iter().any(|sent| **sent == **der))
            && intermediates.iter().all(|sent| own.iter().any(|der| **sent == **der))
    }

    /// The authorities of the path that was found good, the root aside; none when the last judgement refused it.
    pub(crate) fn authorities(&self) -> Vec<Authority> {
        let standing = self.standing.load();
        let used = standing.path.as_ref().map_or(&[][..], |path| &path.used);
        used.iter().filter_map(|index| self.chain.get(index + 1)).filter_map(Authority::read).collect()
    }

    /// The bytes that this value keeps alive, roughly.
    pub(crate) fn size_bytes(&self) -> usize {
        let chain: usize = self.chain.iter().map(|der| der.len()).sum();
        chain + size_of::<VerifiedCert>() + size_of::<Standing>() + 512
    }
}

impl fmt::Debug for VerifiedCert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedCert").field("facts", &self.facts).finish_non_exhaustive()
    }
}

/// The last judgement of a certificate's path, and what it holds for.
#[derive(Debug)]
pub(crate) struct Standing {
    /// The store it was judged by. A weak reference keeps the address from being used again and the store's content
    /// from being kept.
    pub(crate) store: Weak<Store>,
    /// What came of it.
    pub(crate) path: Result<Path, Refused>,
}

/// A path that was found good.
#[derive(Debug)]
pub(crate) struct Path {
    /// The approved root's name.
    pub(crate) root: Arc<str>,
    /// Its intermediates, by their position among those that were sent.
    pub(crate) used: Box<[usize]>,
    /// The pins of the authorities, from the issuing one to the root.
    pub(crate) pins: Box<[IssuerPin]>,
    /// The window in which every certificate of the path is valid and no revocation list that bears on it has
    /// expired.
    pub(crate) window: Window,
}

/// A refusal, good for the second in which it was made.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) at: u64,
    pub(crate) error: Error,
}

/// An interval of seconds since the Unix epoch, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) from: u64,
    pub(crate) until: u64,
}

impl Window {
    pub(crate) fn contains(self, second: u64) -> bool {
        (self.from..=self.until).contains(&second)
    }

    pub(crate) fn narrowed(self, other: Window) -> Window {
        Window { from: self.from.max(other.from), until: self.until.min(other.until) }
    }
}
