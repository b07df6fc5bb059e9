//! Updates as whole numbers modulo 2^64.
//!
//! A value is rounded to steps of 2^-24, after it is cut to the run's clip; times the samples of
//! the update it is one word, negative ones in two's complement. A clip is at most 2^10, samples at
//! most 2^20 and updates of an aggregate at most 2^8, so a sum of honest updates stays within
//! 2^(10 + 24 + 20 + 8) = 2^62 on either side of zero, and no honest sum wraps.

use super::Error;
use crate::limits;

/// Binary digits behind the point: steps of 6e-8, as fine as `f32` has them near 1.
pub const FRACTION_BITS: u32 = 24;
/// Bytes of a word.
pub const WORD_BYTES: usize = 8;

/// Steps in 1.
#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "a power of two")]
const SCALE: f64 = (1_u64 << FRACTION_BITS) as f64;

#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "constants, at compile time"
)]
const _: () = {
    let value = (limits::MASKING_CLIP_MAX as u128) << FRACTION_BITS;
    let sum = value * limits::RUN_SAMPLES_MAX as u128 * limits::AGGREGATE_UPDATES_MAX as u128;
    assert!(sum <= 1 << 62, "a sum of honest updates never wraps");
};

/// The words of an update: each value cut to `clip`, in steps, times `samples`.
///
/// # Errors
/// [`Error::Value`] for the first value that is not finite.
pub fn encode(update: &[f32], samples: u32, clip: f32) -> Result<Vec<u64>, Error> {
    let word = |(index, value): (usize, &f32)| {
        if value.is_finite() {
            Ok((steps(*value, clip) * i64::from(samples)).cast_unsigned())
        } else {
            Err(Error::Value { index, value: *value })
        }
    };
    update.iter().enumerate().map(word).collect()
}

/// The mean of updates with so many samples together, from the sum of their words.
///
/// # Errors
/// [`Error::Overflow`] for the first value that no updates come to.
#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "rounded to f64 once, the same everywhere"
)]
pub fn decode(sum: &[u64], samples: u64, clip: f32) -> Result<Vec<f64>, Error> {
    let most = u128::from(steps(clip, clip).unsigned_abs()) * u128::from(samples);
    let divisor = samples as f64 * SCALE;
    let value = |(index, word): (usize, &u64)| {
        let steps = word.cast_signed();
        if u128::from(steps.unsigned_abs()) > most {
            return Err(Error::Overflow { index });
        }
        Ok(steps as f64 / divisor)
    };
    sum.iter().enumerate().map(value).collect()
}

/// Adds a masked update, little-endian words, to a sum of such.
///
/// # Errors
/// [`Error::Length`]; nothing is added then.
pub fn add(sum: &mut [u64], update: &[u8]) -> Result<(), Error> {
    let (words, rest) = update.as_chunks::<WORD_BYTES>();
    if words.len() != sum.len() || !rest.is_empty() {
        return Err(Error::Length { bytes: update.len(), values: sum.len() });
    }
    for (sum, word) in sum.iter_mut().zip(words) {
        *sum = sum.wrapping_add(u64::from_le_bytes(*word));
    }
    Ok(())
}

/// Words as they travel: little-endian.
pub fn bytes_of(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

#[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "at most 2^34")]
fn steps(value: f32, clip: f32) -> i64 {
    (f64::from(value.clamp(-clip, clip)) * SCALE).round() as i64
}
