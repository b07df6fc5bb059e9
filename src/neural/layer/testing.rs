//! One layer alone, for its tests: every number that goes in and comes out, and the contracts of
//! [`super`] checked on the way.
//!
//! Scratch memory is NaN before each pass, so that reading what was not written shows; padding of
//! the input is large, padding of the output's gradient 0.

pub(super) mod torch;

use super::{Builder, Compiled, Parameters, Slot, Step, Value, Wiring, compile};
use crate::neural::arena::{Arena, Pass};
use crate::neural::plan::{Place, Program};
use crate::neural::specification::{Layer, Shape, infer};
use crate::rng::Rng;
use crate::tensor::index;

/// A layer with its own memory.
pub(super) struct Single {
    layer: Box<dyn Compiled>,
    builder: Builder,
    wiring: Wiring,
    parameters: Vec<f32>,
}

/// What a step of training makes of one layer; canonical order, without padding.
#[derive(Debug)]
pub(super) struct Learned {
    pub(super) y: Vec<f32>,
    pub(super) dx: Vec<f32>,
    pub(super) gradient: Vec<f32>,
    /// The parameters after the step, which only running statistics change.
    pub(super) parameters: Vec<f32>,
}

impl Single {
    /// The layer for inputs of shape `from`, with parameters that are small numbers.
    pub(super) fn new(layer: &Layer, from: Shape) -> Self {
        let to = infer(from, std::slice::from_ref(layer)).unwrap()[1];
        let mut builder = Builder::default();
        let (x, y) = (builder.value(from), builder.value(to));
        let compiled = compile(layer, &x, &y, &mut builder).unwrap();
        let (dx, dy) = (builder.slot(x.stride), builder.slot(y.stride));
        let wiring = Wiring { xs: vec![x], y, dy, dxs: vec![Some(dx)], cancels: false };
        let parameters = vec![f32::NAN; builder.packed_len];
        let mut single = Self { layer: compiled, builder, wiring, parameters };
        let count = usize::try_from(layer.parameters(from)).unwrap();
        single.set(&numbers(1, count, 0.7));
        single
    }

    /// Replaces the parameters.
    pub(super) fn set(&mut self, canonical: &[f32]) {
        let mut rest = canonical;
        for tensor in &self.builder.tensors {
            let (part, tail) = rest.split_at(tensor.len());
            tensor.pack(part, &mut self.parameters);
            rest = tail;
        }
        assert!(rest.is_empty(), "as many as the specification counts");
    }

    /// The parameters.
    pub(super) fn parameters(&self) -> Vec<f32> {
        self.canonical(&self.parameters)
    }

    fn canonical(&self, packed: &[f32]) -> Vec<f32> {
        let mut canonical = Vec::new();
        for tensor in &self.builder.tensors {
            let mut part = vec![0.0; tensor.len()];
            tensor.unpack(packed, &mut part);
            canonical.extend(part);
        }
        canonical
    }

    /// All slots side by side: what a plan does, without sharing places.
    fn program(&self, numbers_fixed: usize) -> Program {
        let mut end = 0;
        let place = |stride: &usize| {
            let place = Place { offset: end, stride: u32::try_from(*stride).unwrap() };
            end += place.stride;
            place
        };
        let places = self.builder.strides.iter().map(place).collect();
        Program { places, ops: Vec::new(), numbers_per_row: index(end), numbers_fixed }
    }

    /// A pass with NaN everywhere but in the input.
    fn begin<'a>(&self, arena: &'a mut Arena, program: &'a Program, x: &[f32]) -> Pass<'a> {
        let from = self.wiring.x();
        let rows = x.len() / index(from.shape.count());
        let mut pass = arena.pass(program, rows).unwrap();
        for slot in 0..u32::try_from(program.places.len()).unwrap() {
            pass.slot(Slot(slot)).fill(f32::NAN);
        }
        pass.slots([from.slot]).1.fill(f32::NAN);
        spread(x, from, pass.slot(from.slot), 1e30);
        pass
    }

    /// Inference: `y` for rows of `x`.
    pub(super) fn run(&self, x: &[f32]) -> Vec<f32> {
        let (program, mut arena) = (self.program(self.builder.fixed_run_max), Arena::new());
        let mut pass = self.begin(&mut arena, &program, x);
        self.layer.forward(&mut Step {
            pass: pass.reborrow(),
            parameters: Parameters::Inference(&self.parameters),
            gradient: &mut [],
            wiring: &self.wiring,
            seed: None,
        });
        let y = &self.wiring.y;
        let (out, padding) = collect(pass.slot(y.slot), y);
        assert!(padding.iter().all(|number| number.is_finite()), "padding of y");
        out
    }

    /// One step of training.
    pub(super) fn learn(&self, x: &[f32], dy: &[f32]) -> Learned {
        let (program, mut arena) = (self.program(self.builder.fixed_max), Arena::new());
        let (y, dx) = (&self.wiring.y, self.wiring.dx().unwrap());
        let mut pass = self.begin(&mut arena, &program, x);
        spread(dy, y, pass.slot(self.wiring.dy), 0.0);
        let mut parameters = self.parameters.clone();
        let mut gradient = vec![f32::NAN; parameters.len()];
        let mut step = Step {
            pass: pass.reborrow(),
            parameters: Parameters::Training(&mut parameters),
            gradient: &mut gradient,
            wiring: &self.wiring,
            seed: Some(1),
        };
        self.layer.forward(&mut step);
        let (out, padding) = collect(step.pass.slot(y.slot), y);
        assert!(padding.iter().all(|number| number.is_finite()), "padding of y");
        self.layer.backward(&mut step);
        let (dx, padding) = collect(pass.slot(dx), self.wiring.x());
        assert!(padding.iter().all(|number| *number == 0.0), "padding of dx");
        let canonical = self.canonical(&gradient);
        let mut again = vec![0.0; gradient.len()];
        let mut rest = canonical.as_slice();
        for tensor in &self.builder.tensors {
            let (part, tail) = rest.split_at(tensor.len());
            tensor.pack(part, &mut again);
            rest = tail;
        }
        assert_eq!(again, gradient, "padding of the gradient is 0, and nothing was left out");
        let parameters = self.canonical(&parameters);
        Learned { y: out, dx, gradient: canonical, parameters }
    }
}

/// Rows without padding to where a value lies.
fn spread(from: &[f32], value: &Value, to: &mut [f32], padding: f32) {
    to.fill(padding);
    let positions = to.chunks_exact_mut(value.step);
    for (to, from) in positions.zip(from.chunks_exact(value.channels())) {
        to[..from.len()].copy_from_slice(from);
    }
}

/// Undoes [`spread`]: the numbers, and the padding.
fn collect(from: &[f32], value: &Value) -> (Vec<f32>, Vec<f32>) {
    let (mut numbers, mut padding) = (Vec::new(), Vec::new());
    for position in from.chunks_exact(value.step) {
        let (real, rest) = position.split_at(value.channels());
        numbers.extend(real);
        padding.extend(rest);
    }
    (numbers, padding)
}

/// Numbers within `limit` of 0, always the same.
pub(super) fn numbers(seed: u64, count: usize, limit: f32) -> Vec<f32> {
    let mut rng = Rng::from_u64(seed);
    (0..count).map(|_| (2.0 * rng.uniform_f32() - 1.0) * limit).collect()
}

/// The same in `f64`.
pub(super) fn exact(numbers: &[f32]) -> Vec<f64> {
    numbers.iter().map(|number| f64::from(*number)).collect()
}

/// Asserts that numbers are those of an oracle, within `tolerance` of the largest or of 1; where
/// the oracle says NaN it knows nothing.
pub(super) fn assert_close(ours: &[f32], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(ours.len(), expected.len(), "{what}: how many");
    let largest = expected.iter().fold(1.0_f64, |most, number| most.max(number.abs()));
    for (place, (ours, expected)) in ours.iter().zip(expected).enumerate() {
        let error = (f64::from(*ours) - expected).abs();
        let close = expected.is_nan() || error <= tolerance * largest;
        assert!(close && ours.is_finite(), "{what}, {place}: {ours} for {expected}");
    }
}

/// Asserts that a row gives the same bits alone, among others and in training.
pub(super) fn assert_rows_are_apart(single: &Single, x: &[f32], columns: usize) {
    let together = single.run(x);
    let rows = x.len() / columns;
    for (row, x) in x.chunks_exact(columns).enumerate() {
        let alone = single.run(x);
        let among = &together[row * alone.len()..(row + 1) * alone.len()];
        assert!(alone.iter().zip(among).all(|(a, b)| a.to_bits() == b.to_bits()), "row {row}");
    }
    let learned = single.learn(x, &numbers(3, together.len(), 1.0));
    let same = together.iter().zip(&learned.y).all(|(a, b)| a.to_bits() == b.to_bits());
    assert!(same && rows > 1, "training computes what inference does");
}
