//! The same data, specification and seed give the same weights, bit for bit: here natively, in
//! `tests/wasm/neural.rs` in Node and in browsers. Both read the expected ids from
//! `tests/vectors/weights_cid.json`; a change of any of them changes what `verify` accepts.
//!
//! What is called is what the command line calls: parse, split, scale, create, train, evaluate.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "clippy allows these in tests, not in their helpers"
)]

use serde_json::Value;
use synaptic_mesh::crypto::hash;
use synaptic_mesh::neural::{
    Activation, Arena, Dataset, Layer, LocalTraining, Loss, Model, Network, Optimiser, Options,
    Shape, Specification, Trainer, bytes_of_weights, dataset, train_update,
};

const DIGITS: &[u8] = include_bytes!("../data/digits.csv");

fn expected(case: &str, id: &str) -> String {
    let vectors: Value = serde_json::from_str(include_str!("vectors/weights_cid.json")).unwrap();
    vectors[case][id].as_str().unwrap().to_string()
}

fn digits() -> Dataset {
    Dataset::parse(DIGITS, &dataset::Options::default()).unwrap()
}

fn specification(layers: &[(u32, Activation)], loss: Loss) -> Specification {
    let layers = layers.iter().map(|(units, activation)| Layer::dense(*units, *activation));
    Specification { inputs: Shape::Flat(64), layers: layers.collect(), loss }
}

/// What `neural train` does; the model, its accuracy on the training rows and on the test rows.
fn train_like_the_command_line(seed: u64) -> (Model, f64, f64) {
    let layers = [(128, Activation::Relu), (10, Activation::Softmax)];
    let network = Network::new(&specification(&layers, Loss::CrossEntropy), seed).unwrap();
    let mut model = Model::new(network);
    let (training, test) = digits().split(0.2, seed).unwrap();
    let scaling = training.fit_scaling(dataset::Kind::Standard).unwrap();
    let (training, test) = (training.scaled(&scaling).unwrap(), test.scaled(&scaling).unwrap());
    let mut arena = Arena::new();
    let prepared = model.prepare(&training).unwrap();
    let options = Options { seed, ..Options::default() };
    let mut trainer = Trainer::new(&model.network, options).unwrap();
    for _ in 0..20 {
        trainer.epoch(&mut model.network, &mut arena, &prepared).unwrap();
    }
    let on =
        |data: &Dataset, arena: &mut Arena| model.evaluate(arena, data).unwrap().accuracy.unwrap();
    let (on_training, on_test) = (on(&training, &mut arena), on(&test, &mut arena));
    (model, on_training, on_test)
}

#[test]
fn training_on_digits_gives_the_weights_it_always_gave() {
    let (model, on_training, on_test) = train_like_the_command_line(1);
    assert!(on_training >= 0.99, "{on_training}");
    assert!(on_test >= 0.97, "{on_test}");
    assert_eq!(model.network.weights_cid(), expected("digits", "weightsCid"));
}

#[test]
fn other_seeds_learn_as_well() {
    let accuracies: Vec<f64> = (2..12).map(|seed| train_like_the_command_line(seed).2).collect();
    let mean = accuracies.iter().sum::<f64>() / 10.0;
    let reached = accuracies.iter().filter(|accuracy| **accuracy >= 0.97).count();
    assert!(mean >= 0.975 && reached >= 8, "{mean} {accuracies:?}");
}

#[test]
fn every_activation_and_momentum_give_the_weights_they_always_gave() {
    let layers = [
        (24, Activation::Tanh),
        (17, Activation::Sigmoid),
        (12, Activation::Linear),
        (9, Activation::Softmax),
        (10, Activation::Softmax),
    ];
    let mut network = Network::new(&specification(&layers, Loss::Mse), 7).unwrap();
    let data = digits();
    let data = data.scaled(&data.fit_scaling(dataset::Kind::Range).unwrap()).unwrap();
    let optimiser = Optimiser::Sgd { momentum: 0.9 };
    let options = Options {
        batch: 50,
        learning_rate: 0.5,
        optimiser,
        seed: 7,
        shuffle: true,
        ..Options::default()
    };
    let mut trainer = Trainer::new(&network, options).unwrap();
    for _ in 0..3 {
        trainer.epoch(&mut network, &mut Arena::new(), &data).unwrap();
    }
    assert_eq!(network.weights_cid(), expected("everyActivation", "weightsCid"));
}

#[test]
fn local_training_gives_the_update_it_always_gave() {
    let layers = [(32, Activation::Relu), (10, Activation::Softmax)];
    let specification = specification(&layers, Loss::CrossEntropy);
    let base = Network::new(&specification, 3).unwrap().weights();
    let training =
        LocalTraining { epochs: 2, batch: 32, learning_rate: 0.005, momentum: 0.9, seed: 3 };
    let update = train_update(&specification, &base, &digits(), training).unwrap();
    assert_eq!(update.samples, 1_797);
    let id = hash::blob_cid_text(&bytes_of_weights(&update.delta));
    assert_eq!(id, expected("update", "deltaCid"));
}
