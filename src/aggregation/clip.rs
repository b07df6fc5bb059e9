//! Bounds on the length of single updates, before a rule sees them.

use super::updates::norm;
use super::{Error, Updates};

impl Updates {
    /// Shortens every update that is longer than `radius` to it.
    ///
    /// # Errors
    /// [`Error::Setting`] for a radius that is not over 0 and finite.
    pub fn clip(&mut self, radius: f64) -> Result<(), Error> {
        check_radius(radius)?;
        for row in self.rows_mut() {
            shorten(row, radius);
        }
        Ok(())
    }

    /// Shortens the longest updates to the length of the longest one that is left: adaptive robust
    /// clipping (ARC) of `2 byzantine (n - byzantine) / n` of them, rounded down.
    ///
    /// Returns the length.
    ///
    /// # Errors
    /// [`Error::TooFew`] for less than `2 byzantine + 1` updates.
    pub fn clip_adaptively(&mut self, byzantine: usize) -> Result<f64, Error> {
        self.check_count(byzantine.saturating_mul(2).saturating_add(1), byzantine)?;
        let total = self.len();
        let clipped = 2 * byzantine * (total - byzantine) / total;
        let mut norms = self.norms();
        norms.sort_unstable_by(f64::total_cmp);
        let radius = norms.get(total - clipped - 1).copied().unwrap_or(0.0);
        for row in self.rows_mut() {
            shorten(row, radius);
        }
        Ok(radius)
    }
}

/// Checks a radius that somebody chose.
pub(super) fn check_radius(radius: f64) -> Result<(), Error> {
    if radius > 0.0 && radius.is_finite() {
        return Ok(());
    }
    let expected = "a finite number over 0";
    Err(Error::Setting { what: "the clipping radius", value: radius, expected })
}

/// What is left of a vector of this length.
pub(super) fn factor(norm: f64, radius: f64) -> f64 {
    if norm > radius { radius / norm } else { 1.0 }
}

fn shorten(row: &mut [f32], radius: f64) {
    let factor = factor(norm(row), radius);
    if factor < 1.0 {
        let scaled = row.iter().map(|value| f64::from(*value) * factor).collect();
        write(row, scaled);
    }
}

/// Rounds a vector into an update's place.
#[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "rounds once")]
pub(super) fn write(row: &mut [f32], values: Vec<f64>) {
    for (to, value) in row.iter_mut().zip(values) {
        *to = value as f32;
    }
}
