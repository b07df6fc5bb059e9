//! Bounds of runs with commitments.

// ---- committing: runs whose members say what they send before they see others' ----------------

/// Attempts at a round that a member passes over at once to catch up with others (count): twenty
/// minutes of attempts with the shortest deadline. Without a bound one commitment to the last
/// attempt of all would leave no number for the next.
pub const COMMITMENT_CATCH_UP_MAX: u32 = 1 << 12;
/// Deadlines after which a member commits anew for a round that came to nothing (count): one for
/// commitments, one for updates, one for the aggregate.
pub const COMMITMENT_RETRY_DEADLINES: u64 = 3;
/// Updates that a member looks for a set among in which everybody answers everybody (count): two of
/// each member of the largest round, half a million comparisons.
pub const COMMITMENT_CANDIDATES_MAX: usize = 512;
/// Aggregates of the chain that tell whom not to wait for (count). Arbitrary, sane: who withholds
/// an update and stays away for a while is remembered.
pub const COMMITMENT_ROUNDS_REMEMBERED: usize = 8;
/// Authors in a report whose updates an aggregate does not have (count): a round of the largest
/// run, twice.
pub const LEFT_OUT_MAX: usize = 512;
/// Attempts of one author, its last ones, whose updates are fetched (count): with a later one that
/// some have, others may still have to answer the one before.
pub const COMMITMENT_ATTEMPTS_FETCHED: usize = 2;
