//! What one checkpoint adds: everything that who did not see the votes has to be handed.
//!
//! All of it follows from blocks that quorums decided and from vertices that they name, so it is
//! the same for every honest node that is there. What only some of them know, such as decisions of
//! the fast path that no checkpoint holds, is not in it: it is found again from votes, which are
//! kept for as long as a decision is in no checkpoint.

use serde::{Deserialize, Serialize};

use super::{Checkpoint, Item, State, mmr};
use crate::dag::Citation;
use crate::dag::vote::{Cut, Decision, Seats};
use crate::ledger;

/// A checkpoint with what it holds and what comes after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The checkpoint, not sealed.
    pub checkpoint: Checkpoint,
    /// The decisions that it adds, in their order.
    pub decisions: Vec<Decision>,
    /// What was decided, each item once.
    pub items: Vec<Item>,
    /// Vertices whose causal past is what was seen.
    pub frontier: Vec<Citation>,
    /// Where deciding goes on.
    pub onward: Onward,
    /// Credits and names at the checkpoint. A copy costs nothing.
    pub ledger: ledger::State,
    /// The peaks of the mountain range of decisions.
    pub peaks: Vec<mmr::Hash>,
}

/// Where deciding goes on after a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Onward {
    /// The slot that is decided next.
    pub slot: u64,
    /// The place of who leads view 0 of it.
    pub first_leader: u64,
    /// The committee that follows, once that is decided and while its epoch has not begun.
    pub closing: Option<Seats>,
    /// Decisions of blocks that no checkpoint holds, ascending.
    pub settled: Vec<Decision>,
    /// Their items, each once.
    pub items: Vec<Item>,
}

impl State {
    /// What a checkpoint adds, in the slot that decides it; `leader` leads the next one.
    pub(super) fn step(&self, checkpoint: Checkpoint, cut: &Cut, leader: usize) -> Step {
        let settled = self.uncut.iter().filter(|decision| self.settled.contains(&decision.0));
        let settled: Vec<Decision> = settled.copied().collect();
        let ends = checkpoint.next.is_some();
        let onward = Onward {
            slot: if ends { 0 } else { self.slot + 1 },
            first_leader: if ends { 0 } else { u64::try_from(leader).unwrap_or(u64::MAX) },
            closing: self.closing.clone().filter(|_| !ends),
            items: self.items_of_decisions(&settled),
            settled,
        };
        let items = self.items_of_decisions(&cut.decisions);
        let (decisions, frontier) = (cut.decisions.clone(), cut.frontier.clone());
        let (ledger, peaks) = (self.certified().clone(), self.mmr.peaks());
        Step { checkpoint, decisions, items, frontier, onward, ledger, peaks }
    }

    fn items_of_decisions(&self, decisions: &[Decision]) -> Vec<Item> {
        let mut ids: Vec<_> = decisions.iter().map(|Decision(_, item)| *item).collect();
        ids.sort_unstable();
        ids.dedup();
        ids.iter().filter_map(|id| self.items.get(id)).cloned().collect()
    }
}
