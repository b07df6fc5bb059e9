//! Direct ways between nodes that nobody can dial: WebRTC, agreed upon over a circuit.
//!
//! Whoever dialled the circuit begins, as soon as it is there ([`behaviour`]): a stream of
//! [`webrtc::PROTOCOL`], on which both sides exchange descriptions and candidates
//! ([`negotiation`]). When the data channel is open it is a connection like any other ([`link`]):
//! the one that began dials it, for the other one it comes in. From there on it is secured by the
//! hybrid channel and replaces the circuit (see [`crate::net::crossing`]). If no direct way is
//! found, the circuit stays.
//!
//! That is so on circuits that the hybrid channel secures: then both sides know that the other is a
//! node of this program, and nobody in between can make either of them believe otherwise. So what
//! runs on the data channel needs no negotiation that somebody could interfere with. On a circuit
//! that noise secures, which the configuration must allow, both sides know that as well: then the
//! direct connection is what libp2p's specification says ([`streams`]).
//!
//! [`webrtc::PROTOCOL`]: crate::webrtc::PROTOCOL

pub(crate) mod behaviour;

pub(crate) mod link;

pub(crate) mod streams;

mod negotiation;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use js_sys::Function;
use libp2p::PeerId;
use wasm_bindgen::JsValue;

use self::link::Link;
use self::streams::Streams;
use crate::net::security::Live;
use crate::net::transport::peer::Peer;
use crate::net::transport::socket::Socket;
use crate::platform::js::{self, Thrown};
use crate::platform::lent::Lent;
use crate::platform::spawn;
use crate::webrtc::Error;
use crate::webrtc::signal::Role;
use crate::webrtc::slots::Slots;

/// What behaviour and transport share.
#[derive(Clone)]
pub(crate) struct Ways(Arc<Shared>);

struct Shared {
    /// The host's method that lends peer connections, if it has one.
    lend: Option<Lent<(JsValue, Function)>>,
    found: Mutex<Found>,
}

/// What came of signalling.
#[derive(Default)]
struct Found {
    under_way: Slots<PeerId>,
    /// For the behaviour: whom to dial, or why there is no way to a peer.
    told: VecDeque<(PeerId, Result<(), Error>)>,
    /// For the transport: what dials will find.
    to_dial: BTreeMap<PeerId, Link>,
    /// For the transport: what comes in.
    incoming: VecDeque<Link>,
    /// The same towards nodes of other programs.
    to_dial_streams: BTreeMap<PeerId, Streams>,
    incoming_streams: VecDeque<(PeerId, Streams)>,
    behaviour: Option<Waker>,
    transport: Option<Waker>,
    transport_streams: Option<Waker>,
}

/// What runs on a direct way.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// The hybrid channel, in one data channel.
    Link,
    /// A data channel for each stream; what the circuit proved is known there.
    Streams(Live),
}

/// What is looked for on a circuit.
#[derive(Debug, Clone)]
pub(crate) struct Sought {
    kind: Kind,
    /// Where the relay answers STUN, if it may.
    stun: Option<String>,
}

/// A direct way that was found.
enum Way {
    Link(Link),
    Streams(Streams),
}

impl Ways {
    /// Over the host's object, which may be unable to lend peer connections.
    pub(crate) fn new(host: &JsValue) -> Self {
        let lend = js::method(host, "host", "peer").ok();
        let lend = lend.map(|method| Lent::new((host.clone(), method)));
        Self(Arc::new(Shared { lend, found: Mutex::default() }))
    }

    /// Whether the host lends peer connections.
    fn are_possible(&self) -> bool {
        self.0.lend.is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Found> {
        self.0.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A peer connection, and its data channel where it has a single one.
    fn lend(&self, kind: &Kind, stun: Option<&str>) -> Result<(Peer, Option<Socket>), Thrown> {
        let lend = self.0.lend.as_ref().ok_or_else(|| Thrown::here("no peer connections"))?;
        let of_streams = matches!(kind, Kind::Streams(_));
        let given = [of_streams.into(), stun.map_or(JsValue::NULL, JsValue::from)];
        let object = lend.with(|(host, method)| js::call(method, host, &given));
        let object = object.unwrap_or_else(|| Err(Thrown::here("no host")))?;
        if of_streams {
            return Ok((Peer::of_streams(object)?, None));
        }
        Peer::new(object).map(|(peer, socket)| (peer, Some(socket)))
    }

    /// Looks for a direct way to a peer, on a stream of its own.
    async fn find(
        &self,
        role: Role,
        peer: PeerId,
        stream: libp2p::Stream,
        Sought { kind, stun }: Sought,
    ) -> Result<Way, Error> {
        let lent =
            self.lend(&kind, stun.as_deref()).map_err(|thrown| Error::Host(thrown.to_string()));
        let (lent, socket) = lent?;
        negotiation::run(role, stream, &lent, socket.as_ref()).await?;
        match (socket, kind) {
            (Some(socket), _) => Ok(Way::Link(Link::new(socket, lent))),
            (None, Kind::Streams(live)) => {
                let entry = live.enter_classical(peer);
                let entry = entry.map_err(|error| Error::Host(error.to_string()))?;
                Ok(Way::Streams(Streams::new(lent, entry)))
            }
            (None, Kind::Link) => Err(Error::Host("a peer connection without channel".to_owned())),
        }
    }

    /// Looks for a direct way to a peer, and hands it to the transport.
    fn seek(&self, role: Role, peer: PeerId, stream: libp2p::Stream, sought: Sought) {
        let is_taken = self.lock().under_way.take(peer);
        if !is_taken {
            return self.tell(peer, Err(Error::Busy));
        }
        let ways = self.clone();
        spawn(async move {
            let way = ways.find(role, peer, stream, sought).await;
            ways.lock().under_way.give_back(&peer);
            match (way, role) {
                (Ok(way), Role::Offerer) => {
                    ways.keep(peer, way);
                    ways.tell(peer, Ok(()));
                }
                (Ok(way), Role::Answerer) => ways.bring(peer, way),
                (Err(error), _) => ways.tell(peer, Err(error)),
            }
        });
    }

    /// Keeps a way until it is dialled.
    fn keep(&self, peer: PeerId, way: Way) {
        // Dropping one that was there calls the host, which nobody does under the lock.
        match way {
            Way::Link(link) => {
                let replaced = self.lock().to_dial.insert(peer, link);
                drop(replaced);
            }
            Way::Streams(streams) => {
                let replaced = self.lock().to_dial_streams.insert(peer, streams);
                drop(replaced);
            }
        }
    }

    /// Lets a way come in.
    fn bring(&self, peer: PeerId, way: Way) {
        let mut found = self.lock();
        match way {
            Way::Link(link) => {
                found.incoming.push_back(link);
                wake(&mut found.transport);
            }
            Way::Streams(streams) => {
                found.incoming_streams.push_back((peer, streams));
                wake(&mut found.transport_streams);
            }
        }
    }

    fn tell(&self, peer: PeerId, outcome: Result<(), Error>) {
        let mut found = self.lock();
        found.told.push_back((peer, outcome));
        wake(&mut found.behaviour);
    }

    fn poll_told(&self, cx: &mut Context<'_>) -> Poll<(PeerId, Result<(), Error>)> {
        let mut found = self.lock();
        if let Some(told) = found.told.pop_front() {
            return Poll::Ready(told);
        }
        found.behaviour = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Drops a way that nobody dialled.
    fn forget(&self, peer: &PeerId) {
        let unused = self.lock().to_dial.remove(peer);
        drop(unused);
        let unused = self.lock().to_dial_streams.remove(peer);
        drop(unused);
    }
}

impl fmt::Debug for Ways {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ways").field("possible", &self.are_possible()).finish_non_exhaustive()
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}
