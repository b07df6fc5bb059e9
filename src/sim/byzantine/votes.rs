//! Attacks on finality: members of the committee that break its rules.
//!
//! An honest core hears and keeps everything; what its engine would have voted is handed to the
//! strategy, which says something else in one chain that nobody can find fault with, or forks the
//! chain where votes are ([`Forked`], [`DoubleSpend`]).

use std::collections::{BTreeMap, BTreeSet};

use super::forge::{halves, sign_anything, to_all};
use super::{Action, Context, Strategy};
use crate::consensus::{Record, State};
use crate::dag::operation::Operation;
use crate::dag::vote::{Block, CheckpointSignature, ConflictKey, Decision, ItemId, Vote, Votes};
use crate::dag::{Payload, SignedVertex, Vertex};
use crate::effect::Effect;
use crate::units::MicroCredits;

/// A way to lie in votes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lie {
    /// Supports everything that anybody puts forward, shows no certificate, and puts the other
    /// side of each conflict forward when it leads.
    Both,
    /// Says nothing.
    Withhold,
    /// Says everything but blocks, when it leads.
    SilentLeader,
    /// Puts two blocks forward whenever it leads, and supports both.
    TwoBlocks,
    /// Names states that decisions do not lead to, and signs them.
    FalseRoots,
    /// Shows old certificates or none, puts old blocks forward again, and commits to nothing.
    Stale,
}

/// Lies in votes.
#[derive(Debug)]
pub(super) struct Liar {
    lie: Lie,
    /// Vertices of the core's history that it has looked at (count).
    looked_at: usize,
    /// Blocks that were put forward, by their slots.
    blocks: BTreeMap<u64, Vec<Block>>,
    /// Items by the first of their keys.
    items: BTreeMap<ConflictKey, BTreeSet<ItemId>>,
    /// What it said without being asked to.
    said: BTreeSet<Vec<u8>>,
}

impl Liar {
    pub(super) fn new(lie: Lie) -> Self {
        Self {
            lie,
            looked_at: 0,
            blocks: BTreeMap::new(),
            items: BTreeMap::new(),
            said: BTreeSet::new(),
        }
    }

    /// What others have said since the last time.
    fn hear(&mut self, context: &Context<'_>) -> Vec<Record> {
        let graph = context.state.graph();
        if graph.len() < self.looked_at {
            self.looked_at = 0;
        }
        let new = graph.iter().skip(self.looked_at).map(Record::of).collect();
        self.looked_at = graph.len();
        new
    }

    /// What a member that supports everything says to this.
    fn support(&mut self, record: &Record) -> Vec<(u64, Vote)> {
        let (mut votes, epoch) = (Vec::new(), record.votes.first().map_or(0, |said| said.epoch));
        for item in &record.items {
            for key in &item.keys {
                votes.push(Vote::Lock(Decision(*key, item.id)));
                votes.push(Vote::Commit(Decision(*key, item.id)));
            }
        }
        for vote in record.votes.iter().flat_map(|said| &said.votes) {
            match vote {
                Vote::Contested(key, shown) => {
                    votes.push(Vote::Contested(*key, None));
                    votes.push(Vote::Contested(*key, *shown));
                }
                Vote::Propose(view, block) => {
                    votes.push(Vote::LockBlock(block.slot, *view, block.id()));
                    votes.push(Vote::CommitBlock(block.slot, *view, block.id()));
                }
                Vote::Enter(slot, view, _) => votes.push(Vote::Enter(*slot, *view, None)),
                _ => {}
            }
        }
        self.once(epoch, votes)
    }

    /// Leaves out what was said before.
    fn once(&mut self, epoch: u64, votes: Vec<Vote>) -> Vec<(u64, Vote)> {
        let new = votes.into_iter().filter(|vote| {
            let bytes = crate::dag::cbor::encode(vote).expect("plain data always encodes");
            self.said.insert(bytes)
        });
        new.map(|vote| (epoch, vote)).collect()
    }

    /// The block with another item for each key that has one; with less in it if none has.
    fn other_side(&self, block: &Block) -> Block {
        let mut other = block.clone();
        for item in &mut other.items {
            let rivals = self.items.values().find(|rivals| rivals.contains(item));
            if let Some(rival) = rivals.and_then(|rivals| rivals.iter().find(|id| *id != item)) {
                *item = *rival;
            }
        }
        if other == *block { another(block) } else { other }
    }

    /// Another block for the same place, with what is known to have been put forward there.
    fn stale_block(&self, block: &Block) -> Block {
        let before = self.blocks.get(&block.slot).and_then(|blocks| blocks.first());
        before.unwrap_or(block).clone()
    }

    fn twist(&mut self, epoch: u64, vote: Vote, context: &mut Context<'_>) -> Vec<(u64, Vote)> {
        let votes = match (self.lie, vote) {
            (Lie::Withhold, _)
            | (Lie::SilentLeader, Vote::Propose(..))
            | (Lie::Stale, Vote::Commit(_) | Vote::CommitBlock(..)) => Vec::new(),
            (Lie::Both, Vote::Propose(view, block)) if !block.items.is_empty() => {
                vec![Vote::Propose(view, self.other_side(&block))]
            }
            (Lie::TwoBlocks, Vote::Propose(view, block)) => {
                let (slot, other) = (block.slot, self.other_side(&block));
                let mut votes = Vec::new();
                for block in [other, block] {
                    let id = block.id();
                    votes.push(Vote::Propose(view, block));
                    votes.push(Vote::LockBlock(slot, view, id));
                    votes.push(Vote::CommitBlock(slot, view, id));
                }
                votes
            }
            (Lie::FalseRoots, Vote::Propose(view, mut block)) => {
                if let Some(cut) = &mut block.cut {
                    cut.state_root[0] ^= 1;
                }
                let (slot, id) = (block.slot, block.id());
                vec![
                    Vote::Propose(view, block),
                    Vote::LockBlock(slot, view, id),
                    Vote::CommitBlock(slot, view, id),
                ]
            }
            (Lie::FalseRoots, Vote::Sign(height, signature)) => {
                let checkpoints = context.state.consensus().map(State::checkpoints);
                let mut checkpoints = checkpoints.into_iter().flatten();
                let known = checkpoints.find(|known| known.height == height);
                let Some(mut lie) = known.cloned() else {
                    return vec![(epoch, Vote::Sign(height, signature))];
                };
                lie.state_root[0] ^= 1;
                let mut hedge = [0; 32];
                context.rng.fill(&mut hedge);
                vec![Vote::Sign(height, CheckpointSignature(lie.sign(context.key, hedge)))]
            }
            (Lie::Stale, Vote::Contested(key, _)) => vec![Vote::Contested(key, None)],
            (Lie::Stale, Vote::Enter(slot, view, _)) => vec![Vote::Enter(slot, view, None)],
            (Lie::Stale, Vote::Propose(view, block)) => {
                vec![Vote::Propose(view, self.stale_block(&block))]
            }
            (_, vote) => vec![vote],
        };
        votes.into_iter().map(|vote| (epoch, vote)).collect()
    }
}

impl Strategy for Liar {
    fn lies(&self) -> bool {
        true
    }

    fn on_votes(&mut self, votes: Vec<(u64, Vote)>, context: &mut Context<'_>) -> Vec<(u64, Vote)> {
        let mut said = Vec::new();
        for record in self.hear(context) {
            if self.lie == Lie::Both && record.author != context.author {
                said.extend(self.support(&record));
            }
            for item in &record.items {
                for key in item.keys.iter().take(1) {
                    self.items.entry(*key).or_default().insert(item.id);
                }
            }
            for vote in record.votes.into_iter().flat_map(|votes| votes.votes) {
                if let Vote::Propose(_, block) = vote {
                    self.blocks.entry(block.slot).or_default().push(block);
                }
            }
        }
        for (epoch, vote) in votes {
            said.extend(self.twist(epoch, vote, context));
        }
        said
    }
}

/// Another block that could stand in its place: without its last item, or with another frontier.
fn another(block: &Block) -> Block {
    let mut other = block.clone();
    if other.items.pop().is_none()
        && let Some(cut) = &mut other.cut
        && cut.frontier.len() > 1
    {
        cut.frontier.pop();
    }
    other
}

/// Votes honestly, and tells half of its peers alone.
#[derive(Debug)]
pub(super) struct ToHalf;

impl Strategy for ToHalf {
    fn on_effect(&mut self, effect: Effect, context: &mut Context<'_>) -> Vec<Action> {
        let Effect::Publish { bytes } = &effect else { return vec![Action::Do(effect)] };
        let half = context.peers.iter().step_by(2);
        half.map(|peer| Action::Whisper { peer: *peer, bytes: bytes.clone() }).collect()
    }
}

/// Forks its chain where it puts a block forward or locks an item: each half of its peers gets
/// other votes. Its identity is over when somebody sees both; until then both count.
#[derive(Debug)]
pub(super) struct Forked;

impl Strategy for Forked {
    fn on_effect(&mut self, effect: Effect, context: &mut Context<'_>) -> Vec<Action> {
        let Effect::Publish { bytes } = &effect else { return vec![Action::Do(effect)] };
        let Ok(signed) = SignedVertex::decode(bytes) else { return vec![Action::Do(effect)] };
        let mut twin = signed.vertex().clone();
        let mut changed = false;
        for payload in &mut twin.payloads {
            let Payload::Votes(Votes { votes, .. }) = payload else { continue };
            for vote in votes {
                if let Vote::Propose(_, block) = vote {
                    *block = another(block);
                    changed = true;
                }
            }
        }
        if !changed {
            return vec![Action::Do(effect)];
        }
        let twin = sign_anything(&twin, context);
        halves(context, bytes, &twin)
    }
}

/// Spends one position of its account twice, in two vertices of one place of its chain, each told
/// to half of its peers; then again and again.
#[derive(Debug, Default)]
pub(super) struct DoubleSpend {
    last: Option<(Vertex, Vertex)>,
}

impl Strategy for DoubleSpend {
    fn on_second(&mut self, context: &mut Context<'_>) -> Vec<Action> {
        if let Some((one, other)) = &self.last {
            // Once more, the other way round: whoever lost one half gets it now.
            let (one, other) = (sign_anything(one, context), sign_anything(other, context));
            let mut again = to_all(context, &one);
            again.extend(to_all(context, &other));
            return again;
        }
        let Some(consensus) = context.state.consensus() else { return Vec::new() };
        let account = consensus.ledger().account(&context.author).copied().unwrap_or_default();
        let seats = consensus.committee().map(|seats| seats.members().to_vec());
        let others = seats.unwrap_or_default().into_iter().map(|(author, _)| author);
        let payees: Vec<_> = others.filter(|author| *author != context.author).take(2).collect();
        let [first, second] = payees[..] else { return Vec::new() };
        let pay = |to| {
            let (sequence, memo) = (account.next_sequence, String::new());
            let amount = MicroCredits(account.balance.0.max(1));
            let operation = Operation::Transfer { sequence, to, amount, memo };
            let payloads = vec![Payload::Ledger(operation)];
            context.state.graph().next_vertex(context.author, payloads, context.now).ok()
        };
        let (Some(one), Some(other)) = (pay(first), pay(second)) else { return Vec::new() };
        if one.seq == 0 {
            return Vec::new();
        }
        self.last = Some((one.clone(), other.clone()));
        let (one, other) = (sign_anything(&one, context), sign_anything(&other, context));
        halves(context, &one, &other)
    }
}
