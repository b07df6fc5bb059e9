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
/// By `fann_update_weights_sarprop` of libfann 2.2.0: its slope with a decay proportional to the
/// weight, its factors of RPROP, the threshold below which a step is shaken in parts of the mean
/// square error, noise from 0 to its root times a power of two, both powers falling by the same
/// temperature, the least step of 10^-6 and all defaults (the shaking of 2^1.385, where a comment
/// of its source says 3). Other than there, because the source cannot mean it:
///
/// - The decay shrinks weights. There it is subtracted from the gradient, not added, and they grow.
/// - Every weight keeps its step. There one that has none of its own in an epoch, after its slope
///   changed its sign, is given that of the weight before it in the loop, or 0.
/// - Steps begin with RPROP's first one. There they begin with 0, and so with 10^-6.
/// - A weight without a slope rests. There it takes a step down.
/// - Shaken steps stay within RPROP's largest one, and weights within [`WEIGHT_MAX`].
///
/// The restarts of Treadgold and Gedeon are left to the caller, as there.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::neural::fann::Algorithm;

    /// The rule for one weight, plainly, in `f64`: weight, step, previous slope.
    fn plain(state: &mut [f64; 3], gradient: f64, epoch: f64, mse: f64, random: f64) {
        let [weight, step, previous] = state;
        let annealing = 2.0_f64.powf(-0.015 * epoch);
        let gradient = gradient + 2.0_f64.powf(-6.644) * annealing * *weight;
        let last = step.max(1e-6);
        if *previous * gradient > 0.0 {
            *step = (1.2 * last).min(50.0);
            *weight -= gradient.signum() * *step;
            *previous = gradient;
        } else if *previous * gradient < 0.0 {
            let shaking = 2.0_f64.powf(1.385) * annealing * mse.sqrt() * random;
            *step = (0.5 * last + if last < 0.1 * mse { shaking } else { 0.0 }).max(1e-6);
            *previous = 0.0;
        } else {
            *step = last;
            if gradient != 0.0 {
                *weight -= gradient.signum() * *step;
            }
            *previous = gradient;
        }
    }

    #[test]
    fn sarprop_takes_the_steps_of_its_plain_rule() {
        let options = Options { algorithm: Algorithm::Sarprop, ..Options::default() };
        let mut annealing = Annealing { epoch: 0, mse: 0.0, random: Rng::from_u64(7) };
        let mut numbers = Rng::from_u64(8);
        let mut memory = Memory::default();
        memory.reset(6, options.rprop.delta_zero);
        let mut weights = [0.5, -0.25, 1.5, -2.0, 0.0, 0.125];
        let mut states = weights.map(|weight| [f64::from(weight), 0.1, 0.0]);
        let mut shaken = 0;
        for epoch in 0..200_u32 {
            let mse = 0.5 + numbers.uniform_f32();
            (annealing.epoch, annealing.mse) = (epoch, mse);
            // What comes next for the shaking, without taking it.
            let mut random = annealing.random.clone();
            for (at, state) in states.iter_mut().enumerate() {
                // The last weight's slope is always 0: it decays, and never moves up by itself.
                let slope = if at == 5 { 0.0 } else { numbers.uniform_f32() - 0.5 };
                memory.slopes[at] = slope;
                let decay = 2.0_f64.powf(-0.015 * f64::from(epoch) - 6.644) * state[0];
                let turned = state[2] * (decay - f64::from(slope)) < 0.0;
                let noisy = turned && state[1].max(1e-6) < 0.1 * f64::from(mse);
                let share = if noisy { f64::from(random.uniform_f32()) } else { 0.0 };
                shaken += u32::from(noisy);
                plain(state, -f64::from(slope), f64::from(epoch), f64::from(mse), share);
            }
            change(&options, 1, 0, &mut annealing, &mut memory, &mut weights);
            for (weight, [expected, ..]) in weights.iter().zip(&states) {
                let apart = (f64::from(*weight) - expected).abs();
                assert!(apart < 1e-4 * expected.abs().max(1.0), "{epoch}: {weight} {expected}");
            }
        }
        assert!(shaken > 20, "{shaken}");
        // Weight decay makes weights smaller; libfann's makes them grow.
        assert!(weights[5].abs() < 0.125, "{}", weights[5]);
    }
}
