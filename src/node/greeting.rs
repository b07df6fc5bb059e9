//! Connections: dialling, saying hello, checking who it is, parting.
//!
//! A connection proves a transport key. The hello ties it to an author: it carries the author's
//! identity vertex (whose key the author id is the hash of) and a binding signed with that key that
//! names the connection's transport key. Until then a peer gets nothing and nothing it says counts.

use super::exchange::full_problem;
use super::offence::Offence;
use super::peers::Asked;
use super::writing::Entry;
use super::{Node, book};
use crate::clock::Now;
use crate::dag::{Fault, Insert, Payload, SignedVertex, Source, VertexId};
use crate::effect::Effect;
use crate::event::{Channel, Event, Problem};
use crate::identity::{AuthorId, Binding, TransportId};
use crate::limits;
use crate::message::{Heads, Hello, Refusal, Request};

/// Why a hello was not accepted.
pub(super) struct NotGreeted {
    pub(super) refusal: Refusal,
    /// What the peer did wrong; `None` when nobody is to blame.
    offence: Option<Offence>,
    reason: String,
}

impl NotGreeted {
    /// Not now, and it is nobody's fault.
    fn busy(reason: String) -> Self {
        Self { refusal: Refusal::Busy, offence: None, reason }
    }

    fn wrong(reason: String) -> Self {
        Self::offence(Refusal::Identity, Offence::WrongIdentity, reason)
    }

    fn offence(refusal: Refusal, offence: Offence, reason: String) -> Self {
        Self { refusal, offence: Some(offence), reason }
    }
}

/// Why there is no connection with an author that the owner has banned.
const UNWANTED: &str = "banned by the owner";

/// The addresses among these at which a peer itself is reached.
fn those_of(peer: &TransportId, addresses: &[String]) -> Vec<String> {
    let is_its_own = |address: &&String| book::peer_of(address).as_ref() == Some(peer);
    addresses.iter().filter(is_its_own).cloned().collect()
}

/// Those of a node's addresses that others are told: two, and one that leads through a relay. A
/// node behind a router has addresses of its home before that one, of no use outside.
pub(super) fn passed_on(addresses: &[String]) -> impl Iterator<Item = &String> {
    let circuit = addresses.iter().skip(2).find(|address| address.contains("/p2p-circuit/"));
    addresses.iter().take(2).chain(circuit)
}

impl Node {
    /// Whether the owner has banned this author.
    fn is_unwanted(&self, author: &AuthorId) -> bool {
        self.penalties.banned.contains(author)
    }

    /// Whether more peers are wanted.
    pub(super) fn wants_peers(&self) -> bool {
        self.peers.len() < limits::PEERS_WANTED
    }

    /// Dials known addresses while there are too few peers.
    pub(super) fn dial(&mut self, now: Now, out: &mut Vec<Effect>) {
        let wanted = limits::PEERS_WANTED.saturating_sub(self.peers.len());
        if wanted == 0 {
            return;
        }
        let (peers, penalties, own) = (&self.peers, &self.penalties, &self.transport);
        let excluded = |peer: &TransportId| {
            peer == own || peers.get(peer).is_some() || penalties.is_banned(peer, now.mono_ms)
        };
        for address in self.book.due(wanted, now.mono_ms, excluded, &mut self.rng) {
            out.push(Effect::Dial { address });
        }
    }

    /// Whether dialling a peer makes no sense now.
    pub(super) fn is_not_to_be_dialled(&self, peer: &TransportId, now: Now) -> bool {
        *peer == self.transport
            || self.peers.get(peer).is_some()
            || self.penalties.is_banned(peer, now.mono_ms)
    }

    pub(super) fn on_connected(
        &mut self,
        peer: &TransportId,
        address: String,
        (outbound, channel): (bool, Channel),
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        if outbound && self.book.connected(&address, now.mono_ms) {
            self.store_book();
        }
        let dialled = address.clone();
        let refused = if *peer == self.transport {
            Some("this is the node itself")
        } else if self.penalties.is_banned(peer, now.mono_ms) {
            Some("banned for a while")
        } else if matches!(channel, Channel::Hybrid { author } if self.is_unwanted(&author)) {
            Some(UNWANTED)
        } else if !self.peers.add(peer, address, (outbound, channel), now.mono_ms) {
            Some("too many peers")
        } else {
            None
        };
        if let Some(reason) = refused {
            self.counters.count("connection-refused");
            if outbound {
                self.book.refused(&dialled, now.mono_ms, &mut self.rng);
                self.note_unreached(&dialled, reason, now, out);
            }
            out.push(Effect::Disconnect { peer: peer.clone(), reason: reason.to_owned() });
            return;
        }
        if self.entry == Entry::Outside {
            // A connection is one that a door let through.
            self.entry = Entry::LetIn;
        }
        if outbound && self.introduced {
            self.say_hello(peer, now, out);
        }
    }

    /// Says hello on connections that were there before this node could introduce itself.
    pub(super) fn greet_early(&mut self, now: Now, out: &mut Vec<Effect>) {
        let dialled = self.peers.iter().filter(|(_, peer)| peer.outbound);
        let dialled: Vec<TransportId> = dialled.map(|(id, _)| id.clone()).collect();
        for peer in dialled {
            self.say_hello(&peer, now, out);
        }
        for (peer, token, bytes) in self.serving.take_early() {
            self.on_request(&peer, token, &bytes, now, out);
        }
    }

    /// The dialler says hello first. When two nodes dial each other at once, both may believe the
    /// other did, so the listener speaks up after a moment of silence.
    pub(super) fn greet(&mut self, now: Now, out: &mut Vec<Effect>) {
        for peer in self.peers.shy(now.mono_ms) {
            self.say_hello(&peer, now, out);
        }
    }

    /// Says who this node is, unless it is doing so already.
    pub(super) fn say_hello(&mut self, peer: &TransportId, now: Now, out: &mut Vec<Effect>) {
        if self.peers.is_asked(peer, |asked| *asked == Asked::Hello) {
            return;
        }
        let hello = Request::Hello(self.own_hello(peer, now));
        self.request(peer, Asked::Hello, &hello, now, out);
    }

    /// Sends a request if the peer is not too busy. Returns whether it was sent.
    pub(super) fn request(
        &mut self,
        peer: &TransportId,
        asked: Asked,
        message: &Request,
        now: Now,
        out: &mut Vec<Effect>,
    ) -> bool {
        let Some(request) = self.peers.open(peer, asked, now.mono_ms) else { return false };
        out.push(Effect::Request { peer: peer.clone(), request, bytes: message.encode() });
        true
    }

    pub(super) fn own_hello(&mut self, to: &TransportId, now: Now) -> Hello {
        Hello {
            network: self.config.network,
            time_ms: now.unix_ms,
            identity: self.identity.encode(),
            binding: self.binding.clone(),
            addresses: self.addresses.clone(),
            heads: self.own_heads(to),
        }
    }

    /// Tells every peer that the own addresses have changed: a relay has given one, or it is gone.
    pub(super) fn tell_addresses(&mut self, now: Now, out: &mut Vec<Effect>) {
        self.moved = true;
        let known: Vec<TransportId> = self.peers.known().map(|(peer, _, _)| peer.clone()).collect();
        for peer in known {
            let heads = Request::Heads(self.own_heads(&peer));
            self.request(&peer, Asked::Heads, &heads, now, out);
        }
    }

    /// Where the history ends, and addresses of some of the other peers; before them the own ones,
    /// if they have changed.
    pub(super) fn own_heads(&mut self, to: &TransportId) -> Heads {
        let newest = self.graph.newest_heads(limits::HEADS_MAX);
        let others = self.peers.known().filter(|(peer, _, _)| *peer != to);
        let mut told: Vec<&String> =
            others.flat_map(|(_, peer, _)| passed_on(&peer.listens)).collect();
        self.rng.shuffle(&mut told);
        let own = passed_on(&self.addresses).filter(|_| self.moved);
        let told = own.chain(told).take(limits::PEERS_TOLD_MAX).cloned().collect();
        Heads { heads: newest, peers: told }
    }

    /// A peer says who it is, in a request or as the answer to ours.
    pub(super) fn on_hello(
        &mut self,
        peer: &TransportId,
        hello: &Hello,
        now: Now,
        out: &mut Vec<Effect>,
    ) -> Result<(), NotGreeted> {
        let author = self.check_hello(peer, hello, now, out)?;
        self.check_clock(hello.time_ms, now, out);
        let is_new = self.peers.introduce(peer, author);
        let Some(known) = self.peers.get_mut(peer) else { return Ok(()) };
        known.ahead_ms = hello.time_ms.saturating_sub(now.unix_ms);
        known.listens = those_of(peer, &hello.addresses);
        let (address, listens) = (known.address.clone(), known.listens.clone());
        if is_new {
            out.push(Effect::Emit(Event::PeerConnected {
                author,
                transport: peer.clone(),
                address,
            }));
            self.on_met(peer, out);
        }
        self.hear_addresses(peer, &listens, now);
        self.on_heads(peer, &hello.heads, now);
        Ok(())
    }

    /// Takes note of a peer's heads and of the addresses it tells.
    pub(super) fn on_heads(&mut self, peer: &TransportId, heads: &Heads, now: Now) {
        self.sync.on_heads(peer, &heads.heads, &self.graph);
        // What was dropped is covered, and so known to others.
        let is_shared = |own: &mut VertexId| {
            !self.graph.contains(own) || self.graph.is_behind(own, &heads.heads)
        };
        self.unshared.take_if(is_shared);
        let own = those_of(peer, &heads.peers);
        if let Some(known) = self.peers.get_mut(peer).filter(|_| !own.is_empty()) {
            known.listens = own;
        }
        self.hear_addresses(peer, &heads.peers, now);
    }

    fn hear_addresses(&mut self, teller: &TransportId, addresses: &[String], now: Now) {
        let mut news = false;
        for address in addresses {
            let is_news = !self.book.knows(address);
            if is_news && book::peer_of(address).as_ref() != Some(&self.transport) {
                news |= self.book.hear(address, Some(teller), now.mono_ms);
            }
        }
        if news {
            self.store_book();
        }
    }

    /// Checks that the hello's author is real, not ended, and bound to this connection.
    fn check_hello(
        &mut self,
        peer: &TransportId,
        hello: &Hello,
        now: Now,
        out: &mut Vec<Effect>,
    ) -> Result<AuthorId, NotGreeted> {
        if hello.network != self.config.network {
            let reason = format!("it belongs to network {}", hello.network);
            let (refusal, offence) = (Refusal::Network, Offence::ForeignNetwork);
            return Err(NotGreeted::offence(refusal, offence, reason));
        }
        let wrong = NotGreeted::wrong;
        let identity =
            SignedVertex::decode(&hello.identity).map_err(|error| wrong(error.to_string()))?;
        let (id, author) = (identity.id(), identity.vertex().author);
        let Some(Payload::Identity { binding: first, .. }) = identity.vertex().payloads.first()
        else {
            return Err(wrong("its first vertex is no identity".to_owned()));
        };
        let binding = hello.binding.clone().unwrap_or_else(|| first.clone());
        if self.is_unwanted(&author) {
            return Err(NotGreeted::busy(UNWANTED.to_owned()));
        }
        if author == self.me {
            self.warn_elsewhere(now, out);
            return Err(wrong("it uses the identity of this node".to_owned()));
        }
        self.check_channel(peer, &author).map_err(wrong)?;
        if !self.graph.contains(&id) {
            let (burst, per_second) = (limits::GREETING_BURST, limits::GREETINGS_PER_SECOND);
            if !self.greetings.take(now.mono_ms, burst, per_second) {
                let reason = "too many new authors at once".to_owned();
                let (refusal, offence) = (Refusal::Busy, Offence::RequestFlood);
                return Err(NotGreeted::offence(refusal, offence, reason));
            }
            self.check_shown(&identity).map_err(wrong)?;
            self.take_identity(peer, identity, now, out)?;
        }
        if let Some(seq) = self.graph.equivocated(&author) {
            let reason = format!("its author equivocated at position {seq}");
            let (refusal, offence) = (Refusal::Ended, Offence::Equivocation);
            return Err(NotGreeted::offence(refusal, offence, reason));
        }
        self.check_binding(peer, &author, &binding).map_err(wrong)?;
        // Which of the two clocks is wrong cannot be told from here.
        if let Err(error) = binding.check_time(now.unix_ms) {
            self.check_clock(hello.time_ms, now, out);
            return Err(NotGreeted::busy(error.to_string()));
        }
        Ok(author)
    }

    fn take_identity(
        &mut self,
        peer: &TransportId,
        identity: SignedVertex,
        now: Now,
        out: &mut Vec<Effect>,
    ) -> Result<(), NotGreeted> {
        if self.joining.is_writing() && !self.graph.contains(&identity.id()) {
            return Err(NotGreeted::busy("a snapshot is being stored".to_owned()));
        }
        let inserted = self.graph.insert(identity, &Source::Peer(peer.clone()), now);
        if let Ok(Insert::Accepted(accepted)) = &inserted {
            for vertex in accepted {
                self.remember_vertex(vertex);
                self.fold(vertex, now, out);
            }
        }
        self.on_notices(now, out);
        match inserted {
            Ok(Insert::Parked { .. }) => {
                Err(NotGreeted::wrong("its identity vertex has parents".to_owned()))
            }
            Ok(_) => Ok(()),
            Err(error) if error.fault() == Fault::Full => {
                self.counters.count(error.code());
                self.warn(full_problem(&error), now, out);
                Err(NotGreeted::busy(error.to_string()))
            }
            Err(error) => Err(NotGreeted::wrong(error.to_string())),
        }
    }

    /// A hello is not signed for the connection it comes on: on a hybrid one it must be that of the
    /// author whom the handshake proved. Otherwise whoever forges a transport key could show the
    /// identity and the binding of its owner, which everybody has.
    fn check_channel(&self, peer: &TransportId, author: &AuthorId) -> Result<(), String> {
        match self.peers.get(peer).map(|known| known.channel) {
            Some(Channel::Hybrid { author: proved }) if proved != *author => {
                Err(format!("its connection proved the author {proved}, not {author}"))
            }
            _ => Ok(()),
        }
    }

    fn check_binding(
        &self,
        peer: &TransportId,
        author: &AuthorId,
        binding: &Binding,
    ) -> Result<(), String> {
        let Some(chain) = self.graph.author(author) else {
            return Err("its identity is not known".to_owned());
        };
        if binding.transport != *peer {
            return Err(format!("its author binds {}, not {peer}", binding.transport));
        }
        if binding.epoch < chain.binding.epoch {
            let (found, known) = (binding.epoch, chain.binding.epoch);
            return Err(format!("its binding of epoch {found} was replaced by epoch {known}"));
        }
        if *binding != chain.binding {
            binding.verify(&chain.key, &self.config.network).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn check_clock(&mut self, peer_ms: u64, now: Now, out: &mut Vec<Effect>) {
        let apart_ms = peer_ms.abs_diff(now.unix_ms);
        if apart_ms > limits::CLOCK_SKEW_WARN_MS {
            let problem = Problem {
                code: "clock-skew",
                message: format!("a peer's clock and this one are {} s apart", apart_ms / 1_000),
                hint:
                    "set the clock of this machine, or of the peer; who is more than a day behind \
                       is let in by nobody"
                        .to_owned(),
            };
            self.warn(problem, now, out);
        }
    }

    /// Sends a peer away that was not accepted.
    pub(super) fn turn_away(
        &mut self,
        peer: &TransportId,
        why: &NotGreeted,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let NotGreeted { refusal, offence, reason } = why;
        if *refusal == Refusal::Network {
            return self.turn_away_foreign(peer, now, out);
        }
        let Some(offence) = *offence else {
            self.counters.count("hello-not-now");
            return self.part(peer, reason, now, out);
        };
        self.penalise(peer, offence, now, out);
        if self.peers.get(peer).is_some() {
            self.part(peer, &format!("{}: {reason}", offence.code()), now, out);
        }
    }

    /// A peer said hello from another network. The dialler parts, because closing drops the answer
    /// that tells it why; a dialler that stays is closed as one that never said hello.
    fn turn_away_foreign(&mut self, peer: &TransportId, now: Now, out: &mut Vec<Effect>) {
        if self.peers.get(peer).is_some_and(|peer| peer.outbound) {
            self.leave_foreign(peer, now, out);
        }
        self.penalise(peer, Offence::ForeignNetwork, now, out);
    }

    /// Parts from a peer of another network; when this node dialled, its owner should know.
    pub(super) fn leave_foreign(&mut self, peer: &TransportId, now: Now, out: &mut Vec<Effect>) {
        let Some(known) = self.peers.get(peer) else { return };
        let (address, outbound) = (known.address.clone(), known.outbound);
        let reason = "it belongs to another network; ask for a link to the one you mean";
        self.part(peer, reason, now, out);
        if !outbound {
            return;
        }
        self.book.foreign(peer, &address, now.mono_ms);
        let problem = Problem {
            code: "wrong-network",
            message: format!("the member at {address} belongs to another network"),
            hint: "ask for a new link to the network you mean to join".to_owned(),
        };
        self.warn(problem, now, out);
    }

    /// Adds penalty points; at the limit the peer is disconnected and banned.
    pub(super) fn penalise(
        &mut self,
        peer: &TransportId,
        offence: Offence,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        self.counters.count(offence.code());
        if self.penalties.add(peer, offence, now.mono_ms) {
            self.counters.count("peer-banned");
            self.graph.forget_peer(peer);
            self.part(peer, offence.code(), now, out);
        }
    }

    /// Disconnects a peer.
    pub(super) fn part(
        &mut self,
        peer: &TransportId,
        reason: &str,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        if self.peers.get(peer).is_some() {
            let (peer_id, text) = (peer.clone(), reason.to_owned());
            out.push(Effect::Disconnect { peer: peer_id, reason: text });
        }
        self.on_disconnected(peer, reason, now, out);
    }

    /// A peer is gone that this node did not part from: it is called again soon.
    pub(super) fn miss(&mut self, peer: &TransportId, now: Now) {
        if self.peers.get(peer).is_some_and(super::peers::Peer::is_known) {
            self.book.lost(peer, now.mono_ms);
        }
    }

    pub(super) fn on_disconnected(
        &mut self,
        peer: &TransportId,
        reason: &str,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let Some((gone, open)) = self.peers.remove(peer) else { return };
        for request in open {
            self.give_up(&request, now, out);
        }
        self.serving.forget_peer(peer);
        self.groups.forget_peer(peer, gone.author().as_ref());
        self.onion.forget_peer(peer);
        self.sync.on_disconnected(peer);
        if gone.outbound && !gone.is_known() {
            self.book.refused(&gone.address, now.mono_ms, &mut self.rng);
            self.note_unreached(&gone.address, reason, now, out);
        }
        if let Some(author) = gone.author() {
            let (transport, reason) = (peer.clone(), reason.to_owned());
            out.push(Effect::Emit(Event::PeerDisconnected { author, transport, reason }));
        }
    }

    /// Ends what was not answered in time.
    pub(super) fn time_out(&mut self, now: Now, out: &mut Vec<Effect>) {
        for request in self.peers.expire(now.mono_ms) {
            self.give_up(&request, now, out);
            if !matches!(request.asked, Asked::Packet { .. } | Asked::Cell { .. }) {
                self.penalise(&request.peer, Offence::Silent, now, out);
            }
        }
        for peer in self.blobs.expire(now.mono_ms) {
            self.penalise(&peer, Offence::Silent, now, out);
        }
        for peer in self.peers.mute(now.mono_ms) {
            self.penalise(&peer, Offence::NoHello, now, out);
            self.part(&peer, Offence::NoHello.code(), now, out);
        }
    }
}
