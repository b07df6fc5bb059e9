//! One peer connection lent by the host: `RTCPeerConnection` behind a small object (`HostPeer` of
//! floor 7).
//!
//! Towards a node of this program it has one data channel, which is a lent socket like any other.
//! Towards other programs each stream has one, as libp2p's specification has it; both sides open
//! them. Descriptions are made by promises; what comes of them, and what the host says by itself,
//! goes through one [`Feed`], in the order in which it happens.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use js_sys::{Function, Object, Promise};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use crate::limits;
use crate::net::transport::socket::Socket;
use crate::platform::js::{self, Thrown};
use crate::platform::lent::Lent;
use crate::platform::{life, spawn};
use crate::webrtc::Error;
use crate::webrtc::signal::Input;

/// What the host says, until nobody listens any more.
#[derive(Clone, Default)]
struct Feed(Arc<Mutex<Queue>>);

#[derive(Default)]
struct Queue {
    said: VecDeque<Result<Input, Error>>,
    waker: Option<Waker>,
    over: bool,
    /// Data channels that the peer opened and nobody took yet, with their places.
    channels: VecDeque<(Socket, Place)>,
    /// Waits for them.
    taker: Option<Waker>,
    /// How the connection ended.
    ended: Option<String>,
    /// Waits for that.
    watcher: Option<Waker>,
}

/// One of the streams that a connection may have; dropping it makes room for another.
#[derive(Debug, Clone)]
pub(crate) struct Place(Arc<()>);

impl Place {
    /// The first, from which the others are made.
    fn origin() -> Self {
        Self(Arc::new(()))
    }

    /// Another one, unless as many as there may be are taken. The peer connection and its handlers
    /// hold one each that counts as none.
    fn take(&self) -> Option<Self> {
        let taken = Arc::strong_count(&self.0).saturating_sub(2);
        (taken < limits::STREAMS_PER_CONNECTION_MAX).then(|| self.clone())
    }
}

/// A lent peer connection. Dropping it closes it.
pub(crate) struct Peer {
    parts: Lent<Parts>,
    feed: Feed,
    places: Place,
}

struct Parts {
    object: JsValue,
    close: Function,
    handlers: Handlers,
}

/// The callbacks given to the host.
struct Handlers {
    candidate: Closure<dyn FnMut(JsValue)>,
    close: Closure<dyn FnMut(JsValue)>,
    connected: Closure<dyn FnMut()>,
    channel: Closure<dyn FnMut(JsValue)>,
}

impl Peer {
    /// Takes a lent peer connection and its data channel, and attaches the handlers of both.
    pub(crate) fn new(object: JsValue) -> Result<(Self, Socket), Thrown> {
        let channel = js::property(&object, "channel")?;
        let peer = Self::attach(object)?;
        Ok((peer, Socket::new(channel, false)?))
    }

    /// Takes a lent peer connection that has a data channel for each stream, and attaches its
    /// handlers. [`Input::Opened`] is said when it is connected.
    pub(crate) fn of_streams(object: JsValue) -> Result<Self, Thrown> {
        js::method(&object, "peer", "open")?;
        Self::attach(object)
    }

    fn attach(object: JsValue) -> Result<Self, Thrown> {
        let close = js::method(&object, "peer", "close")?;
        let (feed, places) = (Feed::default(), Place::origin());
        let handlers = Handlers::new(&feed, &places);
        let peer = Self { parts: Lent::new(Parts { object, close, handlers }), feed, places };
        peer.call("setHandlers", |parts| parts.handlers.object())?;
        Ok(peer)
    }

    /// Opens a data channel for another stream; `None` while there are too many.
    pub(crate) fn open(&self) -> Result<Option<(Socket, Place)>, Thrown> {
        let Some(place) = self.places.take() else { return Ok(None) };
        let object = self.call("open", |_| JsValue::UNDEFINED)?;
        Ok(Some((Socket::of_stream(object)?, place)))
    }

    /// The next data channel that the peer opened.
    pub(crate) fn poll_channel(&self, cx: &mut Context<'_>) -> Poll<(Socket, Place)> {
        let mut queue = self.feed.lock();
        if let Some(channel) = queue.channels.pop_front() {
            return Poll::Ready(channel);
        }
        queue.taker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Why the connection ended, once it has.
    pub(crate) fn poll_ended(&self, cx: &mut Context<'_>) -> Poll<String> {
        let mut queue = self.feed.lock();
        if let Some(reason) = &queue.ended {
            return Poll::Ready(reason.clone());
        }
        queue.watcher = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Makes and sets an offer: [`Input::Described`].
    pub(crate) fn offer(&self) {
        self.ask("offer", None, |text| Input::Described(text.unwrap_or_default()));
    }

    /// Takes an offer, makes and sets the answer: [`Input::Described`].
    pub(crate) fn answer(&self, offer: &str) {
        self.ask("answer", Some(offer), |text| Input::Described(text.unwrap_or_default()));
    }

    /// Takes an answer: [`Input::Applied`].
    pub(crate) fn apply(&self, answer: &str) {
        self.ask("apply", Some(answer), |_| Input::Applied);
    }

    /// Takes a candidate of the peer. One that the host cannot read is as good as none.
    pub(crate) fn add(&self, candidate: &str) {
        if let Ok(promise) = self.call("add", |_| candidate.into()) {
            spawn(async move { drop(JsFuture::from(Promise::resolve(&promise)).await) });
        }
    }

    /// What the host has said next.
    pub(crate) fn poll_said(&self, cx: &mut Context<'_>) -> Poll<Result<Input, Error>> {
        let mut queue = self.feed.lock();
        if let Some(said) = queue.said.pop_front() {
            return Poll::Ready(said);
        }
        queue.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// From now on nobody asks what the host says.
    pub(crate) fn listen_no_more(&self) {
        let mut queue = self.feed.lock();
        queue.over = true;
        queue.said.clear();
        queue.waker = None;
    }

    fn call(
        &self,
        name: &str,
        argument: impl FnOnce(&Parts) -> JsValue,
    ) -> Result<JsValue, Thrown> {
        let called = self.parts.with(|parts| js::invoke(&parts.object, name, &[argument(parts)]));
        called.unwrap_or_else(|| Err(Thrown::here("no peer connection")))
    }

    /// Calls a method that promises something, and feeds what comes of it.
    fn ask(
        &self,
        name: &'static str,
        argument: Option<&str>,
        then: impl FnOnce(Option<String>) -> Input + 'static,
    ) {
        let argument = argument.map_or(JsValue::UNDEFINED, JsValue::from_str);
        let promise = self.call(name, |_| argument);
        let feed = self.feed.clone();
        spawn(async move {
            let answer = match promise {
                Ok(promise) => {
                    JsFuture::from(Promise::resolve(&promise)).await.map_err(Thrown::from)
                }
                Err(thrown) => Err(thrown),
            };
            feed.push(match answer {
                Ok(value) => Ok(then(value.as_string())),
                Err(thrown) => Err(Error::Host(format!("{name}: {thrown}"))),
            });
        });
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.listen_no_more();
        // Dropping them calls the host, which nobody does under the lock.
        let untaken = std::mem::take(&mut self.feed.lock().channels);
        drop(untaken);
        self.parts.with(|parts| {
            // The handlers die with us, and the host may hold on to its object for a while.
            drop(js::invoke(&parts.object, "setHandlers", &[idle()]));
            drop(js::call(&parts.close, &parts.object, &[]));
        });
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("parts", &self.parts).finish_non_exhaustive()
    }
}

impl Feed {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, said: Result<Input, Error>) {
        let mut queue = self.lock();
        if queue.over {
            return;
        }
        queue.said.push_back(said);
        wake(&mut queue.waker);
    }

    /// Takes in a data channel that the peer opened. One too many is closed.
    fn take_in(&self, object: JsValue, places: &Place) {
        let channel = Socket::of_stream(object).ok().zip(places.take());
        let mut queue = self.lock();
        let refused = match channel {
            Some(channel) if queue.channels.len() < limits::STREAMS_NEGOTIATING_MAX => {
                queue.channels.push_back(channel);
                wake(&mut queue.taker);
                None
            }
            other => other,
        };
        drop(queue);
        drop(refused);
    }

    fn end(&self, reason: &str) {
        let mut queue = self.lock();
        queue.ended.get_or_insert_with(|| reason.to_owned());
        wake(&mut queue.watcher);
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

impl Handlers {
    fn new(feed: &Feed, places: &Place) -> Self {
        let (found, closed) = (feed.clone(), feed.clone());
        let (connected, opened, places) = (feed.clone(), feed.clone(), places.clone());
        Self {
            candidate: Closure::new(move |text: JsValue| {
                life::callback(|| {
                    if let Some(text) = text.as_string() {
                        found.push(Ok(Input::Candidate(text)));
                    }
                });
            }),
            close: Closure::new(move |reason: JsValue| {
                life::callback(|| {
                    let reason = reason.as_string().filter(|reason| !reason.is_empty());
                    let reason = reason.unwrap_or_else(|| "the peer connection ended".to_owned());
                    closed.end(&reason);
                    closed.push(Err(Error::Host(reason)));
                });
            }),
            connected: Closure::new(move || {
                life::callback(|| connected.push(Ok(Input::Opened)));
            }),
            channel: Closure::new(move |channel: JsValue| {
                life::callback(|| opened.take_in(channel, &places));
            }),
        }
    }

    fn object(&self) -> JsValue {
        handlers([
            self.candidate.as_ref().unchecked_ref(),
            self.close.as_ref().unchecked_ref(),
            self.connected.as_ref().unchecked_ref(),
            self.channel.as_ref().unchecked_ref(),
        ])
    }
}

/// The object that `setHandlers` takes.
fn handlers(handlers: [&JsValue; 4]) -> JsValue {
    let object: JsValue = Object::new().into();
    for (name, handler) in ["candidate", "close", "connected", "channel"].iter().zip(handlers) {
        js::set(&object, name, handler);
    }
    object
}

/// Handlers that do nothing and live as long as the instance.
fn idle() -> JsValue {
    thread_local! {
        static NOTHING: Closure<dyn FnMut()> = Closure::new(|| {});
    }
    NOTHING.with(|nothing| handlers([nothing.as_ref(); 4]))
}
