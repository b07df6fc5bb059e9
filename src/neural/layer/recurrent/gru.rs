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
    let parts = [r, z, n, pr, pz, pn, state];
    part::in_fours(parts, units, |[r, z, n, pr, pz, pn, h]| {
        let reset = simd::sigmoid(L::load(r).add(L::load(pr)));
        let update = simd::sigmoid(L::load(z).add(L::load(pz)));
        let inner = reset.mul(L::load(pn));
        let candidate = simd::tanh(L::load(n).add(inner));
        let fresh = L::splat(1.0).sub(update).mul(candidate);
        let value = fresh.add(update.mul(L::load(h)));
        reset.store(r);
        update.store(z);
        candidate.store(n);
        value.store(h);
    });
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
    let parts = [r, z, n, pr, pz, pn, before, d];
    part::in_fours(parts, units, |[r, z, n, pr, pz, pn, h, d]| {
        let (reset, update) = (L::load(r), L::load(z));
        let (candidate, of_h) = (L::load(n), L::load(d));
        let fresh = of_h.mul(L::splat(1.0).sub(update));
        let of_n = fresh.mul(part::slope_of_tanh(candidate));
        let of_r = of_n.mul(L::load(pn)).mul(part::slope_of_sigmoid(reset));
        let old_less_new = L::load(h).sub(candidate);
        let of_z = of_h.mul(old_less_new).mul(part::slope_of_sigmoid(update));
        of_r.store(r);
        of_r.store(pr);
        of_z.store(z);
        of_z.store(pz);
        of_n.store(n);
        of_n.mul(reset).store(pn);
        of_h.mul(update).store(d);
    });
}
