//! Every bound of the system in one place, each with its unit and its reason.
//!
//! A bound is a promise about memory and time: what a peer, a file or a user can make this process
//! spend. What happens at the bound is decided where it is used, and is always an error with a
//! code.

mod committing;
#[cfg(feature = "truth")]
mod group;
mod history;
mod invite;
mod masking;
mod net;
mod neural;
#[cfg(feature = "truth")]
mod onion;
#[cfg(feature = "truth")]
mod sampling;
#[cfg(feature = "truth")]
mod sealed;

pub use committing::*;
#[cfg(feature = "truth")]
pub use group::*;
pub use history::*;
pub use invite::*;
pub use masking::*;
pub use net::*;
pub use neural::*;
#[cfg(feature = "truth")]
pub use onion::*;
#[cfg(feature = "truth")]
pub use sampling::*;
#[cfg(feature = "truth")]
pub use sealed::*;

// ---- identity ---------------------------------------------------------------------------------

/// Bytes of a transport id: a libp2p peer id is a multihash of 34 or 38 bytes; 64 is the largest
/// multihash the network library stores.
pub const TRANSPORT_ID_BYTES_MAX: usize = 64;
/// Milliseconds a binding may be valid: two years, after which a transport key should be new.
pub const BINDING_SPAN_MS_MAX: u64 = 2 * 366 * 86_400_000;
/// Milliseconds a host's clock may be wrong when a binding is checked: an hour off must work.
pub const BINDING_CLOCK_SKEW_MS: u64 = 2 * 3_600_000;

// ---- dag: vertices ----------------------------------------------------------------------------

/// Bytes of one vertex without its signature: two batches of 32 KiB of payloads.
pub const VERTEX_BYTES_MAX: usize = 64 << 10;
/// Bytes of one encoded signed vertex: the vertex, a signature of 3,373 bytes and three heads.
pub const SIGNED_VERTEX_BYTES_MAX: usize = VERTEX_BYTES_MAX + 3_373 + 16;
/// Items (numbers, strings, links, lists, maps) of one vertex (count): a run over 3,600 features
/// has 7,200 numbers; an item costs up to 32 bytes while it is decoded.
pub const VERTEX_ITEMS_MAX: usize = 16_384;
/// Nesting of one vertex (count of levels): vertex, payloads, payload, votes, vote, its fields,
/// block, cut, decisions, decision, item, and one to spare.
pub const VERTEX_DEPTH_MAX: usize = 12;
/// Parents of one vertex (count): a mesh has few concurrent tips; more get cited one vertex later.
pub const VERTEX_PARENTS_MAX: usize = 16;
/// Payloads of one vertex (count): a signature of 3.4 KB over 128 payloads costs each 27 bytes.
pub const VERTEX_PAYLOADS_MAX: usize = 128;
/// Largest sequence number (count), Lamport time (count) and time stamp (milliseconds): 2^53 - 1,
/// up to which every JSON tool is exact.
pub const VERTEX_NUMBER_MAX: u64 = (1 << 53) - 1;
/// Bytes of one half of an equivocation proof: a 100-byte claim and its signature.
pub const CLAIM_BYTES_MAX: usize = 4 << 10;

// ---- dag: payloads ----------------------------------------------------------------------------

/// Bytes of a run's name: it is shown in one line and typed by hand.
pub const RUN_NAME_BYTES_MAX: usize = 64;
/// Rounds of one run (count). Arbitrary, sane: two orders above what the demo needs.
pub const RUN_ROUNDS_MAX: u32 = 10_000;
/// Milliseconds until a round may be aggregated without its quorum: at most a day.
pub const RUN_DEADLINE_MS_MAX: u32 = 86_400_000;
/// Milliseconds until a round may be aggregated without its quorum: at least a tenth of a second.
pub const RUN_DEADLINE_MS_MIN: u32 = 100;
/// Samples one member may claim (count): the rows of the largest data set.
pub const RUN_SAMPLES_MAX: u32 = 1 << 20;
/// Updates of one aggregate (count): with 36 bytes each they fit a vertex with room to spare.
pub const AGGREGATE_UPDATES_MAX: usize = 256;

// ---- dag: graph -------------------------------------------------------------------------------

/// Vertices one node holds (count). Where nothing can be dropped, this is the life of a network:
/// 40 members with 1,600 rounds. Beyond it the node refuses new vertices and says so.
pub const GRAPH_VERTICES_MAX: usize = 1 << 16;
/// Bytes of all vertices and signatures one node holds in memory: a quarter of a wasm instance.
pub const GRAPH_BYTES_MAX: usize = 512 << 20;
/// Authors one node knows (count): an expanded key takes 8 KiB, so this is 32 MiB.
pub const GRAPH_AUTHORS_MAX: usize = 4_096;
/// Vertices of one author that one node holds (count): half, so that nobody fills a history alone.
pub const AUTHOR_VERTICES_MAX: usize = GRAPH_VERTICES_MAX / 2;
/// Vertices of one answer about the history (count). Arbitrary, sane: a page for people, and some
/// 50 ms of verifying, so that a node does other things in between.
pub const DAG_PAGE_VERTICES_MAX: usize = 128;
/// Bytes of the vertices and signatures of one author that one node holds: half, as above.
pub const AUTHOR_BYTES_MAX: usize = GRAPH_BYTES_MAX / 2;
/// Milliseconds that a vertex's time may be ahead of the clock before its author is slowed down,
/// and that an own one may be ahead because a parent is: a clock set by hand is as good.
pub const TIME_AHEAD_MS_MAX: u64 = 10_000;
/// How far ahead of everything known a parked vertex's Lamport time may be (count): more than one
/// exchange with a peer that was away brings. Half as far beyond the greatest covered time may be
/// what is said of a covered parent: who makes up times needs 2^38 checkpoints to use them all up.
pub const LAMPORT_WINDOW: u64 = 1 << 16;
/// Parked vertices of all peers together (count); the oldest of the fullest peer leaves first.
pub const ORPHANS_MAX: usize = 1_024;
/// Bytes of all parked vertices together: the pool above, filled with ordinary vertices, twice.
pub const ORPHANS_BYTES_MAX: usize = 8 << 20;
/// Parked vertices that one peer sent (count): a quarter, so that one peer starves nobody.
pub const ORPHANS_PER_PEER_MAX: usize = 256;
/// Parked vertices of one author (count): an author that is far ahead is fetched, not parked.
pub const ORPHANS_PER_AUTHOR_MAX: usize = 128;
/// Parked vertices of one peer whose author's key is unknown (count): few, because nothing proves
/// them; a new author's first vertices come in causal order and need no place here.
pub const ORPHANS_UNPROVEN_PER_PEER_MAX: usize = 16;
/// Milliseconds a vertex stays parked: parents that nobody gave in two minutes are not coming.
pub const ORPHAN_AGE_MS_MAX: u64 = 120_000;

// ---- dag: car files ---------------------------------------------------------------------------

/// Bytes of one exported history: its blobs (100 rounds of 10 updates of 100,000 parameters).
pub const CAR_BYTES_MAX: usize = 1 << 30;
/// Bytes of one block of a history file: the largest weights, or the manifest.
pub const CAR_BLOCK_BYTES_MAX: usize = 8 << 20;
/// Bytes of the header of a history file: one root takes 59.
pub const CAR_HEADER_BYTES_MAX: usize = 128;
/// Vertices of one history file (count): as many as a history has, so that every run can be
/// exported for as long as it is known.
pub const CAR_VERTICES_MAX: usize = GRAPH_VERTICES_MAX;
/// Links in one manifest (count): vertices, blocks of signatures, blobs.
pub const CAR_LINKS_MAX: usize =
    CAR_VERTICES_MAX + CAR_VERTICES_MAX / CAR_SIGNATURES_PER_BLOCK + 1 + CAR_BLOBS_MAX;
/// Signatures in one block (count): 1.7 MB, which is below what tools for CAR files take.
pub const CAR_SIGNATURES_PER_BLOCK: usize = 512;
/// Blobs of one history file (count): one per vertex, more than any run names.
pub const CAR_BLOBS_MAX: usize = CAR_VERTICES_MAX;

// ---- ledger -----------------------------------------------------------------------------------

/// Credits of one ledger in millionths: 2^53 - 1, up to which every JSON tool is exact.
pub const LEDGER_MINTED_MAX: u64 = (1 << 53) - 1;
/// Accounts of one ledger (count). Arbitrary, sane: with 160 bytes each they are 40 MiB.
pub const LEDGER_ACCOUNTS_MAX: usize = 1 << 18;
/// Open holds of one ledger (count): with 320 bytes each they are 20 MiB.
pub const LEDGER_HOLDS_MAX: usize = 1 << 16;
/// Decided operations that wait for what they build on (count): some seconds of a busy network.
pub const LEDGER_WAITING_MAX: usize = 1 << 14;
/// Bytes of the remark of one payment: a line of text.
pub const LEDGER_MEMO_BYTES_MAX: usize = 128;
/// Characters of the shortest name (count). Arbitrary, sane: two would be a race for a thousand
/// names.
pub const NAME_LABEL_CHARS_MIN: usize = 3;
/// Characters of the longest name (count): a label of the domain name system, RFC 1035 section
/// 2.3.4.
pub const NAME_LABEL_CHARS_MAX: usize = 63;
/// Names of one ledger, expired ones included (count): with up to 2 KiB each.
pub const NAMES_MAX: usize = 1 << 14;
/// Addresses of one name (count): the ways to one node.
pub const NAME_ADDRESSES_MAX: usize = 4;
/// Commitments that may be revealed (count): with 40 bytes each they are under 1 MiB.
pub const NAME_COMMITMENTS_MAX: usize = 1 << 14;
/// Heights of checkpoints until a commitment may be revealed (count): the commitment is covered by
/// a checkpoint before anybody can read the name.
pub const NAME_COMMITMENT_HEIGHTS_MIN: u64 = 1;
/// Heights of checkpoints until a commitment is forgotten (count): a day, at one every 10 s.
pub const NAME_COMMITMENT_HEIGHTS_MAX: u64 = 8_640;
/// Heights of checkpoints a registration lasts (count): a year, at one every 10 s.
pub const NAME_TERM_HEIGHTS: u64 = 365 * 8_640;

const _: () = {
    assert!(LEDGER_MINTED_MAX <= VERTEX_NUMBER_MAX);
    assert!(NAME_COMMITMENT_HEIGHTS_MIN < NAME_COMMITMENT_HEIGHTS_MAX);
};

// ---- sync -------------------------------------------------------------------------------------

/// Heads one message names (count): four times the parents one vertex can join.
pub const HEADS_MAX: usize = 64;
/// Vertices one request names (count): as many as heads, which is what is asked for.
pub const REQUEST_VERTICES_MAX: usize = 64;
/// Vertices of one answer (count): 50 ms of signature checks in wasm, so that others get a turn.
pub const RESPONSE_VERTICES_MAX: usize = 128;
/// Bytes of the encoded vertices of one answer: 100 ordinary vertices; always at least one.
pub const RESPONSE_VERTICES_BYTES_MAX: usize = 512 << 10;
/// Requests for vertices under way at once (count): a second peer helps, a third only repeats.
pub const SYNC_REQUESTS_MAX: usize = 2;
/// Peers whose heads are followed (count): twice the connections a node keeps.
pub const SYNC_PEERS_MAX: usize = 128;
/// Missing vertices remembered for each peer that mentioned them (count): its heads, and as many
/// parents of what it sent.
pub const SYNC_WANTED_PER_PEER_MAX: usize = 2 * HEADS_MAX;
/// Names of refused vertices remembered, over all peers (count). Arbitrary, sane: 160 KiB.
pub const SYNC_REFUSED_MAX: usize = 4_096;
/// Answers in a row with nothing new that are taken from a peer which says that it has more
/// (count): 8,192 vertices that both sides have and neither knows of.
pub const SYNC_REPEATS_MAX: u32 = 64;
/// Bytes of one message of a reconciliation by ranges: 3,000 ranges or 1,800 ids, and half of a
/// request.
pub const RANGES_BYTES_MAX: usize = 60 << 10;
/// Messages to one peer in one reconciliation (count): a newcomer is told of 100,000 vertices in
/// so many, and one who lacks the last hundred of them needs three.
pub const RANGES_ROUNDS_MAX: u32 = 64;
/// Milliseconds for these messages; the slow one is left for another. Two requests in time.
pub const RANGES_MS_MAX: u64 = 2 * SYNC_REQUEST_MS_MAX;
/// Vertices to fetch that one reconciliation is followed for (count): 1 MiB of names; what is
/// beyond is found by the next one.
pub const RANGES_NEEDED_MAX: usize = 1 << 14;
/// Milliseconds until a peer that answered nothing useful is asked again; doubles each time.
pub const SYNC_BACKOFF_MS_MIN: u64 = 500;
/// Milliseconds: where that doubling stops. A member may reach all others through one peer.
pub const SYNC_BACKOFF_MS_MAX: u64 = 15_000;
/// Milliseconds until a peer is asked again whose answer had more of one author than may be taken
/// in: what [`ANSWERED_PER_SECOND`] then allows is worth an answer.
pub const SYNC_HELD_MS: u64 = 1_000;
/// Milliseconds after which an unanswered request counts as failed: an answer at 25 KiB/s.
pub const SYNC_REQUEST_MS_MAX: u64 = 20_000;
/// Milliseconds after which another peer may be asked for the same: an answer at 100 KiB/s.
pub const SYNC_SLOW_MS: u64 = 5_000;
/// Fruitless requests after which a missing vertex is given up (count); a new mention revives it.
pub const SYNC_ATTEMPTS_MAX: u32 = 8;

// ---- consensus --------------------------------------------------------------------------------

/// Members of a committee (count): below four, one faulty member is a third.
pub const COMMITTEE_MIN: usize = 4;
/// Members of a committee (count): each hears all the others, so traffic is quadratic.
pub const COMMITTEE_MAX: usize = 100;
/// Weight of one member (no unit): all of them together stay far below 64 bits.
pub const MEMBER_WEIGHT_MAX: u32 = 1 << 20;
/// Votes of one payload (count): 100 bytes each are half a vertex.
pub const VOTES_MAX: usize = 256;
/// Items of one block (count): 48 bytes each, with room for the cut.
pub const BLOCK_ITEMS_MAX: usize = 256;
/// Decisions of one checkpoint (count): 96 bytes each, with room for a block's items.
pub const CUT_DECISIONS_MAX: usize = 256;
/// Conflict keys of one item (count). Arbitrary, sane: a transfer between accounts has two.
pub const ITEM_KEYS_MAX: usize = 16;
/// Items of one author that a key remembers (count), of those that can be voted for now and of
/// those that cannot. An honest author has one, or two after a mistake.
pub const ITEMS_IDLE_MAX: usize = 16;
/// Items of one author that are looked at again with every checkpoint, because time may make them
/// possible (count): names it waits for.
pub const ITEMS_CLOCKED_MAX: usize = 64;
/// Largest view (count): with timeouts that double, nobody lives to see it.
pub const VIEWS_MAX: u32 = 1 << 16;
/// Samples of how long votes take (count): the last few decisions of a small committee.
pub const LATENCY_SAMPLES_MAX: usize = 128;
/// Nodes on one path of a mountain range (count): as many leaves as 64 bits count.
pub const MMR_PATH_MAX: usize = 64;
/// Certificates in one proof (count): an epoch a day for three years.
pub const PROOF_EPOCHS_MAX: usize = 1_024;
/// Bytes of one proof: ten epochs of a committee of 31, and the path.
pub const PROOF_BYTES_MAX: usize = 4 << 20;

/// Bytes of a genesis: a committee of 100 with 4.2 KB, and 270 balances.
pub const GENESIS_BYTES_MAX: usize = 16 << 10;

const _: () = assert!(BLOCK_ITEMS_MAX * 48 + CUT_DECISIONS_MAX * 96 < VERTEX_BYTES_MAX);
const _: () = assert!(COMMITTEE_MAX <= 128, "sets of members are 128 bits");
const _: () = assert!(DATASET_ROWS_MAX >= 1 << 20, "RUN_SAMPLES_MAX rows must fit a data set");
const _: () = assert!(AGGREGATE_UPDATES_MAX * 41 < VERTEX_BYTES_MAX);
const _: () = assert!(2 * CLAIM_BYTES_MAX < VERTEX_BYTES_MAX);
const _: () = assert!(RANGES_BYTES_MAX < REQUEST_BYTES_MAX - 64);
const _: () = assert!(RESPONSE_VERTICES_BYTES_MAX >= SIGNED_VERTEX_BYTES_MAX);
const _: () = assert!(ORPHANS_BYTES_MAX >= ORPHANS_PER_PEER_MAX * 4_096);
const _: () = assert!(CAR_BLOCK_BYTES_MAX >= NEURAL_WEIGHTS_BYTES_MAX);
const _: () = assert!(CAR_BLOCK_BYTES_MAX >= CAR_LINKS_MAX * 48);
const _: () = assert!(CAR_BLOCK_BYTES_MAX >= CAR_SIGNATURES_PER_BLOCK * (3_373 + 8) + 8);
const _: () = assert!(CAR_VERTICES_MAX >= GRAPH_VERTICES_MAX);

// ---- federated --------------------------------------------------------------------------------

/// Values of updates that are read and checked in one go (count): an eighth of a second for
/// compressed ones, after which the node does other things first.
pub const CHECKED_VALUES_MAX: usize = 8 << 20;
/// Largest absolute value in an update (no unit). Far beyond sane training; keeps every average
/// finite for [`RUN_ROUNDS_MAX`] rounds.
pub const DELTA_ABS_MAX: f32 = 1.0e6;
/// Trusted rows of a run with their labels (bytes): what leaves room for the rest of a vertex, and
/// 157 rows of 64 numbers.
pub const REFERENCE_BYTES_MAX: usize = 40 << 10;
/// Rows, times epochs, times parameters of the training on trusted rows that every aggregate takes
/// (count): about a second of one core in wasm.
pub const REFERENCE_WORK_MAX: usize = 1 << 28;
/// Least noise of a run that has some, in units of the length of an update (no unit): less hides
/// nothing, with an epsilon of tens of thousands for one update.
pub const PRIVACY_NOISE_MIN: f32 = 0.01;
/// Most noise of a run, in units of the length of an update (no unit): arbitrary, sane; no million
/// members would learn from it.
pub const PRIVACY_NOISE_MAX: f32 = 1_000.0;
/// Shortest length to which a run shortens updates before noise (no unit): far below what training
/// changes, far above the smallest numbers of single precision.
pub const PRIVACY_CLIP_MIN: f32 = 1.0e-6;
/// Largest delta of a run with noise (no unit, a probability): a larger one promises nothing.
pub const PRIVACY_DELTA_MAX: f32 = 0.01;
/// Updates of one author for one base that are fetched and proposed from (count): an honest author
/// has one; a second, for one whose blob was lost.
pub const UPDATES_PER_AUTHOR_MAX: usize = 2;
/// Aggregates of one author on one base that are computed at once (count): an honest author
/// proposes one, a second after a restart, and one more on what came late.
pub const AGGREGATES_PER_AUTHOR_MAX: usize = 3;
/// Time between two aggregates computed for authors whose aggregates were wrong, or who have had
/// [`AGGREGATES_PER_AUTHOR_MAX`] (milliseconds): a mean for all of them is a hundredth of a core.
pub const LIAR_PAUSE_MS: u64 = 2_000;
/// Time between two members' turns to propose an aggregate (milliseconds): enough for the first
/// proposal to reach the others on a slow link, little enough to hide one absent member.
pub const PROPOSER_STAGGER_MS: u64 = 750;

// ---- wire -------------------------------------------------------------------------------------

/// Bytes of one request: a hello with the largest identity vertex, or lists of ids.
pub const REQUEST_BYTES_MAX: usize = 128 << 10;
/// Bytes of one response: a full page of vertices and the frame around it.
pub const RESPONSE_BYTES_MAX: usize = 640 << 10;
/// Bytes in one piece of a blob: enough for throughput, and other streams get their turn between.
pub const BLOB_PIECE_BYTES_MAX: usize = 256 << 10;
/// Bytes of one blob: the weights of the largest network.
pub const BLOB_BYTES_MAX: usize = NEURAL_WEIGHTS_BYTES_MAX;
/// Bytes of one multiaddr as text: the longest real ones (relayed, with certificate hashes) are
/// half of it.
pub const ADDRESS_BYTES_MAX: usize = 512;
/// Addresses of one node (count). Arbitrary, sane: a host has a few interfaces.
pub const ADDRESSES_PER_PEER_MAX: usize = 8;
/// Other nodes' addresses in one message (count): two messages fill [`PEERS_WANTED`].
pub const PEERS_TOLD_MAX: usize = 16;

// ---- node: connections ------------------------------------------------------------------------

/// Connected peers (count): beyond it new ones are turned away.
pub const PEERS_MAX: usize = 64;
/// Peers a node tries to stay connected to (count): gossip needs 6 to 12 for its mesh.
pub const PEERS_WANTED: usize = 8;
/// Peers beyond which a node parts from one when it dials another (count): gossip's mesh and half
/// as many more.
pub const PEERS_MANY: usize = PEERS_WANTED + PEERS_WANTED / 2;
/// Peers that a node chose itself and keeps (count): half of those it wants.
pub const PEERS_CHOSEN: usize = PEERS_WANTED / 2;
/// Connections of others beyond which some are ended (count): of [`CONNECTIONS_INBOUND_MAX`] as
/// many stay free as there are peers wanted, for newcomers.
pub const PEERS_INBOUND_EASY: usize = 40;
/// How long those are left to find others (milliseconds): a few exchanges of heads.
pub const PEER_SETTLED_MS: u64 = 10_000;
/// Time between two looks for other peers, half of it at least (milliseconds): parts of a network
/// that were cut from each other find together within a minute or two, for one dial each.
pub const MIX_INTERVAL_MS: u64 = 60_000;
/// Dials under way at once (count): half of [`PEERS_WANTED`], so that a start is quick.
pub const DIALS_MAX: usize = 4;
/// Authors that the owner of a node may ban (count). Arbitrary, sane: each is typed by a person.
pub const BANS_MAX: usize = 256;
/// Characters of a reason why somebody was not reached (count), which the other side may have had a
/// part in. Arbitrary, sane: three lines.
pub const REASON_CHARS_MAX: usize = 240;
/// Nodes whose addresses are remembered (count); the least useful is forgotten.
pub const BOOK_ENTRIES_MAX: usize = 256;
/// Addresses that one peer told and that have not led anywhere yet (count): two of its messages.
pub const BOOK_ENTRIES_PER_TELLER_MAX: usize = 2 * PEERS_TOLD_MAX;
/// Addresses kept across restarts (count): any one of them leads back into the mesh.
pub const BOOK_STORED_MAX: usize = 32;
/// First wait after a failed dial (milliseconds); doubles with each further failure.
pub const DIAL_RETRY_MS_MIN: u64 = 1_000;
/// Longest wait after a failed dial (milliseconds): who returns is found within two minutes.
pub const DIAL_RETRY_MS_MAX: u64 = 120_000;
/// How long a peer is missed whose connection was lost (milliseconds): a machine that wakes up or
/// changes its network is back by then.
pub const PEER_MISSED_MS: u64 = 180_000;
/// Longest wait after a failed dial of a missed peer (milliseconds), jittered by a quarter: it is
/// back within five seconds of its return.
pub const DIAL_MISSED_MS_MAX: u64 = 3_000;
/// Time without any input after which a node must have stood still (milliseconds): three of its own
/// timers.
pub const SLEPT_MS: u64 = 10_000;
/// Time for a dial to end (milliseconds): longer than the driver's own, should it lose one.
pub const DIAL_TIMEOUT_MS: u64 = 30_000;
/// Time for a new connection to say hello (milliseconds): a slow phone signs in well under one.
pub const HELLO_TIMEOUT_MS: u64 = 15_000;
/// How long a listener waits for the dialler's hello before it says its own (milliseconds): a
/// few round trips on a slow link.
pub const HELLO_SHY_MS: u64 = 1_000;
/// Time for a response (milliseconds): longer than the driver's own, should it lose one.
pub const REQUEST_TIMEOUT_MS: u64 = 30_000;
/// Shortest timer (milliseconds): what is due and cannot be done must not spin the event loop.
pub const TIMER_MS_MIN: u64 = 5;
/// Time between two exchanges of heads with a random peer (milliseconds): what gossip lost is
/// noticed within seconds, for a few hundred bytes each.
pub const EXCHANGE_INTERVAL_MS: u64 = 3_000;
/// Requests under way to one peer (count): keeps a 100 ms link busy with blob pieces.
pub const REQUESTS_PER_PEER_MAX: usize = 8;
/// Requests of one peer that wait for the store (count); more are refused as busy.
pub const SERVING_PER_PEER_MAX: usize = 16;

// ---- node: abuse ------------------------------------------------------------------------------

/// Requests a peer may send at once (count), and per second after that. Catching up with a long
/// run asks for a blob piece every few milliseconds.
pub const REQUEST_BURST: u32 = 512;
/// Requests per second of one peer beyond the burst (count): 32 MB/s of blob pieces.
pub const REQUESTS_PER_SECOND: u32 = 128;
/// Vertices walked over at once for one peer's requests (count): the largest history 16 times.
pub const WALK_BURST: u32 = 1 << 20;
/// Such vertices per second after that (count): a hundredth of a core for each peer. The largest
/// history takes 512 answers, a walk each, which is one minute more.
pub const WALK_PER_SECOND: u32 = 1 << 19;
/// Hellos of authors not seen before at once (count): a school class that opens one link.
pub const GREETING_BURST: u32 = 40;
/// Such hellos per second after that (count): each costs three signature checks, 1.5 ms in wasm.
pub const GREETINGS_PER_SECOND: u32 = 20;
/// Gossiped vertices a peer may forward at once (count): a mesh of 64 members in one round.
pub const GOSSIP_BURST: u32 = 512;
/// Gossiped vertices per second of one forwarder beyond the burst (count): a tenth of what one
/// core verifies in wasm.
pub const GOSSIP_PER_SECOND: u32 = 200;
/// Gossiped vertices of one author at once (count): what a member wrote while it was cut off.
pub const AUTHOR_BURST: u32 = 128;
/// Gossiped vertices per second of one author beyond the burst (count): a busy member writes two
/// per round.
pub const AUTHOR_PER_SECOND: u32 = 20;
/// Vertices of one author taken from answers at once (count): a thousand rounds of a busy member,
/// which is what somebody who comes late has to catch up with.
pub const ANSWERED_BURST: u32 = 2_048;
/// Such vertices per second after that (count). One author needs 20 minutes to fill a history.
pub const ANSWERED_PER_SECOND: u32 = 50;
/// Vertices of one author that are ahead of time at once (count): a member whose clock is wrong
/// takes part in some rounds before it is noticed.
pub const AHEAD_BURST: u32 = 64;
/// Such vertices per second after that (count): what a busy member writes in a round. They are
/// delayed, and never refused for good: whose clock is wrong cannot be told.
pub const AHEAD_PER_SECOND: u32 = 2;
/// Authors whose rate is remembered (count); the longest idle is forgotten.
pub const AUTHOR_RATES_MAX: usize = 1_024;
/// Penalty points at which a peer is banned (no unit): each offence costs a share of 100.
pub const PENALTY_BAN_POINTS: u32 = 100;
/// Penalty points forgiven per minute (count): an honest peer on a bad link stays unbanned.
pub const PENALTY_FORGIVEN_PER_MINUTE: u32 = 20;
/// How long a ban lasts (milliseconds): ten minutes cost an attacker more than us.
pub const BAN_MS: u64 = 600_000;
/// How long a peer is left alone that did not answer, time and again (milliseconds): a link that
/// loses much looks the same, and the peer behind it is needed when the link is well again.
pub const SILENCE_BAN_MS: u64 = 60_000;
/// Longest wait before an equivocation is proved in the history (milliseconds): random within it,
/// so that one member does it and not all.
pub const ACCUSE_MS_MAX: u32 = 2_000;
/// Peers whose penalties are remembered (count); the mildest is forgotten.
pub const PENALTIES_MAX: usize = 1_024;
/// Difference between two clocks that is worth a warning (milliseconds): five minutes, as
/// Kerberos has it.
pub const CLOCK_SKEW_WARN_MS: u64 = 300_000;
/// Time between two warnings with the same code (milliseconds): often enough to be seen.
pub const WARNING_INTERVAL_MS: u64 = 600_000;

// ---- node: memory and store -------------------------------------------------------------------

/// Bytes of blobs kept in memory; the rest is read from the store.
pub const BLOB_CACHE_BYTES_MAX: usize = 32 << 20;
/// Blobs in the store (count); above it no further ones are fetched. Their names fill 100 MB.
pub const BLOBS_MAX: usize = 1 << 20;
/// Blobs wanted from peers at once (count); further ones are wanted when some have come.
pub const BLOBS_WANTED_MAX: usize = 1_024;
/// Blobs under way at once (count): with the largest blobs 32 MiB of buffers.
pub const BLOB_FETCHES_MAX: usize = 8;
/// Milliseconds for fetching one blob from one peer; then the next is asked. The largest blob at
/// 35 KiB/s.
pub const BLOB_FETCH_MS_MAX: u64 = 120_000;
/// First wait before a blob is asked for again (milliseconds); doubles with each round of failures.
pub const BLOB_RETRY_MS_MIN: u64 = 250;
/// Longest wait before a blob is asked for again (milliseconds): below most rounds' deadlines.
pub const BLOB_RETRY_MS_MAX: u64 = 30_000;
/// Bytes accepted but not yet durable; above it nothing more is accepted from peers.
pub const BACKLOG_BYTES_MAX: usize = 64 << 20;
/// Own payloads that wait to be written (count); above it commands are refused.
pub const OWN_QUEUE_MAX: usize = 1_024;
/// How long a payload waits for others to share its vertex and signature (milliseconds): less
/// than anyone notices.
pub const FLUSH_MS: u64 = 50;
/// How long a vote waits for others to share its vertex (milliseconds): a tenth of a decision
/// between continents.
pub const VOTE_FLUSH_MS: u64 = 10;
/// Vertices of votes that one member may write so quickly (count): ten decisions in a row.
pub const VOTE_BURST: u32 = 32;
/// Vertices of votes of all members together beyond that (count per second): half of what one
/// peer may forward ([`GOSSIP_PER_SECOND`]), so that four members stay at [`AUTHOR_PER_SECOND`].
pub const COMMITTEE_VERTICES_PER_SECOND: u32 = 80;
/// Time between two looks whether something waits too long for a decision (milliseconds): a fifth
/// of what counts as too long.
pub const FINALITY_LOOK_MS: u64 = 1_000;
/// Bytes of payloads at which a vertex is closed: half of what a vertex may have.
pub const FLUSH_BYTES: usize = 32 << 10;
/// First wait after a failed write (milliseconds); doubles with each further failure.
pub const STORE_RETRY_MS_MIN: u64 = 1_000;
/// Longest wait after a failed write (milliseconds): freed space is used within a minute.
pub const STORE_RETRY_MS_MAX: u64 = 60_000;

/// Final items of one answer (count). Arbitrary, sane: a screen or two.
pub const FINALISED_PAGE_MAX: usize = 256;
const _: () = assert!(COMMITTEE_VERTICES_PER_SECOND < GOSSIP_PER_SECOND);
const _: () = assert!(COMMITTEE_VERTICES_PER_SECOND / 4 <= AUTHOR_PER_SECOND);
const _: () = assert!(VOTE_BURST < AUTHOR_BURST);

// ---- node: runs -------------------------------------------------------------------------------

/// Unfinished runs of others that a node follows without being a member (count): it fetches,
/// recomputes and stores their rounds, so that it can show and export them. Runs it joined come on
/// top.
pub const RUNS_WATCHED_MAX: usize = 8;
/// Bytes of blobs of runs that a node neither joined nor asked about: an export of the largest
/// size. Above it such runs are not followed any further, so that strangers cannot fill the disk.
pub const WATCHED_BYTES_MAX: u64 = 1 << 30;
/// Runs a node is a member of at once (count). Arbitrary, sane: they share one core.
pub const RUNS_JOINED_MAX: usize = 16;
/// First wait after a failed training job (milliseconds); doubles with each further failure.
pub const TRAIN_RETRY_MS_MIN: u64 = 1_000;
/// Longest wait after a failed training job (milliseconds): a mended data set is soon used.
pub const TRAIN_RETRY_MS_MAX: u64 = 60_000;
/// Commands that wait for the store or for blobs (count). Arbitrary, sane: one user.
pub const COMMANDS_WAITING_MAX: usize = 256;

// ---- storage ----------------------------------------------------------------------------------

/// Bytes of one key of a store. Ids have 32; settings have names.
pub const STORE_KEY_BYTES_MAX: usize = 256;
/// Bytes of one value of a store: the largest blob.
pub const STORE_VALUE_BYTES_MAX: usize = 8 << 20;
/// Operations of one batch (count). Arbitrary, sane: a node writes a handful at a time.
pub const STORE_BATCH_OPERATIONS_MAX: usize = 4_096;
/// Bytes of keys and values of one batch: four of the largest values, copied once on the way out.
pub const STORE_BATCH_BYTES_MAX: usize = 32 << 20;

#[expect(clippy::as_conversions, reason = "constants, widened at compile time")]
const _: () = {
    assert!(STORE_VALUE_BYTES_MAX >= BLOB_BYTES_MAX);
    assert!(STORE_VALUE_BYTES_MAX >= SIGNED_VERTEX_BYTES_MAX);
    // Whatever waits first fits one write, or it would wait for ever.
    assert!(STORE_BATCH_BYTES_MAX >= STORE_VALUE_BYTES_MAX + STORE_KEY_BYTES_MAX);
    assert!(STORE_BATCH_BYTES_MAX >= BLOB_BYTES_MAX + FLUSH_BYTES);
    assert!(GOSSIP_BYTES_MAX > SIGNED_VERTEX_BYTES_MAX + 1_024);
    assert!(SOCKET_RECEIVE_BYTES_LOW < SOCKET_RECEIVE_BYTES_HIGH);
    assert!(SOCKET_RECEIVE_BYTES_HIGH < SOCKET_RECEIVE_BYTES_MAX);
    // Every stream that may be open, with the window that a fresh one has.
    assert!(STREAMS_PER_CONNECTION_MAX * (256 << 10) <= SOCKET_RECEIVE_BYTES_MAX);
    assert!(CONNECTIONS_MAX as usize >= PEERS_MAX);
    assert!(CONNECTIONS_INBOUND_MAX < CONNECTIONS_MAX);
    assert!(STREAM_TIMEOUT_MS < REQUEST_TIMEOUT_MS);
    assert!(REQUESTS_PER_CONNECTION_MAX >= REQUESTS_PER_PEER_MAX);
};

// ---- runtime ----------------------------------------------------------------------------------

/// Commands of the application that wait to be taken in (count); more are refused as `busy`.
pub const COMMANDS_QUEUED_MAX: usize = 64;
/// Writes and reads that wait for the store (count). Above it the loop takes in nothing new until
/// the store has caught up.
pub const ERRANDS_MAX: usize = 64;
/// Events that wait for the application (count). Above it hints are dropped and older rounds of a
/// run give way to newer ones; training jobs never.
pub const EVENTS_MAX: usize = 4_096;
/// Calls of `nextEvent` that wait at the same time (count). One reader needs one.
pub const EVENT_READERS_MAX: usize = 64;
/// Milliseconds the loop works without letting the host's own tasks run. A page's frame has 16.
pub const BUSY_MS_MAX: u64 = 10;
/// Milliseconds that stopping waits for the node to finish its writes. A disk that takes longer is
/// gone.
pub const STOP_TIMEOUT_MS: u64 = 5_000;
/// Milliseconds that a node which stops waits for a peer to have its last vertex. A round trip to
/// the other side of the world, several times; after that the store has to bring it.
pub const LEAVE_MS_MAX: u64 = 2_000;
/// Milliseconds between two questions of a node which stops. Arbitrary, sane: a round trip on land.
pub const LEAVE_ASK_MS: u64 = 50;
const _: () = assert!(LEAVE_MS_MAX + LEAVE_ASK_MS < STOP_TIMEOUT_MS);
/// Milliseconds that starting waits for the host to listen. It answers in one; this ends a defect.
pub const LISTEN_TIMEOUT_MS: u64 = 10_000;
/// Places one node listens at (count). Arbitrary, sane: one per network interface.
pub const LISTEN_MAX: usize = 16;
