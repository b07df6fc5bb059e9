//! The interpreter of plans: one call per layer, no allocation.

use crate::neural::arena::Pass;
use crate::neural::dataset::{Labels, Target};
use crate::neural::layer::{Parameters, Slot, Step};
use crate::neural::loss;
use crate::neural::network::index_of_largest;
use crate::neural::plan::{Op, Plan};
use crate::tensor::index;

/// What a training pass works on besides the arena.
#[derive(Debug)]
pub(crate) struct Training<'a> {
    /// Packed gradient, overwritten.
    pub(crate) gradient: &'a mut [f32],
    /// Targets of the whole data set.
    pub(crate) labels: &'a Labels,
    /// Which rows of it the batch consists of.
    pub(crate) rows: &'a [u32],
    /// What a row of each class counts; empty if all count 1.
    pub(crate) class_weights: &'a [f32],
    /// Randomness of this step.
    pub(crate) seed: u64,
    /// Rows whose largest output is that of their class, counted up.
    pub(crate) right: &'a mut u32,
}

/// Puts rows where the plan's input is: `[rows, inputs]`, one slice for each row.
pub(crate) fn load<'r>(plan: &Plan, pass: &mut Pass<'_>, rows: impl Iterator<Item = &'r [f32]>) {
    let input = plan.input();
    let (channels, end) = (input.channels(), input.positions() * input.step);
    for (row, from) in pass.slot(input.slot).chunks_exact_mut(input.stride).zip(rows) {
        if input.positions() == 1 {
            put(row, from);
            continue;
        }
        let (positions, padding) = row.split_at_mut(end.min(input.stride));
        for (to, from) in positions.chunks_mut(input.step).zip(from.chunks(channels)) {
            put(to, from);
        }
        padding.fill(0.0);
    }
}

/// The numbers of a position, and its padding: what another pass left there may be a NaN, which no
/// weight of 0 makes harmless.
fn put(to: &mut [f32], from: &[f32]) {
    let (numbers, padding) = to.split_at_mut(from.len().min(to.len()));
    numbers.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
    padding.fill(0.0);
}

/// Hands each row of the plan's output to `each`, `[outputs]`.
pub(crate) fn unload(plan: &Plan, pass: &mut Pass<'_>, each: &mut dyn FnMut(&[f32])) {
    let output = plan.output();
    for row in pass.slot(output.slot).chunks_exact(output.stride) {
        each(row.get(..output.channels()).unwrap_or(row));
    }
}

/// Inference over the rows in `pass`.
pub(crate) fn forward(plan: &Plan, parameters: &[f32], pass: &mut Pass<'_>) {
    for op in &plan.forward().ops {
        let Op::Forward(layer) = op else { continue };
        let Some((layer, wiring)) = plan.layer(*layer) else { continue };
        let (pass, parameters) = (pass.reborrow(), Parameters::Inference(parameters));
        layer.forward(&mut Step { pass, parameters, gradient: &mut [], wiring, seed: None });
    }
}

/// Forward and backward over the rows in `pass`; the sum of their losses.
pub(crate) fn training(
    plan: &Plan,
    parameters: &mut [f32],
    pass: &mut Pass<'_>,
    work: &mut Training<'_>,
) -> f64 {
    let mut loss = 0.0;
    for op in &plan.training().ops {
        match *op {
            Op::Forward(layer) | Op::Backward(layer) => {
                let Some((layer, wiring)) = plan.layer(layer) else { continue };
                let mut step = Step {
                    pass: pass.reborrow(),
                    parameters: Parameters::Training(&mut *parameters),
                    gradient: &mut *work.gradient,
                    wiring,
                    seed: Some(work.seed),
                };
                match op {
                    Op::Forward(_) => layer.forward(&mut step),
                    _ => layer.backward(&mut step),
                }
            }
            Op::Loss { d } => loss = loss_gradient(plan, d, pass, work),
            Op::Accumulate { from, to } => {
                let ([from, to], _) = pass.slots([from, to]);
                to.iter_mut().zip(from).for_each(|(to, from)| *to += *from);
            }
        }
    }
    loss
}

/// The gradient of the outputs, and the sum of the losses of the rows.
fn loss_gradient(plan: &Plan, d: Slot, pass: &mut Pass<'_>, work: &mut Training<'_>) -> f64 {
    let (specification, output) = (plan.specification(), plan.output());
    let rows = pass.rows();
    let ([outputs, d], _) = pass.slots([output.slot, d]);
    let pairs = outputs.chunks_exact(output.stride).zip(d.chunks_exact_mut(output.stride));
    let mut sum = 0.0;
    for ((outputs, d), row) in pairs.zip(work.rows) {
        let outputs = outputs.get(..output.channels()).unwrap_or(outputs);
        let target = work.labels.of_row(index(*row));
        let weight = match target {
            Target::Class(class) => {
                *work.right += u32::from(index_of_largest(outputs) == index(class));
                work.class_weights.get(index(class)).copied().unwrap_or(1.0)
            }
            Target::Numbers(_) => 1.0,
        };
        sum += f64::from(weight) * loss::of_row(specification, outputs, target);
        loss::gradient_row(specification.loss, outputs, target, weight, rows, d);
    }
    sum
}
