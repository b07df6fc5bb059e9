//! Gradients and optimisers, seen from outside: what a step changes against finite differences of
//! the loss that `evaluate` reports, for every activation, loss and optimiser.
//!
//! `evaluate` is in `f32`, so the differences have three digits: each parameter is held between the
//! slopes close by on either side, and all together, by wider differences, to a relative error of
//! 1e-3. `tests/layers/gradients.rs` holds gradients against definitions in `f64`, for every layer.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "clippy allows these in tests, not in their helpers"
)]

#[path = "layers/step.rs"]
mod step;

use synaptic_mesh::neural::{
    Activation, Arena, Dataset, Labels, Layer, Loss, Network, Optimiser, Options, Shape,
    Specification, Trainer,
};
use synaptic_mesh::rng::Rng;

const ROWS: usize = 7;
const INPUTS: usize = 5;

/// Rows that are nothing in particular, with labels for a network of three outputs.
fn data(labels: Labels) -> Dataset {
    let mut rng = Rng::from_u64(11);
    let values = (0..ROWS * INPUTS).map(|_| rng.uniform_f32() * 2.0 - 1.0).collect();
    let classes = match labels {
        Labels::Classes(_) => ["a", "b", "c"].map(String::from).to_vec(),
        Labels::Numbers { .. } => Vec::new(),
    };
    Dataset::from_parts(INPUTS, values, labels, classes).unwrap()
}

fn classes() -> Dataset {
    data(Labels::Classes((0..7).map(|row| row % 3).collect()))
}

/// Shares that sum to 1 in every row, so that they are targets for every loss.
fn numbers() -> Dataset {
    let mut rng = Rng::from_u64(12);
    let mut values: Vec<f32> = (0..ROWS * 3).map(|_| rng.uniform_f32()).collect();
    for row in values.chunks_mut(3) {
        let sum: f32 = row.iter().sum();
        for share in row {
            *share /= sum;
        }
    }
    data(Labels::Numbers { values, width: 3 })
}

fn specification(hidden: Activation, output: Activation, loss: Loss) -> Specification {
    let layer = Layer::dense;
    let layers = vec![layer(9, hidden), layer(4, Activation::Tanh), layer(3, output)];
    Specification { inputs: Shape::Flat(5), layers, loss }
}

/// Weights with biases that are not zero and sums away from the kink of relu.
fn network(specification: &Specification) -> Network {
    let mut network = Network::new(specification, 5).unwrap();
    let mut rng = Rng::from_u64(13);
    let weights: Vec<f32> =
        network.weights().iter().map(|weight| weight + 0.1 * rng.normal_f32()).collect();
    network.set_weights(&weights).unwrap();
    network
}

fn gradient(network: &Network, data: &Dataset) -> Vec<f64> {
    step::gradient(network, data).0
}

/// The slopes of the reported loss about one parameter.
#[derive(Debug, Clone, Copy)]
struct Slopes {
    below: f64,
    above: f64,
    /// Across the parameter, far to either side and half as far: apart where something bends.
    wide: f64,
    half: f64,
}

/// Where slopes across agree by this share of the largest, nothing bends.
const AGREE: f64 = 1e-4;

fn numeric_gradient(network: &Network, data: &Dataset) -> Vec<Slopes> {
    let weights = network.weights();
    let mut arena = Arena::new();
    let mut loss_at = |place: usize, change: f32| {
        let mut weights = weights.clone();
        weights[place] += change;
        let changed = Network::from_weights(network.specification(), &weights).unwrap();
        (changed.evaluate(&mut arena, data).unwrap().loss, f64::from(weights[place]))
    };
    let mut slopes = Vec::with_capacity(weights.len());
    for place in 0..weights.len() {
        let mut slope = |from: f32, to: f32| {
            let ((low, below), (high, above)) = (loss_at(place, from), loss_at(place, to));
            (high - low) / (above - below)
        };
        slopes.push(Slopes {
            below: slope(-1e-3, 0.0),
            above: slope(0.0, 1e-3),
            wide: slope(-8e-3, 8e-3),
            half: slope(-4e-3, 4e-3),
        });
    }
    slopes
}

/// Ours must lie between the slopes below and above, which are the same but where an activation or
/// a loss bends in between; that may happen only now and then.
fn assert_close(ours: &[f64], numeric: &[Slopes], what: &str) {
    let steepest = |slopes: &Slopes| slopes.below.abs().max(slopes.above.abs());
    let largest = numeric.iter().map(steepest).fold(0.0_f64, f64::max);
    assert!(largest > 1e-3, "{what}: a gradient of nothing proves nothing");
    let near = 3e-3 * largest;
    let (mut bends, mut smooth, mut off, mut whole) = (0, 0, 0.0, 0.0);
    for (place, (ours, slopes)) in ours.iter().zip(numeric).enumerate() {
        let Slopes { below, above, wide, half } = *slopes;
        let says = format!("{what}, parameter {place}: {ours} between {below} and {above}");
        bends += usize::from((below - above).abs() > 2.0 * near);
        let within = below.min(above) - near <= *ours && *ours <= below.max(above) + near;
        assert!(within, "{says}");
        if (wide - half).abs() <= AGREE * largest {
            smooth += 1;
            off += (ours - half).powi(2);
            whole += ours * ours;
        }
    }
    assert!(bends * 5 <= numeric.len(), "{what}: {bends} bends");
    assert!(smooth * 2 >= numeric.len(), "{what}: only {smooth} parameters without bends");
    let relative = f64::sqrt(off / whole);
    assert!(relative <= 1e-3, "{what}: relative error {relative:.2e}");
}

#[test]
fn every_gradient_is_that_of_the_loss() {
    let losses =
        [Loss::Mse, Loss::Mae, Loss::Huber, Loss::Bce, Loss::CrossEntropy, Loss::Quantile(800)];
    for hidden in Activation::ALL {
        for output in Activation::ALL {
            for loss in losses {
                let specification = specification(hidden, output, loss);
                if specification.validate().is_err() {
                    continue;
                }
                for data in [classes(), numbers()] {
                    let network = network(&specification);
                    let what = format!("{hidden:?} {output:?} {loss:?} {:?}", data.task());
                    let numeric = numeric_gradient(&network, &data);
                    assert_close(&gradient(&network, &data), &numeric, &what);
                }
            }
        }
    }
}

#[test]
fn a_wrong_gradient_would_be_noticed() {
    let specification = specification(Activation::Tanh, Activation::Softmax, Loss::CrossEntropy);
    let network = network(&specification);
    let mut wrong = gradient(&network, &classes());
    wrong.swap(0, 1);
    let numeric = numeric_gradient(&network, &classes());
    let noticed = std::panic::catch_unwind(|| assert_close(&wrong, &numeric, "control"));
    assert!(noticed.is_err());
}

/// Three steps of an optimiser of textbook arithmetic in `f64`, on the gradients of the network.
fn textbook(
    mut network: Network,
    data: &Dataset,
    mut rule: impl FnMut(i32, usize, f64) -> f64,
) -> Vec<f32> {
    for step in 1..=3 {
        let change = gradient(&network, data);
        let mut weights = network.weights();
        for (place, (weight, gradient)) in weights.iter_mut().zip(change).enumerate() {
            let exact = f64::from(*weight) + rule(step, place, gradient);
            *weight = format!("{exact}").parse().unwrap();
        }
        network.set_weights(&weights).unwrap();
    }
    network.weights()
}

fn three_steps(mut network: Network, data: &Dataset, optimiser: Optimiser) -> Vec<f32> {
    let options = Options {
        batch: 64,
        learning_rate: 0.05,
        optimiser,
        seed: 0,
        shuffle: false,
        ..Options::default()
    };
    let mut trainer = Trainer::new(&network, options).unwrap();
    let mut arena = Arena::new();
    for _ in 0..3 {
        trainer.epoch(&mut network, &mut arena, data).unwrap();
    }
    network.weights()
}

#[test]
fn optimisers_follow_their_papers() {
    let specification = specification(Activation::Sigmoid, Activation::Softmax, Loss::CrossEntropy);
    let (network, data) = (network(&specification), classes());
    let count = network.parameter_count();

    let mut velocity = vec![0.0; count];
    let momentum = textbook(network.clone(), &data, |_, place, gradient| {
        velocity[place] = f64::from(0.9_f32) * velocity[place] + gradient;
        -f64::from(0.05_f32) * velocity[place]
    });
    let (mut first, mut second) = (vec![0.0; count], vec![0.0; count]);
    let adam = textbook(network.clone(), &data, |step, place, gradient| {
        first[place] = 0.9 * first[place] + 0.1 * gradient;
        second[place] = 0.999 * second[place] + 0.001 * gradient * gradient;
        let mean = first[place] / (1.0 - 0.9_f64.powi(step));
        let spread = (second[place] / (1.0 - 0.999_f64.powi(step))).sqrt();
        -0.05 * mean / (spread + 1e-8)
    });
    for (name, expected, optimiser, tolerance) in [
        ("momentum", momentum, Optimiser::Sgd { momentum: 0.9 }, 1e-5),
        ("adam", adam, Optimiser::Adam, 1e-3),
    ] {
        let found = three_steps(network.clone(), &data, optimiser);
        for (place, (a, b)) in found.iter().zip(&expected).enumerate() {
            assert!((a - b).abs() < tolerance, "{name}, parameter {place}: {a} {b}");
        }
    }
}

#[test]
fn training_lowers_the_loss_that_run_computes() {
    let xor = Dataset::from_parts(
        2,
        vec![0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0],
        Labels::Numbers { values: vec![0.0, 1.0, 1.0, 0.0], width: 1 },
        Vec::new(),
    )
    .unwrap();
    let layer = Layer::dense;
    let layers = vec![layer(8, Activation::Tanh), layer(1, Activation::Sigmoid)];
    for (loss, optimiser, learning_rate) in [
        (Loss::Mse, Optimiser::Adam, 0.05),
        (Loss::CrossEntropy, Optimiser::Adam, 0.05),
        (Loss::Mse, Optimiser::Sgd { momentum: 0.9 }, 0.5),
        (Loss::CrossEntropy, Optimiser::Sgd { momentum: 0.0 }, 0.5),
    ] {
        let specification = Specification { inputs: Shape::Flat(2), layers: layers.clone(), loss };
        let mut network = Network::new(&specification, 2).unwrap();
        let options = Options {
            batch: 4,
            learning_rate,
            optimiser,
            seed: 2,
            shuffle: true,
            ..Options::default()
        };
        let mut trainer = Trainer::new(&network, options).unwrap();
        let mut arena = Arena::new();
        for _ in 0..2_000 {
            trainer.epoch(&mut network, &mut arena, &xor).unwrap();
        }
        let mut outputs = [0.0; 4];
        network.run(&mut arena, xor.values(), &mut outputs).unwrap();
        let right = outputs.iter().zip([0.0, 1.0, 1.0, 0.0]).all(|(a, b)| (a - b).abs() < 0.1);
        assert!(right, "{loss:?} {optimiser:?}: {outputs:?}");
    }
}
