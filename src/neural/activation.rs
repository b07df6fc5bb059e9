//! Activations and their derivatives.
//!
//! Derivatives are told from the *outputs*, which is all that a pass keeps: for `y = tanh x` it is
//! `1 - y^2`, for sigmoid `y (1 - y)`, for relu `1` where `y > 0` (so 0 at the kink), for elu
//! `y + 1` where `y < 0`, for softplus `1 - exp -y`. Only gelu falls before it rises, so that two
//! sums have one output: its derivative is told from the sums.

use crate::neural::specification::Activation;
use crate::simd::{self, F32x4, Lanes};

/// `x = f(x)`, number by number. Relu happens where the sums are stored, and softmax row by row.
pub(crate) fn apply(activation: Activation, numbers: &mut [f32]) {
    match activation {
        Activation::Tanh => map(numbers, simd::tanh),
        Activation::Sigmoid => map(numbers, simd::sigmoid),
        Activation::LeakyRelu => {
            map(numbers, |x| x.select_below(F32x4::splat(0.0), x.mul(F32x4::splat(LEAK)), x));
        }
        Activation::Elu => map(numbers, |x| {
            // Only below 0 is the exponential wanted, where it cannot overflow.
            let below = simd::exp(x.min(F32x4::splat(0.0))).sub(F32x4::splat(1.0));
            x.select_below(F32x4::splat(0.0), below, x)
        }),
        Activation::Softplus => map(numbers, simd::softplus),
        Activation::Gelu => map(numbers, simd::gelu),
        Activation::Relu | Activation::Linear | Activation::Softmax => {}
    }
}

/// Whether a derivative is told from the sums before the activation.
pub(crate) fn wants_sums(activation: Activation) -> bool {
    activation == Activation::Gelu
}

/// The floor of a layer's sums: 0 for relu, which happens where they are stored.
pub(crate) fn floor(activation: Activation) -> f32 {
    if activation == Activation::Relu { 0.0 } else { f32::NEG_INFINITY }
}

/// Relu where no sums are stored.
#[cfg(feature = "layers")]
pub(crate) fn cut(activation: Activation, numbers: &mut [f32]) {
    if activation == Activation::Relu {
        map(numbers, |x| x.max(F32x4::splat(0.0)));
    }
}

/// What is left of an activation after [`floor`]: `n` numbers per position of `step`.
pub(crate) fn finish(activation: Activation, numbers: &mut [f32], step: usize, n: usize) {
    apply(activation, numbers);
    if activation == Activation::Softmax {
        softmax(numbers, step, n);
    }
}

/// From the gradient of the outputs `y` to that of the sums before the activation; `y` are the sums
/// themselves of one that [`wants_sums`].
pub(crate) fn undo(activation: Activation, y: &[f32], d: &mut [f32], step: usize) {
    if activation == Activation::Softmax {
        softmax_gradient(y, d, step);
    } else {
        gradient(activation, y, d);
    }
}

/// Slope of the leaky relu below 0, from its paper.
const LEAK: f32 = 0.01;

fn map(numbers: &mut [f32], f: impl Fn(F32x4) -> F32x4) {
    for four in numbers.as_chunks_mut::<4>().0 {
        f(F32x4::load(four)).store(four);
    }
}

/// `d *= f'`, from the outputs or sums `y`, number by number.
pub(crate) fn gradient(activation: Activation, y: &[f32], d: &mut [f32]) {
    let (zero, one) = (F32x4::splat(0.0), F32x4::splat(1.0));
    for (y, to) in y.as_chunks::<4>().0.iter().zip(d.as_chunks_mut::<4>().0) {
        let (y, d) = (F32x4::load(y), F32x4::load(to));
        let result = match activation {
            Activation::Relu => zero.select_below(y, d, zero),
            Activation::Tanh => d.mul(one.sub(y.mul(y))),
            Activation::Sigmoid => d.mul(y.mul(one.sub(y))),
            Activation::LeakyRelu => zero.select_below(y, d, d.mul(F32x4::splat(LEAK))),
            Activation::Elu => y.select_below(zero, d.mul(y.add(one)), d),
            Activation::Softplus => d.mul(one.sub(simd::exp(zero.sub(y)))),
            Activation::Gelu => d.mul(simd::gelu_slope(y)),
            Activation::Linear | Activation::Softmax => d,
        };
        result.store(to);
    }
}

/// Softmax over the first `n` numbers of each row of `stride`; the padding becomes 0.
///
/// The largest number of the row is taken off first, so that nothing overflows.
pub(crate) fn softmax(rows: &mut [f32], stride: usize, n: usize) {
    for row in rows.chunks_exact_mut(stride) {
        let numbers = row.iter().take(n);
        let largest = numbers.fold(f32::NEG_INFINITY, |a, b| if a < *b { *b } else { a });
        for part in row.as_chunks_mut::<4>().0 {
            simd::exp(F32x4::load(part).sub(F32x4::splat(largest))).store(part);
        }
        row.iter_mut().skip(n).for_each(|padding| *padding = 0.0);
        let parts = row.as_chunks_mut::<4>().0;
        let sum = parts.iter().fold(F32x4::splat(0.0), |sum, part| sum.add(F32x4::load(part)));
        let total = F32x4::splat(sum.sum());
        for part in parts {
            F32x4::load(part).div(total).store(part);
        }
    }
}

/// Through softmax: `d_i = y_i (d_i - sum_j d_j y_j)`, row by row, padding staying 0.
pub(crate) fn softmax_gradient(y: &[f32], d: &mut [f32], stride: usize) {
    for (y, d) in y.chunks_exact(stride).zip(d.chunks_exact_mut(stride)) {
        let (y, d) = (y.as_chunks::<4>().0, d.as_chunks_mut::<4>().0);
        let products = y
            .iter()
            .zip(d.iter())
            .fold(F32x4::splat(0.0), |sum, (y, d)| sum.add(F32x4::load(y).mul(F32x4::load(d))));
        let total = F32x4::splat(products.sum());
        for (y, d) in y.iter().zip(d) {
            F32x4::load(y).mul(F32x4::load(d).sub(total)).store(d);
        }
    }
}
