//! Sizes of polls and what it takes to decide.
//!
//! Unlike the committee engine's, these values *are* its safety: smaller thresholds decide sooner
//! and contradict each other sooner. The defaults are those of avalanchego's
//! `snow/consensus/snowball/parameters.go`.

use super::Error;
use crate::limits;

/// How the results of polls become a preference; see [`super::Snow`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The last item that a poll was for. What Avalanche's main network runs.
    Snowflake,
    /// The item that most polls were for.
    Snowball,
}

/// Parameters; everybody on a network has the same ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Which rule.
    pub rule: Rule,
    /// Seats that are drawn for a poll (count), 1 to [`limits::POLL_SEATS_MAX`].
    pub k: u32,
    /// Seats for one item that change the preference (count), more than half of `k`.
    pub alpha_preference: u32,
    /// Seats for one item that raise the confidence in it (count), `alpha_preference` to `k`.
    pub alpha_confidence: u32,
    /// Polls in a row for one item that decide (count), 1 to [`limits::POLLS_IN_A_ROW_MAX`].
    pub beta: u32,
    /// Polls of one key that are under way at once (count), 1 to `beta`.
    pub concurrent: u32,
    /// Time until answers to a poll are late (milliseconds), at least 1: a round trip round the
    /// world, as long as the committee engine waits at first.
    pub poll_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            rule: Rule::Snowflake,
            k: 20,
            alpha_preference: 15,
            alpha_confidence: 15,
            beta: 20,
            concurrent: 4,
            poll_ms: 300,
        }
    }
}

impl Config {
    /// Checks that `k / 2 < alpha_preference <= alpha_confidence <= k` and
    /// `0 < concurrent <= beta`, and the bounds.
    ///
    /// # Errors
    /// [`Error::Config`] with the rule that is broken.
    pub fn validate(&self) -> Result<(), Error> {
        let rules = [
            (0 < self.k && self.k <= limits::POLL_SEATS_MAX, "k is 1 to 64"),
            (self.alpha_preference > self.k / 2, "alpha_preference is more than half of k"),
            (
                self.alpha_preference <= self.alpha_confidence,
                "alpha_confidence is no less than alpha_preference",
            ),
            (self.alpha_confidence <= self.k, "alpha_confidence is at most k"),
            (0 < self.beta && self.beta <= limits::POLLS_IN_A_ROW_MAX, "beta is 1 to 1024"),
            (0 < self.concurrent && self.concurrent <= self.beta, "concurrent is 1 to beta"),
            (self.concurrent <= limits::POLLS_OPEN_MAX, "concurrent is at most 16"),
            (self.poll_ms > 0, "poll_ms is at least 1"),
        ];
        match rules.iter().find(|(holds, _)| !holds) {
            Some((_, rule)) => Err(Error::Config { rule }),
            None => Ok(()),
        }
    }
}
