//! Products of rows that lie apart: one step of many sequences, or one head of many.
//!
//! ```text
//! for each group of 4 rows of out        (fewer: one by one, with four panels side by side)
//!   for each panel of b                  8 outputs
//!     acc[4][8] = what is there
//!     for k: acc[r] += a[r][k] * panel[k]
//!     out[4][8] = acc
//! ```
//!
//! Unlike [`super::matmul`] the sum goes on from what is in `out`, and rows of both sides may be
//! parts of longer ones. What is between the parts is neither read nor written.

#![expect(
    clippy::indexing_slicing,
    reason = "every slice is cut to the length that its loop counts to"
)]

use super::matmul::{add_product, load};
use super::{LANES, Octet, octets, octets_mut, padded};
use crate::simd::Lanes;

/// Rows of a tile.
const ROWS: usize = 4;
/// Panels a single row works on at once.
const PANELS: usize = 4;

/// `out += a x b`: `[rows, k] x [k, n] -> [rows, n]`.
///
/// Rows of `a` have `k` numbers and begin `a_stride` apart; `b` is packed `[k][n]`; rows of `out`
/// have `padded(n)` numbers, begin `out_stride` apart, and say how many rows there are. The last
/// rows may end with their last numbers.
///
/// # Panics
/// If `a` has fewer rows than `out`, a stride is too small, or `b` is not of whole panels.
pub fn accumulate<L: Lanes>(
    a: &[f32],
    a_stride: usize,
    k: usize,
    b: &[f32],
    out: &mut [f32],
    out_stride: usize,
) {
    assert!(k > 0 && a_stride >= k, "stride of a");
    let n = b.len() / k;
    assert!(b.len() == k * n && n > 0 && n.is_multiple_of(LANES), "packed length");
    assert!(out_stride >= n, "stride of out");
    let Some(last) = out.len().div_ceil(out_stride).checked_sub(1) else { return };
    assert!(out.len() >= last * out_stride + n, "a whole last row");
    assert!(a.len() >= last * a_stride + k, "a row for every row");
    let b = octets(b);
    for (out, a) in out.chunks_mut(ROWS * out_stride).zip(a.chunks(ROWS * a_stride)) {
        if out.len() > (ROWS - 1) * out_stride {
            let [a0, a1, a2, a3] = [0, 1, 2, 3].map(|row| &a[row * a_stride..][..k]);
            let (out0, rest) = out.split_at_mut(out_stride);
            let (out1, rest) = rest.split_at_mut(out_stride);
            let (out2, out3) = rest.split_at_mut(out_stride);
            let out = [out0, out1, out2, out3].map(|out| octets_mut(&mut out[..n]));
            four_rows::<L>([a0, a1, a2, a3], b, out);
        } else {
            for (out, a) in out.chunks_mut(out_stride).zip(a.chunks(a_stride)) {
                one_row::<L>(&a[..k], b, octets_mut(&mut out[..n]));
            }
        }
    }
}

/// Four rows of [`accumulate`], panel by panel.
fn four_rows<L: Lanes>(
    [a0, a1, a2, a3]: [&[f32]; ROWS],
    b: &[Octet],
    [out0, out1, out2, out3]: [&mut [Octet]; ROWS],
) {
    let k = a0.len();
    // Slices of one length let the compiler see that no index below can miss.
    let (a1, a2, a3) = (&a1[..k], &a2[..k], &a3[..k]);
    let tiles = out0.iter_mut().zip(out1).zip(out2).zip(out3);
    for (panel, (((out0, out1), out2), out3)) in b.chunks_exact(k).zip(tiles) {
        let mut acc: [[L; 2]; ROWS] = [load(out0), load(out1), load(out2), load(out3)];
        for step in 0..k {
            let row = load(&panel[step]);
            add_product(&mut acc[0], L::splat(a0[step]), row);
            add_product(&mut acc[1], L::splat(a1[step]), row);
            add_product(&mut acc[2], L::splat(a2[step]), row);
            add_product(&mut acc[3], L::splat(a3[step]), row);
        }
        for (acc, out) in acc.into_iter().zip([out0, out1, out2, out3]) {
            put(acc, out);
        }
    }
}

/// One row of [`accumulate`], four panels at a time; not inlined for the reason that
/// `matmul::one_row` is not.
#[inline(never)]
fn one_row<L: Lanes>(a: &[f32], b: &[Octet], out: &mut [Octet]) {
    let k = a.len();
    let (groups, rest) = out.as_chunks_mut::<PANELS>();
    let mut panels = b;
    for out in groups {
        let (b0, tail) = panels.split_at(k);
        let (b1, tail) = tail.split_at(k);
        let (b2, tail) = tail.split_at(k);
        let (b3, tail) = tail.split_at(k);
        panels = tail;
        let mut acc: [[L; 2]; PANELS] = out.each_ref().map(load);
        for step in 0..k {
            let a = L::splat(a[step]);
            add_product(&mut acc[0], a, load(&b0[step]));
            add_product(&mut acc[1], a, load(&b1[step]));
            add_product(&mut acc[2], a, load(&b2[step]));
            add_product(&mut acc[3], a, load(&b3[step]));
        }
        for (acc, out) in acc.into_iter().zip(out) {
            put(acc, out);
        }
    }
    for (panel, out) in panels.chunks_exact(k).zip(rest) {
        let mut acc: [L; 2] = load(out);
        for step in 0..k {
            add_product(&mut acc, L::splat(a[step]), load(&panel[step]));
        }
        put(acc, out);
    }
}

#[inline]
fn put<L: Lanes>([a, b]: [L; 2], [low, high]: &mut Octet) {
    a.store(low);
    b.store(high);
}

/// Copies `n` numbers out of each row of `from`, which begin `stride` apart, to rows of `padded(n)`
/// numbers, zero in the padding. `to` says how many rows there are.
pub fn gather(from: &[f32], stride: usize, n: usize, to: &mut [f32]) {
    for (from, to) in from.chunks(stride).zip(to.chunks_exact_mut(padded(n))) {
        to[..n].copy_from_slice(&from[..n]);
        to[n..].fill(0.0);
    }
}

/// Undoes [`gather`].
pub fn scatter(from: &[f32], n: usize, to: &mut [f32], stride: usize) {
    for (from, to) in from.chunks_exact(padded(n)).zip(to.chunks_mut(stride)) {
        to[..n].copy_from_slice(&from[..n]);
    }
}

/// Packs a matrix of `k` rows of `padded(n)` numbers, as [`gather`] leaves them: `[panel][k][8]`.
pub fn pack_rows(rows: &[f32], k: usize, n: usize, packed: &mut [f32]) {
    let panels = padded(n) / LANES;
    for (index, panel) in octets_mut(packed).chunks_exact_mut(k).enumerate() {
        for (to, from) in panel.iter_mut().zip(octets(rows).chunks_exact(panels)) {
            *to = from[index];
        }
    }
}

/// Undoes [`pack_rows`].
pub fn unpack_rows(packed: &[f32], k: usize, n: usize, rows: &mut [f32]) {
    let panels = padded(n) / LANES;
    for (index, panel) in octets(packed).chunks_exact(k).enumerate() {
        for (from, to) in panel.iter().zip(octets_mut(rows).chunks_exact_mut(panels)) {
            to[index] = *from;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rng::Rng;
    use crate::simd::F32x4;
    use crate::simd::scalar::F32x4 as Oracle;
    use crate::tensor::pack::{pack, packed_len};

    fn bits(numbers: &[f32]) -> Vec<u32> {
        numbers.iter().map(|number| number.to_bits()).collect()
    }

    proptest! {
        #[test]
        fn a_sum_goes_on_between_what_is_left_alone(
            (m, k, n) in (1_usize..10, 1_usize..20, 1_usize..50),
            (more_a, more_out) in (0_usize..5, 0_usize..3),
            seed: u64,
        ) {
            let mut rng = Rng::from_u64(seed);
            let mut random = |count| (0..count).map(|_| rng.uniform_f32() - 0.5).collect();
            let (a_stride, out_stride) = (k + more_a, padded(n) + LANES * more_out);
            let a: Vec<f32> = random((m - 1) * a_stride + k);
            let b: Vec<f32> = random(k * n);
            let start: Vec<f32> = random((m - 1) * out_stride + padded(n));
            let mut packed = vec![f32::NAN; packed_len(k, n)];
            pack(&b, k, n, &mut packed);
            let mut expected = start.clone();
            for row in 0..m {
                for column in 0..n {
                    for step in 0..k {
                        expected[row * out_stride + column] +=
                            a[row * a_stride + step] * b[step * n + column];
                    }
                }
            }
            let (mut ours, mut oracle) = (start.clone(), start.clone());
            accumulate::<F32x4>(&a, a_stride, k, &packed, &mut ours, out_stride);
            accumulate::<Oracle>(&a, a_stride, k, &packed, &mut oracle, out_stride);
            prop_assert_eq!(bits(&ours), bits(&expected));
            prop_assert_eq!(bits(&oracle), bits(&expected));
            let mut alone = start;
            for (a, out) in a.chunks(a_stride).zip(alone.chunks_mut(out_stride)) {
                accumulate::<F32x4>(a, a_stride, k, &packed, out, out_stride);
            }
            prop_assert_eq!(bits(&alone), bits(&expected));
        }

        #[test]
        fn parts_of_rows_are_packed_as_matrices_are(
            (k, n, more) in (1_usize..10, 1_usize..20, 0_usize..9), seed: u64,
        ) {
            let mut rng = Rng::from_u64(seed);
            let wide: Vec<f32> = (0..(k - 1) * (n + more) + n).map(|_| rng.uniform_f32()).collect();
            let canonical: Vec<f32> =
                wide.chunks(n + more).flat_map(|row| row[..n].to_vec()).collect();
            let mut expected = vec![f32::NAN; packed_len(k, n)];
            pack(&canonical, k, n, &mut expected);
            let mut rows = vec![f32::NAN; k * padded(n)];
            gather(&wide, n + more, n, &mut rows);
            let mut packed = vec![f32::NAN; packed_len(k, n)];
            pack_rows(&rows, k, n, &mut packed);
            prop_assert_eq!(&packed, &expected);
            let mut back = vec![f32::NAN; rows.len()];
            unpack_rows(&packed, k, n, &mut back);
            prop_assert_eq!(&back, &rows);
            let mut again = wide.clone();
            for number in &mut again {
                *number += 1.0;
            }
            scatter(&back, n, &mut again, n + more);
            let rows = again.chunks(n + more).zip(wide.chunks(n + more));
            for ((again, wide), canonical) in rows.zip(canonical.chunks(n)) {
                prop_assert_eq!(&again[..n], canonical);
                let left: Vec<f32> = wide[n..].iter().map(|number| number + 1.0).collect();
                prop_assert_eq!(&again[n..], &left);
            }
        }
    }
}
