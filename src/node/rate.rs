//! A token bucket: so many at once, so many per second after that.

/// One bucket. The limits are arguments, so that a map of buckets stays small.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket {
    /// Thousandths of tokens spent and not yet regained.
    spent_milli: u64,
    at_ms: u64,
}

impl Bucket {
    /// A full bucket.
    pub(super) fn new(now_ms: u64) -> Self {
        Self { spent_milli: 0, at_ms: now_ms }
    }

    /// Takes a token if there is one.
    pub(super) fn take(&mut self, now_ms: u64, burst: u32, per_second: u32) -> bool {
        let passed_ms = now_ms.saturating_sub(self.at_ms);
        let regained_milli = passed_ms.saturating_mul(u64::from(per_second));
        self.spent_milli = self.spent_milli.saturating_sub(regained_milli);
        self.at_ms = self.at_ms.max(now_ms);
        let granted = self.spent_milli + 1_000 <= u64::from(burst) * 1_000;
        if granted {
            self.spent_milli += 1_000;
        }
        granted
    }

    /// When it was last used.
    pub(super) fn at_ms(&self) -> u64 {
        self.at_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_the_rate() {
        let mut bucket = Bucket::new(0);
        assert_eq!((0..10).filter(|_| bucket.take(0, 4, 2)).count(), 4);
        assert!(!bucket.take(499, 4, 2));
        assert!(bucket.take(500, 4, 2));
        assert!(!bucket.take(500, 4, 2));
        assert_eq!(
            (0..10).filter(|_| bucket.take(60_000, 4, 2)).count(),
            4,
            "no more than a burst"
        );
    }
}
