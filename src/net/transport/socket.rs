//! One socket lent by the host, as a byte stream.
//!
//! The host's object (`HostSocket` of floor 7) sends and delivers whole messages; libp2p wants a
//! stream of bytes. What each side owes the other:
//!
//! - *Handlers first.* A socket is quiet until `setHandlers` was called; an accepted one is paused
//!   by the host and resumed here, so that no early message is lost.
//! - *Empty messages are skipped.* Some peers send them, and a read of zero bytes means the end.
//! - *Copies.* Bytes are copied out of linear memory before `send` (it may grow and detach what the
//!   host still holds) and into it on arrival.
//! - *Sending.* `send` returns `false` when the host has enough; nothing more is written until
//!   `drain`. There is nothing to flush: what `send` took is on its way.
//! - *Receiving.* Above [`limits::SOCKET_RECEIVE_BYTES_HIGH`] the socket is paused, below
//!   [`limits::SOCKET_RECEIVE_BYTES_LOW`] resumed. A browser's socket cannot be paused; there the
//!   stream multiplexer's windows bound what a correct peer has under way, and a peer that exceeds
//!   [`limits::SOCKET_RECEIVE_BYTES_MAX`] is cut off.
//! - *Wakers.* Opening, data and closing wake the reader; opening, draining and closing the writer.
//!
//! The state is behind a mutex because libp2p wants `Send`; there is one thread and it is never
//! contended, provided that no lock is held while JavaScript is called, which may call back.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures::{AsyncRead, AsyncWrite};
use js_sys::{ArrayBuffer, Function, Object, Uint8Array};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};

use crate::limits;
use crate::platform::js::{self, Thrown};
use crate::platform::lent::Lent;
use crate::platform::life;

/// A lent socket. Dropping it closes it.
pub(crate) struct Socket {
    parts: Lent<Parts>,
    state: Shared,
}

/// What the host's side of a socket is made of.
struct Parts {
    object: JsValue,
    set_handlers: Function,
    send: Function,
    resume: Option<Function>,
    close: Function,
    _handlers: Handlers,
}

/// The callbacks given to the host; dropped together with the socket, after it was given idle ones.
struct Handlers {
    open: Closure<dyn FnMut()>,
    message: Closure<dyn FnMut(JsValue)>,
    close: Closure<dyn FnMut(JsValue)>,
    drain: Closure<dyn FnMut()>,
}

#[derive(Clone)]
struct Shared(Arc<Mutex<State>>);

struct State {
    phase: Phase,
    received: VecDeque<Vec<u8>>,
    /// Bytes of the first chunk that were read already.
    read: usize,
    received_bytes: usize,
    /// So many of them are too many.
    received_bytes_max: usize,
    paused: bool,
    writable: bool,
    /// Counts `drain` calls, to notice one that comes while `send` has not yet returned.
    drains: u64,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    Opening,
    Open,
    /// With the reason; empty for a regular end.
    Closed(String),
}

impl Socket {
    /// Takes a lent socket and attaches the handlers. An accepted socket is open and paused, a
    /// dialled one is opening.
    pub(crate) fn new(object: JsValue, accepted: bool) -> Result<Self, Thrown> {
        let method = |name| js::method(&object, "socket", name).ok();
        let (pause, resume) = (method("pause"), method("resume"));
        let state = Shared::new(accepted, limits::SOCKET_RECEIVE_BYTES_MAX);
        let socket = Self::attach(object, state, pause, resume)?;
        if accepted {
            socket.ask(|parts| parts.resume.as_ref());
        }
        Ok(socket)
    }

    /// Takes the data channel of one stream, opening or open. It is never paused: a peer that sends
    /// more than [`limits::DATA_CHANNEL_RECEIVE_BYTES_MAX`] ahead of what is read loses it.
    pub(crate) fn of_stream(object: JsValue) -> Result<Self, Thrown> {
        let state = Shared::new(false, limits::DATA_CHANNEL_RECEIVE_BYTES_MAX);
        Self::attach(object, state, None, None)
    }

    fn attach(
        object: JsValue,
        state: Shared,
        pause: Option<Function>,
        resume: Option<Function>,
    ) -> Result<Self, Thrown> {
        let method = |name| js::method(&object, "socket", name);
        let (set_handlers, send, close) =
            (method("setHandlers")?, method("send")?, method("close")?);
        let host = Host { object: object.clone(), pause, close: close.clone() };
        let handlers = Handlers::new(&state, host);
        js::call(&set_handlers, &object, &[handlers.object()])?;
        let parts =
            Lent::new(Parts { object, set_handlers, send, resume, close, _handlers: handlers });
        Ok(Self { parts, state })
    }

    /// Whether it is open yet: `Pending` while opening, an error when it closed instead.
    pub(crate) fn poll_open(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.state.lock();
        match &state.phase {
            Phase::Open => Poll::Ready(Ok(())),
            Phase::Closed(reason) => Poll::Ready(Err(refused(reason))),
            Phase::Opening => {
                state.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Calls an optional method without arguments. A host that throws here closes the socket next.
    fn ask(&self, method: impl FnOnce(&Parts) -> Option<&Function>) {
        self.parts.with(|parts| {
            if let Some(function) = method(parts) {
                drop(js::call(function, &parts.object, &[]));
            }
        });
    }

    /// Hands bytes to the host: whether it wants more.
    fn send(&self, bytes: &[u8]) -> io::Result<bool> {
        let sent = self.parts.with(|parts| {
            let copy = Uint8Array::from(bytes);
            js::call(&parts.send, &parts.object, &[copy.into()])
        });
        match sent {
            Some(Ok(more)) => Ok(more.as_bool().unwrap_or(true)),
            Some(Err(thrown)) => Err(io::Error::new(io::ErrorKind::BrokenPipe, thrown.to_string())),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.state.lock();
        let count = state.take(into);
        if count > 0 {
            let resume = state.paused && state.received_bytes <= limits::SOCKET_RECEIVE_BYTES_LOW;
            state.paused &= !resume;
            drop(state);
            if resume {
                self.ask(|parts| parts.resume.as_ref());
            }
            return Poll::Ready(Ok(count));
        }
        match &state.phase {
            Phase::Closed(reason) if reason.is_empty() => Poll::Ready(Ok(0)),
            Phase::Closed(reason) => Poll::Ready(Err(broken(reason))),
            Phase::Opening | Phase::Open => {
                state.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.state.lock();
        if let Phase::Closed(reason) = &state.phase {
            return Poll::Ready(Err(broken(reason)));
        }
        if state.phase == Phase::Opening || !state.writable {
            state.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let drains = state.drains;
        drop(state);
        let part = from.get(..limits::SOCKET_SEND_BYTES_MAX).unwrap_or(from);
        let more = self.send(part)?;
        let mut state = self.state.lock();
        state.writable = more || state.drains != drains;
        Poll::Ready(Ok(part.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.ask(|parts| Some(&parts.close));
        Poll::Ready(Ok(()))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.parts.with(|parts| {
            // The handlers die with us, and the host may hold on to its socket for a while.
            drop(js::call(&parts.set_handlers, &parts.object, &[idle()]));
            drop(js::call(&parts.close, &parts.object, &[]));
        });
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("parts", &self.parts).finish_non_exhaustive()
    }
}

impl Shared {
    fn new(is_open: bool, received_bytes_max: usize) -> Self {
        Self(Arc::new(Mutex::new(State {
            phase: if is_open { Phase::Open } else { Phase::Opening },
            received: VecDeque::new(),
            read: 0,
            received_bytes: 0,
            received_bytes_max,
            paused: false,
            writable: true,
            drains: 0,
            reader: None,
            writer: None,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Moves received bytes into `into`, as many as fit.
    fn take(&mut self, into: &mut [u8]) -> usize {
        let mut count = 0;
        while let Some(chunk) = self.received.front() {
            let (Some(rest), Some(room)) = (chunk.get(self.read..), into.get_mut(count..)) else {
                break;
            };
            let some = rest.len().min(room.len());
            if let (Some(to), Some(from)) = (room.get_mut(..some), rest.get(..some)) {
                to.copy_from_slice(from);
            }
            count += some;
            self.read += some;
            if self.read < chunk.len() {
                break;
            }
            self.received.pop_front();
            self.read = 0;
        }
        self.received_bytes -= count;
        count
    }

    /// Takes in a message: what the host is to be told.
    fn receive(&mut self, bytes: Vec<u8>) -> Told {
        if bytes.is_empty() || matches!(self.phase, Phase::Closed(_)) {
            return Told::Nothing;
        }
        if self.received_bytes + bytes.len() > self.received_bytes_max {
            let most = self.received_bytes_max;
            self.received.clear();
            self.received_bytes = 0;
            self.close(format!("the peer sent more than {most} bytes ahead of what was read"));
            return Told::Close;
        }
        self.received_bytes += bytes.len();
        self.received.push_back(bytes);
        wake(&mut self.reader);
        if !self.paused && self.received_bytes >= limits::SOCKET_RECEIVE_BYTES_HIGH {
            self.paused = true;
            return Told::Pause;
        }
        Told::Nothing
    }

    fn close(&mut self, reason: String) {
        if !matches!(self.phase, Phase::Closed(_)) {
            self.phase = Phase::Closed(reason);
        }
        wake(&mut self.reader);
        wake(&mut self.writer);
    }
}

/// What a received message makes us tell the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    Pause,
    Close,
}

/// What a message handler needs of the host's side.
struct Host {
    object: JsValue,
    pause: Option<Function>,
    close: Function,
}

impl Host {
    /// Takes in one message, and tells the host what follows from it, after the lock is gone.
    fn on_message(&self, state: &Shared, message: &JsValue) {
        let told =
            if message.is_instance_of::<Uint8Array>() || message.is_instance_of::<ArrayBuffer>() {
                let bytes = Uint8Array::new(message).to_vec();
                state.lock().receive(bytes)
            } else {
                state.lock().close("the peer sent a text message".to_owned());
                Told::Close
            };
        let method = match told {
            Told::Nothing => None,
            Told::Pause => self.pause.as_ref(),
            Told::Close => Some(&self.close),
        };
        if let Some(method) = method {
            drop(js::call(method, &self.object, &[]));
        }
    }
}

impl Handlers {
    fn new(state: &Shared, host: Host) -> Self {
        let (opened, received) = (state.clone(), state.clone());
        let (closed, drained) = (state.clone(), state.clone());
        Self {
            open: Closure::new(move || {
                life::callback(|| {
                    let mut state = opened.lock();
                    if state.phase == Phase::Opening {
                        state.phase = Phase::Open;
                    }
                    wake(&mut state.reader);
                    wake(&mut state.writer);
                });
            }),
            message: Closure::new(move |message: JsValue| {
                life::callback(|| host.on_message(&received, &message));
            }),
            close: Closure::new(move |reason: JsValue| {
                life::callback(|| closed.lock().close(reason.as_string().unwrap_or_default()));
            }),
            drain: Closure::new(move || {
                life::callback(|| {
                    let mut state = drained.lock();
                    state.writable = true;
                    state.drains += 1;
                    wake(&mut state.writer);
                });
            }),
        }
    }

    fn object(&self) -> JsValue {
        handlers(
            self.open.as_ref().unchecked_ref(),
            self.message.as_ref().unchecked_ref(),
            self.close.as_ref().unchecked_ref(),
            self.drain.as_ref().unchecked_ref(),
        )
    }
}

/// The object that `setHandlers` takes.
fn handlers(open: &JsValue, message: &JsValue, close: &JsValue, drain: &JsValue) -> JsValue {
    let object: JsValue = Object::new().into();
    js::set(&object, "open", open);
    js::set(&object, "message", message);
    js::set(&object, "close", close);
    js::set(&object, "drain", drain);
    object
}

/// Handlers that do nothing and live as long as the instance, for sockets that are given up.
fn idle() -> JsValue {
    thread_local! {
        static NOTHING: Closure<dyn FnMut()> = Closure::new(|| {});
    }
    NOTHING.with(|nothing| {
        let nothing: &JsValue = nothing.as_ref();
        handlers(nothing, nothing, nothing, nothing)
    })
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

fn refused(reason: &str) -> io::Error {
    let reason = if reason.is_empty() { "closed before it opened" } else { reason };
    io::Error::new(io::ErrorKind::ConnectionRefused, reason)
}

fn broken(reason: &str) -> io::Error {
    let reason = if reason.is_empty() { "closed" } else { reason };
    io::Error::new(io::ErrorKind::ConnectionReset, reason)
}
