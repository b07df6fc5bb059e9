//! Optimisers over flat arrays: one fused loop per step, whatever the layers are.
//!
//! The arrays are packed parameters; their padding has a gradient of 0 and stays 0, and so do
//! parameters that are never trained.

use crate::simd::{F32x4, Lanes};

/// How a gradient `g` changes the weights `w`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Optimiser {
    /// `v = momentum v + g; w -= rate v`: stochastic gradient descent (Polyak's heavy ball).
    Sgd {
        /// 0 (plain descent) to below 1.
        momentum: f32,
    },
    /// `v = momentum v + g; w -= rate (g + momentum v)`: Nesterov's momentum, in the form of
    /// Sutskever et al. (2013).
    Nesterov {
        /// Above 0 and below 1.
        momentum: f32,
    },
    /// `s = 0.99 s + 0.01 g^2; w -= rate g / (sqrt s + 1e-8)` (Tieleman and Hinton 2012).
    RmsProp,
    /// Kingma and Ba, "Adam" (2015), algorithm 1, with their defaults 0.9, 0.999 and 1e-8. With
    /// weight decay it is `AdamW` (Loshchilov and Hutter 2019).
    Adam,
}

/// First decay rate of Adam, from the paper.
const BETA_1: f32 = 0.9;
/// Second decay rate of Adam, from the paper.
const BETA_2: f32 = 0.999;
/// Decay rate of `RMSprop`: the smoothing of PyTorch, slower than the lecture's 0.9.
const ALPHA: f32 = 0.99;
/// What keeps a quotient finite, from Adam's paper.
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
            Optimiser::Sgd { .. } | Optimiser::Nesterov { .. } | Optimiser::RmsProp => (len, 0),
            Optimiser::Adam => (len, len),
        };
        Self { optimiser, first: vec![0.0; first], second: vec![0.0; second], powers: (1.0, 1.0) }
    }

    /// One step: changes `weights` by `gradient`.
    pub(crate) fn step(&mut self, rate: f32, gradient: &[f32], weights: &mut [f32]) {
        match self.optimiser {
            Optimiser::Sgd { momentum: 0.0 } => descend(rate, gradient, weights),
            Optimiser::Sgd { momentum } => {
                let momentum = F32x4::splat(momentum);
                self.remember(rate, gradient, weights, |g, v| {
                    let v = momentum.mul(v).add(g);
                    (v, v)
                });
            }
            Optimiser::Nesterov { momentum } => {
                let momentum = F32x4::splat(momentum);
                self.remember(rate, gradient, weights, |g, v| {
                    let v = momentum.mul(v).add(g);
                    (v, g.add(momentum.mul(v)))
                });
            }
            Optimiser::RmsProp => {
                let (alpha, rest) = (F32x4::splat(ALPHA), F32x4::splat(1.0 - ALPHA));
                let epsilon = F32x4::splat(EPSILON);
                self.remember(rate, gradient, weights, |g, s| {
                    let s = alpha.mul(s).add(rest.mul(g.mul(g)));
                    (s, g.div(s.sqrt().add(epsilon)))
                });
            }
            Optimiser::Adam => self.adam(rate, gradient, weights),
        }
    }

    /// `(memory, direction) = f(g, memory); w -= rate direction`.
    fn remember(
        &mut self,
        rate: f32,
        gradient: &[f32],
        weights: &mut [f32],
        f: impl Fn(F32x4, F32x4) -> (F32x4, F32x4),
    ) {
        let rate = F32x4::splat(rate);
        let gradients = gradient.as_chunks::<4>().0.iter();
        for ((g, memory), w) in gradients.zip(fours(&mut self.first)).zip(fours(weights)) {
            let (kept, direction) = f(F32x4::load(g), F32x4::load(memory));
            kept.store(memory);
            F32x4::load(w).sub(rate.mul(direction)).store(w);
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

/// `w *= factor`: weight decay apart from the gradient.
pub(crate) fn decay(factor: f32, weights: &mut [f32]) {
    let factor = F32x4::splat(factor);
    for w in fours(weights) {
        F32x4::load(w).mul(factor).store(w);
    }
}

/// Scales the gradient so that its Euclidean norm is at most `norm_max` (Pascanu et al. 2013).
#[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "rounds once")]
pub(crate) fn clip(norm_max: f32, gradient: &mut [f32]) {
    let square: f64 = gradient.iter().map(|g| f64::from(*g) * f64::from(*g)).sum();
    let norm = square.sqrt();
    if norm > f64::from(norm_max) {
        decay((f64::from(norm_max) / norm) as f32, gradient);
    }
}

/// The array in fours; packed arrays have no rest.
fn fours(numbers: &mut [f32]) -> &mut [[f32; 4]] {
    numbers.as_chunks_mut::<4>().0
}
