//! Noise against its distribution, lengths against their limit, epsilons against dp-accounting.

#![allow(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "numbers of tests are small"
)]

use super::*;

const DRAWS: usize = 100_000;

fn settings(clip: f32, noise: f32) -> Settings {
    Settings { clip, noise, delta: 1.0e-5 }
}

fn length(values: &[f32]) -> f64 {
    values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt()
}

/// The distribution function of the standard normal, by its series (Abramowitz and Stegun 26.2.10).
fn normal_below(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for n in 1..200 {
        term *= -x * x / (2.0 * f64::from(n));
        sum += term / f64::from(2 * n + 1);
    }
    0.5 + sum / (2.0 * std::f64::consts::PI).sqrt()
}

/// Noise whose variance is taken for its standard deviation is a fault that others had: 0.5 would
/// become 0.25.
#[test]
fn the_noise_has_the_standard_deviation_that_was_asked_for() {
    for (clip, noise) in [(1.0, 0.5), (0.1, 1.0), (3.0, 0.05), (1.0, 20.0)] {
        let settings = settings(clip, noise);
        settings.validate().unwrap();
        let hidden = settings.hide(&vec![0.0; DRAWS], &mut Rng::from_u64(1));
        let n = DRAWS as f64;
        let mean = hidden.iter().map(|value| f64::from(*value)).sum::<f64>() / n;
        let deviation = length(&hidden) / n.sqrt();
        let asked = f64::from(clip) * f64::from(noise);
        assert!((deviation / asked - 1.0).abs() < 0.02, "{deviation} where {asked} was asked for");
        assert!(mean.abs() < 0.02 * asked, "{mean}");
        // The control: what the fault would have given is told apart.
        assert!((deviation / (asked * asked) - 1.0).abs() > 0.02 || (asked - 1.0).abs() < 1e-9);
    }
}

/// Kolmogorov and Smirnov: over 10^5 draws the largest gap to the normal distribution exceeds
/// `1.63 / sqrt(n)` in one of a hundred samples. The control has the wrong shape and fails.
#[test]
fn the_noise_is_normal() {
    let gap = |mut draws: Vec<f64>| {
        draws.sort_unstable_by(f64::total_cmp);
        let n = draws.len() as f64;
        let at = |(place, draw): (usize, &f64)| (normal_below(*draw) - place as f64 / n).abs();
        draws.iter().enumerate().map(at).fold(0.0, f64::max)
    };
    let mut source = Rng::from_u64(2);
    let scale = f64::from(noise::SCALE);
    let draws: Vec<f64> = (0..DRAWS).map(|_| noise::sample(&mut source) as f64 / scale).collect();
    let most = 1.63 / (DRAWS as f64).sqrt();
    let negative = draws.iter().filter(|draw| **draw < 0.0).count();
    assert!(negative.abs_diff(DRAWS / 2) < 500, "{negative}");
    assert!(gap(draws.clone()) < most, "{} of {most}", gap(draws));
    let uniform: Vec<f64> =
        (0..DRAWS).map(|_| (source.uniform_f64() - 0.5) * 12.0_f64.sqrt()).collect();
    assert!(gap(uniform) > most);
    // The far tail, which the gap does not see: 2.7 of a thousand beyond three deviations.
    let mut far = 0;
    for _ in 0..DRAWS {
        far += usize::from(noise::sample(&mut source).unsigned_abs() > 3 * u64::from(noise::SCALE));
    }
    assert!((220..320).contains(&far), "{far} of {DRAWS}");
}

/// A longer update tells more than epsilon says, be it by a last bit.
#[test]
fn no_update_is_longer_than_the_limit_and_shorter_ones_stay() {
    let mut rng = Rng::from_u64(3);
    for case in 0..2_000_u32 {
        let noise = [0.01, 0.5, 7.0, 1_000.0][case as usize % 4];
        let settings = settings([1.0e-3, 0.1, 1.0, 20.0, 1.0e3][case as usize % 5], noise);
        let stretch = [1.0e-4, 0.1, 1.0, 1.0e4][rng.below(4) as usize] * settings.clip;
        let update: Vec<f32> = (0..=rng.below(40)).map(|_| rng.normal_f32() * stretch).collect();
        let step = f64::from(settings.clip) * f64::from(noise) / f64::from(noise::SCALE);
        let steps = settings.shortened(&update, step);
        let sum: u128 = steps.iter().map(|value| square(*value)).sum();
        let limit = f64::from(noise::SCALE) / f64::from(noise);
        assert!((sum as f64).sqrt() <= limit, "case {case}");
        let factor = (f64::from(settings.clip) / length(&update)).min(1.0);
        for (steps, value) in steps.iter().zip(&update) {
            let gap = (*steps as f64 * step - f64::from(*value) * factor).abs();
            assert!(gap <= 1.01 * step + 0.01 * f64::from(settings.clip), "case {case}: {gap}");
            assert!(*steps == 0 || (*steps > 0) == (*value > 0.0));
        }
    }
}

#[test]
fn epsilons_are_those_of_dp_accounting() {
    #[derive(serde::Deserialize)]
    struct Case {
        multiplier: f64,
        releases: u64,
        delta: f64,
        epsilon: f64,
    }
    let text = include_str!("../../tests/vectors/privacy/epsilon.json");
    let cases: Vec<Case> = serde_json::from_str(text).unwrap();
    assert_eq!(cases.len(), 240);
    for Case { multiplier, releases, delta, epsilon } in cases {
        let found = accountant::epsilon(multiplier, releases, delta);
        let what = format!("{multiplier} {releases} {delta}: {found}, not {epsilon}");
        assert!((found - epsilon).abs() <= 1.0e-9 * epsilon.max(1.0), "{what}");
    }
    assert_eq!(accountant::epsilon(1.0, 0, 1.0e-5).to_bits(), 0.0_f64.to_bits());
    assert!(accountant::epsilon(0.0, 1, 1.0e-5).is_infinite());
}

/// Two updates of one limit are up to two limits apart: the noise counts half.
#[test]
fn epsilon_is_that_of_any_other_rows() {
    let found = settings(3.0, 4.0).epsilon(20);
    let expected = accountant::epsilon(2.0, 20, f64::from(1.0e-5_f32));
    assert!((found - expected).abs() < 1.0e-12);
    assert!(found > accountant::epsilon(4.0, 20, 1.0e-5) * 1.9);
    assert!(settings(3.0, 4.0).epsilon(21) > found && settings(3.0, 5.0).epsilon(20) < found);
}

/// Whoever guesses which of two opposite updates an outcome is of is right as often as theory has
/// it, and not more often: with noise of twice the limit, the likelier one is right for 69.1 %.
#[test]
fn an_outcome_tells_no_more_than_it_should() {
    let settings = settings(1.0, 2.0);
    let mut source = Rng::from_u64(4);
    let mut right = 0;
    for guess in 0..20_000 {
        let sign = if guess % 2 == 0 { 1.0 } else { -1.0 };
        // Far too long, as somebody's would be who wants to be recognised.
        let hidden = settings.hide(&[sign * 50.0], &mut source);
        right += usize::from((hidden[0] > 0.0) == (sign > 0.0));
    }
    let expected = normal_below(0.5);
    let share = right as f64 / 20_000.0;
    assert!((share - expected).abs() < 0.012, "{share}, not {expected}");
}

#[test]
fn every_bound_is_checked() {
    let good = settings(1.0, 1.0);
    assert_eq!(good.validate(), Ok(()));
    for bad in [
        Settings { clip: 0.0, ..good },
        Settings { clip: -1.0, ..good },
        Settings { clip: f32::NAN, ..good },
        Settings { clip: 2.0e5, ..good },
        Settings { noise: 0.0, ..good },
        Settings { noise: 1.0e4, ..good },
        Settings { noise: f32::NAN, ..good },
        Settings { delta: 0.0, ..good },
        Settings { delta: 0.5, ..good },
        Settings { delta: f32::INFINITY, ..good },
    ] {
        assert_eq!(bad.validate().unwrap_err().code(), "privacy-setting", "{bad:?}");
    }
}
