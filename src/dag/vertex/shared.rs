//! Decoded vertices shared by the nodes of a simulation.
//!
//! Decoding is a pure function of the bytes, so a thousand nodes of one process may as well do it
//! once and hold one copy; without that an hour of a hundred nodes takes several gigabytes.
//! Compiled with the feature `sim` only.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::SignedVertex;
use crate::crypto::hash::Digest;
use crate::dag::Error;

/// Vertices that are kept (count): more than the largest history has.
const VERTICES_MAX: usize = 1 << 17;

thread_local! {
    static DECODED: RefCell<BTreeMap<Digest, SignedVertex>> =
        const { RefCell::new(BTreeMap::new()) };
}

/// The vertex of these bytes, decoded once for the whole process. What is refused is not kept.
pub(super) fn decoded(
    encoded: &[u8],
    read: impl FnOnce(&[u8]) -> Result<SignedVertex, Error>,
) -> Result<SignedVertex, Error> {
    let digest = Digest::of(encoded);
    if let Some(known) = DECODED.with_borrow(|decoded| decoded.get(&digest).cloned()) {
        return Ok(known);
    }
    let vertex = read(encoded)?;
    DECODED.with_borrow_mut(|decoded| {
        if decoded.len() >= VERTICES_MAX {
            decoded.clear();
        }
        decoded.insert(digest, vertex.clone());
    });
    Ok(vertex)
}

/// Forgets everything, so that one simulation leaves nothing to the next.
pub(crate) fn forget_decoded() {
    DECODED.with_borrow_mut(BTreeMap::clear);
}
