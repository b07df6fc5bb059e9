//! What secures a connection: the hybrid channel, and libp2p's noise where that is allowed.
//!
//! The hybrid channel is offered first, and alone unless the configuration allows classical peers.
//! multistream-select is not authenticated: where both are on offer, somebody in between can leave
//! only noise, and neither side can tell. That is why it is not the default, and why what a
//! connection came to is told with it.
//!
//! A handshake proves a peer id and, the hybrid one, an author. libp2p's events carry the peer id
//! alone, so [`Live`] keeps the rest for as long as the connection lives, and refuses a second
//! connection of the same peer id that proves anything else: whoever can forge an Ed25519 key
//! gains nothing by connecting beside its owner.
//!
//! It also knows when something was last heard of a peer, and cuts off one that is gone: reading
//! and writing fail from then on, and nothing waits for it.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures::future::Either;
use futures::{AsyncRead, AsyncWrite};
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade, UpgradeInfo};
use libp2p::{PeerId, noise};
use zeroize::Zeroizing;

use crate::channel::stream::Stream;
use crate::channel::{self, Credentials, Randomness, entrance};
use crate::event::Channel;
use crate::limits;
use crate::message::{CHANNEL_PROTOCOL, MEMBERS_PROTOCOL};
use crate::node::Door;
use crate::platform;
use crate::rate::Bucket;

/// Whom a node takes as a peer.
#[derive(Debug, Clone)]
pub enum Takes {
    /// Whoever speaks the hybrid channel.
    Hybrid,
    /// Also whoever speaks libp2p's noise alone.
    Classical,
    /// Whoever the door of a permissioned network lets in, over the hybrid channel.
    Members(Arc<Door>),
}

/// The upgrade of every connection.
#[derive(Clone)]
pub(crate) struct Security {
    credentials: Arc<Credentials>,
    /// Only when classical peers are allowed.
    classical: Option<noise::Config>,
    /// Only in a permissioned network.
    door: Option<Arc<Door>>,
    live: Live,
    /// Handshakes of others that were answered.
    answered: Arc<Mutex<Bucket>>,
}

impl Security {
    pub(crate) fn new(
        credentials: Credentials,
        classical: Option<noise::Config>,
        takes: &Takes,
        live: Live,
    ) -> Self {
        let door = match takes {
            Takes::Members(door) => Some(Arc::clone(door)),
            Takes::Hybrid | Takes::Classical => None,
        };
        let answered = Arc::new(Mutex::new(Bucket::new(platform::now().mono_ms)));
        Self { credentials: Arc::new(credentials), classical, door, live, answered }
    }

    /// The same with the hybrid channel alone, whatever the configuration allows: for ways on which
    /// both sides are known to have it.
    pub(crate) fn without_classical(&self) -> Self {
        Self { classical: None, ..self.clone() }
    }

    /// Whether one more handshake may be answered. Before any work is done for it.
    fn may_answer(&self) -> io::Result<()> {
        let now_ms = platform::now().mono_ms;
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        if !answered.take(now_ms, limits::HANDSHAKES_BURST, limits::HANDSHAKES_PER_SECOND) {
            return Err(io::Error::other("too many handshakes at once; try again in a second"));
        }
        Ok(())
    }

    /// The name under which the hybrid channel is negotiated: another one where its end is another.
    fn name(&self) -> &'static str {
        if self.door.is_some() { MEMBERS_PROTOCOL } else { CHANNEL_PROTOCOL }
    }

    async fn hybrid<T: AsyncRead + AsyncWrite + Unpin + Send>(
        &self,
        (peer, mut stream): (channel::Peer, Stream<T>),
        dialled: bool,
    ) -> io::Result<(PeerId, Secured<T>)> {
        if let Some(door) = &self.door {
            let unix_ms = platform::now().unix_ms;
            if dialled {
                entrance::initiate(&mut stream, door, &peer, unix_ms).await?;
            } else {
                entrance::respond(&mut stream, door, &peer, unix_ms).await?;
            }
        }
        let id = PeerId::from_bytes(peer.transport.as_bytes()).map_err(io::Error::other)?;
        let entry = self.live.enter(id, Channel::Hybrid { author: peer.author })?;
        Ok((id, Secured { io: Either::Left(stream), came: 0, entry }))
    }

    fn noise<T>(
        &self,
        (id, output): (PeerId, noise::Output<T>),
    ) -> io::Result<(PeerId, Secured<T>)> {
        let entry = self.live.enter(id, Channel::Classical)?;
        Ok((id, Secured { io: Either::Right(output), came: 0, entry }))
    }
}

/// Randomness for one handshake.
fn randomness() -> io::Result<Randomness> {
    let mut bytes = Zeroizing::new([0; Randomness::BYTES]);
    platform::entropy(bytes.as_mut()).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(Randomness::new(&bytes))
}

/// The name was negotiated and is not on offer: a defect of the negotiation.
fn not_offered() -> io::Error {
    io::Error::other("a channel was negotiated that is not on offer")
}

impl UpgradeInfo for Security {
    type Info = &'static str;
    type InfoIter = std::vec::IntoIter<&'static str>;

    fn protocol_info(&self) -> Self::InfoIter {
        let classical = self.classical.iter().flat_map(UpgradeInfo::protocol_info);
        std::iter::once(self.name()).chain(classical).collect::<Vec<_>>().into_iter()
    }
}

type Upgrading<T> = Pin<Box<dyn Future<Output = io::Result<(PeerId, Secured<T>)>> + Send>>;

impl<T> InboundConnectionUpgrade<T> for Security
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Output = (PeerId, Secured<T>);
    type Error = io::Error;
    type Future = Upgrading<T>;

    fn upgrade_inbound(self, io: T, name: &'static str) -> Upgrading<T> {
        Box::pin(async move {
            self.may_answer()?;
            if name == self.name() {
                let randomness = randomness()?;
                let met = Stream::respond(io, &self.credentials, &randomness).await?;
                return self.hybrid(met, false).await;
            }
            let noise = self.classical.clone().ok_or_else(not_offered)?;
            self.noise(noise.upgrade_inbound(io, name).await.map_err(io::Error::other)?)
        })
    }
}

impl<T> OutboundConnectionUpgrade<T> for Security
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Output = (PeerId, Secured<T>);
    type Error = io::Error;
    type Future = Upgrading<T>;

    fn upgrade_outbound(self, io: T, name: &'static str) -> Upgrading<T> {
        Box::pin(async move {
            if name == self.name() {
                let randomness = randomness()?;
                let met = Stream::initiate(io, &self.credentials, &randomness).await?;
                return self.hybrid(met, true).await;
            }
            let noise = self.classical.clone().ok_or_else(not_offered)?;
            self.noise(noise.upgrade_outbound(io, name).await.map_err(io::Error::other)?)
        })
    }
}

/// A secured connection, of either kind.
pub(crate) struct Secured<T> {
    io: Either<Stream<T>, noise::Output<T>>,
    /// Bytes of the transport that had come when something was last heard; noise does not tell.
    came: u64,
    /// Says what it proved, until it is dropped.
    entry: Entry,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Secured<T> {
    /// Notes that something was heard, if it was: of a frame that is on its way, too.
    fn hear(&mut self, read: bool) {
        let came = match &self.io {
            Either::Left(stream) => stream.came(),
            Either::Right(_) => self.came + u64::from(read),
        };
        if came != self.came {
            self.came = came;
            self.entry.pulse.hear(platform::now().mono_ms);
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for Secured<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.entry.pulse.check()?;
        let read = Pin::new(&mut self.io).poll_read(cx, into);
        self.hear(read.is_ready());
        read
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Secured<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.entry.pulse.check()?;
        Pin::new(&mut self.io).poll_write(cx, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.entry.pulse.check()?;
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.entry.pulse.check()?;
        Pin::new(&mut self.io).poll_close(cx)
    }
}

/// What the living connections of each peer id proved; one entry each, so as many as there may be
/// connections.
#[derive(Debug, Clone, Default)]
pub(crate) struct Live(Arc<Mutex<BTreeMap<PeerId, Proved>>>);

#[derive(Debug, Clone)]
struct Proved {
    channel: Channel,
    connections: usize,
    pulse: Arc<Pulse>,
}

/// When a peer was last heard, on whichever connection: milliseconds of the monotonic clock, or
/// [`Pulse::CUT`].
#[derive(Debug)]
struct Pulse(AtomicU64);

impl Pulse {
    const CUT: u64 = u64::MAX;

    fn new(now_ms: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(now_ms)))
    }

    /// Time only goes on, and what is cut stays so.
    fn hear(&self, now_ms: u64) {
        self.0.fetch_max(now_ms, Ordering::Relaxed);
    }

    fn heard_ms(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|heard_ms| *heard_ms != Self::CUT)
    }

    fn check(&self) -> io::Result<()> {
        match self.heard_ms() {
            Some(_) => Ok(()),
            None => Err(io::Error::new(io::ErrorKind::TimedOut, "the peer has gone silent")),
        }
    }
}

/// One connection's part in [`Live`].
#[derive(Debug)]
pub(crate) struct Entry {
    live: Live,
    peer: PeerId,
    pulse: Arc<Pulse>,
}

impl Entry {
    /// Notes that something was heard of the peer.
    pub(crate) fn hear(&self) {
        self.pulse.hear(platform::now().mono_ms);
    }

    /// Fails when the peer was cut off.
    pub(crate) fn check(&self) -> io::Result<()> {
        self.pulse.check()
    }
}

impl Live {
    /// A connection that a classical one vouches for: its description was signed by nobody, but
    /// came on that.
    pub(crate) fn enter_classical(&self, peer: PeerId) -> io::Result<Entry> {
        self.enter(peer, Channel::Classical)
    }

    /// What the living connections of a peer proved.
    pub(crate) fn channel(&self, peer: &PeerId) -> Option<Channel> {
        self.lock().get(peer).map(|proved| proved.channel)
    }

    /// When a peer with living connections was last heard.
    pub(crate) fn heard_ms(&self, peer: &PeerId) -> Option<u64> {
        self.lock().get(peer).and_then(|proved| proved.pulse.heard_ms())
    }

    /// Makes every use of a peer's living connections fail.
    pub(crate) fn cut(&self, peer: &PeerId) {
        if let Some(proved) = self.lock().get(peer) {
            proved.pulse.hear(Pulse::CUT);
        }
    }

    fn enter(&self, peer: PeerId, channel: Channel) -> io::Result<Entry> {
        let now_ms = platform::now().mono_ms;
        let mut live = self.lock();
        let fresh = || Proved { channel, connections: 0, pulse: Pulse::new(now_ms) };
        let proved = live.entry(peer).or_insert_with(fresh);
        if proved.channel != channel {
            let message = "this peer id is connected already and proved something else";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
        }
        proved.connections += 1;
        if proved.pulse.heard_ms().is_none() {
            // Those before it are cut, and this one is not.
            proved.pulse = Pulse::new(now_ms);
        }
        // Its handshake has just been heard, on this connection if on no other.
        proved.pulse.hear(now_ms);
        let pulse = Arc::clone(&proved.pulse);
        drop(live);
        Ok(Entry { live: self.clone(), peer, pulse })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PeerId, Proved>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut live = self.live.lock();
        if let Some(proved) = live.get_mut(&self.peer) {
            proved.connections = proved.connections.saturating_sub(1);
            if proved.connections == 0 {
                live.remove(&self.peer);
            }
        }
    }
}
