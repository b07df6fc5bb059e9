//! A rule with its numbers: what a run fixes, so that every member computes the same.

use serde::{Deserialize, Serialize};

use super::{
    Error, Start, Updates, Weiszfeld, bulyan, centered_clipping, geometric_median, krum, mean,
    median, multi_krum, trimmed_mean,
};
use crate::limits;

/// Steps of [`Rule::GeometricMedian`]: RFA's evaluation stops after three; eight bring the digits'
/// updates within a thousandth of the limit from the origin, where a few updates of zeros would
/// hold it; so it begins at the median.
const WEISZFELD: Weiszfeld = Weiszfeld { smoothing: 1.0e-6, steps: 8, start: Start::Median };
/// Steps of [`Rule::CenteredClipping`] from the origin: the paper's one starts at the last round's
/// centre, which a member that joins late does not have.
const CLIPPING_STEPS: u32 = 5;

/// How updates become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Rule {
    /// [`mean`].
    Mean,
    /// [`median`].
    Median,
    /// [`trimmed_mean`].
    TrimmedMean,
    /// [`krum`].
    Krum,
    /// [`multi_krum`].
    MultiKrum,
    /// [`geometric_median`].
    GeometricMedian,
    /// [`centered_clipping`] with the median radius.
    CenteredClipping,
    /// [`bulyan`].
    Bulyan,
}

impl Rule {
    /// Every rule, in the order of the table of [`crate::aggregation`].
    pub const ALL: [Self; 8] = [
        Self::Mean,
        Self::Median,
        Self::TrimmedMean,
        Self::Krum,
        Self::MultiKrum,
        Self::GeometricMedian,
        Self::CenteredClipping,
        Self::Bulyan,
    ];

    /// Its name, as histories and commands write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Median => "median",
            Self::TrimmedMean => "trimmed-mean",
            Self::Krum => "krum",
            Self::MultiKrum => "multi-krum",
            Self::GeometricMedian => "geometric-median",
            Self::CenteredClipping => "centered-clipping",
            Self::Bulyan => "bulyan",
        }
    }

    /// The fewest updates among which it holds against so many hostile ones. The mean holds
    /// against none, so no number is enough.
    pub fn needs(self, byzantine: usize) -> Option<usize> {
        let times = |factor: usize, more: usize| factor.checked_mul(byzantine)?.checked_add(more);
        match self {
            _ if byzantine == 0 => Some(1),
            Self::Mean => None,
            Self::Krum | Self::MultiKrum => times(2, 3),
            Self::Bulyan => times(4, 3),
            _ => times(2, 1),
        }
    }
}

/// A rule and its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The rule.
    pub rule: Rule,
    /// How many of the updates may be hostile.
    pub byzantine: u32,
    /// The length from which updates are shortened to it first; 0 lets the updates' own lengths
    /// decide, by [`Updates::clip_adaptively`].
    pub radius: f32,
    /// Whether each update becomes the mean of its `n - byzantine` nearest before the rule sees it,
    /// by [`Updates::mix_nearest`]: where members' rows differ, honest updates become alike.
    #[serde(default, skip_serializing_if = "is_off")]
    pub mixing: bool,
}

/// None has one encoding: no field.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_off(mixing: &bool) -> bool {
    !mixing
}

impl Settings {
    /// The fewest updates they can be applied to.
    ///
    /// # Errors
    /// [`Error::Setting`] for hostile updates under a mean, or more than can be counted, and for a
    /// radius that is negative or not finite, and for mixing against nobody.
    pub fn needs(&self) -> Result<usize, Error> {
        if !(self.radius >= 0.0 && self.radius.is_finite()) {
            let expected = "a finite number over 0, or 0 for the updates' own lengths";
            let value = f64::from(self.radius);
            return Err(Error::Setting { what: "the clipping radius", value, expected });
        }
        if self.mixing && (self.rule == Rule::Mean || self.byzantine == 0) {
            let expected = "1 or more where updates are mixed, and a rule other than the mean";
            let value = f64::from(self.byzantine);
            return Err(Error::Setting { what: "the number of hostile updates", value, expected });
        }
        let byzantine = usize::try_from(self.byzantine).ok();
        let needed = byzantine.and_then(|byzantine| self.rule.needs(byzantine));
        let value = f64::from(self.byzantine);
        let expected = "0 for the mean, or another rule";
        needed.ok_or(Error::Setting { what: "the number of hostile updates", value, expected })
    }

    /// The most updates of a model with so many parameters that they are applied to: fewer than the
    /// mean takes, because the mean needs the memory of one.
    pub fn updates_max(&self, parameters: usize) -> usize {
        let most = match self.rule {
            Rule::Mean => return limits::AGGREGATE_UPDATES_MAX,
            Rule::Krum | Rule::MultiKrum | Rule::Bulyan => limits::AGGREGATION_COMPARED_MAX,
            _ if self.mixing => limits::AGGREGATION_COMPARED_MAX,
            _ => limits::AGGREGATE_UPDATES_MAX,
        };
        // What is mixed stands beside what it is mixed of.
        let copies = if self.mixing { 2 } else { 1 };
        most.min(limits::AGGREGATION_VALUES_MAX / copies / parameters.max(1))
    }

    /// Clips the updates, mixes them if they shall be, and aggregates them. The mean is
    /// taken of the updates as they are.
    ///
    /// # Errors
    /// As [`Settings::needs`], and [`Error::TooFew`].
    pub fn aggregate(&self, mut updates: Updates) -> Result<Vec<f64>, Error> {
        let needed = self.needs()?;
        let byzantine = usize::try_from(self.byzantine).unwrap_or(usize::MAX);
        updates.check_count(needed, byzantine)?;
        if self.rule == Rule::Mean {
            return mean(&updates);
        }
        if self.radius > 0.0 {
            updates.clip(f64::from(self.radius))?;
        } else {
            updates.clip_adaptively(byzantine)?;
        }
        if self.mixing {
            updates.mix_nearest(byzantine)?;
        }
        match self.rule {
            Rule::Mean => mean(&updates),
            Rule::Median => median(&updates),
            Rule::TrimmedMean => trimmed_mean(&updates, byzantine),
            Rule::Krum => krum(&updates, byzantine),
            Rule::MultiKrum => multi_krum(&updates, byzantine),
            Rule::GeometricMedian => geometric_median(&updates, WEISZFELD),
            Rule::CenteredClipping => centered_clipping(&updates, None, CLIPPING_STEPS),
            Rule::Bulyan => bulyan(&updates, byzantine),
        }
    }
}
