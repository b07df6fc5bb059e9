//! What decided operations amount to: at the last checkpoint, and now.
//!
//! Both states fold the same decisions; a copy of one costs nothing. The certified state takes
//! whole cuts, one after the other, so that everybody has the same one at the same height. The
//! current state is the certified one with what was decided since, in whatever order it came. A
//! leader cuts decisions in the order in which they took effect, so that what a checkpoint holds
//! never builds on something that it does not hold.

use std::collections::{BTreeMap, BTreeSet};

use super::state::{Item, Output, leaf};
use super::{Checkpoint, State};
use crate::clock::Now;
use crate::dag::mutant::{self, Check};
use crate::dag::vote::{BlockId, Cut, Decision, ItemId, Seats};
use crate::ledger::{self, Entry, Settled};
use crate::limits;

/// Credits and names.
#[derive(Debug)]
pub(super) struct Books {
    certified: ledger::State,
    current: ledger::State,
    /// Decisions that no checkpoint holds, in the order in which they took effect.
    order: Vec<Decision>,
    /// Decisions that wait for their item, or for what it builds on.
    held: BTreeSet<Decision>,
    /// Whether a block's cut leads to the root that it names and leaves nothing waiting.
    judged: BTreeMap<BlockId, bool>,
}

impl Books {
    pub(super) fn new(genesis: ledger::State) -> Self {
        Self {
            certified: genesis.clone(),
            current: genesis,
            order: Vec::new(),
            held: BTreeSet::new(),
            judged: BTreeMap::new(),
        }
    }

    pub(super) fn certified(&self) -> &ledger::State {
        &self.certified
    }

    pub(super) fn current(&self) -> &ledger::State {
        &self.current
    }

    /// Decisions that a cut can hold now (count).
    pub(super) fn uncut(&self) -> usize {
        self.order.len()
    }

    /// What the next cut holds, ascending.
    pub(super) fn first(&self) -> Vec<Decision> {
        let mut decisions: Vec<Decision> =
            self.order.iter().take(limits::CUT_DECISIONS_MAX).copied().collect();
        decisions.sort_unstable();
        decisions
    }

    /// Both states move on by a cut of long ago, of items that are known.
    pub(super) fn resume(&mut self, decisions: &[Decision], items: &BTreeMap<ItemId, Item>) {
        self.certified = self.after(decisions, items);
        self.current = self.certified.clone();
    }

    /// Whether a decision that no checkpoint holds is known here.
    pub(super) fn has(&self, decision: &Decision) -> bool {
        self.held.contains(decision) || self.order.contains(decision)
    }

    /// Whether a decision waits for something.
    pub(super) fn is_held(&self, decision: &Decision) -> bool {
        self.held.contains(decision)
    }

    /// The certified state after one more cut, of items that are known.
    pub(super) fn after(
        &self,
        decisions: &[Decision],
        items: &BTreeMap<ItemId, Item>,
    ) -> ledger::State {
        let mut state = self.certified.clone();
        let height = state.height();
        for decision in decisions {
            let Some(entry) = items.get(&decision.1).and_then(|item| item.entry(decision)) else {
                continue;
            };
            // It waits for something only if a third of the committee or more is Byzantine, and
            // then as well for ever: too many such are left out, by everybody alike.
            let _ = state.settle(entry, height);
        }
        state.advance(height + 1);
        state
    }
}

impl Item {
    /// What it does to the ledger once it has this key.
    fn entry(&self, Decision(key, _): &Decision) -> Option<Entry> {
        let operation = self.operation.clone().filter(|_| self.keys.first() == Some(key))?;
        Some(Entry { id: self.id, author: self.author, operation })
    }
}

impl State {
    /// The current ledger as it will be when the own operations that are possible are decided: what
    /// the next own operation builds on.
    pub fn expected(&self) -> ledger::State {
        let mut ledger = self.books.current.clone();
        for item in self.mine.iter().filter_map(|id| self.items.get(id)) {
            let Some(operation) = item.operation.clone() else { continue };
            if ledger.check(&item.author, &operation).is_ok() {
                let height = ledger.height();
                let _ =
                    ledger.settle(Entry { id: item.id, author: item.author, operation }, height);
            }
        }
        ledger
    }

    /// Lets a decision take effect, as soon as its item and what it builds on are known.
    pub(super) fn take_effect(&mut self, decision: Decision, now: Now) {
        let Some(item) = self.items.get(&decision.1) else {
            self.books.held.insert(decision);
            return;
        };
        let Some(entry) = item.entry(&decision) else {
            self.books.held.remove(&decision);
            return self.books.order.push(decision);
        };
        let height = self.books.current.height();
        let (items, opened) = match self.books.current.settle(entry, height) {
            Ok(Settled::Applied { items, opened }) => (items, opened),
            Ok(Settled::Void) => (vec![decision.1], Vec::new()),
            // What has no room among those that wait is tried again after the next checkpoint.
            Ok(Settled::Waiting) | Err(_) => {
                self.books.held.insert(decision);
                return;
            }
        };
        for id in items {
            let key = self.items.get(&id).and_then(|item| item.keys.first().copied());
            let Some(key) = key else { continue };
            self.books.held.remove(&Decision(key, id));
            if self.uncut.contains(&Decision(key, id)) {
                self.books.order.push(Decision(key, id));
            }
        }
        if !self.is_forgetful() {
            for key in opened {
                self.reconsider_key(&key, now);
            }
        }
    }

    /// Finds out of every cut whether it may be locked as far as the ledger goes, once. A cut that
    /// leaves something waiting takes what builds on a decision without that decision; the last one
    /// of an epoch holds what was named, whatever that is.
    pub(super) fn judge_cuts(&mut self) {
        let Some(slot) = self.slots.get(&self.slot) else { return };
        for (id, block) in &slot.blocks {
            let Some(cut) = &block.cut else { continue };
            let known = |Decision(_, item): &Decision| self.items.contains_key(item);
            if self.books.judged.contains_key(id) || !cut.decisions.iter().all(known) {
                continue;
            }
            let after = self.books.after(&cut.decisions, &self.items);
            let whole = after.waiting() <= self.books.certified.waiting();
            let right = after.root() == cut.state_root && (whole || !block.closers.is_empty());
            self.books.judged.insert(*id, right);
        }
    }

    /// Whether the cut of a block was found right.
    pub(super) fn is_judged_right(&self, block: BlockId) -> bool {
        self.is_unrooted() || self.books.judged.get(&block) == Some(&true)
    }

    /// Enters a checkpoint that a block decided.
    pub(super) fn enter_checkpoint(
        &mut self,
        cut: &Cut,
        next: Option<Seats>,
        leader: usize,
        now: Now,
        out: &mut Vec<Output>,
    ) {
        for decision in &cut.decisions {
            self.settled.insert(decision.0);
            self.uncut.remove(decision);
            self.mmr.append(&leaf(decision));
            self.leaves.push_back(*decision);
        }
        let last = self.last_checkpoint();
        let checkpoint = Checkpoint {
            network: self.network,
            epoch: self.epoch(),
            height: last.map_or(1, |last| last.height + 1),
            prev: last.map_or([0; 32], Checkpoint::id),
            state_root: cut.state_root,
            decided: self.mmr.len(),
            decided_root: self.mmr.root(),
            frontier_root: Checkpoint::root_of_frontier(&cut.frontier),
            next,
            snapshot: [0; 32],
        };
        self.checkpoints.insert(checkpoint.height, checkpoint.clone());
        self.cut_ms = now.mono_ms;
        self.books.certified = self.books.after(&cut.decisions, &self.items);
        let step = self.step(checkpoint, cut, leader);
        out.push(Output::Checkpoint(Box::new(step)));
        self.go_on_from_certified(cut, now);
    }

    /// Moves the current state on to what follows from the certified one.
    fn go_on_from_certified(&mut self, cut: &Cut, now: Now) {
        self.books.current = self.books.certified.clone();
        self.books.judged.clear();
        let order = std::mem::take(&mut self.books.order);
        let held = std::mem::take(&mut self.books.held);
        for decision in order.into_iter().chain(held) {
            if cut.decisions.binary_search(&decision).is_err() {
                self.take_effect(decision, now);
            }
        }
        self.reconsider_all(now);
    }
}

/// Broken rules, for tests that must fail.
#[cfg(test)]
impl State {
    fn is_forgetful(&self) -> bool {
        self.is_mutant(super::state::Mutant::Forgetful) || mutant::skips(Check::Reopened)
    }

    fn is_unrooted(&self) -> bool {
        self.is_mutant(super::state::Mutant::Unrooted) || mutant::skips(Check::Root)
    }
}

#[cfg(not(test))]
#[expect(clippy::unused_self, reason = "the mutants of tests are of one engine")]
impl State {
    fn is_forgetful(&self) -> bool {
        mutant::skips(Check::Reopened)
    }

    fn is_unrooted(&self) -> bool {
        mutant::skips(Check::Root)
    }
}
