//! The certificates that were verified lately, so that the next handshake of the same client costs a digest.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use irgw_core::Thumbprint;

use crate::VerifiedCert;

/// Verified certificates by thumbprint; bounded in bytes.
///
/// What came with a certificate is no part of the key, so that nobody who has one good certificate can have its path
/// judged again and again by sending different others along. That the certificates of the path were sent is for
/// [`VerifiedCert::is_covered_by`] to say.
///
/// Two generations: when the young one is full the old one is dropped and the young one becomes the old, and what is
/// asked for again moves back. Nothing is kept of a refusal, so whoever has no certificate that verifies fills no
/// memory.
#[derive(Debug)]
pub(crate) struct Memo {
    limit_bytes: usize,
    generations: Mutex<Generations>,
}

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Thumbprint, Arc<VerifiedCert>>,
    young_bytes: usize,
    old: HashMap<Thumbprint, Arc<VerifiedCert>>,
}

impl Memo {
    /// A memo of at most about twice this many bytes.
    pub(crate) fn new(limit_bytes: usize) -> Memo {
        Memo { limit_bytes, generations: Mutex::default() }
    }

    pub(crate) fn find(&self, thumbprint: &Thumbprint) -> Option<Arc<VerifiedCert>> {
        let mut generations = self.lock();
        if let Some(found) = generations.young.get(thumbprint) {
            return Some(found.clone());
        }
        let found = generations.old.remove(thumbprint)?;
        generations.keep(found.clone(), self.limit_bytes);
        Some(found)
    }

    pub(crate) fn insert(&self, cert: Arc<VerifiedCert>) {
        self.lock().keep(cert, self.limit_bytes);
    }

    /// All that is remembered.
    pub(crate) fn all(&self) -> Vec<Arc<VerifiedCert>> {
        let generations = self.lock();
        generations.young.values().chain(generations.old.values()).cloned().collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Generations> {
        // The maps are whole after every step, so a panic elsewhere under the lock leaves nothing half done.
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn keep(&mut self, cert: Arc<VerifiedCert>, limit_bytes: usize) {
        let size_bytes = cert.size_bytes();
        if self.young_bytes + size_bytes > limit_bytes {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += size_bytes;
        if let Some(former) = self.young.insert(cert.thumbprint(), cert) {
            self.young_bytes -= former.size_bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Weak;

    use super::*;
    use crate::CommonName;
    use crate::certificate::Facts;
    use crate::verified::{Path, Standing, Window};

    fn cert(number: u8) -> Arc<VerifiedCert> {
        let text: Arc<str> = "CN=a".into();
        let facts = Facts {
            subject: text.clone(),
            issuer: text.clone(),
            serial: text.clone(),
            thumbprint: Thumbprint([number; 32]),
            not_before: 0,
            not_after: 1,
        };
        let window = Window { from: 0, until: 1 };
        let path = Path { root: text, used: Box::default(), pins: Box::default(), window };
        let name = CommonName::parse("a").unwrap();
        let chain = Box::from([vec![number; 1000].into()]);
        Arc::new(VerifiedCert::new(name, facts, chain, Standing { store: Weak::new(), path: Ok(path) }))
    }

    #[test]
    fn what_is_asked_for_stays_and_what_is_not_goes() {
        let memo = Memo::new(4 * cert(0).size_bytes());
        memo.insert(cert(0));
        for number in 1..=100 {
            memo.insert(cert(number));
            assert!(memo.find(&Thumbprint([0; 32])).is_some(), "after {number} others");
        }
        let kept = (1..=100).filter(|number| memo.find(&Thumbprint([*number; 32])).is_some()).count();
        assert!((1..=8).contains(&kept), "{kept} of 100 others are kept");
    }

    #[test]
    fn the_same_certificate_again_takes_no_more_room() {
        let memo = Memo::new(4 * cert(0).size_bytes());
        memo.insert(cert(7));
        (0..100).for_each(|_| memo.insert(cert(0)));
        assert!(memo.find(&Thumbprint([7; 32])).is_some());
    }
}
