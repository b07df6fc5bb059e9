//! Why a vertex was refused, and what that says about who sent it.

use super::{VertexId, cbor, operation};
use crate::aggregation;
use crate::compression;
use crate::crypto::{hash, sign};
use crate::identity::{self, AuthorId, NetworkId};
use crate::masking;
use crate::neural;
use crate::privacy;

/// Whose fault a refusal is, so that a node can count and penalise by cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Fault {
    /// The bytes are not a vertex; an honest peer never sends such.
    Malformed,
    /// The vertex is well formed but breaks a rule of its chain or its causal past; an honest peer
    /// checks before it forwards.
    Invalid,
    /// A signature does not verify.
    BadSignature,
    /// The vertex belongs to another network.
    WrongNetwork,
    /// The vertex belongs behind a checkpoint, or says of a parent what only who knows a later
    /// checkpoint takes. Whoever forwards it may know another one.
    Old,
    /// The vertex claims a Lamport time far beyond everything known; who knows more may take it.
    FutureLamport,
    /// The author equivocated. Its vertices are refused, but whoever forwards one may not know.
    Ended,
    /// A bound of this node is reached. Nobody's fault; ask again later.
    Full,
}

impl Fault {
    /// Whether the peer that sent the vertex broke the protocol by sending it.
    pub const fn blames_sender(self) -> bool {
        !matches!(self, Self::Ended | Self::Old | Self::FutureLamport | Self::Full)
    }
}

/// Why a vertex was refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not the canonical DAG-CBOR of what it should be.
    #[error("the {what} cannot be read: {source}")]
    Encoding {
        /// What was being read.
        what: &'static str,
        /// Where and why.
        source: cbor::Error,
    },
    /// A version this program does not know.
    #[error("the vertex has version {found}, this program reads {known}; update it")]
    Version {
        /// The version that was there.
        found: u8,
        /// The version this program reads.
        known: u8,
    },
    /// A number or count outside its bounds.
    #[error("{field} is {found}; it must be {min} to {max}")]
    Range {
        /// The field.
        field: &'static str,
        /// What it says.
        found: u64,
        /// Least allowed.
        min: u64,
        /// Most allowed.
        max: u64,
    },
    /// A float outside its bounds.
    #[error("{field} is {found}; it must be {expected}")]
    Number {
        /// The field.
        field: &'static str,
        /// What it says.
        found: f32,
        /// What is allowed.
        expected: &'static str,
    },
    /// A text with wrong characters or length.
    #[error("{field} has {bytes} bytes; it takes {expected}")]
    Text {
        /// The field.
        field: &'static str,
        /// Bytes of the text.
        bytes: usize,
        /// What is allowed.
        expected: &'static str,
    },
    /// A number of bytes that is no number of weights.
    #[error("{field} is {bytes}, which is no multiple of 4, the bytes of one weight")]
    Weights {
        /// The field.
        field: &'static str,
        /// What it says.
        bytes: u32,
    },
    /// A list that is not strictly ascending.
    #[error("{field} must be strictly ascending; entry {index} is not")]
    Order {
        /// The list.
        field: &'static str,
        /// Index of the first entry that is not above the one before.
        index: usize,
    },
    /// A run's network or scaling that is out of bounds.
    #[error("the run's model is refused: {0}")]
    Model(#[source] neural::specification::Error),
    /// A run's aggregation rule whose numbers are out of bounds.
    #[error("the run's aggregation is refused: {0}")]
    Aggregation(#[source] aggregation::Error),
    /// A run's compression that is out of bounds, or does not go with its rule.
    #[error("the run's compression is refused: {0}")]
    Compression(#[source] compression::Error),
    /// A run's noise that is out of bounds.
    #[error("the run's noise is refused: {0}")]
    Privacy(#[source] privacy::Error),
    /// A run's secure aggregation that is out of bounds.
    #[error("the run's secure aggregation is refused: {0}")]
    Masking(#[source] masking::Error),
    /// Secure aggregation together with what it does not go with.
    #[error("the run's secure aggregation is refused: {0}")]
    Masked(&'static str),
    /// Trusted rows of a run that do not fit it.
    #[error("the run's trusted rows are refused: {0}")]
    Reference(&'static str),
    /// A run that names the mean as its rule.
    #[error("a run that names no aggregation rule takes the mean: leave it out")]
    Mean,
    /// Class names that do not fit the network's outputs.
    #[error("{classes} class names do not fit {outputs} outputs; give none, or one per output")]
    Classes {
        /// Class names.
        classes: usize,
        /// Outputs of the network.
        outputs: u32,
    },
    /// An identity statement in the wrong place or of the wrong form.
    #[error("the identity vertex is refused: {reason}")]
    Identity {
        /// The rule that was broken.
        reason: &'static str,
    },
    /// A key that is not the author's.
    #[error("the key belongs to author {key_of}, the vertex names {author}")]
    ForeignKey {
        /// The author the vertex names.
        author: AuthorId,
        /// The author the key belongs to.
        key_of: AuthorId,
    },
    /// `prev` is missing, superfluous, or not among the parents.
    #[error("the vertex with seq {seq} is refused: {reason}")]
    Prev {
        /// Position in the author's chain.
        seq: u64,
        /// The rule that was broken.
        reason: &'static str,
    },
    /// A vertex of another network.
    #[error("the vertex belongs to network {found}, this node to {expected}")]
    WrongNetwork {
        /// This node's network.
        expected: NetworkId,
        /// The vertex's network.
        found: NetworkId,
    },
    /// A signature that does not verify.
    #[error("vertex {id} of {author}: {source}")]
    Signature {
        /// The vertex.
        id: VertexId,
        /// The author it names.
        author: AuthorId,
        /// Which half failed.
        source: sign::Error,
    },
    /// A Lamport time that is not one more than the greatest of the parents.
    #[error("lamport is {found}; with these parents it must be {expected}")]
    Lamport {
        /// What the vertex says.
        found: u64,
        /// One more than the greatest of its parents.
        expected: u64,
    },
    /// A Lamport time too far beyond everything known.
    #[error("lamport {found} is more than {window} beyond the {known} known here")]
    FutureLamport {
        /// What the vertex says.
        found: u64,
        /// Greatest accepted Lamport time.
        known: u64,
        /// How far ahead is allowed.
        window: u64,
    },
    /// A position that does not follow from `prev`.
    #[error("seq is {found}; after its prev it must be {expected}")]
    Seq {
        /// What the vertex says.
        found: u64,
        /// One more than that of `prev`.
        expected: u64,
    },
    /// `prev` is a vertex of somebody else.
    #[error("prev {prev} is a vertex of {found}, not of the author {author}")]
    PrevForeign {
        /// The vertex named as `prev`.
        prev: VertexId,
        /// Its author.
        found: AuthorId,
        /// The author of the refused vertex.
        author: AuthorId,
    },
    /// A binding that does not verify.
    #[error("a binding of {author} is refused: {source}")]
    Binding {
        /// The author.
        author: AuthorId,
        /// Why.
        source: identity::Error,
    },
    /// An equivocation proof that proves nothing.
    #[error("the equivocation proof is refused: {reason}")]
    Proof {
        /// The rule that was broken.
        reason: &'static str,
    },
    /// The identity of somebody who may not enter.
    #[error("author {author} is no member: {source}")]
    Stranger {
        /// The author.
        author: AuthorId,
        /// Why.
        source: super::invite::Refused,
    },
    /// Something about invites, in a network that has none.
    #[error("the network is open to everybody, and the vertex has {what}")]
    Open {
        /// What.
        what: &'static str,
    },
    /// As many authors have come by an invite as may, and some more.
    #[error(
        "{held} authors have come by invite {invite}, for {max} there is room; another is not \
         taken until somebody cites it"
    )]
    InviteFull {
        /// The invite.
        invite: super::invite::InviteId,
        /// How many there are.
        held: usize,
        /// The limit.
        max: usize,
    },
    /// The author equivocated, and nobody else cites this vertex.
    #[error("author {author} equivocated at seq {seq}; nothing new of it is accepted")]
    Ended {
        /// The author.
        author: AuthorId,
        /// The position it filled twice.
        seq: u64,
    },
    /// The position is behind a checkpoint: the vertex was dropped, or is without effect.
    #[error("seq {seq} of author {author} is behind a checkpoint; nothing new is taken there")]
    Covered {
        /// The author.
        author: AuthorId,
        /// The position.
        seq: u64,
    },
    /// What the vertex says of a parent is not what is in that. It may be taken later: behind a
    /// checkpoint nobody looks at it.
    #[error("what it says of its parent {id} is not what is in that")]
    Citation {
        /// The parent.
        id: VertexId,
    },
    /// The vertex cannot be kept until its parents arrive.
    #[error("{what} holds {held} parked vertices or bytes, its limit is {max}; ask again later")]
    OrphansFull {
        /// Which pool is full.
        what: &'static str,
        /// What it holds.
        held: usize,
        /// Its limit.
        max: usize,
    },
    /// The graph holds as much as this node can.
    #[error(
        "the history holds {held} {what}, the limit is {max}; export it and start a new network"
    )]
    GraphFull {
        /// Vertices, bytes or authors.
        what: &'static str,
        /// How many there are.
        held: usize,
        /// The limit.
        max: usize,
    },
    /// An author has written as much as one author may.
    #[error(
        "author {author} has {held} {what} in the history, one author may have {max}; it is not \
         taken until another author cites it"
    )]
    AuthorFull {
        /// Who.
        author: AuthorId,
        /// Vertices or bytes.
        what: &'static str,
        /// How many there are.
        held: usize,
        /// The limit.
        max: usize,
    },
    /// A vertex of the node's own does not connect to what was restored before it.
    #[error("own vertex {id} lacks {missing} of its parents; the store is damaged, restore it")]
    Restore {
        /// The vertex.
        id: VertexId,
        /// How many parents are not there.
        missing: usize,
    },
    /// An operation outside its bounds.
    #[error("the operation is refused: {0}")]
    Operation(#[from] operation::Error),
    /// Text that is no content id.
    #[error("no content id of the right kind: {0}")]
    Id(#[from] hash::Error),
}

impl Error {
    /// Stable name of the cause.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Encoding { source: cbor::Error::TooLarge { .. }, .. } => "vertex-too-large",
            Self::Encoding { source: cbor::Error::NotCanonical { .. }, .. } => {
                "vertex-not-canonical"
            }
            Self::Encoding { .. } => "vertex-malformed",
            Self::Version { .. } => "vertex-version",
            Self::Range { .. } | Self::Number { .. } | Self::Text { .. } => "vertex-range",
            Self::Weights { .. } => "vertex-weights-bytes",
            Self::Order { .. } => "vertex-order",
            Self::Model(_) | Self::Classes { .. } => "run-model",
            Self::Aggregation(_) | Self::Mean => "run-aggregation",
            Self::Compression(_) => "run-compression",
            Self::Privacy(_) => "run-privacy",
            Self::Masking(_) | Self::Masked(_) => "run-masking",
            Self::Reference(_) => "run-reference",
            Self::Identity { .. } | Self::ForeignKey { .. } => "vertex-identity",
            Self::Prev { .. } | Self::Seq { .. } | Self::PrevForeign { .. } => "vertex-chain",
            Self::WrongNetwork { .. } => "vertex-wrong-network",
            Self::Signature { source, .. } => source.code(),
            Self::Lamport { .. } => "vertex-lamport",
            Self::FutureLamport { .. } => "vertex-future-lamport",
            Self::Binding { source, .. } => source.code(),
            Self::Proof { .. } => "equivocation-proof",
            Self::Stranger { source, .. } => source.code(),
            Self::Open { .. } => "vertex-invite",
            Self::InviteFull { .. } => "invite-full",
            Self::Ended { .. } => "author-ended",
            Self::Covered { .. } => "vertex-covered",
            Self::Citation { .. } => "vertex-citation",
            Self::OrphansFull { .. } => "orphans-full",
            Self::GraphFull { .. } => "graph-full",
            Self::AuthorFull { .. } => "author-full",
            Self::Restore { .. } => "store-damaged",
            Self::Operation(source) => source.code(),
            Self::Id(source) => source.code(),
        }
    }

    /// What the refusal says about the sender.
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Encoding { .. }
            | Self::Version { .. }
            | Self::Range { .. }
            | Self::Number { .. }
            | Self::Text { .. }
            | Self::Weights { .. }
            | Self::Order { .. }
            | Self::Model(_)
            | Self::Aggregation(_)
            | Self::Compression(_)
            | Self::Privacy(_)
            | Self::Masking(_)
            | Self::Masked(_)
            | Self::Reference(_)
            | Self::Mean
            | Self::Classes { .. }
            | Self::Identity { .. }
            | Self::Prev { .. }
            | Self::Operation(_)
            | Self::Id(_) => Fault::Malformed,
            Self::ForeignKey { .. }
            | Self::Lamport { .. }
            | Self::Seq { .. }
            | Self::PrevForeign { .. }
            | Self::Stranger { .. }
            | Self::Open { .. }
            | Self::Proof { .. } => Fault::Invalid,
            Self::Signature { .. } | Self::Binding { .. } => Fault::BadSignature,
            Self::WrongNetwork { .. } => Fault::WrongNetwork,
            Self::FutureLamport { .. } => Fault::FutureLamport,
            Self::Ended { .. } => Fault::Ended,
            Self::Covered { .. } | Self::Citation { .. } => Fault::Old,
            Self::OrphansFull { .. }
            | Self::GraphFull { .. }
            | Self::AuthorFull { .. }
            | Self::InviteFull { .. }
            | Self::Restore { .. } => Fault::Full,
        }
    }
}
