//! Making features comparable: a network learns badly from columns of different size.
//!
//! A scaling is computed from the training rows alone and then applied to every row the network
//! sees, so it belongs to the model. Sums are taken in `f64` in the order of the rows.

use super::Dataset;
use super::error::Error;
use super::labels::Labels;
use crate::neural::specification::Scaling;

/// How a scaling is made from data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Mean 0 and standard deviation 1 per feature, but no number of the data further than
    /// [`DEVIATIONS_MAX`] from 0: a feature that nearly never varies has a tiny deviation, and its
    /// few other values would drown everything else.
    Standard,
    /// The smallest number becomes 0, the largest 1.
    Range,
}

/// How far from 0 the standard scaling puts the most unusual number of a feature. Measured on
/// digits (64-128-10, 20 epochs, 60 seeds): mean test accuracy 0.979 with 5, 0.976 without any
/// bound.
const DEVIATIONS_MAX: f64 = 5.0;

/// Below this size a spread is rounding noise of a constant column (relative to the column).
const SPREAD_RELATIVE_MIN: f64 = 1e-6;

impl Dataset {
    /// The scaling that fits this data. A feature that never varies is only shifted, to 0.
    ///
    /// # Errors
    /// [`Error::Empty`] without rows, [`Error::ScaledTwice`] if the data is scaled already,
    /// [`Error::Gaps`] if values are missing.
    pub fn fit_scaling(&self, kind: Kind) -> Result<Scaling, Error> {
        if self.scaling.is_some() {
            return Err(Error::ScaledTwice);
        }
        if self.gaps {
            return Err(Error::Gaps);
        }
        fit(&self.values, self.features, kind)
    }

    /// The standard scaling of a regression's targets; `None` for a classification.
    ///
    /// # Errors
    /// As [`Dataset::fit_scaling`].
    pub fn fit_target_scaling(&self) -> Result<Option<Scaling>, Error> {
        match &self.labels {
            Labels::Classes(_) => Ok(None),
            Labels::Numbers { .. } if self.target_scaling.is_some() => Err(Error::ScaledTwice),
            Labels::Numbers { values, width } => fit(values, *width, Kind::Standard).map(Some),
        }
    }

    /// The same rows with scaled inputs; the targets of a reconstruction are scaled along.
    ///
    /// # Errors
    /// [`Error::Gaps`] if values are missing, [`Error::Scaling`] if the scaling does not fit,
    /// [`Error::ScaledTwice`] if the inputs are scaled already, [`Error::Parts`] if a number
    /// becomes too large.
    pub fn scaled(&self, scaling: &Scaling) -> Result<Self, Error> {
        if self.gaps {
            return Err(Error::Gaps);
        }
        let mut scaled = self.clone();
        apply(scaling, self.features, &mut scaled.values, &mut scaled.scaling)?;
        if self.reconstructs { scaled.targets_scaled(scaling) } else { Ok(scaled) }
    }

    /// The same rows with scaled targets; unchanged for a classification.
    ///
    /// # Errors
    /// As [`Dataset::scaled`].
    pub fn targets_scaled(&self, scaling: &Scaling) -> Result<Self, Error> {
        let mut scaled = self.clone();
        if let Labels::Numbers { values, width } = &mut scaled.labels {
            apply(scaling, *width, values, &mut scaled.target_scaling)?;
        }
        Ok(scaled)
    }
}

/// Scales numbers that were not scaled yet, and remembers by what.
fn apply(
    scaling: &Scaling,
    columns: usize,
    values: &mut [f32],
    applied: &mut Option<Scaling>,
) -> Result<(), Error> {
    if applied.is_some() {
        return Err(Error::ScaledTwice);
    }
    scaling.validate(u32::try_from(columns).unwrap_or(u32::MAX))?;
    scaling.apply(values);
    super::finite(values)?;
    *applied = Some(scaling.clone());
    Ok(())
}

impl Scaling {
    /// Scales rows in place: `(x - offset) * scale`.
    pub fn apply(&self, rows: &mut [f32]) {
        self.columns(rows, |x, offset, scale| (x - offset) * scale);
    }

    /// Undoes [`Scaling::apply`], up to rounding: `x / scale + offset`.
    pub fn undo(&self, rows: &mut [f32]) {
        self.columns(rows, |x, offset, scale| x / scale + offset);
    }

    fn columns(&self, rows: &mut [f32], f: impl Fn(f32, f32, f32) -> f32) {
        for row in rows.chunks_mut(self.offset.len().max(1)) {
            for (x, (offset, scale)) in row.iter_mut().zip(self.offset.iter().zip(&self.scale)) {
                *x = f(*x, *offset, *scale);
            }
        }
    }
}

/// What is known of one column.
#[derive(Clone, Copy)]
struct Column {
    mean: f64,
    squares: f64,
    low: f64,
    high: f64,
}

/// The scaling of `[rows, columns]`.
#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "row counts are exact in f64; the result is rounded to f32 once"
)]
fn fit(values: &[f32], columns: usize, kind: Kind) -> Result<Scaling, Error> {
    let rows = (values.len() / columns.max(1)) as f64;
    if values.is_empty() {
        return Err(Error::Empty);
    }
    let start = Column { mean: 0.0, squares: 0.0, low: f64::INFINITY, high: f64::NEG_INFINITY };
    let mut known = vec![start; columns];
    each(values, &mut known, &mut |column, x| {
        column.mean += x;
        column.low = column.low.min(x);
        column.high = column.high.max(x);
    });
    for column in &mut known {
        column.mean /= rows;
    }
    each(values, &mut known, &mut |column, x| {
        column.squares += (x - column.mean) * (x - column.mean);
    });
    let mut scaling = Scaling::identity(columns);
    let places = scaling.offset.iter_mut().zip(&mut scaling.scale);
    for (column, (offset, scale)) in known.iter().zip(places) {
        let (center, spread) = match kind {
            Kind::Range => (column.low, column.high - column.low),
            Kind::Standard => {
                let furthest = (column.high - column.mean).max(column.mean - column.low);
                (column.mean, (column.squares / rows).sqrt().max(furthest / DEVIATIONS_MAX))
            }
        };
        *offset = center as f32;
        let factor = (1.0 / spread) as f32;
        if spread > SPREAD_RELATIVE_MIN * center.abs() && factor.is_finite() && factor > 0.0 {
            *scale = factor;
        }
    }
    Ok(scaling)
}

/// Every number with its column, row by row.
fn each(values: &[f32], columns: &mut [Column], visit: &mut dyn FnMut(&mut Column, f64)) {
    for row in values.chunks_exact(columns.len().max(1)) {
        for (column, x) in columns.iter_mut().zip(row) {
            visit(column, f64::from(*x));
        }
    }
}
