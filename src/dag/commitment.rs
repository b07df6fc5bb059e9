//! Commitments: what an author will send, fixed before it sees what others do.
//!
//! Who may wait for the others' updates can make its own from them. In a run with commitments each
//! round has two steps of a member: a *commitment*, a hash that hides its update; and, once those
//! of others are there, the update with what opens it, the *reveal*. A reveal names the
//! commitments that it *answers*, by their vertices. Those are hashes of what was signed: nobody
//! can name one that is not there yet, so each name shows which of the two was first, whatever
//! clocks and parents say.
//!
//! The checks here are local: bounds and order. Whether a reveal opens its commitment, and which
//! updates count together, is for the fold of runs.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;

use super::payload::{ascending, count};
use super::{Error, Update, VertexId};
use crate::crypto::hash::Digest;
use crate::identity::AuthorId;
use crate::limits;

/// Domain of commitments.
const COMMITMENT: &str = "synaptic-mesh 2026 update commitment v1";

/// A promise of one update; named by its vertex.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commitment {
    /// The run.
    pub run: VertexId,
    /// The run's first vertex or the aggregate that the update is trained from.
    pub base: VertexId,
    /// Which try of the round it is for, from 0; a second one for a round that came to nothing.
    pub attempt: u32,
    /// [`hash`] of the update.
    pub hash: ByteArray<32>,
}

/// What opens a commitment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reveal {
    /// The vertex of the author's commitment.
    pub commitment: VertexId,
    /// What hid the update: 32 random bytes.
    pub nonce: ByteArray<32>,
    /// The vertices of all commitments that were there before, the author's too, strictly
    /// ascending.
    pub answers: Vec<VertexId>,
}

/// What commits an author to an update: whatever counts of it, and a nonce that nobody can guess.
pub fn hash(update: &Update, author: &AuthorId, nonce: &[u8; 32]) -> [u8; 32] {
    let parts: [&[u8]; 7] = [
        &update.run.0.0,
        &update.base.0.0,
        &update.round.to_le_bytes(),
        author.as_bytes(),
        &update.samples.to_le_bytes(),
        &update.delta.0.0,
        nonce,
    ];
    Digest::derive(COMMITMENT, &parts).0
}

impl Reveal {
    pub(super) fn validate(&self) -> Result<(), Error> {
        count("answers", self.answers.len(), 1, limits::AGGREGATE_UPDATES_MAX)?;
        ascending("answers", &self.answers)
    }
}

#[cfg(test)]
mod tests;
