//! Losses: their value for a row, and their gradient for a batch.
//!
//! Values are added up in `f64` with our own logarithm, so that a reported loss is the same on
//! every platform. Probabilities are kept away from 0 by the smallest normal `f32`: a loss stays
//! finite (at most 87.4 per output) however wrong a sure network is.

use crate::math;
use crate::neural::dataset::Target;
use crate::neural::specification::{Activation, Loss, Specification};

/// The loss of one row of outputs, `[n]`.
#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "unit counts are exact")]
pub(crate) fn of_row(specification: &Specification, outputs: &[f32], target: Target<'_>) -> f64 {
    let terms = outputs.iter().enumerate();
    match specification.loss {
        Loss::Mse => {
            let square = |(place, output): (usize, &f32)| {
                let difference = f64::from(*output) - f64::from(target.at(place));
                difference * difference
            };
            terms.map(square).sum::<f64>() / outputs.len().max(1) as f64
        }
        Loss::CrossEntropy if ends_with(specification, Activation::Sigmoid) => terms
            .map(|(place, output)| {
                let target = target.at(place);
                surprise(target, *output) + surprise(1.0 - target, 1.0 - *output)
            })
            .sum(),
        Loss::CrossEntropy => {
            terms.map(|(place, output)| surprise(target.at(place), *output)).sum()
        }
    }
}

/// The gradient for one row, already divided by the `rows` of its batch; padding becomes 0.
///
/// For cross-entropy this is the gradient of the last layer's *sums*, where it is simply
/// `output - target`; for the mean square it is that of the outputs.
#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "counts are exact in f32")]
pub(crate) fn gradient_row(
    specification: &Specification,
    outputs: &[f32],
    target: Target<'_>,
    rows: usize,
    d: &mut [f32],
) {
    let factor = match specification.loss {
        Loss::Mse => 2.0 / (outputs.len() as f32 * rows as f32),
        Loss::CrossEntropy => 1.0 / rows as f32,
    };
    d.fill(0.0);
    for (place, (d, output)) in d.iter_mut().zip(outputs).enumerate() {
        *d = (*output - target.at(place)) * factor;
    }
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

fn ends_with(specification: &Specification, activation: Activation) -> bool {
    specification.layers.last().is_some_and(|layer| layer.activation() == activation)
}
