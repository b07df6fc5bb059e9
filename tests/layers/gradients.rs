//! The gradient of every layer with every activation and loss that a specification accepts,
//! against that of the definition in `f64`.
//!
//! What is asked is a relative error of at most `1e-6`, in the norm of each layer's gradient. One
//! rounding to `f32` is up to `6e-8` of a number, so this is some sixteen of them in a row, which
//! is what lies between the input and a gradient here: sums of ten to eighty products, an
//! activation, its derivative, and the same back. Where numbers cancel `f32` cannot keep it,
//! whoever computes; `judged` stays away from there.

use synaptic_mesh::neural::specification::{
    Cell, Extent, Norm, Padding, Pooling, Position, Returns,
};
use synaptic_mesh::neural::{
    Activation, Dataset, Labels, Layer, Loss, Network, Shape, Specification,
};
use synaptic_mesh::rng::Rng;

use crate::LIMIT;
use crate::exact::{self, Defined};
use crate::number;
use crate::probe::{INPUT, index};
use crate::step;

const ROWS: u32 = 3;
const UNITS: u32 = 3;
/// Of how many networks the best is taken.
const SEEDS: usize = 12;
const LOSSES: [Loss; 6] =
    [Loss::Mse, Loss::Mae, Loss::Huber, Loss::Bce, Loss::CrossEntropy, Loss::Quantile(800)];

const FLAT: Shape = Shape::Flat(6);
const LINE: Shape = Shape::Sequence { steps: 5, features: 4 };
const PLANE: Shape = Shape::Image { height: 5, width: 4, channels: 4 };

/// Convolutions along a sequence and over an image, plain and with everything that changes them.
fn convolutions(activation: Activation) -> Vec<(Shape, Layer)> {
    let conv = |kernel, stride, dilation, padding, groups| Layer::Conv {
        filters: 4,
        kernel,
        stride,
        dilation,
        padding,
        groups,
        activation,
    };
    let (line, plane) = (Extent::Line, Extent::Plane);
    let (valid, same) = (Padding::Valid, Padding::Same);
    vec![
        (LINE, conv(line(3), line(1), line(1), valid, 1)),
        (LINE, conv(line(3), line(2), line(1), same, 1)),
        (LINE, conv(line(2), line(1), line(3), same, 2)),
        (LINE, conv(line(3), line(1), line(1), same, 4)),
        (PLANE, conv(plane(3, 2), plane(1, 1), plane(1, 1), valid, 1)),
        (PLANE, conv(plane(2, 3), plane(2, 1), plane(1, 1), same, 1)),
        (PLANE, conv(plane(2, 2), plane(1, 1), plane(2, 3), same, 2)),
        (PLANE, conv(plane(2, 2), plane(1, 2), plane(1, 1), same, 4)),
    ]
}

/// Layers with an activation of their own.
fn activated(activation: Activation) -> Vec<(Shape, Layer)> {
    let dense = Layer::dense(UNITS, activation);
    let alone = Layer::Activation { activation };
    let mut layers = convolutions(activation);
    layers.extend([(FLAT, dense.clone()), (LINE, dense)]);
    layers.extend([FLAT, LINE, PLANE].map(|shape| (shape, alone.clone())));
    layers
}

/// Layers without one.
fn others() -> Vec<(Shape, Layer)> {
    let mut layers = Vec::new();
    for kind in [Pooling::Max, Pooling::Average] {
        for (window, stride) in [(2, 2), (3, 1), (2, 3)] {
            let of = |extent: fn(u32) -> Extent| Layer::Pool {
                kind,
                window: extent(window),
                stride: extent(stride),
            };
            layers.push((LINE, of(Extent::Line)));
            layers.push((PLANE, of(|size| Extent::Plane(size, size.min(2)))));
        }
    }
    for shape in [FLAT, LINE, PLANE] {
        for kind in [Norm::Batch, Norm::Layer] {
            layers.push((shape, Layer::Norm { kind }));
        }
        for rate_per_mille in [0, 300] {
            layers.push((shape, Layer::Dropout { rate_per_mille }));
        }
        let with = vec![INPUT];
        layers.push((shape, Layer::Flatten));
        layers.push((shape, Layer::Add { with: with.clone() }));
        layers.push((shape, Layer::Gate { with: with.clone() }));
        layers.push((shape, Layer::Concat { with }));
    }
    layers.push((PLANE, Layer::Reshape { shape: Shape::Sequence { steps: 8, features: 10 } }));
    layers.push((Shape::Flat(4), Layer::Embedding { vocabulary: 5, units: 3 }));
    for kind in [Position::Sinusoidal, Position::Learned] {
        layers.push((LINE, Layer::Position { kind }));
    }
    for cell in [Cell::Rnn, Cell::Lstm, Cell::Gru] {
        for bidirectional in [false, true] {
            for returns in [Returns::Last, Returns::All] {
                layers.push((LINE, Layer::Recurrent { cell, units: 3, bidirectional, returns }));
            }
        }
    }
    for causal in [false, true] {
        for heads in [1, 2] {
            layers.push((LINE, Layer::Attention { heads, causal }));
        }
    }
    layers
}

/// A layer between others, so that gradients pass through it, and as the last one if it may be.
///
/// In front of it stands a dense layer, whose weights are the layer's input when the rows are those
/// of the unit matrix: its gradient is that of the input. An embedding stands first.
fn networks(from: Shape, layer: &Layer, output: Activation, loss: Loss) -> Vec<Specification> {
    let mut layers = Vec::new();
    let mut inputs = from;
    if !matches!(layer, Layer::Embedding { .. }) {
        inputs = Shape::Flat(ROWS);
        layers.push(Layer::dense(from.count(), Activation::Linear));
        layers.push(Layer::Reshape { shape: from });
    }
    layers.push(layer.clone());
    let last = layers.clone();
    layers.extend([Layer::Flatten, Layer::dense(UNITS, output)]);
    let mut networks = vec![Specification { inputs, layers, loss }];
    if layer.activation() == output {
        networks.push(Specification { inputs, layers: last, loss });
    }
    networks.retain(|specification| specification.validate().is_ok());
    networks
}

/// Rows of the unit matrix, or words; labels are classes, or shares that sum to 1 in every row,
/// which every loss takes.
fn data(specification: &Specification, classes: bool, rng: &mut Rng) -> Dataset {
    let (inputs, outputs) = (specification.inputs(), specification.outputs());
    let value = |place: u32| match specification.vocabulary() {
        Some(vocabulary) => (place * place + place) % vocabulary,
        None => u32::from(place.is_multiple_of(ROWS + 1)),
    };
    let values = (0..ROWS * inputs).map(|place| value(place) as f32).collect();
    if classes {
        let labels = Labels::Classes((0..ROWS).map(|row| (row + 1) % outputs).collect());
        let names = (0..outputs).map(|class| class.to_string()).collect();
        return Dataset::from_parts(index(inputs), values, labels, names).unwrap();
    }
    let mut shares: Vec<f32> = (0..ROWS * outputs).map(|_| 0.1 + rng.uniform_f32()).collect();
    for row in shares.chunks_mut(index(outputs)) {
        let sum: f32 = row.iter().sum();
        for share in row {
            *share /= sum;
        }
    }
    let labels = Labels::Numbers { values: shares, width: index(outputs) };
    Dataset::from_parts(index(inputs), values, labels, Vec::new()).unwrap()
}

/// A network and data where its gradient can be judged: of the parameters that the seeds give in
/// turn, those where nothing bends and every layer learns, and among some of them those where
/// rounding to `f32` costs the plain definition least beside [`LIMIT`].
fn judged(specification: &Specification, classes: bool) -> (Network, Dataset, Defined) {
    let all = (1..1_000).map(|seed| {
        let mut rng = Rng::from_u64(seed);
        let data = data(specification, classes, &mut rng);
        let mut network = Network::new(specification, seed).unwrap();
        // Nothing is 0, and the first layer's weights are numbers such as other layers see.
        let weights = network.weights().into_iter().map(|weight| weight + 0.3 * rng.normal_f32());
        network.set_weights(&weights.collect::<Vec<_>>()).unwrap();
        let defined = Defined::of(&network, &data);
        (network, data, defined)
    });
    let telling =
        all.filter(|(network, _, defined)| defined.is_straight() && defined.is_telling(network));
    let (mut best, mut least) = (None, f64::INFINITY);
    for (network, data, defined) in telling.take(SEEDS) {
        let rounding = defined.rounding(&network, &data);
        if rounding < least {
            (best, least) = (Some((network, data, defined)), rounding);
        }
        if least < LIMIT / 4.0 {
            break;
        }
    }
    best.unwrap_or_else(|| panic!("no seed gives {specification:?} a gradient"))
}

/// Asserts the gradients of a layer under all losses, activations at the end and kinds of labels.
fn check(from: Shape, layer: &Layer) {
    let mut checked = 0;
    for loss in LOSSES {
        for output in Activation::ALL {
            for specification in networks(from, layer, output, loss) {
                for classes in [false, true] {
                    let (network, data, defined) = judged(&specification, classes);
                    let error = exact::error(&network, &data, &defined);
                    assert!(error <= LIMIT, "{specification:?}: {error:e}");
                    checked += 1;
                }
            }
        }
    }
    // Four losses after every activation, cross-entropy after two, one for sigmoid.
    assert!(checked >= 2 * (4 * Activation::ALL.len() + 3), "{layer:?}: {checked}");
}

#[test]
fn every_layer_with_an_activation_has_the_gradient_of_its_definition() {
    for activation in Activation::ALL {
        for (from, layer) in activated(activation) {
            check(from, &layer);
        }
    }
}

#[test]
fn every_other_layer_has_the_gradient_of_its_definition() {
    for (from, layer) in others() {
        check(from, &layer);
    }
}

/// One network with everything in it, for the controls.
fn control() -> (Network, Dataset, Defined) {
    let layers = vec![Layer::dense(4, Activation::Tanh), Layer::dense(UNITS, Activation::Softmax)];
    let specification =
        Specification { inputs: Shape::Flat(ROWS), layers, loss: Loss::CrossEntropy };
    judged(&specification, true)
}

#[test]
fn a_gradient_that_is_a_little_wrong_is_noticed() {
    let (network, data, defined) = control();
    let specification = network.specification();
    let right = step::gradient(&network, &data).0;
    assert!(exact::distance(specification, &right, &defined.gradient) <= LIMIT);
    let larger: Vec<f64> = right.iter().map(|slope| slope * 1.001).collect();
    assert!(exact::distance(specification, &larger, &defined.gradient) > 9e-4);
    for place in 0..right.len() {
        let mut wrong = right.clone();
        wrong[place] *= 1.001;
        let distance = exact::distance(specification, &wrong, &defined.gradient);
        assert!(distance > LIMIT || right[place].abs() < 1e-3, "parameter {place}: {distance:e}");
        wrong[place] = f64::NAN;
        assert!(exact::distance(specification, &wrong, &defined.gradient).is_nan());
    }
}

/// Of each activation a network whose gradient another activation would not have.
#[test]
fn a_gradient_that_lacks_a_term_is_noticed() {
    let (network, data, defined) = control();
    let mut parts = network.specification().layers.clone();
    for activation in Activation::ALL {
        parts[0] = Layer::dense(4, activation);
        let specification =
            Specification { layers: parts.clone(), ..network.specification().clone() };
        let other = Network::from_weights(&specification, &network.weights()).unwrap();
        let ours = step::gradient(&other, &data).0;
        let error = exact::distance(&specification, &ours, &defined.gradient);
        assert_eq!(error <= LIMIT, activation == Activation::Tanh, "{activation:?}: {error:e}");
    }
}

/// The oracle derives itself; here it is held against its own differences.
#[test]
fn derivatives_of_the_definitions_are_their_differences() {
    let heads = [
        (Activation::Linear, Loss::Mae),
        (Activation::Sigmoid, Loss::Bce),
        (Activation::Softmax, Loss::CrossEntropy),
        (Activation::Tanh, Loss::Huber),
    ];
    let all = Activation::ALL.into_iter().flat_map(activated).chain(others());
    // Every head in its turn: there are more than a hundred layers.
    for ((from, layer), (output, loss)) in all.zip(heads.into_iter().cycle()) {
        let specification = networks(from, &layer, output, loss).remove(0);
        let (network, data, defined) = judged(&specification, false);
        let at: Vec<f64> = network.weights().iter().map(|weight| f64::from(*weight)).collect();
        let slopes = number::differences(&at, |at| exact::loss(&specification, &data, at));
        let error = exact::distance(&specification, &slopes, &defined.gradient);
        assert!(error < 1e-7, "{specification:?}: {error:e}");
    }
}
