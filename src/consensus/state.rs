//! The engine: folds what members said, casts the own votes, reports decisions.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::books::Books;
use super::committee::Voters;
use super::latency::Latency;
use super::pending::Pending;
use super::tally::{self, Key, Slot};
use super::{Checkpoint, Committee, Config, Mmr, Record, Step};
use crate::clock::Now;
use crate::crypto::sign::Signature;
use crate::dag::Citation;
use crate::dag::vote::{BlockId, ConflictKey, Decision, ItemId, Locked, Seats, Vote, Votes};
use crate::identity::{AuthorId, NetworkId};
use crate::ledger;

/// Something that claims conflict keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Where it stands in the history.
    pub id: ItemId,
    /// Who wrote it.
    pub author: AuthorId,
    /// What it claims, ascending, at most [`crate::limits::ITEM_KEYS_MAX`]; it gets all or none.
    pub keys: Vec<ConflictKey>,
    /// The committee it begins, if it ends the epoch.
    pub seats: Option<Seats>,
    /// What it does to credits or names; takes effect with its first key.
    pub operation: Option<ledger::Operation>,
}

/// What happens to the engine.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A vertex is accepted, and durable if it is an own one. Every vertex once, each author's in
    /// the order of its chain.
    Record(Record),
    /// Time has passed.
    Tick,
}

/// What the engine asks for.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Output {
    /// Write this as soon as possible. It counts when its vertex comes back as a record.
    Vote {
        /// The epoch of the payload [`Votes`] that it belongs into.
        epoch: u64,
        /// The vote.
        vote: Vote,
    },
    /// This epoch has begun, with [`State::committee`].
    Epoch(u64),
    /// This item has the key for good.
    Decided(Decision),
    /// This checkpoint stands. A member seals and signs it and writes [`Vote::Sign`].
    Checkpoint(Box<Step>),
    /// Quorums decided a key twice: a third of the committee or more is Byzantine. The first
    /// decision stands here; people have to settle the matter.
    Contradiction {
        /// What stands.
        first: Decision,
        /// What was decided, too.
        second: Decision,
    },
    /// Call again at this time at the latest, monotonic milliseconds.
    WakeAt(u64),
}

/// Whether there is finality.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finality {
    /// There is no committee: a history without decisions.
    CausalOnly,
    /// Decisions are made.
    Quorum,
    /// Decisions are made by the other engine, which samples: they are probable, and nobody can
    /// prove them to others. [`State`] never says so.
    Sampled,
    /// Something has waited for a decision for too long; a third of the committee's weight or
    /// more is out of reach, a quarter where decisions are sampled.
    NoQuorum,
}

/// What this member said about a key.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct MyKey {
    pub(super) lock: Option<ItemId>,
    pub(super) commit: Option<ItemId>,
    pub(super) reported: bool,
}

/// What this member said in a slot.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct MySlot {
    /// The highest view it went to.
    pub(super) view: u32,
    pub(super) proposed: BTreeSet<u32>,
    pub(super) locks: BTreeMap<u32, BlockId>,
    pub(super) commits: BTreeMap<u32, BlockId>,
    /// When its time in the view began to run.
    pub(super) since_ms: Option<u64>,
}

/// Ways to break the rules, for tests that must fail.
#[cfg(test)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mutant {
    /// Blocks are locked whatever the reports show.
    Unchecked,
    /// Quorums are one less.
    SmallQuorum,
    /// Whoever leads a later view puts forward what it likes, and gets it.
    FreeLeader,
    /// A member goes on with the fast path after its report.
    VotesOn,
    /// Members vote for operations that the ledger does not allow.
    Unfunded,
    /// Members lock cuts whatever root of the state they name.
    Unrooted,
    /// An operation that cannot be voted for is not looked at again.
    Forgetful,
}

/// One node's view of what is decided.
#[derive(Debug)]
pub struct State {
    pub(super) config: Config,
    pub(super) network: NetworkId,
    pub(super) me: AuthorId,
    pub(super) committee: Option<Arc<Committee>>,
    /// Committees of earlier epochs.
    past: BTreeMap<u64, Arc<Committee>>,
    /// Votes for epochs that have not begun here.
    later: Vec<(AuthorId, Votes)>,
    /// Items that name a committee, by its epoch.
    pub(super) wishes: BTreeMap<u64, Vec<ItemId>>,
    /// Members that want a committee, by the committee.
    pub(super) endorsed: BTreeMap<Seats, Voters>,
    /// The committee that follows, once that is decided.
    pub(super) closing: Option<Seats>,
    /// What members said at the end of the epoch, by their places.
    pub(super) closes: BTreeMap<usize, BTreeSet<Vec<Decision>>>,
    /// Whether this member said it.
    pub(super) closed: bool,
    pub(super) items: BTreeMap<ItemId, Item>,
    /// Positions of the vertices of those that are not decided.
    pub(super) positions: BTreeMap<ItemId, u64>,
    /// Items that were open before a restart, and come again.
    pub(super) reopened: BTreeSet<ItemId>,
    /// Own operations that are not decided, in the order of the own chain.
    pub(super) mine: Vec<ItemId>,
    /// What was said about keys that are not decided yet.
    pub(super) keys: BTreeMap<ConflictKey, Key>,
    /// Keys with candidates, and since when they wait.
    pub(super) pending: Pending,
    /// Keys about which something new was said.
    pub(super) touched: BTreeSet<ConflictKey>,
    /// Who has which key, as far as it is remembered.
    pub(super) decided: BTreeMap<ConflictKey, ItemId>,
    /// Credits and names.
    pub(super) books: Books,
    /// Items that time may make possible, with whose they are.
    pub(super) clocked: BTreeSet<(AuthorId, ItemId)>,
    /// Keys decided by blocks, items and cuts alike: the same ones for all who are in this slot.
    pub(super) settled: BTreeSet<ConflictKey>,
    /// Decisions that no checkpoint holds, and since when there are any.
    pub(super) uncut: BTreeSet<Decision>,
    pub(super) uncut_ms: u64,
    /// When the last checkpoint came up.
    pub(super) cut_ms: u64,
    /// The slot that is being decided.
    pub(super) slot: u64,
    pub(super) slots: BTreeMap<u64, Slot>,
    /// The place of who leads view 0.
    pub(super) first_leader: usize,
    pub(super) my_keys: BTreeMap<ConflictKey, MyKey>,
    pub(super) my_slots: BTreeMap<u64, MySlot>,
    pub(super) seen: tally::Seen,
    /// Positions of each author that checkpoints cover (count).
    pub(super) covered: BTreeMap<AuthorId, u64>,
    /// The same up to the checkpoint before which decisions are forgotten.
    pub(super) old: BTreeMap<AuthorId, u64>,
    /// The last vertex of each member.
    pub(super) tips: BTreeMap<usize, Citation>,
    pub(super) latency: Latency,
    /// When this member last locked a key or block that is not decided.
    pub(super) asked_ms: BTreeMap<ConflictKey, u64>,
    pub(super) mmr: Mmr,
    /// The leaves of the mountain range that are remembered, and how many came before them.
    pub(super) leaves: VecDeque<Decision>,
    pub(super) forgotten: u64,
    /// By height; of those before what is remembered the ones that end an epoch.
    pub(super) checkpoints: BTreeMap<u64, Checkpoint>,
    pub(super) signatures: BTreeMap<u64, BTreeMap<AuthorId, Signature>>,
    #[cfg(test)]
    pub(super) mutant: Option<Mutant>,
}

impl State {
    /// An engine that has seen nothing. `committee` is the one of the network's genesis; without
    /// one nothing is ever decided. `me` votes if it is a member. `ledger` is what the genesis
    /// mints: [`ledger::State::new`].
    pub fn new(
        config: Config,
        network: NetworkId,
        committee: Option<Committee>,
        me: AuthorId,
        ledger: ledger::State,
    ) -> Self {
        Self {
            config,
            network,
            me,
            committee: committee.map(Arc::new),
            past: BTreeMap::new(),
            later: Vec::new(),
            wishes: BTreeMap::new(),
            endorsed: BTreeMap::new(),
            closing: None,
            closes: BTreeMap::new(),
            closed: false,
            items: BTreeMap::new(),
            positions: BTreeMap::new(),
            reopened: BTreeSet::new(),
            mine: Vec::new(),
            keys: BTreeMap::new(),
            pending: Pending::default(),
            touched: BTreeSet::new(),
            decided: BTreeMap::new(),
            books: Books::new(ledger),
            clocked: BTreeSet::new(),
            settled: BTreeSet::new(),
            uncut: BTreeSet::new(),
            uncut_ms: 0,
            cut_ms: 0,
            slot: 0,
            slots: BTreeMap::new(),
            first_leader: 0,
            my_keys: BTreeMap::new(),
            my_slots: BTreeMap::new(),
            seen: BTreeSet::new(),
            covered: BTreeMap::new(),
            old: BTreeMap::new(),
            tips: BTreeMap::new(),
            latency: Latency::default(),
            asked_ms: BTreeMap::new(),
            mmr: Mmr::default(),
            leaves: VecDeque::new(),
            forgotten: 0,
            checkpoints: BTreeMap::new(),
            signatures: BTreeMap::new(),
            #[cfg(test)]
            mutant: None,
        }
    }

    /// Takes one input and pushes what it leads to.
    pub fn handle(&mut self, now: Now, input: Input, out: &mut Vec<Output>) {
        let Some(committee) = self.committee.clone() else { return };
        if let Input::Record(record) = input {
            self.fold(&record, &committee, now);
        }
        // A decision frees the next slot, and may be what another step waited for.
        while let Some(committee) = self.committee.clone()
            && self.advance_keys(&committee, now, out) | self.advance_slot(&committee, now, out)
        {
        }
        self.wake(now, out);
    }

    /// Takes in what was said before this node stopped, without a vote of its own. Every stored
    /// vertex, each author's in the order of its chain, before the first [`State::handle`].
    pub fn restore(&mut self, record: &Record, now: Now) {
        if let Some(committee) = self.committee.clone() {
            self.fold(record, &committee, now);
        }
    }

    /// Who this is.
    pub fn me(&self) -> AuthorId {
        self.me
    }

    /// The epoch that votes are cast in.
    pub fn epoch(&self) -> u64 {
        self.committee.as_ref().map_or(0, |committee| committee.epoch())
    }

    /// The members that decide now.
    pub fn committee(&self) -> Option<&Committee> {
        self.committee.as_deref()
    }

    /// Who has a key, if that is remembered.
    pub fn decided(&self, key: &ConflictKey) -> Option<ItemId> {
        self.decided.get(key).copied()
    }

    /// Every decision that is remembered, ascending by key.
    pub fn decisions(&self) -> impl ExactSizeIterator<Item = Decision> {
        self.decided.iter().map(|(key, item)| Decision(*key, *item))
    }

    /// Decisions that are not remembered: the first ones that checkpoints hold (count).
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Keys that wait for a decision (count).
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Checkpoints by height: all since the first decision that is remembered, and of those before
    /// the ones that end an epoch.
    pub fn checkpoints(&self) -> impl DoubleEndedIterator<Item = &Checkpoint> {
        self.checkpoints.values()
    }

    /// The checkpoint of a height, if it is remembered.
    pub fn checkpoint(&self, height: u64) -> Option<&Checkpoint> {
        self.checkpoints.get(&height)
    }

    /// The checkpoint that everything is certified up to.
    pub fn last_checkpoint(&self) -> Option<&Checkpoint> {
        self.checkpoints.last_key_value().map(|(_, last)| last)
    }

    /// Signatures that members wrote for the checkpoint of a height. They are as claimed: who
    /// makes a certificate of them verifies each.
    pub fn signatures(&self, height: u64) -> Option<&BTreeMap<AuthorId, Signature>> {
        self.signatures.get(&height)
    }

    /// The decisions that checkpoints hold, in their order.
    pub fn mmr(&self) -> &Mmr {
        &self.mmr
    }

    /// The leaves of [`State::mmr`] that are remembered, in its order.
    pub fn certified_decisions(&self) -> impl ExactSizeIterator<Item = &Decision> {
        self.leaves.iter()
    }

    /// Whether there is finality at this time. Nobody is owed a decision about what only authors
    /// ask for that have ended: others may never have seen it.
    pub fn finality(&self, now: Now, has_ended: impl Fn(&AuthorId) -> bool) -> Finality {
        if self.committee.is_none() {
            return Finality::CausalOnly;
        }
        let is_owed = |id| self.items.get(id).is_some_and(|item: &Item| !has_ended(&item.author));
        let counts = |key: &&ConflictKey| {
            self.keys.get(*key).is_some_and(|said| said.candidates.iter().any(is_owed))
        };
        let stalled = |since| now.since_ms(since) > self.config.stalled_ms;
        let mut waiting = self.pending.oldest().take_while(|(since, _)| stalled(*since));
        if waiting.any(|(_, key)| counts(&key)) { Finality::NoQuorum } else { Finality::Quorum }
    }

    /// Credits and names after every decision that took effect here; what wallets show.
    pub fn ledger(&self) -> &ledger::State {
        self.books.current()
    }

    /// Credits and names at the last checkpoint; its state root is the root of this.
    pub fn certified(&self) -> &ledger::State {
        self.books.certified()
    }

    /// What claims keys under this name, if it is known here.
    pub fn item(&self, id: &ItemId) -> Option<&Item> {
        self.items.get(id)
    }

    /// Enters what one vertex says.
    fn fold(&mut self, record: &Record, committee: &Committee, now: Now) {
        self.seen.insert(record.citation());
        for item in &record.items {
            self.enter(item.clone(), record.seq, committee, now);
        }
        for votes in &record.votes {
            self.fold_votes(record.author, votes, committee, now);
        }
        let Some(place) = committee.place(&record.author) else { return };
        self.tips.insert(place, record.citation());
    }

    fn fold_votes(&mut self, author: AuthorId, votes: &Votes, committee: &Committee, now: Now) {
        if votes.epoch > committee.epoch() {
            return self.later.push((author, votes.clone()));
        }
        // What is left to say about an epoch that ended is to sign its last checkpoints.
        let members = self.past.get(&votes.epoch).map_or(committee, Arc::as_ref);
        let Some(place) = members.place(&author) else { return };
        if votes.epoch == committee.epoch() {
            self.latency.heard(place);
        }
        for vote in &votes.votes {
            if votes.epoch == committee.epoch() || matches!(vote, Vote::Sign(..)) {
                self.count(vote, author, place, now);
            }
            if votes.epoch == committee.epoch() && author == self.me {
                self.remember(vote);
            }
        }
    }

    /// Turns to the epoch of a new committee. What was not decided is open again;
    /// `docs/finality.md` says why nothing is lost.
    pub(super) fn begin_epoch(&mut self, committee: &Committee, now: Now, out: &mut Vec<Output>) {
        let epoch = committee.epoch();
        self.take_over(committee.clone());
        (self.slot, self.first_leader, self.closing, self.closed) = (0, 0, None, false);
        self.slots.clear();
        self.my_slots.clear();
        self.my_keys.clear();
        self.closes.clear();
        self.endorsed.clear();
        self.tips.clear();
        self.asked_ms.clear();
        self.latency.begin_epoch();
        let uncut: BTreeSet<ConflictKey> = self.uncut.iter().map(|decision| decision.0).collect();
        self.settled.retain(|key| uncut.contains(key));
        let keys = std::mem::take(&mut self.keys);
        let open = keys.into_iter().filter(|(_, said)| said.is_claimed());
        self.keys = open.map(|(key, said)| (key, said.unsaid())).collect();
        self.touched = self.keys.keys().copied().collect();
        self.pending.restart(now.mono_ms);
        out.push(Output::Epoch(epoch));
        self.wishes.retain(|wanted, _| *wanted > epoch);
        let wishes = epoch.checked_add(1).and_then(|next| self.wishes.get(&next).cloned());
        for item in wishes.unwrap_or_default() {
            self.endorse(item, committee, now);
        }
        self.reconsider_all(now);
        for (author, votes) in std::mem::take(&mut self.later) {
            self.fold_votes(author, &votes, committee, now);
        }
    }

    /// From now on another committee decides.
    pub(super) fn take_over(&mut self, committee: Committee) {
        if let Some(old) = self.committee.replace(Arc::new(committee)) {
            self.past.insert(old.epoch(), old);
        }
    }

    /// Counts one vote.
    fn count(&mut self, vote: &Vote, author: AuthorId, place: usize, now: Now) {
        match vote {
            // Executed: nothing that is said about it changes anything.
            Vote::Propose(_, block) if block.slot < self.slot => {}
            Vote::Enter(slot, ..) | Vote::LockBlock(slot, ..) | Vote::CommitBlock(slot, ..)
                if *slot < self.slot => {}
            Vote::Lock(Decision(key, _))
            | Vote::Commit(Decision(key, _))
            | Vote::Contested(key, _) => self.count_fast(key, vote, place, now),
            Vote::Propose(view, block) => {
                let slot = self.slots.entry(block.slot).or_default();
                let id = block.id();
                slot.blocks.insert(id, block.clone());
                slot.views.entry(*view).or_default().proposals.insert((place, id));
            }
            Vote::Enter(slot, view, shown) => {
                self.said(*slot, *view).statuses.entry(*shown).or_default().insert(place);
            }
            Vote::LockBlock(slot, view, block) => {
                self.said(*slot, *view).locks.entry(*block).or_default().insert(place);
            }
            Vote::CommitBlock(slot, view, block) => {
                self.said(*slot, *view).commits.entry(*block).or_default().insert(place);
            }
            Vote::Close(decisions) => {
                self.closes.entry(place).or_default().insert(decisions.clone());
            }
            Vote::Sign(height, signature) => {
                let signatures = self.signatures.entry(*height).or_default();
                signatures.insert(author, signature.0.clone());
            }
        }
    }

    fn said(&mut self, slot: u64, view: u32) -> &mut tally::View {
        self.slots.entry(slot).or_default().views.entry(view).or_default()
    }

    /// Holds on to an own vote, so that no later one contradicts it.
    fn remember(&mut self, vote: &Vote) {
        match vote {
            Vote::Propose(_, block) if block.slot < self.slot => {}
            Vote::Enter(slot, ..) | Vote::LockBlock(slot, ..) | Vote::CommitBlock(slot, ..)
                if *slot < self.slot => {}
            Vote::Lock(Decision(key, _))
            | Vote::Commit(Decision(key, _))
            | Vote::Contested(key, _)
                if self.decided.contains_key(key) => {}
            Vote::Lock(Decision(key, item)) => {
                self.my_keys.entry(*key).or_default().lock = Some(*item);
            }
            Vote::Commit(Decision(key, item)) => {
                self.my_keys.entry(*key).or_default().commit = Some(*item);
            }
            Vote::Contested(key, _) => {
                self.my_keys.entry(*key).or_default().reported = true;
                self.pending.reported(key);
            }
            Vote::Propose(view, block) => {
                self.my_slots.entry(block.slot).or_default().proposed.insert(*view);
            }
            Vote::Enter(slot, view, _) => {
                let mine = self.my_slots.entry(*slot).or_default();
                mine.view = mine.view.max(*view);
            }
            Vote::LockBlock(slot, view, block) => {
                self.my_slots.entry(*slot).or_default().locks.insert(*view, *block);
            }
            Vote::CommitBlock(slot, view, block) => {
                self.my_slots.entry(*slot).or_default().commits.insert(*view, *block);
            }
            Vote::Close(_) => self.closed = true,
            Vote::Sign(..) => {}
        }
    }

    /// Casts a vote.
    pub(super) fn vote(&mut self, vote: Vote, out: &mut Vec<Output>) {
        self.remember(&vote);
        out.push(Output::Vote { epoch: self.epoch(), vote });
    }

    /// Whether this node votes.
    pub(super) fn votes(&self, committee: &Committee) -> bool {
        committee.place(&self.me).is_some()
    }

    /// Gives a key to an item for good.
    pub(super) fn decide(&mut self, decision: Decision, now: Now, out: &mut Vec<Output>) {
        let Decision(key, item) = decision;
        if let Some(first) = self.decided.get(&key) {
            if *first != item {
                let first = Decision(key, *first);
                out.push(Output::Contradiction { first, second: decision });
            }
            return;
        }
        self.decided.insert(key, item);
        if self.uncut.is_empty() {
            self.uncut_ms = now.mono_ms;
        }
        self.uncut.insert(decision);
        self.pending.end(&key);
        self.asked_ms.remove(&key);
        self.my_keys.remove(&key);
        self.positions.remove(&item);
        self.drop_losers(&key, item);
        let items = &self.items;
        self.mine.retain(|id| items.get(id).is_none_or(|mine| !mine.keys.contains(&key)));
        out.push(Output::Decided(decision));
        self.take_effect(decision, now);
    }

    /// The highest certificate of the slow path that is known here.
    pub(super) fn certificate(&self, committee: &Committee) -> Option<Locked> {
        self.slots.get(&self.slot).and_then(|slot| slot.highest(committee))
    }

    #[cfg(test)]
    pub(super) fn is_mutant(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// An engine that breaks a rule.
    #[cfg(test)]
    pub(super) fn mutate(&mut self, mutant: Mutant) {
        self.mutant = Some(mutant);
        if let (Mutant::SmallQuorum, Some(committee)) = (mutant, &mut self.committee) {
            Arc::make_mut(committee).weaken();
        }
    }
}

/// The bytes of a decision as a leaf of the mountain range.
pub(super) fn leaf(decision: &Decision) -> Vec<u8> {
    crate::dag::cbor::encode(decision).expect("byte strings, a link and a number always encode")
}
