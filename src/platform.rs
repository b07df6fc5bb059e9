//! What the drivers need from the JavaScript world that holds them: time, randomness, tasks, and
//! a careful way to call objects lent by the host.
//!
//! Everything here is the same in Node, in a page and in a worker, because it uses only what all
//! three offer (`performance`, `Date`, `setTimeout`, `crypto`, microtasks). Whatever differs
//! between hosts (sockets, disk, threads) is lent to the mesh as an object and called through
//! [`js`].
//!
//! There is one thread. Futures need not be `Send`; where libp2p insists that they are, JavaScript
//! values stay in a table of [`lent`] and only their index travels.
//!
//! Not here: sockets (`net::transport`) and disk (`storage`).

pub(crate) mod js;
pub(crate) mod lent;
#[cfg_attr(
    feature = "sim-page",
    expect(dead_code, reason = "the module of the simulator's page exports no node to watch over")
)]
pub(crate) mod life;
pub(crate) mod time;

pub use self::time::{now, sleep};

/// Runs a future until it ends, starting with the next microtask.
///
/// The future is polled inside [`life::enter`], so that a trap in it is noticed by the next call
/// from outside. After such a trap nothing spawned here is polled again.
pub fn spawn(future: impl Future<Output = ()> + 'static) {
    wasm_bindgen_futures::spawn_local(life::Guarded::new(future));
}

/// Fills `bytes` from the host's cryptographic random source.
///
/// # Errors
/// When the host has no `crypto.getRandomValues`; no browser and no supported Node lacks it.
pub fn entropy(bytes: &mut [u8]) -> Result<(), EntropyMissing> {
    getrandom::fill(bytes).map_err(|_| EntropyMissing)
}

/// The host offers no cryptographic random source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no cryptographic random source: crypto.getRandomValues is missing")]
pub struct EntropyMissing;

/// Bytes of linear memory this instance has taken from the host. It never shrinks: memory freed
/// inside stays reserved.
pub fn memory_bytes() -> u64 {
    /// The page size is fixed by the core specification, section 4.2.8 (memory instances).
    const PAGE_BYTES: u64 = 65_536;
    u64::try_from(core::arch::wasm32::memory_size::<0>()).unwrap_or(u64::MAX) * PAGE_BYTES
}
