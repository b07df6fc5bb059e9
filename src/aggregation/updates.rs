//! Updates of one model side by side, and the sums that rules are made of.
//!
//! Sums over parameters run in four lanes, parameter `i` in lane `i mod 4`, and end as
//! `(0 + 1) + (2 + 3)`: fixed, so that everybody has the same bits, and fast, because the lanes do
//! not wait for each other.

use super::Error;
use crate::limits;

/// Checked updates in a fixed order: rows of the same number of finite values.
#[derive(Debug, Clone)]
pub struct Updates {
    parameters: usize,
    /// Row by row.
    values: Vec<f32>,
}

impl Updates {
    /// No updates yet, for a model of so many parameters.
    pub fn new(parameters: usize) -> Self {
        Self { parameters, values: Vec::new() }
    }

    /// The same with room for so many updates at once: a vector that grows as it is filled would
    /// take up to twice as much.
    pub fn with_room(parameters: usize, updates: usize) -> Self {
        let values = updates.saturating_mul(parameters).min(limits::AGGREGATION_VALUES_MAX);
        Self { parameters, values: Vec::with_capacity(values) }
    }

    /// Adds an update. The order of the calls is the order of the rows.
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::Value`] or [`Error::TooMany`]; nothing is added then.
    pub fn push(&mut self, update: &[f32]) -> Result<(), Error> {
        self.check_shape(update)?;
        let values = self.values.len() + update.len();
        if values > limits::AGGREGATION_VALUES_MAX || self.len() >= limits::AGGREGATE_UPDATES_MAX {
            return Err(Error::TooMany { values });
        }
        self.values.extend_from_slice(update);
        Ok(())
    }

    /// How many updates there are.
    pub fn len(&self) -> usize {
        self.values.len().checked_div(self.parameters).unwrap_or(0)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Parameters of the model.
    pub fn parameters(&self) -> usize {
        self.parameters
    }

    /// The updates, in their order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact(self.parameters.max(1))
    }

    /// The same with write access, for what comes before a rule.
    pub(super) fn rows_mut(&mut self) -> impl ExactSizeIterator<Item = &mut [f32]> {
        self.values.chunks_exact_mut(self.parameters.max(1))
    }

    /// Checks another vector of the model: one value for each parameter, all of them finite.
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::Value`].
    pub(super) fn check_shape(&self, update: &[f32]) -> Result<(), Error> {
        if update.len() != self.parameters || self.parameters == 0 {
            return Err(Error::Shape { found: update.len(), parameters: self.parameters });
        }
        let sane = |value: f32| value.is_finite() && value.abs() <= limits::DELTA_ABS_MAX;
        match update.iter().enumerate().find(|(_, value)| !sane(**value)) {
            Some((index, value)) => Err(Error::Value { index, value: *value }),
            None => Ok(()),
        }
    }

    /// Checks that there are updates enough.
    ///
    /// # Errors
    /// [`Error::TooFew`].
    pub(super) fn check_count(&self, needed: usize, byzantine: usize) -> Result<(), Error> {
        if self.len() >= needed.max(1) {
            return Ok(());
        }
        Err(Error::TooFew { found: self.len(), needed: needed.max(1), byzantine })
    }

    /// The mean of some of the updates, given by their places in ascending order.
    pub(super) fn mean_of(&self, places: &[usize]) -> Vec<f64> {
        let mut sum = vec![0.0; self.parameters];
        for (place, row) in self.rows().enumerate() {
            if places.binary_search(&place).is_ok() {
                add(&mut sum, 1.0, row);
            }
        }
        divide(&mut sum, count(places.len()));
        sum
    }

    /// Squares of the distances between all pairs, `[n, n]` row by row.
    pub(super) fn distances(&self) -> Vec<Vec<f64>> {
        let rows: Vec<&[f32]> = self.rows().collect();
        let mut all: Vec<Vec<f64>> = Vec::with_capacity(rows.len());
        for (place, row) in rows.iter().enumerate() {
            // What is known already is mirrored: a difference and its opposite have one square.
            let mut line: Vec<f64> =
                all.iter().filter_map(|line| line.get(place)).copied().collect();
            line.extend(rows.iter().skip(place).map(|other| {
                lanes(row, other, |a, b| {
                    let difference = f64::from(a) - f64::from(b);
                    difference * difference
                })
            }));
            all.push(line);
        }
        all
    }

    /// Lengths of all updates.
    pub(super) fn norms(&self) -> Vec<f64> {
        self.rows().map(norm).collect()
    }
}

/// The length of a vector.
pub(super) fn norm(row: &[f32]) -> f64 {
    dot(row, row).sqrt()
}

/// The scalar product of two vectors.
pub(super) fn dot(left: &[f32], right: &[f32]) -> f64 {
    lanes(left, right, |a, b| f64::from(a) * f64::from(b))
}

/// The distance of a vector from a point.
pub(super) fn distance(row: &[f32], point: &[f64]) -> f64 {
    let square = lanes(row, point, |a, b| {
        let difference = f64::from(a) - b;
        difference * difference
    });
    square.sqrt()
}

/// Sums a term of each parameter, in four lanes.
fn lanes<A: Copy, B: Copy>(left: &[A], right: &[B], term: impl Fn(A, B) -> f64) -> f64 {
    let mut sums = [0.0; 4];
    for (left, right) in left.chunks(4).zip(right.chunks(4)) {
        for ((sum, a), b) in sums.iter_mut().zip(left).zip(right) {
            *sum += term(*a, *b);
        }
    }
    let [a, b, c, d] = sums;
    (a + b) + (c + d)
}

/// Adds a vector, times a factor.
pub(super) fn add(sum: &mut [f64], factor: f64, row: &[f32]) {
    for (sum, value) in sum.iter_mut().zip(row) {
        let term = factor * f64::from(*value);
        *sum += term;
    }
}

/// Divides a vector.
pub(super) fn divide(sum: &mut [f64], divisor: f64) {
    for sum in sum {
        *sum /= divisor;
    }
}

/// The value in the middle of sorted values, or the mean of the two there; 0 of none.
pub(super) fn middle(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    let at = |place: usize| sorted.get(place).copied().unwrap_or(0.0);
    if sorted.len().is_multiple_of(2) && half > 0 {
        return f64::midpoint(at(half - 1), at(half));
    }
    at(half)
}

/// A number of updates in a sum; all of them are far below 2^53.
pub(super) fn count(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
