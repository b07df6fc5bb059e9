//! Between the canonical order of a weight matrix and its packed form.
//!
//! Canonical: row-major `[k][n]`, without padding; it is what is hashed and exchanged.
//! Packed: `[panel][k][8]`, panel `p` holding the outputs `8p .. 8p + 8`, padded with zeros.

use super::{LANES, padded};

/// Numbers of a packed `[k][n]` matrix.
pub const fn packed_len(k: usize, n: usize) -> usize {
    k * padded(n)
}

/// Packs `canonical`, `[k][n]`, into `packed` of [`packed_len`] numbers.
///
/// # Panics
/// If the lengths do not fit `k` and `n`.
pub fn pack(canonical: &[f32], k: usize, n: usize, packed: &mut [f32]) {
    assert!(canonical.len() == k * n, "canonical length");
    assert!(packed.len() == packed_len(k, n), "packed length");
    for (panel, rows) in packed.chunks_exact_mut(k * LANES).enumerate() {
        for (to, row) in rows.as_chunks_mut::<LANES>().0.iter_mut().zip(canonical.chunks_exact(n)) {
            let from = row.get(panel * LANES..).unwrap_or_default();
            // Eight at once where there are eight: a copy of known length takes no loop.
            if let Some(from) = from.first_chunk() {
                *to = *from;
            } else {
                *to = [0.0; LANES];
                to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
            }
        }
    }
}

/// Undoes [`pack`].
///
/// # Panics
/// If the lengths do not fit `k` and `n`.
pub fn unpack(packed: &[f32], k: usize, n: usize, canonical: &mut [f32]) {
    assert!(canonical.len() == k * n, "canonical length");
    assert!(packed.len() == packed_len(k, n), "packed length");
    for (panel, rows) in packed.chunks_exact(k * LANES).enumerate() {
        for (from, row) in rows.as_chunks::<LANES>().0.iter().zip(canonical.chunks_exact_mut(n)) {
            let to = row.get_mut(panel * LANES..).unwrap_or_default();
            if let Some(to) = to.first_chunk_mut() {
                *to = *from;
            } else {
                to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
            }
        }
    }
}

/// Packs the transpose: from packed `[k][n]` to packed `[n][k]`, panels of eight of the old rows.
///
/// # Panics
/// If the lengths do not fit `k` and `n`.
pub fn transpose(packed: &[f32], k: usize, n: usize, transposed: &mut [f32]) {
    assert!(packed.len() == packed_len(k, n), "packed length");
    assert!(transposed.len() == packed_len(n, k), "transposed length");
    for (rows, panel) in transposed.chunks_exact_mut(n * LANES).enumerate() {
        // Row `j` of the panel is column `j` of eight old rows, which lie 8 numbers apart in panel
        // `j / 8`; rows of zeros fill the last panel up.
        for (j, row) in panel.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            let column =
                packed.iter().skip((j / LANES) * k * LANES + rows * LANES * LANES + j % LANES);
            let real = LANES.min(k - rows * LANES);
            row.fill(0.0);
            for (to, from) in row.iter_mut().zip(column.step_by(LANES)).take(real) {
                *to = *from;
            }
        }
    }
}
