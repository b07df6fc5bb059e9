//! The blob of an update: every value, or what the compression of its run leaves of them.
//!
//! A member that hides its rows ([`crate::privacy`]) adds noise before anything else.
//!
//! Whatever a run's updates are sent as, aggregates are computed from the values that everybody
//! reads, so that members, replays and `verify` agree to the bit on updates that lost much.

use std::borrow::Cow;

use super::average::{Error, check_delta};
use crate::compression::{self, Feedback, Tensor};
use crate::dag::RunSpec;
use crate::masking::{self, ring};
use crate::neural::{self, Layer};
use crate::privacy;
use crate::rng::Rng;
use crate::tensor::index;

/// The tensors of a run's model in canonical order: of each layer the weights, then the biases. A
/// run trains dense layers only.
pub fn tensors(spec: &RunSpec) -> Vec<Tensor> {
    let mut inputs = index(spec.model.inputs());
    let mut tensors = Vec::with_capacity(2 * spec.model.layers.len());
    for layer in &spec.model.layers {
        if let Layer::Dense { units, .. } = layer {
            let units = index(*units);
            tensors.extend([[inputs, units], [1, units]]);
            inputs = units;
        }
    }
    tensors
}

/// Whether the blob of an update can have so many bytes.
pub fn is_size(spec: &RunSpec, bytes: u32) -> bool {
    let bytes = index(bytes);
    if spec.masking.is_some() {
        return bytes == ring::WORD_BYTES * spec.model.parameter_count();
    }
    match spec.compression {
        None => bytes == 4 * spec.model.parameter_count(),
        Some(_) => (1..=compression::bytes_max(&tensors(spec))).contains(&bytes),
    }
}

/// The values of an update, raw little-endian f32, from its blob.
///
/// # Errors
/// [`Error::Compression`]; without compression the bytes are as they come.
pub fn read<'a>(spec: &RunSpec, blob: &'a [u8]) -> Result<Cow<'a, [u8]>, Error> {
    let Some(settings) = spec.compression else { return Ok(blob.into()) };
    let values = compression::decompress(settings, &tensors(spec), blob)?;
    Ok(neural::bytes_of_weights(&values).into())
}

/// Checks the blob of an update.
///
/// # Errors
/// Those of [`read`] and [`check_delta`]. Of a masked update there is only the length to check.
pub fn check(spec: &RunSpec, blob: &[u8]) -> Result<(), Error> {
    let values = spec.model.parameter_count();
    if spec.masking.is_some() {
        let (bytes, is_whole) = (blob.len(), blob.len() == ring::WORD_BYTES * values);
        let wrong = masking::Error::Length { bytes, values };
        return if is_whole { Ok(()) } else { Err(wrong.into()) };
    }
    check_delta(&read(spec, blob)?, spec.model.parameter_count())
}

/// What a member's updates leave to its next one. It is not part of the run: who loses it, by a
/// restart, begins with nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Carried {
    /// What compression took from them.
    feedback: Feedback,
    /// Their mean that forgets, in a run with worker momentum.
    momentum: Vec<f32>,
}

impl Carried {
    /// Worker momentum (Karimireddy, He and Jaggi, 2021): `share` of what was sent last, and the
    /// rest of this update. The first update stands for those before it.
    fn smooth(&self, share: f32, update: &mut [f32]) {
        if self.momentum.len() == update.len() {
            for (update, held) in update.iter_mut().zip(&self.momentum) {
                *update = share * held + (1.0 - share) * *update;
            }
        }
    }
}

/// The blob of an update of raw little-endian f32, with what the updates before it left, and what
/// is left now.
///
/// First comes the run's worker momentum, then its noise, so that nothing of the update is anywhere
/// without it, and then its compression. `source` is asked for nothing in a run without noise.
///
/// # Errors
/// Those of [`check_delta`], [`Error::Compression`], and [`Error::Privacy`] for a run with noise
/// and no source of it.
pub fn write(
    spec: &RunSpec,
    delta: &[u8],
    carried: &Carried,
    source: Option<&mut Rng>,
) -> Result<(Vec<u8>, Carried), Error> {
    let parameters = spec.model.parameter_count();
    check_delta(delta, parameters)?;
    let mut left = Carried::default();
    let mut values: Vec<f32> = super::average::values(delta).collect();
    if let Some(share) = spec.worker_momentum {
        carried.smooth(share, &mut values);
        left.momentum.clone_from(&values);
    }
    if let Some(settings) = spec.privacy {
        values = settings.hide(&values, source.ok_or(privacy::Error::NoSource)?);
    }
    let whole = neural::bytes_of_weights(&values);
    check_delta(&whole, parameters)?;
    let Some(settings) = spec.compression else { return Ok((whole, left)) };
    let (blob, lost) = carried.feedback.compress(settings, &tensors(spec), &values)?;
    left.feedback = lost;
    // What was lost before may have made it too large.
    check(spec, &blob)?;
    Ok((blob, left))
}

#[cfg(test)]
mod tests;
