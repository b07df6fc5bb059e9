//! Decoded vertices shared by the nodes of a simulation.
//!
//! Decoding is a pure function of the bytes, so a thousand nodes of one process may as well do it
//! once and hold one copy; without that an hour of a hundred nodes takes several gigabytes.
//! Compiled with the feature `sim` only.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use super::{Signed, SignedVertex};
use crate::crypto::hash::Digest;
use crate::dag::Error;

/// Entries from which on those that nobody holds are looked for (count).
const ENTRIES_MIN: usize = 1 << 10;

/// What was decoded and is still held by somebody: whoever takes a vertex in holds it, and the
/// next one decodes it while it is there. So nothing is kept that no node keeps.
struct Decoded {
    known: BTreeMap<Digest, Weak<Signed>>,
    /// Entries at which dead ones are taken out (count): twice those that lived the last time.
    full: usize,
}

impl Decoded {
    const fn new() -> Self {
        Self { known: BTreeMap::new(), full: ENTRIES_MIN }
    }

    fn get(&self, digest: &Digest) -> Option<SignedVertex> {
        self.known.get(digest).and_then(Weak::upgrade).map(SignedVertex)
    }

    fn insert(&mut self, digest: Digest, vertex: &SignedVertex) {
        if self.known.len() >= self.full {
            self.known.retain(|_, held| held.strong_count() > 0);
            self.full = ENTRIES_MIN.max(2 * self.known.len());
        }
        self.known.insert(digest, Arc::downgrade(&vertex.0));
    }
}

thread_local! {
    static DECODED: RefCell<Decoded> = const { RefCell::new(Decoded::new()) };
}

/// The vertex of these bytes, decoded once for all that hold it at a time.
pub(super) fn decoded(
    encoded: &[u8],
    read: impl FnOnce(&[u8]) -> Result<SignedVertex, Error>,
) -> Result<SignedVertex, Error> {
    let digest = Digest::of(encoded);
    if let Some(known) = DECODED.with_borrow(|decoded| decoded.get(&digest)) {
        return Ok(known);
    }
    let vertex = read(encoded)?;
    DECODED.with_borrow_mut(|decoded| decoded.insert(digest, &vertex));
    Ok(vertex)
}

/// Forgets everything, so that one simulation leaves nothing to the next.
pub(crate) fn forget_decoded() {
    DECODED.with_borrow_mut(|decoded| *decoded = Decoded::new());
}
