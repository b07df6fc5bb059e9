//! A learnt vector for each word: `[rows, steps] -> [rows, steps, units]`.
//!
//! Words come as whole numbers in the network's input, which is checked where rows enter
//! (`Error::Word`), so that nothing here can miss; it stands first, and its input has no gradient.

use std::ops::Range;

use super::{Builder, Compiled, Initial, Step, Value, table};
use crate::tensor::{octets, octets_mut};

#[derive(Debug)]
struct Embedding {
    vocabulary: usize,
    table: Range<usize>,
}

/// The limit of a uniform distribution of variance 1, the variance PyTorch begins with.
const LIMIT: f64 = 1.732_050_807_568_877_2;

pub(super) fn compile(
    vocabulary: usize,
    y: &Value,
    builder: &mut Builder,
) -> impl Compiled + use<> {
    let table = builder.matrix(vocabulary, y.channels(), Initial::Uniform(LIMIT));
    Embedding { vocabulary, table }
}

impl Compiled for Embedding {
    fn forward(&self, step: &mut Step<'_>) {
        let (x, y) = (step.wiring.x(), &step.wiring.y);
        let ([from, out], _) = step.pass.slots([x.slot, y.slot]);
        let entries = step.parameters.get(&self.table);
        let words = from.chunks_exact(x.stride).flat_map(|row| row.iter().take(x.channels()));
        for (out, word) in out.chunks_exact_mut(y.step).zip(words) {
            let entry = table::entry(entries, self.vocabulary, self.word(*word));
            octets_mut(out).iter_mut().zip(entry).for_each(|(to, from)| *to = *from);
        }
    }

    fn backward(&self, step: &mut Step<'_>) {
        let (x, y) = (step.wiring.x(), &step.wiring.y);
        let ([from, d], _) = step.pass.slots([x.slot, step.wiring.dy]);
        let entries = step.gradient.get_mut(self.table.clone()).unwrap_or_default();
        entries.fill(0.0);
        let words = from.chunks_exact(x.stride).flat_map(|row| row.iter().take(x.channels()));
        for (d, word) in d.chunks_exact(y.step).zip(words) {
            let entry = table::entry_mut(entries, self.vocabulary, self.word(*word));
            entry.zip(octets(d)).for_each(table::add);
        }
        if let Some(dx) = step.wiring.dx() {
            step.pass.slot(dx).fill(0.0);
        }
    }
}

impl Embedding {
    /// The word of an input; of one that was never checked, the nearest.
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be a word; and the cast saturates"
    )]
    fn word(&self, input: f32) -> usize {
        (input as usize).min(self.vocabulary - 1)
    }
}
