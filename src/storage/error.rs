//! Why a store refused, in a form that a program and a person can act on.

/// A failed storage call. Nothing of the call was applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The disk, or the browser's quota for this origin, has no room left.
    #[error("no room left in the store: {0}")]
    Full(String),
    /// The host may not read or write the place.
    #[error("the store may not be used: {0}")]
    Permission(String),
    /// What is stored cannot be understood.
    #[error("the store is damaged: {0}")]
    Corrupt(String),
    /// Another process or tab holds the store.
    #[error("the store is in use elsewhere: {0}")]
    Locked(String),
    /// The host offers no such store.
    #[error("no such store here: {0}")]
    Unavailable(String),
    /// A key, a value or a batch above its bound.
    #[error("{what} of {given} exceeds the store's bound of {most}")]
    TooLarge {
        /// `key bytes`, `value bytes`, `batch operations` or `batch bytes`.
        what: &'static str,
        /// What was asked for.
        given: usize,
        /// The bound, from `limits`.
        most: usize,
    },
    /// The store was closed before the call.
    #[error("the store is closed")]
    Closed,
    /// Anything else the host threw.
    #[error("the store failed: {0}")]
    Host(String),
}

impl Error {
    /// A stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Full(_) => "storage-full",
            Self::Permission(_) => "storage-permission",
            Self::Corrupt(_) => "storage-corrupt",
            Self::Locked(_) => "storage-locked",
            Self::Unavailable(_) => "storage-unavailable",
            Self::TooLarge { .. } => "storage-too-large",
            Self::Closed => "storage-closed",
            Self::Host(_) => "storage-failed",
        }
    }

    /// What a person can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Full(_) => "free space on the disk, or allow this site more storage, then retry",
            Self::Permission(_) => {
                "check the owner and mode of the data directory, or allow storage"
            }
            Self::Corrupt(_) => {
                "start with a new data directory and a new identity; put a copy back only if \
                 nothing was signed after it was made"
            }
            Self::Locked(_) => "stop the other node or close the other tab, then retry",
            Self::Unavailable(_) => "choose another kind of storage",
            Self::TooLarge { .. } => "this is a defect: report it",
            Self::Closed => "the node has stopped; create it again",
            Self::Host(_) => "see the cause; if it stays, report it",
        }
    }
}
