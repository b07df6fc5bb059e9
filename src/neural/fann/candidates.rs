//! The crowd of candidates for a network's next neuron.
//!
//! Each has weights from every neuron but the outputs, and trial weights to the outputs. All of
//! them lie in one array, one candidate behind the other, so that one call changes them all.

use super::build::wide;
use super::cascade::Patience;
use super::forward::{dot, scaled};
use super::training::first_step;
use super::update::{self, Annealing, Memory};
use super::{Activation, Data, Network, Random, functions};

/// Candidates in training.
#[derive(Debug)]
pub(super) struct Candidates {
    kinds: Vec<(Activation, f32)>,
    /// Neurons they take.
    inputs: usize,
    /// Outputs they give to.
    outputs: usize,
    /// `[candidate][inputs, outputs]`.
    weights: Vec<f32>,
    memory: Memory,
    /// How much of the squared error each one explains.
    scores: Vec<f32>,
    /// What the outputs are off in the row at hand.
    errors: Vec<f32>,
}

/// One candidate.
pub(super) struct Candidate<'a> {
    pub(super) kind: (Activation, f32),
    pub(super) inputs: &'a [f32],
    pub(super) outputs: &'a [f32],
}

impl Candidates {
    /// Candidates of every activation and steepness in the network's options.
    pub(super) fn new(network: &Network, random: &mut impl Random) -> Self {
        let options = &network.options.cascade;
        let mut kinds = Vec::new();
        for activation in &options.activations {
            for steepness in &options.steepnesses {
                let group = (0..options.candidate_groups).map(|_| (*activation, *steepness));
                kinds.extend(group);
            }
        }
        let outputs = network.outputs();
        let inputs = network.neurons.len() - outputs;
        let scale = scale(network);
        let mut weights = Vec::with_capacity(kinds.len() * (inputs + outputs));
        for _ in &kinds {
            // Only the bias may start below 0 (libfann's `initialize_candidate_weights`).
            weights.extend((0..inputs + outputs).map(|at| {
                let low = if at == network.inputs() { -scale } else { 0.0 };
                random.between(low, scale)
            }));
        }
        let mut memory = Memory::default();
        memory.reset(weights.len(), first_step(network));
        let (scores, errors) = (vec![0.0; kinds.len()], vec![0.0; outputs]);
        Self { kinds, inputs, outputs, weights, memory, scores, errors }
    }

    /// Trains until the best learns no more; the number of epochs. `square_sum` is the error that
    /// the network is left with.
    pub(super) fn train(
        &mut self,
        network: &mut Network,
        data: &Data,
        square_sum: f32,
        annealing: &mut Annealing,
    ) -> u32 {
        let options = &network.options.cascade;
        let (epochs_max, limit) = (options.candidate_epochs_max, options.candidate_limit);
        let mut patience = Patience {
            fraction: options.candidate_change_fraction,
            epochs: options.candidate_stagnation_epochs,
            epochs_min: options.candidate_epochs_min,
            until: epochs_max,
            target: 0.0,
            backslide: -1.0e20,
        };
        for epoch in 0..epochs_max {
            self.scores.fill(square_sum);
            for (inputs, targets) in data.iter() {
                network.forward(inputs);
                self.learn(network, targets);
            }
            let (memory, weights) = (&mut self.memory, &mut self.weights);
            update::change(&network.options, data.rows(), 0, annealing, memory, weights);
            let best = self.scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            if best / square_sum > limit || patience.ends_rising(epoch, best) {
                return epoch + 1;
            }
        }
        epochs_max
    }

    /// The candidate with the best score, the first of several; none if all have diverged.
    pub(super) fn best(&self) -> Option<Candidate<'_>> {
        let all = self.scores.iter().zip(&self.kinds).zip(self.weights.chunks_exact(self.stride()));
        let mut best: Option<(f32, Candidate<'_>)> = None;
        for ((score, kind), weights) in all {
            let better = best.as_ref().is_none_or(|(most, _)| score > most);
            if better && weights.iter().all(|weight| weight.is_finite()) {
                let (inputs, outputs) = weights.split_at(self.inputs);
                best = Some((*score, Candidate { kind: *kind, inputs, outputs }));
            }
        }
        best.map(|(_, candidate)| candidate)
    }

    fn stride(&self) -> usize {
        self.inputs + self.outputs
    }

    /// Adds to the slopes and takes from the scores, for the row that `network` has just run.
    fn learn(&mut self, network: &Network, targets: &[f32]) {
        let outputs = network.output_range();
        for ((error, at), target) in self.errors.iter_mut().zip(outputs).zip(targets) {
            let value = network.values.get(at).copied().unwrap_or(0.0);
            let symmetric =
                network.neurons.get(at).is_some_and(|neuron| neuron.activation.is_symmetric());
            *error = if symmetric { (target - value) / 2.0 } else { target - value };
        }
        let stride = self.stride();
        let slopes = self.memory.slopes.chunks_exact_mut(stride);
        let parts = self.weights.chunks_exact(stride).zip(slopes);
        for (((weights, slopes), kind), score) in parts.zip(&self.kinds).zip(self.scores.iter_mut())
        {
            let (from, to) = weights.split_at(self.inputs);
            let (from_slopes, to_slopes) = slopes.split_at_mut(self.inputs);
            let (value, derivative) = respond(*kind, from, &network.values);
            let mut blame = 0.0;
            for ((weight, slope), error) in to.iter().zip(to_slopes).zip(&self.errors) {
                let difference = value * weight - error;
                *slope -= 2.0 * difference * value;
                blame += difference * weight;
                *score -= difference * difference;
            }
            let blame = blame * derivative;
            for (slope, value) in from_slopes.iter_mut().zip(&network.values) {
                *slope -= blame * value;
            }
        }
    }
}

/// What a candidate makes of the neurons' values, and its derivative there.
fn respond(
    (activation, steepness): (Activation, f32),
    weights: &[f32],
    values: &[f32],
) -> (f32, f32) {
    let sum = dot(weights, values.get(..weights.len()).unwrap_or_default());
    let (x, sum) = scaled(steepness, sum);
    let value = activation.value(x);
    (value, activation.derivative(steepness, value, sum))
}

/// How far starting weights spread (after Nguyen and Widrow 1990; the bias counts as hidden, as in
/// libfann).
fn scale(network: &Network) -> f32 {
    let hidden = network.neurons.len() - network.inputs() - network.outputs();
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        reason = "rounds as libfann"
    )]
    let root = {
        let base = 0.7_f32 * wide(hidden) as f32;
        let exponent = 1.0 / wide(network.inputs()) as f32;
        (2.0 * functions::power(f64::from(base), f64::from(exponent))) as f32
    };
    root.clamp(0.5, 8.0)
}
