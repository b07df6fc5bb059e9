//! Finality by sampling inside the node: what is put to the polls, and what becomes of a decision.
//!
//! Vertices carry the items as everywhere. Of those that claim a conflict key only names are put to
//! the polls: what moves credits or needs an order that everybody shares has no place in a decision
//! that is probable. A change of a name builds on the version before, and is looked at once that is
//! decided here; names never expire, because nothing here counts time for everybody.
//!
//! A decision is told, answered as final and built on only when the store has it; a restart brings
//! it back, and the preferences with it ([`super::polling`] asks and answers).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::Node;
use crate::clock::Now;
use crate::consensus::{Committee, Finality, Item, Record};
use crate::dag::cbor;
use crate::dag::vote::{ConflictKey, Decision, ItemId};
use crate::effect::Effect;
use crate::genesis::{self, Genesis};
use crate::identity::{AuthorId, NetworkId};
use crate::ledger::{self, Entry, Operation, Settled};
use crate::limits;
use crate::rate::Bucket;
use crate::rng::Rng;
use crate::sampling::{Config, Input, Members, Output, Question, State};

/// Beginning of the names under which preferences and decisions are stored.
const STORED_NAME: &str = "sampled:";
/// Bounds of one of them.
const STORED_BOUNDS: cbor::Bounds = cbor::Bounds { bytes_max: 256, items_max: 16, depth_max: 4 };
/// How long a key waits at least before too few members in reach are called a loss of finality
/// (milliseconds): what the committee engine waits.
const UNREACHED_MS: u64 = 5_000;

/// The engine, and what waits between it and the rest of the node.
#[derive(Debug)]
pub(super) struct Sampled {
    pub(super) engine: State,
    committee: Committee,
    me: AuthorId,
    /// What decided names amount to.
    names: ledger::State,
    /// What is decided and durable.
    decided: BTreeMap<ConflictKey, ItemId>,
    /// Decisions that are on their way into the store, by the unit of the write.
    unwritten: BTreeMap<u64, Decision>,
    /// Preferences as they are stored.
    preferred: BTreeMap<ConflictKey, ItemId>,
    /// Items whose version of a name has not come up yet.
    early: BTreeSet<(ConflictKey, ItemId)>,
    /// Items for which the engine had no room.
    crowded: BTreeSet<(ConflictKey, ItemId)>,
    /// Since when each key waits.
    since_ms: BTreeMap<ConflictKey, u64>,
    /// Questions that wait to be sent.
    pub(super) asks: BTreeMap<AuthorId, VecDeque<Question>>,
    /// How fast this node asks each member.
    pub(super) paces: BTreeMap<AuthorId, Bucket>,
    /// How much it answers in all.
    pub(super) answers: Bucket,
}

/// What is stored about a key.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stored {
    pub(super) decided: bool,
    pub(super) decision: Decision,
}

/// Whether an item is put to the polls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Now,
    /// When the version before it is decided.
    Early,
    Never,
}

impl Sampled {
    pub(super) fn new(
        genesis: &Genesis,
        network: NetworkId,
        me: AuthorId,
        rng: &mut Rng,
        now: Now,
    ) -> Result<Self, genesis::Error> {
        let committee = genesis.committee()?;
        let members = Members::of(&committee)?;
        let mut seed = [0; 32];
        rng.fill(&mut seed);
        let rng = Rng::from_seed(seed);
        let engine = State::new(Config::default(), network, members, me, rng)?;
        Ok(Self {
            engine,
            committee,
            me,
            names: ledger::State::new(&ledger::Genesis::default())?,
            decided: BTreeMap::new(),
            unwritten: BTreeMap::new(),
            preferred: BTreeMap::new(),
            early: BTreeSet::new(),
            crowded: BTreeSet::new(),
            since_ms: BTreeMap::new(),
            asks: BTreeMap::new(),
            paces: BTreeMap::new(),
            answers: Bucket::new(now.mono_ms),
        })
    }

    /// Takes in what was decided and preferred before this node stopped, before anything else.
    pub(super) fn restore(&mut self, meta: &[(String, Vec<u8>)]) {
        let stored = meta.iter().filter(|(name, _)| name.starts_with(STORED_NAME));
        let stored = stored.filter_map(|(_, bytes)| cbor::decode(bytes, &STORED_BOUNDS).ok());
        for Stored { decided, decision } in stored {
            let Decision(key, item) = decision;
            if decided {
                self.engine.restore(decision);
                self.decided.insert(key, item);
            } else {
                self.preferred.insert(key, item);
            }
        }
    }

    pub(super) fn committee(&self) -> &Committee {
        &self.committee
    }

    pub(super) fn decided(&self, key: &ConflictKey) -> Option<ItemId> {
        self.decided.get(key).copied()
    }

    pub(super) fn decisions(&self) -> usize {
        self.decided.len()
    }

    /// Keys that are not decided for others to see (count).
    pub(super) fn pending(&self) -> usize {
        self.since_ms.len()
    }

    /// Whether somebody claims this key and nobody has it.
    pub(super) fn is_pending(&self, key: &ConflictKey) -> bool {
        self.since_ms.contains_key(key)
    }

    /// Successful polls in a row for the key that has the fewest (count); none when none waits.
    pub(super) fn confidence(&self) -> Option<u32> {
        self.engine.waiting().map(|(_, confidence)| confidence).min()
    }

    /// What decided names amount to.
    pub(super) fn names(&self) -> &ledger::State {
        &self.names
    }

    /// The least weight in reach with which polls succeed: that of the seats that have to agree.
    pub(super) fn weight_min(&self) -> u64 {
        let Config { k, alpha_confidence, .. } = *self.engine.config();
        (self.committee.total() * u64::from(alpha_confidence)).div_ceil(u64::from(k))
    }

    /// Weight of this node and of the members among these.
    pub(super) fn weight_of(&self, authors: &BTreeSet<AuthorId>) -> u64 {
        let members = self.committee.members().iter();
        let here = members.filter(|(author, _)| *author == self.me || authors.contains(author));
        here.map(|(_, weight)| u64::from(*weight)).sum()
    }

    /// Whether an item is ever put to the polls, by what is decided so far.
    pub(super) fn takes(&self, item: &Item) -> bool {
        self.standing(item) != Standing::Never
    }

    fn standing(&self, item: &Item) -> Standing {
        match &item.operation {
            // A commitment proves that one was first only where everybody shares an order.
            Some(Operation::NameRegister { version, .. }) if *version == 1 => Standing::Now,
            Some(
                operation @ (Operation::NameUpdate { label, version, .. }
                | Operation::NameTransfer { label, version, .. }),
            ) => {
                if *version > self.names.next_version(label) {
                    Standing::Early
                } else if self.names.check(&item.author, operation).is_ok() {
                    Standing::Now
                } else {
                    Standing::Never
                }
            }
            _ => Standing::Never,
        }
    }

    /// The key of an item to put to the polls now. One that comes too early is kept.
    fn admit(&mut self, item: &Item, now: Now) -> Option<ConflictKey> {
        let key = *item.keys.first()?;
        if self.decided.contains_key(&key) {
            return None;
        }
        match self.standing(item) {
            Standing::Never => return None,
            Standing::Early => {
                self.set_aside(key, item.id, false);
                return None;
            }
            Standing::Now => {}
        }
        self.since_ms.entry(key).or_insert(now.mono_ms);
        Some(key)
    }

    /// Keeps an item for later; `false` when too many are kept.
    fn set_aside(&mut self, key: ConflictKey, item: ItemId, is_crowded: bool) -> bool {
        if self.early.len() + self.crowded.len() >= limits::SAMPLED_ASIDE_MAX {
            return false;
        }
        let aside = if is_crowded { &mut self.crowded } else { &mut self.early };
        aside.insert((key, item));
        true
    }

    /// Lets a decision take effect; gives the items that may have become possible.
    fn settle(&mut self, item: Item, Decision(key, _): Decision) -> Vec<ItemId> {
        let Item { id, author, operation, .. } = item;
        let settled = operation
            .map(|operation| self.names.settle(Entry { id, author, operation }, 0))
            .transpose();
        self.preferred.remove(&key);
        self.since_ms.remove(&key);
        let mut again: Vec<ItemId> =
            self.crowded.pop_first().map(|(_, id)| id).into_iter().collect();
        if let Ok(Some(Settled::Applied { opened, .. })) = settled {
            let is_open = |(key, _): &&(ConflictKey, ItemId)| opened.contains(key);
            let ready: Vec<_> = self.early.iter().filter(is_open).copied().collect();
            for aside in ready {
                self.early.remove(&aside);
                again.push(aside.1);
            }
        }
        again
    }
}

impl Stored {
    /// Its name and bytes in the store.
    pub(super) fn encode(&self) -> (String, Vec<u8>) {
        let name = data_encoding::HEXLOWER.encode(self.decision.0.as_bytes());
        let bytes = cbor::encode(self).expect("byte strings, a link and a number always encode");
        (format!("{STORED_NAME}{name}"), bytes)
    }
}

impl Node {
    /// Goes on from the stored history: what was decided takes effect again, what was preferred is
    /// preferred first, and the rest is put to the polls anew.
    pub(super) fn resume_sampling(&mut self, now: Now) {
        let items: Vec<Item> = self.graph.iter().flat_map(|v| Record::of(v).items).collect();
        let Some(sampled) = self.deciding.engine.sampled_mut() else { return };
        let is_preferred = |sampled: &Sampled, item: &Item| {
            item.keys.iter().any(|key| sampled.preferred.get(key) == Some(&item.id))
        };
        let (mut first, mut rest) = (Vec::new(), Vec::new());
        for item in items {
            let decided = item.keys.first().and_then(|key| sampled.decided(key));
            if let (Some(key), true) = (item.keys.first().copied(), decided == Some(item.id)) {
                let id = item.id;
                sampled.settle(item, Decision(key, id));
                self.deciding.finalised.push(id);
            } else if is_preferred(sampled, &item) {
                first.push(item);
            } else {
                rest.push(item);
            }
        }
        for item in first.iter().chain(&rest) {
            self.put_to_polls(item, now);
        }
    }

    /// Lets the engine know of an item, if it is one to ask about.
    pub(super) fn put_to_polls(&mut self, item: &Item, now: Now) {
        let Some(sampled) = self.deciding.engine.sampled_mut() else { return };
        if let Some(key) = sampled.admit(item, now) {
            self.tell_sampler(Input::Item(key, item.id), now);
        }
    }

    /// Gives the engine an input and does what it says. Answers are for [`super::polling`].
    pub(super) fn tell_sampler(&mut self, input: Input, now: Now) {
        let Some(sampled) = self.deciding.engine.sampled_mut() else { return };
        let mut outputs = Vec::new();
        self.deciding.wake_ms = None;
        sampled.engine.handle(now, input, &mut outputs);
        for output in outputs {
            self.on_sampled(&output);
        }
        self.remember_preferences();
    }

    pub(super) fn on_sampled(&mut self, output: &Output) {
        let Some(sampled) = self.deciding.engine.sampled_mut() else { return };
        match *output {
            Output::Ask(member, question) => {
                sampled.asks.entry(member).or_default().push_back(question);
            }
            Output::Decided(decision) => {
                let unit = self.groups.next();
                sampled.unwritten.insert(unit, decision);
                let stored = Stored { decided: true, decision }.encode();
                self.writer.add_unit(unit, vec![stored], Vec::new());
            }
            Output::Full(key, item) => {
                self.counters.count("sampling-full");
                if !sampled.set_aside(key, item, true) {
                    self.counters.count("sampling-item-left-out");
                }
            }
            Output::Refused(_, refusal) => self.counters.count(refusal.code()),
            Output::WakeAt(wake_ms) => self.deciding.wake_ms = Some(wake_ms),
            Output::Answer(..) => {}
        }
    }

    /// Stores preferences that changed, so that a restart is no change of opinion.
    fn remember_preferences(&mut self) {
        let Some(sampled) = self.deciding.engine.sampled_mut() else { return };
        for (decision, _) in sampled.engine.waiting() {
            let Decision(key, item) = decision;
            if sampled.preferred.insert(key, item) != Some(item) {
                let (name, bytes) = Stored { decided: false, decision }.encode();
                self.writer.add_meta(&name, bytes);
            }
        }
    }

    /// Decisions whose write is done take effect and are told.
    pub(super) fn decisions_durable(&mut self, units: &[u64], now: Now, out: &mut Vec<Effect>) {
        for unit in units {
            let Some(sampled) = self.deciding.engine.sampled_mut() else { return };
            let Some(decision) = sampled.unwritten.remove(unit) else { continue };
            let Decision(key, id) = decision;
            sampled.decided.insert(key, id);
            let item = self.item(&id);
            let Some(sampled) = self.deciding.engine.sampled_mut() else { return };
            let again = item.map(|item| sampled.settle(item, decision)).unwrap_or_default();
            self.on_decided(id, out);
            let items: Vec<Item> = again.iter().filter_map(|id| self.item(id)).collect();
            for item in items {
                self.put_to_polls(&item, now);
            }
        }
    }

    /// Does what is due: asks anew after a deadline, and rests while too few members are in reach.
    pub(super) fn decide_by_sampling(&mut self, now: Now) {
        let is_due = self.deciding.wake_ms.is_some_and(|wake_ms| wake_ms <= now.mono_ms);
        let reached = self.is_enough_in_reach();
        let Some(sampled) = self.deciding.engine.sampled_mut() else { return };
        if sampled.pending() == 0 {
            return;
        }
        sampled.engine.rest(!reached);
        let is_idle = reached && self.deciding.wake_ms.is_none() && sampled.engine.pending() > 0;
        if is_due || is_idle {
            self.tell_sampler(Input::Tick, now);
        }
    }

    /// Whether members in reach have the weight without which polls fail.
    fn is_enough_in_reach(&self) -> bool {
        let Some(sampled) = self.deciding.engine.sampled() else { return false };
        let sound = |author: &AuthorId| self.graph.equivocated(author).is_none();
        let here = self.peers.known().map(|(_, _, author)| author).filter(sound).collect();
        sampled.pending() == 0 || sampled.weight_of(&here) >= sampled.weight_min()
    }

    /// Whether there is finality: whether polls can succeed, and do.
    pub(super) fn sampled_finality(&self, now: Now) -> Finality {
        let Some(sampled) = self.deciding.engine.sampled() else { return Finality::CausalOnly };
        let oldest_ms = sampled.since_ms.values().copied().min();
        let waits_ms = oldest_ms.map_or(0, |since_ms| now.since_ms(since_ms));
        let lost = waits_ms >= limits::SAMPLED_STALLED_MS
            || (waits_ms >= UNREACHED_MS && !self.is_enough_in_reach());
        if lost { Finality::NoQuorum } else { Finality::Sampled }
    }
}
