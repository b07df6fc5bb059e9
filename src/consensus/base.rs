//! What decisions amount to that nobody remembers one by one.

use serde::{Deserialize, Serialize};

use super::mmr::{self, Hash};
use super::{Checkpoint, State, Step};
use crate::ledger;

/// What an engine goes on from without the decisions up to a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Base {
    /// The checkpoint, not sealed. Its roots are those of what follows.
    pub checkpoint: Checkpoint,
    /// Checkpoints up to there that end an epoch, by height; they name the committees.
    pub ends: Vec<Checkpoint>,
    /// The peaks of the mountain range of decisions.
    #[serde(with = "mmr::hashes")]
    pub peaks: Vec<Hash>,
    /// Credits and names.
    pub ledger: ledger::Records,
}

impl State {
    /// What a checkpoint that came up leads to. Costs a walk over the ledger.
    pub fn base_at(&self, step: &Step) -> Base {
        let checkpoint = step.checkpoint.clone();
        let until = self.checkpoints().filter(|held| held.height <= checkpoint.height);
        let ends = until.filter(|held| held.next.is_some()).cloned().collect();
        let (peaks, ledger) = (step.peaks.clone(), step.ledger.to_records());
        Base { checkpoint, ends, peaks, ledger }
    }
}
