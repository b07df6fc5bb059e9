//! Bounds of groups: their members, tasks, logs and messages.

// ---- group: members and tasks -----------------------------------------------------------------

/// Members a group begins with and keeps, at least (count): with fewer, one that crashes would
/// stop it.
pub const GROUP_MEMBERS_MIN: usize = 3;
/// Members of a group (count): each change waits for the slowest of a majority, and seven members
/// bear three crashes.
pub const GROUP_MEMBERS_MAX: usize = 7;
/// Bytes of a group's name: it is shown in one line and typed by hand.
pub const GROUP_NAME_BYTES_MAX: usize = 64;
/// Tasks a group remembers (count); the one that was done first is forgotten for a new one.
pub const GROUP_TASKS_MAX: usize = 512;
/// Bytes of a task's name: a path or a hash fits.
pub const GROUP_TASK_NAME_BYTES_MAX: usize = 64;
/// Bytes that say what a task is: a link and its parameters. What is larger is a blob.
pub const GROUP_PAYLOAD_BYTES_MAX: usize = 1 << 10;
/// Authors whose last request a group remembers (count): all members, and as many that were.
pub const GROUP_SESSIONS_MAX: usize = 2 * GROUP_MEMBERS_MAX;

// ---- group: log and messages ------------------------------------------------------------------

/// Entries of a log that no snapshot holds yet (count): a slot of the store each. At the bound a
/// member takes no further ones.
pub const GROUP_LOG_ENTRIES_MAX: u64 = 1_024;
/// Entries that wait for a majority (count); more are not taken. A majority that is there takes a
/// hundred in a few round trips.
pub const GROUP_UNCOMMITTED_MAX: u64 = 128;
/// Entries of one message (count): many more would hold up the next heartbeat.
pub const GROUP_APPEND_ENTRIES_MAX: usize = 64;
/// Bytes of a snapshot: the tasks with the longest names and payloads, and requests of authors.
pub const GROUP_IMAGE_BYTES_MAX: usize = 768 << 10;
/// Bytes of one message: a snapshot, and the frame around it.
pub const GROUP_MESSAGE_BYTES_MAX: usize = GROUP_IMAGE_BYTES_MAX + 1_024;
/// Bytes of one record of the store: a snapshot, and the frame around it.
pub const GROUP_RECORD_BYTES_MAX: usize = GROUP_IMAGE_BYTES_MAX + 1_024;
/// Messages that wait for a write (count); further ones are lost, as a network may lose them.
pub const GROUP_OUTBOX_MAX: usize = 64;
/// Own changes that wait for their turn (count); more are refused as busy.
pub const GROUP_PROPOSALS_MAX: usize = 64;
/// Reads that wait, own ones or at a leader (count); more are refused, or asked again.
pub const GROUP_READS_MAX: usize = 64;

// ---- group: the node --------------------------------------------------------------------------

/// Groups of one node (count). Arbitrary, sane: each ticks ten times a second.
pub const GROUPS_MAX: usize = 16;
/// Groups that others made this node a member of (count): some are left for its owner.
pub const GROUPS_INVITED_MAX: usize = 12;
/// Packets of one peer at once (count): heartbeats of all groups, and a second of busy ones.
pub const GROUP_PACKETS_BURST: u32 = 1_024;
/// Packets per second of one peer after that (count). What is above is lost, as a network loses.
pub const GROUP_PACKETS_PER_SECOND: u32 = 512;
/// Bytes of a receipt: one word.
pub const GROUP_RECEIPT_BYTES_MAX: usize = 16;
/// Ticks handed in at once after a standstill (count): an election must not come of it.
pub const GROUP_TICKS_MAX: u32 = 3;

#[expect(clippy::as_conversions, reason = "constants, widened at compile time")]
const _: () = {
    assert!(GROUP_MEMBERS_MIN <= GROUP_MEMBERS_MAX);
    // A task's names, ids, numbers and field names are less than 256 bytes beside its payload.
    assert!(GROUP_TASKS_MAX * (GROUP_PAYLOAD_BYTES_MAX + 256) < GROUP_IMAGE_BYTES_MAX);
    // Changes of members make an empty entry each time one begins to lead.
    assert!(GROUP_UNCOMMITTED_MAX * 4 <= GROUP_LOG_ENTRIES_MAX);
    assert!(GROUP_APPEND_ENTRIES_MAX * 2 * GROUP_PAYLOAD_BYTES_MAX < GROUP_MESSAGE_BYTES_MAX);
    assert!(GROUPS_INVITED_MAX < GROUPS_MAX);
    assert!(super::STORE_VALUE_BYTES_MAX >= GROUP_RECORD_BYTES_MAX);
    assert!(super::STORE_BATCH_OPERATIONS_MAX as u64 > GROUP_LOG_ENTRIES_MAX + 2);
};
