//! A tree of random streams: one for each node, link, fault and operation.
//!
//! A stream is named by what it is for and two numbers, and is a function of the seed and that name
//! alone. Whoever draws more or less from one stream leaves all others as they were, which is what
//! makes a shrunk scenario resemble the one it was shrunk from.

use crate::rng::Rng;

/// Domain of the hash that derives a stream's seed.
const DOMAIN: &str = "synaptic-mesh 2026 simulator random stream v1";

/// The root of all streams of a scenario.
#[derive(Debug, Clone, Copy)]
pub struct Tree {
    seed: u64,
}

impl Tree {
    /// The tree of a seed.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The stream called `purpose` of the things numbered `first` and `second`.
    pub fn stream(&self, purpose: &str, first: u64, second: u64) -> Rng {
        let mut hasher = blake3::Hasher::new_derive_key(DOMAIN);
        for number in [self.seed, first, second] {
            hasher.update(&number.to_le_bytes());
        }
        hasher.update(purpose.as_bytes());
        Rng::from_seed(*hasher.finalize().as_bytes())
    }
}

/// A log-normal variate with this median, by our own mathematics: the same bits everywhere. Cut off
/// at 20 medians, as a path that takes longer is a lost one.
pub fn lognormal_us(rng: &mut Rng, median_us: u64, sigma_milli: u32) -> u64 {
    let sigma = f64::from(sigma_milli) / 1_000.0;
    let factor = crate::math::exp(sigma * rng.normal_f64()).min(20.0);
    let median = f64::from(u32::try_from(median_us).unwrap_or(u32::MAX));
    #[expect(clippy::cast_sign_loss, reason = "a product of positive numbers")]
    let variate = (median * factor) as u64;
    variate
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_named_and_independent() {
        let tree = Tree::new(7);
        let first = |purpose, a, b| tree.stream(purpose, a, b).next_u64();
        assert_eq!(first("link", 1, 2), first("link", 1, 2));
        let all = [first("link", 1, 2), first("link", 2, 1), first("node", 1, 2)];
        assert!(all[0] != all[1] && all[1] != all[2] && all[0] != all[2]);
        assert_ne!(Tree::new(8).stream("link", 1, 2).next_u64(), all[0]);
    }

    #[test]
    fn half_of_the_latencies_are_below_the_median() {
        let mut rng = Tree::new(1).stream("test", 0, 0);
        let below = (0..10_000).filter(|_| lognormal_us(&mut rng, 40_000, 500) < 40_000).count();
        assert!((4_800..5_200).contains(&below), "{below}");
    }
}
