//! Natural logarithm, exponential, sine and cosine of `f64` from basic operations only.
//!
//! The standard library hands these to the platform, and platforms differ in the last bits.
//! Here they are sums and products in a fixed order, so that a result that is hashed or replayed is
//! the same natively and in wasm. They are for sampling and for reporting losses, one number at a
//! time; the vector kernels are in `simd`. Square roots need no help: IEEE 754 rounds them exactly.

#![expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "exponents of floats are integers of 11 bits and convert exactly"
)]

const LN_2: f64 = std::f64::consts::LN_2;
/// The first 32 bits of ln 2, so that small multiples of it are exact (Cody and Waite 1980).
const LN_2_HIGH: f64 = 6.931_471_803_691_238e-1;
/// ln 2 minus [`LN_2_HIGH`].
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// Natural logarithm.
///
/// Domain: every positive finite number; worst error seen against the standard library 2 ulp
/// (relative to `max(|ln x|, 1)`). Zero gives minus infinity, a negative number or NaN gives NaN.
#[inline(never)]
pub fn ln(x: f64) -> f64 {
    if x.is_nan() || x < 0.0 {
        return f64::NAN;
    }
    if x == 0.0 {
        return f64::NEG_INFINITY;
    }
    if x == f64::INFINITY {
        return x;
    }
    // Subnormal numbers are lifted into the normal range first; 2^54 is exact.
    let (x, lift) =
        if x < f64::MIN_POSITIVE { (x * 18_014_398_509_481_984.0, 54.0) } else { (x, 0.0) };
    let bits = x.to_bits();
    let mut exponent = ((bits >> 52).cast_signed() - 1023) as f64 - lift;
    let mut mantissa = f64::from_bits((bits & ((1 << 52) - 1)) | (1023 << 52));
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa *= 0.5;
        exponent += 1.0;
    }
    // ln m = 2 artanh s with s = (m - 1) / (m + 1), |s| <= 0.172: the series ends below 1e-18.
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let square = s * s;
    let mut sum = 0.0;
    let mut odd = 21.0;
    while odd >= 3.0 {
        sum = (sum + 1.0 / odd) * square;
        odd -= 2.0;
    }
    exponent * LN_2_HIGH + (exponent * LN_2_LOW + 2.0 * (s + s * sum))
}

/// Exponential.
///
/// Domain: every number; worst error seen against the standard library 2 ulp where the result is a
/// normal number. Overflows to infinity above 709.78, is 0 below -708.4 (no subnormal results).
#[inline(never)]
pub fn exp(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x > 709.782_712_893_384 {
        return f64::INFINITY;
    }
    if x < -708.396_418_532_264 {
        return 0.0;
    }
    let power = (x / LN_2).round();
    let r = (x - power * LN_2_HIGH) - power * LN_2_LOW;
    // Taylor series in Horner form; |r| <= 0.3466, so the term of degree 14 is below 5e-18.
    let mut sum = 1.0;
    let mut degree = 13.0;
    while degree >= 1.0 {
        sum = 1.0 + sum * r / degree;
        degree -= 1.0;
    }
    // Two factors, because 2^1024 has no bits of its own.
    let half = (power as i64) / 2;
    sum * power_of_two(half) * power_of_two(power as i64 - half)
}

/// The first 33 bits of pi / 2, so that its first 2^20 multiples are exact.
const QUARTER_TURN_HIGH: f64 = 1.570_796_326_734_125_6;
/// pi / 2 minus [`QUARTER_TURN_HIGH`].
const QUARTER_TURN_LOW: f64 = 6.077_100_506_506_192e-11;

/// Sine of an angle in radians.
///
/// Domain: `|x| < 2^20`; worst error seen against the standard library 1 ulp of 1.
#[inline(never)]
pub fn sin(x: f64) -> f64 {
    turned(x, 0)
}

/// Cosine of an angle in radians; as [`sin`].
#[inline(never)]
pub fn cos(x: f64) -> f64 {
    turned(x, 1)
}

/// The sine of `x` and so many quarter turns.
fn turned(x: f64, quarters: i64) -> f64 {
    let turns = (x / std::f64::consts::FRAC_PI_2).round();
    let r = (x - turns * QUARTER_TURN_HIGH) - turns * QUARTER_TURN_LOW;
    // Taylor series in Horner form; |r| <= 0.786, so the terms of degree 19 and 20 are below 1e-19.
    let alternating = |mut degree: f64| {
        let mut sum = 1.0;
        while degree > 1.0 {
            sum = 1.0 - sum * (r * r) / (degree * (degree - 1.0));
            degree -= 2.0;
        }
        sum
    };
    match ((turns as i64).rem_euclid(4) + quarters) % 4 {
        0 => r * alternating(17.0),
        1 => alternating(18.0),
        2 => -(r * alternating(17.0)),
        _ => -alternating(18.0),
    }
}

/// `2^exponent` for exponents of normal numbers (-1022 to 1023).
fn power_of_two(exponent: i64) -> f64 {
    debug_assert!((-1022..=1023).contains(&exponent), "exponent of a normal number");
    f64::from_bits((exponent + 1023).cast_unsigned() << 52)
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these values are exact")]
mod tests {
    use super::*;

    #[test]
    fn ln_agrees_with_the_standard_library() {
        let mut x = 1e-300_f64;
        while x < 1e300 {
            let (ours, std) = (ln(x), x.ln());
            assert!((ours - std).abs() <= 2.0 * f64::EPSILON * std.abs().max(1.0), "ln {x}");
            x *= 1.000_7;
        }
        assert_eq!(ln(1.0).to_bits(), 0.0_f64.to_bits());
        assert_eq!(ln(0.0), f64::NEG_INFINITY);
        assert!(ln(-1.0).is_nan());
        assert!((ln(5e-324) - 5e-324_f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn exp_agrees_with_the_standard_library() {
        let mut x = -708.0_f64;
        while x < 709.7 {
            let (ours, std) = (exp(x), x.exp());
            assert!((ours - std).abs() <= 2.0 * f64::EPSILON * std, "exp {x}: {ours} {std}");
            x += 0.013;
        }
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(-1e9), 0.0);
        assert_eq!(exp(1e9), f64::INFINITY);
        assert!(exp(f64::NAN).is_nan());
    }

    #[test]
    fn sin_and_cos_agree_with_the_standard_library() {
        let mut x = -70_000.0_f64;
        while x < 70_000.0 {
            assert!((sin(x) - x.sin()).abs() <= f64::EPSILON, "sin {x}");
            assert!((cos(x) - x.cos()).abs() <= f64::EPSILON, "cos {x}");
            x += 0.377;
        }
        for x in [1e-9, 0.785, 0.786, 1.57, 1.58, 3.2, 1_048_575.0] {
            assert!((sin(x) - x.sin()).abs() <= f64::EPSILON, "sin {x}");
            assert!((cos(x) - x.cos()).abs() <= f64::EPSILON, "cos {x}");
        }
        assert_eq!((sin(0.0), cos(0.0)), (0.0, 1.0));
        assert!(sin(f64::NAN).is_nan() && cos(f64::INFINITY).is_nan());
    }
}
