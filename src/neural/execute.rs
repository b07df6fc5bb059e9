//! The interpreter of plans: one `match` per operation, no allocation, no branch on shapes.

use crate::neural::activation;
use crate::neural::arena::Pass;
use crate::neural::dataset::Labels;
use crate::neural::loss;
use crate::neural::plan::{Dense, Kernel, Op, Plan};
use crate::neural::specification::Activation;
use crate::simd::F32x4;
use crate::tensor::{index, matmul, pack, padded};

/// What a training pass works on besides the arena.
#[derive(Debug)]
pub(crate) struct Training<'a> {
    /// Packed gradient, overwritten.
    pub(crate) gradient: &'a mut [f32],
    /// Targets of the whole data set.
    pub(crate) labels: &'a Labels,
    /// Which rows of it the batch consists of.
    pub(crate) rows: &'a [u32],
}

/// Inference over the rows in `pass`.
pub(crate) fn forward(plan: &Plan, parameters: &[f32], pass: &mut Pass<'_>) {
    for op in &plan.forward().ops {
        let Some(layer) = plan.layers().get(index(op.layer)) else { continue };
        if let Kernel::Dense(_) | Kernel::Softmax = op.kernel {
            run_forward(*op, layer, parameters, pass);
        }
    }
}

/// Forward and backward over the rows in `pass`; the sum of their losses.
pub(crate) fn training(
    plan: &Plan,
    parameters: &[f32],
    pass: &mut Pass<'_>,
    work: &mut Training<'_>,
) -> f64 {
    let mut loss = 0.0;
    for op in &plan.training().ops {
        let Some(layer) = plan.layers().get(index(op.layer)) else { continue };
        match op.kernel {
            Kernel::Dense(_) | Kernel::Softmax => run_forward(*op, layer, parameters, pass),
            Kernel::LossGradient => loss = loss_gradient(plan, *op, pass, work),
            Kernel::ActivationGradient(which) => {
                let (y, d, _) = pass.pair(op.a, op.b);
                activation::gradient(which, y, d);
            }
            Kernel::SoftmaxGradient => {
                let (y, d, _) = pass.pair(op.a, op.b);
                activation::softmax_gradient(y, d, index(op.b.stride));
            }
            Kernel::WeightGradient => weight_gradient(*op, layer, pass, work.gradient),
            Kernel::InputGradient => input_gradient(*op, layer, parameters, pass),
        }
    }
    loss
}

fn run_forward(op: Op, layer: &Dense, parameters: &[f32], pass: &mut Pass<'_>) {
    if let Kernel::Dense(which) = op.kernel {
        let (a, out, _) = pass.pair(op.a, op.b);
        let (weights, bias) = split(parameters, layer);
        let stride = index(op.a.stride);
        let floor = if which == Activation::Relu { 0.0 } else { f32::NEG_INFINITY };
        matmul::matmul::<F32x4>(a, stride, layer.k, weights, bias, out, floor);
        activation::apply(which, out);
    } else {
        activation::softmax(pass.slot(op.b), index(op.b.stride), layer.n);
    }
}

fn loss_gradient(plan: &Plan, op: Op, pass: &mut Pass<'_>, work: &Training<'_>) -> f64 {
    let specification = plan.specification();
    let (stride, n, rows) = (index(op.a.stride), index(specification.outputs()), pass.rows());
    let (outputs, d, _) = pass.pair(op.a, op.b);
    let pairs = outputs.chunks_exact(stride).zip(d.chunks_exact_mut(stride));
    let mut loss = 0.0;
    for ((outputs, d), row) in pairs.zip(work.rows) {
        let outputs = outputs.get(..n).unwrap_or(outputs);
        let target = work.labels.of_row(index(*row));
        loss += loss::of_row(specification, outputs, target);
        loss::gradient_row(specification, outputs, target, rows, d);
    }
    loss
}

fn weight_gradient(op: Op, layer: &Dense, pass: &mut Pass<'_>, gradient: &mut [f32]) {
    let stride = index(op.a.stride);
    let (x, d, _) = pass.pair(op.a, op.b);
    let (weights, bias) = split_mut(gradient, layer);
    matmul::weight_gradient::<F32x4>(x, stride, layer.k, d, layer.n, weights);
    matmul::column_sums::<F32x4>(d, bias);
}

/// The weights turn after every step, so their transpose is made anew each time: it costs one pass
/// over them, the product that follows costs one per row.
fn input_gradient(op: Op, layer: &Dense, parameters: &[f32], pass: &mut Pass<'_>) {
    let stride = index(op.a.stride);
    let (d, d_inputs, fixed) = pass.pair(op.a, op.b);
    let (weights, _) = split(parameters, layer);
    let (transposed, rest) = fixed.split_at_mut(pack::packed_len(layer.n, layer.k));
    pack::transpose(weights, layer.k, layer.n, transposed);
    let (bias, _) = rest.split_at_mut(padded(layer.k));
    bias.fill(0.0);
    matmul::matmul::<F32x4>(d, stride, layer.n, transposed, bias, d_inputs, f32::NEG_INFINITY);
}

/// A layer's packed weights and bias.
pub(crate) fn split<'a>(parameters: &'a [f32], layer: &Dense) -> (&'a [f32], &'a [f32]) {
    let weights = parameters.get(layer.weights..layer.bias).unwrap_or_default();
    (weights, parameters.get(layer.bias..layer.end).unwrap_or_default())
}

/// As [`split`], to write.
pub(crate) fn split_mut<'a>(
    parameters: &'a mut [f32],
    layer: &Dense,
) -> (&'a mut [f32], &'a mut [f32]) {
    let of_layer = parameters.get_mut(layer.weights..layer.end).unwrap_or_default();
    let weights = (layer.bias - layer.weights).min(of_layer.len());
    of_layer.split_at_mut(weights)
}
