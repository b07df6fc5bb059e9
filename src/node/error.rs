//! Why a node cannot be made.

use crate::{dag, genesis, group, identity};

/// Why a node cannot be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A stored vertex cannot be read. It may be one of the node's own, and going on without it
    /// could make the author contradict itself.
    #[error(
        "stored vertex {index} is damaged: {source}; `synaptic-mesh dag repair` fetches it from \
             other members, or put a copy of the store back if nothing was signed after it was made"
    )]
    Store {
        /// Which vertex, in the order of the store.
        index: usize,
        /// What is wrong with it.
        source: dag::Error,
    },
    /// The store belongs to another network.
    #[error("the store belongs to network {stored}, not to {expected}; use another home for it")]
    Network {
        /// The network of the stored vertices.
        stored: identity::NetworkId,
        /// The network of the configuration.
        expected: identity::NetworkId,
    },
    /// The genesis is none, or that of another network.
    #[error(transparent)]
    Genesis(#[from] genesis::Error),
    /// The network takes members only, and this node cannot be one.
    #[error(transparent)]
    Uninvited(#[from] dag::invite::Refused),
    /// There is an invite, and nothing that says the network takes members by invite.
    #[error(
        "there is an invite, and nothing says that the network takes members by invite; take the \
         whole join link of a member"
    )]
    Open,
    /// The store has what the network does not admit: somebody took it for one of another kind.
    #[error(
        "the store was written when it was not known here who may enter this network: {0}; set it \
         aside and join again with the whole link of a member"
    )]
    Admitted(#[source] dag::Error),
    /// The records of a group contradict each other. Its member may have promised others what it
    /// does not remember.
    #[error(
        "the records of a group are damaged: {0}; restore the store from a backup, or begin with a \
             new home and let the group's members add that"
    )]
    Group(#[from] group::Error),
    /// What was stored about dropped vertices cannot be read. Going on without it could make the
    /// author contradict itself.
    #[error(
        "the record of dropped vertices is damaged: {0}; restore the store from a backup of the \
             same moment as the identity, or begin with a new identity"
    )]
    Pruned(String),
    /// The identity vertex cannot be made.
    #[error("the identity vertex cannot be made: {0}; check the clock of this machine")]
    Identity(#[from] identity::Error),
    /// The identity vertex cannot be signed.
    #[error("the identity vertex cannot be signed: {0}")]
    Vertex(#[source] dag::Error),
}

impl Error {
    /// Stable name of the cause.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Store { .. } | Error::Group(_) | Error::Pruned(_) => "store-damaged",
            Error::Network { .. } | Error::Admitted(_) => "store-foreign",
            Error::Open => "network-open",
            Error::Genesis(error) => error.code(),
            Error::Uninvited(error) => error.code(),
            Error::Identity(error) => error.code(),
            Error::Vertex(error) => error.code(),
        }
    }
}
