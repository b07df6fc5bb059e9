//! Members that do what an honest one would not: strategies as wrappers round an honest core.
//!
//! The core is the real node with a real identity. A strategy sees what goes in and decides what
//! comes out: it can drop, hold back, change or add. It signs with its own key only, and knows what
//! its node knows. Those that lie in votes are handed what the engine of the core would have said.

mod forge;
mod mute;
mod snapshots;
mod votes;

use std::fmt::Debug;

use serde::{Deserialize, Serialize};

use crate::clock::Now;
use crate::crypto::sign::SigningKey;
use crate::dag::NetworkId;
use crate::dag::vote::Vote;
use crate::effect::{Effect, Input};
use crate::identity::AuthorId;
use crate::node::Node;
use crate::rng::Rng;
use votes::{Liar, Lie};

/// What a dishonest member does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "attack", deny_unknown_fields)]
pub enum Attack {
    /// Says nothing any more, and keeps its connections.
    Silent,
    /// Sends everything late.
    Delay {
        /// Milliseconds, at most.
        ms: u32,
    },
    /// Gives half of its peers another vertex than the other half, each signed.
    Equivocate,
    /// Names blobs and gives none.
    WithholdBlobs,
    /// Gives other bytes than those of the blob.
    WrongBlobs,
    /// Answers no question about vertices.
    WithholdVertices,
    /// Signs vertices that break a rule about parents, position or Lamport time.
    BadVertices,
    /// Signs vertices with Lamport times far ahead.
    FutureLamport,
    /// Sends again what it has heard.
    Replay,
    /// Signs vertices whose parents do not exist.
    OrphanFlood {
        /// Vertices per second.
        per_second: u32,
    },
    /// Tells heads as they were at the beginning.
    StaleHeads,
    /// Tells heads that do not exist.
    PhantomHeads,
    /// Sends bytes that are no message.
    Garbage,
    /// As a member of the committee: supports both sides of every conflict, and every block.
    VoteBoth,
    /// Does not vote.
    WithholdVotes,
    /// Votes, and tells half of its peers alone.
    VoteToHalf,
    /// Puts no block forward when it leads.
    SilentLeader,
    /// Puts two blocks forward when it leads, in one chain.
    TwoBlocks,
    /// Puts two blocks forward when it leads, one to each half of its peers.
    ForkedBlocks,
    /// Puts checkpoints forward, and signs such, whose state is not what decisions lead to.
    FalseRoots,
    /// Shows old certificates or none, and puts old blocks forward again.
    StaleCertificates,
    /// Spends credits twice, each half of its peers hears of another payment.
    DoubleSpend,
    /// Hands snapshots that are forged, old or cut short to those that come late.
    FalseSnapshots,
}

impl Attack {
    /// Its name, as in a scenario file.
    pub fn name(&self) -> String {
        let value = serde_json::to_value(self).unwrap_or_default();
        value.get("attack").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
    }
}

/// What a strategy can do.
#[derive(Debug)]
pub enum Action {
    /// As an honest driver would.
    Do(Effect),
    /// The same, later.
    Later {
        /// Milliseconds.
        ms: u64,
        /// What.
        effect: Effect,
    },
    /// Gossip to one peer alone.
    Whisper {
        /// To whom.
        peer: usize,
        /// What.
        bytes: Vec<u8>,
    },
}

/// What a strategy knows.
#[derive(Debug)]
pub struct Context<'a> {
    /// The member's clocks.
    pub now: Now,
    /// The attack's own stream.
    pub rng: &'a mut Rng,
    /// The member's key.
    pub key: &'a SigningKey,
    /// The member's author.
    pub author: AuthorId,
    /// The network.
    pub network: NetworkId,
    /// The honest core.
    pub state: &'a Node,
    /// Connected members.
    pub peers: &'a [usize],
}

/// A way to misbehave.
pub trait Strategy: Debug {
    /// Sees what goes into the core.
    fn on_input(&mut self, _input: &Input) {}

    /// Whether it decides about the votes of the core.
    fn lies(&self) -> bool {
        false
    }

    /// What is said instead of these votes of the core, with their epochs; after each input of a
    /// strategy that lies.
    fn on_votes(
        &mut self,
        votes: Vec<(u64, Vote)>,
        _context: &mut Context<'_>,
    ) -> Vec<(u64, Vote)> {
        votes
    }

    /// What happens instead of an effect of the core.
    fn on_effect(&mut self, effect: Effect, _context: &mut Context<'_>) -> Vec<Action> {
        vec![Action::Do(effect)]
    }

    /// What it does by itself, once per second.
    fn on_second(&mut self, _context: &mut Context<'_>) -> Vec<Action> {
        Vec::new()
    }
}

/// The strategy of an attack.
pub fn strategy(attack: Attack) -> Box<dyn Strategy> {
    match attack {
        Attack::Silent => Box::new(mute::Silent),
        Attack::Delay { ms } => Box::new(mute::Delay { ms }),
        Attack::WithholdBlobs => Box::new(mute::Withhold { blobs: true }),
        Attack::WithholdVertices => Box::new(mute::Withhold { blobs: false }),
        Attack::WrongBlobs => Box::new(mute::WrongBlobs),
        Attack::StaleHeads => Box::new(mute::Heads { phantom: false }),
        Attack::PhantomHeads => Box::new(mute::Heads { phantom: true }),
        Attack::Equivocate => Box::new(forge::Equivocate),
        Attack::BadVertices => Box::new(forge::BadVertices::default()),
        Attack::FutureLamport => Box::new(forge::FutureLamport),
        Attack::OrphanFlood { per_second } => Box::new(forge::OrphanFlood { per_second }),
        Attack::Replay => Box::new(forge::Replay::default()),
        Attack::Garbage => Box::new(forge::Garbage),
        Attack::VoteBoth => Box::new(Liar::new(Lie::Both)),
        Attack::WithholdVotes => Box::new(Liar::new(Lie::Withhold)),
        Attack::SilentLeader => Box::new(Liar::new(Lie::SilentLeader)),
        Attack::TwoBlocks => Box::new(Liar::new(Lie::TwoBlocks)),
        Attack::FalseRoots => Box::new(Liar::new(Lie::FalseRoots)),
        Attack::StaleCertificates => Box::new(Liar::new(Lie::Stale)),
        Attack::VoteToHalf => Box::new(votes::ToHalf),
        Attack::ForkedBlocks => Box::new(votes::Forked),
        Attack::DoubleSpend => Box::new(votes::DoubleSpend::default()),
        Attack::FalseSnapshots => Box::new(snapshots::FalseSnapshots::default()),
    }
}

/// Every attack on histories, for random scenarios.
pub const ATTACKS: &[Attack] = &[
    Attack::Silent,
    Attack::Delay { ms: 3_000 },
    Attack::Equivocate,
    Attack::WithholdBlobs,
    Attack::WrongBlobs,
    Attack::WithholdVertices,
    Attack::BadVertices,
    Attack::FutureLamport,
    Attack::Replay,
    Attack::OrphanFlood { per_second: 40 },
    Attack::StaleHeads,
    Attack::PhantomHeads,
    Attack::Garbage,
];

/// Every attack on those that come late to a network whose members drop old vertices.
pub const SNAPSHOT_ATTACKS: &[Attack] = &[Attack::FalseSnapshots];

/// Every attack on finality, for random scenarios with a committee.
pub const VOTE_ATTACKS: &[Attack] = &[
    Attack::VoteBoth,
    Attack::WithholdVotes,
    Attack::VoteToHalf,
    Attack::SilentLeader,
    Attack::TwoBlocks,
    Attack::ForkedBlocks,
    Attack::FalseRoots,
    Attack::StaleCertificates,
    Attack::DoubleSpend,
];
