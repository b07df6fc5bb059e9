//! What an author's updates lost, which it adds to the next one.

use super::{Error, Settings, Tensor, compress, decompress};

/// Error feedback of one author in one run. It is not part of the run: who loses it, by leaving or
/// by a restart, begins with none, and no more is lost than what compression took from one update.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Feedback {
    /// One value for each parameter, or none so far.
    lost: Vec<f32>,
}

impl Feedback {
    /// Nothing was lost so far.
    pub fn new() -> Self {
        Self::default()
    }

    /// Compresses an update with what was lost before, and says what is lost then. What was lost
    /// counts only once the update is sent, so the caller decides.
    ///
    /// # Errors
    /// Those of [`compress`].
    pub fn compress(
        &self,
        settings: Settings,
        tensors: &[Tensor],
        update: &[f32],
    ) -> Result<(Vec<u8>, Self), Error> {
        let mut whole = update.to_vec();
        // Of another model it says nothing.
        if self.lost.len() == whole.len() {
            whole.iter_mut().zip(&self.lost).for_each(|(value, lost)| *value += lost);
        }
        let bytes = compress(settings, tensors, &whole)?;
        let read = decompress(settings, tensors, &bytes)?;
        whole.iter_mut().zip(read).for_each(|(value, read)| *value -= read);
        Ok((bytes, Self { lost: whole }))
    }
}
