//! One connection per peer, also when both dial at once.
//!
//! Two nodes that learn of each other at the same moment dial each other and end up with two
//! connections. Both must keep the same one. The rule, which both can evaluate alone:
//!
//! - The first leads through a relay and the second does not: the second stays.
//! - The second leads through a relay and the first does not: the first stays, if they began within
//!   [`limits::CONNECT_TIMEOUT_MS`] of each other. Nobody dials a peer it is connected to, so later
//!   than that the peer has lost the first one, and it takes a moment until this is seen here.
//! - Both dials by the same side: the newer connection stays. That side would not have dialled
//!   while it saw the older one alive (a reloaded tab, a changed network).
//! - Dials by both sides, within [`limits::CONNECT_TIMEOUT_MS`] of each other: the dial of the node
//!   with the smaller peer id stays.
//! - Dials by both sides, further apart: the newer stays. The peer has lost the older one, or it
//!   would not have dialled.
//!
//! The loser is denied when it comes second and closed when it came first. This stands before all
//! behaviours that keep state per connection, so that a denied one never reaches them.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::fmt;
use std::task::{Context, Poll};

use libp2p::core::{Endpoint, transport::PortUse};
use libp2p::swarm::behaviour::ConnectionEstablished;
use libp2p::swarm::{
    CloseConnection, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler,
    THandlerInEvent, THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};

use crate::event::Channel;
use crate::limits;
use crate::net::relay;
use crate::net::security::Live;
use crate::platform;

/// Keeps one connection per peer.
#[derive(Debug)]
pub(crate) struct Behaviour {
    local: PeerId,
    /// The connection kept for each peer.
    kept: BTreeMap<PeerId, Kept>,
    /// Connections to be closed.
    closing: VecDeque<(PeerId, ConnectionId)>,
    live: Live,
}

#[derive(Debug, Clone, Copy)]
struct Kept {
    connection: ConnectionId,
    outbound: bool,
    relayed: bool,
    channel: Channel,
    since_ms: u64,
}

/// A second connection to a peer lost against the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Crossed;

impl fmt::Display for Crossed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("two dials crossed; the other connection stays")
    }
}

impl std::error::Error for Crossed {}

/// What becomes of a second connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The first stays.
    First,
    /// The second stays.
    Second,
}

/// The rule above. `relayed` and `ours` say which of the two, first and second, lead through a
/// relay and which we dialled; `smaller` whether our peer id is the smaller one; `apart_ms` how
/// much later the second came.
pub(crate) fn rule(
    relayed: (bool, bool),
    ours: (bool, bool),
    smaller: bool,
    apart_ms: u64,
) -> Rule {
    match relayed {
        (true, false) => return Rule::Second,
        (false, true) if apart_ms > limits::CONNECT_TIMEOUT_MS => return Rule::Second,
        (false, true) => return Rule::First,
        _ => {}
    }
    let (first, second) = ours;
    if first == second || apart_ms > limits::CONNECT_TIMEOUT_MS {
        return Rule::Second;
    }
    // Exactly one of them is ours: ours stays if we are the smaller.
    if second == smaller { Rule::Second } else { Rule::First }
}

impl Behaviour {
    /// For the node `local`.
    pub(crate) fn new(local: PeerId, live: Live) -> Self {
        Self { local, kept: BTreeMap::new(), closing: VecDeque::new(), live }
    }

    /// What secures the connection that is kept with a peer.
    pub(crate) fn channel(&self, peer: &PeerId) -> Channel {
        self.kept.get(peer).map_or(Channel::Classical, |kept| kept.channel)
    }

    fn on_closed(&mut self, peer: PeerId, connection: ConnectionId) {
        if self.kept.get(&peer).is_some_and(|kept| kept.connection == connection) {
            self.kept.remove(&peer);
        }
    }

    fn decide(&self, peer: PeerId, outbound: bool, relayed: bool) -> Result<(), ConnectionDenied> {
        let Some(first) = self.kept.get(&peer) else { return Ok(()) };
        let apart_ms = platform::now().since_ms(first.since_ms);
        let ours = (first.outbound, outbound);
        match rule((first.relayed, relayed), ours, self.local < peer, apart_ms) {
            Rule::First => Err(ConnectionDenied::new(Crossed)),
            Rule::Second => Ok(()),
        }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.decide(peer, false, relay::is_relayed(local)).map(|()| dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.decide(peer, true, relay::is_relayed(address)).map(|()| dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(ConnectionEstablished {
                peer_id,
                connection_id,
                endpoint,
                ..
            }) => {
                let kept = Kept {
                    connection: connection_id,
                    outbound: endpoint.is_dialer(),
                    relayed: endpoint.is_relayed(),
                    // The connection is alive while this is told, and so is what it proved.
                    channel: self.live.channel(&peer_id).unwrap_or(Channel::Classical),
                    since_ms: platform::now().mono_ms,
                };
                // Established means that it was allowed, so the second has won.
                if let Some(first) = self.kept.insert(peer_id, kept) {
                    self.closing.push_back((peer_id, first.connection));
                }
            }
            FromSwarm::ConnectionClosed(closed) => {
                self.on_closed(closed.peer_id, closed.connection_id);
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        match self.closing.pop_front() {
            Some((peer_id, connection)) => Poll::Ready(ToSwarm::CloseConnection {
                peer_id,
                connection: CloseConnection::One(connection),
            }),
            None => Poll::Pending,
        }
    }
}
