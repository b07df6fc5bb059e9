//! Records of what dropped vertices leave: what is in them, and how much goes into one.
//!
//! Whatever is written at once is cut into as many records as it takes, in one unit of the writer:
//! a store has all of them or none. Together they say what one would.

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

/// What one pruning leaves: everything that a start needs of the vertices that it dropped.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Batch {
    /// Who was known to have equivocated; in the last of several.
    pub(super) ended: Vec<(AuthorId, u64)>,
    /// Items that lost; those that were decided are in entries.
    pub(super) items: Vec<Item>,
    /// Where deciding goes on, without what entries hold; in the last of several.
    pub(super) past: Past,
    /// Items that became final here since the batch before, in their order.
    pub(super) finalised: Vec<ItemId>,
    /// What can be handed out; in the last of several that are written at once.
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

    /// The records that say the same together, one or more.
    pub(super) fn into_records(mut self) -> Vec<Vec<u8>> {
        let mut records = Vec::new();
        loop {
            let first = self.part();
            if self.has_no_lists() {
                let past = first.past.then(self.past);
                let (items, finalised) = (first.items, first.finalised);
                let Self { ended, cover, mute, .. } = self;
                let last = Self { ended, items, past, finalised, cover, mute };
                records.push(last.encode());
                return records;
            }
            records.push(first.encode());
        }
    }

    fn has_no_lists(&self) -> bool {
        let lists = self.past.checkpoints.len() + self.past.certified.len();
        lists + self.items.len() + self.finalised.len() == 0
    }

    /// Takes out as much as shares a record.
    fn part(&mut self) -> Self {
        let mut room = RECORD_BYTES;
        let mut first = Self::default();
        take(&mut self.past.checkpoints, &mut first.past.checkpoints, &mut room);
        take(&mut self.past.certified, &mut first.past.certified, &mut room);
        take(&mut self.items, &mut first.items, &mut room);
        take(&mut self.finalised, &mut first.finalised, &mut room);
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
    use crate::dag::vote::{ConflictKey, Decision};

    #[test]
    fn what_is_too_much_for_one_record_is_the_same_in_several() {
        let name = |number: u64| Digest::derive("test", &[&number.to_be_bytes()]);
        let item = |number| ItemId(VertexId(name(number)), 7);
        let decision =
            |number| Decision(ConflictKey::derive("test", &[&name(number).0]), item(number));
        let numbers = || 0..90_000;
        let (certified, finalised) = (numbers().map(decision), numbers().map(item));
        let mut whole = Batch {
            finalised: finalised.collect(),
            ended: vec![(AuthorId::from_bytes([1; 32]), 3)],
            mute: Some(4),
            ..Batch::default()
        };
        whole.past.certified = certified.collect();
        let plain = whole.encode();
        assert!(plain.len() > limits::STORE_VALUE_BYTES_MAX, "{}: no test", plain.len());
        let records = whole.into_records();
        assert!(records.len() > 1);
        let mut joined = Batch::default();
        for record in &records {
            assert!(record.len() <= limits::STORE_VALUE_BYTES_MAX / 4, "{}", record.len());
            let next = Batch::decode(record).unwrap();
            joined.past = joined.past.then(next.past);
            joined.finalised.extend(next.finalised);
            (joined.ended, joined.mute) = (next.ended, next.mute);
        }
        assert_eq!(joined.encode(), plain);
        assert_eq!(Batch::default().into_records(), vec![Batch::default().encode()]);
    }
}
