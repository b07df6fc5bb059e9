//! Rules that choose among whole updates by how near they are to each other.
//!
//! Of updates that are equally good the first counts, so that the choice is one for everybody.

use super::columns::by_column;
use super::updates::{count, middle};
use super::{Error, Updates};

/// The update that is nearest to its neighbours: `[n, d] -> [d]`.
///
/// Nearest is the smallest mean of the squared distances to its `n - byzantine - 1` nearest others,
/// as in byzfl and by Allouah and others; Blanchard and others take one less, the
/// `n - byzantine - 2` nearest.
///
/// # Errors
/// [`Error::TooFew`] for less than `2 byzantine + 3` updates, or none.
pub fn krum(updates: &Updates, byzantine: usize) -> Result<Vec<f64>, Error> {
    check_krum(updates, byzantine)?;
    let mut best = ranked(&updates.distances(), &all(updates), byzantine);
    best.truncate(1);
    Ok(updates.mean_of(&best))
}

/// The mean of the `n - byzantine` updates that [`krum`] likes best: `[n, d] -> [d]`.
///
/// # Errors
/// As [`krum`].
pub fn multi_krum(updates: &Updates, byzantine: usize) -> Result<Vec<f64>, Error> {
    check_krum(updates, byzantine)?;
    let mut best = ranked(&updates.distances(), &all(updates), byzantine);
    best.truncate(updates.len() - byzantine);
    best.sort_unstable();
    Ok(updates.mean_of(&best))
}

/// Chooses `n - 2 byzantine` updates by [`krum`], one after the other, and takes of each coordinate
/// the mean of the values nearest to their median, again without `2 byzantine`: `[n, d] -> [d]`.
///
/// # Errors
/// [`Error::TooFew`] for less than `4 byzantine + 3` updates, or none.
pub fn bulyan(updates: &Updates, byzantine: usize) -> Result<Vec<f64>, Error> {
    let needed = if byzantine == 0 { 1 } else { byzantine.saturating_mul(4).saturating_add(3) };
    updates.check_count(needed, byzantine)?;
    let distances = updates.distances();
    let (mut left, mut chosen) = (all(updates), Vec::new());
    while chosen.len() < updates.len() - 2 * byzantine {
        let Some(best) = ranked(&distances, &left, byzantine).first().copied() else { break };
        left.retain(|place| *place != best);
        chosen.push(best);
    }
    chosen.sort_unstable();
    let mut of_chosen = Updates::with_room(updates.parameters(), chosen.len());
    for (place, row) in updates.rows().enumerate() {
        if chosen.binary_search(&place).is_ok() {
            of_chosen.push(row)?;
        }
    }
    let kept = chosen.len() - 2 * byzantine;
    let mut near: Vec<f64> = Vec::new();
    Ok(by_column(&of_chosen, |column| {
        let median = middle(column);
        near.clear();
        near.extend_from_slice(column);
        near.sort_by(|a, b| (a - median).abs().total_cmp(&(b - median).abs()));
        near.iter().take(kept).fold(0.0, |sum, value| sum + value) / count(kept)
    }))
}

impl Updates {
    /// Replaces each update by the mean of its `n - byzantine` nearest, itself among them.
    ///
    /// # Errors
    /// [`Error::TooFew`] for less than `2 byzantine + 1` updates.
    pub fn mix_nearest(&mut self, byzantine: usize) -> Result<(), Error> {
        self.check_count(byzantine.saturating_mul(2).saturating_add(1), byzantine)?;
        let near = self.len() - byzantine;
        let nearest = |line: &Vec<f64>| {
            let mut places: Vec<usize> = (0..line.len()).collect();
            let at = |place: &usize| line.get(*place).copied().unwrap_or(f64::INFINITY);
            places.sort_by(|a, b| at(a).total_cmp(&at(b)));
            places.truncate(near);
            places.sort_unstable();
            places
        };
        let mut mixed = Self::with_room(self.parameters(), self.len());
        let mut row = vec![0.0; self.parameters()];
        for line in self.distances() {
            super::clip::write(&mut row, self.mean_of(&nearest(&line)));
            mixed.push(&row)?;
        }
        *self = mixed;
        Ok(())
    }
}

fn check_krum(updates: &Updates, byzantine: usize) -> Result<(), Error> {
    let needed = if byzantine == 0 { 1 } else { byzantine.saturating_mul(2).saturating_add(3) };
    updates.check_count(needed, byzantine)
}

fn all(updates: &Updates) -> Vec<usize> {
    (0..updates.len()).collect()
}

/// The places of some updates, those with the nearest neighbours first.
fn ranked(distances: &[Vec<f64>], among: &[usize], byzantine: usize) -> Vec<usize> {
    let near = among.len().saturating_sub(byzantine + 1).max(1);
    let score = |place: usize| {
        let line = distances.get(place);
        let others = among.iter().filter(|other| **other != place);
        let mut to_others: Vec<f64> =
            others.filter_map(|other| line.and_then(|line| line.get(*other))).copied().collect();
        to_others.sort_unstable_by(f64::total_cmp);
        to_others.iter().take(near).fold(0.0, |sum, distance| sum + distance) / count(near)
    };
    let mut scored: Vec<(f64, usize)> = among.iter().map(|place| (score(*place), *place)).collect();
    scored.sort_by(|a, b| a.0.total_cmp(&b.0));
    scored.into_iter().map(|(_, place)| place).collect()
}
