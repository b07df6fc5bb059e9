//! Where a range ends and the next one begins.

use super::{ID_BYTES, Id};

/// A point between two items: a time stamp, and as many bytes of an id as are needed.
///
/// Items at or after it are behind the bound. The missing bytes of the id count as zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bound {
    timestamp: u64,
    id: Id,
    id_bytes: usize,
}

impl Bound {
    /// Before everything.
    pub const ZERO: Self = Self { timestamp: 0, id: [0; ID_BYTES], id_bytes: 0 };
    /// Behind everything: no item has this time stamp.
    pub const INFINITY: Self = Self { timestamp: u64::MAX, ..Self::ZERO };

    /// A time stamp and the first bytes of an id; `None` when those are more than [`ID_BYTES`].
    pub fn new(timestamp: u64, prefix: &[u8]) -> Option<Self> {
        let mut bound = Self { timestamp, ..Self::ZERO };
        bound.id.get_mut(..prefix.len())?.copy_from_slice(prefix);
        bound.id_bytes = prefix.len();
        Some(bound)
    }

    /// Right before an item.
    pub fn at(timestamp: u64, id: Id) -> Self {
        Self { timestamp, id, id_bytes: ID_BYTES }
    }

    /// The shortest bound with `before` before it and `after` behind it.
    pub fn between(before: (u64, Id), after: (u64, Id)) -> Self {
        let (timestamp, id) = after;
        if before.0 != timestamp {
            return Self { timestamp, ..Self::ZERO };
        }
        let shared = before.1.iter().zip(&id).take_while(|(one, other)| one == other).count();
        let prefix = id.get(..=shared).unwrap_or(&id);
        Self::new(timestamp, prefix).unwrap_or(Self::at(timestamp, id))
    }

    /// The time stamp; [`u64::MAX`] behind everything.
    pub fn timestamp(&self) -> u64 {
        self.timestamp
    }

    /// The id with zeros for what is missing.
    pub fn id(&self) -> &Id {
        &self.id
    }

    /// The bytes of the id that are stated.
    pub fn prefix(&self) -> &[u8] {
        self.id.get(..self.id_bytes).unwrap_or(&self.id)
    }
}
