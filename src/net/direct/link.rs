//! An open data channel as a connection, and the transport that hands it to libp2p.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::{Ready, ready};
use futures::{AsyncRead, AsyncWrite};
use futures_timer::Delay;
use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

use super::Ways;
use crate::limits;
use crate::net::transport::peer::Peer;
use crate::net::transport::socket::Socket;
use crate::webrtc::stream::Stream;

/// A data channel. Dropping it closes the channel and its peer connection.
#[derive(Debug)]
pub(crate) struct Link {
    stream: Stream<Socket>,
    /// How long closing may still wait.
    patience: Option<Delay>,
    /// Dropped after the channel: what was sent goes out first.
    _peer: Peer,
}

impl Link {
    pub(super) fn new(socket: Socket, peer: Peer) -> Self {
        Self { stream: Stream::new(socket), patience: None, _peer: peer }
    }
}

impl AsyncRead for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl AsyncWrite for Link {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Poll::Ready(closed) = Pin::new(&mut this.stream).poll_close(cx) {
            return Poll::Ready(closed);
        }
        let most = Duration::from_millis(limits::DATA_CHANNEL_CLOSE_MS);
        let patience = this.patience.get_or_insert_with(|| Delay::new(most));
        Pin::new(patience).poll(cx).map(|()| Ok(()))
    }
}

/// The peer at the end of a way that [`Ways`] may have found: `/webrtc/p2p/<peer id>`.
pub(super) fn peer_of(address: &Multiaddr) -> Option<PeerId> {
    let mut parts = address.iter();
    match (parts.next()?, parts.next()?, parts.next()) {
        (Protocol::WebRTC, Protocol::P2p(peer), None) => Some(peer),
        _ => None,
    }
}

/// Where a peer is on a direct way.
pub(crate) fn address_of(peer: PeerId) -> Multiaddr {
    Multiaddr::empty().with(Protocol::WebRTC).with(Protocol::P2p(peer))
}

/// Whether an address is of a direct way: nothing that anybody could dial.
pub(crate) fn is_direct_way(address: &Multiaddr) -> bool {
    address.iter().next() == Some(Protocol::WebRTC)
}

/// The transport of direct ways. It finds none; it hands over what signalling has found.
#[derive(Debug)]
pub(crate) struct Transport(pub(crate) Ways);

impl libp2p::Transport for Transport {
    type Output = Link;
    type Error = io::Error;
    type ListenerUpgrade = Ready<io::Result<Link>>;
    type Dial = Ready<io::Result<Link>>;

    fn listen_on(
        &mut self,
        _: ListenerId,
        address: Multiaddr,
    ) -> Result<(), TransportError<io::Error>> {
        Err(TransportError::MultiaddrNotSupported(address))
    }

    fn remove_listener(&mut self, _: ListenerId) -> bool {
        false
    }

    fn dial(
        &mut self,
        address: Multiaddr,
        _: DialOpts,
    ) -> Result<Self::Dial, TransportError<io::Error>> {
        // The transport of circuits would take such an address of js-libp2p for one of its own.
        if address.iter().any(|part| part == Protocol::WebRTC) {
            let link = peer_of(&address).and_then(|peer| self.0.lock().to_dial.remove(&peer));
            let link = link.ok_or_else(|| {
                let message = "a direct way begins with a circuit; dial that (/p2p-circuit)";
                io::Error::new(io::ErrorKind::AddrNotAvailable, message)
            });
            return link.map(|link| ready(Ok(link))).map_err(TransportError::Other);
        }
        Err(TransportError::MultiaddrNotSupported(address))
    }

    fn poll(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, io::Error>> {
        let mut found = self.0.lock();
        let Some(link) = found.incoming.pop_front() else {
            found.transport = Some(cx.waker().clone());
            return Poll::Pending;
        };
        let address = Multiaddr::empty().with(Protocol::WebRTC);
        Poll::Ready(TransportEvent::Incoming {
            // No listener of libp2p's: nothing looks this up.
            listener_id: ListenerId::next(),
            upgrade: ready(Ok(link)),
            local_addr: address.clone(),
            send_back_addr: address,
        })
    }
}
