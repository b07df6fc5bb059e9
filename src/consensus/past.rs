//! Going on without old vertices: what an engine that saw them knows, and which it still needs.
//!
//! A decision stays: its key, its item and the checkpoint that holds it are what the ledger, proofs
//! and lists are made of, some 400 bytes. What goes are votes that led to certified decisions and
//! executed blocks, which nobody counts again. A vertex that says anything about what is still
//! open is needed, whatever its age: so what a member said is never forgotten while it could be
//! contradicted, and nothing here depends on how old a key may get.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::state::leaf;
use super::{Checkpoint, Committee, Error, Item, Onward, Record, State};
use crate::clock::Now;
use crate::dag::vote::{ConflictKey, Decision, ItemId, Seats, Vote};
use crate::dag::{Citation, VertexId};

/// Checkpoints whose signatures are kept (count): as many as are tried for a certificate.
const CHECKPOINTS_SIGNED: u64 = 8;

/// What an engine knows from vertices that it need not see again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Past {
    /// Checkpoints, by height from 1.
    pub checkpoints: Vec<Checkpoint>,
    /// The decisions that they hold, in their order.
    pub certified: Vec<Decision>,
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
}

impl Past {
    /// The past of who was handed these checkpoints and decisions, up to where deciding goes on.
    pub fn handed(checkpoints: Vec<Checkpoint>, certified: Vec<Decision>, onward: &Onward) -> Self {
        let settled = onward.settled.iter().map(|decision| decision.0).collect();
        let (uncut, closing) = (onward.settled.clone(), onward.closing.clone());
        let (slot, first_leader) = (onward.slot, onward.first_leader);
        let tips = Vec::new();
        Self { checkpoints, certified, uncut, settled, closing, slot, first_leader, tips }
    }

    /// This past, and what came after it.
    #[must_use]
    pub fn then(self, next: Past) -> Past {
        let checkpoints = [self.checkpoints, next.checkpoints].concat();
        let certified = [self.certified, next.certified].concat();
        Past { checkpoints, certified, ..next }
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

    /// Whether everything that a vertex says is settled for good: no other need be told of it to
    /// count votes, and no vote of this member could contradict it.
    pub fn is_past(&self, record: &Record) -> bool {
        record.items.iter().all(|item| self.is_item_past(item))
            && record
                .votes
                .iter()
                .all(|votes| votes.votes.iter().all(|vote| self.is_vote_past(votes.epoch, vote)))
    }

    /// What is to be stored before vertices are dropped, without the first few checkpoints and
    /// decisions, which were stored before.
    pub fn past(&self, checkpoints: usize, certified: usize) -> Past {
        let settled = |decision: &&Decision| self.settled.contains(&decision.0);
        let wide = |place: usize| u64::try_from(place).unwrap_or(u64::MAX);
        Past {
            checkpoints: self.checkpoints.get(checkpoints..).unwrap_or_default().to_vec(),
            certified: self.leaves.get(certified..).unwrap_or_default().to_vec(),
            uncut: self.uncut.iter().copied().collect(),
            settled: self.uncut.iter().filter(settled).map(|decision| decision.0).collect(),
            closing: self.closing.clone(),
            slot: self.slot,
            first_leader: wide(self.first_leader),
            tips: self.tips.iter().map(|(place, tip)| (wide(*place), *tip)).collect(),
        }
    }

    /// Forgets what dropped vertices said, as far as it takes room.
    pub fn forget(&mut self, dropped: &[VertexId]) {
        let checkpoints = &self.checkpoints;
        self.signatures.retain(|height, _| !is_signed_enough(checkpoints, *height));
        let dropped: BTreeSet<&VertexId> = dropped.iter().collect();
        self.seen.retain(|cited| !dropped.contains(&cited.id));
    }

    /// Remembers that checkpoints cover the chains of these vertices up to them. The frontier of a
    /// block may name what is there, whether or not it is still here.
    pub fn note_covered<'a>(&mut self, tips: impl Iterator<Item = &'a Citation>) {
        for tip in tips {
            let covered = self.covered.entry(tip.author).or_default();
            *covered = tip.seq.saturating_add(1).max(*covered);
        }
    }

    /// Goes on from what an engine knew: on a new one, with every item of the past and of the
    /// vertices that were kept, before the first [`State::restore`] of those. The ledger is
    /// computed anew, and every root compared.
    ///
    /// # Errors
    /// [`Error::Past`] for anything that no engine of this network knew.
    pub fn resume(&mut self, past: Past, items: Vec<Item>, now: Now) -> Result<(), Error> {
        let refused = |reason| Err(Error::Past { reason });
        self.items.extend(items.into_iter().map(|item| (item.id, item)));
        for checkpoint in past.checkpoints {
            let Some(committee) = self.committee.clone() else {
                return refused("the network has no committee");
            };
            let from = self.leaves.len();
            let until = usize::try_from(checkpoint.decided).unwrap_or(usize::MAX);
            let Some(decisions) = past.certified.get(from..until) else {
                return refused("decisions of a checkpoint are missing");
            };
            if !decisions.iter().all(|Decision(_, item)| self.items.contains_key(item)) {
                return refused("an item that was decided is missing");
            }
            self.books.resume(decisions, &self.items);
            for decision in decisions {
                self.decided.insert(decision.0, decision.1);
                self.settled.insert(decision.0);
                self.mmr.append(&leaf(decision));
                self.leaves.push(*decision);
            }
            let prev = self.checkpoints.last().map_or([0; 32], Checkpoint::id);
            let height = self.checkpoints.last().map_or(1, |last| last.height + 1);
            let fits = (checkpoint.prev, checkpoint.height) == (prev, height)
                && checkpoint.epoch == committee.epoch()
                && checkpoint.decided_root == self.mmr.root()
                && checkpoint.state_root == self.certified().root();
            if !fits {
                return refused("a checkpoint does not follow from the decisions before it");
            }
            if let Some(next) = &checkpoint.next {
                let next = Committee::of_seats(next)?;
                self.take_over(next);
            }
            self.checkpoints.push(checkpoint);
        }
        let narrow = |place: u64| usize::try_from(place).unwrap_or(usize::MAX);
        (self.slot, self.closing) = (past.slot, past.closing);
        self.first_leader = narrow(past.first_leader);
        self.settled.extend(past.settled);
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
        Ok(())
    }

    fn is_certified(&self, key: &ConflictKey) -> bool {
        let decided = self.decided.get(key);
        decided.is_some_and(|item| !self.uncut.contains(&Decision(*key, *item)))
    }

    /// Whether an item has its keys in checkpoints, or can never have them.
    fn is_item_past(&self, item: &Item) -> bool {
        let lost =
            |key: &ConflictKey| self.is_certified(key) && self.decided.get(key) != Some(&item.id);
        item.keys.iter().any(lost) || item.keys.iter().all(|key| self.is_certified(key))
    }

    fn is_vote_past(&self, epoch: u64, vote: &Vote) -> bool {
        if let Vote::Sign(height, _) = vote {
            return is_signed_enough(&self.checkpoints, *height);
        }
        if epoch != self.epoch() {
            return epoch < self.epoch();
        }
        match vote {
            Vote::Lock(Decision(key, _))
            | Vote::Commit(Decision(key, _))
            | Vote::Contested(key, _) => self.is_certified(key),
            Vote::Propose(_, block) => block.slot < self.slot,
            Vote::Enter(slot, ..) | Vote::LockBlock(slot, ..) | Vote::CommitBlock(slot, ..) => {
                *slot < self.slot
            }
            Vote::Close(_) | Vote::Sign(..) => false,
        }
    }
}

/// Whether no proof needs signatures of a height any more: the checkpoint ends no epoch, and many
/// came after it.
fn is_signed_enough(checkpoints: &[Checkpoint], height: u64) -> bool {
    let last = checkpoints.last().map_or(0, |last| last.height);
    let place = height.checked_sub(1).and_then(|place| usize::try_from(place).ok());
    let checkpoint = place.and_then(|place| checkpoints.get(place));
    height.saturating_add(CHECKPOINTS_SIGNED) <= last
        && checkpoint.is_none_or(|checkpoint| checkpoint.next.is_none())
}
