//! What a run makes of a round's updates: their mean, or its rule.
//!
//! The mean ([`super::average`]) weighs by samples and reads updates one after the other. A rule
//! ([`crate::aggregation`]) takes them as equals, because numbers of samples are claims, and has
//! all of them side by side: [`crate::limits::AGGREGATION_VALUES_MAX`] bounds what that takes.
//!
//! A run with trusted rows ([`Reference`]) has `FLTrust` in the place of a rule (Cao and others,
//! 2021): everybody trains on these rows from the round's base, and updates count by how far they
//! point the same way.
//!
//! In a run with secure aggregation ([`crate::masking`]) updates are words that look random; their
//! sum is unmasked at the end, and is the mean of the same updates in steps of 2^-24.
//!
//! Server momentum (`FedAvgM`: Hsu, Qi and Brown, 2019) adds to a round's change a share of the
//! last one's, which is the difference of two weights that everybody has: `v` are the weights
//! before `w`. In the first round there are none, and nothing is added. Nobody has to remember
//! anything.
//!
//! ```text
//! change = change + momentum * (w - v)      w' = f32(w + change)
//! ```
//!
//! All of it in `f64`, each step rounded by itself; the last one alone rounds to `f32`.

use std::borrow::Cow;
use std::sync::Arc;

use super::average::{Average, Error, changed, check_delta, check_length, check_samples, values};
use super::delta;
use super::run::masked::Opening;
use crate::aggregation::{Settings, Updates, fltrust};
use crate::dag::{Reference, RunSpec};
use crate::masking::ring;
use crate::neural::{Dataset, LocalTraining, Specification, train_update};
use crate::{compression, neural};

/// An aggregate under way; give the updates in the order of their vertex ids.
#[derive(Debug, Clone)]
pub struct Aggregator {
    kind: Kind,
    compression: Option<(compression::Settings, Vec<compression::Tensor>)>,
    /// The share of the last round's change that is added; 0 for none.
    momentum: f64,
}

#[derive(Debug, Clone)]
enum Kind {
    Mean(Average),
    Rule(Settings, Updates),
    Trusted(Box<Trusted>, Updates),
    Masked(Masked),
}

/// A sum of masked updates.
#[derive(Debug, Clone)]
struct Masked {
    words: Vec<u64>,
    samples: u64,
    /// What takes the masks off; nothing where the updates are not those of a closing.
    opening: Option<Arc<Opening>>,
}

impl Masked {
    fn add(&mut self, samples: u32, blob: &[u8]) -> Result<(), Error> {
        check_samples(samples)?;
        ring::add(&mut self.words, blob)?;
        self.samples += u64::from(samples);
        Ok(())
    }

    fn change(mut self) -> Result<Vec<f64>, Error> {
        let opening = self.opening.ok_or(Error::Empty)?;
        opening.unmask(&mut self.words)?;
        Ok(ring::decode(&self.words, self.samples, opening.settings().clip)?)
    }
}

/// What the update of the trusted rows follows from, besides the base.
#[derive(Debug, Clone)]
struct Trusted {
    model: Specification,
    training: LocalTraining,
    /// Nothing where they do not fit the run, which an accepted vertex never has.
    rows: Option<Dataset>,
}

impl Trusted {
    fn new(spec: &RunSpec, reference: &Reference) -> Self {
        let (model, training) = (spec.model.clone(), Reference::training(spec));
        Self { model, training, rows: reference.dataset(spec).ok() }
    }

    /// The update of the trusted rows from these weights. Where training leads nowhere it is no
    /// change, with which nothing counts: a round then ends where it began, and the run goes on.
    fn update(&self, base: &[u8], parameters: usize) -> Vec<f32> {
        let base: Vec<f32> = values(base).collect();
        let train = |rows| train_update(&self.model, &base, rows, self.training).ok();
        let trained = self.rows.as_ref().and_then(train).map(|trained| trained.delta);
        let is_sane =
            |delta: &Vec<f32>| check_delta(&neural::bytes_of_weights(delta), parameters).is_ok();
        trained.filter(is_sane).unwrap_or_else(|| vec![0.0; parameters])
    }
}

impl Aggregator {
    /// No updates yet; a rule has room for so many.
    pub fn new(spec: &RunSpec, updates: usize) -> Self {
        let parameters = spec.model.parameter_count();
        let room = || Updates::with_room(parameters, updates);
        let kind = match (spec.aggregation, &spec.reference) {
            (_, Some(reference)) => Kind::Trusted(Trusted::new(spec, reference).into(), room()),
            (Some(settings), None) => Kind::Rule(settings, room()),
            (None, None) if spec.masking.is_some() => {
                Kind::Masked(Masked { words: vec![0; parameters], samples: 0, opening: None })
            }
            (None, None) => Kind::Mean(Average::new(parameters)),
        };
        let compression = spec.compression.map(|settings| (settings, delta::tensors(spec)));
        Self { kind, compression, momentum: spec.server_momentum.map_or(0.0, f64::from) }
    }

    /// The same, with what opens the updates of a run with secure aggregation.
    #[must_use]
    pub fn opened_by(mut self, opening: Arc<Opening>) -> Self {
        if let Kind::Masked(masked) = &mut self.kind {
            masked.opening = Some(opening);
        }
        self
    }

    /// Adds one update by its blob.
    ///
    /// # Errors
    /// Those of [`compression::decompress`], [`Average::add`], [`Updates::push`] and [`ring::add`];
    /// nothing is added then.
    pub fn add(&mut self, samples: u32, blob: &[u8]) -> Result<(), Error> {
        if let Kind::Masked(masked) = &mut self.kind {
            return masked.add(samples, blob);
        }
        let delta = match &self.compression {
            None => Cow::Borrowed(blob),
            Some((settings, tensors)) => {
                let values = compression::decompress(*settings, tensors, blob)?;
                Cow::Owned(neural::bytes_of_weights(&values))
            }
        };
        self.add_values(samples, &delta)
    }

    fn add_values(&mut self, samples: u32, delta: &[u8]) -> Result<(), Error> {
        match &mut self.kind {
            Kind::Mean(average) => average.add(samples, delta),
            Kind::Masked(masked) => masked.add(samples, delta),
            Kind::Rule(_, updates) | Kind::Trusted(_, updates) => {
                check_samples(samples)?;
                check_length(delta, updates.parameters())?;
                let row: Vec<f32> = values(delta).collect();
                Ok(updates.push(&row)?)
            }
        }
    }

    /// The new weights from the old ones and from those before them, all raw little-endian f32. The
    /// last are `None` in the first round, and do not matter without server momentum.
    ///
    /// # Errors
    /// Those of [`Average::change`], [`Settings::aggregate`] and [`fltrust`]; [`Error::Empty`] for
    /// masked updates that are not opened, [`Error::Masking`] for such that come to no sum;
    /// [`Error::Length`] for weights of another model.
    pub fn finish(self, base: &[u8], before: Option<&[u8]>) -> Result<Vec<u8>, Error> {
        let mut change = match self.kind {
            Kind::Mean(average) => average.change()?,
            Kind::Masked(masked) => masked.change()?,
            Kind::Rule(settings, updates) => settings.aggregate(updates)?,
            Kind::Trusted(trusted, updates) => {
                check_length(base, updates.parameters())?;
                fltrust(&updates, &trusted.update(base, updates.parameters()))?
            }
        };
        if let Some(before) = before.filter(|_| self.momentum > 0.0) {
            check_length(base, change.len())?;
            check_length(before, change.len())?;
            for ((change, base), before) in change.iter_mut().zip(values(base)).zip(values(before))
            {
                let last = f64::from(base) - f64::from(before);
                *change += self.momentum * last;
            }
        }
        changed(base, &change)
    }
}

#[cfg(test)]
mod tests;
