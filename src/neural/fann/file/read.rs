//! From files to networks.

use super::Error;
use super::reader::Reader;
use crate::limits;
use crate::neural::fann::network::{Kind, Network, Neuron};
use crate::neural::fann::options::{
    Algorithm, CascadeOptions, ErrorFunction, Options, StopFunction,
};
use crate::neural::fann::scaling::{Column, Scaling};
use crate::tensor::index;

/// The network of a whole file.
pub(super) fn network(file: &[u8]) -> Result<Network, Error> {
    if file.len() > limits::FANN_FILE_BYTES_MAX {
        return Err(Error::TooLong(file.len()));
    }
    let mut reader = Reader::new(file);
    let scaled = reader.version()?;
    let layer_count = index(reader.key_count("num_layers")?);
    if !(2..=limits::FANN_LAYERS_MAX).contains(&layer_count) {
        return Err(reader.range("num_layers"));
    }
    let (options, kind, connection_rate) = parameters(&mut reader)?;
    let layers = layers(&mut reader, layer_count, kind)?;
    let mut network = Network {
        kind,
        connection_rate,
        layers,
        neurons: Vec::new(),
        sources: Vec::new(),
        weights: Vec::new(),
        options,
        scaling: None,
        values: Vec::new(),
        sums: Vec::new(),
    };
    if scaled {
        network.scaling = scaling(&mut reader, &network)?;
    }
    neurons(&mut reader, &mut network)?;
    connections(&mut reader, &mut network)?;
    reader.end()?;
    network.values.resize(network.neurons.len(), 0.0);
    network.sums.resize(network.neurons.len(), 0.0);
    Ok(network)
}

/// All that stands before the sizes of the layers.
fn parameters(reader: &mut Reader<'_>) -> Result<(Options, Kind, f32), Error> {
    let learning_rate = reader.key_float("learning_rate")?;
    let mut options = Options { learning_rate, ..Options::default() };
    let connection_rate = reader.key_float("connection_rate")?;
    if !(0.0..=1.0).contains(&connection_rate) {
        return Err(reader.range("connection_rate"));
    }
    let kind = reader.key_choice("network_type", &[Kind::Layered, Kind::Shortcut])?;
    options.momentum = reader.key_float("learning_momentum")?;
    let algorithms = [
        Algorithm::Incremental,
        Algorithm::Batch,
        Algorithm::Rprop,
        Algorithm::Quickprop,
        Algorithm::Sarprop,
    ];
    options.algorithm = reader.key_choice("training_algorithm", &algorithms)?;
    let functions = [ErrorFunction::Linear, ErrorFunction::Tanh];
    options.error_function = reader.key_choice("train_error_function", &functions)?;
    let functions = [StopFunction::Mse, StopFunction::Bit];
    options.stop_function = reader.key_choice("train_stop_function", &functions)?;
    let cascade = &mut options.cascade;
    cascade.output_change_fraction = reader.key_float("cascade_output_change_fraction")?;
    options.quickprop.decay = reader.key_float("quickprop_decay")?;
    options.quickprop.mu = reader.key_float("quickprop_mu")?;
    let rprop = &mut options.rprop;
    rprop.increase = reader.key_float("rprop_increase_factor")?;
    rprop.decrease = reader.key_float("rprop_decrease_factor")?;
    rprop.delta_min = reader.key_float("rprop_delta_min")?;
    rprop.delta_max = reader.key_float("rprop_delta_max")?;
    rprop.delta_zero = reader.key_float("rprop_delta_zero")?;
    cascade_parameters(reader, cascade)?;
    options.bit_fail_limit = reader.key_float("bit_fail_limit")?;
    options.cascade.candidate_limit = reader.key_float("cascade_candidate_limit")?;
    options.cascade.weight_multiplier = reader.key_float("cascade_weight_multiplier")?;
    candidates(reader, &mut options.cascade)?;
    Ok((options, kind, connection_rate))
}

fn cascade_parameters(reader: &mut Reader<'_>, cascade: &mut CascadeOptions) -> Result<(), Error> {
    cascade.output_stagnation_epochs = reader.key_count("cascade_output_stagnation_epochs")?;
    cascade.candidate_change_fraction = reader.key_float("cascade_candidate_change_fraction")?;
    cascade.candidate_stagnation_epochs =
        reader.key_count("cascade_candidate_stagnation_epochs")?;
    cascade.out_epochs_max = reader.key_count("cascade_max_out_epochs")?;
    cascade.out_epochs_min = reader.key_count("cascade_min_out_epochs")?;
    cascade.candidate_epochs_max = reader.key_count("cascade_max_cand_epochs")?;
    cascade.candidate_epochs_min = reader.key_count("cascade_min_cand_epochs")?;
    cascade.candidate_groups = reader.key_count("cascade_num_candidate_groups")?;
    Ok(())
}

/// Activations and steepnesses of candidates.
fn candidates(reader: &mut Reader<'_>, cascade: &mut CascadeOptions) -> Result<(), Error> {
    cascade.activations.clear();
    let count = reader.bounded("cascade_activation_functions_count")?;
    reader.key("cascade_activation_functions")?;
    for _ in 0..count {
        cascade.activations.push(reader.activation()?);
    }
    cascade.steepnesses.clear();
    let count = reader.bounded("cascade_activation_steepnesses_count")?;
    reader.key("cascade_activation_steepnesses")?;
    for _ in 0..count {
        cascade.steepnesses.push(reader.steepness()?);
    }
    Ok(())
}

/// Where the layers start, and the number of neurons.
fn layers(reader: &mut Reader<'_>, count: usize, kind: Kind) -> Result<Vec<usize>, Error> {
    reader.key("layer_sizes")?;
    let mut layers = vec![0_usize];
    let mut neurons = 0_usize;
    for layer in 0..count {
        let size = index(reader.count("a layer size")?);
        // A bias that nobody takes stands behind the outputs.
        let biased = layer == 0 || layer + 1 == count && kind == Kind::Layered;
        let least = if biased { 2 } else { 1 };
        neurons = neurons.saturating_add(size);
        if size < least || neurons > limits::FANN_NEURONS_MAX {
            return Err(reader.range("a layer size"));
        }
        layers.push(neurons);
    }
    Ok(layers)
}

fn scaling(reader: &mut Reader<'_>, network: &Network) -> Result<Option<Scaling>, Error> {
    if !reader.key_choice("scale_included", &[false, true])? {
        return Ok(None);
    }
    let inputs = columns(
        reader,
        network.inputs(),
        ["scale_mean_in", "scale_deviation_in", "scale_new_min_in", "scale_factor_in"],
    )?;
    let outputs = columns(
        reader,
        network.outputs(),
        ["scale_mean_out", "scale_deviation_out", "scale_new_min_out", "scale_factor_out"],
    )?;
    Ok(Some(Scaling { inputs, outputs }))
}

fn columns(
    reader: &mut Reader<'_>,
    count: usize,
    names: [&'static str; 4],
) -> Result<Vec<Column>, Error> {
    let mut parts = Vec::with_capacity(4);
    for name in names {
        reader.key(name)?;
        let numbers: Result<Vec<f32>, Error> = (0..count).map(|_| reader.float(name)).collect();
        parts.push(numbers?.into_iter());
    }
    let mut columns = Vec::with_capacity(count);
    let mut next = |part: usize| parts.get_mut(part).and_then(Iterator::next);
    while let (Some(mean), Some(deviation), Some(new_min), Some(factor)) =
        (next(0), next(1), next(2), next(3))
    {
        columns.push(Column { mean, deviation, new_min, factor });
    }
    Ok(columns)
}

fn neurons(reader: &mut Reader<'_>, network: &mut Network) -> Result<(), Error> {
    reader.key("neurons (num_inputs, activation_function, activation_steepness)")?;
    let mut before = 0_usize;
    for layer in 0..network.layer_count() {
        // What a neuron can take, if each connection is another one.
        let most = match (layer, network.kind) {
            (0, _) => 0,
            (_, Kind::Layered) => network.layer(layer - 1).len(),
            (_, Kind::Shortcut) => network.layer(layer).start,
        };
        for _ in network.layer(layer) {
            reader.mark(b'(')?;
            let inputs = index(reader.count("a number of inputs")?);
            let end = before.saturating_add(inputs);
            if inputs > most || end > limits::NEURAL_PARAMETERS_MAX {
                return Err(reader.range("a number of inputs"));
            }
            reader.mark(b',')?;
            let activation = reader.activation()?;
            reader.mark(b',')?;
            let steepness = reader.steepness()?;
            reader.mark(b')')?;
            network.neurons.push(Neuron { activation, steepness, connections: before..end });
            before = end;
        }
    }
    Ok(())
}

/// The connections, which must be from earlier layers; of a network whose rate is 1, libfann takes
/// for granted where they come from.
fn connections(reader: &mut Reader<'_>, network: &mut Network) -> Result<(), Error> {
    reader.key("connections (connected_to_neuron, weight)")?;
    for layer in 1..network.layer_count() {
        let (neurons, start) = (network.layer(layer), network.dense_start(layer));
        for neuron in network.neurons.get(neurons.clone()).unwrap_or_default() {
            for nth in 0..neuron.connections.len() {
                reader.mark(b'(')?;
                let source = index(reader.count("a connection's neuron")?);
                if source >= neurons.start || start.is_some_and(|start| source != start + nth) {
                    let connection = neuron.connections.start + nth;
                    return Err(Error::Connection { connection, at: reader.at() });
                }
                reader.mark(b',')?;
                network.sources.push(source);
                network.weights.push(reader.float("a weight")?);
                reader.mark(b')')?;
            }
        }
    }
    Ok(())
}
