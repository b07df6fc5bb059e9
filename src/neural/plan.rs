//! A specification compiled once: the kernels to call, in order, with their places in memory.
//!
//! ```text
//! specification -> shapes -> operations over named slots -> lifetimes -> offsets -> Plan
//! ```
//!
//! An operation is a small record of fixed size; running one is a `match`, without a virtual call
//! and without an allocation. Offsets into the arena are counted *per row* of the batch, so that
//! one plan serves every batch size. Slots whose lifetimes do not overlap share their place
//! (greedy, by size, as the memory planners of `ggml` and TensorFlow Lite do). Plans are interned
//! by the whole specification, so a thousand networks of one shape hold one plan.
//!
//! Parameters are one packed array per network: for each layer its weights `[panel][k][8]`, then
//! its bias padded to whole panels. The canonical order, which is hashed and exchanged, is for each
//! layer its weights row-major `[in][out]`, then its bias `[out]`, without padding.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::neural::specification::{Activation, Error, Loss, Specification};
use crate::tensor::{index, pack, padded};

/// A compiled specification.
#[derive(Debug)]
pub struct Plan {
    specification: Specification,
    layers: Vec<Dense>,
    packed_len: usize,
    forward: Program,
    training: Program,
}

/// Where one layer's parameters lie.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dense {
    /// Inputs of the layer.
    pub(crate) k: usize,
    /// Outputs of the layer.
    pub(crate) n: usize,
    /// Start of the packed weights; the padded bias follows them.
    pub(crate) weights: usize,
    /// Start of the padded bias.
    pub(crate) bias: usize,
    /// End of the padded bias.
    pub(crate) end: usize,
}

/// One pass over a batch.
#[derive(Debug)]
pub(crate) struct Program {
    /// What to do, in order.
    pub(crate) ops: Vec<Op>,
    /// Where the rows of the batch are put before the pass.
    pub(crate) input: Slot,
    /// Where the network's outputs are after it.
    pub(crate) output: Slot,
    /// Numbers the arena holds per row.
    pub(crate) numbers_per_row: usize,
    /// Numbers the arena holds besides, at its start: the transposed weights of one layer, and a
    /// bias of zeros for the product with them.
    pub(crate) numbers_fixed: usize,
}

/// A matrix in the arena: rows of `stride` numbers, starting at `offset` times the batch's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) offset: u32,
    pub(crate) stride: u32,
}

/// One kernel call. `layer` says which parameters; `a` is read, `b` is written or changed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Op {
    pub(crate) kernel: Kernel,
    pub(crate) layer: u32,
    pub(crate) a: Slot,
    pub(crate) b: Slot,
}

/// What an operation does. In the formulas `d` is the gradient of the loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kernel {
    /// `b = f(a x weights + bias)`.
    Dense(Activation),
    /// Softmax of each row of `b`, in place.
    Softmax,
    /// From the outputs `a` and the targets: `b = d outputs`, or already `d sums` where the last
    /// activation and the loss cancel. Adds to the loss of the pass.
    LossGradient,
    /// `b *= f'`, told from the layer's outputs `a`.
    ActivationGradient(Activation),
    /// The same for softmax, whose outputs depend on each other.
    SoftmaxGradient,
    /// Gradient of the weights and the bias from the layer's inputs `a` and its `d sums` in `b`.
    WeightGradient,
    /// `b = d inputs` from the layer's `d sums` in `a`, through the transposed weights.
    InputGradient,
}

// The interpreter reads thousands of these per millisecond: keep one within half a cache line.
const _: () = assert!(size_of::<Op>() <= 32);

impl Plan {
    /// The plan of `specification`, compiled now or shared with whoever holds it already.
    ///
    /// # Errors
    /// Those of [`Specification::validate`].
    pub fn of(specification: &Specification) -> Result<Arc<Self>, Error> {
        static PLANS: Mutex<Vec<Weak<Plan>>> = Mutex::new(Vec::new());
        specification.validate()?;
        // A panic while the lock was held leaves at worst an entry that nobody holds.
        let mut plans = PLANS.lock().unwrap_or_else(PoisonError::into_inner);
        // Distinct shapes are few, so a list is searched faster than a map is built.
        for known in plans.iter() {
            if let Some(plan) = known.upgrade().filter(|plan| plan.specification == *specification)
            {
                return Ok(plan);
            }
        }
        plans.retain(|plan| plan.strong_count() > 0);
        let plan = Arc::new(Self::compile(specification.clone()));
        plans.push(Arc::downgrade(&plan));
        Ok(plan)
    }

    /// What was compiled.
    pub fn specification(&self) -> &Specification {
        &self.specification
    }

    /// Numbers of the packed parameters, padding included.
    pub fn packed_len(&self) -> usize {
        self.packed_len
    }

    pub(crate) fn layers(&self) -> &[Dense] {
        &self.layers
    }

    pub(crate) fn forward(&self) -> &Program {
        &self.forward
    }

    pub(crate) fn training(&self) -> &Program {
        &self.training
    }

    fn compile(specification: Specification) -> Self {
        let layers = lay_out(&specification);
        Self {
            packed_len: layers.last().map_or(0, |layer| layer.end),
            forward: forward_program(&specification, &layers),
            training: training_program(&specification, &layers),
            layers,
            specification,
        }
    }
}

/// Shape inference and the places of the parameters.
fn lay_out(specification: &Specification) -> Vec<Dense> {
    let mut layers = Vec::with_capacity(specification.layers.len());
    let (mut k, mut start) = (index(specification.inputs), 0);
    for layer in &specification.layers {
        let n = index(layer.units);
        let bias = start + pack::packed_len(k, n);
        let end = bias + padded(n);
        layers.push(Dense { k, n, weights: start, bias, end });
        (k, start) = (n, end);
    }
    layers
}

/// Inference: each layer's outputs live only until the next layer has read them.
fn forward_program(specification: &Specification, layers: &[Dense]) -> Program {
    let mut draft = Draft::default();
    let input = draft.slot(index(specification.inputs));
    let output = draft.layers_forward(specification, layers, input).last().copied();
    draft.finish(input, output.unwrap_or(input), 0)
}

/// Training: forward, then back through the layers; every output lives until its gradient is done.
fn training_program(specification: &Specification, layers: &[Dense]) -> Program {
    let mut draft = Draft::default();
    let input = draft.slot(index(specification.inputs));
    let outputs = draft.layers_forward(specification, layers, input);
    let output = outputs.last().copied().unwrap_or(input);
    let mut fixed_max = 0;
    let mut d = draft.slot(index(specification.outputs()));
    draft.push(Kernel::LossGradient, 0, output, d);
    for (layer, dense) in layers.iter().enumerate().rev() {
        let activation = specification.layers.get(layer).map(|layer| layer.activation);
        let cancels = layer + 1 == layers.len() && specification.loss == Loss::CrossEntropy;
        if let (Some(activation), false) = (activation, cancels) {
            let of_layer = outputs.get(layer).copied().unwrap_or(input);
            draft.activation_gradient(activation, layer, of_layer, d);
        }
        let before = layer.checked_sub(1).and_then(|before| outputs.get(before)).copied();
        draft.push(Kernel::WeightGradient, layer, before.unwrap_or(input), d);
        if before.is_some() {
            let d_inputs = draft.slot(dense.k);
            draft.push(Kernel::InputGradient, layer, d, d_inputs);
            fixed_max = fixed_max.max(pack::packed_len(dense.n, dense.k) + padded(dense.k));
            d = d_inputs;
        }
    }
    draft.finish(input, output, fixed_max)
}

/// A program whose slots have no place yet; slots are named by their index.
#[derive(Default)]
struct Draft {
    strides: Vec<usize>,
    ops: Vec<(Kernel, usize, usize, usize)>,
}

impl Draft {
    fn slot(&mut self, columns: usize) -> usize {
        self.strides.push(padded(columns));
        self.strides.len() - 1
    }

    fn push(&mut self, kernel: Kernel, layer: usize, a: usize, b: usize) {
        self.ops.push((kernel, layer, a, b));
    }

    /// The layers in order; the slots of their outputs.
    fn layers_forward(
        &mut self,
        specification: &Specification,
        layers: &[Dense],
        input: usize,
    ) -> Vec<usize> {
        let mut outputs = Vec::with_capacity(layers.len());
        let mut from = input;
        for (index, (layer, dense)) in specification.layers.iter().zip(layers).enumerate() {
            let to = self.slot(dense.n);
            self.push(Kernel::Dense(layer.activation), index, from, to);
            if layer.activation == Activation::Softmax {
                self.push(Kernel::Softmax, index, to, to);
            }
            outputs.push(to);
            from = to;
        }
        outputs
    }

    fn activation_gradient(&mut self, activation: Activation, layer: usize, a: usize, b: usize) {
        match activation {
            Activation::Linear => {}
            Activation::Softmax => self.push(Kernel::SoftmaxGradient, layer, a, b),
            other => self.push(Kernel::ActivationGradient(other), layer, a, b),
        }
    }

    /// Gives every slot its place.
    fn finish(self, input: usize, output: usize, numbers_fixed: usize) -> Program {
        let lifetimes = self.lifetimes(input, output);
        let (offsets, numbers_per_row) = place(&self.strides, &lifetimes);
        let slot = |name: usize| Slot {
            offset: offsets.get(name).copied().map_or(0, narrow),
            stride: self.strides.get(name).copied().map_or(0, narrow),
        };
        let op = |(kernel, layer, a, b): &(Kernel, usize, usize, usize)| Op {
            kernel: *kernel,
            layer: narrow(*layer),
            a: slot(*a),
            b: slot(*b),
        };
        Program {
            ops: self.ops.iter().map(op).collect(),
            input: slot(input),
            output: slot(output),
            numbers_per_row,
            numbers_fixed,
        }
    }

    /// First and last operation that touches each slot; the input lives from before the first one,
    /// the output until after the last one.
    fn lifetimes(&self, input: usize, output: usize) -> Vec<(usize, usize)> {
        let end = self.ops.len();
        let of_slot = |name: usize| {
            let uses = |(_, _, a, b): &(Kernel, usize, usize, usize)| *a == name || *b == name;
            let first = self.ops.iter().position(uses).unwrap_or(0);
            let last = self.ops.iter().rposition(uses).unwrap_or(end);
            (if name == input { 0 } else { first }, if name == output { end } else { last })
        };
        (0..self.strides.len()).map(of_slot).collect()
    }
}

/// Greedy placement: the largest first, each at the lowest offset where nothing lives with it.
fn place(strides: &[usize], lifetimes: &[(usize, usize)]) -> (Vec<usize>, usize) {
    let mut offsets = vec![0; strides.len()];
    // Start, end and lifetime of what has its place, by start.
    let mut placed: Vec<(usize, usize, (usize, usize))> = Vec::with_capacity(strides.len());
    let mut waiting: Vec<usize> = (0..strides.len()).collect();
    let mut total = 0;
    let stride_of = |name: usize| strides.get(name).copied().unwrap_or_default();
    while let Some(at) = largest(&waiting, stride_of) {
        let name = waiting.remove(at);
        let (stride, mut offset) = (stride_of(name), 0);
        let lifetime = lifetimes.get(name).copied().unwrap_or_default();
        for (start, end, other) in &placed {
            let together = lifetime.0 <= other.1 && other.0 <= lifetime.1;
            if together && offset < *end && *start < offset + stride {
                offset = *end;
            }
        }
        if let Some(place) = offsets.get_mut(name) {
            *place = offset;
        }
        let at = placed.partition_point(|(start, ..)| *start <= offset);
        placed.insert(at, (offset, offset + stride, lifetime));
        total = total.max(offset + stride);
    }
    (offsets, total)
}

/// The index of the widest of the waiting slots, the first of equals.
fn largest(waiting: &[usize], stride_of: impl Fn(usize) -> usize) -> Option<usize> {
    let mut best: Option<(usize, usize)> = None;
    for (at, name) in waiting.iter().enumerate() {
        let stride = stride_of(*name);
        if best.is_none_or(|(_, widest)| widest < stride) {
            best = Some((at, stride));
        }
    }
    best.map(|(at, _)| at)
}

/// A number below the limits of a specification, all of which fit 32 bits.
fn narrow(number: usize) -> u32 {
    u32::try_from(number).expect("limits.rs keeps every size of a plan below 2^32")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::neural::specification::Layer;

    fn specification(units: &[u32]) -> Specification {
        let layer = |units: &u32| Layer { units: *units, activation: Activation::Tanh };
        Specification { inputs: 5, layers: units.iter().map(layer).collect(), loss: Loss::Mse }
    }

    #[test]
    fn networks_of_one_shape_share_one_plan() {
        let one = Plan::of(&specification(&[3, 2])).unwrap();
        assert!(Arc::ptr_eq(&one, &Plan::of(&specification(&[3, 2])).unwrap()));
        assert!(!Arc::ptr_eq(&one, &Plan::of(&specification(&[2, 3])).unwrap()));
        assert_eq!(one.packed_len(), 5 * 8 + 8 + 3 * 8 + 8);
    }

    #[test]
    fn inference_reuses_the_place_of_what_nobody_reads_any_more() {
        let plan = Plan::of(&specification(&[40, 40, 40, 40, 40, 2])).unwrap();
        assert_eq!(plan.forward().numbers_per_row, 80);
        assert!(plan.training().numbers_per_row >= 5 * 40);
    }

    #[test]
    fn slots_that_live_together_never_overlap() {
        for layers in 1..12 {
            let units: Vec<u32> = (0..layers).map(|layer| 1 + (layer * 7919) % 50).collect();
            let seed = units.len();
            let (strides, lifetimes): (Vec<_>, Vec<_>) = (0..40_usize)
                .map(|name| (8 * (1 + name * seed % 5), (name, name + name % 4)))
                .unzip();
            let (offsets, total) = place(&strides, &lifetimes);
            for a in 0..strides.len() {
                assert!(offsets[a] + strides[a] <= total);
                for b in 0..a {
                    let together =
                        lifetimes[a].0 <= lifetimes[b].1 && lifetimes[b].0 <= lifetimes[a].1;
                    let apart = offsets[a] + strides[a] <= offsets[b]
                        || offsets[b] + strides[b] <= offsets[a];
                    assert!(apart || !together, "slots {a} and {b}");
                }
            }
            assert!(Plan::of(&specification(&units)).is_ok());
        }
    }
}
