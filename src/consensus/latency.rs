//! How long to wait: three times the 95th percentile of how long votes took, within bounds.
//!
//! Purely local, and allowed to be wrong: a time too short makes a decision slower, never false.

use std::collections::VecDeque;

use super::Config;
use crate::limits;

/// How much longer than the usual longest wait.
const FACTOR: u64 = 3;

/// The last measurements, in milliseconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Latency(VecDeque<u64>);

impl Latency {
    pub(super) fn measured(&mut self, ms: u64) {
        if self.0.len() == limits::LATENCY_SAMPLES_MAX {
            self.0.pop_front();
        }
        self.0.push_back(ms);
    }

    /// Milliseconds to wait in a view; doubles with each.
    pub(super) fn timeout_ms(&self, view: u32, config: &Config) -> u64 {
        let mut sorted: Vec<u64> = self.0.iter().copied().collect();
        sorted.sort_unstable();
        let p95 = sorted.get(sorted.len() * 95 / 100).or(sorted.last());
        let usual = p95.map_or(config.timeout_ms_first, |ms| ms.saturating_mul(FACTOR));
        let first = usual.clamp(config.timeout_ms_min, config.timeout_ms_max);
        first.saturating_mul(1 << view.min(10))
    }
}
