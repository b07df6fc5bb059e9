//! Gossipsub for one topic, shown one connection per peer.
//!
//! Messages are signed vertices: they carry their author's signature, so gossip's own is off
//! (`Anonymous`: no source, no sequence number), and a message's id is the BLAKE3 hash of its
//! bytes. Nothing is forwarded before the node has said [`MessageAcceptance::Accept`].
//!
//! Why the wrapper: gossipsub 0.50.1 sends its subscriptions on a peer's first connection only, and
//! a handler without an outbound stream never registers a waker (`Handler::poll` looks at
//! `message_queue.is_empty()` and returns). When two dials cross and the first connection is
//! closed, subscriptions are lost with it and the second connection sleeps. Here gossipsub is told
//! that the old connection is gone *before* it hears of the new one, so that every connection it
//! knows is a first one. To be removed when upstream registers the waker and repeats subscriptions.

use std::collections::BTreeMap;
use std::task::{Context, Poll};
use std::time::Duration;

use libp2p::core::{ConnectedPoint, Endpoint, transport::PortUse};
use libp2p::gossipsub::{
    self, ConfigBuilder, ConfigBuilderError, IdentTopic, IdentityTransform, Message,
    MessageAcceptance, MessageAuthenticity, MessageId, PublishError, SubscriptionError,
    ValidationMode, WhitelistSubscriptionFilter,
};
use libp2p::swarm::behaviour::{ConnectionClosed, ConnectionEstablished};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};

use crate::limits;

/// Peers may subscribe to our topic and nothing else: the table of topics cannot be filled.
type Inner = gossipsub::Behaviour<IdentityTransform, WhitelistSubscriptionFilter>;

/// Gossip on one topic.
pub(crate) struct Behaviour {
    inner: Inner,
    topic: IdentTopic,
    current: BTreeMap<PeerId, (ConnectionId, Option<ConnectedPoint>)>,
}

/// Why gossip could not be set up: always a defect of the constants below.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SetupError {
    #[error("gossip parameters: {0}")]
    Config(#[from] ConfigBuilderError),
    #[error("gossip behaviour: {0}")]
    Behaviour(&'static str),
    #[error("gossip subscription: {0}")]
    Subscription(#[from] SubscriptionError),
}

/// Parameters for meshes of two to some dozens of nodes.
fn config() -> Result<gossipsub::Config, ConfigBuilderError> {
    ConfigBuilder::default()
        // Half of the peers of a mesh of twelve: the specification's D = 6, 4..12 (gossipsub v1.0,
        // "Parameters"). Smaller meshes are full graphs.
        .mesh_n(6)
        .mesh_n_low(4)
        .mesh_n_high(12)
        .mesh_outbound_min(2)
        // The specification suggests 1 s, Ethereum's consensus layer runs 700 ms (p2p-interface,
        // "The gossip domain"). It decides how soon a new peer is grafted.
        .heartbeat_interval(Duration::from_millis(700))
        // The default of 5 s would leave a fresh node ungrafted for that long.
        .heartbeat_initial_delay(Duration::from_millis(100))
        // Own messages go to every subscribed peer at once; vertices are few and small.
        .flood_publish(true)
        // Six heartbeats are offered to those who missed a message, three are advertised
        // (Ethereum's mcache_len and mcache_gossip).
        .history_length(6)
        .history_gossip(3)
        // A vertex that comes again after two minutes is recognised by the history.
        .duplicate_cache_time(Duration::from_secs(120))
        // The default of 60 s keeps a peer that restarted out of the mesh for a minute.
        .prune_backoff(Duration::from_secs(10))
        .connection_handler_queue_len(limits::GOSSIP_QUEUE_MAX)
        // Reconciliation on heads repeats what is dropped here.
        .publish_queue_duration(Duration::from_secs(10))
        .forward_queue_duration(Duration::from_secs(5))
        .max_transmit_size(limits::GOSSIP_BYTES_MAX)
        .max_publish_messages(limits::GOSSIP_QUEUE_MAX)
        .validation_mode(ValidationMode::Anonymous)
        .validate_messages()
        .message_id_fn(|message: &Message| MessageId::new(blake3::hash(&message.data).as_bytes()))
        .build()
}

impl Behaviour {
    /// Subscribed to `topic`.
    pub(crate) fn new(topic: &str) -> Result<Self, SetupError> {
        let topic = IdentTopic::new(topic);
        let filter = WhitelistSubscriptionFilter([topic.hash()].into());
        let mut inner =
            Inner::new_with_subscription_filter(MessageAuthenticity::Anonymous, config()?, filter)
                .map_err(SetupError::Behaviour)?;
        inner.subscribe(&topic)?;
        Ok(Self { inner, topic, current: BTreeMap::new() })
    }

    /// Sends a message to the topic.
    pub(crate) fn publish(&mut self, bytes: Vec<u8>) -> Result<MessageId, PublishError> {
        self.inner.publish(self.topic.clone(), bytes)
    }

    /// Says what became of a message; unknown ones are ignored.
    pub(crate) fn verdict(&mut self, id: &MessageId, peer: &PeerId, verdict: MessageAcceptance) {
        self.inner.report_message_validation_result(id, peer, verdict);
    }

    /// Makes gossipsub forget the peer's connection, before it hears of another.
    fn forget(&mut self, peer: PeerId) {
        let Some((connection_id, endpoint)) = self.current.remove(&peer) else { return };
        if let Some(endpoint) = endpoint {
            self.inner.on_swarm_event(FromSwarm::ConnectionClosed(ConnectionClosed {
                peer_id: peer,
                connection_id,
                endpoint: &endpoint,
                cause: None,
                remaining_established: 0,
            }));
        }
    }

    fn is_current(&self, peer: &PeerId, connection: ConnectionId) -> bool {
        self.current.get(peer).is_some_and(|(current, _)| *current == connection)
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = <Inner as NetworkBehaviour>::ConnectionHandler;
    type ToSwarm = gossipsub::Event;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.forget(peer);
        self.current.insert(peer, (connection, None));
        self.inner.handle_established_inbound_connection(connection, peer, local, remote)
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port_use: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.forget(peer);
        self.current.insert(peer, (connection, None));
        self.inner.handle_established_outbound_connection(connection, peer, address, role, port_use)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(established) => {
                let ConnectionEstablished { peer_id, connection_id, endpoint, .. } = established;
                self.current.insert(peer_id, (connection_id, Some(endpoint.clone())));
                self.inner.on_swarm_event(FromSwarm::ConnectionEstablished(
                    ConnectionEstablished { other_established: 0, ..established },
                ));
            }
            FromSwarm::ConnectionClosed(closed) => {
                if self.is_current(&closed.peer_id, closed.connection_id) {
                    self.forget(closed.peer_id);
                }
            }
            other => self.inner.on_swarm_event(other),
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        if self.is_current(&peer, connection) {
            self.inner.on_connection_handler_event(peer, connection, event);
        }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        self.inner.poll(cx)
    }
}

impl std::fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Behaviour").field("topic", &self.topic).finish_non_exhaustive()
    }
}
