//! Rows to learn from.

use super::Error;

/// Rows of inputs and of what the outputs should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Data {
    inputs: usize,
    outputs: usize,
    values: Vec<f32>,
    targets: Vec<f32>,
}

impl Data {
    /// Rows one after the other: `values` is `[rows, inputs]`, `targets` `[rows, outputs]`.
    ///
    /// # Errors
    /// [`Error::Rows`] if that does not come out even or there is no row,
    /// [`Error::DataNotFinite`] for infinities and what is not a number.
    pub fn new(
        inputs: usize,
        outputs: usize,
        values: Vec<f32>,
        targets: Vec<f32>,
    ) -> Result<Self, Error> {
        let rows = |numbers: usize, columns: usize| match columns {
            0 => None,
            _ => numbers.is_multiple_of(columns).then_some(numbers / columns),
        };
        let counts = (rows(values.len(), inputs), rows(targets.len(), outputs));
        if counts.0.is_none_or(|rows| rows == 0) || counts.0 != counts.1 {
            return Err(Error::Rows { values: values.len(), targets: targets.len() });
        }
        let odd = |numbers: &[f32], columns: usize| {
            numbers.iter().position(|number| !number.is_finite()).map(|at| at / columns)
        };
        let odd = odd(&values, inputs).into_iter().chain(odd(&targets, outputs)).min();
        match odd {
            Some(row) => Err(Error::DataNotFinite(row)),
            None => Ok(Self { inputs, outputs, values, targets }),
        }
    }

    /// Numbers a row has for the inputs.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Numbers a row has for the outputs.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.values.len() / self.inputs
    }

    /// Each row: inputs and targets.
    pub fn iter(&self) -> impl Iterator<Item = (&[f32], &[f32])> {
        self.values.chunks_exact(self.inputs).zip(self.targets.chunks_exact(self.outputs))
    }
}
