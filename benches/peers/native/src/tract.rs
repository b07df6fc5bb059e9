//! tract, from the same ONNX file that onnxruntime-web gets.

use ::tract::prelude::*;
use anyhow::{Context, Result};

use crate::Network;
use crate::folder::Folder;

/// An optimised plan with its state.
pub struct Tract {
    state: State,
    input: Tensor,
}

impl Tract {
    /// The model `model.onnx` of the folder.
    pub fn new(folder: &Folder) -> Result<Self> {
        let model = onnx()?.load(folder.file("model.onnx"))?.into_model()?;
        let state = model.into_runnable()?.spawn_state()?;
        let (shape, numbers) = in_onnx_order(folder);
        Ok(Self { state, input: Tensor::from_slice(&shape, &numbers)? })
    }
}

impl Network for Tract {
    fn run(&mut self) -> Result<Vec<f32>> {
        let outputs = self.state.run([self.input.clone()])?;
        Ok(outputs.first().context("no output")?.as_slice::<f32>()?.to_vec())
    }
}

/// Sequences are `[steps][batch][features]`; images have one channel, which comes first.
fn in_onnx_order(folder: &Folder) -> (Vec<usize>, Vec<f32>) {
    let (rows, numbers) = (folder.rows, &folder.numbers);
    match *folder.shape.as_slice() {
        [steps, features] => {
            let mut ordered = Vec::with_capacity(numbers.len());
            for step in 0..steps {
                for row in 0..rows {
                    let from = (row * steps + step) * features;
                    ordered.extend_from_slice(&numbers[from..from + features]);
                }
            }
            (vec![steps, rows, features], ordered)
        }
        [height, width, channels] => (vec![rows, channels, height, width], numbers.clone()),
        _ => ([&[rows], folder.shape.as_slice()].concat(), numbers.clone()),
    }
}
