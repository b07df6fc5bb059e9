//! Dropout (Srivastava et al. 2014), inverted: in training a number is 0 with the layer's
//! probability and otherwise divided by the probability that it is not; in inference all stay.
//!
//! The mask is a function of the step's seed and of which layer it is: one draw of 32 bits per
//! number, in canonical order.

use super::reshape::copy;
use super::{Builder, Compiled, Slot, Step, Value};
use crate::rng::Rng;
use crate::tensor::index;

/// Keeps the sequences of layers apart from those of other purposes, which are small numbers.
const STREAM: u64 = 1 << 32;

#[derive(Debug)]
struct Dropout {
    /// A draw below it puts the number to 0.
    threshold: u32,
    /// What the others are multiplied by.
    scale: f32,
    stream: u64,
    mask: Slot,
}

#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "both are below 1001")]
pub(super) fn compile(
    rate_per_mille: u32,
    y: &Value,
    builder: &mut Builder,
) -> impl Compiled + use<> {
    let threshold = (u64::from(rate_per_mille) << 32) / 1000;
    Dropout {
        threshold: u32::try_from(threshold).unwrap_or(u32::MAX),
        scale: 1000.0 / (1000 - rate_per_mille.min(999)) as f32,
        stream: STREAM | u64::from(builder.layer),
        mask: builder.kept(y.stride),
    }
}

impl Compiled for Dropout {
    fn forward(&self, step: &mut Step<'_>) {
        let (x, y) = (step.wiring.x(), &step.wiring.y);
        let ([from, out, mask], _) = step.pass.slots([x.slot, y.slot, self.mask]);
        copy(from, x, out, y);
        let Some(seed) = step.seed else { return };
        let mut rng = Rng::from_u64_stream(seed, self.stream);
        let channels = index(y.shape.channels());
        mask.fill(0.0);
        for position in mask.chunks_exact_mut(y.step) {
            for factor in position.iter_mut().take(channels) {
                *factor = if rng.next_u32() < self.threshold { 0.0 } else { self.scale };
            }
        }
        out.iter_mut().zip(mask).for_each(|(y, factor)| *y *= *factor);
    }

    fn backward(&self, step: &mut Step<'_>) {
        if let Some(dx) = step.wiring.dx() {
            let ([d, mask, dx], _) = step.pass.slots([step.wiring.dy, self.mask, dx]);
            let factors = d.iter().zip(mask);
            dx.iter_mut().zip(factors).for_each(|(dx, (d, factor))| *dx = *d * *factor);
        }
    }
}
