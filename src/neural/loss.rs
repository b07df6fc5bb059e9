//! Losses: their value for a row, and their gradient for a batch.
//!
//! Values are added up in `f64` with our own logarithm, so that a reported loss is the same on
//! every platform. Probabilities are kept away from 0 by the smallest normal `f32`: a loss stays
//! finite (at most 87.4 per output) however wrong a sure network is.

use crate::math;
use crate::neural::dataset::Target;
use crate::neural::specification::{Activation, Layer, Loss, Specification};

/// The loss of one row of outputs, `[n]`.
#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "unit counts are exact")]
pub(crate) fn of_row(specification: &Specification, outputs: &[f32], target: Target<'_>) -> f64 {
    let sigmoid = specification.layers.last().map(Layer::activation) == Some(Activation::Sigmoid);
    let term = |(place, output): (usize, &f32)| {
        let (output, target) = (*output, target.at(place));
        let difference = f64::from(output) - f64::from(target);
        match specification.loss {
            Loss::Mse => difference * difference,
            Loss::Mae => difference.abs(),
            Loss::Huber if difference.abs() <= 1.0 => difference * difference / 2.0,
            Loss::Huber => difference.abs() - 0.5,
            Loss::Quantile(per_mille) => {
                let q = f64::from(per_mille) / 1_000.0;
                if difference < 0.0 { -q * difference } else { (1.0 - q) * difference }
            }
            Loss::Bce | Loss::CrossEntropy if sigmoid => {
                surprise(target, output) + surprise(1.0 - target, 1.0 - output)
            }
            Loss::Bce | Loss::CrossEntropy => surprise(target, output),
        }
    };
    let sum: f64 = outputs.iter().enumerate().map(term).sum();
    match specification.loss {
        Loss::CrossEntropy => sum,
        _ => sum / outputs.len().max(1) as f64,
    }
}

/// The gradient for one row that counts `weight` in a batch of `rows`; padding becomes 0.
///
/// For the losses of probabilities this is the gradient of the last layer's *sums*, where it is
/// simply `output - target`; for the others that of the outputs. Where a loss has a kink its
/// gradient is 0.
#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "counts are exact in f32")]
pub(crate) fn gradient_row(
    loss: Loss,
    outputs: &[f32],
    target: Target<'_>,
    weight: f32,
    rows: usize,
    d: &mut [f32],
) {
    let (count, rows) = (outputs.len() as f32, rows as f32);
    let factor = weight
        * match loss {
            Loss::CrossEntropy => 1.0 / rows,
            Loss::Mse => 2.0 / (count * rows),
            _ => 1.0 / (count * rows),
        };
    d.fill(0.0);
    for (place, (d, output)) in d.iter_mut().zip(outputs).enumerate() {
        let difference = *output - target.at(place);
        *d = factor * slope(loss, difference);
    }
}

/// The derivative of a loss by one output, but for a constant factor.
fn slope(loss: Loss, difference: f32) -> f32 {
    let sign = |below: f32, above: f32| {
        if difference < 0.0 {
            below
        } else if difference > 0.0 {
            above
        } else {
            // Zero, or a NaN that has to stay one.
            difference
        }
    };
    match loss {
        Loss::Mse | Loss::Bce | Loss::CrossEntropy => difference,
        Loss::Huber if difference.abs() <= 1.0 => difference,
        Loss::Mae | Loss::Huber => sign(-1.0, 1.0),
        Loss::Quantile(per_mille) => {
            let q = thousandths(per_mille);
            sign(-q, 1.0 - q)
        }
    }
}

#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "below 1,000")]
fn thousandths(per_mille: u32) -> f32 {
    per_mille as f32 / 1_000.0
}

/// `-share ln probability`; 0 for a share of 0.
fn surprise(share: f32, probability: f32) -> f64 {
    if share == 0.0 {
        return 0.0;
    }
    // Written so that a NaN stays one: a diverged network must not look like a poor one.
    let least = f32::MIN_POSITIVE;
    let probability = if probability < least { least } else { probability };
    -f64::from(share) * math::ln(f64::from(probability))
}
