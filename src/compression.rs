//! Updates in few bytes: the largest changes only, in few bits each, entropy coded.
//!
//! A run's update is a difference from weights that all members have, and most of it is small. Of
//! its values the largest are kept ([`Settings::keep`]), each as a whole number of steps of its
//! tensor ([`Settings::bits`]), and what the numbers tell about each other is taken out by an
//! adaptive range coder. What an update loses so, its author adds to the next one ([`Feedback`]):
//! without that the small changes never arrive, and training ends early (Seide, 2014; Stich, 2018;
//! Karimireddy, 2019).
//!
//! ```text
//! bytes = range coder over
//!   for each tensor:      the step, as the upper 16 bits of an f32; 0: no value of it is kept
//!     for each value:     0 or not, likelier as its neighbours are; of the latter
//!                         the sign, and the number of steps less one, as a tree of bits
//! value = number of steps * step, which is exact
//! ```
//!
//! Reading takes any bytes. How many values come out is fixed by the model and not by the bytes,
//! so there are no bombs: the work is a step of the coder for each value, and for each one kept
//! at most eight more. A rule that compares updates has them as if they had come whole. The coder
//! is no crate because those that fit into an artifact of a few kilobytes find repeated bytes, and
//! numbers of an update do not repeat.

mod coder;
mod feedback;
mod select;

pub use feedback::Feedback;

use serde::{Deserialize, Serialize};

use crate::limits;
use coder::{Decoder, Encoder, Model};

/// Bits of a step: the upper half of an `f32`.
const STEP_BITS: u32 = 16;
/// Contexts of "is it kept": whether the two values before and the one a row before were.
const CONTEXTS: usize = 8;

/// How the updates of a run are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Bits of a value: 1 for the sign alone, from 2 to 8 for whole numbers of steps up to
    /// `2^(bits - 1) - 1` on either side of 0.
    pub bits: u32,
    /// Values kept of a million, 1 to 1,000,000, rounded up: the largest.
    pub keep: u32,
}

/// Rows and columns of one tensor of a model, in canonical order; a vector is one row.
pub type Tensor = [usize; 2];

/// Why an update cannot be compressed, or bytes are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting out of its bounds.
    #[error("{what} is {found}: give {expected}")]
    Setting {
        /// Which one.
        what: &'static str,
        /// What it is.
        found: u32,
        /// What it may be.
        expected: &'static str,
    },
    /// Not one value for each parameter of the model.
    #[error("{found} values where the model has {parameters}: give an update of this model")]
    Shape {
        /// How many there are.
        found: usize,
        /// How many the model has.
        parameters: usize,
    },
    /// A value that is infinite, not a number, or larger than any sane update.
    #[error("value {index} is not a number that an update may have: train with a smaller step")]
    Value {
        /// Which one, from 0.
        index: usize,
    },
    /// Bytes that no update comes to: the text says why.
    #[error("{0}: these bytes are not a compressed update of this run")]
    Damaged(&'static str),
}

impl Error {
    /// Stable name of the cause.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Setting { .. } => "compression-setting",
            Error::Shape { .. } => "compression-shape",
            Error::Value { .. } => "compression-value",
            Error::Damaged(_) => "compression-damaged",
        }
    }
}

impl Settings {
    /// Checks the bounds.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn validate(self) -> Result<(), Error> {
        if !(1..=8).contains(&self.bits) {
            let (what, found) = ("the number of bits", self.bits);
            return Err(Error::Setting { what, found, expected: "1 to 8" });
        }
        if !(1..=1_000_000).contains(&self.keep) {
            let (what, found) = ("what is kept of a million values", self.keep);
            return Err(Error::Setting { what, found, expected: "1 to 1,000,000" });
        }
        Ok(())
    }

    /// Whether every value is kept.
    pub fn is_dense(self) -> bool {
        self.keep == 1_000_000
    }

    /// The most values that are kept of so many.
    pub fn kept_max(self, parameters: usize) -> usize {
        let wide = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let kept = wide(parameters).saturating_mul(u64::from(self.keep)).div_ceil(1_000_000);
        usize::try_from(kept).unwrap_or(usize::MAX).min(parameters)
    }

    /// The largest number of steps.
    fn levels(self) -> u32 {
        ((1 << (self.bits.clamp(1, 8) - 1)) - 1_u32).max(1)
    }
}

/// The most bytes that a compressed update of a model may have: never more than it has as numbers,
/// but for the steps of tiny tensors and the end of the coder.
pub fn bytes_max(tensors: &[Tensor]) -> usize {
    4 * parameters(tensors) + 8 * tensors.len() + 8
}

/// Compresses an update of a model: what the same settings read of it is the update, less what
/// they lose. The same update gives the same bytes.
///
/// # Errors
/// [`Error::Setting`], [`Error::Shape`] or [`Error::Value`].
pub fn compress(settings: Settings, tensors: &[Tensor], update: &[f32]) -> Result<Vec<u8>, Error> {
    settings.validate()?;
    let parameters = parameters(tensors);
    if update.len() != parameters {
        return Err(Error::Shape { found: update.len(), parameters });
    }
    // Twice what a run takes: an author adds what was lost of the updates before.
    let sane = |value: &f32| value.is_finite() && value.abs() <= 2.0 * limits::DELTA_ABS_MAX;
    if let Some(index) = update.iter().position(|value| !sane(value)) {
        return Err(Error::Value { index });
    }
    let kept = select::largest(update, settings.kept_max(parameters));
    let mut encoder = Encoder::new();
    let mut models = Models::new(settings);
    let mut rest = kept.as_slice();
    for tensor in tensors {
        let (values, after) = rest.split_at(tensor.iter().product());
        rest = after;
        let step = select::step(settings, values);
        encoder.plain(step, STEP_BITS);
        if step != 0 {
            let numbers = select::numbers(settings, values, step_of(step));
            models.write(&mut encoder, *tensor, &numbers);
        }
    }
    Ok(encoder.finish())
}

/// The update that bytes stand for: one value for each parameter of the model.
///
/// # Errors
/// [`Error::Setting`]; [`Error::Damaged`] for bytes that [`compress`] does not write. They may be
/// any.
pub fn decompress(settings: Settings, tensors: &[Tensor], bytes: &[u8]) -> Result<Vec<f32>, Error> {
    settings.validate()?;
    if bytes.len() > bytes_max(tensors) {
        return Err(Error::Damaged("there are too many"));
    }
    let parameters = parameters(tensors);
    let mut values = Vec::with_capacity(parameters);
    let mut decoder = Decoder::new(bytes);
    let mut models = Models::new(settings);
    for tensor in tensors {
        let step = step_of(decoder.plain(STEP_BITS));
        if !(0.0..=4.0 * limits::DELTA_ABS_MAX).contains(&step) || step.is_sign_negative() {
            return Err(Error::Damaged("a step is not a length"));
        }
        if step > 0.0 {
            let before = models.kept;
            models.read(&mut decoder, *tensor, step, &mut values)?;
            if models.kept == before {
                return Err(Error::Damaged("a step has no values"));
            }
        } else {
            values.resize(values.len() + tensor.iter().product::<usize>(), 0.0);
        }
    }
    if models.kept > settings.kept_max(parameters) {
        return Err(Error::Damaged("more values are kept than the run allows"));
    }
    if !decoder.is_done() {
        return Err(Error::Damaged("there is something behind the end"));
    }
    Ok(values)
}

fn parameters(tensors: &[Tensor]) -> usize {
    tensors.iter().map(|tensor| tensor.iter().product::<usize>()).sum()
}

fn step_of(bits: u32) -> f32 {
    f32::from_bits(bits << STEP_BITS)
}

/// What writer and reader know of the numbers so far.
#[derive(Debug)]
struct Models {
    kept: usize,
    is_kept: [Model; CONTEXTS],
    /// A tree: entry 1 is for the highest bit, entry `2 n` and `2 n + 1` follow entry `n`.
    size: Vec<Model>,
    levels: u32,
    size_bits: u32,
}

impl Models {
    fn new(settings: Settings) -> Self {
        let levels = settings.levels();
        let size_bits = if levels == 1 { 0 } else { settings.bits - 1 };
        // Of those that may be kept many are less than half a step.
        let is_kept = [Model::of_ones(settings.keep.min(500_000)); CONTEXTS];
        Self { kept: 0, is_kept, size: vec![Model::EVEN; 1 << size_bits], levels, size_bits }
    }

    fn write(&mut self, encoder: &mut Encoder, tensor: Tensor, numbers: &[i8]) {
        let mut neighbours = Neighbours::new(tensor);
        for number in numbers {
            let is_kept = *number != 0;
            if let Some(model) = self.is_kept.get_mut(neighbours.context()) {
                encoder.bit(model, is_kept);
            }
            neighbours.add(is_kept);
            if is_kept {
                encoder.plain(u32::from(*number < 0), 1);
                self.write_size(encoder, u32::from(number.unsigned_abs()) - 1);
            }
        }
    }

    fn write_size(&mut self, encoder: &mut Encoder, size: u32) {
        let mut place = 1;
        for shift in (0..self.size_bits).rev() {
            let bit = (size >> shift) & 1 == 1;
            if let Some(model) = self.size.get_mut(place) {
                encoder.bit(model, bit);
            }
            place = 2 * place + usize::from(bit);
        }
    }

    fn read(
        &mut self,
        decoder: &mut Decoder<'_>,
        tensor: Tensor,
        step: f32,
        values: &mut Vec<f32>,
    ) -> Result<(), Error> {
        let mut neighbours = Neighbours::new(tensor);
        for _ in 0..tensor.iter().product() {
            let model = self.is_kept.get_mut(neighbours.context());
            let is_kept = model.is_some_and(|model| decoder.bit(model));
            neighbours.add(is_kept);
            if !is_kept {
                values.push(0.0);
                continue;
            }
            self.kept += 1;
            let is_negative = decoder.plain(1) == 1;
            let number = self.read_size(decoder) + 1;
            if number > self.levels {
                return Err(Error::Damaged("a number has too many steps"));
            }
            let value = f32::from(u8::try_from(number).unwrap_or(u8::MAX)) * step;
            values.push(if is_negative { -value } else { value });
        }
        Ok(())
    }

    fn read_size(&mut self, decoder: &mut Decoder<'_>) -> u32 {
        let mut place = 1;
        for _ in 0..self.size_bits {
            let bit = self.size.get_mut(place).is_some_and(|model| decoder.bit(model));
            place = 2 * place + usize::from(bit);
        }
        u32::try_from(place).unwrap_or(0) - (1 << self.size_bits)
    }
}

/// Whether the values around the next one are kept.
#[derive(Debug)]
struct Neighbours {
    /// The last row, as far as it is not overwritten by this one.
    row: Vec<bool>,
    column: usize,
    last: usize,
}

impl Neighbours {
    fn new([_, columns]: Tensor) -> Self {
        Self { row: vec![false; columns], column: 0, last: 0 }
    }

    fn context(&self) -> usize {
        let above = self.row.get(self.column).copied().unwrap_or(false);
        self.last << 1 | usize::from(above)
    }

    fn add(&mut self, is_kept: bool) {
        if let Some(above) = self.row.get_mut(self.column) {
            *above = is_kept;
        }
        self.column = if self.column + 1 < self.row.len() { self.column + 1 } else { 0 };
        self.last = (self.last << 1 | usize::from(is_kept)) & 3;
    }
}

#[cfg(test)]
mod tests;
