//! Networks of many kinds of layers, as a caller makes, trains and runs them.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "clippy allows these in tests, not in their helpers; counts are small"
)]

use synaptic_mesh::neural::specification::{
    Cell, Extent, Norm, Padding, Pooling, Position, Returns,
};
use synaptic_mesh::neural::{
    Activation, Arena, Dataset, Labels, Layer, Loss, Network, Optimiser, Options, Shape,
    Specification, Trainer, dataset,
};
use synaptic_mesh::rng::Rng;

const DIGITS: &[u8] = include_bytes!("../data/digits.csv");
/// Digits as images.
const IMAGE: Shape = Shape::Image { height: 8, width: 8, channels: 1 };

fn conv(filters: u32, kernel: u32, activation: Activation) -> Layer {
    let one = Extent::Plane(1, 1);
    Layer::Conv {
        filters,
        kernel: Extent::Plane(kernel, kernel),
        stride: one,
        dilation: one,
        padding: Padding::Same,
        groups: 1,
        activation,
    }
}

fn halve(kind: Pooling) -> Layer {
    Layer::Pool { kind, window: Extent::Plane(2, 2), stride: Extent::Plane(2, 2) }
}

fn classifier(inputs: Shape, mut layers: Vec<Layer>, classes: u32) -> Specification {
    layers.extend([Layer::Flatten, Layer::dense(classes, Activation::Softmax)]);
    Specification { inputs, layers, loss: Loss::CrossEntropy }
}

/// A network trained on four fifths of the digits, and its accuracy on the rest.
fn train_on_digits(specification: &Specification, epochs: u32, seed: u64) -> (Network, f64) {
    let digits = Dataset::parse(DIGITS, &dataset::Options::default()).unwrap();
    let (training, test) = digits.split(0.2, seed).unwrap();
    let scaling = training.fit_scaling(dataset::Kind::Range).unwrap();
    let (training, test) = (training.scaled(&scaling).unwrap(), test.scaled(&scaling).unwrap());
    let mut network = Network::new(specification, seed).unwrap();
    let mut arena = Arena::new();
    let options = Options { seed, learning_rate: 5e-3, ..Options::default() };
    let mut trainer = Trainer::new(&network, options).unwrap();
    for _ in 0..epochs {
        trainer.epoch(&mut network, &mut arena, &training).unwrap();
    }
    let accuracy = network.evaluate(&mut arena, &test).unwrap().accuracy.unwrap();
    (network, accuracy)
}

#[test]
fn a_convolutional_network_reads_digits_after_a_few_epochs() {
    let relu = Activation::Relu;
    let layers = vec![conv(16, 3, relu), halve(Pooling::Max), conv(32, 3, relu)];
    let specification = classifier(IMAGE, layers, 10);
    for seed in 1..4 {
        let (_, accuracy) = train_on_digits(&specification, 8, seed);
        assert!(accuracy > 0.97, "seed {seed}: {accuracy}");
    }
}

/// Blocks of convolution and batch norm with a sum and a gate around them, joined by channels.
fn of_every_kind() -> Specification {
    let activation = |activation| Layer::Activation { activation };
    let layers = vec![
        conv(6, 3, Activation::Linear),
        Layer::Norm { kind: Norm::Batch },
        activation(Activation::Relu), // 3
        conv(6, 3, Activation::Linear),
        Layer::Norm { kind: Norm::Layer },
        Layer::Add { with: vec![3] },
        Layer::Gate { with: vec![1] },
        halve(Pooling::Average), // 8
        Layer::Dropout { rate_per_mille: 100 },
        conv(6, 2, Activation::Tanh),
        Layer::Concat { with: vec![8, 9] },
        Layer::Reshape { shape: Shape::Sequence { steps: 8, features: 36 } },
        Layer::Position { kind: Position::Learned },
        Layer::dense(12, Activation::Relu),
        Layer::Position { kind: Position::Sinusoidal },
    ];
    classifier(IMAGE, layers, 10)
}

#[test]
fn a_network_of_joins_norms_and_dropout_learns_and_is_the_same_twice() {
    let (network, accuracy) = train_on_digits(&of_every_kind(), 8, 1);
    assert!(accuracy > 0.95, "{accuracy}");
    let (again, _) = train_on_digits(&of_every_kind(), 8, 1);
    assert_eq!(network.weights_cid(), again.weights_cid());
    let (other, _) = train_on_digits(&of_every_kind(), 1, 2);
    assert_ne!(network.weights_cid(), other.weights_cid());
}

#[test]
fn a_row_has_the_same_bits_alone_and_among_others() {
    let (network, _) = train_on_digits(&of_every_kind(), 1, 3);
    let digits = Dataset::parse(DIGITS, &dataset::Options::default()).unwrap();
    let rows = 131;
    let inputs = &digits.values()[..rows * 64];
    let (mut together, mut alone) = (vec![0.0; rows * 10], vec![0.0; rows * 10]);
    network.run(&mut Arena::new(), inputs, &mut together).unwrap();
    let mut arena = Arena::new();
    for (row, outputs) in inputs.chunks(64).zip(alone.chunks_mut(10)) {
        network.run(&mut arena, row, outputs).unwrap();
    }
    let bits = |numbers: &[f32]| numbers.iter().map(|n| n.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&together), bits(&alone));
}

/// What one step does to the bias behind dropouts of a row of ones: shows which numbers stay.
fn mask(rates: &[u32], width: u32, seed: u64) -> Vec<f32> {
    let mut layers: Vec<Layer> =
        rates.iter().map(|rate| Layer::Dropout { rate_per_mille: *rate }).collect();
    layers.insert(0, Layer::dense(width, Activation::Linear));
    let specification = Specification { inputs: Shape::Flat(1), layers, loss: Loss::Mse };
    let n = usize::try_from(width).unwrap();
    // All outputs are 0, so the gradient of a bias is the product of its factors.
    let mut network = Network::from_weights(&specification, &vec![0.0; 2 * n]).unwrap();
    let labels = Labels::Numbers { values: vec![n as f32 / 2.0; n], width: n };
    let data = Dataset::from_parts(1, vec![1.0], labels, Vec::new()).unwrap();
    let optimiser = Optimiser::Sgd { momentum: 0.0 };
    let options = Options { learning_rate: 1.0, optimiser, seed, ..Options::default() };
    let mut trainer = Trainer::new(&network, options).unwrap();
    trainer.epoch(&mut network, &mut Arena::new(), &data).unwrap();
    network.weights()[n..].to_vec()
}

#[test]
fn dropout_puts_its_share_to_zero_and_scales_the_rest() {
    for rate in [0, 1, 250, 500, 999] {
        let factors = mask(&[rate], 5_003, 7);
        let zeros = factors.iter().filter(|factor| **factor == 0.0).count() as f32;
        let share = f64::from(zeros / 5_003.0);
        let expected = f64::from(rate) / 1000.0;
        assert!((share - expected).abs() < 0.025, "{rate}: {share}");
        let scale = 1000.0 / (1000 - rate) as f32;
        let others = factors.iter().filter(|factor| **factor != 0.0);
        others.for_each(|factor| assert!((factor / scale - 1.0).abs() < 1e-5, "{rate}: {factor}"));
    }
}

#[test]
fn every_dropout_and_every_step_has_its_own_mask() {
    assert_eq!(mask(&[500], 64, 1), mask(&[500], 64, 1));
    assert_ne!(mask(&[500], 64, 1), mask(&[500], 64, 2));
    // Two masks that were one would leave half of the numbers, not a quarter.
    let left = mask(&[500, 500], 4_000, 1).iter().filter(|factor| **factor != 0.0).count();
    assert!((900..1_100).contains(&left), "{left}");
}

#[test]
fn dropout_leaves_inference_alone() {
    let layers = vec![Layer::Dropout { rate_per_mille: 900 }];
    let specification = Specification { inputs: Shape::Flat(5), layers, loss: Loss::Mse };
    let network = Network::new(&specification, 1).unwrap();
    let (inputs, mut outputs) = ([1.0, -2.0, 3.0, 0.5, 0.0], [0.0; 5]);
    network.run(&mut Arena::new(), &inputs, &mut outputs).unwrap();
    let bits = |numbers: [f32; 5]| numbers.map(f32::to_bits);
    assert_eq!(bits(outputs), bits(inputs));
}

fn words(vocabulary: u32) -> Specification {
    let layers = vec![
        Layer::Embedding { vocabulary, units: 5 },
        Layer::Position { kind: Position::Sinusoidal },
        Layer::Norm { kind: Norm::Layer },
    ];
    classifier(Shape::Flat(4), layers, 2)
}

/// Whether word 3 comes before word 4, among others.
#[test]
fn an_embedding_learns_the_order_of_words() {
    let mut rng = Rng::from_u64(3);
    let (mut values, mut labels) = (Vec::new(), Vec::new());
    for _ in 0..300 {
        let mut row = [3, 4, rng.below(3), rng.below(3)];
        rng.shuffle(&mut row);
        let at = |word: u32| row.iter().position(|other| *other == word);
        labels.push(u32::from(at(3) < at(4)));
        values.extend(row.map(|word| word as f32));
    }
    let classes = ["after", "before"].map(String::from).to_vec();
    let data = Dataset::from_parts(4, values, Labels::Classes(labels), classes).unwrap();
    let (mut network, mut arena) = (Network::new(&words(5), 1).unwrap(), Arena::new());
    let options = Options { learning_rate: 0.02, ..Options::default() };
    let mut trainer = Trainer::new(&network, options).unwrap();
    for _ in 0..30 {
        trainer.epoch(&mut network, &mut arena, &data).unwrap();
    }
    let accuracy = network.evaluate(&mut arena, &data).unwrap().accuracy.unwrap();
    assert!(accuracy > 0.98, "{accuracy}");
}

#[test]
fn inputs_that_are_no_words_are_refused_wherever_rows_enter() {
    let mut network = Network::new(&words(5), 1).unwrap();
    let mut arena = Arena::new();
    for wrong in [-1.0, 5.0, 0.5, 1e30, f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let inputs = [0.0, 4.0, wrong, 1.0];
        let error = network.run(&mut arena, &inputs, &mut [0.0; 2]).unwrap_err();
        assert_eq!(error.code(), "word-invalid", "{wrong}");
        assert!(error.to_string().starts_with("input 2 "), "{error}");
        if wrong.is_finite() {
            let labels = Labels::Classes(vec![0]);
            let classes = ["a", "b"].map(String::from).to_vec();
            let data = Dataset::from_parts(4, inputs.to_vec(), labels, classes).unwrap();
            let mut trainer = Trainer::new(&network, Options::default()).unwrap();
            let error = trainer.epoch(&mut network, &mut arena, &data).unwrap_err();
            assert_eq!(error.code(), "word-invalid", "{wrong}");
            assert_eq!(network.evaluate(&mut arena, &data).unwrap_err(), error);
        }
    }
    network.run(&mut arena, &[0.0, 4.0, -0.0, 1.0], &mut [0.0; 2]).unwrap();
}

#[test]
fn what_costs_too_much_is_refused() {
    let line = |kernel, dilation, padding| Layer::Conv {
        filters: 1,
        kernel: Extent::Line(kernel),
        stride: Extent::Line(1),
        dilation: Extent::Line(dilation),
        padding,
        groups: 1,
        activation: Activation::Linear,
    };
    let sequence = Shape::Sequence { steps: 60_000, features: 1 };
    let (valid, same) = (Padding::Valid, Padding::Same);
    let embedding = |vocabulary| Layer::Embedding { vocabulary, units: 1 };
    for (inputs, layer, what) in [
        (sequence, line(3, u32::MAX, same), "the window is larger"),
        (sequence, line(u32::MAX, u32::MAX, same), "the window is larger"),
        (sequence, line(20_000, 1, valid), "multiplications"),
        (IMAGE, conv(1 << 13, 16, Activation::Linear), "its output would be"),
        (IMAGE, Layer::Dropout { rate_per_mille: 1_000 }, "a dropout rate"),
        (Shape::Flat(8), embedding(0), "an embedding has"),
        (Shape::Flat(8), embedding((1 << 20) + 1), "an embedding has"),
        (Shape::Flat(8), Layer::Gate { with: vec![0, 0] }, "a gate takes one"),
        (Shape::Flat(8), Layer::Add { with: vec![0; 1 << 20] }, "it joins more values"),
    ] {
        let layers = vec![layer, Layer::Flatten];
        let error = Specification { inputs, layers, loss: Loss::Mse }.validate().unwrap_err();
        assert!(error.to_string().contains(what), "{error}");
    }
    let late = vec![Layer::Flatten, embedding(5), Layer::Flatten];
    let late = Specification { inputs: Shape::Flat(8), layers: late, loss: Loss::Mse };
    assert!(late.validate().unwrap_err().to_string().contains("put it first"));
}

/// An arena that held what is not finite once, such as after a training that diverged, was a fault:
/// padding of an input is multiplied by weights of 0, and a NaN times 0 is a NaN.
#[test]
fn what_an_arena_held_before_changes_nothing() {
    let depthwise = Layer::Conv {
        filters: 3,
        kernel: Extent::Line(3),
        stride: Extent::Line(1),
        dilation: Extent::Line(1),
        padding: Padding::Valid,
        groups: 3,
        activation: Activation::Linear,
    };
    let layers = vec![depthwise, Layer::Flatten, Layer::dense(2, Activation::Softmax)];
    let inputs = Shape::Sequence { steps: 9, features: 3 };
    let specification = Specification { inputs, layers, loss: Loss::CrossEntropy };
    let values: Vec<f32> = (0_u8..54).map(|place| f32::from(place % 7) - 3.0).collect();
    let labels = Labels::Classes(vec![0, 1]);
    let data = Dataset::from_parts(27, values, labels, vec!["a".into(), "b".into()]).unwrap();
    let wide = Specification {
        inputs: Shape::Flat(4_000),
        layers: vec![Layer::dense(64, Activation::Linear)],
        loss: Loss::Mse,
    };
    let mut used = Arena::new();
    let nan = Network::new(&wide, 1).unwrap();
    nan.run(&mut used, &[f32::NAN; 4_000], &mut [0.0; 64]).unwrap();
    let train = |arena: &mut Arena| {
        let mut network = Network::new(&specification, 1).unwrap();
        let mut trainer = Trainer::new(&network, Options::default()).unwrap();
        trainer.epoch(&mut network, arena, &data).unwrap();
        network.weights_cid()
    };
    assert_eq!(train(&mut used), train(&mut Arena::new()));
}

/// 64 rows of it do not fit the arena at once, one by one they do.
#[test]
fn a_network_that_is_large_per_row_runs_many_rows() {
    let layers =
        vec![conv(1, 1, Activation::Linear), Layer::Flatten, Layer::dense(1, Activation::Linear)];
    let inputs = Shape::Image { height: 256, width: 256, channels: 1 };
    let specification = Specification { inputs, layers, loss: Loss::Mse };
    let network = Network::new(&specification, 1).unwrap();
    let row: Vec<f32> =
        (0_u32..65_536).map(|place| if place % 3 == 0 { 1.0 } else { 0.0 }).collect();
    let mut outputs = vec![0.0; 70];
    network.run(&mut Arena::new(), &row.repeat(70), &mut outputs).unwrap();
    assert!(outputs.iter().all(|output| output.to_bits() == outputs[0].to_bits()));
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
