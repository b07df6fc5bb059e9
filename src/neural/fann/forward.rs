//! From inputs to outputs, in libfann's arithmetic and order.

#![expect(
    clippy::indexing_slicing,
    reason = "neurons, connections and layers are numbers that the network's construction checked"
)]

use super::Network;

/// Sums beyond this, divided by the steepness, are cut off (libfann's `fann_run`).
const SUM_MAX: f32 = 150.0;

impl Network {
    /// [`Network::run`] for inputs that have been checked.
    pub(super) fn forward(&mut self, inputs: &[f32]) {
        let bias = self.inputs();
        self.values[..bias].copy_from_slice(inputs);
        self.values[bias] = 1.0;
        for layer in 1..self.layer_count() {
            let start = self.dense_start(layer);
            for at in self.layer(layer) {
                let neuron = &self.neurons[at];
                if neuron.connections.is_empty() {
                    self.values[at] = 1.0;
                    continue;
                }
                let weights = &self.weights[neuron.connections.clone()];
                let sum = if let Some(start) = start {
                    dot(weights, &self.values[start..start + weights.len()])
                } else {
                    dot_at(weights, &self.sources[neuron.connections.clone()], &self.values)
                };
                let (scaled, sum) = scaled(neuron.steepness, sum);
                self.sums[at] = sum;
                self.values[at] = neuron.activation.value(scaled);
            }
        }
    }
}

/// A sum times a steepness, held within bounds, and the sum that belongs to it.
pub(super) fn scaled(steepness: f32, sum: f32) -> (f32, f32) {
    let (scaled, bound) = (steepness * sum, SUM_MAX / steepness);
    if scaled > bound {
        (bound, bound / steepness)
    } else if scaled < -bound {
        (-bound, -bound / steepness)
    } else {
        (scaled, sum)
    }
}

/// The sum of the products of as many weights as values, in libfann's order: what four does not
/// divide first, backwards, then four by four.
pub(super) fn dot(weights: &[f32], values: &[f32]) -> f32 {
    let rest = weights.len() & 3;
    let ((first, weights), (first_values, values)) =
        (weights.split_at(rest), values.split_at(rest));
    let mut sum = first.iter().zip(first_values).rev().fold(0.0, |sum, (w, v)| sum + w * v);
    for ([a, b, c, d], [e, f, g, h]) in
        weights.as_chunks::<4>().0.iter().zip(values.as_chunks::<4>().0)
    {
        sum += a * e + b * f + c * g + d * h;
    }
    sum
}

/// As [`dot`], of the values at `places`.
fn dot_at(weights: &[f32], places: &[usize], values: &[f32]) -> f32 {
    let rest = weights.len() & 3;
    let product = |at: usize| weights[at] * values[places[at]];
    let mut sum = (0..rest).rev().fold(0.0, |sum, at| sum + product(at));
    for at in (rest..weights.len()).step_by(4) {
        sum += product(at) + product(at + 1) + product(at + 2) + product(at + 3);
    }
    sum
}
