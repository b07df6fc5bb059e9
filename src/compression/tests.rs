//! What compression keeps against its definition, and what its reader makes of any bytes.

#![allow(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    clippy::indexing_slicing,
    reason = "numbers of tests are small, and what is read is equal to the bit"
)]

use super::*;
use crate::crypto::hash;
use crate::rng::Rng;

const DIGITS: [Tensor; 4] = [[64, 32], [1, 32], [32, 10], [1, 10]];

/// An update as training makes them: weights of dead pixels do not change, few change much.
fn update(tensors: &[Tensor], seed: u64) -> Vec<f32> {
    let mut rng = Rng::from_u64(seed);
    let mut values = Vec::new();
    for [rows, columns] in tensors {
        for row in 0..*rows {
            let size = if row % 8 == 0 && *rows > 1 { 0.0 } else { 0.01 };
            values.extend((0..*columns).map(|_| {
                let normal = rng.normal_f32();
                size * normal * normal * normal
            }));
        }
    }
    values
}

fn settings(bits: u32, keep: u32) -> Settings {
    Settings { bits, keep }
}

/// Every number of bits with the largest thousandth, hundredth, third, and all.
fn all() -> impl Iterator<Item = Settings> + Clone {
    let keeps = [1_000, 10_000, 333_333, 1_000_000];
    (1..=8).flat_map(move |bits| keeps.into_iter().map(move |keep| settings(bits, keep)))
}

/// With two bits the smallest ones had a step of which none of them was a half.
#[test]
fn the_least_numbers_that_there_are_are_read_back() {
    let parameters = DIGITS.iter().map(|[rows, columns]| rows * columns).sum();
    for settings in all() {
        for bits in [1, 0x8000, 0xffff, 0x1_0000] {
            let values = vec![f32::from_bits(bits); parameters];
            let bytes = compress(settings, &DIGITS, &values).unwrap();
            assert!(decompress(settings, &DIGITS, &bytes).is_ok(), "{settings:?}, {bits}");
        }
    }
}

/// What is read is what the definition says, computed in another way: the largest values by a
/// stable sort, each to the nearest multiple of the smallest value that was read of its tensor.
#[test]
fn what_is_read_are_the_largest_values_in_whole_steps() {
    for settings in all() {
        let whole = update(&DIGITS, u64::from(settings.bits + settings.keep));
        let bytes = compress(settings, &DIGITS, &whole).unwrap();
        let read = decompress(settings, &DIGITS, &bytes).unwrap();
        let mut order: Vec<usize> = (0..whole.len()).collect();
        order.sort_by(|a, b| whole[*b].abs().total_cmp(&whole[*a].abs()));
        let kept = (whole.len() as f64 * f64::from(settings.keep) / 1e6).ceil() as usize;
        order.truncate(kept);
        let mut start = 0;
        for tensor in DIGITS {
            let range = start..start + tensor[0] * tensor[1];
            start = range.end;
            let sizes = read[range.clone()].iter().map(|value| value.abs());
            let least = sizes.clone().filter(|size| *size > 0.0).fold(f32::INFINITY, f32::min);
            let most = sizes.fold(0.0, f32::max);
            let largest = range.clone().map(|at| whole[at].abs()).fold(0.0, f32::max);
            for at in range {
                if !order.contains(&at) || whole[at] == 0.0 {
                    assert_eq!(read[at], 0.0, "{settings:?} {at}");
                    continue;
                }
                assert!(read[at] == 0.0 || read[at].signum() == whole[at].signum());
                // Half a step off, but for those that are cut off at the largest.
                let off = (read[at] - whole[at]).abs();
                let step = if settings.bits == 8 { largest / 127.0 } else { least };
                let near = settings.bits == 1 || off <= 0.505 * step || read[at].abs() == most;
                assert!(near || most == 0.0, "{settings:?} {at}: {} {}", whole[at], read[at]);
            }
        }
    }
}

/// Shannon's bound is an oracle for the coder that knows nothing of it.
#[test]
fn bytes_are_what_information_theory_allows() {
    let tensors = [[250, 1_000]];
    for (share, most) in [(0.001, 1.3), (0.01, 1.12), (0.1, 1.06), (0.5, 1.02)] {
        let mut rng = Rng::from_u64(7);
        let draw = |_| if rng.uniform_f64() < share { rng.normal_f32().signum() } else { 0.0 };
        let values: Vec<f32> = (0..250_000).map(draw).collect();
        let bytes = compress(settings(1, 1_000_000), &tensors, &values).unwrap().len();
        let kept = values.iter().filter(|value| **value != 0.0).count() as f64;
        let p = kept / 250_000.0;
        let entropy = -(p * p.log2() + (1.0 - p) * (1.0 - p).log2()) * 250_000.0;
        let bound = (entropy + kept) / 8.0;
        let ratio = bytes as f64 / bound;
        assert!((0.99..most).contains(&ratio), "{share}: {bytes} bytes, {bound:.0} is the bound");
    }
}

#[test]
fn the_largest_hundredth_of_the_digits_update_takes_a_hundredth_of_its_bytes() {
    let whole = update(&DIGITS, 1);
    let bytes = compress(settings(8, 10_000), &DIGITS, &whole).unwrap();
    assert!(bytes.len() * 100 <= whole.len() * 4, "{} bytes", bytes.len());
    let coarse = compress(settings(2, 1_000_000), &DIGITS, &whole).unwrap();
    assert!(coarse.len() * 16 <= whole.len() * 4, "{} bytes", coarse.len());
}

/// Whoever wrote them, and wherever they are read: the bytes of before.
#[test]
fn the_bytes_are_those_of_before() {
    let mut bytes = Vec::new();
    for settings in all() {
        bytes.extend(compress(settings, &DIGITS, &update(&DIGITS, 3)).unwrap());
    }
    let golden = "bafkr4iddu36gajjtmj2adbnjdktsxpaqm5xrjysoqmy34lcjnh67ivih5a";
    assert_eq!(hash::blob_cid_text(&bytes), golden, "{} bytes", bytes.len());
}

#[test]
fn an_update_of_zeros_is_one_byte_and_none_is_kept() {
    for settings in all() {
        let bytes = compress(settings, &DIGITS, &[0.0; 2_410]).unwrap();
        assert_eq!(bytes, [0]);
        assert_eq!(decompress(settings, &DIGITS, &bytes), Ok(vec![0.0; 2_410]));
    }
}

/// Updates made to be told wrong by every context, on tensors of every shape.
#[test]
fn no_update_takes_more_than_the_bound() {
    let shapes: [&[Tensor]; 4] = [&[[1, 1]], &[[1, 1]; 9], &[[5, 3], [1, 3]], &[[100, 100]]];
    for tensors in shapes {
        let count = parameters(tensors);
        for (settings, seed) in all().zip(0..) {
            let mut rng = Rng::from_u64(seed);
            let draw = |at: usize| match rng.below(3) {
                0 => 0.0,
                _ => (1.0 + at as f32 % 7.0) * if rng.below(2) == 0 { -1.0e5 } else { 3.0e4 },
            };
            let values: Vec<f32> = (0..count).map(draw).collect();
            let bytes = compress(settings, tensors, &values).unwrap();
            assert!(bytes.len() <= bytes_max(tensors), "{} of {tensors:?}", bytes.len());
            assert_eq!(decompress(settings, tensors, &bytes).map(|values| values.len()), Ok(count));
        }
    }
}

/// What one update loses, a later one brings; without feedback it is lost for good.
#[test]
fn feedback_brings_what_was_lost() {
    for settings in [settings(8, 10_000), settings(1, 1_000_000), settings(2, 100_000)] {
        let rounds = 400;
        let change = update(&DIGITS, 5);
        let (mut with, mut without) = (vec![0.0; 2_410], vec![0.0; 2_410]);
        let mut feedback = Feedback::new();
        for _ in 0..rounds {
            let (bytes, next) = feedback.compress(settings, &DIGITS, &change).unwrap();
            feedback = next;
            let bare = compress(settings, &DIGITS, &change).unwrap();
            for (sum, bytes) in [(&mut with, bytes), (&mut without, bare)] {
                let read = decompress(settings, &DIGITS, &bytes).unwrap();
                sum.iter_mut()
                    .zip(read)
                    .for_each(|(sum, read): (&mut f64, _)| *sum += f64::from(read));
            }
        }
        let off = |sums: &[f64]| {
            let exact = |at: usize| f64::from(change[at]) * f64::from(rounds);
            let lost: f64 = (0..2_410).map(|at| (sums[at] - exact(at)).powi(2)).sum();
            let whole: f64 = (0..2_410).map(|at| exact(at).powi(2)).sum();
            (lost / whole).sqrt()
        };
        let (with, without) = (off(&with), off(&without));
        assert!(with < 0.2 && without > 0.3, "{settings:?}: {with} with, {without} without");
    }
}

#[test]
fn any_bytes_are_an_update_or_an_error() {
    let mut rng = Rng::from_u64(9);
    for (round, settings) in all().cycle().take(4_000).enumerate() {
        let mut bytes = compress(settings, &DIGITS, &update(&DIGITS, 2)).unwrap();
        if round % 4 == 0 {
            bytes.resize(rng.below(4_000) as usize, 0);
            rng.fill(&mut bytes);
        } else if round % 4 == 1 {
            bytes.truncate(rng.below(bytes.len() as u32) as usize);
        } else {
            let at = rng.below(bytes.len() as u32) as usize;
            bytes[at] ^= 1 << rng.below(8);
        }
        match decompress(settings, &DIGITS, &bytes) {
            Ok(values) => {
                assert_eq!(values.len(), 2_410);
                assert!(values.iter().all(|value| value.is_finite()));
                let kept = values.iter().filter(|value| **value != 0.0).count();
                assert!(kept <= settings.kept_max(2_410));
            }
            Err(error) => assert_eq!(error.code(), "compression-damaged"),
        }
    }
}

#[test]
fn bytes_behind_the_end_and_more_than_is_kept_are_refused() {
    let few = settings(8, 10_000);
    let bytes = compress(few, &DIGITS, &update(&DIGITS, 2)).unwrap();
    let read = |settings, bytes: &[u8]| decompress(settings, &DIGITS, bytes);
    assert!(read(few, &bytes).is_ok());
    for more in [&[0][..], &[1], &[0, 0, 7]] {
        let longer = [&bytes, more].concat();
        assert!(read(few, &longer).is_err(), "{more:?}");
    }
    let bomb = vec![1; bytes_max(&DIGITS) + 1];
    assert_eq!(read(few, &bomb), Err(Error::Damaged("there are too many")));
    // One of the values more than the run keeps, written by the same coder.
    let mut encoder = Encoder::new();
    let mut models = Models::new(few);
    let numbers = |count: usize| (0..count).map(|at| i8::from(at < 25)).collect::<Vec<i8>>();
    for tensor in DIGITS {
        let is_first = tensor == DIGITS[0];
        encoder.plain(if is_first { 0x3f80 } else { 0 }, STEP_BITS);
        if is_first {
            models.write(&mut encoder, tensor, &numbers(2_048));
        }
    }
    let full = encoder.finish();
    assert_eq!(few.kept_max(2_410), 25);
    assert!(read(few, &full).is_ok());
    // The same numbers where fewer may be kept; contexts begin elsewhere, so they are written anew.
    let fewer = settings(8, 9_000);
    let (mut encoder, mut models) = (Encoder::new(), Models::new(fewer));
    encoder.plain(0x3f80, STEP_BITS);
    models.write(&mut encoder, DIGITS[0], &numbers(2_048));
    (0..3).for_each(|_| encoder.plain(0, STEP_BITS));
    let refused = read(fewer, &encoder.finish());
    assert_eq!(refused, Err(Error::Damaged("more values are kept than the run allows")));
}

#[test]
fn what_cannot_be_compressed_has_a_code() {
    let refused = |settings, values: &[f32]| {
        compress(settings, &DIGITS, values).map(|_| ()).unwrap_err().code()
    };
    let good = update(&DIGITS, 1);
    for bad in [settings(0, 1), settings(9, 1), settings(8, 0), settings(8, 1_000_001)] {
        assert_eq!(refused(bad, &good), "compression-setting");
        assert_eq!(decompress(bad, &DIGITS, &[1]).unwrap_err().code(), "compression-setting");
    }
    assert_eq!(refused(settings(8, 1), &good[1..]), "compression-shape");
    for value in [f32::NAN, f32::INFINITY, 3.0e6] {
        let mut bad = good.clone();
        bad[7] = value;
        assert_eq!(refused(settings(8, 1), &bad), "compression-value");
    }
}

/// Numbers that change on the way change what is read: two texts never mean one update.
#[test]
fn what_is_read_has_one_encoding() {
    let few = settings(8, 10_000);
    let bytes = compress(few, &DIGITS, &update(&DIGITS, 6)).unwrap();
    let read = decompress(few, &DIGITS, &bytes).unwrap();
    for bit in 0..8 * bytes.len() {
        let mut other = bytes.clone();
        other[bit / 8] ^= 1 << (bit % 8);
        assert_ne!(decompress(few, &DIGITS, &other), Ok(read.clone()), "bit {bit}");
    }
    for end in 0..bytes.len() {
        assert_ne!(decompress(few, &DIGITS, &bytes[..end]), Ok(read.clone()), "{end} bytes");
    }
}
