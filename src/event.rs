//! What the node tells the application: events as they happen, and answers to its commands.
//!
//! Everything here is plain data without a trace of how it travels: floor 7 turns it into
//! JavaScript objects, a native test reads it as it is. Events are hints for people and screens;
//! the truth is the history, and every event can be recomputed from it.

mod runs;

use std::collections::BTreeMap;

use crate::consensus::Finality;
use crate::dag::VertexId;
use crate::dag::invite;
use crate::dag::vote::{ConflictKey, ItemId};
use crate::genesis::Engine;
use crate::group::{GroupId, Task};
use crate::identity::{AuthorId, NetworkId, TransportId};
use crate::ledger::{Hold, Name};
use crate::onion;
use crate::sampling;
use crate::sealed;
use crate::units::MicroCredits;

pub use self::runs::{ModelView, PrivacyView, RoundView, RunChange, RunState, RunView};

/// What a connection is encrypted with, and what its handshake proved beside the transport key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// The hybrid channel: stands up to quantum computers.
    Hybrid {
        /// The author, proved by a signature of both kinds over this very handshake.
        author: AuthorId,
    },
    /// No author was proved: libp2p's noise, or a simulated link.
    Classical,
}

impl Channel {
    /// Its name in what people and programs read.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hybrid { .. } => "hybrid",
            Self::Classical => "classical",
        }
    }
}

/// Something that happened and that a user or a screen may want to know.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The node listens (or knows that it cannot) and answers commands.
    Ready {
        /// Own addresses as multiaddrs, each ending in `/p2p/<peer id>`; empty in a browser tab.
        addresses: Vec<String>,
    },
    /// A peer proved its identity on a connection.
    PeerConnected {
        /// The author behind the connection.
        author: AuthorId,
        /// The peer's transport identity.
        transport: TransportId,
        /// The multiaddr of the connection.
        address: String,
    },
    /// A peer that had been announced by [`Event::PeerConnected`] is gone.
    PeerDisconnected {
        /// The author behind the connection.
        author: AuthorId,
        /// The peer's transport identity.
        transport: TransportId,
        /// Why, in words for a log line.
        reason: String,
    },
    /// An update of some member (this one included) entered the history.
    Update {
        /// The run it belongs to.
        run: VertexId,
        /// The round it was trained for, 1-based.
        round: u32,
        /// Who trained it.
        author: AuthorId,
        /// How many samples it was trained on.
        samples: u32,
    },
    /// The head of a run moved to a recomputed aggregate.
    Round(RoundView),
    /// A run started, was joined by this node, was left by it or reached its last round.
    Run {
        /// The run.
        run: VertexId,
        /// Its name.
        name: String,
        /// What happened.
        change: RunChange,
    },
    /// Something is final: it has its keys, and nothing that conflicts with it ever will.
    Finalised(FinalisedView),
    /// A committee decides from now on.
    Epoch {
        /// Its epoch.
        epoch: u64,
        /// Its members (count).
        members: usize,
    },
    /// Finality was lost, or is back.
    Finality(Finality),
    /// A relay that logs handled a cell or a reply.
    Cell(Box<onion::Handled>),
    /// Something is wrong that a person can mend; the node keeps working.
    Warning(Problem),
    /// The node has stopped; nothing follows.
    Stopped,
}

/// A final item, for [`Event::Finalised`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinalisedView {
    /// Its place in the order in which this node saw items become final, from 0. Others may see
    /// another order of items that do not conflict, and so may this node after a restart.
    pub number: u64,
    /// The item.
    pub item: ItemId,
    /// Kind of its payload, such as `committee`.
    pub kind: &'static str,
    /// Who wrote it.
    pub author: AuthorId,
    /// The keys it has for good.
    pub keys: Vec<ConflictKey>,
}

/// Some final items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinalisedPage {
    /// In the order of their numbers.
    pub items: Vec<FinalisedView>,
    /// The number of the first that this node remembers.
    pub first: u64,
    /// Final items in all (count).
    pub total: u64,
}

/// How an item stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemState {
    /// Nobody votes on it: it claims no keys, or the network has no committee.
    Free,
    /// It waits for a decision.
    Pending,
    /// It has its keys for good.
    Final,
    /// Another item has one of its keys for good.
    Rejected,
    /// It was decided, for it or for another, so long ago that this node does not remember which.
    Forgotten,
}

/// What is known about one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemView {
    /// The item.
    pub item: ItemId,
    /// Kind of its payload.
    pub kind: &'static str,
    /// Who wrote it.
    pub author: AuthorId,
    /// The keys it claims.
    pub keys: Vec<ConflictKey>,
    /// How it stands.
    pub state: ItemState,
    /// Height of the first checkpoint that holds it, once one does.
    pub height: Option<u64>,
}

/// Decisions by sampling in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SamplingView {
    /// The parameters.
    pub config: sampling::Config,
    /// Polls of this node whose result was counted (count).
    pub polls: u64,
    /// Successful polls in a row for the key that waits and has the fewest (count), of the `beta`
    /// that decide; `None` when no key waits.
    pub confidence: Option<u32>,
}

/// Finality in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FinalityView {
    /// Whether there is any.
    pub state: Finality,
    /// What decides, by the genesis; `None` without one.
    pub engine: Option<Engine>,
    /// The epoch of the committee that decides; 0 without one.
    pub epoch: u64,
    /// Its members (count).
    pub members: usize,
    /// Weight of all its members.
    pub total: u64,
    /// The least weight that decides; where decisions are sampled, the least that has to be in
    /// reach.
    pub quorum: u64,
    /// Whether this node is a member.
    pub votes: bool,
    /// Height of the last checkpoint; 0 before the first.
    pub height: u64,
    /// Decisions that checkpoints hold (count).
    pub certified: u64,
    /// Keys that are decided (count).
    pub decided: u64,
    /// Keys that wait for a decision (count).
    pub pending: usize,
    /// Items that are final (count).
    pub finalised: u64,
    /// More about it, where decisions are sampled.
    pub sampling: Option<SamplingView>,
}

/// What an account has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalletView {
    /// Whose it is.
    pub account: AuthorId,
    /// Whether it was ever credited.
    pub open: bool,
    /// What it has by everything that is final.
    pub balance: MicroCredits,
    /// What is left of that once the own payments under way are final.
    pub available: MicroCredits,
    /// What it has at the last checkpoint.
    pub certified: MicroCredits,
    /// In how many holds its credits are set aside (count).
    pub holds: usize,
    /// Position of what it spends next.
    pub next_sequence: u64,
    /// Height of the last checkpoint.
    pub height: u64,
}

/// Credits that are set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldView {
    /// Where it stands in the history.
    pub item: ItemId,
    /// Who, for whom, how much, and who may end it.
    pub hold: Hold,
    /// Height of the last checkpoint.
    pub height: u64,
}

/// One final operation that moved credits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovementView {
    /// As in [`FinalisedView`].
    pub number: u64,
    /// The operation.
    pub item: ItemId,
    /// `transfer`, `hold`, `release` or `refund`.
    pub kind: &'static str,
    /// Who paid.
    pub from: AuthorId,
    /// Who was paid, or is when a hold is released.
    pub to: AuthorId,
    /// How much.
    pub amount: MicroCredits,
    /// The remark.
    pub memo: String,
}

/// Some of an account's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovementPage {
    /// In the order of their numbers.
    pub movements: Vec<MovementView>,
    /// The number to go on from; `None` after the last.
    pub next: Option<u64>,
}

/// How far a registration of this node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reveal {
    /// Nothing was committed to, or too long ago.
    None,
    /// The commitment waits for a decision or for the next checkpoint.
    Waiting,
    /// The name can be registered now.
    Ready,
}

/// How a name stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameView {
    /// With `.dark`.
    pub name: String,
    /// Who has it and until when, 0 for ever; `None` when nobody has.
    pub held: Option<Name>,
    /// Whether this node has it.
    pub mine: bool,
    /// Whether this node is about to register it.
    pub reveal: Reveal,
    /// Height of the last checkpoint, to compare with the one at which it expires.
    pub height: u64,
}

/// One member of a committee.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemberView {
    /// The member.
    pub author: AuthorId,
    /// Its weight.
    pub weight: u32,
    /// Whether it is this node.
    pub is_me: bool,
    /// Whether it is this node or connected to it. Others may be reached through peers.
    pub connected: bool,
}

/// A committee that members want next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WishView {
    /// Its members with their weights.
    pub members: Vec<(AuthorId, u32)>,
    /// Members of the present committee that proposed it.
    pub by: Vec<AuthorId>,
    /// What they weigh; it is put to the vote when that is a quorum.
    pub weight: u64,
}

/// The members that decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitteeView {
    /// The epoch.
    pub epoch: u64,
    /// The members, ascending by author.
    pub members: Vec<MemberView>,
    /// Weight of all of them.
    pub total: u64,
    /// The least weight that decides.
    pub quorum: u64,
    /// What some of them want for the next epoch.
    pub wishes: Vec<WishView>,
}

/// An error for people: what happened, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Stable machine-readable name in kebab-case, such as `storage-full`.
    pub code: &'static str,
    /// What happened, with the numbers.
    pub message: String,
    /// What to do next; never empty.
    pub hint: String,
}

/// A connected peer, for [`Status`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerView {
    /// The author behind the connection.
    pub author: AuthorId,
    /// The transport identity of the connection.
    pub transport: TransportId,
    /// The multiaddr of the connection; the drivers derive transport and path from it.
    pub address: String,
    /// Whether this node dialled.
    pub outbound: bool,
    /// What secures the connection.
    pub channel: Channel,
    /// Last measured round trip in milliseconds, if any was measured.
    pub rtt_ms: Option<u32>,
}

/// An address at which nobody is connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressView {
    /// A multiaddr.
    pub address: String,
    /// Dials in a row that came to nothing (count).
    pub failures: u32,
    /// Why the last one did; empty when none was tried.
    pub reason: String,
    /// Milliseconds until it may be tried again.
    pub next_ms: u64,
    /// Whether it is being dialled.
    pub dialling: bool,
}

/// The whole node in numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// This node's author id, in JavaScript `nodeId`.
    pub author: AuthorId,
    /// The network it belongs to.
    pub network: NetworkId,
    /// What its owner calls it.
    pub name: String,
    /// Own listen addresses as multiaddrs.
    pub addresses: Vec<String>,
    /// Peers that proved their identity.
    pub peers: Vec<PeerView>,
    /// Authors that its owner has banned.
    pub banned: Vec<AuthorId>,
    /// Vertices in the history.
    pub vertices: u64,
    /// Blobs in the store.
    pub blobs: u64,
    /// Their bytes together.
    pub blob_bytes: u64,
    /// Every run in the history.
    pub runs: Vec<RunView>,
    /// Finality in numbers.
    pub finality: FinalityView,
    /// What was dropped, refused or penalised, by cause; only causes that occurred.
    pub counters: BTreeMap<&'static str, u64>,
}

/// The answer to a command that succeeded.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// Nothing to tell beyond "done".
    Done,
    /// The run that was started, joined or left.
    Run(Box<RunView>),
    /// Every run in the history.
    Runs(Vec<RunView>),
    /// The model that was asked for.
    Model(Box<ModelView>),
    /// A finished CAR file with everything needed to replay the run.
    Car(Vec<u8>),
    /// The node in numbers.
    Status(Box<Status>),
    /// The peer that was reached.
    Peer(Box<PeerView>),
    /// How long something took, in milliseconds.
    Millis(u64),
    /// Addresses at which nobody is connected.
    Addresses(Vec<AddressView>),
    /// What a join link is made of.
    Link(LinkInfo),
    /// The item that was asked about or written.
    Item(ItemView),
    /// Final items.
    Finalised(FinalisedPage),
    /// The members that decide.
    Committee(CommitteeView),
    /// An encoded [`crate::consensus::Proof`].
    Proof(Vec<u8>),
    /// What an account has.
    Wallet(WalletView),
    /// Some of an account's history.
    WalletHistory(MovementPage),
    /// Holds that have not ended.
    Holds(Vec<HoldView>),
    /// How a name stands.
    Name(NameView),
    /// Names that have not expired.
    Names(Vec<NameView>),
    /// The sealed message that was written.
    Message(sealed::View),
    /// Some sealed messages.
    Messages(sealed::Page),
    /// The invite that was made, as a link carries it.
    Ticket(Box<invite::Ticket>),
    /// Invites in use.
    Invites(invite::Page),
    /// What came of an anonymous question.
    Anonymous(Box<onion::Outcome>),
    /// The group that was created or changed.
    Group(GroupView),
    /// Every group of this node.
    Groups(Vec<GroupView>),
    /// The task that was changed, unless it is forgotten already.
    Task(Option<Box<Task>>),
    /// The tasks of a group, by name.
    Tasks(Vec<Task>),
}

/// One group as this node sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupView {
    /// The group.
    pub id: GroupId,
    /// Its name.
    pub name: String,
    /// `leader`, `follower`, `candidate`, or `none` for one that is no member (any more).
    pub role: &'static str,
    /// Who leads, as far as known.
    pub leader: Option<AuthorId>,
    /// The term.
    pub term: u64,
    /// Entries of the log (count).
    pub last: u64,
    /// Entries of it that are committed (count).
    pub commit: u64,
    /// The members, ascending.
    pub members: Vec<AuthorId>,
    /// Tasks it remembers (count).
    pub tasks: usize,
}

/// What a join link is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkInfo {
    /// The network to join.
    pub network: NetworkId,
    /// What its owner calls the mesh.
    pub name: String,
    /// The encoded genesis of the network, if it has one.
    pub genesis: Option<Vec<u8>>,
    /// Own addresses first, then those of connected peers, so that the link outlives this node.
    pub addresses: Vec<String>,
}
