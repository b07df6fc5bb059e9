//! What goes into the node and what it asks of the world: the whole surface between the sans-IO
//! floors and the drivers.
//!
//! The drivers owe the node four promises:
//!
//! 1. `Persist` writes are applied in the order they were asked for, each all or nothing, and each
//!    is answered by exactly one [`Input::Persisted`].
//! 2. Each [`Effect::Request`], [`Effect::Tell`] and [`Effect::Cell`] is answered by exactly one
//!    [`Input::Response`]; each [`Effect::LoadBlob`] by one [`Input::BlobLoaded`]; each
//!    [`Effect::Train`] by one [`Input::Trained`]; each [`Effect::Dial`] by [`Input::Connected`] or
//!    [`Input::DialFailed`].
//! 3. [`Input::Connected`] is told for the first connection to a peer, [`Input::Disconnected`] when
//!    the last one is gone; what comes between belongs to that peer.
//! 4. After [`Effect::SetTimer`] one [`Input::Tick`] arrives at or after that time; a later
//!    `SetTimer` replaces an earlier one. Additional ticks are harmless.
//!
//! Effects are to be carried out in the order in which they were pushed, before the next input.

use crate::dag::{BlobId, RunSpec, VertexId, invite};
use crate::event::{Channel, Event, Problem, Reply};
use crate::group::Operation;
use crate::identity::{AuthorId, TransportId};
use crate::onion::Question;
use crate::units::MicroCredits;

/// One thing that happened outside, told to [`crate::node::Node::handle`].
#[derive(Debug, Clone)]
pub enum Input {
    /// The drivers are up; sent once, first.
    Started,
    /// A timer fired.
    Tick,
    /// The transport listens on these multiaddrs (each ends in `/p2p/<own peer id>`); replaces any
    /// earlier list. Empty when the host cannot listen.
    Listening {
        /// Own reachable addresses.
        addresses: Vec<String>,
    },
    /// A first connection to a peer whose transport identity the handshake proved.
    Connected {
        /// The peer.
        peer: TransportId,
        /// Its multiaddr as dialled, or as seen for an inbound connection.
        address: String,
        /// Whether this node dialled.
        outbound: bool,
        /// What secures the connection.
        channel: Channel,
    },
    /// The last connection to a peer is gone.
    Disconnected {
        /// The peer.
        peer: TransportId,
        /// Why, in words.
        reason: String,
    },
    /// A dial asked for by [`Effect::Dial`] came to nothing.
    DialFailed {
        /// The multiaddr that was dialled.
        address: String,
        /// Why, in words.
        reason: String,
    },
    /// A round trip was measured.
    Rtt {
        /// The peer.
        peer: TransportId,
        /// Milliseconds.
        rtt_ms: u32,
    },
    /// A peer asks; to be answered by one [`Effect::Respond`] with this token.
    Request {
        /// The peer.
        peer: TransportId,
        /// The driver's name for the open answer.
        token: u64,
        /// An encoded [`crate::message::Request`].
        bytes: Vec<u8>,
    },
    /// The answer to an [`Effect::Request`].
    Response {
        /// The node's name for the request.
        request: u64,
        /// An encoded [`crate::message::Response`], or why there is none.
        result: Result<Vec<u8>, RequestFailed>,
    },
    /// A message on the network's gossip topic; to be answered by one [`Effect::Verdict`].
    Gossip {
        /// The peer that forwarded it (not its author).
        peer: TransportId,
        /// The driver's name for the message.
        message: u64,
        /// An encoded signed vertex.
        bytes: Vec<u8>,
    },
    /// A peer sends a packet of a group; to be answered by one [`Effect::Respond`].
    Told {
        /// The peer.
        peer: TransportId,
        /// The driver's name for the open answer.
        token: u64,
        /// An encoded [`crate::group::Packet`].
        bytes: Vec<u8>,
    },
    /// A peer hands over a cell of an anonymous question; to be answered by one
    /// [`Effect::Respond`].
    Cell {
        /// The peer.
        peer: TransportId,
        /// The driver's name for the open answer.
        token: u64,
        /// A cell of [`crate::onion`].
        bytes: Vec<u8>,
    },
    /// A write is durable, or failed as a whole.
    Persisted {
        /// The node's name for the write.
        write: u64,
        /// What the store says.
        result: Result<(), StoreFailed>,
    },
    /// A blob was read from the store.
    BlobLoaded {
        /// The blob.
        blob: BlobId,
        /// Its bytes; `None` when the store has it no longer or cannot read it.
        bytes: Option<Vec<u8>>,
    },
    /// A training job ended.
    Trained {
        /// The node's name for the job.
        job: u64,
        /// The update, or why there is none.
        result: Result<TrainedUpdate, String>,
    },
    /// The application wants something; answered by one [`Effect::Reply`] with the same number.
    Command {
        /// The driver's name for the command.
        command: u64,
        /// What is wanted.
        request: Command,
    },
}

/// One thing the node asks of the world.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Open a connection to this multiaddr.
    Dial {
        /// Where to.
        address: String,
    },
    /// Close every connection to a peer.
    Disconnect {
        /// The peer.
        peer: TransportId,
        /// Why, in words for a log line.
        reason: String,
    },
    /// Send a request on the sync protocol.
    Request {
        /// To whom.
        peer: TransportId,
        /// The node's name for it.
        request: u64,
        /// An encoded [`crate::message::Request`].
        bytes: Vec<u8>,
    },
    /// Send a packet on the group protocol; answered like a request.
    Tell {
        /// To whom.
        peer: TransportId,
        /// The node's name for it.
        request: u64,
        /// An encoded [`crate::group::Packet`].
        bytes: Vec<u8>,
    },
    /// Send a cell on the onion protocol; answered like a request.
    Cell {
        /// To whom.
        peer: TransportId,
        /// The node's name for it.
        request: u64,
        /// A cell of [`crate::onion`].
        bytes: Vec<u8>,
    },
    /// Answer a request.
    Respond {
        /// The driver's name for the open answer.
        token: u64,
        /// An encoded [`crate::message::Response`] or [`crate::group::Receipt`], or a reply of
        /// [`crate::onion`]; empty for a dropped cell.
        bytes: Vec<u8>,
    },
    /// Publish an own, durable vertex on the gossip topic.
    Publish {
        /// An encoded signed vertex.
        bytes: Vec<u8>,
    },
    /// Tell gossip what became of a message.
    Verdict {
        /// The driver's name for the message.
        message: u64,
        /// The peer that forwarded it.
        peer: TransportId,
        /// What to do with it.
        verdict: Verdict,
    },
    /// Write all of this durably, or nothing of it.
    Persist(Write),
    /// Read a blob from the store.
    LoadBlob {
        /// The blob.
        blob: BlobId,
    },
    /// Train on this node's own data, away from the event loop.
    Train(Box<Job>),
    /// Answer a command.
    Reply {
        /// The driver's name for the command.
        command: u64,
        /// What came of it.
        result: Result<Reply, Problem>,
    },
    /// Tell the application.
    Emit(Event),
    /// Send [`Input::Tick`] at this time; replaces any earlier timer.
    SetTimer {
        /// On the monotonic clock, in milliseconds.
        at_mono_ms: u64,
    },
}

/// What is to be done with a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerOrder {
    /// Part from it, and keep away from it for [`crate::limits::SILENCE_BAN_MS`]. Answer:
    /// [`Reply::Done`].
    Disconnect,
    /// Part from it, and have no connection with its author until it is unbanned. Answer:
    /// [`Reply::Done`].
    Ban,
    /// Take connections of its author again. Answer: [`Reply::Done`].
    Unban,
    /// Ask it something, and see how long that takes. Answer: [`Reply::Millis`].
    Ping,
}

/// What gossip does with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Valid: forward it.
    Accept,
    /// Not forwarded, and nobody is blamed: seen before, parked, or over a rate.
    Ignore,
    /// Invalid: not forwarded, and the forwarder is blamed.
    Reject,
}

/// One atomic write.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Write {
    /// The node's name for it.
    pub write: u64,
    /// Encoded signed vertices, in causal order.
    pub vertices: Vec<(VertexId, Vec<u8>)>,
    /// Blobs.
    pub blobs: Vec<(BlobId, Vec<u8>)>,
    /// Small named values; a later value replaces an earlier one of the same name.
    pub meta: Vec<(String, Vec<u8>)>,
    /// Vertices that are not needed any more; removed, or not there already.
    pub removed: Vec<VertexId>,
    /// Blobs that are not needed any more, and none of [`Write::blobs`].
    pub removed_blobs: Vec<BlobId>,
}

/// Why a request has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestFailed {
    /// Nothing came in time.
    Timeout,
    /// The connection ended.
    Disconnected,
    /// The peer does not speak the protocol.
    Unsupported,
    /// The answer was longer than the protocol allows, or broke off.
    Malformed,
}

/// Why a write is not durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreFailed {
    /// Whether the store has no room left, as opposed to any other failure.
    pub full: bool,
    /// What the store says.
    pub message: String,
}

/// One training job on this node's own data.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// The node's name for it.
    pub job: u64,
    /// The run.
    pub run: VertexId,
    /// The round it is trained for, 1-based.
    pub round: u32,
    /// Model, classes, scaling, epochs, batch, learning rate, momentum.
    pub spec: RunSpec,
    /// Where training starts: raw little-endian f32 in canonical order.
    pub base_weights: Vec<u8>,
    /// Seed of the shuffling: a function of run, round and author.
    pub seed: u64,
}

/// What a training job gave.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainedUpdate {
    /// Trained weights minus base weights: raw little-endian f32 in canonical order.
    pub delta: Vec<u8>,
    /// On how many samples.
    pub samples: u32,
    /// Mean loss of the last epoch.
    pub loss: f32,
    /// Accuracy on the own data after training; `None` for regression.
    pub accuracy: Option<f32>,
}

/// What the owner of this node wants of the ledger; the node adds positions, versions and salts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intention {
    /// Pays from the own account.
    Pay {
        /// The payee.
        to: AuthorId,
        /// How much.
        amount: MicroCredits,
        /// A remark, at most [`crate::limits::LEDGER_MEMO_BYTES_MAX`] bytes.
        memo: String,
    },
    /// Sets credits of the own account aside for somebody.
    Hold {
        /// Who gets them when the hold is released.
        to: AuthorId,
        /// How much.
        amount: MicroCredits,
        /// Who else may release or refund.
        arbiter: Option<AuthorId>,
        /// Height from which this node may take them back alone; never without one.
        refundable_from: Option<u64>,
        /// A remark, at most [`crate::limits::LEDGER_MEMO_BYTES_MAX`] bytes.
        memo: String,
    },
    /// Pays a hold out to its payee.
    Release {
        /// Where the hold stands in the history, such as `bafy.../0`.
        hold: String,
    },
    /// Pays a hold back to its payer.
    Refund {
        /// Where the hold stands in the history, such as `bafy.../0`.
        hold: String,
    },
    /// Announces the registration of a name without telling which. The salt is kept in the store.
    CommitName {
        /// With or without `.dark`.
        label: String,
    },
    /// Takes a name that was committed to, a checkpoint later.
    RegisterName {
        /// With or without `.dark`.
        label: String,
        /// Where the owner can be reached, as multiaddrs.
        addresses: Vec<String>,
    },
    /// Replaces the addresses of an own name.
    UpdateName {
        /// With or without `.dark`.
        label: String,
        /// Where the owner can be reached, as multiaddrs.
        addresses: Vec<String>,
    },
    /// Prolongs an own name.
    RenewName {
        /// With or without `.dark`.
        label: String,
    },
    /// Gives an own name away.
    TransferName {
        /// With or without `.dark`.
        label: String,
        /// The new owner.
        to: AuthorId,
    },
}

/// What the application can ask for.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Start a run; with samples above 0 this node joins it too. Answer: [`Reply::Run`].
    StartRun {
        /// Everything that is fixed for the run.
        spec: Box<RunSpec>,
        /// How many samples this node will train on; 0 only founds the run.
        samples: u32,
    },
    /// Become a member of a run. Answer: [`Reply::Run`].
    JoinRun {
        /// Name or id.
        run: String,
        /// How many samples this node will train on, at least 1.
        samples: u32,
    },
    /// Stop contributing. Answer: [`Reply::Run`].
    LeaveRun {
        /// Name or id.
        run: String,
    },
    /// List all runs. Answer: [`Reply::Runs`].
    Runs,
    /// The head weights of a run. Answer: [`Reply::Model`].
    Model {
        /// Name or id.
        run: String,
    },
    /// Everything needed to replay a run, as a CAR file. Answer: [`Reply::Car`].
    ExportRun {
        /// Name or id.
        run: String,
    },
    /// Begin a group of these members and this node. Answer: [`Reply::Group`].
    CreateGroup {
        /// What people call it.
        name: String,
        /// The others.
        members: Vec<AuthorId>,
    },
    /// List the groups of this node. Answer: [`Reply::Groups`].
    Groups,
    /// Change the tasks of a group. Answer: [`Reply::Task`], when a majority has it.
    ChangeTask {
        /// Name or id.
        group: String,
        /// Anything but a change of the members.
        operation: Operation,
    },
    /// Add a member to a group, or remove one. Answer: [`Reply::Group`], when a majority has it.
    ChangeMember {
        /// Name or id.
        group: String,
        /// Who.
        member: AuthorId,
        /// Whether it is to be a member.
        joins: bool,
    },
    /// The tasks of a group, as a majority knows them now. Answer: [`Reply::Tasks`].
    Tasks {
        /// Name or id.
        group: String,
    },
    /// The node in numbers. Answer: [`Reply::Status`].
    Status,
    /// How an item stands. Answer: [`Reply::Item`].
    Item {
        /// The id of its vertex, or that with the place of the payload: `bafy.../0`.
        item: String,
    },
    /// Final items in the order in which this node saw them. Answer: [`Reply::Finalised`].
    Finalised {
        /// The first number.
        from: u64,
        /// How many at most; no more than [`crate::limits::FINALISED_PAGE_MAX`] come.
        count_max: usize,
    },
    /// The members that decide. Answer: [`Reply::Committee`].
    Committee,
    /// Proof that an item is final, for who has no history. Answer: [`Reply::Proof`].
    Prove {
        /// As for [`Command::Item`].
        item: String,
    },
    /// Say as a member who shall decide in the next epoch. It is put to the vote when members that
    /// weigh a quorum have said the same. Answer: [`Reply::Item`], when it is written.
    ProposeCommittee {
        /// The members with their weights, in any order.
        members: Vec<(AuthorId, u32)>,
    },
    /// What an account has; the own one unless another is named. Answer: [`Reply::Wallet`].
    Wallet {
        /// Whose.
        account: Option<AuthorId>,
    },
    /// Final operations that moved credits of an account, in the order in which this node saw them;
    /// of the own one unless another is named. Answer: [`Reply::WalletHistory`].
    WalletHistory {
        /// Whose.
        account: Option<AuthorId>,
        /// The first [`crate::event::FinalisedView::number`].
        from: u64,
        /// How many at most; no more than [`crate::limits::FINALISED_PAGE_MAX`] come.
        count_max: usize,
    },
    /// Holds that have not ended. Answer: [`Reply::Holds`].
    Holds {
        /// Of which account as payer, payee or arbiter; the own one without it.
        account: Option<AuthorId>,
    },
    /// How a name stands. Answer: [`Reply::Name`].
    Name {
        /// With or without `.dark`.
        label: String,
    },
    /// Names that have not expired, of this owner or of all. Answer: [`Reply::Names`].
    Names {
        /// Whose.
        owner: Option<AuthorId>,
    },
    /// Write a message that only one node can read. Answer: [`Reply::Message`], when it is written.
    SendMessage {
        /// Its author id or, while it is connected, its transport id.
        to: String,
        /// What it says, 1 to [`crate::limits::SEALED_TEXT_BYTES_MAX`] bytes.
        text: String,
    },
    /// Sealed messages from and to this node, newest first. Answer: [`Reply::Messages`].
    Messages {
        /// Only what is older than this message.
        before: Option<String>,
        /// How many at most; no more than [`crate::limits::SEALED_PAGE_MAX`] come.
        count_max: usize,
    },
    /// Ask other members something without their learning who asks. Answer: [`Reply::Anonymous`].
    AskAnonymously(Question),
    /// Do something with invites. Answer: [`Reply::Ticket`], [`Reply::Done`], [`Reply::Invites`].
    Invites(invite::Order),
    /// Open a connection and wait for what comes of it. Answer: [`Reply::Peer`].
    Connect {
        /// A multiaddr.
        address: String,
    },
    /// Do something with a peer.
    Peer {
        /// Its author id or, while it is connected, its transport id.
        peer: String,
        /// What.
        order: PeerOrder,
    },
    /// Addresses at which nobody is connected. Answer: [`Reply::Addresses`].
    Addresses,
    /// Pay, or change a name, when the ledger allows it. Answer: [`Reply::Item`], when it is
    /// written; it is final later.
    Operate(Intention),
    /// Open a connection, and remember the address. Answer: [`Reply::Done`] at once.
    Dial {
        /// A multiaddr.
        address: String,
    },
    /// What a join link is made of. Answer: [`Reply::Link`].
    LinkInfo,
    /// End: what is being written is finished first. Answer: [`Reply::Done`].
    Stop,
}
