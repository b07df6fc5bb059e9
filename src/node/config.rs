//! What a node is given when it is made.

use crate::dag::BlobId;
use crate::dag::invite::Ticket;
use crate::genesis::{self, Genesis};
use crate::identity::NetworkId;
use crate::limits;

/// What the owner of a node decides.
#[derive(Debug, Clone)]
pub struct Config {
    /// The network it belongs to; for good.
    pub network: NetworkId,
    /// What the network began with, when its id is the hash of that; without it nothing is final.
    pub genesis: Option<Genesis>,
    /// The invite that the owner was given, in a network that takes members only.
    pub ticket: Option<Ticket>,
    /// What the owner calls the mesh; travels in join links only.
    pub name: String,
    /// Multiaddrs to dial first, from a join link or a configuration.
    pub bootstrap: Vec<String>,
    /// Multiaddrs to tell others in addition to those the transport listens on.
    pub advertise: Vec<String>,
    /// How much of the history to keep.
    pub history: History,
    /// What it does for anonymous questions of others.
    pub relaying: Relaying,
    /// [`limits::SNAPSHOT_GENERATION_BYTES`]. A node with another value than the others of its
    /// network signs other checkpoints than they do, and counts for nothing.
    pub generation_bytes: u64,
}

impl Config {
    /// The network, which is that of the genesis if there is one.
    pub(super) fn checked_network(&self) -> Result<NetworkId, genesis::Error> {
        let network = self.network;
        let genesis = self.genesis.as_ref();
        genesis.map_or(Ok(()), |genesis| genesis.check_network(&network)).map(|()| network)
    }

    /// What the network began with, if anything is ever final in it.
    pub(super) fn deciding(&self) -> Option<&Genesis> {
        self.genesis.as_ref().filter(|genesis| genesis.decides())
    }
}

/// What a node does with anonymous questions of others ([`crate::onion`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Relaying {
    /// Passes them on and answers them.
    #[default]
    On,
    /// The same, and tells its owner everything about each: [`crate::event::Event::Cell`].
    Log,
    /// Drops them.
    Off,
}

/// How much of the history a node keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum History {
    /// All of it, for those that come late.
    All,
    /// So many of the newest vertices (count), and what is not settled. Nothing is dropped in a
    /// network without a committee.
    Newest(usize),
}

impl Default for History {
    fn default() -> Self {
        Self::Newest(limits::HISTORY_VERTICES_KEPT)
    }
}

/// What the store gave back when it was opened; all empty for a new node.
#[derive(Debug, Clone, Default)]
pub struct Restored {
    /// Encoded signed vertices in any order.
    pub vertices: Vec<Vec<u8>>,
    /// Which blobs the store has, with their sizes in bytes.
    pub blobs: Vec<(BlobId, u64)>,
    /// Named values, as written by [`crate::effect::Write::meta`].
    pub meta: Vec<(String, Vec<u8>)>,
    /// Contents of the blobs that [`super::chunks_of`] the named values are, in that order.
    pub chunks: Vec<Vec<u8>>,
}
