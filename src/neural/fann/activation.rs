//! The activation functions of FANN, by their numbers in its files.
//!
//! A neuron's sum is scaled by its steepness before the function is applied. Arithmetic is that of
//! libfann 2.2.0: exponentials and sines in `f64`, everything else in `f32`, in its order.
//!
//! Derivatives are true ones, with three exceptions that are FANN's on purpose: those of the
//! sigmoids are never told from a value nearer than 0.01 to the end of the range (against flat
//! spots, after Fahlman 1988), the stepwise sigmoids have those of the smooth ones, and the bounded
//! linear pieces pass errors on beyond their bounds. libfann 2.2.0 also misplaces the steepness in
//! the derivatives of gaussian, sine, cosine (in networks) and elliot (in cascade candidates);
//! that is not repeated here.

use super::functions::{cos, exp, sin};

/// What a neuron makes of its sum; `x` is the sum times the steepness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Activation {
    /// `x`.
    Linear,
    /// 0 below 0, else 1. Cannot be trained.
    Threshold,
    /// -1 below 0, else 1. Cannot be trained.
    ThresholdSymmetric,
    /// `1 / (1 + e^-2x)`.
    Sigmoid,
    /// Seven straight pieces near [`Activation::Sigmoid`].
    SigmoidStepwise,
    /// `tanh x`.
    SigmoidSymmetric,
    /// Seven straight pieces near [`Activation::SigmoidSymmetric`].
    SigmoidSymmetricStepwise,
    /// `e^(-x^2)`.
    Gaussian,
    /// `2 e^(-x^2) - 1`.
    GaussianSymmetric,
    /// Always 0: libfann names it and never made it. Cannot be trained.
    GaussianStepwise,
    /// `x / 2 / (1 + |x|) + 1/2` (Elliott 1993).
    Elliot,
    /// `x / (1 + |x|)`.
    ElliotSymmetric,
    /// `x` held between 0 and 1.
    LinearPiece,
    /// `x` held between -1 and 1.
    LinearPieceSymmetric,
    /// `sin x`.
    SinSymmetric,
    /// `cos x`.
    CosSymmetric,
    /// `sin x / 2 + 1/2`.
    Sin,
    /// `cos x / 2 + 1/2`.
    Cos,
    /// `x` above 0, else 0. Since libfann's development version; 2.2.0 reads it as no function.
    LinearPieceRect,
    /// `x` above 0, else `x / 100`. As [`Activation::LinearPieceRect`].
    LinearPieceRectLeaky,
}

impl Activation {
    /// All of them; the place is the number in files.
    pub const ALL: [Self; 20] = [
        Self::Linear,
        Self::Threshold,
        Self::ThresholdSymmetric,
        Self::Sigmoid,
        Self::SigmoidStepwise,
        Self::SigmoidSymmetric,
        Self::SigmoidSymmetricStepwise,
        Self::Gaussian,
        Self::GaussianSymmetric,
        Self::GaussianStepwise,
        Self::Elliot,
        Self::ElliotSymmetric,
        Self::LinearPiece,
        Self::LinearPieceSymmetric,
        Self::SinSymmetric,
        Self::CosSymmetric,
        Self::Sin,
        Self::Cos,
        Self::LinearPieceRect,
        Self::LinearPieceRectLeaky,
    ];

    /// The number in files.
    pub fn number(self) -> u32 {
        let place = Self::ALL.iter().position(|other| *other == self);
        place.and_then(|place| u32::try_from(place).ok()).unwrap_or(0)
    }

    /// The function of a number in files.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }

    /// Whether errors can be passed back through it.
    pub fn is_trainable(self) -> bool {
        !matches!(self, Self::Threshold | Self::ThresholdSymmetric | Self::GaussianStepwise)
    }

    /// Whether its range is from -1 to 1, twice as wide: libfann halves the errors of such outputs.
    pub fn is_symmetric(self) -> bool {
        matches!(
            self,
            Self::ThresholdSymmetric
                | Self::SigmoidSymmetric
                | Self::SigmoidSymmetricStepwise
                | Self::GaussianSymmetric
                | Self::ElliotSymmetric
                | Self::LinearPieceSymmetric
                | Self::SinSymmetric
                | Self::CosSymmetric
        )
    }

    /// The function of `x`, which is a sum times a steepness.
    pub fn value(self, x: f32) -> f32 {
        match self {
            Self::Threshold if x < 0.0 => 0.0,
            Self::ThresholdSymmetric if x < 0.0 => -1.0,
            Self::Threshold | Self::ThresholdSymmetric => 1.0,
            Self::Sigmoid => narrow(1.0 / (1.0 + exp(f64::from(-2.0 * x)))),
            Self::SigmoidSymmetric => narrow(2.0 / (1.0 + exp(f64::from(-2.0 * x))) - 1.0),
            Self::SigmoidStepwise => stepwise(&SIGMOID, 0.0, x),
            Self::SigmoidSymmetricStepwise => stepwise(&SIGMOID_SYMMETRIC, -1.0, x),
            Self::Gaussian => narrow(exp(f64::from(-x * x))),
            Self::GaussianSymmetric => narrow(exp(f64::from(-x * x)) * 2.0 - 1.0),
            Self::GaussianStepwise => 0.0,
            Self::Elliot => x / 2.0 / (1.0 + x.abs()) + 0.5,
            Self::ElliotSymmetric => x / (1.0 + x.abs()),
            Self::LinearPiece => x.clamp(0.0, 1.0),
            Self::LinearPieceSymmetric => x.clamp(-1.0, 1.0),
            Self::SinSymmetric => narrow(sin(f64::from(x))),
            Self::CosSymmetric => narrow(cos(f64::from(x))),
            Self::Sin => narrow(sin(f64::from(x)) / 2.0 + 0.5),
            Self::Cos => narrow(cos(f64::from(x)) / 2.0 + 0.5),
            Self::LinearPieceRect => x.max(0.0),
            Self::LinearPieceRectLeaky if x < 0.0 => narrow(f64::from(x) * 0.01),
            Self::Linear | Self::LinearPieceRectLeaky => x,
        }
    }

    /// The derivative by the sum, told from the sum before it was scaled, and from the value.
    pub fn derivative(self, steepness: f32, value: f32, sum: f32) -> f32 {
        let wave = |f: fn(f64) -> f64| steepness_times(steepness, f(f64::from(steepness * sum)));
        match self {
            Self::Threshold | Self::ThresholdSymmetric | Self::GaussianStepwise => 0.0,
            Self::Sigmoid | Self::SigmoidStepwise => {
                let value = value.clamp(0.01, 0.99);
                2.0 * steepness * value * (1.0 - value)
            }
            Self::SigmoidSymmetric | Self::SigmoidSymmetricStepwise => {
                let value = value.clamp(-0.98, 0.98);
                steepness * (1.0 - value * value)
            }
            Self::Gaussian => -2.0 * sum * value * steepness * steepness,
            Self::GaussianSymmetric => -2.0 * sum * (value + 1.0) * steepness * steepness,
            Self::Elliot => {
                let size = 1.0 + (steepness * sum).abs();
                steepness / (2.0 * size * size)
            }
            Self::ElliotSymmetric => {
                let size = 1.0 + (steepness * sum).abs();
                steepness / (size * size)
            }
            Self::SinSymmetric => wave(cos),
            Self::CosSymmetric => wave(|x| -sin(x)),
            Self::Sin => wave(|x| cos(x) / 2.0),
            Self::Cos => wave(|x| -sin(x) / 2.0),
            Self::LinearPieceRect if sum < 0.0 => 0.0,
            Self::LinearPieceRectLeaky if value < 0.0 => narrow(f64::from(steepness) * 0.01),
            Self::Linear
            | Self::LinearPiece
            | Self::LinearPieceSymmetric
            | Self::LinearPieceRect
            | Self::LinearPieceRectLeaky => steepness,
        }
    }
}

#[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "rounds once")]
fn narrow(number: f64) -> f32 {
    number as f32
}

fn steepness_times(steepness: f32, slope: f64) -> f32 {
    narrow(f64::from(steepness) * slope)
}

/// Where the straight pieces meet, as libfann has them.
type Corners = [(f64, f64); 6];

const SIGMOID: Corners = [
    (-2.646_652_460_098_266_6, 0.004_999_999_888_241_291),
    (-1.472_219_467_163_086, 0.050_000_000_745_058_06),
    (-0.549_306_154_251_098_6, 0.25),
    (0.549_306_154_251_098_6, 0.75),
    (1.472_219_347_953_796_4, 0.949_999_988_079_071),
    (2.646_652_936_935_425, 0.995_000_004_768_371_6),
];
const SIGMOID_SYMMETRIC: Corners = [
    (-2.646_652_936_935_425, -0.990_000_009_536_743_2),
    (-1.472_219_347_953_796_4, -0.899_999_976_158_142_1),
    (-0.549_306_154_251_098_6, -0.5),
    (0.549_306_154_251_098_6, 0.5),
    (1.472_219_347_953_796_4, 0.899_999_976_158_142_1),
    (2.646_652_936_935_425, 0.990_000_009_536_743_2),
];

/// `lowest` before the first corner, 1 behind the last, straight in between.
fn stepwise(corners: &Corners, lowest: f32, x: f32) -> f32 {
    let x = f64::from(x);
    let mut from: Option<(f64, f64)> = None;
    for (at, height) in corners {
        if x < *at {
            return from.map_or(lowest, |(start, low)| {
                narrow((height - low) * (x - start) / (at - start) + low)
            });
        }
        from = Some((*at, *height));
    }
    1.0
}
