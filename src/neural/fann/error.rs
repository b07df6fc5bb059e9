//! Why a FANN network cannot be made, run or trained.

use super::{Activation, file};
use crate::limits;

/// Why a FANN network cannot be made, run or trained.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Too few or too many layers.
    #[error("a network has 2 to {max} layers, not {0}", max = limits::FANN_LAYERS_MAX)]
    Layers(usize),
    /// A layer without neurons.
    #[error("layer {0} has no neurons")]
    LayerEmpty(usize),
    /// Too many neurons or connections.
    #[error("{what}: {count} is over the limit of {max}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much there is.
        count: usize,
        /// How much there may be.
        max: usize,
    },
    /// A connection rate that is not above 0 and at most 1.
    #[error("a connection rate is above 0 and at most 1")]
    ConnectionRate,
    /// A layer or neuron that the network does not have.
    #[error("layer {layer} has no neuron {neuron} with connections")]
    NoSuchNeuron {
        /// Number of the layer, the inputs being 0.
        layer: usize,
        /// Number of the neuron in its layer.
        neuron: usize,
    },
    /// A steepness that is negative or not finite.
    #[error("a steepness is a finite number and not negative")]
    Steepness,
    /// A weight vector of another length.
    #[error("the network has {expected} weights, these are {found}")]
    WeightsLength {
        /// Weights of the network.
        expected: usize,
        /// Numbers given.
        found: usize,
    },
    /// A weight that is infinite or not a number.
    #[error("weight {0} is not a finite number")]
    WeightNotFinite(usize),
    /// Inputs of another length.
    #[error("the network has {expected} inputs, these are {found}")]
    InputsLength {
        /// Inputs of the network.
        expected: usize,
        /// Numbers given.
        found: usize,
    },
    /// Outputs or targets of another length.
    #[error("the network has {expected} outputs, these are {found}")]
    OutputsLength {
        /// Outputs of the network.
        expected: usize,
        /// Numbers given.
        found: usize,
    },
    /// An input that is infinite or not a number.
    #[error("input {0} is not a finite number")]
    InputNotFinite(usize),
    /// Numbers that are not whole rows, or not as many rows as each other, or none.
    #[error("{values} inputs and {targets} targets are not the same number of rows, at least one")]
    Rows {
        /// Numbers of all inputs.
        values: usize,
        /// Numbers of all targets.
        targets: usize,
    },
    /// Data that is infinite or not a number.
    #[error("row {0} of the data has a number that is not finite")]
    DataNotFinite(usize),
    /// The network was made without scaling.
    #[error("the network has no scaling")]
    NoScaling,
    /// An option that makes no sense.
    #[error("the option {0} is out of range")]
    Option(&'static str),
    /// A neuron through which no error can be passed back.
    #[error("neuron {neuron} has the activation {activation:?}, which cannot be trained")]
    Untrainable {
        /// Number of the neuron in the network.
        neuron: usize,
        /// Its activation.
        activation: Activation,
    },
    /// The trainer was made for a network of another size.
    #[error("the network is not the one this trainer was made for")]
    OtherNetwork,
    /// Cascade training of anything but a full shortcut network.
    #[error("cascade training grows networks in which every neuron has all earlier ones as inputs")]
    CascadeShape,
    /// Cascade training by an algorithm that is not for whole epochs with steps per weight.
    #[error("cascade training takes rprop, quickprop or sarprop")]
    CascadeAlgorithm,
    /// No candidates.
    #[error("cascade training needs at least one candidate")]
    CascadeCandidates,
    /// Weights grew beyond the range of numbers; the network keeps those before the epoch.
    #[error("training diverged in epoch {epoch}: weights of layer {layer} are no longer finite")]
    Diverged {
        /// Epochs done, this one included.
        epoch: u32,
        /// The first layer it concerns.
        layer: usize,
    },
    /// A file that cannot be read.
    #[error(transparent)]
    File(#[from] file::Error),
}

impl Error {
    /// Stable name of the cause.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Layers(_) | Self::LayerEmpty(_) | Self::ConnectionRate | Self::Steepness => {
                "specification-invalid"
            }
            Self::TooLarge { .. } => "network-too-large",
            Self::NoSuchNeuron { .. } => "neuron-unknown",
            Self::WeightsLength { .. } | Self::WeightNotFinite(_) => "weights-invalid",
            Self::InputsLength { .. } => "inputs-do-not-fit",
            Self::OutputsLength { .. } => "outputs-do-not-fit",
            Self::InputNotFinite(_) | Self::Rows { .. } | Self::DataNotFinite(_) => "rows-invalid",
            Self::NoScaling => "scaling-missing",
            Self::Option(_) | Self::CascadeAlgorithm | Self::CascadeCandidates => "option-invalid",
            Self::Untrainable { .. } => "activation-untrainable",
            Self::OtherNetwork => "network-differs",
            Self::CascadeShape => "cascade-shape",
            Self::Diverged { .. } => "training-diverged",
            Self::File(error) => error.code(),
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::CascadeShape => "begin without hidden layers, such as 2,1",
            Self::CascadeAlgorithm => "choose one of them",
            Self::Untrainable { .. } => "choose another activation, such as sigmoid-symmetric",
            Self::Diverged { .. } => "lower the learning rate, or scale the inputs",
            Self::InputsLength { .. }
            | Self::OutputsLength { .. }
            | Self::InputNotFinite(_)
            | Self::Rows { .. }
            | Self::DataNotFinite(_) => "pass finite numbers, as many per row as the network has",
            Self::File(file::Error::NotFann) => "pass a file that FANN or this program wrote",
            Self::File(file::Error::Version) => {
                "save it with libfann 2 from a floating-point build"
            }
            Self::File(_) => "the file was changed or damaged; copy it again from where it came",
            _ => "choose a value in the range",
        }
    }
}
