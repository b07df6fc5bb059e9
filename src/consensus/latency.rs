//! How long to wait: three times the 95th percentile of how long votes took, within bounds.
//!
//! Purely local, and allowed to be wrong: a time too short makes a decision slower, never false.

use std::collections::VecDeque;

use super::Config;
use crate::limits;

/// How much longer than the usual longest wait.
const FACTOR: u64 = 3;

/// Views that last twice as long as the one before.
const DOUBLED_VIEWS: u32 = 3;

/// The last measurements.
#[derive(Clone, Debug, Default)]
pub(super) struct Latency {
    /// In milliseconds.
    samples: VecDeque<u64>,
    /// Their 95th percentile, if there are any.
    p95_ms: Option<u64>,
}

impl Latency {
    pub(super) fn measured(&mut self, ms: u64) {
        if self.samples.len() == limits::LATENCY_SAMPLES_MAX {
            self.samples.pop_front();
        }
        self.samples.push_back(ms);
        let mut sorted: Vec<u64> = self.samples.iter().copied().collect();
        sorted.sort_unstable();
        self.p95_ms = sorted.get(sorted.len() * 95 / 100).or(sorted.last()).copied();
    }

    /// Milliseconds to wait in a view: doubles for the first ones, and is longer in each, so that
    /// in the end some view is long enough. Were it doubled for ever, a few silent leaders in a
    /// row would cost minutes once links have been bad for a while.
    pub(super) fn timeout_ms(&self, view: u32, config: &Config) -> u64 {
        let usual = self.p95_ms.map_or(config.timeout_ms_first, |ms| ms.saturating_mul(FACTOR));
        let first = usual.clamp(config.timeout_ms_min, config.timeout_ms_max);
        let doubled = DOUBLED_VIEWS.min(view);
        first.saturating_mul((1 << doubled) + u64::from(view - doubled))
    }
}
