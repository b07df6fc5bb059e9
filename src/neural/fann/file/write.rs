//! From networks to files.

use std::fmt::Write;

use super::decimal::{exponential, fixed};
use crate::neural::fann::network::{Kind, Network};
use crate::neural::fann::options::{Algorithm, ErrorFunction, Options, StopFunction};
use crate::neural::fann::scaling::Column;

/// The text of a network.
pub(super) fn network(network: &Network) -> String {
    let mut text = String::with_capacity(4_096 + 40 * network.weights.len());
    text.push_str("FANN_FLO_2.1\n");
    parameters(&mut text, network);
    cascade(&mut text, &network.options);
    text.push_str("layer_sizes=");
    for layer in 0..network.layer_count() {
        put(&mut text, format_args!("{} ", network.layer(layer).len()));
    }
    text.push('\n');
    scaling(&mut text, network);
    text.push_str("neurons (num_inputs, activation_function, activation_steepness)=");
    for neuron in &network.neurons {
        let steepness = exponential(neuron.steepness);
        let (inputs, activation) = (neuron.connections.len(), neuron.activation.number());
        put(&mut text, format_args!("({inputs}, {activation}, {steepness}) "));
    }
    text.push_str("\nconnections (connected_to_neuron, weight)=");
    for (source, weight) in network.sources.iter().zip(&network.weights) {
        put(&mut text, format_args!("({source}, {}) ", exponential(*weight)));
    }
    text.push('\n');
    text
}

fn put(text: &mut String, part: std::fmt::Arguments<'_>) {
    text.write_fmt(part).expect("a String takes everything");
}

fn float(text: &mut String, name: &str, number: f32) {
    put(text, format_args!("{name}={}\n", fixed(number)));
}

fn count(text: &mut String, name: &str, number: u32) {
    put(text, format_args!("{name}={number}\n"));
}

fn parameters(text: &mut String, network: &Network) {
    let Network { options, connection_rate, kind, .. } = network;
    put(text, format_args!("num_layers={}\n", network.layer_count()));
    float(text, "learning_rate", options.learning_rate);
    // Six digits must not make a sparse network a full one.
    let rate = if *connection_rate < 1.0 { connection_rate.min(0.999_999) } else { 1.0 };
    float(text, "connection_rate", rate);
    count(text, "network_type", u32::from(*kind == Kind::Shortcut));
    float(text, "learning_momentum", options.momentum);
    let algorithm = match options.algorithm {
        Algorithm::Incremental => 0,
        Algorithm::Batch => 1,
        Algorithm::Rprop => 2,
        Algorithm::Quickprop => 3,
        Algorithm::Sarprop => 4,
    };
    count(text, "training_algorithm", algorithm);
    let tanh = options.error_function == ErrorFunction::Tanh;
    count(text, "train_error_function", u32::from(tanh));
    count(text, "train_stop_function", u32::from(options.stop_function == StopFunction::Bit));
}

fn cascade(text: &mut String, options: &Options) {
    let Options { quickprop, rprop, cascade, .. } = options;
    float(text, "cascade_output_change_fraction", cascade.output_change_fraction);
    float(text, "quickprop_decay", quickprop.decay);
    float(text, "quickprop_mu", quickprop.mu);
    float(text, "rprop_increase_factor", rprop.increase);
    float(text, "rprop_decrease_factor", rprop.decrease);
    float(text, "rprop_delta_min", rprop.delta_min);
    float(text, "rprop_delta_max", rprop.delta_max);
    float(text, "rprop_delta_zero", rprop.delta_zero);
    count(text, "cascade_output_stagnation_epochs", cascade.output_stagnation_epochs);
    float(text, "cascade_candidate_change_fraction", cascade.candidate_change_fraction);
    count(text, "cascade_candidate_stagnation_epochs", cascade.candidate_stagnation_epochs);
    count(text, "cascade_max_out_epochs", cascade.out_epochs_max);
    count(text, "cascade_min_out_epochs", cascade.out_epochs_min);
    count(text, "cascade_max_cand_epochs", cascade.candidate_epochs_max);
    count(text, "cascade_min_cand_epochs", cascade.candidate_epochs_min);
    count(text, "cascade_num_candidate_groups", cascade.candidate_groups);
    for (name, number) in [
        ("bit_fail_limit", options.bit_fail_limit),
        ("cascade_candidate_limit", cascade.candidate_limit),
        ("cascade_weight_multiplier", cascade.weight_multiplier),
    ] {
        put(text, format_args!("{name}={}\n", exponential(number)));
    }
    put(text, format_args!("cascade_activation_functions_count={}\n", cascade.activations.len()));
    text.push_str("cascade_activation_functions=");
    for activation in &cascade.activations {
        put(text, format_args!("{} ", activation.number()));
    }
    let steepnesses = cascade.steepnesses.len();
    put(text, format_args!("\ncascade_activation_steepnesses_count={steepnesses}\n"));
    text.push_str("cascade_activation_steepnesses=");
    for steepness in &cascade.steepnesses {
        put(text, format_args!("{} ", exponential(*steepness)));
    }
    text.push('\n');
}

fn scaling(text: &mut String, network: &Network) {
    let Some(scaling) = &network.scaling else {
        text.push_str("scale_included=0\n");
        return;
    };
    text.push_str("scale_included=1\n");
    for (columns, place) in [(&scaling.inputs, "in"), (&scaling.outputs, "out")] {
        for name in ["mean", "deviation", "new_min", "factor"] {
            put(text, format_args!("scale_{name}_{place}="));
            for Column { mean, deviation, new_min, factor } in columns {
                let number = match name {
                    "mean" => mean,
                    "deviation" => deviation,
                    "new_min" => new_min,
                    _ => factor,
                };
                put(text, format_args!("{} ", fixed(*number)));
            }
            text.push('\n');
        }
    }
}
