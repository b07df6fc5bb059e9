//! Products of the windows of an input with packed weights: a convolution as a matrix product whose
//! left matrix, one row per window, is read where it lies and never made.
//!
//! A window is a list of segments, runs of numbers at fixed distances from its start; laid end to
//! end they are a row of the matrix. Products find each number of a row by its offset: segments of
//! three or five numbers would spend more time on their ends than on sums. The tiles are those of
//! `matmul`: four windows by eight outputs forward, four numbers of the windows by eight outputs
//! for the weights. All sums go in the order of the row, or of the windows, one product after the
//! other, so a row of the batch gives the same bits alone and among others. Complexity is the
//! obvious `windows x k x n`.

#![expect(
    clippy::indexing_slicing,
    reason = "every slice is cut to the length that its loop counts to"
)]

mod lie;

pub use lie::{Segment, Starts, Window, Windows};

use super::matmul::{add_product, load, matmul, store};
use super::{LANES, Octet, index, octets, octets_mut, padded};
use crate::simd::Lanes;

/// Windows of a tile, and numbers of a window in a tile of the weight gradient.
const ROWS: usize = 4;
/// Windows whose input gradient is made at once: their parts stay in the first cache.
const BLOCK: usize = 16;

/// Which columns of rows of `stride` numbers a product is about: those from `first` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Columns {
    /// A multiple of [`LANES`].
    pub first: usize,
    /// A multiple of [`LANES`].
    pub stride: usize,
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
    let k = windows.window.len();
    assert!(b.len() == k * bias.len(), "packed length");
    assert!(columns.first + bias.len() <= columns.stride, "columns");
    let (b, bias, floor) = (octets(b), octets(bias), L::splat(floor));
    let (first, stride) = (columns.first / LANES, columns.stride / LANES);
    let mut starts = windows.starts();
    for out in octets_mut(out).chunks_mut(ROWS * stride) {
        let mut next = || &x[starts.next().unwrap_or_default()..][..windows.window.span];
        if out.len() == ROWS * stride {
            let tile = [next(), next(), next(), next()];
            four_windows(tile, &windows.window, (b, bias), (out, first), floor);
            continue;
        }
        for out in out.chunks_exact_mut(stride) {
            let x = next();
            for (panel, (b, bias)) in b.chunks_exact(k).zip(bias).enumerate() {
                let mut acc: [L; 2] = load(bias);
                for (row, offset) in b.iter().zip(&windows.window.offsets) {
                    add_product(&mut acc, L::splat(x[index(*offset)]), load(row));
                }
                store(acc, &mut out[first + panel], floor);
            }
        }
    }
}

/// Four windows of [`product`], panel by panel; not inlined, as `matmul::one_row` is not.
#[inline(never)]
fn four_windows<L: Lanes>(
    [x0, x1, x2, x3]: [&[f32]; ROWS],
    window: &Window,
    (b, bias): (&[Octet], &[Octet]),
    (out, first): (&mut [Octet], usize),
    floor: L,
) {
    // Slices of one length let the compiler compare an offset with it once.
    let (x1, x2, x3) = (&x1[..x0.len()], &x2[..x0.len()], &x3[..x0.len()]);
    let stride = out.len() / ROWS;
    for (panel, (b, bias)) in b.chunks_exact(window.len()).zip(bias).enumerate() {
        let mut acc = [load(bias); ROWS];
        for (row, offset) in b.iter().zip(&window.offsets) {
            let (row, at) = (load(row), index(*offset));
            add_product(&mut acc[0], L::splat(x0[at]), row);
            add_product(&mut acc[1], L::splat(x1[at]), row);
            add_product(&mut acc[2], L::splat(x2[at]), row);
            add_product(&mut acc[3], L::splat(x3[at]), row);
        }
        for (row, acc) in acc.into_iter().enumerate() {
            store(acc, &mut out[row * stride + first + panel], floor);
        }
    }
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
    let k = windows.window.len();
    assert!(out.len().is_multiple_of(k * LANES), "packed length");
    out.fill(0.0);
    let (first, stride) = (columns.first / LANES, columns.stride / LANES);
    // Row by row of the batch, so that one row of x and d serves all tiles from the cache.
    let rows = octets(d).chunks_exact(windows.count() * stride).zip(x.chunks(windows.stride));
    for (d, x) in rows {
        for (panel, out) in octets_mut(out).chunks_exact_mut(k).enumerate() {
            let d = (&d[first + panel..], stride);
            let groups = windows.window.offsets.chunks(ROWS).zip(out.chunks_mut(ROWS));
            for (offsets, out) in groups {
                if let Some(offsets) = offsets.first_chunk() {
                    tile::<L, ROWS>(x, offsets, windows, d, out);
                    continue;
                }
                for (offset, out) in offsets.iter().zip(out.chunks_mut(1)) {
                    tile::<L, 1>(x, &[*offset], windows, d, out);
                }
            }
        }
    }
}

/// Adds the products of `N` numbers of each window with eight numbers of `d`.
#[inline]
fn tile<L: Lanes, const N: usize>(
    x: &[f32],
    offsets: &[u32; N],
    windows: &Windows,
    (d, stride): (&[Octet], usize),
    out: &mut [Octet],
) {
    let mut acc = [[L::splat(0.0); 2]; N];
    acc.iter_mut().zip(out.iter()).for_each(|(acc, out)| *acc = load(out));
    let (span, offsets) = (windows.window.span, offsets.map(index));
    assert!(offsets.iter().all(|offset| *offset < span), "offsets lie in the window");
    for (down, d) in d.chunks(windows.across * stride).enumerate().take(windows.down) {
        let mut line = &x[down * windows.line..];
        for d in d.iter().step_by(stride).take(windows.across) {
            let (window, d) = (&line[..span], load(d));
            for (acc, offset) in acc.iter_mut().zip(offsets) {
                add_product(acc, L::splat(window[offset]), d);
            }
            line = line.get(windows.step..).unwrap_or_default();
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
    let k = windows.window.len();
    let (zeros, parts) = room.split_at_mut(padded(k));
    zeros.fill(0.0);
    let mut starts = windows.starts();
    for d in d.chunks(BLOCK * columns.stride) {
        let parts = &mut parts[..d.len() / columns.stride * padded(k)];
        let d = &d[columns.first..];
        matmul::<L>(d, columns.stride, n, transposed, zeros, parts, f32::NEG_INFINITY);
        for (mut part, start) in parts.chunks_exact(padded(k)).zip(&mut starts) {
            for Segment { offset, len } in windows.window.segments() {
                let (run, rest) = part.split_at(*len);
                part = rest;
                let to = &mut dx[start + offset..][..*len];
                to.iter_mut().zip(run).for_each(|(to, from)| *to += *from);
            }
        }
    }
}
