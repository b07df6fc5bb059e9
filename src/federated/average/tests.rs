//! Averages against the written rule, and what is refused.

#![allow(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "numbers of tests are small"
)]

use super::*;

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    values(bytes).collect()
}

fn finish(average: Average, base: &[u8]) -> Result<Vec<u8>, Error> {
    changed(base, &average.change()?)
}

#[test]
fn members_weigh_by_their_samples() {
    let mut average = Average::new(2);
    average.add(30, &bytes(&[1.0, -2.0])).unwrap();
    average.add(10, &bytes(&[5.0, 2.0])).unwrap();
    let weights = finish(average, &bytes(&[0.5, 0.5])).unwrap();
    assert_eq!(floats(&weights), [2.5, -0.5]);
}

#[test]
fn the_bits_are_those_of_the_written_rule() {
    // Values whose sum depends on the order and the width of the operations.
    let deltas: [(u32, [f32; 3]); 3] = [
        (7, [1.0e-3, 1.0e6, -3.333_333_3e-7]),
        (13, [-9.999_999e-4, -9.999_99e5, 1.0]),
        (1_000_000, [1.0e-9, 0.1, 0.3]),
    ];
    let base = [0.1_f32, -0.7, 1.0e-8];
    let mut average = Average::new(3);
    for (samples, delta) in &deltas {
        average.add(*samples, &bytes(delta)).unwrap();
    }
    let expected: Vec<u32> = (0..3)
        .map(|i| {
            let mut sum = 0.0_f64;
            for (samples, delta) in &deltas {
                sum += f64::from(*samples) * f64::from(delta[i]);
            }
            ((f64::from(base[i]) + sum / 1_000_020.0) as f32).to_bits()
        })
        .collect();
    let weights = finish(average, &bytes(&base)).unwrap();
    let bits: Vec<u32> = floats(&weights).iter().map(|value| value.to_bits()).collect();
    assert_eq!(bits, expected);
}

#[test]
fn an_average_of_one_is_that_update() {
    let mut average = Average::new(1);
    average.add(3, &bytes(&[0.25])).unwrap();
    assert_eq!(floats(&finish(average, &bytes(&[1.0])).unwrap()), [1.25]);
}

#[test]
fn bad_updates_are_refused_and_change_nothing() {
    let mut average = Average::new(2);
    average.add(1, &bytes(&[1.0, 1.0])).unwrap();
    let rows: [(u32, Vec<u8>, &str); 8] = [
        (0, bytes(&[1.0, 1.0]), "update-samples"),
        (limits::RUN_SAMPLES_MAX + 1, bytes(&[1.0, 1.0]), "update-samples"),
        (1, bytes(&[1.0]), "update-length"),
        (1, vec![0; 9], "update-length"),
        (1, vec![], "update-length"),
        (1, bytes(&[1.0, f32::NAN]), "update-value"),
        (1, bytes(&[f32::NEG_INFINITY, 1.0]), "update-value"),
        (1, bytes(&[1.0, limits::DELTA_ABS_MAX * 1.01]), "update-value"),
    ];
    for (samples, delta, code) in rows {
        assert_eq!(average.add(samples, &delta).unwrap_err().code(), code);
    }
    assert_eq!(floats(&finish(average, &bytes(&[0.0, 0.0])).unwrap()), [1.0, 1.0]);
}

#[test]
fn no_updates_and_foreign_weights_have_no_average() {
    assert_eq!(finish(Average::new(1), &bytes(&[1.0])), Err(Error::Empty));
    let mut average = Average::new(1);
    average.add(1, &bytes(&[1.0])).unwrap();
    assert_eq!(finish(average, &[0; 8]).unwrap_err().code(), "update-length");
}
