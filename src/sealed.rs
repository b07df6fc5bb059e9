//! Sealed messages: a text that only one node reads, wherever and whenever it comes back.
//!
//! ```text
//! text -> length, text, zeros: 256, 1,024 or 4,096 bytes
//!      -> HPKE: X-Wing with the receiver's sealing key, HKDF-SHA256, ChaCha20-Poly1305
//!      -> a payload in a vertex that the sender signs, which spreads like any other
//! ```
//!
//! The sealing key stands in the identity vertex and so under the author's signature. The sender is
//! bound twice: the vertex is signed, and its author stands, with the network and the receiver, in
//! HPKE's `info`, so that nobody can pass off the bytes as its own by writing them again.
//!
//! What it hides: the text, and its length but for one of three sizes. What not: who wrote to whom,
//! when and how often stands in the history, for good. There is no forward secrecy: who gets the
//! receiver's identity file later reads everything that was ever sealed for it; the sender cannot
//! read it again at all. Sources: RFC 9180, draft-connolly-cfrg-xwing-kem, draft-ietf-hpke-pq.

use zeroize::Zeroizing;

use crate::crypto::hpke;
use crate::crypto::kem::{self, DecapsulationKey, EncapsulationKey};
use crate::dag::vote::ItemId;
use crate::dag::{SEAL_BYTES, SEALING_KEY_BYTES, SealedMessage, padded_sizes};
use crate::identity::{AuthorId, NetworkId};
use crate::limits;

/// The first part of `info`. Changing it makes all earlier messages unreadable.
const DOMAIN: &str = "synaptic-mesh 2026 sealed message v1";
/// Bytes of the length before a text, most significant last.
const LENGTH_BYTES: usize = 2;

const _: () = assert!(SEAL_BYTES == hpke::OVERHEAD_BYTES && SEALING_KEY_BYTES == kem::KEY_BYTES);
const _: () = assert!(
    limits::SEALED_TEXT_BYTES_MAX + LENGTH_BYTES == limits::SEALED_PADDED_BYTES_MAX
        && limits::SEALED_PADDED_BYTES_MAX <= 1 << 16
);

/// Between whom a message is: what it is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The network it is written in.
    pub network: NetworkId,
    /// The author of the vertex.
    pub from: AuthorId,
    /// Who can read it.
    pub to: AuthorId,
}

/// Why a text was not sealed, or a message not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is nothing to say.
    #[error("the message is empty; write something")]
    Empty,
    /// More than fits.
    #[error(
        "a message of {bytes} bytes; at most {max} are sealed: send it in parts",
        max = limits::SEALED_TEXT_BYTES_MAX
    )]
    TooLong {
        /// Bytes of the text in UTF-8.
        bytes: usize,
    },
    /// The receiver's sealing key is none.
    #[error("the receiver's sealing key is unusable: {0}")]
    Key(#[from] kem::NoKey),
    /// It is for somebody else.
    #[error("the message is sealed for {to}; only that node can read it")]
    Receiver {
        /// Who can read it.
        to: AuthorId,
    },
    /// It does not open.
    #[error("the message does not open: {0}; ask its sender to write again")]
    Altered(#[from] hpke::NotOpened),
    /// What was sealed is no padded text.
    #[error("the message was sealed by a faulty program: {0}")]
    Content(&'static str),
}

impl Error {
    /// Stable name of the cause.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Empty => "sealed-empty",
            Self::TooLong { .. } => "sealed-too-long",
            Self::Key(_) => "sealed-key",
            Self::Receiver { .. } => "sealed-for-another",
            Self::Altered(_) => "sealed-altered",
            Self::Content(_) => "sealed-content",
        }
    }
}

/// A sealed message in the history, as one of its two ends sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Where it stands: its vertex, and the place of the payload in it.
    pub id: ItemId,
    /// Who wrote it.
    pub from: AuthorId,
    /// Who can read it.
    pub to: AuthorId,
    /// The sender's clock, milliseconds since 1970: a claim.
    pub time_ms: u64,
    /// What it says, for the one that it is for; `None` for the sender, who cannot read it.
    pub text: Option<Result<String, Error>>,
}

/// Some messages, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// At most [`limits::SEALED_PAGE_MAX`].
    pub messages: Vec<View>,
    /// The last one of them, to go on before it; `None` when there are no older ones.
    pub next: Option<ItemId>,
}

/// Seals a text for the holder of `key`, an author's sealing key. `coins` are fresh randomness.
///
/// # Errors
/// [`Error::Empty`], [`Error::TooLong`] or [`Error::Key`].
pub fn seal(
    route: &Route,
    key: &[u8],
    text: &str,
    coins: &[u8; kem::COINS_BYTES],
) -> Result<SealedMessage, Error> {
    if text.is_empty() {
        return Err(Error::Empty);
    }
    let plain = padded(text).ok_or(Error::TooLong { bytes: text.len() })?;
    let key = EncapsulationKey::from_bytes(key)?;
    let sealed = hpke::seal(&key, coins, (&info(route), &[]), &plain);
    Ok(SealedMessage { to: route.to, sealed })
}

/// Reads a message with the receiver's key; `route.to` is who reads.
///
/// # Errors
/// [`Error::Receiver`], [`Error::Altered`] or [`Error::Content`].
pub fn open(
    route: &Route,
    key: &DecapsulationKey,
    message: &SealedMessage,
) -> Result<String, Error> {
    if message.to != route.to {
        return Err(Error::Receiver { to: message.to });
    }
    let plain = hpke::open(key, (&info(route), &[]), &message.sealed)?;
    text_in(&plain).map_err(Error::Content)
}

/// HPKE's `info`: DAG-CBOR of `[domain, network, from, to]`.
fn info(route: &Route) -> Vec<u8> {
    let fields = (DOMAIN, route.network, route.from, route.to);
    serde_ipld_dagcbor::to_vec(&fields).expect("texts and byte strings always encode")
}

/// The length of a text, the text, and zeros up to the smallest size that takes both; `None` when
/// none does.
fn padded(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let needed = LENGTH_BYTES + text.len();
    let size = padded_sizes().find(|size| needed <= *size)?;
    // Reserved in full: growing would leave a copy behind.
    let mut plain = Zeroizing::new(Vec::with_capacity(size));
    plain.extend_from_slice(&u16::try_from(text.len()).ok()?.to_be_bytes());
    plain.extend_from_slice(text.as_bytes());
    plain.resize(size, 0);
    Some(plain)
}

/// The text in what [`padded`] gave; the one padding only.
fn text_in(plain: &[u8]) -> Result<String, &'static str> {
    let (length, rest) = plain.split_first_chunk().ok_or("it has no length")?;
    let length = usize::from(u16::from_be_bytes(*length));
    let (text, zeros) = rest.split_at_checked(length).ok_or("its length is beyond its end")?;
    let text = std::str::from_utf8(text).map_err(|_| "its text is no UTF-8")?;
    if text.is_empty() || zeros.iter().any(|byte| *byte != 0) {
        return Err("it is empty, or something stands behind it");
    }
    let smallest = padded(text).is_some_and(|again| again.len() == plain.len());
    if smallest { Ok(text.to_owned()) } else { Err("it is padded to another size than its own") }
}

#[cfg(test)]
mod tests;
