//! A secret in shares, some of which give it back and fewer of which say nothing.
//!
//! Shamir, "How to Share a Secret" (1979), over the field of 256 elements that AES has, each byte
//! by itself: a polynomial whose value at 0 is the byte and whose other coefficients are drawn
//! evenly. Share `i` of `n` is its value at `i`, from 1. There are no tables and no branches by
//! secret bytes, so that time tells nothing.

use zeroize::{Zeroize as _, Zeroizing};

use super::Error;
use crate::rng::Rng;

/// Bytes of a secret, and of a share of it.
pub const SECRET_BYTES: usize = 32;
/// A secret or a share.
pub type Bytes = [u8; SECRET_BYTES];

/// Shares 1 to `shares` of a secret, any `threshold` of which give it back.
///
/// `source` is secret: who knows its sequence knows the secret by one share.
///
/// # Errors
/// [`Error::Shares`] for no threshold, one above `shares`, or more than 255 shares.
pub fn split(
    secret: &Bytes,
    threshold: usize,
    shares: usize,
    source: &mut Rng,
) -> Result<Vec<Bytes>, Error> {
    let last = u8::try_from(shares).map_err(|_| Error::Shares { shares, threshold })?;
    if threshold == 0 || threshold > shares {
        return Err(Error::Shares { shares, threshold });
    }
    // From the highest power down, as Horner's rule takes them.
    let mut coefficients = vec![[0; SECRET_BYTES]; threshold - 1];
    for coefficient in &mut coefficients {
        source.fill(coefficient);
    }
    let value = |x: u8| {
        let mut value: Bytes = [0; SECRET_BYTES];
        for coefficient in coefficients.iter().chain([secret]) {
            for (value, coefficient) in value.iter_mut().zip(coefficient) {
                *value = multiply(*value, x) ^ coefficient;
            }
        }
        value
    };
    let dealt = (1..=last).map(value).collect();
    coefficients.zeroize();
    Ok(dealt)
}

/// The secret, from shares with their numbers. What comes out of fewer shares than the threshold,
/// or of wrong ones, is another secret: compare it with a commitment.
///
/// Nothing for number 0, or for one number twice.
pub fn combine(shares: &[(u8, Bytes)]) -> Option<Zeroizing<Bytes>> {
    share_at(0, shares)
}

/// The share of this number that belongs to these; of number 0 the secret.
///
/// Nothing for shares of number 0, or for one number twice.
pub fn share_at(number: u8, shares: &[(u8, Bytes)]) -> Option<Zeroizing<Bytes>> {
    let mut value = Zeroizing::new([0; SECRET_BYTES]);
    for (place, (x, share)) in shares.iter().enumerate() {
        let mut weight = 1;
        for (other, (z, _)) in shares.iter().enumerate() {
            if other != place {
                weight = multiply(weight, multiply(number ^ z, inverse(x ^ z)?));
            }
        }
        if *x == 0 {
            return None;
        }
        for (value, share) in value.iter_mut().zip(share) {
            *value ^= multiply(weight, *share);
        }
    }
    Some(value)
}

/// The product modulo `x^8 + x^4 + x^3 + x + 1` (FIPS 197, section 4.2).
pub(super) fn multiply(left: u8, right: u8) -> u8 {
    let (mut left, mut right, mut product) = (left, right, 0);
    for _ in 0..8 {
        product ^= left & (right & 1).wrapping_neg();
        let carry = (left >> 7).wrapping_neg();
        left = (left << 1) ^ (carry & 0x1b);
        right >>= 1;
    }
    product
}

/// The inverse, which is the 254th power; 0 has none. Numbers of shares are no secret.
fn inverse(value: u8) -> Option<u8> {
    if value == 0 {
        return None;
    }
    // 254 = 2 + 4 + ... + 128.
    let (mut power, mut inverse) = (value, 1);
    for _ in 0..7 {
        power = multiply(power, power);
        inverse = multiply(inverse, power);
    }
    Some(inverse)
}
