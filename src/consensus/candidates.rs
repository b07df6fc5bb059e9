//! Which items may be voted for: those that are possible, as far as is known here.
//!
//! An operation is possible if the current state of the ledger allows it, a committee for the next
//! epoch if a quorum asks for it; and whatever a quorum has locked. What is not possible (yet) is
//! *idle*: it waits under its keys and costs nothing until something happens that may change it.
//! That is an effect on the account, hold or name it is about; a new height, for what time may make
//! possible; or a vote for it. Honest members with the same decisions find the same items possible,
//! so what nobody can ever vote for holds up nobody.

use super::{Committee, Item, Record, State};
use crate::clock::Now;
use crate::crypto::hash::Digest;
use crate::dag::VertexId;
use crate::dag::vote::{ConflictKey, Decision, ItemId};
use crate::identity::AuthorId;
use crate::{ledger, limits};

impl State {
    /// Takes in an item of the vertex at this position of its author.
    pub(super) fn enter(&mut self, item: Item, seq: u64, committee: &Committee, now: Now) {
        let open = item.keys.iter().all(|key| self.decided(key).is_none());
        if open && !self.reopened.remove(&item.id) && self.is_over(&item, seq) {
            return;
        }
        self.admit(item, seq, committee, now);
    }

    /// Takes in an item that a decided block names, whatever is known of it here.
    pub fn supply(&mut self, record: &Record, now: Now) {
        let Some(committee) = self.committee.clone() else { return };
        let lacking = self.lacking();
        for item in record.items.iter().filter(|_| lacking.contains(&record.id)) {
            if !self.items.contains_key(&item.id) {
                self.admit(item.clone(), record.seq, &committee, now);
            }
        }
    }

    fn admit(&mut self, item: Item, seq: u64, committee: &Committee, now: Now) {
        let (id, keys) = (item.id, item.keys.clone());
        let open = keys.iter().all(|key| self.decided(key).is_none());
        if open {
            self.positions.insert(id, seq);
        }
        if item.author == self.me && item.operation.is_some() && open {
            self.mine.push(id);
        }
        let epoch = item.seats.as_ref().map(|seats| seats.epoch);
        let is_new = self.items.insert(id, item).is_none();
        // It may have been decided before it was known here.
        for key in keys {
            if is_new && self.books.is_held(&Decision(key, id)) {
                self.take_effect(Decision(key, id), now);
            }
        }
        let Some(epoch) = epoch else { return self.reconsider(id, now) };
        self.wishes.entry(epoch).or_default().push(id);
        self.endorse(id, committee, now);
    }

    /// Counts an item that names a committee: members alone can ask for it, for the next epoch.
    pub(super) fn endorse(&mut self, id: ItemId, committee: &Committee, now: Now) {
        let Some(item) = self.items.get(&id) else { return };
        let (Some(place), Some(seats)) = (committee.place(&item.author), item.seats.clone()) else {
            return;
        };
        if committee.epoch().checked_add(1) != Some(seats.epoch) {
            return;
        }
        self.endorsed.entry(seats.clone()).or_default().insert(place);
        for wish in self.wishes.get(&seats.epoch).cloned().unwrap_or_default() {
            if self.items.get(&wish).and_then(|item| item.seats.as_ref()) == Some(&seats) {
                self.reconsider(wish, now);
            }
        }
    }

    /// Whether an honest member may vote for an item.
    pub(super) fn is_possible(&self, item: &Item, committee: &Committee) -> bool {
        let locked = |key: &ConflictKey| {
            self.keys.get(key).is_some_and(|said| said.locked(committee) == Some(item.id))
        };
        self.impossible(item, committee).is_none() || item.keys.iter().any(locked)
    }

    /// Why the own knowledge speaks against an item; whether time may change that.
    fn impossible(&self, item: &Item, committee: &Committee) -> Option<bool> {
        match (&item.seats, &item.operation) {
            (Some(_), _) => (!self.may_follow(item.id, committee)).then_some(false),
            (None, Some(operation)) if !self.is_unfunded() => {
                let refused = self.ledger().check(&item.author, operation).err();
                refused.as_ref().map(ledger::Error::may_pass)
            }
            (None, _) => None,
        }
    }

    /// Makes an item a candidate, or no longer, as it is possible now.
    pub(super) fn reconsider(&mut self, id: ItemId, now: Now) {
        let (Some(item), Some(committee)) = (self.items.get(&id), &self.committee) else { return };
        // Without one of its keys it can have none.
        if item.keys.iter().any(|key| self.decided.contains_key(key)) {
            return;
        }
        let (author, keys) = (item.author, item.keys.clone());
        if self.is_possible(item, committee) {
            for key in &keys {
                self.promote(key, author, id, now);
            }
            return;
        }
        let passes = self.impossible(item, committee) == Some(true);
        let clocked = self.clocked.range(all_of(author)).count();
        if passes && clocked < limits::ITEMS_CLOCKED_MAX {
            self.clocked.insert((author, id));
        }
        for key in &keys {
            self.set_aside(key, author, id);
        }
    }

    /// Looks again at every item of a key.
    pub(super) fn reconsider_key(&mut self, key: &ConflictKey, now: Now) {
        let Some(said) = self.keys.get(key) else { return };
        let idle = said.idle.iter().map(|(_, id)| *id);
        let ids: Vec<ItemId> = said.candidates.iter().copied().chain(idle).collect();
        for id in ids {
            self.reconsider(id, now);
        }
    }

    /// Looks again at what a new height or epoch may change.
    pub(super) fn reconsider_all(&mut self, now: Now) {
        let candidates =
            self.pending.keys().filter_map(|key| self.keys.get(key)).flat_map(|s| &s.candidates);
        let mut ids: Vec<ItemId> = candidates.copied().collect();
        ids.extend(std::mem::take(&mut self.clocked).into_iter().map(|(_, id)| id));
        for id in ids {
            self.reconsider(id, now);
        }
    }

    fn promote(&mut self, key: &ConflictKey, author: AuthorId, id: ItemId, now: Now) {
        let said = self.keys.entry(*key).or_default();
        if said.candidates.contains(&id) {
            return;
        }
        let of = |other: &&ItemId| self.items.get(*other).is_some_and(|item| item.author == author);
        let many = said.candidates.iter().filter(of).count() >= limits::ITEMS_IDLE_MAX;
        if many && !said.locks.contains_key(&id) {
            return;
        }
        said.idle.remove(&(author, id));
        said.candidates.push(id);
        let reported = self.my_keys.get(key).is_some_and(|mine| mine.reported);
        self.pending.begin(*key, now.mono_ms, reported);
        self.contest(key, now);
        self.touched.insert(*key);
    }

    fn set_aside(&mut self, key: &ConflictKey, author: AuthorId, id: ItemId) {
        let said = self.keys.entry(*key).or_default();
        let before = said.candidates.len();
        said.candidates.retain(|candidate| *candidate != id);
        let voted = before > said.candidates.len() || said.locks.contains_key(&id);
        if voted || said.idle.range(all_of(author)).count() < limits::ITEMS_IDLE_MAX {
            said.idle.insert((author, id));
        }
        if said.candidates.is_empty() {
            self.pending.end(key);
        }
    }

    /// Forgets a key that is decided. Who lost here wins nowhere: its other keys may be free of
    /// candidates now.
    pub(super) fn drop_losers(&mut self, key: &ConflictKey, winner: ItemId) {
        let Some(said) = self.keys.remove(key) else { return };
        let idle = said.idle.into_iter().map(|(_, id)| id);
        for id in said.candidates.into_iter().chain(idle) {
            let Some(item) = self.items.get(&id) else { continue };
            self.clocked.remove(&(item.author, id));
            for other in item.keys.iter().filter(|_| id != winner) {
                let Some(said) = self.keys.get_mut(other) else { continue };
                said.candidates.retain(|candidate| *candidate != id);
                said.idle.remove(&(item.author, id));
                if said.candidates.is_empty() {
                    self.pending.end(other);
                }
                self.touched.insert(*other);
            }
        }
    }

    #[cfg(test)]
    fn is_unfunded(&self) -> bool {
        self.is_mutant(super::state::Mutant::Unfunded)
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "mutants exist in tests only")]
    const fn is_unfunded(&self) -> bool {
        false
    }
}

/// Every item of one author, in a set that begins with authors.
fn all_of(author: AuthorId) -> std::ops::RangeInclusive<(AuthorId, ItemId)> {
    let item = |byte, place| ItemId(VertexId(Digest([byte; 32])), place);
    (author, item(0, 0))..=(author, item(u8::MAX, u32::MAX))
}
