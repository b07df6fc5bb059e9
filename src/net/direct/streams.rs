//! Direct connections with nodes of other programs: a data channel for each stream.
//!
//! This is what libp2p's specification `webrtc/README.md` ("Multiplexing") asks for, and what
//! js-libp2p does. There is no handshake of our own: DTLS secures the connection, and the
//! certificates' fingerprints came on a circuit that is secured by noise. So it is as good as that
//! circuit and no better, and it is used only where a circuit is classical, which the configuration
//! must allow. Nodes of this program have the hybrid channel in a single data channel instead: see
//! [`super::link`].
//!
//! There is no window either: a data channel cannot be paused, so a stream whose peer sends far
//! ahead of what is read is given up.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::{Ready, ready, select};
use futures::{AsyncRead, AsyncWrite};
use libp2p::core::muxing::{StreamMuxer, StreamMuxerBox, StreamMuxerEvent};
use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

use super::{Ways, link};
use crate::limits;
use crate::net::security::Entry;
use crate::net::transport::peer::{Peer, Place};
use crate::net::transport::socket::Socket;
use crate::platform::js::Thrown;
use crate::platform::{self, spawn};
use crate::webrtc::stream::Stream;

/// A connected peer connection as a connection of libp2p's. Dropping it closes it.
#[derive(Debug)]
pub(crate) struct Streams {
    peer: Peer,
    entry: Arc<Entry>,
}

impl Streams {
    pub(super) fn new(peer: Peer, entry: Entry) -> Self {
        Self { peer, entry: Arc::new(entry) }
    }

    fn substream(&self, (socket, place): (Socket, Place)) -> Substream {
        Substream {
            stream: Some(Stream::new(socket)),
            entry: Arc::clone(&self.entry),
            place: Some(place),
        }
    }
}

impl StreamMuxer for Streams {
    type Substream = Substream;
    type Error = io::Error;

    fn poll_inbound(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Substream, io::Error>> {
        self.peer.poll_channel(cx).map(|channel| Ok(self.substream(channel)))
    }

    /// It opens later: until then nothing can be written.
    fn poll_outbound(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Result<Substream, io::Error>> {
        let failed = |thrown: Thrown| io::Error::new(io::ErrorKind::BrokenPipe, thrown.to_string());
        let opened = self.peer.open().map_err(failed)?;
        Poll::Ready(match opened {
            Some(channel) => Ok(self.substream(channel)),
            None => Err(io::Error::other("too many streams are open")),
        })
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn poll(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<StreamMuxerEvent, io::Error>> {
        self.entry.check()?;
        let ended = self.peer.poll_ended(cx);
        ended.map(|reason| Err(io::Error::new(io::ErrorKind::ConnectionReset, reason)))
    }
}

/// One stream. Dropping it ends it in words, before its data channel is closed.
#[derive(Debug)]
pub(crate) struct Substream {
    /// Gone only while this is dropped.
    stream: Option<Stream<Socket>>,
    entry: Arc<Entry>,
    place: Option<Place>,
}

impl Substream {
    fn stream(&mut self) -> io::Result<Pin<&mut Stream<Socket>>> {
        self.entry.check()?;
        self.stream.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl AsyncRead for Substream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let read = self.stream()?.poll_read(cx, into);
        if matches!(read, Poll::Ready(Ok(_))) {
            self.entry.hear();
        }
        read
    }
}

impl AsyncWrite for Substream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write(cx, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(cx)
    }

    /// Whoever has said all may still want to hear the answer, so this waits for nothing.
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_finish(cx)
    }
}

impl Drop for Substream {
    fn drop(&mut self) {
        let Some(mut stream) = self.stream.take() else { return };
        stream.give_up();
        // Its place is taken until its channel is closed, or streams would pile up unseen.
        let place = self.place.take();
        spawn(async move {
            let patience = pin!(platform::sleep(limits::DATA_CHANNEL_CLOSE_MS));
            let lingering = pin!(std::future::poll_fn(|cx| stream.poll_linger(cx)));
            drop(select(lingering, patience).await);
            drop(stream);
            drop(place);
        });
    }
}

/// The transport of such connections. It finds none; it hands over what signalling has found.
#[derive(Debug)]
pub(crate) struct Transport(pub(crate) Ways);

type Secured = (PeerId, StreamMuxerBox);

impl libp2p::Transport for Transport {
    type Output = Secured;
    type Error = io::Error;
    type ListenerUpgrade = Ready<io::Result<Secured>>;
    type Dial = Ready<io::Result<Secured>>;

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

    /// What was not found here is left to [`link::Transport`].
    fn dial(
        &mut self,
        address: Multiaddr,
        _: DialOpts,
    ) -> Result<Self::Dial, TransportError<io::Error>> {
        let found = link::peer_of(&address)
            .and_then(|peer| Some((peer, self.0.lock().to_dial_streams.remove(&peer)?)));
        let (peer, streams) = found.ok_or(TransportError::MultiaddrNotSupported(address))?;
        Ok(ready(Ok((peer, StreamMuxerBox::new(streams)))))
    }

    fn poll(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, io::Error>> {
        let mut found = self.0.lock();
        let Some((peer, streams)) = found.incoming_streams.pop_front() else {
            found.transport_streams = Some(cx.waker().clone());
            return Poll::Pending;
        };
        let address = Multiaddr::empty().with(Protocol::WebRTC);
        Poll::Ready(TransportEvent::Incoming {
            // No listener of libp2p's: nothing looks this up.
            listener_id: ListenerId::next(),
            upgrade: ready(Ok((peer, StreamMuxerBox::new(streams)))),
            local_addr: address.clone(),
            send_back_addr: address,
        })
    }
}
