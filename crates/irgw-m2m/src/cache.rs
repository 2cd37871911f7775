//! Tokens whose signature was found good, remembered by their full text (bounded in bytes).

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use irgw_core::{Thumbprint, UnixTime};

use crate::token::Claims;
use crate::verify::has_expired;

/// What is remembered of a token: "the signature is good", under which revision of which credential, and the claims.
///
/// Nothing that can change is in here: times, enrolment and revocation are checked at every use.
#[derive(Clone)]
pub(crate) struct Remembered {
    pub(crate) claims: Arc<Claims>,
    pub(crate) thumbprint: Thumbprint,
    pub(crate) revision: u64,
}

/// The remembered tokens, in shards, so that two cores rarely wait for each other.
///
/// The text is hashed once, with a random key, so that nobody can choose tokens that fall together; the hash finds the
/// shard and the slot, and the full text is compared before a slot is believed. `Debug` shows the counts alone: what is
/// remembered are tokens that somebody could use.
pub(crate) struct Cache {
    seed: RandomState,
    shards: Box<[Mutex<Shard>]>,
    shard_limit_bytes: usize,
    skew: Duration,
}

/// What a cache did since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheCounts {
    /// Tokens that were found with their signature remembered.
    pub hits: u64,
    /// Tokens that were not.
    pub misses: u64,
    /// Tokens forgotten to make room, or because they had expired.
    pub evictions: u64,
    /// Tokens remembered now.
    pub entries: usize,
    /// About how much memory they take now, in bytes.
    pub bytes: usize,
}

impl Cache {
    /// A cache of so many bytes, for tokens that are good until `exp` and `skew` have passed.
    pub(crate) fn new(limit_bytes: usize, skew: Duration) -> Cache {
        // A small cache has fewer shards, so that each has room for the longest token.
        let count = (limit_bytes / SHARD_LEAST_BYTES).clamp(1, SHARDS_MOST);
        let shards = (0..count).map(|_| Mutex::new(Shard::default())).collect();
        Cache { seed: RandomState::new(), shards, shard_limit_bytes: limit_bytes / count, skew }
    }

    /// What is remembered of `token`.
    pub(crate) fn find(&self, token: &str) -> Option<Remembered> {
        let hash = self.seed.hash_one(token);
        let mut shard = self.shard(hash);
        let found =
            shard.slots.get(&hash).filter(|slot| *slot.token == *token).map(|slot| slot.known.clone());
        match &found {
            Some(_) => shard.hits += 1,
            None => shard.misses += 1,
        }
        found
    }

    /// Remembers `token`, and forgets what expired and, oldest first, what no longer fits.
    pub(crate) fn remember(&self, token: &str, known: Remembered, now: UnixTime) {
        if cost_bytes(token) > self.shard_limit_bytes {
            return;
        }
        let hash = self.seed.hash_one(token);
        let mut shard = self.shard(hash);
        let slot = Slot { token: token.into(), known };
        match shard.slots.insert(hash, slot) {
            // The slot keeps its place in the queue. Another text is in it only where two had the same hash.
            Some(old) => shard.bytes = shard.bytes + cost_bytes(token) - cost_bytes(&old.token),
            None => {
                shard.bytes += cost_bytes(token);
                shard.queue.push_back(hash);
            }
        }
        while shard.bytes > self.shard_limit_bytes || shard.oldest_has_expired(now, self.skew) {
            shard.forget_oldest();
        }
    }

    pub(crate) fn counts(&self) -> CacheCounts {
        let mut counts = CacheCounts::default();
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

    fn shard(&self, hash: u64) -> MutexGuard<'_, Shard> {
        // The map inside a shard uses the other end of the hash.
        let index = (hash >> 32) as usize % self.shards.len();
        lock(self.shards.get(index).expect("the index is below the number of shards"))
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cache").field(&self.counts()).finish()
    }
}

/// A shard that a panicking thread left behind is whole all the same: no panic can happen between two of its changes.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Default)]
struct Shard {
    slots: HashMap<u64, Slot, BuildHasherDefault<AlreadyHashed>>,
    queue: VecDeque<u64>,
    bytes: usize,
    hits: u64,
    misses: u64,
    evictions: u64,
}

struct Slot {
    token: Box<str>,
    known: Remembered,
}

impl Shard {
    /// Whether the oldest is good no more, by the measure of [`crate::verify`]: until then somebody may use it.
    fn oldest_has_expired(&self, now: UnixTime, skew: Duration) -> bool {
        let oldest = self.queue.front().and_then(|hash| self.slots.get(hash));
        oldest.is_some_and(|slot| has_expired(slot.known.claims.expires_at, now, skew))
    }

    fn forget_oldest(&mut self) {
        let oldest = self.queue.pop_front().and_then(|hash| self.slots.remove(&hash));
        if let Some(slot) = oldest {
            self.bytes -= cost_bytes(&slot.token);
            self.evictions += 1;
        }
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

/// What remembering `token` takes: its text, the claims out of it (never longer than the text), and the slot around them.
fn cost_bytes(token: &str) -> usize {
    2 * token.len() + SLOT_BYTES
}

const SHARDS_MOST: usize = 64;
/// What a shard has at least where there are several: room for the longest token takes 33,152.
const SHARD_LEAST_BYTES: usize = 64 * 1024;
/// A place in the map and in the queue, and the counters and lengths of what is in it, rounded up.
const SLOT_BYTES: usize = 384;
