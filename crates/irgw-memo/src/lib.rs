//! Texts that come again, and what was found out about them: a map in shards, bounded in bytes.
//!
//! ```text
//!   text ── one hash, randomly keyed ──► shard ──► slot ──► the full text is compared ──► the value
//! ```
//!
//! It is made for tokens, whose signature is worth checking once: by a resource owner's key, or by the
//! authorization server's. It knows nothing of either. What may change (times, enrolment,
//! revocation) does not belong in a value, and is for the caller to check at every use.
//!
//! ```
//! use irgw_memo::Memo;
//!
//! let memo = Memo::new(64 * 1024);
//! assert_eq!(memo.find("a.b.c"), None);
//! memo.remember("a.b.c", 7, |_| false);
//! assert_eq!(memo.find("a.b.c"), Some(7));
//! assert_eq!((memo.counts().hits, memo.counts().misses), (1, 1));
//! ```

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The remembered texts, in shards, so that two cores rarely wait for each other.
///
/// The text is hashed once, with a random key, so that nobody can choose texts that fall together; the hash finds the
/// shard and the slot, and the full text is compared before a slot is believed. `Debug` shows the counts alone: what is
/// remembered may be tokens that somebody could use.
pub struct Memo<V> {
    seed: RandomState,
    shards: Box<[Mutex<Shard<V>>]>,
    shard_limit_bytes: usize,
}

/// What a memo did since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Texts that were found.
    pub hits: u64,
    /// Texts that were not.
    pub misses: u64,
    /// Texts forgotten to make room, or because they were over.
    pub evictions: u64,
    /// Texts remembered now.
    pub entries: usize,
    /// About how much memory they take now, in bytes.
    pub bytes: usize,
}

impl<V: Clone> Memo<V> {
    /// A memo of so many bytes; 0 remembers nothing. A text counts twice and 384 bytes more: a value is not to take more than its
    /// text and a few counters.
    pub fn new(limit_bytes: usize) -> Memo<V> {
        // A small memo has fewer shards, so that each has room for the longest token.
        let count = (limit_bytes / SHARD_LEAST_BYTES).clamp(1, SHARDS_MOST);
        let shards = (0..count).map(|_| Mutex::new(Shard::default())).collect();
        Memo { seed: RandomState::new(), shards, shard_limit_bytes: limit_bytes / count }
    }

    /// What is remembered of `text`.
    pub fn find(&self, text: &str) -> Option<V> {
        let hash = self.seed.hash_one(text);
        let mut shard = self.shard(hash);
        let found = shard.slots.get(&hash).filter(|slot| *slot.text == *text).map(|slot| slot.value.clone());
        match &found {
            Some(_) => shard.hits += 1,
            None => shard.misses += 1,
        }
        found
    }

    /// Remembers `text`, and forgets what `is_over` and, oldest first, what no longer fits.
    pub fn remember(&self, text: &str, value: V, is_over: impl Fn(&V) -> bool) {
        if cost_bytes(text) > self.shard_limit_bytes {
            return;
        }
        let hash = self.seed.hash_one(text);
        let mut shard = self.shard(hash);
        let slot = Slot { text: text.into(), value };
        match shard.slots.insert(hash, slot) {
            // The slot keeps its place in the queue. Another text is in it only where two had the same hash.
            Some(old) => shard.bytes = shard.bytes + cost_bytes(text) - cost_bytes(&old.text),
            None => {
                shard.bytes += cost_bytes(text);
                shard.queue.push_back(hash);
            }
        }
        while shard.bytes > self.shard_limit_bytes || shard.is_oldest_over(&is_over) {
            shard.forget_oldest();
        }
    }

    /// How it is doing, for metrics.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for shard in &self.shards {
            let shard = lock(shard);
            counts.hits += shard.hits;
            counts.misses += shard.misses;
            counts.evictions += shard.evictions;
            counts.entries += shard.slots.len();
            counts.bytes += shard.bytes;
        }
        counts
    }

    fn shard(&self, hash: u64) -> MutexGuard<'_, Shard<V>> {
        // The map inside a shard uses the other end of the hash.
        let index = (hash >> 32) as usize % self.shards.len();
        lock(self.shards.get(index).expect("the index is below the number of shards"))
    }
}

impl<V: Clone> fmt::Debug for Memo<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Memo").field(&self.counts()).finish()
    }
}

/// A shard that a panicking thread left behind is whole all the same: no panic can happen between two of its changes.
fn lock<V>(shard: &Mutex<Shard<V>>) -> MutexGuard<'_, Shard<V>> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Shard<V> {
    slots: HashMap<u64, Slot<V>, BuildHasherDefault<AlreadyHashed>>,
    queue: VecDeque<u64>,
    bytes: usize,
    hits: u64,
    misses: u64,
    evictions: u64,
}

struct Slot<V> {
    text: Box<str>,
    value: V,
}

impl<V> Shard<V> {
    /// Whether the oldest will not be asked for again: until then somebody may use it.
    fn is_oldest_over(&self, is_over: impl Fn(&V) -> bool) -> bool {
        let oldest = self.queue.front().and_then(|hash| self.slots.get(hash));
        oldest.is_some_and(|slot| is_over(&slot.value))
    }

    fn forget_oldest(&mut self) {
        let oldest = self.queue.pop_front().and_then(|hash| self.slots.remove(&hash));
        if let Some(slot) = oldest {
            self.bytes -= cost_bytes(&slot.text);
            self.evictions += 1;
        }
    }
}

impl<V> Default for Shard<V> {
    fn default() -> Shard<V> {
        let (slots, queue) = (HashMap::default(), VecDeque::new());
        Shard { slots, queue, bytes: 0, hits: 0, misses: 0, evictions: 0 }
    }
}

/// The keys of a shard are hashes already.
#[derive(Default)]
struct AlreadyHashed(u64);

impl Hasher for AlreadyHashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// What remembering `text` takes: itself, what is made of it (never longer than the text), and the slot around them.
fn cost_bytes(text: &str) -> usize {
    2 * text.len() + SLOT_BYTES
}

const SHARDS_MOST: usize = 64;
/// What a shard has at least where there are several: room for the longest client-signed JWT takes 33,152.
const SHARD_LEAST_BYTES: usize = 64 * 1024;
/// A place in the map and in the queue, and the counters and lengths of what is in it, rounded up.
const SLOT_BYTES: usize = 384;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oldest_goes_first_and_the_bytes_stay_within_the_limit() {
        let memo = Memo::new(SHARD_LEAST_BYTES);
        let text = |number: usize| format!("{number:0>100}");
        for number in 0..1000 {
            memo.remember(&text(number), number, |_| false);
            assert!(memo.counts().bytes <= SHARD_LEAST_BYTES);
        }
        assert_eq!(memo.find(&text(999)), Some(999));
        assert_eq!(memo.find(&text(0)), None);
        let counts = memo.counts();
        assert_eq!(counts.entries as u64 + counts.evictions, 1000);
    }

    #[test]
    fn what_is_over_makes_room_and_what_is_not_stays() {
        let memo = Memo::new(SHARD_LEAST_BYTES);
        memo.remember("a", 1, |_| false);
        memo.remember("b", 2, |until| *until < 2);
        assert_eq!((memo.find("a"), memo.find("b")), (None, Some(2)));
    }

    #[test]
    fn memo_without_room_remembers_nothing() {
        let memo = Memo::new(0);
        memo.remember("a", (), |_| false);
        assert_eq!(memo.find("a"), None);
    }

    #[test]
    fn debug_shows_no_text() {
        let memo = Memo::new(SHARD_LEAST_BYTES);
        memo.remember("secret", (), |_| false);
        assert!(!format!("{memo:?}").contains("secret"));
    }
}
