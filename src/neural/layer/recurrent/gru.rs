//! Gated recurrent unit (Cho et al. 2014), the reset gate applied after the product.
//!
//! ```text
//! p = h U + (0, 0, b')
//! r, z = sigmoid(sums + p), in this order
//! n = tanh(sums + r p)
//! h = (1 - z) n + z h
//! ```
//!
//! Sums and products are kept apart, because the candidate `n` has its own gradient for each.

#![expect(clippy::many_single_char_names, reason = "the letters of the papers")]

use super::part;
use crate::simd::{self, Lanes};

/// What the products of a row are added to.
pub(super) fn begin(products: &mut [f32], candidate: &[f32], units: usize) {
    products.fill(0.0);
    let [_, _, n] = part::gates(products, units);
    n.iter_mut().zip(candidate).for_each(|(to, from)| *to = *from);
}

/// From the sums and products of a row: the gates, and the state after the step.
pub(super) fn forward<L: Lanes>(
    sums: &mut [f32],
    products: &mut [f32],
    state: &mut [f32],
    units: usize,
) {
    let ([r, z, n], [pr, pz, pn]) = (part::gates(sums, units), part::gates(products, units));
    let h = state.split_at_mut(units).0;
    for at in (0..units).step_by(4) {
        let reset = simd::sigmoid(part::read::<L>(r, at).add(part::read(pr, at)));
        let update = simd::sigmoid(part::read::<L>(z, at).add(part::read(pz, at)));
        let inner = reset.mul(part::read(pn, at));
        let candidate = simd::tanh(part::read::<L>(n, at).add(inner));
        let fresh = L::splat(1.0).sub(update).mul(candidate);
        let value = fresh.add(update.mul(part::read(h, at)));
        part::write(reset, r, at);
        part::write(update, z, at);
        part::write(candidate, n, at);
        part::write(value, h, at);
    }
}

/// From the gates, the products, the state before the step and `d`, the gradient of the state after
/// it: the gradients of sums and products, and in `d` what goes past them.
pub(super) fn backward<L: Lanes>(
    gates: &mut [f32],
    products: &mut [f32],
    before: &mut [f32],
    d: &mut [f32],
    units: usize,
) {
    let ([r, z, n], [pr, pz, pn]) = (part::gates(gates, units), part::gates(products, units));
    let (h, d) = (before.split_at_mut(units).0, d.split_at_mut(units).0);
    for at in (0..units).step_by(4) {
        let (reset, update) = (part::read::<L>(r, at), part::read::<L>(z, at));
        let (candidate, of_h) = (part::read::<L>(n, at), part::read::<L>(d, at));
        let fresh = of_h.mul(L::splat(1.0).sub(update));
        let of_n = fresh.mul(part::slope_of_tanh(candidate));
        let of_r = of_n.mul(part::read(pn, at)).mul(part::slope_of_sigmoid(reset));
        let old_less_new = part::read::<L>(h, at).sub(candidate);
        let of_z = of_h.mul(old_less_new).mul(part::slope_of_sigmoid(update));
        part::write(of_r, r, at);
        part::write(of_r, pr, at);
        part::write(of_z, z, at);
        part::write(of_z, pz, at);
        part::write(of_n, n, at);
        part::write(of_n.mul(reset), pn, at);
        part::write(of_h.mul(update), d, at);
    }
}
