//! Onion routing: a question that reaches another node through three, of which none learns both who
//! asks and what. Experimental: no one else has read this code with an attacker's eyes.
//!
//! ```text
//! asker -> first relay -> middle relay -> exit            one cell of 5,167 bytes on each link
//!       <- first relay <- middle relay <- exit            one reply of 65,536 bytes on each link
//!
//! cell    X-Wing ciphertext | tag | header: 3 slots                      | question
//!                                   | for me | for the next | noise |
//! peeled                            X-Wing ciphertext | tag | header: 3 slots | question
//! ```
//!
//! It is Sphinx (Danezis and Goldberg 2009) with a key encapsulation for each hop, as Outfox (Rial,
//! Piotrowska and Halpin 2024) has it, and with Tor's way back: the reply takes the same links. A
//! hop opens one layer of `ChaCha20-Poly1305`, takes its slot out of the header and puts as much
//! pseudorandom filler behind it, so that a cell never shrinks. The asker knows every filler
//! beforehand and computes each tag over it: one changed bit anywhere in a cell, and the next
//! honest hop drops it. Keys are exported by HPKE ([`crate::crypto::hpke`]) under an `info` of this
//! protocol, of the network and of the hop, with the key that each member publishes for sealed
//! messages; what was made for one use opens in no other.
//!
//! On the way back the exit seals the reply and each hop before it adds a layer of `ChaCha20`. A
//! relay that cannot go on answers in the exit's place, under its own key, so that the asker knows
//! who says so; nobody else can tell such a reply from any other.
//!
//! A hop refuses cells of earlier periods and those it has seen ([`Seen`]). What that memory does
//! not survive is a restart: a relay that comes back within the period can be handed an old cell
//! once more, and sends it the same way.
//!
//! What it does not do: delay, mix or cover traffic. Who sees the first link and the last one tells
//! by the time who asked; so do a first relay and an exit that work together. Nothing is forward
//! secret: who gets the keys of all three relays later and has recorded the first link learns the
//! question. `docs/onion.md` says more.

mod cell;
mod message;
mod replay;
mod reply;

use crate::crypto::kem;
use crate::identity::{AuthorId, NetworkId};
use crate::limits;

pub use cell::{Peeled, Step, peel, wrap};
pub use message::{Answer, Handled, NameState, Outcome, Question, Way};
pub use replay::{Seen, period_of};
pub use reply::{Back, HopKeys, NONCE_BYTES};

/// Relays of a path (count). With three no relay neighbours both ends.
pub const HOPS: usize = 3;
/// Bytes of a tag of ChaCha20-Poly1305.
const TAG_BYTES: usize = 16;
/// Bytes of what one hop is told: what to do (1), period (4), next hop (32), its tag and its
/// ciphertext.
const SLOT_BYTES: usize = 1 + 4 + 32 + TAG_BYTES + kem::CIPHERTEXT_BYTES;
/// Bytes of a header: a slot for each hop.
const HEADER_BYTES: usize = HOPS * SLOT_BYTES;
/// Bytes of what a hop opens: header and question.
const SEALED_BYTES: usize = HEADER_BYTES + limits::ONION_QUESTION_BYTES;
/// Bytes of every cell.
pub const CELL_BYTES: usize = kem::CIPHERTEXT_BYTES + TAG_BYTES + SEALED_BYTES;
/// Bytes of every reply.
pub const REPLY_BYTES: usize = limits::ONION_REPLY_BYTES;
/// Bytes of a question, at most.
pub const QUESTION_BYTES_MAX: usize = limits::ONION_QUESTION_BYTES - LENGTH_BYTES;
/// Bytes of an answer, at most.
pub const ANSWER_BYTES_MAX: usize = ANSWER_ROOM - LENGTH_BYTES;
/// Bytes that an answer is padded to.
const ANSWER_ROOM: usize = REPLY_BYTES - TAG_BYTES - NONCE_BYTES;
/// Bytes of the length before what is padded, most significant first.
const LENGTH_BYTES: usize = 2;
/// The first part of HPKE's `info`. Changing it makes another protocol.
const DOMAIN: &str = "synaptic-mesh 2026 onion v1";

/// A relay of a path, as the asker knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// Who it is.
    pub author: AuthorId,
    /// Its sealing key, from its identity vertex.
    pub key: kem::EncapsulationKey,
}

/// Why a cell was not made or not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// More than a cell takes.
    #[error("a question of {bytes} bytes; at most {QUESTION_BYTES_MAX} are asked anonymously")]
    TooLong {
        /// Its bytes.
        bytes: usize,
    },
    /// More than a reply takes.
    #[error("an answer of {bytes} bytes; at most {ANSWER_BYTES_MAX} fit into an anonymous reply")]
    AnswerTooLong {
        /// Its bytes.
        bytes: usize,
    },
    /// A cell or a reply of another size than all have.
    #[error("{bytes} bytes are no cell and no reply")]
    Size {
        /// Its bytes.
        bytes: usize,
    },
    /// It does not open.
    #[error("it was changed on the way, or made for another node or network")]
    Altered,
    /// It opens, and what is in it makes no sense.
    #[error("it was made by a faulty program")]
    Content,
    /// It was handled before.
    #[error("it was handled before")]
    Replayed,
    /// It is of no period that is taken now.
    #[error("it is of period {period}, and it is {current} now; check the clocks")]
    Period {
        /// Its period.
        period: u32,
        /// The present one.
        current: u32,
    },
    /// No further cell can be remembered.
    #[error("too many cells were seen to remember one more")]
    Full,
}

impl Error {
    /// Stable name of the cause.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "onion-question-too-long",
            Self::AnswerTooLong { .. } => "onion-answer-too-long",
            Self::Size { .. } => "onion-size",
            Self::Altered => "onion-altered",
            Self::Content => "onion-content",
            Self::Replayed => "onion-replayed",
            Self::Period { .. } => "onion-period",
            Self::Full => "onion-full",
        }
    }
}

/// HPKE's `info` for one hop: DAG-CBOR of `[domain, network, hop]`.
fn info(network: &NetworkId, hop: &AuthorId) -> Vec<u8> {
    let fields = (DOMAIN, network, hop);
    serde_ipld_dagcbor::to_vec(&fields).expect("texts and byte strings always encode")
}

/// A length, bytes, and zeros up to `size`; `None` when they do not fit.
fn padded(bytes: &[u8], size: usize) -> Option<Vec<u8>> {
    let length = u16::try_from(bytes.len()).ok()?;
    let mut plain = Vec::with_capacity(size + TAG_BYTES);
    plain.extend_from_slice(&length.to_be_bytes());
    plain.extend_from_slice(bytes);
    (plain.len() <= size).then(|| plain.resize(size, 0))?;
    Some(plain)
}

/// What [`padded`] took; the one padding only.
fn unpadded(plain: &[u8]) -> Option<&[u8]> {
    let (length, rest) = plain.split_first_chunk()?;
    let length = usize::from(u16::from_be_bytes(*length));
    let (bytes, zeros) = rest.split_at_checked(length)?;
    zeros.iter().all(|byte| *byte == 0).then_some(bytes)
}

#[cfg(test)]
mod tests;
