//! Matrix kernels over plain slices: packed matrix products and the packing itself.
//!
//! Matrices of numbers that change from call to call are row-major with a row stride that is a
//! multiple of [`LANES`]; what lies in a row behind its real columns is padding. Weights are
//! *packed*: panels of eight outputs, `[panel][k][8]`, zero in the padding, so that one row of a
//! panel is what one step of the product needs. See `docs/benchmarks.md` for why a tile is 4 x 8.
//!
//! Every kernel adds up in the order of `k`, one product after the other, whether it works on one
//! row or on four: a row gives the same bits alone and in a batch. Complexity is the obvious
//! `rows x k x n`. There is no threading here and no allocation.

pub mod matmul;

pub mod pack;
#[cfg(feature = "layers")]
pub mod strided;

#[cfg(feature = "layers")]
pub mod windows;

#[cfg(feature = "layers")]
pub mod grouped;

/// Outputs of a panel; row strides are multiples of it.
pub const LANES: usize = 8;

/// `n` rounded up to whole panels.
pub const fn padded(n: usize) -> usize {
    n.div_ceil(LANES) * LANES
}

/// A 32-bit count as an index.
#[expect(clippy::as_conversions, reason = "a u32 fits usize on every target we build for")]
pub(crate) const fn index(count: u32) -> usize {
    count as usize
}

/// One row of a panel as two vectors of four.
pub(crate) type Octet = [[f32; 4]; 2];

/// A slice as rows of panels; what does not fill the last one is cut off.
pub(crate) fn octets(numbers: &[f32]) -> &[Octet] {
    numbers.as_chunks::<4>().0.as_chunks::<2>().0
}

/// As [`octets`], to write.
pub(crate) fn octets_mut(numbers: &mut [f32]) -> &mut [Octet] {
    numbers.as_chunks_mut::<4>().0.as_chunks_mut::<2>().0
}

#[cfg(test)]
mod tests;
