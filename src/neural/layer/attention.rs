//! Multi-head self-attention over a sequence (Vaswani et al. 2017, section 3.2):
//! `[rows, steps, features] -> [rows, steps, features]`.
//!
//! ```text
//! q, k, v = x Wq + bq, x Wk + bk, x Wv + bv     all steps of all rows
//! for each row and head, on its d = features / heads columns
//!   context = softmax(q k^T / sqrt d) v          causal: only itself and the steps before it
//! y = context Wo + bo
//! ```
//!
//! The shares that softmax gives are not kept: `steps^2` of them for every head and row would be
//! the largest thing in the arena. Backward computes them again, from the same numbers (the idea of
//! Dao et al. 2022, section 3.1, without its tiling), so that memory grows with `steps` only.

mod head;

use std::ops::Range;

use self::head::Head;
use super::{Builder, Compiled, Initial, Slot, Step, Value, dense};
use crate::neural::specification::Activation;
use crate::simd::F32x4;
use crate::tensor::{index, matmul, pack, padded, strided};

#[derive(Debug)]
struct Attention {
    features: usize,
    heads: usize,
    head: Head,
    query: Projection,
    key: Projection,
    value: Projection,
    output: Projection,
    /// `[steps, features]`: what the output is a projection of, then its gradient.
    context: Slot,
}

/// `x W + b` at each step, `[features][features]`.
#[derive(Debug)]
struct Projection {
    weights: Range<usize>,
    bias: Range<usize>,
    /// `[steps, features]`: its result, then the gradient of it. That of the output is `y`.
    slot: Slot,
}

pub(super) fn compile(
    heads: u32,
    causal: bool,
    x: &Value,
    y: &Value,
    builder: &mut Builder,
) -> impl Compiled + use<> {
    let (features, steps) = (x.channels(), x.positions());
    let heads = index(heads);
    let head = Head::new(steps, features / heads, causal);
    builder.fixed_in_forward(head.numbers_forward());
    builder.fixed(head.numbers_backward());
    builder.fixed(pack::packed_len(features, features) + padded(features));
    let len = x.stride;
    let query = Projection::new(features, builder.kept(len), builder);
    let key = Projection::new(features, builder.kept(len), builder);
    let value = Projection::new(features, builder.kept(len), builder);
    let output = Projection::new(features, y.slot, builder);
    let context = builder.kept(len);
    Attention { features, heads, head, query, key, value, output, context }
}

impl Projection {
    /// Weights begin as those of a linear dense layer.
    fn new(features: usize, slot: Slot, builder: &mut Builder) -> Self {
        let initial = dense::initial(Activation::Linear, features, features);
        let weights = builder.matrix(features, features, initial);
        let bias = builder.vector(features, Initial::Constant(0.0));
        Self { weights, bias, slot }
    }

    fn forward(&self, from: Slot, features: usize, step: &mut Step<'_>) {
        let weights = step.parameters.get(&self.weights);
        let bias = step.parameters.get(&self.bias);
        let ([from, to], _) = step.pass.slots([from, self.slot]);
        let floor = f32::NEG_INFINITY;
        matmul::matmul::<F32x4>(from, padded(features), features, weights, bias, to, floor);
    }

    /// The gradients of weights and bias, from that of the result in `d`.
    fn parameter_gradients(&self, from: Slot, d: Slot, features: usize, step: &mut Step<'_>) {
        let ([from, d], _) = step.pass.slots([from, d]);
        let weights = step.gradient.get_mut(self.weights.clone()).unwrap_or_default();
        let stride = padded(features);
        matmul::weight_gradient::<F32x4>(from, stride, features, d, features, weights);
        let bias = step.gradient.get_mut(self.bias.clone()).unwrap_or_default();
        matmul::column_sums::<F32x4>(d, bias);
    }

    /// `to = d W^T`, or added to what is there.
    fn input_gradient(&self, d: Slot, to: Slot, features: usize, adds: bool, step: &mut Step<'_>) {
        let weights = step.parameters.get(&self.weights);
        let ([d, to], fixed) = step.pass.slots([d, to]);
        if adds {
            let (transposed, _) = fixed.split_at_mut(pack::packed_len(features, features));
            pack::transpose(weights, features, features, transposed);
            let stride = padded(features);
            strided::accumulate::<F32x4>(d, stride, features, transposed, to, stride);
        } else {
            dense::input_gradient(d, (features, features), weights, fixed, to);
        }
    }
}

impl Compiled for Attention {
    fn forward(&self, step: &mut Step<'_>) {
        let x = step.wiring.x();
        for projection in [&self.query, &self.key, &self.value] {
            projection.forward(x.slot, self.features, step);
        }
        let slots = [self.query.slot, self.key.slot, self.value.slot, self.context];
        let ([q, k, v, context], fixed) = step.pass.slots(slots);
        context.fill(0.0);
        let (stride, width) = (padded(self.features), self.head.width());
        let rows = context.chunks_exact_mut(x.stride).enumerate();
        for (row, context) in rows {
            for head in 0..self.heads {
                let part = row * x.stride + head * width..(row + 1) * x.stride;
                let [q, k, v] =
                    [&*q, &*k, &*v].map(|all| all.get(part.clone()).unwrap_or_default());
                let context = context.get_mut(head * width..).unwrap_or_default();
                self.head.forward([q, k, v], context, stride, fixed);
            }
        }
        self.output.forward(self.context, self.features, step);
    }

    fn backward(&self, step: &mut Step<'_>) {
        let (x, dy) = (step.wiring.x(), step.wiring.dy);
        self.output.parameter_gradients(self.context, dy, self.features, step);
        self.output.input_gradient(dy, self.context, self.features, false, step);
        let slots = [self.query.slot, self.key.slot, self.value.slot, self.context];
        let ([q, k, v, context], fixed) = step.pass.slots(slots);
        let (stride, width) = (padded(self.features), self.head.width());
        for row in 0..context.len() / x.stride {
            for head in 0..self.heads {
                let part = row * x.stride + head * width..(row + 1) * x.stride;
                let gradient = context.get(part.clone()).unwrap_or_default();
                let qkv = [&mut *q, &mut *k, &mut *v]
                    .map(|all| all.get_mut(part.clone()).unwrap_or_default());
                self.head.backward(qkv, gradient, stride, fixed);
            }
        }
        for (index, projection) in [&self.query, &self.key, &self.value].into_iter().enumerate() {
            projection.parameter_gradients(x.slot, projection.slot, self.features, step);
            if let Some(dx) = step.wiring.dx() {
                projection.input_gradient(projection.slot, dx, self.features, index > 0, step);
            }
        }
    }
}

#[cfg(test)]
mod tests;
