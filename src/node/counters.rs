//! What was dropped, refused or penalised, counted by cause for `status`.

use std::collections::BTreeMap;

/// Counts by cause; the causes are constants of this crate, so there is a fixed number of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Counters(BTreeMap<&'static str, u64>);

impl Counters {
    /// Counts one occurrence.
    pub(super) fn count(&mut self, cause: &'static str) {
        let count = self.0.entry(cause).or_default();
        *count = count.saturating_add(1);
    }

    /// All causes that occurred.
    pub(super) fn snapshot(&self) -> BTreeMap<&'static str, u64> {
        self.0.clone()
    }
}
