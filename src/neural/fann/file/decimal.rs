//! Exact decimal digits of floats, as C's `printf` gives them.
//!
//! The standard library's formatting brings more tables than this whole module has code, and a file
//! needs just two forms. A float is a whole number times a power of two, and so a whole number
//! divided by a power of ten; that number's digits are all there is to know.

/// `%.20e`: one digit, twenty more, an exponent of at least two digits.
pub(super) fn exponential(number: f32) -> String {
    const DIGITS: usize = 21;
    let (digits, fraction) = exact(number);
    let mut exponent = whole(digits.len()) - whole(fraction) - 1;
    let mut kept = rounded(&digits, digits.len().saturating_sub(DIGITS));
    if kept.len() > DIGITS.min(digits.len()) {
        exponent += 1;
    }
    kept.resize(DIGITS, 0);
    if digits.is_empty() {
        exponent = 0;
    }
    let text: String = kept.iter().map(|digit| char::from(b'0' + digit)).collect();
    let (first, rest) = text.split_at(1);
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}{first}.{rest}e{sign}{:02}", minus(number), exponent.unsigned_abs())
}

/// `%f`: six digits behind the point.
pub(super) fn fixed(number: f32) -> String {
    const DIGITS: usize = 6;
    let (mut digits, fraction) = exact(number);
    if fraction > DIGITS {
        digits = rounded(&digits, fraction - DIGITS);
    } else {
        digits.resize(digits.len() + DIGITS - fraction, 0);
    }
    let missing = (DIGITS + 1).saturating_sub(digits.len());
    let zeros = std::iter::repeat_n(0, missing);
    let text: String = zeros.chain(digits).map(|digit: u8| char::from(b'0' + digit)).collect();
    let (before, behind) = text.split_at(text.len() - DIGITS);
    format!("{}{before}.{behind}", minus(number))
}

fn minus(number: f32) -> &'static str {
    if number.is_sign_negative() { "-" } else { "" }
}

fn whole(count: usize) -> i32 {
    i32::try_from(count).expect("a float has at most 151 digits")
}

/// All digits of a finite number's size without zeros in front, and how many of them are behind
/// the point. Zero has none.
fn exact(number: f32) -> (Vec<u8>, usize) {
    let bits = number.to_bits() & 0x7fff_ffff;
    let (exponent, fraction) = (bits >> 23, bits & 0x007f_ffff);
    let mantissa = if exponent == 0 { fraction } else { fraction | 0x0080_0000 };
    // The number is mantissa * 2^power, and 2^-n is 5^n / 10^n.
    let power = i64::from(exponent.max(1)) - 150;
    let factor = if power < 0 { 5 } else { 2 };
    let mut limbs = vec![u64::from(mantissa)];
    for _ in 0..power.unsigned_abs() {
        multiply(&mut limbs, factor);
    }
    let places = if power < 0 { power.unsigned_abs() } else { 0 };
    (digits(&limbs), usize::try_from(places).unwrap_or(0))
}

/// Nine digits of a number in each limb, the lowest first.
const LIMB: u64 = 1_000_000_000;

fn multiply(limbs: &mut Vec<u64>, factor: u64) {
    let mut carry = 0;
    for limb in limbs.iter_mut() {
        let product = *limb * factor + carry;
        (*limb, carry) = (product % LIMB, product / LIMB);
    }
    if carry > 0 {
        limbs.push(carry);
    }
}

fn digits(limbs: &[u64]) -> Vec<u8> {
    let mut digits = Vec::with_capacity(limbs.len() * 9);
    for limb in limbs {
        let mut left = *limb;
        for _ in 0..9 {
            digits.push((left % 10).to_le_bytes()[0]);
            left /= 10;
        }
    }
    while digits.last() == Some(&0) {
        digits.pop();
    }
    digits.reverse();
    digits
}

/// Without the last `drop` digits, rounded to the nearest, and to even from half way.
fn rounded(digits: &[u8], drop: usize) -> Vec<u8> {
    let Some(keep) = digits.len().checked_sub(drop) else { return Vec::new() };
    let (kept, dropped) = digits.split_at(keep);
    let mut kept = kept.to_vec();
    let odd = kept.last().is_some_and(|digit| digit % 2 == 1);
    let up = match dropped {
        [5, rest @ ..] => odd || rest.iter().any(|digit| *digit > 0),
        [first, ..] => *first > 5,
        [] => false,
    };
    if up {
        for digit in kept.iter_mut().rev() {
            *digit = (*digit + 1) % 10;
            if *digit != 0 {
                return kept;
            }
        }
        kept.insert(0, 1);
    }
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// C's exponent has a sign and two digits, Rust's has neither.
    fn like_c(number: f32) -> String {
        let text = format!("{:.20e}", f64::from(number));
        let (digits, exponent) = text.split_once('e').unwrap();
        let exponent: i32 = exponent.parse().unwrap();
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{digits}e{sign}{:02}", exponent.abs())
    }

    fn agrees(number: f32) {
        assert_eq!(exponential(number), like_c(number));
        assert_eq!(fixed(number), format!("{:.6}", f64::from(number)));
    }

    #[test]
    fn ends_of_the_range_are_written_as_the_standard_library_does() {
        for number in [0.0, -0.0, 1.0, 0.7, -0.1, 9.999_999e-7, 4.999_999e-7, 0.5, 999_999.94] {
            agrees(number);
        }
        for number in [f32::MAX, f32::MIN, f32::MIN_POSITIVE, f32::from_bits(1), 9.536_743e-7] {
            agrees(number);
        }
        assert_eq!(exponential(0.1), "1.00000001490116119385e-01");
    }

    proptest! {
        #[test]
        fn every_float_is_written_as_the_standard_library_does(bits: u32) {
            let number = f32::from_bits(bits);
            prop_assume!(number.is_finite());
            agrees(number);
        }
    }
}
