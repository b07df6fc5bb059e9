//! `y = f(x)`, an activation alone: `[rows, ..] -> [rows, ..]`.

use super::finish::Finish;
use super::reshape::copy;
use super::{Builder, Compiled, Step, Value};
use crate::neural::activation;
use crate::neural::specification::Activation;

#[derive(Debug)]
struct Activate {
    activation: Activation,
    finish: Finish,
}

pub(super) fn compile(
    activation: Activation,
    y: &Value,
    builder: &mut Builder,
) -> impl Compiled + use<> {
    Activate { activation, finish: Finish::new(activation, y, builder) }
}

impl Compiled for Activate {
    fn forward(&self, step: &mut Step<'_>) {
        let (x, y) = (step.wiring.x(), &step.wiring.y);
        let ([from, out], _) = step.pass.slots([x.slot, y.slot]);
        copy(from, x, out, y);
        activation::cut(self.activation, out);
        self.finish.forward(step);
    }

    fn backward(&self, step: &mut Step<'_>) {
        let (x, y) = (step.wiring.x(), &step.wiring.y);
        self.finish.backward(step);
        if let Some(dx) = step.wiring.dx() {
            let ([d, dx], _) = step.pass.slots([step.wiring.dy, dx]);
            copy(d, y, dx, x);
        }
    }
}
