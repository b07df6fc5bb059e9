//! The seeded source of randomness that is handed in; the only randomness below the drivers.
//!
//! `ChaCha` with 12 rounds: unpredictable, fast enough to shuffle with, the same sequence on every
//! platform. The distributions are our own because their exact bits are part of a replayable run:
//! a library may improve its sampler, we may not. Nothing here reads entropy; whoever wants an
//! unpredictable sequence hands in 32 unpredictable bytes.

mod chacha;

use std::fmt;

use chacha::ChaCha12;

use crate::math;

/// A deterministic sequence of random numbers.
#[derive(Clone)]
pub struct Rng(ChaCha12);

impl fmt::Debug for Rng {
    /// Hides the state: a node's sequence is made from a secret seed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rng")
    }
}

impl Rng {
    /// The sequence of a 32-byte seed, which is the cipher's key itself.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(ChaCha12::new(seed, 0))
    }

    /// The sequence of a small seed: its little-endian bytes, then 24 zero bytes, are the key.
    pub fn from_u64(seed: u64) -> Self {
        Self::from_u64_stream(seed, 0)
    }

    /// One of 2^64 independent sequences of a small seed.
    ///
    /// Give each purpose its own `stream` (initial weights, shuffling, splitting), so that one seed
    /// of a user never correlates two of them.
    pub fn from_u64_stream(seed: u64, stream: u64) -> Self {
        let mut key = [0; 32];
        for (to, from) in key.iter_mut().zip(seed.to_le_bytes()) {
            *to = from;
        }
        Self(ChaCha12::new(key, stream))
    }

    /// 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        self.0.next()
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        let low = u64::from(self.next_u32());
        (u64::from(self.next_u32()) << 32) | low
    }

    /// Fills `bytes` with random bytes; takes whole words of the sequence.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for group in bytes.chunks_mut(4) {
            let word = self.next_u32().to_le_bytes();
            group.iter_mut().zip(word).for_each(|(to, from)| *to = from);
        }
    }

    /// Uniform in `[0, 1)`, a multiple of 2^-24.
    #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "24 bits are exact")]
    pub fn uniform_f32(&mut self) -> f32 {
        (self.next_u32() >> 8) as f32 * (1.0 / 16_777_216.0)
    }

    /// Uniform in `[0, 1)`, a multiple of 2^-53.
    #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "53 bits are exact")]
    pub fn uniform_f64(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }

    /// Uniform in `0..n`, without bias; 0 if `n` is 0.
    ///
    /// Lemire, "Fast Random Integer Generation in an Interval" (2019), algorithm 5.
    #[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "takes the halves")]
    pub fn below(&mut self, n: u32) -> u32 {
        if n == 0 {
            return 0;
        }
        let mut product = u64::from(self.next_u32()) * u64::from(n);
        if (product as u32) < n {
            let threshold = n.wrapping_neg() % n;
            while (product as u32) < threshold {
                product = u64::from(self.next_u32()) * u64::from(n);
            }
        }
        (product >> 32) as u32
    }

    /// One of `items`, each as likely as any other; `None` without any.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let count = u32::try_from(items.len()).ok().filter(|count| *count > 0)?;
        items.get(usize::try_from(self.below(count)).ok()?)
    }

    /// Puts `items` into a random order: Fisher and Yates, from the last place to the first.
    ///
    /// Only the first 2^32 - 1 items take part; every slice in this crate is shorter.
    #[expect(clippy::as_conversions, reason = "a u32 fits usize on every target we build for")]
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
        for place in (1..count).rev() {
            items.swap(place as usize, self.below(place + 1) as usize);
        }
    }

    /// Normal with mean 0 and variance 1: the polar method (Marsaglia and Bray 1964).
    ///
    /// The second number of each pair is dropped, so that the sequence has no hidden state.
    pub fn normal_f64(&mut self) -> f64 {
        loop {
            let x = 2.0 * self.uniform_f64() - 1.0;
            let y = 2.0 * self.uniform_f64() - 1.0;
            let square = x * x + y * y;
            if square > 0.0 && square < 1.0 {
                return x * (-2.0 * math::ln(square) / square).sqrt();
            }
        }
    }

    /// [`Rng::normal_f64`] rounded to `f32`.
    #[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "rounds once")]
    pub fn normal_f32(&mut self) -> f32 {
        self.normal_f64() as f32
    }

    /// The natural logarithm of a gamma variate with the given `shape` and scale 1.
    ///
    /// The logarithm, because at a shape of 0.01 the variate itself underflows `f64`.
    /// Marsaglia and Tsang, "A Simple Method for Generating Gamma Variables" (2000), with their
    /// lift of shapes below 1. `shape` must be positive and finite, or the result is NaN.
    pub fn ln_gamma_variate(&mut self, shape: f64) -> f64 {
        if !(shape > 0.0 && shape.is_finite()) {
            return f64::NAN;
        }
        if shape < 1.0 {
            let lifted = self.ln_gamma_variate(shape + 1.0);
            return lifted + math::ln(self.uniform_positive()) / shape;
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal_f64();
            let root = 1.0 + c * x;
            if root <= 0.0 {
                continue;
            }
            let v = root * root * root;
            let ln_v = math::ln(v);
            if math::ln(self.uniform_positive()) < 0.5 * x * x + d * (1.0 - v + ln_v) {
                return math::ln(d) + ln_v;
            }
        }
    }

    /// Uniform in `(0, 1]`, so that its logarithm is finite.
    fn uniform_positive(&mut self) -> f64 {
        1.0 - self.uniform_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_the_seed_and_streams_differ() {
        let mut key = [0; 32];
        key[0] = 7;
        assert_eq!(Rng::from_seed(key).next_u64(), Rng::from_u64(7).next_u64());
        assert_ne!(Rng::from_u64(7).next_u64(), Rng::from_u64_stream(7, 1).next_u64());
        assert_ne!(Rng::from_u64(7).next_u64(), Rng::from_u64(8).next_u64());
    }

    #[test]
    fn the_sequence_never_changes() {
        let mut rng = Rng::from_u64(1);
        let bits = [
            rng.next_u64(),
            u64::from(rng.below(1_000)),
            u64::from(rng.normal_f32().to_bits()),
            rng.ln_gamma_variate(0.1).to_bits(),
        ];
        assert_eq!(
            bits,
            [17_775_802_688_163_677_458, 939, 3_217_333_351, 13_846_342_073_935_883_516]
        );
    }

    #[test]
    fn a_shuffle_keeps_every_item_and_below_keeps_its_bound() {
        let mut rng = Rng::from_u64(2);
        let mut items: Vec<u32> = (0..100).collect();
        rng.shuffle(&mut items);
        assert_ne!(items, (0..100).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
        let mut counts = [0_u32; 7];
        for _ in 0..70_000 {
            counts[usize::try_from(rng.below(7)).unwrap()] += 1;
        }
        assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
        assert_eq!(rng.below(0), 0);
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let mut rng = Rng::from_u64(3);
        let n = 100_000.0;
        let normal: Vec<f64> = (0..100_000).map(|_| rng.normal_f64()).collect();
        let mean = normal.iter().sum::<f64>() / n;
        let variance = normal.iter().map(|x| x * x).sum::<f64>() / n - mean * mean;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.03, "{mean} {variance}");
        for shape in [0.1, 0.7, 1.0, 4.5] {
            let sum: f64 = (0..100_000).map(|_| math::exp(rng.ln_gamma_variate(shape))).sum();
            assert!((sum / n - shape).abs() < 0.03 * shape.max(0.5), "gamma {shape}: {}", sum / n);
        }
        assert!(rng.ln_gamma_variate(0.0).is_nan());
    }
}
