//! How weights change: one function per algorithm, over any part of a network's weights.
//!
//! A *slope* here is the sum over the rows of what a weight should do to lower the error: minus the
//! gradient. Arithmetic is libfann's, in `f32` and in its order, except where it is wrong there:
//! see [`quickprop`] and [`sarprop`].

use super::options::{Quickprop, Rprop};
use super::{Algorithm, Options, functions};
use crate::rng::Rng;

/// No weight is larger; a bound of libfann's against steps without end.
const WEIGHT_MAX: f32 = 1500.0;
/// The smallest step of RPROP, below which nothing would move any more.
const STEP_MIN: f32 = 0.0001;
/// The smallest step of SARPROP (Treadgold and Gedeon 1998).
const SARPROP_STEP_MIN: f32 = 0.000_001;

/// How far SARPROP's annealing is.
#[derive(Clone, Debug)]
pub(super) struct Annealing {
    /// Epochs of SARPROP done.
    pub(super) epoch: u32,
    /// The mean square error of this epoch.
    pub(super) mse: f32,
    /// For the shaking.
    pub(super) random: Rng,
}

/// What an algorithm remembers of some weights.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    /// The slopes of this epoch.
    pub(super) slopes: Vec<f32>,
    /// The last step of each weight; of incremental training its last change.
    pub(super) steps: Vec<f32>,
    /// The slopes of the epoch before.
    pub(super) previous: Vec<f32>,
}

impl Memory {
    /// Forgets everything, for `count` weights that begin with `step`.
    pub(super) fn reset(&mut self, count: usize, step: f32) {
        for (numbers, start) in
            [(&mut self.slopes, 0.0), (&mut self.steps, step), (&mut self.previous, 0.0)]
        {
            numbers.clear();
            numbers.resize(count, start);
        }
    }

    /// What there is to one weight each: slope, step, previous slope. The slope is taken.
    fn of<'a>(
        &'a mut self,
        first: usize,
        weights: &'a mut [f32],
    ) -> impl Iterator<Item = Weight<'a>> {
        let steps = self.steps.iter_mut().skip(first);
        let previous = self.previous.iter_mut().skip(first);
        let slopes = self.slopes.iter_mut().skip(first);
        weights.iter_mut().skip(first).zip(slopes).zip(steps.zip(previous)).map(
            |((weight, slope), (step, previous))| {
                let slope = std::mem::take(slope);
                Weight { value: weight, slope, step, previous }
            },
        )
    }
}

/// One weight and what is remembered of it.
struct Weight<'a> {
    value: &'a mut f32,
    slope: f32,
    step: &'a mut f32,
    previous: &'a mut f32,
}

/// Changes the weights from `first` on by what has been added up over `rows` rows. Incremental
/// training changes them on the way, so there is nothing left to do for it.
pub(super) fn change(
    options: &Options,
    rows: usize,
    first: usize,
    annealing: &mut Annealing,
    memory: &mut Memory,
    weights: &mut [f32],
) {
    #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "as libfann divides")]
    let rate = options.learning_rate / rows as f32;
    match options.algorithm {
        Algorithm::Incremental => {}
        Algorithm::Batch => batch(rate, first, memory, weights),
        Algorithm::Rprop => rprop(&options.rprop, first, memory, weights),
        Algorithm::Quickprop => quickprop(options.quickprop, rate, first, memory, weights),
        Algorithm::Sarprop => sarprop(options, annealing, first, memory, weights),
    }
}

/// `w += rate * slope`.
fn batch(rate: f32, first: usize, memory: &mut Memory, weights: &mut [f32]) {
    for Weight { value: weight, slope, .. } in memory.of(first, weights) {
        *weight += slope * rate;
    }
}

/// Quickprop (Fahlman 1988), over the weights from `first` on; `rate` is per row.
///
/// Where the last two slopes are the same there is no parabola: libfann divides by 0 there, and
/// this takes the largest step instead.
fn quickprop(
    options: Quickprop,
    rate: f32,
    first: usize,
    memory: &mut Memory,
    weights: &mut [f32],
) {
    let mu = options.mu;
    #[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "rounds once")]
    let shrink = (f64::from(mu) / (1.0 + f64::from(mu))) as f32;
    for Weight { value: weight, slope, step, previous } in memory.of(first, weights) {
        let slope = slope + options.decay * *weight;
        let mut next = 0.0;
        let (rising, falling) = (f64::from(*step) > 0.001, f64::from(*step) < -0.001);
        if !rising && !falling || rising && slope > 0.0 || falling && slope < 0.0 {
            next += rate * slope;
        }
        if rising || falling {
            let bound = shrink * *previous;
            let steep = if rising { slope > bound } else { slope < bound };
            let parabola = *step * slope / (*previous - slope);
            next += if steep || !parabola.is_finite() { mu * *step } else { parabola };
        }
        *step = next;
        *weight = (*weight + next).clamp(-WEIGHT_MAX, WEIGHT_MAX);
        *previous = slope;
    }
}

/// iRPROP- (Igel and Huesken 2000), over the weights from `first` on.
///
/// As in libfann a weight whose slope is 0, or has just changed its sign, takes a step up, unless
/// it is to rest for that epoch as in the paper.
fn rprop(options: &Rprop, first: usize, memory: &mut Memory, weights: &mut [f32]) {
    for Weight { value: weight, mut slope, step, previous } in memory.of(first, weights) {
        let last = step.max(STEP_MIN);
        let same = *previous * slope;
        let next = if same > 0.0 || same == 0.0 && !options.rests {
            (last * options.increase).min(options.delta_max)
        } else if same == 0.0 {
            last
        } else {
            slope = 0.0;
            (last * options.decrease).max(options.delta_min)
        };
        let change = if slope < 0.0 {
            -next
        } else if slope > 0.0 || !options.rests {
            next
        } else {
            0.0
        };
        *weight = (*weight + change).clamp(-WEIGHT_MAX, WEIGHT_MAX);
        *step = next;
        *previous = slope;
    }
}

/// SARPROP (Treadgold and Gedeon 1998), over the weights from `first` on.
///
/// libfann 2.2.0 forgets the step of every weight whose slope changed its sign, begins with steps
/// of 10^-6, and lets its weight decay make weights grow; this follows the paper.
fn sarprop(
    options: &Options,
    annealing: &mut Annealing,
    first: usize,
    memory: &mut Memory,
    weights: &mut [f32],
) {
    let Options { sarprop: options, rprop, .. } = options;
    #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "a number of epochs")]
    let cooled = -options.temperature * annealing.epoch as f32;
    let decay = power_of_two(cooled + options.weight_decay_shift);
    let noise = annealing.mse.sqrt() * power_of_two(cooled + options.step_error_shift);
    let threshold = options.step_error_threshold * annealing.mse;
    for Weight { value: weight, slope, step, previous } in memory.of(first, weights) {
        let mut slope = slope - *weight * decay;
        let last = step.max(SARPROP_STEP_MIN);
        let same = *previous * slope;
        let next = if same > 0.0 {
            (last * rprop.increase).min(rprop.delta_max)
        } else if same < 0.0 {
            slope = 0.0;
            let shaken =
                if last < threshold { noise * annealing.random.uniform_f32() } else { 0.0 };
            (last * rprop.decrease + shaken).clamp(SARPROP_STEP_MIN, rprop.delta_max.max(1e-6))
        } else {
            last
        };
        if slope > 0.0 {
            *weight += next;
        } else if slope < 0.0 {
            *weight -= next;
        }
        *weight = weight.clamp(-WEIGHT_MAX, WEIGHT_MAX);
        *step = next;
        *previous = slope;
    }
}

#[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "rounds once")]
fn power_of_two(exponent: f32) -> f32 {
    functions::exp2(f64::from(exponent)) as f32
}
