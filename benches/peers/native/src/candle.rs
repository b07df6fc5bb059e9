//! candle, with the operations its layers use. Adam is its AdamW without decay.

use anyhow::{Result, bail};
use candle_core::{D, Device, Module, Tensor, Var};
use candle_nn::{AdamW, Conv2d, Conv2dConfig, Linear, Optimizer, ParamsAdamW, ops};

use crate::folder::{Folder, Layer};
use crate::{CANNOT, Network};

const BATCH: usize = 32;
const LEARNING_RATE: f64 = 1e-3;
const CPU: &Device = &Device::Cpu;

/// A network and what it is trained with.
pub struct Candle {
    folder: Folder,
    layers: Vec<Built>,
    input: Tensor,
    training: Option<Training>,
}

struct Built {
    kind: Kind,
    activation: String,
}

enum Kind {
    Dense { kernel: Var, bias: Var },
    Conv(Conv2d),
    Pool(usize),
    Flatten,
    Lstm { inputs: Linear, state: Linear, units: usize },
}

struct Training {
    optimiser: AdamW,
    inputs: Tensor,
    labels: Tensor,
    order: Vec<u32>,
    random: u64,
}

impl Candle {
    /// The network of the folder, on one processor.
    pub fn new(folder: Folder) -> Result<Self> {
        let layers = folder.layers.iter().map(build).collect::<Result<_>>()?;
        let input = tensor_of(&folder.numbers, folder.rows, &folder.shape)?;
        Ok(Self { folder, layers, input, training: None })
    }

    /// The outputs, or what is before the softmax of the last layer.
    fn forward(&self, input: &Tensor, logits: bool) -> Result<Tensor> {
        let mut x = input.clone();
        for layer in &self.layers {
            x = layer.kind.forward(&x)?;
            x = match layer.activation.as_str() {
                "relu" => x.relu()?,
                "sigmoid" => ops::sigmoid(&x)?,
                "softmax" if !logits => ops::softmax_last_dim(&x)?,
                _ => x,
            };
        }
        Ok(x)
    }

    fn start(&self, seed: u64) -> Result<Training> {
        let mut variables = Vec::new();
        for layer in &self.layers {
            let Kind::Dense { kernel, bias } = &layer.kind else { bail!(CANNOT) };
            variables.extend([kernel.clone(), bias.clone()]);
        }
        let decay = ParamsAdamW { lr: LEARNING_RATE, weight_decay: 0.0, ..Default::default() };
        let (numbers, labels) = self.folder.part("training")?;
        Ok(Training {
            optimiser: AdamW::new(variables, decay)?,
            inputs: tensor_of(&numbers, labels.len(), &self.folder.shape)?,
            order: (0..u32::try_from(labels.len())?).collect(),
            labels: Tensor::from_slice(&labels, labels.len(), CPU)?,
            random: seed,
        })
    }
}

impl Network for Candle {
    fn run(&mut self) -> Result<Vec<f32>> {
        Ok(self.forward(&self.input, false)?.flatten_all()?.to_vec1()?)
    }

    fn restart(&mut self, seed: u64) -> Result<()> {
        self.layers = self.folder.layers.iter().map(build).collect::<Result<_>>()?;
        self.training = Some(self.start(seed)?);
        Ok(())
    }

    fn epoch(&mut self) -> Result<()> {
        let Some(mut training) = self.training.take() else { bail!("it is not started") };
        training.shuffle();
        for rows in training.order.chunks(BATCH) {
            let rows = Tensor::from_slice(rows, rows.len(), CPU)?;
            let inputs = training.inputs.index_select(&rows, 0)?;
            let labels = training.labels.index_select(&rows, 0)?;
            let outputs = self.forward(&inputs, true)?;
            let loss = candle_nn::loss::cross_entropy(&outputs, &labels)?;
            training.optimiser.backward_step(&loss)?;
        }
        self.training = Some(training);
        Ok(())
    }

    fn accuracy(&mut self) -> Result<f64> {
        let (numbers, labels) = self.folder.part("test")?;
        let inputs = tensor_of(&numbers, labels.len(), &self.folder.shape)?;
        let found: Vec<u32> = self.forward(&inputs, true)?.argmax(D::Minus1)?.to_vec1()?;
        let right = found.iter().zip(&labels).filter(|(found, label)| found == label).count();
        Ok(right as f64 / labels.len() as f64)
    }
}

impl Training {
    /// Fisher and Yates, over splitmix64 (Steele, Lea and Flood 2014).
    fn shuffle(&mut self) {
        for last in (1..self.order.len()).rev() {
            self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = self.random;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let other = (mixed ^ (mixed >> 31)) % (last as u64 + 1);
            self.order.swap(last, other as usize);
        }
    }
}

impl Kind {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(match self {
            Kind::Dense { kernel, bias } => x.matmul(kernel)?.broadcast_add(bias)?,
            Kind::Conv(conv) => conv.forward(x)?,
            Kind::Pool(window) => x.max_pool2d(*window)?,
            // Into our order, channels last.
            Kind::Flatten => x.permute((0, 2, 3, 1))?.flatten_from(1)?,
            Kind::Lstm { inputs, state, units } => lstm(x, inputs, state, *units)?,
        })
    }
}

/// The last state. The inputs of all steps are multiplied at once, which is faster than its own
/// `seq`, step by step.
fn lstm(x: &Tensor, inputs: &Linear, state: &Linear, units: usize) -> Result<Tensor> {
    let (rows, steps, _) = x.dims3()?;
    let from_inputs = inputs.forward(x)?;
    let mut hidden = Tensor::zeros((rows, units), x.dtype(), CPU)?;
    let mut cell = hidden.clone();
    for step in 0..steps {
        let here = from_inputs.narrow(1, step, 1)?.squeeze(1)?;
        let gates = (here + state.forward(&hidden)?)?.chunk(4, 1)?;
        let [input, forget, candidate, output] = gates.as_slice() else { bail!("four gates") };
        let kept = (ops::sigmoid(forget)? * cell)?;
        cell = (kept + (ops::sigmoid(input)? * candidate.tanh()?)?)?;
        hidden = (ops::sigmoid(output)? * cell.tanh()?)?;
    }
    Ok(hidden)
}

fn build(layer: &Layer) -> Result<Built> {
    let kernel = Tensor::from_slice(&layer.kernel, layer.kernel_shape.as_slice(), CPU);
    let bias = Tensor::from_slice(&layer.bias, layer.bias.len(), CPU);
    let kind = match layer.kind.as_str() {
        "dense" => {
            Kind::Dense { kernel: Var::from_tensor(&kernel?)?, bias: Var::from_tensor(&bias?)? }
        }
        "conv2d" => {
            let kernel = kernel?.permute((3, 2, 0, 1))?.contiguous()?;
            Kind::Conv(Conv2d::new(kernel, Some(bias?), Conv2dConfig::default()))
        }
        "max-pool2d" => Kind::Pool(layer.window),
        "flatten" => Kind::Flatten,
        "lstm" => {
            let features = layer.kernel_shape[0] - layer.units;
            // Its layers keep their weights as `[out][in]`.
            let part = |from, count| kernel.as_ref().map(|kernel| kernel.narrow(0, from, count));
            let transposed = |part: Tensor| part.t().and_then(|part| part.contiguous());
            let [inputs, state] = match (part(0, features), part(features, layer.units)) {
                (Ok(inputs), Ok(state)) => [transposed(inputs?)?, transposed(state?)?],
                _ => bail!("an LSTM without a kernel"),
            };
            let inputs = Linear::new(inputs, Some(bias?));
            Kind::Lstm { inputs, state: Linear::new(state, None), units: layer.units }
        }
        other => bail!("candle gets no {other} here"),
    };
    Ok(Built { kind, activation: layer.activation.clone() })
}

/// Images have one channel, which comes first.
fn tensor_of(numbers: &[f32], rows: usize, shape: &[usize]) -> Result<Tensor> {
    let shape = match *shape {
        [height, width, channels] => vec![rows, channels, height, width],
        _ => [&[rows], shape].concat(),
    };
    Ok(Tensor::from_slice(numbers, shape, CPU)?)
}
