//! Cascade-correlation (Fahlman and Lebiere 1990) in the variant that libfann calls cascade2.
//!
//! The network starts without hidden neurons. In turn its outputs are trained until they learn no
//! more, then a crowd of candidate neurons, each with all earlier neurons as its inputs, learns to
//! tell the error that is left; the best one is built in, and its inputs never change again. Where
//! Fahlman and Lebiere maximise a correlation, here a candidate has trial weights to the outputs,
//! and makes the squared rest of the error as small as it can.

use super::candidates::{Candidate, Candidates};
use super::network::{Kind, Network, Neuron};
use super::training::Trainer;
use super::{Activation, Algorithm, Data, Error, Measure, Random, build};
use crate::limits;

/// Grows one network.
#[derive(Clone, Debug)]
pub struct Cascade {
    trainer: Trainer,
    epochs: u32,
    added: u32,
}

/// What one step of growing did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Growth {
    /// Epochs of all steps so far, of outputs and of candidates.
    pub epochs: u32,
    /// Neurons added so far.
    pub added: u32,
    /// The error of the outputs before the new neuron.
    pub measure: Measure,
    /// Whether that was the desired one; then nothing was added.
    pub reached: bool,
    /// Activation and steepness of the new neuron.
    pub neuron: Option<(Activation, f32)>,
}

impl Cascade {
    /// For `network`, which takes a seed for SARPROP.
    ///
    /// # Errors
    /// [`Error::CascadeShape`] for anything but a full shortcut network,
    /// [`Error::CascadeAlgorithm`], [`Error::CascadeCandidates`], [`Error::TooLarge`], and those of
    /// [`Trainer::new`].
    pub fn new(network: &Network, seed: u64) -> Result<Self, Error> {
        let trainer = Trainer::new(network, seed)?;
        if matches!(network.options.algorithm, Algorithm::Incremental | Algorithm::Batch) {
            return Err(Error::CascadeAlgorithm);
        }
        let options = &network.options.cascade;
        let groups = usize::try_from(options.candidate_groups).unwrap_or(usize::MAX);
        let kinds = options.activations.len().saturating_mul(options.steepnesses.len());
        let (count, max) = (kinds.saturating_mul(groups), limits::FANN_CANDIDATES_MAX);
        if count == 0 {
            return Err(Error::CascadeCandidates);
        }
        if count > max {
            return Err(Error::TooLarge { what: "candidates", count, max });
        }
        if let Some(odd) = options.activations.iter().find(|kind| !kind.is_trainable()) {
            return Err(Error::Untrainable { neuron: network.neurons.len(), activation: *odd });
        }
        let full = (1..network.layer_count()).all(|layer| {
            let before = network.layer(layer).start;
            let neurons = network.neurons.get(network.layer(layer)).unwrap_or_default();
            neurons.iter().all(|neuron| neuron.connections.len() == before)
        });
        if network.kind != Kind::Shortcut || network.connection_rate < 1.0 || !full {
            return Err(Error::CascadeShape);
        }
        Ok(Self { trainer, epochs: 0, added: 0 })
    }

    /// Epochs so far, of outputs and of candidates.
    pub fn epochs(&self) -> u32 {
        self.epochs
    }

    /// Neurons added so far.
    pub fn added(&self) -> u32 {
        self.added
    }

    /// Trains the outputs and, if they do not reach the desired error, adds the best of new
    /// candidates.
    ///
    /// # Errors
    /// [`Error::InputsLength`] and [`Error::OutputsLength`]; [`Error::TooLarge`] when the network
    /// would outgrow its limits; [`Error::Diverged`].
    pub fn grow(
        &mut self,
        network: &mut Network,
        data: &Data,
        desired: f32,
        random: &mut impl Random,
    ) -> Result<Growth, Error> {
        network.check_fits(data)?;
        self.train_outputs(network, data, desired)?;
        let measure = self.trainer.measure;
        let reached = measure.reaches(network, desired);
        let mut neuron = None;
        if !reached {
            check_growth(network)?;
            let mut candidates = Candidates::new(network, random);
            let annealing = &mut self.trainer.annealing;
            let epochs = candidates.train(network, data, measure.square_sum, annealing);
            self.epochs = self.epochs.saturating_add(epochs);
            let layer = network.layer_count() - 1;
            let best = candidates.best().ok_or(Error::Diverged { epoch: self.epochs, layer })?;
            install(network, &best);
            neuron = Some(best.kind);
            self.added += 1;
        }
        Ok(Growth { epochs: self.epochs, added: self.added, measure, reached, neuron })
    }

    /// Trains the outputs one last time, with no error to stop at.
    ///
    /// # Errors
    /// As [`Cascade::grow`].
    pub fn finish(&mut self, network: &mut Network, data: &Data) -> Result<Measure, Error> {
        network.check_fits(data)?;
        self.train_outputs(network, data, 0.0)?;
        Ok(self.trainer.measure)
    }

    /// Grows until the desired error is reached, by `neurons_max` neurons at most, and finishes.
    /// The measure is that of the last training of the outputs; `reached` tells whether growing
    /// reached the desired error.
    ///
    /// # Errors
    /// As [`Cascade::grow`].
    pub fn train(
        &mut self,
        network: &mut Network,
        data: &Data,
        neurons_max: u32,
        desired: f32,
        random: &mut impl Random,
    ) -> Result<Growth, Error> {
        let mut growth = Growth {
            epochs: self.epochs,
            added: self.added,
            measure: Measure::default(),
            reached: false,
            neuron: None,
        };
        for _ in 0..neurons_max {
            growth = self.grow(network, data, desired, random)?;
            if growth.reached {
                break;
            }
        }
        growth.measure = self.finish(network, data)?;
        growth.reached = growth.reached || growth.measure.reaches(network, desired);
        Ok(growth)
    }

    /// Trains the weights of the outputs alone, until nothing changes any more.
    fn train_outputs(
        &mut self,
        network: &mut Network,
        data: &Data,
        desired: f32,
    ) -> Result<(), Error> {
        self.trainer.reset(network);
        let options = &network.options.cascade;
        let mut patience = Patience {
            fraction: options.output_change_fraction,
            epochs: options.output_stagnation_epochs,
            epochs_min: options.out_epochs_min,
            until: options.out_epochs_max,
            target: 0.0,
            backslide: -1.0e20,
        };
        let mut first = None;
        for epoch in 0..options.out_epochs_max.max(1) {
            let error = self.outputs_epoch(network, data)?;
            self.epochs = self.epochs.saturating_add(1);
            let first = *first.get_or_insert(error);
            if self.trainer.measure.reaches(network, desired) {
                break;
            }
            if epoch > 0 && patience.ends(epoch, first - error) {
                break;
            }
        }
        Ok(())
    }

    /// One epoch of the outputs' weights; what it was off.
    fn outputs_epoch(&mut self, network: &mut Network, data: &Data) -> Result<f32, Error> {
        let last = network.layer_count() - 1;
        self.trainer.keep(network);
        self.trainer.measure = Measure::default();
        for (inputs, targets) in data.iter() {
            network.forward(inputs);
            self.trainer.blame_outputs(network, targets);
            self.trainer.add_slopes(network, last);
        }
        let first = network.first_connection(last);
        self.trainer.update(network, data.rows(), first)?;
        Ok(self.trainer.measure.mse())
    }
}

/// When a training has stopped learning anything.
pub(super) struct Patience {
    /// The relative change that counts as one.
    pub(super) fraction: f32,
    /// How many epochs may pass without one.
    pub(super) epochs: u32,
    /// How many pass at least.
    pub(super) epochs_min: u32,
    /// The epoch at which patience ends.
    pub(super) until: u32,
    /// Better than this is a change.
    pub(super) target: f32,
    /// Worse than this, too.
    pub(super) backslide: f32,
}

impl Patience {
    /// Whether to stop, `improvement` being what this epoch has reached since the start. It may
    /// have become worse; then getting better or yet worse are the changes.
    fn ends(&mut self, epoch: u32, improvement: f32) -> bool {
        let (target, backslide) = (self.target, self.backslide);
        let changed = if target >= 0.0 {
            improvement > target || improvement < backslide
        } else {
            improvement < target || improvement > backslide
        };
        self.renew(changed, epoch, improvement)
    }

    /// Whether to stop, for a score that is to rise.
    pub(super) fn ends_rising(&mut self, epoch: u32, score: f32) -> bool {
        let changed = score > self.target || score < self.backslide;
        self.renew(changed, epoch, score)
    }

    fn renew(&mut self, changed: bool, epoch: u32, reached: f32) -> bool {
        if changed {
            self.target = reached * (1.0 + self.fraction);
            self.backslide = reached * (1.0 - self.fraction);
            self.until = epoch.saturating_add(self.epochs);
        }
        epoch >= self.until && epoch >= self.epochs_min
    }
}

/// Whether one more neuron is within the limits.
fn check_growth(network: &Network) -> Result<(), Error> {
    let (count, max) = (network.neurons.len() + 1, limits::FANN_NEURONS_MAX);
    if count > max {
        return Err(Error::TooLarge { what: "neurons", count, max });
    }
    if network.layer_count() + 1 > limits::FANN_LAYERS_MAX {
        return Err(Error::Layers(network.layer_count() + 1));
    }
    build::check_connections(network.weights.len() + network.neurons.len())
}

/// Builds the best candidate in, as a layer of its own before the outputs.
fn install(network: &mut Network, best: &Candidate<'_>) {
    let outputs = network.output_range();
    let place = outputs.start;
    let first = network.first_connection(network.layer_count() - 1);
    let old_weights = network.weights.split_off(first);
    let old_sources = network.sources.split_off(first);
    let old = network.neurons.split_off(place);
    network.weights.extend_from_slice(best.inputs);
    network.sources.extend(0..place);
    let connections = first..network.weights.len();
    let (activation, steepness) = best.kind;
    network.neurons.push(Neuron { activation, steepness, connections });
    let multiplier = network.options.cascade.weight_multiplier;
    for (mut neuron, weight) in old.into_iter().zip(best.outputs) {
        let (start, from) = (network.weights.len(), neuron.connections.clone());
        let from = from.start - first..from.end - first;
        network.weights.extend_from_slice(old_weights.get(from.clone()).unwrap_or_default());
        network.weights.push(weight * multiplier);
        network.sources.extend_from_slice(old_sources.get(from).unwrap_or_default());
        network.sources.push(place);
        neuron.connections = start..network.weights.len();
        network.neurons.push(neuron);
    }
    let layers = network.layers.len();
    network.layers.insert(layers - 1, place + 1);
    let count = network.neurons.len();
    if let Some(end) = network.layers.last_mut() {
        *end = count;
    }
    network.values.resize(count, 0.0);
    network.sums.resize(count, 0.0);
}
