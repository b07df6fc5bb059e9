//! Batch normalisation: `[rows, .., channels]`, each channel over rows and positions.

#![expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    reason = "counts are exact in f64; sums are rounded to f32 once; lanes are those of `each`"
)]

use std::ops::Range;

use super::inverse_deviation;
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
    /// [`Moments`], at its start.
    moments: Slot,
}

/// Mean and inverse deviation of each channel, each as two numbers that make it up: rounded to
/// `f32`, and what was lost by that. Panels of eight channels: a quarter of the slot for each.
struct Moments<'a> {
    panels: &'a mut [[f32; LANES]],
}

/// Eight channels in double precision.
type Eight = [f64; LANES];

pub(crate) fn compile(x: &Value, builder: &mut Builder) -> impl Compiled + use<> {
    let channels = x.channels();
    Batch {
        gamma: builder.vector(channels, Initial::Constant(1.0)),
        beta: builder.vector(channels, Initial::Constant(0.0)),
        mean: builder.vector(channels, Initial::Statistic(0.0)),
        variance: builder.vector(channels, Initial::Statistic(1.0)),
        moments: builder.kept(4 * padded(channels)),
    }
}

impl Compiled for Batch {
    fn forward(&self, step: &mut Step<'_>) {
        let (x, y) = (step.wiring.x(), &step.wiring.y);
        let ([from, out, moments], _) = step.pass.slots([x.slot, y.slot, self.moments]);
        let mut moments = Moments::in_slot(moments, x.channels());
        let trained = step.seed.is_some();
        let count = from.len() / x.stride * x.positions();
        let unbiased = count as f64 / count.saturating_sub(1).max(1) as f64;
        for panel in 0..x.channels().div_ceil(LANES) {
            if trained {
                let (mean, variance) = see(from, x, panel);
                keep(mean, panel, step.parameters.get_mut(&self.mean), 1.0);
                keep(variance, panel, step.parameters.get_mut(&self.variance), unbiased);
                moments.set(panel, mean, variance);
            } else {
                let mean = eight(step.parameters.get(&self.mean), panel);
                let variance = eight(step.parameters.get(&self.variance), panel);
                moments.set(panel, mean, variance);
            }
        }
        let gamma = step.parameters.get(&self.gamma);
        let beta = step.parameters.get(&self.beta);
        for panel in 0..x.channels().div_ceil(LANES) {
            let (mean, inverse) = moments.exact(panel);
            let (gamma, beta) = (eight(gamma, panel), eight(beta, panel));
            let scale: Eight = each(|at| inverse[at] * gamma[at]);
            let rows = out.chunks_exact_mut(y.stride).zip(from.chunks_exact(x.stride));
            for (out, from) in rows {
                for (y, x) in out.chunks_exact_mut(y.step).zip(from.chunks(x.step)) {
                    let x = eight(x, panel);
                    put(each(|at| (x[at] - mean[at]) * scale[at] + beta[at]), y, panel);
                }
            }
        }
    }

    /// With `z = (x - mean) inverse`: `dbeta = sum dy`, `dgamma = sum dy z`, and `dx = gamma
    /// inverse (dy - dbeta / count - z dgamma / count)`. All of it in `f64`: a few rows take away
    /// from `dy` nearly all that it is.
    fn backward(&self, step: &mut Step<'_>) {
        let wiring = step.wiring;
        let (x, y) = (wiring.x(), &wiring.y);
        for range in [&self.mean, &self.variance] {
            step.gradient.get_mut(range.clone()).unwrap_or_default().fill(0.0);
        }
        let parts = [self.gamma.clone(), self.beta.clone()];
        let Ok([dgamma, dbeta]) = step.gradient.get_disjoint_mut(parts) else { return };
        let slots = [x.slot, wiring.dy, self.moments];
        let (from, d, moments, dx) = if let Some(dx) = wiring.dx() {
            let ([from, d, moments, dx], _) = step.pass.slots([slots[0], slots[1], slots[2], dx]);
            (from, d, moments, dx)
        } else {
            let ([from, d, moments], _) = step.pass.slots(slots);
            (from, d, moments, &mut [][..])
        };
        let moments = Moments::in_slot(moments, x.channels());
        let count = (from.len() / x.stride * x.positions()) as f64;
        for panel in 0..x.channels().div_ceil(LANES) {
            let (mean, inverse) = moments.exact(panel);
            let (mut plain, mut scaled) = ([0.0; LANES], [0.0; LANES]);
            for (from, d) in from.chunks_exact(x.stride).zip(d.chunks_exact(y.stride)) {
                for (x, d) in from.chunks(x.step).zip(d.chunks_exact(y.step)) {
                    let (x, d) = (eight(x, panel), eight(d, panel));
                    plain = each(|at| plain[at] + d[at]);
                    scaled = each(|at| scaled[at] + d[at] * (x[at] - mean[at]));
                }
            }
            let scaled: Eight = each(|at| scaled[at] * inverse[at]);
            put(scaled, dgamma, panel);
            put(plain, dbeta, panel);
            // As `outer dy + slope (x - mean) + shift`.
            let gamma = eight(step.parameters.get(&self.gamma), panel);
            let outer: Eight = each(|at| gamma[at] * inverse[at]);
            let slope: Eight = each(|at| -outer[at] * inverse[at] * scaled[at] / count);
            let shift: Eight = each(|at| -outer[at] * plain[at] / count);
            // Where there is a `dx`, all three lie alike.
            let both = from.chunks_exact(x.step).zip(d.chunks_exact(y.step));
            for (dx, (x, d)) in dx.chunks_exact_mut(x.step).zip(both) {
                let (x, d) = (eight(x, panel), eight(d, panel));
                let slopes =
                    each(|at| outer[at] * d[at] + slope[at] * (x[at] - mean[at]) + shift[at]);
                put(slopes, dx, panel);
            }
        }
    }
}

impl<'a> Moments<'a> {
    fn in_slot(slot: &'a mut [f32], channels: usize) -> Self {
        let (panels, _) = slot.as_chunks_mut();
        let count = 4 * channels.div_ceil(LANES);
        Self { panels: panels.get_mut(..count).unwrap_or_default() }
    }

    /// Keeps the mean, and the inverse deviation by the biased variance.
    fn set(&mut self, panel: usize, mean: Eight, variance: Eight) {
        let inverse = variance.map(inverse_deviation);
        let count = (self.panels.len() / 4).max(1);
        let mut parts = self.panels.iter_mut().skip(panel).step_by(count);
        for exact in [mean, inverse] {
            let rounded = exact.map(|exact| exact as f32);
            let rest = each(|at| (exact[at] - f64::from(rounded[at])) as f32);
            for part in [rounded, rest] {
                if let Some(to) = parts.next() {
                    *to = part;
                }
            }
        }
    }

    fn exact(&self, panel: usize) -> (Eight, Eight) {
        let mut parts = self.panels.iter().skip(panel).step_by((self.panels.len() / 4).max(1));
        let mut next = || {
            let (rounded, rest) = (parts.next(), parts.next());
            let (rounded, rest) = (rounded.unwrap_or(&ZEROS), rest.unwrap_or(&ZEROS));
            each(|at| f64::from(rounded[at]) + f64::from(rest[at]))
        };
        (next(), next())
    }
}

const ZEROS: [f32; LANES] = [0.0; LANES];

/// `f` of each lane.
fn each<T>(f: impl Fn(usize) -> T) -> [T; LANES] {
    std::array::from_fn(f)
}

/// Eight channels of a line, zeros behind its end.
fn eight(line: &[f32], panel: usize) -> Eight {
    let rest = line.get(panel * LANES..).unwrap_or_default();
    rest.first_chunk().copied().unwrap_or_else(|| short(rest)).map(f64::from)
}

#[cold]
#[inline(never)]
fn short(rest: &[f32]) -> [f32; LANES] {
    let mut eight = ZEROS;
    eight.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    eight
}

/// Rounds eight channels into their place in a line, or as many as there is room for.
fn put(eight: Eight, line: &mut [f32], panel: usize) {
    let eight = eight.map(|exact| exact as f32);
    let rest = line.get_mut(panel * LANES..).unwrap_or_default();
    match rest.first_chunk_mut() {
        Some(to) => *to = eight,
        None => rest.iter_mut().zip(eight).for_each(|(to, from)| *to = from),
    }
}

/// Mean and biased variance of eight channels.
fn see(from: &[f32], x: &Value, panel: usize) -> (Eight, Eight) {
    let mean = mean_of(from, x, panel, |x| x);
    let variance = mean_of(from, x, panel, |x| each(|at| (x[at] - mean[at]) * (x[at] - mean[at])));
    (mean, variance)
}

fn mean_of(from: &[f32], x: &Value, panel: usize, term: impl Fn(Eight) -> Eight) -> Eight {
    let mut sums = [0.0; LANES];
    for row in from.chunks_exact(x.stride) {
        for line in row.chunks(x.step).take(x.positions()) {
            let terms = term(eight(line, panel));
            sums = each(|at| sums[at] + terms[at]);
        }
    }
    let count = (from.len() / x.stride * x.positions()) as f64;
    sums.map(|sum| sum / count)
}

/// Moves the running statistics of eight channels towards what was seen.
fn keep(seen: Eight, panel: usize, running: &mut [f32], factor: f64) {
    let running = running.get_mut(panel * LANES..).unwrap_or_default();
    for (running, seen) in running.iter_mut().zip(seen) {
        *running = ((1.0 - MOMENTUM) * f64::from(*running) + MOMENTUM * seen * factor) as f32;
    }
}
