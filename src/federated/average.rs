//! Federated averaging, exact to the bit.
//!
//! "Communication-Efficient Learning of Deep Networks from Decentralized Data" (AISTATS
//! 2017), algorithm 1: `w' = w + sum_k (n_k / N) d_k` with `N = sum_k n_k`, where `d_k` is what
//! member k's local training changed and `n_k` its number of samples.
//!
//! The order of operations is part of the protocol, because every member recomputes the result and
//! compares hashes. For each parameter, in `f64` with separate multiply and add:
//!
//! ```text
//! sum = 0
//! for update in updates, sorted by vertex id:  sum = sum + n_k * d_k
//! w'  = f32(w + sum / N)
//! ```
//!
//! `n_k * d_k` is exact (20 + 24 bits into 53). `O(parameters)` memory whatever the number of
//! updates. It bounds no hostile member: [`super::aggregator`] has the rules that do.

use crate::{aggregation, compression, limits, masking, privacy};

/// Why weights, a delta or an average is refused.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not four bytes for each parameter of the model.
    #[error("{bytes} bytes; a model of {parameters} parameters has {}", 4 * parameters)]
    Length {
        /// How many bytes there are.
        bytes: usize,
        /// How many parameters the model has.
        parameters: usize,
    },
    /// A value is infinite, not a number, or larger than any sane update.
    #[error("parameter {index} is {value}; only finite values up to +-{max} are used",
        max = limits::DELTA_ABS_MAX)]
    Value {
        /// Which parameter, from 0.
        index: usize,
        /// Its value.
        value: f32,
    },
    /// Zero samples, or more than a member may claim.
    #[error("{samples} samples; an update is trained on 1 to {max}", max = limits::RUN_SAMPLES_MAX)]
    Samples {
        /// How many were claimed.
        samples: u32,
    },
    /// Nothing to average.
    #[error("an average needs at least one update")]
    Empty,
    /// The run's rule cannot be applied to the updates.
    #[error("the rule of the run does not take the updates: {0}")]
    Rule(#[from] aggregation::Error),
    /// The bytes of an update are not what its run sends.
    #[error(transparent)]
    Compression(#[from] compression::Error),
    /// The noise of the run cannot be added.
    #[error(transparent)]
    Privacy(#[from] privacy::Error),
    /// Updates cannot be masked, or their sum not be unmasked.
    #[error(transparent)]
    Masking(#[from] masking::Error),
}

impl Error {
    /// Stable name of the cause.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Length { .. } => "update-length",
            Error::Value { .. } => "update-value",
            Error::Samples { .. } => "update-samples",
            Error::Empty => "update-none",
            Error::Rule(error) => error.code(),
            Error::Compression(error) => error.code(),
            Error::Privacy(error) => error.code(),
            Error::Masking(error) => error.code(),
        }
    }
}

/// A running average over updates; give them in the order of their vertex ids.
#[derive(Debug, Clone)]
pub struct Average {
    /// Sum of `n_k * d_k`, one entry for each parameter.
    sum: Vec<f64>,
    /// Sum of `n_k`.
    samples: u64,
}

impl Average {
    /// An empty average over models of this many parameters.
    pub fn new(parameters: usize) -> Self {
        Self { sum: vec![0.0; parameters], samples: 0 }
    }

    /// Adds one update, whose delta is raw little-endian f32.
    ///
    /// # Errors
    /// [`Error::Samples`], [`Error::Length`] or [`Error::Value`]; the average is then unchanged.
    pub fn add(&mut self, samples: u32, delta: &[u8]) -> Result<(), Error> {
        check_samples(samples)?;
        check_delta(delta, self.sum.len())?;
        let weight = f64::from(samples);
        for (sum, value) in self.sum.iter_mut().zip(values(delta)) {
            let term = weight * f64::from(value);
            *sum += term;
        }
        self.samples += u64::from(samples);
        Ok(())
    }

    /// What the updates come to: the change of each weight.
    ///
    /// # Errors
    /// [`Error::Empty`] without updates.
    #[expect(
        clippy::as_conversions,
        clippy::cast_precision_loss,
        reason = "a sample sum is below 2^53"
    )]
    pub fn change(mut self) -> Result<Vec<f64>, Error> {
        if self.samples == 0 {
            return Err(Error::Empty);
        }
        let total = self.samples as f64;
        self.sum.iter_mut().for_each(|sum| *sum /= total);
        Ok(self.sum)
    }
}

/// Checks the raw bytes of an update: length, and each value finite and of sane size.
///
/// # Errors
/// [`Error::Length`] or [`Error::Value`] with the first offender.
pub fn check_delta(delta: &[u8], parameters: usize) -> Result<(), Error> {
    check_length(delta, parameters)?;
    let sane = |value: f32| value.is_finite() && value.abs() <= limits::DELTA_ABS_MAX;
    match values(delta).enumerate().find(|(_, value)| !sane(*value)) {
        Some((index, value)) => Err(Error::Value { index, value }),
        None => Ok(()),
    }
}

/// Checks a claimed number of samples.
///
/// # Errors
/// [`Error::Samples`] for zero or too many.
pub fn check_samples(samples: u32) -> Result<(), Error> {
    if (1..=limits::RUN_SAMPLES_MAX).contains(&samples) {
        Ok(())
    } else {
        Err(Error::Samples { samples })
    }
}

/// The weights after a change, raw little-endian f32 like those before it.
///
/// # Errors
/// [`Error::Length`] for weights of another model.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "rounding to f32 is the last step of every rule"
)]
pub(super) fn changed(base: &[u8], change: &[f64]) -> Result<Vec<u8>, Error> {
    check_length(base, change.len())?;
    let weight = |(base, change): (f32, &f64)| (f64::from(base) + change) as f32;
    Ok(values(base).zip(change).map(weight).flat_map(f32::to_le_bytes).collect())
}

pub(super) fn check_length(bytes: &[u8], parameters: usize) -> Result<(), Error> {
    if bytes.len() == parameters * 4 {
        Ok(())
    } else {
        Err(Error::Length { bytes: bytes.len(), parameters })
    }
}

pub(crate) fn values(bytes: &[u8]) -> impl Iterator<Item = f32> + '_ {
    let (chunks, _) = bytes.as_chunks::<4>();
    chunks.iter().map(|chunk| f32::from_le_bytes(*chunk))
}

#[cfg(test)]
mod tests;
