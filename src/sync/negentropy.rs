//! Set reconciliation by ranges: two nodes find out which vertices one has and the other lacks, in
//! few messages, however their histories came to differ.
//!
//! This is version 1 of the negentropy protocol (Doug Hoyte, github.com/hoytech/negentropy,
//! `docs/negentropy-protocol-v1.md`), byte for byte, after Aljoscha Meyer, *Range-Based Set
//! Reconciliation* (SRDS 2023). Both sides order what they have by (Lamport time, id):
//!
//! ```text
//!   asker                                                       answerer
//!   16 ranges, a fingerprint of each            ------------->  compares: 15 are equal, skipped;
//!                                               <-------------  the other: 16 smaller ranges
//!   compares, and for what is small enough:
//!   all ids of the range                        ------------->
//!                                               <-------------  all its ids of that range
//!   now knows what it lacks, and what the other lacks
//! ```
//!
//! With n vertices and d differences close together that is log16(n) + 1 messages, of some 100
//! bytes for each difference. The asker learns everything and the answerer nothing; neither keeps
//! anything between two messages but what was found, so an answer costs no memory.
//!
//! A fingerprint is the sum of the ids modulo 2^256 with their number, hashed by SHA-256 and cut
//! to 16 bytes. Sums can be cheated with by who is free to choose ids (Wagner's generalised
//! birthday problem); here ids are hashes of signed vertices, and what a range hides is still found
//! by its children, which cite it.
//!
//! What this does not do: fetch anything, remember peers, or judge them. [`super::State`] does.

mod bound;
mod fingerprint;
mod message;
mod storage;

use std::collections::BTreeMap;
use std::ops::Range;

pub use bound::Bound;
pub use fingerprint::{FINGERPRINT_BYTES, Fingerprint};
pub use message::{Error, PROTOCOL_VERSION};
pub use storage::Storage;

use message::{Payload, Reader, Writer};

/// 32 bytes that name something.
pub type Id = [u8; ID_BYTES];

/// Bytes of an id; the protocol has no other size.
pub const ID_BYTES: usize = 32;

/// Ranges that one range is split into (count), as in every implementation: other numbers would be
/// understood, and make other messages.
const BUCKETS: usize = 16;
/// Bytes kept free below a frame's limit, as in the reference: the range being written, and a last
/// one for all the rest.
const FRAME_RESERVE_BYTES: usize = 200;
/// Smallest limit of a frame (bytes), as in the reference: a message must get somewhere.
pub const FRAME_BYTES_MIN: usize = 4_096;
/// What a fingerprint costs beside an id that is looked at (count): the leaves of a timeline.
const FINGERPRINT_COST: usize = 512;

/// What the asker learned from one answer, and what it asks next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The next message, or nothing when everything is known.
    pub next: Option<Vec<u8>>,
    /// Ids that this side has and the other lacks, in order.
    pub have: Vec<Id>,
    /// What the other side has and this one lacks: in the order of the answer.
    pub need: Vec<Need>,
}

/// Something that the other side has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// Where the range begins in which it was found. Needs of one reconciliation, ordered by this
    /// and then as they were found, are in the order of the other side's storage.
    pub from: Bound,
    /// Its id.
    pub id: Id,
}

/// The first message of the asker. `frame_bytes_max` bounds no first message: that has at most 32
/// ids or 16 fingerprints.
pub fn initiate(storage: &impl Storage) -> Vec<u8> {
    let mut out = Writer::new();
    split(storage, 0..storage.len(), Bound::INFINITY, &mut out);
    out.bytes
}

/// The answer to a message, and what it cost: ids and leaves looked at (count).
///
/// `frame_bytes_max` bounds the answer, or with `None` nothing does; below [`FRAME_BYTES_MIN`] it
/// counts as that.
///
/// # Errors
/// [`Error`] says what is wrong with the message.
pub fn answer(
    storage: &impl Storage,
    message: &[u8],
    frame_bytes_max: Option<usize>,
) -> Result<(Vec<u8>, usize), Error> {
    let mut reader = match Reader::new(message) {
        // As the specification has it: the highest version known, so that the asker tries that.
        Err(Error::Version { .. }) => return Ok((Writer::new().bytes, 0)),
        other => other?,
    };
    let mut walk = Walk::new(storage, frame_bytes_max);
    while let Some(range) = reader.next_range()? {
        let places = walk.places(&range.upper);
        match range.payload {
            Payload::Skip => walk.skips = true,
            Payload::Fingerprint(theirs) => walk.compare(theirs, &places, range.upper),
            Payload::Ids(_) => {
                let end = walk.list(places.clone(), range.upper);
                if walk.is_over(places.start..end, range.upper) {
                    break;
                }
                continue;
            }
        }
        if walk.is_over(places, range.upper) {
            break;
        }
    }
    Ok((walk.out.bytes, walk.cost))
}

/// What an answer tells the asker. `frame_bytes_max` as for [`answer`].
///
/// # Errors
/// [`Error`] says what is wrong with the message.
pub fn reconcile(
    storage: &impl Storage,
    message: &[u8],
    frame_bytes_max: Option<usize>,
) -> Result<Found, Error> {
    let mut reader = Reader::new(message)?;
    let mut walk = Walk::new(storage, frame_bytes_max);
    let mut found = Found::default();
    while let Some(range) = reader.next_range()? {
        let places = walk.places(&range.upper);
        match range.payload {
            Payload::Skip => walk.skips = true,
            Payload::Fingerprint(theirs) => walk.compare(theirs, &places, range.upper),
            Payload::Ids(theirs) => {
                walk.skips = true;
                differences(storage, places.clone(), theirs, walk.bound, &mut found);
            }
        }
        if walk.is_over(places, range.upper) {
            break;
        }
    }
    found.next = Some(walk.out.bytes).filter(|bytes| bytes.len() > 1);
    Ok(found)
}

/// Compares two lists of one range.
fn differences(
    storage: &impl Storage,
    places: Range<usize>,
    theirs: &[Id],
    from: Bound,
    found: &mut Found,
) {
    // By place, so that what is left comes out in their order, and what they repeat comes out once.
    let mut first = BTreeMap::new();
    for (place, id) in theirs.iter().enumerate() {
        first.entry(id).or_insert(place);
    }
    for (_, id) in storage.range(places) {
        if first.remove(&id).is_none() {
            found.have.push(id);
        }
    }
    let mut left: Vec<(usize, &Id)> = first.into_iter().map(|(id, place)| (place, id)).collect();
    left.sort_unstable_by_key(|(place, _)| *place);
    found.need.extend(left.into_iter().map(|(_, id)| Need { from, id: *id }));
}

/// The way through the ranges of a message and of the storage at once.
struct Walk<'a, S> {
    storage: &'a S,
    frame_bytes_max: Option<usize>,
    out: Writer,
    /// Where the range that is looked at begins, as a place and as a bound.
    place: usize,
    bound: Bound,
    /// Whether ranges before this one need no further work and were not written down yet.
    skips: bool,
    /// How much was written before this range.
    mark: usize,
    cost: usize,
}

impl<'a, S: Storage> Walk<'a, S> {
    fn new(storage: &'a S, frame_bytes_max: Option<usize>) -> Self {
        let out = Writer::new();
        let mark = out.bytes.len();
        let frame_bytes_max = frame_bytes_max.map(|max| max.max(FRAME_BYTES_MIN));
        let bound = Bound::ZERO;
        Self { storage, frame_bytes_max, out, place: 0, bound, skips: false, mark, cost: 0 }
    }

    /// The places of the range that ends at `upper`.
    fn places(&mut self, upper: &Bound) -> Range<usize> {
        self.cost += 1;
        self.place..self.storage.rank(upper).max(self.place)
    }

    /// A fingerprint of theirs: nothing to do when ours is the same, and smaller ranges if not.
    fn compare(&mut self, theirs: &Fingerprint, places: &Range<usize>, upper: Bound) {
        self.cost += FINGERPRINT_COST;
        if *theirs == self.storage.fingerprint(places.clone()) {
            self.skips = true;
            return;
        }
        self.write_skip();
        self.cost += BUCKETS * FINGERPRINT_COST;
        split(self.storage, places.clone(), upper, &mut self.out);
    }

    /// Answers ids with ids, as many as the frame has room for; gives where they end.
    fn list(&mut self, places: Range<usize>, upper: Bound) -> usize {
        let written = self.mark;
        self.write_skip();
        let mut ids: Vec<Id> = Vec::new();
        let (mut end, mut bound) = (places.end, upper);
        for (place, (timestamp, id)) in places.clone().zip(self.storage.range(places)) {
            if self.exceeds(written + ids.len() * ID_BYTES) {
                (end, bound) = (place, Bound::at(timestamp, id));
                break;
            }
            ids.push(id);
        }
        self.cost += ids.len();
        self.out.ids(&bound, &ids);
        self.mark = self.out.bytes.len();
        end
    }

    /// Goes on behind a range. When the frame is full, what was written for the range makes room
    /// for a fingerprint of all the rest, and the message is over.
    fn is_over(&mut self, places: Range<usize>, upper: Bound) -> bool {
        if self.exceeds(self.out.bytes.len()) {
            self.out.bytes.truncate(self.mark);
            let rest = self.storage.fingerprint(places.end..self.storage.len());
            self.out.fingerprint(&Bound::INFINITY, &rest);
            return true;
        }
        (self.place, self.bound, self.mark) = (places.end, upper, self.out.bytes.len());
        false
    }

    fn exceeds(&self, bytes: usize) -> bool {
        self.frame_bytes_max.is_some_and(|max| bytes > max - FRAME_RESERVE_BYTES)
    }

    fn write_skip(&mut self) {
        if std::mem::take(&mut self.skips) {
            self.out.skip(&self.bound);
        }
    }
}

/// Writes a range down as a list of ids when it is small, as fingerprints of its parts if not.
fn split(storage: &impl Storage, places: Range<usize>, upper: Bound, out: &mut Writer) {
    let count = places.len();
    if count < 2 * BUCKETS {
        let ids: Vec<Id> = storage.range(places).map(|(_, id)| id).collect();
        return out.ids(&upper, &ids);
    }
    let mut start = places.start;
    for bucket in 0..BUCKETS {
        let end = start + count / BUCKETS + usize::from(bucket < count % BUCKETS);
        let bound = if end == places.end { upper } else { between(storage, end) };
        out.fingerprint(&bound, &storage.fingerprint(start..end));
        start = end;
    }
}

/// The shortest bound between the item at a place and the one before it.
fn between(storage: &impl Storage, place: usize) -> Bound {
    let mut items = storage.range(place.saturating_sub(1)..place.saturating_add(1));
    let (Some(before), Some(after)) = (items.next(), items.next()) else { return Bound::INFINITY };
    Bound::between(before, after)
}

#[cfg(test)]
mod tests;
