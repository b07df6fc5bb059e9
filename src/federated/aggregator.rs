//! What a run makes of a round's updates: their mean, or its rule.
//!
//! The mean ([`super::average`]) weighs by samples and reads updates one after the other. A rule
//! ([`crate::aggregation`]) takes them as equals, because numbers of samples are claims, and has
//! all of them side by side: [`crate::limits::AGGREGATION_VALUES_MAX`] bounds what that takes. Both
//! end with `w' = f32(w + change)`, the only place where anything is rounded to `f32`.

use super::average::{Average, Error, check_length, check_samples, values};
use crate::aggregation::{Settings, Updates};
use crate::dag::RunSpec;

/// An aggregate under way; give the updates in the order of their vertex ids.
#[derive(Debug, Clone)]
pub struct Aggregator(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Mean(Average),
    Rule(Settings, Updates),
}

impl Aggregator {
    /// No updates yet; a rule has room for so many.
    pub fn new(spec: &RunSpec, updates: usize) -> Self {
        let parameters = spec.model.parameter_count();
        Self(match spec.aggregation {
            None => Kind::Mean(Average::new(parameters)),
            Some(settings) => Kind::Rule(settings, Updates::with_room(parameters, updates)),
        })
    }

    /// Adds one update, whose delta is raw little-endian f32.
    ///
    /// # Errors
    /// Those of [`Average::add`] and [`Updates::push`]; nothing is added then.
    pub fn add(&mut self, samples: u32, delta: &[u8]) -> Result<(), Error> {
        match &mut self.0 {
            Kind::Mean(average) => average.add(samples, delta),
            Kind::Rule(_, updates) => {
                check_samples(samples)?;
                check_length(delta, updates.parameters())?;
                let row: Vec<f32> = values(delta).collect();
                Ok(updates.push(&row)?)
            }
        }
    }

    /// The new weights from the old ones, both raw little-endian f32.
    ///
    /// # Errors
    /// Those of [`Average::finish`] and [`Settings::aggregate`].
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        reason = "rounding to f32 is the last step of the rule"
    )]
    pub fn finish(self, base: &[u8]) -> Result<Vec<u8>, Error> {
        let (settings, updates) = match self.0 {
            Kind::Mean(average) => return average.finish(base),
            Kind::Rule(settings, updates) => (settings, updates),
        };
        check_length(base, updates.parameters())?;
        let change = settings.aggregate(updates)?;
        let weight = |(base, change): (f32, f64)| (f64::from(base) + change) as f32;
        Ok(values(base).zip(change).map(weight).flat_map(f32::to_le_bytes).collect())
    }
}

#[cfg(test)]
mod tests;
