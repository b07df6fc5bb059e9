//! What can be refused here.

use crate::dag::cbor;
use crate::limits;

/// Why a group, a message, a record or a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name that cannot be shown in one line.
    #[error("a name has 1 to {bytes_max} printable ASCII characters and no blank at its ends")]
    Name {
        /// The limit in bytes.
        bytes_max: usize,
    },
    /// Too few members, too many, or one twice.
    #[error(
        "a group has {min} to {max} members, each once; {count} were named",
        min = limits::GROUP_MEMBERS_MIN,
        max = limits::GROUP_MEMBERS_MAX
    )]
    Members {
        /// Members that were named.
        count: usize,
    },
    /// Text that names no group.
    #[error("a group's id has 52 characters a-z and 2-7")]
    Id,
    /// Bytes that are not what was expected.
    #[error("not of this version of the protocol: {0}")]
    Encoding(#[from] cbor::Error),
    /// Readable, and contradicts itself.
    #[error("contradicts itself: {reason}")]
    Inconsistent {
        /// The rule that was broken.
        reason: &'static str,
    },
    /// More payload than a task may have.
    #[error("a task's payload has {bytes} bytes of {max}; put it into a blob and name that",
        max = limits::GROUP_PAYLOAD_BYTES_MAX)]
    Payload {
        /// Its size.
        bytes: usize,
    },
    /// The own request has to wait for too many others.
    #[error("too many requests of this node wait already; ask again later")]
    Busy,
    /// No majority in time.
    #[error("no majority of the group answered in time; what was asked may still come to pass")]
    Timeout,
    /// This node is not, or no longer, a member.
    #[error("this node is no member of the group; a member has to add it")]
    NotMember,
}

impl Error {
    /// Stable name of the cause.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Name { .. } => "group-name",
            Error::Members { .. } => "group-members",
            Error::Id => "group-id",
            Error::Encoding(_) | Error::Inconsistent { .. } => "group-malformed",
            Error::Payload { .. } => "group-payload",
            Error::Busy => "busy",
            Error::Timeout => "group-timeout",
            Error::NotMember => "group-not-member",
        }
    }
}
