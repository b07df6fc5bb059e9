//! Rules that look for a centre, step by step.

use super::clip::{check_radius, factor};
use super::columns::median;
use super::updates::{add, count, distance, divide, dot, middle, norm};
use super::{Error, Updates};

/// The most steps of a rule: more do not move its result by a part in a million.
const STEPS_MAX: u32 = 100;

/// How far [`geometric_median`] goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weiszfeld {
    /// Distances below it count as it, so that nothing is divided by zero; over 0.
    pub smoothing: f64,
    /// Steps from where it begins, 1 to 100.
    pub steps: u32,
    /// Where it begins.
    pub start: Start,
}

/// Where [`geometric_median`] begins. It leaves slowly where it begins on hostile updates, because
/// nothing weighs more than what is at no distance: each step goes only as many times as far as
/// the last as there are honest updates for each of them, from a distance of `smoothing`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// No change, as in byzfl: one update of zeros among four holds it there for eight steps.
    Origin,
    /// The median of each coordinate: an update that holds it there holds it among honest values.
    Median,
}

/// The mean: `[n, d] -> [d]`. One hostile update decides it.
///
/// # Errors
/// [`Error::TooFew`] without updates.
pub fn mean(updates: &Updates) -> Result<Vec<f64>, Error> {
    updates.check_count(1, 0)?;
    let mut sum = vec![0.0; updates.parameters()];
    updates.rows().for_each(|row| add(&mut sum, 1.0, row));
    divide(&mut sum, count(updates.len()));
    Ok(sum)
}

/// About the point with the smallest sum of distances to all updates: `[n, d] -> [d]`, by
/// Weiszfeld's iteration.
///
/// # Errors
/// [`Error::TooFew`] without updates, [`Error::Setting`].
pub fn geometric_median(updates: &Updates, options: Weiszfeld) -> Result<Vec<f64>, Error> {
    let Weiszfeld { smoothing, steps, start } = options;
    updates.check_count(1, 0)?;
    check_steps(steps)?;
    if !(smoothing > 0.0 && smoothing.is_finite()) {
        let expected = "a finite number over 0";
        return Err(Error::Setting { what: "the smoothing", value: smoothing, expected });
    }
    let mut centre = match start {
        Start::Origin => vec![0.0; updates.parameters()],
        Start::Median => median(updates)?,
    };
    for _ in 0..steps {
        let (mut sum, mut weights) = (vec![0.0; updates.parameters()], 0.0);
        for row in updates.rows() {
            let weight = 1.0 / distance(row, &centre).max(smoothing);
            add(&mut sum, weight, row);
            weights += weight;
        }
        divide(&mut sum, weights);
        centre = sum;
    }
    Ok(centre)
}

/// Moves a centre by the mean of what leads to the updates, each way shortened to a radius:
/// `[n, d] -> [d]`. It begins at the origin, which is no change.
///
/// Without a `radius` every step takes the median of the ways' lengths, so that more than half of
/// the updates have to be hostile to make it large.
///
/// # Errors
/// [`Error::TooFew`] without updates, [`Error::Setting`] for a radius that is not over 0 and
/// finite, and for steps that are not 1 to 100.
pub fn centered_clipping(
    updates: &Updates,
    radius: Option<f64>,
    steps: u32,
) -> Result<Vec<f64>, Error> {
    updates.check_count(1, 0)?;
    check_steps(steps)?;
    radius.map_or(Ok(()), check_radius)?;
    let total = count(updates.len());
    let mut centre = vec![0.0; updates.parameters()];
    for _ in 0..steps {
        let ways: Vec<f64> = updates.rows().map(|row| distance(row, &centre)).collect();
        let radius = radius.unwrap_or_else(|| median_of(&ways));
        let mut moved = vec![0.0; centre.len()];
        for (row, way) in updates.rows().zip(ways) {
            let factor = factor(way, radius);
            for ((moved, value), centre) in moved.iter_mut().zip(row).zip(&centre) {
                *moved += factor * (f64::from(*value) - centre);
            }
        }
        divide(&mut moved, total);
        centre.iter_mut().zip(moved).for_each(|(centre, moved)| *centre += moved);
    }
    Ok(centre)
}

/// The mean of the updates, each as long as a trusted one and weighed by how far it points the same
/// way: `[n, d], [d] -> [d]`. Updates that point away from it do not count, and where all do,
/// nothing changes. It needs no bound on hostile updates, but somebody to trust.
///
/// # Errors
/// [`Error::TooFew`] without updates; [`Error::Shape`] and [`Error::Value`] for the trusted one.
pub fn fltrust(updates: &Updates, trusted: &[f32]) -> Result<Vec<f64>, Error> {
    updates.check_count(1, 0)?;
    updates.check_shape(trusted)?;
    let length = norm(trusted);
    let (mut sum, mut trust) = (vec![0.0; updates.parameters()], 0.0);
    for row in updates.rows() {
        let own = norm(row);
        let along = dot(row, trusted);
        // Neither points anywhere when it has no length.
        if along > 0.0 && own > 0.0 && length > 0.0 {
            let score = along / (own * length);
            add(&mut sum, score * (length / own), row);
            trust += score;
        }
    }
    if trust > 0.0 {
        divide(&mut sum, trust);
    }
    Ok(sum)
}

fn median_of(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    middle(&sorted)
}

fn check_steps(steps: u32) -> Result<(), Error> {
    if (1..=STEPS_MAX).contains(&steps) {
        return Ok(());
    }
    let expected = "a whole number from 1 to 100";
    Err(Error::Setting { what: "the number of steps", value: f64::from(steps), expected })
}
