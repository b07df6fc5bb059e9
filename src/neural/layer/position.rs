//! Adds a code of the position to each step of a sequence: `[rows, steps, features]`, unchanged.
//!
//! `Fixed` is that of Vaswani et al. (2017), section 3.5: feature `2i` of step `t` gets
//! `sin(t / 10000^(2i / features))`, feature `2i + 1` the cosine. `Learned` is a matrix
//! `[steps][features]`.

use std::ops::Range;

use super::{Builder, Compiled, Initial, Step, Value, table};
use crate::math;
use crate::neural::specification::Position;
use crate::tensor::{octets, octets_mut};

#[derive(Debug)]
enum Code {
    /// Placed as a row of the output.
    Fixed(Vec<f32>),
    /// Parameters, in panels.
    Learned(Range<usize>),
}

/// The limit of a uniform distribution of deviation 0.02, which BERT begins with.
const LIMIT: f64 = 0.034_641_016_151_377_55;

pub(super) fn compile(kind: Position, y: &Value, builder: &mut Builder) -> impl Compiled + use<> {
    match kind {
        Position::Sinusoidal => Code::Fixed(sinusoidal(y)),
        Position::Learned => {
            Code::Learned(builder.matrix(y.positions(), y.channels(), Initial::Uniform(LIMIT)))
        }
    }
}

#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "counts are exact in f64; rounds once"
)]
fn sinusoidal(y: &Value) -> Vec<f32> {
    let mut code = vec![0.0; y.stride];
    let slowing = math::ln(10_000.0) / y.channels() as f64;
    for (step, position) in code.chunks_exact_mut(y.step).enumerate() {
        for (pair, features) in position.chunks_mut(2).enumerate() {
            let angle = step as f64 * math::exp(-slowing * (2 * pair) as f64);
            let both = [math::sin(angle), math::cos(angle)];
            features.iter_mut().zip(both).for_each(|(to, from)| *to = from as f32);
        }
        position.iter_mut().skip(y.channels()).for_each(|padding| *padding = 0.0);
    }
    code
}

impl Compiled for Code {
    fn forward(&self, step: &mut Step<'_>) {
        let (x, y) = (step.wiring.x(), &step.wiring.y);
        let ([from, out], _) = step.pass.slots([x.slot, y.slot]);
        out.copy_from_slice(from);
        match self {
            Code::Fixed(code) => {
                for out in out.chunks_exact_mut(y.stride) {
                    out.iter_mut().zip(code).for_each(|(y, code)| *y += *code);
                }
            }
            Code::Learned(range) => {
                let code = step.parameters.get(range);
                let steps = (0..y.positions()).cycle();
                for (out, at) in out.chunks_exact_mut(y.step).zip(steps) {
                    let entry = table::entry(code, y.positions(), at);
                    octets_mut(out).iter_mut().zip(entry).for_each(table::add);
                }
            }
        }
    }

    fn backward(&self, step: &mut Step<'_>) {
        let (wiring, y) = (step.wiring, &step.wiring.y);
        if let Code::Learned(range) = self {
            let d = step.pass.slot(wiring.dy);
            let code = step.gradient.get_mut(range.clone()).unwrap_or_default();
            code.fill(0.0);
            let steps = (0..y.positions()).cycle();
            for (d, at) in d.chunks_exact(y.step).zip(steps) {
                table::entry_mut(code, y.positions(), at).zip(octets(d)).for_each(table::add);
            }
        }
        if let Some(dx) = wiring.dx() {
            let ([d, dx], _) = step.pass.slots([wiring.dy, dx]);
            dx.copy_from_slice(d);
        }
    }
}
