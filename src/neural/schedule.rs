//! How the learning rate changes in the course of a training.

use crate::math;
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
    /// It falls from epoch to epoch along half a cosine, and then stays (Loshchilov and Hutter
    /// 2017, "SGDR", equation 5, without restarts): in epoch `e` of `epochs`, counted from 0, it
    /// is `least + (1 - least) (1 + cos(pi e / epochs)) / 2`.
    Cosine {
        /// Epochs until it is at its least, 1 or more.
        epochs: u32,
        /// The part that is left then, 0 to 1.
        least: f32,
    },
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
            Decay::Step { epochs: 0, .. } | Decay::Cosine { epochs: 0, .. } => {
                Err(Error::Option("a rate falls after 1 epoch or more"))
            }
            Decay::Step { factor, .. } if !(factor > 0.0 && factor <= 1.0) => {
                Err(Error::Option("a rate falls by a factor above 0 and at most 1"))
            }
            Decay::Cosine { least, .. } if !(0.0..=1.0).contains(&least) => {
                Err(Error::Option("the part of a rate that is left is 0 to 1"))
            }
            _ => Ok(()),
        }
    }

    /// The part of the rate in a step, counted from 1, of an epoch, counted from 1.
    #[expect(
        clippy::as_conversions,
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "shares of steps and epochs; rounds once"
    )]
    pub(crate) fn factor(&self, step: u64, epoch: u64) -> f32 {
        let rising = match u64::from(self.warm_up_steps) {
            all if step < all => step as f32 / all as f32,
            _ => 1.0,
        };
        rising
            * match self.decay {
                Decay::None => 1.0,
                Decay::Cosine { epochs, least } => {
                    let (epochs, least) = (u64::from(epochs.max(1)), f64::from(least));
                    let gone = epoch.saturating_sub(1).min(epochs) as f64 / epochs as f64;
                    let part = 0.5 + 0.5 * math::cos(std::f64::consts::PI * gone);
                    (least + (1.0 - least) * part) as f32
                }
                Decay::Step { epochs, factor } => {
                    let falls = epoch.saturating_sub(1) / u64::from(epochs.max(1));
                    (0..falls.min(FALLS_MAX)).fold(1.0, |part, _| part * factor)
                }
            }
    }
}

/// After so many falls nothing changes any more. Arbitrary, sane: 0.9 to this power is 1e-46.
const FALLS_MAX: u64 = 1_000;
