//! The matrix products of a dense layer: forward, and the gradient of its weights.
//!
//! ```text
//! for each group of 4 rows of a          (1 row: the same with four panels side by side)
//!   for each panel of b                  8 outputs
//!     acc[4][8] = bias of the panel
//!     for k: acc[r] += a[r][k] * panel[k]        16 numbers from 4 + 8 loaded
//!     out[4][8] = max(acc, floor)
//! ```
//!
//! A 4 x 8 tile keeps 8 accumulators of four lanes; V8 spills larger ones. A single row works on
//! four panels at once instead, for the same number of independent sums.

#![expect(
    clippy::indexing_slicing,
    reason = "every slice is cut to the length that its loop counts to"
)]

use super::{LANES, Octet, octets, octets_mut, padded};
use crate::simd::Lanes;

/// Rows of a tile.
const ROWS: usize = 4;
/// Panels a single row works on at once.
const PANELS: usize = 4;

/// `out = max(a x b + bias, floor)`: `[rows, k] x [k, n] -> [rows, n]`.
///
/// `a` has rows of `a_stride` numbers, `k` of them real; `b` is packed `[k][n]`; `bias` has one
/// number per packed output; `out` has rows of `padded(n)` numbers, all of them written, and says
/// how many rows there are. A `floor` of 0 is relu, of minus infinity nothing: one kernel for both.
///
/// # Panics
/// If `a` is shorter than the rows of `out`, a stride is too small, or `b` and `bias` do not fit.
pub fn matmul<L: Lanes>(
    a: &[f32],
    a_stride: usize,
    k: usize,
    b: &[f32],
    bias: &[f32],
    out: &mut [f32],
    floor: f32,
) {
    let out_stride = bias.len();
    assert!(k > 0 && a_stride >= k, "stride");
    assert!(b.len() == k * out_stride, "packed length");
    assert!(out_stride.is_multiple_of(LANES), "whole panels");
    let rows = if out.len() == out_stride { 1 } else { out.len() / out_stride };
    // The last row may end with its real numbers.
    assert!(rows == 0 || a.len() >= (rows - 1) * a_stride + k, "a row for every row");
    let (b, bias, floor) = (octets(b), octets(bias), L::splat(floor));
    if rows == 1 {
        // Small networks live here, where every division counts.
        return one_row(&a[..k], b, bias, octets_mut(out), floor);
    }
    let tiles = out.chunks_mut(ROWS * out_stride).zip(a.chunks(ROWS * a_stride));
    for (out, a) in tiles {
        let rows = (a.get(..k), a.get(a_stride..a_stride + k));
        let more = (a.get(2 * a_stride..2 * a_stride + k), a.get(3 * a_stride..3 * a_stride + k));
        if out.len() == ROWS * out_stride
            && let ((Some(a0), Some(a1)), (Some(a2), Some(a3))) = (rows, more)
        {
            four_rows([a0, a1, a2, a3], b, bias, out, floor);
        } else {
            for (out, a) in out.chunks_exact_mut(out_stride).zip(a.chunks(a_stride)) {
                one_row(a.get(..k).unwrap_or(a), b, bias, octets_mut(out), floor);
            }
        }
    }
}

/// Four rows of [`matmul`], panel by panel.
fn four_rows<L: Lanes>(
    [a0, a1, a2, a3]: [&[f32]; ROWS],
    b: &[Octet],
    bias: &[Octet],
    out: &mut [f32],
    floor: L,
) {
    let (k, panels) = (a0.len(), bias.len());
    // Slices of one length let the compiler see that no index below can miss.
    let (a1, a2, a3) = (&a1[..k], &a2[..k], &a3[..k]);
    let out = &mut octets_mut(out)[..ROWS * panels];
    for (index, (panel, bias)) in b.chunks_exact(k).zip(bias).enumerate() {
        let start = load(bias);
        let mut acc = [start; ROWS];
        for step in 0..k {
            let row = load(&panel[step]);
            add_product(&mut acc[0], L::splat(a0[step]), row);
            add_product(&mut acc[1], L::splat(a1[step]), row);
            add_product(&mut acc[2], L::splat(a2[step]), row);
            add_product(&mut acc[3], L::splat(a3[step]), row);
        }
        for (row, acc) in acc.into_iter().enumerate() {
            store(acc, &mut out[row * panels + index], floor);
        }
    }
}

/// One row of [`matmul`], four panels at a time.
///
/// Not inlined: among the variables of the caller the addresses of the inner loop find no
/// registers, which costs a third of its speed.
#[inline(never)]
fn one_row<L: Lanes>(a: &[f32], b: &[Octet], bias: &[Octet], out: &mut [Octet], floor: L) {
    let k = a.len();
    let (groups, rest) = bias.as_chunks::<PANELS>();
    let (outs, out_rest) = out.as_chunks_mut::<PANELS>();
    let mut panels = b;
    for (bias, out) in groups.iter().zip(outs) {
        let (b0, tail) = panels.split_at(k);
        let (b1, tail) = tail.split_at(k);
        let (b2, tail) = tail.split_at(k);
        let (b3, tail) = tail.split_at(k);
        panels = tail;
        let mut acc = bias.each_ref().map(load);
        for step in 0..k {
            let a = L::splat(a[step]);
            add_product(&mut acc[0], a, load(&b0[step]));
            add_product(&mut acc[1], a, load(&b1[step]));
            add_product(&mut acc[2], a, load(&b2[step]));
            add_product(&mut acc[3], a, load(&b3[step]));
        }
        for (acc, out) in acc.into_iter().zip(out) {
            store(acc, out, floor);
        }
    }
    for (bias, out) in rest.iter().zip(out_rest) {
        let (panel, tail) = panels.split_at(k);
        panels = tail;
        let mut acc = load(bias);
        for step in 0..k {
            add_product(&mut acc, L::splat(a[step]), load(&panel[step]));
        }
        store(acc, out, floor);
    }
}

/// The gradient of a layer's weights: `out = x^T x d`, `[k, rows] x [rows, n] -> [k, n]`, packed.
///
/// `x` has rows of `x_stride` numbers (`k` of them real), `d` rows of `padded(n)`; both as many
/// rows as `d` says. Sums go over the rows in order, from zero.
///
/// # Panics
/// If `x` has fewer rows than `d`, or `out` is not a packed `[k][n]`.
pub fn weight_gradient<L: Lanes>(
    x: &[f32],
    x_stride: usize,
    k: usize,
    d: &[f32],
    n: usize,
    out: &mut [f32],
) {
    let d_stride = padded(n);
    assert!(x_stride >= k && x_stride.is_multiple_of(ROWS), "stride");
    assert!(out.len() == k * d_stride, "packed length");
    assert!(x.len() / x_stride >= d.len() / d_stride, "a row of x for every row of d");
    let (x, d) = (x.as_chunks::<ROWS>().0, octets(d));
    let (x_step, d_step) = (x_stride / ROWS, d_stride / LANES);
    let rows = d.len() / d_step;
    for (panel, out) in octets_mut(out).chunks_exact_mut(k).enumerate() {
        for (group, out) in out.chunks_mut(ROWS).enumerate() {
            let mut acc = [[L::splat(0.0); 2]; ROWS];
            for row in 0..rows {
                let [x0, x1, x2, x3] = x[row * x_step + group];
                let d = load(&d[row * d_step + panel]);
                add_product(&mut acc[0], L::splat(x0), d);
                add_product(&mut acc[1], L::splat(x1), d);
                add_product(&mut acc[2], L::splat(x2), d);
                add_product(&mut acc[3], L::splat(x3), d);
            }
            for (acc, out) in acc.into_iter().zip(out) {
                store(acc, out, L::splat(f32::NEG_INFINITY));
            }
        }
    }
}

/// The gradient of a layer's bias: `out[j] = sum of d[row][j]` over the rows in order.
pub fn column_sums<L: Lanes>(d: &[f32], out: &mut [f32]) {
    let panels = out.len() / LANES;
    for (panel, out) in octets_mut(out).iter_mut().enumerate() {
        let mut acc = [L::splat(0.0); 2];
        for row in octets(d).iter().skip(panel).step_by(panels) {
            let ([a, b], [low, high]) = (acc, load(row));
            acc = [a.add(low), b.add(high)];
        }
        store(acc, out, L::splat(f32::NEG_INFINITY));
    }
}

#[inline]
pub(super) fn load<L: Lanes>([low, high]: &Octet) -> [L; 2] {
    [L::load(low), L::load(high)]
}

#[inline]
pub(super) fn store<L: Lanes>([a, b]: [L; 2], [low, high]: &mut Octet, floor: L) {
    a.max(floor).store(low);
    b.max(floor).store(high);
}

#[inline]
pub(super) fn add_product<L: Lanes>(acc: &mut [L; 2], a: L, [low, high]: [L; 2]) {
    let [x, y] = *acc;
    *acc = [x.add(a.mul(low)), y.add(a.mul(high))];
}
