//! Bounds of networks, their training, their data sets and their files.

// ---- neural: specifications -------------------------------------------------------------------

/// Inputs of one network (count). A 256 x 256 grey image is the largest thing meant to fit.
pub const NEURAL_INPUTS_MAX: u32 = 65_536;
/// Layers of one network (count). Arbitrary, sane: deeper dense networks do not train well.
pub const NEURAL_LAYERS_MAX: usize = 32;
/// Units of one layer (count). With it one layer of `inputs x units` cannot overflow 32 bits.
pub const NEURAL_UNITS_MAX: u32 = 8_192;
/// Trainable parameters of one network (count): micro-networks are 10^2 to 10^6 parameters, and a
/// blob of 4 MiB is what one member may ask the others to carry per round.
pub const NEURAL_PARAMETERS_MAX: usize = 1 << 20;
/// Trainable parameters of a network that is made with force (count), for oneself: 64 MiB of
/// weights, and a trainer with its copies stays below half a gigabyte. No run takes it.
pub const NEURAL_PARAMETERS_FORCED_MAX: usize = 1 << 24;
/// Words of one embedding (count): with one unit each they are all parameters that a network may
/// have, and `f32` counts as far.
pub const NEURAL_VOCABULARY_MAX: u32 = 1 << 20;
/// Multiplications and additions of one row on its way forward (count): 2^26 are some 10 ms, so
/// that a batch of a network that a peer describes is a matter of seconds. `ResNet`-20 on 32 x 32
/// pixels has 41 million.
pub const NEURAL_MULTIPLY_ADDS_MAX: u64 = 1 << 26;
/// Bytes of the raw little-endian `f32` weights of the largest network.
pub const NEURAL_WEIGHTS_BYTES_MAX: usize = NEURAL_PARAMETERS_MAX * 4;

/// Updates that a rule compares each with each (count): of the largest sets that memory takes, some
/// 10^9 differences, a second of one core.
pub const AGGREGATION_COMPARED_MAX: usize = 64;
/// Values of all updates that a rule has side by side (count): 128 MiB, 32 updates of the largest
/// network.
pub const AGGREGATION_VALUES_MAX: usize = 32 * NEURAL_PARAMETERS_MAX;

// ---- neural: training -------------------------------------------------------------------------

/// Rows of one training batch (count). The arena holds one batch; above this nothing gets faster.
pub const NEURAL_BATCH_MAX: u32 = 4_096;
/// Numbers of one arena (count): 128 MiB. A batch that needs more is refused, not split silently.
pub const NEURAL_ARENA_NUMBERS_MAX: usize = 1 << 25;
/// Epochs of one call for local training (count): bounds what a run can make a member compute.
pub const NEURAL_EPOCHS_MAX: u32 = 1_000;
/// Learning rate (no unit). Arbitrary, sane: training diverges long before.
pub const NEURAL_LEARNING_RATE_MAX: f32 = 100.0;

// ---- neural: data sets ------------------------------------------------------------------------

/// Bytes of one CSV file. Bounds the copy that crosses into wasm memory.
pub const DATASET_BYTES_MAX: usize = 64 << 20;
/// Rows of one data set (count). Row numbers and shuffles are 32-bit.
pub const DATASET_ROWS_MAX: usize = 1 << 20;
/// Numbers of one data set (rows times features, count): 64 MiB of `f32`.
pub const DATASET_VALUES_MAX: usize = 1 << 24;
/// Bytes of one CSV record: the most features with 64 characters each. A missing closing quote
/// makes a record of the rest of the file, and stops here.
pub const DATASET_RECORD_BYTES_MAX: usize = 4 << 20;
/// Bytes of a field that an error message repeats. Arbitrary, sane: the start tells what it is.
pub const DATASET_QUOTED_BYTES_MAX: usize = 40;
/// Classes of one classification (count); the same in a run's specification.
pub const CLASSES_MAX: usize = 1_000;
/// Bytes of one class name; the same in a run's specification.
pub const CLASS_NAME_BYTES_MAX: usize = 64;
/// Categories of one column (count): each is an input. As many as classes: a column with more is
/// free text or an identifier.
pub const DATASET_CATEGORIES_MAX: usize = 1_000;
/// Bytes of the names of all columns together that a model keeps, to find them by in other tables;
/// arbitrary, sane: a thousand names. With more it goes by the order of the columns.
pub const DATASET_COLUMN_NAMES_BYTES_MAX: usize = 64 << 10;
/// Members of one Dirichlet split (count). Arbitrary, sane: simulations, not meshes, use it.
pub const DATASET_MEMBERS_MAX: usize = 1_024;

// ---- neural: model files ----------------------------------------------------------------------

/// Bytes of one model file: base64 of the largest weights, scaling, names of classes and of
/// categories (each an input), and JSON around it.
pub const MODEL_FILE_BYTES_MAX: usize = 128 << 20;

// ---- neural: FANN networks --------------------------------------------------------------------

/// Neurons of one FANN network, inputs and biases included (count): the most inputs there may be,
/// and as many behind them.
pub const FANN_NEURONS_MAX: usize = 1 << 17;
/// Layers of one FANN network (count): cascade training adds one per neuron. Arbitrary, sane.
pub const FANN_LAYERS_MAX: usize = 4_096;
/// Candidates of one step of cascade training (count): libfann's defaults make 80.
pub const FANN_CANDIDATES_MAX: usize = 1_024;
/// Epochs of one phase of cascade training (count), whatever a file says. Arbitrary, sane: those of
/// libfann are 150.
pub const FANN_CASCADE_EPOCHS_MAX: u32 = 100_000;
/// Bytes of one FANN file: the most connections with 40 characters each, and the neurons.
pub const FANN_FILE_BYTES_MAX: usize = 64 << 20;

#[expect(clippy::as_conversions, reason = "constants, widened at compile time")]
const _: () = {
    assert!((NEURAL_INPUTS_MAX as u64) * (NEURAL_UNITS_MAX as u64) < u32::MAX as u64);
    assert!(NEURAL_VOCABULARY_MAX as usize <= NEURAL_PARAMETERS_MAX);
    assert!(DATASET_ROWS_MAX < u32::MAX as usize);
    assert!(DATASET_VALUES_MAX >= NEURAL_INPUTS_MAX as usize);
    assert!(NEURAL_PARAMETERS_MAX <= NEURAL_PARAMETERS_FORCED_MAX);
    let largest_bytes = 4 * NEURAL_PARAMETERS_FORCED_MAX + 64 * NEURAL_INPUTS_MAX as usize;
    let names_bytes = 6 * CLASS_NAME_BYTES_MAX * NEURAL_INPUTS_MAX as usize;
    assert!(MODEL_FILE_BYTES_MAX > largest_bytes / 3 * 4 + names_bytes);
    assert!(FANN_FILE_BYTES_MAX > 48 * NEURAL_PARAMETERS_MAX + 48 * FANN_NEURONS_MAX);
};
