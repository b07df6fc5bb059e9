//! What many noisy releases tell together: accounting by Renyi divergences.
//!
//! A release with Gaussian noise of `multiplier` times its sensitivity is `(a, a / 2 multiplier^2)`
//! private in Renyi's sense for every order `a` (Mironov, 2017, corollary 3), and releases add up,
//! also where each depends on those before. The same holds for the discrete Gaussian (Canonne,
//! Kamath and Steinke, 2020, theorem 4), in any number of dimensions. Of all orders that is told
//! which gives the smallest epsilon (the same, proposition 12). Orders and conversion are those of
//! `dp_accounting`, so that figures can be compared.
//!
//! No release counts for less because members were drawn by lot: everybody sees who sends.

use crate::math;

/// The epsilon at `delta` of so many releases with noise of `multiplier` times the sensitivity. It
/// is infinite without noise, and 0 without releases.
pub fn epsilon(multiplier: f64, releases: u64, delta: f64) -> f64 {
    if releases == 0 {
        return 0.0;
    }
    if !(multiplier > 0.0 && delta > 0.0) {
        return f64::INFINITY;
    }
    let each = 1.0 / (2.0 * multiplier * multiplier);
    let all = each * count(releases);
    let of_order = |order: f64| {
        let divergence = order * all;
        // So little is told that delta alone covers it (the same, in the code of the former).
        if delta * delta + math::exp(-divergence) > 1.0 {
            return 0.0;
        }
        let more = math::ln(1.0 - 1.0 / order) - math::ln(delta * order) / (order - 1.0);
        (divergence + more).max(0.0)
    };
    orders().map(of_order).fold(f64::INFINITY, f64::min)
}

/// The orders that are looked at: 1.1 to 10.9 in tenths, 11 to 63, and some powers of two.
fn orders() -> impl Iterator<Item = f64> {
    let tenths = (1..100_u32).map(|tenth| 1.0 + f64::from(tenth) / 10.0);
    tenths.chain((11..64_u32).map(f64::from)).chain([128.0, 256.0, 512.0, 1024.0])
}

#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "rounds in the last bit")]
fn count(releases: u64) -> f64 {
    releases as f64
}
