//! The tasks that FANN networks are measured by, shared by the tests with and without libfann.

use std::f32::consts::PI;

use synaptic_mesh::neural::fann::{Activation, Data, Network};
use synaptic_mesh::rng::Rng;

/// Exclusive or over -1 and 1.
pub(crate) fn xor() -> Data {
    parity(2)
}

/// Whether the number of ones among so many bits is odd, over -1 and 1.
pub(crate) fn parity(bits: usize) -> Data {
    let (mut values, mut targets) = (Vec::new(), Vec::new());
    for row in 0..1_u32 << bits {
        values.extend((0..bits).map(|bit| if row >> bit & 1 == 1 { 1.0 } else { -1.0 }));
        targets.push(if row.count_ones() % 2 == 1 { 1.0 } else { -1.0 });
    }
    Data::new(bits, 1, values, targets).expect("sound data")
}

/// Two spirals that wind around each other three times: 2 x 97 points (Lang and Witbrock 1988),
/// scaled to -1 to 1.
pub(crate) fn two_spirals() -> Data {
    let (mut values, mut targets) = (Vec::new(), Vec::new());
    for point in 0..97_u8 {
        let angle = f32::from(point) * PI / 16.0;
        let radius = (104.0 - f32::from(point)) / 104.0;
        for side in [1.0, -1.0] {
            values.extend([side * radius * angle.sin(), side * radius * angle.cos()]);
            targets.push(side);
        }
    }
    Data::new(2, 1, values, targets).expect("sound data")
}

/// A full network of tanh units with weights from -1 to 1.
pub(crate) fn layered(sizes: &[usize], seed: u64) -> Network {
    let mut rng = Rng::from_u64(seed);
    let mut network = Network::standard(sizes, &mut rng).expect("a small network");
    let tanh = Activation::SigmoidSymmetric;
    network.set_hidden(tanh, 0.5).expect("a steepness");
    network.set_output(tanh, 0.5).expect("a steepness");
    network.randomize(-1.0, 1.0, &mut rng);
    network
}

/// A network without hidden neurons, for cascade training, with libfann's default candidates.
pub(crate) fn seedling(data: &Data, output: Activation, seed: u64) -> Network {
    let mut rng = Rng::from_u64(seed);
    let sizes = [data.inputs(), data.outputs()];
    let mut network = Network::shortcut(&sizes, &mut rng).expect("a small network");
    network.set_output(output, 0.5).expect("a steepness");
    network.randomize(-1.0, 1.0, &mut rng);
    network
}

/// Rows whose output is on the wrong side of 0, told through `run` alone.
pub(crate) fn wrong_rows(network: &mut Network, data: &Data) -> usize {
    let wrong = |(inputs, targets): &(&[f32], &[f32])| {
        let outputs = network.run(inputs).expect("a row of the data").to_vec();
        outputs.iter().zip(*targets).any(|(output, target)| (*output > 0.0) != (*target > 0.0))
    };
    data.iter().filter(wrong).count()
}
