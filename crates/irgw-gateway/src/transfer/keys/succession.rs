//! Which key of a kind is live, which is next, which are old; nothing of this is secret.

use std::fmt;

use irgw_core::UnixTime;
use serde::{Deserialize, Serialize};

/// What is known of a key without opening it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldKey {
    /// As `ssh-keygen -l` or `gpg` prints it.
    pub fingerprint: String,
    /// Its kind, as `ssh-keygen` or `gpg` has it.
    pub algorithm: String,
    /// Since when it has been live, next or old, in seconds since 1970.
    pub since: u64,
    /// When it ends, in seconds since 1970; an SSH key does not.
    pub expires: Option<u64>,
    /// The public half: a line of `authorized_keys`, or an armoured certificate.
    pub public: String,
}

/// What a key is used for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It authenticates, or signs.
    Live,
    /// It is announced, and becomes live at the next rotation. An OpenPGP key already decrypts.
    Next,
    /// It was live. An OpenPGP key still decrypts.
    Old,
}

impl State {
    /// `live`, `next` or `old`.
    pub fn word(self) -> &'static str {
        match self {
            State::Live => "live",
            State::Next => "next",
            State::Old => "old",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The keys of one kind: at most one live, at most one next.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Succession {
    live: Option<HeldKey>,
    next: Option<HeldKey>,
    /// The last that was live comes first.
    old: Vec<HeldKey>,
}

impl Succession {
    /// The live key.
    pub fn live(&self) -> Option<&HeldKey> {
        self.live.as_ref()
    }

    /// The next key.
    pub fn next(&self) -> Option<&HeldKey> {
        self.next.as_ref()
    }

    /// All of them: live, next, old.
    pub fn keys(&self) -> impl Iterator<Item = (State, &HeldKey)> {
        let live = self.live.iter().map(|key| (State::Live, key));
        let next = self.next.iter().map(|key| (State::Next, key));
        live.chain(next).chain(self.old.iter().map(|key| (State::Old, key)))
    }

    /// The state of a key that is held.
    pub fn state(&self, fingerprint: &str) -> Option<State> {
        self.keys().find(|(_, key)| key.fingerprint == fingerprint).map(|(state, _)| state)
    }

    /// Makes `key` live, where none is.
    pub(super) fn begin(&mut self, key: HeldKey) {
        debug_assert!(self.live.is_none());
        self.live = Some(key);
    }

    /// Announces `key`. What was announced before becomes old: somebody may have encrypted to it.
    pub(super) fn announce(&mut self, key: HeldKey, now: UnixTime) {
        let former = self.next.replace(key);
        self.retire(former, now);
    }

    /// The next key becomes live, and the live one old. `false`: there is no next one, and nothing has changed.
    pub(super) fn rotate(&mut self, now: UnixTime) -> bool {
        let Some(mut next) = self.next.take() else { return false };
        next.since = now.as_secs();
        let former = self.live.replace(next);
        self.retire(former, now);
        true
    }

    fn retire(&mut self, key: Option<HeldKey>, now: UnixTime) {
        if let Some(key) = key {
            self.old.insert(0, HeldKey { since: now.as_secs(), ..key });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn key(fingerprint: &str) -> HeldKey {
        HeldKey {
            fingerprint: fingerprint.into(),
            algorithm: String::new(),
            since: 0,
            expires: None,
            public: String::new(),
        }
    }

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    fn shown(succession: &Succession) -> String {
        let keys = succession.keys().map(|(state, key)| format!("{state} {}@{}", key.fingerprint, key.since));
        keys.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn next_key_becomes_live_and_the_live_one_old() {
        let mut keys = Succession::default();
        assert!(!keys.rotate(at(1)));
        keys.begin(key("a"));
        assert!(!keys.rotate(at(1)));
        keys.announce(key("b"), at(2));
        assert_eq!(shown(&keys), "live a@0, next b@0");
        assert!(keys.rotate(at(3)));
        assert_eq!(shown(&keys), "live b@3, old a@3");
        keys.announce(key("c"), at(4));
        keys.rotate(at(5));
        assert_eq!(shown(&keys), "live c@5, old b@5, old a@3");
        assert_eq!(keys.state("b"), Some(State::Old));
    }

    #[test]
    fn announced_key_that_is_replaced_is_not_lost() {
        let mut keys = Succession::default();
        keys.begin(key("a"));
        keys.announce(key("b"), at(1));
        keys.announce(key("c"), at(2));
        assert_eq!(shown(&keys), "live a@0, next c@0, old b@2");
    }

    proptest::proptest! {
        /// Whatever is done, in whatever order: no key is lost or doubled, and there is always a live one.
        #[test]
        fn no_key_is_lost(announced in proptest::collection::vec(proptest::bool::ANY, 0..20)) {
            let mut keys = Succession::default();
            keys.begin(key("0"));
            let mut made = vec!["0".to_owned()];
            for (time, is_announced) in (1..).zip(announced) {
                if is_announced {
                    made.push(time.to_string());
                    keys.announce(key(&time.to_string()), at(time));
                } else {
                    keys.rotate(at(time));
                }
                let mut held: Vec<_> = keys.keys().map(|(_, key)| key.fingerprint.clone()).collect();
                held.sort();
                made.sort();
                proptest::prop_assert_eq!(&held, &made);
                proptest::prop_assert!(keys.live().is_some());
            }
        }
    }
}
