//! The scratch memory of one worker: every intermediate number of a pass over a batch.
//!
//! One arena serves any number of networks, one after the other; it grows to the largest pass and
//! stays. Nothing in it means anything between two passes.

use crate::limits;
use crate::neural::error::Error;
use crate::neural::plan::{Program, Slot};
use crate::tensor::index;

/// Scratch memory, shared by all networks of a worker.
#[derive(Debug, Default)]
pub struct Arena {
    numbers: Vec<f32>,
}

/// The arena cut for one pass: its fixed part and its rows.
#[derive(Debug)]
pub(crate) struct Pass<'a> {
    /// Room for the transposed weights of one layer and a bias.
    pub(crate) fixed: &'a mut [f32],
    slots: &'a mut [f32],
    rows: usize,
}

impl Arena {
    /// An empty arena; it takes memory with its first use.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes the arena holds.
    pub fn size_bytes(&self) -> usize {
        self.numbers.len() * size_of::<f32>()
    }

    /// Cuts the arena for `rows` rows of `program`, growing it if it never was that large.
    ///
    /// # Errors
    /// [`Error::ArenaTooLarge`] above [`limits::NEURAL_ARENA_NUMBERS_MAX`].
    pub(crate) fn pass(&mut self, program: &Program, rows: usize) -> Result<Pass<'_>, Error> {
        let numbers = program
            .numbers_per_row
            .checked_mul(rows)
            .and_then(|numbers| numbers.checked_add(program.numbers_fixed))
            .filter(|numbers| *numbers <= limits::NEURAL_ARENA_NUMBERS_MAX)
            .ok_or(Error::ArenaTooLarge { rows, numbers_per_row: program.numbers_per_row })?;
        if self.numbers.len() < numbers {
            self.numbers.resize(numbers, 0.0);
        }
        let (fixed, rest) = self.numbers.split_at_mut(program.numbers_fixed);
        let slots = rest.get_mut(..rows * program.numbers_per_row).unwrap_or_default();
        Ok(Pass { fixed, slots, rows })
    }
}

impl Pass<'_> {
    /// Rows of the batch.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// One matrix.
    pub(crate) fn slot(&mut self, slot: Slot) -> &mut [f32] {
        let range = self.range(slot);
        self.slots.get_mut(range).unwrap_or_default()
    }

    /// Two matrices that live together, and the fixed part.
    pub(crate) fn pair(&mut self, a: Slot, b: Slot) -> (&mut [f32], &mut [f32], &mut [f32]) {
        let ranges = [self.range(a), self.range(b)];
        let [a, b] = self
            .slots
            .get_disjoint_mut(ranges)
            .expect("a plan never lets slots overlap that live together");
        (a, b, self.fixed)
    }

    fn range(&self, slot: Slot) -> std::ops::Range<usize> {
        let start = index(slot.offset) * self.rows;
        start..start + index(slot.stride) * self.rows
    }
}
