//! What the owner wants with single peers: to reach one, to part from it, to shut it out, to hear
//! of it.
//!
//! A call that the owner waits for ends with the peer or with a reason. So does every other dial:
//! the last reason of each address is kept, and a node that nobody answers says so.
//!
//! Who is banned is an author, whichever transport key its connections have. The list is kept over
//! restarts. It concerns connections only: what the author wrote is part of the history.

use super::Node;
use super::commands::busy_problem;
use super::peers::{Asked, Peer};
use crate::clock::Now;
use crate::effect::{Effect, PeerOrder};
use crate::event::{AddressView, PeerView, Problem, Reply};
use crate::identity::{AuthorId, TransportId};
use crate::limits;
use crate::message::Request;

/// Name of the record with the banned authors.
const BANS_NAME: &str = "banned";
/// Failures of every known address after which a node calls itself isolated (count): the first may
/// be a member that is just starting.
const ISOLATED_FAILURES: u32 = 2;

/// Calls and pings that the owner waits for.
#[derive(Debug, Default)]
pub(super) struct Calls {
    calls: Vec<Call>,
    pings: Vec<Ping>,
}

#[derive(Debug)]
struct Call {
    command: u64,
    address: String,
    /// The peer id at the end of the address, if it names one.
    peer: Option<TransportId>,
    until_ms: u64,
}

#[derive(Debug)]
struct Ping {
    command: u64,
    request: u64,
    since_ms: u64,
}

impl Ping {
    fn until_ms(&self) -> u64 {
        self.since_ms.saturating_add(limits::DIAL_TIMEOUT_MS)
    }
}

impl Calls {
    /// How many are waited for.
    pub(super) fn len(&self) -> usize {
        self.calls.len() + self.pings.len()
    }

    /// The commands without an answer.
    pub(super) fn commands(self) -> Vec<u64> {
        let pings = self.pings.into_iter().map(|ping| ping.command);
        self.calls.into_iter().map(|call| call.command).chain(pings).collect()
    }

    /// When the next call or ping takes too long.
    pub(super) fn next_ms(&self) -> Option<u64> {
        let calls = self.calls.iter().map(|call| call.until_ms);
        calls.chain(self.pings.iter().map(Ping::until_ms)).min()
    }

    /// Takes out the calls to a peer or an address.
    fn take(&mut self, is_it: impl Fn(&Call) -> bool) -> Vec<Call> {
        self.calls.extract_if(.., |call| is_it(call)).collect()
    }
}

impl Node {
    /// Dials an address and keeps the command until it is clear what comes of it.
    pub(super) fn connect(
        &mut self,
        command: u64,
        address: &str,
        now: Now,
        out: &mut Vec<Effect>,
    ) -> Option<Result<Reply, Problem>> {
        if let Err(problem) = self.dial_address(address, now) {
            return Some(Err(problem));
        }
        if let Some(door) = &self.door {
            door.call(address);
        }
        let peer = super::book::peer_of(address);
        let there = peer.as_ref().and_then(|peer| self.peer_view(peer));
        if let Some(view) = there {
            return Some(Ok(Reply::Peer(Box::new(view))));
        }
        if peer.as_ref().is_some_and(|peer| self.penalties.is_banned(peer, now.mono_ms)) {
            let why = "this node keeps away from it: its owner parted from it, or it misbehaved";
            return Some(Err(unreached(address, &format!("{why}; wait some minutes"))));
        }
        if self.book.begin(address, now.mono_ms) {
            out.push(Effect::Dial { address: address.to_owned() });
        }
        let until_ms = now.mono_ms.saturating_add(limits::DIAL_TIMEOUT_MS);
        let call = Call { command, address: address.to_owned(), peer, until_ms };
        self.commands.calls.calls.push(call);
        None
    }

    /// A peer's hello was accepted.
    pub(super) fn on_met(&mut self, peer: &TransportId, out: &mut Vec<Effect>) {
        let Some(view) = self.peer_view(peer) else { return };
        self.book.met(peer, &view.address);
        let is_it = |call: &Call| call.peer.as_ref() == Some(peer) || call.address == view.address;
        for call in self.commands.calls.take(is_it) {
            let result = Ok(Reply::Peer(Box::new(view.clone())));
            out.push(Effect::Reply { command: call.command, result });
        }
    }

    /// A dial came to nothing.
    pub(super) fn on_dial_failed(
        &mut self,
        address: &str,
        reason: &str,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        self.counters.count("dial-failed");
        self.book.failed(address, now.mono_ms, &mut self.rng);
        self.note_unreached(address, reason, now, out);
    }

    /// Keeps why nobody was reached at an address, and tells whoever waits for it.
    pub(super) fn note_unreached(
        &mut self,
        address: &str,
        reason: &str,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        self.book.note(address, reason);
        // Both may have dialled; then the other connection stays.
        let peers = &self.peers;
        let is_here = |call: &Call| call.peer.as_ref().is_some_and(|id| peers.get(id).is_some());
        for call in self.commands.calls.take(|call| call.address == address && !is_here(call)) {
            let result = Err(unreached(address, reason));
            out.push(Effect::Reply { command: call.command, result });
        }
        if self.peers.len() == 0 && self.book.all_failed(ISOLATED_FAILURES) {
            let problem = Problem {
                code: "isolated",
                message: format!("no known member can be reached; the last one: {reason}"),
                hint: "check that one of them is running; `synaptic-mesh peer list` names each \
                       address with its reason; ask for a fresh link if addresses have changed"
                    .to_owned(),
            };
            self.warn(problem, now, out);
        }
    }

    /// Ends calls and pings that take too long.
    pub(super) fn give_up_calls(&mut self, now: Now, out: &mut Vec<Effect>) {
        let pings = self.commands.calls.pings.iter();
        let late = pings.filter(|ping| ping.until_ms() <= now.mono_ms).map(|ping| ping.request);
        for request in late.collect::<Vec<u64>>() {
            self.on_pong(request, false, now, out);
        }
        for call in self.commands.calls.take(|call| call.until_ms <= now.mono_ms) {
            let reason = "nobody said hello in time; is it a member of another network?";
            let result = Err(unreached(&call.address, reason));
            out.push(Effect::Reply { command: call.command, result });
        }
    }

    /// Does something with a peer.
    pub(super) fn order(
        &mut self,
        command: u64,
        name: &str,
        order: PeerOrder,
        now: Now,
        out: &mut Vec<Effect>,
    ) -> Option<Result<Reply, Problem>> {
        let connected = self.connected_as(name);
        let author = connected.as_ref().map_or_else(|| name.parse().ok(), |(_, id)| Some(*id));
        match (order, connected, author) {
            (PeerOrder::Disconnect, Some((peer, _)), _) => {
                self.penalties.pause(&peer, now.mono_ms);
                self.part(&peer, "the owner parted from it", now, out);
            }
            (PeerOrder::Ping, Some((peer, _)), _) => return self.ping(command, &peer, now, out),
            (PeerOrder::Ban, _, Some(author)) => return Some(self.ban(author, now, out)),
            (PeerOrder::Unban, _, Some(author)) => {
                if !self.penalties.banned.remove(&author) {
                    return Some(Err(not_banned(name)));
                }
                self.store_bans();
            }
            _ => return Some(Err(no_peer(name))),
        }
        Some(Ok(Reply::Done))
    }

    fn ban(&mut self, author: AuthorId, now: Now, out: &mut Vec<Effect>) -> Result<Reply, Problem> {
        if author == self.me {
            return Err(no_peer("this node itself"));
        }
        let is_new = !self.penalties.banned.contains(&author);
        if is_new && self.penalties.banned.len() >= limits::BANS_MAX {
            return Err(Problem {
                code: "bans-full",
                message: format!("{} nodes are banned already", limits::BANS_MAX),
                hint: "take back one of the bans first".to_owned(),
            });
        }
        self.penalties.banned.insert(author);
        self.store_bans();
        let is_it = |(_, peer): &(&TransportId, &Peer)| peer.is_of(&author);
        let theirs = self.peers.iter().filter(is_it).map(|(id, _)| id.clone());
        for peer in theirs.collect::<Vec<TransportId>>() {
            self.part(&peer, "banned by the owner", now, out);
        }
        Ok(Reply::Done)
    }

    /// Asks a peer for its heads, to see how long that takes.
    fn ping(
        &mut self,
        command: u64,
        peer: &TransportId,
        now: Now,
        out: &mut Vec<Effect>,
    ) -> Option<Result<Reply, Problem>> {
        let heads = Request::Heads(self.own_heads(peer));
        let Some(request) = self.peers.open(peer, Asked::Heads, now.mono_ms) else {
            return Some(Err(busy_problem()));
        };
        let ping = Ping { command, request, since_ms: now.mono_ms };
        self.commands.calls.pings.push(ping);
        out.push(Effect::Request { peer: peer.clone(), request, bytes: heads.encode() });
        None
    }

    /// A request was answered, or will not be.
    pub(super) fn on_pong(
        &mut self,
        request: u64,
        answered: bool,
        now: Now,
        out: &mut Vec<Effect>,
    ) {
        let pings = &mut self.commands.calls.pings;
        let Some(place) = pings.iter().position(|ping| ping.request == request) else { return };
        let Ping { command, since_ms, .. } = pings.swap_remove(place);
        let took = answered.then(|| Reply::Millis(now.since_ms(since_ms)));
        let result = took.ok_or_else(|| Problem {
            code: "unreachable",
            message: "the peer did not answer".to_owned(),
            hint: "see with `synaptic-mesh peer list` whether it is still connected".to_owned(),
        });
        out.push(Effect::Reply { command, result });
    }

    /// Addresses at which nobody is connected.
    pub(super) fn unreached_addresses(&self, now: Now) -> Vec<AddressView> {
        let is_here =
            |peer: &TransportId| *peer == self.transport || self.peers.get(peer).is_some();
        self.book.unreached(now.mono_ms, is_here)
    }

    /// A connected peer that proved its identity.
    pub(super) fn peer_view(&self, transport: &TransportId) -> Option<PeerView> {
        let peer = self.peers.get(transport)?;
        Some(PeerView {
            author: peer.author()?,
            transport: transport.clone(),
            address: peer.address.clone(),
            outbound: peer.outbound,
            channel: peer.channel,
            rtt_ms: peer.rtt_ms,
        })
    }

    /// The connected peer of this name: a node id or, of the connection, a peer id.
    pub(super) fn connected_as(&self, name: &str) -> Option<(TransportId, AuthorId)> {
        let mut known = self.peers.known();
        let is_it = |id: &TransportId, author: AuthorId| {
            author.to_string() == name || id.to_string() == name
        };
        known.find(|(id, _, author)| is_it(id, *author)).map(|(id, _, author)| (id.clone(), author))
    }

    /// Remembers addresses and bans of before.
    pub(super) fn restore_peers(&mut self, meta: &[(String, Vec<u8>)], now: Now) {
        self.restore_book(meta, now);
        let stored = meta.iter().find(|(name, _)| name == BANS_NAME);
        let text = stored.and_then(|(_, bytes)| std::str::from_utf8(bytes).ok()).unwrap_or("");
        let banned = text.lines().filter_map(|line| line.parse().ok());
        self.penalties.banned = banned.take(limits::BANS_MAX).collect();
    }

    fn store_bans(&mut self) {
        let banned: Vec<String> = self.penalties.banned.iter().map(AuthorId::to_string).collect();
        self.writer.add_meta(BANS_NAME, banned.join("\n").into_bytes());
    }
}

fn unreached(address: &str, reason: &str) -> Problem {
    Problem {
        code: "unreachable",
        message: format!("{address} was not reached: {reason}"),
        hint:
            "where a firewall or NAT is between, both sides can meet at a member that both reach: \
               join by its link"
                .to_owned(),
    }
}

fn no_peer(name: &str) -> Problem {
    Problem {
        code: "peer-unknown",
        message: format!("{:?} is no peer of this node", name.get(..64).unwrap_or(name)),
        hint: "give the whole id, as `synaptic-mesh peer list` shows it".to_owned(),
    }
}

fn not_banned(name: &str) -> Problem {
    Problem {
        code: "peer-unknown",
        message: format!("{name} is not banned"),
        hint: "`synaptic-mesh peer list` shows who is".to_owned(),
    }
}
