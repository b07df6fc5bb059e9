//! What members of a committee say on the way to a decision, as payloads of their vertices.
//!
//! One signature, that of the vertex, covers all votes of a tick. A certificate is therefore no
//! structure of its own: it is a set of vertices in the causal past, and whoever has the history
//! counts it there. The one vote that has to convince someone without the history, the one for a
//! checkpoint, carries a signature of its own; see decision record 0008.
//!
//! The checks here are local: bounds and order. What a vote means is for [`crate::consensus`].

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::payload::{ascending, count, range, within};
use super::{Citation, Error, VertexId};
use crate::crypto::hash::Digest;
use crate::crypto::sign::Signature;
use crate::identity::AuthorId;
use crate::limits;

/// Domain of conflict keys. Changing it changes every key.
const KEY_DOMAIN: &str = "synaptic-mesh 2026 conflict key v1";
/// Domain of the names of blocks.
const BLOCK_DOMAIN: &str = "synaptic-mesh 2026 consensus block v1";

macro_rules! hash_id {
    ($(#[$doc:meta])* $id:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $id(#[serde(with = "serde_bytes")] [u8; 32]);

        impl $id {
            /// The 32 bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl fmt::Debug for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($id), "({:?})"), Digest(self.0))
            }
        }
    };
}

hash_id!(
    /// What at most one item can have: a spent coin, a name, the next committee. 32 bytes.
    ConflictKey
);
hash_id!(
    /// Name of a [`Block`]: a hash of its canonical bytes, 32 bytes.
    BlockId
);

impl ConflictKey {
    /// The key of `parts` for the use `kind`; lengths are hashed, so that parts do not run
    /// into each other.
    pub fn derive(kind: &str, parts: &[&[u8]]) -> Self {
        let mut hashed: Vec<u8> = Vec::new();
        for part in std::iter::once(&kind.as_bytes()).chain(parts) {
            let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
            hashed.extend_from_slice(&length.to_le_bytes());
            hashed.extend_from_slice(part);
        }
        Self(Digest::derive(KEY_DOMAIN, &[&hashed]).0)
    }
}

/// Names one payload in the history: its vertex, and its place among the vertex's payloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ItemId(pub VertexId, pub u32);

impl ItemId {
    /// Bytes of the binary form.
    pub const BYTES: usize = 36;

    /// The binary form: the hash that names the vertex, and the place, big-endian.
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let parts = self.0.0.0.into_iter().chain(self.1.to_be_bytes());
        bytes.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
        bytes
    }

    /// What has this binary form.
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let [vertex @ .., a, b, c, d] = *bytes;
        Self(VertexId(Digest(vertex)), u32::from_be_bytes([a, b, c, d]))
    }
}

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.0, self.1)
    }
}

/// A conflict key and the item that has it for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Decision(pub ConflictKey, pub ItemId);

/// A certificate of the slow path that somebody has seen: the view and the block it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Locked(pub u32, pub BlockId);

/// The votes of one tick.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Votes {
    /// The epoch whose committee the author votes in.
    pub epoch: u64,
    /// The votes, 1 to [`limits::VOTES_MAX`].
    pub votes: Vec<Vote>,
}

/// One statement of a member. Which of them follow from which is in `docs/finality.md`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Vote {
    /// The one item the author will vote for on the fast path of this key.
    Lock(Decision),
    /// A quorum has locked this item.
    Commit(Decision),
    /// The author casts no fast vote for this key any more; with the item that it knows a quorum
    /// to have locked.
    Contested(ConflictKey, Option<ItemId>),
    /// The leader of this view of the block's slot puts this block forward.
    Propose(u32, Block),
    /// `(slot, view, highest certificate)`: the author goes to this view and commits in no
    /// earlier one.
    Enter(u64, u32, Option<Locked>),
    /// `(slot, view, block)`: the one block the author locks in this view.
    LockBlock(u64, u32, BlockId),
    /// `(slot, view, block)`: a quorum has locked this block in this view.
    CommitBlock(u64, u32, BlockId),
    /// The epoch ends: what the author knows a quorum to have locked or committed to in it and no
    /// checkpoint to hold, ascending, at most [`limits::CUT_DECISIONS_MAX`]. It casts no fast vote
    /// in the epoch any more.
    Close(Vec<Decision>),
    /// The author's signature of the checkpoint of this height, by itself; see
    /// [`crate::consensus::Checkpoint`].
    Sign(u64, CheckpointSignature),
}

/// What a leader puts forward in one slot of the slow path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// The place in the order of blocks, from 0 in every epoch.
    pub slot: u64,
    /// The view for which it was made; later views may put it forward again.
    pub view: u32,
    /// Who made it.
    pub proposer: AuthorId,
    /// Items that shall have all their keys, at most [`limits::BLOCK_ITEMS_MAX`].
    pub items: Vec<ItemId>,
    /// What the next checkpoint shall hold.
    pub cut: Option<Cut>,
    /// A quorum of members, by their places, ascending, whose [`Vote::Close`] the cut covers; the
    /// block ends the epoch. Empty in every other block.
    pub closers: Vec<u32>,
}

/// What a checkpoint adds to the one before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cut {
    /// Decisions that no checkpoint holds yet, ascending, at most [`limits::CUT_DECISIONS_MAX`].
    pub decisions: Vec<Decision>,
    /// What the leader had seen: vertices, ascending by id, at most
    /// [`limits::VERTEX_PARENTS_MAX`].
    pub frontier: Vec<Citation>,
    /// Root of the state that the decisions lead to.
    #[serde(with = "serde_bytes")]
    pub state_root: [u8; 32],
}

/// A composite signature inside a payload, 3373 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointSignature(pub Signature);

impl Serialize for CheckpointSignature {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_bytes(self.0.as_bytes())
    }
}

impl<'de> Deserialize<'de> for CheckpointSignature {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let bytes = serde_bytes::ByteBuf::deserialize(input)?;
        Signature::from_bytes(&bytes).map(Self).map_err(serde::de::Error::custom)
    }
}

/// The members of an epoch, for an item that begins it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seats {
    /// The epoch.
    pub epoch: u64,
    /// Members with their weights, ascending by member, 4 to [`limits::COMMITTEE_MAX`].
    pub members: Vec<(AuthorId, u32)>,
}

impl Block {
    /// Its name.
    ///
    /// # Panics
    /// Never: a block always encodes.
    pub fn id(&self) -> BlockId {
        let bytes = super::cbor::encode(self).expect("numbers, strings and links always encode");
        BlockId(Digest::derive(BLOCK_DOMAIN, &[&bytes]).0)
    }

    fn validate(&self) -> Result<(), Error> {
        range("slot", self.slot, 0, limits::VERTEX_NUMBER_MAX)?;
        within("view", self.view, 0, limits::VIEWS_MAX)?;
        count("items", self.items.len(), 0, limits::BLOCK_ITEMS_MAX)?;
        count("closers", self.closers.len(), 0, limits::COMMITTEE_MAX)?;
        ascending("closers", &self.closers)?;
        let Some(cut) = &self.cut else {
            return count("closers", self.closers.len(), 0, 0);
        };
        let least = usize::from(self.closers.is_empty());
        count("decisions", cut.decisions.len(), least, limits::CUT_DECISIONS_MAX)?;
        ascending("decisions", &cut.decisions)?;
        count("frontier", cut.frontier.len(), 1, limits::VERTEX_PARENTS_MAX)?;
        let ids: Vec<VertexId> = cut.frontier.iter().map(|cited| cited.id).collect();
        ascending("frontier", &ids)
    }
}

impl Votes {
    /// Checks everything that needs no other vertex.
    pub(super) fn validate(&self) -> Result<(), Error> {
        range("epoch", self.epoch, 0, limits::VERTEX_NUMBER_MAX)?;
        count("votes", self.votes.len(), 1, limits::VOTES_MAX)?;
        self.votes.iter().try_for_each(Vote::validate)
    }
}

impl Vote {
    fn validate(&self) -> Result<(), Error> {
        match self {
            Self::Propose(view, block) => {
                within("view", *view, block.view, limits::VIEWS_MAX)?;
                block.validate()
            }
            Self::Enter(slot, view, locked) => {
                range("slot", *slot, 0, limits::VERTEX_NUMBER_MAX)?;
                within("view", *view, 1, limits::VIEWS_MAX)?;
                let Some(Locked(below, _)) = locked else { return Ok(()) };
                within("certificate's view", *below, 0, view.saturating_sub(1))
            }
            Self::LockBlock(slot, view, _) | Self::CommitBlock(slot, view, _) => {
                range("slot", *slot, 0, limits::VERTEX_NUMBER_MAX)?;
                within("view", *view, 0, limits::VIEWS_MAX)
            }
            Self::Close(decisions) => {
                count("decisions", decisions.len(), 0, limits::CUT_DECISIONS_MAX)?;
                ascending("decisions", decisions)
            }
            Self::Sign(height, _) => range("height", *height, 0, limits::VERTEX_NUMBER_MAX),
            Self::Lock(_) | Self::Commit(_) | Self::Contested(..) => Ok(()),
        }
    }
}

impl Seats {
    /// Checks everything that needs no other vertex.
    ///
    /// # Errors
    /// [`Error::Range`] or [`Error::Order`] names what is wrong.
    pub fn validate(&self) -> Result<(), Error> {
        range("epoch", self.epoch, 1, limits::VERTEX_NUMBER_MAX)?;
        count("members", self.members.len(), limits::COMMITTEE_MIN, limits::COMMITTEE_MAX)?;
        let authors: Vec<AuthorId> = self.members.iter().map(|(author, _)| *author).collect();
        ascending("members", &authors)?;
        let weights = self.members.iter().map(|(_, weight)| *weight);
        weights.into_iter().try_for_each(|w| within("weight", w, 1, limits::MEMBER_WEIGHT_MAX))
    }
}

#[cfg(test)]
mod tests;
