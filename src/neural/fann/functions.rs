//! Exponential, logarithm, sine and cosine from basic operations only.
//!
//! Activations are computed in `f64` and rounded once to `f32`, as libfann does with the platform's
//! functions. An error of a unit in the last place of `f64` survives that rounding once in 10^8
//! times, so networks trained from the same weights follow libfann's path bit by bit, and the path
//! is the same natively and in wasm. Those of `math` are for one number at a time: they divide in
//! every term, which would be most of the time of an epoch, and lose bits near whole turns.

#![expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "exponents of floats and quarters of a turn are small integers"
)]

/// `1 / n!` for n from 0 to 17.
const INVERSE_FACTORIALS: [f64; 18] = {
    let mut table = [1.0; 18];
    let (mut n, mut number, mut factorial) = (1, 1.0, 1.0);
    while n < table.len() {
        factorial *= number;
        #[expect(clippy::indexing_slicing, reason = "n is below the length")]
        {
            table[n] = 1.0 / factorial;
        }
        number += 1.0;
        n += 1;
    }
    table
};

/// The first 32 bits of ln 2, so that small multiples of it are exact (Cody and Waite 1980).
const LN_2_HIGH: f64 = 6.931_471_803_691_238e-1;
/// ln 2 minus [`LN_2_HIGH`].
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
/// The first 33 bits of a quarter turn, then the next 33, then the rest (fdlibm, `e_rem_pio2.c`).
const QUARTER: [f64; 3] =
    [1.570_796_326_734_125_6, 6.077_100_506_303_966e-11, 2.022_266_248_795_950_6e-21];
/// 1.5 * 2^52: adding it leaves the nearest integer in the lowest bits of the sum.
const INTEGER: f64 = 6_755_399_441_055_744.0;
/// Multiples of [`QUARTER`] are exact up to here; beyond, whole turns are taken off first.
const TURNS_MAX: f64 = 1_048_576.0;

/// Parts into which [`exp`] divides the way from one power of two to the next.
const PARTS: usize = 32;
/// `2^(n / 32)`, by the series of [`exp`] itself; worst error 1 ulp.
const ROOTS_OF_TWO: [f64; PARTS] = {
    let mut table = [1.0; PARTS];
    let (mut n, mut number) = (0, 0.0);
    while n < PARTS {
        let (x, mut sum, mut term) = (number * std::f64::consts::LN_2 / 32.0, 0.0, 18);
        while term > 0 {
            term -= 1;
            #[expect(clippy::indexing_slicing, reason = "18 terms")]
            {
                sum = sum * x + INVERSE_FACTORIALS[term];
            }
        }
        #[expect(clippy::indexing_slicing, reason = "n is below the length")]
        {
            table[n] = sum;
        }
        number += 1.0;
        n += 1;
    }
    table
};

/// `e^x`. Domain: every number; worst error seen 1.5 ulp. 0 below -708, infinity above 709, which
/// are 0 and infinity in `f32` long before.
///
/// `e^x = 2^(k / 32) e^r` with the nearest k, by a table and a short series (after Tang 1989).
pub(super) fn exp(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x > 709.0 {
        return f64::INFINITY;
    }
    if x < -708.0 {
        return 0.0;
    }
    let k = (x * (32.0 * std::f64::consts::LOG2_E) + INTEGER) - INTEGER;
    // Products with the high part are exact: 16 bits times 32.
    let r = (x - k * (LN_2_HIGH / 32.0)) - k * (LN_2_LOW / 32.0);
    // |r| <= 0.0109, so the term of degree 7 is below 4e-18.
    let [_, _, c2, c3, c4, c5, c6, ..] = INVERSE_FACTORIALS;
    let sum = r + r * r * (c2 + r * (c3 + r * (c4 + r * (c5 + r * c6))));
    let k = k as i64;
    let place = usize::try_from(k.rem_euclid(32)).unwrap_or(0);
    let root = ROOTS_OF_TWO.get(place).copied().unwrap_or(1.0);
    (root + root * sum) * power_of_two(k.div_euclid(32))
}

/// `2^x`, as libfann computes it.
pub(super) fn exp2(x: f64) -> f64 {
    exp(std::f64::consts::LN_2 * x)
}

/// `base^exponent` for a base that is not negative, as far as starting weights need it.
pub(super) fn power(base: f64, exponent: f64) -> f64 {
    if base == 0.0 { 0.0 } else { exp(crate::math::ln(base) * exponent) }
}

/// Sine. Domain: worst error seen 1e-16 up to 10^6, beyond it a number from -1 to 1; NaN stays.
pub(super) fn sin(x: f64) -> f64 {
    let (quarter, r) = quarters(x);
    turned(quarter, r)
}

/// Cosine; as [`sin`].
pub(super) fn cos(x: f64) -> f64 {
    let (quarter, r) = quarters(x);
    turned(quarter + 1, r)
}

fn power_of_two(exponent: i64) -> f64 {
    f64::from_bits((exponent + 1023).cast_unsigned() << 52)
}

/// The nearest number of quarter turns, and what is left, at most an eighth.
fn quarters(x: f64) -> (i64, f64) {
    let x = if x.abs() > TURNS_MAX { x % std::f64::consts::TAU } else { x };
    let n = (x * std::f64::consts::FRAC_2_PI).round();
    let [high, middle, low] = QUARTER;
    (n as i64, ((x - n * high) - n * middle) - n * low)
}

/// The sine of `quarter` quarter turns and `r` more, by Taylor series.
fn turned(quarter: i64, r: f64) -> f64 {
    let square = r * r;
    let sum = |first: usize| {
        let terms = INVERSE_FACTORIALS.iter().skip(first).step_by(2).rev();
        terms.fold(0.0, |sum, coefficient| coefficient - sum * square)
    };
    let size = if quarter & 1 == 0 { r - r * square * sum(3) } else { 1.0 - square * sum(2) };
    if quarter & 2 == 0 { size } else { -size }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_agrees_with_the_standard_library() {
        let mut x = -708.0_f64;
        while x < 709.0 {
            let (ours, std) = (exp(x), x.exp());
            assert!((ours - std).abs() <= 2.0 * f64::EPSILON * std, "exp {x}: {ours} {std}");
            x += 0.0137;
        }
        assert_eq!(exp(0.0).to_bits(), 1.0_f64.to_bits());
        assert!(exp(-1e9).to_bits() == 0 && exp(1e9) == f64::INFINITY && exp(f64::NAN).is_nan());
        assert!((exp2(-6.644) - 2.0_f64.powf(-6.644)).abs() < 1e-17);
    }

    #[test]
    fn sine_and_cosine_agree_with_the_standard_library() {
        let mut x = -1e6_f64;
        while x < 1e6 {
            assert!((sin(x) - x.sin()).abs() < 2e-16, "sin {x}: {} {}", sin(x), x.sin());
            assert!((cos(x) - x.cos()).abs() < 2e-16, "cos {x}: {} {}", cos(x), x.cos());
            x = x * 0.999 + 0.37 + if x.abs() < 700.0 { 1.3 } else { 0.0 };
            x += if x > 500.0 { x * 0.004 } else { 0.0 };
        }
        for x in [1e9, -3e38, f64::MAX] {
            assert!(sin(x).abs() <= 1.0 && cos(x).abs() <= 1.0);
        }
        assert!(sin(f64::NAN).is_nan() && sin(f64::INFINITY).is_nan());
    }

    #[test]
    fn rounded_to_32_bits_they_are_the_standard_librarys() {
        let mut worst = 0_u32;
        for step in 0..200_000_i32 {
            let x = f64::from(step) * 1.1e-3 - 110.0;
            let pairs = [(exp(x), x.exp()), (sin(x), x.sin()), (cos(x), x.cos())];
            let bits = |number: f64| (number as f32).to_bits();
            worst += pairs.iter().map(|(a, b)| u32::from(bits(*a) != bits(*b))).sum::<u32>();
        }
        assert!(worst <= 1, "{worst} of 600,000 differ");
    }
}
