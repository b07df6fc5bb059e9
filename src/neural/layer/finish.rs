//! What a layer does to its sums in the end: its activation, and the way back through it.
//!
//! Derivatives are told from the outputs, which are there anyway. Only where different sums give
//! one output, training keeps the sums as well.

use super::{Builder, Slot, Step, Value};
use crate::neural::activation;
use crate::neural::specification::Activation;

#[derive(Clone, Copy, Debug)]
pub(super) struct Finish {
    activation: Activation,
    /// A copy of the sums, placed like the output.
    sums: Option<Slot>,
}

impl Finish {
    pub(super) fn new(activation: Activation, y: &Value, builder: &mut Builder) -> Self {
        let sums = activation::wants_sums(activation).then(|| builder.kept(y.stride));
        Self { activation, sums }
    }

    /// What sums are at least where they are stored.
    pub(super) fn floor(&self) -> f32 {
        activation::floor(self.activation)
    }

    /// From the sums in `y`, not below the floor, to the output.
    pub(super) fn forward(&self, step: &mut Step<'_>) {
        let y = &step.wiring.y;
        if let (Some(sums), Some(_)) = (self.sums, step.seed) {
            let ([sums, out], _) = step.pass.slots([sums, y.slot]);
            sums.copy_from_slice(out);
        }
        let ([out], _) = step.pass.slots([y.slot]);
        activation::finish(self.activation, out, y.step, y.channels());
    }

    /// From the gradient of the output to that of the sums, unless it is that already.
    pub(super) fn backward(&self, step: &mut Step<'_>) {
        if step.wiring.cancels {
            return;
        }
        let y = &step.wiring.y;
        let from = self.sums.unwrap_or(y.slot);
        let ([from, d], _) = step.pass.slots([from, step.wiring.dy]);
        activation::undo(self.activation, from, d, y.step);
    }
}
