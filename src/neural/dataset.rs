//! Rows of numbers with what is to be told from them, and the ways they come and go.
//!
//! A data set is read from CSV ([`Dataset::parse`]) or made from parts, split (stratified, or over
//! the members of a simulated mesh), and scaled. Its numbers are row-major `[rows, features]`. All
//! of it is deterministic, bounded by `limits.rs`, and total: no CSV, however broken, panics.
//! Columns of text become an input for each category, and gaps are filled, where that is asked for
//! ([`Options`]). Not here: free text and images.

mod columns;

mod csv;

mod error;

mod features;

mod header;

mod labels;

mod number;

mod parse;

mod scaling;

mod split;

pub use columns::Column;
pub use error::Error;
pub use labels::{Labels, Target};
pub use parse::{Label, Options, Rows};
pub use scaling::Kind;
pub use split::MEMBER_ROWS_MIN;

pub(in crate::neural) use columns::{agree as columns_agree, fit as columns_fit};
pub(in crate::neural) use number::parse as parse_number;

use serde::{Deserialize, Serialize};

use crate::limits;
use crate::neural::specification::Scaling;

/// What is told from a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Which of the classes it is.
    Classification,
    /// Numbers.
    Regression,
    /// The inputs themselves, through a network that has less room in between (an autoencoder).
    Reconstruction,
}

impl Task {
    /// Its name in files and in JavaScript.
    pub fn name(self) -> &'static str {
        match self {
            Task::Classification => "classification",
            Task::Regression => "regression",
            Task::Reconstruction => "reconstruction",
        }
    }
}

/// Rows of features, each with its label.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    features: usize,
    values: Vec<f32>,
    labels: Labels,
    classes: Vec<String>,
    scaling: Option<Scaling>,
    target_scaling: Option<Scaling>,
    columns: Vec<Column>,
    ignored: Vec<String>,
    gaps: bool,
    reconstructs: bool,
}

impl Dataset {
    /// A data set from its parts: `values` is `[rows, features]`; class labels index `classes`,
    /// which is empty for a regression.
    ///
    /// # Errors
    /// [`Error::Parts`] if the lengths do not fit, a class is out of range or a number is not
    /// finite; [`Error::TooLarge`] above the limits.
    pub fn from_parts(
        features: usize,
        values: Vec<f32>,
        labels: Labels,
        classes: Vec<String>,
    ) -> Result<Self, Error> {
        Self::of_parts(features, values, labels, classes, false)
    }

    /// As [`Dataset::from_parts`], where numbers may be missing if there are `gaps`.
    fn of_parts(
        features: usize,
        values: Vec<f32>,
        labels: Labels,
        classes: Vec<String>,
        gaps: bool,
    ) -> Result<Self, Error> {
        let rows = labels.rows();
        bound("rows", rows, limits::DATASET_ROWS_MAX)?;
        bound("numbers", values.len(), limits::DATASET_VALUES_MAX)?;
        bound("classes", classes.len(), limits::CLASSES_MAX)?;
        if features == 0 || rows.checked_mul(features) != Some(values.len()) {
            return Err(Error::Parts("values are not rows times features"));
        }
        match &labels {
            Labels::Classes(of_rows) => {
                let known = |class: &u32| usize::try_from(*class).is_ok_and(|c| c < classes.len());
                if !of_rows.iter().all(known) {
                    return Err(Error::Parts("a label is not one of the classes"));
                }
            }
            Labels::Numbers { values, width } => {
                if !classes.is_empty() || !values.len().is_multiple_of((*width).max(1)) {
                    return Err(Error::Parts("targets are not whole rows, or there are classes"));
                }
                if !gaps {
                    finite(values)?;
                }
            }
        }
        if !gaps {
            finite(&values)?;
        }
        Ok(Self {
            features,
            values,
            labels,
            classes,
            scaling: None,
            target_scaling: None,
            columns: Vec::new(),
            ignored: Vec::new(),
            gaps,
            reconstructs: false,
        })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.labels.rows()
    }

    /// Numbers per row.
    pub fn features(&self) -> usize {
        self.features
    }

    /// The numbers, `[rows, features]`.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The numbers of one row, `[features]`; empty if there is no such row.
    pub fn row(&self, row: usize) -> &[f32] {
        let start = row.saturating_mul(self.features);
        self.values.get(start..start.saturating_add(self.features)).unwrap_or_default()
    }

    /// What is to be told, row by row.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// The names of the classes in the order of the outputs; empty for numbers to predict.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// What is told from a row.
    pub fn task(&self) -> Task {
        match self.labels {
            _ if self.reconstructs => Task::Reconstruction,
            Labels::Classes(_) => Task::Classification,
            Labels::Numbers { .. } => Task::Regression,
        }
    }

    /// Columns of the table that were left out because the model has none of their name, such as
    /// `3 (id)`: the number, counted from 1, and the name.
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// Rows of each class, in the order of [`Dataset::classes`]; empty for a regression.
    pub fn class_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        if let Labels::Classes(labels) = &self.labels {
            for class in labels {
                if let Some(count) = usize::try_from(*class).ok().and_then(|c| counts.get_mut(c)) {
                    *count += 1;
                }
            }
        }
        counts
    }

    /// The scaling the inputs went through, if any.
    pub fn scaling(&self) -> Option<&Scaling> {
        self.scaling.as_ref()
    }

    /// The scaling the targets of a regression went through, if any.
    pub fn target_scaling(&self) -> Option<&Scaling> {
        self.target_scaling.as_ref()
    }

    /// The data set of some of the rows, in the given order; rows that do not exist are left out.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        let rows: Vec<usize> = rows.iter().copied().filter(|row| *row < self.rows()).collect();
        let mut values = Vec::with_capacity(rows.len() * self.features);
        for row in &rows {
            values.extend_from_slice(self.row(*row));
        }
        Self {
            features: self.features,
            gaps: self.gaps && values.iter().any(|value| value.is_nan()),
            reconstructs: self.reconstructs,
            columns: self.columns.clone(),
            ignored: self.ignored.clone(),
            values,
            labels: self.labels.select(&rows),
            classes: self.classes.clone(),
            scaling: self.scaling.clone(),
            target_scaling: self.target_scaling.clone(),
        }
    }
}

/// `Err` if there is more of something than the limit.
fn bound(what: &'static str, found: usize, max: usize) -> Result<(), Error> {
    if found > max { Err(Error::TooLarge { what, found, max }) } else { Ok(()) }
}

/// `Err` if a number is not finite.
fn finite(values: &[f32]) -> Result<(), Error> {
    if values.iter().all(|value| value.is_finite()) {
        Ok(())
    } else {
        Err(Error::Parts("a number is not finite, or becomes too large when it is scaled"))
    }
}

#[cfg(test)]
mod tests;
