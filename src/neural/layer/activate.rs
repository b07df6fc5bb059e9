//! `y = f(x)`, an activation alone: `[rows, ..] -> [rows, ..]`.

use super::reshape::copy;
use super::{Compiled, Step};
use crate::neural::activation;
use crate::neural::specification::Activation;

#[derive(Debug)]
pub(super) struct Activate(pub(super) Activation);

impl Compiled for Activate {
    fn forward(&self, step: &mut Step<'_>) {
        let (x, y) = (step.wiring.x(), &step.wiring.y);
        let ([from, out], _) = step.pass.slots([x.slot, y.slot]);
        copy(from, x, out, y);
        activation::cut(self.0, out);
        activation::finish(self.0, out, y.step, y.channels());
    }

    fn backward(&self, step: &mut Step<'_>) {
        let (x, y) = (step.wiring.x(), &step.wiring.y);
        let ([out, d], _) = step.pass.slots([y.slot, step.wiring.dy]);
        if !step.wiring.cancels {
            activation::undo(self.0, out, d, y.step);
        }
        if let Some(dx) = step.wiring.dx() {
            let ([d, dx], _) = step.pass.slots([step.wiring.dy, dx]);
            copy(d, y, dx, x);
        }
    }
}
