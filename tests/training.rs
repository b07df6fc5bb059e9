//! Trainings that go wrong, and what is left of trainer and network then.

#![expect(clippy::unwrap_used, reason = "clippy allows it in tests, not in their helpers")]

use synaptic_mesh::neural::{
    Activation, Arena, Dataset, Error, Labels, Layer, Loss, Network, Optimiser, Options, Shape,
    Specification, Trainer,
};

fn linear(units: &[u32]) -> Specification {
    let layers = units.iter().map(|units| Layer::dense(*units, Activation::Linear)).collect();
    Specification { inputs: Shape::Flat(1), layers, loss: Loss::Mse }
}

fn numbers(inputs: &[f32], targets: &[f32]) -> Dataset {
    let labels = Labels::Numbers { values: targets.to_vec(), width: 1 };
    Dataset::from_parts(1, inputs.to_vec(), labels, Vec::new()).unwrap()
}

/// A trainer whose training had diverged kept a momentum that was not finite, so that every later
/// epoch diverged as well.
#[test]
fn a_trainer_goes_on_after_a_training_that_diverged() {
    let network = Network::new(&linear(&[1]), 1).unwrap();
    let options = Options {
        optimiser: Optimiser::Sgd { momentum: 0.9 },
        learning_rate: 0.1,
        batch: 1,
        shuffle: false,
        ..Options::default()
    };
    let (wild, tame) = (numbers(&[1e30; 3], &[0.0; 3]), numbers(&[1.0, 2.0], &[0.5, 1.0]));
    let mut arena = Arena::new();
    let mut used = Trainer::new(&network, options.clone()).unwrap();
    let mut after = network.clone();
    let error = used.epoch(&mut after, &mut arena, &wild).unwrap_err();
    assert!(matches!(error, Error::Diverged { epoch: 1, .. }), "{error}");
    assert_eq!(after.weights(), network.weights());
    let epoch = used.epoch(&mut after, &mut arena, &tame).unwrap();
    assert_eq!(epoch.epoch, 2);

    let mut fresh = network.clone();
    let mut trainer = Trainer::new(&network, options).unwrap();
    trainer.epoch(&mut fresh, &mut arena, &tame).unwrap();
    assert_eq!(after.weights(), fresh.weights());
}

/// The steps went on to the end of the epoch, by which time every layer was infinite and the first
/// one was blamed.
#[test]
fn the_layer_that_is_infinite_first_is_named() {
    let mut network = Network::new(&linear(&[1, 1]), 1).unwrap();
    // The hidden number is 1e30 whatever the input is: the gradient of the second weight is too
    // large for a float, that of the first one is not.
    let weights = [0.0, 1e30, 1.0, 0.0];
    network.set_weights(&weights).unwrap();
    let optimiser = Optimiser::Sgd { momentum: 0.0 };
    let options = Options { optimiser, learning_rate: 1.0, batch: 1, ..Options::default() };
    let mut trainer = Trainer::new(&network, options).unwrap();
    let data = numbers(&[1e-30; 4], &[0.0; 4]);
    let error = trainer.epoch(&mut network, &mut Arena::new(), &data).unwrap_err();
    assert_eq!(error, Error::Diverged { epoch: 1, layer: Some(2) });
    let message = "training diverged in epoch 1: the weights of layer 2 are no longer finite";
    assert_eq!(error.to_string(), message);
    assert_eq!(network.weights(), weights);
}

/// They were ignored, as if they had done something.
#[test]
fn class_weights_are_refused_where_there_are_no_classes() {
    let data = numbers(&[1.0, 2.0], &[0.5, 1.0]);
    assert_eq!(Options::balanced(&data).unwrap_err().code(), "option-invalid");
    let mut network = Network::new(&linear(&[1]), 1).unwrap();
    let options = Options { class_weights: vec![2.0], ..Options::default() };
    let mut trainer = Trainer::new(&network, options).unwrap();
    let error = trainer.epoch(&mut network, &mut Arena::new(), &data).unwrap_err();
    assert_eq!(error.code(), "option-invalid");
    assert!(error.to_string().contains("numbers to predict"), "{error}");
}

/// Counted by hand: the batch is the whole table, so every row is told by the weights of before.
#[test]
fn the_accuracy_of_an_epoch_is_that_of_before_its_steps() {
    let layers = vec![Layer::dense(2, Activation::Softmax)];
    let specification = Specification { inputs: Shape::Flat(1), layers, loss: Loss::CrossEntropy };
    let mut network = Network::new(&specification, 1).unwrap();
    network.set_weights(&[-1.0, 1.0, 0.0, 0.0]).unwrap();
    let classes = vec!["below".to_owned(), "above".to_owned()];
    let labels = Labels::Classes(vec![0, 0, 1, 1, 0]);
    let inputs = vec![-2.0, -1.0, 1.0, 2.0, 3.0];
    let data = Dataset::from_parts(1, inputs, labels, classes).unwrap();
    let mut trainer = Trainer::new(&network, Options::default()).unwrap();
    let mut arena = Arena::new();
    let before = network.evaluate(&mut arena, &data).unwrap();
    let epoch = trainer.epoch(&mut network, &mut arena, &data).unwrap();
    assert_eq!(epoch.accuracy, Some(0.8));
    assert_eq!(epoch.accuracy, before.accuracy);
    let data = numbers(&[1.0], &[1.0]);
    let mut network = Network::new(&linear(&[1]), 1).unwrap();
    let mut trainer = Trainer::new(&network, Options::default()).unwrap();
    assert_eq!(trainer.epoch(&mut network, &mut arena, &data).unwrap().accuracy, None);
}
