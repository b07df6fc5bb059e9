//! FANN: networks, training and files of the Fast Artificial Neural Network library, in Rust.
//!
//! The networks of [`crate::neural`] are stacks of layers, compiled once. FANN's are graphs:
//! every neuron has its own connections, activation and steepness, and cascade training adds
//! neurons while it learns. So this is an engine of its own, made for parity with libfann 2.2.0
//! (Nissen 2003): the same sums in the same order, so that from the same weights both walk the same
//! path, and the same files. `tests/fann_interop.rs` holds it to that against libfann itself.
//!
//! ```text
//! sizes, seed --> Network --run--> outputs
//!                  ^  |  \--to_file/from_file--> FANN_FLO_2.1
//!                  |  v
//! Data --> Trainer (incremental, batch, rprop, quickprop, sarprop), epoch by epoch
//!      --> Cascade, neuron by neuron
//! ```
//!
//! Sources: Riedmiller and Braun 1993, "A direct adaptive method for faster backpropagation
//! learning" (RPROP); Igel and Huesken 2000, "Improving the Rprop learning algorithm" (iRPROP-);
//! Fahlman 1988, "Faster-learning variations on back-propagation" (Quickprop); Treadgold and Gedeon
//! 1998, "Simulated annealing and weight decay in adaptive learning" (SARPROP); Fahlman and Lebiere
//! 1990, "The cascade-correlation learning architecture".
//!
//! Everything is a deterministic function of its arguments, bit for bit, natively and in wasm. Left
//! out: fixed-point networks, files of versions before 2.0, recurrent connections. One network
//! works on one row at a time; for speed on batches there is [`crate::neural`].
//!
//! ```
//! use synaptic_mesh::neural::fann::{Activation, Data, Network, Trainer};
//! use synaptic_mesh::rng::Rng;
//!
//! let mut network = Network::standard(&[2, 4, 1], &mut Rng::from_u64(1))?;
//! network.set_hidden(Activation::SigmoidSymmetric, 0.5)?;
//! network.set_output(Activation::SigmoidSymmetric, 0.5)?;
//! network.randomize(-1.0, 1.0, &mut Rng::from_u64(2));
//! let xor = Data::new(
//!     2,
//!     1,
//!     vec![-1.0, -1.0, -1.0, 1.0, 1.0, -1.0, 1.0, 1.0],
//!     vec![-1.0, 1.0, 1.0, -1.0],
//! )?;
//! let outcome = Trainer::new(&network, 0)?.train(&mut network, &xor, 1_000, 0.001)?;
//! assert!(outcome.reached && network.run(&[-1.0, 1.0])?[0] > 0.9);
//! let again = Network::from_file(&network.to_file())?;
//! assert_eq!(again.weights(), network.weights());
//! # Ok::<(), synaptic_mesh::neural::fann::Error>(())
//! ```

mod error;

mod functions;

mod random;

mod activation;

mod options;

mod data;

mod scaling;

mod network;

mod build;

mod forward;

mod measure;

mod update;

mod training;

mod candidates;

mod cascade;

pub mod file;

pub use activation::Activation;
pub use cascade::{Cascade, Growth};
pub use data::Data;
pub use error::Error;
pub use measure::Measure;
pub use network::{Kind, Network};
pub use options::{
    Algorithm, CascadeOptions, ErrorFunction, Options, Quickprop, Rprop, Sarprop, StopFunction,
};
pub use random::Random;
pub use scaling::Scaling;
pub use training::{Outcome, Trainer};
