//! What an engine is given: the files of a folder written by benches/neural/networks.mjs, whose
//! layouts these are.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

/// A network and its inputs.
pub struct Folder {
    path: PathBuf,
    /// How many networks there are.
    pub count: usize,
    /// Inputs per call.
    pub rows: usize,
    /// Shape of one input.
    pub shape: Vec<usize>,
    /// From the input to the output.
    pub layers: Vec<Layer>,
    /// `[rows]` of `shape`.
    pub numbers: Vec<f32>,
}

/// One layer, with its parameters if it has any.
pub struct Layer {
    /// `dense`, `conv2d`, `max-pool2d`, `flatten` or `lstm`.
    pub kind: String,
    /// Its last size is the number of outputs.
    pub kernel_shape: Vec<usize>,
    /// Row by row.
    pub kernel: Vec<f32>,
    /// One per output.
    pub bias: Vec<f32>,
    /// Empty for none.
    pub activation: String,
    /// Of a pool.
    pub window: usize,
    /// Of an LSTM.
    pub units: usize,
}

impl Folder {
    /// Reads the folder.
    pub fn read(path: &str) -> Result<Self> {
        let path = PathBuf::from(path);
        let about = serde_json::from_slice(&std::fs::read(path.join("network.json"))?)?;
        let whole = |name: &str| number(&about, name).context("network.json is not ours");
        let weights = floats(&path.join("weights.f32"))?;
        let mut rest = weights.as_slice();
        let layers = about["layers"].as_array().context("there are no layers")?;
        Ok(Self {
            count: whole("count")?,
            rows: whole("rows")?,
            shape: sizes(&about["inputs"]),
            layers: layers.iter().map(|layer| Layer::read(layer, &mut rest)).collect(),
            numbers: floats(&path.join("inputs.f32"))?,
            path,
        })
    }

    /// Inputs and labels to train or to test with.
    pub fn part(&self, name: &str) -> Result<(Vec<f32>, Vec<u32>)> {
        let labels = floats(&self.file(&format!("{name}.u32")))?;
        let labels = labels.into_iter().map(f32::to_bits).collect();
        Ok((floats(&self.file(&format!("{name}.f32")))?, labels))
    }

    /// A file of the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Layer {
    fn read(layer: &Value, weights: &mut &[f32]) -> Self {
        let kernel_shape = sizes(&layer["kernel"]);
        let (mut kernel, mut bias) = (Vec::new(), Vec::new());
        if let Some(units) = kernel_shape.last() {
            let (own, rest) = weights.split_at(kernel_shape.iter().product());
            let (own_bias, rest) = rest.split_at(*units);
            (kernel, bias, *weights) = (own.to_vec(), own_bias.to_vec(), rest);
        }
        let text = |name: &str| layer[name].as_str().unwrap_or_default().to_owned();
        Self {
            kind: text("type"),
            kernel_shape,
            kernel,
            bias,
            activation: text("activation"),
            window: number(layer, "window").unwrap_or(0),
            units: number(layer, "units").unwrap_or(0),
        }
    }
}

fn number(object: &Value, name: &str) -> Option<usize> {
    object[name].as_u64().and_then(|value| usize::try_from(value).ok())
}

fn sizes(list: &Value) -> Vec<usize> {
    let sizes = list.as_array().into_iter().flatten();
    sizes.filter_map(|size| size.as_u64().and_then(|size| usize::try_from(size).ok())).collect()
}

fn floats(path: &Path) -> Result<Vec<f32>> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    let words = bytes.chunks_exact(4);
    Ok(words.map(|word| f32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect())
}
