//! The two streams of one connection: beats that go out, and those that come in.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::{AsyncRead, AsyncWrite, FutureExt as _};
use futures_timer::Delay;
use libp2p::StreamProtocol;
use libp2p::core::upgrade::ReadyUpgrade;
use libp2p::swarm::handler::{
    ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
};
use libp2p::swarm::{
    ConnectionHandler, ConnectionHandlerEvent, Stream, StreamUpgradeError, SubstreamProtocol,
};

use crate::limits;
use crate::message::HEARTBEAT_PROTOCOL;
use crate::platform;

/// One beat; what it says is not looked at.
const BEAT: [u8; 1] = [0];
const INTERVAL: Duration = Duration::from_millis(limits::HEARTBEAT_INTERVAL_MS);
/// Bytes read at a time. Arbitrary, sane: a beat has one.
const READ_BYTES: usize = 64;

/// The first beat of a peer came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Beats;

/// Beats on one connection.
pub(crate) struct Handler {
    next: Delay,
    /// When the last beat fell due.
    due_ms: u64,
    /// A beat is due.
    due: bool,
    out: Out,
    inbound: Option<Stream>,
    /// Whether the peer has beaten.
    beats: bool,
}

/// The stream for own beats.
enum Out {
    None,
    Asked,
    Open(Stream),
    /// The peer does not know the protocol.
    Unsupported,
}

impl Handler {
    pub(super) fn new() -> Self {
        let (next, due_ms) = (Delay::new(INTERVAL), platform::now().mono_ms);
        Self { next, due_ms, due: true, out: Out::None, inbound: None, beats: false }
    }

    /// Whether it is time for a beat, by the clock too: a page in the background gets its timers
    /// once a minute. What the peer sends still wakes it, and that is a beat every second.
    fn falls_due(&mut self, cx: &mut Context<'_>) -> bool {
        let is_late = platform::now().since_ms(self.due_ms) >= limits::HEARTBEAT_INTERVAL_MS;
        // The timer has to be asked in any case, or nobody is woken by it.
        self.next.poll_unpin(cx).is_ready() || is_late
    }

    /// Reads beats away; whether the first one came.
    fn hear(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(stream) = &mut self.inbound else { return false };
        match Pin::new(stream).poll_read(cx, &mut [0; READ_BYTES]) {
            Poll::Ready(Ok(0) | Err(_)) => self.inbound = None,
            Poll::Ready(Ok(_)) => {
                // One read each time: a peer that floods this stream takes turns with the others.
                cx.waker().wake_by_ref();
                return !std::mem::replace(&mut self.beats, true);
            }
            Poll::Pending => {}
        }
        false
    }

    /// Sends what is due, where there is a stream for it.
    fn beat(&mut self, cx: &mut Context<'_>) {
        let Out::Open(stream) = &mut self.out else { return };
        let mut stream = Pin::new(stream);
        let mut said = Poll::Ready(Ok(()));
        if self.due {
            said = stream.as_mut().poll_write(cx, &BEAT).map_ok(|_| ());
            self.due = said.is_pending();
        }
        if let Poll::Ready(Ok(())) = said {
            said = stream.poll_flush(cx);
        }
        if let Poll::Ready(Err(_)) = said {
            // With the next beat there is a new one.
            self.out = Out::None;
        }
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Infallible;
    type ToBehaviour = Beats;
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(ReadyUpgrade::new(StreamProtocol::new(HEARTBEAT_PROTOCOL)), ())
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, (), Self::ToBehaviour>> {
        if self.hear(cx) {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(Beats));
        }
        while self.falls_due(cx) {
            self.due_ms = platform::now().mono_ms;
            self.next.reset(INTERVAL);
            self.due = true;
        }
        self.beat(cx);
        if self.due && matches!(self.out, Out::None) {
            self.out = Out::Asked;
            let protocol = self.listen_protocol();
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
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: mut stream,
                ..
            }) => {
                stream.ignore_for_keep_alive();
                self.inbound = Some(stream);
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: mut stream,
                ..
            }) => {
                stream.ignore_for_keep_alive();
                self.out = Out::Open(stream);
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { error, .. }) => {
                self.due = false;
                self.out = match error {
                    StreamUpgradeError::NegotiationFailed => Out::Unsupported,
                    _ => Out::None,
                };
            }
            _ => {}
        }
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler").field("beats", &self.beats).finish_non_exhaustive()
    }
}
