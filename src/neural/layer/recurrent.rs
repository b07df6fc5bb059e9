//! Recurrent layers: `[rows, steps, in] -> [rows, steps, units]`, or the last step of it.
//!
//! ```text
//! gates = x W + b                              all steps of all rows: one product
//! for each step, the state being 0 at first
//!   gates[step] += h U                         (GRU: a product of its own)
//!   gates[step], state = cell(gates[step], state)
//! ```
//!
//! Backwards the same loop turns each step's gates into the gradients of their sums; those of `W`,
//! `U`, `b` and `x` follow from all of them in one product each. Both directions of a layer work in
//! the same way, one after the other; what they give stands side by side.
//!
//! What is kept per step: the gates after their activations, and the state before the step.

mod direction;

mod run;

mod rnn;

mod lstm;

mod gru;

mod part;

use std::ops::Range;

use self::direction::Direction;
use self::run::Run;
use super::{Builder, Compiled, Slot, Step, Value, dense};
use crate::neural::arena::Pass;
use crate::neural::specification::{Cell, Returns};
use crate::simd::F32x4;
use crate::tensor::{matmul, pack, padded, strided};

#[derive(Debug)]
struct Recurrent {
    cell: Cell,
    inputs: usize,
    units: usize,
    steps: usize,
    returns: Returns,
    directions: Vec<Direction>,
}

pub(super) fn compile(
    (cell, bidirectional, returns): (Cell, bool, Returns),
    x: &Value,
    y: &Value,
    builder: &mut Builder,
) -> impl Compiled + use<> {
    let units = if bidirectional { y.channels() / 2 } else { y.channels() };
    let (inputs, steps) = (x.channels(), x.positions());
    let mut layer = Recurrent { cell, inputs, units, steps, returns, directions: Vec::new() };
    for backwards in [false, true].into_iter().take(if bidirectional { 2 } else { 1 }) {
        layer.directions.push(Direction::new(cell, [inputs, units, steps], backwards, builder));
    }
    let sums = layer.sums();
    builder.fixed_in_forward(padded(sums));
    // One transposed matrix at a time, and a bias of zeros for the product with it.
    builder.fixed(pack::packed_len(sums, units.max(inputs)) + padded(units.max(inputs)));
    layer
}

impl Recurrent {
    /// Sums per step: `gates * units`.
    fn sums(&self) -> usize {
        direction::gates(self.cell) * self.units
    }

    /// Numbers of a state.
    fn state_len(&self) -> usize {
        direction::state_len(self.cell, self.units)
    }

    /// The position that a direction reads in its turn `turn`, and that of `y` which it writes.
    fn places(&self, direction: &Direction, turn: usize) -> (usize, Option<usize>) {
        let at = if direction.backwards { self.steps - 1 - turn } else { turn };
        match self.returns {
            Returns::All => (at, Some(at)),
            Returns::Last => (at, (turn + 1 == self.steps).then_some(0)),
        }
    }

    /// `gates = x W + b` for all steps.
    fn project(&self, direction: &Direction, step: &mut Step<'_>) {
        let x = step.wiring.x();
        let ([from, gates], fixed) = step.pass.slots([x.slot, direction.gates]);
        let (bias, _) = fixed.split_at_mut(padded(self.sums()));
        bias.fill(0.0);
        let mut rest = &mut *bias;
        for (len, range) in &direction.bias {
            let (part, tail) = rest.split_at_mut(*len);
            part.iter_mut().zip(step.parameters.get(range)).for_each(|(to, from)| *to = *from);
            rest = tail;
        }
        let (k, weights) = (self.inputs, step.parameters.get(&direction.input));
        matmul::matmul::<F32x4>(from, x.step, k, weights, bias, gates, f32::NEG_INFINITY);
    }

    /// A direction's numbers in the arena, those of `y` or of its gradient, and the fixed part.
    fn run<'a>(
        &self,
        direction: &Direction,
        pass: &'a mut Pass<'_>,
        y: Slot,
    ) -> (Run<'a>, &'a mut [f32], &'a mut [f32]) {
        let Direction { gates, products, before, state, .. } = *direction;
        let (cell, units, steps, rows) = (self.cell, self.units, self.steps, pass.rows());
        let (sums_len, state_len) = (padded(self.sums()), self.state_len());
        let ([gates, products, before, state, y], fixed) =
            pass.slots([gates, products, before, state, y]);
        state.fill(0.0);
        let lengths = run::Lengths { units, steps, rows, sums: sums_len, state: state_len };
        (Run { cell, lengths, gates, products, before, state }, y, fixed)
    }

    /// Through the steps: the gates, and `y`.
    fn steps_forward(&self, direction: &Direction, step: &mut Step<'_>) {
        let (y, training) = (&step.wiring.y, step.seed.is_some());
        let weights = step.parameters.get(&direction.recurrent);
        let candidate = step.parameters.get(&direction.candidate);
        let (mut run, out, _) = self.run(direction, &mut step.pass, y.slot);
        for turn in 0..self.steps {
            let (at, position) = self.places(direction, turn);
            if training {
                run.remember(at);
            }
            run.begin(at, candidate);
            if turn > 0 {
                run.add_product(at, weights);
            }
            run.forward(at);
            if let Some(position) = position {
                let offset = position * y.step + direction.begin;
                for (to, state) in out.chunks_exact_mut(y.stride).zip(run.states()) {
                    to.iter_mut().skip(offset).zip(state).for_each(|(to, from)| *to = *from);
                }
            }
        }
    }

    /// Back through the steps, after which gates and products are the gradients of their sums.
    fn steps_backward(&self, direction: &Direction, step: &mut Step<'_>) {
        let y = &step.wiring.y;
        let weights = step.parameters.get(&direction.recurrent);
        let (mut run, dy, fixed) = self.run(direction, &mut step.pass, step.wiring.dy);
        let (transposed, _) = fixed.split_at_mut(pack::packed_len(self.sums(), self.units));
        pack::transpose(weights, self.units, self.sums(), transposed);
        for turn in (0..self.steps).rev() {
            let (at, position) = self.places(direction, turn);
            if let Some(position) = position {
                let offset = position * y.step + direction.begin;
                for (from, state) in dy.chunks_exact(y.stride).zip(run.states()) {
                    state.iter_mut().zip(from.iter().skip(offset)).for_each(|(d, dy)| *d += *dy);
                }
            }
            run.backward(at);
            if turn > 0 {
                run.add_product_back(at, self.sums(), transposed);
            }
        }
    }

    /// The gradients of the parameters, from those of the sums.
    fn parameter_gradients(&self, direction: &Direction, step: &mut Step<'_>) {
        let (x, units, sums) = (step.wiring.x(), self.units, self.sums());
        let Direction { gates, products, before, .. } = *direction;
        let ([from, gates, products, before], fixed) =
            step.pass.slots([x.slot, gates, products, before]);
        let of_product = if self.cell == Cell::Gru { &*products } else { &*gates };
        let mut tensor = |range: &Range<usize>, write: &mut dyn FnMut(&mut [f32])| {
            write(step.gradient.get_mut(range.clone()).unwrap_or_default());
        };
        tensor(&direction.input, &mut |to| {
            matmul::weight_gradient::<F32x4>(from, x.step, self.inputs, gates, sums, to);
        });
        tensor(&direction.recurrent, &mut |to| {
            let stride = self.state_len();
            matmul::weight_gradient::<F32x4>(before, stride, units, of_product, sums, to);
        });
        let (bias, _) = fixed.split_at_mut(padded(sums));
        matmul::column_sums::<F32x4>(gates, bias);
        let mut rest = &*bias;
        for (len, range) in &direction.bias {
            let (part, tail) = rest.split_at(*len);
            tensor(range, &mut |to| copy(part, to));
            rest = tail;
        }
        if self.cell == Cell::Gru {
            matmul::column_sums::<F32x4>(products, bias);
            let part = bias.get(2 * units..3 * units).unwrap_or_default();
            tensor(&direction.candidate, &mut |to| copy(part, to));
        }
    }

    /// `dx = d W^T`, or added to what another direction put there.
    fn input_gradient(&self, direction: &Direction, dx: Slot, step: &mut Step<'_>) {
        let (k, n) = (self.inputs, self.sums());
        let weights = step.parameters.get(&direction.input);
        let ([gates, dx], fixed) = step.pass.slots([direction.gates, dx]);
        if direction.backwards {
            let (transposed, _) = fixed.split_at_mut(pack::packed_len(n, k));
            pack::transpose(weights, k, n, transposed);
            strided::accumulate::<F32x4>(gates, padded(n), n, transposed, dx, padded(k));
        } else {
            dense::input_gradient(gates, (k, n), weights, fixed, dx);
        }
    }
}

/// Numbers to the beginning of a padded vector.
fn copy(from: &[f32], to: &mut [f32]) {
    to.fill(0.0);
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
}

impl Compiled for Recurrent {
    fn forward(&self, step: &mut Step<'_>) {
        // The directions write their own parts of a position only.
        let y = step.wiring.y.slot;
        step.pass.slot(y).fill(0.0);
        for direction in &self.directions {
            self.project(direction, step);
            self.steps_forward(direction, step);
        }
    }

    fn backward(&self, step: &mut Step<'_>) {
        for direction in &self.directions {
            self.steps_backward(direction, step);
            self.parameter_gradients(direction, step);
            if let Some(dx) = step.wiring.dx() {
                self.input_gradient(direction, dx, step);
            }
        }
    }
}

#[cfg(test)]
mod tests;
