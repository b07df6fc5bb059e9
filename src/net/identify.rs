//! Identify, which does not show a peer where nobody can be.
//!
//! libp2p's identify (specification `identify/README.md`) tells a peer at what address it is seen.
//! On a circuit or a direct way that is no address of the network (`/p2p/<peer>`, `/webrtc`), and
//! js-libp2p, which reads an IP address or a name out of it, ends the exchange there and never
//! learns what this node speaks. So it is told none, as js-libp2p itself does it. To be removed
//! when js-libp2p passes over such addresses.

use std::task::{Context, Poll};

use libp2p::core::{Endpoint, transport::PortUse};
use libp2p::identify::{self, Config, Event};
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};

/// Identify on every connection.
pub(crate) struct Behaviour(identify::Behaviour);

impl Behaviour {
    pub(crate) fn new(config: Config) -> Self {
        Self(identify::Behaviour::new(config))
    }
}

/// The address to tell a peer that is seen there; the empty one says nothing.
fn told(seen: &Multiaddr) -> Multiaddr {
    let is_circuit = seen.iter().any(|part| part == Protocol::P2pCircuit);
    match seen.iter().next() {
        Some(
            Protocol::Ip4(_)
            | Protocol::Ip6(_)
            | Protocol::Dns(_)
            | Protocol::Dns4(_)
            | Protocol::Dns6(_),
        ) if !is_circuit => seen.clone(),
        _ => Multiaddr::empty(),
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = <identify::Behaviour as NetworkBehaviour>::ConnectionHandler;
    type ToSwarm = Event;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.0.handle_established_inbound_connection(connection, peer, local, &told(remote))
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port_use: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let address = told(address);
        self.0.handle_established_outbound_connection(connection, peer, &address, role, port_use)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        self.0.on_swarm_event(event);
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        self.0.on_connection_handler_event(peer, connection, event);
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        self.0.poll(cx)
    }
}

impl std::fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Behaviour").finish_non_exhaustive()
    }
}
