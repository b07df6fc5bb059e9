//! What became final here, in that order.

use std::collections::{BTreeMap, VecDeque};

use crate::dag::vote::ItemId;

/// Items that became final, each with a number; the first ones may be forgotten.
#[derive(Debug, Default)]
pub(super) struct Numbered {
    /// The number of the first that is remembered.
    first: u64,
    items: VecDeque<ItemId>,
    numbers: BTreeMap<ItemId, u64>,
}

impl Numbered {
    /// A list that goes on at this number.
    pub(super) fn from(first: u64) -> Self {
        Self { first, ..Self::default() }
    }

    /// The number of the first that is remembered.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// How many there were so far: the number that the next one gets.
    pub(super) fn total(&self) -> u64 {
        self.first.saturating_add(u64::try_from(self.items.len()).unwrap_or(u64::MAX))
    }

    /// Adds one; gives its number.
    pub(super) fn push(&mut self, item: ItemId) -> u64 {
        let number = self.total();
        self.items.push_back(item);
        self.numbers.insert(item, number);
        number
    }

    pub(super) fn get(&self, number: u64) -> Option<ItemId> {
        self.items.get(usize::try_from(number.checked_sub(self.first)?).ok()?).copied()
    }

    pub(super) fn has(&self, item: &ItemId) -> bool {
        self.numbers.contains_key(item)
    }

    /// Those from a number on, with their numbers.
    pub(super) fn since(&self, number: u64) -> impl Iterator<Item = (u64, ItemId)> {
        let skipped = usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX);
        (self.first.max(number)..).zip(self.items.iter().skip(skipped).copied())
    }

    /// Takes those from a number on out again.
    pub(super) fn split_off(&mut self, number: u64) -> Vec<ItemId> {
        let kept = usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let rest = self.items.split_off(kept.min(self.items.len()));
        for item in &rest {
            self.numbers.remove(item);
        }
        rest.into()
    }

    /// Forgets the first ones, up to one that is to be remembered.
    pub(super) fn forget_until(&mut self, is_remembered: impl Fn(&ItemId) -> bool) {
        while let Some(item) = self.items.front().filter(|item| !is_remembered(item)) {
            self.numbers.remove(item);
            self.items.pop_front();
            self.first += 1;
        }
    }
}
