//! Learning epoch by epoch, as libfann does: errors of the outputs, passed back, slopes, update.
//!
//! An epoch allocates nothing. The error of an epoch is measured while it is learnt from, so it is
//! that of the weights before the epoch (for incremental training, of all weights on the way).

#![expect(
    clippy::indexing_slicing,
    reason = "neurons, connections and layers are numbers that the network's construction checked"
)]

use super::network::Network;
use super::update::{self, Annealing, Memory};
use super::{Activation, Algorithm, Data, Error, ErrorFunction, Measure};
use crate::rng::Rng;

/// How a training ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// Epochs done.
    pub epochs: u32,
    /// The error in the last of them.
    pub measure: Measure,
    /// Whether the desired error was reached.
    pub reached: bool,
}

/// Trains one network; keeps what its algorithm remembers from epoch to epoch.
#[derive(Clone, Debug)]
pub struct Trainer {
    pub(super) memory: Memory,
    /// What each neuron is to blame for.
    pub(super) errors: Vec<f32>,
    pub(super) measure: Measure,
    /// The weights before the epoch.
    kept: Vec<f32>,
    epochs: u32,
    pub(super) annealing: Annealing,
}

impl Trainer {
    /// A trainer for `network`. The seed is for SARPROP, which shakes its steps.
    ///
    /// # Errors
    /// [`Error::Option`] and [`Error::Untrainable`].
    pub fn new(network: &Network, seed: u64) -> Result<Self, Error> {
        network.options.validate()?;
        network.check_trainable()?;
        let sigmoid = |at: usize| network.neurons[at].activation == Activation::Sigmoid;
        if network.options.error_function == ErrorFunction::CrossEntropy
            && !network.output_range().all(sigmoid)
        {
            return Err(Error::Option("train_error_function"));
        }
        let mut trainer = Self {
            memory: Memory::default(),
            errors: Vec::new(),
            measure: Measure::default(),
            kept: network.weights.clone(),
            epochs: 0,
            annealing: Annealing { epoch: 0, mse: 0.0, random: Rng::from_u64(seed) },
        };
        trainer.reset(network);
        Ok(trainer)
    }

    /// Learns from every row once.
    ///
    /// # Errors
    /// [`Error::InputsLength`], [`Error::OutputsLength`]; [`Error::OtherNetwork`] if the network
    /// has another size than that of [`Trainer::new`]; [`Error::Diverged`], after which the network
    /// has the weights from before the epoch.
    pub fn epoch(&mut self, network: &mut Network, data: &Data) -> Result<Measure, Error> {
        network.check_fits(data)?;
        if self.kept.len() != network.weights.len() || self.errors.len() != network.neurons.len() {
            return Err(Error::OtherNetwork);
        }
        self.keep(network);
        self.measure = Measure::default();
        let incremental = network.options.algorithm == Algorithm::Incremental;
        for (inputs, targets) in data.iter() {
            network.forward(inputs);
            self.blame_outputs(network, targets);
            self.pass_back(network);
            if incremental {
                self.change_now(network);
            } else {
                self.add_slopes(network, 1);
            }
        }
        self.update(network, data.rows(), 0)?;
        Ok(self.measure)
    }

    /// Learns until the error is the desired one, for `epochs_max` epochs at most.
    ///
    /// `desired` is a mean square error, or a number of failed bits: see [`StopFunction`].
    ///
    /// # Errors
    /// Those of [`Trainer::epoch`].
    pub fn train(
        &mut self,
        network: &mut Network,
        data: &Data,
        epochs_max: u32,
        desired: f32,
    ) -> Result<Outcome, Error> {
        let (mut measure, mut reached, mut epochs) = (Measure::default(), false, 0);
        while epochs < epochs_max && !reached {
            measure = self.epoch(network, data)?;
            reached = measure.reaches(network, desired);
            epochs += 1;
        }
        Ok(Outcome { epochs, measure, reached })
    }

    /// Forgets what the algorithm remembers, and fits the size of `network`.
    pub(super) fn reset(&mut self, network: &Network) {
        let step = first_step(network);
        self.memory.reset(network.weights.len(), step);
        self.errors.clear();
        self.errors.resize(network.neurons.len(), 0.0);
        self.kept.clear();
        self.kept.extend_from_slice(&network.weights);
    }

    /// The errors of the outputs, times their derivatives.
    pub(super) fn blame_outputs(&mut self, network: &Network, targets: &[f32]) {
        self.errors.fill(0.0);
        for (at, target) in network.output_range().zip(targets) {
            let difference = network.measure(at, *target, &mut self.measure);
            let blame = match network.options.error_function {
                ErrorFunction::Linear | ErrorFunction::CrossEntropy => difference,
                ErrorFunction::Tanh => tanh_error(difference),
            };
            self.errors[at] = blame
                * match network.options.error_function {
                    // What the derivative of the logarithm leaves of that of the sigmoid.
                    ErrorFunction::CrossEntropy => 2.0 * network.neurons[at].steepness,
                    ErrorFunction::Linear | ErrorFunction::Tanh => slope_of(network, at),
                };
        }
    }

    /// The errors of the hidden neurons, from the last layer to the second.
    fn pass_back(&mut self, network: &Network) {
        for layer in (2..network.layer_count()).rev() {
            let neurons = network.layer(layer);
            let (before, own) = self.errors.split_at_mut(neurons.start);
            for (neuron, error) in network.neurons[neurons].iter().zip(own) {
                let weights = &network.weights[neuron.connections.clone()];
                if let Some(start) = network.dense_start(layer) {
                    for (to, weight) in before[start..].iter_mut().zip(weights) {
                        *to += *error * weight;
                    }
                } else {
                    let sources = &network.sources[neuron.connections.clone()];
                    for (source, weight) in sources.iter().zip(weights) {
                        before[*source] += *error * weight;
                    }
                }
            }
            for at in network.layer(layer - 1) {
                self.errors[at] *= slope_of(network, at);
            }
        }
    }

    /// Adds to the slopes of the layers from `first` on.
    pub(super) fn add_slopes(&mut self, network: &Network, first: usize) {
        for layer in first..network.layer_count() {
            let start = network.dense_start(layer);
            for at in network.layer(layer) {
                let (error, connections) =
                    (self.errors[at], network.neurons[at].connections.clone());
                let sources = &network.sources[connections.clone()];
                let slopes = &mut self.memory.slopes[connections];
                if let Some(start) = start {
                    for (slope, value) in slopes.iter_mut().zip(&network.values[start..]) {
                        *slope += error * value;
                    }
                } else {
                    for (slope, source) in slopes.iter_mut().zip(sources) {
                        *slope += error * network.values[*source];
                    }
                }
            }
        }
    }

    /// Incremental training: changes every weight by this row.
    fn change_now(&mut self, network: &mut Network) {
        let (rate, momentum) = (network.options.learning_rate, network.options.momentum);
        for (at, neuron) in network.neurons.iter().enumerate() {
            let error = self.errors[at] * rate;
            for place in neuron.connections.clone() {
                let value = network.values[network.sources[place]];
                let change = error * value + momentum * self.memory.steps[place];
                network.weights[place] += change;
                self.memory.steps[place] = change;
            }
        }
    }

    /// Ends an epoch: changes the weights from `first` on by what has been added up.
    pub(super) fn update(
        &mut self,
        network: &mut Network,
        rows: usize,
        first: usize,
    ) -> Result<(), Error> {
        let Network { options, weights, .. } = network;
        self.annealing.mse = self.measure.mse();
        update::change(options, rows, first, &mut self.annealing, &mut self.memory, weights);
        self.annealing.epoch = self.annealing.epoch.saturating_add(1);
        self.epochs = self.epochs.saturating_add(1);
        self.check_finite(network)
    }

    /// Remembers the weights from before an epoch.
    pub(super) fn keep(&mut self, network: &Network) {
        self.kept.copy_from_slice(&network.weights);
    }

    /// Takes the weights from before the epoch back if some are not finite.
    fn check_finite(&self, network: &mut Network) -> Result<(), Error> {
        let Some(odd) = network.weights.iter().position(|weight| !weight.is_finite()) else {
            return Ok(());
        };
        network.weights.copy_from_slice(&self.kept);
        let holds = |layer: &usize| {
            network.layer(*layer).any(|at| network.neurons[at].connections.contains(&odd))
        };
        let layer = (1..network.layer_count()).find(holds).unwrap_or(0);
        Err(Error::Diverged { epoch: self.epochs, layer })
    }
}

/// What a weight's step begins with.
pub(super) fn first_step(network: &Network) -> f32 {
    match network.options.algorithm {
        Algorithm::Rprop | Algorithm::Sarprop => network.options.rprop.delta_zero,
        Algorithm::Incremental | Algorithm::Batch | Algorithm::Quickprop => 0.0,
    }
}

/// `ln((1 + d) / (1 - d))`, held at 17 where that has no end.
fn tanh_error(difference: f32) -> f32 {
    let wide = f64::from(difference);
    if wide.abs() > 0.999_999_9 {
        return if wide < 0.0 { -17.0 } else { 17.0 };
    }
    #[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "rounds once")]
    {
        crate::math::ln((1.0 + wide) / (1.0 - wide)) as f32
    }
}

fn slope_of(network: &Network, at: usize) -> f32 {
    let neuron = &network.neurons[at];
    neuron.activation.derivative(neuron.steepness, network.values[at], network.sums[at])
}
