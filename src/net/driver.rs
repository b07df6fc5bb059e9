//! The swarm, and the translation between its events and ours.

mod requests;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::StreamExt;
use futures_timer::Delay;
use libp2p::core::transport::{ListenerId, OrTransport};
use libp2p::core::{ConnectedPoint, upgrade::Version};
use libp2p::gossipsub::{self, MessageAcceptance, MessageId};
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::request_response::OutboundRequestId;
use libp2p::swarm::derive_prelude::Either;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, SwarmEvent};
use libp2p::{
    Multiaddr, PeerId, StreamProtocol, Swarm, Transport as _, identify, noise, ping, relay, yamux,
};

use self::requests::{Answer, Line, OpenRequest};
use crate::channel::{Credentials, Offers};
use crate::event::Channel;
use crate::limits;
use crate::net::behaviour::{Behaviour, BehaviourEvent};
use crate::net::config::{Config, Error};
use crate::net::direct::{Ways, link, streams};
use crate::net::event::{Command, Event, Verdict};
use crate::net::reason;
use crate::net::relay::{self as circuit, Answered, Reservations};
use crate::net::security::{Live, Security, Takes};
use crate::net::transport::host::Transport;
use crate::platform::{self, spawn};

/// How often overdue requests are looked for. Arbitrary, sane: a request waits twenty seconds.
const SWEEP_MS: u64 = 1_000;

/// How long leaving waits for connections to say goodbye. Arbitrary, sane: one round trip to the
/// other side of the world, several times.
const GOODBYE_MS: u64 = 1_000;

/// After what idle time libp2p closes a connection: never, within what its timer can count (a
/// 32-bit `setTimeout`). Heartbeats find the dead ones, and the node ends the useless ones.
const IDLE_MS: u64 = 20 * 24 * 60 * 60 * 1_000;

/// The network of one node.
pub struct Net {
    swarm: Swarm<Behaviour>,
    pending: VecDeque<Event>,
    peers: BTreeMap<PeerId, Peer>,
    dials: BTreeMap<ConnectionId, String>,
    listeners: Vec<(ListenerId, String)>,
    reservations: Reservations,
    reach: circuit::Reach,
    relaying: circuit::Relaying,
    closing: bool,
    requests: BTreeMap<(Line, OutboundRequestId), OpenRequest>,
    answers: BTreeMap<u64, Answer>,
    verdicts: VecDeque<(u64, MessageId, PeerId)>,
    next: u64,
    sweep: Delay,
}

/// A connected peer.
struct Peer {
    connection: ConnectionId,
    address: String,
    outbound: bool,
    channel: Channel,
    ping_failures: u32,
    /// Whether it relays for others.
    relays: bool,
    /// Why we disconnect it, when we do.
    reason: Option<String>,
}

impl Net {
    /// Sets up a network that neither listens nor dials yet.
    ///
    /// # Errors
    /// When the host's object cannot dial.
    pub fn new(config: Config) -> Result<Self, Error> {
        let key = Keypair::ed25519_from_bytes(config.seed)
            .map_err(|error| Error::Setup(error.to_string()))?;
        let protocols = config.protocols.map(StreamProtocol::new);
        let local = key.public().to_peer_id();
        let (circuit_transport, circuits) = relay::client::new(local);
        let live = Live::default();
        let ways = Ways::new(&config.host);
        let (direct, live_too) = (ways.clone(), live.clone());
        let Config { topic, relays, .. } = &config;
        let behaviour = Behaviour::new(&key, topic, protocols, circuits, direct, live_too, relays)
            .map_err(|error| Error::Setup(error.to_string()))?;
        let noise = matches!(config.takes, Takes::Classical).then(|| noise::Config::new(&key));
        let noise = noise.transpose().map_err(|error| Error::Setup(error.to_string()))?;
        let offers = match noise {
            Some(_) => Offers::HYBRID.and(Offers::CLASSICAL),
            None => Offers::HYBRID,
        };
        let credentials = Credentials::new(config.signer, &config.seed, offers);
        let mut yamux = yamux::Config::default();
        yamux.set_max_num_streams(limits::STREAMS_PER_CONNECTION_MAX);
        let host = Transport::new(config.host).map_err(|thrown| Error::Host(thrown.to_string()))?;
        let security = Security::new(credentials, noise, &config.takes, live);
        let timeout = Duration::from_millis(limits::CONNECT_TIMEOUT_MS);
        let direct = link::Transport(ways.clone())
            .upgrade(Version::V1)
            .authenticate(security.without_classical())
            .multiplex(yamux.clone())
            .timeout(timeout)
            .boxed();
        let relayed_or_host = OrTransport::new(circuit_transport, host)
            .upgrade(Version::V1)
            .authenticate(security)
            .multiplex(yamux)
            .timeout(timeout)
            .boxed();
        let direct = OrTransport::new(streams::Transport(ways), direct)
            .map(|output, _| output.into_inner())
            .map_err(Either::into_inner)
            .boxed();
        let transport = OrTransport::new(direct, relayed_or_host)
            .map(|output, _| output.into_inner())
            // Or the errors could not be told apart any more; see `reason`.
            .map_err(Either::into_inner)
            .boxed();
        let settings = libp2p::swarm::Config::with_executor(spawn)
            .with_idle_connection_timeout(Duration::from_millis(IDLE_MS))
            .with_max_negotiating_inbound_streams(limits::STREAMS_NEGOTIATING_MAX);
        Ok(Self {
            swarm: Swarm::new(transport, behaviour, local, settings),
            pending: VecDeque::new(),
            peers: BTreeMap::new(),
            dials: BTreeMap::new(),
            listeners: Vec::new(),
            reservations: Reservations::default(),
            reach: circuit::Reach::new(&config.advertised),
            relaying: circuit::Relaying::default(),
            closing: false,
            requests: BTreeMap::new(),
            answers: BTreeMap::new(),
            verdicts: VecDeque::new(),
            next: 0,
            sweep: Delay::new(Duration::from_millis(SWEEP_MS)),
        })
    }

    /// The own peer id as text.
    pub fn peer_id(&self) -> String {
        self.swarm.local_peer_id().to_base58()
    }

    /// Starts what is asked for.
    pub fn handle(&mut self, command: Command) {
        match command {
            Command::Listen { address } => self.listen(address),
            Command::Dial { address } => self.dial(address),
            Command::Disconnect { peer, reason } => self.disconnect(&peer, reason),
            Command::Request { peer, request, bytes } => {
                self.request(Line::Requests, &peer, request, bytes);
            }
            Command::Tell { peer, request, bytes } => {
                self.request(Line::Packets, &peer, request, bytes);
            }
            Command::Cell { peer, request, bytes } => {
                self.request(Line::Cells, &peer, request, bytes);
            }
            Command::Respond { token, bytes } => {
                if let Some(answer) = self.answers.remove(&token) {
                    // Fails when the asker gave up meanwhile, which concerns nobody.
                    drop(self.line(answer.line).send_response(answer.channel, bytes));
                }
            }
            Command::Publish { bytes } => {
                // Nobody subscribed, or queues full: reconciliation carries it later.
                drop(self.swarm.behaviour_mut().gossip.publish(bytes));
            }
            Command::Verdict { message, verdict } => self.verdict(message, verdict),
        }
    }

    /// The next event; the network runs while this is awaited. Never ends.
    pub async fn next(&mut self) -> Event {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// As [`Net::next`], for a loop that polls several things.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Poll::Ready(event);
            }
            if Pin::new(&mut self.sweep).poll(cx).is_ready() {
                self.sweep.reset(Duration::from_millis(SWEEP_MS));
                self.give_up_overdue();
                self.seek_relays();
                continue;
            }
            match self.swarm.poll_next_unpin(cx) {
                Poll::Ready(Some(event)) => self.on_swarm(event),
                Poll::Ready(None) | Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Puts events back that were taken too early; they come first, in their order.
    pub(crate) fn put_back(&mut self, events: Vec<Event>) {
        for event in events.into_iter().rev() {
            self.pending.push_front(event);
        }
    }

    /// Says goodbye: closes every connection, waits a moment for it to arrive, and stops listening.
    pub async fn close(mut self) {
        self.closing = true;
        let peers: Vec<PeerId> = self.peers.keys().copied().collect();
        for peer in peers {
            // Fails when the connection is gone already.
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        for (listener, _) in std::mem::take(&mut self.listeners) {
            self.swarm.remove_listener(listener);
        }
        let mut patience = Delay::new(Duration::from_millis(GOODBYE_MS));
        std::future::poll_fn(|cx| {
            while !self.peers.is_empty() && Pin::new(&mut patience).poll(cx).is_pending() {
                if self.poll_next(cx).is_pending() {
                    return Poll::Pending;
                }
            }
            Poll::Ready(())
        })
        .await;
    }

    fn listen(&mut self, address: String) {
        let parsed: Result<Multiaddr, _> = address.parse();
        let started = match parsed {
            Ok(parsed) => self.swarm.listen_on(parsed).map_err(|error| reason::listen(&error)),
            Err(_) => Err(("listen", "this is no multiaddr".to_owned())),
        };
        match started {
            Ok(listener) => {
                self.listeners.push((listener, address));
                if self.peers.is_empty() {
                    circuit::serve(&mut self.swarm.behaviour_mut().relay);
                }
            }
            Err((code, reason)) => {
                self.pending.push_back(Event::ListenFailed { address, code, reason });
            }
        }
    }

    fn dial(&mut self, address: String) {
        let parsed = (address.len() <= limits::ADDRESS_BYTES_MAX)
            .then(|| address.parse::<Multiaddr>().ok())
            .flatten();
        let Some(parsed) = parsed else {
            let reason = "this is no multiaddr".to_owned();
            self.pending.push_back(Event::DialFailed { address, reason });
            return;
        };
        let parsed = circuit::beginning_of(parsed);
        let options = match parsed.iter().last() {
            Some(Protocol::P2p(peer)) => DialOpts::peer_id(peer)
                .addresses(vec![parsed])
                .condition(PeerCondition::DisconnectedAndNotDialing)
                .build(),
            _ => DialOpts::unknown_peer_id().address(parsed).build(),
        };
        let connection = options.connection_id();
        match self.swarm.dial(options) {
            Ok(()) => {
                self.dials.insert(connection, address);
            }
            Err(error) => {
                let reason = reason::dial(&error);
                self.pending.push_back(Event::DialFailed { address, reason });
            }
        }
    }

    fn disconnect(&mut self, peer: &[u8], reason: String) {
        let Ok(peer) = PeerId::from_bytes(peer) else { return };
        if let Some(known) = self.peers.get_mut(&peer) {
            known.reason = Some(reason);
            let _ = self.swarm.disconnect_peer_id(peer);
        }
    }

    fn verdict(&mut self, message: u64, verdict: Verdict) {
        let Some(index) = self.verdicts.iter().position(|(other, _, _)| *other == message) else {
            return;
        };
        if let Some((_, id, peer)) = self.verdicts.remove(index) {
            let verdict = match verdict {
                Verdict::Accept => MessageAcceptance::Accept,
                Verdict::Ignore => MessageAcceptance::Ignore,
                Verdict::Reject => MessageAcceptance::Reject,
            };
            self.swarm.behaviour_mut().gossip.verdict(&id, &peer, verdict);
        }
    }

    fn on_swarm(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour(event),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.on_established(peer_id, connection_id, &endpoint);
            }
            SwarmEvent::ConnectionClosed {
                peer_id, connection_id, num_established, cause, ..
            } => {
                let cause = cause.map(|cause| reason::closed(&cause));
                self.on_closed(peer_id, connection_id, num_established, cause);
            }
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
                if let Some(address) = self.dials.remove(&connection_id) {
                    let reason = reason::dial(&error);
                    self.pending.push_back(Event::DialFailed { address, reason });
                }
            }
            SwarmEvent::IncomingConnectionError { error, .. } => {
                self.pending.push_back(reason::refused(&error));
            }
            SwarmEvent::NewListenAddr { listener_id, address } => {
                self.on_address(listener_id, &address);
            }
            // Of a reservation. Identify would tell it to everybody.
            SwarmEvent::ExternalAddrConfirmed { address } => {
                self.swarm.remove_external_address(&address);
            }
            SwarmEvent::ExpiredListenAddr { .. } => self.tell_addresses(),
            SwarmEvent::ListenerClosed { listener_id, reason, .. } => {
                self.on_listener_closed(listener_id, reason);
            }
            // Dialling, incoming, external addresses and errors of single accepts say nothing that
            // the events above do not.
            _ => {}
        }
    }

    fn on_established(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        endpoint: &ConnectedPoint,
    ) {
        self.reach.on_connection(endpoint);
        let dialled = self.dials.remove(&connection);
        let address = dialled.unwrap_or_else(|| circuit::way_to(peer, endpoint).to_string());
        let outbound = endpoint.is_dialer();
        let channel = self.swarm.behaviour().crossing.channel(&peer);
        let known = Peer {
            connection,
            address,
            outbound,
            channel,
            ping_failures: 0,
            relays: false,
            reason: None,
        };
        if self.peers.insert(peer, known).is_none() {
            self.tell_connected(peer);
        }
    }

    fn on_closed(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        remaining: u32,
        cause: Option<String>,
    ) {
        if remaining == 0 {
            let known = self.peers.remove(&peer);
            let reason = known.and_then(|known| known.reason).or(cause);
            let reason = reason.unwrap_or_else(|| "closed".to_owned());
            self.answers.retain(|_, answer| answer.peer != peer);
            self.pending.push_back(Event::Disconnected { peer: peer.to_bytes(), reason });
        } else if self.peers.get(&peer).is_some_and(|known| known.connection != connection) {
            // A newer connection took its place; what was under way on the old one is lost, so this
            // is a new beginning for whoever keeps state per connection.
            let reason = "replaced by a newer connection".to_owned();
            self.pending.push_back(Event::Disconnected { peer: peer.to_bytes(), reason });
            self.tell_connected(peer);
        }
    }

    fn tell_connected(&mut self, peer: PeerId) {
        if let Some(known) = self.peers.get(&peer) {
            self.pending.push_back(Event::Connected {
                peer: peer.to_bytes(),
                address: known.address.clone(),
                outbound: known.outbound,
                channel: known.channel,
            });
        }
    }

    fn tell_addresses(&mut self) {
        let local = *self.swarm.local_peer_id();
        let addresses = self
            .swarm
            .listeners()
            .filter(|address| !circuit::is_unspecified(address) && !circuit::is_relayed(address))
            .chain(self.reservations.addresses())
            .filter_map(|address| address.clone().with_p2p(local).ok())
            .map(|address| address.to_string())
            .collect();
        self.pending.push_back(Event::Listening { addresses });
    }

    fn on_listener_closed(&mut self, id: ListenerId, reason: Result<(), std::io::Error>) {
        if self.reservations.ended(id, platform::now().mono_ms) {
            return self.tell_addresses();
        }
        let index = self.listeners.iter().position(|(other, _)| *other == id);
        let Some((_, address)) = index.map(|index| self.listeners.swap_remove(index)) else {
            return;
        };
        if let Err(error) = reason {
            let (code, reason) = reason::listener(&error);
            self.pending.push_back(Event::ListenFailed { address, code, reason });
        }
        self.tell_addresses();
    }

    fn on_behaviour(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Ping(event) => self.on_ping(&event),
            BehaviourEvent::Heartbeat(silent) => {
                if let Some(known) = self.peers.get_mut(&silent.peer) {
                    known.reason = Some("no sign of life".to_owned());
                }
                // Fails when the connection is gone already.
                let _ = self.swarm.disconnect_peer_id(silent.peer);
            }
            BehaviourEvent::Gossip(gossipsub::Event::Message {
                propagation_source,
                message_id,
                message,
            }) => self.on_gossip(propagation_source, message_id, message.data),
            BehaviourEvent::Requests(event) => self.on_request_response(Line::Requests, event),
            BehaviourEvent::Packets(event) => self.on_request_response(Line::Packets, event),
            BehaviourEvent::Cells(event) => self.on_request_response(Line::Cells, event),
            // Of what identify tells, all that counts is what a peer can do; the rest is proved by
            // the node's own hello.
            BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. }) => {
                self.on_protocols(peer_id, &info.protocols);
            }
            BehaviourEvent::Direct(not_found) => {
                let (code, reason) = (not_found.error.code(), not_found.error.to_string());
                self.pending.push_back(Event::NoDirectWay { code, reason });
            }
            BehaviourEvent::Relay(event) => {
                if let Some((reservations, circuits)) = self.relaying.on(&event) {
                    self.pending.push_back(Event::Relaying { reservations, circuits });
                }
            }
            // How own circuits go is told by connections and listeners.
            BehaviourEvent::Gossip(_)
            | BehaviourEvent::Identify(_)
            | BehaviourEvent::Circuits(_) => {}
            BehaviourEvent::Limits(never)
            | BehaviourEvent::Memory(never)
            | BehaviourEvent::Crossing(never) => match never {},
        }
    }

    /// A listener has an address, or a relay says that this node is reached through it.
    fn on_address(&mut self, listener: ListenerId, address: &Multiaddr) {
        match self.reservations.answered(listener) {
            Answered::Unknown => {
                circuit::serve_at(&mut self.swarm.behaviour_mut().relay, address);
                self.reach.listens(address);
                self.tell_addresses();
            }
            Answered::Up => self.tell_addresses(),
            Answered::Again => {}
            Answered::TooOften => {
                self.swarm.remove_listener(listener);
            }
        }
    }

    /// A peer says what it can do.
    fn on_protocols(&mut self, peer: PeerId, protocols: &[StreamProtocol]) {
        if let Some(known) = self.peers.get_mut(&peer) {
            known.relays = protocols.contains(&relay::HOP_PROTOCOL_NAME);
            self.seek_relays();
        }
    }

    /// Where nobody can dial this node, it asks those that it dialled for reservations.
    fn seek_relays(&mut self) {
        if self.closing {
            return;
        }
        let listens = !self.listeners.is_empty();
        let now_ms = platform::now().mono_ms;
        for (peer, known) in self.peers.iter().filter(|(_, known)| known.outbound && known.relays) {
            if listens && !self.reach.needs(&known.address) {
                continue;
            }
            let wanted = self.reservations.wanted(*peer, &known.address, now_ms);
            let Some(address) = wanted else { continue };
            if let Ok(listener) = self.swarm.listen_on(address.clone()) {
                self.reservations.asked(listener, *peer, address);
            }
        }
    }

    fn on_ping(&mut self, event: &ping::Event) {
        let Some(known) = self.peers.get_mut(&event.peer) else { return };
        match &event.result {
            Ok(rtt) => {
                known.ping_failures = 0;
                let rtt_ms = u32::try_from(rtt.as_millis()).unwrap_or(u32::MAX);
                self.pending.push_back(Event::Rtt { peer: event.peer.to_bytes(), rtt_ms });
            }
            Err(ping::Failure::Unsupported) => {}
            Err(_) => {
                known.ping_failures += 1;
                if known.ping_failures >= limits::PING_FAILURES_MAX {
                    known.reason = Some("no answer to pings".to_owned());
                    let _ = self.swarm.disconnect_peer_id(event.peer);
                }
            }
        }
    }

    fn on_gossip(&mut self, peer: PeerId, id: MessageId, bytes: Vec<u8>) {
        if self.verdicts.len() >= limits::GOSSIP_VERDICTS_MAX
            && let Some((_, id, peer)) = self.verdicts.pop_front()
        {
            let ignore = MessageAcceptance::Ignore;
            self.swarm.behaviour_mut().gossip.verdict(&id, &peer, ignore);
        }
        let message = self.name();
        self.verdicts.push_back((message, id, peer));
        self.pending.push_back(Event::Gossip { peer: peer.to_bytes(), message, bytes });
    }

    /// The next name for something that is answered later.
    fn name(&mut self) -> u64 {
        let name = self.next;
        self.next += 1;
        name
    }
}

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Net").field("peers", &self.peers.len()).finish_non_exhaustive()
    }
}
