//! Gradients of networks with layers along a sequence, seen from outside: what a step of plain
//! descent with rate 1 changes against differences of the loss that `evaluate` reports.
//!
//! The layers have tests of their own against the textbook; here is what lies between them.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "clippy allows these in tests, not in their helpers"
)]

use synaptic_mesh::neural::specification::{Cell, Returns};
use synaptic_mesh::neural::{
    Activation, Arena, Dataset, Labels, Layer, Loss, Network, Optimiser, Options, Shape,
    Specification, Trainer,
};
use synaptic_mesh::rng::Rng;

const ROWS: usize = 6;
const SHAPE: Shape = Shape::Sequence { steps: 4, features: 3 };

/// Rows that are nothing in particular, in three classes.
fn data() -> Dataset {
    let mut rng = Rng::from_u64(11);
    let values = (0..ROWS * 12).map(|_| rng.uniform_f32() * 2.0 - 1.0).collect();
    let classes = ["a", "b", "c"].map(String::from).to_vec();
    Dataset::from_parts(12, values, Labels::Classes(vec![0, 1, 2, 2, 1, 0]), classes).unwrap()
}

/// The layers between a dense layer at each step and one at the end.
fn network(layers: &[Layer]) -> Network {
    let mut all = vec![Layer::dense(6, Activation::Tanh)];
    all.extend_from_slice(layers);
    all.push(Layer::dense(3, Activation::Softmax));
    let specification = Specification { inputs: SHAPE, layers: all, loss: Loss::CrossEntropy };
    let mut network = Network::new(&specification, 5).unwrap();
    let mut rng = Rng::from_u64(13);
    let weights: Vec<f32> =
        network.weights().iter().map(|weight| weight + 0.1 * rng.normal_f32()).collect();
    network.set_weights(&weights).unwrap();
    network
}

/// The gradient, from what one step over all rows changes.
fn gradient(network: &Network, data: &Dataset) -> Vec<f64> {
    let optimiser = Optimiser::Sgd { momentum: 0.0 };
    let defaults = Options::default();
    let options = Options { batch: 64, learning_rate: 1.0, optimiser, shuffle: false, ..defaults };
    let mut moved = network.clone();
    let mut trainer = Trainer::new(network, options).unwrap();
    trainer.epoch(&mut moved, &mut Arena::new(), data).unwrap();
    let difference = |(before, after): (&f32, &f32)| f64::from(*before) - f64::from(*after);
    network.weights().iter().zip(&moved.weights()).map(difference).collect()
}

/// The slope of the reported loss between below and above each parameter.
fn numeric_gradient(network: &Network, data: &Dataset) -> Vec<f64> {
    let weights = network.weights();
    let mut arena = Arena::new();
    let mut loss_at = |place: usize, change: f32| {
        let mut weights = weights.clone();
        weights[place] += change;
        let changed = Network::from_weights(network.specification(), &weights).unwrap();
        (changed.evaluate(&mut arena, data).unwrap().loss, f64::from(weights[place]))
    };
    let mut slope = |place: usize| {
        let ((low, below), (high, above)) = (loss_at(place, -4e-3), loss_at(place, 4e-3));
        (high - low) / (above - below)
    };
    (0..weights.len()).map(&mut slope).collect()
}

fn assert_gradient(layers: &[Layer]) {
    let (network, data) = (network(layers), data());
    let (ours, numeric) = (gradient(&network, &data), numeric_gradient(&network, &data));
    let largest = numeric.iter().fold(0.0_f64, |most, slope| most.max(slope.abs()));
    assert!(largest > 1e-2, "{layers:?}: a gradient of nothing proves nothing");
    for (place, (ours, numeric)) in ours.iter().zip(&numeric).enumerate() {
        let close = (ours - numeric).abs() <= 1e-3 * largest;
        assert!(close, "{layers:?}, parameter {place}: {ours} for {numeric} of {largest}");
    }
}

fn recurrent(cell: Cell, bidirectional: bool, returns: Returns) -> Layer {
    Layer::Recurrent { cell, units: 5, bidirectional, returns }
}

#[test]
fn recurrent_layers_learn_through_each_other() {
    for cell in [Cell::Rnn, Cell::Lstm, Cell::Gru] {
        for bidirectional in [false, true] {
            let all = recurrent(cell, bidirectional, Returns::All);
            let last = recurrent(cell, bidirectional, Returns::Last);
            assert_gradient(std::slice::from_ref(&last));
            assert_gradient(&[all, last]);
        }
    }
}

#[test]
fn attention_learns_through_attention_and_a_recurrent_layer() {
    for causal in [false, true] {
        for heads in [1, 2, 3] {
            let attention = Layer::Attention { heads, causal };
            let last = recurrent(Cell::Gru, false, Returns::Last);
            assert_gradient(&[attention.clone(), attention, last]);
        }
    }
}

/// Which of two marks came first, told after the sequence: what a state is for.
#[test]
fn gates_keep_what_was_long_ago() {
    let mut rng = Rng::from_u64(3);
    let (mut values, mut labels) = (Vec::new(), Vec::new());
    for row in 0..64_u32 {
        let mark = if row % 2 == 0 { 1.0 } else { -1.0 };
        values.push(mark);
        values.extend((0..15).map(|_| 0.2 * rng.normal_f32()));
        labels.push(row % 2);
    }
    let classes = ["plus", "minus"].map(String::from).to_vec();
    let data = Dataset::from_parts(16, values, Labels::Classes(labels), classes).unwrap();
    for cell in [Cell::Lstm, Cell::Gru] {
        let returns = Returns::Last;
        let layer = Layer::Recurrent { cell, units: 8, bidirectional: false, returns };
        let specification = Specification {
            inputs: Shape::Sequence { steps: 16, features: 1 },
            layers: vec![layer, Layer::dense(2, Activation::Softmax)],
            loss: Loss::CrossEntropy,
        };
        let mut network = Network::new(&specification, 1).unwrap();
        let mut arena = Arena::new();
        let options = Options { learning_rate: 0.02, batch: 16, ..Options::default() };
        let mut trainer = Trainer::new(&network, options).unwrap();
        for _ in 0..60 {
            trainer.epoch(&mut network, &mut arena, &data).unwrap();
        }
        let accuracy = network.evaluate(&mut arena, &data).unwrap().accuracy;
        assert_eq!(accuracy, Some(1.0), "{cell:?}");
    }
}
