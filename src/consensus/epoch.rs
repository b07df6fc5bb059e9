//! The end of an epoch: how one committee hands over to the next without losing a decision.
//!
//! A committee is changed by an item that a quorum of its members wrote, word for word, and that
//! the slow path decides. Then every member stops voting on the fast path and says what it knows
//! to be locked (`Close`). The last block of the epoch names a quorum that did so, and its cut
//! holds everything they named: what a quorum committed to is among it, as in the argument for
//! blocks. The checkpoint of that cut names the next committee.

use super::{Committee, Output, State};
use crate::dag::vote::{Cut, Decision, ItemId, Vote};
use crate::limits;

impl State {
    /// Whether an item names the committee of the next epoch, and a quorum wants it.
    pub(super) fn may_follow(&self, item: ItemId, committee: &Committee) -> bool {
        let seats = self.items.get(&item).and_then(|item| item.seats.as_ref());
        seats.is_some_and(|seats| {
            let next = committee.epoch().checked_add(1) == Some(seats.epoch);
            let wanted = self.endorsed.get(seats).copied().unwrap_or_default();
            next && self.closing.is_none()
                && Committee::of_seats(seats).is_ok()
                && committee.is_quorum(wanted)
        })
    }

    /// Says what is known at the end of the epoch, once.
    pub(super) fn close(&mut self, committee: &Committee, out: &mut Vec<Output>) {
        if self.closing.is_none() || self.closed {
            return;
        }
        let mut known = self.uncut.clone();
        for (key, said) in &self.keys {
            known.extend(said.locked(committee).map(|item| Decision(*key, item)));
        }
        // More than a block holds: cuts before the last one make room.
        if known.len() <= limits::CUT_DECISIONS_MAX {
            self.vote(Vote::Close(known.into_iter().collect()), out);
        }
    }

    /// Closers and decisions of a last block, when a quorum's statements fit what is known here.
    pub(super) fn ending(&self, committee: &Committee) -> Option<(Vec<u32>, Vec<Decision>)> {
        self.closing.as_ref()?;
        let (mut decisions, mut closers) = (self.uncut.clone(), Vec::new());
        let mut voters = super::Voters::default();
        for (place, said) in &self.closes {
            let sound = |list: &&Vec<Decision>| list.iter().all(|d| self.is_known(d, committee));
            let Some(list) = said.iter().find(sound) else { continue };
            let open = list.iter().filter(|Decision(key, _)| !self.settled.contains(key));
            decisions.extend(open);
            closers.extend(u32::try_from(*place));
            voters.insert(*place);
        }
        let fits = decisions.len() <= limits::CUT_DECISIONS_MAX && committee.is_quorum(voters);
        fits.then(|| (closers, decisions.into_iter().collect()))
    }

    /// Whether a decision stands here, or a quorum locked its item, or blocks settled its key.
    fn is_known(&self, decision: &Decision, committee: &Committee) -> bool {
        let Decision(key, item) = decision;
        self.settled.contains(key)
            || self.uncut.contains(decision)
            || self.keys.get(key).and_then(|said| said.locked(committee)) == Some(*item)
    }

    /// Whether a last block holds what a quorum said at the end, and nothing that nobody locked.
    pub(super) fn allows_end(&self, closers: &[u32], cut: &Cut, committee: &Committee) -> bool {
        let mut voters = super::Voters::default();
        let holds = |decision: &Decision| {
            self.settled.contains(&decision.0) || cut.decisions.binary_search(decision).is_ok()
        };
        let closed = closers.iter().all(|place| {
            let place = usize::try_from(*place).unwrap_or(usize::MAX);
            voters.insert(place);
            let said = self.closes.get(&place);
            said.is_some_and(|said| said.iter().any(|list| list.iter().all(holds)))
        });
        let known = cut.decisions.iter().all(|decision| {
            let open = !self.settled.contains(&decision.0) && self.is_known(decision, committee);
            open || self.uncut.contains(decision)
        });
        let mut settled = self.uncut.iter().filter(|d| self.settled.contains(&d.0));
        let whole = settled.all(|decision| cut.decisions.binary_search(decision).is_ok());
        self.closing.is_some() && closed && known && whole && committee.is_quorum(voters)
    }
}
