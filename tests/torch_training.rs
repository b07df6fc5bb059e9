//! Losses, activations and optimisers against PyTorch, through the public interface.
//!
//! `tests/vectors/torch/README.md` says where the numbers come from and how they lie. No private
//! function is called: a network of one layer shows a loss by `evaluate` and its gradient by what a
//! step of plain descent with rate 1 does to the bias.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "clippy allows these in tests, not in their helpers; vectors are rounded to f32"
)]

use serde_json::Value;
use synaptic_mesh::neural::{
    Activation, Arena, Dataset, Decay, Labels, Layer, Loss, Network, Optimiser, Options, Schedule,
    Shape, Specification, Trainer,
};

const LOSSES: &str = include_str!("vectors/torch/losses.json");
const OPTIMISERS: &str = include_str!("vectors/torch/optimisers.json");
const SCHEDULES: &str = include_str!("vectors/torch/schedules.json");
const ACTIVATIONS: &str = include_str!("vectors/torch/activations.json");

fn cases(file: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(file).unwrap();
    file["cases"].as_array().unwrap().clone()
}

fn numbers(tensor: &Value) -> Vec<f32> {
    let values = tensor["values"].as_array().unwrap();
    values.iter().map(|value| value.as_f64().unwrap() as f32).collect()
}

fn shape(tensor: &Value) -> Vec<usize> {
    let sizes = tensor["shape"].as_array().unwrap();
    sizes.iter().map(|size| usize::try_from(size.as_u64().unwrap()).unwrap()).collect()
}

fn assert_close(ours: &[f32], theirs: &[f32], what: &str) {
    assert_close_to(ours, theirs, 1e-5, what);
}

fn assert_close_to(ours: &[f32], theirs: &[f32], tolerance: f32, what: &str) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (place, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        let near = tolerance * theirs.abs().max(1.0);
        assert!((ours - theirs).abs() <= near, "{what} at {place}: {ours}, PyTorch {theirs}");
    }
}

/// A network of one layer that passes its inputs on to `activation`.
fn passing(width: usize, activation: Activation, loss: Loss) -> Network {
    let width_u32 = u32::try_from(width).unwrap();
    let specification = Specification {
        inputs: Shape::Flat(width_u32),
        layers: vec![Layer::dense(width_u32, activation)],
        loss,
    };
    let mut weights = vec![0.0; width * width + width];
    (0..width).for_each(|place| weights[place * width + place] = 1.0);
    Network::from_weights(&specification, &weights).unwrap()
}

/// What one step of plain descent with rate 1 takes off the biases: the gradient of the sums.
fn gradient_of_sums(network: &Network, data: &Dataset, class_weights: Vec<f32>) -> Vec<f32> {
    let mut moved = network.clone();
    let optimiser = Optimiser::Sgd { momentum: 0.0 };
    let options = Options { learning_rate: 1.0, optimiser, class_weights, ..Options::default() };
    let mut trainer = Trainer::new(&moved, options).unwrap();
    trainer.epoch(&mut moved, &mut Arena::new(), data).unwrap();
    let width = data.features();
    moved.weights()[width * width..].iter().map(|after| -after).collect()
}

/// The loss of a case, and what stands before it in PyTorch.
fn loss_of(name: &str) -> Option<(Loss, Activation)> {
    Some(match name {
        "mse" => (Loss::Mse, Activation::Linear),
        "mae" => (Loss::Mae, Activation::Linear),
        "huber" => (Loss::Huber, Activation::Linear),
        "cross_entropy"
        | "cross_entropy_far"
        | "cross_entropy_soft_targets"
        | "cross_entropy_weighted" => (Loss::CrossEntropy, Activation::Softmax),
        "quantile_low" => (Loss::Quantile(100), Activation::Linear),
        "quantile_median" => (Loss::Quantile(500), Activation::Linear),
        "quantile_high" => (Loss::Quantile(900), Activation::Linear),
        // These start from probabilities, see below; three levels at once are three networks here.
        "bce" | "bce_soft_targets" | "quantile_three_levels" => return None,
        unknown => panic!("a new case, {unknown}"),
    })
}

/// A data set of row `row` of a case.
fn row_of(case: &Value, row: usize, width: usize) -> Dataset {
    let inputs = numbers(&case["x"])[row * width..][..width].to_vec();
    let target = numbers(&case["target"]);
    if shape(&case["target"]).len() == 1 && width > 1 {
        let classes = (0..width).map(|class| class.to_string()).collect();
        let class = case["target"]["values"][row].as_u64().unwrap();
        let labels = Labels::Classes(vec![u32::try_from(class).unwrap()]);
        return Dataset::from_parts(width, inputs, labels, classes).unwrap();
    }
    let values = target[row * width..][..width].to_vec();
    Dataset::from_parts(width, inputs, Labels::Numbers { values, width }, Vec::new()).unwrap()
}

#[test]
fn losses_and_their_gradients_are_those_of_pytorch() {
    let mut seen = 0;
    for case in cases(LOSSES) {
        let name = case["name"].as_str().unwrap();
        let Some((loss, activation)) = loss_of(name) else { continue };
        seen += 1;
        let sizes = shape(&case["x"]);
        let (rows, width) = (sizes[0], sizes[1]);
        let network = passing(width, activation, loss);
        let class_weights = case.get("weight").map(numbers).unwrap_or_default();
        let (mut sum, mut share, mut dx) = (0.0, 0.0, Vec::new());
        for row in 0..rows {
            let data = row_of(&case, row, width);
            let weight = match data.labels() {
                Labels::Classes(classes) if !class_weights.is_empty() => {
                    class_weights[classes[0] as usize]
                }
                _ => 1.0,
            };
            sum += f64::from(weight) * network.evaluate(&mut Arena::new(), &data).unwrap().loss;
            share += weight;
            dx.extend(gradient_of_sums(&network, &data, class_weights.clone()));
        }
        // PyTorch divides by the weights of the rows in the batch, we by the rows.
        for d in &mut dx {
            *d /= share;
        }
        assert_close(&[(sum / f64::from(share)) as f32], &numbers(&case["y"]), name);
        assert_close(&dx, &numbers(&case["dx"]), name);
    }
    assert_eq!(seen, 10);
}

#[test]
fn binary_cross_entropy_is_that_of_pytorch() {
    for case in cases(LOSSES).iter().filter(|case| case["layer"] == "bce") {
        let sizes = shape(&case["x"]);
        let width = sizes.iter().skip(1).product::<usize>().max(1);
        let rows = sizes.iter().product::<usize>() / width;
        // PyTorch's case starts from probabilities p, ours from what sigmoid makes them of.
        let probabilities = numbers(&case["x"]);
        let sums: Vec<f32> = probabilities.iter().map(|p| (p / (1.0 - p)).ln()).collect();
        let labels = Labels::Numbers { values: numbers(&case["target"]), width };
        let data = Dataset::from_parts(width, sums, labels, Vec::new()).unwrap();
        let network = passing(width, Activation::Sigmoid, Loss::Bce);
        let loss = network.evaluate(&mut Arena::new(), &data).unwrap().loss;
        assert_close(&[loss as f32], &numbers(&case["y"]), "bce");
        // Through sigmoid the gradient of the sums is p (1 - p) times that of p.
        let theirs = numbers(&case["dx"]);
        let through = theirs.iter().zip(&probabilities).map(|(d, p)| d * p * (1.0 - p));
        let mut columns = vec![0.0; width];
        through.enumerate().for_each(|(place, d)| columns[place % width] += d);
        assert_close(&gradient_of_sums(&network, &data, Vec::new()), &columns, "bce");
        assert!(rows > 1);
    }
}

#[test]
fn activations_are_those_of_pytorch() {
    let mut seen = 0;
    for case in cases(ACTIVATIONS) {
        let name = case["layer"].as_str().unwrap();
        let activation = Activation::of_name(&name.replace('_', "-")).unwrap();
        seen += 1;
        let sizes = shape(&case["x"]);
        let width = *sizes.last().unwrap();
        let network = passing(width, activation, Loss::Mse);
        let inputs = numbers(&case["x"]);
        let mut outputs = vec![0.0; inputs.len()];
        network.run(&mut Arena::new(), &inputs, &mut outputs).unwrap();
        assert_close(&outputs, &numbers(&case["y"]), name);
        // A target so that the gradient of the mean square is dy: y - dy n / 2.
        let half = f32::from(u16::try_from(width).unwrap()) / 2.0;
        let (dy, dx) = (numbers(&case["dy"]), numbers(&case["dx"]));
        for (row, inputs) in inputs.chunks(width).enumerate() {
            let of_row = |all: &[f32]| all[row * width..][..width].to_vec();
            let targets = of_row(&outputs).into_iter().zip(of_row(&dy));
            let values = targets.map(|(y, d)| y - d * half).collect();
            let labels = Labels::Numbers { values, width };
            let data = Dataset::from_parts(width, inputs.to_vec(), labels, Vec::new()).unwrap();
            let ours = gradient_of_sums(&network, &data, Vec::new());
            assert_close(&ours, &of_row(&dx), name);
        }
    }
    assert_eq!(seen, 16);
}

#[test]
fn optimisers_go_where_those_of_pytorch_go() {
    for case in cases(OPTIMISERS) {
        let name = case["name"].as_str().unwrap();
        let setting = |name: &str| case["settings"][name].as_f64().unwrap_or(0.0) as f32;
        let momentum = setting("momentum");
        let optimiser = match name {
            "sgd" | "sgd_momentum" => Optimiser::Sgd { momentum },
            "sgd_nesterov" => Optimiser::Nesterov { momentum },
            "rmsprop" => Optimiser::RmsProp,
            "adam" | "adamw" => Optimiser::Adam,
            unknown => panic!("a new case, {unknown}"),
        };
        let start = numbers(&case["start"]);
        let width = start.len();
        // One output far below its target has the slope -1, so that the gradient of the weights is
        // minus the inputs.
        let specification = Specification {
            inputs: Shape::Flat(u32::try_from(width).unwrap()),
            layers: vec![Layer::dense(1, Activation::Linear)],
            loss: Loss::Mae,
        };
        let weights: Vec<f32> = start.iter().copied().chain([0.0]).collect();
        let mut network = Network::from_weights(&specification, &weights).unwrap();
        let options = Options {
            learning_rate: setting("lr"),
            weight_decay: setting("weight_decay"),
            optimiser,
            ..Options::default()
        };
        let mut trainer = Trainer::new(&network, options).unwrap();
        let (gradients, after) = (numbers(&case["step_gradients"]), numbers(&case["after"]));
        for (gradient, after) in gradients.chunks(width).zip(after.chunks(width)) {
            let inputs = gradient.iter().map(|g| -g).collect();
            let labels = Labels::Numbers { values: vec![1e9], width: 1 };
            let data = Dataset::from_parts(width, inputs, labels, Vec::new()).unwrap();
            trainer.epoch(&mut network, &mut Arena::new(), &data).unwrap();
            assert_close(&network.weights()[..width], after, name);
        }
    }
}

/// The rate of each epoch: what a step changes where the slope is 1. `None` where it is refused.
fn rates(learning_rate: f32, decay: Decay, epochs: usize) -> Option<Vec<f32>> {
    let layers = vec![Layer::dense(1, Activation::Linear)];
    let specification = Specification { inputs: Shape::Flat(1), layers, loss: Loss::Mae };
    let labels = Labels::Numbers { values: vec![1e9], width: 1 };
    let data = Dataset::from_parts(1, vec![0.0], labels, Vec::new()).unwrap();
    let mut network = Network::new(&specification, 1).unwrap();
    let schedule = Schedule { decay, ..Schedule::default() };
    let optimiser = Optimiser::Sgd { momentum: 0.0 };
    let options = Options { learning_rate, optimiser, schedule, ..Options::default() };
    let mut trainer = Trainer::new(&network, options).ok()?;
    let mut bias = || {
        let before = network.weights()[1];
        trainer.epoch(&mut network, &mut Arena::new(), &data).unwrap();
        network.weights()[1] - before
    };
    Some((0..epochs).map(|_| bias()).collect())
}

#[test]
fn a_cosine_falls_as_that_of_pytorch_and_then_stays() {
    for case in cases(SCHEDULES) {
        let setting = |name: &str| case["settings"][name].as_f64().unwrap();
        let lr = setting("lr");
        let epochs = u32::try_from(case["settings"]["T_max"].as_u64().unwrap()).unwrap();
        let decay = Decay::Cosine { epochs, least: (setting("eta_min") / lr) as f32 };
        let theirs = numbers(&case["rates"]);
        let ours = rates(lr as f32, decay, theirs.len() + 3).unwrap();
        let (during, after) = ours.split_at(theirs.len());
        let name = case["name"].as_str().unwrap();
        assert_close_to(during, &theirs, 1e-6, name);
        assert_close_to(after, &[during[theirs.len() - 1]; 3], 1e-6, name);
    }
}

#[test]
fn a_schedule_out_of_its_range_is_refused() {
    let (epochs, nan) = (3, f32::NAN);
    for decay in [
        Decay::Cosine { epochs: 0, least: 0.0 },
        Decay::Cosine { epochs, least: -0.1 },
        Decay::Cosine { epochs, least: 1.1 },
        Decay::Cosine { epochs, least: nan },
        Decay::Step { epochs: 0, factor: 0.5 },
        Decay::Step { epochs, factor: 0.0 },
        Decay::Step { epochs, factor: nan },
    ] {
        assert_eq!(rates(0.5, decay, 1), None, "{decay:?}");
    }
    assert!(rates(0.5, Decay::Cosine { epochs, least: 1.0 }, 1).is_some());
}
