//! The kernels against the textbook, with shapes chosen at random.

#![expect(clippy::many_single_char_names, reason = "the letters of matrix products")]

use proptest::prelude::*;

use super::matmul::{column_sums, matmul, weight_gradient};
use super::pack::{pack, packed_len, transpose, unpack};
use super::{LANES, padded};
use crate::rng::Rng;
use crate::simd::scalar::F32x4 as Oracle;
use crate::simd::{F32x4, Lanes};

/// A row-major matrix with padded rows; the padding is NaN, so that using it shows.
fn rows(rng: &mut Rng, rows: usize, columns: usize) -> Vec<f32> {
    let stride = padded(columns);
    let mut matrix = vec![f32::NAN; rows * stride];
    for row in matrix.chunks_exact_mut(stride) {
        row[..columns].fill_with(|| rng.uniform_f32() - 0.5);
    }
    matrix
}

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|number| number.to_bits()).collect()
}

/// One step of the oracle, in the order that the kernels promise.
fn naive(a: &[f32], k: usize, b: &[f32], n: usize, bias: &[f32], m: usize) -> Vec<f32> {
    let mut out = vec![0.0; m * n];
    for (row, out) in out.chunks_exact_mut(n).enumerate() {
        for (column, out) in out.iter_mut().enumerate() {
            *out = bias[column];
            for step in 0..k {
                *out += a[row * padded(k) + step] * b[step * n + column];
            }
        }
    }
    out
}

/// `[m][n]` out of rows with padding.
fn real(out: &[f32], n: usize) -> Vec<f32> {
    out.chunks_exact(padded(n)).flat_map(|row| row[..n].to_vec()).collect()
}

/// `matmul` with a canonical `b`, through packing.
fn product<L: Lanes>(a: &[f32], k: usize, b: &[f32], n: usize, bias: &[f32], m: usize) -> Vec<f32> {
    let mut packed = vec![f32::NAN; packed_len(k, n)];
    pack(b, k, n, &mut packed);
    let mut out = vec![f32::NAN; m * padded(n)];
    matmul::<L>(a, padded(k), k, &packed, bias, &mut out, f32::NEG_INFINITY);
    out
}

proptest! {
    #[test]
    fn a_product_is_that_of_the_textbook_bit_for_bit(
        m in 1_usize..14, k in 1_usize..40, n in 1_usize..50, seed: u64,
    ) {
        let mut rng = Rng::from_u64(seed);
        let a = rows(&mut rng, m, k);
        let b: Vec<f32> = (0..k * n).map(|_| rng.uniform_f32() - 0.5).collect();
        let mut bias = vec![0.0; padded(n)];
        bias[..n].fill_with(|| rng.uniform_f32());
        let out = product::<F32x4>(&a, k, &b, n, &bias, m);
        prop_assert_eq!(bits(&real(&out, n)), bits(&naive(&a, k, &b, n, &bias, m)));
        prop_assert_eq!(bits(&out), bits(&product::<Oracle>(&a, k, &b, n, &bias, m)));
        prop_assert!(out.chunks_exact(padded(n)).all(|row| row[n..].iter().all(|x| *x == 0.0)));
    }

    #[test]
    fn a_weight_gradient_is_that_of_the_textbook_bit_for_bit(
        m in 1_usize..14, k in 1_usize..20, n in 1_usize..20, seed: u64,
    ) {
        let mut rng = Rng::from_u64(seed);
        let (x, d) = (rows(&mut rng, m, k), rows(&mut rng, m, n));
        let mut packed = vec![f32::NAN; packed_len(k, n)];
        weight_gradient::<F32x4>(&x, padded(k), k, &d, n, &mut packed);
        let mut gradient = vec![f32::NAN; k * n];
        unpack(&packed, k, n, &mut gradient);
        let mut sums = vec![f32::NAN; padded(n)];
        column_sums::<F32x4>(&d, &mut sums);
        for column in 0..n {
            let of_row = |row: usize| d[row * padded(n) + column];
            let sum = (0..m).fold(0.0, |sum, row| sum + of_row(row));
            prop_assert_eq!(f32::to_bits(sum), sums[column].to_bits());
            for input in 0..k {
                let term = |row| x[row * padded(k) + input] * of_row(row);
                let sum = (0..m).fold(0.0, |sum, row| sum + term(row));
                prop_assert_eq!(f32::to_bits(sum), gradient[input * n + column].to_bits());
            }
        }
    }

    #[test]
    fn packing_is_undone_and_transposed(k in 1_usize..30, n in 1_usize..30, seed: u64) {
        let mut rng = Rng::from_u64(seed);
        let matrix: Vec<f32> = (0..k * n).map(|_| rng.uniform_f32()).collect();
        let mut packed = vec![f32::NAN; packed_len(k, n)];
        pack(&matrix, k, n, &mut packed);
        let mut back = vec![f32::NAN; k * n];
        unpack(&packed, k, n, &mut back);
        prop_assert_eq!(&back, &matrix);
        let mut turned = vec![f32::NAN; packed_len(n, k)];
        transpose(&packed, k, n, &mut turned);
        let mut expected = vec![0.0; packed_len(n, k)];
        let columns: Vec<f32> =
            (0..n).flat_map(|c| matrix.iter().skip(c).step_by(n).copied()).collect();
        pack(&columns, n, k, &mut expected);
        prop_assert_eq!(turned, expected);
    }
}

#[test]
fn a_row_has_the_same_bits_alone_and_in_a_batch() {
    let mut rng = Rng::from_u64(5);
    let (m, k, n) = (9, 33, 70);
    let a = rows(&mut rng, m, k);
    let b: Vec<f32> = (0..k * n).map(|_| rng.uniform_f32() - 0.5).collect();
    let bias = vec![0.25; padded(n)];
    let batch = product::<F32x4>(&a, k, &b, n, &bias, m);
    for (a, out) in a.chunks_exact(padded(k)).zip(batch.chunks_exact(padded(n))) {
        assert_eq!(bits(&product::<F32x4>(a, k, &b, n, &bias, 1)), bits(out));
    }
    assert_eq!(padded(n) % LANES, 0);
}
