//! What the owners of the members do: small statements, and runs that are really trained.
//!
//! A *statement* is one more vertex by a command of the public interface: a member says again that
//! it takes part in the first run, with another number of samples. That run is never aggregated, as
//! it asks for more updates than there are members. Training is done by the real engine, on a
//! network of 22 parameters and 24 rows per member, so that updates, averages and replays are those
//! of the product at a price that a simulation of hours can pay.

use crate::dag::RunSpec;
use crate::effect::{Job, TrainedUpdate};
use crate::limits;
use crate::neural::{
    self, Activation, Dataset, Labels, Layer, LocalTraining, Loss, Scaling, Shape, Specification,
};
use crate::rng::Rng;

/// Name of the run that statements are about.
pub const BULLETIN: &str = "bulletin";

/// Name of a listed run.
pub fn run_name(number: usize) -> String {
    format!("run-{number}")
}

/// The run that statements are about: nobody ever aggregates it.
pub fn bulletin() -> RunSpec {
    let many = limits::AGGREGATE_UPDATES_MAX as u32;
    RunSpec {
        quorum: many,
        updates_min: many,
        deadline_ms: limits::RUN_DEADLINE_MS_MAX,
        ..tiny_run(BULLETIN.to_owned(), 1, many, limits::RUN_DEADLINE_MS_MAX)
    }
}

/// A run over [`tiny_data`].
pub fn tiny_run(name: String, rounds: u32, quorum: u32, deadline_ms: u32) -> RunSpec {
    RunSpec {
        name,
        model: Specification {
            inputs: Shape::Flat(2),
            layers: vec![Layer::dense(4, Activation::Tanh), Layer::dense(2, Activation::Softmax)],
            loss: Loss::CrossEntropy,
        },
        seed: 7,
        classes: vec!["below".to_owned(), "above".to_owned()],
        scaling: Scaling::identity(2),
        rounds,
        epochs: 1,
        batch: 8,
        learning_rate: 0.3,
        momentum: 0.0,
        quorum,
        updates_min: quorum.min(2),
        deadline_ms,
        aggregation: None,
        server_momentum: None,
        compression: None,
        privacy: None,
        masking: None,
        worker_momentum: None,
        reference: None,
        commit_reveal: false,
    }
}

/// Points of the plane in two classes, split by a line that every member sees another part of.
pub fn tiny_data(mut rng: Rng) -> Dataset {
    let rows = 24;
    let values: Vec<f32> = (0..rows * 2).map(|_| rng.uniform_f32() * 2.0 - 1.0).collect();
    let classes =
        values.chunks(2).map(|point| u32::from(point[0] + 0.5 * point[1] > 0.0)).collect();
    let names = vec!["below".to_owned(), "above".to_owned()];
    Dataset::from_parts(2, values, Labels::Classes(classes), names)
        .expect("as many classes as rows, and all numbers finite")
}

/// Trains as a host does.
///
/// # Errors
/// In words, as a host would say it: training diverged.
pub fn train(job: &Job, data: &Dataset) -> Result<TrainedUpdate, String> {
    let count = job.spec.model.parameter_count();
    let base = neural::weights_of_bytes(&job.base_weights, count)
        .ok_or_else(|| "the base weights have another size".to_owned())?;
    let training = LocalTraining {
        epochs: job.spec.epochs,
        batch: job.spec.batch,
        learning_rate: job.spec.learning_rate,
        momentum: job.spec.momentum,
        seed: job.seed,
    };
    let result = neural::train_update(&job.spec.model, &base, data, training)
        .map_err(|error| error.to_string())?;
    Ok(TrainedUpdate {
        delta: neural::bytes_of_weights(&result.delta),
        samples: result.samples,
        loss: result.loss as f32,
        accuracy: result.accuracy.map(|accuracy| accuracy as f32),
    })
}
