//! The entries a member has behind its snapshot.

use std::collections::VecDeque;

use super::entry::{Entry, Position};

/// A run of entries from somewhere on.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// The place before the first entry that is kept.
    base: Position,
    entries: VecDeque<Entry>,
}

impl Log {
    /// A log that begins behind `base`.
    pub(super) fn behind(base: Position) -> Self {
        Self { base, entries: VecDeque::new() }
    }

    pub(super) fn base(&self) -> Position {
        self.base
    }

    pub(super) fn last(&self) -> Position {
        self.entries.back().map_or(self.base, |entry| entry.at)
    }

    /// The place with this index, if it is kept.
    pub(super) fn at(&self, index: u64) -> Option<Position> {
        if index == self.base.index {
            return Some(self.base);
        }
        self.get(index).map(|entry| entry.at)
    }

    /// Whether this log has an entry at this place.
    pub(super) fn has(&self, place: Position) -> bool {
        self.at(place.index) == Some(place)
    }

    pub(super) fn get(&self, index: u64) -> Option<&Entry> {
        let offset = index.checked_sub(self.base.index + 1)?;
        self.entries.get(usize::try_from(offset).ok()?)
    }

    /// The entries behind `index`, which must not lie before the base.
    pub(super) fn after(&self, index: u64) -> impl Iterator<Item = &Entry> {
        let skipped = index.saturating_sub(self.base.index);
        self.entries.iter().skip(usize::try_from(skipped).unwrap_or(usize::MAX))
    }

    /// Adds an entry, which has to follow the last one.
    pub(super) fn push(&mut self, entry: Entry) {
        assert_eq!(entry.at.index, self.last().index + 1, "entries are consecutive");
        self.entries.push_back(entry);
    }

    /// Drops every entry behind `index`.
    pub(super) fn truncate(&mut self, index: u64) {
        let kept = index.saturating_sub(self.base.index);
        self.entries.truncate(usize::try_from(kept).unwrap_or(usize::MAX));
    }

    /// Forgets the entries up to and with `index`.
    pub(super) fn compact(&mut self, index: u64) {
        while self.entries.front().is_some_and(|entry| entry.at.index <= index) {
            self.base = self.entries.pop_front().map_or(self.base, |entry| entry.at);
        }
    }
}
