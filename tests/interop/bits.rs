//! FANN networks that must become the same bits wherever they are trained: natively, in Node and in
//! browsers. A change of the expected id changes what every saved run would become.

use synaptic_mesh::crypto::hash::blob_cid_text;
use synaptic_mesh::neural::fann::{
    Activation, Algorithm, Cascade, Data, ErrorFunction, Network, Trainer,
};
use synaptic_mesh::rng::Rng;

/// The content id of [`learnt`].
pub(crate) const EXPECTED: &str = "bafkr4igpjnyxl3uxhv4rwwjikq5i4nsi6x3a24oa5xxh564lf2zija4zwe";

/// The content id of the files of networks trained by every algorithm, and of a grown one.
pub(crate) fn learnt() -> String {
    let data = parity_4();
    let mut files = Vec::new();
    for algorithm in [
        Algorithm::Incremental,
        Algorithm::Batch,
        Algorithm::Rprop,
        Algorithm::Quickprop,
        Algorithm::Sarprop,
    ] {
        let mut rng = Rng::from_u64(1);
        let mut network = Network::sparse(0.8, &[4, 20, 3, 1], &mut rng).expect("a small network");
        network.randomize(-1.0, 1.0, &mut rng);
        let kinds = Activation::ALL
            .into_iter()
            .map(|kind| if kind.is_trainable() { kind } else { Activation::Linear });
        for (neuron, kind) in kinds.enumerate() {
            network.set_activation(1, neuron, kind, 0.7).expect("it is there");
        }
        network.set_output(Activation::SigmoidSymmetric, 0.5).expect("a steepness");
        network.options_mut().algorithm = algorithm;
        network.options_mut().learning_rate = 0.05;
        let mut trainer = Trainer::new(&network, 1).expect("sound options");
        trainer.train(&mut network, &data, 40, 0.0).expect("it does not diverge");
        files.extend(network.to_file());
    }
    let mut rng = Rng::from_u64(2);
    let mut network = Network::shortcut(&[4, 1], &mut rng).expect("a small network");
    network.options_mut().error_function = ErrorFunction::Linear;
    let mut cascade = Cascade::new(&network, 2).expect("a seedling");
    cascade.train(&mut network, &data, 3, 0.0, &mut rng).expect("it does not diverge");
    files.extend(network.to_file());
    blob_cid_text(&files)
}

fn parity_4() -> Data {
    let (mut values, mut targets) = (Vec::new(), Vec::new());
    for row in 0..16_u32 {
        values.extend((0..4).map(|bit| if row >> bit & 1 == 1 { 1.0 } else { -1.0 }));
        targets.push(if row.count_ones() % 2 == 1 { 1.0 } else { -1.0 });
    }
    Data::new(4, 1, values, targets).expect("sound data")
}
