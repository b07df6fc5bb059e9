//! The blob of an update: every value, or what the compression of its run leaves of them.
//!
//! Whatever a run's updates are sent as, aggregates are computed from the values that everybody
//! reads, so that members, replays and `verify` agree to the bit on updates that lost much.

use std::borrow::Cow;

use super::average::{Error, check_delta};
use crate::compression::{self, Feedback, Tensor};
use crate::dag::RunSpec;
use crate::neural::{self, Layer};
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
/// Those of [`read`] and [`check_delta`].
pub fn check(spec: &RunSpec, blob: &[u8]) -> Result<(), Error> {
    check_delta(&read(spec, blob)?, spec.model.parameter_count())
}

/// The blob of an update of raw little-endian f32, with what the updates before it lost, and what
/// is lost now.
///
/// # Errors
/// Those of [`check_delta`], and [`Error::Compression`].
pub fn write(
    spec: &RunSpec,
    delta: &[u8],
    feedback: &Feedback,
) -> Result<(Vec<u8>, Feedback), Error> {
    let parameters = spec.model.parameter_count();
    check_delta(delta, parameters)?;
    let Some(settings) = spec.compression else { return Ok((delta.to_vec(), Feedback::new())) };
    let values: Vec<f32> = super::average::values(delta).collect();
    let (blob, lost) = feedback.compress(settings, &tensors(spec), &values)?;
    // What was lost before may have made it too large.
    check(spec, &blob)?;
    Ok((blob, lost))
}

#[cfg(test)]
mod tests;
