//! Products of the windows of an input with packed weights: a convolution as a matrix product whose
//! left matrix, one row per window, is read where it lies and never made.
//!
//! A window is a list of segments, runs of numbers at fixed distances from its start; laid end to
//! end they are a row of the matrix. The tiles are those of `matmul`: four windows by eight outputs
//! forward, four numbers of the windows by eight outputs for the weights. All sums go in the order
//! of the row, or of the windows, one product after the other, so a row of the batch gives the same
//! bits alone and among others. Complexity is the obvious `windows x k x n`.

#![expect(
    clippy::indexing_slicing,
    reason = "every slice is cut to the length that its loop counts to"
)]

use super::matmul::{add_product, load, matmul, store};
use super::{LANES, Octet, octets, octets_mut, padded};
use crate::simd::Lanes;

/// Windows of a tile, and numbers of a window in a tile of the weight gradient.
const ROWS: usize = 4;
/// Windows whose input gradient is made at once: their parts stay in the first cache.
const BLOCK: usize = 16;

/// Where the windows of one row of the batch lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Windows one below the other.
    pub down: usize,
    /// Windows side by side.
    pub across: usize,
    /// Numbers from the start of a window to that of the one below.
    pub line: usize,
    /// Numbers from the start of a window to that of the next one.
    pub step: usize,
    /// Numbers from one row of the batch to the next.
    pub stride: usize,
    /// What a window consists of.
    pub segments: Vec<Segment>,
}

/// Numbers of a window that lie side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// From the start of the window.
    pub offset: usize,
    /// How many.
    pub len: usize,
}

/// Which columns of rows of `stride` numbers a product is about: those from `first` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Columns {
    /// A multiple of [`LANES`].
    pub first: usize,
    /// A multiple of [`LANES`].
    pub stride: usize,
}

impl Windows {
    /// Windows per row of the batch.
    pub fn count(&self) -> usize {
        self.down * self.across
    }

    /// Numbers per window.
    pub fn len(&self) -> usize {
        self.segments.iter().map(|segment| segment.len).sum()
    }

    /// Whether a window has no numbers.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The starts of all windows, row by row of the batch, without end.
    pub fn starts(&self) -> impl Iterator<Item = usize> {
        let of_line = move |line: usize| (0..self.across).map(move |at| line + at * self.step);
        let of_row = move |row: usize| (0..self.down).map(move |at| row + at * self.line);
        (0..).flat_map(move |row| of_row(row * self.stride)).flat_map(of_line)
    }
}

/// `out = max(windows x b + bias, floor)`: `[windows, k] x [k, n] -> [windows, n]`.
///
/// `b` is packed `[k][n]`, `bias` has one number per packed output; `out` has a row for each window
/// of each row of the batch, of which the columns from `columns.first` on are written.
///
/// # Panics
/// If `b`, `bias` and the windows do not fit each other, or a window lies outside of `x`.
pub fn product<L: Lanes>(
    x: &[f32],
    windows: &Windows,
    b: &[f32],
    bias: &[f32],
    (out, columns): (&mut [f32], Columns),
    floor: f32,
) {
    let k = windows.len();
    assert!(b.len() == k * bias.len(), "packed length");
    assert!(columns.first + bias.len() <= columns.stride, "columns");
    let (b, bias, floor) = (octets(b), octets(bias), L::splat(floor));
    let (first, stride) = (columns.first / LANES, columns.stride / LANES);
    let mut starts = windows.starts();
    for out in octets_mut(out).chunks_mut(ROWS * stride) {
        let mut next = || starts.next().unwrap_or_default();
        if out.len() == ROWS * stride {
            let tile = [next(), next(), next(), next()];
            for (panel, (b, bias)) in b.chunks_exact(k).zip(bias).enumerate() {
                let acc = four_windows(x, tile, &windows.segments, b, load(bias));
                for (row, acc) in acc.into_iter().enumerate() {
                    store::<L>(acc, &mut out[row * stride + first + panel], floor);
                }
            }
            continue;
        }
        for out in out.chunks_exact_mut(stride) {
            let start = next();
            for (panel, (b, bias)) in b.chunks_exact(k).zip(bias).enumerate() {
                let acc = one_window(x, start, &windows.segments, b, load(bias));
                store::<L>(acc, &mut out[first + panel], floor);
            }
        }
    }
}

#[inline]
fn four_windows<L: Lanes>(
    x: &[f32],
    starts: [usize; ROWS],
    segments: &[Segment],
    mut b: &[Octet],
    bias: [L; 2],
) -> [[L; 2]; ROWS] {
    let mut acc = [bias; ROWS];
    for Segment { offset, len } in segments {
        let (part, rest) = b.split_at(*len);
        b = rest;
        let [x0, x1, x2, x3] = starts.map(|start| &x[start + offset..][..part.len()]);
        for step in 0..part.len() {
            let row = load(&part[step]);
            add_product(&mut acc[0], L::splat(x0[step]), row);
            add_product(&mut acc[1], L::splat(x1[step]), row);
            add_product(&mut acc[2], L::splat(x2[step]), row);
            add_product(&mut acc[3], L::splat(x3[step]), row);
        }
    }
    acc
}

#[inline]
fn one_window<L: Lanes>(
    x: &[f32],
    start: usize,
    segments: &[Segment],
    mut b: &[Octet],
    mut acc: [L; 2],
) -> [L; 2] {
    for Segment { offset, len } in segments {
        let (part, rest) = b.split_at(*len);
        b = rest;
        for (x, row) in x[start + offset..][..*len].iter().zip(part) {
            add_product(&mut acc, L::splat(*x), load(row));
        }
    }
    acc
}

/// The gradient of the weights: `out = windows^T x d`, `[k, windows] x [windows, n] -> [k, n]`,
/// packed; `d` lies as `out` of [`product`] does. Sums go over the windows in order, from zero.
///
/// # Panics
/// If `out` is not a packed matrix of `k` rows, or a window lies outside of `x`.
pub fn weight_gradient<L: Lanes>(
    x: &[f32],
    windows: &Windows,
    (d, columns): (&[f32], Columns),
    out: &mut [f32],
) {
    let k = windows.len();
    assert!(out.len().is_multiple_of(k * LANES), "packed length");
    out.fill(0.0);
    let (first, stride) = (columns.first / LANES, columns.stride / LANES);
    // Row by row of the batch, so that one row of x and d serves all tiles from the cache.
    let rows = octets(d).chunks_exact(windows.count() * stride).zip(x.chunks(windows.stride));
    for (d, x) in rows {
        for (panel, mut out) in octets_mut(out).chunks_exact_mut(k).enumerate() {
            let column = |d: usize| first + panel + d * stride;
            for segment in &windows.segments {
                let (part, rest) = out.split_at_mut(segment.len);
                out = rest;
                for (group, part) in part.chunks_mut(ROWS).enumerate() {
                    let at = segment.offset + group * ROWS;
                    match part.len() {
                        4 => tile::<L, 4>(x, at, windows, d, column, part),
                        3 => tile::<L, 3>(x, at, windows, d, column, part),
                        2 => tile::<L, 2>(x, at, windows, d, column, part),
                        _ => tile::<L, 1>(x, at, windows, d, column, part),
                    }
                }
            }
        }
    }
}

/// Adds the products of `N` numbers of each window, from `at` on, with eight numbers of `d`.
#[inline]
fn tile<L: Lanes, const N: usize>(
    x: &[f32],
    at: usize,
    windows: &Windows,
    d: &[Octet],
    column: impl Fn(usize) -> usize,
    out: &mut [Octet],
) {
    let mut acc = [[L::splat(0.0); 2]; N];
    acc.iter_mut().zip(out.iter()).for_each(|(acc, out)| *acc = load(out));
    let mut window = 0;
    for down in 0..windows.down {
        let line = &x[at + down * windows.line..];
        for across in 0..windows.across {
            let numbers: &[f32] = &line[across * windows.step..][..N];
            let d = load(&d[column(window)]);
            for (acc, x) in acc.iter_mut().zip(numbers) {
                add_product(acc, L::splat(*x), d);
            }
            window += 1;
        }
    }
    for (acc, out) in acc.into_iter().zip(out) {
        store(acc, out, L::splat(f32::NEG_INFINITY));
    }
}

/// Room for [`input_gradient`] of windows of `k` numbers.
pub const fn room(k: usize) -> usize {
    (1 + BLOCK) * padded(k)
}

/// Adds the gradient of the input to `dx`: `d x b^T`, each window's part to where it was read.
///
/// `transposed` is the packed `[n][k]` transpose of `b`, `room` as long as [`room`] says.
///
/// # Panics
/// If the lengths do not fit, or a window lies outside of `dx`.
pub fn input_gradient<L: Lanes>(
    (d, columns): (&[f32], Columns),
    (transposed, n): (&[f32], usize),
    windows: &Windows,
    room: &mut [f32],
    dx: &mut [f32],
) {
    let k = windows.len();
    let (zeros, parts) = room.split_at_mut(padded(k));
    zeros.fill(0.0);
    let mut starts = windows.starts();
    for d in d.chunks(BLOCK * columns.stride) {
        let parts = &mut parts[..d.len() / columns.stride * padded(k)];
        let d = &d[columns.first..];
        matmul::<L>(d, columns.stride, n, transposed, zeros, parts, f32::NEG_INFINITY);
        for (mut part, start) in parts.chunks_exact(padded(k)).zip(&mut starts) {
            for Segment { offset, len } in &windows.segments {
                let (run, rest) = part.split_at(*len);
                part = rest;
                let to = &mut dx[start + offset..][..*len];
                to.iter_mut().zip(run).for_each(|(to, from)| *to += *from);
            }
        }
    }
}
