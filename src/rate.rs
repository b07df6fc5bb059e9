//! A token bucket: so many at once, so many per second after that.

/// One bucket. The limits are arguments, so that a map of buckets stays small.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucket {
    /// Thousandths of tokens spent and not yet regained.
    spent_milli: u64,
    at_ms: u64,
}

impl Bucket {
    /// A full bucket.
    pub(crate) fn new(now_ms: u64) -> Self {
        Self { spent_milli: 0, at_ms: now_ms }
    }

    /// Takes a token if there is one.
    pub(crate) fn take(&mut self, now_ms: u64, burst: u32, per_second: u32) -> bool {
        let granted = self.has_one(now_ms, burst, per_second);
        if granted {
            self.spend(1);
        }
        granted
    }

    /// Whether there is a token.
    pub(crate) fn has_one(&mut self, now_ms: u64, burst: u32, per_second: u32) -> bool {
        let passed_ms = now_ms.saturating_sub(self.at_ms);
        let regained_milli = passed_ms.saturating_mul(u64::from(per_second));
        self.spent_milli = self.spent_milli.saturating_sub(regained_milli);
        self.at_ms = self.at_ms.max(now_ms);
        self.spent_milli.saturating_add(1_000) <= u64::from(burst) * 1_000
    }

    /// Takes tokens, even more than there are: for work whose cost is known when it is done.
    pub(crate) fn spend(&mut self, count: usize) {
        let milli = u64::try_from(count).unwrap_or(u64::MAX).saturating_mul(1_000);
        self.spent_milli = self.spent_milli.saturating_add(milli);
    }

    /// When it was last used.
    pub(crate) fn at_ms(&self) -> u64 {
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

    #[test]
    fn what_cost_more_than_there_was_is_paid_back_first() {
        let mut bucket = Bucket::new(0);
        assert!(bucket.has_one(0, 4, 2));
        bucket.spend(10);
        assert!(!bucket.has_one(3_499, 4, 2));
        assert!(bucket.has_one(3_500, 4, 2));
    }
}
