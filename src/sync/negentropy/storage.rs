//! What is reconciled: items in order, with fast answers about ranges of them.

use std::ops::Range;

use super::{Bound, Fingerprint, Id, fingerprint};
use crate::crypto::hash::Digest;
use crate::dag::{Key, Timeline, VertexId};

/// An ordered set of (time stamp, id). No time stamp is [`u64::MAX`].
pub trait Storage {
    /// Number of items.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many items come before a bound.
    fn rank(&self, bound: &Bound) -> usize;

    /// The items at these places, in order.
    fn range(&self, places: Range<usize>) -> impl Iterator<Item = (u64, Id)>;

    /// The fingerprint of the items at these places.
    fn fingerprint(&self, places: Range<usize>) -> Fingerprint;
}

impl Storage for Timeline {
    fn len(&self) -> usize {
        Timeline::len(self)
    }

    fn rank(&self, bound: &Bound) -> usize {
        Timeline::rank(self, &Key { lamport: bound.timestamp(), id: VertexId(Digest(*bound.id())) })
    }

    fn range(&self, places: Range<usize>) -> impl Iterator<Item = (u64, Id)> {
        Timeline::range(self, places).map(|key| (key.lamport, key.id.0.0))
    }

    fn fingerprint(&self, places: Range<usize>) -> Fingerprint {
        fingerprint::of(self.sum(places.clone()), places.len())
    }
}
