//! Gossip as the node knows it from gossipsub: its contract, not its wire.
//!
//! An own message goes to every connected peer; a message of somebody else goes on, once it was
//! accepted, along a mesh of six links per member (four to twelve, as the product configures
//! gossipsub). A message is shown to the node once in two minutes. Left out are the lists of
//! recent messages that gossipsub exchanges with peers outside of its mesh: what gossip loses here,
//! the exchange of heads has to bring.

use std::rc::Rc;

use super::{Event, World};
use crate::crypto::hash::Digest;
use crate::dag::SignedVertex;
use crate::effect::{Input, Verdict};
use crate::sim::checker::Fact;
use crate::sim::network::{self, Transit};

/// Links of the mesh that a member wants, has at least, and has at most (count).
const MESH_WANTED: usize = 6;
const MESH_MIN: usize = 4;
const MESH_MAX: usize = 12;
/// Microseconds that an own message and one of somebody else may wait for the uplink, as the
/// product configures gossipsub.
const PUBLISH_PATIENCE_US: u64 = 10_000_000;
const FORWARD_PATIENCE_US: u64 = 5_000_000;
/// Microseconds for which a message is known.
const SEEN_US: u64 = 120_000_000;

/// A gossip message.
#[derive(Debug)]
pub(super) struct Message {
    digest: Digest,
    bytes: Vec<u8>,
}

impl Message {
    fn new(bytes: Vec<u8>) -> Rc<Self> {
        Rc::new(Self { digest: Digest::of(&bytes), bytes })
    }
}

impl World {
    /// A new link: it joins the mesh while both sides have room and one wants it.
    pub(super) fn graft(&mut self, one: usize, other: usize) {
        let (first, second) = (self.mesh_links(one), self.mesh_links(other));
        let wanted = first < MESH_WANTED || second < MESH_WANTED;
        if wanted && first < MESH_MAX && second < MESH_MAX {
            self.hosts[one].links.insert(other, true);
            self.hosts[other].links.insert(one, true);
        }
    }

    /// A link is gone: a member whose mesh became too thin grafts others.
    pub(super) fn regraft(&mut self, node: usize) {
        if self.mesh_links(node) >= MESH_MIN {
            return;
        }
        let idle = self.hosts[node].links.iter().filter(|(_, mesh)| !**mesh);
        let mut idle: Vec<usize> = idle.map(|(peer, _)| *peer).collect();
        self.hosts[node].rng.shuffle(&mut idle);
        for peer in idle {
            if self.mesh_links(node) < MESH_WANTED {
                self.graft(node, peer);
            }
        }
    }

    fn mesh_links(&self, node: usize) -> usize {
        self.hosts[node].links.values().filter(|mesh| **mesh).count()
    }

    /// An own message goes to everybody.
    pub(super) fn publish(&mut self, node: usize, bytes: Vec<u8>) {
        self.check_published(node, &bytes);
        let message = Message::new(bytes);
        self.remember(node, message.digest);
        for peer in self.peers(node) {
            self.send_gossip(node, peer, &message, PUBLISH_PATIENCE_US);
        }
    }

    fn check_published(&mut self, node: usize, bytes: &[u8]) {
        let host = &self.hosts[node];
        if !host.honest {
            return;
        }
        let Ok(vertex) = SignedVertex::decode(bytes) else { return };
        let durable = host.disk.has_vertex(&vertex.id());
        let fact = Fact::Published { node, vertex: &vertex, durable };
        self.checker.observe(self.now_us / 1_000, &fact);
    }

    /// An attack sends gossip to one peer.
    pub(super) fn whisper(&mut self, node: usize, peer: usize, bytes: Vec<u8>) {
        if self.hosts[node].links.contains_key(&peer) {
            self.send_gossip(node, peer, &Message::new(bytes), PUBLISH_PATIENCE_US);
        }
    }

    fn send_gossip(&mut self, from: usize, to: usize, message: &Rc<Message>, patience_us: u64) {
        let again = self.network.duplicates(from, to);
        for again in [Some(false), again.then_some(true)].into_iter().flatten() {
            let bytes = message.bytes.len();
            let flight = network::Message { from, to, bytes, patience_us };
            if let Transit::Arrives { at_us } = self.transmit(flight) {
                let message = Rc::clone(message);
                self.schedule(at_us, Event::Gossip { to, from, message, again });
            }
        }
    }

    /// A message arrives; `again` if the network made a copy of it that gossip takes for new.
    pub(super) fn deliver_gossip(
        &mut self,
        to: usize,
        from: usize,
        message: &Rc<Message>,
        again: bool,
    ) {
        if !self.hosts[to].links.contains_key(&from) || self.hosts[to].state.is_none() {
            return;
        }
        if !self.remember(to, message.digest) && !again {
            return;
        }
        let number = self.number();
        let peer = self.hosts[from].transport.clone();
        let host = &mut self.hosts[to];
        host.awaiting.insert(number, (from, Rc::clone(message)));
        let (life, bytes) = (host.life, message.bytes.clone());
        self.hand(to, life, Input::Gossip { peer, message: number, bytes });
    }

    /// What the node thinks of a message.
    pub(super) fn judge(&mut self, node: usize, number: u64, verdict: Verdict) {
        let Some((from, message)) = self.hosts[node].awaiting.remove(&number) else { return };
        if verdict == Verdict::Reject
            && self.hosts[node].honest
            && let Ok(vertex) = SignedVertex::decode(&message.bytes)
        {
            let fact = Fact::Rejected { node, id: vertex.id() };
            self.checker.observe(self.now_us / 1_000, &fact);
        }
        if verdict != Verdict::Accept {
            return;
        }
        let mesh = self.hosts[node].links.iter().filter(|(peer, mesh)| **mesh && **peer != from);
        let mesh: Vec<usize> = mesh.map(|(peer, _)| *peer).collect();
        for peer in mesh {
            self.send_gossip(node, peer, &message, FORWARD_PATIENCE_US);
        }
    }

    /// Notes that a member knows a message; `false` if it did already.
    fn remember(&mut self, node: usize, digest: Digest) -> bool {
        let (now_us, host) = (self.now_us, &mut self.hosts[node]);
        while let Some((at_us, old)) = host.seen_order.front()
            && at_us + SEEN_US < now_us
        {
            host.seen.remove(old);
            host.seen_order.pop_front();
        }
        let new = host.seen.insert(digest);
        if new {
            host.seen_order.push_back((now_us, digest));
        }
        new
    }
}
