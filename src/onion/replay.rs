//! Which cells a hop has handled already.
//!
//! Every cell names its period, under the tag; a hop takes those of the present one and of its two
//! neighbours, for clocks that differ, and remembers each of them until its period is over. What is
//! full takes nothing more: it fails closed.

use std::collections::{BTreeMap, BTreeSet};

use super::Error;
use crate::limits;

/// Seen cells, by period.
#[derive(Debug, Default)]
pub struct Seen {
    periods: BTreeMap<u32, BTreeSet<[u8; 16]>>,
    /// The latest period so far. A clock that is set back must not make forgotten cells new.
    current: u32,
}

/// The period of a time in milliseconds since 1970.
pub fn period_of(unix_ms: u64) -> u32 {
    u32::try_from(unix_ms / limits::ONION_PERIOD_MS).unwrap_or(u32::MAX)
}

impl Seen {
    /// Notes a cell whose tag was right.
    ///
    /// # Errors
    /// [`Error::Period`], [`Error::Replayed`] or [`Error::Full`]; then it must be dropped.
    pub fn take(&mut self, period: u32, seen: [u8; 16], unix_ms: u64) -> Result<(), Error> {
        let current = self.current.max(period_of(unix_ms));
        self.current = current;
        self.periods.retain(|period, _| period.abs_diff(current) <= 1);
        if period.abs_diff(current) > 1 {
            return Err(Error::Period { period, current });
        }
        let remembered: usize = self.periods.values().map(BTreeSet::len).sum();
        let cells = self.periods.entry(period).or_default();
        if cells.contains(&seen) {
            return Err(Error::Replayed);
        }
        if remembered >= limits::ONION_SEEN_MAX {
            return Err(Error::Full);
        }
        cells.insert(seen);
        Ok(())
    }
}
