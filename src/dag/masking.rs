//! What members of a run with secure aggregation say beside their updates.
//!
//! One round takes four statements, each in a vertex of its own: every member *deals* shares of two
//! secrets to the others; somebody names the deals of a *cohort*, which masks its updates for each
//! other; somebody names the updates of it that are there, the *closing*; and every member
//! *unmasks* them by its shares. [`crate::masking`] says why; what counts is for the fold of runs.
//! The checks here are local: bounds, lengths, order.

use serde::{Deserialize, Serialize};
use serde_bytes::{ByteArray, ByteBuf};

use super::payload::{ascending, count};
use super::{Error, VertexId};
use crate::identity::AuthorId;
use crate::limits;

/// Bytes of a secret and of a share of it.
const SHARE_BYTES: usize = 32;
/// Bytes of the two shares of a holder, sealed.
pub const SEALED_BYTES: usize = 2 * SHARE_BYTES + 16;
/// Bytes of a revealed share with the place of its deal before it.
const REVEALED_BYTES: usize = 1 + SHARE_BYTES;

/// A statement about the masks of a round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Statement {
    /// Shares of the author's secrets for one round; named by its vertex.
    Deal(Deal),
    /// Who masks for each other; named by its vertex.
    Cohort(Cohort),
    /// Whose updates are there; named by its vertex.
    Closing(Closing),
    /// The author's shares of what opens a closing.
    Unmask(Unmask),
}

/// Shares of the secrets that one member masks one update with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deal {
    /// The run.
    pub run: VertexId,
    /// The run's first vertex or the aggregate that the update is trained from.
    pub base: VertexId,
    /// The X25519 key behind the masks with others, of this deal alone.
    pub key: ByteArray<32>,
    /// Commitment to the seed of the own mask.
    pub commitment: ByteArray<32>,
    /// Who holds shares, strictly ascending; share 1 is the first one's.
    pub shares: Vec<Dealt>,
}

/// The shares of one holder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dealt {
    /// Who can open them.
    pub holder: AuthorId,
    /// The share of the own mask's seed, then that of the key, sealed.
    pub sealed: ByteArray<SEALED_BYTES>,
    /// Commitment to the first.
    pub own: ByteArray<32>,
    /// Commitment to the second.
    pub key: ByteArray<32>,
}

/// Members that mask for each other in a round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cohort {
    /// The run.
    pub run: VertexId,
    /// What the updates are trained from.
    pub base: VertexId,
    /// The vertices of their deals, strictly ascending.
    pub deals: Vec<VertexId>,
}

/// The updates of a cohort that are there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Closing {
    /// The run.
    pub run: VertexId,
    /// The cohort.
    pub cohort: VertexId,
    /// The vertices of the updates, strictly ascending.
    pub updates: Vec<VertexId>,
}

/// What a member reveals for a closing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unmask {
    /// The run.
    pub run: VertexId,
    /// The closing.
    pub closing: VertexId,
    /// For each deal of the cohort of which the author has shares its place in the cohort (a byte,
    /// strictly ascending) and one share: of the own mask's seed if the update of that deal is in
    /// the closing, of the key if it is not.
    pub shares: ByteBuf,
}

impl Statement {
    /// Whether others refer to it by the id of its vertex.
    pub fn is_named_by_vertex(&self) -> bool {
        !matches!(self, Self::Unmask(_))
    }

    /// The run it is about.
    pub fn run(&self) -> VertexId {
        match self {
            Self::Deal(deal) => deal.run,
            Self::Cohort(cohort) => cohort.run,
            Self::Closing(closing) => closing.run,
            Self::Unmask(unmask) => unmask.run,
        }
    }

    pub(super) fn validate(&self) -> Result<(), Error> {
        let least = usize::try_from(limits::MASKING_MEMBERS_MIN).unwrap_or(usize::MAX);
        let most = limits::MASKING_MEMBERS_MAX;
        match self {
            Self::Deal(deal) => {
                count("shares", deal.shares.len(), least, most)?;
                let holders: Vec<AuthorId> = deal.shares.iter().map(|dealt| dealt.holder).collect();
                ascending("shares", &holders)
            }
            Self::Cohort(cohort) => {
                count("deals", cohort.deals.len(), least, most)?;
                ascending("deals", &cohort.deals)
            }
            Self::Closing(closing) => {
                count("updates", closing.updates.len(), least, most)?;
                ascending("updates", &closing.updates)
            }
            Self::Unmask(unmask) => unmask.validate(),
        }
    }
}

impl Unmask {
    /// What an author reveals: places in the cohort, strictly ascending, with shares.
    pub fn new(run: VertexId, closing: VertexId, shares: &[(u8, [u8; SHARE_BYTES])]) -> Self {
        let bytes = shares.iter().flat_map(|(place, share)| std::iter::once(*place).chain(*share));
        Self { run, closing, shares: ByteBuf::from(bytes.collect::<Vec<u8>>()) }
    }

    /// The places and the shares.
    pub fn revealed(&self) -> impl Iterator<Item = (u8, [u8; SHARE_BYTES])> + '_ {
        let (entries, _) = self.shares.as_chunks::<REVEALED_BYTES>();
        entries.iter().map(|[place, share @ ..]| (*place, *share))
    }

    fn validate(&self) -> Result<(), Error> {
        let (entries, rest) = self.shares.as_chunks::<REVEALED_BYTES>();
        // A part of an entry is too many.
        let most = limits::MASKING_MEMBERS_MAX;
        let found = if rest.is_empty() { entries.len() } else { most + 1 };
        count("shares", found, 1, most)?;
        let places: Vec<u8> = self.revealed().map(|(place, _)| place).collect();
        ascending("shares", &places)
    }
}

#[cfg(test)]
mod tests;
