//! Time as a plain value that is handed in.
//!
//! Nothing below the drivers reads a clock: whoever calls says what time it is. That is what lets
//! the same node run on a browser's clock, on Node's and on a seeded one in a test.
//! This module does not measure, sleep or format time.

/// One reading of both clocks of a host, taken together.
///
/// Ordered by the monotonic clock first, so that readings of one host sort as they were taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Now {
    /// Milliseconds since an arbitrary start, never going back: for timeouts and intervals.
    pub mono_ms: u64,
    /// Milliseconds since 1970-01-01 UTC as the host believes; may be wrong and may jump. Advisory.
    pub unix_ms: u64,
}

impl Now {
    /// Milliseconds passed since the monotonic instant `mono_ms`; 0 if it lies in the future.
    pub fn since_ms(&self, mono_ms: u64) -> u64 {
        self.mono_ms.saturating_sub(mono_ms)
    }

    /// The reading `ms` milliseconds later; both clocks stop at the end of their range.
    #[must_use]
    pub fn plus_ms(&self, ms: u64) -> Now {
        Now { mono_ms: self.mono_ms.saturating_add(ms), unix_ms: self.unix_ms.saturating_add(ms) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_never_go_below_zero() {
        let now = Now { mono_ms: 10, unix_ms: 1_000 };
        assert_eq!(now.since_ms(4), 6);
        assert_eq!(now.since_ms(11), 0);
        assert_eq!(now.plus_ms(u64::MAX).mono_ms, u64::MAX);
    }
}
