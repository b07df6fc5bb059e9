//! Trains a small network on the digits data set and prints how well it reads unseen digits:
//! `cargo run --release --no-default-features --example digits [seed ...]`

use synaptic_mesh::neural::{
    Activation, Arena, Dataset, Layer, Loss, Network, Options, Shape, Specification, Trainer,
    dataset,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let data = Dataset::parse(include_bytes!("../data/digits.csv"), &dataset::Options::default())?;
    let specification = Specification {
        inputs: Shape::Flat(64),
        layers: vec![Layer::dense(128, Activation::Relu), Layer::dense(10, Activation::Softmax)],
        loss: Loss::CrossEntropy,
    };
    let seeds: Vec<u64> = std::env::args().skip(1).filter_map(|seed| seed.parse().ok()).collect();
    for seed in if seeds.is_empty() { (1..=10).collect() } else { seeds } {
        let (training, test) = data.split(0.2, seed)?;
        let scaling = training.fit_scaling(dataset::Kind::Standard)?;
        let (training, test) = (training.scaled(&scaling)?, test.scaled(&scaling)?);
        let (mut network, mut arena) = (Network::new(&specification, seed)?, Arena::new());
        let mut trainer = Trainer::new(&network, Options { seed, ..Options::default() })?;
        for _ in 0..20 {
            trainer.epoch(&mut network, &mut arena, &training)?;
        }
        let result = network.evaluate(&mut arena, &test)?;
        eprintln!(
            "seed {seed:2}: test accuracy {:.4}, loss {:.4}, weights {}",
            result.accuracy.unwrap_or_default(),
            result.loss,
            network.weights_cid()
        );
    }
    Ok(())
}
