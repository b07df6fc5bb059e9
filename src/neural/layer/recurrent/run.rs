//! One direction of a recurrent layer at work: all rows of the batch, one step at a time.

use super::{gru, lstm, part, rnn};
use crate::neural::specification::Cell;
use crate::simd::F32x4;
use crate::tensor::strided;

/// What a direction works on; `gates` and `products` are `[rows, steps, sums]`, `before` is
/// `[rows, steps, state]`, `state` is `[rows, state]`.
#[derive(Debug)]
pub(super) struct Run<'a> {
    pub(super) cell: Cell,
    pub(super) lengths: Lengths,
    pub(super) gates: &'a mut [f32],
    pub(super) products: &'a mut [f32],
    pub(super) before: &'a mut [f32],
    pub(super) state: &'a mut [f32],
}

/// How much of everything there is; numbers of sums and states with padding.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lengths {
    pub(super) units: usize,
    pub(super) steps: usize,
    pub(super) rows: usize,
    pub(super) sums: usize,
    pub(super) state: usize,
}

impl Run<'_> {
    /// The `h` of each row, without padding.
    pub(super) fn states(&mut self) -> impl Iterator<Item = &mut [f32]> {
        let Lengths { units, state, .. } = self.lengths;
        self.state.chunks_exact_mut(state).map(move |state| state.split_at_mut(units).0)
    }

    /// Keeps the states before a step.
    pub(super) fn remember(&mut self, at: usize) {
        let Lengths { steps, state: len, .. } = self.lengths;
        for (row, state) in self.state.chunks_exact(len).enumerate() {
            part::nth_mut(self.before, row * steps + at, len).copy_from_slice(state);
        }
    }

    /// What the products of a step are added to, if not to the sums.
    pub(super) fn begin(&mut self, at: usize, candidate: &[f32]) {
        let Lengths { units, steps, rows, sums, .. } = self.lengths;
        if self.cell == Cell::Gru {
            for row in 0..rows {
                gru::begin(part::nth_mut(self.products, row * steps + at, sums), candidate, units);
            }
        }
    }

    /// Adds `h U` to the sums or products of a step: `[rows, units] x [units, sums]`.
    pub(super) fn add_product(&mut self, at: usize, weights: &[f32]) {
        let Lengths { units, steps, sums, state, .. } = self.lengths;
        let all = if self.cell == Cell::Gru { &mut *self.products } else { &mut *self.gates };
        let to = all.get_mut(at * sums..).unwrap_or_default();
        strided::accumulate::<F32x4>(self.state, state, units, weights, to, steps * sums);
    }

    /// Adds `d U^T` to the gradient of the states: `[rows, sums] x [sums, units]`.
    pub(super) fn add_product_back(&mut self, at: usize, k: usize, transposed: &[f32]) {
        let Lengths { steps, sums, state, .. } = self.lengths;
        let all = if self.cell == Cell::Gru { &*self.products } else { &*self.gates };
        let from = all.get(at * sums..).unwrap_or_default();
        strided::accumulate::<F32x4>(from, steps * sums, k, transposed, self.state, state);
    }

    /// From the sums of a step: its gates, and the states after it.
    pub(super) fn forward(&mut self, at: usize) {
        let Lengths { units, steps, sums, state: len, .. } = self.lengths;
        for (row, state) in self.state.chunks_exact_mut(len).enumerate() {
            let place = row * steps + at;
            let gates = part::nth_mut(self.gates, place, sums);
            match self.cell {
                Cell::Rnn => rnn::forward::<F32x4>(gates, state, units),
                Cell::Lstm => lstm::forward::<F32x4>(gates, state, units),
                Cell::Gru => {
                    let products = part::nth_mut(self.products, place, sums);
                    gru::forward::<F32x4>(gates, products, state, units);
                }
            }
        }
    }

    /// From the gates of a step and the gradient of the states after it: the gradient of its sums,
    /// and that of the states before it as far as it does not come through the product.
    pub(super) fn backward(&mut self, at: usize) {
        let Lengths { units, steps, sums, state: len, .. } = self.lengths;
        for (row, d) in self.state.chunks_exact_mut(len).enumerate() {
            let place = row * steps + at;
            let gates = part::nth_mut(self.gates, place, sums);
            let before = part::nth_mut(self.before, place, len);
            match self.cell {
                Cell::Rnn => rnn::backward::<F32x4>(gates, d, units),
                Cell::Lstm => lstm::backward::<F32x4>(gates, before, d, units),
                Cell::Gru => {
                    let products = part::nth_mut(self.products, place, sums);
                    gru::backward::<F32x4>(gates, products, before, d, units);
                }
            }
        }
    }
}
