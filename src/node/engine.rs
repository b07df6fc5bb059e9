//! The engine that a node decides with: the one that the genesis of its network names.

use super::sampled::Sampled;
use crate::consensus::{Committee, State};
use crate::dag::vote::{ConflictKey, ItemId};
use crate::ledger;

/// One of the two.
#[derive(Debug)]
pub(super) enum Engine {
    /// Quorums of a committee; without a committee nothing is ever decided.
    Quorum(Box<State>),
    /// Repeated polls of a few members.
    Sampled(Box<Sampled>),
}

impl Engine {
    /// The engine of quorums, if it is that.
    pub(super) fn quorum(&self) -> Option<&State> {
        match self {
            Self::Quorum(state) => Some(state),
            Self::Sampled(_) => None,
        }
    }

    pub(super) fn quorum_mut(&mut self) -> Option<&mut State> {
        match self {
            Self::Quorum(state) => Some(state),
            Self::Sampled(_) => None,
        }
    }

    /// The engine that samples, if it is that.
    pub(super) fn sampled(&self) -> Option<&Sampled> {
        match self {
            Self::Quorum(_) => None,
            Self::Sampled(sampled) => Some(sampled),
        }
    }

    pub(super) fn sampled_mut(&mut self) -> Option<&mut Sampled> {
        match self {
            Self::Quorum(_) => None,
            Self::Sampled(sampled) => Some(sampled),
        }
    }

    /// Who decides now.
    pub(super) fn committee(&self) -> Option<&Committee> {
        match self {
            Self::Quorum(state) => state.committee(),
            Self::Sampled(sampled) => Some(sampled.committee()),
        }
    }

    /// Who has a key for good.
    pub(super) fn decided(&self, key: &ConflictKey) -> Option<ItemId> {
        match self {
            Self::Quorum(state) => state.decided(key),
            Self::Sampled(sampled) => sampled.decided(key),
        }
    }

    /// Keys that are decided (count).
    pub(super) fn decisions(&self) -> u64 {
        let wide = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        match self {
            Self::Quorum(state) => state.forgotten().saturating_add(wide(state.decisions().len())),
            Self::Sampled(sampled) => wide(sampled.decisions()),
        }
    }

    /// Keys that wait for a decision (count).
    pub(super) fn pending(&self) -> usize {
        match self {
            Self::Quorum(state) => state.pending(),
            Self::Sampled(sampled) => sampled.pending(),
        }
    }

    /// What decisions amount to now; names only where nothing has value.
    pub(super) fn ledger(&self) -> &ledger::State {
        match self {
            Self::Quorum(state) => state.ledger(),
            Self::Sampled(sampled) => sampled.names(),
        }
    }
}
