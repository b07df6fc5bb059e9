//! Who is connected, and what is under way with each.

use std::collections::BTreeMap;

use super::rate::Bucket;
use crate::dag::{BlobId, VertexId};
use crate::identity::{AuthorId, TransportId};
use crate::limits;
use crate::rng::Rng;

/// Connected peers and open requests.
#[derive(Debug, Default)]
pub(super) struct Peers {
    connected: BTreeMap<TransportId, Peer>,
    /// Requests under way; at most [`limits::REQUESTS_PER_PEER_MAX`] for each peer.
    open: BTreeMap<u64, Open>,
    last_request: u64,
}

/// A connected peer.
#[derive(Debug)]
pub(super) struct Peer {
    /// The multiaddr of the connection.
    pub(super) address: String,
    pub(super) outbound: bool,
    pub(super) since_ms: u64,
    /// When it was last said hello to.
    greeted_ms: u64,
    /// Who it is; `None` until its hello was accepted.
    pub(super) author: Option<AuthorId>,
    /// Where others can dial it, as it says.
    pub(super) listens: Vec<String>,
    pub(super) rtt_ms: Option<u32>,
    /// How far its clock is ahead of this one, as its hello said; 0 when it is behind.
    pub(super) ahead_ms: u64,
    /// Its requests that wait for the store.
    pub(super) serving: usize,
    pub(super) requests: Bucket,
    pub(super) gossip: Bucket,
    /// Vertices walked over to answer it.
    pub(super) walks: Bucket,
}

/// A request under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) peer: TransportId,
    pub(super) asked: Asked,
    since_ms: u64,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    Hello,
    Heads,
    /// These vertices, or the past of some.
    Vertices {
        ids: Option<Vec<VertexId>>,
    },
    /// How the histories differ.
    Ranges,
    /// The piece of this blob that begins here.
    Blob {
        blob: BlobId,
        offset: u64,
    },
}

impl Peers {
    /// Adds a connection; `false` when there are too many.
    pub(super) fn add(
        &mut self,
        peer: TransportId,
        address: String,
        outbound: bool,
        now_ms: u64,
    ) -> bool {
        if self.connected.len() >= limits::PEERS_MAX && !self.connected.contains_key(&peer) {
            return false;
        }
        let fresh = Peer {
            address,
            outbound,
            since_ms: now_ms,
            greeted_ms: now_ms,
            author: None,
            listens: Vec::new(),
            rtt_ms: None,
            ahead_ms: 0,
            serving: 0,
            requests: Bucket::new(now_ms),
            gossip: Bucket::new(now_ms),
            walks: Bucket::new(now_ms),
        };
        self.connected.insert(peer, fresh);
        true
    }

    /// Removes a connection and what was under way with it.
    pub(super) fn remove(&mut self, peer: &TransportId) -> Option<(Peer, Vec<Open>)> {
        let removed = self.connected.remove(peer)?;
        let lost: Vec<u64> = self
            .open
            .iter()
            .filter(|(_, open)| open.peer == *peer)
            .map(|(request, _)| *request)
            .collect();
        let open = lost.into_iter().filter_map(|request| self.open.remove(&request)).collect();
        Some((removed, open))
    }

    /// A connected peer.
    pub(super) fn get(&self, peer: &TransportId) -> Option<&Peer> {
        self.connected.get(peer)
    }

    /// A connected peer.
    pub(super) fn get_mut(&mut self, peer: &TransportId) -> Option<&mut Peer> {
        self.connected.get_mut(peer)
    }

    /// All connected peers, by transport id.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&TransportId, &Peer)> {
        self.connected.iter()
    }

    /// Peers whose hello was accepted.
    pub(super) fn known(&self) -> impl Iterator<Item = (&TransportId, &Peer, AuthorId)> {
        let known = |(id, peer): (_, _)| {
            let peer: &Peer = peer;
            peer.author.map(|author| (id, peer, author))
        };
        self.connected.iter().filter_map(known)
    }

    /// A random peer whose hello was accepted.
    pub(super) fn random(&self, rng: &mut Rng) -> Option<TransportId> {
        let known: Vec<_> = self.known().map(|(id, _, _)| id).collect();
        let count = u32::try_from(known.len()).ok().filter(|count| *count > 0)?;
        known.get(usize::try_from(rng.below(count)).ok()?).map(|id| (*id).clone())
    }

    /// The median of how far the clocks of peers are ahead of this one; 0 without any.
    pub(super) fn ahead_ms(&self) -> u64 {
        let mut ahead: Vec<u64> = self.known().map(|(_, peer, _)| peer.ahead_ms).collect();
        ahead.sort_unstable();
        ahead.get(ahead.len().saturating_sub(1) / 2).copied().unwrap_or(0)
    }

    /// The connection of an author.
    pub(super) fn of_author(&self, author: &AuthorId) -> Option<&TransportId> {
        self.known().find(|(_, _, known)| known == author).map(|(id, _, _)| id)
    }

    /// How many peers are connected.
    pub(super) fn len(&self) -> usize {
        self.connected.len()
    }

    /// Opens a request and gives its number; `None` when too many are under way to this peer.
    pub(super) fn open(&mut self, peer: &TransportId, asked: Asked, now_ms: u64) -> Option<u64> {
        if !self.connected.contains_key(peer) || !self.is_free(peer) {
            return None;
        }
        if let Some(greeted) = self.connected.get_mut(peer).filter(|_| asked == Asked::Hello) {
            greeted.greeted_ms = now_ms;
        }
        self.last_request += 1;
        let open = Open { peer: peer.clone(), asked, since_ms: now_ms };
        self.open.insert(self.last_request, open);
        Some(self.last_request)
    }

    /// Whether a further request to this peer may be opened.
    pub(super) fn is_free(&self, peer: &TransportId) -> bool {
        let open = self.open.values().filter(|open| open.peer == *peer).count();
        open < limits::REQUESTS_PER_PEER_MAX
    }

    /// Whether something of this kind is under way to this peer.
    pub(super) fn is_asked(&self, peer: &TransportId, kind: impl Fn(&Asked) -> bool) -> bool {
        self.open.values().any(|open| open.peer == *peer && kind(&open.asked))
    }

    /// Closes a request.
    pub(super) fn close(&mut self, request: u64) -> Option<Open> {
        self.open.remove(&request)
    }

    /// Closes the requests that the driver never answered.
    pub(super) fn expire(&mut self, now_ms: u64) -> Vec<Open> {
        let late: Vec<u64> = self
            .open
            .iter()
            .filter(|(_, open)| open.until_ms() <= now_ms)
            .map(|(request, _)| *request)
            .collect();
        late.into_iter().filter_map(|request| self.open.remove(&request)).collect()
    }

    /// Peers that did not say hello in time.
    pub(super) fn mute(&self, now_ms: u64) -> Vec<TransportId> {
        let late = |peer: &Peer| peer.author.is_none() && peer.hello_until_ms() <= now_ms;
        self.connected.iter().filter(|(_, peer)| late(peer)).map(|(id, _)| id.clone()).collect()
    }

    /// Peers that dialled, and keep silent, and were not spoken to either.
    pub(super) fn shy(&self, now_ms: u64) -> Vec<TransportId> {
        let silent =
            |peer: &Peer| peer.author.is_none() && !peer.outbound && peer.shy_until_ms() <= now_ms;
        let unasked = |id: &TransportId| !self.is_asked(id, |asked| *asked == Asked::Hello);
        let shy = self.connected.iter().filter(|(id, peer)| silent(peer) && unasked(id));
        shy.map(|(id, _)| id.clone()).collect()
    }

    /// When the next request or hello is late.
    pub(super) fn next_ms(&self, now_ms: u64) -> Option<u64> {
        let mute = self.connected.values().filter(|peer| peer.author.is_none());
        let hellos = mute.map(Peer::hello_until_ms);
        let shy = self.connected.values().filter(|peer| peer.author.is_none() && !peer.outbound);
        let open = self.open.values().map(Open::until_ms);
        let shy = shy.map(Peer::shy_until_ms).filter(|until_ms| *until_ms > now_ms);
        hellos.chain(shy).chain(open).min()
    }

    /// The numbers of the requests under way to a peer.
    #[cfg(test)]
    pub(super) fn requests_to(&self, peer: &TransportId) -> Vec<u64> {
        let to_peer = self.open.iter().filter(|(_, open)| open.peer == *peer);
        to_peer.map(|(request, _)| *request).collect()
    }

    /// Requests under way.
    #[cfg(test)]
    pub(super) fn open_len(&self) -> usize {
        self.open.len()
    }
}

impl Peer {
    /// A hello that failed is not repeated at once: the connection may be about to end.
    fn shy_until_ms(&self) -> u64 {
        self.greeted_ms.saturating_add(limits::HELLO_SHY_MS)
    }

    fn hello_until_ms(&self) -> u64 {
        self.since_ms.saturating_add(limits::HELLO_TIMEOUT_MS)
    }
}

impl Open {
    fn until_ms(&self) -> u64 {
        self.since_ms.saturating_add(limits::REQUEST_TIMEOUT_MS)
    }
}
