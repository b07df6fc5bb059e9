//! The deterministic simulator: real nodes on a seeded clock, network and disk.
//!
//! ```text
//!   scenario (a file, or a name and a seed)
//!      |                                  faults: partitions, crashes, freezes, full disks, ...
//!      v                                    v
//!   [ events by virtual time ] -> input -> [ Node::handle ] -> effects -> [ attack? ] --+
//!      ^                                                                               |
//!      +---- network: latency, loss, bandwidth, gossip ---- disk: latency, amnesia <---+
//!                                           |
//!                         checker: every invariant, at every input
//! ```
//!
//! Nothing is intercepted, because nothing has to be: the node is a state machine without IO, and
//! this is one more driver of it. What differs from the drivers of a product is that time jumps to
//! the next event, and that every random choice comes from one seed through a tree of independent
//! streams ([`random`]), so that taking one fault out of a scenario does not deal the others anew.
//! The same scenario gives the same trace, byte for byte, natively and in wasm.
//!
//! The ideas are those of `FoundationDB`'s simulation (Zhou et al., 2021) and `TigerBeetle`'s VOPR;
//! shrinking is delta debugging (Zeller and Hildebrandt, 2002). What is injected and what cannot be
//! is told in `docs/faults.md`.
//!
//! Costs: about 10 microseconds per input with stub signatures.

#![expect(
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::missing_panics_doc,
    reason = "a simulation works on its own indices and small numbers, and stops where it errs"
)]

pub mod byzantine;
pub mod catalogue;
pub mod checker;
pub mod disk;
pub mod latency;
pub mod random;
pub mod report;
pub mod scenario;
pub mod shrink;
pub mod slice;
pub mod trace;
pub mod workload;
pub mod world;

mod network;

pub use checker::{Invariant, Violation};
pub use report::Report;
pub use scenario::Scenario;
pub use world::World;

/// Runs a scenario to its end, or to the first violation.
pub fn run(scenario: &Scenario) -> Report {
    World::new(scenario.clone(), trace::Trace::hash_only()).run()
}
