//! Layer normalisation: `[.., channels]`, each position over its channels.

#![expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "counts are exact in f32; an inverse deviation is rounded once"
)]

use std::ops::Range;

use super::{inverse_deviation, positions};
use crate::neural::layer::{Builder, Compiled, Initial, Step, Value};
use crate::simd::{F32x4, Lanes};

#[derive(Debug)]
struct LayerNorm {
    gamma: Range<usize>,
    beta: Range<usize>,
}

pub(crate) fn compile(x: &Value, builder: &mut Builder) -> impl Compiled + use<> {
    LayerNorm {
        gamma: builder.vector(x.channels(), Initial::Constant(1.0)),
        beta: builder.vector(x.channels(), Initial::Constant(0.0)),
    }
}

impl Compiled for LayerNorm {
    fn forward(&self, step: &mut Step<'_>) {
        let (x, y) = (step.wiring.x(), &step.wiring.y);
        let gamma = step.parameters.get(&self.gamma);
        let beta = step.parameters.get(&self.beta);
        let ([from, out], _) = step.pass.slots([x.slot, y.slot]);
        out.fill(0.0);
        for (y, x) in out.chunks_exact_mut(y.step).zip(positions(from, x)) {
            let (mean, inverse) = moments(x);
            let line = x.iter().zip(gamma.iter().zip(beta));
            for (y, (x, (gamma, beta))) in y.iter_mut().zip(line) {
                *y = (*x - mean) * inverse * *gamma + *beta;
            }
        }
    }

    fn backward(&self, step: &mut Step<'_>) {
        let wiring = step.wiring;
        let (x, y) = (wiring.x(), &wiring.y);
        let ([from, d], _) = step.pass.slots([x.slot, wiring.dy]);
        let parts = [self.gamma.clone(), self.beta.clone()];
        let Ok([dgamma, dbeta]) = step.gradient.get_disjoint_mut(parts) else { return };
        dgamma.fill(0.0);
        dbeta.fill(0.0);
        for (d, x) in d.chunks_exact(y.step).zip(positions(from, x)) {
            let (mean, inverse) = moments(x);
            let sums = dgamma.iter_mut().zip(dbeta.iter_mut());
            for ((dgamma, dbeta), (d, x)) in sums.zip(d.iter().zip(x)) {
                *dgamma += *d * ((*x - mean) * inverse);
                *dbeta += *d;
            }
        }
        let Some(dx) = wiring.dx() else { return };
        let gamma = step.parameters.get(&self.gamma);
        let ([from, d, dx], _) = step.pass.slots([x.slot, wiring.dy, dx]);
        dx.fill(0.0);
        let lines = dx.chunks_exact_mut(x.step).zip(d.chunks_exact(y.step));
        for ((dx, d), x) in lines.zip(positions(from, x)) {
            input_gradient(d, x, gamma, dx);
        }
    }
}

/// With `z = (x - mean) inverse` and `g = d gamma`: `inverse (g - mean of g - z mean of g z)`.
fn input_gradient(d: &[f32], x: &[f32], gamma: &[f32], dx: &mut [f32]) {
    let (mean, inverse) = moments(x);
    let (count, m) = (x.len() as f32, F32x4::splat(mean));
    let plain = sum([d, gamma, x], |[d, gamma, _]| d.mul(gamma)) / count;
    let scaled = sum([d, gamma, x], |[d, gamma, x]| d.mul(gamma).mul(x.sub(m)));
    let scaled = scaled * inverse / count;
    for ((dx, x), (d, gamma)) in dx.iter_mut().zip(x).zip(d.iter().zip(gamma)) {
        let z = (*x - mean) * inverse;
        *dx = inverse * (*d * *gamma - plain - z * scaled);
    }
}

/// Mean and inverse deviation.
fn moments(x: &[f32]) -> (f32, f32) {
    let count = x.len() as f32;
    let mean = sum([x], |[x]| x) / count;
    let m = F32x4::splat(mean);
    let square = sum([x], |[x]| x.sub(m).mul(x.sub(m)));
    (mean, inverse_deviation(f64::from(square / count)) as f32)
}

/// The sum of `f` over places that all lists have, as many as the last one has.
fn sum<const N: usize>(lists: [&[f32]; N], f: impl Fn([F32x4; N]) -> F32x4) -> f32 {
    let len = lists.last().map_or(0, |list| list.len());
    let mut acc = F32x4::splat(0.0);
    for at in (0..len).step_by(4) {
        let fours = lists.map(|list| {
            let rest = list.get(at..).unwrap_or_default();
            F32x4::load(&rest.first_chunk().copied().unwrap_or_else(|| short(rest)))
        });
        let mut part = f(fours);
        if len - at < 4 {
            part = F32x4::load(&short(part.to_array().get(..len - at).unwrap_or_default()));
        }
        acc = acc.add(part);
    }
    acc.sum()
}

/// Fewer than four numbers, zeros behind them.
fn short(numbers: &[f32]) -> [f32; 4] {
    let mut four = [0.0; 4];
    four.iter_mut().zip(numbers).for_each(|(to, from)| *to = *from);
    four
}
