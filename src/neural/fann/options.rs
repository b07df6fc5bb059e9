//! How a network learns: every parameter of libfann 2.2.0, with its defaults.
//!
//! They are part of a network, because FANN files carry them (all but those of SARPROP).

use super::{Activation, Error};
use crate::limits;

/// How weights change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// Gradient descent after every row, with momentum.
    Incremental,
    /// Gradient descent once per epoch.
    Batch,
    /// iRPROP-: steps of their own per weight, from the signs of its slopes (Riedmiller and Braun
    /// 1993; Igel and Huesken 2000).
    #[default]
    Rprop,
    /// Jumps to the minimum of a parabola through the last two slopes (Fahlman 1988).
    Quickprop,
    /// RPROP with simulated annealing (Treadgold and Gedeon 1998).
    Sarprop,
}

/// What is passed back for the difference of an output from its target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ErrorFunction {
    /// The difference.
    Linear,
    /// `ln((1 + d) / (1 - d))`: outputs that are far off weigh more.
    #[default]
    Tanh,
    /// The difference, passed to the sum of a sigmoid without its derivative: the gradient of the
    /// cross-entropy. libfann has none, and a file says `Linear`.
    CrossEntropy,
}

/// When training has reached its aim.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StopFunction {
    /// The mean square error is at most the desired one.
    #[default]
    Mse,
    /// At most as many outputs as desired are further off than [`Options::bit_fail_limit`].
    Bit,
}

/// Everything that decides how a network learns.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// How weights change.
    pub algorithm: Algorithm,
    /// Size of the steps of incremental, batch and Quickprop.
    pub learning_rate: f32,
    /// Share of the last change that is added to the next one; incremental only.
    pub momentum: f32,
    /// What is passed back.
    pub error_function: ErrorFunction,
    /// When training stops.
    pub stop_function: StopFunction,
    /// A halved (symmetric outputs) or whole difference from here on is a failed bit.
    pub bit_fail_limit: f32,
    /// For [`Algorithm::Quickprop`].
    pub quickprop: Quickprop,
    /// For [`Algorithm::Rprop`] and [`Algorithm::Sarprop`].
    pub rprop: Rprop,
    /// For [`Algorithm::Sarprop`].
    pub sarprop: Sarprop,
    /// For [`super::Cascade`].
    pub cascade: CascadeOptions,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            algorithm: Algorithm::default(),
            learning_rate: 0.7,
            momentum: 0.0,
            error_function: ErrorFunction::default(),
            stop_function: StopFunction::default(),
            bit_fail_limit: 0.35,
            quickprop: Quickprop::default(),
            rprop: Rprop::default(),
            sarprop: Sarprop::default(),
            cascade: CascadeOptions::default(),
        }
    }
}

/// Parameters of Quickprop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quickprop {
    /// Times the weight, added to the slope: shrinks weights when negative.
    pub decay: f32,
    /// A step is at most this many times the one before.
    pub mu: f32,
}

impl Default for Quickprop {
    fn default() -> Self {
        Self { decay: -0.0001, mu: 1.75 }
    }
}

/// Parameters of RPROP.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rprop {
    /// Factor of a step while the slope keeps its sign.
    pub increase: f32,
    /// Factor of a step when the sign changed.
    pub decrease: f32,
    /// The smallest step.
    pub delta_min: f32,
    /// The largest step.
    pub delta_max: f32,
    /// The first step.
    pub delta_zero: f32,
    /// Whether a weight rests where its slope is 0, as in the paper. libfann moves it up by ever
    /// larger steps: weights of inputs that are always 0, and all of them once every output is
    /// right to the last bit. Not part of files.
    pub rests: bool,
}

impl Default for Rprop {
    fn default() -> Self {
        Self {
            increase: 1.2,
            decrease: 0.5,
            delta_min: 0.0,
            delta_max: 50.0,
            delta_zero: 0.1,
            rests: false,
        }
    }
}

/// Parameters of SARPROP's annealing; shifts are logarithms to base 2.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sarprop {
    /// Strength of the weight decay at the start (`2^-6.644` is 0.01).
    pub weight_decay_shift: f32,
    /// A step below this share of the error is shaken.
    pub step_error_threshold: f32,
    /// Strength of the shaking at the start.
    pub step_error_shift: f32,
    /// How fast both fade: they halve every `1 / temperature` epochs.
    pub temperature: f32,
}

impl Default for Sarprop {
    fn default() -> Self {
        Self {
            weight_decay_shift: -6.644,
            step_error_threshold: 0.1,
            step_error_shift: 1.385,
            temperature: 0.015,
        }
    }
}

/// Parameters of cascade training.
#[derive(Clone, Debug, PartialEq)]
pub struct CascadeOptions {
    /// Relative change of the outputs' error that counts as one.
    pub output_change_fraction: f32,
    /// Epochs without such a change after which the outputs have learnt all they can.
    pub output_stagnation_epochs: u32,
    /// Relative change of the best candidate's score that counts as one.
    pub candidate_change_fraction: f32,
    /// Epochs without such a change after which the candidates have.
    pub candidate_stagnation_epochs: u32,
    /// Epochs of one training of the outputs, at most.
    pub out_epochs_max: u32,
    /// At least.
    pub out_epochs_min: u32,
    /// Epochs of one training of the candidates, at most.
    pub candidate_epochs_max: u32,
    /// At least.
    pub candidate_epochs_min: u32,
    /// Candidates of each activation function and steepness.
    pub candidate_groups: u32,
    /// Candidates stop when the best score is this many times the error.
    pub candidate_limit: f32,
    /// A candidate's output weights are multiplied by this when it is installed.
    pub weight_multiplier: f32,
    /// Activation functions of the candidates.
    pub activations: Vec<Activation>,
    /// Steepnesses of the candidates.
    pub steepnesses: Vec<f32>,
}

impl Default for CascadeOptions {
    fn default() -> Self {
        Self {
            output_change_fraction: 0.01,
            output_stagnation_epochs: 12,
            candidate_change_fraction: 0.01,
            candidate_stagnation_epochs: 12,
            out_epochs_max: 150,
            out_epochs_min: 50,
            candidate_epochs_max: 150,
            candidate_epochs_min: 50,
            candidate_groups: 2,
            candidate_limit: 1000.0,
            weight_multiplier: 0.4,
            activations: vec![
                Activation::Sigmoid,
                Activation::SigmoidSymmetric,
                Activation::Gaussian,
                Activation::GaussianSymmetric,
                Activation::Elliot,
                Activation::ElliotSymmetric,
                Activation::SinSymmetric,
                Activation::CosSymmetric,
                Activation::Sin,
                Activation::Cos,
            ],
            steepnesses: vec![0.25, 0.5, 0.75, 1.0],
        }
    }
}

impl Options {
    /// Whether every number is finite and those that must be are not negative.
    ///
    /// # Errors
    /// [`Error::Option`] with the name of the first that is not.
    pub fn validate(&self) -> Result<(), Error> {
        let (cascade, rprop, sarprop) = (&self.cascade, &self.rprop, &self.sarprop);
        let positive = [
            ("learning_rate", self.learning_rate),
            ("momentum", self.momentum),
            ("bit_fail_limit", self.bit_fail_limit),
            ("quickprop_mu", self.quickprop.mu),
            ("rprop_increase_factor", rprop.increase),
            ("rprop_decrease_factor", rprop.decrease),
            ("rprop_delta_min", rprop.delta_min),
            ("rprop_delta_max", rprop.delta_max),
            ("rprop_delta_zero", rprop.delta_zero),
            ("sarprop_step_error_threshold", sarprop.step_error_threshold),
            ("sarprop_temperature", sarprop.temperature),
            ("cascade_output_change_fraction", cascade.output_change_fraction),
            ("cascade_candidate_change_fraction", cascade.candidate_change_fraction),
        ];
        let finite = [
            ("quickprop_decay", self.quickprop.decay),
            ("sarprop_weight_decay_shift", sarprop.weight_decay_shift),
            ("sarprop_step_error_shift", sarprop.step_error_shift),
            ("cascade_candidate_limit", cascade.candidate_limit),
            ("cascade_weight_multiplier", cascade.weight_multiplier),
        ];
        let epochs = [
            ("cascade_max_out_epochs", cascade.out_epochs_max),
            ("cascade_min_out_epochs", cascade.out_epochs_min),
            ("cascade_max_cand_epochs", cascade.candidate_epochs_max),
            ("cascade_min_cand_epochs", cascade.candidate_epochs_min),
        ];
        let most = limits::FANN_CASCADE_EPOCHS_MAX;
        if let Some((name, _)) = epochs.into_iter().find(|(_, epochs)| *epochs > most) {
            return Err(Error::Option(name));
        }
        let steepnesses = cascade.steepnesses.iter().map(|s| ("cascade_steepnesses", *s));
        let positive = positive.into_iter().chain(steepnesses);
        let wrong = positive.filter(|(_, value)| !(value.is_finite() && *value >= 0.0));
        let wrong = wrong.chain(finite.into_iter().filter(|(_, value)| !value.is_finite()));
        match wrong.map(|(name, _)| name).next() {
            Some(name) => Err(Error::Option(name)),
            None => Ok(()),
        }
    }
}
