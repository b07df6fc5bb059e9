//! Fork choice: which of several chains of aggregates is the run's.
//!
//! Anybody may propose an aggregate, so a round can have several, and a partitioned mesh can grow
//! several chains. All valid aggregates form a tree under the run's first vertex; its *head* is
//!
//! 1. the end of the chain with the most rounds; of those
//! 2. the chain with the most updates in all its aggregates together; of those
//! 3. the chain with the smaller id at the first place where two differ.
//!
//! That is a strict total order over chains, so the head is a function of the set of valid
//! aggregates and of nothing else: whoever has the same history has the same head, in whatever
//! order it arrived. Inserting costs `O(log n)` plus, on a tie, the distance to the common
//! ancestor. It decides nothing about validity: only valid aggregates may be inserted.

use std::cmp::Ordering;
use std::collections::BTreeMap;

/// A tree of valid aggregates with its head.
#[derive(Debug, Clone)]
pub struct Tree<Id> {
    root: Id,
    head: Id,
    links: BTreeMap<Id, Link<Id>>,
}

/// An aggregate as fork choice sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Link<Id> {
    base: Id,
    round: u32,
    /// Updates in all aggregates from the root to this one.
    updates: u64,
}

/// Whether an insertion moved the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    /// The new aggregate is the head and extends the old one.
    Extended,
    /// The new aggregate is the head of another branch.
    Switched,
    /// The head stays.
    Aside,
    /// It was there already, or its base is unknown.
    Refused,
}

impl<Id: Copy + Ord> Tree<Id> {
    /// A tree of the run's first vertex alone.
    pub fn new(root: Id) -> Self {
        Self { root, head: root, links: BTreeMap::new() }
    }

    /// The end of the chosen chain; the root before the first aggregate.
    pub fn head(&self) -> Id {
        self.head
    }

    /// Whether this is the root or an inserted aggregate.
    pub fn contains(&self, id: Id) -> bool {
        id == self.root || self.links.contains_key(&id)
    }

    /// The round of an inserted aggregate; 0 for the root.
    pub fn round(&self, id: Id) -> Option<u32> {
        if id == self.root { Some(0) } else { self.links.get(&id).map(|link| link.round) }
    }

    /// Updates in all aggregates from the root to this one.
    pub fn updates(&self, id: Id) -> u64 {
        self.links.get(&id).map_or(0, |link| link.updates)
    }

    /// What an inserted aggregate is based on; `None` for the root.
    pub fn base(&self, id: Id) -> Option<Id> {
        self.links.get(&id).map(|link| link.base)
    }

    /// The chain from an inserted aggregate down to the root, both included.
    pub fn chain(&self, id: Id) -> impl Iterator<Item = Id> + '_ {
        std::iter::successors(Some(id), |id| self.base(*id))
    }

    /// Adds a valid aggregate of `updates` updates on `base`.
    pub fn insert(&mut self, id: Id, base: Id, updates: u32) -> Inserted {
        if self.contains(id) || !self.contains(base) {
            return Inserted::Refused;
        }
        let round = self.round(base).map_or(1, |round| round.saturating_add(1));
        let updates = self.updates(base).saturating_add(u64::from(updates));
        self.links.insert(id, Link { base, round, updates });
        let old = self.head;
        if self.compare(id, old) != Ordering::Greater {
            return Inserted::Aside;
        }
        self.head = id;
        if base == old { Inserted::Extended } else { Inserted::Switched }
    }

    /// `Greater` when the chain that ends in `left` is chosen over the one that ends in `right`.
    fn compare(&self, left: Id, right: Id) -> Ordering {
        let score = |id| (self.round(id), self.updates(id));
        score(left).cmp(&score(right)).then_with(|| self.compare_paths(left, right))
    }

    /// Of two chains of equal length, the one with the smaller id at the first difference is
    /// `Greater`.
    fn compare_paths(&self, left: Id, right: Id) -> Ordering {
        let mut first_difference = Ordering::Equal;
        for (left, right) in self.chain(left).zip(self.chain(right)) {
            if left == right {
                break;
            }
            first_difference = right.cmp(&left);
        }
        first_difference
    }
}

#[cfg(test)]
mod tests;
