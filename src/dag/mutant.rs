//! Checks that the simulator can leave out, to show that it notices.
//!
//! A checker that never failed proves nothing. So each rule named here can be switched off, for one
//! thread and in builds with the feature `sim` only; in every other build [`skips`] is the constant
//! `false` and costs nothing.

/// A rule that can be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "sim", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "sim", serde(rename_all = "kebab-case"))]
#[cfg_attr(not(feature = "sim"), expect(unreachable_pub, reason = "named by scenarios only"))]
pub enum Check {
    /// The author's previous vertex is one of the parents, and is the author's.
    Prev,
    /// The Lamport time is one more than the greatest of the parents.
    Lamport,
    /// The parents are there.
    Parents,
    /// After a restart a member remembers its own votes.
    #[cfg_attr(not(feature = "mesh"), expect(dead_code, reason = "the node asks"))]
    OwnVotes,
    /// A quorum weighs over two thirds, and not one member less.
    Quorum,
    /// After its report a member takes no more part in the fast path.
    Report,
    /// Cuts are locked only if they lead to the root that they name.
    Root,
    /// What could not be voted for is looked at again once it may be possible.
    Reopened,
}

#[cfg(feature = "sim")]
thread_local! {
    static SKIPPED: std::cell::Cell<Option<Check>> = const { std::cell::Cell::new(None) };
}

/// Whether this check is left out.
#[cfg(feature = "sim")]
pub(crate) fn skips(check: Check) -> bool {
    SKIPPED.get() == Some(check)
}

/// Leaves one check out on this thread, or none.
#[cfg(feature = "sim")]
pub(crate) fn skip(check: Option<Check>) {
    SKIPPED.set(check);
}

/// Whether this check is left out: never.
#[cfg(not(feature = "sim"))]
pub(crate) const fn skips(_: Check) -> bool {
    false
}
