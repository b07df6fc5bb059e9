//! Model files: what was written comes back; everything else is refused with its reason.

use proptest::prelude::*;

use super::*;
use crate::neural::Specification;
use crate::neural::dataset::{self, Kind};
use crate::neural::specification::{Activation, Layer, Loss, Shape};
use crate::neural::training::{Options, Trainer};

fn model() -> Model {
    let csv = b"a,b,class\n1,10,no\n2,10,yes\n3,10,no\n";
    let data = Dataset::parse(csv, &dataset::Options::default()).unwrap();
    let data = data.scaled(&data.fit_scaling(Kind::Standard).unwrap()).unwrap();
    let specification = Specification {
        inputs: Shape::Flat(2),
        layers: vec![Layer::dense(3, Activation::Tanh), Layer::dense(2, Activation::Softmax)],
        loss: Loss::CrossEntropy,
    };
    let mut model = Model::new(Network::new(&specification, 1).unwrap());
    model.prepare(&data).unwrap();
    model
}

/// The file with one piece of text replaced.
fn changed(from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8(model().to_file()).unwrap();
    assert!(text.contains(from), "{from} is not in {text}");
    text.replacen(from, to, 1).into_bytes()
}

#[test]
fn a_model_comes_back_from_its_file() {
    let model = model();
    let back = Model::from_file(&model.to_file()).unwrap();
    assert_eq!(back.network.weights(), model.network.weights());
    assert_eq!(back.scaling(), model.scaling());
    assert_eq!(back.classes(), ["no", "yes"]);
    assert_eq!(back.task(), Some(Task::Classification));
    assert_eq!(back.to_file(), model.to_file());
    let mut arena = Arena::new();
    let rows = [1.5, 10.0, 2.5, 10.0];
    assert_eq!(back.run(&mut arena, &rows), model.run(&mut arena, &rows));
}

#[test]
fn the_file_is_json_and_its_fields_may_come_in_any_order() {
    let model = model();
    let value: serde_json::Value = serde_json::from_slice(&model.to_file()).unwrap();
    let specification: Specification =
        serde_json::from_value(value["specification"].clone()).unwrap();
    assert_eq!(&specification, model.network.specification());
    // Objects of serde_json are sorted by name.
    let sorted = serde_json::to_string_pretty(&value).unwrap();
    assert_eq!(Model::from_file(sorted.as_bytes()).unwrap().to_file(), model.to_file());
}

proptest! {
    #[test]
    fn a_changed_file_is_read_or_refused(at: prop::sample::Index, byte: u8) {
        let mut file = model().to_file();
        let at = at.index(file.len());
        file[at] = byte;
        if let Ok(model) = Model::from_file(&file) {
            prop_assert!(Model::from_file(&model.to_file()).is_ok());
        }
    }
}

#[test]
fn every_truncation_is_refused() {
    let file = model().to_file();
    for end in 0..file.len() {
        let error = Model::from_file(&file[..end]).unwrap_err();
        let code = if end == 0 { "model-foreign" } else { "model-truncated" };
        assert_eq!(error.code(), code, "{end}: {error}");
    }
}

#[test]
fn foreign_newer_and_damaged_files_are_told_apart() {
    for (bytes, code) in [
        (b"PK\x03\x04".to_vec(), "model-foreign"),
        (b"{}".to_vec(), "model-foreign"),
        (b"[1,2]".to_vec(), "model-foreign"),
        (b"{\"format\":\"onnx\",\"version\":1}".to_vec(), "model-foreign"),
        (changed("\"version\":1", "\"version\":2"), "model-version"),
        (changed("\"task\"", "\"more\":1,\"task\""), "model-foreign"),
        (changed("\"inputs\":2", "\"inputs\":0"), "specification-invalid"),
        (changed("\"inputs\":2", "\"inputs\":3"), "model-damaged"),
        (changed("\"yes\"", "\"yes\",\"maybe\""), "model-damaged"),
        (changed("\"offset\":[", "\"offset\":[1,"), "model-damaged"),
        (changed("\"scale\":[", "\"scale\":[0,"), "model-damaged"),
        (changed("\"weights\":\"", "\"weights\":\"!"), "model-damaged"),
        (changed("\"weightsCid\":\"b", "\"weightsCid\":\"ba"), "model-damaged"),
        (vec![b' '; limits::MODEL_FILE_BYTES_MAX + 1], "model-too-large"),
    ] {
        let error = Model::from_file(&bytes).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(!error.hint().is_empty());
    }
}

/// Without its scaling a model gave other answers, and nobody noticed.
#[test]
fn a_field_that_was_taken_out_is_noticed() {
    for field in ["task", "scaling", "targetScaling", "classes", "weightsCid"] {
        let mut value: serde_json::Value = serde_json::from_slice(&model().to_file()).unwrap();
        assert!(value.as_object_mut().unwrap().remove(field).is_some());
        let error = Model::from_file(value.to_string().as_bytes()).unwrap_err();
        assert_eq!(error.code(), "model-foreign", "{field}: {error}");
        assert!(error.to_string().contains(field), "{field}: {error}");
    }
}

#[test]
fn a_changed_weight_is_noticed() {
    let mut other = model();
    let mut weights = other.network.weights();
    weights[0] += 1.0;
    other.network.set_weights(&weights).unwrap();
    let original = model();
    let text = String::from_utf8(original.to_file()).unwrap();
    let cid = |model: &Model| model.network.weights_cid();
    let swapped = text.replace(&cid(&original), &cid(&other));
    let error = Model::from_file(swapped.as_bytes()).unwrap_err();
    assert_eq!(error, Error::Weights { found: cid(&original) });
}

#[test]
fn data_that_differs_from_the_first_is_refused() {
    let mut model = model();
    let raw = Dataset::parse(b"1,10,no\n2,11,yes\n", &dataset::Options::default()).unwrap();
    let scaled = raw.scaled(model.scaling().unwrap()).unwrap();
    assert_eq!(model.prepare(&raw).unwrap().as_ref(), &scaled);
    let otherwise = raw.scaled(&Scaling::identity(2)).unwrap();
    assert_eq!(model.prepare(&otherwise), Err(NetworkError::ScalingDiffers));
    let other = Dataset::parse(b"1,10,on\n2,11,off\n", &dataset::Options::default()).unwrap();
    assert_eq!(model.prepare(&other), Err(NetworkError::ClassesDiffer));
    let mut arena = Arena::new();
    assert_eq!(model.evaluate(&mut arena, &other), Err(NetworkError::ClassesDiffer));
    assert_eq!(model.evaluate(&mut arena, &raw), model.evaluate(&mut arena, &scaled));
}

#[test]
fn a_regression_answers_in_the_units_of_its_targets() {
    let rows: String = (0..40)
        .map(|x| {
            ["", &x.to_string(), ",", &(1000.5 + 50.0 * f64::from(x)).to_string(), "\n"].concat()
        })
        .collect();
    let data = Dataset::parse(rows.as_bytes(), &dataset::Options::default()).unwrap();
    let data = data.scaled(&data.fit_scaling(Kind::Standard).unwrap()).unwrap();
    let specification = Specification {
        inputs: Shape::Flat(1),
        layers: vec![Layer::dense(1, Activation::Linear)],
        loss: Loss::Mse,
    };
    let mut model = Model::new(Network::new(&specification, 1).unwrap());
    let mut arena = Arena::new();
    let prepared = model.prepare(&data).unwrap();
    let options = Options { learning_rate: 0.05, ..Options::default() };
    let mut trainer = Trainer::new(&model.network, options).unwrap();
    for _ in 0..200 {
        trainer.epoch(&mut model.network, &mut arena, &prepared).unwrap();
    }
    let back = Model::from_file(&model.to_file()).unwrap();
    let outputs = back.run(&mut arena, &[0.0, 20.0]).unwrap();
    assert!((outputs[0] - 1000.5).abs() < 5.0 && (outputs[1] - 2000.5).abs() < 5.0, "{outputs:?}");
    assert!(back.evaluate(&mut arena, &data).unwrap().loss < 1e-3);
}
