//! Direct ways between nodes that nobody can dial: WebRTC, agreed upon over a circuit.
//!
//! Whoever dialled the circuit begins, as soon as it is there ([`behaviour`]): a stream of
//! [`webrtc::PROTOCOL`], on which both sides exchange descriptions and candidates
//! ([`negotiation`]). When the data channel is open it is a connection like any other ([`link`]):
//! the one that began dials it, for the other one it comes in. From there on it is secured by the
//! hybrid channel and replaces the circuit (see [`crate::net::crossing`]). If no direct way is
//! found, the circuit stays.
//!
//! Only on circuits that the hybrid channel secures: then both sides know that the other is a node
//! of this program, and nobody in between can make either of them believe otherwise. So what runs
//! on the data channel needs no negotiation that somebody could interfere with.
//!
//! [`webrtc::PROTOCOL`]: crate::webrtc::PROTOCOL

pub(crate) mod behaviour;

pub(crate) mod link;

mod negotiation;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use js_sys::Function;
use libp2p::PeerId;
use wasm_bindgen::JsValue;

use self::link::Link;
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
    behaviour: Option<Waker>,
    transport: Option<Waker>,
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

    fn lend(&self) -> Result<(Peer, Socket), Thrown> {
        let lend = self.0.lend.as_ref().ok_or_else(|| Thrown::here("no peer connections"))?;
        let object = lend.with(|(host, method)| js::call(method, host, &[]));
        Peer::new(object.unwrap_or_else(|| Err(Thrown::here("no host")))?)
    }

    /// Looks for a direct way to a peer, on a stream of its own.
    fn seek(&self, role: Role, peer: PeerId, stream: libp2p::Stream) {
        let is_taken = self.lock().under_way.take(peer);
        if !is_taken {
            return self.tell(peer, Err(Error::Busy));
        }
        let ways = self.clone();
        spawn(async move {
            let way = match ways.lend() {
                Ok((lent, socket)) => negotiation::run(role, stream, lent, socket).await,
                Err(thrown) => Err(Error::Host(thrown.to_string())),
            };
            ways.lock().under_way.give_back(&peer);
            match (way, role) {
                (Ok(link), Role::Offerer) => {
                    // Dropping one that was there calls the host, which nobody does under the lock.
                    let replaced = ways.lock().to_dial.insert(peer, link);
                    drop(replaced);
                    ways.tell(peer, Ok(()));
                }
                (Ok(link), Role::Answerer) => {
                    let mut found = ways.lock();
                    found.incoming.push_back(link);
                    wake(&mut found.transport);
                }
                (Err(error), _) => ways.tell(peer, Err(error)),
            }
        });
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
