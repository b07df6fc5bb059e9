//! How long to wait, and for whom not: three times the 95th percentile of how long votes took,
//! within bounds, and not for who has said nothing for so long after something was asked of all.
//!
//! Purely local, and allowed to be wrong: a time too short makes a decision slower, never false.

use std::collections::{BTreeMap, VecDeque};

use super::Config;
use super::committee::{Committee, Voters};
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
    /// Since when each member, by its place, owes an answer.
    asked_ms: BTreeMap<usize, u64>,
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

    /// The member at the place `me` said something that every other answers.
    pub(super) fn asked(&mut self, committee: &Committee, me: Option<usize>, now_ms: u64) {
        for place in (0..committee.members().len()).filter(|place| Some(*place) != me) {
            self.asked_ms.entry(place).or_insert(now_ms);
        }
    }

    /// A member said something.
    pub(super) fn heard(&mut self, place: usize) {
        self.asked_ms.remove(&place);
    }

    /// Another committee is asked from now on.
    pub(super) fn begin_epoch(&mut self) {
        self.asked_ms.clear();
    }

    /// Members that have owed an answer for longer than a view lasts.
    pub(super) fn owing(&self, now_ms: u64, config: &Config) -> Voters {
        let timeout_ms = self.timeout_ms(0, config);
        let is_late = |asked_ms: u64| now_ms.saturating_sub(asked_ms) >= timeout_ms;
        let mut owing = Voters::default();
        for (place, _) in self.asked_ms.iter().filter(|(_, asked_ms)| is_late(**asked_ms)) {
            owing.insert(*place);
        }
        owing
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
