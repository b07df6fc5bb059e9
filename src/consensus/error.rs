//! What can be refused here.

use crate::crypto::sign;
use crate::dag::cbor;

/// Why a committee or a proof was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Members that are no committee.
    #[error("{members} members are no committee: {reason}")]
    Committee {
        /// Members that were named.
        members: usize,
        /// The rule that was broken.
        reason: &'static str,
    },
    /// What was stored of a past is not what an engine of this network knew.
    #[error("what was stored of the past is damaged: {reason}")]
    Past {
        /// The rule that was broken.
        reason: &'static str,
    },
    /// Bytes that are no proof.
    #[error("the proof cannot be read: {0}; ask for another copy")]
    Encoding(#[from] cbor::Error),
    /// A proof that contradicts itself or what is trusted.
    #[error("the proof is refused: {reason}")]
    Proof {
        /// The rule that was broken.
        reason: &'static str,
    },
    /// A certificate without enough signatures.
    #[error(
        "the certificate of height {height} has weight {weight} of {quorum}; it proves nothing"
    )]
    Weight {
        /// The checkpoint's height.
        height: u64,
        /// Weight of its valid signers.
        weight: u64,
        /// Weight that is needed.
        quorum: u64,
    },
    /// A signature of a certificate that does not verify.
    #[error("a signature of the certificate of height {height} is refused: {source}")]
    Signature {
        /// The checkpoint's height.
        height: u64,
        /// Which half, or what is wrong with the key.
        source: sign::Error,
    },
}

impl Error {
    /// Stable name of the cause.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Committee { .. } => "committee-invalid",
            Self::Past { .. } => "store-damaged",
            Self::Encoding(_) => "proof-malformed",
            Self::Proof { .. } => "proof-invalid",
            Self::Weight { .. } => "certificate-weight",
            Self::Signature { .. } => "certificate-signature",
        }
    }
}
