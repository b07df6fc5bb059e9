//! The slow path: one block after the other, each put forward by a leader.
//!
//! Whoever made the last decided block leads the next slot, so a leader that failed is skipped
//! until its turn comes round again. One that leaves something out is not followed into the next
//! slot: its members go to the next view at once. Who leads follows from decided blocks alone:
//! everybody agrees on it, and nothing but progress depends on it.

use std::collections::BTreeSet;

use super::{Committee, Output, State};
use crate::clock::Now;
use crate::crypto::hash::Digest;
use crate::dag::vote::{Block, ConflictKey, Cut, Decision, ItemId, Locked, Vote};
use crate::dag::{Citation, VertexId};
use crate::identity::AuthorId;
use crate::limits;

/// Domain of the order in which a leader prefers items of one key: nobody can arrive first.
const ORDER_DOMAIN: &str = "synaptic-mesh 2026 order of candidates v1";

/// How many times as long as for one view something may wait that leaders could have put forward:
/// for the end of the current slot and the whole next one, and some more.
const PATIENCE: u64 = 3;

impl State {
    /// Takes every step of the current slot that is possible; whether it was decided.
    pub(super) fn advance_slot(
        &mut self,
        committee: &Committee,
        now: Now,
        out: &mut Vec<Output>,
    ) -> bool {
        if self.finish_slot(committee, now, out) {
            return true;
        }
        if self.votes(committee) {
            self.close(committee, out);
            self.enter_view(committee, now, out);
            self.lead(committee, now, out);
            self.lock_block(committee, out);
            self.commit_block(committee, out);
        }
        false
    }

    /// Executes the block that a quorum committed to, once everything it names is known.
    fn finish_slot(&mut self, committee: &Committee, now: Now, out: &mut Vec<Output>) -> bool {
        let Some(slot) = self.slots.get(&self.slot) else { return false };
        let Some(block) = slot.committed(committee).and_then(|id| slot.blocks.get(&id)) else {
            return false;
        };
        let block = block.clone();
        let keys: Option<Vec<Vec<ConflictKey>>> =
            block.items.iter().map(|id| self.keys_of(id)).collect();
        let Some(keys) = keys else { return false };
        let mut cut = block.cut.iter().flat_map(|cut| &cut.decisions);
        if !cut.all(|Decision(_, item)| self.items.contains_key(item)) {
            return false;
        }
        for (item, keys) in block.items.iter().zip(keys) {
            for key in keys {
                self.settled.insert(key);
                self.decide(Decision(key, *item), now, out);
            }
            // A block of an earlier epoch is allowed again, as all that it names is decided; and
            // the committee in it must not begin its epoch, with its votes, a second time.
            let next = committee.epoch().checked_add(1);
            let seats = self.items.get(item).and_then(|item| item.seats.clone());
            let seats = seats.filter(|seats| next == Some(seats.epoch));
            self.closing = seats.or(self.closing.take());
        }
        if let Some(cut) = &block.cut {
            for decision in &cut.decisions {
                self.decide(*decision, now, out);
            }
            let ends = !block.closers.is_empty();
            let next = self.closing.clone().filter(|_| ends);
            let members = next.as_ref().and_then(|seats| Committee::of_seats(seats).ok());
            let leader = committee.place(&block.proposer).unwrap_or(self.first_leader);
            self.enter_checkpoint(cut, next, leader, now, out);
            if let Some(members) = members {
                self.begin_epoch(&members, now, out);
                return true;
            }
        }
        self.first_leader = committee.place(&block.proposer).unwrap_or(self.first_leader);
        self.slots.remove(&self.slot);
        self.my_slots.remove(&self.slot);
        self.slot += 1;
        true
    }

    /// Vertices of items that a decided block names and that are not known here: it is executed
    /// when they are.
    pub fn lacking(&self) -> Vec<VertexId> {
        let slot = self.slots.get(&self.slot).zip(self.committee());
        let block = slot.and_then(|(slot, committee)| slot.blocks.get(&slot.committed(committee)?));
        let cut = block.iter().flat_map(|block| &block.cut).flat_map(|cut| &cut.decisions);
        let of_cut = cut.map(|Decision(_, item)| item);
        let items = block.iter().flat_map(|block| &block.items).chain(of_cut);
        items.filter(|id| !self.items.contains_key(id)).map(|id| id.0).collect()
    }

    /// The keys of an item that is known.
    fn keys_of(&self, item: &ItemId) -> Option<Vec<ConflictKey>> {
        self.items.get(item).map(|item| item.keys.clone())
    }

    /// Who leads a view of the current slot.
    fn leader(&self, view: u32, committee: &Committee) -> AuthorId {
        committee.at(self.first_leader + usize::try_from(view).unwrap_or(0))
    }

    /// Goes to a later view: after honest members that have gone, or when the time is up.
    fn enter_view(&mut self, committee: &Committee, now: Now, out: &mut Vec<Output>) {
        let view = self.my_slots.get(&self.slot).map_or(0, |mine| mine.view);
        let slot = self.slots.get(&self.slot);
        // Nobody runs ahead: time in a later view begins when a quorum has come, as in PBFT.
        let begun = match view {
            0 => self.has_work(committee, now),
            _ => slot.is_some_and(|slot| slot.is_entered(view, committee)),
        };
        let mine = self.my_slots.entry(self.slot).or_default();
        if begun {
            mine.since_ms.get_or_insert(now.mono_ms);
        }
        let timeout_ms = self.latency.timeout_ms(view, &self.config);
        let late = mine.since_ms.is_some_and(|since| now.since_ms(since) >= timeout_ms)
            || (view == 0 && self.is_passed_over(committee, now));
        let joined = self.slots.get(&self.slot).and_then(|slot| slot.joined(view, committee));
        let next = joined.or((late && view < limits::VIEWS_MAX).then_some(view + 1));
        let Some(next) = next else { return };
        let shown = self.certificate(committee).filter(|Locked(at, _)| *at < next);
        self.vote(Vote::Enter(self.slot, next, shown), out);
        if let Some(mine) = self.my_slots.get_mut(&self.slot) {
            mine.since_ms = None;
        }
    }

    /// Puts a block forward, if it is this member's turn and there is reason to.
    fn lead(&mut self, committee: &Committee, now: Now, out: &mut Vec<Output>) {
        let mine = self.my_slots.get(&self.slot);
        let view = mine.map_or(0, |mine| mine.view);
        let done = mine.is_some_and(|mine| mine.proposed.contains(&view));
        if done || self.leader(view, committee) != self.me {
            return;
        }
        let slot = self.slots.get(&self.slot);
        let bound = slot.and_then(|slot| {
            let Locked(_, id) = slot.highest(committee)?;
            slot.justifies(view, id, committee).then(|| slot.blocks.get(&id)).flatten()
        });
        let free = slot.map_or(view == 0, |slot| slot.is_free(view, committee));
        let block = match bound {
            Some(block) if view > 0 => block.clone(),
            _ if free && (view > 0 || self.has_work(committee, now)) => {
                self.new_block(view, committee, now)
            }
            _ => return,
        };
        self.vote(Vote::Propose(view, block), out);
    }

    fn new_block(&self, view: u32, committee: &Committee, now: Now) -> Block {
        let (mut items, mut taken) = (Vec::new(), BTreeSet::new());
        for (key, _) in self.pending.contested() {
            if items.len() == limits::BLOCK_ITEMS_MAX {
                break;
            }
            let Some((item, keys)) = self.winner(key, &taken, committee) else { continue };
            taken.extend(keys);
            items.push(item);
        }
        let (slot, proposer) = (self.slot, self.me);
        if let Some((closers, decisions)) = self.ending(committee) {
            let cut = Some(self.new_cut(decisions));
            return Block { slot, view, proposer, items: Vec::new(), cut, closers };
        }
        let cut = self.is_cut_due(now).then(|| self.new_cut(self.books.first()));
        Block { slot, view, proposer, items, cut, closers: Vec::new() }
    }

    /// The item that a block can give a key to, with all its keys; of several the first in an
    /// order that nobody can choose.
    fn winner(
        &self,
        key: &ConflictKey,
        taken: &BTreeSet<ConflictKey>,
        committee: &Committee,
    ) -> Option<(ItemId, Vec<ConflictKey>)> {
        let said = self.keys.get(key)?;
        let possible = said.candidates.iter().filter_map(|id| {
            let keys = self.keys_of(id)?;
            let allowed = keys.iter().all(|key| {
                !taken.contains(key)
                    && self.decided(key).is_none()
                    && self.allows_item(key, *id, committee)
            });
            allowed.then_some((*id, keys))
        });
        possible.min_by_key(|(id, _)| {
            Digest::derive(
                ORDER_DOMAIN,
                &[key.as_bytes(), &id.0.to_cid_bytes(), &id.1.to_be_bytes()],
            )
        })
    }

    fn is_cut_due(&self, now: Now) -> bool {
        let (old, count) = (now.since_ms(self.uncut_ms), self.books.uncut());
        count >= self.config.checkpoint_decisions || (count > 0 && old >= self.config.checkpoint_ms)
    }

    fn new_cut(&self, decisions: Vec<Decision>) -> Cut {
        let mut frontier: Vec<_> = self.tips.values().copied().collect();
        frontier.sort_unstable();
        frontier.dedup();
        frontier.truncate(limits::VERTEX_PARENTS_MAX);
        let state_root = self.books.after(&decisions, &self.items).root();
        Cut { decisions, frontier, state_root }
    }

    /// Whether the current slot has something to decide.
    fn has_work(&self, committee: &Committee, now: Now) -> bool {
        self.is_cut_due(now)
            || self.ending(committee).is_some()
            || self.has_waited(u64::MAX, committee)
    }

    /// Whether the slow path could have given some key to an item since this time.
    fn has_waited(&self, until_ms: u64, committee: &Committee) -> bool {
        let taken = BTreeSet::new();
        let mut waiting = self.pending.contested().filter(|(_, since_ms)| *since_ms <= until_ms);
        waiting.any(|(key, _)| self.winner(key, &taken, committee).is_some())
    }

    /// Whether leaders have left something out that they could have put forward, so that the one
    /// whose turn it is always gets none.
    fn is_passed_over(&self, committee: &Committee, now: Now) -> bool {
        let patience_ms = PATIENCE * self.latency.timeout_ms(0, &self.config);
        let Some(until_ms) = now.mono_ms.checked_sub(patience_ms) else { return false };
        let last_ms = self.uncut_ms.max(self.cut_ms);
        let overdue = last_ms.saturating_add(self.config.checkpoint_ms) <= until_ms;
        (overdue && self.books.uncut() > 0) || self.has_waited(until_ms, committee)
    }

    /// Locks what the leader of the own or a later view put forward, if the rules allow it.
    fn lock_block(&mut self, committee: &Committee, out: &mut Vec<Output>) {
        self.judge_cuts();
        let mine = self.my_slots.get(&self.slot).cloned().unwrap_or_default();
        let Some(slot) = self.slots.get(&self.slot) else { return };
        let mut votes = Vec::new();
        for (view, said) in slot.views.range(mine.view..) {
            if mine.locks.contains_key(view) {
                continue;
            }
            let leader = committee.place(&self.leader(*view, committee));
            let fits = said.proposals.iter().find(|(place, id)| {
                Some(*place) == leader
                    && (slot.justifies(*view, *id, committee) || self.is_unchecked())
                    && slot.blocks.get(id).is_some_and(|block| {
                        // Or a leader could name another one as the maker of nothing, and so keep
                        // its own place behind it.
                        let made_for_it = block.view == *view || self.is_unchecked();
                        (made_for_it || slot.is_certified(*view, *id, committee))
                            && self.allows(block, *view, committee)
                    })
            });
            if let Some((_, id)) = fits {
                votes.push(Vote::LockBlock(self.slot, *view, *id));
            }
        }
        for vote in votes {
            self.vote(vote, out);
        }
    }

    /// Commits to what a quorum locked in the own or a later view.
    fn commit_block(&mut self, committee: &Committee, out: &mut Vec<Output>) {
        let mine = self.my_slots.get(&self.slot).cloned().unwrap_or_default();
        let Some(slot) = self.slots.get(&self.slot) else { return };
        let open =
            slot.views.range(mine.view..).filter(|(view, _)| !mine.commits.contains_key(view));
        let votes: Vec<Vote> = open
            .filter_map(|(view, said)| {
                let block = super::tally::quorum_of(&said.locks, committee)?;
                Some(Vote::CommitBlock(self.slot, *view, block))
            })
            .collect();
        for vote in votes {
            self.vote(vote, out);
        }
    }

    /// Whether reports, decisions and roots known here allow every part of a block.
    fn allows(&self, block: &Block, view: u32, committee: &Committee) -> bool {
        let mut taken = BTreeSet::new();
        let own = block.slot == self.slot
            && block.view <= view
            && block.proposer == self.leader(block.view, committee);
        let items = block.items.iter().all(|id| {
            self.keys_of(id).is_some_and(|keys| {
                keys.iter().all(|key| taken.insert(*key) && self.allows_item(key, *id, committee))
            })
        });
        let cut = match &block.cut {
            Some(cut) if block.closers.is_empty() => {
                let here = |d: &Decision| self.uncut.contains(d) && !self.books.is_held(d);
                cut.decisions.iter().all(here) && self.allows_cut(cut, block)
            }
            Some(cut) => {
                let alone = block.items.is_empty();
                alone
                    && self.allows_cut(cut, block)
                    && self.allows_end(&block.closers, cut, committee)
            }
            // Or a leader could go from slot to slot as fast as it likes, with nothing.
            None => view > 0 || self.has_waited(u64::MAX, committee),
        };
        own && items && cut
    }

    fn allows_item(&self, key: &ConflictKey, item: ItemId, committee: &Committee) -> bool {
        if let Some(decided) = self.decided(key) {
            // What a checkpoint holds no leader of this slot had to put forward, and somebody may
            // have forgotten.
            return decided == item && !self.is_certified(key);
        }
        let reported = self.is_any_block_good()
            || self.keys.get(key).is_some_and(|said| said.allows(item, committee));
        let possible = |item| self.is_possible(item, committee);
        reported && self.items.get(&item).is_some_and(possible)
    }

    fn allows_cut(&self, cut: &Cut, block: &Block) -> bool {
        let is_known = |cited: &Citation| {
            self.covered.get(&cited.author).is_some_and(|covered| cited.seq < *covered)
                || self.seen.contains(cited)
        };
        cut.frontier.iter().all(is_known) && self.is_judged_right(block.id())
    }

    /// Says when time alone will make a difference.
    pub(super) fn wake(&self, now: Now, out: &mut Vec<Output>) {
        // Time leads to votes and to nothing else: who has none sleeps.
        if !self.committee().is_some_and(|committee| self.votes(committee)) {
            return;
        }
        let timeout_ms = self.latency.timeout_ms(0, &self.config);
        let oldest = self.pending.oldest_unreported_ms();
        let keys = oldest.map(|since| since.saturating_add(timeout_ms));
        let view = self.my_slots.get(&self.slot).and_then(|mine| {
            let timeout_ms = self.latency.timeout_ms(mine.view, &self.config);
            Some(mine.since_ms?.saturating_add(timeout_ms))
        });
        let cut = self.uncut_ms.saturating_add(self.config.checkpoint_ms);
        let cut = (!self.uncut.is_empty() && cut > now.mono_ms).then_some(cut);
        if let Some(at) = [keys, view, cut].into_iter().flatten().min() {
            out.push(Output::WakeAt(at.max(now.mono_ms.saturating_add(1))));
        }
    }

    #[cfg(test)]
    fn is_unchecked(&self) -> bool {
        self.is_mutant(super::state::Mutant::FreeLeader)
    }

    #[cfg(test)]
    fn is_any_block_good(&self) -> bool {
        self.is_mutant(super::state::Mutant::Unchecked)
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "mutants exist in tests only")]
    const fn is_unchecked(&self) -> bool {
        false
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "mutants exist in tests only")]
    const fn is_any_block_good(&self) -> bool {
        false
    }
}
