//! Rows that everybody trusts: a run's own, in its first vertex.
//!
//! Where members' rows differ much, no rule tells hostile updates from rare ones; who knows rows
//! that are right can. The founder of a run puts some into its first vertex, for everybody to see
//! and to train on: what each round's trusted update is follows from them, so nobody has to send
//! it and the founder may leave. They fit into a vertex, and a hundred rows are enough.

use serde::{Deserialize, Serialize};

use super::error::Error;
use super::payload::{RunSpec, within};
use crate::limits;
use crate::neural::{Dataset, Labels, LocalTraining};
use crate::tensor::index;

/// Trusted rows, as the network takes them: scaled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// `[rows, inputs]`, raw little-endian `f32`.
    #[serde(with = "serde_bytes")]
    pub inputs: Vec<u8>,
    /// A label for each row: little-endian `u32` classes, or `f32` numbers `[rows, outputs]`.
    #[serde(with = "serde_bytes")]
    pub labels: Vec<u8>,
}

impl Reference {
    /// The rows of a data set for a run.
    pub fn of(rows: &Dataset) -> Self {
        let labels = match rows.labels() {
            Labels::Classes(classes) => classes.iter().flat_map(|c| c.to_le_bytes()).collect(),
            Labels::Numbers { values, .. } => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        };
        let inputs = rows.values().iter().flat_map(|value| value.to_le_bytes()).collect();
        Self { inputs, labels }
    }

    /// Checks size, shape and values.
    ///
    /// # Errors
    /// [`Error::Reference`] says what is wrong, [`Error::Range`] for rounds of more updates than
    /// can be measured at once.
    pub(super) fn validate(&self, spec: &RunSpec) -> Result<(), Error> {
        if spec.aggregation.is_some() {
            return Err(Error::Reference("trusted rows are in the place of a rule: give one"));
        }
        let most = u32::try_from(spec.updates_max()).unwrap_or(u32::MAX);
        within("updates_min", spec.updates_min, 1, most)?;
        let bytes = self.inputs.len().saturating_add(self.labels.len());
        if bytes > limits::REFERENCE_BYTES_MAX {
            return Err(Error::Reference(
                "trusted rows and labels take 40 KiB at most: give fewer",
            ));
        }
        let rows = self.dataset(spec)?.rows();
        if rows == 0 {
            return Err(Error::Reference("there are no trusted rows: give some"));
        }
        let work = [rows, index(spec.epochs), spec.model.parameter_count()];
        let work = work.into_iter().try_fold(1_usize, usize::checked_mul);
        match work.filter(|work| *work <= limits::REFERENCE_WORK_MAX) {
            Some(_) => Ok(()),
            None => Err(Error::Reference(
                "each round takes too long on these rows: give fewer rows or epochs, or a smaller \
                 network",
            )),
        }
    }

    /// The rows as they are trained on.
    ///
    /// # Errors
    /// [`Error::Reference`] where they do not fit the run's model and classes.
    pub fn dataset(&self, spec: &RunSpec) -> Result<Dataset, Error> {
        let foreign = || Error::Reference("trusted rows are whole rows of this run: give those");
        let inputs = words(&self.inputs).ok_or_else(foreign)?.map(f32::from_le_bytes);
        let labels = words(&self.labels).ok_or_else(foreign)?;
        let labels = if spec.classes.is_empty() {
            let width = index(spec.model.outputs());
            Labels::Numbers { values: labels.map(f32::from_le_bytes).collect(), width }
        } else {
            Labels::Classes(labels.map(u32::from_le_bytes).collect())
        };
        let features = index(spec.model.inputs());
        Dataset::from_parts(features, inputs.collect(), labels, spec.classes.clone())
            .map_err(|_| foreign())
    }

    /// How everybody trains on them: as members do on theirs, with a seed that is the same for all.
    pub fn training(spec: &RunSpec) -> LocalTraining {
        LocalTraining {
            epochs: spec.epochs,
            batch: spec.batch,
            learning_rate: spec.learning_rate,
            momentum: spec.momentum,
            seed: spec.seed,
        }
    }
}

/// Groups of four bytes; nothing if some are left over.
fn words(bytes: &[u8]) -> Option<impl Iterator<Item = [u8; 4]> + '_> {
    let (words, rest) = bytes.as_chunks::<4>();
    rest.is_empty().then(|| words.iter().copied())
}
