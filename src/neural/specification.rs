//! What a network is before it has weights: its layers, its loss, and how its inputs are scaled.
//!
//! A specification comes from files and from peers, so reading one is total: unknown fields are
//! refused by serde, and [`Specification::validate`] bounds every number before anything is
//! allocated from it.

mod layer;

mod shape;

mod bounds;

pub use layer::{Cell, Extent, Kind, Layer, Norm, Padding, Pooling, Position, Record, Returns};
pub(crate) use shape::infer;
pub use shape::{Shape, Sizes};

use serde::{Deserialize, Serialize};

use crate::limits;

/// A network without its weights.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Specification {
    /// What the network takes per row, 1 to [`limits::NEURAL_INPUTS_MAX`] numbers.
    pub inputs: Shape,
    /// The layers from the input to the output, 1 to [`limits::NEURAL_LAYERS_MAX`].
    pub layers: Vec<Layer>,
    /// What training makes small.
    pub loss: Loss,
}

/// The function after a layer's sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// `max(x, 0)`.
    Relu,
    /// The hyperbolic tangent.
    Tanh,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// `x`.
    Linear,
    /// `exp(x_i) / sum exp(x_j)` over the units of the row; needs two units or more.
    Softmax,
    /// `x` above 0, `0.01 x` below (Maas et al. 2013).
    LeakyRelu,
    /// `x` above 0, `exp x - 1` below (Clevert et al. 2016).
    Elu,
    /// `ln(1 + exp x)`: relu without its bend (Dugas et al. 2001).
    Softplus,
    /// `x Phi(x)`, with the distribution function of the normal distribution (Hendrycks and Gimpel
    /// 2016): the exact form, not that with tanh.
    Gelu,
}

/// The function that training makes small, averaged over the rows of a batch.
///
/// `o` is an output, `t` its target; means are taken over the outputs of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum Loss {
    /// `mse`: mean of `(o - t)^2`.
    Mse,
    /// `mae`: mean of `|o - t|`.
    Mae,
    /// `huber`: mean of `(o - t)^2 / 2` up to a difference of 1, of `|o - t| - 1/2` beyond (Huber
    /// 1964).
    Huber,
    /// `bce`: mean of `-t ln o - (1 - t) ln (1 - o)`, for outputs of sigmoid and targets between 0
    /// and 1.
    Bce,
    /// `cross-entropy`: `-sum t ln o` after softmax, for a class or for targets that sum to 1;
    /// after sigmoid the sum over the outputs of what `bce` takes the mean of.
    CrossEntropy,
    /// `quantile-0.9`: mean of `q (t - o)` where the output is too low, of `(1 - q) (o - t)` where
    /// it is too high, with `q` in thousandths, 1 to 999 (Koenker and Bassett 1978). Its minimum is
    /// the quantile `q` of the targets.
    Quantile(u32),
}

/// How raw inputs become a network's inputs: `(raw - offset) * scale`, feature by feature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scaling {
    /// What is subtracted, one finite number per feature, in the units of the feature.
    pub offset: Vec<f32>,
    /// What the difference is multiplied by, one finite number other than 0 per feature.
    pub scale: Vec<f32>,
}

/// Why a specification or a scaling is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No inputs, or too many.
    #[error("a network has 1 to {max} inputs, not {0}", max = limits::NEURAL_INPUTS_MAX)]
    Inputs(u32),
    /// No layers, or too many.
    #[error("a network has 1 to {max} layers, not {0}", max = limits::NEURAL_LAYERS_MAX)]
    Layers(usize),
    /// A layer without units, or with too many.
    #[error("layer {layer} has {units} units; give it 1 to {max}", max = limits::NEURAL_UNITS_MAX)]
    Units {
        /// Which layer, counted from 1 at the input.
        layer: usize,
        /// How many units it has.
        units: u32,
    },
    /// A layer that cannot take what comes before it.
    #[error("layer {layer}: {what}")]
    Layer {
        /// Which layer, counted from 1 at the input.
        layer: usize,
        /// Why not.
        what: &'static str,
    },
    /// The weights and biases together are too many.
    #[error("the layers have {0} parameters; the limit is {max}, with force {forced}",
        max = limits::NEURAL_PARAMETERS_MAX, forced = limits::NEURAL_PARAMETERS_FORCED_MAX)]
    Parameters(u64),
    /// A row costs too much.
    #[error("a row takes {0} multiplications; the most are {max}: make the layers smaller",
        max = limits::NEURAL_MULTIPLY_ADDS_MAX)]
    MultiplyAdds(u64),
    /// Softmax over one unit is 1 whatever the weights are.
    #[error("layer {0} is softmax over one unit, which is always 1; use sigmoid or more units")]
    SoftmaxOfOne(usize),
    /// The loss is not defined for what the last layer gives.
    #[error(
        "cross-entropy needs outputs between 0 and 1: end with softmax or sigmoid, for bce with \
        sigmoid, or use mse"
    )]
    LossOfOutput,
    /// A quantile that is not between 0 and 1.
    #[error("a quantile is 1 to 999 thousandths, not {0}")]
    Quantile(u32),
    /// Offset and scale are not both as long as the network's inputs.
    #[error("the scaling is for {scaling} features, the network takes {inputs}")]
    ScalingLength {
        /// Features of the scaling (the shorter of the two lists if they differ).
        scaling: usize,
        /// Inputs of the network.
        inputs: u32,
    },
    /// An offset is not finite, or a scale is not finite or is 0.
    #[error("the scaling of feature {0} is not finite, or is 0")]
    ScalingValue(usize),
}

impl Error {
    /// Stable name of the cause.
    pub fn code(&self) -> &'static str {
        match self {
            Error::ScalingLength { .. } | Error::ScalingValue(_) => "scaling-invalid",
            Error::Parameters(_) => "parameters-too-many",
            _ => "specification-invalid",
        }
    }
}

impl Activation {
    /// Every activation, in the order of the declaration.
    pub const ALL: [Activation; 9] = [
        Activation::Relu,
        Activation::Tanh,
        Activation::Sigmoid,
        Activation::Linear,
        Activation::Softmax,
        Activation::LeakyRelu,
        Activation::Elu,
        Activation::Softplus,
        Activation::Gelu,
    ];

    /// Its name in files and in JavaScript.
    pub fn name(self) -> &'static str {
        match self {
            Activation::Relu => "relu",
            Activation::Tanh => "tanh",
            Activation::Sigmoid => "sigmoid",
            Activation::Linear => "linear",
            Activation::Softmax => "softmax",
            Activation::LeakyRelu => "leaky-relu",
            Activation::Elu => "elu",
            Activation::Softplus => "softplus",
            Activation::Gelu => "gelu",
        }
    }

    /// The activation of a name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|activation| activation.name() == name)
    }
}

impl Loss {
    /// Its name in files and in JavaScript.
    pub fn name(self) -> String {
        match self {
            Loss::Mse => "mse".to_owned(),
            Loss::Mae => "mae".to_owned(),
            Loss::Huber => "huber".to_owned(),
            Loss::Bce => "bce".to_owned(),
            Loss::CrossEntropy => "cross-entropy".to_owned(),
            Loss::Quantile(per_mille) => {
                let digits = format!("{per_mille:03}");
                format!("{QUANTILE}{}", digits.trim_end_matches('0'))
            }
        }
    }

    /// The loss of a name.
    pub fn of_name(name: &str) -> Option<Self> {
        match name {
            "mse" => Some(Loss::Mse),
            "mae" => Some(Loss::Mae),
            "huber" => Some(Loss::Huber),
            "bce" => Some(Loss::Bce),
            "cross-entropy" => Some(Loss::CrossEntropy),
            _ => {
                let digits = name.strip_prefix(QUANTILE).filter(|digits| digits.len() <= 3)?;
                let number: u32 = digits.parse().ok().filter(|_| !digits.starts_with('+'))?;
                let per_mille = number * [1_000, 100, 10, 1].get(digits.len())?;
                (1..1_000).contains(&per_mille).then_some(Loss::Quantile(per_mille))
            }
        }
    }

    /// Whether it is of probabilities, so that it wants sigmoid or softmax before it and its
    /// gradient cancels theirs.
    pub(crate) fn is_of_probabilities(self) -> bool {
        matches!(self, Loss::CrossEntropy | Loss::Bce)
    }
}

/// How the name of a quantile loss begins.
const QUANTILE: &str = "quantile-0.";

impl From<Loss> for String {
    fn from(loss: Loss) -> Self {
        loss.name()
    }
}

impl TryFrom<String> for Loss {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        Loss::of_name(&name).ok_or("there is no loss of this name")
    }
}

impl Specification {
    /// Checks every bound, for a network of which others may have to carry the weights; the other
    /// methods take a validated specification.
    ///
    /// # Errors
    /// The first thing that is wrong, in the order of [`Error`].
    pub fn validate(&self) -> Result<(), Error> {
        self.validate_up_to(limits::NEURAL_PARAMETERS_MAX)
    }

    /// [`Specification::validate`] for a network of one's own, which may be larger.
    ///
    /// # Errors
    /// As [`Specification::validate`].
    pub fn validate_forced(&self) -> Result<(), Error> {
        self.validate_up_to(limits::NEURAL_PARAMETERS_FORCED_MAX)
    }

    fn validate_up_to(&self, parameters_max: usize) -> Result<(), Error> {
        let inputs = self.inputs.count();
        if self.inputs.sizes().contains(&0) || inputs > limits::NEURAL_INPUTS_MAX {
            return Err(Error::Inputs(inputs));
        }
        if self.layers.is_empty() || self.layers.len() > limits::NEURAL_LAYERS_MAX {
            return Err(Error::Layers(self.layers.len()));
        }
        for (index, layer) in self.layers.iter().enumerate() {
            if let Some(units) =
                layer.units().filter(|n| !(1..=limits::NEURAL_UNITS_MAX).contains(n))
            {
                return Err(Error::Units { layer: index + 1, units });
            }
        }
        for (index, layer) in self.layers.iter().enumerate() {
            layer.check().map_err(|what| Error::Layer { layer: index + 1, what })?;
        }
        let shapes = infer(self.inputs, &self.layers)?;
        if !matches!(shapes.last(), Some(Shape::Flat(_))) {
            let what = "the last layer gives one row of numbers: put 'flatten' before it";
            return Err(Error::Layer { layer: self.layers.len(), what });
        }
        let parameters = self.parameters_u64(&shapes);
        if usize::try_from(parameters).map_or(true, |n| n > parameters_max) {
            return Err(Error::Parameters(parameters));
        }
        let multiply_adds = self.multiply_adds(&shapes);
        if multiply_adds > limits::NEURAL_MULTIPLY_ADDS_MAX {
            return Err(Error::MultiplyAdds(multiply_adds));
        }
        for (index, (layer, shape)) in self.layers.iter().zip(shapes.iter().skip(1)).enumerate() {
            if layer.activation() == Activation::Softmax && shape.channels() == 1 {
                return Err(Error::SoftmaxOfOne(index + 1));
            }
        }
        let last = self.layers.last().map(Layer::activation);
        let fits = match self.loss {
            Loss::CrossEntropy => matches!(last, Some(Activation::Softmax | Activation::Sigmoid)),
            Loss::Bce => last == Some(Activation::Sigmoid),
            Loss::Quantile(q) if !(1..1_000).contains(&q) => return Err(Error::Quantile(q)),
            _ => true,
        };
        if fits { Ok(()) } else { Err(Error::LossOfOutput) }
    }

    /// Weights and biases together: the length of the canonical parameter vector.
    ///
    /// 0 for a specification that does not [validate](Specification::validate).
    pub fn parameter_count(&self) -> usize {
        let shapes = infer(self.inputs, &self.layers).unwrap_or_default();
        usize::try_from(self.parameters_u64(&shapes))
            .ok()
            .filter(|count| *count <= limits::NEURAL_PARAMETERS_FORCED_MAX)
            .unwrap_or(0)
    }

    /// Numbers the network takes per row.
    pub fn inputs(&self) -> u32 {
        self.inputs.count()
    }

    /// Numbers the network gives per row; 0 for a specification that does not validate.
    pub fn outputs(&self) -> u32 {
        let shapes = infer(self.inputs, &self.layers).unwrap_or_default();
        shapes.last().filter(|_| !self.layers.is_empty()).map_or(0, |shape| shape.count())
    }

    /// How many words the inputs are numbers of, if they are.
    pub fn vocabulary(&self) -> Option<u32> {
        match self.layers.first() {
            Some(Layer::Embedding { vocabulary, .. }) => Some(*vocabulary),
            _ => None,
        }
    }

    /// Multiplications and additions of one row on its way forward; saturates.
    fn multiply_adds(&self, shapes: &[Shape]) -> u64 {
        let counts = self.layers.iter().zip(shapes).zip(shapes.iter().skip(1));
        let counts = counts.map(|((layer, from), to)| layer.multiply_adds(*from, *to));
        counts.fold(0, u64::saturating_add)
    }

    /// The sum in 64 bits; saturates rather than overflows for whatever a peer may send.
    fn parameters_u64(&self, shapes: &[Shape]) -> u64 {
        let counts = self.layers.iter().zip(shapes).map(|(layer, from)| layer.parameters(*from));
        counts.fold(0, u64::saturating_add)
    }
}

impl Scaling {
    /// The scaling that changes nothing.
    pub fn identity(features: usize) -> Self {
        Self { offset: vec![0.0; features], scale: vec![1.0; features] }
    }

    /// Checks that the scaling fits a network of `inputs` inputs and that its numbers are usable.
    ///
    /// # Errors
    /// [`Error::ScalingLength`] or [`Error::ScalingValue`].
    #[inline(never)]
    pub fn validate(&self, inputs: u32) -> Result<(), Error> {
        let (shorter, longer) =
            (self.offset.len().min(self.scale.len()), self.offset.len().max(self.scale.len()));
        if shorter != longer || u32::try_from(shorter) != Ok(inputs) {
            return Err(Error::ScalingLength { scaling: shorter, inputs });
        }
        let bad = |(offset, scale): (&f32, &f32)| {
            !offset.is_finite() || !scale.is_finite() || *scale == 0.0
        };
        match self.offset.iter().zip(&self.scale).position(bad) {
            Some(feature) => Err(Error::ScalingValue(feature)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits() -> Specification {
        Specification {
            inputs: Shape::Flat(64),
            layers: vec![
                Layer::dense(128, Activation::Relu),
                Layer::dense(10, Activation::Softmax),
            ],
            loss: Loss::CrossEntropy,
        }
    }

    #[test]
    fn the_json_form_is_stable_and_refuses_unknown_fields() {
        let json = concat!(
            r#"{"inputs":64,"layers":[{"units":128,"activation":"relu"},"#,
            r#"{"units":10,"activation":"softmax"}],"loss":"cross-entropy"}"#
        );
        assert_eq!(serde_json::to_string(&digits()).unwrap(), json);
        assert_eq!(serde_json::from_str::<Specification>(json).unwrap(), digits());
        let extra = json.replace("\"inputs\":64", "\"inputs\":64,\"bias\":false");
        assert!(serde_json::from_str::<Specification>(&extra).is_err());
    }

    #[test]
    fn names_are_those_that_serde_writes() {
        for activation in Activation::ALL {
            let name = serde_json::to_value(activation).unwrap();
            assert_eq!(name, activation.name());
            assert_eq!(Activation::of_name(activation.name()), Some(activation));
        }
        let quantiles = [1, 10, 50, 500, 900, 975, 999].map(Loss::Quantile);
        let others = [Loss::Mse, Loss::Mae, Loss::Huber, Loss::Bce, Loss::CrossEntropy];
        for loss in others.into_iter().chain(quantiles) {
            assert_eq!(serde_json::to_value(loss).unwrap(), loss.name());
            assert_eq!(Loss::of_name(&loss.name()), Some(loss));
        }
        assert_eq!(Loss::of_name("quantile-0.9"), Some(Loss::Quantile(900)));
        for wrong in
            ["quantile-0.", "quantile-0.0", "quantile-1", "quantile-0.0001", "quantile-0.+9"]
        {
            assert_eq!(Loss::of_name(wrong), None, "{wrong}");
        }
        assert_eq!(Activation::of_name("Relu"), None);
    }

    #[test]
    fn parameters_are_counted_with_biases() {
        assert_eq!(digits().validate(), Ok(()));
        assert_eq!(digits().parameter_count(), 64 * 128 + 128 + 128 * 10 + 10);
        assert_eq!(digits().outputs(), 10);
    }

    #[test]
    fn every_bound_is_checked() {
        type Break = fn(&mut Specification);
        let table: [(Break, Error); 11] = [
            (|s| s.inputs = Shape::Flat(0), Error::Inputs(0)),
            (|s| s.inputs = Shape::Flat(u32::MAX), Error::Inputs(u32::MAX)),
            (|s| s.layers.clear(), Error::Layers(0)),
            (|s| s.layers = vec![s.layers[0].clone(); 33], Error::Layers(33)),
            (
                |s| s.layers[1] = Layer::dense(0, Activation::Softmax),
                Error::Units { layer: 2, units: 0 },
            ),
            (
                |s| s.layers[0] = Layer::dense(8_193, Activation::Relu),
                Error::Units { layer: 1, units: 8_193 },
            ),
            (
                |s| s.layers = vec![Layer::dense(8_192, Activation::Softmax); 2],
                Error::Parameters(67_649_536),
            ),
            (|s| s.layers[1] = Layer::dense(1, Activation::Softmax), Error::SoftmaxOfOne(2)),
            (|s| s.layers[1] = Layer::dense(10, Activation::Tanh), Error::LossOfOutput),
            (|s| s.loss = Loss::Quantile(0), Error::Quantile(0)),
            (|s| s.loss = Loss::Quantile(1_000), Error::Quantile(1_000)),
        ];
        for (break_it, error) in table {
            let mut spec = digits();
            break_it(&mut spec);
            assert_eq!(spec.validate(), Err(error));
        }
    }

    #[test]
    fn a_network_of_ones_own_may_be_larger_up_to_a_limit() {
        let of = |units: u32| Specification {
            inputs: Shape::Flat(units),
            layers: vec![Layer::dense(units, Activation::Linear)],
            loss: Loss::Mse,
        };
        assert_eq!(of(1_000).validate(), Ok(()));
        assert_eq!(of(2_000).validate(), Err(Error::Parameters(4_002_000)));
        assert_eq!(of(2_000).validate_forced(), Ok(()));
        assert_eq!(of(5_000).validate_forced(), Err(Error::Parameters(25_005_000)));
    }

    #[test]
    fn a_scaling_fits_its_network_and_is_finite() {
        assert_eq!(Scaling::identity(64).validate(64), Ok(()));
        let short = Scaling { offset: vec![0.0; 64], scale: vec![1.0; 63] };
        assert_eq!(short.validate(64), Err(Error::ScalingLength { scaling: 63, inputs: 64 }));
        let mut zero = Scaling::identity(3);
        zero.scale[1] = 0.0;
        assert_eq!(zero.validate(3), Err(Error::ScalingValue(1)));
        zero.scale[1] = f32::NAN;
        assert_eq!(zero.validate(3), Err(Error::ScalingValue(1)));
    }
}
