//! The simulator as WebAssembly: the traces of `tests/simulation/golden.json`, byte for byte those
//! of the native run.

use std::collections::BTreeMap;

use synaptic_mesh::sim::{self, catalogue};
use wasm_bindgen_test::wasm_bindgen_test;

#[wasm_bindgen_test]
fn simulations_leave_the_same_traces_as_natively() {
    let golden: BTreeMap<String, String> =
        serde_json::from_str(include_str!("../simulation/golden.json")).unwrap();
    assert!(!golden.is_empty());
    for (name, expected) in golden {
        let words: Vec<&str> = name.split(' ').collect();
        let (nodes, seed) = (words[1].parse().unwrap(), words[2].parse().unwrap());
        let scenario = catalogue::named(words[0], Some(nodes), seed).unwrap();
        let report = sim::run(&scenario);
        assert!(report.is_ok(), "{name}: {}", report.to_text());
        assert_eq!(report.trace_hash, expected, "{name}");
    }
}
