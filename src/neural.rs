//! Micro-networks: what they are, how they compute, how they learn.
//!
//! ```text
//! Specification --compile--> Plan (shared by all networks of the shape)
//!                              |
//! seed or weights --------> Network --run--> outputs        everything passes
//!                              ^                            through one Arena
//! CSV --> Dataset --scale--> Trainer (epoch by epoch)
//!                              |
//!                            Model (network, scaling, classes: one file)
//! ```
//!
//! Everything is a deterministic function of its arguments: the same data, specification and seed
//! give the same weights, bit for bit, natively and in wasm (see `simd`). A step of training
//! allocates nothing. There are no threads, no clocks and no files here; networks of 10^2 to 10^6
//! parameters are what it is made for.
//!
//! Networks with connections of their own per neuron, cascade training and FANN files are in
//! [`fann`], an engine beside this one.
//!
//! ```
//! use synaptic_mesh::neural::{dataset, *};
//!
//! let csv = b"a,b,xor\n0,0,no\n0,1,yes\n1,0,yes\n1,1,no\n";
//! let data = Dataset::parse(csv, &dataset::Options::default())?;
//! let layer = Layer::dense;
//! let specification = Specification {
//!     inputs: Shape::Flat(2),
//!     layers: vec![layer(8, Activation::Tanh), layer(2, Activation::Softmax)],
//!     loss: Loss::CrossEntropy,
//! };
//! let (mut network, mut arena) = (Network::new(&specification, 1)?, Arena::new());
//! let options = Options { learning_rate: 0.05, ..Options::default() };
//! let mut trainer = Trainer::new(&network, options)?;
//! for _ in 0..100 {
//!     trainer.epoch(&mut network, &mut arena, &data)?;
//! }
//! assert_eq!(network.evaluate(&mut arena, &data)?.accuracy, Some(1.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod specification;

pub mod dataset;

mod error;

pub mod plan;

mod arena;

mod activation;

mod loss;

mod execute;

mod layer;

mod optimiser;

mod schedule;

mod network;

mod population;

mod training;

pub mod model;

pub mod fann;

pub use arena::Arena;
pub use dataset::{Dataset, Labels, Task};
pub use error::Error;
pub use model::Model;
pub use network::{
    Evaluation, Network, bytes_of_weights, check_fits, index_of_largest, weights_of_bytes,
};
pub use optimiser::Optimiser;
pub use population::Population;
pub use schedule::{Decay, Schedule};
pub use specification::{Activation, Layer, Loss, Scaling, Shape, Specification};
pub use training::{Epoch, LocalTraining, Options, Trainer, UpdateResult, train_update};

/// One independent random sequence per purpose, so that one seed serves them all.
mod stream {
    pub(super) const WEIGHTS: u64 = 1;
    pub(super) const SHUFFLE: u64 = 2;
    pub(super) const SPLIT: u64 = 3;
    pub(super) const DIRICHLET: u64 = 4;
    pub(super) const MUTATION: u64 = 5;
}
