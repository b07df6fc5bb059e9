//! Layers along a sequence learn the same weights everywhere, bit for bit: natively as a test of
//! its own, and in Node and in browsers as a part of `tests/wasm`.

#![expect(clippy::unwrap_used, reason = "clippy allows it in tests, not in their helpers")]

use synaptic_mesh::neural::specification::{Cell, Returns};
use synaptic_mesh::neural::{
    Activation, Arena, Dataset, Labels, Layer, Loss, Network, Options, Shape, Specification,
    Trainer,
};
use synaptic_mesh::rng::Rng;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// The weights after three epochs over rows that are nothing in particular.
fn weights_cid(mut layers: Vec<Layer>) -> String {
    let mut rng = Rng::from_u64(7);
    let values = (0..40 * 30).map(|_| 4.0 * rng.uniform_f32() - 2.0).collect();
    let labels = Labels::Classes((0..40).map(|row| row % 3).collect());
    let classes = ["a", "b", "c"].map(String::from).to_vec();
    let data = Dataset::from_parts(30, values, labels, classes).unwrap();
    layers.push(Layer::dense(3, Activation::Softmax));
    let inputs = Shape::Sequence { steps: 5, features: 6 };
    let specification = Specification { inputs, layers, loss: Loss::CrossEntropy };
    let (mut network, mut arena) = (Network::new(&specification, 1).unwrap(), Arena::new());
    let options = Options { batch: 16, learning_rate: 0.05, ..Options::default() };
    let mut trainer = Trainer::new(&network, options).unwrap();
    for _ in 0..3 {
        trainer.epoch(&mut network, &mut arena, &data).unwrap();
    }
    network.weights_cid()
}

fn recurrent(cell: Cell, units: u32, bidirectional: bool, returns: Returns) -> Layer {
    Layer::Recurrent { cell, units, bidirectional, returns }
}

#[test]
fn recurrent_layers_learn_the_weights_they_always_learned() {
    let layers = vec![
        recurrent(Cell::Lstm, 9, true, Returns::All),
        recurrent(Cell::Rnn, 6, true, Returns::All),
        recurrent(Cell::Gru, 8, false, Returns::Last),
    ];
    assert_eq!(weights_cid(layers), "bafkr4icoc53r3xmhfkaaldgvkbvxye6evbtk2noyzk22msbifeultv5rde");
}

#[test]
fn attention_learns_the_weights_it_always_learned() {
    let layers = vec![
        Layer::Attention { heads: 2, causal: true },
        Layer::Attention { heads: 3, causal: false },
        recurrent(Cell::Rnn, 4, false, Returns::Last),
    ];
    assert_eq!(weights_cid(layers), "bafkr4ifq5hf623wpcxggbc7rvskzh2mimiszxz3dc7vayxpwxbclhsdude");
}
