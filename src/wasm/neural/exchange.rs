//! Where a host puts one row and finds what a network makes of it.
//!
//! Passing arrays as arguments and results takes memory four times and copies twice, which is as
//! much work as a small network itself. Here both sides use one place that never moves: JavaScript
//! writes the row there, calls, and reads the outputs behind it.

use std::cell::RefCell;

use js_sys::{Float32Array, WebAssembly};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};

/// Room for a row and its outputs: an image of 60 x 60 and its classes, 16 kB. What is larger
/// computes so long that two copies do not show.
const NUMBERS: u32 = 4096;

thread_local! {
    static EXCHANGE: RefCell<Vec<f32>> =
        RefCell::new(vec![0.0; crate::tensor::index(NUMBERS)]);
}

/// The place where `Network.runExchanged` takes a row and leaves its outputs. It is part of the
/// memory, so the array is empty once the memory has grown: then ask again.
#[wasm_bindgen]
pub fn exchange() -> Float32Array {
    let memory: WebAssembly::Memory = wasm_bindgen::memory().unchecked_into();
    let address = EXCHANGE.with_borrow_mut(|numbers| numbers.as_mut_ptr().expose_provenance());
    // Addresses of wasm32 have 32 bits.
    let address = u32::try_from(address).unwrap_or_default();
    let buffer: JsValue = memory.buffer();
    Float32Array::new_with_byte_offset_and_length(&buffer, address, NUMBERS)
}

/// Works on what is there.
pub(super) fn with_exchange<T>(work: impl FnOnce(&mut [f32]) -> T) -> T {
    // Never entered twice: no kernel calls JavaScript.
    EXCHANGE.with_borrow_mut(|numbers| work(numbers))
}
