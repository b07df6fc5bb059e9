//! Groups under faults: what Raft promises, and what a reader and a writer can rely on.

mod cluster;
mod faults;
mod history;
mod rules;
mod wire;

use std::env;

/// Random runs of the safety test (count); `SCENARIOS` makes it longer.
const SCENARIOS: u64 = 1_000;
/// Seeds within which a control has to fail.
const CONTROL_SEEDS: u64 = 300;

fn number(name: &str, default: u64) -> u64 {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
