//! The node among others, in memory: see [`mesh`] for the driver.

#![allow(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "numbers of tests are small"
)]

mod bounds;
mod calling;
mod committing;
mod compressed;
mod door;
mod exports;
mod finality;
mod groups;
mod hostile;
mod mail;
mod masking;
mod mesh;
mod mixing;
mod onion;
mod pruning;
mod ranges;
mod retraining;
mod runs;
mod sampling;
mod snapshots;
mod staying;
mod stores;
mod stranger;
mod wallet;
