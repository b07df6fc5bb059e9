//! A specification compiled once: the layers to call, in order, with their places in memory.
//!
//! ```text
//! specification -> shapes -> layers over named slots -> lifetimes -> places -> Plan
//! ```
//!
//! Places in the arena are counted *per row* of the batch, so that one plan serves every batch
//! size. Slots whose lifetimes do not overlap share their place (greedy, by size, as the memory
//! planners of `ggml` and TensorFlow Lite do). Plans are interned by the whole specification, so a
//! thousand networks of one shape hold one plan.
//!
//! Parameters are one packed array per network: for each layer its matrices `[panel][k][8]` and its
//! vectors padded to whole panels. The canonical order, which is hashed and exchanged, is that of
//! the layers and of the tensors within a layer, matrices row-major `[in][out]`, without padding.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::neural::layer::{self, Builder, Compiled, Slot, Tensor, Value, Wiring, narrow};
use crate::neural::specification::{self, Error, Loss, Specification};
use crate::tensor::index;

/// A compiled specification.
pub struct Plan {
    specification: Specification,
    layers: Vec<Box<dyn Compiled>>,
    wirings: Vec<Wiring>,
    tensors: Vec<Tensor>,
    packed_len: usize,
    parameter_count: usize,
    input: Value,
    output: Value,
    forward: Program,
    training: Program,
}

/// One pass over a batch.
#[derive(Debug)]
pub(crate) struct Program {
    /// What to do, in order.
    pub(crate) ops: Vec<Op>,
    /// Where each slot lies; slots that the pass does not use have no place.
    pub(crate) places: Vec<Place>,
    /// Numbers the arena holds per row.
    pub(crate) numbers_per_row: usize,
    /// Numbers the arena holds besides, at its start.
    pub(crate) numbers_fixed: usize,
}

/// A matrix in the arena: rows of `stride` numbers, starting at `offset` times the batch's rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) offset: u32,
    pub(crate) stride: u32,
}

/// One thing to do. In the formulas `d` is the gradient of the loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// A layer's output.
    Forward(u32),
    /// From the outputs and the targets: the gradient of the output, and the loss.
    Loss {
        /// The gradient.
        d: Slot,
    },
    /// A layer's gradients.
    Backward(u32),
    /// `to += from`: the gradient of a value that several layers take.
    Accumulate {
        /// One more part of it.
        from: Slot,
        /// The sum.
        to: Slot,
    },
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan").field("parameters", &self.parameter_count).finish_non_exhaustive()
    }
}

impl Plan {
    /// The plan of `specification`, compiled now or shared with whoever holds it already.
    ///
    /// # Errors
    /// Those of [`Specification::validate`].
    pub fn of(specification: &Specification) -> Result<Arc<Self>, Error> {
        static PLANS: Mutex<Vec<Weak<Plan>>> = Mutex::new(Vec::new());
        // A panic while the lock was held leaves at worst an entry that nobody holds.
        let mut plans = PLANS.lock().unwrap_or_else(PoisonError::into_inner);
        // Distinct shapes are few, so a list is searched faster than a map is built.
        for known in plans.iter() {
            if let Some(plan) = known.upgrade().filter(|plan| plan.specification == *specification)
            {
                return Ok(plan);
            }
        }
        specification.validate_forced()?;
        plans.retain(|plan| plan.strong_count() > 0);
        let plan = Arc::new(Self::compile(specification.clone())?);
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

    /// Numbers of the canonical parameters.
    pub fn parameter_count(&self) -> usize {
        self.parameter_count
    }

    pub(crate) fn layer(&self, layer: u32) -> Option<(&dyn Compiled, &Wiring)> {
        let layer = index(layer);
        self.layers.get(layer).map(Box::as_ref).zip(self.wirings.get(layer))
    }

    pub(crate) fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    pub(crate) fn input(&self) -> &Value {
        &self.input
    }

    pub(crate) fn output(&self) -> &Value {
        &self.output
    }

    pub(crate) fn forward(&self) -> &Program {
        &self.forward
    }

    pub(crate) fn training(&self) -> &Program {
        &self.training
    }

    fn compile(specification: Specification) -> Result<Self, Error> {
        let shapes = specification::infer(specification.inputs, &specification.layers)?;
        let mut draft = Draft::default();
        let input = draft.builder.input(specification.inputs);
        draft.values.push(input);
        for (layer, shape) in specification.layers.iter().zip(shapes.iter().skip(1)) {
            let number = draft.values.len();
            draft.add(layer, *shape).map_err(|what| Error::Layer { layer: number, what })?;
        }
        let output = draft.values.last().copied().unwrap_or(input);
        let forward = draft.forward_program();
        let training = draft.training_program(specification.loss);
        let parameter_count = draft.builder.tensors.iter().map(Tensor::len).sum();
        debug_assert_eq!(parameter_count, specification.parameter_count(), "counted twice");
        Ok(Self {
            specification,
            layers: draft.layers,
            wirings: draft.wirings,
            packed_len: draft.builder.packed_len,
            tensors: draft.builder.tensors,
            parameter_count,
            input,
            output,
            forward,
            training,
        })
    }
}

/// A plan whose slots have no place yet.
#[derive(Default)]
struct Draft {
    builder: Builder,
    /// The input, then the output of each layer.
    values: Vec<Value>,
    layers: Vec<Box<dyn Compiled>>,
    wirings: Vec<Wiring>,
    /// For each layer the values it takes, by number.
    inputs: Vec<Vec<usize>>,
    /// For each layer the slots of its own.
    kept: Vec<Vec<Slot>>,
}

impl Draft {
    fn add(
        &mut self,
        layer: &specification::Layer,
        shape: specification::Shape,
    ) -> Result<(), &'static str> {
        let mut inputs = vec![self.values.len() - 1];
        inputs.extend(layer.with().iter().map(|value| index(*value)));
        let xs: Vec<Value> =
            inputs.iter().filter_map(|value| self.values.get(*value).copied()).collect();
        let y = self.builder.value(shape);
        let dy = self.builder.slot(y.stride);
        self.builder.layer += 1;
        let first = xs.first().copied().unwrap_or(y);
        self.layers.push(layer::compile(layer, &first, &y, &mut self.builder)?);
        self.kept.push(std::mem::take(&mut self.builder.kept));
        self.values.push(y);
        self.wirings.push(Wiring { dxs: vec![None; xs.len()], xs, y, dy, cancels: false });
        self.inputs.push(inputs);
        Ok(())
    }

    fn forward_program(&self) -> Program {
        let ops = (0..narrow(self.layers.len())).map(Op::Forward).collect();
        self.place(ops)
    }

    /// Forward, then back through the layers.
    fn training_program(&mut self, loss: Loss) -> Program {
        let count = self.layers.len();
        let mut ops: Vec<Op> = (0..narrow(count)).map(Op::Forward).collect();
        if let Some(last) = self.wirings.last_mut() {
            last.cancels = loss.is_of_probabilities();
            ops.push(Op::Loss { d: last.dy });
        }
        // Which values have a gradient already.
        let mut begun = vec![false; self.values.len()];
        for layer in (0..count).rev() {
            let inputs = self.inputs.get(layer).cloned().unwrap_or_default();
            let (mut dxs, mut parts) = (Vec::with_capacity(inputs.len()), Vec::new());
            for value in inputs {
                // The input's gradient is nobody's business.
                let sum = value.checked_sub(1).and_then(|of| self.wirings.get(of)).map(|of| of.dy);
                let Some((sum, begun)) = sum.zip(begun.get_mut(value)) else {
                    dxs.push(None);
                    continue;
                };
                if std::mem::replace(begun, true) {
                    let stride = self.values.get(value).map_or(0, |value| value.stride);
                    let part = self.builder.slot(stride);
                    parts.push(Op::Accumulate { from: part, to: sum });
                    dxs.push(Some(part));
                } else {
                    dxs.push(Some(sum));
                }
            }
            if let Some(wiring) = self.wirings.get_mut(layer) {
                wiring.dxs = dxs;
            }
            ops.push(Op::Backward(narrow(layer)));
            ops.extend(parts);
        }
        self.place(ops)
    }

    /// Gives every slot of a program its place.
    fn place(&self, ops: Vec<Op>) -> Program {
        let lifetimes = self.lifetimes(&ops);
        let (offsets, numbers_per_row) = place(&self.builder.strides, &lifetimes);
        let places = offsets.into_iter().zip(&self.builder.strides).zip(&lifetimes);
        let places = places.map(|((offset, stride), lifetime)| match lifetime {
            Some(_) => Place { offset: narrow(offset), stride: narrow(*stride) },
            None => Place::default(),
        });
        let trains = ops.iter().any(|op| matches!(op, Op::Backward(_)));
        let numbers_fixed =
            if trains { self.builder.fixed_max } else { self.builder.fixed_run_max };
        Program { places: places.collect(), ops, numbers_per_row, numbers_fixed }
    }

    /// First and last operation that touches each slot. The input lives from before the first one,
    /// the output until after the last one; what is kept for going back lives until then.
    fn lifetimes(&self, ops: &[Op]) -> Vec<Option<(usize, usize)>> {
        let mut lifetimes: Vec<Option<(usize, usize)>> = vec![None; self.builder.strides.len()];
        let mut touch = |slot: Slot, at: usize| {
            if let Some(lifetime) = lifetimes.get_mut(index(slot.0)) {
                let (first, last) = lifetime.unwrap_or((at, at));
                *lifetime = Some((first.min(at), last.max(at)));
            }
        };
        let input = self.values.first();
        if let Some(input) = input {
            touch(input.slot, 0);
        }
        for (at, op) in ops.iter().enumerate() {
            match op {
                Op::Forward(layer) | Op::Backward(layer) => {
                    let layer = index(*layer);
                    let Some(wiring) = self.wirings.get(layer) else { continue };
                    wiring.xs.iter().chain([&wiring.y]).for_each(|value| touch(value.slot, at));
                    let kept = self.kept.get(layer).into_iter().flatten();
                    kept.for_each(|slot| touch(*slot, at));
                    if matches!(op, Op::Backward(_)) {
                        let dxs = wiring.dxs.iter().flatten();
                        dxs.chain([&wiring.dy]).for_each(|slot| touch(*slot, at));
                    }
                }
                Op::Loss { d } => touch(*d, at),
                Op::Accumulate { from, to } => [from, to].iter().for_each(|slot| touch(**slot, at)),
            }
        }
        if let Some(output) = self.values.last() {
            touch(output.slot, ops.len());
        }
        lifetimes
    }
}

/// Greedy placement: the largest first, each at the lowest offset where nothing lives with it.
/// What has no lifetime has no place.
fn place(strides: &[usize], lifetimes: &[Option<(usize, usize)>]) -> (Vec<usize>, usize) {
    let mut offsets = vec![0; strides.len()];
    // Start, end and lifetime of what has its place, by start.
    let mut placed: Vec<(usize, usize, (usize, usize))> = Vec::with_capacity(strides.len());
    let mut waiting: Vec<(usize, usize, (usize, usize))> = strides
        .iter()
        .zip(lifetimes)
        .enumerate()
        .filter_map(|(name, (stride, lifetime))| Some((name, *stride, (*lifetime)?)))
        .collect();
    let mut total = 0;
    while let Some(at) = widest(&waiting) {
        let (name, stride, lifetime) = waiting.remove(at);
        let mut offset = 0;
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

/// Where the widest of the waiting slots stands, the first of equals. There are few, and a library
/// sort is 6 kB of wasm.
fn widest(waiting: &[(usize, usize, (usize, usize))]) -> Option<usize> {
    let mut best: Option<(usize, usize)> = None;
    for (at, (_, stride, _)) in waiting.iter().enumerate() {
        if best.is_none_or(|(_, widest)| widest < *stride) {
            best = Some((at, *stride));
        }
    }
    best.map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::neural::specification::{Activation, Layer, Shape};

    fn specification(units: &[u32]) -> Specification {
        let layer = |units: &u32| Layer::dense(*units, Activation::Tanh);
        Specification {
            inputs: Shape::Flat(5),
            layers: units.iter().map(layer).collect(),
            loss: Loss::Mse,
        }
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
                .map(|name| (8 * (1 + name * seed % 5), Some((name, name + name % 4))))
                .unzip();
            let (offsets, total) = place(&strides, &lifetimes);
            for a in 0..strides.len() {
                assert!(offsets[a] + strides[a] <= total);
                for b in 0..a {
                    let (one, other) = (lifetimes[a].unwrap(), lifetimes[b].unwrap());
                    let together = one.0 <= other.1 && other.0 <= one.1;
                    let apart = offsets[a] + strides[a] <= offsets[b]
                        || offsets[b] + strides[b] <= offsets[a];
                    assert!(apart || !together, "slots {a} and {b}");
                }
            }
            assert!(Plan::of(&specification(&units)).is_ok());
        }
    }
}
