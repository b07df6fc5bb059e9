//! Synaptic Mesh: small neural networks that learn together with nobody's server in the middle,
//! and leave a signed history that anyone can replay.
//!
//! The crate is a stack of floors, printed here from the ground up. A module uses only modules
//! printed above it; `tests/tidy.rs` holds the crate to that.

// Floor 0, ground: no domain.
pub mod limits;

pub mod clock;

pub mod math;

pub mod rng;

#[cfg(feature = "mesh")]
mod rate;

#[cfg(feature = "truth")]
pub mod units;

pub mod simd;

// Floor 1, mathematics: pure functions and plain data.
pub mod crypto;

pub mod tensor;

// Floor 2, minds: deterministic engines without a word of networking.
pub mod neural;

pub mod aggregation;

pub mod compression;

pub mod privacy;

pub mod masking;

// Floor 3, shared truth: who speaks, what was said, and how it spreads.
#[cfg(feature = "truth")]
pub mod identity;

#[cfg(feature = "truth")]
pub mod dag;

#[cfg(feature = "truth")]
pub mod sync;

#[cfg(feature = "truth")]
pub mod ledger;

#[cfg(feature = "truth")]
pub mod consensus;

#[cfg(feature = "truth")]
pub mod sampling;

#[cfg(feature = "truth")]
pub mod genesis;

#[cfg(feature = "truth")]
pub mod snapshot;

// Floor 4, societies: what the members of a history do together.
#[cfg(feature = "mesh")]
pub mod federated;

#[cfg(feature = "mesh")]
pub mod group;

#[cfg(feature = "mesh")]
pub mod sealed;

#[cfg(feature = "mesh")]
pub mod onion;

// Floor 5, the node: still without IO.
#[cfg(feature = "mesh")]
pub mod message;

#[cfg(feature = "mesh")]
pub mod event;

#[cfg(feature = "mesh")]
pub mod effect;

#[cfg(feature = "mesh")]
pub mod node;

// Floor 6, drivers: the only async, the only IO.
#[cfg(all(feature = "mesh", target_arch = "wasm32"))]
pub mod platform;

#[cfg(feature = "mesh")]
pub mod storage;

#[cfg(feature = "mesh")]
pub mod channel;

#[cfg(feature = "mesh")]
pub mod webrtc;

#[cfg(all(feature = "mesh", target_arch = "wasm32"))]
pub mod net;

#[cfg(all(feature = "mesh", target_arch = "wasm32"))]
pub mod runtime;

#[cfg(feature = "sim")]
pub mod sim;

// Floor 7, bindings: what JavaScript sees.
#[cfg(target_arch = "wasm32")]
pub mod wasm;
