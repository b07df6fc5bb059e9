//! `h = tanh(x W + h U + b)` (Elman 1990).

use super::part;
use crate::simd::{self, Lanes};

/// From the sums of a row: the state, which is kept as the only gate.
pub(super) fn forward<L: Lanes>(sums: &mut [f32], state: &mut [f32], units: usize) {
    let ([sums], [h]) = (part::gates(sums, units), part::gates(state, units));
    for at in (0..units).step_by(4) {
        let value = simd::tanh(part::read::<L>(sums, at));
        part::write(value, sums, at);
        part::write(value, h, at);
    }
}

/// From the gate and `d`, the gradient of the state: that of the sums. Nothing goes past them.
pub(super) fn backward<L: Lanes>(gates: &mut [f32], d: &mut [f32], units: usize) {
    let ([h], [d]) = (part::gates(gates, units), part::gates(d, units));
    for at in (0..units).step_by(4) {
        let slope = part::slope_of_tanh(part::read::<L>(h, at));
        part::write(part::read::<L>(d, at).mul(slope), h, at);
        part::write(L::splat(0.0), d, at);
    }
}
