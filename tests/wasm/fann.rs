//! FANN networks learn the same bits here as natively: see `tests/interop/bits.rs`.

#[path = "../interop/bits.rs"]
mod bits;

use wasm_bindgen_test::wasm_bindgen_test;

#[wasm_bindgen_test]
fn fann_networks_become_the_same_bits_everywhere() {
    assert_eq!(bits::learnt(), bits::EXPECTED);
}
