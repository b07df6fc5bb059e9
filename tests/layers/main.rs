//! Layers against their definitions, on shapes that chance chooses: outputs, gradients, and the
//! bits of a row alone and among others.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clippy allows these in tests, not in their helpers; counts are small"
)]

mod exact;
mod gradients;
mod number;
mod oracle;
mod probe;
mod sequence;
mod step;

use synaptic_mesh::neural::specification::{
    Cell, Extent, Norm, Padding, Pooling, Position, Returns,
};
use synaptic_mesh::neural::{Activation, Layer, Loss, Shape, Specification};
use synaptic_mesh::rng::Rng;

use oracle::Mode;
use probe::{Probe, index};

/// The largest error of a layer's gradient, relative to its norm.
const LIMIT: f64 = 1e-6;

/// A number in `low..=high`.
fn between(rng: &mut Rng, low: u32, high: u32) -> u32 {
    low + rng.below(high - low + 1)
}

fn numbers(rng: &mut Rng, count: usize) -> Vec<f32> {
    (0..count).map(|_| rng.uniform_f32() * 2.0 - 1.0).collect()
}

fn f64s(numbers: &[f32]) -> Vec<f64> {
    numbers.iter().map(|number| f64::from(*number)).collect()
}

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|number| number.to_bits()).collect()
}

/// Parameters of each of the layers, which are valid after an input of shape `from`.
fn parameter_counts(from: Shape, layers: &[Layer]) -> Vec<usize> {
    let layers = layers.iter().map(probe::without_prefix).chain([Layer::Flatten]).collect();
    let specification = Specification { inputs: from, layers, loss: Loss::Mse };
    specification.validate().unwrap_or_else(|error| panic!("{error}: {specification:?}"));
    exact::counts(&specification)
}

/// All rows through all layers in inference, by their definitions.
fn oracle(probe: &Probe, x: &[f64], parameters: &[f64]) -> Vec<f64> {
    let rows = x.chunks(index(probe.from.count())).map(|row| (row.to_vec(), probe.from));
    let counts = parameter_counts(probe.from, &probe.layers);
    let layers = (probe.layers.as_slice(), probe::INPUT);
    let y = oracle::network(layers, rows.collect(), parameters, &counts, Mode::Inference);
    y.into_iter().flat_map(|(row, _)| row).collect()
}

fn assert_close(ours: &[f32], theirs: &[f64], near: f64, what: &str) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (place, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        let distance = (f64::from(*ours) - theirs).abs();
        assert!(
            distance <= near * theirs.abs().max(1.0),
            "{what} at {place}: {ours}, not {theirs}"
        );
    }
}

/// Everything that is claimed of layers, at numbers where none of their functions bends.
fn check(rng: &mut Rng, from: Shape, layers: &[Layer], rows: usize) {
    let what = format!("{rows} rows of {from:?} through {layers:?}");
    for _ in 0..1_000 {
        let x = numbers(rng, rows * index(from.count()));
        let mut parameters = numbers(rng, parameter_counts(from, layers).iter().sum());
        if layers[0] == (Layer::Norm { kind: Norm::Batch }) {
            // A variance is positive.
            let start = parameters.len() / 4 * 3;
            parameters[start..].iter_mut().for_each(|variance| *variance = variance.abs() + 0.1);
        }
        let probe = Probe::new(from, layers, &x, &parameters);
        let y = probe.run();
        let data = probe.data(&y, &numbers(rng, y.len()));
        let defined = exact::Defined::of(&probe.network, &data);
        if !defined.is_straight() {
            continue;
        }
        assert_close(&y, &oracle(&probe, &f64s(&x), &f64s(&parameters)), 1e-5, &what);
        let (together, alone) = probe.run_alone(&x, &parameters);
        assert_eq!(bits(&together), bits(&y), "{what}: placed otherwise");
        assert_eq!(bits(&alone), bits(&y), "{what}: alone");
        let error = exact::error(&probe.network, &data, &defined);
        // Chance makes shapes where numbers cancel, norms of two channels above all: there the
        // definition does no better in `f32`.
        let limit = LIMIT.max(3.0 * defined.rounding(&probe.network, &data));
        assert!(error <= limit, "{what}: {error:e}, not {limit:e}");
        return;
    }
    panic!("{what}: bends everywhere");
}

fn sequence(rng: &mut Rng, steps: u32, features: u32) -> Shape {
    Shape::Sequence { steps: between(rng, 1, steps), features: between(rng, 1, features) }
}

fn image(rng: &mut Rng, side: u32, channels: u32) -> Shape {
    let (height, width) = (between(rng, 1, side), between(rng, 1, side));
    Shape::Image { height, width, channels: between(rng, 1, channels) }
}

/// A shape, and an extent of each kind that fits it.
fn shape_and_extent(
    rng: &mut Rng,
    channels: u32,
) -> (Shape, impl Fn(&mut Rng, u32) -> Extent + use<>) {
    let is_line = rng.below(2) == 0;
    let shape = if is_line { sequence(rng, 12, channels) } else { image(rng, 8, channels) };
    let extent = move |rng: &mut Rng, max: u32| {
        let (down, across) = (between(rng, 1, max), between(rng, 1, max));
        if is_line { Extent::Line(down) } else { Extent::Plane(down, across) }
    };
    (shape, extent)
}

fn any_activation(rng: &mut Rng) -> Activation {
    Activation::ALL[index(rng.below(u32::try_from(Activation::ALL.len()).unwrap()))]
}

/// A convolution, perhaps of a shape that it does not fit.
fn conv(rng: &mut Rng) -> (Shape, Layer) {
    let (shape, extent) = shape_and_extent(rng, 4);
    let groups = if rng.below(2) == 0 { 1 } else { between(rng, 1, 4) };
    let shape = shape.with_channels(shape.channels() * groups * [1, 1, 4][index(rng.below(3))]);
    let filters = groups * [1, 2, 3, 8, 16][index(rng.below(5))];
    let layer = Layer::Conv {
        filters,
        kernel: extent(rng, 4),
        stride: extent(rng, 3),
        dilation: if rng.below(2) == 0 { extent(rng, 1) } else { extent(rng, 3) },
        padding: if rng.below(2) == 0 { Padding::Valid } else { Padding::Same },
        groups,
        activation: any_activation(rng),
    };
    (shape, layer)
}

/// Whether a network may be made of it.
fn fits(from: Shape, layer: &Layer) -> bool {
    let layers = vec![layer.clone(), Layer::Flatten];
    Specification { inputs: from, layers, loss: Loss::Mse }.validate().is_ok()
}

#[test]
fn convolutions_are_those_of_the_definition() {
    let mut rng = Rng::from_u64(1);
    let mut checked = 0;
    while checked < 400 {
        let (from, layer) = conv(&mut rng);
        if fits(from, &layer) {
            let rows = index(between(&mut rng, 1, 5));
            check(&mut rng, from, &[layer], rows);
            checked += 1;
        }
    }
}

#[test]
fn pools_are_those_of_the_definition() {
    let mut rng = Rng::from_u64(2);
    let mut checked = 0;
    while checked < 200 {
        let (from, extent) = shape_and_extent(&mut rng, 11);
        let kind = if rng.below(2) == 0 { Pooling::Max } else { Pooling::Average };
        let layer = Layer::Pool { kind, window: extent(&mut rng, 4), stride: extent(&mut rng, 3) };
        if fits(from, &layer) {
            let rows = index(between(&mut rng, 1, 5));
            check(&mut rng, from, &[layer], rows);
            checked += 1;
        }
    }
}

#[test]
fn reshapes_and_activations_keep_every_number_in_its_place() {
    let mut rng = Rng::from_u64(3);
    for _ in 0..200 {
        let (from, _) = shape_and_extent(&mut rng, 11);
        let count = from.count();
        let divisors: Vec<u32> = (1..=count).filter(|n| count.is_multiple_of(*n)).collect();
        let one = divisors[index(rng.below(u32::try_from(divisors.len()).unwrap()))];
        let to = Shape::Sequence { steps: one, features: count / one };
        let activation = any_activation(&mut rng);
        let rows = index(between(&mut rng, 1, 5));
        let mut layers = vec![Layer::Reshape { shape: to }, Layer::Activation { activation }];
        if to.channels() == 1 {
            layers.pop();
        }
        check(&mut rng, from, &layers, rows);
        if activation != Activation::Softmax {
            check(&mut rng, from, &[Layer::Activation { activation }], rows);
        }
    }
}

#[test]
fn norms_are_those_of_the_definition() {
    let mut rng = Rng::from_u64(8);
    for _ in 0..120 {
        let (from, _) = shape_and_extent(&mut rng, 20);
        let from = if rng.below(4) == 0 { Shape::Flat(from.count()) } else { from };
        let kind = if rng.below(2) == 0 { Norm::Batch } else { Norm::Layer };
        let rows = index(between(&mut rng, 1, 5));
        check(&mut rng, from, &[Layer::Norm { kind }], rows);
    }
}

/// Every cell, direction and way to return, with sizes that are no multiples of anything.
#[test]
fn recurrent_layers_are_those_of_the_definition() {
    let mut rng = Rng::from_u64(10);
    for cell in [Cell::Rnn, Cell::Lstm, Cell::Gru] {
        for (features, units, steps) in [(3, 5, 4), (1, 1, 1), (9, 8, 2), (2, 1, 5), (8, 11, 3)] {
            for bidirectional in [false, true] {
                for returns in [Returns::Last, Returns::All] {
                    let layer = Layer::Recurrent { cell, units, bidirectional, returns };
                    check(&mut rng, Shape::Sequence { steps, features }, &[layer], 3);
                }
            }
        }
    }
}

/// Sizes that are no multiples of anything, and some that are.
#[test]
fn attention_is_that_of_the_definition() {
    let mut rng = Rng::from_u64(11);
    let sizes = [(4, 6, 2), (1, 1, 1), (1, 10, 5), (9, 3, 3), (5, 16, 2), (8, 9, 1), (2, 20, 2)];
    for (steps, features, heads) in sizes {
        for causal in [false, true] {
            let from = Shape::Sequence { steps, features };
            check(&mut rng, from, &[Layer::Attention { heads, causal }], 2);
        }
    }
}

#[test]
fn codes_of_positions_are_those_of_the_definition() {
    let mut rng = Rng::from_u64(9);
    for _ in 0..60 {
        let from = sequence(&mut rng, 30, 20);
        let kind = if rng.below(2) == 0 { Position::Learned } else { Position::Sinusoidal };
        let rows = index(between(&mut rng, 1, 4));
        check(&mut rng, from, &[Layer::Position { kind }], rows);
    }
}

/// Values of one shape that several layers take, one of them twice, and the input itself.
#[test]
fn joins_are_those_of_the_definition_whatever_takes_a_value() {
    let mut rng = Rng::from_u64(4);
    for _ in 0..100 {
        let (from, _) = shape_and_extent(&mut rng, 11);
        let activation = |activation| Layer::Activation { activation };
        let mut layers = vec![
            activation(Activation::Tanh),
            Layer::Add { with: vec![2] },
            activation(Activation::Sigmoid),
            Layer::Gate { with: vec![2 + rng.below(4)] },
            Layer::Add { with: vec![6, 3, 2] },
            Layer::Gate { with: vec![7] },
            Layer::Concat { with: vec![2, 3, 8] },
            activation(Activation::Tanh),
            Layer::Concat { with: vec![2] },
        ];
        layers.truncate(index(between(&mut rng, 2, 9)));
        let rows = index(between(&mut rng, 1, 4));
        check(&mut rng, from, &layers, rows);
    }
}

#[test]
fn layers_follow_each_other() {
    let mut rng = Rng::from_u64(5);
    let (filters, groups, padding) = (5, 1, Padding::Same);
    let conv = |kernel, stride, activation| {
        let dilation = Extent::Plane(1, 1);
        Layer::Conv { filters, kernel, stride, dilation, padding, groups, activation }
    };
    let (three, one) = (Extent::Plane(3, 3), Extent::Plane(1, 1));
    let layers = [
        conv(three, one, Activation::Tanh),
        conv(Extent::Plane(2, 3), one, Activation::Linear),
        Layer::Add { with: vec![3] },
        Layer::Activation { activation: Activation::Tanh },
        Layer::Pool {
            kind: Pooling::Max,
            window: Extent::Plane(2, 2),
            stride: Extent::Plane(2, 2),
        },
        conv(three, Extent::Plane(2, 1), Activation::Sigmoid),
        Layer::Flatten,
    ];
    check(&mut rng, Shape::Image { height: 7, width: 6, channels: 3 }, &layers, 3);
}

#[test]
fn layers_along_a_sequence_follow_each_other() {
    let mut rng = Rng::from_u64(12);
    let from = Shape::Sequence { steps: 4, features: 6 };
    let recurrent =
        |cell, bidirectional, returns| Layer::Recurrent { cell, units: 5, bidirectional, returns };
    for cell in [Cell::Rnn, Cell::Lstm, Cell::Gru] {
        for bidirectional in [false, true] {
            let layers = [Returns::All, Returns::Last].map(|r| recurrent(cell, bidirectional, r));
            check(&mut rng, from, &layers, 3);
        }
    }
    for causal in [false, true] {
        for heads in [1, 2, 3] {
            let attention = Layer::Attention { heads, causal };
            let last = recurrent(Cell::Gru, false, Returns::Last);
            check(&mut rng, from, &[attention.clone(), attention, last], 3);
        }
    }
}
