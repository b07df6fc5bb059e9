//! Layers of several inputs: sums (residual connections), gates and concatenations.
//!
//! A value whose gradient is wanted is never the network's input, so gradients of inputs of the
//! shape of the output are placed as the output is; only values may be placed otherwise.

use super::reshape::copy;
use super::{Builder, Compiled, Slot, Step, Value};
use crate::neural::activation;
use crate::neural::specification::Activation;

/// `y = x + a + b ..`, all of one shape.
#[derive(Debug)]
pub(super) struct Add;

impl Compiled for Add {
    fn forward(&self, step: &mut Step<'_>) {
        let y = &step.wiring.y;
        for (place, x) in step.wiring.xs.iter().enumerate() {
            let ([from, to], _) = step.pass.slots([x.slot, y.slot]);
            if place == 0 {
                copy(from, x, to, y);
            } else {
                combine(from, x, to, y, |to, from| to + from);
            }
        }
    }

    fn backward(&self, step: &mut Step<'_>) {
        for dx in step.wiring.dxs.iter().flatten() {
            let ([d, dx], _) = step.pass.slots([step.wiring.dy, *dx]);
            dx.copy_from_slice(d);
        }
    }
}

/// `y = x sigmoid(g)`, both of one shape.
#[derive(Debug)]
pub(super) struct Gate {
    /// `sigmoid(g)`, placed as the output.
    opening: Slot,
}

pub(super) fn gate(y: &Value, builder: &mut Builder) -> Gate {
    Gate { opening: builder.kept(y.stride) }
}

impl Compiled for Gate {
    fn forward(&self, step: &mut Step<'_>) {
        let [x, g] = step.wiring.xs.as_slice() else { return };
        let y = &step.wiring.y;
        let ([from, opening], _) = step.pass.slots([g.slot, self.opening]);
        copy(from, g, opening, y);
        activation::apply(Activation::Sigmoid, opening);
        let ([from, opening, to], _) = step.pass.slots([x.slot, self.opening, y.slot]);
        to.copy_from_slice(opening);
        combine(from, x, to, y, |opening, x| x * opening);
    }

    fn backward(&self, step: &mut Step<'_>) {
        let ([x, _], [dx, dg]) = (step.wiring.xs.as_slice(), step.wiring.dxs.as_slice()) else {
            return;
        };
        let (y, dy) = (&step.wiring.y, step.wiring.dy);
        if let Some(dx) = dx {
            let ([opening, d, dx], _) = step.pass.slots([self.opening, dy, *dx]);
            let pairs = opening.iter().zip(d.iter());
            dx.iter_mut().zip(pairs).for_each(|(dx, (opening, d))| *dx = *d * *opening);
        }
        if let Some(dg) = dg {
            let ([from, opening, d, dg], _) = step.pass.slots([x.slot, self.opening, dy, *dg]);
            dg.copy_from_slice(d);
            combine(from, x, dg, y, |d, x| d * x);
            activation::gradient(Activation::Sigmoid, opening, dg);
        }
    }
}

/// The channels of all inputs, position by position.
#[derive(Debug)]
pub(super) struct Concat;

impl Compiled for Concat {
    fn forward(&self, step: &mut Step<'_>) {
        let y = &step.wiring.y;
        step.pass.slot(y.slot).fill(0.0);
        let mut before = 0;
        for x in &step.wiring.xs {
            let ([from, to], _) = step.pass.slots([x.slot, y.slot]);
            for (from, to) in from.chunks_exact(x.stride).zip(to.chunks_exact_mut(y.stride)) {
                let positions = from.chunks(x.step).zip(to.chunks_mut(y.step));
                for (from, to) in positions.take(x.positions()) {
                    let to = to.iter_mut().skip(before);
                    to.zip(from.iter().take(x.channels())).for_each(|(to, from)| *to = *from);
                }
            }
            before += x.channels();
        }
    }

    fn backward(&self, step: &mut Step<'_>) {
        let y = &step.wiring.y;
        let mut before = 0;
        for (x, dx) in step.wiring.xs.iter().zip(&step.wiring.dxs) {
            if let Some(dx) = dx {
                let ([d, dx], _) = step.pass.slots([step.wiring.dy, *dx]);
                dx.fill(0.0);
                for (d, dx) in d.chunks_exact(y.step).zip(dx.chunks_exact_mut(x.step)) {
                    let to = dx.iter_mut().take(x.channels());
                    to.zip(d.iter().skip(before)).for_each(|(to, from)| *to = *from);
                }
            }
            before += x.channels();
        }
    }
}

/// `to = f(to, from)`, number by number, `from` placed as `x` and `to` as `y`, of one shape.
/// Padding stays as it is: sums of sums would let it grow beyond what is finite.
fn combine(from: &[f32], x: &Value, to: &mut [f32], y: &Value, f: impl Fn(f32, f32) -> f32) {
    if (x.step, x.stride) == (y.step, y.stride) && x.step == x.channels() {
        to.iter_mut().zip(from).for_each(|(to, from)| *to = f(*to, *from));
        return;
    }
    for (from, to) in from.chunks_exact(x.stride).zip(to.chunks_exact_mut(y.stride)) {
        let positions = from.chunks(x.step).zip(to.chunks_mut(y.step));
        for (from, to) in positions.take(x.positions()) {
            let from = from.iter().take(x.channels());
            to.iter_mut().zip(from).for_each(|(to, from)| *to = f(*to, *from));
        }
    }
}
