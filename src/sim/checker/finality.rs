//! What a committee decides: one item for a key, no credit made or lost, one checkpoint for a
//! height, and an end to every contest.
//!
//! Each looks at members from outside. Credits are counted anew, by a plain account of the decided
//! operations that shares no code with the ledger.

use std::collections::{BTreeMap, BTreeSet};

use super::{Broken, Fact, Invariant, Peek, Setting};
use crate::clock::Now;
use crate::consensus::{self, Finality};
use crate::dag::operation::Operation;
use crate::dag::vote::{ConflictKey, Decision, ItemId};
use crate::identity::AuthorId;
use crate::node::Node;
use crate::sim::world::MONO_MS;

/// Name of the invariant [`OneItem`].
pub const ONE_ITEM: &str = "S1 no two members have different items for one key";

/// Honest members that run, where a committee decides.
fn nodes<'a>(peeks: &'a [Peek<'a>]) -> impl Iterator<Item = (usize, &'a Node)> {
    let running = peeks.iter().enumerate().filter(|(_, peek)| peek.honest);
    let decides = |node: &Node| node.consensus().is_some_and(|state| state.committee().is_some());
    running.filter_map(move |(place, peek)| Some((place, peek.state.filter(|node| decides(node))?)))
}

/// What they have decided.
fn honest<'a>(peeks: &'a [Peek<'a>]) -> impl Iterator<Item = (usize, &'a consensus::State)> {
    nodes(peeks).filter_map(|(place, node)| Some((place, node.consensus()?)))
}

/// No two honest members ever have different items final for one key (S1), nor has one of them two
/// at different times.
#[derive(Debug, Default)]
pub struct OneItem {
    known: BTreeMap<ConflictKey, (usize, ItemId)>,
    /// How many decisions each member had in this life when all of them were looked at.
    seen: BTreeMap<usize, usize>,
}

impl OneItem {
    fn see(&mut self, node: usize, key: ConflictKey, item: ItemId) -> Result<(), Broken> {
        let (other, known) = *self.known.entry(key).or_insert((node, item));
        if known == item {
            return Ok(());
        }
        let what = format!("{item} has {key:?} here, and {known} at member {other}");
        Err(Broken::about(node, item.0, what))
    }

    /// Looks at all decisions when they are a sixteenth more, or at the end. What becomes final is
    /// looked at when it does.
    fn see_all(&mut self, node: usize, state: &consensus::State, end: bool) -> Result<(), Broken> {
        let mut decisions = state.decisions();
        let forgotten = usize::try_from(state.forgotten()).unwrap_or(usize::MAX);
        let (seen, count) = (self.seen.entry(node).or_default(), forgotten + decisions.len());
        if count == *seen || (!end && count < *seen + *seen / 16) {
            return Ok(());
        }
        *seen = count;
        decisions.try_for_each(|Decision(key, item)| self.see(node, key, item))
    }
}

impl Invariant for OneItem {
    fn name(&self) -> &'static str {
        ONE_ITEM
    }

    fn observe(&mut self, fact: &Fact<'_>, _: &Setting) -> Result<(), Broken> {
        match fact {
            Fact::Finalised { node, view } => {
                view.keys.iter().try_for_each(|key| self.see(*node, *key, view.item))
            }
            Fact::Started { node, .. } => {
                self.seen.remove(node);
                Ok(())
            }
            Fact::Second { peeks, .. } | Fact::End { peeks } => {
                let end = matches!(fact, Fact::End { .. });
                honest(peeks).try_for_each(|(node, state)| self.see_all(node, state, end))
            }
            _ => Ok(()),
        }
    }

    fn figures(&self) -> Vec<(&'static str, u64)> {
        if self.known.is_empty() {
            Vec::new()
        } else {
            vec![("keys decided", self.known.len() as u64)]
        }
    }
}

/// Balances and holds add up to what the genesis minted, and nobody has less than nothing (S4).
#[derive(Debug, Default)]
pub struct Conserves {
    transfers: u64,
    holds_ended: u64,
    /// What checkpoints decided, in their order, for members that forget it.
    certified: Vec<(ItemId, AuthorId, Option<Operation>)>,
}

impl Conserves {
    /// Remembers what a member's checkpoints decided beyond what is known.
    fn gather(&mut self, state: &consensus::State) {
        let known = self.certified.len() as u64;
        let Some(skipped) = known.checked_sub(state.forgotten()) else { return };
        for Decision(_, id) in state.certified_decisions().skip(skipped as usize) {
            let Some(item) = state.item(id) else { return };
            self.certified.push((*id, item.author, item.operation.clone()));
        }
    }

    /// A plain account of everything decided, beside the ledger's. Of members that forgot more than
    /// was ever seen here nothing is said; they have the same state as others.
    fn recount(&mut self, state: &consensus::State, setting: &Setting) -> Result<(), String> {
        let forgotten = state.forgotten() as usize;
        if forgotten > self.certified.len() {
            return Ok(());
        }
        let Some(genesis) = &setting.genesis else { return Ok(()) };
        let begin = genesis.balances.iter();
        let mut held: BTreeMap<AuthorId, i128> =
            begin.map(|(author, amount)| (*author, i128::from(amount.0))).collect();
        let minted: i128 = held.values().sum();
        let (mut set_aside, mut ended) = (BTreeMap::new(), Vec::new());
        let mut moved = BTreeSet::new();
        let (mut transfers, mut holds_ended) = (0, 0);
        let old = self.certified.iter().take(forgotten).cloned();
        let remembered = state.decisions().filter_map(|Decision(_, id)| {
            let item = state.item(&id)?;
            Some((id, item.author, item.operation.clone()))
        });
        for (id, author, operation) in old.chain(remembered) {
            let Some(operation) = operation.filter(|_| moved.insert(id)) else { continue };
            match &operation {
                Operation::Transfer { to, amount, .. } => {
                    *held.entry(author).or_default() -= i128::from(amount.0);
                    *held.entry(*to).or_default() += i128::from(amount.0);
                    transfers += 1;
                }
                Operation::Hold { amount, to, .. } => {
                    *held.entry(author).or_default() -= i128::from(amount.0);
                    set_aside.insert(id, (author, *to, i128::from(amount.0)));
                }
                Operation::Release { hold } => ended.push((*hold, false)),
                Operation::Refund { hold } => ended.push((*hold, true)),
                _ => {}
            }
        }
        // What is remembered is in the order of its keys, so all holds are known only now.
        for (hold, refund) in ended {
            let Some((from, to, amount)) = set_aside.remove(&hold) else {
                return Err(format!("hold {hold} ended twice or never was"));
            };
            *held.entry(if refund { from } else { to }).or_default() += amount;
            holds_ended += 1;
        }
        let set_aside: i128 = set_aside.values().map(|(_, _, amount)| amount).sum();
        self.transfers = self.transfers.max(transfers);
        self.holds_ended = self.holds_ended.max(holds_ended);
        let ledger = state.ledger();
        if ledger.waiting() > 0 {
            return Err(format!("{} decided operations have no effect yet", ledger.waiting()));
        }
        if held.values().sum::<i128>() + set_aside != minted {
            return Err("credits were made or lost".to_owned());
        }
        for (author, sum) in held {
            let balance = ledger.account(&author).map_or(0, |account| account.balance.0);
            if i128::from(balance) != sum || sum < 0 {
                return Err(format!("{author} has {balance}, and {sum} when counted anew"));
            }
        }
        Ok(())
    }
}

impl Invariant for Conserves {
    fn name(&self) -> &'static str {
        "S4 credits are neither made nor lost"
    }

    fn observe(&mut self, fact: &Fact<'_>, setting: &Setting) -> Result<(), Broken> {
        let (Fact::Second { peeks, .. } | Fact::End { peeks }) = fact else { return Ok(()) };
        honest(peeks).for_each(|(_, state)| self.gather(state));
        for (node, state) in honest(peeks) {
            for ledger in [state.ledger(), state.certified()] {
                let (total, minted) = (ledger.total(), ledger.minted());
                if total != u128::from(minted.0) {
                    let what = format!("balances and holds are {total} of {} minted", minted.0);
                    return Err(Broken::at(node, what));
                }
            }
            if matches!(fact, Fact::End { .. }) {
                self.recount(state, setting).map_err(|what| Broken::at(node, what))?;
            }
        }
        Ok(())
    }

    fn figures(&self) -> Vec<(&'static str, u64)> {
        let figures = [("transfers decided", self.transfers), ("holds ended", self.holds_ended)];
        figures.into_iter().filter(|(_, count)| *count > 0).collect()
    }
}

/// All honest members have the same checkpoint at a height, and the state that it names (S6).
#[derive(Debug, Default)]
pub struct SameCheckpoints {
    known: BTreeMap<u64, (usize, [u8; 32])>,
    /// Up to which height checkpoints of each member were seen in this life.
    seen: BTreeMap<usize, u64>,
}

impl SameCheckpoints {
    fn look(&mut self, node: usize, state: &consensus::State) -> Result<(), String> {
        let seen = self.seen.entry(node).or_default();
        let from = *seen;
        for checkpoint in state.checkpoints().filter(|held| held.height > from) {
            let (height, id) = (checkpoint.height, checkpoint.id());
            *seen = height;
            let before = height.checked_sub(1).and_then(|below| self.known.get(&below));
            if before.is_some_and(|(_, before)| *before != checkpoint.prev) {
                return Err(format!(
                    "checkpoint {height} follows another one than the others have"
                ));
            }
            let (other, known) = *self.known.entry(height).or_insert((node, id));
            if known != id {
                return Err(format!("it and member {other} have different checkpoints {height}"));
            }
        }
        let last = state.last_checkpoint();
        let root = state.certified().root();
        if last.is_some_and(|last| last.state_root != root) {
            return Err("the last checkpoint names another state than it has".to_owned());
        }
        Ok(())
    }
}

impl Invariant for SameCheckpoints {
    fn name(&self) -> &'static str {
        "S6 checkpoints are the same everywhere"
    }

    fn observe(&mut self, fact: &Fact<'_>, _: &Setting) -> Result<(), Broken> {
        match fact {
            Fact::Started { node, .. } => {
                self.seen.remove(node);
                Ok(())
            }
            Fact::Second { peeks, .. } | Fact::End { peeks } => {
                honest(peeks).try_for_each(|(node, state)| {
                    self.look(node, state).map_err(|what| Broken::at(node, what))
                })
            }
            _ => Ok(()),
        }
    }

    fn figures(&self) -> Vec<(&'static str, u64)> {
        if self.known.is_empty() {
            Vec::new()
        } else {
            vec![("checkpoints", self.known.len() as u64)]
        }
    }
}

/// Once faults and operations are over, within `converge_ms`, while honest members that are awake
/// weigh a quorum: what nobody contested is final at each of them (L2), each contested key has an
/// item, and nothing waits (L3).
#[derive(Debug)]
pub struct Decides {
    contested: bool,
    submitted: Vec<(ConflictKey, ItemId)>,
    /// What became final at any member, for those that have forgotten it or were handed what it led
    /// to.
    told: BTreeMap<ConflictKey, ItemId>,
    /// Members that were found to have it all.
    done: BTreeSet<usize>,
}

impl Decides {
    /// Items that one member submitted (L2).
    pub fn uncontested() -> Self {
        let (submitted, told) = (Vec::new(), BTreeMap::new());
        Self { contested: false, submitted, told, done: BTreeSet::new() }
    }

    /// Keys that several claimed, and whatever else waits (L3).
    pub fn contested() -> Self {
        Self { contested: true, ..Self::uncontested() }
    }

    /// Who has a key at a member.
    fn winner(&self, state: &consensus::State, key: &ConflictKey) -> Option<ItemId> {
        let told = self.told.get(key).filter(|_| state.forgotten() > 0);
        state.decided(key).or(told.copied())
    }

    fn look(&self, member: &Node, at_ms: u64) -> Result<(), String> {
        let Some(state) = member.consensus() else { return Ok(()) };
        let open = self.submitted.iter().filter(|(key, item)| match self.winner(state, key) {
            Some(decided) => !self.contested && decided != *item,
            None => true,
        });
        let open: Vec<_> = open.collect();
        if let Some((key, item)) = open.first() {
            let (count, of) = (open.len(), self.submitted.len());
            let winner = self.winner(state, key);
            return Err(format!("{count} of {of} are not final, {item} is one: {winner:?}"));
        }
        let now = Now { mono_ms: MONO_MS + at_ms, unix_ms: 0 };
        let has_ended = |author: &AuthorId| member.graph().equivocated(author).is_some();
        if self.contested && state.finality(now, has_ended) == Finality::NoQuorum {
            return Err(format!("{} keys wait, one of them for too long", state.pending()));
        }
        Ok(())
    }
}

impl Invariant for Decides {
    fn name(&self) -> &'static str {
        if self.contested {
            "L3 every contested key is decided"
        } else {
            "L2 what nobody contests becomes final"
        }
    }

    fn observe(&mut self, fact: &Fact<'_>, setting: &Setting) -> Result<(), Broken> {
        match fact {
            Fact::Submitted { item, key, contested, .. } if *contested == self.contested => {
                self.submitted.push((*key, *item));
                self.done.clear();
                Ok(())
            }
            Fact::Finalised { view, .. } => {
                self.told.extend(view.keys.iter().map(|key| (*key, view.item)));
                Ok(())
            }
            Fact::Second { at_ms, peeks } => {
                let due_ms = setting.quiet_ms + setting.scenario.bounds.converge_ms;
                let Some(committee) = &setting.scenario.committee else { return Ok(()) };
                let awake = |node: usize| peeks[node].honest && peeks[node].awake;
                let spare = committee.spare_weight();
                let away = committee.weight(|node| !awake(node));
                if *at_ms < due_ms || away > spare {
                    return Ok(());
                }
                for (node, member) in nodes(peeks).filter(|(node, _)| awake(*node)) {
                    if !self.done.contains(&node) {
                        self.look(member, *at_ms).map_err(|what| Broken::at(node, what))?;
                        self.done.insert(node);
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn is_settled(&self, peeks: &[Peek<'_>], _: &Setting) -> bool {
        honest(peeks).all(|(_, state)| state.pending() == 0)
            && nodes(peeks).all(|(_, member)| self.look(member, 0).is_ok())
    }

    fn figures(&self) -> Vec<(&'static str, u64)> {
        let name = if self.contested { "claims to contested names" } else { "uncontested items" };
        if self.submitted.is_empty() {
            Vec::new()
        } else {
            vec![(name, self.submitted.len() as u64)]
        }
    }
}
