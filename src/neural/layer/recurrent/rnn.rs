//! `h = tanh(x W + h U + b)` (Elman 1990).

use super::part;
use crate::simd::{self, Lanes};

/// From the sums of a row: the state, which is kept as the only gate.
pub(super) fn forward<L: Lanes>(sums: &mut [f32], state: &mut [f32], units: usize) {
    part::in_fours([sums, state], units, |[sums, h]| {
        let value = simd::tanh(L::load(sums));
        value.store(sums);
        value.store(h);
    });
}

/// From the gate and `d`, the gradient of the state: that of the sums. Nothing goes past them.
pub(super) fn backward<L: Lanes>(gates: &mut [f32], d: &mut [f32], units: usize) {
    part::in_fours([gates, d], units, |[h, d]| {
        let slope = part::slope_of_tanh(L::load(h));
        L::load(d).mul(slope).store(h);
        L::splat(0.0).store(d);
    });
}
