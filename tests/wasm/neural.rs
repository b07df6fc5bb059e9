//! Networks as JavaScript sees them: the same bits as natively, files that come back, and errors
//! that have a code.

use js_sys::{Array, BigInt, JSON, Object, Reflect};
use serde_json::Value;
use synaptic_mesh::crypto::hash;
use synaptic_mesh::neural::{self, Arena};
use synaptic_mesh::rng::Rng;
use synaptic_mesh::simd::{self, F32x4, Lanes, scalar};
use synaptic_mesh::tensor::{matmul, padded};
use synaptic_mesh::wasm::neural::{Dataset, Network, train_update};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_test::wasm_bindgen_test;

const DIGITS: &[u8] = include_bytes!("../../data/digits.csv");

/// A value of JavaScript from JSON; numbers that end with `n` in a string become a `bigint`.
fn js(json: &str) -> JsValue {
    let value = JSON::parse(json).unwrap();
    if let Some(object) = value.dyn_ref::<Object>() {
        for key in Object::keys(object).iter() {
            let text = Reflect::get(object, &key).unwrap().as_string().unwrap_or_default();
            if let Some(number) = text.strip_suffix('n').and_then(|text| text.parse::<u64>().ok()) {
                Reflect::set(object, &key, &BigInt::from(number)).unwrap();
            }
        }
    }
    value
}

fn get(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &name.into()).unwrap()
}

fn number(object: &JsValue, name: &str) -> f64 {
    get(object, name).as_f64().unwrap()
}

fn code<T>(result: Result<T, JsValue>) -> String {
    let thrown = result.err().expect("an error");
    assert!(thrown.is_instance_of::<js_sys::Error>());
    assert!(!get(&thrown, "message").as_string().unwrap().is_empty());
    assert!(!get(&thrown, "hint").as_string().unwrap().is_empty());
    get(&thrown, "code").as_string().unwrap()
}

fn expected(case: &str, id: &str) -> String {
    let text = include_str!("../vectors/weights_cid.json");
    serde_json::from_str::<Value>(text).unwrap()[case][id].as_str().unwrap().to_string()
}

fn specification(layers: &[(u32, &str)], loss: &str) -> JsValue {
    let layer = |(units, activation): &(u32, &str)| {
        format!(r#"{{"units":{units},"activation":"{activation}"}}"#)
    };
    let layers: Vec<String> = layers.iter().map(layer).collect();
    js(&format!(r#"{{"inputs":64,"layers":[{}],"loss":"{loss}"}}"#, layers.join(",")))
}

fn two_classes() -> Dataset {
    Dataset::parse(b"x,y,kind\n1,10,no\n2,20,yes\n3,10,no\n4,25,yes\n", None).unwrap()
}

fn small_network() -> Network {
    let specification = r#"{"inputs":2,"layers":[{"units":3,"activation":"tanh"},
        {"units":2,"activation":"softmax"}],"loss":"cross-entropy"}"#;
    Network::create(&js(specification), 1, None).unwrap()
}

#[wasm_bindgen_test]
fn training_on_digits_gives_the_weights_it_gives_natively() {
    let data = Dataset::parse(DIGITS, None).unwrap();
    let parts: Array = data.split(0.2, 1).unwrap().unchecked_into();
    let (training, test) = (dataset(&parts.get(0)), dataset(&parts.get(1)));
    let scaling = training.scaling("standard").unwrap();
    let (training, test) =
        (training.standardise(&scaling).unwrap(), test.standardise(&scaling).unwrap());
    let layers = [(128, "relu"), (10, "softmax")];
    let mut network = Network::create(&specification(&layers, "cross-entropy"), 1, None).unwrap();
    for epoch in 1..=20 {
        let options = js(r#"{"seed":"1n"}"#).unchecked_into();
        let done = network.train_epoch(&training, Some(options)).unwrap();
        assert_eq!(get(&done, "epoch"), JsValue::from(epoch));
    }
    assert_eq!(network.weights_cid(), expected("digits", "weightsCid"));
    assert!(number(&network.evaluate(&test).unwrap(), "accuracy") >= 0.97);

    let mut again = Network::create(&specification(&layers, "cross-entropy"), 1, None).unwrap();
    again.train(&training, &js(r#"{"seed":"1n","epochs":20}"#)).unwrap();
    assert_eq!(again.weights_cid(), network.weights_cid());
}

/// A `Dataset` out of an array of JavaScript.
fn dataset(value: &JsValue) -> Dataset {
    use wasm_bindgen::convert::TryFromJsValue as _;
    Dataset::try_from_js_value(value.clone()).unwrap()
}

#[wasm_bindgen_test]
fn every_activation_and_momentum_give_the_weights_they_give_natively() {
    let data = Dataset::parse(DIGITS, None).unwrap();
    let data = data.standardise(&data.scaling("range").unwrap()).unwrap();
    let layers = [(24, "tanh"), (17, "sigmoid"), (12, "linear"), (9, "softmax"), (10, "softmax")];
    let mut network = Network::create(&specification(&layers, "mse"), 7, None).unwrap();
    let options = r#"{"seed":"7n","epochs":3,"batch":50,"learningRate":0.5,"momentum":0.9,
        "optimiser":"sgd"}"#;
    network.train(&data, &js(options)).unwrap();
    assert_eq!(network.weights_cid(), expected("everyActivation", "weightsCid"));
}

#[wasm_bindgen_test]
fn local_training_gives_the_update_it_gives_natively() {
    let data = Dataset::parse(DIGITS, None).unwrap();
    let specification = specification(&[(32, "relu"), (10, "softmax")], "cross-entropy");
    let base = Network::create(&specification, 3, None).unwrap().weights();
    let base = neural::bytes_of_weights(&base);
    let options = r#"{"seed":"3n","epochs":2,"batch":32,"learningRate":0.005,"momentum":0.9}"#;
    let update = train_update(&specification, &base, &data, &js(options)).unwrap();
    let delta: js_sys::Uint8Array = get(&update, "delta").unchecked_into();
    assert_eq!(hash::blob_cid_text(&delta.to_vec()), expected("update", "deltaCid"));
    assert_eq!(get(&update, "samples"), JsValue::from(1_797));
    assert_eq!(
        code(train_update(&specification, &base[4..], &data, &js(options))),
        "weights-invalid"
    );
}

#[wasm_bindgen_test]
#[expect(clippy::many_single_char_names, reason = "the letters of matrix products")]
fn vector_instructions_give_the_bits_of_plain_code() {
    let mut rng = Rng::from_u64(1);
    for _ in 0..50_000 {
        let lanes = [0; 4].map(|_: u32| f32::from_bits(rng.next_u32()));
        let (ours, oracle) = (F32x4::load(&lanes), scalar::F32x4::load(&lanes));
        let pairs = [
            (simd::exp(ours).to_array(), simd::exp(oracle).to_array()),
            (simd::tanh(ours).to_array(), simd::tanh(oracle).to_array()),
            (simd::sigmoid(ours).to_array(), simd::sigmoid(oracle).to_array()),
            (simd::softplus(ours).to_array(), simd::softplus(oracle).to_array()),
            (simd::gelu(ours).to_array(), simd::gelu(oracle).to_array()),
            (simd::gelu_slope(ours).to_array(), simd::gelu_slope(oracle).to_array()),
            (ours.sqrt().to_array(), oracle.sqrt().to_array()),
        ];
        for (ours, oracle) in pairs {
            for (a, b) in ours.into_iter().zip(oracle) {
                assert!(a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()), "{lanes:?}");
            }
        }
    }
    for _ in 0..300 {
        let [m, k, n] = [13, 40, 50].map(|most| 1 + usize::try_from(rng.below(most)).unwrap());
        let mut numbers =
            |count: usize| -> Vec<f32> { (0..count).map(|_| rng.normal_f32()).collect() };
        let (a, b) = (numbers(m * padded(k)), numbers(k * padded(n)));
        let (bias, d) = (numbers(padded(n)), numbers(m * padded(n)));
        let product = |vectors: bool| {
            let mut out = vec![0.0; m * padded(n)];
            let mut gradient = vec![0.0; k * padded(n)];
            let stride = padded(k);
            if vectors {
                matmul::matmul::<F32x4>(&a, stride, k, &b, &bias, &mut out, 0.0);
                matmul::weight_gradient::<F32x4>(&a, stride, k, &d, n, &mut gradient);
            } else {
                matmul::matmul::<scalar::F32x4>(&a, stride, k, &b, &bias, &mut out, 0.0);
                matmul::weight_gradient::<scalar::F32x4>(&a, stride, k, &d, n, &mut gradient);
            }
            out.iter().chain(&gradient).map(|x| x.to_bits()).collect::<Vec<_>>()
        };
        assert_eq!(product(true), product(false), "{m} {k} {n}");
    }
}

#[wasm_bindgen_test]
fn a_model_file_comes_back_and_is_the_one_that_is_read_natively() {
    let data = two_classes();
    let data = data.standardise(&data.scaling("standard").unwrap()).unwrap();
    let mut network = small_network();
    network.train(&data, &js(r#"{"epochs":3}"#)).unwrap();
    let file = network.to_model();
    let back = Network::from_model(&file).unwrap();
    assert_eq!(back.to_model(), file);
    let rows = [1.0, 10.0, 2.0, 20.0];
    assert_eq!(back.run_batch(&rows, 2).unwrap(), network.run_batch(&rows, 2).unwrap());
    assert_eq!(back.run(&rows[..2]).unwrap(), network.run_batch(&rows, 2).unwrap()[..2]);

    let native = neural::Model::from_file(&file).unwrap();
    assert_eq!(native.network.weights(), back.weights());
    assert_eq!(native.classes(), ["no", "yes"]);
    assert_eq!(native.run(&mut Arena::new(), &rows).unwrap(), back.run_batch(&rows, 2).unwrap());
    assert_eq!(Network::from_model(&native.to_file()).unwrap().to_model(), file);
}

#[wasm_bindgen_test]
fn broken_model_files_are_refused_as_they_are_natively() {
    let mut network = small_network();
    network.train_epoch(&two_classes(), None).unwrap();
    let file = network.to_model();
    for end in 0..file.len() {
        let native = neural::Model::from_file(&file[..end]).unwrap_err().code();
        assert_eq!(code(Network::from_model(&file[..end])), native, "{end}");
    }
    let text = String::from_utf8(file).unwrap();
    for (from, to) in [
        ("{\"format", "[\"format"),
        ("synaptic-mesh-model", "onnx"),
        ("\"version\":1", "\"version\":2"),
        ("\"version\":1", "\"version\":-1"),
        ("\"task\":", "\"more\":1,\"task\":"),
        ("\"inputs\":2", "\"inputs\":0"),
        ("\"inputs\":2", "\"inputs\":3"),
        ("\"inputs\":2", "\"inputs\":\"2\""),
        ("\"tanh\"", "\"swish\""),
        ("\"yes\"", "\"yes\",\"maybe\""),
        ("\"yes\"", "7"),
        ("\"weights\":\"", "\"weights\":\"!"),
        ("\"weightsCid\":\"b", "\"weightsCid\":\"ba"),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        let native = neural::Model::from_file(changed.as_bytes()).unwrap_err().code();
        assert_eq!(code(Network::from_model(changed.as_bytes())), native, "{from} {to}");
    }
}

#[wasm_bindgen_test]
fn wrong_arguments_are_refused_with_a_code() {
    let data = two_classes();
    let mut network = small_network();
    for (json, expected) in [
        ("7", "bad-argument"),
        (r#"{"seed":1}"#, "bad-argument"),
        (r#"{"batch":"x"}"#, "bad-argument"),
        (r#"{"batch":1.5}"#, "bad-argument"),
        (r#"{"shuffle":1}"#, "bad-argument"),
        (r#"{"optimiser":"lion"}"#, "bad-argument"),
        (r#"{"batch":0}"#, "option-invalid"),
        (r#"{"learningRate":-1}"#, "option-invalid"),
        (r#"{"optimiser":"sgd","momentum":1}"#, "option-invalid"),
        (r#"{"cosineEpochs":3,"decayEpochs":2}"#, "bad-argument"),
        (r#"{"cosineEpochs":3,"cosineLeast":2}"#, "option-invalid"),
    ] {
        let options = js(json).unchecked_into();
        assert_eq!(code(network.train_epoch(&data, Some(options))), expected, "{json}");
    }
    assert_eq!(code(network.train(&data, &js("{}"))), "bad-argument");
    assert_eq!(code(network.train(&data, &js(r#"{"epochs":0}"#))), "option-invalid");
    assert_eq!(code(network.set_weights(&[0.0])), "weights-invalid");
    assert_eq!(code(network.run(&[0.0])), "rows-invalid");
    assert_eq!(code(Network::create(&js(r#"{"inputs":2}"#), 1, None)), "bad-argument");
    assert_eq!(code(Network::create(&JsValue::NULL, 1, None)), "bad-argument");
    let unknown =
        r#"{"inputs":2,"layers":[{"units":2,"activation":"tanh","bias":1}],"loss":"mse"}"#;
    assert_eq!(code(Network::create(&js(unknown), 1, None)), "bad-argument");
    let parse = |json: &str| Dataset::parse(b"1,a\n2,b\n", Some(js(json).unchecked_into()));
    assert_eq!(code(parse(r#"{"label":"z"}"#)), "data-no-label");
    assert_eq!(code(parse(r#"{"label":true}"#)), "bad-argument");
    assert_eq!(code(parse(r#"{"task":"ranking"}"#)), "bad-argument");
    assert_eq!(code(parse(r#"{"classes":"ab"}"#)), "bad-argument");
    assert_eq!(code(parse(r#"{"classes":["a",1]}"#)), "bad-argument");
    assert_eq!(parse(r#"{"classes":["b","a"],"label":1}"#).unwrap().labels().as_string(), None);
    assert_eq!(code(data.scaling("cube")), "bad-argument");
    assert_eq!(code(data.standardise(&js(r#"{"offset":[0,0],"scale":[1]}"#))), "scaling-invalid");
    assert_eq!(code(data.standardise(&js(r#"{"offset":[0,0],"scale":5}"#))), "bad-argument");
    assert_eq!(code(data.split(2.0, 1)), "split-invalid");
    let ten = Dataset::parse(b"1,1,a\n2,2,b\n3,3,c\n", None).unwrap();
    assert_eq!(code(network.train_epoch(&ten, None)), "outputs-do-not-fit");
}

#[wasm_bindgen_test]
fn a_training_that_diverges_keeps_the_weights_before_it() {
    let specification = r#"{"inputs":2,"layers":[{"units":1,"activation":"linear"}],"loss":"mse"}"#;
    let mut network = Network::create(&js(specification), 1, None).unwrap();
    let weights = network.weights();
    let data = Dataset::parse(b"1000,2000,0.5\n3000,-1000,1.5\n", None).unwrap();
    let options = || js(r#"{"optimiser":"sgd","learningRate":100,"epochs":50}"#);
    assert_eq!(code(network.train(&data, &options())), "training-diverged");
    assert!(network.weights().iter().all(|weight| weight.is_finite()));
    network.set_weights(&weights).unwrap();
    network.train_epoch(&data, None).unwrap();
}

#[wasm_bindgen_test]
fn columns_and_gaps_are_those_of_the_native_model() {
    let csv = b"size,colour,told\n1,red,a\n,blue,b\n3,red,a\n8,,b\n";
    let options = js(r#"{"encode":true,"gaps":true}"#);
    let raw = Dataset::parse(csv, Some(options.clone().unchecked_into())).unwrap();
    assert!(raw.has_gaps());
    let mut network = Network::create(
        &js(r#"{"inputs":3,"layers":[{"units":2,"activation":"softmax"}],"loss":"cross-entropy"}"#),
        1,
        None,
    )
    .unwrap();
    assert_eq!(code(network.train_epoch(&raw, None)), "data-missing");
    Reflect::set(&options, &"columns".into(), &raw.fit_columns().unwrap()).unwrap();
    let data = Dataset::parse(csv, Some(options.clone().unchecked_into())).unwrap();
    assert_eq!(data.values(), [1., 0., 1., 4., 1., 0., 3., 0., 1., 8., 0., 1.]);
    let prepared = network.prepare(&data).unwrap();
    network.train_epoch(&prepared, None).unwrap();
    let file = network.to_model();
    let native = neural::Model::from_file(&file).unwrap();
    assert_eq!(native.columns().len(), 2);
    assert_eq!((native.columns()[0].fill, native.columns()[1].fill), (Some(4.0), Some(1.0)));
    assert_eq!(Network::from_model(&native.to_file()).unwrap().to_model(), file);
    let text = String::from_utf8(file).unwrap();
    for (from, to) in [
        ("\"fill\":1", "\"fill\":2"),
        ("[\"blue\",\"red\"]", "[\"blue\"]"),
        ("[\"blue\",\"red\"]", "7"),
        ("\"columns\":[", "\"columns\":[{},"),
        ("\"name\":\"size\"", "\"named\":\"size\""),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        let native = neural::Model::from_file(changed.as_bytes()).unwrap_err().code();
        assert_eq!(code(Network::from_model(changed.as_bytes())), native, "{from} {to}");
    }
}

/// They went through single precision.
#[wasm_bindgen_test]
fn sizes_are_read_as_they_are_given() {
    let specification = r#"{"inputs":[16777217,1],"layers":[{"type":"flatten"}],"loss":"mse"}"#;
    let thrown = Network::create(&js(specification), 1, None).err().unwrap();
    let message = get(&thrown, "message").as_string().unwrap();
    assert!(message.contains("16777217"), "{message}");
}
