//! What only runs as WebAssembly: the drivers and the boundary, under Node and in a browser.
//!
//! `cargo test --target wasm32-unknown-unknown --test wasm` runs it under Node (add
//! `--no-default-features` for the networks alone); with
//! `WASM_BINDGEN_USE_BROWSER=1` and `CHROMEDRIVER` set, in headless Chromium. What a place does not
//! have (IndexedDB under Node) is skipped there.

#![cfg(target_arch = "wasm32")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "clippy allows these in functions that #[test] marks, not in those of wasm-bindgen"
)]

#[path = "../aggregation.rs"]
mod aggregation;
#[path = "../determinism_layers.rs"]
mod determinism_layers;
#[path = "../determinism_sequence.rs"]
mod determinism_sequence;
#[path = "../determinism_shapes.rs"]
mod determinism_shapes;
#[cfg(feature = "mesh")]
mod direct;
mod fann;
#[cfg(feature = "mesh")]
mod host;
#[cfg(feature = "mesh")]
mod net;
mod neural;
#[cfg(feature = "mesh")]
mod node;
#[cfg(feature = "mesh")]
mod outbox;
#[path = "../presets.rs"]
mod presets;
#[cfg(feature = "sim")]
mod simulation;
#[cfg(feature = "mesh")]
mod storage;
