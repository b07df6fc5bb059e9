//! One poll: who was asked, what came back, and when it is over.

use std::collections::{BTreeMap, BTreeSet};

use super::message::PollId;
use super::{Config, Refusal};
use crate::dag::vote::ItemId;

/// A question to a sample of members.
#[derive(Clone, Debug)]
pub(super) struct Poll {
    pub(super) id: PollId,
    /// When answers begin to be late, monotonic milliseconds.
    pub(super) until_ms: u64,
    /// Seats of members that have not answered, by their places.
    waiting: BTreeMap<usize, u32>,
    /// Members that have answered, or cannot.
    done: BTreeSet<usize>,
    /// Seats for each item; those that prefer none stand nowhere.
    votes: BTreeMap<ItemId, u32>,
    expired: bool,
}

impl Poll {
    pub(super) fn new(id: PollId, until_ms: u64, sample: BTreeMap<usize, u32>) -> Self {
        let (done, votes) = (BTreeSet::new(), BTreeMap::new());
        Self { id, until_ms, waiting: sample, done, votes, expired: false }
    }

    /// The places of who was asked and has not answered.
    pub(super) fn waiting(&self) -> impl Iterator<Item = usize> {
        self.waiting.keys().copied()
    }

    /// Whether the member at this place still has a say.
    pub(super) fn expects(&self, place: usize) -> Result<(), Refusal> {
        if self.waiting.contains_key(&place) {
            Ok(())
        } else if self.done.contains(&place) {
            Err(Refusal::Repeated)
        } else {
            Err(Refusal::Unasked)
        }
    }

    /// Counts all seats of a member, once.
    pub(super) fn count(&mut self, place: usize, preference: Option<ItemId>) {
        let Some(seats) = self.waiting.remove(&place) else { return };
        self.done.insert(place);
        if let Some(item) = preference {
            *self.votes.entry(item).or_default() += seats;
        }
    }

    /// Whoever has not answered by now counts as having said nothing.
    pub(super) fn expire(&mut self, now_ms: u64) {
        self.expired |= now_ms >= self.until_ms;
    }

    /// Whether further answers cannot change the result, or none is waited for.
    pub(super) fn is_over(&self, config: &Config) -> bool {
        let left: u32 = self.waiting.values().sum();
        let most = self.votes.values().copied().max().unwrap_or(0);
        let best = most + left;
        self.expired
            || left == 0
            || most >= config.alpha_confidence
            || best < config.alpha_preference
            || (most >= config.alpha_preference && best < config.alpha_confidence)
    }

    /// The item with the most seats, and how many.
    pub(super) fn winner(&self) -> Option<(ItemId, u32)> {
        self.votes.iter().map(|(item, seats)| (*item, *seats)).max_by_key(|(_, seats)| *seats)
    }
}

#[cfg(test)]
impl Poll {
    /// Seats of the member at this place, if it has not answered.
    pub(super) fn seats(&self, place: usize) -> u32 {
        self.waiting.get(&place).copied().unwrap_or(0)
    }
}
