//! Batch normalisation: `[rows, .., channels]`, each channel over rows and positions.

#![expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "counts are exact in f64; sums are rounded to f32 once"
)]

use std::ops::Range;

use super::{inverse_deviation, positions};
use crate::neural::layer::{Builder, Compiled, Initial, Slot, Step, Value};
use crate::tensor::{LANES, padded};

/// Share of a running statistic that one step replaces: PyTorch's.
const MOMENTUM: f64 = 0.1;

#[derive(Debug)]
struct Batch {
    gamma: Range<usize>,
    beta: Range<usize>,
    mean: Range<usize>,
    variance: Range<usize>,
    /// Mean and inverse deviation of each channel, at its start.
    moments: Slot,
}

pub(crate) fn compile(x: &Value, builder: &mut Builder) -> impl Compiled + use<> {
    let channels = x.channels();
    Batch {
        gamma: builder.vector(channels, Initial::Constant(1.0)),
        beta: builder.vector(channels, Initial::Constant(0.0)),
        mean: builder.vector(channels, Initial::Statistic(0.0)),
        variance: builder.vector(channels, Initial::Statistic(1.0)),
        moments: builder.kept(2 * padded(channels)),
    }
}

impl Compiled for Batch {
    fn forward(&self, step: &mut Step<'_>) {
        let (x, y) = (step.wiring.x(), &step.wiring.y);
        let ([from, out, moments], _) = step.pass.slots([x.slot, y.slot, self.moments]);
        let (means, inverses) = halves(moments, x.channels());
        if step.seed.is_some() {
            see(from, x, means, inverses);
            keep(means, step.parameters.get_mut(&self.mean), 1.0);
            let count = from.len() / x.stride * x.positions();
            let unbiased = count as f64 / count.saturating_sub(1).max(1) as f64;
            keep(inverses, step.parameters.get_mut(&self.variance), unbiased);
        } else {
            let copy = |to: &mut [f32], from: &[f32]| {
                to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
            };
            copy(means, step.parameters.get(&self.mean));
            copy(inverses, step.parameters.get(&self.variance));
        }
        for variance in inverses.iter_mut() {
            *variance = inverse_deviation(f64::from(*variance));
        }
        let gamma = step.parameters.get(&self.gamma);
        let beta = step.parameters.get(&self.beta);
        out.fill(0.0);
        for (y, x) in out.chunks_exact_mut(y.step).zip(positions(from, x)) {
            let line = means.iter().zip(&*inverses).zip(gamma.iter().zip(beta));
            for ((y, x), ((mean, inverse), (gamma, beta))) in y.iter_mut().zip(x).zip(line) {
                *y = (*x - *mean) * *inverse * *gamma + *beta;
            }
        }
    }

    /// With `z = (x - mean) inverse`: `dbeta = sum dy`, `dgamma = sum dy z`, and `dx = gamma
    /// inverse (dy - dbeta / count - z dgamma / count)`.
    fn backward(&self, step: &mut Step<'_>) {
        let wiring = step.wiring;
        let x = wiring.x();
        let ([from, d, moments], _) = step.pass.slots([x.slot, wiring.dy, self.moments]);
        let (means, inverses) = halves(moments, x.channels());
        for range in [&self.mean, &self.variance] {
            step.gradient.get_mut(range.clone()).unwrap_or_default().fill(0.0);
        }
        let parts = [self.gamma.clone(), self.beta.clone()];
        let Ok([dgamma, dbeta]) = step.gradient.get_disjoint_mut(parts) else { return };
        sums(from, x, (d, &wiring.y), (means, inverses), (dgamma, dbeta));
        let Some(dx) = wiring.dx() else { return };
        let count = (from.len() / x.stride * x.positions()) as f32;
        let gamma = step.parameters.get(&self.gamma);
        let ([from, d, moments, dx], _) = step.pass.slots([x.slot, wiring.dy, self.moments, dx]);
        let (means, inverses) = halves(moments, x.channels());
        dx.fill(0.0);
        let lines = dx.chunks_exact_mut(x.step).zip(d.chunks_exact(wiring.y.step));
        for ((dx, d), x) in lines.zip(positions(from, x)) {
            let line = means.iter().zip(&*inverses).zip(gamma);
            let line = line.zip(dgamma.iter().zip(&*dbeta));
            for (((dx, d), x), (((mean, inverse), gamma), (dgamma, dbeta))) in
                dx.iter_mut().zip(d).zip(x).zip(line)
            {
                let z = (*x - *mean) * *inverse;
                *dx = *gamma * *inverse * (*d - *dbeta / count - z * (*dgamma / count));
            }
        }
    }
}

/// Two lists of `channels` numbers in a slot.
fn halves(moments: &mut [f32], channels: usize) -> (&mut [f32], &mut [f32]) {
    let (means, rest) = moments.split_at_mut(padded(channels));
    let means = means.get_mut(..channels).unwrap_or_default();
    (means, rest.get_mut(..channels).unwrap_or_default())
}

/// Mean and biased variance of each channel, eight at a time.
fn see(from: &[f32], x: &Value, means: &mut [f32], variances: &mut [f32]) {
    let count = (from.len() / x.stride * x.positions()) as f64;
    let panels = means.chunks_mut(LANES).zip(variances.chunks_mut(LANES));
    for (panel, (means, variances)) in panels.enumerate() {
        let mut sums = [0.0; LANES];
        for position in positions(from, x) {
            let numbers = position.iter().skip(panel * LANES);
            sums.iter_mut().zip(numbers).for_each(|(sum, x)| *sum += f64::from(*x));
        }
        let exact = sums.map(|sum| sum / count);
        let mut squares = [0.0; LANES];
        for position in positions(from, x) {
            let numbers = position.iter().skip(panel * LANES).zip(exact);
            squares.iter_mut().zip(numbers).for_each(|(sum, (x, mean))| {
                let distance = f64::from(*x) - mean;
                *sum += distance * distance;
            });
        }
        means.iter_mut().zip(exact).for_each(|(to, mean)| *to = mean as f32);
        variances.iter_mut().zip(squares).for_each(|(to, sum)| *to = (sum / count) as f32);
    }
}

/// Moves the running statistics towards what was seen.
fn keep(seen: &[f32], running: &mut [f32], factor: f64) {
    for (running, seen) in running.iter_mut().zip(seen) {
        let seen = f64::from(*seen) * factor;
        *running = ((1.0 - MOMENTUM) * f64::from(*running) + MOMENTUM * seen) as f32;
    }
}

/// The gradients of scale and shift, eight channels at a time.
fn sums(
    from: &[f32],
    x: &Value,
    (d, y): (&[f32], &Value),
    (means, inverses): (&[f32], &[f32]),
    (dgamma, dbeta): (&mut [f32], &mut [f32]),
) {
    let panels = dgamma.chunks_mut(LANES).zip(dbeta.chunks_mut(LANES));
    for (panel, (dgamma, dbeta)) in panels.enumerate() {
        let (mut scaled, mut plain) = ([0.0; LANES], [0.0; LANES]);
        for (x, d) in positions(from, x).zip(d.chunks_exact(y.step)) {
            let line = x.iter().zip(d).zip(means.iter().zip(inverses)).skip(panel * LANES);
            let sums = scaled.iter_mut().zip(&mut plain);
            for ((scaled, plain), ((x, d), (mean, inverse))) in sums.zip(line) {
                *scaled += f64::from(*d * ((*x - *mean) * *inverse));
                *plain += f64::from(*d);
            }
        }
        dgamma.iter_mut().zip(scaled).for_each(|(to, sum)| *to = sum as f32);
        dbeta.iter_mut().zip(plain).for_each(|(to, sum)| *to = sum as f32);
    }
}
