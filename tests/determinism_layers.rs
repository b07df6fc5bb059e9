//! Layers over images, words and values of several layers learn the same weights everywhere, bit
//! for bit: natively as a test of its own, and in Node and in browsers as a part of `tests/wasm`.

#![expect(clippy::unwrap_used, reason = "clippy allows it in tests, not in their helpers")]

use synaptic_mesh::neural::specification::{Extent, Norm, Padding, Pooling, Position};
use synaptic_mesh::neural::{
    Activation, Arena, Dataset, Labels, Layer, Loss, Network, Options, Shape, Specification,
    Trainer,
};
use synaptic_mesh::rng::Rng;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// The weights after three epochs over rows of the given numbers.
fn weights_cid(inputs: Shape, mut layers: Vec<Layer>, number: impl Fn(&mut Rng) -> f32) -> String {
    let mut rng = Rng::from_u64(7);
    let features = usize::try_from(inputs.count()).unwrap();
    let values = (0..40 * features).map(|_| number(&mut rng)).collect();
    let labels = Labels::Classes((0..40).map(|row| row % 3).collect());
    let classes = ["a", "b", "c"].map(String::from).to_vec();
    let data = Dataset::from_parts(features, values, labels, classes).unwrap();
    layers.extend([Layer::Flatten, Layer::dense(3, Activation::Softmax)]);
    let specification = Specification { inputs, layers, loss: Loss::CrossEntropy };
    let (mut network, mut arena) = (Network::new(&specification, 1).unwrap(), Arena::new());
    let options = Options { batch: 16, learning_rate: 0.02, ..Options::default() };
    let mut trainer = Trainer::new(&network, options).unwrap();
    for _ in 0..3 {
        trainer.epoch(&mut network, &mut arena, &data).unwrap();
    }
    network.weights_cid()
}

fn conv(filters: u32, kernel: (u32, u32), groups: u32, padding: Padding) -> Layer {
    Layer::Conv {
        filters,
        kernel: Extent::Plane(kernel.0, kernel.1),
        stride: Extent::Plane(1, 1),
        dilation: Extent::Plane(1, 2),
        padding,
        groups,
        activation: Activation::Tanh,
    }
}

fn pool(kind: Pooling, stride: u32) -> Layer {
    Layer::Pool { kind, window: Extent::Plane(2, 2), stride: Extent::Plane(stride, stride) }
}

#[test]
fn layers_over_images_learn_the_weights_they_always_learned() {
    let layers = vec![
        conv(12, (3, 3), 1, Padding::Same),
        Layer::Norm { kind: Norm::Batch },
        Layer::Activation { activation: Activation::Relu },
        conv(12, (2, 1), 12, Padding::Same),
        Layer::Add { with: vec![3] },
        conv(9, (1, 2), 3, Padding::Valid),
        pool(Pooling::Max, 2),
        Layer::Norm { kind: Norm::Layer },
        Layer::Dropout { rate_per_mille: 250 },
        conv(16, (2, 2), 1, Padding::Same),
        Layer::Gate { with: vec![10] },
        Layer::Concat { with: vec![8] },
        pool(Pooling::Average, 1),
    ];
    let inputs = Shape::Image { height: 7, width: 8, channels: 3 };
    let cid = weights_cid(inputs, layers, |rng| 4.0 * rng.uniform_f32() - 2.0);
    assert_eq!(cid, "bafkr4ic64e2vgv2fav54jxuw75xliygzaz7r7wdb2635vmeovxid7dt43m");
}

#[test]
fn layers_over_words_learn_the_weights_they_always_learned() {
    let layers = vec![
        Layer::Embedding { vocabulary: 11, units: 6 },
        Layer::Position { kind: Position::Sinusoidal },
        Layer::Position { kind: Position::Learned },
        Layer::Norm { kind: Norm::Layer },
        Layer::dense(5, Activation::Tanh),
    ];
    let word = |rng: &mut Rng| f32::from(u8::try_from(rng.below(11)).unwrap());
    let cid = weights_cid(Shape::Flat(6), layers, word);
    assert_eq!(cid, "bafkr4ictbzceppnfqq7oyj765sdnoiuyq2elq2rp4472cejoyro57tpa7i");
}
