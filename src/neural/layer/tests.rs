//! What the contracts of [`super`] say, for every layer of one input that looks at rows, images or
//! words, on shapes that chance chooses: see `testing` for what is checked on the way. Layers are
//! compared with their definitions and with PyTorch from outside, in `tests/layers` and
//! `tests/torch_layers.rs`.

use super::testing::{Single, assert_rows_are_apart, numbers};
use crate::neural::specification::{
    Activation, Extent, Layer, Norm, Padding, Pooling, Position, Shape, infer,
};
use crate::rng::Rng;
use crate::tensor::index;

fn between(rng: &mut Rng, low: u32, high: u32) -> u32 {
    low + rng.below(high - low + 1)
}

fn extent(rng: &mut Rng, high: u32) -> Extent {
    Extent::Plane(between(rng, 1, high), between(rng, 1, high))
}

fn image(rng: &mut Rng, channels: u32) -> Shape {
    Shape::Image { height: between(rng, 1, 6), width: between(rng, 1, 6), channels }
}

fn conv(rng: &mut Rng) -> (Shape, Layer) {
    let groups = between(rng, 1, 3);
    let channels = groups * between(rng, 1, 5);
    let layer = Layer::Conv {
        filters: groups * [1, 3, 8][index(rng.below(3))],
        kernel: extent(rng, 3),
        stride: extent(rng, 2),
        dilation: extent(rng, 2),
        padding: if rng.below(2) == 0 { Padding::Same } else { Padding::Valid },
        groups,
        activation: Activation::ALL
            [index(rng.below(u32::try_from(Activation::ALL.len()).unwrap()))],
    };
    (image(rng, channels), layer)
}

/// A layer that computes in training what it computes in inference.
fn steady(rng: &mut Rng) -> (Shape, Layer) {
    let channels = between(rng, 1, 18);
    let shape = image(rng, channels);
    let (window, stride) = (extent(rng, 3), extent(rng, 2));
    let sequence = Shape::Sequence { steps: between(rng, 1, 9), features: channels };
    match rng.below(7) {
        0 => (shape, Layer::Pool { kind: Pooling::Max, window, stride }),
        1 => (shape, Layer::Pool { kind: Pooling::Average, window, stride }),
        2 => (shape, Layer::Norm { kind: Norm::Layer }),
        3 => (sequence, Layer::Position { kind: Position::Sinusoidal }),
        4 => (sequence, Layer::Position { kind: Position::Learned }),
        5 => (shape, Layer::Flatten),
        _ => (
            shape,
            Layer::Activation {
                activation: Activation::ALL
                    [index(rng.below(u32::try_from(Activation::ALL.len()).unwrap()))],
            },
        ),
    }
}

#[test]
fn steady_layers_keep_the_contracts() {
    let mut rng = Rng::from_u64(1);
    let mut checked = 0;
    while checked < 300 {
        let (from, layer) = if checked % 3 == 0 { conv(&mut rng) } else { steady(&mut rng) };
        if infer(from, std::slice::from_ref(&layer)).is_ok() {
            let x = numbers(checked, 3 * index(from.count()), 1.0);
            assert_rows_are_apart(&Single::new(&layer, from), &x, index(from.count()));
            checked += 1;
        }
    }
}

#[test]
fn layers_that_differ_in_training_keep_the_contracts() {
    let mut rng = Rng::from_u64(2);
    for seed in 0..60 {
        let channels = between(&mut rng, 1, 18);
        let (from, layer) = match seed % 3 {
            0 => (image(&mut rng, channels), Layer::Norm { kind: Norm::Batch }),
            1 => (image(&mut rng, channels), Layer::Dropout { rate_per_mille: 300 }),
            _ => (Shape::Flat(channels), Layer::Embedding { vocabulary: 4, units: channels }),
        };
        let single = Single::new(&layer, from);
        let x = numbers(seed, 3 * index(from.count()), 3.5);
        let y = single.run(&x);
        assert!(single.learn(&x, &numbers(seed + 1, y.len(), 1.0)).y.len() == y.len());
    }
}

#[test]
fn running_statistics_have_no_gradient_and_move_a_tenth_of_the_way() {
    let single = Single::new(&Layer::Norm { kind: Norm::Batch }, Shape::Flat(1));
    let learned = single.learn(&[1.0, 2.0, 6.0], &[1.0, 0.0, 0.0]);
    assert_eq!(learned.gradient.get(2..), Some([0.0; 2].as_slice()));
    // Mean 3, unbiased variance 7; Single begins with numbers of its own.
    let begun = single.parameters();
    let moved = |from: f32, to: f32| 0.9 * from + 0.1 * to;
    let expected = [moved(begun[2], 3.0), moved(begun[3], 7.0)];
    for (ours, expected) in learned.parameters[2..].iter().zip(expected) {
        assert!((ours - expected).abs() < 1e-6, "{ours} {expected}");
    }
}
