//! Sampling against arithmetic, against its known weakness, and beside the quorum engine.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "places of nodes are below their number; clippy allows it in tests, not in helpers"
)]

mod closed_form;
mod page;
mod quorum;
mod sampled;
mod table;
mod world;
