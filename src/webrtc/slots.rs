//! How many signallings are under way, in all and with each peer.
//!
//! Each takes a peer connection of the host, and some seconds even when the peer is silent. So no
//! peer gets more than a share: a few circuits of one peer must not keep all others waiting.

use std::collections::BTreeMap;

use crate::limits::{SIGNALLINGS_MAX, SIGNALLINGS_PER_PEER_MAX};

/// Those that are under way, at most [`SIGNALLINGS_MAX`].
#[derive(Debug)]
pub struct Slots<Peer> {
    /// Of each peer that has any (count).
    taken: BTreeMap<Peer, usize>,
}

impl<Peer> Default for Slots<Peer> {
    fn default() -> Self {
        Self { taken: BTreeMap::new() }
    }
}

impl<Peer: Ord> Slots<Peer> {
    /// Takes one for a peer, unless it or all together have enough: whether it did.
    #[must_use]
    pub fn take(&mut self, peer: Peer) -> bool {
        let all: usize = self.taken.values().sum();
        let own = self.taken.get(&peer).copied().unwrap_or_default();
        if all >= SIGNALLINGS_MAX || own >= SIGNALLINGS_PER_PEER_MAX {
            return false;
        }
        self.taken.insert(peer, own + 1);
        true
    }

    /// Gives back one that was taken.
    pub fn give_back(&mut self, peer: &Peer) {
        let Some(own) = self.taken.get_mut(peer) else { return };
        *own -= 1;
        if *own == 0 {
            self.taken.remove(peer);
        }
    }
}
