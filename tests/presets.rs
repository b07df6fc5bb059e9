//! Every named architecture trains, and learns the same weights everywhere, bit for bit: natively
//! as a test of its own, and in Node and in browsers as a part of `tests/wasm`.
//!
//! `tests/vectors/presets.json` holds the architectures, as the command line makes them, and
//! `presets_cid.json` what they come to. A change of the latter changes what `verify` accepts.

#![expect(clippy::unwrap_used, reason = "clippy allows it in tests, not in their helpers")]

use serde_json::Value;
use synaptic_mesh::neural::{
    Arena, Dataset, Labels, Layer, Loss, Network, Options, Specification, Trainer,
};
use synaptic_mesh::rng::Rng;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Steps of training; a batch is a step.
const STEPS: u32 = 20;
const BATCH: u32 = 4;
/// Few enough rows for a network to learn by heart.
const ROWS: u32 = 8;

fn presets() -> Vec<Value> {
    let presets: Value = serde_json::from_str(include_str!("vectors/presets.json")).unwrap();
    presets.as_array().unwrap().clone()
}

fn specification(preset: &Value) -> Specification {
    serde_json::from_value(preset.get("specification").unwrap().clone()).unwrap()
}

/// Rows that are nothing in particular, with labels that fit.
fn data(specification: &Specification) -> Dataset {
    let mut rng = Rng::from_u64(21);
    let features = usize::try_from(specification.inputs()).unwrap();
    let words = specification.layers.iter().find_map(|layer| match layer {
        Layer::Embedding { vocabulary, .. } => Some(*vocabulary),
        _ => None,
    });
    let mut number = || match words {
        Some(words) => f32::from(u16::try_from(rng.below(words)).unwrap()),
        None => 2.0 * rng.uniform_f32() - 1.0,
    };
    let rows = usize::try_from(ROWS).unwrap();
    let values: Vec<f32> = (0..rows * features).map(|_| number()).collect();
    let outputs = specification.outputs();
    if specification.loss == Loss::CrossEntropy {
        let classes = (0..outputs).map(|class| class.to_string()).collect();
        let labels = Labels::Classes((0..ROWS).map(|row| row % outputs).collect());
        return Dataset::from_parts(features, values, labels, classes).unwrap();
    }
    let width = usize::try_from(outputs).unwrap();
    let targets = values.iter().copied().cycle().take(rows * width).collect();
    let labels = Labels::Numbers { values: targets, width };
    Dataset::from_parts(features, values, labels, Vec::new()).unwrap()
}

/// The loss before, and the network after [`STEPS`] steps.
fn trained(specification: &Specification) -> (f64, f64, Network) {
    let (mut network, mut arena) = (Network::new(specification, 1).unwrap(), Arena::new());
    let data = data(specification);
    let before = network.evaluate(&mut arena, &data).unwrap().loss;
    let mut trainer =
        Trainer::new(&network, Options { batch: BATCH, ..Options::default() }).unwrap();
    for _ in 0..STEPS / (ROWS / BATCH) {
        trainer.epoch(&mut network, &mut arena, &data).unwrap();
    }
    (before, network.evaluate(&mut arena, &data).unwrap().loss, network)
}

#[test]
fn every_preset_learns_the_weights_it_always_learned() {
    let expected: Value = serde_json::from_str(include_str!("vectors/presets_cid.json")).unwrap();
    let mut found = serde_json::Map::new();
    for preset in presets() {
        let name = preset.get("name").and_then(Value::as_str).unwrap();
        let (before, after, network) = trained(&specification(&preset));
        assert!(after < 0.95 * before, "{name} learned nothing: {before} to {after}");
        assert_eq!(preset.get("parameters").unwrap(), network.parameter_count(), "{name}");
        found.insert(name.to_owned(), network.weights_cid().into());
    }
    assert_eq!(Value::Object(found), expected);
}
