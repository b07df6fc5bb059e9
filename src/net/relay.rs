//! Connections through another node, for those that cannot be dialled: tabs, and nodes behind
//! routers.
//!
//! This is circuit relay v2 of libp2p (specification `relay/circuit-v2.md`). A node that listens
//! serves others as relay, within the bounds of [`limits`]; one that does not, or that nobody can
//! dial as far as it knows ([`Reach`]), asks up to [`limits::RELAYS_WANTED`] of those it dialled
//! for a reservation. It can then be dialled at
//! `<address of the relay>/p2p/<relay>/p2p-circuit/p2p/<own peer id>`. The relay passes bytes on: a
//! circuit is secured and authenticated end to end as any other connection is, and the relay sees
//! who talks with whom, when and how much.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use libp2p::core::{ConnectedPoint, transport::ListenerId};
use libp2p::multiaddr::Protocol;
use libp2p::relay::{Behaviour, Config, RateLimiter, Status};
use libp2p::swarm::{FromSwarm, NetworkBehaviour as _, behaviour::ExternalAddrConfirmed};
use libp2p::{Multiaddr, PeerId, relay};
use web_time::Instant;

use crate::limits;
use crate::net::direct::link;

/// Whether a node that listens relays for others, as its owner wants it.
///
/// Off, it refuses reservations and circuits as a relay that is full does, so that whoever asks
/// goes to another. Circuits that are open stay until they end. It is no [`Status`]: libp2p tells
/// each connection of a change, and panics where one is a circuit.
#[derive(Debug, Clone)]
pub struct Switch(Arc<AtomicBool>);

impl Switch {
    /// On or off.
    #[must_use]
    pub fn new(is_on: bool) -> Self {
        Self(Arc::new(AtomicBool::new(is_on)))
    }

    /// Whether it is on.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Turns it, for all that share it.
    pub fn turn(&self, is_on: bool) {
        self.0.store(is_on, Ordering::Relaxed);
    }
}

impl RateLimiter for Switch {
    fn try_next(&mut self, _: PeerId, _: &Multiaddr, _: Instant) -> bool {
        self.is_on()
    }
}

/// The part of a relay; it serves nobody before [`serve`], nor while `switch` is off.
pub(crate) fn server(local: PeerId, switch: &Switch) -> Behaviour {
    let unlimited_rates = Config {
        max_reservations: limits::RELAY_RESERVATIONS_MAX,
        // What libp2p allows is one more than what it is told, of this and of circuits of a peer.
        max_reservations_per_peer: 0,
        reservation_duration: Duration::from_millis(limits::RELAY_RESERVATION_MS),
        max_circuits: limits::RELAY_CIRCUITS_MAX,
        max_circuits_per_peer: limits::RELAY_CIRCUITS_PER_PEER_MAX - 1,
        max_circuit_duration: Duration::from_millis(limits::RELAY_CIRCUIT_MS_MAX),
        max_circuit_bytes: limits::RELAY_CIRCUIT_BYTES_MAX,
        reservation_rate_limiters: vec![Box::new(switch.clone())],
        circuit_src_rate_limiters: vec![Box::new(switch.clone())],
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
    let mut relay = Behaviour::new(local, config);
    // Otherwise a node that is reached through a relay itself would become one.
    relay.set_status(Some(Status::Disable));
    relay
}

/// Begins to serve. Only before there is any connection: libp2p tells each that exists, and panics
/// where one is a circuit.
pub(crate) fn serve(relay: &mut Behaviour) {
    relay.set_status(Some(Status::Enable));
}

/// The relay is reached at `address`. Only this behaviour is told: identify would tell
/// everybody where this machine listens.
pub(crate) fn serve_at(relay: &mut Behaviour, address: &Multiaddr) {
    relay.on_swarm_event(FromSwarm::ExternalAddrConfirmed(ExternalAddrConfirmed { addr: address }));
}

/// Whether an address leads through a relay.
pub(crate) fn is_relayed(address: &Multiaddr) -> bool {
    address.iter().any(|part| part == Protocol::P2pCircuit)
}

/// The circuit on which a direct way to an address of js-libp2p begins
/// (`<relay>/p2p-circuit/webrtc/p2p/<peer>`); other addresses as they are.
pub(crate) fn beginning_of(address: Multiaddr) -> Multiaddr {
    if !is_relayed(&address) {
        return address;
    }
    address.iter().filter(|part| *part != Protocol::WebRTC).collect()
}

/// How the other end of a connection is reached: its address as the socket has it, or through which
/// relay.
pub(crate) fn way_to(peer: PeerId, endpoint: &ConnectedPoint) -> Multiaddr {
    match endpoint {
        ConnectedPoint::Listener { local_addr, .. } if endpoint.is_relayed() => {
            let parts = local_addr.iter().take_while(|part| *part != Protocol::P2pCircuit);
            parts.chain([Protocol::P2pCircuit, Protocol::P2p(peer)]).collect()
        }
        _ if link::is_direct_way(endpoint.get_remote_address()) => link::address_of(peer),
        _ => endpoint.get_remote_address().clone(),
    }
}

/// Where the relay of a circuit answers STUN (RFC 8489): at the port at which it listens, by UDP.
/// Who asks learns its address outside, which it tells its peer. `None` on this machine, where
/// there is no outside.
pub(crate) fn stun_of(circuit: &Multiaddr) -> Option<String> {
    let mut parts = circuit.iter();
    let host = match parts.next()? {
        Protocol::Ip4(ip) if !ip.is_loopback() => ip.to_string(),
        Protocol::Ip6(ip) if !ip.is_loopback() => format!("[{ip}]"),
        Protocol::Dns(name) | Protocol::Dns4(name) | Protocol::Dns6(name) => name.to_string(),
        _ => return None,
    };
    match parts.next()? {
        Protocol::Tcp(port) => Some(format!("stun:{host}:{port}")),
        _ => None,
    }
}

/// Whether an address stands for all of a machine's.
pub(crate) fn is_unspecified(address: &Multiaddr) -> bool {
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) => ip.is_unspecified(),
        Some(Protocol::Ip6(ip)) => ip.is_unspecified(),
        _ => false,
    }
}

/// Whether an address is one of the whole network, as far as it says itself: no address of a
/// machine's own, of a home or of an office (RFC 1918, RFC 6598, RFC 4193), and no name of those.
pub(crate) fn is_public(address: &Multiaddr) -> bool {
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) => {
            let [first, second, ..] = ip.octets();
            let is_carriers = first == 100 && second & 0xc0 == 64;
            let is_home = ip.is_private() || ip.is_loopback() || ip.is_link_local();
            !is_home && !is_carriers && !ip.is_unspecified()
        }
        Some(Protocol::Ip6(ip)) => {
            if let Some(ip) = ip.to_ipv4_mapped() {
                return is_public(&Multiaddr::empty().with(Protocol::Ip4(ip)));
            }
            let is_home = ip.is_unique_local() || ip.is_loopback();
            !is_home && !ip.is_unicast_link_local() && !ip.is_unspecified()
        }
        Some(Protocol::Dns(name) | Protocol::Dns4(name) | Protocol::Dns6(name)) => {
            let last = name.rsplit('.').next().unwrap_or_default();
            !["localhost", "local"].iter().any(|own| last.eq_ignore_ascii_case(own))
        }
        _ => false,
    }
}

/// Whether others can dial this node, as far as it knows.
///
/// A node that listens behind a router hears nothing of it: its address is one of its home, and
/// calls from outside never arrive. So one that has no public address of its own or of its
/// operator's needs a relay, until somebody has called it from a public address. Such a node asks
/// only relays that it dialled at a public address: others are on its own network, where nobody
/// needs them.
#[derive(Debug, Default)]
pub(crate) struct Reach {
    is_public: bool,
}

impl Reach {
    /// With the addresses that the operator and the machine's interfaces have.
    pub(crate) fn new(advertised: &[String]) -> Self {
        let addresses = advertised.iter().filter_map(|address| address.parse().ok());
        Self { is_public: addresses.into_iter().any(|address| is_public(&address)) }
    }

    /// The node listens there.
    pub(crate) fn listens(&mut self, address: &Multiaddr) {
        self.is_public |= is_public(address);
    }

    /// There is a connection: one that came from a public address shows that others can come too.
    pub(crate) fn on_connection(&mut self, endpoint: &ConnectedPoint) {
        if let ConnectedPoint::Listener { local_addr, send_back_addr } = endpoint
            && !is_relayed(local_addr)
        {
            self.is_public |= is_public(send_back_addr);
        }
    }

    /// Whether a relay that was dialled at `address` is to be asked, by a node that listens.
    pub(crate) fn needs(&self, address: &str) -> bool {
        !self.is_public && address.parse().is_ok_and(|address| is_public(&address))
    }
}

/// Whom this node relays for.
#[derive(Debug, Default)]
pub(crate) struct Relaying {
    /// Peers with a reservation.
    reservations: BTreeSet<PeerId>,
    /// Circuits that are open (count).
    circuits: usize,
}

impl Relaying {
    /// Takes note of an event; the numbers of reservations and circuits, if one changed.
    pub(crate) fn on(&mut self, event: &relay::Event) -> Option<(usize, usize)> {
        match event {
            relay::Event::ReservationReqAccepted { src_peer_id, .. } => {
                self.reservations.insert(*src_peer_id);
            }
            relay::Event::ReservationClosed { src_peer_id }
            | relay::Event::ReservationTimedOut { src_peer_id } => {
                self.reservations.remove(src_peer_id);
            }
            relay::Event::CircuitReqAccepted { .. } => self.circuits += 1,
            relay::Event::CircuitClosed { .. } => {
                self.circuits = self.circuits.saturating_sub(1);
            }
            _ => return None,
        }
        Some((self.reservations.len(), self.circuits))
    }
}

/// At whom this node has asked for a reservation.
#[derive(Debug, Default)]
pub(crate) struct Reservations {
    held: Vec<Held>,
    /// Who is not asked again before this time.
    refused: BTreeMap<PeerId, u64>,
}

#[derive(Debug)]
struct Held {
    listener: ListenerId,
    relay: PeerId,
    /// Where this node is reached through it: as it was asked, not as the relay says.
    address: Multiaddr,
    /// How often the relay has said where.
    answers: u32,
}

/// What to do after a relay said where this node is reached through it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answered {
    /// It is no reservation of ours.
    Unknown,
    /// There is a new way to this node.
    Up,
    /// It was known: the relay has renewed it.
    Again,
    /// Enough of that: each answer is remembered below.
    TooOften,
}

impl Reservations {
    /// Where to ask for a reservation at a connected relay, reached at `address`; `None` when there
    /// is no need of it.
    pub(crate) fn wanted(&self, peer: PeerId, address: &str, now_ms: u64) -> Option<Multiaddr> {
        let is_known = self.held.iter().any(|held| held.relay == peer);
        let waits = self.refused.get(&peer).is_some_and(|until_ms| *until_ms > now_ms);
        if is_known || waits || self.held.len() >= limits::RELAYS_WANTED {
            return None;
        }
        let address: Multiaddr = address.parse().ok()?;
        let is_dialled = |way: &Multiaddr| !is_relayed(way) && !link::is_direct_way(way);
        let direct = address.with_p2p(peer).ok().filter(is_dialled)?;
        Some(direct.with(Protocol::P2pCircuit))
    }

    /// Asked `relay` at `address`.
    pub(crate) fn asked(&mut self, listener: ListenerId, relay: PeerId, address: Multiaddr) {
        self.held.push(Held { listener, relay, address, answers: 0 });
    }

    /// A listener has an address.
    pub(crate) fn answered(&mut self, listener: ListenerId) -> Answered {
        let Some(held) = self.held.iter_mut().find(|held| held.listener == listener) else {
            return Answered::Unknown;
        };
        held.answers += 1;
        match held.answers {
            1 => Answered::Up,
            answers if answers > limits::RELAY_ANSWERS_MAX => Answered::TooOften,
            _ => Answered::Again,
        }
    }

    /// The ways to this node.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = &Multiaddr> {
        self.held.iter().filter(|held| held.answers > 0).map(|held| &held.address)
    }

    /// A listener ended. Whether it was a reservation; its relay is left alone for a while.
    pub(crate) fn ended(&mut self, listener: ListenerId, now_ms: u64) -> bool {
        let Some(place) = self.held.iter().position(|held| held.listener == listener) else {
            return false;
        };
        let held = self.held.swap_remove(place);
        let until_ms = now_ms.saturating_add(limits::RELAY_RETRY_MS);
        self.refused.retain(|_, until_ms| *until_ms > now_ms);
        self.refused.insert(held.relay, until_ms);
        true
    }
}
