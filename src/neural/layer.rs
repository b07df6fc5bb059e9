//! Compiled layers: what a plan calls, and what they work on.
//!
//! A layer is compiled once, by its `compile` function, which takes places for its parameters and
//! its intermediate numbers from a [`Builder`] and keeps only their offsets. Afterwards
//! [`Compiled::forward`] and [`Compiled::backward`] work on slices of one arena and take no memory.
//!
//! Contracts, for every layer:
//! - A value has its positions `step` numbers apart and its rows `stride` apart, both multiples of
//!   eight; only an image that is the network's input has `step` equal to its channels, so that a
//!   window's pixels lie side by side. What lies behind the channels of a position is padding: of
//!   any finite value in a value, and 0 in a gradient.
//! - `forward` writes `y` whole. `backward` may change `dy`, writes `dx` whole where it is wanted,
//!   and writes the gradient of each of its parameters whole.
//! - In inference a row gives the same bits alone and among others.

#![cfg_attr(
    not(feature = "layers"),
    expect(dead_code, reason = "the dense layer alone needs less than all layers together")
)]

mod dense;

mod finish;

#[cfg(feature = "layers")]
mod recurrent;

#[cfg(feature = "layers")]
mod attention;

#[cfg(feature = "layers")]
mod reshape;

#[cfg(feature = "layers")]
mod activate;

#[cfg(feature = "layers")]
mod join;

#[cfg(feature = "layers")]
mod grid;

#[cfg(feature = "layers")]
mod conv;

#[cfg(feature = "layers")]
mod pool;

#[cfg(feature = "layers")]
mod norm;

#[cfg(feature = "layers")]
mod dropout;

#[cfg(feature = "layers")]
mod table;

#[cfg(feature = "layers")]
mod embedding;

#[cfg(feature = "layers")]
mod position;

#[cfg(test)]
#[cfg(feature = "layers")]
mod testing;

#[cfg(test)]
#[cfg(feature = "layers")]
mod tests;

use std::ops::Range;

use crate::neural::arena::Pass;
#[cfg(feature = "layers")]
use crate::neural::specification::Norm;
use crate::neural::specification::{Layer, Shape};
use crate::tensor::{index, pack, padded};

/// A layer with its places.
///
/// Not `Debug`: the formatting of everything in every layer, floats included, is 25 kB of wasm.
pub(crate) trait Compiled: Send + Sync {
    /// `y` from the inputs.
    fn forward(&self, step: &mut Step<'_>);

    /// From `dy`: the gradients of the inputs that are wanted, and those of the parameters.
    fn backward(&self, step: &mut Step<'_>);
}

/// Names a matrix in the arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot(pub(crate) u32);

/// What flows between layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Value {
    /// Where it lies.
    pub(crate) slot: Slot,
    /// What it is.
    pub(crate) shape: Shape,
    /// Numbers from one position to the next.
    pub(crate) step: usize,
    /// Numbers from one row of the batch to the next.
    pub(crate) stride: usize,
}

impl Value {
    /// Steps, pixels, or 1.
    pub(crate) fn positions(&self) -> usize {
        index(self.shape.positions())
    }

    /// Numbers per position, without padding.
    pub(crate) fn channels(&self) -> usize {
        index(self.shape.channels())
    }
}

/// What a layer is connected to.
#[derive(Clone, Debug)]
pub(crate) struct Wiring {
    /// Its inputs: the layer before it, then those it names.
    pub(crate) xs: Vec<Value>,
    /// Its output.
    pub(crate) y: Value,
    /// The gradient of its output.
    pub(crate) dy: Slot,
    /// Where the gradients of its inputs go, if they are wanted; placed like the inputs.
    pub(crate) dxs: Vec<Option<Slot>>,
    /// Whether `dy` is that of the sums before its activation, because activation and loss cancel.
    pub(crate) cancels: bool,
}

impl Wiring {
    /// Its first input.
    pub(crate) fn x(&self) -> &Value {
        self.xs.first().expect("a plan gives every layer an input")
    }

    /// Where the gradient of its first input goes.
    pub(crate) fn dx(&self) -> Option<Slot> {
        self.dxs.first().copied().flatten()
    }
}

/// Everything a layer works on in one pass.
#[derive(Debug)]
pub(crate) struct Step<'a> {
    /// Values, gradients of values, and scratch memory.
    pub(crate) pass: Pass<'a>,
    /// Packed parameters. Training changes those that are not trained: see [`Initial::Statistic`].
    pub(crate) parameters: Parameters<'a>,
    /// Packed gradient; empty in inference.
    pub(crate) gradient: &'a mut [f32],
    /// What this layer is connected to.
    pub(crate) wiring: &'a Wiring,
    /// Randomness of this step of training, the same for all layers; `None` in inference.
    pub(crate) seed: Option<u64>,
}

/// The packed parameters of a pass.
#[derive(Debug)]
pub(crate) enum Parameters<'a> {
    /// In inference nothing changes.
    Inference(&'a [f32]),
    /// In training running statistics do.
    Training(&'a mut [f32]),
}

impl Parameters<'_> {
    /// One tensor.
    pub(crate) fn get(&self, range: &Range<usize>) -> &[f32] {
        let all = match self {
            Parameters::Inference(all) => all,
            Parameters::Training(all) => &**all,
        };
        all.get(range.clone()).unwrap_or_default()
    }

    /// One tensor, to change; empty in inference.
    pub(crate) fn get_mut(&mut self, range: &Range<usize>) -> &mut [f32] {
        match self {
            Parameters::Inference(_) => &mut [],
            Parameters::Training(all) => all.get_mut(range.clone()).unwrap_or_default(),
        }
    }
}

/// Some of a layer's parameters: a matrix in panels, or a vector padded to whole panels.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tensor {
    /// Rows of the matrix `[k][n]`; 0 for a vector of `n`.
    pub(crate) k: usize,
    /// Columns.
    pub(crate) n: usize,
    /// Where it lies among the packed parameters.
    pub(crate) range: Range<usize>,
    /// How it begins.
    pub(crate) initial: Initial,
    /// Whose it is, counted from 1.
    pub(crate) layer: u32,
}

/// How parameters begin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Initial {
    /// All the same; not drawn.
    Constant(f32),
    /// All the same, and never trained: what is seen while training is kept here.
    Statistic(f32),
    /// Uniform within the limit of 0.
    Uniform(f64),
}

impl Tensor {
    /// Numbers in canonical order.
    pub(crate) fn len(&self) -> usize {
        self.k.max(1) * self.n
    }

    /// From canonical order, row-major `[k][n]`, to the packed parameters.
    pub(crate) fn pack(&self, canonical: &[f32], packed: &mut [f32]) {
        let to = packed.get_mut(self.range.clone()).unwrap_or_default();
        if self.k > 0 {
            pack::pack(canonical, self.k, self.n, to);
        } else {
            to.fill(0.0);
            to.iter_mut().zip(canonical).for_each(|(to, from)| *to = *from);
        }
    }

    /// Undoes [`Tensor::pack`].
    pub(crate) fn unpack(&self, packed: &[f32], canonical: &mut [f32]) {
        let from = packed.get(self.range.clone()).unwrap_or_default();
        if self.k > 0 {
            pack::unpack(from, self.k, self.n, canonical);
        } else {
            canonical.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
        }
    }
}

/// Hands out places while a plan is compiled.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    /// Parameters so far, in canonical order.
    pub(crate) tensors: Vec<Tensor>,
    /// Numbers per row of each slot so far.
    pub(crate) strides: Vec<usize>,
    /// Numbers of the packed parameters so far.
    pub(crate) packed_len: usize,
    /// Numbers that do not depend on the rows, of the layer that needs most of them: in training
    /// and in inference.
    pub(crate) fixed_max: usize,
    pub(crate) fixed_run_max: usize,
    /// The layer being compiled, counted from 1.
    pub(crate) layer: u32,
    /// Slots of the layer being compiled, kept from `forward` to `backward`.
    pub(crate) kept: Vec<Slot>,
}

impl Builder {
    /// A slot of so many numbers per row, rounded up to whole panels.
    pub(crate) fn slot(&mut self, numbers_per_row: usize) -> Slot {
        self.strides.push(padded(numbers_per_row));
        Slot(narrow(self.strides.len() - 1))
    }

    /// A slot of the layer's own: for what `backward` wants of what `forward` computed, or for work
    /// within a call.
    pub(crate) fn kept(&mut self, numbers_per_row: usize) -> Slot {
        let slot = self.slot(numbers_per_row);
        self.kept.push(slot);
        slot
    }

    /// Room for `backward` that does not depend on the rows and is not kept between calls: what
    /// [`Pass::slots`] gives besides.
    pub(crate) fn fixed(&mut self, numbers: usize) {
        self.fixed_max = self.fixed_max.max(padded(numbers));
    }

    /// The same for `forward`, where it is needed in inference too.
    pub(crate) fn fixed_in_forward(&mut self, numbers: usize) {
        self.fixed_run_max = self.fixed_run_max.max(padded(numbers));
        self.fixed(numbers);
    }

    /// A value of some shape.
    pub(crate) fn value(&mut self, shape: Shape) -> Value {
        let step = padded(index(shape.channels()));
        let stride = step * index(shape.positions());
        Value { slot: self.slot(stride), shape, step, stride }
    }

    /// The network's input.
    pub(crate) fn input(&mut self, shape: Shape) -> Value {
        match shape {
            Shape::Image { channels, .. } => {
                let stride = padded(index(shape.count()));
                Value { slot: self.slot(stride), shape, step: index(channels), stride }
            }
            _ => self.value(shape),
        }
    }

    /// A matrix of parameters, `[k][n]`.
    pub(crate) fn matrix(&mut self, k: usize, n: usize, initial: Initial) -> Range<usize> {
        self.tensor(k, n, pack::packed_len(k, n), initial)
    }

    /// A vector of parameters.
    pub(crate) fn vector(&mut self, n: usize, initial: Initial) -> Range<usize> {
        self.tensor(0, n, padded(n), initial)
    }

    fn tensor(&mut self, k: usize, n: usize, len: usize, initial: Initial) -> Range<usize> {
        let range = self.packed_len..self.packed_len + len;
        self.packed_len = range.end;
        self.tensors.push(Tensor { k, n, range: range.clone(), initial, layer: self.layer });
        range
    }
}

/// The layer of a specification with its places; `x` is its first input, `y` its output.
///
/// # Errors
/// What is not there in a build without the feature `layers`.
#[cfg_attr(
    feature = "layers",
    expect(clippy::unnecessary_wraps, reason = "without the feature something is not there")
)]
pub(crate) fn compile(
    layer: &Layer,
    x: &Value,
    y: &Value,
    builder: &mut Builder,
) -> Result<Box<dyn Compiled>, &'static str> {
    #[cfg(feature = "layers")]
    return Ok(compile_any(layer, x, y, builder));
    #[cfg(not(feature = "layers"))]
    match layer {
        Layer::Dense { activation, .. } => Ok(Box::new(dense::compile(*activation, x, y, builder))),
        _ => Err("this part of the program computes dense layers only"),
    }
}

/// Every layer there is.
#[cfg(feature = "layers")]
fn compile_any(layer: &Layer, x: &Value, y: &Value, builder: &mut Builder) -> Box<dyn Compiled> {
    match layer {
        Layer::Dense { activation, .. } => Box::new(dense::compile(*activation, x, y, builder)),
        Layer::Recurrent { cell, bidirectional, returns, .. } => {
            Box::new(recurrent::compile((*cell, *bidirectional, *returns), x, y, builder))
        }
        Layer::Attention { heads, causal } => {
            Box::new(attention::compile(*heads, *causal, x, y, builder))
        }
        Layer::Conv { .. } => Box::new(conv::compile(layer, x, y, builder)),
        Layer::Pool { kind, window, stride } => {
            Box::new(pool::compile(*kind, (*window, *stride), x, y))
        }
        Layer::Norm { kind: Norm::Batch } => Box::new(norm::batch(x, builder)),
        Layer::Norm { kind: Norm::Layer } => Box::new(norm::layer(x, builder)),
        Layer::Dropout { rate_per_mille } => {
            Box::new(dropout::compile(*rate_per_mille, y, builder))
        }
        Layer::Embedding { vocabulary, .. } => {
            Box::new(embedding::compile(index(*vocabulary), y, builder))
        }
        Layer::Position { kind } => Box::new(position::compile(*kind, y, builder)),
        Layer::Flatten | Layer::Reshape { .. } => Box::new(reshape::Reshape),
        Layer::Activation { activation } => Box::new(activate::compile(*activation, y, builder)),
        Layer::Add { .. } => Box::new(join::Add),
        Layer::Gate { .. } => Box::new(join::gate(y, builder)),
        Layer::Concat { .. } => Box::new(join::Concat),
    }
}

/// A number below the limits of a specification, all of which fit 32 bits.
pub(crate) fn narrow(number: usize) -> u32 {
    u32::try_from(number).expect("limits.rs keeps every size of a plan below 2^32")
}
