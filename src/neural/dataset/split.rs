//! Dividing rows: into training and test, and over the members of a simulated mesh.

use super::Dataset;
use super::error::Error;
use super::labels::Target;
use crate::limits;
use crate::math;
use crate::neural::stream;
use crate::rng::Rng;
use crate::tensor::index;

/// Rows every member of a Dirichlet split gets at least: the least that one can train on at all.
/// The usual value in the literature (Li et al. 2021, "Federated Learning on Non-IID Data Silos").
pub const MEMBER_ROWS_MIN: usize = 10;

/// Draws of a Dirichlet split before it gives up. Small meshes need a handful.
const DRAWS_MAX: u32 = 1_000;

impl Dataset {
    /// Training and test rows: `fraction` of the rows of every class (of all rows, for a
    /// regression), chosen by `seed`, are the test rows. Both keep the order of the file.
    ///
    /// # Errors
    /// [`Error::Fraction`] if one of the two would have no rows.
    pub fn split(&self, fraction: f64, seed: u64) -> Result<(Self, Self), Error> {
        let refused = Error::Fraction { fraction, rows: self.rows() };
        if !(fraction > 0.0 && fraction < 1.0) {
            return Err(refused);
        }
        let mut rng = Rng::from_u64_stream(seed, stream::SPLIT);
        let mut is_test = vec![false; self.rows()];
        let mut exact = 0.0;
        let mut taken = 0;
        for group in 0..self.groups() {
            let mut rows = self.rows_of(group);
            rng.shuffle(&mut rows);
            // What one class rounds off, the next one gets: the whole has the fraction asked for.
            exact += fraction * count(rows.len());
            for row in rows {
                if count(taken) + 0.5 > exact {
                    break;
                }
                taken += 1;
                if let Some(place) = is_test.get_mut(row) {
                    *place = true;
                }
            }
        }
        let (mut training, mut test) = (Vec::new(), Vec::new());
        for (row, is_test) in is_test.into_iter().enumerate() {
            if is_test { test.push(row) } else { training.push(row) }
        }
        let (training, test) = (self.select(&training), self.select(&test));
        if training.rows() == 0 || test.rows() == 0 { Err(refused) } else { Ok((training, test)) }
    }

    /// Shares for the `members` of a simulated mesh that may not pool their data: the rows of every
    /// class are divided in proportions drawn from a symmetric Dirichlet distribution with the
    /// concentration `alpha` (Hsu et al. 2019). At 0.1 most members have rows of one or two
    /// classes.
    ///
    /// Two things are arranged, and should be said wherever the result is shown. Draws that leave a
    /// member with fewer than [`MEMBER_ROWS_MIN`] rows are thrown away. And the shares are numbered
    /// so that member 0 is the one whose leaving costs the others least: the one who holds the
    /// smallest part of the class of which he holds most. Nothing else is chosen.
    ///
    /// # Errors
    /// [`Error::Members`], [`Error::Alpha`], or [`Error::Unlucky`] if no draw gave everybody
    /// enough.
    pub fn dirichlet_split(&self, members: u32, alpha: f64, seed: u64) -> Result<Vec<Self>, Error> {
        let (rows, least) = (self.rows(), MEMBER_ROWS_MIN);
        let count = index(members);
        if count == 0 || count > limits::DATASET_MEMBERS_MAX || count * least > rows {
            return Err(Error::Members { members, rows, least });
        }
        if !(alpha > 0.0 && alpha <= 1e6) {
            return Err(Error::Alpha(alpha));
        }
        let mut rng = Rng::from_u64_stream(seed, stream::DIRICHLET);
        for _ in 0..DRAWS_MAX {
            let owners = self.draw_owners(count, alpha, &mut rng);
            let mut shares = vec![Vec::new(); count];
            for (row, owner) in owners.iter().enumerate() {
                if let Some(share) = shares.get_mut(*owner) {
                    share.push(row);
                }
            }
            if shares.iter().all(|share| share.len() >= least) {
                shares.swap(0, self.expendable(&owners, count));
                return Ok(shares.iter().map(|share| self.select(share)).collect());
            }
        }
        Err(Error::Unlucky(DRAWS_MAX))
    }

    /// One draw: which member each row belongs to.
    fn draw_owners(&self, members: usize, alpha: f64, rng: &mut Rng) -> Vec<usize> {
        let mut owners = vec![0; self.rows()];
        for group in 0..self.groups() {
            let mut rows = self.rows_of(group);
            rng.shuffle(&mut rows);
            let total = count(rows.len());
            let mut waiting = rows.iter().enumerate().peekable();
            let mut sum = 0.0;
            for (member, proportion) in proportions(members, alpha, rng).into_iter().enumerate() {
                sum += proportion;
                // Rounding of the sum must not leave a row behind.
                let last = member + 1 == members;
                let mine = |place: usize| last || count(place) + 0.5 <= total * sum;
                while let Some((_, row)) = waiting.next_if(|(place, _)| mine(*place)) {
                    if let Some(owner) = owners.get_mut(*row) {
                        *owner = member;
                    }
                }
            }
        }
        owners
    }

    /// The member whose largest part of any class is smallest.
    fn expendable(&self, owners: &[usize], members: usize) -> usize {
        let mut largest = vec![0.0_f64; members];
        for group in 0..self.groups() {
            let rows = self.rows_of(group);
            let mut held = vec![0; members];
            for row in &rows {
                if let Some(held) = owners.get(*row).and_then(|owner| held.get_mut(*owner)) {
                    *held += 1;
                }
            }
            for (largest, held) in largest.iter_mut().zip(held) {
                *largest = largest.max(count(held) / count(rows.len().max(1)));
            }
        }
        let mut best = (0, f64::INFINITY);
        for (member, part) in largest.into_iter().enumerate() {
            if part < best.1 {
                best = (member, part);
            }
        }
        best.0
    }

    /// How many groups of rows are divided apart: the classes; one, for a regression.
    fn groups(&self) -> usize {
        self.classes.len().max(1)
    }

    /// The rows of a group in the order of the file.
    fn rows_of(&self, group: usize) -> Vec<usize> {
        let mut rows = Vec::new();
        for row in 0..self.rows() {
            match self.labels.of_row(row) {
                Target::Class(class) if index(class) != group => {}
                _ => rows.push(row),
            }
        }
        rows
    }
}

/// A sample of the symmetric Dirichlet distribution: gamma variates over their sum, the largest
/// taken off in the logarithm because small concentrations underflow.
fn proportions(members: usize, alpha: f64, rng: &mut Rng) -> Vec<f64> {
    let logarithms: Vec<f64> = (0..members).map(|_| rng.ln_gamma_variate(alpha)).collect();
    let largest = logarithms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let variates: Vec<f64> = logarithms.iter().map(|ln| math::exp(ln - largest)).collect();
    let sum: f64 = variates.iter().sum();
    variates.iter().map(|variate| variate / sum).collect()
}

/// A count of rows; exact, because there are fewer than 2^53.
#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "see above")]
fn count(rows: usize) -> f64 {
    rows as f64
}
