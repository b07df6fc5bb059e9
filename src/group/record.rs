//! What a member keeps in its store, so that it comes back as who it was.
//!
//! Three kinds of records: the *head* (term, vote, where the log ends), the last *snapshot*, and
//! the *entries* behind it, each in a slot of a ring, so that what a group takes up is bounded and
//! nothing ever has to be deleted. A write is all of it or nothing; a slot whose entry does not
//! belong behind the snapshot, up to where the log ends, is left over from earlier.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::entry::{Entry, Position, check_entries, check_number};
use super::genesis::GroupId;
use super::machine::Machine;
use super::{Error, Genesis};
use crate::dag::cbor::{self, Bounds};
use crate::identity::AuthorId;
use crate::limits;

const BOUNDS: Bounds =
    Bounds { bytes_max: limits::GROUP_RECORD_BYTES_MAX, items_max: 64, depth_max: 8 };

/// What names the records of groups among those of a node.
pub const PREFIX: &str = "group/";

/// What a member must not forget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The term it is in.
    pub term: u64,
    /// Whom it voted for in this term.
    pub vote: Option<AuthorId>,
    /// Where its log ends.
    pub last: u64,
    /// How many times it has begun; numbers of requests begin with it.
    pub life: u64,
}

/// One write, to be made durable as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// The engine's name for it.
    pub number: u64,
    /// The head.
    pub head: Head,
    /// A new snapshot.
    pub image: Option<Vec<u8>>,
    /// Entries that are new, or other than before.
    pub entries: Vec<Entry>,
}

/// What was restored of a group.
#[derive(Clone, Debug)]
pub struct Stored {
    /// How the group began.
    pub genesis: Genesis,
    pub(super) head: Head,
    pub(super) machine: Machine,
    pub(super) entries: Vec<Entry>,
}

/// The record that makes a group known; to be written before anything else of it.
pub fn genesis_record(genesis: &Genesis) -> (String, Vec<u8>) {
    (format!("{PREFIX}{}/genesis", genesis.id()), genesis.encode())
}

impl Write {
    /// The records, as names and values.
    #[expect(clippy::missing_panics_doc, reason = "plain data always encodes")]
    pub fn records(&self, group: &GroupId) -> Vec<(String, Vec<u8>)> {
        let head = cbor::encode(&self.head).expect("plain data always encodes");
        let mut records = vec![(format!("{PREFIX}{group}/head"), head)];
        if let Some(image) = &self.image {
            records.push((format!("{PREFIX}{group}/image"), image.clone()));
        }
        records.extend(self.entries.iter().map(|entry| {
            let slot = entry.at.index % limits::GROUP_LOG_ENTRIES_MAX;
            let bytes = cbor::encode(entry).expect("plain data always encodes");
            (format!("{PREFIX}{group}/entry/{slot}"), bytes)
        }));
        records
    }
}

impl Stored {
    /// A group of which nothing is stored but how it began.
    pub fn new(genesis: Genesis) -> Self {
        let machine = Machine::new(&genesis);
        Self { genesis, head: Head::default(), machine, entries: Vec::new() }
    }

    /// Every group among records, each with its name and value.
    ///
    /// # Errors
    /// [`Error`] when a group's records contradict each other. Its member must not go on: it may
    /// have promised what it does not remember.
    pub fn restore(records: &[(String, Vec<u8>)]) -> Result<Vec<Self>, Error> {
        let begun = records
            .iter()
            .filter(|(name, _)| name.starts_with(PREFIX) && name.ends_with("/genesis"));
        begun.map(|(_, genesis)| Self::read(Genesis::decode(genesis)?, records)).collect()
    }

    fn read(genesis: Genesis, records: &[(String, Vec<u8>)]) -> Result<Self, Error> {
        let mut stored = Self::new(genesis);
        let prefix = format!("{PREFIX}{}/", stored.genesis.id());
        let mut slots = Vec::new();
        for (name, bytes) in records {
            match name.strip_prefix(&prefix) {
                Some("head") => stored.head = cbor::decode(bytes, &BOUNDS)?,
                Some("image") => stored.machine = Machine::decode(bytes)?,
                Some(rest) if rest.starts_with("entry/") => {
                    slots.push(cbor::decode::<Entry>(bytes, &BOUNDS)?);
                }
                _ => {}
            }
        }
        let Head { term, last, life, .. } = stored.head;
        [term, last, life].into_iter().try_for_each(check_number)?;
        let base: Position = stored.machine.applied;
        slots.retain(|entry| (base.index + 1..=last).contains(&entry.at.index));
        slots.sort_unstable_by_key(|entry| entry.at.index);
        check_entries(base, &slots)?;
        let end = slots.last().map_or(base, |entry| entry.at);
        if end.index != last || end.term > term {
            return Err(Error::Inconsistent { reason: "the stored log has another end" });
        }
        stored.entries = slots;
        Ok(stored)
    }
}

/// A snapshot as it goes over the wire.
pub(super) fn image(machine: &Machine) -> ByteBuf {
    ByteBuf::from(machine.encode())
}
