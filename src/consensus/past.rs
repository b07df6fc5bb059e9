//! Going on without old vertices and old decisions: what an engine that saw them knows, and which
//! it still needs.
//!
//! Votes that led to certified decisions and executed blocks are counted by nobody again. A vertex
//! that says anything about what is still open is needed, whatever its age: so what a member said
//! is never forgotten while it could be contradicted, and nothing here depends on how old a key may
//! get.
//!
//! Decisions are forgotten, too, when checkpoints have long held them: their keys, their items and
//! their leaves, down to a [`Base`]. Then the ledger speaks for them. The position of an account,
//! the version of a name, a hold that has ended, an epoch that is over: each refuses a second item
//! for the same key ([`State::is_over`]). Should a block be decided that names an item which was
//! taken for over, it is entered all the same ([`State::lacking`]).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::books::Books;
use super::state::leaf;
use super::tally::Key;
use super::{Base, Checkpoint, Committee, Error, Item, Mmr, Onward, Record, State};
use crate::clock::Now;
use crate::dag::vote::{ConflictKey, Decision, ItemId, Seats, Vote};
use crate::dag::{Citation, VertexId};
use crate::ledger::{self, Operation};

/// Checkpoints whose signatures are kept (count): as many as are tried for a certificate.
const CHECKPOINTS_SIGNED: u64 = 8;

/// What an engine knows from vertices that it need not see again, beside what checkpoints hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Past {
    /// Decisions that no checkpoint holds.
    uncut: Vec<Decision>,
    /// Keys of those that blocks settled.
    settled: Vec<ConflictKey>,
    /// The committee that follows, once that is decided.
    closing: Option<Seats>,
    /// The slot that is being decided.
    slot: u64,
    /// The place of who leads view 0 of it.
    first_leader: u64,
    /// The last vertex of each member.
    tips: Vec<(u64, Citation)>,
    /// Items that are open although others of their time are forgotten.
    open: Vec<ItemId>,
}

impl Past {
    /// The past of who was handed checkpoints, up to where deciding goes on. `open` are commitments
    /// to names that nobody decided yet, as others say.
    pub fn handed(onward: &Onward, open: Vec<ItemId>) -> Self {
        let settled = onward.settled.iter().map(|decision| decision.0).collect();
        let (uncut, closing) = (onward.settled.clone(), onward.closing.clone());
        let (slot, first_leader) = (onward.slot, onward.first_leader);
        let tips = Vec::new();
        Self { uncut, settled, closing, slot, first_leader, tips, open }
    }
}

impl Item {
    /// The kind of its payload, as [`crate::dag::Payload::kind`] has it.
    pub const fn kind(&self) -> &'static str {
        if self.seats.is_some() { "committee" } else { "ledger" }
    }
}

impl State {
    /// Items of one vertex.
    pub fn items_of(&self, vertex: &VertexId) -> impl Iterator<Item = &Item> {
        self.items.range(ItemId(*vertex, 0)..=ItemId(*vertex, u32::MAX)).map(|(_, item)| item)
    }

    /// Items that are remembered.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.items.values()
    }

    /// Whether everything that a covered vertex says is settled for good: no other need be told of
    /// it to count votes, and no vote of this member could contradict it. Whoever voted for
    /// something knew it, so what a covered vote was about was here.
    pub fn is_past(&self, record: &Record) -> bool {
        record.items.iter().all(|item| self.is_item_past(item, record.seq))
            && record
                .votes
                .iter()
                .all(|votes| votes.votes.iter().all(|vote| self.is_vote_past(votes.epoch, vote)))
    }

    /// What is to be stored before vertices are dropped, beside what checkpoints hold.
    pub fn past(&self) -> Past {
        let settled = |decision: &&Decision| self.settled.contains(&decision.0);
        let wide = |place: usize| u64::try_from(place).unwrap_or(u64::MAX);
        Past {
            uncut: self.uncut.iter().copied().collect(),
            settled: self.uncut.iter().filter(settled).map(|decision| decision.0).collect(),
            closing: self.closing.clone(),
            slot: self.slot,
            first_leader: wide(self.first_leader),
            tips: self.tips.iter().map(|(place, tip)| (wide(*place), *tip)).collect(),
            open: self.old_commitments().chain(self.reopened.iter().copied()).collect(),
        }
    }

    /// Commitments to names that are open although others of their time are forgotten.
    pub fn old_commitments(&self) -> impl Iterator<Item = ItemId> {
        self.positions.keys().filter(|id| self.is_old_commitment(id)).copied()
    }

    /// Forgets what dropped vertices said, as far as it takes room.
    pub fn forget(&mut self, dropped: &[VertexId]) {
        let checkpoints = &self.checkpoints;
        let last = self.last_checkpoint().map_or(0, |last| last.height);
        self.signatures
            .retain(|height, _| !is_signed_enough(checkpoints.get(height), *height, last));
        let dropped: BTreeSet<&VertexId> = dropped.iter().collect();
        self.seen.retain(|cited| !dropped.contains(&cited.id));
        // What they asked for was decided, or can never be.
        let open = self.positions.keys().filter(|id| dropped.contains(&id.0)).copied();
        for id in open.collect::<Vec<_>>() {
            if self.items.get(&id).is_some_and(|i| i.keys.iter().all(|k| self.decided(k).is_none()))
            {
                self.drop_item(&id);
            }
        }
    }

    /// Forgets the decisions that the checkpoint of this height holds. It covers the chains of
    /// these vertices up to them.
    pub fn forget_decisions<'a>(&mut self, height: u64, tips: impl Iterator<Item = &'a Citation>) {
        let Some(base) = self.checkpoints.get(&height) else { return };
        let forgotten = base.decided;
        let count = usize::try_from(forgotten.saturating_sub(self.forgotten)).unwrap_or(0);
        let leaves = self.leaves.drain(..count.min(self.leaves.len()));
        let gone: BTreeMap<ConflictKey, ItemId> = leaves.map(|Decision(k, i)| (k, i)).collect();
        self.decided.retain(|key, item| gone.get(key) != Some(item));
        self.forgotten = forgotten;
        self.mmr.forget(forgotten);
        self.checkpoints.retain(|at, held| *at >= height || held.next.is_some());
        self.note_old(tips);
        self.keys.retain(|_, said| said.is_claimed());
        let decided = &self.decided;
        if self.closing.is_none() {
            // Or statements at the end of an epoch would be about what nobody knows.
            self.settled.retain(|key| decided.contains_key(key));
        }
        let is_gone = |item: &&Item| {
            let is_decided = item.keys.iter().any(|key| decided.contains_key(key));
            let was_lost = item.keys.iter().any(|key| gone.contains_key(key));
            let seq = self.positions.get(&item.id).copied().unwrap_or(u64::MAX);
            !is_decided && (was_lost || self.is_over(item, seq))
        };
        let dropped: Vec<ItemId> =
            self.items.values().filter(is_gone).map(|item| item.id).collect();
        for id in &dropped {
            self.drop_item(id);
        }
        let items = &self.items;
        self.mine.retain(|id| items.contains_key(id));
    }

    /// Forgets an item that is not decided.
    fn drop_item(&mut self, id: &ItemId) {
        self.positions.remove(id);
        let Some(item) = self.items.remove(id) else { return };
        self.clocked.remove(&(item.author, *id));
        for key in &item.keys {
            let Some(said) = self.keys.get_mut(key) else { continue };
            said.candidates.retain(|candidate| candidate != id);
            said.idle.remove(&(item.author, *id));
            if said.candidates.is_empty() {
                self.pending.end(key);
            }
            if !said.is_claimed() {
                // Nobody can have it any more, so nothing that was said of it is contradicted.
                self.my_keys.remove(key);
                self.asked_ms.remove(key);
            }
        }
    }

    /// Remembers that checkpoints cover the chains of these vertices up to them. The frontier of a
    /// block may name what is there, whether or not it is still here.
    pub fn note_covered<'a>(&mut self, tips: impl Iterator<Item = &'a Citation>) {
        for tip in tips {
            let covered = self.covered.entry(tip.author).or_default();
            *covered = tip.seq.saturating_add(1).max(*covered);
        }
    }

    /// Remembers which vertices are so old that the decisions of their time are forgotten, by most
    /// if not here.
    pub fn note_old<'a>(&mut self, tips: impl Iterator<Item = &'a Citation>) {
        self.old = tips.map(|tip| (tip.author, tip.seq.saturating_add(1))).collect();
    }

    /// Goes on from what an engine knew: on a new one, with every item of checkpoints and of the
    /// vertices that were kept, before the first [`State::restore`] of those. `base` is what the
    /// first of the checkpoints builds on, with the last covered vertices of authors there; the
    /// ledger is computed from there anew, and every root compared.
    ///
    /// # Errors
    /// [`Error::Past`] for anything that no engine of this network knew.
    pub fn resume(
        &mut self,
        base: Option<(Base, Vec<Citation>)>,
        steps: &[(Checkpoint, Vec<Decision>)],
        past: Past,
        items: Vec<Item>,
        now: Now,
    ) -> Result<(), Error> {
        self.items.extend(items.into_iter().map(|item| (item.id, item)));
        if let Some((base, tips)) = base {
            self.stand_on(base)?;
            self.note_old(tips.iter());
        }
        for (checkpoint, decisions) in steps {
            self.replay(checkpoint, decisions)?;
        }
        let narrow = |place: u64| usize::try_from(place).unwrap_or(usize::MAX);
        (self.slot, self.closing) = (past.slot, past.closing);
        self.first_leader = narrow(past.first_leader);
        self.settled.extend(past.settled);
        self.reopened = past.open.into_iter().collect();
        self.seen.extend(past.tips.iter().map(|(_, tip)| *tip));
        self.tips = past.tips.into_iter().map(|(place, tip)| (narrow(place), tip)).collect();
        (self.uncut_ms, self.cut_ms) = (now.mono_ms, now.mono_ms);
        for decision in past.uncut {
            self.decided.insert(decision.0, decision.1);
            self.uncut.insert(decision);
        }
        for decision in self.uncut.clone() {
            if !self.books.has(&decision) {
                self.take_effect(decision, now);
            }
        }
        // What is open comes again with its vertex.
        let decided = &self.decided;
        self.items.retain(|_, item| item.keys.iter().any(|key| decided.contains_key(key)));
        Ok(())
    }

    /// Goes on from a base, on an engine that knows nothing.
    fn stand_on(&mut self, base: Base) -> Result<(), Error> {
        let Base { checkpoint, ends, peaks, ledger } = base;
        if self.committee.is_none() {
            return refused("the network has no committee");
        }
        for end in ends {
            let members = self.committee.as_deref().map(Committee::epoch);
            let next = end.next.as_ref().filter(|_| members == Some(end.epoch));
            let Some(next) = next else { return refused("an epoch does not follow from another") };
            self.take_over(Committee::of_seats(next)?);
            self.checkpoints.insert(end.height, end);
        }
        let ledger = ledger::State::of(ledger).filter(|ledger| {
            (ledger.root(), ledger.height()) == (checkpoint.state_root, checkpoint.height)
                && ledger.minted() == self.certified().minted()
        });
        let mmr = Mmr::of_peaks(checkpoint.decided, &peaks);
        let mmr = mmr.filter(|mmr| mmr.root() == checkpoint.decided_root);
        let epoch = checkpoint.epoch.saturating_add(u64::from(checkpoint.next.is_some()));
        let (Some(ledger), Some(mmr), true, true) =
            (ledger, mmr, self.epoch() == epoch, checkpoint.network == self.network)
        else {
            return refused("a checkpoint is not that of the state it is stored with");
        };
        self.books = Books::new(ledger);
        (self.mmr, self.forgotten) = (mmr, checkpoint.decided);
        self.checkpoints.insert(checkpoint.height, checkpoint);
        Ok(())
    }

    /// Enters one more checkpoint of long ago.
    fn replay(&mut self, checkpoint: &Checkpoint, decisions: &[Decision]) -> Result<(), Error> {
        let Some(committee) = self.committee.clone() else {
            return refused("the network has no committee");
        };
        if !decisions.iter().all(|Decision(_, item)| self.items.contains_key(item)) {
            return refused("an item that was decided is missing");
        }
        self.books.resume(decisions, &self.items);
        for decision in decisions {
            self.decided.insert(decision.0, decision.1);
            self.settled.insert(decision.0);
            self.mmr.append(&leaf(decision));
            self.leaves.push_back(*decision);
        }
        let last = self.last_checkpoint();
        let prev = last.map_or([0; 32], Checkpoint::id);
        let height = last.map_or(1, |last| last.height + 1);
        let fits = (checkpoint.prev, checkpoint.height) == (prev, height)
            && checkpoint.epoch == committee.epoch()
            && checkpoint.decided == self.mmr.len()
            && checkpoint.decided_root == self.mmr.root()
            && checkpoint.state_root == self.certified().root();
        if !fits {
            return refused("a checkpoint does not follow from the decisions before it");
        }
        if let Some(next) = &checkpoint.next {
            let next = Committee::of_seats(next)?;
            self.take_over(next);
        }
        self.checkpoints.insert(height, checkpoint.clone());
        Ok(())
    }

    /// Whether what an item asks for was decided so long ago that only the ledger knows, or can
    /// never be decided. `seq` is the position of its vertex.
    pub fn is_over(&self, item: &Item, seq: u64) -> bool {
        if let Some(seats) = &item.seats {
            return seats.epoch <= self.epoch();
        }
        let Some(operation) = &item.operation else { return false };
        let is_old = self.old.get(&item.author).is_some_and(|covered| seq < *covered);
        match operation {
            // Who ends a hold has seen it, so it was here: it is open, or remembered, or has ended.
            Operation::Release { hold } | Operation::Refund { hold } => {
                let is_open = |ledger: &ledger::State| ledger.hold(hold).is_some();
                (is_old || self.forgotten > 0)
                    && !is_open(self.certified())
                    && !is_open(self.ledger())
                    && !self.items.contains_key(hold)
            }
            // It conflicts with nothing, so it was decided unless it is known to be open.
            Operation::NameCommit { .. } => is_old && !self.items.contains_key(&item.id),
            _ => self.certified().is_late(&item.author, operation),
        }
    }

    /// Whether nothing but that it is known says that an item is open.
    fn is_old_commitment(&self, id: &ItemId) -> bool {
        let Some(item) = self.items.get(id) else { return false };
        let (old, seq) = (self.old.get(&item.author), self.positions.get(id));
        matches!(item.operation, Some(Operation::NameCommit { .. })) && old > seq
    }

    /// Whether a key has its item, and no checkpoint holds that.
    fn is_uncut(&self, key: &ConflictKey) -> bool {
        self.decided.get(key).is_some_and(|item| self.uncut.contains(&Decision(*key, *item)))
    }

    pub(super) fn is_certified(&self, key: &ConflictKey) -> bool {
        self.decided.contains_key(key) && !self.is_uncut(key)
    }

    /// Whether an item has its keys in checkpoints, or can never have them.
    fn is_item_past(&self, item: &Item, seq: u64) -> bool {
        let lost =
            |key: &ConflictKey| self.is_certified(key) && self.decided.get(key) != Some(&item.id);
        item.keys.iter().any(lost)
            || item.keys.iter().all(|key| self.is_certified(key))
            || (self.is_over(item, seq) && !item.keys.iter().any(|key| self.is_uncut(key)))
    }

    fn is_vote_past(&self, epoch: u64, vote: &Vote) -> bool {
        if let Vote::Sign(height, _) = vote {
            let last = self.last_checkpoint().map_or(0, |last| last.height);
            return is_signed_enough(self.checkpoints.get(height), *height, last);
        }
        if epoch != self.epoch() {
            return epoch < self.epoch();
        }
        match vote {
            Vote::Lock(Decision(key, _))
            | Vote::Commit(Decision(key, _))
            | Vote::Contested(key, _) => {
                !self.is_uncut(key) && !self.keys.get(key).is_some_and(Key::is_claimed)
            }
            Vote::Propose(_, block) => block.slot < self.slot,
            Vote::Enter(slot, ..) | Vote::LockBlock(slot, ..) | Vote::CommitBlock(slot, ..) => {
                *slot < self.slot
            }
            Vote::Close(_) | Vote::Sign(..) => false,
        }
    }
}

fn refused<T>(reason: &'static str) -> Result<T, Error> {
    Err(Error::Past { reason })
}

/// Whether no proof needs signatures of a height any more: the checkpoint ends no epoch, and many
/// came after it. `held` is what is remembered of it.
fn is_signed_enough(held: Option<&Checkpoint>, height: u64, last: u64) -> bool {
    height.saturating_add(CHECKPOINTS_SIGNED) <= last && held.is_none_or(|held| held.next.is_none())
}
