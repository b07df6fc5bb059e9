//! Bounds of sampling: members, polls, keys, and how much of it a peer can ask for.

// ---- sampling ---------------------------------------------------------------------------------

/// Members that polls draw from (count): as many authors as a node knows.
pub const SAMPLED_MEMBERS_MAX: usize = super::GRAPH_AUTHORS_MAX;
/// Seats of one poll (count): three times what avalanchego asks; a poll stays a few hundred KiB.
pub const POLL_SEATS_MAX: u32 = 64;
/// Polls in a row that decide (count). Arbitrary, sane: fifty times what avalanchego asks for.
pub const POLLS_IN_A_ROW_MAX: u32 = 1_024;
/// Polls of one key under way at once (count): four times what avalanchego has.
pub const POLLS_OPEN_MAX: u32 = 16;
/// Keys that wait for a decision by sampling (count): avalanchego's `MaxOutstandingItems`.
pub const SAMPLED_KEYS_MAX: usize = 256;
/// Items of one such key (count). Arbitrary, sane: honest conflicts have two or three.
pub const SAMPLED_CANDIDATES_MAX: usize = 16;
/// Such keys that are remembered, decided ones included (count): with 120 bytes each 8 MiB.
pub const SAMPLED_DECIDED_MAX: usize = 1 << 16;
/// Polls that are over and still told from those that never were (count): as many as a node with
/// full hands has open, so that what comes late is called late.
pub const POLLS_OVER_MAX: usize = 1_024;
/// Bytes of a question or an answer: a signature of 3,373 bytes, and some 170 around it.
pub const POLL_MESSAGE_BYTES_MAX: usize = 4 << 10;
/// Questions in one request (count): those that a node has for one member at a time.
pub const POLL_QUESTIONS_MAX: usize = 16;
/// Keys about which a node asks at a time (count): with four polls of each, the questions for one
/// member fit one request. The others wait for their turn.
pub const POLLED_KEYS_MAX: usize = 4;
/// Polls of one key in its turn, while others wait (count): four times what decides. A key that
/// somebody holds up does not hold up the others.
pub const POLLS_PER_TURN_MAX: u32 = 80;
/// Questions that one peer may ask at once (count), and per second after that. A decision takes
/// some 40 of each member of a small network, and an answer a signature of 0.7 ms, natively.
pub const POLL_QUESTIONS_BURST: u32 = 512;
/// Questions of one peer per second beyond the burst (count): a tenth of a core.
pub const POLL_QUESTIONS_PER_SECOND: u32 = 128;
/// Questions of all peers that are answered at once (count): the bursts of four peers.
pub const POLL_ANSWERS_BURST: u32 = 2_048;
/// Answers per second beyond the burst (count): a third of a core for the signatures.
pub const POLL_ANSWERS_PER_SECOND: u32 = 512;
/// Requests with questions under way to one peer (count): the rest is for the history.
pub const POLL_REQUESTS_OPEN_MAX: usize = 3;
/// Items that wait for room, or for what they build on to be decided (count). Arbitrary, sane; who
/// finds no room is looked at again after a restart.
pub const SAMPLED_ASIDE_MAX: usize = 4_096;
/// How long a key may wait before a node says that finality is lost (milliseconds): a fifth of the
/// members silent is 400 polls, some 20 seconds.
pub const SAMPLED_STALLED_MS: u64 = 60_000;
const _: () = {
    assert!(POLL_QUESTIONS_MAX * (POLL_MESSAGE_BYTES_MAX + 8) < super::REQUEST_BYTES_MAX);
    assert!(POLLED_KEYS_MAX * 4 <= POLL_QUESTIONS_MAX);
    assert!(POLL_REQUESTS_OPEN_MAX < super::REQUESTS_PER_PEER_MAX);
};
