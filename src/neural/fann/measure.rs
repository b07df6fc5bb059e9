//! How far a network's outputs are off, as libfann measures it: sums in `f32`, in the order of the
//! rows and outputs.

#![expect(clippy::indexing_slicing, reason = "the network's own neurons")]

use super::{Data, Error, Network, StopFunction};

/// How far the outputs of some rows are off.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measure {
    /// Sum of the squared differences; those of symmetric outputs are halved first.
    pub square_sum: f32,
    /// Number of differences.
    pub count: u32,
    /// Differences of at least the bit fail limit.
    pub bit_fails: u32,
}

impl Measure {
    /// Mean square error; 0 of nothing.
    #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "as libfann divides")]
    pub fn mse(&self) -> f32 {
        if self.count == 0 { 0.0 } else { self.square_sum / self.count as f32 }
    }

    /// Whether that is what was desired of `network`: an error, or a number of failed bits.
    pub fn reaches(&self, network: &Network, desired: f32) -> bool {
        match network.options.stop_function {
            StopFunction::Mse => self.mse() <= desired,
            #[expect(
                clippy::as_conversions,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "as libfann cuts it off"
            )]
            StopFunction::Bit => self.bit_fails <= desired as u32,
        }
    }
}

impl Network {
    /// How far the outputs of `data` are off.
    ///
    /// # Errors
    /// [`Error::InputsLength`] and [`Error::OutputsLength`].
    pub fn test(&mut self, data: &Data) -> Result<Measure, Error> {
        self.check_fits(data)?;
        let mut measure = Measure::default();
        for (inputs, targets) in data.iter() {
            self.forward(inputs);
            for (at, target) in self.output_range().zip(targets) {
                self.measure(at, *target, &mut measure);
            }
        }
        Ok(measure)
    }

    /// The difference of an output from its target, which it adds to `measure`.
    pub(super) fn measure(&self, at: usize, target: f32, measure: &mut Measure) -> f32 {
        let mut difference = target - self.values[at];
        if self.neurons[at].activation.is_symmetric() {
            difference /= 2.0;
        }
        measure.square_sum += difference * difference;
        measure.count = measure.count.saturating_add(1);
        let failed = difference.abs() >= self.options.bit_fail_limit;
        measure.bit_fails = measure.bit_fails.saturating_add(u32::from(failed));
        difference
    }
}
