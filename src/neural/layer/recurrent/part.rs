//! Parts of rows: gates stand side by side without padding, so a gate ends where it may.

#![expect(clippy::indexing_slicing, reason = "`at` counts to the length of the slice")]

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

/// Four numbers from `at` on; zeros behind the end.
#[inline]
pub(super) fn read<L: Lanes>(from: &[f32], at: usize) -> L {
    let rest = &from[at..];
    if let Some(four) = rest.first_chunk() {
        return L::load(four);
    }
    let mut four = [0.0; 4];
    four[..rest.len()].copy_from_slice(rest);
    L::load(&four)
}

/// Four numbers from `at` on; what is behind the end is dropped.
#[inline]
pub(super) fn write<L: Lanes>(value: L, to: &mut [f32], at: usize) {
    let rest = &mut to[at..];
    if let Some(four) = rest.first_chunk_mut() {
        value.store(four);
    } else {
        let len = rest.len();
        rest.copy_from_slice(&value.to_array()[..len]);
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
