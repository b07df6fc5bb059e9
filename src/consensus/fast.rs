//! The fast path: one item for one key, decided by two rounds of votes without a leader.

use super::tally::Key;
use super::{Committee, Output, State};
use crate::clock::Now;
use crate::dag::mutant::{self, Check};
use crate::dag::vote::{ConflictKey, Decision, ItemId, Vote};

impl State {
    /// Counts a vote for a key that is not decided.
    pub(super) fn count_fast(&mut self, key: &ConflictKey, vote: &Vote, place: usize, now: Now) {
        if self.decided(key).is_some() || self.is_of_forgotten(key, vote) {
            return;
        }
        let said = self.keys.entry(*key).or_default();
        let (voters, locked) = match vote {
            Vote::Lock(Decision(_, item)) => (said.locks.entry(*item).or_default(), Some(*item)),
            Vote::Commit(Decision(_, item)) => (said.commits.entry(*item).or_default(), None),
            Vote::Contested(_, shown) => (said.reports.entry(*shown).or_default(), None),
            _ => return,
        };
        if voters.insert(place) {
            self.touched.insert(*key);
            let Some(item) = locked else { return self.contest(key, now) };
            if let Some(asked_ms) = self.asked_ms.get(key) {
                self.latency.measured(now.since_ms(*asked_ms));
            }
            // Who locks it may know more, and what a quorum locked is possible.
            self.reconsider(item, now);
        }
    }

    /// Whether a vote is about what was decided before what is remembered: who voted had an item
    /// that claims the key in its past, so that was here.
    fn is_of_forgotten(&self, key: &ConflictKey, vote: &Vote) -> bool {
        let is_known = match vote {
            Vote::Lock(Decision(_, item)) | Vote::Commit(Decision(_, item)) => {
                self.items.contains_key(item)
            }
            _ => self.keys.get(key).is_some_and(Key::is_claimed),
        };
        self.forgotten > 0 && !is_known
    }

    /// Leaves a key to the slow path, if a quorum has reported it.
    pub(super) fn contest(&mut self, key: &ConflictKey, now: Now) {
        let Some(committee) = &self.committee else { return };
        let reported = |said: &Key| committee.is_quorum(said.reported(|_| true));
        if self.keys.get(key).is_some_and(reported) {
            self.pending.contest(key, now.mono_ms);
        }
    }

    /// Takes every step that what is known allows, for keys that something new was said about or
    /// whose time is up; whether any key was decided.
    pub(super) fn advance_keys(
        &mut self,
        committee: &Committee,
        now: Now,
        out: &mut Vec<Output>,
    ) -> bool {
        let timeout_ms = self.latency.timeout_ms(0, &self.config);
        let mut keys = std::mem::take(&mut self.touched);
        if let (Some(until), true) = (now.mono_ms.checked_sub(timeout_ms), self.votes(committee)) {
            keys.extend(self.pending.unreported(until));
        }
        let before = self.decisions().len();
        for key in keys {
            self.advance_key(&key, committee, timeout_ms, now, out);
        }
        self.decisions().len() > before
    }

    fn advance_key(
        &mut self,
        key: &ConflictKey,
        committee: &Committee,
        timeout_ms: u64,
        now: Now,
        out: &mut Vec<Output>,
    ) {
        let Some(said) = self.keys.get(key) else { return };
        if let Some(item) = said.committed(committee) {
            return self.decide(Decision(*key, item), now, out);
        }
        if !self.votes(committee) {
            return;
        }
        let locked = said.locked(committee);
        let first = said.candidates.first().copied();
        let since = self.pending.since_ms(key);
        let late = since.is_some_and(|since| now.since_ms(since) >= timeout_ms);
        let contested = late || self.is_contested(key, committee, now);
        let mine = self.my_keys.get(key).cloned().unwrap_or_default();
        let silent = self.closed || (mine.reported && !self.votes_on());
        if let (Some(item), None, false) = (locked, mine.commit, silent) {
            self.vote(Vote::Commit(Decision(*key, item)), out);
        }
        if mine.reported {
            return;
        }
        if contested {
            return self.vote(Vote::Contested(*key, locked), out);
        }
        if let (Some(item), None, None) = (first, mine.lock, &self.closing)
            && self.is_simple(item)
        {
            self.asked_ms.insert(*key, now.mono_ms);
            self.latency.asked(committee, committee.place(&self.me), now.mono_ms);
            self.vote(Vote::Lock(Decision(*key, item)), out);
        }
    }

    /// Whether the fast path may decide this item: it has one key and ends no epoch.
    fn is_simple(&self, item: ItemId) -> bool {
        self.items.get(&item).is_some_and(|item| item.keys.len() == 1 && item.seats.is_none())
    }

    /// Whether what was said leaves a key to the slow path.
    fn is_contested(&self, key: &ConflictKey, committee: &Committee, now: Now) -> bool {
        let owing = || self.latency.owing(now.mono_ms, &self.config);
        self.keys.get(key).is_some_and(|said| {
            (said.locks.len() > 1 && said.is_split(committee, owing()))
                || committee.has_honest(said.reported(|_| true))
                || said.candidates.iter().any(|item| !self.is_simple(*item))
        })
    }

    #[cfg(test)]
    fn votes_on(&self) -> bool {
        self.is_mutant(super::state::Mutant::VotesOn) || mutant::skips(Check::Report)
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "the mutants of tests are of one engine")]
    fn votes_on(&self) -> bool {
        mutant::skips(Check::Report)
    }
}
