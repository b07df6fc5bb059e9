//! Heartbeats: a peer that is gone without a word is known to be within seconds.
//!
//! A killed process closes its sockets; a machine that loses its network, a stopped process or a
//! frozen page does not. So each side of a connection opens one stream of [`HEARTBEAT_PROTOCOL`]
//! and sends a byte on it every [`limits::HEARTBEAT_INTERVAL_MS`], whatever else it sends. A peer
//! that beats and of which nothing at all is heard for [`limits::SILENCE_MS_MAX`] is gone: its
//! connections end at once, without the farewell that nobody would answer.
//!
//! What is heard are bytes of the connection, of whatever stream: a beat may wait behind a long
//! answer on a slow link. That is also why libp2p's ping is not enough. It sends the next one only
//! when the last one was answered, so a peer whose answer is held up looks silent itself; and of a
//! dead one it tells after its timeout, an interval, and the ten seconds that a new stream may
//! take. It goes on measuring round trips, and finds out about peers that do not beat.
//!
//! A node that stood still (stopped, suspended, busy) has read nothing meanwhile, and blames nobody
//! for it: silence counts from when it was awake again.

mod handler;

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt as _;
use futures_timer::Delay;
use libp2p::core::{Endpoint, transport::PortUse};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};

use self::handler::{Beats, Handler};
use crate::limits;
use crate::net::security::Live;
use crate::platform;

/// Sends heartbeats and notices where they stay away.
pub(crate) struct Behaviour {
    live: Live,
    /// Peers of which a beat was heard.
    beating: BTreeSet<PeerId>,
    /// Peers that have gone silent, to be told.
    silent: VecDeque<PeerId>,
    look: Delay,
    looked_ms: u64,
    /// Since when this node has not stood still.
    awake_ms: u64,
}

/// Nothing is heard of a peer any more; its connections are cut.
#[derive(Debug)]
pub(crate) struct Silent {
    /// Who.
    pub(crate) peer: PeerId,
}

impl Behaviour {
    pub(crate) fn new(live: Live) -> Self {
        let now_ms = platform::now().mono_ms;
        Self {
            live,
            beating: BTreeSet::new(),
            silent: VecDeque::new(),
            look: Delay::new(LOOK),
            looked_ms: now_ms,
            awake_ms: now_ms,
        }
    }

    /// Looks for peers that have gone silent, and cuts them off.
    fn look(&mut self) {
        let now = platform::now();
        let late_ms = limits::HEARTBEAT_LOOK_MS + limits::HEARTBEAT_INTERVAL_MS;
        if now.since_ms(self.looked_ms) > late_ms {
            self.awake_ms = now.mono_ms;
        }
        self.looked_ms = now.mono_ms;
        let (live, awake_ms) = (&self.live, self.awake_ms);
        let is_silent = |peer: &PeerId| {
            let heard_ms = live.heard_ms(peer)?.max(awake_ms);
            (now.since_ms(heard_ms) >= limits::SILENCE_MS_MAX).then_some(*peer)
        };
        let silent: Vec<PeerId> = self.beating.iter().filter_map(is_silent).collect();
        for peer in silent {
            self.beating.remove(&peer);
            self.live.cut(&peer);
            self.silent.push_back(peer);
        }
    }
}

const LOOK: Duration = Duration::from_millis(limits::HEARTBEAT_LOOK_MS);

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Silent;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::new())
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::new())
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        if let FromSwarm::ConnectionClosed(closed) = event
            && closed.remaining_established == 0
        {
            self.beating.remove(&closed.peer_id);
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        _: ConnectionId,
        Beats: THandlerOutEvent<Self>,
    ) {
        self.beating.insert(peer);
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        while self.look.poll_unpin(cx).is_ready() {
            self.look.reset(LOOK);
            self.look();
        }
        match self.silent.pop_front() {
            Some(peer) => Poll::Ready(ToSwarm::GenerateEvent(Silent { peer })),
            None => Poll::Pending,
        }
    }
}

impl fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Behaviour").field("beating", &self.beating).finish_non_exhaustive()
    }
}
