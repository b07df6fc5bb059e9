//! A thousand networks that chance puts together, of every layer, activation, loss and optimiser,
//! run and learn the same bits everywhere: natively, where kernels are plain code, as a test of its
//! own, and with vector instructions in Node and in browsers as a part of `tests/wasm`.
//!
//! Both read the ids of what came out from `tests/vectors/weights_cid.json`, one for every hundred
//! networks, so that a difference is nearly found. A change of kernels that changes them changes
//! what `verify` accepts.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "clippy allows these in tests, not in their helpers"
)]

use std::collections::BTreeSet;

use serde_json::Value;
use synaptic_mesh::crypto::hash;
use synaptic_mesh::neural::specification::{
    Cell, Extent, Kind, Norm, Padding, Pooling, Position, Record, Returns,
};
use synaptic_mesh::neural::{
    Activation, Arena, Dataset, Labels, Layer, Loss, Network, Optimiser, Options, Shape,
    Specification, Trainer, bytes_of_weights,
};
use synaptic_mesh::rng::Rng;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const NETWORKS: u64 = 1_000;
const BLOCK: u64 = 100;

fn between(rng: &mut Rng, low: u32, high: u32) -> u32 {
    low + rng.below(high - low + 1)
}

fn one_of<T: Clone>(rng: &mut Rng, all: &[T]) -> T {
    let place = rng.below(u32::try_from(all.len()).unwrap());
    all[usize::try_from(place).unwrap()].clone()
}

fn any_extent(rng: &mut Rng, image: bool, most: u32) -> Extent {
    let down = between(rng, 1, most);
    if image { Extent::Plane(down, between(rng, 1, most)) } else { Extent::Line(down) }
}

fn any_conv(rng: &mut Rng) -> Layer {
    let (image, groups) = (rng.below(2) == 0, one_of(rng, &[1, 1, 2, 3]));
    Layer::Conv {
        filters: groups * between(rng, 1, 9),
        kernel: any_extent(rng, image, 3),
        stride: any_extent(rng, image, 2),
        dilation: any_extent(rng, image, 2),
        padding: one_of(rng, &[Padding::Valid, Padding::Same]),
        groups,
        activation: one_of(rng, &Activation::ALL),
    }
}

/// A layer after `values` values; it need not fit.
fn any_layer(rng: &mut Rng, values: u32) -> Layer {
    let with = vec![rng.below(values)];
    match rng.below(16) {
        0 => Layer::dense(between(rng, 1, 20), one_of(rng, &Activation::ALL)),
        1..=3 => any_conv(rng),
        4 => {
            let image = rng.below(2) == 0;
            let kind = one_of(rng, &[Pooling::Max, Pooling::Average]);
            let window = any_extent(rng, image, 3);
            Layer::Pool { kind, window, stride: any_extent(rng, image, 3) }
        }
        5 => Layer::Norm { kind: one_of(rng, &[Norm::Batch, Norm::Layer]) },
        6 => Layer::Dropout { rate_per_mille: rng.below(600) },
        7 => Layer::Position { kind: one_of(rng, &[Position::Sinusoidal, Position::Learned]) },
        8 | 9 => Layer::Recurrent {
            cell: one_of(rng, &[Cell::Rnn, Cell::Lstm, Cell::Gru]),
            units: between(rng, 1, 12),
            bidirectional: rng.below(2) == 0,
            returns: one_of(rng, &[Returns::Last, Returns::All]),
        },
        10 => Layer::Attention { heads: between(rng, 1, 3), causal: rng.below(2) == 0 },
        11 => Layer::Activation { activation: one_of(rng, &Activation::ALL) },
        12 => Layer::Add { with },
        13 => Layer::Gate { with },
        14 => Layer::Concat { with },
        _ => {
            let (steps, features) = (between(rng, 1, 6), between(rng, 1, 12));
            let shape = Shape::Sequence { steps, features };
            one_of(rng, &[Layer::Flatten, Layer::Reshape { shape }])
        }
    }
}

/// Up to six layers of those that chance offers and that fit, and one for three classes.
fn any_network(rng: &mut Rng) -> Specification {
    let (one, two) = (between(rng, 1, 9), between(rng, 1, 9));
    let inputs = match rng.below(4) {
        0 => Shape::Flat(one * two),
        1 | 2 => Shape::Sequence { steps: one, features: two },
        _ => Shape::Image { height: one, width: two, channels: between(rng, 1, 4) },
    };
    let mut layers = Vec::new();
    if matches!(inputs, Shape::Flat(_)) && rng.below(2) == 0 {
        layers.push(Layer::Embedding { vocabulary: 7, units: between(rng, 1, 9) });
    }
    let (last, loss) = one_of(
        rng,
        &[
            (Activation::Softmax, Loss::CrossEntropy),
            (Activation::Sigmoid, Loss::Bce),
            (Activation::Linear, Loss::Mse),
            (Activation::Tanh, Loss::Mae),
            (Activation::Gelu, Loss::Huber),
            (Activation::Softplus, Loss::Quantile(300)),
        ],
    );
    let whole = |layers: &[Layer]| {
        let ends = [Layer::Flatten, Layer::dense(3, last)];
        Specification { inputs, layers: [layers, &ends].concat(), loss }
    };
    for _ in 0..40 {
        let offered = any_layer(rng, u32::try_from(layers.len()).unwrap() + 1);
        layers.push(offered);
        if whole(&layers).validate().is_err() {
            layers.pop();
        }
        if layers.len() == 6 {
            break;
        }
    }
    whole(&layers)
}

/// Rows of small numbers, or of words, in three classes.
fn any_data(rng: &mut Rng, specification: &Specification) -> Dataset {
    let (rows, features) = (between(rng, 1, 9), specification.inputs());
    let number = |_| match specification.vocabulary() {
        Some(words) => f32::from(u8::try_from(rng.below(words)).unwrap()),
        None => rng.normal_f32(),
    };
    let values = (0..rows * features).map(number).collect();
    let labels = Labels::Classes((0..rows).map(|row| row % 3).collect());
    let classes = ["a", "b", "c"].map(String::from).to_vec();
    Dataset::from_parts(usize::try_from(features).unwrap(), values, labels, classes).unwrap()
}

/// Everything that comes out of network `number`: what it gives before and after two epochs of
/// training, and what it has learned.
fn bits(number: u64, seen: &mut BTreeSet<String>) -> Vec<u8> {
    let mut rng = Rng::from_u64(number);
    let specification = any_network(&mut rng);
    for layer in &specification.layers {
        let kind: Kind = Record::from(layer.clone()).kind;
        seen.insert(format!("{kind:?}"));
        seen.insert(format!("{:?}", layer.activation()));
    }
    let data = any_data(&mut rng, &specification);
    let optimiser = one_of(
        &mut rng,
        &[
            Optimiser::Sgd { momentum: 0.0 },
            Optimiser::Sgd { momentum: 0.9 },
            Optimiser::Nesterov { momentum: 0.9 },
            Optimiser::RmsProp,
            Optimiser::Adam,
        ],
    );
    let (mut network, mut arena) = (Network::new(&specification, number).unwrap(), Arena::new());
    let defaults =
        Options { batch: between(&mut rng, 1, 9), learning_rate: 1e-3, ..Options::default() };
    let options = Options { optimiser, weight_decay: 0.1, clip_norm: 10.0, ..defaults };
    let mut trainer = Trainer::new(&network, options).unwrap();
    let mut outputs = vec![0.0; 3 * data.rows()];
    network.run(&mut arena, data.values(), &mut outputs).unwrap();
    let mut all = bytes_of_weights(&outputs);
    for _ in 0..2 {
        let epoch = trainer.epoch(&mut network, &mut arena, &data);
        let loss =
            epoch.unwrap_or_else(|error| panic!("{number}, {specification:?}: {error}")).loss;
        all.extend(loss.to_le_bytes());
    }
    network.run(&mut arena, data.values(), &mut outputs).unwrap();
    all.extend(bytes_of_weights(&outputs));
    all.extend(network.weights_bytes());
    all
}

#[test]
fn a_thousand_networks_run_and_learn_the_same_bits_everywhere() {
    let text = include_str!("vectors/weights_cid.json");
    let expected = serde_json::from_str::<Value>(text).unwrap()["shapes"].clone();
    let mut seen = BTreeSet::new();
    let mut block = |first: u64| {
        let all = (first..first + BLOCK).flat_map(|number| bits(number, &mut seen));
        hash::blob_cid_text(&all.collect::<Vec<_>>())
    };
    let found: Vec<String> = (0..NETWORKS / BLOCK).map(|at| block(at * BLOCK)).collect();
    assert_eq!(Value::from(found), expected);
    for (name, kind) in Kind::NAMES {
        assert!(seen.contains(&format!("{kind:?}")), "no {name}");
    }
    for activation in Activation::ALL {
        assert!(seen.contains(&format!("{activation:?}")), "no {activation:?}");
    }
}

/// A control: what is compared tells networks apart, and one bit of a weight.
#[test]
fn other_bits_have_another_id() {
    let mut seen = BTreeSet::new();
    let one = bits(1, &mut seen);
    assert_eq!(one, bits(1, &mut seen));
    assert_ne!(one, bits(2, &mut seen));
    let mut other = one.clone();
    *other.last_mut().unwrap() ^= 1;
    assert_ne!(hash::blob_cid_text(&one), hash::blob_cid_text(&other));
}
