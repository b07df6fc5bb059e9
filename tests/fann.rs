//! FANN networks from outside: every algorithm learns, cascades grow, derivatives are slopes, files
//! come back, and what cannot be is refused. `tests/fann_interop.rs` compares with libfann.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "clippy allows unwrap in tests, not in helpers; figures show with --nocapture"
)]

#[path = "interop/bits.rs"]
mod bits;
#[path = "interop/tasks.rs"]
mod tasks;

use synaptic_mesh::neural::fann::{
    Activation, Algorithm, Cascade, Data, Error, ErrorFunction, Growth, Kind, Network, Scaling,
    StopFunction, Trainer, file,
};
use synaptic_mesh::rng::Rng;

use tasks::{layered, parity, seedling, two_spirals, wrong_rows, xor};

// ---- training ---------------------------------------------------------------------------------

/// Documented settings for XOR over -1 and 1: 2-6-1 tanh units, weights from -1 to 1.
fn xor_network(algorithm: Algorithm, seed: u64) -> Network {
    let mut network = layered(&[2, 6, 1], seed);
    let options = network.options_mut();
    options.algorithm = algorithm;
    match algorithm {
        Algorithm::Incremental => {
            options.error_function = ErrorFunction::Linear;
            options.momentum = 0.5;
        }
        Algorithm::Batch => options.learning_rate = 2.0,
        _ => {}
    }
    network
}

#[test]
fn every_algorithm_solves_xor_from_every_seed() {
    let (data, epochs, desired) = (xor(), 3_000, 0.001);
    for algorithm in [
        Algorithm::Incremental,
        Algorithm::Batch,
        Algorithm::Rprop,
        Algorithm::Quickprop,
        Algorithm::Sarprop,
    ] {
        let mut medians = Vec::new();
        for seed in 0..30 {
            let mut network = xor_network(algorithm, seed);
            let before = network.test(&data).unwrap().mse();
            let mut trainer = Trainer::new(&network, seed).unwrap();
            let outcome = trainer.train(&mut network, &data, epochs, desired).unwrap();
            let after = network.test(&data).unwrap().mse();
            let says = format!("{algorithm:?}, seed {seed}: {before} -> {after}, {outcome:?}");
            assert!(outcome.reached && after < 0.01 && after < before, "{says}");
            assert_eq!(wrong_rows(&mut network, &data), 0, "{says}");
            medians.push(outcome.epochs);
        }
        medians.sort_unstable();
        println!("{algorithm:?}: 30/30, median {} epochs", medians[15]);
    }
}

// libfann moves weights whose slope is 0 by ever larger steps: a network that had learnt its rows
// to the last bit was destroyed by the next epochs.
#[test]
fn a_weight_of_an_input_that_is_always_0_rests_if_it_is_told_to() {
    let data = Data::new(2, 1, vec![1.0, 0.0, -1.0, 0.0], vec![0.5, -0.5]).unwrap();
    let far = |rests: bool| {
        let mut network = layered(&[2, 3, 1], 1);
        network.options_mut().rprop.rests = rests;
        let start = network.weights().to_vec();
        Trainer::new(&network, 0).unwrap().train(&mut network, &data, 100, -1.0).unwrap();
        let places = [1, 4, 7];
        assert!(
            network
                .connections()
                .enumerate()
                .filter(|(_, c)| c.0 == 1)
                .all(|(at, _)| { places.contains(&at) })
        );
        places.map(|at| network.weights()[at] - start[at])
    };
    assert!(far(true).iter().all(|moved| moved.abs() <= 0.0));
    assert!(far(false).iter().all(|moved| *moved > 100.0), "as libfann does");
}

#[test]
fn the_same_seed_gives_the_same_bits() {
    for algorithm in [Algorithm::Rprop, Algorithm::Sarprop] {
        let train = || {
            let mut network = xor_network(algorithm, 4);
            let mut trainer = Trainer::new(&network, 4).unwrap();
            trainer.train(&mut network, &xor(), 50, 0.0).unwrap();
            network.weights().to_vec()
        };
        assert_eq!(train(), train());
    }
}

#[test]
fn networks_become_the_same_bits_everywhere() {
    assert_eq!(bits::learnt(), bits::EXPECTED);
}

#[test]
fn a_stop_by_failed_bits_counts_them() {
    let mut network = xor_network(Algorithm::Rprop, 1);
    network.options_mut().stop_function = StopFunction::Bit;
    let outcome = Trainer::new(&network, 0).unwrap().train(&mut network, &xor(), 500, 0.0).unwrap();
    assert!(outcome.reached);
    assert_eq!(outcome.measure.bit_fails, 0);
    assert_eq!(network.test(&xor()).unwrap().bit_fails, 0);
}

#[test]
fn a_training_that_diverges_keeps_the_last_finite_weights() {
    let mut network = layered(&[2, 3, 1], 1);
    network.set_hidden(Activation::Linear, 0.5).unwrap();
    network.set_output(Activation::Linear, 0.5).unwrap();
    let options = network.options_mut();
    options.algorithm = Algorithm::Batch;
    options.error_function = ErrorFunction::Linear;
    options.learning_rate = 1e30;
    let mut trainer = Trainer::new(&network, 0).unwrap();
    let error = trainer.train(&mut network, &xor(), 1_000, 0.0).unwrap_err();
    assert!(matches!(error, Error::Diverged { epoch: 1.., layer: 1..=2 }), "{error}");
    assert_eq!(error.code(), "training-diverged");
    assert!(network.weights().iter().all(|weight| weight.is_finite()));
}

// ---- cascades ---------------------------------------------------------------------------------

fn grow(data: &Data, neurons: u32, seed: u64) -> (Network, Growth) {
    let mut network = seedling(data, Activation::SigmoidSymmetric, seed);
    let options = network.options_mut();
    options.error_function = ErrorFunction::Linear;
    options.stop_function = StopFunction::Bit;
    let mut cascade = Cascade::new(&network, seed).unwrap();
    let mut rng = Rng::from_u64(seed);
    let growth = cascade.train(&mut network, data, neurons, 0.0, &mut rng).unwrap();
    (network, growth)
}

#[test]
fn cascades_grow_until_they_tell_xor_parity_and_spirals() {
    for (name, data, neurons) in
        [("xor", xor(), 5), ("parity-8", parity(8), 10), ("two-spirals", two_spirals(), 30)]
    {
        for seed in 0..5 {
            let (mut network, growth) = grow(&data, neurons, seed);
            let wrong = wrong_rows(&mut network, &data);
            println!("{name}, seed {seed}: {} neurons, {} epochs", growth.added, growth.epochs);
            assert!(growth.reached && wrong == 0, "{name}, seed {seed}: {wrong} wrong, {growth:?}");
            assert!(growth.added > 0);
            assert_eq!(network.hidden(), usize::try_from(growth.added).unwrap());
            assert_eq!(network.layer_sizes().len(), network.hidden() + 2);
        }
    }
}

#[test]
fn quickprop_and_sarprop_grow_cascades_too() {
    for algorithm in [Algorithm::Quickprop, Algorithm::Sarprop] {
        let mut network = seedling(&xor(), Activation::SigmoidSymmetric, 3);
        network.options_mut().algorithm = algorithm;
        network.options_mut().error_function = ErrorFunction::Linear;
        network.options_mut().stop_function = StopFunction::Bit;
        let mut cascade = Cascade::new(&network, 3).unwrap();
        let mut rng = Rng::from_u64(3);
        let growth = cascade.train(&mut network, &xor(), 5, 0.0, &mut rng).unwrap();
        assert!(growth.reached && growth.added > 0, "{algorithm:?}: {growth:?}");
        assert_eq!(wrong_rows(&mut network, &xor()), 0);
    }
}

#[test]
fn one_step_of_growing_adds_one_neuron_and_keeps_the_others() {
    let data = two_spirals();
    let mut network = seedling(&data, Activation::SigmoidSymmetric, 1);
    let mut cascade = Cascade::new(&network, 1).unwrap();
    let mut rng = Rng::from_u64(1);
    let mut frozen: Vec<f32> = Vec::new();
    for added in 1..=3_usize {
        let growth = cascade.grow(&mut network, &data, 0.0, &mut rng).unwrap();
        assert!(!growth.reached && growth.neuron.is_some());
        assert_eq!((network.hidden(), network.outputs()), (added, 1));
        // The new neuron takes both inputs, the bias and all hidden ones; the output takes it.
        assert_eq!(network.connection_count(), (3..3 + added).sum::<usize>() + 3 + added);
        assert_eq!(&network.weights()[..frozen.len()], frozen, "hidden weights never change");
        frozen = network.weights()[..(3..3 + added).sum()].to_vec();
        assert_eq!(network.activation(added, 0), growth.neuron);
    }
}

#[test]
fn cascades_refuse_what_they_cannot_grow() {
    let refused = |network: &Network| Cascade::new(network, 0).unwrap_err().code();
    assert_eq!(refused(&layered(&[2, 3, 1], 1)), "cascade-shape");
    let mut network = seedling(&xor(), Activation::Linear, 1);
    network.options_mut().algorithm = Algorithm::Batch;
    assert_eq!(refused(&network), "option-invalid");
    network.options_mut().algorithm = Algorithm::Rprop;
    network.options_mut().cascade.candidate_groups = u32::MAX;
    assert_eq!(refused(&network), "network-too-large");
    network.options_mut().cascade.candidate_groups = 0;
    assert_eq!(refused(&network), "option-invalid");
    network.options_mut().cascade.candidate_groups = 1;
    network.options_mut().cascade.activations = vec![Activation::Threshold];
    assert_eq!(refused(&network), "activation-untrainable");
    network.options_mut().cascade.steepnesses = vec![f32::NAN];
    assert_eq!(refused(&network), "option-invalid");
}

// ---- activations ------------------------------------------------------------------------------

/// Sums at which the function is smooth and not in a range where its derivative is held.
fn smooth(activation: Activation, x: f32) -> bool {
    match activation {
        Activation::Sigmoid => (0.011..0.989).contains(&activation.value(x)),
        Activation::SigmoidSymmetric => activation.value(x).abs() < 0.979,
        Activation::LinearPiece => (0.01..0.99).contains(&x),
        Activation::LinearPieceSymmetric => x.abs() < 0.99,
        Activation::LinearPieceRect | Activation::LinearPieceRectLeaky => x.abs() > 0.01,
        // Straight pieces have the derivative of the curve they stand for.
        Activation::SigmoidStepwise | Activation::SigmoidSymmetricStepwise => false,
        _ => activation.is_trainable(),
    }
}

#[test]
fn every_derivative_is_the_slope() {
    for activation in Activation::ALL {
        let mut checked = 0;
        for steepness in [0.25_f32, 0.5, 0.75, 1.0, 1.7] {
            for step in -30..=30_i8 {
                let sum = f32::from(step) * 0.1 + 0.013;
                if !smooth(activation, sum * steepness) {
                    continue;
                }
                let at = |sum: f32| f64::from(activation.value(steepness * sum));
                let (low, high) = (sum - 2e-3, sum + 2e-3);
                let numeric = (at(high) - at(low)) / (f64::from(high) - f64::from(low));
                let value = activation.value(steepness * sum);
                let ours = f64::from(activation.derivative(steepness, value, sum));
                let says = format!("{activation:?}, {steepness}, {sum}: {ours} {numeric}");
                assert!((ours - numeric).abs() <= 1e-3 * numeric.abs().max(0.1), "{says}");
                checked += 1;
            }
        }
        let stepwise = format!("{activation:?}").ends_with("Stepwise");
        assert_eq!(checked > 20, activation.is_trainable() && !stepwise, "{activation:?}");
    }
    for x in [-1.2_f32, 0.1, 0.9] {
        for (steps, curve) in [
            (Activation::SigmoidStepwise, Activation::Sigmoid),
            (Activation::SigmoidSymmetricStepwise, Activation::SigmoidSymmetric),
        ] {
            assert!((steps.value(x) - curve.value(x)).abs() < 0.1);
            let value = curve.value(x);
            let (a, b) = (steps.derivative(1.0, value, x), curve.derivative(1.0, value, x));
            assert_eq!(a.to_bits(), b.to_bits());
        }
    }
}

#[test]
fn numbers_of_activations_are_those_of_files() {
    for (place, activation) in Activation::ALL.into_iter().enumerate() {
        assert_eq!(usize::try_from(activation.number()).unwrap(), place);
        assert_eq!(Activation::from_number(activation.number()), Some(activation));
    }
    assert_eq!(Activation::from_number(20), None);
    assert_eq!(Activation::from_number(u32::MAX), None);
}

/// Minus half the gradient of the squared error is what a step of batch training with rate 1 adds.
#[test]
fn what_is_passed_back_is_the_gradient() {
    let kinds: Vec<Activation> = Activation::ALL
        .into_iter()
        .filter(|kind| smooth(*kind, 0.5) && !format!("{kind:?}").starts_with("LinearPiece"))
        .collect();
    let sizes = [2, kinds.len(), 2, 1];
    let networks = [
        Network::standard(&sizes, &mut Rng::from_u64(1)).unwrap(),
        Network::sparse(0.6, &sizes, &mut Rng::from_u64(2)).unwrap(),
        Network::shortcut(&sizes, &mut Rng::from_u64(3)).unwrap(),
    ];
    let data = Data::new(2, 1, vec![0.3, -0.5], vec![0.4]).unwrap();
    for mut network in networks {
        network.randomize(-0.4, 0.4, &mut Rng::from_u64(4));
        for (neuron, kind) in kinds.iter().enumerate() {
            network.set_activation(1, neuron, *kind, 0.8).unwrap();
        }
        network.set_activation(2, 0, Activation::Gaussian, 0.6).unwrap();
        network.set_activation(2, 1, Activation::Sin, 0.6).unwrap();
        network.set_output(Activation::Linear, 1.0).unwrap();
        network.options_mut().algorithm = Algorithm::Batch;
        network.options_mut().error_function = ErrorFunction::Linear;
        network.options_mut().learning_rate = 1.0;
        let start = network.weights().to_vec();
        let mut trained = network.clone();
        Trainer::new(&trained, 0).unwrap().epoch(&mut trained, &data).unwrap();
        for (place, after) in trained.weights().iter().enumerate() {
            let mut error = |change: f32| {
                let mut weights = start.clone();
                weights[place] += change;
                network.set_weights(&weights).unwrap();
                let error = f64::from(network.run(&[0.3, -0.5]).unwrap()[0]) - 0.4;
                error * error
            };
            let numeric = (error(-4e-3) - error(4e-3)) / 8e-3 / 2.0;
            let ours = f64::from(*after) - f64::from(start[place]);
            let says = format!("{:?}, weight {place}: {ours} {numeric}", network.kind());
            assert!((ours - numeric).abs() < 1e-4, "{says}");
        }
    }
}

/// Minus the gradient of the cross-entropy, for both sides of the target and several steepnesses.
#[test]
fn what_is_passed_back_for_the_cross_entropy_is_its_gradient() {
    for (steepness, target) in [(0.5, 1.0), (0.5, 0.0), (1.3, 0.3)] {
        let data = Data::new(2, 1, vec![0.3, -0.5], vec![target]).unwrap();
        let mut network = Network::standard(&[2, 3, 1], &mut Rng::from_u64(1)).unwrap();
        network.randomize(-1.0, 1.0, &mut Rng::from_u64(4));
        network.set_layer(1, Activation::SigmoidSymmetric, 0.8).unwrap();
        network.set_layer(2, Activation::Sigmoid, steepness).unwrap();
        network.options_mut().algorithm = Algorithm::Batch;
        network.options_mut().error_function = ErrorFunction::CrossEntropy;
        network.options_mut().learning_rate = 1.0;
        let start = network.weights().to_vec();
        let mut trained = network.clone();
        Trainer::new(&trained, 0).unwrap().epoch(&mut trained, &data).unwrap();
        for (place, after) in trained.weights().iter().enumerate() {
            let mut loss = |change: f32| {
                let mut weights = start.clone();
                weights[place] += change;
                network.set_weights(&weights).unwrap();
                let output = f64::from(network.run(&[0.3, -0.5]).unwrap()[0]);
                let target = f64::from(target);
                -target * output.ln() - (1.0 - target) * (1.0 - output).ln()
            };
            let numeric = (loss(-4e-3) - loss(4e-3)) / 8e-3;
            let ours = f64::from(*after) - f64::from(start[place]);
            assert!((ours - numeric).abs() < 1e-3, "weight {place}: {ours} {numeric}");
        }
        assert!(String::from_utf8(trained.to_file()).unwrap().contains("train_error_function=0"));
    }
    let mut network = Network::standard(&[2, 1], &mut Rng::from_u64(1)).unwrap();
    network.set_layer(1, Activation::SigmoidSymmetric, 0.5).unwrap();
    network.options_mut().error_function = ErrorFunction::CrossEntropy;
    assert_eq!(Trainer::new(&network, 0).unwrap_err().code(), "option-invalid");
}

// ---- networks and files -----------------------------------------------------------------------

#[test]
fn a_scaling_comes_back_from_its_numbers_and_fits_its_own_network_only() {
    let data = Data::new(2, 1, vec![1.0, 2.0, 4.0, 3.0], vec![5.0, 9.0]).unwrap();
    let scaling = Scaling::of(&data, -1.0, 1.0);
    let numbers = scaling.numbers();
    assert_eq!(numbers, [[2.5, 1.5, -1.0, 1.0], [2.5, 0.5, -1.0, 1.0], [7.0, 2.0, -1.0, 1.0]]);
    assert_eq!(Scaling::of_numbers(&numbers, 2), scaling);
    let mut network = Network::standard(&[2, 1], &mut Rng::from_u64(1)).unwrap();
    network.take_scaling(scaling.clone()).unwrap();
    assert_eq!(Network::from_file(&network.to_file()).unwrap().scaling(), Some(&scaling));
    let mut other = Network::standard(&[1, 2], &mut Rng::from_u64(1)).unwrap();
    assert_eq!(other.take_scaling(scaling).unwrap_err().code(), "inputs-do-not-fit");
    let short = Scaling::of_numbers(&numbers[..2], 2);
    assert_eq!(network.take_scaling(short).unwrap_err().code(), "outputs-do-not-fit");
}

#[test]
fn a_layer_is_changed_as_a_whole_and_the_inputs_not_at_all() {
    let mut network = Network::standard(&[2, 3, 1], &mut Rng::from_u64(1)).unwrap();
    network.set_layer(1, Activation::Gaussian, 0.25).unwrap();
    for neuron in 0..3 {
        assert_eq!(network.activation(1, neuron), Some((Activation::Gaussian, 0.25)));
    }
    assert_eq!(network.activation(2, 0), Some((Activation::SigmoidStepwise, 0.5)));
    for layer in [0, 3, usize::MAX] {
        let error = network.set_layer(layer, Activation::Sin, 0.5).unwrap_err();
        assert_eq!(error.code(), "neuron-unknown");
        assert_ne!(error.hint(), "");
    }
}

#[test]
fn a_sparse_network_has_its_share_of_connections_and_no_neuron_left_out() {
    for rate in [0.01, 0.3, 0.5, 0.99] {
        let network = Network::sparse(rate, &[12, 7, 3], &mut Rng::from_u64(1)).unwrap();
        let all: Vec<(usize, usize, f32)> = network.connections().collect();
        let wanted = |inputs: f32, neurons: f32| {
            (0.5 + rate * inputs * neurons).floor().max(inputs.max(neurons)) + neurons
        };
        let wanted = wanted(12.0, 7.0) + wanted(7.0, 3.0);
        assert!((f32::from(u16::try_from(all.len()).unwrap()) - wanted).abs() < 0.5, "{rate}");
        let mut pairs: Vec<(usize, usize)> = all.iter().map(|(from, to, _)| (*from, *to)).collect();
        pairs.sort_unstable();
        let mut distinct = pairs.clone();
        distinct.dedup();
        assert_eq!(pairs.len(), distinct.len(), "no connection twice");
        for from in (0..21).filter(|neuron| *neuron != 20) {
            assert!(pairs.iter().any(|pair| pair.0 == from), "neuron {from} is taken, rate {rate}");
        }
    }
}

#[test]
fn impossible_networks_are_refused() {
    let mut rng = Rng::from_u64(1);
    let code = |result: Result<Network, Error>| result.unwrap_err().code();
    assert_eq!(code(Network::standard(&[2], &mut rng)), "specification-invalid");
    assert_eq!(code(Network::standard(&[2, 0, 1], &mut rng)), "specification-invalid");
    assert_eq!(code(Network::standard(&[2, usize::MAX, 9], &mut rng)), "network-too-large");
    assert_eq!(code(Network::shortcut(&[9_000, 9_000, 9], &mut rng)), "network-too-large");
    assert_eq!(code(Network::sparse(f32::NAN, &[2, 2], &mut rng)), "specification-invalid");
    let mut network = Network::standard(&[2, 2, 1], &mut rng).unwrap();
    assert_eq!(network.run(&[1.0]).unwrap_err().code(), "inputs-do-not-fit");
    assert_eq!(network.run(&[1.0, f32::NAN]).unwrap_err().code(), "rows-invalid");
    assert_eq!(network.set_weights(&[0.0; 3]).unwrap_err().code(), "weights-invalid");
    assert_eq!(network.set_weights(&[f32::NAN; 9]).unwrap_err().code(), "weights-invalid");
    let wrong = network.set_activation(1, 2, Activation::Linear, 0.5).unwrap_err();
    assert_eq!(wrong, Error::NoSuchNeuron { layer: 1, neuron: 2 }, "a bias has no activation");
    assert_eq!(network.set_hidden(Activation::Linear, -1.0).unwrap_err(), Error::Steepness);
    network.set_hidden(Activation::Threshold, 0.5).unwrap();
    assert_eq!(Trainer::new(&network, 0).unwrap_err().code(), "activation-untrainable");
    for (values, targets) in
        [(vec![], vec![]), (vec![1.0; 3], vec![1.0]), (vec![1.0; 4], vec![1.0])]
    {
        assert!(matches!(Data::new(2, 1, values, targets), Err(Error::Rows { .. })));
    }
    let odd = Data::new(2, 1, vec![0.0, 1.0, f32::INFINITY, 0.0], vec![0.0; 2]);
    assert_eq!(odd.unwrap_err(), Error::DataNotFinite(1));
}

#[test]
fn files_come_back_as_they_were() {
    let mut grown = grow(&xor(), 3, 1).0;
    grown.set_scaling(&xor(), -0.5, 0.5).unwrap();
    let networks = [
        layered(&[3, 4, 2], 1),
        Network::sparse(0.5, &[5, 4, 3], &mut Rng::from_u64(1)).unwrap(),
        Network::sparse(0.999_999_9, &[5, 4, 3], &mut Rng::from_u64(1)).unwrap(),
        Network::shortcut(&[2, 3, 1], &mut Rng::from_u64(1)).unwrap(),
        grown,
    ];
    for network in networks {
        let file = network.to_file();
        let mut again = Network::from_file(&file).unwrap();
        assert_eq!(again.to_file(), file);
        assert_eq!(again.weights(), network.weights());
        assert_eq!(again.layer_sizes(), network.layer_sizes());
        assert_eq!(again.scaling(), network.scaling());
        let inputs = vec![0.3; network.inputs()];
        let mut network = network;
        assert_eq!(again.run(&inputs).unwrap(), network.run(&inputs).unwrap());
    }
}

#[test]
fn version_2_0_is_read_and_others_are_named() {
    let file = String::from_utf8(layered(&[2, 2, 1], 1).to_file()).unwrap();
    let old = file.replace("FANN_FLO_2.1", "FANN_FLO_2.0").replace("scale_included=0\n", "");
    assert_eq!(Network::from_file(old.as_bytes()).unwrap().kind(), Kind::Layered);
    for (text, error) in [
        ("FANN_FIX_2.1\n", file::Error::Version),
        ("FANN_FLO_1.1\n3 0.7", file::Error::Version),
        ("", file::Error::NotFann),
        ("{\"format\": 1}", file::Error::NotFann),
    ] {
        assert_eq!(Network::from_file(text.as_bytes()).unwrap_err(), error, "{text}");
    }
}

#[test]
fn every_cut_of_a_file_is_an_error_and_no_number_can_overflow_it() {
    let file = String::from_utf8(layered(&[2, 2, 1], 1).to_file()).unwrap();
    for end in 0..file.trim_end().len() {
        assert!(Network::from_file(&file.as_bytes()[..end]).is_err(), "cut at {end}");
    }
    let damaged = [
        ("layer_sizes=3 3 2", "layer_sizes=4294967295 4294967295 4294967295", "file-invalid"),
        ("layer_sizes=3 3 2", "layer_sizes=99999999999999999999 3 2", "file-invalid"),
        ("layer_sizes=3 3 2", "layer_sizes=3 0 2", "file-invalid"),
        ("layer_sizes=3 3 2", "layer_sizes=-3 3 2", "file-damaged"),
        ("num_layers=3", "num_layers=4000000000", "file-invalid"),
        ("num_layers=3", "num_layers=1", "file-invalid"),
        ("(3, 5,", "(4294967295, 5,", "file-invalid"),
        ("(3, 5,", "(3, 20,", "file-invalid"),
        ("(3, 5, 5.", "(3, 5, -5.", "file-invalid"),
        ("weight)=(0,", "weight)=(4000000000,", "file-invalid"),
        ("weight)=(0,", "weight)=(1,", "file-invalid"),
        ("learning_rate=0.7", "learning_rate=nan0.7", "file-damaged"),
        ("learning_rate=0.700000", "learning_rate=nan", "file-invalid"),
        ("learning_rate=0.700000", "learning_rate=1e99", "file-invalid"),
        ("network_type=0", "network_type=2", "file-invalid"),
        ("functions_count=10", "functions_count=4294967295", "file-invalid"),
    ];
    for (sound, hostile, code) in damaged {
        assert!(file.contains(sound), "{sound}");
        let error = Network::from_file(file.replacen(sound, hostile, 1).as_bytes()).unwrap_err();
        assert_eq!(error.code(), code, "{hostile}: {error}");
    }
    let longer = format!("{file}x");
    assert_eq!(Network::from_file(longer.as_bytes()).unwrap_err().code(), "file-damaged");
}

#[test]
fn a_file_cannot_make_a_cascade_train_for_ever() {
    let mut network = Network::shortcut(&[2, 1], &mut Rng::from_u64(1)).unwrap();
    network.options_mut().cascade.out_epochs_min = u32::MAX;
    assert!(network.options().validate().is_err());
    assert!(Cascade::new(&network, 1).is_err());
}
