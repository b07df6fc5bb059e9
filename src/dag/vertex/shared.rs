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

/// Vertices of one generation (count); two are kept. What is on its way is among the newest, and
/// who decodes older ones has a copy of its own.
const VERTICES_MAX: usize = 1 << 14;

/// What was decoded lately, and what was before that.
struct Decoded {
    young: BTreeMap<Digest, SignedVertex>,
    old: BTreeMap<Digest, SignedVertex>,
}

impl Decoded {
    const fn new() -> Self {
        Self { young: BTreeMap::new(), old: BTreeMap::new() }
    }

    fn get(&self, digest: &Digest) -> Option<SignedVertex> {
        self.young.get(digest).or_else(|| self.old.get(digest)).cloned()
    }

    fn insert(&mut self, digest: Digest, vertex: SignedVertex) {
        if self.young.len() >= VERTICES_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(digest, vertex);
    }
}

thread_local! {
    static DECODED: RefCell<Decoded> = const { RefCell::new(Decoded::new()) };
}

/// The vertex of these bytes, decoded once for the whole process. What is refused is not kept.
pub(super) fn decoded(
    encoded: &[u8],
    read: impl FnOnce(&[u8]) -> Result<SignedVertex, Error>,
) -> Result<SignedVertex, Error> {
    let digest = Digest::of(encoded);
    if let Some(known) = DECODED.with_borrow(|decoded| decoded.get(&digest)) {
        return Ok(known);
    }
    let vertex = read(encoded)?;
    DECODED.with_borrow_mut(|decoded| decoded.insert(digest, vertex.clone()));
    Ok(vertex)
}

/// Forgets everything, so that one simulation leaves nothing to the next.
pub(crate) fn forget_decoded() {
    DECODED.with_borrow_mut(|decoded| *decoded = Decoded::new());
}
