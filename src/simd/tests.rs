//! The polynomials against the standard library in `f64`, over their whole domain.

#![expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::float_cmp,
    reason = "tests round on purpose"
)]

use super::*;

/// Distance from the true value in units of the last place of the nearest `f32`.
fn error_ulp(ours: f32, truth: f64) -> f64 {
    let nearest = truth as f32;
    let ulp = f64::from(f32::from_bits(nearest.abs().to_bits() + 1)) - f64::from(nearest.abs());
    (f64::from(ours) - truth).abs() / ulp
}

/// The worst error of `f` over about 2 million arguments spread over the floats of `[from, to]`.
fn worst(f: fn(F32x4) -> F32x4, truth: fn(f64) -> f64, from: f32, to: f32) -> f64 {
    let mut worst = 0.0_f64;
    let steps = 500_000_u32;
    for step in 0..steps {
        let at = f64::from(from)
            + (f64::from(to) - f64::from(from)) * f64::from(step) / f64::from(steps);
        // Beside the even spread, one argument per step close to zero on either side.
        let x = [at as f32, (at * 1e-2) as f32, (at * 1e-4) as f32, (at * 0.37) as f32];
        for (x, y) in x.into_iter().zip(f(F32x4::load(&x)).to_array()) {
            worst = worst.max(error_ulp(y, truth(f64::from(x))));
        }
    }
    worst
}

#[test]
fn exp_is_within_its_documented_error() {
    let worst = worst(exp, f64::exp, EXP_MIN, EXP_MAX);
    assert!(worst <= 1.1, "{worst} ulp");
}

#[test]
fn sigmoid_is_within_its_documented_error() {
    let worst = worst(sigmoid, |x| 1.0 / (1.0 + (-x).exp()), -87.0, 88.0);
    assert!(worst <= 2.5, "{worst} ulp");
}

#[test]
fn tanh_is_within_its_documented_error() {
    let worst = worst(tanh, f64::tanh, -20.0, 20.0);
    assert!(worst <= 2.0, "{worst} ulp");
}

#[test]
fn softplus_is_within_its_documented_error() {
    let worst = worst(softplus, |x| x.exp().ln_1p(), -16.0, 88.0);
    assert!(worst <= 4.0, "{worst} ulp");
}

/// The distribution function of the normal distribution, by the series of Abramowitz and Stegun
/// (1964), 26.2.11 near 0 and the continued fraction 26.2.14 far from it.
fn phi(x: f64) -> f64 {
    let density = (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt();
    if x.abs() < 3.0 {
        let (mut term, mut sum, mut odd) = (x, x, 1.0);
        while sum + term != sum {
            odd += 2.0;
            term *= x * x / odd;
            sum += term;
        }
        return 0.5 + density * sum;
    }
    let fraction = (1..200).rev().fold(0.0, |below, n| f64::from(n) / (x.abs() + below));
    let tail = density / (x.abs() + fraction);
    if x < 0.0 { tail } else { 1.0 - tail }
}

#[test]
fn gelu_is_within_its_documented_error() {
    let worst = worst(gelu, |x| x * phi(x), -3.0, 13.0);
    assert!(worst <= 7.0, "{worst} ulp");
    for step in 0..100_000 {
        let x = -13.0 + 26.0 * step as f32 / 100_000.0;
        let (exact, x4) = (f64::from(x), F32x4::splat(x));
        let apart = |ours: F32x4, truth: f64| (f64::from(ours.to_array()[0]) - truth).abs();
        let below = apart(gelu(x4), exact * phi(exact));
        assert!(below <= 1e-8 || x > -3.0, "{x}: {below}");
        let density = (-exact * exact / 2.0).exp() / std::f64::consts::TAU.sqrt();
        let slope = apart(gelu_slope(x4), phi(exact) + exact * density);
        assert!(slope <= 3e-7, "slope at {x}: {slope}");
    }
}

#[test]
fn the_ends_of_the_domains_saturate() {
    let far = F32x4::load(&[f32::INFINITY, f32::NEG_INFINITY, 1e30, -1e30]);
    assert_eq!(tanh(far).to_array(), [1.0, -1.0, 1.0, -1.0]);
    let [high, low, ..] = sigmoid(far).to_array();
    assert!(high == 1.0 && low > 0.0 && low < 1e-37, "{high} {low}");
    let [high, low, ..] = exp(far).to_array();
    assert!(high.is_finite() && high > 2e38 && low > 0.0 && low < 2e-38, "{high} {low}");
    let [high, low, up, down] = gelu(far).to_array();
    assert!(high == f32::INFINITY && up == 1e30, "{high} {up}");
    assert!(low <= 0.0 && low > -1e-36 && low == down, "{low} {down}");
    let [high, low, up, down] = gelu_slope(far).to_array();
    assert!(high == 1.0 && up == 1.0 && low.abs() < 1e-35 && down.abs() < 1e-35, "{low} {down}");
    let nan = F32x4::splat(f32::NAN);
    for result in [exp(nan), sigmoid(nan), tanh(nan), gelu(nan), gelu_slope(nan)] {
        assert!(result.to_array().iter().all(|lane| lane.is_nan()));
    }
}
