//! Long short-term memory (Hochreiter and Schmidhuber 1997; Gers et al. 2000).
//!
//! ```text
//! i, f, g, o = sigmoid, sigmoid, tanh, sigmoid of the sums, in this order
//! c = f c + i g
//! h = o tanh c
//! ```
//!
//! A state is `h` and behind it, after padding, `c`. `tanh c` is not kept: backward computes it
//! again, from the same numbers.

#![expect(clippy::many_single_char_names, reason = "the letters of the papers")]

use super::part;
use crate::simd::{self, Lanes};
use crate::tensor::padded;

/// From the sums of a row: the gates, and the state after the step.
pub(super) fn forward<L: Lanes>(sums: &mut [f32], state: &mut [f32], units: usize) {
    let [i, f, g, o] = part::gates(sums, units);
    let [h, c] = part::gates(state, padded(units));
    let (h, c) = (h.split_at_mut(units).0, c.split_at_mut(units).0);
    for at in (0..units).step_by(4) {
        let input = simd::sigmoid(part::read::<L>(i, at));
        let forget = simd::sigmoid(part::read::<L>(f, at));
        let candidate = simd::tanh(part::read::<L>(g, at));
        let output = simd::sigmoid(part::read::<L>(o, at));
        let memory = forget.mul(part::read(c, at)).add(input.mul(candidate));
        part::write(input, i, at);
        part::write(forget, f, at);
        part::write(candidate, g, at);
        part::write(output, o, at);
        part::write(memory, c, at);
        part::write(output.mul(simd::tanh(memory)), h, at);
    }
}

/// From the gates, the state before the step and `d`, the gradient of the state after it: the
/// gradient of the sums, and in `d` what goes past them, which is all in the memory.
pub(super) fn backward<L: Lanes>(
    gates: &mut [f32],
    before: &mut [f32],
    d: &mut [f32],
    units: usize,
) {
    let [i, f, g, o] = part::gates(gates, units);
    let ([_, c], [dh, dc]) =
        (part::gates(before, padded(units)), part::gates::<2>(d, padded(units)));
    let (dh, dc) = (dh.split_at_mut(units).0, dc.split_at_mut(units).0);
    for at in (0..units).step_by(4) {
        let (input, forget) = (part::read::<L>(i, at), part::read::<L>(f, at));
        let (candidate, output) = (part::read::<L>(g, at), part::read::<L>(o, at));
        let (memory, of_h) = (part::read::<L>(c, at), part::read::<L>(dh, at));
        let bent = simd::tanh(forget.mul(memory).add(input.mul(candidate)));
        let through = of_h.mul(output).mul(part::slope_of_tanh(bent));
        let of_c = part::read::<L>(dc, at).add(through);
        let of_output = of_h.mul(bent).mul(part::slope_of_sigmoid(output));
        part::write(of_c.mul(candidate).mul(part::slope_of_sigmoid(input)), i, at);
        part::write(of_c.mul(memory).mul(part::slope_of_sigmoid(forget)), f, at);
        part::write(of_c.mul(input).mul(part::slope_of_tanh(candidate)), g, at);
        part::write(of_output, o, at);
        part::write(of_c.mul(forget), dc, at);
        part::write(L::splat(0.0), dh, at);
    }
}
