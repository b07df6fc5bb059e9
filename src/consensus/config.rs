//! What the owner of a network decides about finality. No value here can break safety.

/// Times and sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Shortest time until a member stops waiting (milliseconds): two round trips in one country.
    pub timeout_ms_min: u64,
    /// Longest such time before doubling (milliseconds): a bad mobile link.
    pub timeout_ms_max: u64,
    /// Such a time before any vote was measured (milliseconds): a round trip round the world.
    pub timeout_ms_first: u64,
    /// Decisions after which a checkpoint is due (count): a proof costs no more for it.
    pub checkpoint_decisions: usize,
    /// Time after which a checkpoint of fewer decisions is due (milliseconds).
    pub checkpoint_ms: u64,
    /// Time without progress after which "no quorum" is said (milliseconds): well over what a
    /// few failed leaders take.
    pub stalled_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            timeout_ms_min: 100,
            timeout_ms_max: 4_000,
            timeout_ms_first: 300,
            checkpoint_decisions: 128,
            checkpoint_ms: 10_000,
            stalled_ms: 5_000,
        }
    }
}
