//! The class `Population`.

#![expect(clippy::missing_errors_doc, reason = "what is thrown is declared in TypeScript")]

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::object;
use crate::neural;
use crate::tensor::index;
use crate::wasm::error::thrown;

/// Tiny dense networks of one shape, computed eight at a time; held in wasm memory until `free()`.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Population(neural::Population);

#[wasm_bindgen]
impl Population {
    /// `count` networks with the initial weights of the seeds `seed`, `seed + 1n`, ...
    pub fn create(
        #[wasm_bindgen(unchecked_param_type = "Specification")] specification: &JsValue,
        count: u32,
        seed: u64,
    ) -> Result<Population, JsValue> {
        let specification = object::specification(specification)?;
        neural::Population::new(&specification, count, seed).map(Self).map_err(thrown)
    }

    /// Networks in it.
    #[wasm_bindgen(getter)]
    pub fn count(&self) -> usize {
        self.0.count()
    }

    /// One row through every network: `inputs` is one row for all of them, or a row for each, one
    /// after the other; `outputs` takes the outputs of all networks, one after the other.
    pub fn evaluate(&mut self, inputs: &[f32], outputs: &mut [f32]) -> Result<(), JsValue> {
        self.0.evaluate(inputs, outputs).map_err(thrown)
    }

    /// A copy of the parameters of one network, in canonical order.
    pub fn weights(&self, member: u32) -> Result<Vec<f32>, JsValue> {
        self.0.weights(index(member)).map_err(thrown)
    }

    /// Replaces the parameters of one network.
    #[wasm_bindgen(js_name = setWeights)]
    pub fn set_weights(&mut self, member: u32, weights: &[f32]) -> Result<(), JsValue> {
        self.0.set_weights(index(member), weights).map_err(thrown)
    }

    /// Gives one network the parameters of another.
    pub fn copy(&mut self, from: u32, to: u32) -> Result<(), JsValue> {
        self.0.copy(index(from), index(to)).map_err(thrown)
    }

    /// Adds to every parameter of one network a normal number of deviation `sigma`.
    pub fn mutate(&mut self, member: u32, sigma: f32, seed: u64) -> Result<(), JsValue> {
        self.0.mutate(index(member), sigma, seed).map_err(thrown)
    }
}
