//! The keys of the identity tokens while one succeeds another (GW-3, G06).

use std::sync::Arc;
use std::time::Duration;

use irgw_core::UnixTime;
use irgw_m2m::DEFAULT_SKEW;
use irgw_m2m::identity::{IdentityKey, Jwks, PublicJwk};

/// One key signs. Its successor is published for one lifetime of a token before it signs, so that no backing service
/// meets a key that it had no time to fetch; the former stays published until its last token has expired, and no longer.
#[derive(Debug)]
pub(crate) struct IdentityKeys {
    lifetime: Duration,
    signing: Arc<IdentityKey>,
    /// The successor, and since when it signs, in seconds since the epoch.
    announced: Option<(Arc<IdentityKey>, u64)>,
    /// Those that signed before, and until when they are published.
    former: Vec<(PublicJwk, u64)>,
}

impl IdentityKeys {
    /// `key` signs, tokens of this lifetime.
    pub(crate) fn new(key: Arc<IdentityKey>, lifetime: Duration) -> IdentityKeys {
        IdentityKeys { lifetime, signing: key, announced: None, former: Vec::new() }
    }

    /// The one that signs.
    pub(crate) fn signing(&self) -> &Arc<IdentityKey> {
        &self.signing
    }

    /// Publishes `key` as the next one. The one that signs already takes back what was announced.
    pub(crate) fn announce(&mut self, key: Arc<IdentityKey>, now: UnixTime) {
        let from = now.as_secs().saturating_add(self.lifetime.as_secs());
        self.announced = (key.public() != self.signing.public()).then_some((key, from));
    }

    /// Lets what was announced sign when its time has come, and drops what has served. Says whether another key signs.
    pub(crate) fn turn(&mut self, now: UnixTime) -> bool {
        let now = now.as_secs();
        self.former.retain(|(_, until)| now < *until);
        let Some((next, _)) = self.announced.take_if(|(_, from)| *from <= now) else { return false };
        let until = now.saturating_add((self.lifetime + DEFAULT_SKEW).as_secs());
        let former = std::mem::replace(&mut self.signing, next);
        self.former.retain(|(key, _)| key != self.signing.public());
        self.former.push((former.public().clone(), until));
        true
    }

    /// All that a backing service may meet now, or soon.
    pub(crate) fn published(&self) -> Jwks {
        let mut keys = vec![self.signing.public()];
        keys.extend(self.announced.iter().map(|(key, _)| key.public()));
        for (key, _) in &self.former {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        Jwks::of(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Arc<IdentityKey> {
        Arc::new(IdentityKey::generate().unwrap().0)
    }

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    fn published(keys: &IdentityKeys) -> Vec<String> {
        keys.published().keys().iter().map(|key| key.id().to_owned()).collect()
    }

    fn id(key: &Arc<IdentityKey>) -> String {
        key.public().id().to_owned()
    }

    /// G06: published before it signs, and after it signed for as long as its last token can be accepted.
    #[test]
    fn successor_is_announced_and_the_former_outlives_its_tokens() {
        let (first, second) = (key(), key());
        let mut keys = IdentityKeys::new(first.clone(), Duration::from_secs(300));
        keys.announce(second.clone(), at(1_000));
        assert!(!keys.turn(at(1_299)));
        assert_eq!(keys.signing().public(), first.public());
        assert_eq!(published(&keys), [id(&first), id(&second)]);
        assert!(keys.turn(at(1_300)));
        assert_eq!(keys.signing().public(), second.public());
        let last_accepted = 1_300 + 300 + DEFAULT_SKEW.as_secs() - 1;
        assert!(!keys.turn(at(last_accepted)));
        assert_eq!(published(&keys), [id(&second), id(&first)]);
        assert!(!keys.turn(at(last_accepted + 1)));
        assert_eq!(published(&keys), [id(&second)]);
    }

    /// A file that was put back takes the announcement back; another one takes its place, and its time begins anew.
    #[test]
    fn announcement_can_be_taken_back_and_replaced() {
        let (first, second, third) = (key(), key(), key());
        let mut keys = IdentityKeys::new(first.clone(), Duration::from_secs(300));
        keys.announce(second, at(1_000));
        keys.announce(first.clone(), at(1_100));
        assert_eq!(published(&keys), [id(&first)]);
        assert!(!keys.turn(at(2_000)));
        keys.announce(third.clone(), at(2_000));
        assert!(!keys.turn(at(2_299)));
        assert!(keys.turn(at(2_300)));
        assert_eq!(keys.signing().public(), third.public());
    }

    /// A key that returns within its afterlife is published once, not twice.
    #[test]
    fn former_key_may_return() {
        let (first, second) = (key(), key());
        let mut keys = IdentityKeys::new(first.clone(), Duration::from_secs(10));
        keys.announce(second.clone(), at(0));
        assert!(keys.turn(at(10)));
        keys.announce(first.clone(), at(11));
        assert_eq!(published(&keys), [id(&second), id(&first)]);
        assert!(keys.turn(at(21)));
        assert_eq!(published(&keys), [id(&first), id(&second)]);
    }
}
