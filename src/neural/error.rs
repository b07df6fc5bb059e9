//! Why a network cannot be made, run or trained.

use crate::limits;
use crate::neural::specification;

/// Why a network cannot be made, run or trained.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The specification or the scaling is not usable.
    #[error(transparent)]
    Specification(#[from] specification::Error),
    /// A parameter vector of another length.
    #[error("the network has {expected} parameters, these are {found}")]
    WeightsLength {
        /// Parameters of the network.
        expected: usize,
        /// Numbers given.
        found: usize,
    },
    /// A parameter that is infinite or not a number.
    #[error("parameter {0} is not a finite number")]
    WeightsNotFinite(usize),
    /// Input or output numbers that are not whole rows, or not as many rows as each other.
    #[error("{found} numbers are not {rows} rows of {columns}")]
    Rows {
        /// Numbers given.
        found: usize,
        /// Rows expected.
        rows: usize,
        /// Numbers per row.
        columns: u32,
    },
    /// An input that is not the number of a word.
    #[error("input {place} is not a whole number from 0 to below {vocabulary}, not a word")]
    Word {
        /// Which number, counted from 0 at the first one of the first row.
        place: usize,
        /// Words of the embedding.
        vocabulary: u32,
    },
    /// The data has another number of features than the network has inputs.
    #[error(
        "the data has {features} features{}, the network takes {inputs} inputs: make it {features}",
        of_columns(*columns, *features)
    )]
    InputsDoNotFit {
        /// Features of the data, one for each category of a column of text.
        features: usize,
        /// Columns of its table.
        columns: usize,
        /// Inputs of the network.
        inputs: u32,
    },
    /// The last layer has another size than the number of classes.
    #[error("the data has {classes} classes, the last layer has {units} units: make it {classes}")]
    ClassesDoNotFit {
        /// Classes of the data.
        classes: usize,
        /// Units of the last layer.
        units: u32,
    },
    /// The last layer has another size than the number of targets per row.
    #[error(
        "the data has {targets} numbers to predict per row, the last layer has {units} units: \
        make it {targets}"
    )]
    TargetsDoNotFit {
        /// Numbers to predict per row.
        targets: usize,
        /// Units of the last layer.
        units: u32,
    },
    /// The data was scaled for another network, or not as the network's data was.
    #[error("the data is scaled differently from the data the network was trained with")]
    ScalingDiffers,
    /// The data names other classes than the network was trained with.
    #[error("the data has other classes than the network was trained with")]
    ClassesDiffer,
    /// The data has other categories than the network was trained with.
    #[error("the columns of the data are not those the network was trained with")]
    ColumnsDiffer,
    /// Values are missing.
    #[error("values are missing in the data")]
    Gaps,
    /// A target that is no probability, for a loss of probabilities.
    #[error(
        "row {row} has a target that is not from 0 to 1, which the loss takes for a probability"
    )]
    Target {
        /// Which row of the data, counted from 1.
        row: usize,
    },
    /// A batch of no rows, or too many.
    #[error("a batch has 1 to {max} rows, not {0}", max = limits::NEURAL_BATCH_MAX)]
    Batch(u32),
    /// No epochs, or too many.
    #[error("training takes 1 to {max} epochs, not {0}", max = limits::NEURAL_EPOCHS_MAX)]
    Epochs(u32),
    /// A learning rate that is not positive, or too large.
    // Floats are carried but not printed: formatting them costs 8 KB of wasm.
    #[error("a learning rate is above 0 and at most 100")]
    LearningRate(f32),
    /// A momentum that is negative, or 1 and more.
    #[error("momentum is at least 0 and below 1")]
    Momentum(f32),
    /// The data set has no rows.
    #[error("the data has no rows")]
    NoRows,
    /// A member that a population does not have.
    #[error("there is no network {member} among {count}")]
    Member {
        /// Which was asked for, counted from 0.
        member: usize,
        /// How many there are.
        count: usize,
    },
    /// Another option out of its range.
    #[error("{0}")]
    Option(&'static str),
    /// The weights grew beyond the range of numbers; the network keeps those before the epoch.
    #[error("training diverged in epoch {epoch}: {} no longer finite", of_layer(*.layer))]
    Diverged {
        /// The epoch, counted from 1.
        epoch: u64,
        /// The first layer whose weights are not finite, counted from 1; `None` if only the loss
        /// is not.
        layer: Option<u32>,
    },
    /// A batch of this network needs more scratch memory than the limit.
    #[error("a batch of {rows} rows needs {numbers_per_row} numbers for each; the limit is {max}",
        max = limits::NEURAL_ARENA_NUMBERS_MAX)]
    ArenaTooLarge {
        /// Rows of the batch.
        rows: usize,
        /// Numbers the plan needs for each.
        numbers_per_row: usize,
    },
}

impl Error {
    /// Stable name of the cause.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Specification(error) => error.code(),
            Error::WeightsLength { .. } | Error::WeightsNotFinite(_) => "weights-invalid",
            Error::Rows { .. } => "rows-invalid",
            Error::Word { .. } => "word-invalid",
            Error::InputsDoNotFit { .. } => "inputs-do-not-fit",
            Error::ClassesDoNotFit { .. } | Error::TargetsDoNotFit { .. } => "outputs-do-not-fit",
            Error::ScalingDiffers | Error::ClassesDiffer | Error::ColumnsDiffer => "data-differs",
            Error::Gaps => "data-missing",
            Error::Target { .. } => "targets-invalid",
            Error::Batch(_)
            | Error::Epochs(_)
            | Error::LearningRate(_)
            | Error::Momentum(_)
            | Error::Option(_)
            | Error::Member { .. } => "option-invalid",
            Error::NoRows => "data-empty",
            Error::Diverged { .. } => "training-diverged",
            Error::ArenaTooLarge { .. } => "batch-too-large",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Error::Specification(specification::Error::Parameters(_)) => {
                "make the layers smaller, or force it (--force): such a network trains for \
                 itself, not in a run"
            }
            Error::Specification(_) => {
                "change the layers, the loss or the scaling as the message says"
            }
            Error::WeightsLength { .. } => "the weights belong to another specification",
            Error::WeightsNotFinite(_) => "the weights come from a training that diverged",
            Error::Rows { .. } => "pass the numbers of all rows one after the other",
            Error::Word { .. } => {
                "number the words from 0, pass them unscaled, or make the vocabulary larger"
            }
            Error::InputsDoNotFit { .. } => {
                "the first size of the layers is the number of columns without the labels, where a \
                 column of text counts once for each of its categories"
            }
            Error::ClassesDoNotFit { .. } | Error::TargetsDoNotFit { .. } => {
                "the last size of the layers must be the one the message says; if the label is a \
                 number to predict rather than a class, or the other way round, set the task"
            }
            Error::ScalingDiffers => "scale the data with the scaling of the network's first data",
            Error::ClassesDiffer => "read the data with the class names of the network",
            Error::ColumnsDiffer => "read the data with the columns of the network",
            Error::Gaps => "fill them first",
            Error::Target { .. } => "scale the targets, or choose another loss",
            Error::Batch(_) | Error::Epochs(_) | Error::Option(_) | Error::Member { .. } => {
                "choose a number in the range"
            }
            Error::LearningRate(_) => "0.001 is usual for adam, 0.1 for sgd",
            Error::Momentum(_) => "0.9 is usual, 0 switches it off",
            Error::NoRows => "give it at least one row",
            Error::Diverged { .. } => "lower the learning rate, or scale the inputs",
            Error::ArenaTooLarge { .. } => "make the batch smaller",
        }
    }
}

fn of_columns(columns: usize, features: usize) -> String {
    if columns == features { String::new() } else { format!(" in {columns} columns") }
}

fn of_layer(layer: Option<u32>) -> String {
    match layer {
        Some(layer) => format!("the weights of layer {layer} are"),
        None => "the loss is".to_owned(),
    }
}
