//! How the learning rate changes in the course of a training.

use crate::neural::error::Error;

/// A learning rate for every step, in parts of the one in the options.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Schedule {
    /// Steps in which the rate rises from nothing, evenly; 0 for none.
    pub warm_up_steps: u32,
    /// What happens after that.
    pub decay: Decay,
}

/// How the rate falls.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Decay {
    /// It stays.
    #[default]
    None,
    /// It is multiplied by `factor` after every so many epochs.
    Step {
        /// Epochs between two falls, 1 or more.
        epochs: u32,
        /// Above 0, at most 1.
        factor: f32,
    },
}

impl Schedule {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`Error::Option`].
    pub fn validate(&self) -> Result<(), Error> {
        match self.decay {
            Decay::Step { epochs: 0, .. } => {
                Err(Error::Option("a rate falls after 1 epoch or more"))
            }
            Decay::Step { factor, .. } if !(factor > 0.0 && factor <= 1.0) => {
                Err(Error::Option("a rate falls by a factor above 0 and at most 1"))
            }
            _ => Ok(()),
        }
    }

    /// The part of the rate in a step, counted from 1, of an epoch, counted from 1.
    #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "a share of steps")]
    pub(crate) fn factor(&self, step: u64, epoch: u64) -> f32 {
        let rising = match u64::from(self.warm_up_steps) {
            all if step < all => step as f32 / all as f32,
            _ => 1.0,
        };
        rising
            * match self.decay {
                Decay::None => 1.0,
                Decay::Step { epochs, factor } => {
                    let falls = epoch.saturating_sub(1) / u64::from(epochs.max(1));
                    (0..falls.min(FALLS_MAX)).fold(1.0, |part, _| part * factor)
                }
            }
    }
}

/// After so many falls nothing changes any more. Arbitrary, sane: 0.9 to this power is 1e-46.
const FALLS_MAX: u64 = 1_000;
