//! Begins signalling on fresh circuits, and dials what was found.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::task::{Context, Poll};

use futures::future::{Ready, ready};
use libp2p::core::upgrade::{InboundUpgrade, OutboundUpgrade, UpgradeInfo};
use libp2p::core::{Endpoint, transport::PortUse};
use libp2p::swarm::behaviour::DialFailure;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::handler::{ConnectionEvent, FullyNegotiatedInbound, FullyNegotiatedOutbound};
use libp2p::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm,
    NetworkBehaviour, SubstreamProtocol, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId, StreamProtocol};

use super::{Kind, Sought, Ways, link};
use crate::event::Channel;
use crate::limits;
use crate::net::relay;
use crate::net::security::Live;
use crate::webrtc::signal::Role;
use crate::webrtc::{self, Error};

/// Looks for direct ways.
#[derive(Debug)]
pub(crate) struct Behaviour {
    ways: Ways,
    live: Live,
    /// Dials that are under way: at most as many as there may be signallings.
    dials: VecDeque<(ConnectionId, PeerId)>,
}

/// No direct way to a peer was found.
#[derive(Debug)]
pub(crate) struct NotFound {
    /// Why.
    pub(crate) error: Error,
}

impl Behaviour {
    pub(crate) fn new(ways: Ways, live: Live) -> Self {
        Self { ways, live, dials: VecDeque::new() }
    }

    /// What a connection gets: something to do, if it is a circuit on which a direct way may be
    /// sought.
    fn handler(&self, peer: PeerId, role: Role, address: &Multiaddr) -> Handler {
        // The connection is alive while this is asked, and so is what it proved.
        let channel = self.live.channel(&peer);
        let may = self.ways.are_possible() && relay::is_relayed(address) && channel.is_some();
        let kind = match channel {
            Some(Channel::Classical) => Kind::Streams(self.live.clone()),
            _ => Kind::Link,
        };
        Handler {
            ways: self.ways.clone(),
            peer,
            sought: Sought { kind, stun: relay::stun_of(address) },
            begins: may && role == Role::Offerer,
            answers: if may && role == Role::Answerer {
                limits::SIGNALLINGS_PER_CIRCUIT_MAX
            } else {
                0
            },
        }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = NotFound;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(peer, Role::Answerer, local))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(peer, Role::Offerer, address))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        let ended = match event {
            FromSwarm::ConnectionEstablished(established) => established.connection_id,
            FromSwarm::DialFailure(DialFailure { connection_id, .. }) => connection_id,
            _ => return,
        };
        let place = self.dials.iter().position(|(connection, _)| *connection == ended);
        if let Some((_, peer)) = place.and_then(|place| self.dials.remove(place)) {
            // There is something left only if the dial was refused before it began.
            self.ways.forget(&peer);
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

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        self.ways.poll_told(cx).map(|(peer, outcome)| match outcome {
            Ok(()) => {
                // Although there is the circuit; that one goes when the direct connection is there.
                let opts = DialOpts::peer_id(peer)
                    .addresses(vec![link::address_of(peer)])
                    .condition(PeerCondition::Always)
                    .build();
                self.dials.push_back((opts.connection_id(), peer));
                ToSwarm::Dial { opts }
            }
            Err(error) => ToSwarm::GenerateEvent(NotFound { error }),
        })
    }
}

/// What runs on a connection: nothing, unless it is a circuit on which a direct way may be sought.
#[derive(Debug)]
pub(crate) struct Handler {
    ways: Ways,
    peer: PeerId,
    sought: Sought,
    /// A stream is yet to be opened.
    begins: bool,
    /// Signallings that the peer may yet begin (count). Only who dialled the circuit begins, or
    /// both would find a way.
    answers: usize,
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Infallible;
    type ToBehaviour = Infallible;
    type InboundProtocol = Signalling;
    type OutboundProtocol = Signalling;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(Signalling { offered: self.answers > 0 }, ())
    }

    fn poll(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, (), Self::ToBehaviour>> {
        if std::mem::take(&mut self.begins) {
            let protocol = SubstreamProtocol::new(Signalling { offered: true }, ());
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        Poll::Pending
    }

    fn on_behaviour_event(&mut self, never: Self::FromBehaviour) {
        match never {}
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Self::InboundProtocol, Self::OutboundProtocol>,
    ) {
        match event {
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: stream,
                ..
            }) => self.ways.seek(Role::Offerer, self.peer, stream, self.sought.clone()),
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: stream,
                ..
            }) if self.answers > 0 => {
                self.answers -= 1;
                self.ways.seek(Role::Answerer, self.peer, stream, self.sought.clone());
            }
            // A peer without the protocol has no peer connections; the circuit stays.
            _ => {}
        }
    }
}

/// The protocol of signalling, where it is on offer; what comes of it is the stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signalling {
    offered: bool,
}

impl UpgradeInfo for Signalling {
    type Info = StreamProtocol;
    type InfoIter = std::option::IntoIter<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.offered.then(|| StreamProtocol::new(webrtc::PROTOCOL)).into_iter()
    }
}

impl<T> InboundUpgrade<T> for Signalling {
    type Output = T;
    type Error = Infallible;
    type Future = Ready<Result<T, Infallible>>;

    fn upgrade_inbound(self, stream: T, _: StreamProtocol) -> Self::Future {
        ready(Ok(stream))
    }
}

impl<T> OutboundUpgrade<T> for Signalling {
    type Output = T;
    type Error = Infallible;
    type Future = Ready<Result<T, Infallible>>;

    fn upgrade_outbound(self, stream: T, _: StreamProtocol) -> Self::Future {
        ready(Ok(stream))
    }
}
