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
            checkpoint_ms: checkpoint_ms(),
            stalled_ms: 5_000,
        }
    }
}

/// Time after which a checkpoint is due, unless somebody says otherwise (milliseconds).
const CHECKPOINT_MS: u64 = 10_000;

#[cfg(feature = "sim")]
thread_local! {
    static HASTENED: std::cell::Cell<Option<u64>> = const { std::cell::Cell::new(None) };
}

/// Lets checkpoints be due sooner in engines that are made on this thread from now on, for
/// simulations that are too short for the time of the product; or not any more.
#[cfg(feature = "sim")]
pub(crate) fn hasten_checkpoints(checkpoint_ms: Option<u64>) {
    HASTENED.set(checkpoint_ms);
}

#[cfg(feature = "sim")]
fn checkpoint_ms() -> u64 {
    HASTENED.get().unwrap_or(CHECKPOINT_MS)
}

#[cfg(not(feature = "sim"))]
const fn checkpoint_ms() -> u64 {
    CHECKPOINT_MS
}
