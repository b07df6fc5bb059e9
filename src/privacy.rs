//! Noise on updates, and what it hides: differential privacy of a member's rows.
//!
//! An update tells about the rows it was trained on. A run may have its members shorten every
//! update to a length ([`Settings::clip`]) and add noise to it before anybody sees it, so that an
//! update says about as much whatever the rows were. How much "about" is, two numbers say: an
//! (epsilon, delta) that grows with every update ([`Settings::epsilon`]).
//!
//! What is protected is all rows of a member at once, and against everybody, the other members
//! included: nobody adds the noise for it. Two updates of one length limit are at most two such
//! limits apart, which is the sensitivity that counts. Not protected is what is said beside the
//! update: that the author takes part, when, and on how many rows; and of a founder the classes,
//! the scaling and the trusted rows that it writes for all. What is counted is one run of one
//! identity: several runs on the same rows add up.
//!
//! The noise is a discrete Gaussian on a grid of [`noise::SCALE`] steps a standard deviation
//! (Canonne, Kamath and Steinke, 2020), made of integers throughout: Gaussian noise of floating
//! point numbers has gaps that tell what it was added to (Mironov, 2012). It takes its bits from a
//! source that nobody else knows. Who could compute the noise could subtract it, so an update with
//! noise cannot be trained again by anybody.
//!
//! Accounting is Renyi's (Mironov, 2017): [`accountant`].

pub mod accountant;
pub mod noise;

use serde::{Deserialize, Serialize};

use crate::limits;
use crate::rng::Rng;

/// How the members of a run hide their rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The length to which longer updates are shortened, over 0.
    pub clip: f32,
    /// Standard deviation of the noise on each value, in units of `clip`: 0.01 to 1000.
    pub noise: f32,
    /// The delta at which epsilon is told, over 0 and at most 0.01.
    pub delta: f32,
}

/// Why noise cannot be added.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting out of its bounds.
    #[error("{what} is {found}: give {expected}")]
    Setting {
        /// Which one.
        what: &'static str,
        /// What it is.
        found: f32,
        /// What it may be.
        expected: &'static str,
    },
    /// A run with noise, and no source of it.
    #[error("the run has noise, and there is none: hand in a source of random numbers")]
    NoSource,
}

impl Error {
    /// Stable name of the cause.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Setting { .. } => "privacy-setting",
            Error::NoSource => "privacy-source",
        }
    }
}

impl Settings {
    /// Checks the bounds.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn validate(&self) -> Result<(), Error> {
        let check = |is_fine: bool, what, found, expected| {
            if is_fine { Ok(()) } else { Err(Error::Setting { what, found, expected }) }
        };
        let noise = limits::PRIVACY_NOISE_MIN..=limits::PRIVACY_NOISE_MAX;
        let is_fine = noise.contains(&self.noise);
        check(is_fine, "the noise", self.noise, "0.01 to 1000 times the length")?;
        // What noise of six standard deviations makes of a value is still an update's.
        let most = limits::DELTA_ABS_MAX / (1.0 + 6.0 * self.noise);
        let is_fine = self.clip >= limits::PRIVACY_CLIP_MIN && self.clip <= most;
        let expected = "1e-6 or more, and under 1e6 with six times the noise";
        check(is_fine, "the length of an update", self.clip, expected)?;
        let is_fine = self.delta > 0.0 && self.delta <= limits::PRIVACY_DELTA_MAX;
        check(is_fine, "delta", self.delta, "a number over 0 and at most 0.01")
    }

    /// The epsilon of so many updates of one member, at the settings' delta: whatever its rows, no
    /// outcome is more than `e^epsilon` times as likely as with others, but for delta.
    pub fn epsilon(&self, updates: u64) -> f64 {
        // The difference of two updates of length `clip` is up to twice as long.
        let multiplier = f64::from(self.noise) / 2.0;
        accountant::epsilon(multiplier, updates, f64::from(self.delta))
    }

    /// Shortens an update and adds noise to each value.
    ///
    /// `source` is secret: a sequence that others know hides nothing.
    pub fn hide(&self, update: &[f32], source: &mut Rng) -> Vec<f32> {
        let deviation = f64::from(self.clip) * f64::from(self.noise);
        let step = deviation / f64::from(noise::SCALE);
        let shortened = self.shortened(update, step);
        shortened.into_iter().map(|value| value_of(value + noise::sample(source), step)).collect()
    }

    /// An update in whole steps, no longer than `clip`: rounded towards zero, which shortens, and
    /// compared in integers.
    fn shortened(&self, update: &[f32], step: f64) -> Vec<i64> {
        let wide = update.iter().map(|value| f64::from(*value));
        let norm = wide.clone().map(|value| value * value).sum::<f64>().sqrt();
        let radius = (f64::from(self.clip) / step).floor();
        let mut factor = (radius / norm).min(1.0 / step);
        loop {
            let values: Vec<i64> = wide.clone().map(|value| steps_of(value * factor)).collect();
            let square: u128 = values.iter().map(|value| square(*value)).sum();
            if square <= square_of(radius) {
                return values;
            }
            // Sums of floating point numbers may have been a last bit too short.
            factor *= 1.0 - 1.0e-9;
        }
    }
}

#[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "towards zero")]
fn steps_of(value: f64) -> i64 {
    value as i64
}

fn square(value: i64) -> u128 {
    let value = u128::from(value.unsigned_abs());
    value * value
}

/// The square of a radius in steps, rounded down.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a radius has at most 2^18 / 0.01 steps"
)]
fn square_of(radius: f64) -> u128 {
    let radius = radius as u128;
    radius * radius
}

/// What everybody may round as they like: the noise is in it already.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "rounds what is released"
)]
fn value_of(steps: i64, step: f64) -> f32 {
    (steps as f64 * step) as f32
}

#[cfg(test)]
mod tests;
