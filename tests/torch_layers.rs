//! Layers against PyTorch, through the public interface: outputs, and gradients of inputs and
//! parameters.
//!
//! `tests/vectors/torch/README.md` says where the numbers come from and how they lie, and
//! `tests/layers/probe.rs` how gradients are seen from outside. Left out: settings that no layer
//! here has (another epsilon or momentum), and the gradient of a batch norm that is not training.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "clippy allows these in tests, not in their helpers; vectors are rounded to f32"
)]

#[path = "layers/probe.rs"]
mod probe;
#[path = "layers/step.rs"]
mod step;

use probe::{INPUT, Probe, index};
use serde_json::Value;
use synaptic_mesh::neural::specification::{Extent, Norm, Padding, Pooling};
use synaptic_mesh::neural::{
    Activation, Arena, Dataset, Labels, Layer, Loss, Network, Optimiser, Options, Shape,
    Specification, Trainer,
};

fn cases(file: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(file).unwrap();
    file["cases"].as_array().unwrap().clone()
}

fn numbers(tensor: &Value) -> Vec<f32> {
    let values = tensor["values"].as_array().unwrap();
    values.iter().map(|value| value.as_f64().unwrap() as f32).collect()
}

fn sizes(sizes: &Value) -> Vec<u32> {
    let sizes = sizes.as_array().unwrap();
    sizes.iter().map(|size| u32::try_from(size.as_u64().unwrap()).unwrap()).collect()
}

/// The shape of one row of a tensor.
fn shape(tensor: &Value) -> Shape {
    Shape::of_sizes(&sizes(&tensor["shape"])[1..]).unwrap()
}

/// What a step takes off.
struct Gradients {
    /// `[rows, numbers]`.
    x: Vec<f32>,
    /// Canonical.
    parameters: Vec<f32>,
    /// The parameters after the step.
    after: Vec<f32>,
    /// The mean loss that the trainer reports.
    loss: f64,
}

/// The gradients when that of the outputs `y` in training is `dy`.
fn gradients_of(probe: &Probe, y: &[f32], dy: &[f32]) -> Gradients {
    let (all, moved, epoch) = step::gradient(&probe.network, &probe.data(y, dy));
    let all: Vec<f32> = all.iter().map(|number| *number as f32).collect();
    let (count, after) = (index(probe.from.count()), moved.weights());
    let (x, rest) = all.split_at(probe.rows * count);
    Gradients {
        x: x.to_vec(),
        parameters: rest[count..].to_vec(),
        after: after[(probe.rows + 1) * count..].to_vec(),
        loss: epoch.loss,
    }
}

fn assert_close(ours: &[f32], theirs: &[f32], what: &str) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (place, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        let near = 1e-5 * theirs.abs().max(1.0);
        assert!((ours - theirs).abs() <= near, "{what} at {place}: {ours}, PyTorch {theirs}");
    }
}

/// A case with the layers that it is for.
struct Checked<'a> {
    case: &'a Value,
    name: &'a str,
    layers: Vec<Layer>,
    /// Canonical parameters, and the gradients that they should have.
    parameters: Vec<f32>,
    gradients: Vec<f32>,
}

impl Checked<'_> {
    fn check(&self, from: Shape, x: &[f32], dx: &[f32]) {
        let (name, case) = (self.name, self.case);
        let probe = Probe::new(from, &self.layers, x, &self.parameters);
        let y = numbers(&case["y"]);
        assert_close(&probe.run(), &y, &format!("{name}, y"));
        let (together, alone) = probe.run_alone(x, &self.parameters);
        assert_close(&together, &y, &format!("{name}, y by itself"));
        assert_close(&alone, &y, &format!("{name}, y row by row"));
        let ours = gradients_of(&probe, &y, &numbers(&case["dy"]));
        assert_close(&ours.x, dx, &format!("{name}, dx"));
        assert_close(&ours.parameters, &self.gradients, &format!("{name}, gradients"));
    }

    fn check_as_it_is(&self) {
        let case = self.case;
        self.check(shape(&case["x"]), &numbers(&case["x"]), &numbers(&case["dx"]));
    }
}

/// `[rows][columns]` to `[columns][rows]`.
fn transposed(numbers: &[f32], rows: usize) -> Vec<f32> {
    let columns = numbers.len() / rows;
    (0..numbers.len()).map(|at| numbers[at % rows * columns + at / rows]).collect()
}

/// `[out][in][taps]` to `[taps][in][out]`.
fn of_conv(weight: &Value) -> Vec<f32> {
    let out = index(sizes(&weight["shape"])[0]);
    let inputs = index(sizes(&weight["shape"])[1]);
    // [out][in][taps] -> [in][taps][out] -> by tap.
    let turned = transposed(&numbers(weight), out);
    let taps = turned.len() / out / inputs;
    let place = |row: usize| (row % inputs * taps + row / inputs) * out;
    (0..taps * inputs).flat_map(|row| turned[place(row)..][..out].to_vec()).collect()
}

/// The tensor of a name, or so many zeros.
fn or_zeros(tensors: &Value, name: &str, count: u32) -> Vec<f32> {
    tensors.get(name).map_or_else(|| vec![0.0; index(count)], numbers)
}

fn extent(value: &Value) -> Extent {
    match sizes(value).as_slice() {
        [size] => Extent::Line(*size),
        [down, across] => Extent::Plane(*down, *across),
        other => panic!("{other:?}"),
    }
}

/// Rows of images or sequences with zeros around them, and whether a number is one of the row.
fn with_zeros(from: Shape, x: &[f32], padding: &[Vec<u32>]) -> (Shape, Vec<f32>, Vec<bool>) {
    let (sides, channels) = match from {
        Shape::Image { height, width, channels } => ([height, width], channels),
        _ => ([1, from.positions()], from.channels()),
    };
    let none = vec![0, 0];
    let [down, across] = match padding {
        [across] => [&none, across],
        [down, across] => [down, across],
        other => panic!("{other:?}"),
    };
    let all = [sides[0] + down[0] + down[1], sides[1] + across[0] + across[1]];
    let (mut padded, mut real) = (Vec::new(), Vec::new());
    for row in x.chunks(index(from.count())) {
        let mut numbers = row.iter();
        for place in 0..all[0] * all[1] * channels {
            let (line, column) = (place / channels / all[1], place / channels % all[1]);
            let inside = (down[0]..down[0] + sides[0]).contains(&line)
                && (across[0]..across[0] + sides[1]).contains(&column);
            real.push(inside);
            padded.push(if inside { *numbers.next().unwrap() } else { 0.0 });
        }
    }
    let shape = match from {
        Shape::Image { .. } => Shape::Image { height: all[0], width: all[1], channels },
        _ => Shape::Sequence { steps: all[1], features: channels },
    };
    (shape, padded, real)
}

fn check_conv(case: &Value) {
    let settings = &case["settings"];
    let filters = u32::try_from(settings["out_channels"].as_u64().unwrap()).unwrap();
    let same = settings["same"].as_bool().unwrap();
    let layer = Layer::Conv {
        filters,
        kernel: extent(&settings["kernel_size"]),
        stride: extent(&settings["stride"]),
        dilation: extent(&settings["dilation"]),
        padding: if same { Padding::Same } else { Padding::Valid },
        groups: u32::try_from(settings["groups"].as_u64().unwrap()).unwrap(),
        activation: Activation::Linear,
    };
    let bias = or_zeros(&case["parameters"], "bias", filters);
    // What PyTorch does without a bias has its gradient all the same.
    let dbias = match case["gradients"].get("bias") {
        Some(bias) => numbers(bias),
        None => column_sums(&numbers(&case["dy"]), index(filters)),
    };
    let case = Checked {
        case,
        name: case["name"].as_str().unwrap(),
        layers: vec![layer],
        parameters: [of_conv(&case["parameters"]["weight"]), bias].concat(),
        gradients: [of_conv(&case["gradients"]["weight"]), dbias].concat(),
    };
    if same {
        return case.check_as_it_is();
    }
    let padding: Vec<Vec<u32>> =
        settings["padding"].as_array().unwrap().iter().map(sizes).collect();
    let from = shape(&case.case["x"]);
    let (padded, x, real) = with_zeros(from, &numbers(&case.case["x"]), &padding);
    let probe = Probe::new(padded, &case.layers, &x, &case.parameters);
    let y = numbers(&case.case["y"]);
    assert_close(&probe.run(), &y, case.name);
    let ours = gradients_of(&probe, &y, &numbers(&case.case["dy"]));
    let inside = ours.x.iter().zip(real).filter(|(_, real)| *real).map(|(dx, _)| *dx);
    assert_close(&inside.collect::<Vec<_>>(), &numbers(&case.case["dx"]), case.name);
    assert_close(&ours.parameters, &case.gradients, case.name);
    if padded == from {
        case.check_as_it_is();
    }
}

fn column_sums(numbers: &[f32], columns: usize) -> Vec<f32> {
    let sum = |column: usize| numbers.iter().skip(column).step_by(columns).sum();
    (0..columns).map(sum).collect()
}

#[test]
fn convolutions_are_those_of_pytorch() {
    let lines = cases(include_str!("vectors/torch/conv1d.json"));
    let planes = cases(include_str!("vectors/torch/conv2d.json"));
    assert!(lines.len() >= 10 && planes.len() >= 12);
    lines.iter().chain(&planes).for_each(check_conv);
}

#[test]
fn pools_are_those_of_pytorch() {
    for case in &cases(include_str!("vectors/torch/pool.json")) {
        let (settings, name) = (&case["settings"], case["name"].as_str().unwrap());
        let kind = if name.starts_with("max") { Pooling::Max } else { Pooling::Average };
        let (window, stride) = (extent(&settings["kernel_size"]), extent(&settings["stride"]));
        let layers = vec![Layer::Pool { kind, window, stride }];
        let (parameters, gradients) = (Vec::new(), Vec::new());
        Checked { case, name, layers, parameters, gradients }.check_as_it_is();
    }
}

#[test]
fn layer_norms_are_those_of_pytorch() {
    for case in &cases(include_str!("vectors/torch/layer_norm.json")) {
        let over: u32 = sizes(&case["settings"]["normalized_shape"]).iter().product();
        let x = numbers(&case["x"]);
        let rows = sizes(&case["x"]["shape"])[0];
        let steps = u32::try_from(x.len()).unwrap() / rows / over;
        let from = Shape::Sequence { steps, features: over };
        let (parameters, gradients) = match case.get("parameters") {
            Some(parameters) => {
                let both = |of: &Value| [numbers(&of["weight"]), numbers(&of["bias"])].concat();
                (both(parameters), both(&case["gradients"]))
            }
            None => ([vec![1.0; index(over)], vec![0.0; index(over)]].concat(), Vec::new()),
        };
        let name = case["name"].as_str().unwrap();
        let layers = vec![Layer::Norm { kind: Norm::Layer }];
        let mut case = Checked { case, name, layers, parameters, gradients };
        if case.gradients.is_empty() {
            // PyTorch has none; they are looked at in the other cases.
            let probe = Probe::new(from, &case.layers, &x, &case.parameters);
            let (y, dy) = (numbers(&case.case["y"]), numbers(&case.case["dy"]));
            case.gradients = gradients_of(&probe, &y, &dy).parameters;
        }
        case.check(from, &x, &numbers(&case.case["dx"]));
    }
}

#[test]
fn batch_norms_are_those_of_pytorch() {
    let mut checked = 0;
    for case in &cases(include_str!("vectors/torch/batch_norm.json")) {
        let (settings, name) = (&case["settings"], case["name"].as_str().unwrap());
        if settings["momentum"] != 0.1 {
            continue;
        }
        let (given, buffers) = (&case["parameters"], &case["buffers"]);
        let parameters = [&given["weight"], &given["bias"]].map(numbers).concat();
        let statistics =
            |of: &Value| [&of["running_mean"], &of["running_var"]].map(numbers).concat();
        let parameters = [parameters, statistics(buffers)].concat();
        let layers = vec![Layer::Norm { kind: Norm::Batch }];
        let (x, y, dy) = (numbers(&case["x"]), numbers(&case["y"]), numbers(&case["dy"]));
        let probe = Probe::new(shape(&case["x"]), &layers, &x, &parameters);
        checked += 1;
        if settings["training"] == false {
            assert_close(&probe.run(), &y, name);
            continue;
        }
        let ours = gradients_of(&probe, &y, &dy);
        assert_close(&ours.x, &numbers(&case["dx"]), name);
        let gradients = &case["gradients"];
        let gradients = [&gradients["weight"], &gradients["bias"]].map(numbers).concat();
        assert_close(&ours.parameters[..gradients.len()], &gradients, name);
        let after = statistics(&case["buffers_after"]);
        assert_close(&ours.after[gradients.len()..], &after, name);
        // The loss is that of the targets, so the outputs in training are PyTorch's.
        let half = y.len() as f64 / 2.0;
        let loss: f64 = dy.iter().map(|dy| (half * f64::from(*dy)).powi(2)).sum::<f64>();
        let loss = loss / y.len() as f64;
        assert!((ours.loss / loss - 1.0).abs() < 1e-5, "{name}: {} {loss}", ours.loss);
    }
    assert_eq!(checked, 6);
}

/// Values `x` and `r`, side by side in the input, become two, of which the second joins the first.
fn joined(case: &Value, second: &str, join: Layer) {
    let (x, r) = (numbers(&case["x"]), numbers(&case[second]));
    let (dx, dr) = (numbers(&case["dx"]), numbers(&case[&format!("d{second}")]));
    let rows = index(sizes(&case["x"]["shape"])[0]);
    let n = x.len() / rows;
    let beside = |a: &[f32], b: &[f32]| {
        a.chunks(n).zip(b.chunks(n)).flat_map(|(a, b)| [a, b].concat()).collect::<Vec<_>>()
    };
    let width = u32::try_from(n).unwrap();
    let select = || Layer::dense(width, Activation::Linear);
    // [x, r], r, [r, x, r], x
    let layers = [select(), Layer::Concat { with: vec![INPUT] }, select(), join];
    let selecting = |inputs: usize, first: usize| {
        let mut weights = vec![0.0; inputs * n + n];
        (0..n).for_each(|at| weights[(first + at) * n + at] = 1.0);
        weights
    };
    let parameters = [selecting(2 * n, n), selecting(3 * n, n)].concat();
    let probe = Probe::new(Shape::Flat(2 * width), &layers, &beside(&x, &r), &parameters);
    let y = numbers(&case["y"]);
    assert_close(&probe.run(), &y, second);
    let ours = gradients_of(&probe, &y, &numbers(&case["dy"]));
    assert_close(&ours.x, &beside(&dx, &dr), second);
}

#[test]
fn residuals_and_gates_are_those_of_pytorch() {
    let cases = cases(include_str!("vectors/torch/combinations.json"));
    let find = |name: &str| cases.iter().find(|case| case["name"] == name).unwrap();
    joined(find("residual_add"), "r", Layer::Add { with: vec![INPUT + 1] });
    joined(find("gated"), "g", Layer::Gate { with: vec![INPUT + 1] });
    for (name, activation) in
        [("residual_dense", Activation::Linear), ("residual_dense_tanh", Activation::Tanh)]
    {
        let case = find(name);
        let width = sizes(&case["x"]["shape"])[1];
        let both = |of: &Value| {
            [transposed(&numbers(&of["weight"]), index(width)), numbers(&of["bias"])].concat()
        };
        let layers = vec![Layer::dense(width, activation), Layer::Add { with: vec![INPUT] }];
        let (parameters, gradients) = (both(&case["parameters"]), both(&case["gradients"]));
        Checked { case, name, layers, parameters, gradients }.check_as_it_is();
    }
}

#[test]
fn embeddings_are_those_of_pytorch() {
    for case in &cases(include_str!("vectors/torch/embedding.json")) {
        let name = case["name"].as_str().unwrap();
        let [rows, steps] = *sizes(&case["indices"]["shape"]) else { panic!("{name}") };
        let [vocabulary, units] = *sizes(&case["parameters"]["weight"]["shape"]) else {
            panic!("{name}")
        };
        let specification = Specification {
            inputs: Shape::Flat(steps),
            layers: vec![Layer::Embedding { vocabulary, units }, Layer::Flatten],
            loss: Loss::Mse,
        };
        let (table, words) = (numbers(&case["parameters"]["weight"]), numbers(&case["indices"]));
        let mut network = Network::from_weights(&specification, &table).unwrap();
        let (y, dy) = (numbers(&case["y"]), numbers(&case["dy"]));
        let mut found = vec![f32::NAN; y.len()];
        network.run(&mut Arena::new(), &words, &mut found).unwrap();
        assert_eq!(found, y, "{name}");
        let half = y.len() as f32 / 2.0;
        let values = y.iter().zip(&dy).map(|(y, dy)| y - half * dy).collect();
        let labels = Labels::Numbers { values, width: index(steps * units) };
        let data = Dataset::from_parts(index(steps), words, labels, Vec::new()).unwrap();
        let optimiser = Optimiser::Sgd { momentum: 0.0 };
        let options = Options { batch: rows, learning_rate: 1.0, optimiser, ..Options::default() };
        let mut trainer = Trainer::new(&network, options).unwrap();
        trainer.epoch(&mut network, &mut Arena::new(), &data).unwrap();
        let ours: Vec<f32> = table.iter().zip(network.weights()).map(|(a, b)| a - b).collect();
        assert_close(&ours, &numbers(&case["gradients"]["weight"]), name);
    }
}
