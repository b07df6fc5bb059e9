//! The linear scaling of inputs and outputs that FANN files can carry.
//!
//! A number is brought to mean 0 and deviation 1, and what lies between -1 and 1 then to the range
//! that was asked for. The network itself knows nothing of it.

use super::{Data, Error};

/// Scaling of every input and output.
#[derive(Clone, Debug, PartialEq)]
pub struct Scaling {
    pub(super) inputs: Vec<Column>,
    pub(super) outputs: Vec<Column>,
}

/// Scaling of one number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Column {
    pub(super) mean: f32,
    pub(super) deviation: f32,
    pub(super) new_min: f32,
    pub(super) factor: f32,
}

impl Scaling {
    /// The scaling that brings most of `data` between `low` and `high`.
    pub fn of(data: &Data, low: f32, high: f32) -> Self {
        let inputs = |at: usize| data.iter().filter_map(move |row| row.0.get(at).copied());
        let outputs = |at: usize| data.iter().filter_map(move |row| row.1.get(at).copied());
        let column = |numbers: Vec<f32>| Column::of(&numbers, low, high);
        Self {
            inputs: (0..data.inputs()).map(|at| column(inputs(at).collect())).collect(),
            outputs: (0..data.outputs()).map(|at| column(outputs(at).collect())).collect(),
        }
    }

    /// What a file has of each number, inputs first: mean, deviation, new least, factor.
    pub fn numbers(&self) -> Vec<[f32; 4]> {
        let columns = self.inputs.iter().chain(&self.outputs);
        columns.map(|c| [c.mean, c.deviation, c.new_min, c.factor]).collect()
    }

    /// The scaling of [`Scaling::numbers`], the first `inputs` of which are of inputs.
    pub fn of_numbers(numbers: &[[f32; 4]], inputs: usize) -> Self {
        let column = |[mean, deviation, new_min, factor]: [f32; 4]| Column {
            mean,
            deviation,
            new_min,
            factor,
        };
        let mut inputs_first = numbers.iter().copied().map(column);
        Self {
            inputs: inputs_first.by_ref().take(inputs).collect(),
            outputs: inputs_first.collect(),
        }
    }

    /// Scales inputs in place.
    ///
    /// # Errors
    /// [`Error::InputsLength`].
    pub fn scale_inputs(&self, inputs: &mut [f32]) -> Result<(), Error> {
        let (expected, found) = (self.inputs.len(), inputs.len());
        if expected != found {
            return Err(Error::InputsLength { expected, found });
        }
        inputs.iter_mut().zip(&self.inputs).for_each(|(number, column)| column.scale(number));
        Ok(())
    }

    /// Scales targets in place.
    ///
    /// # Errors
    /// [`Error::OutputsLength`].
    pub fn scale_outputs(&self, outputs: &mut [f32]) -> Result<(), Error> {
        self.check_outputs(outputs)?;
        outputs.iter_mut().zip(&self.outputs).for_each(|(number, column)| column.scale(number));
        Ok(())
    }

    /// Takes the scaling off outputs, in place.
    ///
    /// # Errors
    /// [`Error::OutputsLength`].
    pub fn descale_outputs(&self, outputs: &mut [f32]) -> Result<(), Error> {
        self.check_outputs(outputs)?;
        outputs.iter_mut().zip(&self.outputs).for_each(|(number, column)| column.descale(number));
        Ok(())
    }

    fn check_outputs(&self, outputs: &[f32]) -> Result<(), Error> {
        let (expected, found) = (self.outputs.len(), outputs.len());
        if expected == found { Ok(()) } else { Err(Error::OutputsLength { expected, found }) }
    }
}

impl Column {
    fn of(numbers: &[f32], low: f32, high: f32) -> Self {
        #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "a mean")]
        let count = numbers.len() as f32;
        let mean = numbers.iter().sum::<f32>() / count;
        let square = numbers.iter().map(|number| (number - mean) * (number - mean)).sum::<f32>();
        let deviation = (square / count).sqrt();
        // A column of one number has no deviation; libfann would divide by 0.
        let deviation = if deviation > 0.0 { deviation } else { 1.0 };
        Self { mean, deviation, new_min: low, factor: (high - low) / 2.0 }
    }

    fn scale(&self, number: &mut f32) {
        *number = ((*number - self.mean) / self.deviation + 1.0) * self.factor + self.new_min;
    }

    fn descale(&self, number: &mut f32) {
        *number = ((*number - self.new_min) / self.factor - 1.0) * self.deviation + self.mean;
    }
}
