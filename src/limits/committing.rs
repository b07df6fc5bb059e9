//! Bounds of runs with commitments.

// ---- committing: runs whose members say what they send before they see others' ----------------

/// Commitments of one author on one base, each for another attempt (count): every one after the
/// first is for a round that came to nothing.
pub const COMMITMENT_ATTEMPTS_MAX: u32 = 8;
/// Deadlines after which a member commits anew for a round that came to nothing (count): one for
/// commitments, one for updates, one for the aggregate.
pub const COMMITMENT_RETRY_DEADLINES: u64 = 3;
/// Updates that a member looks for a set among in which everybody answers everybody (count): two of
/// each member of the largest round, half a million comparisons.
pub const COMMITMENT_CANDIDATES_MAX: usize = 512;
/// Authors in a report whose updates an aggregate does not have (count): a round of the largest
/// run, twice.
pub const LEFT_OUT_MAX: usize = 512;
