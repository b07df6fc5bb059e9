//! The layers a specification is made of, and how they are written.

use serde::{Deserialize, Serialize};

use super::shape::Sizes;
use super::{Activation, Shape};

/// One layer. Unless it says otherwise it takes the output of the layer before it.
///
/// Values are numbered for [`Layer::with`]: 0 is the network's input, `i` the output of layer `i`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Record", into = "Record")]
#[non_exhaustive]
pub enum Layer {
    /// `activation(input x weights + bias)` at each position: `[.., in]` to `[.., units]`.
    Dense {
        /// Outputs per position.
        units: u32,
        /// What is applied to each of them.
        activation: Activation,
    },
    /// A convolution of a sequence (`conv1d`) or an image (`conv2d`), channels last.
    Conv {
        /// Channels of the output.
        filters: u32,
        /// Size of the window.
        kernel: Extent,
        /// Steps of the window.
        stride: Extent,
        /// Distance of the window's taps.
        dilation: Extent,
        /// What is around the input.
        padding: Padding,
        /// Groups of channels that do not see each other.
        groups: u32,
        /// What is applied to each output.
        activation: Activation,
    },
    /// The largest or the mean number of each window, channel by channel.
    Pool {
        /// Which of the two.
        kind: Pooling,
        /// Size of the window.
        window: Extent,
        /// Steps of the window.
        stride: Extent,
    },
    /// Mean 0 and variance 1, then a learnt scale and shift per channel.
    Norm {
        /// Over what mean and variance are taken.
        kind: Norm,
    },
    /// Puts a share of the numbers to 0 while training, and scales the others up.
    Dropout {
        /// The share in thousandths, 0 to 999.
        rate_per_mille: u32,
    },
    /// A learnt vector for each word: `[steps]` of numbers of words to `[steps, units]`.
    Embedding {
        /// How many words there are; numbers outside are refused as inputs.
        vocabulary: u32,
        /// Numbers per word.
        units: u32,
    },
    /// Adds a code of the position to each step of a sequence.
    Position {
        /// Which code.
        kind: Position,
    },
    /// A recurrent layer over a sequence.
    Recurrent {
        /// What happens at each step.
        cell: Cell,
        /// Numbers of the state.
        units: u32,
        /// Whether a second one reads backwards; its outputs follow those of the first.
        bidirectional: bool,
        /// Which outputs are given.
        returns: Returns,
    },
    /// Multi-head self-attention over a sequence.
    Attention {
        /// Heads; they divide the features.
        heads: u32,
        /// Whether a step sees only itself and those before it.
        causal: bool,
    },
    /// All numbers in one row.
    Flatten,
    /// The same numbers, cut in another way.
    Reshape {
        /// How.
        shape: Shape,
    },
    /// An activation alone.
    Activation {
        /// Which.
        activation: Activation,
    },
    /// Adds other values of the same shape: a residual connection.
    Add {
        /// Which values.
        with: Vec<u32>,
    },
    /// Multiplies by the sigmoid of another value of the same shape: a gated connection.
    Gate {
        /// Which value.
        with: Vec<u32>,
    },
    /// Puts the channels of other values behind its own, position by position.
    Concat {
        /// Which values.
        with: Vec<u32>,
    },
}

/// A size along a sequence or over an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Extent {
    /// Along a sequence.
    Line(u32),
    /// Downwards and across an image.
    Plane(u32, u32),
}

impl Extent {
    /// Downwards and across; a line is 1 across.
    pub fn pair(self) -> (u32, u32) {
        match self {
            Extent::Line(size) => (size, 1),
            Extent::Plane(down, across) => (down, across),
        }
    }

    /// Whether it is one along a sequence.
    pub fn is_line(self) -> bool {
        matches!(self, Extent::Line(_))
    }
}

impl From<Extent> for Sizes {
    fn from(extent: Extent) -> Self {
        match extent {
            Extent::Line(size) => Sizes::One(size),
            Extent::Plane(down, across) => Sizes::Many(vec![down, across]),
        }
    }
}

/// What is around an input that a window slides over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Padding {
    /// Nothing: windows lie inside.
    Valid,
    /// Zeros, so that a stride of 1 keeps the size; an odd one goes behind.
    Same,
}

/// What is taken of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    /// The largest number.
    Max,
    /// The mean.
    Average,
}

/// Over what numbers are normalised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Norm {
    /// Each channel over the batch and all positions (Ioffe and Szegedy 2015); after training over
    /// what was seen on the way.
    Batch,
    /// All channels of one position (Ba, Kiros and Hinton 2016).
    Layer,
}

/// The code of a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Position {
    /// Sines and cosines of falling frequency (Vaswani et al. 2017, section 3.5).
    Sinusoidal,
    /// A learnt vector per position.
    Learned,
}

/// What a recurrent layer does at each step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cell {
    /// `h = tanh(x W + h U + b)` (Elman 1990).
    Rnn,
    /// Long short-term memory (Hochreiter and Schmidhuber 1997, with the forget gate of Gers 2000).
    Lstm,
    /// Gated recurrent unit (Cho et al. 2014), the reset gate applied after the product.
    Gru,
}

/// Which outputs of a sequence are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Returns {
    /// That of the last step (for a backward layer, of the first).
    Last,
    /// Those of all steps.
    All,
}

/// The names of layers in files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are those of the layers")]
pub enum Kind {
    #[default]
    Dense,
    Conv1d,
    Conv2d,
    MaxPool1d,
    MaxPool2d,
    AveragePool1d,
    AveragePool2d,
    BatchNorm,
    LayerNorm,
    Dropout,
    Embedding,
    Position,
    Rnn,
    Lstm,
    Gru,
    Attention,
    Flatten,
    Reshape,
    Activation,
    Add,
    Gate,
    Concat,
}

impl Kind {
    /// Every name in files.
    pub const NAMES: [(&'static str, Kind); 22] = [
        ("dense", Kind::Dense),
        ("conv1d", Kind::Conv1d),
        ("conv2d", Kind::Conv2d),
        ("max-pool1d", Kind::MaxPool1d),
        ("max-pool2d", Kind::MaxPool2d),
        ("average-pool1d", Kind::AveragePool1d),
        ("average-pool2d", Kind::AveragePool2d),
        ("batch-norm", Kind::BatchNorm),
        ("layer-norm", Kind::LayerNorm),
        ("dropout", Kind::Dropout),
        ("embedding", Kind::Embedding),
        ("position", Kind::Position),
        ("rnn", Kind::Rnn),
        ("lstm", Kind::Lstm),
        ("gru", Kind::Gru),
        ("attention", Kind::Attention),
        ("flatten", Kind::Flatten),
        ("reshape", Kind::Reshape),
        ("activation", Kind::Activation),
        ("add", Kind::Add),
        ("gate", Kind::Gate),
        ("concat", Kind::Concat),
    ];
}

/// A layer as it is written: its type (dense if there is none) and the fields this type has.
///
/// One record for all types keeps reading simple wherever a specification comes from: JSON,
/// DAG-CBOR and plain objects of JavaScript fill in the same fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
#[expect(missing_docs, reason = "the fields are those of the layers")]
pub struct Record {
    #[serde(rename = "type", skip_serializing_if = "is_dense")]
    pub kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub units: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filters: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<Sizes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<Sizes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stride: Option<Sizes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dilation: Option<Sizes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub padding: Option<Padding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_per_mille: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vocabulary: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<Position>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bidirectional: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub returns: Option<Returns>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heads: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub causal: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shape: Option<Shape>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub with: Option<Sizes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activation: Option<Activation>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_dense(kind: &Kind) -> bool {
    *kind == Kind::Dense
}

impl Layer {
    /// A dense layer.
    pub fn dense(units: u32, activation: Activation) -> Self {
        Layer::Dense { units, activation }
    }

    /// The values it takes besides the output of the layer before it.
    pub fn with(&self) -> &[u32] {
        match self {
            Layer::Add { with } | Layer::Gate { with } | Layer::Concat { with } => with,
            _ => &[],
        }
    }

    /// Its own size: units, filters or thousandths, whatever is bounded as one.
    pub(crate) fn units(&self) -> Option<u32> {
        match self {
            Layer::Dense { units, .. }
            | Layer::Conv { filters: units, .. }
            | Layer::Embedding { units, .. }
            | Layer::Recurrent { units, .. } => Some(*units),
            _ => None,
        }
    }

    /// Parameters for an input of shape `from`; saturates.
    pub(crate) fn parameters(&self, from: Shape) -> u64 {
        let channels = u64::from(from.channels());
        let dense = |inputs: u64, units: u64| (inputs + 1).saturating_mul(units);
        match self {
            Layer::Dense { units, .. } => dense(channels, u64::from(*units)),
            Layer::Conv { filters, kernel, groups, .. } => {
                let (down, across) = kernel.pair();
                let taps = u64::from(down).saturating_mul(u64::from(across));
                let inputs = taps.saturating_mul(channels / u64::from((*groups).max(1)));
                dense(inputs, u64::from(*filters))
            }
            Layer::Norm { kind: Norm::Layer } => 2 * channels,
            // Scale, shift, and the mean and variance seen while training.
            Layer::Norm { kind: Norm::Batch } => 4 * channels,
            Layer::Embedding { vocabulary, units } => u64::from(*vocabulary) * u64::from(*units),
            Layer::Position { kind: Position::Learned } => u64::from(from.count()),
            Layer::Recurrent { cell, units, bidirectional, .. } => {
                let units = u64::from(*units);
                let gates = match cell {
                    Cell::Rnn => units,
                    Cell::Lstm => 4 * units,
                    // The candidate has a bias of its own inside the reset gate's product.
                    Cell::Gru => 3 * units,
                };
                let own = if *cell == Cell::Gru { units } else { 0 };
                let one = dense(channels + units, gates).saturating_add(own);
                one.saturating_mul(if *bidirectional { 2 } else { 1 })
            }
            Layer::Attention { .. } => 4 * dense(channels, channels),
            Layer::Position { kind: Position::Sinusoidal }
            | Layer::Pool { .. }
            | Layer::Dropout { .. }
            | Layer::Flatten
            | Layer::Reshape { .. }
            | Layer::Activation { .. }
            | Layer::Add { .. }
            | Layer::Gate { .. }
            | Layer::Concat { .. } => 0,
        }
    }

    /// Its activation; linear if it has none.
    pub fn activation(&self) -> Activation {
        match self {
            Layer::Dense { activation, .. }
            | Layer::Conv { activation, .. }
            | Layer::Activation { activation } => *activation,
            _ => Activation::Linear,
        }
    }
}

/// Takes the fields of a record one after the other, and in the end wants none left.
struct Fields(Record);

impl TryFrom<Record> for Layer {
    type Error = &'static str;

    fn try_from(record: Record) -> Result<Self, Self::Error> {
        let kind = record.kind;
        let mut fields = Fields(record);
        let layer = fields.layer(kind)?;
        fields.0.kind = Kind::Dense;
        if fields.0 == Record::default() {
            Ok(layer)
        } else {
            Err("the layer has a field that its type does not have")
        }
    }
}

impl Fields {
    fn layer(&mut self, kind: Kind) -> Result<Layer, &'static str> {
        Ok(match kind {
            Kind::Dense => Layer::Dense {
                units: self.units()?,
                activation: self.0.activation.take().ok_or("a layer lacks 'activation'")?,
            },
            Kind::Conv1d | Kind::Conv2d => self.conv(kind == Kind::Conv2d)?,
            Kind::MaxPool1d => self.pool(Pooling::Max, false)?,
            Kind::MaxPool2d => self.pool(Pooling::Max, true)?,
            Kind::AveragePool1d => self.pool(Pooling::Average, false)?,
            Kind::AveragePool2d => self.pool(Pooling::Average, true)?,
            Kind::BatchNorm => Layer::Norm { kind: Norm::Batch },
            Kind::LayerNorm => Layer::Norm { kind: Norm::Layer },
            Kind::Dropout => Layer::Dropout {
                rate_per_mille: self.0.rate_per_mille.take().ok_or("a dropout lacks its rate")?,
            },
            Kind::Embedding => Layer::Embedding {
                vocabulary: self.0.vocabulary.take().ok_or("an embedding lacks 'vocabulary'")?,
                units: self.units()?,
            },
            Kind::Position => {
                Layer::Position { kind: self.0.code.take().unwrap_or(Position::Sinusoidal) }
            }
            Kind::Rnn => self.recurrent(Cell::Rnn)?,
            Kind::Lstm => self.recurrent(Cell::Lstm)?,
            Kind::Gru => self.recurrent(Cell::Gru)?,
            Kind::Attention => Layer::Attention {
                heads: self.0.heads.take().unwrap_or(1),
                causal: self.0.causal.take().unwrap_or(false),
            },
            Kind::Flatten => Layer::Flatten,
            Kind::Reshape => {
                Layer::Reshape { shape: self.0.shape.take().ok_or("a reshape lacks 'shape'")? }
            }
            Kind::Activation => Layer::Activation {
                activation: self.0.activation.take().ok_or("a layer lacks 'activation'")?,
            },
            Kind::Add => Layer::Add { with: self.with()? },
            Kind::Gate => Layer::Gate { with: self.with()? },
            Kind::Concat => Layer::Concat { with: self.with()? },
        })
    }

    fn units(&mut self) -> Result<u32, &'static str> {
        self.0.units.take().ok_or("a layer lacks 'units'")
    }

    fn with(&mut self) -> Result<Vec<u32>, &'static str> {
        let with = self.0.with.take().ok_or("a joining layer lacks 'with'")?;
        Ok(with.as_slice().to_vec())
    }

    fn conv(&mut self, image: bool) -> Result<Layer, &'static str> {
        let kernel = self.0.kernel.take().ok_or("a convolution lacks 'kernel'")?;
        let (stride, dilation) = (self.0.stride.take(), self.0.dilation.take());
        Ok(Layer::Conv {
            filters: self.0.filters.take().ok_or("a convolution lacks 'filters'")?,
            kernel: extent(Some(kernel), image, one(image))?,
            stride: extent(stride, image, one(image))?,
            dilation: extent(dilation, image, one(image))?,
            padding: self.0.padding.take().unwrap_or(Padding::Valid),
            groups: self.0.groups.take().unwrap_or(1),
            activation: self.0.activation.take().unwrap_or(Activation::Linear),
        })
    }

    fn pool(&mut self, kind: Pooling, image: bool) -> Result<Layer, &'static str> {
        let window = self.0.window.take().ok_or("a pooling layer lacks 'window'")?;
        let window = extent(Some(window), image, one(image))?;
        let stride = self.0.stride.take();
        Ok(Layer::Pool { kind, window, stride: extent(stride, image, window)? })
    }

    fn recurrent(&mut self, cell: Cell) -> Result<Layer, &'static str> {
        Ok(Layer::Recurrent {
            cell,
            units: self.units()?,
            bidirectional: self.0.bidirectional.take().unwrap_or(false),
            returns: self.0.returns.take().unwrap_or(Returns::Last),
        })
    }
}

/// One size for both directions of an image, or one for each; a sequence has only one.
fn extent(sizes: Option<Sizes>, image: bool, default: Extent) -> Result<Extent, &'static str> {
    let Some(sizes) = sizes else { return Ok(default) };
    match (sizes.as_slice(), image) {
        ([size], true) => Ok(Extent::Plane(*size, *size)),
        ([size], false) => Ok(Extent::Line(*size)),
        ([down, across], true) => Ok(Extent::Plane(*down, *across)),
        _ => Err("a size is one number, or two for an image"),
    }
}

/// A stride or dilation of 1.
fn one(image: bool) -> Extent {
    if image { Extent::Plane(1, 1) } else { Extent::Line(1) }
}

impl From<Layer> for Record {
    fn from(layer: Layer) -> Self {
        let empty = Record::default();
        match layer {
            Layer::Dense { units, activation } => {
                Record { units: Some(units), activation: Some(activation), ..empty }
            }
            Layer::Conv { filters, kernel, stride, dilation, padding, groups, activation } => {
                Record {
                    kind: if kernel.is_line() { Kind::Conv1d } else { Kind::Conv2d },
                    filters: Some(filters),
                    kernel: Some(kernel.into()),
                    stride: Some(stride.into()),
                    dilation: Some(dilation.into()),
                    padding: Some(padding),
                    groups: Some(groups),
                    activation: Some(activation),
                    ..empty
                }
            }
            Layer::Pool { kind, window, stride } => Record {
                kind: match (kind, window.is_line()) {
                    (Pooling::Max, true) => Kind::MaxPool1d,
                    (Pooling::Max, false) => Kind::MaxPool2d,
                    (Pooling::Average, true) => Kind::AveragePool1d,
                    (Pooling::Average, false) => Kind::AveragePool2d,
                },
                window: Some(window.into()),
                stride: Some(stride.into()),
                ..empty
            },
            Layer::Norm { kind: Norm::Batch } => Record { kind: Kind::BatchNorm, ..empty },
            Layer::Norm { kind: Norm::Layer } => Record { kind: Kind::LayerNorm, ..empty },
            Layer::Dropout { rate_per_mille } => {
                let rate_per_mille = Some(rate_per_mille);
                Record { kind: Kind::Dropout, rate_per_mille, ..empty }
            }
            Layer::Embedding { vocabulary, units } => Record {
                kind: Kind::Embedding,
                vocabulary: Some(vocabulary),
                units: Some(units),
                ..empty
            },
            Layer::Position { kind } => Record { kind: Kind::Position, code: Some(kind), ..empty },
            Layer::Recurrent { cell, units, bidirectional, returns } => Record {
                kind: match cell {
                    Cell::Rnn => Kind::Rnn,
                    Cell::Lstm => Kind::Lstm,
                    Cell::Gru => Kind::Gru,
                },
                units: Some(units),
                bidirectional: Some(bidirectional),
                returns: Some(returns),
                ..empty
            },
            Layer::Attention { heads, causal } => {
                Record { kind: Kind::Attention, heads: Some(heads), causal: Some(causal), ..empty }
            }
            Layer::Flatten => Record { kind: Kind::Flatten, ..empty },
            Layer::Reshape { shape } => Record { kind: Kind::Reshape, shape: Some(shape), ..empty },
            Layer::Activation { activation } => {
                Record { kind: Kind::Activation, activation: Some(activation), ..empty }
            }
            Layer::Add { with } => joining(Kind::Add, with),
            Layer::Gate { with } => joining(Kind::Gate, with),
            Layer::Concat { with } => joining(Kind::Concat, with),
        }
    }
}

fn joining(kind: Kind, with: Vec<u32>) -> Record {
    Record { kind, with: Some(Sizes::Many(with)), ..Record::default() }
}
