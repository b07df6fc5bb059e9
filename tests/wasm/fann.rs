//! FANN networks learn the same bits here as natively: see `tests/interop/bits.rs`.

#[path = "../interop/bits.rs"]
mod bits;

#[cfg(feature = "fann")]
use js_sys::{Array, JSON, Object, Reflect};
use wasm_bindgen_test::wasm_bindgen_test;

#[cfg(feature = "fann")]
use synaptic_mesh::wasm::fann::Fann;

#[wasm_bindgen_test]
fn fann_networks_become_the_same_bits_everywhere() {
    assert_eq!(bits::learnt(), bits::EXPECTED);
}

#[cfg(feature = "fann")]
const XOR: ([f32; 8], [f32; 4]) =
    ([-1.0, -1.0, -1.0, 1.0, 1.0, -1.0, 1.0, 1.0], [-1.0, 1.0, 1.0, -1.0]);

/// One number of what a training tells.
#[cfg(feature = "fann")]
fn number(step: &wasm_bindgen::JsValue, name: &str) -> f64 {
    Reflect::get(step, &name.into()).unwrap().as_f64().unwrap()
}

#[cfg(feature = "fann")]
fn code(error: &wasm_bindgen::JsValue) -> String {
    assert_ne!(Reflect::get(error, &"hint".into()).unwrap().as_string().unwrap(), "");
    Reflect::get(error, &"code".into()).unwrap().as_string().unwrap()
}

#[cfg(feature = "fann")]
#[wasm_bindgen_test]
fn a_network_of_fann_learns_grows_and_comes_back_across_the_boundary() {
    let (inputs, targets) = (XOR.0.to_vec(), XOR.1.to_vec());
    let mut network = Fann::create(&[2, 1], true, 1.0, 1).unwrap();
    network.set_activation(1, 5, 0.5).unwrap();
    network.randomize(1.0, 1);
    let settings = JSON::parse(
        r#"{"algorithm":"cascade","errorFunction":"linear","stopFunction":"bit",
            "cascadeActivationFunctions":[5,7],"cascadeActivationSteepnesses":[0.5,1]}"#,
    );
    network.begin(inputs, targets.clone(), &settings.unwrap()).unwrap();
    for _ in 0..5 {
        network.epoch().unwrap();
    }
    let last = network.finish().unwrap();
    assert!(number(&last, "added") > 0.0 && number(&last, "bitFails") == 0.0);
    let outputs = network.run(&XOR.0).unwrap();
    assert!(outputs.iter().zip(&targets).all(|(output, target)| output * target > 0.0));
    let mut again = Fann::from_file(&network.to_file()).unwrap();
    assert_eq!(again.run(&XOR.0).unwrap(), outputs);
    assert_eq!((again.layers(), again.shortcut()), (network.layers(), true));
    assert_eq!(again.activations(1), network.activations(1));
}

#[cfg(feature = "fann")]
#[wasm_bindgen_test]
fn what_fann_cannot_do_has_a_code_across_the_boundary() {
    assert_eq!(code(&Fann::create(&[2], false, 1.0, 1).unwrap_err()), "specification-invalid");
    assert_eq!(code(&Fann::from_file(b"FANN_FLO_2.1\n").unwrap_err()), "file-damaged");
    let mut network = Fann::create(&[2, 3, 1], false, 0.5, 1).unwrap();
    assert_eq!(code(&network.set_activation(1, 20, 0.5).unwrap_err()), "bad-argument");
    assert_eq!(code(&network.set_activation(0, 1, 0.5).unwrap_err()), "neuron-unknown");
    assert_eq!(code(&network.run(&[1.0]).unwrap_err()), "inputs-do-not-fit");
    assert_eq!(code(&network.set_scaling(&[1.0; 4]).unwrap_err()), "inputs-do-not-fit");
    assert!(network.epoch().unwrap().is_undefined());
    let mut begin = |name: &str, value: wasm_bindgen::JsValue| {
        let settings = Object::new();
        Reflect::set(&settings, &name.into(), &value).unwrap();
        code(&network.begin(XOR.0.to_vec(), XOR.1.to_vec(), &settings).unwrap_err())
    };
    assert_eq!(begin("rpropDeltaMax", (-1).into()), "option-invalid");
    assert_eq!(begin("rpropDeltaMax", "much".into()), "bad-argument");
    assert_eq!(begin("errorFunction", "cubic".into()), "bad-argument");
    assert_eq!(begin("algorithm", "cascade".into()), "cascade-shape");
    let numbers: Array = [99].into_iter().map(wasm_bindgen::JsValue::from).collect();
    assert_eq!(begin("cascadeActivationFunctions", numbers.into()), "bad-argument");
}
