//! What became final and is about the owner, for longer than the engine remembers.
//!
//! Decisions are forgotten by generations ([`super::snapshots`]). Who looks up what it was paid a
//! year ago is no concern of the network's; it is of the owner. So a node keeps final items of
//! its own, and those that gave it credits or a name, up to [`limits::OWN_ITEMS_MAX`]. They cannot
//! be proven any more.

use std::collections::BTreeMap;

use super::Node;
use crate::consensus::Item;
use crate::dag::VertexId;
use crate::dag::operation::Operation;
use crate::dag::vote::ItemId;
use crate::limits;

/// Final items, by their numbers.
#[derive(Debug, Default)]
pub(super) struct OwnItems {
    items: BTreeMap<u64, Item>,
    numbers: BTreeMap<ItemId, u64>,
}

impl OwnItems {
    /// Keeps one more; when there are too many, the oldest goes.
    pub(super) fn keep(&mut self, number: u64, item: Item) {
        self.numbers.insert(item.id, number);
        self.items.insert(number, item);
        if self.items.len() > limits::OWN_ITEMS_MAX
            && let Some((_, oldest)) = self.items.pop_first()
        {
            self.numbers.remove(&oldest.id);
        }
    }

    pub(super) fn get(&self, id: &ItemId) -> Option<&Item> {
        self.items.get(self.numbers.get(id)?)
    }

    /// Those of one vertex.
    pub(super) fn of_vertex(&self, vertex: &VertexId) -> impl Iterator<Item = ItemId> {
        self.numbers.range(ItemId(*vertex, 0)..=ItemId(*vertex, u32::MAX)).map(|(id, _)| *id)
    }

    pub(super) fn at(&self, number: u64) -> Option<&Item> {
        self.items.get(&number)
    }

    /// Those from a number on, with their numbers.
    pub(super) fn since(&self, number: u64) -> impl Iterator<Item = (u64, &Item)> {
        self.items.range(number..).map(|(number, item)| (*number, item))
    }
}

impl Node {
    /// Final items that are about the owner, as far as the engine remembers them.
    pub(super) fn own_final_items(&self) -> Vec<(u64, Item)> {
        let Some(engine) = self.deciding.engine.quorum() else { return Vec::new() };
        let all = self.deciding.finalised.since(0);
        let found = all.filter_map(|(number, id)| Some((number, engine.item(&id)?)));
        found.filter(|(_, item)| self.is_own(item)).map(|(n, item)| (n, item.clone())).collect()
    }

    /// Keeps those of these items that are not in the list of what is final any more.
    pub(super) fn keep_own(&mut self, items: Vec<(u64, Item)>) {
        let first = self.deciding.finalised.first();
        for (number, item) in items.into_iter().filter(|(number, _)| *number < first) {
            self.deciding.own.keep(number, item);
        }
    }

    fn is_own(&self, item: &Item) -> bool {
        let is_mine = |id: &ItemId| self.item(id).is_some_and(|hold| self.is_own(&hold));
        item.author == self.me
            || match &item.operation {
                Some(
                    Operation::Transfer { to, .. }
                    | Operation::Hold { to, .. }
                    | Operation::NameTransfer { to, .. },
                ) => *to == self.me,
                Some(Operation::Release { hold } | Operation::Refund { hold }) => is_mine(hold),
                _ => false,
            }
    }
}
