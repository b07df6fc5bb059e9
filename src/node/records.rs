//! The record of what dropped vertices and forgotten decisions leave.
//!
//! It is written anew each time, and replaces the one before. What is too long for one value of a
//! store is cut into as many as it takes, in one unit of the writer: a store has all of them or
//! none. Together they say what one would; values that the one before needed and this one does not
//! are left empty.

use serde::{Deserialize, Serialize};

use super::Error;
use super::snapshots::Cover;
use crate::consensus::{Item, Past};
use crate::dag::cbor::{self, Bounds};
use crate::dag::vote::ItemId;
use crate::identity::AuthorId;
use crate::limits;

/// Bytes of lists that share a record: an eighth of what one may have.
const RECORD_BYTES: usize = limits::STORE_VALUE_BYTES_MAX / 8;
/// Decisions that no checkpoint holds and that the last record can (count): half of what it may
/// have. Blocks take 256 at a time, so there are as many only while nothing is decided at all.
pub(super) const UNCUT_MAX: usize = 32_768;

/// Everything that a start needs of what is not there any more.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Batch {
    /// Who was known to have equivocated; in the last of several.
    pub(super) ended: Vec<(AuthorId, u64)>,
    /// Items that are not in entries: own ones that lost, and those of blocks that no checkpoint
    /// holds.
    pub(super) items: Vec<Item>,
    /// Where deciding goes on, without what entries hold; in the last of several.
    pub(super) past: Past,
    /// The number of the first of the following; in the last of several.
    pub(super) first: u64,
    /// Items that became final here, in their order, as far as they are remembered.
    pub(super) finalised: Vec<ItemId>,
    /// Items that are about the owner, from before those, with their numbers.
    pub(super) own: Vec<(u64, Item)>,
    /// What can be handed out; in the last of several.
    pub(super) cover: Option<Cover>,
    /// The epoch in which nothing more may be said, because what was said is lost.
    pub(super) mute: Option<u64>,
}

impl Batch {
    /// Reads a record.
    ///
    /// # Errors
    /// [`Error::Pruned`] when it is none.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let bytes_max = limits::STORE_VALUE_BYTES_MAX;
        let bounds = Bounds { bytes_max, items_max: bytes_max, depth_max: cbor::DEPTH_MAX };
        cbor::decode(bytes, &bounds).map_err(|error| Error::Pruned(error.to_string()))
    }

    /// What several that say the same together say.
    pub(super) fn join(parts: Vec<Self>) -> Self {
        let (mut items, mut finalised, mut own) = (Vec::new(), Vec::new(), Vec::new());
        let mut last = Self::default();
        for part in parts {
            items.extend(part.items);
            finalised.extend(part.finalised);
            own.extend(part.own);
            last = Self { items: Vec::new(), finalised: Vec::new(), own: Vec::new(), ..part };
        }
        Self { items, finalised, own, ..last }
    }

    /// The records that say the same together, one or more.
    pub(super) fn into_records(mut self) -> Vec<Vec<u8>> {
        let mut records = Vec::new();
        loop {
            let first = self.part();
            if self.has_no_lists() {
                let (items, finalised, own) = (first.items, first.finalised, first.own);
                records.push(Self { items, finalised, own, ..self }.encode());
                return records;
            }
            records.push(first.encode());
        }
    }

    fn has_no_lists(&self) -> bool {
        self.items.is_empty() && self.finalised.is_empty() && self.own.is_empty()
    }

    /// Takes out as much as shares a record.
    fn part(&mut self) -> Self {
        let mut room = RECORD_BYTES;
        let mut first = Self::default();
        take(&mut self.items, &mut first.items, &mut room);
        take(&mut self.finalised, &mut first.finalised, &mut room);
        take(&mut self.own, &mut first.own, &mut room);
        first
    }

    fn encode(&self) -> Vec<u8> {
        cbor::encode(self).expect("lists, bytes, numbers and texts always encode")
    }
}

/// Moves entries from the front of a list while there is room.
fn take<T: Serialize>(from: &mut Vec<T>, to: &mut Vec<T>, room: &mut usize) {
    let fits = |entry: &&T| {
        let is_free = *room > 0;
        *room = room.saturating_sub(cbor::encode(entry).map_or(0, |bytes| bytes.len()));
        is_free
    };
    let count = from.iter().take_while(fits).count();
    to.extend(from.drain(..count));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::hash::Digest;
    use crate::dag::VertexId;
    use crate::dag::vote::ConflictKey;

    #[test]
    fn what_is_too_much_for_one_record_is_the_same_in_several() {
        let name = |number: u64| Digest::derive("test", &[&number.to_be_bytes()]);
        let id = |number| ItemId(VertexId(name(number)), 7);
        let item = |number| Item {
            id: id(number),
            author: AuthorId::from_bytes([2; 32]),
            keys: vec![ConflictKey::derive("test", &[&name(number).0])],
            seats: None,
            operation: None,
        };
        let batch = || Batch {
            items: (0..20_000).map(item).collect(),
            finalised: (0..90_000).map(id).collect(),
            own: (0..5_000).map(|number| (number, item(number))).collect(),
            ended: vec![(AuthorId::from_bytes([1; 32]), 3)],
            first: 5,
            mute: Some(4),
            ..Batch::default()
        };
        let plain = batch().encode();
        let records = batch().into_records();
        assert!(plain.len() > limits::STORE_VALUE_BYTES_MAX / 2 && records.len() > 2);
        assert!(records.iter().all(|record| record.len() <= limits::STORE_VALUE_BYTES_MAX / 4));
        let parts = records.iter().map(|record| Batch::decode(record).unwrap()).collect();
        assert_eq!(Batch::join(parts), batch());
        assert_eq!(Batch::default().into_records(), vec![Batch::default().encode()]);
    }
}
