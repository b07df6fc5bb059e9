//! What of an update is kept, and in which steps: the author's half, which no reader repeats.

use super::{STEP_BITS, Settings, step_of};

/// Shares of the largest value that are tried as the largest multiple of a step, in tenths: with
/// few steps, to cut the largest values off loses less than to round the others coarsely.
const TRIED: std::ops::RangeInclusive<u8> = 2..=10;
/// From this many bits on the largest value is the largest multiple: nothing is left to gain.
const BITS_FINE: u32 = 6;

/// The update with all but its largest values set to zero; of equal ones the first are kept.
pub(super) fn largest(update: &[f32], kept: usize) -> Vec<f32> {
    if kept >= update.len() {
        return update.to_vec();
    }
    let mut order: Vec<(u32, usize)> = update
        .iter()
        .enumerate()
        // Sizes of finite numbers are in the order of their bits; the largest come first.
        .map(|(place, value)| (!value.abs().to_bits(), place))
        .collect();
    if kept > 0 {
        order.select_nth_unstable(kept - 1);
    }
    let mut values = vec![0.0; update.len()];
    for (_, place) in order.into_iter().take(kept) {
        if let (Some(to), Some(from)) = (values.get_mut(place), update.get(place)) {
            *to = *from;
        }
    }
    values
}

/// The step for the values of a tensor, as the upper half of an `f32`; 0 if no value is any step.
pub(super) fn step(settings: Settings, values: &[f32]) -> u32 {
    let step = best_step(settings, values);
    // The least numbers that there are may all round to none.
    let is_any = numbers(settings, values, step_of(step)).iter().any(|number| *number != 0);
    if is_any { step } else { 0 }
}

fn best_step(settings: Settings, values: &[f32]) -> u32 {
    if settings.bits == 1 {
        return rounded(mean_size(values));
    }
    let largest = values.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let levels = f32::from(u8::try_from(settings.levels()).unwrap_or(u8::MAX));
    let step = |tenths: u8| rounded(largest * f32::from(tenths) / 10.0 / levels);
    if settings.bits >= BITS_FINE {
        return step(10);
    }
    let loss = |step: u32| loss(settings, values, step_of(step));
    let tried = TRIED.rev().map(|tenths| (loss(step(tenths)), step(tenths)));
    tried.min_by(|left, right| left.0.total_cmp(&right.0)).map_or(0, |(_, step)| step)
}

/// Each value as a number of steps.
pub(super) fn numbers(settings: Settings, values: &[f32], step: f32) -> Vec<i8> {
    values.iter().map(|value| number(settings, *value, step)).collect()
}

#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "clamped to 127 on either side"
)]
fn number(settings: Settings, value: f32, step: f32) -> i8 {
    if settings.bits == 1 {
        // Zero is neither; a weight whose input is always zero stays where it is.
        return if value == 0.0 { 0 } else { value.signum() as i8 };
    }
    let most = f32::from(u8::try_from(settings.levels()).unwrap_or(u8::MAX));
    (value / step).clamp(-most, most).round_ties_even() as i8
}

/// The sum of squares that is lost.
fn loss(settings: Settings, values: &[f32], step: f32) -> f64 {
    if step <= 0.0 {
        return f64::INFINITY;
    }
    let lost = |value: &f32| {
        let read = f32::from(number(settings, *value, step)) * step;
        f64::from(value - read)
    };
    values.iter().map(lost).map(|lost| lost * lost).sum()
}

fn mean_size(values: &[f32]) -> f32 {
    let (mut sum, mut count) = (0.0, 0_u32);
    for value in values.iter().filter(|value| **value != 0.0) {
        sum += f64::from(value.abs());
        count += 1;
    }
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        reason = "a mean of f32 is in their range"
    )]
    let mean = (sum / f64::from(count.max(1))) as f32;
    mean
}

/// The nearest step that has its lower half empty.
fn rounded(step: f32) -> u32 {
    let half = 1 << (STEP_BITS - 1);
    (step.to_bits() + half) >> STEP_BITS
}
