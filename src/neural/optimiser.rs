//! Optimisers over flat arrays: one fused loop per step, whatever the layers are.
//!
//! The arrays are packed parameters; their padding has a gradient of 0 and stays 0.

use crate::simd::{F32x4, Lanes};

/// How a gradient changes the weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimiser {
    /// `v = momentum v + g; w -= rate v`: stochastic gradient descent (Polyak's heavy ball).
    Sgd {
        /// 0 (plain descent) to below 1.
        momentum: f32,
    },
    /// Kingma and Ba, "Adam" (2015), algorithm 1, with their defaults 0.9, 0.999 and 1e-8.
    Adam,
}

/// First decay rate of Adam, from the paper.
const BETA_1: f32 = 0.9;
/// Second decay rate of Adam, from the paper.
const BETA_2: f32 = 0.999;
/// What keeps Adam's quotient finite, from the paper.
const EPSILON: f32 = 1e-8;

/// What an optimiser remembers between steps.
#[derive(Clone, Debug)]
pub(crate) struct State {
    optimiser: Optimiser,
    first: Vec<f32>,
    second: Vec<f32>,
    /// `BETA_1` and `BETA_2` to the power of the steps done.
    powers: (f64, f64),
}

impl State {
    /// The state before the first step, for `len` packed parameters.
    pub(crate) fn new(optimiser: Optimiser, len: usize) -> Self {
        let (first, second) = match optimiser {
            Optimiser::Sgd { momentum: 0.0 } => (0, 0),
            Optimiser::Sgd { .. } => (len, 0),
            Optimiser::Adam => (len, len),
        };
        Self { optimiser, first: vec![0.0; first], second: vec![0.0; second], powers: (1.0, 1.0) }
    }

    /// One step: changes `weights` by `gradient`.
    pub(crate) fn step(&mut self, rate: f32, gradient: &[f32], weights: &mut [f32]) {
        match self.optimiser {
            Optimiser::Sgd { momentum: 0.0 } => descend(rate, gradient, weights),
            Optimiser::Sgd { momentum } => {
                descend_with_momentum(rate, momentum, gradient, &mut self.first, weights);
            }
            Optimiser::Adam => self.adam(rate, gradient, weights),
        }
    }

    #[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "rounds once")]
    fn adam(&mut self, rate: f32, gradient: &[f32], weights: &mut [f32]) {
        let (power_1, power_2) = self.powers;
        self.powers = (power_1 * f64::from(BETA_1), power_2 * f64::from(BETA_2));
        let rate = F32x4::splat((f64::from(rate) / (1.0 - self.powers.0)) as f32);
        let root = F32x4::splat((1.0 / (1.0 - self.powers.1).sqrt()) as f32);
        let (beta_1, beta_2) = (F32x4::splat(BETA_1), F32x4::splat(BETA_2));
        let (rest_1, rest_2) = (F32x4::splat(1.0 - BETA_1), F32x4::splat(1.0 - BETA_2));
        let epsilon = F32x4::splat(EPSILON);
        let moments = fours(&mut self.first).iter_mut().zip(fours(&mut self.second));
        for ((g, (m, v)), w) in gradient.as_chunks::<4>().0.iter().zip(moments).zip(fours(weights))
        {
            let g = F32x4::load(g);
            let first = beta_1.mul(F32x4::load(m)).add(rest_1.mul(g));
            let second = beta_2.mul(F32x4::load(v)).add(rest_2.mul(g.mul(g)));
            first.store(m);
            second.store(v);
            let step = rate.mul(first).div(second.sqrt().mul(root).add(epsilon));
            F32x4::load(w).sub(step).store(w);
        }
    }
}

fn descend(rate: f32, gradient: &[f32], weights: &mut [f32]) {
    let rate = F32x4::splat(rate);
    for (g, w) in gradient.as_chunks::<4>().0.iter().zip(fours(weights)) {
        F32x4::load(w).sub(rate.mul(F32x4::load(g))).store(w);
    }
}

fn descend_with_momentum(
    rate: f32,
    momentum: f32,
    gradient: &[f32],
    velocity: &mut [f32],
    weights: &mut [f32],
) {
    let (rate, momentum) = (F32x4::splat(rate), F32x4::splat(momentum));
    let gradients = gradient.as_chunks::<4>().0.iter();
    for ((g, v), w) in gradients.zip(fours(velocity)).zip(fours(weights)) {
        let speed = momentum.mul(F32x4::load(v)).add(F32x4::load(g));
        speed.store(v);
        F32x4::load(w).sub(rate.mul(speed)).store(w);
    }
}

/// The array in fours; packed arrays have no rest.
fn fours(numbers: &mut [f32]) -> &mut [[f32; 4]] {
    numbers.as_chunks_mut::<4>().0
}
