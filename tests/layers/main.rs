//! Layers against their definitions, on shapes that chance chooses: outputs, gradients by
//! differences of the definition, and the bits of a row alone and among others.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "clippy allows these in tests, not in their helpers; counts are small"
)]

mod oracle;
mod probe;

use synaptic_mesh::neural::specification::{Extent, Norm, Padding, Pooling, Position};
use synaptic_mesh::neural::{Activation, Layer, Loss, Shape, Specification};
use synaptic_mesh::rng::Rng;

use probe::{Probe, index};

/// Numbers of each kind whose gradient is compared per case.
const COMPARED: usize = 24;
/// Distance of the differences.
const EPSILON: f64 = 1e-6;

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

/// Parameters of layers that are valid after an input of shape `from`.
fn parameter_count(from: Shape, layers: &[Layer]) -> usize {
    let layers = layers.iter().map(probe::without_prefix).chain([Layer::Flatten]).collect();
    let specification = Specification { inputs: from, layers, loss: Loss::Mse };
    specification.validate().unwrap_or_else(|error| panic!("{error}: {specification:?}"));
    specification.parameter_count()
}

/// All rows through all layers, by their definitions.
fn oracle(probe: &Probe, x: &[f64], parameters: &[f64]) -> Vec<f64> {
    let mut y = Vec::new();
    for row in x.chunks(index(probe.from.count())) {
        let (mut values, mut rest) = (vec![(row.to_vec(), probe.from)], parameters);
        for layer in &probe.layers {
            let joined: Vec<_> = layer
                .with()
                .iter()
                .map(|value| values[index(value - probe::INPUT)].clone())
                .collect();
            let (x, from) = values.last().unwrap();
            if joined.is_empty() {
                let own = parameter_count(*from, std::slice::from_ref(layer));
                values.push(oracle::forward(layer, *from, x, &rest[..own]));
                rest = &rest[own..];
            } else {
                values.push(oracle::join(layer, *from, x, &joined));
            }
        }
        y.extend(values.pop().unwrap().0);
    }
    y
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

/// Everything that is claimed of layers that treat each row by itself.
fn check(rng: &mut Rng, from: Shape, layers: &[Layer], rows: usize) {
    let what = format!("{rows} rows of {from:?} through {layers:?}");
    let x = numbers(rng, rows * index(from.count()));
    let mut parameters = numbers(rng, parameter_count(from, layers));
    if layers[0] == (Layer::Norm { kind: Norm::Batch }) {
        // A variance is positive.
        let start = parameters.len() / 4 * 3;
        parameters[start..].iter_mut().for_each(|variance| *variance = variance.abs() + 0.1);
    }
    let probe = Probe::new(from, layers, &x, &parameters);
    let (y, exact_x, exact) = (probe.run(), f64s(&x), f64s(&parameters));
    assert_close(&y, &oracle(&probe, &exact_x, &exact), 1e-5, &what);
    let (together, alone) = probe.run_alone(&x, &parameters);
    assert_eq!(bits(&together), bits(&y), "{what}: placed otherwise");
    assert_eq!(bits(&alone), bits(&y), "{what}: alone");
    if layers.contains(&Layer::Norm { kind: Norm::Batch }) {
        return;
    }
    let dy = numbers(rng, y.len());
    let ours = probe.gradients(&y, &dy);
    let half = y.len() as f64 / 2.0;
    let mean = dy.iter().map(|dy| (half * f64::from(*dy)).powi(2)).sum::<f64>() / y.len() as f64;
    assert!((ours.loss / mean - 1.0).abs() < 1e-4, "{what}: outputs in training differ");
    let loss = |x: &[f64], parameters: &[f64]| {
        let y = oracle(&probe, x, parameters);
        y.iter().zip(&dy).map(|(y, dy)| y * f64::from(*dy)).sum::<f64>()
    };
    slopes(rng, &exact_x, &ours.x, &format!("{what}, input"), |x| loss(x, &exact));
    assert_eq!(ours.after.len(), parameters.len());
    slopes(rng, &exact, &ours.parameters, &format!("{what}, parameter"), |p| loss(&exact_x, p));
}

/// Compares some of the gradients with the differences of `loss`.
fn slopes(rng: &mut Rng, at: &[f64], ours: &[f32], what: &str, loss: impl Fn(&[f64]) -> f64) {
    let mut at = at.to_vec();
    for _ in 0..COMPARED.min(4 * at.len()) {
        let place = index(rng.below(u32::try_from(at.len()).unwrap()));
        let here = at[place];
        at[place] = here + EPSILON;
        let above = loss(&at);
        at[place] = here - EPSILON;
        let slope = (above - loss(&at)) / (2.0 * EPSILON);
        at[place] = here;
        let distance = (f64::from(ours[place]) - slope).abs();
        // A thousandth where it is large; small ones are lost in the rounding of the weights.
        let near = 1e-3 * slope.abs().max(0.05);
        assert!(distance <= near, "{what} {place}: {}, not {slope}", ours[place]);
    }
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
        activation: Activation::ALL[index(rng.below(5))],
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
        let activation = Activation::ALL[index(rng.below(5))];
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
fn a_wrong_gradient_would_be_noticed() {
    let from = Shape::Sequence { steps: 3, features: 2 };
    let layers = [Layer::Activation { activation: Activation::Tanh }];
    let mut rng = Rng::from_u64(6);
    let x = numbers(&mut rng, 6);
    let probe = Probe::new(from, &layers, &x, &[]);
    let y = probe.run();
    let mut ours = probe.gradients(&y, &[1.0; 6]).x;
    let loss = |x: &[f64]| oracle(&probe, x, &[]).iter().sum::<f64>();
    slopes(&mut rng, &f64s(&x), &ours, "right", loss);
    ours.swap(0, 5);
    let noticed = std::panic::catch_unwind(move || {
        slopes(&mut Rng::from_u64(7), &f64s(&x), &ours, "wrong", |x| {
            x.iter().map(|x| x.tanh()).sum()
        });
    });
    assert!(noticed.is_err());
}
