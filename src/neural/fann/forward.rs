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
                    let values = &self.values[start..start + weights.len()];
                    sum_of(weights.len(), |i| weights[i] * values[i])
                } else {
                    let sources = &self.sources[neuron.connections.clone()];
                    sum_of(weights.len(), |i| weights[i] * self.values[sources[i]])
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

/// The sum of `count` products in libfann's order: what four does not divide first, backwards, then
/// four by four.
pub(super) fn sum_of(count: usize, product: impl Fn(usize) -> f32) -> f32 {
    let rest = count & 3;
    let mut sum = (0..rest).rev().fold(0.0, |sum, i| sum + product(i));
    for i in (rest..count).step_by(4) {
        sum += product(i) + product(i + 1) + product(i + 2) + product(i + 3);
    }
    sum
}
