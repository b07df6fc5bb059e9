//! Recurrent layers alone: the contracts of a layer, and PyTorch's numbers. `tests/layers` holds
//! them against their definitions.

use super::*;
use crate::neural::layer::Initial;
use crate::neural::layer::testing::{
    Single, assert_close, assert_rows_are_apart, exact, numbers,
    torch::{Case, cases},
};
use crate::neural::specification::{Layer, Shape};
use crate::tensor::index;

const CELLS: [Cell; 3] = [Cell::Rnn, Cell::Lstm, Cell::Gru];

/// A layer over `[steps, inputs]`.
#[derive(Clone, Copy, Debug)]
struct Setting {
    cell: Cell,
    inputs: u32,
    units: u32,
    steps: u32,
    bidirectional: bool,
    returns: Returns,
}

impl Setting {
    fn single(self) -> Single {
        let Setting { cell, units, bidirectional, returns, .. } = self;
        let layer = Layer::Recurrent { cell, units, bidirectional, returns };
        Single::new(&layer, Shape::Sequence { steps: self.steps, features: self.inputs })
    }

    fn columns(self) -> usize {
        index(self.steps * self.inputs)
    }
}

/// Every cell, direction and way to return, with sizes that are no multiples of anything.
fn settings() -> Vec<Setting> {
    let mut settings = Vec::new();
    for cell in CELLS {
        for (inputs, units, steps) in [(3, 5, 4), (1, 1, 1), (9, 8, 2), (2, 1, 5), (8, 11, 3)] {
            for bidirectional in [false, true] {
                for returns in [Returns::Last, Returns::All] {
                    settings.push(Setting { cell, inputs, units, steps, bidirectional, returns });
                }
            }
        }
    }
    settings
}

#[test]
fn a_row_has_the_same_bits_alone_and_among_others() {
    for setting in settings() {
        let x = numbers(4, 7 * setting.columns(), 1.5);
        assert_rows_are_apart(&setting.single(), &x, setting.columns());
    }
}

#[test]
fn a_forget_gate_begins_open() {
    let mut builder = Builder::default();
    let x = builder.value(Shape::Sequence { steps: 4, features: 2 });
    let y = builder.value(Shape::Flat(3));
    let _ = compile((Cell::Lstm, false, Returns::Last), &x, &y, &mut builder);
    let begins = builder.tensors.iter().map(|tensor| (tensor.len(), tensor.initial));
    let (closed, open) = (Initial::Constant(0.0), Initial::Constant(1.0));
    assert_eq!(begins.skip(2).collect::<Vec<_>>(), [(3, closed), (3, open), (6, closed)]);
}

/// Parameters or gradients of PyTorch in our order. Matrices are `[gates * units][in]` there and
/// `[in][gates * units]` here. There are two biases, of which only the GRU's candidate needs both:
/// elsewhere ours is their sum, and has the gradient that each of them has. NaN where a case has
/// no biases.
fn of_torch(case: &Case, cell: Cell, what: &str) -> Vec<f32> {
    let units = index(case.count("hidden_size"));
    let mut ours = Vec::new();
    for suffix in ["", "_reverse"] {
        let name = |part: &str| format!("{part}_l0{suffix}");
        let Some(weights) = case.turned(what, &name("weight_ih")) else { continue };
        let recurrent = case.turned(what, &name("weight_hh")).unwrap();
        let absent = if what == "parameters" { 0.0 } else { f32::NAN };
        let bias = |part| {
            let absent = || vec![absent; recurrent.len() / units];
            case.tensor(what, &name(part)).unwrap_or_else(absent)
        };
        let (outer, inner) = (bias("bias_ih"), bias("bias_hh"));
        ours.extend(weights.iter().chain(&recurrent));
        let joined = if cell == Cell::Gru { 2 * units } else { outer.len() };
        for (place, (outer, inner)) in outer.iter().zip(&inner).enumerate() {
            let adds = what == "parameters" && place < joined;
            ours.push(if adds { outer + inner } else { *outer });
        }
        ours.extend(&inner[joined..]);
    }
    ours
}

#[test]
fn outputs_and_gradients_are_those_of_pytorch() {
    let cases = cases(include_str!("../../../../tests/vectors/torch/recurrent.json"));
    for case in &cases {
        let cell = match case.layer() {
            "rnn" => Cell::Rnn,
            "lstm" => Cell::Lstm,
            _ => Cell::Gru,
        };
        let (steps, inputs) = case.sequence();
        let (units, bidirectional) = (case.count("hidden_size"), case.flag("bidirectional"));
        let returns = Returns::All;
        let mut single = Setting { cell, inputs, units, steps, bidirectional, returns }.single();
        single.set(&of_torch(case, cell, "parameters"));
        let learned = single.learn(&case.numbers("x"), &case.numbers("dy"));
        let gradient = of_torch(case, cell, "gradients");
        for (what, ours, expected) in [
            ("y", learned.y, case.numbers("y")),
            ("dx", learned.dx, case.numbers("dx")),
            ("gradient", learned.gradient, gradient),
        ] {
            let what = format!("{} {what}", case.name());
            assert_close(&ours, &exact(&expected), 1e-5, &what);
        }
    }
    assert_eq!(cases.len(), 12);
}
