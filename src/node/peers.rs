//! Who is connected, and what is under way with each.

use std::collections::{BTreeMap, BTreeSet};

use crate::dag::{BlobId, VertexId};
use crate::event::Channel;
use crate::group::GroupId;
use crate::identity::{AuthorId, TransportId};
use crate::limits;
use crate::rate::Bucket;
use crate::rng::Rng;

/// Connected peers and open requests.
#[derive(Debug, Default)]
pub(super) struct Peers {
    connected: BTreeMap<TransportId, Peer>,
    /// Those of them whose hello was not accepted: what is due with them is looked for after each
    /// input.
    strangers: BTreeSet<TransportId>,
    /// Requests under way; at most [`limits::REQUESTS_PER_PEER_MAX`] for each peer. Those opened
    /// first come first, and are late first.
    open: BTreeMap<u64, Open>,
    last_request: u64,
}

/// A connected peer.
#[derive(Debug)]
pub(super) struct Peer {
    /// The multiaddr of the connection.
    pub(super) address: String,
    pub(super) outbound: bool,
    pub(super) channel: Channel,
    pub(super) since_ms: u64,
    /// When it was last said hello to.
    greeted_ms: u64,
    /// Who it is; `None` until its hello was accepted ([`Peers::introduce`]).
    author: Option<AuthorId>,
    /// Numbers of the requests under way to it.
    open: Vec<u64>,
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
    /// Its questions in polls.
    pub(super) polls: Bucket,
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
    /// Nothing: a packet of this group was sent.
    Packet {
        group: GroupId,
    },
    /// To pass a cell on: an own question, or one of others.
    Cell {
        circuit: u64,
    },
    /// Which items it prefers.
    Polls,
    /// A snapshot.
    Snapshot,
    /// The certificate of the checkpoint at this height, which ends an epoch.
    End {
        height: u64,
    },
    /// Vertices that another peer dropped.
    Dropped {
        ids: Vec<VertexId>,
    },
    /// Vertices to go with a snapshot.
    Filling {
        ids: Vec<VertexId>,
    },
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
        peer: &TransportId,
        address: String,
        (outbound, channel): (bool, Channel),
        now_ms: u64,
    ) -> bool {
        if self.connected.len() >= limits::PEERS_MAX && !self.connected.contains_key(peer) {
            return false;
        }
        let fresh = Peer {
            address,
            outbound,
            channel,
            since_ms: now_ms,
            greeted_ms: now_ms,
            author: None,
            open: Vec::new(),
            listens: Vec::new(),
            rtt_ms: None,
            ahead_ms: 0,
            serving: 0,
            requests: Bucket::new(now_ms),
            gossip: Bucket::new(now_ms),
            walks: Bucket::new(now_ms),
            polls: Bucket::new(now_ms),
        };
        self.strangers.insert(peer.clone());
        let before = self.connected.insert(peer.clone(), fresh);
        if let (Some(before), Some(fresh)) = (before, self.connected.get_mut(peer)) {
            // What was asked over the connection before this one is still waited for.
            fresh.open = before.open;
        }
        true
    }

    /// Removes a connection and what was under way with it.
    pub(super) fn remove(&mut self, peer: &TransportId) -> Option<(Peer, Vec<Open>)> {
        let removed = self.connected.remove(peer)?;
        self.strangers.remove(peer);
        let lost = removed.open.iter();
        let open = lost.filter_map(|request| self.open.remove(request)).collect();
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

    /// A peer's hello was accepted; `true` if none of it was before.
    pub(super) fn introduce(&mut self, peer: &TransportId, author: AuthorId) -> bool {
        self.strangers.remove(peer);
        let known = self.connected.get_mut(peer);
        known.is_some_and(|known| known.author.replace(author).is_none())
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
        rng.pick(&known).map(|id| (*id).clone())
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
        let to = self.connected.get_mut(peer)?;
        if to.open.len() >= limits::REQUESTS_PER_PEER_MAX {
            return None;
        }
        if asked == Asked::Hello {
            to.greeted_ms = now_ms;
        }
        self.last_request += 1;
        to.open.push(self.last_request);
        let open = Open { peer: peer.clone(), asked, since_ms: now_ms };
        self.open.insert(self.last_request, open);
        Some(self.last_request)
    }

    /// Whether a further request to this peer may be opened.
    pub(super) fn is_free(&self, peer: &TransportId) -> bool {
        self.connected.get(peer).is_some_and(|to| to.open.len() < limits::REQUESTS_PER_PEER_MAX)
    }

    /// Whether something of this kind is under way to this peer.
    pub(super) fn is_asked(&self, peer: &TransportId, kind: impl Fn(&Asked) -> bool) -> bool {
        let Some(to) = self.connected.get(peer) else { return false };
        let mut open = to.open.iter().filter_map(|request| self.open.get(request));
        open.any(|open| kind(&open.asked))
    }

    /// Packets of groups under way to a peer (count).
    pub(super) fn packets_open(&self, peer: &TransportId) -> usize {
        self.count_open(peer, |asked| matches!(asked, Asked::Packet { .. }))
    }

    /// Opens a request with a cell; `None` also when so many are under way to this peer that the
    /// rest is needed for the history.
    pub(super) fn open_cell(
        &mut self,
        peer: &TransportId,
        circuit: u64,
        now_ms: u64,
    ) -> Option<u64> {
        let open = self.count_open(peer, |asked| matches!(asked, Asked::Cell { .. }));
        let is_free = open < limits::ONION_CELLS_OPEN_MAX;
        is_free.then(|| self.open(peer, Asked::Cell { circuit }, now_ms))?
    }

    /// Requests with questions of polls under way to a peer (count).
    pub(super) fn polls_open(&self, peer: &TransportId) -> usize {
        self.count_open(peer, |asked| matches!(asked, Asked::Polls))
    }

    fn count_open(&self, peer: &TransportId, kind: impl Fn(&Asked) -> bool) -> usize {
        let Some(to) = self.connected.get(peer) else { return 0 };
        let open = to.open.iter().filter_map(|request| self.open.get(request));
        open.filter(|open| kind(&open.asked)).count()
    }

    /// Closes a request.
    pub(super) fn close(&mut self, request: u64) -> Option<Open> {
        let open = self.open.remove(&request)?;
        if let Some(to) = self.connected.get_mut(&open.peer) {
            to.open.retain(|known| *known != request);
        }
        Some(open)
    }

    /// Closes the requests that the driver never answered.
    pub(super) fn expire(&mut self, now_ms: u64) -> Vec<Open> {
        let late = self.open.iter().take_while(|(_, open)| open.until_ms() <= now_ms);
        let late: Vec<u64> = late.map(|(request, _)| *request).collect();
        late.into_iter().filter_map(|request| self.close(request)).collect()
    }

    /// Peers that did not say hello in time.
    pub(super) fn mute(&self, now_ms: u64) -> Vec<TransportId> {
        let late = self.strangers().filter(|(_, peer)| peer.hello_until_ms() <= now_ms);
        late.map(|(id, _)| id.clone()).collect()
    }

    /// Peers that dialled, and keep silent, and were not spoken to either.
    pub(super) fn shy(&self, now_ms: u64) -> Vec<TransportId> {
        let silent = |peer: &Peer| !peer.outbound && peer.shy_until_ms() <= now_ms;
        let unasked = |id: &TransportId| !self.is_asked(id, |asked| *asked == Asked::Hello);
        let shy = self.strangers().filter(|(id, peer)| silent(peer) && unasked(id));
        shy.map(|(id, _)| id.clone()).collect()
    }

    /// When the next request or hello is late.
    pub(super) fn next_ms(&self, now_ms: u64) -> Option<u64> {
        let hellos = self.strangers().map(|(_, peer)| peer.hello_until_ms());
        let shy = self.strangers().filter(|(_, peer)| !peer.outbound);
        let shy = shy.map(|(_, peer)| peer.shy_until_ms()).filter(|until_ms| *until_ms > now_ms);
        let open = self.open.values().next().map(Open::until_ms);
        hellos.chain(shy).chain(open).min()
    }

    fn strangers(&self) -> impl Iterator<Item = (&TransportId, &Peer)> {
        self.strangers.iter().filter_map(|id| self.connected.get(id).map(|peer| (id, peer)))
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
    /// Whether its hello was accepted.
    pub(super) fn is_known(&self) -> bool {
        self.author.is_some()
    }

    /// Whether it said hello, and nothing is under way with it.
    pub(super) fn is_idle(&self) -> bool {
        self.is_known() && self.open.is_empty() && self.serving == 0
    }

    /// Who it is, once that is known.
    pub(super) fn author(&self) -> Option<AuthorId> {
        self.author
    }

    /// Whether this author is at the other end, by its hello or by what the channel proved.
    pub(super) fn is_of(&self, author: &AuthorId) -> bool {
        let is_proved =
            matches!(self.channel, Channel::Hybrid { author: proved } if proved == *author);
        is_proved || self.author == Some(*author)
    }

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
