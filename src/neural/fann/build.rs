//! How networks are made.

#![expect(clippy::indexing_slicing, reason = "numbers below the lengths that were just pushed")]

use super::network::{Kind, Network, Neuron};
use super::{Activation, Error, Options, Random, functions};
use crate::limits;

/// Starting weights are uniform between minus this and this.
const WEIGHT_START: f32 = 0.1;
/// What libfann gives every neuron.
const START: (Activation, f32) = (Activation::SigmoidStepwise, 0.5);

impl Network {
    /// Every neuron takes all of the layer before: `layers` are the numbers of neurons without
    /// biases, the inputs being the first.
    ///
    /// All neurons begin as [`Activation::SigmoidStepwise`] with steepness 0.5.
    ///
    /// # Errors
    /// [`Error::Layers`], [`Error::LayerEmpty`], [`Error::TooLarge`].
    pub fn standard(layers: &[usize], random: &mut impl Random) -> Result<Self, Error> {
        let mut plan = Plan::new(Kind::Layered, layers)?;
        check_layers(layers.windows(2).map(|pair| (pair[0] + 1, pair[1])))?;
        for (layer, sizes) in layers.windows(2).enumerate() {
            let start = plan.layers[layer];
            let neurons = (0..sizes[1]).map(|_| (start..=start + sizes[0]).collect());
            plan.add_layer(neurons.collect(), true, random);
        }
        Ok(plan.finish(1.0))
    }

    /// As [`Network::standard`] with only a share of the connections, chosen at random: every
    /// neuron takes the bias, and every neuron is taken at least once.
    ///
    /// # Errors
    /// Those of [`Network::standard`], and [`Error::ConnectionRate`].
    pub fn sparse(rate: f32, layers: &[usize], random: &mut impl Random) -> Result<Self, Error> {
        if !(rate > 0.0 && rate <= 1.0) {
            return Err(Error::ConnectionRate);
        }
        if rate >= 1.0 {
            return Self::standard(layers, random);
        }
        let mut plan = Plan::new(Kind::Layered, layers)?;
        check_layers(layers.windows(2).map(|pair| (pair[0] + 1, pair[1])))?;
        for (layer, sizes) in layers.windows(2).enumerate() {
            let neurons = choose(rate, plan.layers[layer], sizes[0], sizes[1], random);
            plan.add_layer(neurons, true, random);
        }
        Ok(plan.finish(rate))
    }

    /// Every neuron takes all of all layers before; what cascade training starts from.
    ///
    /// # Errors
    /// Those of [`Network::standard`].
    pub fn shortcut(layers: &[usize], random: &mut impl Random) -> Result<Self, Error> {
        let mut plan = Plan::new(Kind::Shortcut, layers)?;
        let mut before = 1_usize;
        check_layers(layers.windows(2).map(|pair| {
            before = before.saturating_add(pair[0]);
            (before, pair[1])
        }))?;
        for size in &layers[1..] {
            let start = plan.neurons.len();
            let neurons = (0..*size).map(|_| (0..start).collect());
            plan.add_layer(neurons.collect(), false, random);
        }
        Ok(plan.finish(1.0))
    }

    /// Draws weights that spread the hidden neurons over the inputs from `lowest` to `highest`
    /// (after Nguyen and Widrow 1990, as libfann's `fann_init_weights`).
    pub fn spread_weights(&mut self, lowest: f32, highest: f32, random: &mut impl Random) {
        let root = functions::power(0.7 * wide(self.hidden()), 1.0 / wide(self.inputs()));
        let span = f64::from(highest - lowest);
        #[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "rounds once")]
        let scale = if span > 0.0 { (root / span) as f32 } else { 1.0 };
        for at in 0..self.weights.len() {
            let bias = self.neurons[self.sources[at]].connections.is_empty()
                && self.sources[at] >= self.inputs();
            self.weights[at] = random.between(if bias { -scale } else { 0.0 }, scale);
        }
    }
}

#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "numbers of neurons")]
pub(super) fn wide(count: usize) -> f64 {
    count as f64
}

/// A network that has not all its layers yet.
struct Plan {
    kind: Kind,
    layers: Vec<usize>,
    neurons: Vec<Neuron>,
    sources: Vec<usize>,
    weights: Vec<f32>,
}

impl Plan {
    /// The inputs and their bias.
    fn new(kind: Kind, layers: &[usize]) -> Result<Self, Error> {
        if !(2..=limits::FANN_LAYERS_MAX).contains(&layers.len()) {
            return Err(Error::Layers(layers.len()));
        }
        if let Some(empty) = layers.iter().position(|size| *size == 0) {
            return Err(Error::LayerEmpty(empty));
        }
        let count = layers.iter().fold(layers.len(), |sum, size| sum.saturating_add(*size));
        let max = limits::FANN_NEURONS_MAX;
        if count > max {
            return Err(Error::TooLarge { what: "neurons", count, max });
        }
        let neurons = vec![passive(0); layers[0] + 1];
        let layers = vec![0, neurons.len()];
        Ok(Self { kind, layers, neurons, sources: Vec::new(), weights: Vec::new() })
    }

    /// Adds neurons with the given sources and starting weights, and a bias if there is to be one.
    fn add_layer(&mut self, neurons: Vec<Vec<usize>>, bias: bool, random: &mut impl Random) {
        for sources in neurons {
            let start = self.weights.len();
            self.weights
                .extend(sources.iter().map(|_| random.between(-WEIGHT_START, WEIGHT_START)));
            self.sources.extend(sources);
            let (activation, steepness) = START;
            let connections = start..self.weights.len();
            self.neurons.push(Neuron { activation, steepness, connections });
        }
        if bias {
            self.neurons.push(passive(self.weights.len()));
        }
        self.layers.push(self.neurons.len());
    }

    fn finish(self, connection_rate: f32) -> Network {
        let count = self.neurons.len();
        Network {
            kind: self.kind,
            connection_rate,
            layers: self.layers,
            neurons: self.neurons,
            sources: self.sources,
            weights: self.weights,
            options: Options::default(),
            scaling: None,
            values: vec![0.0; count],
            sums: vec![0.0; count],
        }
    }
}

/// An input or a bias, behind so many connections.
fn passive(connections: usize) -> Neuron {
    let connections = connections..connections;
    Neuron { activation: Activation::Linear, steepness: 0.0, connections }
}

/// Whether layers of neurons that take so many inputs each are within the limits.
fn check_layers(layers: impl Iterator<Item = (usize, usize)>) -> Result<(), Error> {
    check_connections(
        layers.fold(0_usize, |sum, (inputs, neurons)| {
            sum.saturating_add(inputs.saturating_mul(neurons))
        }),
    )
}

pub(super) fn check_connections(count: usize) -> Result<(), Error> {
    let max = limits::NEURAL_PARAMETERS_MAX;
    if count > max {
        return Err(Error::TooLarge { what: "connections", count, max });
    }
    Ok(())
}

/// The sources of the neurons of one layer: the bias, every source once, the rest at random.
///
/// Connections are dealt out evenly, as libfann deals them; complexity is that of all possible
/// connections.
fn choose(
    rate: f32,
    start: usize,
    sources: usize,
    neurons: usize,
    random: &mut impl Random,
) -> Vec<Vec<usize>> {
    let share = floor(0.5 + f64::from(rate) * wide(sources * neurons));
    let total = share.max(sources.max(neurons)) + neurons;
    let (each, rest) = (total / neurons, total % neurons);
    // How many of the `rest` the neurons before have got; products of both fit 64 bits, not 32.
    let dealt = |neuron: usize| index_of(wide_product(rest, neuron) / wide_product(neurons, 1));
    let size = |neuron: usize| each + dealt(neuron + 1) - dealt(neuron);
    let mut chosen: Vec<Vec<usize>> = (0..neurons).map(|_| vec![start + sources]).collect();
    let mut open: Vec<usize> = (0..neurons).filter(|neuron| size(*neuron) > 1).collect();
    for source in start..start + sources {
        let at = pick(open.len(), random);
        let neuron = open[at];
        chosen[neuron].push(source);
        if chosen[neuron].len() == size(neuron) {
            open.swap_remove(at);
        }
    }
    for (neuron, chosen) in chosen.iter_mut().enumerate() {
        let mut left: Vec<usize> =
            (start..start + sources).filter(|source| !chosen[1..].contains(source)).collect();
        while chosen.len() < size(neuron) {
            chosen.push(left.swap_remove(pick(left.len(), random)));
        }
    }
    chosen
}

fn wide_product(a: usize, b: usize) -> u64 {
    u64::try_from(a).unwrap_or(u64::MAX).saturating_mul(u64::try_from(b).unwrap_or(u64::MAX))
}

fn index_of(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// A random place among `count`.
fn pick(count: usize, random: &mut impl Random) -> usize {
    floor(f64::from(random.uniform()) * wide(count)).min(count - 1)
}

#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a number below the limits"
)]
fn floor(number: f64) -> usize {
    number as usize
}
