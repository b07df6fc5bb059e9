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
    let (spec, feedback) = (spec(), Feedback::new());
    let whole = update(&spec, 1);
    assert_eq!(write(&spec, &whole, &feedback), Ok((whole.clone(), feedback)));
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
        let (blob, _) = write(&small, &update(&small, seed), &Feedback::new()).unwrap();
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
    let (blob, _) = write(&spec, &whole, &Feedback::new()).unwrap();
    let mut aggregator = Aggregator::new(&spec, 1);
    for bad in [whole.as_slice(), &[], &blob[..blob.len() - 1], &[blob.as_slice(), &[1]].concat()] {
        assert_eq!(check(&spec, bad).unwrap_err().code(), "compression-damaged");
        assert_eq!(aggregator.add(1, bad).unwrap_err().code(), "compression-damaged");
    }
    assert_eq!(aggregator.add(1, &blob), Ok(()));
    // What is no update is none, however it would be sent.
    let short = write(&spec, &whole[4..], &Feedback::new()).unwrap_err();
    assert_eq!(short.code(), "update-length");
    let mut huge = whole;
    huge[..4].copy_from_slice(&1.0e9_f32.to_le_bytes());
    assert_eq!(write(&spec, &huge, &Feedback::new()).unwrap_err().code(), "update-value");
}
