//! The scratch memory of one worker: every intermediate number of a pass over a batch.
//!
//! One arena serves any number of networks, one after the other; it grows to the largest pass and
//! stays. Nothing in it means anything between two passes.

use crate::limits;
use crate::neural::error::Error;
use crate::neural::layer::Slot;
use crate::neural::plan::{Place, Program};
use crate::tensor::index;

/// Scratch memory, shared by all networks of a worker.
#[derive(Debug, Default)]
pub struct Arena {
    numbers: Vec<f32>,
}

/// The arena cut for one pass: its fixed part and its rows.
#[derive(Debug)]
pub(crate) struct Pass<'a> {
    /// Room that does not depend on the rows, for one layer at a time.
    fixed: &'a mut [f32],
    numbers: &'a mut [f32],
    places: &'a [Place],
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
    pub(crate) fn pass<'a>(
        &'a mut self,
        program: &'a Program,
        rows: usize,
    ) -> Result<Pass<'a>, Error> {
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
        let numbers = rest.get_mut(..rows * program.numbers_per_row).unwrap_or_default();
        Ok(Pass { fixed, numbers, places: &program.places, rows })
    }
}

impl Pass<'_> {
    /// Rows of the batch.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// The same pass, for as long as somebody else works on it.
    pub(crate) fn reborrow(&mut self) -> Pass<'_> {
        Pass { fixed: self.fixed, numbers: self.numbers, places: self.places, rows: self.rows }
    }

    /// One matrix.
    pub(crate) fn slot(&mut self, slot: Slot) -> &mut [f32] {
        let range = self.range(slot);
        self.numbers.get_mut(range).unwrap_or_default()
    }

    /// Matrices that live together, and the fixed part.
    pub(crate) fn slots<const N: usize>(
        &mut self,
        slots: [Slot; N],
    ) -> ([&mut [f32]; N], &mut [f32]) {
        let ranges = slots.map(|slot| self.range(slot));
        let slots = self
            .numbers
            .get_disjoint_mut(ranges)
            .expect("a plan never lets slots overlap that live together");
        (slots, self.fixed)
    }

    fn range(&self, slot: Slot) -> std::ops::Range<usize> {
        let place = self.places.get(index(slot.0)).copied().unwrap_or_default();
        let start = index(place.offset) * self.rows;
        start..start + index(place.stride) * self.rows
    }
}
