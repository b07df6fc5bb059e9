//! Aggregation rules: one change of the weights from the changes that several members propose.
//!
//! A mean is at the mercy of a single member: whoever sends a large enough update decides it alone.
//! The rules here bound what `f` hostile updates of `n` can do:
//!
//! | rule | needs | cost | source |
//! |---|---|---|---|
//! | [`mean`] | 1 | `n d` | |
//! | [`median`], of each coordinate | 2f + 1 | `n d log n` | Yin and others, ICML 2018 |
//! | [`trimmed_mean`], of each coordinate | 2f + 1 | `n d log n` | the same |
//! | [`krum`], [`multi_krum`] | 2f + 3 | `n^2 d` | Blanchard and others, NIPS 2017 |
//! | [`geometric_median`] | 2f + 1 | `n d` each step | Pillutla and others, 2019 (RFA) |
//! | [`centered_clipping`] | 2f + 1 | `n d` each step | Karimireddy and others, ICML 2021 |
//! | [`bulyan`] | 4f + 3 | `n^2 (d + n^2)` | El Mhamdi and others, ICML 2018 |
//! | [`fltrust`], with a trusted update | 1 | `n d` | Cao and others, NDSS 2021 |
//!
//! [`Updates`] holds what they read, and does what may come before: [`Updates::clip`],
//! [`Updates::clip_adaptively`] (ARC, Allouah and others, 2024) and [`Updates::mix_nearest`] (NNM,
//! Allouah and others, AISTATS 2023). [`Settings`] is a rule with its numbers, as a run fixes it.
//!
//! Every rule is a function of its updates in their order, made of additions, products, quotients
//! and square roots of `f64` in a fixed order: whoever computes it has the same bits, natively and
//! in wasm. Updates are equals: numbers of samples are claims, and a claim must not buy weight.
//!
//! None is safe where members' data differ much: the member that alone knows a class looks like an
//! attacker. Nothing here knows rounds, authors or bytes.

mod centre;
mod clip;
mod columns;
mod select;
mod settings;
mod updates;

pub use centre::{Start, Weiszfeld, centered_clipping, fltrust, geometric_median, mean};
pub use columns::{median, trimmed_mean};
pub use select::{bulyan, krum, multi_krum};
pub use settings::{Rule, Settings};
pub use updates::Updates;

use crate::limits;

/// Why updates cannot be aggregated.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An update, a reference or a set of another size than the others.
    #[error("{found} parameters where {parameters} are expected: give updates of one model")]
    Shape {
        /// How many parameters it has.
        found: usize,
        /// How many the others have.
        parameters: usize,
    },
    /// A value that is infinite, not a number, or larger than any sane update.
    #[error("parameter {index} is {value}: leave this update out; only finite values up to \
        +-{max} are used", max = limits::DELTA_ABS_MAX)]
    Value {
        /// Which parameter, from 0.
        index: usize,
        /// Its value.
        value: f32,
    },
    /// Fewer updates than the rule needs against so many hostile ones.
    #[error(
        "{found} updates, and the rule needs {needed} to outvote {byzantine} hostile ones: \
        wait for more, or assume fewer"
    )]
    TooFew {
        /// How many there are.
        found: usize,
        /// How many are needed.
        needed: usize,
        /// How many of them may be hostile.
        byzantine: usize,
    },
    /// More than fits the memory that an aggregation may take.
    #[error("{values} values at once, at most {max}: aggregate fewer updates, or by the mean",
        max = limits::AGGREGATION_VALUES_MAX)]
    TooMany {
        /// Updates times parameters.
        values: usize,
    },
    /// A radius, a smoothing or a number of steps that is out of range.
    #[error("{what} is {value}: give {expected}")]
    Setting {
        /// Which one.
        what: &'static str,
        /// What it is.
        value: f64,
        /// What it may be.
        expected: &'static str,
    },
}

impl Error {
    /// Stable name of the cause.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Shape { .. } => "aggregation-shape",
            Error::Value { .. } => "aggregation-value",
            Error::TooFew { .. } => "aggregation-few",
            Error::TooMany { .. } => "aggregation-many",
            Error::Setting { .. } => "aggregation-setting",
        }
    }
}
