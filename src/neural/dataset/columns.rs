//! What the columns of a table are to a network: numbers, or categories of which each becomes an
//! input that is 1 where a row has it and 0 elsewhere (one-hot); and what stands in for a value
//! that is missing.
//!
//! They are found in the training rows and belong to the model, like a scaling. A number that is
//! missing becomes the mean of its column, a category the most frequent one (the first of equals).

use serde::{Deserialize, Serialize};

use super::Dataset;
use super::error::Error;
use super::labels::Labels;
use crate::limits;
use crate::tensor::index;

/// A column of features.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Its name in the header, shortened; empty if it has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The categories in the order of their inputs; empty for a column of numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    /// What stands in for a missing value: a number, or the place of a category. Without it
    /// nothing may be missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fill: Option<f32>,
}

impl Column {
    /// Inputs that the column becomes.
    pub fn width(&self) -> usize {
        self.categories.len().max(1)
    }

    /// Whether it says more than that it is a number.
    fn says_something(&self) -> bool {
        *self != Column::default()
    }

    /// Writes the inputs of a value, a number or the place of a category; a gap stays NaN.
    pub(super) fn encode(&self, value: f32, inputs: &mut [f32]) {
        if self.categories.is_empty() || value.is_nan() {
            return inputs.fill(value);
        }
        inputs.fill(0.0);
        if let Some(input) = whole(value).and_then(|place| inputs.get_mut(place)) {
            *input = 1.0;
        }
    }

    /// Whether a model may have it.
    fn is_sound(&self) -> bool {
        let short = |name: &String| name.len() <= limits::CLASS_NAME_BYTES_MAX;
        let filled = |fill: f32| match self.categories.len() {
            0 => fill.is_finite(),
            count => whole(fill).is_some_and(|place| place < count),
        };
        self.categories.len() <= limits::DATASET_CATEGORIES_MAX
            && short(&self.name)
            && self.categories.iter().all(short)
            && self.fill.is_none_or(filled)
    }
}

/// Inputs that columns become together.
pub(super) fn width(columns: &[Column]) -> usize {
    columns.iter().map(Column::width).sum()
}

/// Whether a model of so many inputs may have these columns; none are as many numbers as inputs.
pub(in crate::neural) fn fit(columns: &[Column], inputs: u32) -> bool {
    columns.is_empty() || (columns.iter().all(Column::is_sound) && width(columns) == index(inputs))
}

/// Whether rows of the two have the same inputs; what fills them does not matter, and neither does
/// a table of which nothing is known, or a name that one of them does not have.
pub(in crate::neural) fn agree(one: &[Column], other: &[Column]) -> bool {
    let known = |columns: &[Column]| columns.iter().any(|column| !column.categories.is_empty());
    let compared = known(one) && known(other);
    let same = |(one, other): (&Column, &Column)| {
        (one.name == other.name || one.name.is_empty() || other.name.is_empty())
            && (!compared || one.categories == other.categories)
    };
    (!compared || one.len() == other.len()) && one.iter().zip(other).all(same)
}

/// The columns, unless they say no more than that all of them are numbers. Names that would take
/// more than their share of a model file are forgotten.
pub(super) fn worth_keeping(mut columns: Vec<Column>) -> Vec<Column> {
    let bytes: usize = columns.iter().map(|column| column.name.len()).sum();
    if bytes > limits::DATASET_COLUMN_NAMES_BYTES_MAX {
        for column in &mut columns {
            column.name.clear();
        }
    }
    if columns.iter().any(Column::says_something) { columns } else { Vec::new() }
}

impl Dataset {
    /// What the columns of the table became; empty if they are numbers without names.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Whether values are missing, which [`Dataset::filled`] puts right.
    pub fn has_gaps(&self) -> bool {
        self.gaps
    }

    /// The columns with what stands in for their missing values by these rows.
    ///
    /// # Errors
    /// [`Error::NoValues`] for a column without any.
    pub fn fit_columns(&self) -> Result<Vec<Column>, Error> {
        let mut columns = self.columns.clone();
        columns.resize(columns.len().max(1), Column::default());
        if width(&columns) != self.features {
            columns = vec![Column::default(); self.features];
        }
        let mut start = 0;
        for (place, column) in columns.iter_mut().enumerate() {
            let mut sums = vec![0.0; column.width()];
            let mut rows = 0_u32;
            for row in self.values.chunks_exact(self.features) {
                let inputs = row.get(start..start + sums.len()).unwrap_or_default();
                if inputs.iter().any(|input| input.is_nan()) {
                    continue;
                }
                rows += 1;
                sums.iter_mut().zip(inputs).for_each(|(sum, input)| *sum += f64::from(*input));
            }
            start += sums.len();
            if rows == 0 {
                return Err(Error::NoValues { column: place + 1 });
            }
            column.fill = Some(usual(&sums, f64::from(rows), !column.categories.is_empty()));
        }
        Ok(columns)
    }

    /// The same rows with every gap filled, and these columns.
    ///
    /// # Errors
    /// [`Error::Parts`] if the columns are not those of the data, or do not say what to put into a
    /// gap.
    pub fn filled(&self, columns: &[Column]) -> Result<Self, Error> {
        let unfit = Error::Parts("the columns are not those of the data");
        if !columns.iter().all(Column::is_sound)
            || width(columns) != self.features
            || !agree(columns, &self.columns)
        {
            return Err(unfit);
        }
        let mut filled = self.clone();
        for row in filled.values.chunks_exact_mut(self.features) {
            let mut rest = row;
            for column in columns {
                let (inputs, tail) = rest.split_at_mut(column.width());
                if let (true, Some(fill)) = (inputs.iter().any(|x| x.is_nan()), column.fill) {
                    column.encode(fill, inputs);
                }
                rest = tail;
            }
        }
        super::finite(&filled.values)?;
        if let (true, Labels::Numbers { values, .. }) = (self.reconstructs, &mut filled.labels) {
            values.clone_from(&filled.values);
        }
        filled.gaps = false;
        filled.columns = columns.to_vec();
        Ok(filled)
    }
}

/// The mean of a column of numbers, or the place of the most frequent category.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "rounded to f32 once; places are small"
)]
fn usual(sums: &[f64], rows: f64, of_categories: bool) -> f32 {
    if !of_categories {
        return (sums.iter().sum::<f64>() / rows) as f32;
    }
    let mut best = (0, 0.0);
    for (place, sum) in sums.iter().enumerate() {
        if *sum > best.1 {
            best = (place, *sum);
        }
    }
    best.0 as f32
}

/// A float as the place it stands for.
#[expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "compared with what it came from"
)]
#[expect(clippy::float_cmp, reason = "a place equals itself exactly")]
fn whole(value: f32) -> Option<usize> {
    let place = value as usize;
    (place as f32 == value).then_some(place)
}

#[cfg(test)]
mod tests;
