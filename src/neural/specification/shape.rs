//! Shapes: what flows between layers, and what each layer makes of it.

use serde::{Deserialize, Serialize};

use super::{Error, Extent, Layer, Padding, Returns};
use crate::limits;

/// The shape of one row of the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Sizes", into = "Sizes")]
pub enum Shape {
    /// `[features]`: numbers without an order.
    Flat(u32),
    /// `[steps, features]`: a sequence.
    Sequence {
        /// Length of the sequence.
        steps: u32,
        /// Numbers per step.
        features: u32,
    },
    /// `[height, width, channels]`: an image, channels last.
    Image {
        /// Rows of pixels.
        height: u32,
        /// Pixels per row.
        width: u32,
        /// Numbers per pixel.
        channels: u32,
    },
}

/// A number, or a list of them, in files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Sizes {
    /// One number.
    One(u32),
    /// Several.
    Many(Vec<u32>),
}

impl Sizes {
    /// The numbers.
    pub fn as_slice(&self) -> &[u32] {
        match self {
            Sizes::One(size) => std::slice::from_ref(size),
            Sizes::Many(sizes) => sizes,
        }
    }
}

impl From<Shape> for Sizes {
    fn from(shape: Shape) -> Self {
        match shape {
            Shape::Flat(features) => Sizes::One(features),
            other => Sizes::Many(other.sizes()),
        }
    }
}

impl TryFrom<Sizes> for Shape {
    type Error = &'static str;

    fn try_from(sizes: Sizes) -> Result<Self, Self::Error> {
        Shape::of_sizes(sizes.as_slice()).ok_or("a shape has one, two or three sizes")
    }
}

impl Shape {
    /// The shape of one, two or three sizes.
    pub fn of_sizes(sizes: &[u32]) -> Option<Self> {
        Some(match *sizes {
            [features] => Shape::Flat(features),
            [steps, features] => Shape::Sequence { steps, features },
            [height, width, channels] => Shape::Image { height, width, channels },
            _ => return None,
        })
    }

    /// Its sizes, from the outermost to the innermost.
    pub fn sizes(self) -> Vec<u32> {
        match self {
            Shape::Flat(features) => vec![features],
            Shape::Sequence { steps, features } => vec![steps, features],
            Shape::Image { height, width, channels } => vec![height, width, channels],
        }
    }

    /// Numbers in one row; saturates.
    pub fn count(self) -> u32 {
        self.positions().saturating_mul(self.channels())
    }

    /// Steps or pixels; 1 for a flat shape. Saturates.
    pub fn positions(self) -> u32 {
        match self {
            Shape::Flat(_) => 1,
            Shape::Sequence { steps, .. } => steps,
            Shape::Image { height, width, .. } => height.saturating_mul(width),
        }
    }

    /// Numbers per position: the innermost size.
    pub fn channels(self) -> u32 {
        match self {
            Shape::Flat(features) | Shape::Sequence { features, .. } => features,
            Shape::Image { channels, .. } => channels,
        }
    }

    /// The same positions with other channels.
    #[must_use]
    pub fn with_channels(self, channels: u32) -> Self {
        match self {
            Shape::Flat(_) => Shape::Flat(channels),
            Shape::Sequence { steps, .. } => Shape::Sequence { steps, features: channels },
            Shape::Image { height, width, .. } => Shape::Image { height, width, channels },
        }
    }

    /// Height and width; a sequence is as high as it is long and one wide.
    pub(crate) fn extent(self) -> (u32, u32) {
        match self {
            Shape::Flat(_) => (1, 1),
            Shape::Sequence { steps, .. } => (steps, 1),
            Shape::Image { height, width, .. } => (height, width),
        }
    }

    fn is_usable(self) -> bool {
        let sizes = self.sizes();
        sizes.iter().all(|size| *size > 0) && self.count() <= limits::NEURAL_INPUTS_MAX
    }

    fn with_extent(self, (height, width): (u32, u32), channels: u32) -> Self {
        match self {
            Shape::Image { .. } => Shape::Image { height, width, channels },
            _ => Shape::Sequence { steps: height, features: channels },
        }
    }
}

/// The shapes of the values of a specification: the input's, then each layer's output.
///
/// # Errors
/// The first layer that cannot take what comes before it.
pub(crate) fn infer(inputs: Shape, layers: &[Layer]) -> Result<Vec<Shape>, Error> {
    let mut shapes = Vec::with_capacity(layers.len() + 1);
    shapes.push(inputs);
    for (index, layer) in layers.iter().enumerate() {
        let wrong = |what| Error::Layer { layer: index + 1, what };
        if index > 0 && matches!(layer, Layer::Embedding { .. }) {
            return Err(wrong("an embedding takes the network's inputs: put it first"));
        }
        let from = shapes.last().copied().unwrap_or(inputs);
        let with = layer.with().iter().map(|value| {
            let value = usize::try_from(*value).unwrap_or(usize::MAX);
            shapes.get(value).copied().ok_or(wrong("'with' names a layer that is not before it"))
        });
        let with = with.collect::<Result<Vec<_>, _>>()?;
        let to = layer.output(from, &with).map_err(wrong)?;
        if !to.is_usable() {
            return Err(wrong("its output would be empty or larger than the limit"));
        }
        shapes.push(to);
    }
    Ok(shapes)
}

impl Layer {
    /// The layer's output for an input of shape `from`, joined by values of the shapes `with`.
    fn output(&self, from: Shape, with: &[Shape]) -> Result<Shape, &'static str> {
        Ok(match self {
            Layer::Dense { units, .. } => match from {
                Shape::Image { .. } => return Err("a dense layer needs 'flatten' before it"),
                _ => from.with_channels(*units),
            },
            Layer::Conv { filters, kernel, stride, dilation, padding, groups, .. } => {
                let sound = *groups > 0
                    && from.channels().is_multiple_of(*groups)
                    && filters.is_multiple_of(*groups);
                if !sound {
                    return Err("the groups of a convolution divide its channels and filters");
                }
                let extent = windows(from, *kernel, *stride, *dilation, *padding)?;
                from.with_extent(extent, *filters)
            }
            Layer::Pool { window, stride, .. } => {
                let one = if window.is_line() { Extent::Line(1) } else { Extent::Plane(1, 1) };
                let extent = windows(from, *window, *stride, one, Padding::Valid)?;
                from.with_extent(extent, from.channels())
            }
            Layer::Norm { .. } | Layer::Dropout { .. } | Layer::Activation { .. } => from,
            Layer::Embedding { units, .. } => match from {
                Shape::Flat(steps) => Shape::Sequence { steps, features: *units },
                _ => return Err("an embedding takes a row of numbers of words"),
            },
            Layer::Position { .. } | Layer::Attention { .. } | Layer::Recurrent { .. } => {
                self.output_of_sequence(from)?
            }
            Layer::Flatten => Shape::Flat(from.count()),
            Layer::Reshape { shape } if shape.count() == from.count() => *shape,
            Layer::Reshape { .. } => return Err("a reshape keeps the number of numbers"),
            Layer::Add { .. } | Layer::Gate { .. } => {
                if with.iter().any(|other| *other != from) || with.is_empty() {
                    return Err("what is joined to it has another shape");
                }
                from
            }
            Layer::Concat { .. } => {
                let mut channels = from.channels();
                for other in with {
                    if other.with_channels(1) != from.with_channels(1) {
                        return Err("what is joined to it has other positions");
                    }
                    channels = channels.saturating_add(other.channels());
                }
                from.with_channels(channels)
            }
        })
    }

    fn output_of_sequence(&self, from: Shape) -> Result<Shape, &'static str> {
        let Shape::Sequence { steps, features } = from else {
            return Err("it takes a sequence");
        };
        match self {
            Layer::Attention { heads, .. } if *heads == 0 || !features.is_multiple_of(*heads) => {
                Err("the heads of attention divide its features")
            }
            Layer::Recurrent { units, bidirectional, returns, .. } => {
                let features = units.saturating_mul(if *bidirectional { 2 } else { 1 });
                Ok(match returns {
                    Returns::Last => Shape::Flat(features),
                    Returns::All => Shape::Sequence { steps, features },
                })
            }
            _ => Ok(from),
        }
    }
}

/// How many windows fit into an extent, downwards and across.
fn windows(
    from: Shape,
    window: Extent,
    stride: Extent,
    dilation: Extent,
    padding: Padding,
) -> Result<(u32, u32), &'static str> {
    let fits = match from {
        Shape::Flat(_) => false,
        Shape::Sequence { .. } => [window, stride, dilation].iter().all(|size| size.is_line()),
        Shape::Image { .. } => ![window, stride, dilation].iter().any(|size| size.is_line()),
    };
    if !fits {
        return Err("windows of one size slide along a sequence, of two over an image");
    }
    let (height, width) = from.extent();
    let (window, stride, dilation) = (window.pair(), stride.pair(), dilation.pair());
    let down = along(height, window.0, stride.0, dilation.0, padding)?;
    Ok((down, along(width, window.1, stride.1, dilation.1, padding)?))
}

/// How many windows fit along `size`.
fn along(
    size: u32,
    window: u32,
    stride: u32,
    dilation: u32,
    padding: Padding,
) -> Result<u32, &'static str> {
    if window == 0 || stride == 0 || dilation == 0 {
        return Err("windows, strides and dilations are 1 or more");
    }
    let reach = (window - 1).checked_mul(dilation).and_then(|reach| reach.checked_add(1));
    match (padding, reach) {
        // A wider window would see nothing but padding at its ends.
        (Padding::Same, Some(reach)) if reach / 2 <= size => Ok(size.div_ceil(stride)),
        (Padding::Valid, Some(reach)) if reach <= size => Ok((size - reach) / stride + 1),
        _ => Err("the window is larger than what it slides over"),
    }
}
