//! Blobs of updates with and without compression, and aggregates of them.

#![allow(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "numbers of tests are small"
)]

use super::*;
use crate::compression::Settings;
use crate::dag::tests::spec;
use crate::federated::aggregator::Aggregator;
use crate::rng::Rng;

fn compressed() -> RunSpec {
    RunSpec { compression: Some(Settings { bits: 4, keep: 100_000 }), ..spec() }
}

fn update(spec: &RunSpec, seed: u64) -> Vec<u8> {
    let mut rng = Rng::from_u64(seed);
    let values = (0..spec.model.parameter_count()).map(|_| rng.normal_f32());
    values.flat_map(f32::to_le_bytes).collect()
}

#[test]
fn tensors_are_those_of_the_weights() {
    let parameters: usize = tensors(&spec()).iter().map(|[rows, columns]| rows * columns).sum();
    assert_eq!(tensors(&spec()), [[4, 8], [1, 8], [8, 3], [1, 3]]);
    assert_eq!(parameters, spec().model.parameter_count());
}

#[test]
fn without_compression_a_blob_is_the_values() {
    let (spec, carried) = (spec(), Carried::default());
    let whole = update(&spec, 1);
    assert_eq!(write(&spec, &whole, &carried, None), Ok((whole.clone(), carried)));
    assert_eq!(read(&spec, &whole).as_deref(), Ok(whole.as_slice()));
    assert!(is_size(&spec, whole.len() as u32) && !is_size(&spec, whole.len() as u32 - 1));
}

/// An aggregate of compressed updates is that of what is read of them, to the bit.
#[test]
fn an_aggregate_is_that_of_what_is_read() {
    let (small, whole) = (compressed(), spec());
    let base = update(&whole, 9);
    let (mut of_blobs, mut of_values) = (Aggregator::new(&small, 3), Aggregator::new(&whole, 3));
    for (samples, seed) in [(3, 1), (50, 2), (7, 3)] {
        let (blob, _) = write(&small, &update(&small, seed), &Carried::default(), None).unwrap();
        assert!(is_size(&small, blob.len() as u32) && check(&small, &blob).is_ok());
        assert!(blob.len() * 8 < base.len(), "{} bytes", blob.len());
        of_values.add(samples, &read(&small, &blob).unwrap()).unwrap();
        of_blobs.add(samples, &blob).unwrap();
    }
    assert_eq!(of_blobs.finish(&base, None), of_values.finish(&base, None));
}

#[test]
fn a_blob_that_is_no_update_is_refused_by_all() {
    let spec = compressed();
    let whole = update(&spec, 4);
    let (blob, _) = write(&spec, &whole, &Carried::default(), None).unwrap();
    let mut aggregator = Aggregator::new(&spec, 1);
    for bad in [whole.as_slice(), &[], &blob[..blob.len() - 1], &[blob.as_slice(), &[1]].concat()] {
        assert_eq!(check(&spec, bad).unwrap_err().code(), "compression-damaged");
        assert_eq!(aggregator.add(1, bad).unwrap_err().code(), "compression-damaged");
    }
    assert_eq!(aggregator.add(1, &blob), Ok(()));
    // What is no update is none, however it would be sent.
    let short = write(&spec, &whole[4..], &Carried::default(), None).unwrap_err();
    assert_eq!(short.code(), "update-length");
    let mut huge = whole;
    huge[..4].copy_from_slice(&1.0e9_f32.to_le_bytes());
    assert_eq!(write(&spec, &huge, &Carried::default(), None).unwrap_err().code(), "update-value");
}

/// A run with noise sends nothing without it, and the noise is its source's alone.
#[test]
fn a_run_with_noise_hides_updates_or_sends_none() {
    let privacy = Some(privacy::Settings { clip: 1.0, noise: 0.5, delta: 1.0e-5 });
    for spec in [RunSpec { privacy, ..spec() }, RunSpec { privacy, ..compressed() }] {
        let (whole, none) = (update(&spec, 5), Carried::default());
        let without = write(&spec, &whole, &none, None).unwrap_err();
        assert_eq!(without.code(), "privacy-source");
        let of = |seed| {
            let source = &mut Rng::from_u64(seed);
            write(&spec, &whole, &none, Some(source)).unwrap().0
        };
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
        assert!(check(&spec, &of(1)).is_ok());
        // What a compressed update lost is of the update with noise: what follows is hidden, too.
        let (_, lost) = write(&spec, &whole, &none, Some(&mut Rng::from_u64(1))).unwrap();
        let zeros = vec![0; whole.len()];
        let mut quiet = spec.clone();
        quiet.privacy = None;
        let (next, _) = write(&quiet, &zeros, &lost, None).unwrap();
        let plain = write(&quiet, &whole, &none, None).unwrap().1;
        let (bare, _) = write(&quiet, &zeros, &plain, None).unwrap();
        assert_eq!(next == bare, spec.compression.is_none());
    }
}

/// Worker momentum is a mean that forgets: of what was sent last a share, of the new the rest.
#[test]
fn an_update_with_momentum_goes_on_with_the_last_one() {
    let spec = RunSpec { worker_momentum: Some(0.75), ..spec() };
    let mut carried = Carried::default();
    let mut expected: Vec<f32> = Vec::new();
    for seed in 0..5 {
        let whole = update(&spec, seed);
        let values: Vec<f32> = super::super::average::values(&whole).collect();
        if expected.is_empty() {
            expected.clone_from(&values);
        }
        for (held, value) in expected.iter_mut().zip(&values) {
            *held = 0.75 * *held + 0.25 * value;
        }
        let (blob, left) = write(&spec, &whole, &carried, None).unwrap();
        let sent: Vec<f32> = super::super::average::values(&blob).collect();
        let far = sent.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(far < 1.0e-6, "update {seed}: {far}");
        assert!(seed == 0 || blob != whole, "the control");
        carried = left;
    }
}
