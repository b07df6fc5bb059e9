//! Keys that wait for a decision, ordered by how long they have.
//!
//! What time leads to is found without looking at every key: O(log n) per change and per question.

use std::collections::{BTreeMap, BTreeSet};

use crate::dag::vote::ConflictKey;

/// Keys with candidates.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// Since when each waits (monotonic milliseconds).
    since_ms: BTreeMap<ConflictKey, u64>,
    by_time: BTreeSet<(u64, ConflictKey)>,
    /// Those that this member has not reported.
    unreported: BTreeSet<(u64, ConflictKey)>,
    /// Those that a quorum has reported, and since when: the slow path may decide them.
    contested: BTreeMap<ConflictKey, u64>,
}

impl Pending {
    /// Keys (count).
    pub(super) fn len(&self) -> usize {
        self.since_ms.len()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &ConflictKey> {
        self.since_ms.keys()
    }

    /// Since when a key waits, if it does.
    pub(super) fn since_ms(&self, key: &ConflictKey) -> Option<u64> {
        self.since_ms.get(key).copied()
    }

    /// Since when each key waits, the oldest first.
    pub(super) fn oldest(&self) -> impl Iterator<Item = (u64, &ConflictKey)> {
        self.by_time.iter().map(|(since, key)| (*since, key))
    }

    /// The same among keys that this member has not reported.
    pub(super) fn oldest_unreported_ms(&self) -> Option<u64> {
        self.unreported.first().map(|(since, _)| *since)
    }

    /// Keys that wait since this time or longer and that this member has not reported.
    pub(super) fn unreported(&self, until_ms: u64) -> impl Iterator<Item = ConflictKey> {
        let old = self.unreported.iter().take_while(move |(since, _)| *since <= until_ms);
        old.map(|(_, key)| *key)
    }

    /// Keys that the slow path may decide, and since when it may.
    pub(super) fn contested(&self) -> impl Iterator<Item = (&ConflictKey, u64)> {
        self.contested.iter().map(|(key, since)| (key, *since))
    }

    /// A key waits from now on, unless it does already.
    pub(super) fn begin(&mut self, key: ConflictKey, now_ms: u64, reported: bool) {
        if self.since_ms.contains_key(&key) {
            return;
        }
        self.since_ms.insert(key, now_ms);
        self.by_time.insert((now_ms, key));
        if !reported {
            self.unreported.insert((now_ms, key));
        }
    }

    /// A key waits no more.
    pub(super) fn end(&mut self, key: &ConflictKey) {
        if let Some(since) = self.since_ms.remove(key) {
            self.by_time.remove(&(since, *key));
            self.unreported.remove(&(since, *key));
            self.contested.remove(key);
        }
    }

    /// A quorum has reported a key.
    pub(super) fn contest(&mut self, key: &ConflictKey, now_ms: u64) {
        if self.since_ms.contains_key(key) {
            self.contested.entry(*key).or_insert(now_ms);
        }
    }

    /// This member has reported a key.
    pub(super) fn reported(&mut self, key: &ConflictKey) {
        if let Some(since) = self.since_ms.get(key) {
            self.unreported.remove(&(*since, *key));
        }
    }

    /// Time begins anew for every key, and nothing was reported.
    pub(super) fn restart(&mut self, now_ms: u64) {
        let keys: Vec<ConflictKey> = self.since_ms.keys().copied().collect();
        *self = Self::default();
        for key in keys {
            self.begin(key, now_ms, false);
        }
    }
}
