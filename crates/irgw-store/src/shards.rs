//! A map in shards that share what did not change: a change copies one shard, not the map.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;

/// A map from `K` to `V` in 256 shards by the hash of the key.
///
/// A clone shares every shard; [`Shards::insert`] copies the one shard that it changes if another clone holds it too.
/// Keys of a look-up come from callers, so the hash is randomly keyed.
#[derive(Debug)]
pub(crate) struct Shards<K, V> {
    shards: Box<[Arc<HashMap<K, V, RandomState>>]>,
    hasher: RandomState,
}

impl<K: Hash + Eq + Clone, V: Clone> Shards<K, V> {
    /// An empty map with room for about `expected` entries.
    pub(crate) fn with_room_for(expected: usize) -> Shards<K, V> {
        let hasher = RandomState::new();
        // An eighth more, because keys do not spread evenly.
        let room = (expected + expected / 8) / COUNT;
        let shard = |_| Arc::new(HashMap::with_capacity_and_hasher(room, hasher.clone()));
        Shards { shards: (0..COUNT).map(shard).collect(), hasher }
    }

    /// The value of a key.
    pub(crate) fn find<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.shards.get(self.place(key))?.get(key)
    }

    /// Sets the value of a key.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        let place = self.place(&key);
        let shard = self.shards.get_mut(place).expect("a place is less than the number of shards");
        Arc::make_mut(shard).insert(key, value);
    }

    /// The value of a key, to be changed; a default one where there was none.
    pub(crate) fn entry(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        let place = self.place(&key);
        let shard = self.shards.get_mut(place).expect("a place is less than the number of shards");
        Arc::make_mut(shard).entry(key).or_default()
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.len()).sum()
    }

    fn place<Q: Hash + ?Sized>(&self, key: &Q) -> usize {
        // The upper bits, because the shard's own table places by the lower ones.
        (self.hasher.hash_one(key) >> 48) as usize % COUNT
    }
}

impl<K, V> Clone for Shards<K, V> {
    fn clone(&self) -> Shards<K, V> {
        Shards { shards: self.shards.clone(), hasher: self.hasher.clone() }
    }
}

/// How many shards: of 1,000,000 entries a change copies 4,000.
const COUNT: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn change_copies_one_shard_and_leaves_other_clones_as_they_were() {
        let mut before = Shards::with_room_for(0);
        (0..10_000).for_each(|key| before.insert(key, key));
        let mut after = before.clone();
        after.insert(77, 0);
        assert_eq!((before.find(&77), after.find(&77)), (Some(&77), Some(&0)));
        let copied = before.shards.iter().zip(&after.shards).filter(|(a, b)| !Arc::ptr_eq(a, b)).count();
        assert_eq!(copied, 1);
        assert_eq!(after.len(), 10_000);
    }

    #[test]
    fn keys_spread_over_all_shards() {
        let mut map = Shards::with_room_for(0);
        (0..100_000).for_each(|key| map.insert(key, ()));
        assert!(map.shards.iter().all(|shard| (200..600).contains(&shard.len())));
    }
}
