//! `y = activation(x W + b)` at each position: `[rows, positions, k] x [k, n] -> [.., n]`.

use std::ops::Range;

use super::finish::Finish;
use super::{Builder, Compiled, Initial, Step, Value};
use crate::neural::specification::Activation;
use crate::simd::F32x4;
use crate::tensor::{matmul, pack, padded};

#[derive(Debug)]
struct Dense {
    finish: Finish,
    k: usize,
    n: usize,
    weights: Range<usize>,
    bias: Range<usize>,
}

pub(super) fn compile(
    activation: Activation,
    x: &Value,
    y: &Value,
    builder: &mut Builder,
) -> impl Compiled + use<> {
    let (k, n) = (x.channels(), y.channels());
    let weights = builder.matrix(k, n, initial(activation, k, n));
    let bias = builder.vector(n, Initial::Constant(0.0));
    // The transposed weights, and a bias of zeros for the product with them.
    builder.fixed(pack::packed_len(n, k) + padded(k));
    Dense { finish: Finish::new(activation, y, builder), k, n, weights, bias }
}

/// Uniform within `sqrt(6 / in)` before relu (He et al. 2015), within `sqrt(6 / (in + out))`
/// otherwise (Glorot and Bengio 2010).
#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "sizes are exact in f64")]
pub(super) fn initial(activation: Activation, fan_in: usize, fan_out: usize) -> Initial {
    let (fan_in, fan_out) = (fan_in as f64, fan_out as f64);
    Initial::Uniform(match activation {
        Activation::Relu => (6.0 / fan_in).sqrt(),
        _ => (6.0 / (fan_in + fan_out)).sqrt(),
    })
}

impl Compiled for Dense {
    fn forward(&self, step: &mut Step<'_>) {
        let (x, y) = (step.wiring.x(), &step.wiring.y);
        let ([from, out], _) = step.pass.slots([x.slot, y.slot]);
        let weights = step.parameters.get(&self.weights);
        let bias = step.parameters.get(&self.bias);
        matmul::matmul::<F32x4>(from, x.step, self.k, weights, bias, out, self.finish.floor());
        self.finish.forward(step);
    }

    fn backward(&self, step: &mut Step<'_>) {
        let (wiring, x) = (step.wiring, step.wiring.x());
        self.finish.backward(step);
        let ([from, d], _) = step.pass.slots([x.slot, wiring.dy]);
        let weights = step.gradient.get_mut(self.weights.clone()).unwrap_or_default();
        matmul::weight_gradient::<F32x4>(from, x.step, self.k, d, self.n, weights);
        let bias = step.gradient.get_mut(self.bias.clone()).unwrap_or_default();
        matmul::column_sums::<F32x4>(d, bias);
        if let Some(dx) = wiring.dx() {
            let ([d, dx], fixed) = step.pass.slots([wiring.dy, dx]);
            let weights = step.parameters.get(&self.weights);
            input_gradient(d, (self.k, self.n), weights, fixed, dx);
        }
    }
}

/// `dx = d W^T`. The weights turn after every step, so their transpose is made anew each time: it
/// costs one pass over them, the product that follows costs one per row.
pub(super) fn input_gradient(
    d: &[f32],
    (k, n): (usize, usize),
    weights: &[f32],
    fixed: &mut [f32],
    dx: &mut [f32],
) {
    let (transposed, rest) = fixed.split_at_mut(pack::packed_len(n, k));
    pack::transpose(weights, k, n, transposed);
    let (bias, _) = rest.split_at_mut(padded(k));
    bias.fill(0.0);
    matmul::matmul::<F32x4>(d, padded(n), n, transposed, bias, dx, f32::NEG_INFINITY);
}
