//! Decimal numbers from text.
//!
//! The standard library's reader is exact to the last bit of 64 and brings 20 KB of tables for it;
//! features are kept in 32 bits. This one multiplies the first 19 digits by a power of ten in
//! `f64`, within a few units in its last place, which the rounding to `f32` that follows all but
//! never shows. It is made of basic operations only, so every platform reads the same bits.

/// The powers of ten that `f64` holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// Reads a decimal number with an optional sign, fraction and exponent, or `nan`, `inf` and
/// `infinity` in any case; `None` for any other text. A number too large is infinity.
pub(in crate::neural) fn parse(text: &str) -> Option<f64> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        all => (false, all),
    };
    let size = named(digits).or_else(|| decimal(digits))?;
    Some(if negative { -size } else { size })
}

/// The names of what is not finite; recognised to be refused with the right words.
fn named(text: &[u8]) -> Option<f64> {
    if text.eq_ignore_ascii_case(b"nan") {
        Some(f64::NAN)
    } else if text.eq_ignore_ascii_case(b"inf") || text.eq_ignore_ascii_case(b"infinity") {
        Some(f64::INFINITY)
    } else {
        None
    }
}

/// A number without its sign.
#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "rounds once")]
fn decimal(text: &[u8]) -> Option<f64> {
    let (mut mantissa, mut exponent, mut digits) = (0_u64, 0_i32, 0_u32);
    let mut point = false;
    let mut rest = text.iter();
    let mut power = None;
    for byte in rest.by_ref() {
        match byte {
            b'0'..=b'9' => {
                digits = digits.saturating_add(1);
                let dropped = mantissa >= 1_000_000_000_000_000_000;
                if !dropped {
                    mantissa = mantissa * 10 + u64::from(byte - b'0');
                }
                exponent = exponent.saturating_add(i32::from(dropped) - i32::from(point));
            }
            b'.' if !point => point = true,
            b'e' | b'E' => {
                power = Some(());
                break;
            }
            _ => return None,
        }
    }
    if digits == 0 {
        return None;
    }
    if power.is_some() {
        exponent = exponent.saturating_add(integer(rest.as_slice())?);
    }
    Some(scaled(mantissa as f64, exponent))
}

/// The exponent; one that is too large for any number stays at 99999.
fn integer(text: &[u8]) -> Option<i32> {
    let (sign, digits) = match text {
        [b'-', rest @ ..] => (-1, rest),
        [b'+', rest @ ..] => (1, rest),
        all => (1, all),
    };
    let mut size = 0_i32;
    for byte in digits {
        let digit = byte.is_ascii_digit().then(|| i32::from(byte - b'0'))?;
        size = (size * 10 + digit).min(99_999);
    }
    (!digits.is_empty()).then_some(sign * size)
}

/// `mantissa * 10^exponent`.
fn scaled(mut mantissa: f64, exponent: i32) -> f64 {
    let mut left = exponent.unsigned_abs();
    let up = exponent > 0;
    // Further steps would leave zero zero and infinity infinity.
    while left > 0 && mantissa != 0.0 && mantissa.is_finite() {
        let step = left.min(22);
        let power = usize::try_from(step).ok().and_then(|step| POWERS.get(step));
        let power = power.copied().unwrap_or(1.0);
        mantissa = if up { mantissa * power } else { mantissa / power };
        left -= step;
    }
    mantissa
}

#[cfg(test)]
#[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "rounds on purpose")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_not_a_number_is_refused() {
        for text in ["", "+", "-", ".", "e1", "1e", "1e+", "1 2", "1,5", "0x1", "--1", "1.2.3", "i"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
        assert!(parse("NaN").is_some_and(f64::is_nan));
        assert_eq!(parse("-Infinity"), Some(f64::NEG_INFINITY));
        assert_eq!(parse("1e99999999999"), Some(f64::INFINITY));
        assert_eq!(parse("1e-99999999999"), Some(0.0));
        assert_eq!(parse("0e99999999999"), Some(0.0));
        assert_eq!(parse("-0.0").map(f64::to_bits), Some((-0.0_f64).to_bits()));
    }

    proptest! {
        #[test]
        fn numbers_are_read_as_the_standard_library_does(
            text in "[+-]?([0-9]{1,12}(\\.[0-9]{0,12})?|\\.[0-9]{1,12})([eE][+-]?[0-9]{1,2})?",
        ) {
            let (ours, std) = (parse(&text).unwrap(), text.parse::<f64>().unwrap());
            prop_assert!((ours - std).abs() <= 4.0 * f64::EPSILON * std.abs(), "{}", text);
            prop_assert_eq!((ours as f32).to_bits(), (std as f32).to_bits());
        }

        #[test]
        fn floats_written_by_anybody_come_back(bits: u32) {
            let number = f32::from_bits(bits);
            prop_assume!(number.is_finite());
            let long = format!("{:.18e}", f64::from(number));
            for text in [format!("{number}"), format!("{number:e}"), long] {
                prop_assert_eq!(parse(&text).map(|x| (x as f32).to_bits()), Some(bits), "{}", text);
            }
        }

        #[test]
        fn the_same_texts_are_numbers(text in "[-+0-9.eE]{0,8}|(?i)-?(nan|inf|infinity)|.{0,4}") {
            prop_assert_eq!(parse(&text).is_some(), text.parse::<f64>().is_ok(), "{}", text);
        }
    }
}
