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
    // Two loops, as the memory waits for three gates, and the next four units would wait for it.
    part::in_fours([&mut *i, &mut *f, &mut *g, &mut *o], units, |[i, f, g, o]| {
        let input = simd::sigmoid(L::load(i));
        let forget = simd::sigmoid(L::load(f));
        let candidate = simd::tanh(L::load(g));
        let output = simd::sigmoid(L::load(o));
        input.store(i);
        forget.store(f);
        candidate.store(g);
        output.store(o);
    });
    part::in_fours([i, f, g, o, h, c], units, |[i, f, g, o, h, c]| {
        let memory = L::load(f).mul(L::load(c)).add(L::load(i).mul(L::load(g)));
        memory.store(c);
        L::load(o).mul(simd::tanh(memory)).store(h);
    });
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
    let [_, c] = part::gates(before, padded(units));
    let [dh, dc] = part::gates(d, padded(units));
    part::in_fours([i, f, g, o, c, dh, dc], units, |[i, f, g, o, c, dh, dc]| {
        let (input, forget) = (L::load(i), L::load(f));
        let (candidate, output) = (L::load(g), L::load(o));
        let (memory, of_h) = (L::load(c), L::load(dh));
        let bent = simd::tanh(forget.mul(memory).add(input.mul(candidate)));
        let through = of_h.mul(output).mul(part::slope_of_tanh(bent));
        let of_c = L::load(dc).add(through);
        let of_output = of_h.mul(bent).mul(part::slope_of_sigmoid(output));
        of_c.mul(candidate).mul(part::slope_of_sigmoid(input)).store(i);
        of_c.mul(memory).mul(part::slope_of_sigmoid(forget)).store(f);
        of_c.mul(input).mul(part::slope_of_tanh(candidate)).store(g);
        of_output.store(o);
        of_c.mul(forget).store(dc);
        L::splat(0.0).store(dh);
    });
}
