//! Everything that runs on a connection, put together.
//!
//! The order matters: behaviours that may deny a connection come first, so that those which keep
//! state per connection never see one that is denied.

use std::time::Duration;

use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::identity::Keypair;
use libp2p::request_response::{self, ProtocolSupport};
use libp2p::swarm::NetworkBehaviour;
use libp2p::{StreamProtocol, ping, relay as circuit};

use crate::limits;
use crate::net::{
    codec::Codec,
    crossing, direct, gossip, heartbeat, identify, memory,
    relay::{self, Switch},
    security::Live,
};
use crate::onion;

/// What identify says of the protocols in use.
const PROTOCOL_VERSION: &str = "/synaptic-mesh/1";

/// The behaviours of a node.
#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    pub(crate) limits: connection_limits::Behaviour,
    pub(crate) memory: memory::Behaviour,
    pub(crate) crossing: crossing::Behaviour,
    pub(crate) identify: identify::Behaviour,
    pub(crate) ping: ping::Behaviour,
    pub(crate) heartbeat: heartbeat::Behaviour,
    pub(crate) gossip: gossip::Behaviour,
    pub(crate) requests: request_response::Behaviour<Codec>,
    pub(crate) packets: request_response::Behaviour<Codec>,
    pub(crate) cells: request_response::Behaviour<Codec>,
    /// For others.
    pub(crate) relay: circuit::Behaviour,
    /// Of this node at others.
    pub(crate) circuits: circuit::client::Behaviour,
    pub(crate) direct: direct::behaviour::Behaviour,
}

impl Behaviour {
    /// For one key, one gossip topic, the request protocols; `circuits`, `ways`
    /// and `live` belong to the transport, and `relays` says whether others may go through here.
    pub(crate) fn new(
        key: &Keypair,
        topic: &str,
        [requests, packets, cells]: [StreamProtocol; 3],
        circuits: circuit::client::Behaviour,
        ways: direct::Ways,
        live: Live,
        relays: &Switch,
    ) -> Result<Self, gossip::SetupError> {
        let limits = ConnectionLimits::default()
            .with_max_established(Some(limits::CONNECTIONS_MAX))
            .with_max_established_incoming(Some(limits::CONNECTIONS_INBOUND_MAX))
            .with_max_established_per_peer(Some(limits::CONNECTIONS_PER_PEER_MAX))
            .with_max_pending_incoming(Some(limits::CONNECTIONS_PENDING_MAX))
            .with_max_pending_outgoing(Some(limits::CONNECTIONS_PENDING_MAX));
        let ping = ping::Config::new()
            .with_interval(Duration::from_millis(limits::PING_INTERVAL_MS))
            .with_timeout(Duration::from_millis(limits::PING_TIMEOUT_MS));
        // Says which program this is and nothing about the machine: no host, no listen addresses
        // (a peer learns those from the node's hello, after it has proved who it is).
        let identify = libp2p::identify::Config::new(PROTOCOL_VERSION.to_owned(), key.public())
            .with_agent_version(concat!("synaptic-mesh/", env!("CARGO_PKG_VERSION")).to_owned())
            .with_hide_listen_addrs(true)
            .with_cache_size(0);
        let config = request_response::Config::default()
            .with_request_timeout(Duration::from_millis(limits::STREAM_TIMEOUT_MS))
            // Both directions share these slots, and what finds none is dropped without a word.
            .with_max_concurrent_streams(2 * limits::REQUESTS_PER_CONNECTION_MAX);
        Ok(Self {
            limits: connection_limits::Behaviour::new(limits),
            memory: memory::Behaviour,
            crossing: crossing::Behaviour::new(key.public().to_peer_id(), live.clone()),
            identify: identify::Behaviour::new(identify),
            ping: ping::Behaviour::new(ping),
            heartbeat: heartbeat::Behaviour::new(live.clone()),
            gossip: gossip::Behaviour::new(topic)?,
            requests: request_response::Behaviour::with_codec(
                Codec::new(limits::REQUEST_BYTES_MAX, limits::RESPONSE_BYTES_MAX),
                [(requests, ProtocolSupport::Full)],
                config.clone(),
            ),
            packets: request_response::Behaviour::with_codec(
                Codec::new(limits::GROUP_MESSAGE_BYTES_MAX, limits::GROUP_RECEIPT_BYTES_MAX),
                [(packets, ProtocolSupport::Full)],
                config.clone(),
            ),
            cells: request_response::Behaviour::with_codec(
                Codec::new(onion::CELL_BYTES, onion::REPLY_BYTES),
                [(cells, ProtocolSupport::Full)],
                config,
            ),
            relay: relay::server(key.public().to_peer_id(), relays),
            circuits,
            direct: direct::behaviour::Behaviour::new(ways, live),
        })
    }
}
