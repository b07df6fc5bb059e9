//! Mean 0 and variance 1, then a learnt scale and shift per channel.
//!
//! `batch` (Ioffe and Szegedy 2015) takes mean and variance of each channel over the rows of the
//! batch and their positions, and keeps what it saw for inference: `running = 0.9 running + 0.1
//! seen`, the variance seen being the unbiased one, as PyTorch does; that of a single number is 0.
//! `layer` (Ba, Kiros and Hinton 2016) takes them over the channels of each position. Both use the
//! biased variance plus [`EPSILON`]. All of `batch` is computed in `f64` and rounded once: its sums
//! are long, and of few rows it takes away nearly all that they are.

mod batch;

mod layer;

pub(super) use batch::compile as batch;
pub(super) use layer::compile as layer;

use super::Value;

/// What keeps the quotient finite: that of both papers' authors and of PyTorch.
const EPSILON: f64 = 1e-5;

/// One over the standard deviation. A negative variance, which only foreign weights have, is 0.
fn inverse_deviation(variance: f64) -> f64 {
    1.0 / (variance.max(0.0) + EPSILON).sqrt()
}

/// The channels of each position of all rows.
fn positions<'x>(numbers: &'x [f32], x: &Value) -> impl Iterator<Item = &'x [f32]> + use<'x> {
    let (step, positions, channels) = (x.step, x.positions(), x.channels());
    let rows = numbers.chunks_exact(x.stride);
    rows.flat_map(move |row| row.chunks(step).take(positions))
        .map(move |position| position.get(..channels).unwrap_or(position))
}
