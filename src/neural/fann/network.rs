//! A network as FANN knows it: neurons in layers, each with its own connections, activation and
//! steepness.
//!
//! The first layer are the inputs and a bias, which is always 1. In a *layered* network every layer
//! has a bias of its own behind its neurons (even the last one, unused, as in libfann) and takes
//! only the layer before it; in a *shortcut* network there is the one bias, and a neuron takes any
//! earlier layer. A neuron's connections lie one behind the other, in the order of the neurons.

#![expect(
    clippy::indexing_slicing,
    reason = "neurons, connections and layers are numbers that construction has checked"
)]

use std::ops::Range;

use super::{Activation, Data, Error, Options, Random, Scaling};

/// Which neurons a neuron can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Those of the layer before.
    Layered,
    /// Those of all layers before.
    Shortcut,
}

/// A neuron, without its weights. Inputs and biases have no connections.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Neuron {
    pub(super) activation: Activation,
    pub(super) steepness: f32,
    pub(super) connections: Range<usize>,
}

/// A FANN network with its weights and the options it learns by.
#[derive(Clone, Debug)]
pub struct Network {
    pub(super) kind: Kind,
    pub(super) connection_rate: f32,
    /// Where the layers start, and the number of neurons.
    pub(super) layers: Vec<usize>,
    pub(super) neurons: Vec<Neuron>,
    /// For each connection the neuron it comes from.
    pub(super) sources: Vec<usize>,
    pub(super) weights: Vec<f32>,
    pub(super) options: Options,
    pub(super) scaling: Option<Scaling>,
    /// What the neurons made of the last inputs, and their sums before the steepness.
    pub(super) values: Vec<f32>,
    pub(super) sums: Vec<f32>,
}

impl PartialEq for Network {
    /// Everything but what the last run left behind.
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
            && self.connection_rate.to_bits() == other.connection_rate.to_bits()
            && self.layers == other.layers
            && self.neurons == other.neurons
            && self.sources == other.sources
            && self.weights == other.weights
            && self.options == other.options
            && self.scaling == other.scaling
    }
}

impl Network {
    /// Which neurons a neuron can take.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The share of possible connections that the network was made with.
    pub fn connection_rate(&self) -> f32 {
        self.connection_rate
    }

    /// Numbers it takes.
    pub fn inputs(&self) -> usize {
        self.layers[1] - 1
    }

    /// Numbers it gives.
    pub fn outputs(&self) -> usize {
        let last = self.layer(self.layer_count() - 1).len();
        last - usize::from(self.kind == Kind::Layered)
    }

    /// Neurons of each layer without biases, the inputs being the first.
    pub fn layer_sizes(&self) -> Vec<usize> {
        let bias = |layer: usize| usize::from(layer == 0 || self.kind == Kind::Layered);
        (0..self.layer_count()).map(|layer| self.layer(layer).len() - bias(layer)).collect()
    }

    /// Neurons between inputs and outputs, biases left out; cascade training adds to them.
    pub fn hidden(&self) -> usize {
        let sizes = self.layer_sizes();
        sizes.iter().sum::<usize>() - self.inputs() - self.outputs()
    }

    /// Number of connections, which is that of the weights.
    pub fn connection_count(&self) -> usize {
        self.weights.len()
    }

    /// Each connection: neuron it comes from, neuron it goes to, weight. Neurons are counted
    /// through all layers, biases included.
    pub fn connections(&self) -> impl Iterator<Item = (usize, usize, f32)> {
        let ends = self.neurons.iter().enumerate();
        let ends = ends.flat_map(|(to, neuron)| neuron.connections.clone().map(move |_| to));
        self.sources
            .iter()
            .zip(ends)
            .zip(&self.weights)
            .map(|((from, to), weight)| (*from, to, *weight))
    }

    /// The weights, neuron by neuron.
    pub fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// Replaces the weights.
    ///
    /// # Errors
    /// [`Error::WeightsLength`] and [`Error::WeightNotFinite`].
    pub fn set_weights(&mut self, weights: &[f32]) -> Result<(), Error> {
        if weights.len() != self.weights.len() {
            let (expected, found) = (self.weights.len(), weights.len());
            return Err(Error::WeightsLength { expected, found });
        }
        if let Some(odd) = weights.iter().position(|weight| !weight.is_finite()) {
            return Err(Error::WeightNotFinite(odd));
        }
        self.weights.copy_from_slice(weights);
        Ok(())
    }

    /// Draws every weight anew, uniform from `low` to `high`.
    pub fn randomize(&mut self, low: f32, high: f32, random: &mut impl Random) {
        self.weights.iter_mut().for_each(|weight| *weight = random.between(low, high));
    }

    /// How it learns.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// How it learns, to change; trainers check it.
    pub fn options_mut(&mut self) -> &mut Options {
        &mut self.options
    }

    /// How inputs and outputs are scaled, if they are. [`Network::run`] leaves that to the caller.
    pub fn scaling(&self) -> Option<&Scaling> {
        self.scaling.as_ref()
    }

    /// Takes the scaling of `data` into the file: see [`Scaling::of`].
    ///
    /// # Errors
    /// [`Error::InputsLength`] and [`Error::OutputsLength`] if the data is for another network.
    pub fn set_scaling(&mut self, data: &Data, low: f32, high: f32) -> Result<(), Error> {
        self.check_fits(data)?;
        self.scaling = Some(Scaling::of(data, low, high));
        Ok(())
    }

    /// Takes a scaling into the file.
    ///
    /// # Errors
    /// [`Error::InputsLength`] and [`Error::OutputsLength`] if it is for another network.
    pub fn take_scaling(&mut self, scaling: Scaling) -> Result<(), Error> {
        let (expected, found) = (self.inputs(), scaling.inputs.len());
        if expected != found {
            return Err(Error::InputsLength { expected, found });
        }
        let (expected, found) = (self.outputs(), scaling.outputs.len());
        if expected != found {
            return Err(Error::OutputsLength { expected, found });
        }
        self.scaling = Some(scaling);
        Ok(())
    }

    /// Activation and steepness of a neuron; `layer` 0 are the inputs, which have none.
    pub fn activation(&self, layer: usize, neuron: usize) -> Option<(Activation, f32)> {
        let neuron = &self.neurons[self.find(layer, neuron).ok()?];
        Some((neuron.activation, neuron.steepness))
    }

    /// Changes one neuron.
    ///
    /// # Errors
    /// [`Error::NoSuchNeuron`] and [`Error::Steepness`].
    pub fn set_activation(
        &mut self,
        layer: usize,
        neuron: usize,
        activation: Activation,
        steepness: f32,
    ) -> Result<(), Error> {
        check_steepness(steepness)?;
        let neuron = self.find(layer, neuron)?;
        self.neurons[neuron].activation = activation;
        self.neurons[neuron].steepness = steepness;
        Ok(())
    }

    /// Changes all hidden neurons.
    ///
    /// # Errors
    /// [`Error::Steepness`].
    pub fn set_hidden(&mut self, activation: Activation, steepness: f32) -> Result<(), Error> {
        let hidden = self.layers[1]..self.layers[self.layer_count() - 1];
        self.set_all(hidden, activation, steepness)
    }

    /// Changes all outputs.
    ///
    /// # Errors
    /// [`Error::Steepness`].
    pub fn set_output(&mut self, activation: Activation, steepness: f32) -> Result<(), Error> {
        self.set_all(self.layer(self.layer_count() - 1), activation, steepness)
    }

    /// Changes all neurons of a layer; 0 are the inputs, which have nothing to change.
    ///
    /// # Errors
    /// [`Error::NoSuchNeuron`] and [`Error::Steepness`].
    pub fn set_layer(&mut self, layer: usize, to: Activation, steep: f32) -> Result<(), Error> {
        if layer == 0 || layer >= self.layer_count() {
            return Err(Error::NoSuchNeuron { layer, neuron: 0 });
        }
        self.set_all(self.layer(layer), to, steep)
    }

    /// What the network makes of `inputs`.
    ///
    /// # Errors
    /// [`Error::InputsLength`] and [`Error::InputNotFinite`].
    pub fn run(&mut self, inputs: &[f32]) -> Result<&[f32], Error> {
        if inputs.len() != self.inputs() {
            let (expected, found) = (self.inputs(), inputs.len());
            return Err(Error::InputsLength { expected, found });
        }
        if let Some(odd) = inputs.iter().position(|input| !input.is_finite()) {
            return Err(Error::InputNotFinite(odd));
        }
        self.forward(inputs);
        Ok(self.output_values())
    }

    /// The outputs of the last run.
    pub(super) fn output_values(&self) -> &[f32] {
        &self.values[self.output_range()]
    }

    /// The neurons whose values are the outputs.
    pub(super) fn output_range(&self) -> Range<usize> {
        let start = self.layers[self.layer_count() - 1];
        start..start + self.outputs()
    }

    pub(super) fn layer_count(&self) -> usize {
        self.layers.len() - 1
    }

    /// The neurons of a layer.
    pub(super) fn layer(&self, layer: usize) -> Range<usize> {
        self.layers[layer]..self.layers[layer + 1]
    }

    /// The first connection of a layer.
    pub(super) fn first_connection(&self, layer: usize) -> usize {
        self.neurons[self.layers[layer]].connections.start
    }

    /// Where the inputs of a layer's neurons start if they lie one behind the other.
    pub(super) fn dense_start(&self, layer: usize) -> Option<usize> {
        let start = if self.kind == Kind::Layered { self.layers[layer - 1] } else { 0 };
        (self.connection_rate >= 1.0).then_some(start)
    }

    /// [`Error::Untrainable`] for the first neuron that is.
    pub(super) fn check_trainable(&self) -> Result<(), Error> {
        for (number, neuron) in self.neurons.iter().enumerate() {
            if !neuron.connections.is_empty() && !neuron.activation.is_trainable() {
                let activation = neuron.activation;
                return Err(Error::Untrainable { neuron: number, activation });
            }
        }
        Ok(())
    }

    pub(super) fn check_fits(&self, data: &Data) -> Result<(), Error> {
        if data.inputs() != self.inputs() {
            return Err(Error::InputsLength { expected: self.inputs(), found: data.inputs() });
        }
        if data.outputs() != self.outputs() {
            return Err(Error::OutputsLength { expected: self.outputs(), found: data.outputs() });
        }
        Ok(())
    }

    /// The place of a neuron that has connections.
    fn find(&self, layer: usize, neuron: usize) -> Result<usize, Error> {
        let missing = Error::NoSuchNeuron { layer, neuron };
        if layer >= self.layer_count() {
            return Err(missing);
        }
        let place = self.layer(layer).nth(neuron);
        place.filter(|at| !self.neurons[*at].connections.is_empty()).ok_or(missing)
    }

    fn set_all(&mut self, which: Range<usize>, to: Activation, steep: f32) -> Result<(), Error> {
        check_steepness(steep)?;
        for neuron in &mut self.neurons[which] {
            if !neuron.connections.is_empty() {
                neuron.activation = to;
                neuron.steepness = steep;
            }
        }
        Ok(())
    }
}

pub(super) fn check_steepness(steepness: f32) -> Result<(), Error> {
    let fits = steepness.is_finite() && steepness.is_sign_positive();
    if fits { Ok(()) } else { Err(Error::Steepness) }
}
