//! A packed matrix as a table: its rows, panel by panel.

use crate::tensor::{Octet, octets, octets_mut};

/// The row `at` of a packed matrix of `rows` rows.
pub(super) fn entry(table: &[f32], rows: usize, at: usize) -> impl Iterator<Item = &Octet> {
    octets(table).iter().skip(at).step_by(rows)
}

/// As [`entry`], to write.
pub(super) fn entry_mut(
    table: &mut [f32],
    rows: usize,
    at: usize,
) -> impl Iterator<Item = &mut Octet> {
    octets_mut(table).iter_mut().skip(at).step_by(rows)
}

/// `to += from`.
pub(super) fn add((to, from): (&mut Octet, &Octet)) {
    let from = from.as_flattened();
    to.as_flattened_mut().iter_mut().zip(from).for_each(|(to, from)| *to += *from);
}
