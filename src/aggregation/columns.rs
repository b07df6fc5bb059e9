//! Rules that look at each coordinate by itself.

use super::updates::{count, middle};
use super::{Error, Updates};

/// The median of each coordinate: `[n, d] -> [d]`; of an even number, the mean of the two in the
/// middle. Stays among honest values while fewer than half of the updates are hostile.
///
/// # Errors
/// [`Error::TooFew`] without updates.
pub fn median(updates: &Updates) -> Result<Vec<f64>, Error> {
    updates.check_count(1, 0)?;
    Ok(by_column(updates, middle))
}

/// The mean of each coordinate without its `byzantine` smallest and largest: `[n, d] -> [d]`.
///
/// # Errors
/// [`Error::TooFew`] for less than `2 byzantine + 1` updates.
pub fn trimmed_mean(updates: &Updates, byzantine: usize) -> Result<Vec<f64>, Error> {
    updates.check_count(byzantine.saturating_mul(2).saturating_add(1), byzantine)?;
    let kept = updates.len() - 2 * byzantine;
    Ok(by_column(updates, |column| {
        let sum: f64 = column.iter().skip(byzantine).take(kept).fold(0.0, |sum, value| sum + value);
        sum / count(kept)
    }))
}

/// Sorts each coordinate's values and makes one of them.
pub(super) fn by_column(updates: &Updates, mut one: impl FnMut(&[f64]) -> f64) -> Vec<f64> {
    let mut rows: Vec<_> = updates.rows().map(|row| row.iter()).collect();
    let mut column = Vec::with_capacity(rows.len());
    let each = (0..updates.parameters()).map(|_| {
        column.clear();
        column.extend(rows.iter_mut().filter_map(Iterator::next).map(|value| f64::from(*value)));
        column.sort_unstable_by(f64::total_cmp);
        one(&column)
    });
    each.collect()
}
