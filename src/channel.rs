//! The hybrid channel: what every connection between nodes is encrypted and authenticated with.
//!
//! ```text
//! initiator                                                   responder
//!   e, e1                                          1,216 bytes  ->
//!       <-  e, ee, ekem1, {}, {responder's proof}  6,622 bytes
//!   {initiator's proof}                            5,470 bytes  ->
//!   {data}                                                    {data}
//! ```
//!
//! Lines one and two, up to the first proof, are the Noise protocol
//! `Noise_NNhfs_25519+MLKEM768_ChaChaPoly_SHA256` as the framework (revision 34) and its extension
//! for hybrid forward secrecy describe it: an X25519 and an ML-KEM-768 key of one use each, so that
//! what is said stays secret as long as one of the two is unbroken. It authenticates nobody. What
//! follows are transport messages of it, and the first each way is a [`proof`]: two signatures over
//! the handshake's hash (Noise, section 11.2), one of the composite key that is the author and one
//! of the transport key that is the libp2p peer id. Identities travel encrypted; the initiator's is
//! shown only to a responder that has proved its own.
//!
//! - [`noise`], [`kem`]: the parts.
//! - [`proof`]: who speaks, and what is signed.
//! - [`handshake`]: the three flights, without IO.
//! - [`record`]: frames of the data that follows, without IO; [`stream`]: with it.
//! - [`entrance`]: what comes before that data where not everybody may enter.
//!
//! Why not a crate that does all this is in `docs/decisions/0013-noise-of-our-own.md`, what it
//! protects from and what not in `docs/channel.md`, the bytes in `docs/wire.md`.

pub mod noise;

mod kem;

pub mod proof;

pub mod handshake;

pub mod record;

pub mod stream;

pub mod entrance;

pub use self::handshake::{Initiator, Randomness, Responder, Session};
pub use self::proof::{Credentials, Offers, Signer};

use crate::crypto::sign;
use crate::identity::{AuthorId, TransportId};

/// Who is at the other end, as the handshake proved it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// The author: holds the composite key.
    pub author: AuthorId,
    /// The transport key: what libp2p calls the peer.
    pub transport: TransportId,
}

/// Why there is no channel, or none any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A flight of another length than the protocol's.
    #[error(
        "{what} has {expected} bytes, not {found}: the peer speaks another protocol; check that \
         both run the same version"
    )]
    Length {
        /// Which flight or frame.
        what: &'static str,
        /// The length it must have.
        expected: usize,
        /// The length it has.
        found: usize,
    },
    /// A key of the handshake with which no secret can be agreed.
    #[error("the peer's handshake is unusable: {0}; drop the connection")]
    Key(&'static str),
    /// Bytes that do not authenticate: changed on the way, or of another handshake.
    #[error("a message does not authenticate: it was changed on the way; connect again")]
    Tag,
    /// The transport key's signature over this handshake is wrong.
    #[error("the peer does not hold the transport key it names; drop the connection")]
    Transport,
    /// The author's key or signature over this handshake is wrong.
    #[error("the peer does not hold the author key it names: {0}")]
    Author(#[from] sign::Error),
    /// Somebody made two nodes settle for less than both offer.
    #[error(
        "both sides offer a stronger channel than this one: somebody between them tampered with \
         the choice; connect another way"
    )]
    Downgraded,
    /// A key was used as often as it may be.
    #[error("the channel's key is used up; connect again")]
    Exhausted,
    /// The stream ended in the middle, without the peer's word that it is complete.
    #[error("the connection broke off; connect again")]
    Truncated,
}

impl Error {
    /// Stable name of the cause.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Length { .. } => "channel-length",
            Self::Key(_) => "channel-key",
            Self::Tag => "channel-tag",
            Self::Transport => "channel-transport-key",
            Self::Author(_) => "channel-author-key",
            Self::Downgraded => "channel-downgraded",
            Self::Exhausted => "channel-exhausted",
            Self::Truncated => "channel-truncated",
        }
    }
}

#[cfg(test)]
mod tests;
