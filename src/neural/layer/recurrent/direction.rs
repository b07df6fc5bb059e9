//! One direction of a recurrent layer: its parameters, and its places in the arena.

use std::ops::Range;

use super::{Builder, Slot};
use crate::neural::layer::Initial;
use crate::neural::specification::Cell;
use crate::tensor::padded;

/// A layer reads forwards, and perhaps backwards with parameters of its own.
#[derive(Debug)]
pub(super) struct Direction {
    pub(super) backwards: bool,
    /// Where its outputs begin among those of a position.
    pub(super) begin: usize,
    /// `[in][gates * units]`.
    pub(super) input: Range<usize>,
    /// `[units][gates * units]`.
    pub(super) recurrent: Range<usize>,
    /// The bias `[gates * units]` in parts that begin alike, with the length of each.
    pub(super) bias: Vec<(usize, Range<usize>)>,
    /// The GRU's bias inside the product with the reset gate, `[units]`; empty for others.
    pub(super) candidate: Range<usize>,
    /// `[steps, gates * units]`: sums, then gates, then the gradients of the sums.
    pub(super) gates: Slot,
    /// The same of `h U` where it is not simply a part of the sums: only for the GRU.
    pub(super) products: Slot,
    /// `[steps, state]`: the states before each step; only in training.
    pub(super) before: Slot,
    /// The state of the present step, or its gradient.
    pub(super) state: Slot,
}

/// Sums of a step for each unit.
pub(super) fn gates(cell: Cell) -> usize {
    match cell {
        Cell::Rnn => 1,
        Cell::Gru => 3,
        Cell::Lstm => 4,
    }
}

/// Numbers of a state: `h`, and behind it the LSTM's memory.
pub(super) fn state_len(cell: Cell, units: usize) -> usize {
    padded(units) * if cell == Cell::Lstm { 2 } else { 1 }
}

impl Direction {
    /// Weights begin uniform within `1 / sqrt(units)`, as in PyTorch; biases begin at 0, but that
    /// of the LSTM's forget gate at 1, so that it forgets little (Jozefowicz et al. 2015).
    #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "sizes are exact")]
    pub(super) fn new(
        cell: Cell,
        [inputs, units, steps]: [usize; 3],
        backwards: bool,
        builder: &mut Builder,
    ) -> Self {
        let sums = gates(cell) * units;
        let initial = Initial::Uniform(1.0 / (units as f64).sqrt());
        let input = builder.matrix(inputs, sums, initial);
        let recurrent = builder.matrix(units, sums, initial);
        let parts: &[(usize, f32)] = match cell {
            Cell::Rnn | Cell::Gru => &[(sums, 0.0)],
            Cell::Lstm => &[(units, 0.0), (units, 1.0), (2 * units, 0.0)],
        };
        let part =
            |(len, value): &(usize, f32)| (*len, builder.vector(*len, Initial::Constant(*value)));
        let bias = parts.iter().map(part).collect();
        let gru = cell == Cell::Gru;
        let all = steps * padded(sums);
        Self {
            backwards,
            begin: if backwards { units } else { 0 },
            input,
            recurrent,
            bias,
            candidate: if gru { builder.vector(units, Initial::Constant(0.0)) } else { 0..0 },
            gates: builder.kept(all),
            products: builder.kept(if gru { all } else { 0 }),
            before: builder.kept(steps * state_len(cell, units)),
            state: builder.kept(state_len(cell, units)),
        }
    }
}
