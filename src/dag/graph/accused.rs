//! Authors, and sets of authors with a proof of equivocation against them, each listed once.
//!
//! Every dropped vertex says which proofs are behind it, and every vertex may have others behind
//! it than all the rest. So a set is one bit for each listed author: as proofs are only against
//! authors with a vertex among the parents, and a node knows
//! [`crate::limits::GRAPH_AUTHORS_MAX`] of them at most, a set takes 512 bytes at most.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::identity::AuthorId;

/// A set of authors, as places in a list: one bit each, the first in the lowest bit of the first
/// byte; no zero byte at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Set(#[serde(with = "serde_bytes")] Vec<u8>);

impl Set {
    pub(super) fn insert(&mut self, author: u32) {
        let byte = usize::try_from(author / 8).unwrap_or(usize::MAX);
        if self.0.len() <= byte {
            self.0.resize(byte.saturating_add(1), 0);
        }
        if let Some(byte) = self.0.get_mut(byte) {
            *byte |= 1 << (author % 8);
        }
    }

    pub(super) fn contains(&self, author: u32) -> bool {
        let byte = usize::try_from(author / 8).ok().and_then(|byte| self.0.get(byte));
        byte.is_some_and(|byte| byte >> (author % 8) & 1 == 1)
    }

    pub(super) fn extend(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (byte, more) in self.0.iter_mut().zip(&other.0) {
            *byte |= more;
        }
    }

    /// Places of the authors, ascending.
    fn places(&self) -> impl Iterator<Item = u32> {
        let bits =
            (0..).zip(&self.0).flat_map(|(at, byte)| (0..8).map(move |bit| (at, *byte, bit)));
        bits.filter(|(_, byte, bit)| byte >> bit & 1 == 1).map(|(at, _, bit)| at * 8 + bit)
    }
}

/// Authors and sets of them, each with a place that never changes.
#[derive(Debug, Default)]
pub(super) struct Lists {
    pub(super) authors: Vec<AuthorId>,
    pub(super) sets: Vec<Set>,
    author_places: BTreeMap<AuthorId, u32>,
    set_places: BTreeMap<Set, u32>,
}

impl Lists {
    /// The lists with these entries.
    pub(super) fn of(authors: Vec<AuthorId>, sets: Vec<Set>) -> Self {
        let author_places = authors.iter().copied().zip(0..).collect();
        let set_places = sets.iter().cloned().zip(0..).collect();
        Self { authors, sets, author_places, set_places }
    }

    pub(super) fn author(&self, place: u32) -> Option<AuthorId> {
        usize::try_from(place).ok().and_then(|place| self.authors.get(place)).copied()
    }

    pub(super) fn set(&self, place: u32) -> Option<&Set> {
        usize::try_from(place).ok().and_then(|place| self.sets.get(place))
    }

    /// Whether an author is in the set at a place.
    pub(super) fn is_in(&self, set: u32, author: &AuthorId) -> bool {
        let author = self.author_places.get(author);
        author.zip(self.set(set)).is_some_and(|(author, set)| set.contains(*author))
    }

    /// The place of an author, at the end of the list if it is new.
    pub(super) fn place_of(&mut self, author: AuthorId) -> u32 {
        let next = u32::try_from(self.authors.len()).unwrap_or(u32::MAX);
        *self.author_places.entry(author).or_insert_with(|| {
            self.authors.push(author);
            next
        })
    }

    /// The place of a set of authors of this list, at the end if it is new.
    pub(super) fn place_of_set(&mut self, set: &Set) -> u32 {
        if let Some(place) = self.set_places.get(set) {
            return *place;
        }
        let place = u32::try_from(self.sets.len()).unwrap_or(u32::MAX);
        self.sets.push(set.clone());
        self.set_places.insert(set.clone(), place);
        place
    }

    /// The places here of an author and a set of other lists; `None` if they name what those do
    /// not list.
    pub(super) fn adopt(&mut self, others: &Lists, author: u32, set: u32) -> Option<(u32, u32)> {
        let author = self.place_of(others.author(author)?);
        let authors: Option<BTreeSet<AuthorId>> =
            others.set(set)?.places().map(|place| others.author(place)).collect();
        // In the order of their names: a layer is the same for all, whomever they met first.
        let mut translated = Set::default();
        for author in authors? {
            translated.insert(self.place_of(author));
        }
        Some((author, self.place_of_set(&translated)))
    }
}
