//! The discrete Gaussian, exactly, from random bits: algorithms 1 to 3 of Canonne, Kamath and
//! Steinke, "The Discrete Gaussian for Differential Privacy" (`NeurIPS` 2020).
//!
//! Only integers are compared, so the distribution is what it is called, to the bit; nothing is
//! rounded before it is released. A sample takes some dozen words of the source.

use crate::rng::Rng;

/// The standard deviation of a sample, in steps. A grid of `2^18` steps a standard deviation is far
/// finer than what noise leaves of an update, and coarse enough that a sample in `f32` loses
/// little.
pub const SCALE: u32 = 1 << 18;

/// A sample: any integer `x` with a probability in proportion to `exp(-x^2 / (2 SCALE^2))`.
pub fn sample(source: &mut Rng) -> i64 {
    let scale = u64::from(SCALE);
    loop {
        let candidate = laplace(source);
        let distance = candidate.unsigned_abs().abs_diff(scale);
        if is_by_exp(source, distance.saturating_mul(distance), 2 * scale * scale) {
            return candidate;
        }
    }
}

/// The discrete Laplace distribution of the same scale.
fn laplace(source: &mut Rng) -> i64 {
    let scale = u64::from(SCALE);
    loop {
        let rest = below(source, scale);
        if !is_by_exp(source, rest, scale) {
            continue;
        }
        let mut whole = 0_u64;
        while is_by_exp(source, 1, 1) {
            whole = whole.saturating_add(1);
        }
        let size = i64::try_from(whole.saturating_mul(scale).saturating_add(rest));
        // Out of reach: it takes 2^44 successes of probability 1/e in a row.
        let Ok(size) = size else { continue };
        match source.next_u32() & 1 {
            // Zero has no sign, and would count twice.
            1 if size == 0 => {}
            1 => return -size,
            _ => return size,
        }
    }
}

/// `true` with a probability of `exp(-numerator / denominator)`.
fn is_by_exp(source: &mut Rng, numerator: u64, denominator: u64) -> bool {
    let mut rest = numerator;
    while rest > denominator {
        if !is_by_exp_of_fraction(source, 1, 1) {
            return false;
        }
        rest -= denominator;
    }
    is_by_exp_of_fraction(source, rest, denominator)
}

/// The same for a fraction of at most 1: the series of the exponential, by how long a run of ever
/// rarer successes is.
fn is_by_exp_of_fraction(source: &mut Rng, numerator: u64, denominator: u64) -> bool {
    let mut count = 1_u64;
    while below(source, denominator.saturating_mul(count)) < numerator {
        count += 1;
    }
    count % 2 == 1
}

/// Uniform in `0..n`, without bias; 0 if `n` is 0.
fn below(source: &mut Rng, n: u64) -> u64 {
    let Some(last) = n.checked_sub(1) else { return 0 };
    let shift = last.leading_zeros().min(63);
    loop {
        let drawn = source.next_u64() >> shift;
        if drawn <= last {
            return drawn;
        }
    }
}
