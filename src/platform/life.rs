//! Whether this wasm instance is still sound.
//!
//! A panic, and any other trap (stack overflow, memory exhausted, `unreachable`), ends a wasm call
//! in the middle: no destructor runs, borrows stay borrowed, the task queue may never run again.
//! The instance must then not be trusted with anything. This module notices, remembers why, tells
//! everyone who is waiting, and makes every later call fail the same way.
//!
//! Two detectors:
//! - the panic hook, which runs before the trap and knows the message;
//! - a depth counter. Every way in from JavaScript goes through [`enter`] or [`Guarded`], every way
//!   out through [`outside`]. When something comes in while the counter says that we are inside,
//!   the earlier call never ended: it trapped without a panic. [`watch`] looks at the counter once
//!   per second, so that those who wait hear of it although nobody calls.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Once;
use std::task::{Context, Poll};

use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;

use crate::platform::js;

/// How often [`watch`] looks for a trap that left no message. Arbitrary, sane: a second is short
/// for a person and nothing for the machine.
const WATCH_MS: u32 = 1_000;

/// Why an instance died, when no panic said so.
const TRAPPED: &str = "a WebAssembly trap (stack overflow or memory exhausted)";

type Mourner = Rc<dyn Fn(&str)>;

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    static CAUSE: RefCell<Option<String>> = const { RefCell::new(None) };
    static MOURNERS: RefCell<BTreeMap<u64, Mourner>> = const { RefCell::new(BTreeMap::new()) };
    static NEXT: Cell<u64> = const { Cell::new(0) };
}

/// Makes panics leave their message here. Calling it again does nothing.
pub(crate) fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            die(&info.to_string());
            before(info);
        }));
    });
}

/// The cause of death, or `None` while the instance is sound. To be asked on every way in, before
/// anything else is touched.
pub(crate) fn dead() -> Option<String> {
    let known = CAUSE.with(|cause| match cause.try_borrow() {
        Ok(cause) => cause.clone(),
        // Borrowed by a call that never came back.
        Err(_) => Some(TRAPPED.to_owned()),
    });
    if known.is_none() && DEPTH.get() > 0 {
        die(TRAPPED);
        return Some(TRAPPED.to_owned());
    }
    known
}

/// Runs `f` as a call that came in from JavaScript.
pub(crate) fn enter<R>(f: impl FnOnce() -> R) -> R {
    DEPTH.set(DEPTH.get() + 1);
    let result = f();
    DEPTH.set(DEPTH.get().saturating_sub(1));
    result
}

/// Runs `f`, which calls JavaScript; what JavaScript calls meanwhile counts as coming from outside.
pub(crate) fn outside<R>(f: impl FnOnce() -> R) -> R {
    let depth = DEPTH.replace(0);
    let result = f();
    DEPTH.set(depth);
    result
}

/// Runs a callback handed to JavaScript, unless the instance is dead.
pub(crate) fn callback(f: impl FnOnce()) {
    if dead().is_none() {
        enter(f);
    }
}

/// Calls `mourn` with the cause when the instance dies. Dropping the result takes it back.
pub(crate) fn on_death(mourn: impl Fn(&str) + 'static) -> OnDeath {
    let id = NEXT.replace(NEXT.get() + 1);
    MOURNERS.with_borrow_mut(|mourners| mourners.insert(id, Rc::new(mourn)));
    OnDeath(id)
}

/// The registration made by [`on_death`].
#[derive(Debug)]
pub(crate) struct OnDeath(u64);

impl Drop for OnDeath {
    fn drop(&mut self) {
        let mourner = MOURNERS.with(|mourners| {
            mourners.try_borrow_mut().ok().and_then(|mut mourners| mourners.remove(&self.0))
        });
        drop(mourner);
    }
}

/// Records the first cause and tells everyone. Runs inside a panic: it must not panic itself, so
/// it only tries to borrow.
fn die(message: &str) {
    let first = CAUSE.with(|cause| match cause.try_borrow_mut() {
        Ok(mut cause) if cause.is_none() => {
            *cause = Some(message.to_owned());
            true
        }
        _ => false,
    });
    if !first {
        return;
    }
    let mourners = MOURNERS.with(|mourners| {
        mourners.try_borrow().map(|mourners| mourners.values().cloned().collect::<Vec<_>>())
    });
    for mourn in mourners.unwrap_or_default() {
        mourn(message);
    }
}

/// A future that is polled as a call from outside.
pub(crate) struct Guarded(Pin<Box<dyn Future<Output = ()>>>);

impl Guarded {
    /// Wraps `future`.
    pub(crate) fn new(future: impl Future<Output = ()> + 'static) -> Self {
        Self(Box::pin(future))
    }
}

impl Future for Guarded {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if dead().is_some() {
            return Poll::Ready(());
        }
        enter(|| self.0.as_mut().poll(cx))
    }
}

/// Looks for traps once per second until dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    timer: wasm_bindgen::JsValue,
    _look: Closure<dyn FnMut()>,
}

/// Starts to look for traps that left no message. `None` when the host has no `setInterval`: then
/// such a trap is noticed by the next call only.
pub(crate) fn watch() -> Option<Watch> {
    let look = Closure::<dyn FnMut()>::new(|| drop(dead()));
    let global = js_sys::global();
    let timer = js::invoke(
        &global,
        "setInterval",
        &[look.as_ref().unchecked_ref::<js_sys::Function>().into(), WATCH_MS.into()],
    )
    .ok()?;
    // In Node the timer is an object that would keep the process alive; in a page it is a number.
    drop(js::invoke(&timer, "unref", &[]));
    Some(Watch { timer, _look: look })
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(js::invoke(&js_sys::global(), "clearInterval", std::slice::from_ref(&self.timer)));
    }
}
