//! What can be refused here.

use crate::dag::cbor;

/// Why parameters, a list of members or a message were refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Parameters that contradict each other.
    #[error("the parameters of sampling do not fit each other: {rule}; correct the genesis")]
    Config {
        /// The rule that was broken.
        rule: &'static str,
    },
    /// Members that nobody can sample from.
    #[error("{members} members are no list to sample from: {reason}")]
    Members {
        /// Members that were named.
        members: usize,
        /// The rule that was broken.
        reason: &'static str,
    },
    /// Bytes that are no question or answer.
    #[error("the message of a poll cannot be read: {0}; drop it")]
    Encoding(#[from] cbor::Error),
}

impl Error {
    /// Stable name of the cause.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Config { .. } => "sampling-config-invalid",
            Self::Members { .. } => "sampling-members-invalid",
            Self::Encoding(_) => "poll-message-malformed",
        }
    }
}

/// Why an answer did not count. None of them is a proof of anything against the member that the
/// answer claims to be from: anybody can forge, and links are slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Who answers is not on the list of members.
    #[error("an answer of somebody who is no member; check that both have the same genesis")]
    Stranger,
    /// This node never made that poll, or so long ago that it forgot it: a replay.
    #[error("an answer to no poll of this node; a replay, drop it")]
    Unknown,
    /// The poll is over: decided early, or past its deadline.
    #[error("an answer after the end of its poll; allow more time if there are many")]
    Late,
    /// The member was not drawn for that poll.
    #[error("an answer of a member that was not asked in that poll; drop it")]
    Unasked,
    /// The member answered that poll before.
    #[error("a second answer of a member in one poll; the first one counts")]
    Repeated,
    /// The answer is about another conflict key than the question was.
    #[error("an answer about another key than was asked for; drop it")]
    OtherKey,
    /// The member's public key is not known here yet.
    #[error("the public key of a member is not known yet; its answers count once it is")]
    Keyless,
    /// The signature does not verify for this network, asker, poll, key and preference.
    #[error("the signature of an answer does not verify; drop it")]
    Forged,
}

impl Refusal {
    /// Stable name of the cause.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Stranger => "poll-stranger",
            Self::Unknown => "poll-unknown",
            Self::Late => "poll-late",
            Self::Unasked => "poll-unasked",
            Self::Repeated => "poll-repeated",
            Self::OtherKey => "poll-other-key",
            Self::Keyless => "poll-keyless",
            Self::Forged => "poll-forged",
        }
    }
}
