//! Times of a group, in ticks of 100 ms. No value here can break safety.

/// How long things take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Ticks without a leader until an election begins, at least; at most twice as many. Two
    /// seconds: a tab in the background runs its timers once a second.
    pub election_ticks: u32,
    /// Ticks between two heartbeats: several fit the time of an election.
    pub heartbeat_ticks: u32,
    /// Ticks until an own request that nobody answered is sent again.
    pub retry_ticks: u32,
    /// Ticks until an own request ends as [`super::Error::Timeout`]: three elections, and more.
    pub deadline_ticks: u32,
    /// Entries after which a snapshot is taken (count).
    pub snapshot_entries: u64,
    /// Entries kept behind it (count), for members that are only a little late.
    pub keep_entries: u64,
}

/// Milliseconds of one tick.
pub const TICK_MS: u64 = 100;

impl Default for Config {
    fn default() -> Self {
        Self {
            election_ticks: 20,
            heartbeat_ticks: 3,
            retry_ticks: 5,
            deadline_ticks: 150,
            snapshot_entries: 256,
            keep_entries: 64,
        }
    }
}
