//! Vertices in the one order that is the same on every node: by Lamport time, then by id.
//!
//! Because a vertex has a greater Lamport time than its parents, this is a causal order, whatever
//! order things arrived in. Replicas that hold the same vertices have the same timeline, place by
//! place, which is what reconciliation by ranges needs ([`crate::sync::negentropy`]).
//!
//! The structure is a B-tree of two levels: sorted leaves of at most [`LEAF_KEYS_MAX`] keys, each
//! with the sum of its ids. New vertices mostly go to the end, where insertion is O(1); anywhere
//! else it moves one leaf. A place, a rank or a sum over any range costs one pass over the leaves
//! and one over two of them, some hundred additions for 10^5 vertices, where the plain vector of
//! the reference adds up the whole range. Taking out moves one leaf as well.

use std::ops::Range;

use super::VertexId;

/// Keys of one leaf (count): near the square root of the most vertices a node holds, where the
/// pass over the leaves and the pass within two of them cost the same. A full leaf is halved.
const LEAF_KEYS_MAX: usize = 512;

/// The place of a vertex in time: everything behind it comes before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Its Lamport time.
    pub lamport: u64,
    /// Its name, which decides among equal times.
    pub id: VertexId,
}

/// A sum of ids as little-endian numbers, modulo 2^256.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum([u64; 4]);

/// The ordered set of vertices.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    /// None is empty, and each is before the next.
    leaves: Vec<Leaf>,
    len: usize,
}

#[derive(Clone, Debug)]
struct Leaf {
    keys: Vec<Key>,
    sum: Sum,
}

impl Sum {
    /// Adds 32 bytes, least significant first.
    pub fn add(&mut self, bytes: &[u8; 32]) {
        self.add_sum(Self::of(bytes));
    }

    /// Takes 32 bytes away again, least significant first.
    fn subtract(&mut self, bytes: &[u8; 32]) {
        // Two's complement: minus a number is all its bits turned round, and one.
        let Self(words) = Self::of(bytes);
        self.add_sum(Self(words.map(|word| !word)));
        self.add_sum(Self([1, 0, 0, 0]));
    }

    fn of(bytes: &[u8; 32]) -> Self {
        let (words, _) = bytes.as_chunks::<8>();
        let mut sum = [0; 4];
        for (word, bytes) in sum.iter_mut().zip(words) {
            *word = u64::from_le_bytes(*bytes);
        }
        Self(sum)
    }

    /// The 32 bytes, least significant first.
    pub fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        let (words, _) = bytes.as_chunks_mut::<8>();
        for (bytes, word) in words.iter_mut().zip(self.0) {
            *bytes = word.to_le_bytes();
        }
        bytes
    }

    fn add_sum(&mut self, other: Self) {
        let mut carry = false;
        for (word, other) in self.0.iter_mut().zip(other.0) {
            let (sum, first) = word.overflowing_add(other);
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            (*word, carry) = (sum, first || second);
        }
    }
}

impl Timeline {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Enters a vertex; `false` when it is there already.
    pub fn insert(&mut self, key: Key) -> bool {
        let place = self.leaves.partition_point(|leaf| leaf.first() <= Some(key));
        let place = place.saturating_sub(1);
        let Some(leaf) = self.leaves.get_mut(place) else {
            self.leaves.push(Leaf::of(vec![key]));
            self.len = 1;
            return true;
        };
        let Err(within) = leaf.keys.binary_search(&key) else { return false };
        leaf.keys.insert(within, key);
        leaf.sum.add(&key.id.0.0);
        self.len += 1;
        if leaf.keys.len() > LEAF_KEYS_MAX {
            self.halve(place, within);
        }
        true
    }

    /// Takes a vertex out; `false` when it is not there.
    pub fn remove(&mut self, key: &Key) -> bool {
        let after = self.leaves.partition_point(|leaf| leaf.first() <= Some(*key));
        let Some(place) = after.checked_sub(1) else { return false };
        let Some(leaf) = self.leaves.get_mut(place) else { return false };
        let Ok(within) = leaf.keys.binary_search(key) else { return false };
        leaf.keys.remove(within);
        leaf.sum.subtract(&key.id.0.0);
        self.len -= 1;
        if leaf.keys.is_empty() {
            self.leaves.remove(place);
        }
        true
    }

    /// Number of vertices.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The vertex at a place, counted from the oldest.
    pub fn get(&self, place: usize) -> Option<Key> {
        self.range(place..place.saturating_add(1)).next()
    }

    /// How many vertices come before `key`, whether it is one of them or not.
    pub fn rank(&self, key: &Key) -> usize {
        let after = self.leaves.partition_point(|leaf| leaf.first() <= Some(*key));
        let Some(last) = after.checked_sub(1) else { return 0 };
        let before: usize = self.leaves.iter().take(last).map(|leaf| leaf.keys.len()).sum();
        let within = self.leaves.get(last);
        before + within.map_or(0, |leaf| leaf.keys.partition_point(|other| other < key))
    }

    /// The vertices at these places, the oldest first. Places beyond the end are empty.
    pub fn range(&self, places: Range<usize>) -> impl Iterator<Item = Key> {
        let (mut first, mut skip) = (0, places.start);
        for leaf in &self.leaves {
            if skip < leaf.keys.len() {
                break;
            }
            skip -= leaf.keys.len();
            first += 1;
        }
        let leaves = self.leaves.get(first..).unwrap_or_default();
        let keys = leaves.iter().flat_map(|leaf| &leaf.keys).copied();
        keys.skip(skip).take(places.end.saturating_sub(places.start))
    }

    /// All vertices, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = Key> {
        self.leaves.iter().flat_map(|leaf| &leaf.keys).copied()
    }

    /// The sum of the ids at these places.
    pub fn sum(&self, places: Range<usize>) -> Sum {
        let mut sum = Sum::default();
        let mut start = 0;
        for leaf in &self.leaves {
            let end = start + leaf.keys.len();
            if start >= places.end {
                break;
            }
            let within = places.start.max(start)..places.end.min(end);
            if within == (start..end) {
                sum.add_sum(leaf.sum);
            } else if within.start < within.end {
                let keys = leaf.keys.get(within.start - start..within.end - start);
                keys.unwrap_or_default().iter().for_each(|key| sum.add(&key.id.0.0));
            }
            start = end;
        }
        sum
    }

    /// Makes two leaves of a full one. What was added at its end is expected to go on there, so
    /// that a history that only grows fills its leaves.
    fn halve(&mut self, place: usize, added: usize) {
        let Some(leaf) = self.leaves.get_mut(place) else { return };
        let at = if added == LEAF_KEYS_MAX { added } else { leaf.keys.len() / 2 };
        let upper = Leaf::of(leaf.keys.split_off(at));
        *leaf = Leaf::of(std::mem::take(&mut leaf.keys));
        self.leaves.insert(place + 1, upper);
    }
}

impl Leaf {
    fn of(keys: Vec<Key>) -> Self {
        let mut sum = Sum::default();
        for key in &keys {
            sum.add(&key.id.0.0);
        }
        Self { keys, sum }
    }

    fn first(&self) -> Option<Key> {
        self.keys.first().copied()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::crypto::hash::Digest;
    use crate::rng::Rng;

    fn key(lamport: u64, rng: &mut Rng) -> Key {
        let mut id = [0; 32];
        rng.fill(&mut id);
        Key { lamport, id: VertexId(Digest(id)) }
    }

    /// Addition byte by byte, as at school.
    fn plain_sum(keys: &[Key]) -> [u8; 32] {
        let mut sum = [0_u8; 32];
        for key in keys {
            let mut carry = 0_u16;
            for (byte, other) in sum.iter_mut().zip(key.id.0.0) {
                carry += u16::from(*byte) + u16::from(other);
                *byte = carry.to_le_bytes()[0];
                carry >>= 8;
            }
        }
        sum
    }

    #[test]
    fn carries_go_through_all_words_and_the_last_one_is_dropped() {
        let mut sum = Sum::default();
        sum.add(&[0xff; 32]);
        let mut one = [0; 32];
        one[0] = 2;
        sum.add(&one);
        let mut expected = [0; 32];
        expected[0] = 1;
        assert_eq!(sum.to_bytes(), expected);
    }

    #[test]
    fn nothing_is_entered_twice() {
        let mut timeline = Timeline::new();
        let key = key(3, &mut Rng::from_u64(1));
        assert!(timeline.insert(key));
        assert!(!timeline.insert(key));
        assert_eq!((timeline.len(), timeline.iter().count()), (1, 1));
    }

    #[test]
    fn a_history_that_only_grows_fills_its_leaves() {
        let (mut timeline, mut rng) = (Timeline::new(), Rng::from_u64(1));
        for lamport in 0..10_000 {
            timeline.insert(key(lamport, &mut rng));
        }
        assert_eq!(timeline.leaves.len(), 10_000_usize.div_ceil(LEAF_KEYS_MAX));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn every_question_has_the_answer_of_a_sorted_list(
            seed: u64,
            count in 0_usize..4_000,
            spread in 1_u32..5_000,
        ) {
            let mut rng = Rng::from_u64(seed);
            let (mut timeline, mut plain) = (Timeline::new(), BTreeSet::new());
            for _ in 0..count {
                let key = key(u64::from(rng.below(spread)), &mut rng);
                prop_assert_eq!(timeline.insert(key), plain.insert(key));
                if rng.below(4) == 0 {
                    let key = *plain.range(key..).next_back().unwrap_or(&key);
                    prop_assert_eq!(timeline.remove(&key), plain.remove(&key));
                    prop_assert!(!timeline.remove(&key));
                }
            }
            prop_assert_eq!(timeline.len(), plain.len());
            let count = plain.len();
            let plain: Vec<Key> = plain.into_iter().collect();
            prop_assert!(timeline.iter().eq(plain.iter().copied()));
            for _ in 0..20 {
                let most = u32::try_from(count).unwrap() + 2;
                let mut pick = || usize::try_from(rng.below(most)).unwrap();
                let (one, other) = (pick(), pick());
                let (start, end) = (one.min(other).min(count), one.max(other).min(count));
                prop_assert!(timeline.range(start..end).eq(plain[start..end].iter().copied()));
                prop_assert_eq!(timeline.sum(start..end).to_bytes(), plain_sum(&plain[start..end]));
                prop_assert_eq!(timeline.get(one), plain.get(one).copied());
                let key = key(u64::from(rng.below(spread)), &mut rng);
                prop_assert_eq!(timeline.rank(&key), plain.partition_point(|other| *other < key));
                let Some(there) = plain.get(start) else { continue };
                prop_assert_eq!(timeline.rank(there), start);
            }
        }
    }
}
