//! What a layer may cost, so that a specification of whoever it is cannot keep anybody busy.

use super::{Cell, Extent, Layer, Position, Shape};
use crate::limits;

impl Layer {
    /// Checks the numbers that no shape depends on.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        match self {
            Layer::Dropout { rate_per_mille } if *rate_per_mille > 999 => {
                Err("a dropout rate is 0 to 999 thousandths")
            }
            Layer::Embedding { vocabulary, .. }
                if !(1..=limits::NEURAL_VOCABULARY_MAX).contains(vocabulary) =>
            {
                Err("an embedding has 1 to 2^20 words")
            }
            Layer::Gate { with } if with.len() != 1 => Err("a gate takes one other value"),
            _ if self.with().len() > limits::NEURAL_LAYERS_MAX => {
                Err("it joins more values than there can be")
            }
            _ => Ok(()),
        }
    }

    /// Multiplications and additions of one row on its way forward, or what takes as long;
    /// saturates.
    pub(super) fn multiply_adds(&self, from: Shape, to: Shape) -> u64 {
        let (inputs, outputs) = (u64::from(from.count()), u64::from(to.count()));
        let (steps, channels) = (u64::from(from.positions()), u64::from(from.channels()));
        let taps = |extent: Extent| {
            let (down, across) = extent.pair();
            u64::from(down).saturating_mul(u64::from(across))
        };
        match self {
            Layer::Dense { .. } => outputs.saturating_mul(channels),
            Layer::Conv { kernel, groups, .. } => {
                let k = taps(*kernel).saturating_mul(channels / u64::from((*groups).max(1)));
                outputs.saturating_mul(k)
            }
            Layer::Pool { window, .. } => outputs.saturating_mul(taps(*window)),
            Layer::Recurrent { cell, units, bidirectional, .. } => {
                let gates = match cell {
                    Cell::Rnn => 1,
                    Cell::Lstm => 4,
                    Cell::Gru => 3,
                };
                let units = u64::from(*units);
                let step = (channels + units).saturating_mul(units).saturating_mul(gates);
                let directions = if *bidirectional { 2 } else { 1 };
                step.saturating_mul(steps).saturating_mul(directions)
            }
            // Four projections, then scores and sums of all pairs of steps.
            Layer::Attention { .. } => inputs
                .saturating_mul(4 * channels)
                .saturating_add(inputs.saturating_mul(2).saturating_mul(steps)),
            Layer::Add { with } | Layer::Gate { with } | Layer::Concat { with } => {
                outputs.saturating_mul(1 + u64::try_from(with.len()).unwrap_or(u64::MAX))
            }
            Layer::Norm { .. }
            | Layer::Dropout { .. }
            | Layer::Embedding { .. }
            | Layer::Position { kind: Position::Sinusoidal | Position::Learned }
            | Layer::Flatten
            | Layer::Reshape { .. }
            | Layer::Activation { .. } => inputs.max(outputs),
        }
    }
}
