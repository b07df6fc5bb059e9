//! The gradient of a network's loss, seen from outside: what one step of plain descent changes.
//!
//! A rate of 64 multiplies without rounding, and makes the change so large beside the weights that
//! subtracting it rounds by little more than the last place of the gradient itself.

use synaptic_mesh::neural::{Arena, Dataset, Epoch, Network, Optimiser, Options, Trainer};

const RATE: f32 = 64.0;

/// The gradient by each parameter, canonical, of one step over all rows; what is not trained shows
/// its change over the rate. Besides, the network after the step, and what the trainer reports.
pub(crate) fn gradient(network: &Network, data: &Dataset) -> (Vec<f64>, Network, Epoch) {
    let options = Options {
        batch: u32::try_from(data.rows()).unwrap(),
        learning_rate: RATE,
        optimiser: Optimiser::Sgd { momentum: 0.0 },
        shuffle: false,
        seed: 0,
        ..Options::default()
    };
    let mut moved = network.clone();
    let mut trainer = Trainer::new(&moved, options).unwrap();
    let epoch = trainer.epoch(&mut moved, &mut Arena::new(), data).unwrap();
    let change = |(a, b): (&f32, &f32)| (f64::from(*a) - f64::from(*b)) / f64::from(RATE);
    (network.weights().iter().zip(&moved.weights()).map(change).collect(), moved, epoch)
}
