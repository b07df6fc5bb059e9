//! Bounds of what is kept of a history, and of what is handed to who comes late.

use super::{GRAPH_VERTICES_MAX, STORE_BATCH_BYTES_MAX};

// ---- dag: dropping and handing on --------------------------------------------------------------

/// Newest vertices that a node keeps when it drops old ones (count): half of what it may hold, so
/// that who was away for as long as it takes to write them can still catch up. It drops when there
/// are half as many more.
pub const HISTORY_VERTICES_KEPT: usize = GRAPH_VERTICES_MAX / 2;
/// The same where room is scarce, as in a tab (count): with half as many more, what is being
/// dropped and the decisions that are remembered it is under 50 MB at a thousand payments a minute.
/// What belongs to runs is kept beside that.
pub const HISTORY_VERTICES_KEPT_BRIEF: usize = 3_000;
/// Vertices that are dropped at once (count): as many as are written between two prunings of a full
/// history; the record of it is a megabyte.
pub const PRUNE_VERTICES_MAX: usize = GRAPH_VERTICES_MAX / 4;
/// Milliseconds between two walks over the history to drop vertices: each looks at all of them.
pub const PRUNE_INTERVAL_MS: u64 = 10_000;
/// Milliseconds until the next look when it was not the moment to drop, as the last checkpoint was
/// not signed yet, say: that takes a moment, and on a busy network there is one every moment.
pub const PRUNE_RETRY_MS: u64 = 1_000;
/// Bytes of entries that close a chunk of a snapshot: some 40 decisions. All nodes of a network
/// close the same ones; the ids of 2,000 fit an answer several times.
pub const SNAPSHOT_CHUNK_BYTES: usize = 16 << 10;
/// Bytes of entries after which the next generation of a snapshot begins (bytes): some 7,000
/// payments. The same for all nodes of a network. Two of them are stored, and whoever comes late
/// fetches as much.
pub const SNAPSHOT_GENERATION_BYTES: u64 = 4 << 20;
/// Bytes of the state that a generation begins with (bytes): four times a ledger of
/// [`LEDGER_ACCOUNTS_MAX`] accounts.
pub const SNAPSHOT_START_BYTES_MAX: usize = 128 << 20;
/// Final items about the owner that are kept beyond what a node remembers of others (count): two
/// megabytes of payments.
pub const OWN_ITEMS_MAX: usize = 4_096;
/// Manifests that are kept (count): members sign within seconds, and one checkpoint takes ten.
pub const SNAPSHOT_MANIFESTS_MAX: usize = 4;
/// Heights whose digests are kept (count), beside those that end epochs: twice those proofs try.
pub const SNAPSHOT_DIGESTS_MAX: u64 = 16;
/// Covered vertices with something open that an answer lists (count): 128 KiB of ids.
pub const SNAPSHOT_OPEN_MAX: usize = 4_096;
/// Open commitments to names that an answer lists (count): 36 KiB.
pub const SNAPSHOT_COMMITMENTS_MAX: usize = 1_024;
/// Peers that are asked for a snapshot at a time (count): as many as a node wants to know.
pub const SNAPSHOT_PEERS_MAX: usize = 8;
/// Peers that are asked for what another one dropped (count): two of the same word are believed,
/// and of three one may be gone.
pub const SNAPSHOT_DOUBT_PEERS_MAX: usize = 3;
/// Milliseconds that are waited for further offers of a snapshot after the first: a slow answer.
pub const SNAPSHOT_OFFER_MS: u64 = 2_000;
/// Milliseconds to the next attempt, and without progress until one is given up: three timeouts.
pub const SNAPSHOT_RETRY_MS: u64 = 15_000;
/// Bytes of the records of a snapshot: what a store takes at once, less what goes with it.
pub const SNAPSHOT_BYTES_MAX: usize = STORE_BATCH_BYTES_MAX / 4 * 3;
