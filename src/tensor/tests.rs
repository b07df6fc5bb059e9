//! The kernels against the textbook, with shapes chosen at random.

#![expect(clippy::many_single_char_names, reason = "the letters of matrix products")]

use proptest::prelude::*;

#[cfg(feature = "layers")]
use super::grouped::{self, Groups};
use super::matmul::{column_sums, matmul, weight_gradient};
use super::pack::{pack, packed_len, transpose, unpack};
#[cfg(feature = "layers")]
use super::windows::{self, Columns, Segment, Window, Windows};
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

/// Windows over an image of padded positions, tap by tap or as runs, and the image itself; what no
/// window sees is NaN.
#[cfg(feature = "layers")]
fn over_an_image(rng: &mut Rng, channels: usize, step: usize, seen: usize) -> (Windows, Vec<f32>) {
    let size = |rng: &mut Rng, max| usize::try_from(rng.below(max)).unwrap() + 1;
    let (kernel, out) = ((size(rng, 3), size(rng, 3)), (size(rng, 4), size(rng, 4)));
    let (stride, dilation) = ((size(rng, 2), size(rng, 2)), (size(rng, 2), size(rng, 2)));
    let height = (out.0 - 1) * stride.0 + (kernel.0 - 1) * dilation.0 + 1;
    let width = (out.1 - 1) * stride.1 + (kernel.1 - 1) * dilation.1 + 1;
    let taps = (0..kernel.0 * kernel.1).map(|tap| {
        let place = tap / kernel.1 * dilation.0 * width + tap % kernel.1 * dilation.1;
        Segment { offset: place * step, len: seen }
    });
    let windows = Windows {
        down: out.0,
        across: out.1,
        line: stride.0 * width * step,
        step: stride.1 * step,
        stride: padded(height * width * step),
        window: Window::new(taps.collect()),
    };
    let mut image = vec![f32::NAN; 3 * windows.stride];
    for row in image.chunks_exact_mut(windows.stride) {
        for position in row.chunks_exact_mut(step).take(height * width) {
            position[..channels].fill_with(|| rng.uniform_f32() - 0.5);
        }
    }
    (windows, image)
}

/// The rows that windows stand for, `[windows, k]` with padded rows: channels `from..from + len`.
#[cfg(feature = "layers")]
fn laid_out(windows: &Windows, image: &[f32], from: usize, len: usize) -> Vec<f32> {
    let mut rows = Vec::new();
    for start in windows.starts().take(3 * windows.count()) {
        let taps = windows.window.segments().iter();
        let row: Vec<f32> =
            taps.flat_map(|tap| image[start + tap.offset + from..][..len].to_vec()).collect();
        let padding = padded(row.len()) - row.len();
        rows.extend(row.into_iter().chain(std::iter::repeat_n(f32::NAN, padding)));
    }
    rows
}

#[cfg(feature = "layers")]
proptest! {
    #[test]
    fn products_of_windows_are_those_of_the_rows_they_stand_for(
        channels in 1_usize..12, n in 1_usize..30, seed: u64,
    ) {
        let mut rng = Rng::from_u64(seed);
        let (windows, image) = over_an_image(&mut rng, channels, padded(channels), channels);
        let k = windows.window.len();
        let rows = laid_out(&windows, &image, 0, channels);
        let m = rows.len() / padded(k);
        let b: Vec<f32> = (0..k * n).map(|_| rng.uniform_f32() - 0.5).collect();
        let mut packed = vec![f32::NAN; packed_len(k, n)];
        pack(&b, k, n, &mut packed);
        let mut bias = vec![0.0; padded(n)];
        bias[..n].fill_with(|| rng.uniform_f32());
        let columns = Columns { first: 0, stride: padded(n) };
        let mut out = vec![f32::NAN; m * padded(n)];
        let mut plain = out.clone();
        let none = f32::NEG_INFINITY;
        windows::product::<F32x4>(&image, &windows, &packed, &bias, (&mut out, columns), none);
        windows::product::<Oracle>(&image, &windows, &packed, &bias, (&mut plain, columns), none);
        prop_assert_eq!(bits(&out), bits(&plain));
        prop_assert_eq!(bits(&real(&out, n)), bits(&naive(&rows, k, &b, n, &bias, m)));

        let d = self::rows(&mut rng, m, n);
        let (mut ours, mut theirs) = (packed.clone(), packed.clone());
        windows::weight_gradient::<F32x4>(&image, &windows, (&d, columns), &mut ours);
        weight_gradient::<F32x4>(&rows, padded(k), k, &d, n, &mut theirs);
        let (mut one, mut other) = (vec![0.0; k * n], vec![0.0; k * n]);
        unpack(&ours, k, n, &mut one);
        unpack(&theirs, k, n, &mut other);
        prop_assert_eq!(bits(&one), bits(&other));

        let mut turned = vec![f32::NAN; packed_len(n, k)];
        transpose(&packed, k, n, &mut turned);
        let mut room = vec![f32::NAN; windows::room(k)];
        let mut dx = vec![0.0; image.len()];
        let turned = (turned.as_slice(), n);
        windows::input_gradient::<F32x4>((&d, columns), turned, &windows, &mut room, &mut dx);
        let mut expected = vec![0.0; image.len()];
        for (start, d) in windows.starts().zip(d.chunks_exact(padded(n))) {
            let taps = windows.window.segments().iter();
            let places = taps.flat_map(|tap| (0..tap.len).map(move |at| start + tap.offset + at));
            for (place, b) in places.zip(b.chunks_exact(n)) {
                expected[place] += b.iter().zip(d).fold(0.0, |sum, (b, d)| sum + d * b);
            }
        }
        prop_assert_eq!(bits(&dx), bits(&expected));
    }

    #[test]
    fn filters_of_groups_see_their_own_channels(
        groups in 1_usize..12, inputs in 1_usize..4, outputs in 1_usize..4, seed: u64,
    ) {
        let mut rng = Rng::from_u64(seed);
        let (channels, n) = (groups * inputs, groups * outputs);
        let step = padded(channels);
        let (windows, mut image) = over_an_image(&mut rng, channels, step, step);
        // Padding is finite by contract.
        image.iter_mut().filter(|number| number.is_nan()).for_each(|number| *number = 3.0);
        let k = windows.window.segments().len() * inputs;
        let m = 3 * windows.count();
        let b: Vec<f32> = (0..k * n).map(|_| rng.uniform_f32() - 0.5).collect();
        let mut packed = vec![f32::NAN; packed_len(k, n)];
        pack(&b, k, n, &mut packed);
        let mut bias = vec![0.0; padded(n)];
        bias[..n].fill_with(|| rng.uniform_f32());
        let mut out = vec![f32::NAN; m * padded(n)];
        let grouped = Groups::new(groups, inputs, outputs);
        let weights = (packed.as_slice(), bias.as_slice());
        let none = f32::NEG_INFINITY;
        grouped::product::<F32x4>(&image, &windows, &grouped, weights, &mut out, none);
        let mut d = rows(&mut rng, m, n);
        d.iter_mut().filter(|number| number.is_nan()).for_each(|number| *number = 0.0);
        let mut gradient = packed.clone();
        let both = (d.as_slice(), padded(n));
        grouped::weight_gradient::<F32x4>(&image, &windows, &grouped, both, &mut gradient);
        let mut canonical = vec![f32::NAN; k * n];
        unpack(&gradient, k, n, &mut canonical);
        for filter in 0..n {
            let rows = laid_out(&windows, &image, filter / outputs * inputs, inputs);
            let column: Vec<f32> = b.iter().skip(filter).step_by(n).copied().collect();
            let expected = naive(&rows, k, &column, 1, &bias[filter..], m);
            let ours: Vec<f32> = out.iter().skip(filter).step_by(padded(n)).copied().collect();
            prop_assert_eq!(bits(&ours), bits(&expected));
            for row in 0..k {
                let sum = (0..m).fold(0.0, |sum, window| {
                    sum + rows[window * padded(k) + row] * d[window * padded(n) + filter]
                });
                prop_assert_eq!(f32::to_bits(sum), canonical[row * n + filter].to_bits());
            }
        }
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
