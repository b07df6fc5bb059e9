//! Parts of rows: gates stand side by side without padding, so a gate ends where it may.

#![expect(clippy::indexing_slicing, reason = "all parts are cut to the length that is counted to")]

use crate::simd::Lanes;

/// The part number `index` of `len` numbers; empty if there is none.
pub(super) fn nth_mut(all: &mut [f32], index: usize, len: usize) -> &mut [f32] {
    all.get_mut(index * len..(index + 1) * len).unwrap_or_default()
}

/// The first `units` numbers, the next, and so on.
pub(super) fn gates<const N: usize>(row: &mut [f32], units: usize) -> [&mut [f32]; N] {
    let mut parts = row.chunks_exact_mut(units);
    std::array::from_fn(|_| parts.next().unwrap_or_default())
}

/// Hands four numbers of each part to `cell`, then the next four; all parts are `units` long, what
/// is behind that is left alone. The last numbers come with zeros behind them.
#[inline]
pub(super) fn in_fours<const N: usize>(
    parts: [&mut [f32]; N],
    units: usize,
    cell: impl Fn([&mut [f32; 4]; N]),
) {
    let mut parts = parts.map(|part| part[..units].as_chunks_mut::<4>());
    each(parts.each_mut().map(|(fours, _)| &mut **fours), &cell);
    if units.is_multiple_of(4) {
        return;
    }
    let mut last = parts.each_ref().map(|(_, rest)| {
        let mut four = [0.0; 4];
        four[..rest.len()].copy_from_slice(rest);
        [four]
    });
    each(last.each_mut().map(|four| &mut four[..]), &cell);
    for ((_, rest), [four]) in parts.iter_mut().zip(&last) {
        rest.copy_from_slice(&four[..rest.len()]);
    }
}

/// Not inlined, so that whole fours and the last ones share the code of the cell, and its loop has
/// the registers for itself.
#[inline(never)]
fn each<const N: usize>(parts: [&mut [[f32; 4]]; N], cell: &impl Fn([&mut [f32; 4]; N])) {
    let len = parts.first().map_or(0, |part| part.len());
    // Slices of one length let the compiler see that no index below can miss.
    let mut parts = parts.map(|part| &mut part[..len]);
    for at in 0..len {
        cell(parts.each_mut().map(|part| &mut part[at]));
    }
}

/// `1 - y^2`: the slope of tanh where it is `y`.
#[inline]
pub(super) fn slope_of_tanh<L: Lanes>(y: L) -> L {
    L::splat(1.0).sub(y.mul(y))
}

/// `y (1 - y)`: the slope of sigmoid where it is `y`.
#[inline]
pub(super) fn slope_of_sigmoid<L: Lanes>(y: L) -> L {
    y.mul(L::splat(1.0).sub(y))
}
