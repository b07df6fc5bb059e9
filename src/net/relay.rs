//! Connections through another node, for those that cannot be dialled: tabs, and whoever stands
//! behind a NAT.
//!
//! This is circuit relay v2 of libp2p (specification `relay/circuit-v2.md`). A node that listens
//! serves others as relay, within the bounds of [`limits`]; one that does not asks up to
//! [`limits::RELAYS_WANTED`] of those it dialled for a reservation. It can then be dialled at
//! `<address of the relay>/p2p/<relay>/p2p-circuit/p2p/<own peer id>`. The relay passes bytes on: a
//! circuit is secured and authenticated end to end as any other connection is, and the relay sees
//! who talks with whom, when and how much.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use libp2p::core::{ConnectedPoint, transport::ListenerId};
use libp2p::multiaddr::Protocol;
use libp2p::relay::{Behaviour, Config};
use libp2p::swarm::{FromSwarm, NetworkBehaviour as _, behaviour::ExternalAddrConfirmed};
use libp2p::{Multiaddr, PeerId, StreamProtocol, relay};

use crate::limits;

/// The part of a relay; it serves nobody before [`serve_at`].
pub(crate) fn server(local: PeerId) -> Behaviour {
    let unlimited_rates = Config {
        max_reservations: limits::RELAY_RESERVATIONS_MAX,
        max_reservations_per_peer: 1,
        reservation_duration: Duration::from_millis(limits::RELAY_RESERVATION_MS),
        max_circuits: limits::RELAY_CIRCUITS_MAX,
        max_circuits_per_peer: limits::RELAY_CIRCUITS_PER_PEER_MAX,
        max_circuit_duration: Duration::from_millis(limits::RELAY_CIRCUIT_MS_MAX),
        max_circuit_bytes: limits::RELAY_CIRCUIT_BYTES_MAX,
        reservation_rate_limiters: Vec::new(),
        circuit_src_rate_limiters: Vec::new(),
    };
    // By peer and not by address: the tabs of one house share theirs.
    let (burst, interval) = (limits::RELAY_REQUESTS_BURST, limits::RELAY_REQUEST_INTERVAL_MS);
    let (burst, interval) = (NonZeroU32::new(burst), Duration::from_millis(interval));
    let config = match burst {
        Some(burst) => unlimited_rates
            .reservation_rate_per_peer(burst, interval)
            .circuit_src_per_peer(burst, interval),
        None => unlimited_rates,
    };
    Behaviour::new(local, config)
}

/// Serves as relay that is reached at `address`. Only this behaviour is told: identify would tell
/// everybody where this machine listens.
pub(crate) fn serve_at(relay: &mut Behaviour, address: &Multiaddr) {
    relay.on_swarm_event(FromSwarm::ExternalAddrConfirmed(ExternalAddrConfirmed { addr: address }));
}

/// Whether an address leads through a relay.
pub(crate) fn is_relayed(address: &Multiaddr) -> bool {
    address.iter().any(|part| part == Protocol::P2pCircuit)
}

/// How the other end of a connection is reached: its address as the socket has it, or through which
/// relay.
pub(crate) fn way_to(peer: PeerId, endpoint: &ConnectedPoint) -> Multiaddr {
    match endpoint {
        ConnectedPoint::Listener { local_addr, .. } if endpoint.is_relayed() => {
            let parts = local_addr.iter().take_while(|part| *part != Protocol::P2pCircuit);
            parts.chain([Protocol::P2pCircuit, Protocol::P2p(peer)]).collect()
        }
        _ => endpoint.get_remote_address().clone(),
    }
}

/// At whom this node has asked for a reservation.
#[derive(Debug, Default)]
pub(crate) struct Reservations {
    held: Vec<(ListenerId, PeerId)>,
    /// Who said no, until it goes.
    refused: BTreeSet<PeerId>,
}

impl Reservations {
    /// Where to ask for a reservation at a connected peer, reached at `address`, that speaks these
    /// protocols; `None` when it is no relay, or there is no need of it.
    pub(crate) fn wanted(
        &self,
        peer: PeerId,
        address: &str,
        protocols: &[StreamProtocol],
    ) -> Option<Multiaddr> {
        let is_known = self.held.iter().any(|(_, relay)| *relay == peer);
        if is_known
            || self.refused.contains(&peer)
            || self.held.len() >= limits::RELAYS_WANTED
            || !protocols.contains(&relay::HOP_PROTOCOL_NAME)
        {
            return None;
        }
        let address: Multiaddr = address.parse().ok()?;
        let direct = address.with_p2p(peer).ok().filter(|address| !is_relayed(address))?;
        Some(direct.with(Protocol::P2pCircuit))
    }

    /// Asked `peer`.
    pub(crate) fn asked(&mut self, listener: ListenerId, peer: PeerId) {
        self.held.push((listener, peer));
    }

    /// A listener ended. Whether it was a reservation.
    pub(crate) fn ended(&mut self, listener: ListenerId, refused: bool) -> bool {
        let Some(place) = self.held.iter().position(|(held, _)| *held == listener) else {
            return false;
        };
        let (_, peer) = self.held.swap_remove(place);
        if refused {
            self.refused.insert(peer);
        }
        true
    }

    /// A peer is gone; when it comes back it may be asked again.
    pub(crate) fn forget(&mut self, peer: &PeerId) {
        self.refused.remove(peer);
    }
}
