//! The transport itself: dials and listens through the host's object.
//!
//! `host.dial(url)` returns a socket at once, which opens or closes later. `host.listen(host, port,
//! onSocket)` is optional (a page has none) and resolves to `{port, close()}`. Accepted sockets
//! that libp2p has not taken yet are bounded by [`limits::SOCKETS_ACCEPTED_MAX`]; what comes above
//! it is closed at once.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures::future::{Ready, ready};
use js_sys::{Function, Promise};
use libp2p::Multiaddr;
use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use wasm_bindgen::JsValue;
use wasm_bindgen::closure::Closure;
use wasm_bindgen_futures::JsFuture;

use crate::limits;
use crate::net::transport::address::{self, Place};
use crate::net::transport::socket::Socket;
use crate::platform::js::{self, Thrown};
use crate::platform::lent::Lent;
use crate::platform::{life, spawn};

type Upgrade = Ready<io::Result<Socket>>;
type Event = TransportEvent<Upgrade, io::Error>;

/// The transport over one host object.
#[derive(Debug)]
pub(crate) struct Transport {
    host: Lent<Host>,
    listeners: Vec<(ListenerId, Arc<Lent<Listener>>)>,
    events: Shared,
}

struct Host {
    object: JsValue,
    dial: Function,
    listen: Option<Function>,
}

/// One place where the host listens.
struct Listener {
    /// Given to the host; must live as long as the host may call it.
    _accept: Closure<dyn FnMut(JsValue, JsValue)>,
    phase: RefCell<Listening>,
}

enum Listening {
    /// The host has not answered.
    Asked,
    /// The host's handle, with `close`.
    Up(JsValue),
    /// Given up by us.
    Removed,
}

/// Events of listeners on their way to libp2p.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Events>>);

#[derive(Default)]
struct Events {
    queue: VecDeque<Event>,
    /// How many of them are accepted sockets.
    accepted: usize,
    waker: Option<Waker>,
}

impl Transport {
    /// Takes the host's object.
    ///
    /// # Errors
    /// When it cannot dial.
    pub(crate) fn new(object: JsValue) -> Result<Self, Thrown> {
        let dial = js::method(&object, "host", "dial")?;
        let listen = js::method(&object, "host", "listen").ok();
        let host = Lent::new(Host { object, dial, listen });
        Ok(Self { host, listeners: Vec::new(), events: Shared::default() })
    }

    fn connect(&self, url: &str) -> io::Result<Socket> {
        let dialled = self.host.with(|host| {
            let object = js::call(&host.dial, &host.object, &[url.into()])?;
            Socket::new(object, false)
        });
        match dialled {
            Some(socket) => socket.map_err(|thrown| failed(&thrown)),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Asks the host to listen at `place`; its answer comes through the events.
    fn start(&mut self, id: ListenerId, place: &Place) -> io::Result<()> {
        let local = Rc::new(RefCell::new(Multiaddr::empty()));
        let accept = accept(id, self.events.clone(), local.clone());
        let arguments: [JsValue; 3] =
            [place.host.as_str().into(), place.port.into(), accept.as_ref().clone()];
        let answer = self.host.with(|host| match &host.listen {
            Some(listen) => js::call(listen, &host.object, &arguments),
            None => Err(Thrown::here("this host cannot listen")),
        });
        let answer = answer.unwrap_or_else(|| Err(Thrown::here("no host")));
        let answer = answer.map_err(|thrown| failed(&thrown))?;
        let phase = RefCell::new(Listening::Asked);
        let listener = Arc::new(Lent::new(Listener { _accept: accept, phase }));
        self.listeners.push((id, listener.clone()));
        let (events, host) = (self.events.clone(), place.host.clone());
        spawn(async move {
            let answer = JsFuture::from(Promise::resolve(&answer)).await;
            let up = answer.map_err(Thrown::from).and_then(|handle| up(&listener, &host, &handle));
            match up {
                Ok(Some(address)) => {
                    local.replace(address.clone());
                    events.push(Event::NewAddress { listener_id: id, listen_addr: address });
                }
                Ok(None) => {}
                Err(thrown) => {
                    events.push(Event::ListenerClosed {
                        listener_id: id,
                        reason: Err(failed(&thrown)),
                    });
                }
            }
        });
        Ok(())
    }
}

/// The callback for accepted sockets.
fn accept(
    id: ListenerId,
    events: Shared,
    local: Rc<RefCell<Multiaddr>>,
) -> Closure<dyn FnMut(JsValue, JsValue)> {
    Closure::new(move |socket: JsValue, remote: JsValue| {
        life::callback(|| {
            if events.lock().accepted >= limits::SOCKETS_ACCEPTED_MAX {
                drop(js::invoke(&socket, "close", &[]));
                return;
            }
            let event = match Socket::new(socket, true) {
                Ok(socket) => Event::Incoming {
                    listener_id: id,
                    upgrade: ready(Ok(socket)),
                    local_addr: local.borrow().clone(),
                    send_back_addr: address::remote(&remote.as_string().unwrap_or_default()),
                },
                Err(thrown) => Event::ListenerError { listener_id: id, error: failed(&thrown) },
            };
            events.push(event);
        });
    })
}

/// Keeps the handle of a listener that is up, and says where it listens; `None` when it was given
/// up meanwhile.
fn up(
    listener: &Lent<Listener>,
    host: &str,
    handle: &JsValue,
) -> Result<Option<Multiaddr>, Thrown> {
    let port = js::property(handle, "port")?.as_f64().and_then(port);
    let port = port.ok_or_else(|| Thrown::here("host.listen resolved without a port"))?;
    let address = address::listening(host, port)
        .ok_or_else(|| Thrown::here(format!("{host} is no address to listen at")))?;
    let kept = listener.with(|listener| {
        let removed = matches!(*listener.phase.borrow(), Listening::Removed);
        if !removed {
            listener.phase.replace(Listening::Up(handle.clone()));
        }
        !removed
    });
    if kept == Some(true) {
        return Ok(Some(address));
    }
    drop(js::invoke(handle, "close", &[]));
    Ok(None)
}

impl libp2p::Transport for Transport {
    type Output = Socket;
    type Error = io::Error;
    type ListenerUpgrade = Upgrade;
    type Dial = Dial;

    fn listen_on(
        &mut self,
        id: ListenerId,
        address: Multiaddr,
    ) -> Result<(), TransportError<io::Error>> {
        match Place::parse(&address) {
            Some(place) if !place.secure => self.start(id, &place).map_err(TransportError::Other),
            _ => Err(TransportError::MultiaddrNotSupported(address)),
        }
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        let Some(index) = self.listeners.iter().position(|(other, _)| *other == id) else {
            return false;
        };
        let (_, listener) = self.listeners.swap_remove(index);
        listener.with(Listener::remove);
        self.events.push(Event::ListenerClosed { listener_id: id, reason: Ok(()) });
        true
    }

    fn dial(&mut self, address: Multiaddr, _: DialOpts) -> Result<Dial, TransportError<io::Error>> {
        match Place::parse(&address) {
            Some(place) => self
                .connect(&place.url())
                .map(|socket| Dial(Some(socket)))
                .map_err(TransportError::Other),
            None => Err(TransportError::MultiaddrNotSupported(address)),
        }
    }

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Event> {
        let mut events = self.events.lock();
        if let Some(event) = events.queue.pop_front() {
            if matches!(event, Event::Incoming { .. }) {
                events.accepted = events.accepted.saturating_sub(1);
            }
            return Poll::Ready(event);
        }
        events.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Transport {
    fn drop(&mut self) {
        for (_, listener) in &self.listeners {
            listener.with(Listener::remove);
        }
    }
}

impl Listener {
    /// Gives the listener up, now or, when the host has not answered yet, as soon as it does.
    fn remove(&self) {
        if let Listening::Up(handle) = self.phase.replace(Listening::Removed) {
            drop(js::invoke(&handle, "close", &[]));
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Events> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, event: Event) {
        let mut events = self.lock();
        if matches!(event, Event::Incoming { .. }) {
            events.accepted += 1;
        }
        events.queue.push_back(event);
        if let Some(waker) = events.waker.take() {
            waker.wake();
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

/// A socket on its way to being open. Dropping it closes the socket.
#[derive(Debug)]
pub(crate) struct Dial(Option<Socket>);

impl Future for Dial {
    type Output = io::Result<Socket>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(socket) = self.0.take() else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        match socket.poll_open(cx) {
            Poll::Ready(Ok(())) => Poll::Ready(Ok(socket)),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                self.0 = Some(socket);
                Poll::Pending
            }
        }
    }
}

fn failed(thrown: &Thrown) -> io::Error {
    let kind = match thrown.code.as_deref() {
        Some("EADDRINUSE") => io::ErrorKind::AddrInUse,
        Some("EADDRNOTAVAIL") => io::ErrorKind::AddrNotAvailable,
        Some("EACCES" | "EPERM") => io::ErrorKind::PermissionDenied,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, Failed(HostError { kind, message: thrown.to_string() }))
}

/// What the host said, to be found again under the layers that libp2p puts around it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct HostError {
    /// What kind of failure it is.
    pub(crate) kind: io::ErrorKind,
    message: String,
}

/// One layer around [`HostError`]. Combined transports put errors into an `Either`, and that
/// names the cause of its content as its own cause, which hides the content from whoever walks down
/// the chain; this layer is there to be the one that is hidden.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Failed(#[source] HostError);

/// A TCP port as JavaScript gives it.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be a whole number within 16 bits"
)]
fn port(number: f64) -> Option<u16> {
    (number >= 1.0 && number <= f64::from(u16::MAX) && number.fract() == 0.0)
        .then_some(number as u16)
}
