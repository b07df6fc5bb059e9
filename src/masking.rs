//! Sums of which nobody sees the parts: secure aggregation.
//!
//! A mean needs the sum of a round's updates and none of them alone. After Bonawitz and others,
//! "Practical Secure Aggregation for Privacy-Preserving Machine Learning" (CCS 2017), each member
//! of a *cohort* adds masks to its update, and what is published looks like random words:
//!
//! ```text
//! y_u = x_u + own(u) + sum over v after u of pair(u, v) - sum over v before u of pair(v, u)
//! ```
//!
//! Each `pair` comes once with either sign, so the sum over the cohort lacks them. The members deal
//! [`shamir`] shares of two secrets beforehand: of the seed behind `own`, and of the key behind
//! `pair`. Afterwards the holders reveal, for a member whose update is there, shares of the first,
//! and for one that dropped out shares of the second; never both of one member, because both open
//! its update. So the sum of those who are there is opened, and nothing else.
//!
//! - [`ring`]: whole numbers modulo 2^64 in the place of floating point ones: sums are exact,
//!   whatever their order, and a mask hides every bit.
//! - [`stream`]: what a mask is: `ChaCha20`, a key for each cohort and pair, the round and the
//!   tensor in the nonce, so that no mask comes twice.
//! - [`shamir`]: secrets in shares. [`agreement`]: keys that two agree on, and sealed shares.
//! - [`sum`]: an update with its masks, and a sum without them.
//!
//! What it does not do: it hides no update from members who hold as many shares as a secret takes,
//! it finds no lie in an update (a masked one may be anything), and a member that deals wrong
//! shares can hold a round up. X25519 does not stand up to quantum computers. Who says what to whom
//! and when is for the runs, which keep it in the history.

#[cfg(feature = "mesh")]
pub mod ring;

#[cfg(feature = "mesh")]
pub mod stream;

#[cfg(feature = "mesh")]
pub mod shamir;

#[cfg(feature = "mesh")]
pub mod agreement;

#[cfg(feature = "mesh")]
pub mod sum;

use serde::{Deserialize, Serialize};

use crate::limits;

/// How the updates of a run are masked.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What larger values of an update are cut to, on either side of zero: 0.001 to 1024.
    pub clip: f32,
    /// Of a hundred holders of a secret, more than so many are needed to open it: 50 to 90.
    pub threshold: u8,
}

/// Why something cannot be masked, shared or opened.
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
    /// A value that is infinite or not a number.
    #[error("value {index} of the update is {value}; only finite values can be masked")]
    Value {
        /// Which one, from 0.
        index: usize,
        /// What it is.
        value: f32,
    },
    /// Not eight bytes for each value.
    #[error("{bytes} bytes are no masked update of {values} values, which has {}", 8 * values)]
    Length {
        /// How many bytes there are.
        bytes: usize,
        /// How many values the model has.
        values: usize,
    },
    /// A sum that no updates of the run come to.
    #[error(
        "value {index} of the sum is beyond what updates of the run come to: a member lied, and \
         nobody can tell which one"
    )]
    Overflow {
        /// Which one, from 0.
        index: usize,
    },
    /// Shares in a number that cannot be.
    #[error("{shares} shares of which {threshold} open the secret: give 1 to 255, and no less")]
    Shares {
        /// How many shares.
        shares: usize,
        /// How many of them open the secret.
        threshold: usize,
    },
    /// A key with which no secret can be agreed.
    #[error("the key of another member is unusable: no secret can be agreed with it")]
    Key,
    /// A sealed share that was made for another place, or changed.
    #[error("a sealed share does not open: it was made with another key, or changed")]
    Sealed,
    /// Secrets that do not fit the members of a cohort.
    #[error("the cohort has {parties} members, and secrets of {secrets} are open")]
    Secrets {
        /// Members.
        parties: usize,
        /// Opened secrets.
        secrets: usize,
    },
}

impl Error {
    /// Stable name of the cause.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Setting { .. } => "masking-setting",
            Error::Value { .. } => "masking-value",
            Error::Length { .. } => "masking-length",
            Error::Overflow { .. } => "masking-overflow",
            Error::Shares { .. } => "masking-shares",
            Error::Key => "masking-key",
            Error::Sealed => "masking-sealed",
            Error::Secrets { .. } => "masking-secrets",
        }
    }
}

impl Settings {
    /// Checks the bounds.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn validate(&self) -> Result<(), Error> {
        let clip = limits::MASKING_CLIP_MIN..=limits::MASKING_CLIP_MAX;
        if !clip.contains(&self.clip) {
            let (what, expected) = ("what values are cut to", "0.001 to 1024");
            return Err(Error::Setting { what, found: self.clip, expected });
        }
        let threshold = limits::MASKING_THRESHOLD_MIN..=limits::MASKING_THRESHOLD_MAX;
        if !threshold.contains(&self.threshold) {
            let (what, expected) = ("the threshold", "50 to 90 of a hundred");
            return Err(Error::Setting { what, found: f32::from(self.threshold), expected });
        }
        Ok(())
    }

    /// How many of so many holders open a secret: more than the threshold's share of them.
    ///
    /// ```
    /// # use synaptic_mesh::masking::Settings;
    /// let settings = Settings { clip: 16.0, threshold: 66 };
    /// assert_eq!([3, 4, 5, 10].map(|holders| settings.needed(holders)), [2, 3, 4, 7]);
    /// ```
    pub fn needed(&self, holders: usize) -> usize {
        holders * usize::from(self.threshold) / 100 + 1
    }
}

#[cfg(feature = "mesh")]
#[cfg(test)]
mod tests;
