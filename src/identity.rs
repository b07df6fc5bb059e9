//! Who speaks: author identities, the keys behind them, and their tie to a connection.
//!
//! An *author* is a composite signing key ([`crate::crypto::sign`]); its [`AuthorId`] is a hash of
//! the key, so a key can never be swapped under a name. The key itself travels once, in the
//! author's identity vertex. A *transport key* is a separate Ed25519 key that libp2p sees: the
//! draft behind the composite forbids using a component key twice, and a leaked transport key can
//! be replaced without losing the identity. A [`Binding`] signed by the author names the transport
//! key; every connection is checked against it.
//!
//! What this does not do: it knows no registry of names, no revocation beyond a newer binding, and
//! it trusts no key that did not hash to the id it is claimed for.

mod binding;
mod id;
mod secrets;

pub use binding::{Binding, Terms};
pub use id::{AuthorId, NetworkId, TransportId};
pub use secrets::{SECRETS_BYTES, Secrets};

use crate::crypto::sign;

/// Why an identity, a binding or a key file was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Text that is no id.
    #[error("{text:?} is no {what}: it takes {expected}")]
    Text {
        /// The kind of id.
        what: &'static str,
        /// The beginning of the text.
        text: String,
        /// The form that is needed.
        expected: &'static str,
    },
    /// Bytes of an id with a wrong length.
    #[error("a {what} has {expected} bytes, not {found}")]
    Length {
        /// The kind of id.
        what: &'static str,
        /// The allowed lengths.
        expected: &'static str,
        /// The length that was there.
        found: usize,
    },
    /// A key file that is damaged, foreign or from a newer version.
    #[error(
        "the identity file is unusable: {reason}; restore it from a backup or create a new one"
    )]
    Secrets {
        /// What is wrong with it, with numbers.
        reason: String,
    },
    /// A binding whose time span is empty or too long.
    #[error(
        "the binding of epoch {epoch} is valid from {from_ms} to {until_ms} ms, a span that must \
         be longer than 0 and at most {span_ms_max} ms; sign a new binding"
    )]
    BindingSpan {
        /// Epoch of the binding.
        epoch: u32,
        /// Start, milliseconds since 1970.
        from_ms: u64,
        /// End, milliseconds since 1970.
        until_ms: u64,
        /// Longest allowed span in milliseconds.
        span_ms_max: u64,
    },
    /// A binding that is not valid at this time.
    #[error(
        "the binding of epoch {epoch} holds from {from_ms} to {until_ms} ms, the clock says \
         {now_ms} ms; check the clock, else ask the peer to renew its binding"
    )]
    BindingTime {
        /// Epoch of the binding.
        epoch: u32,
        /// Start, milliseconds since 1970.
        from_ms: u64,
        /// End, milliseconds since 1970.
        until_ms: u64,
        /// The time it was checked at.
        now_ms: u64,
    },
    /// A binding or key signature that does not verify.
    #[error("the binding's signature does not verify: {0}")]
    Signature(#[from] sign::Error),
}

impl Error {
    /// Stable name of the cause.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Text { .. } => "id-text",
            Self::Length { .. } => "id-length",
            Self::Secrets { .. } => "secrets-unusable",
            Self::BindingSpan { .. } => "binding-span",
            Self::BindingTime { .. } => "binding-time",
            Self::Signature(_) => "binding-signature",
        }
    }
}

#[cfg(test)]
mod tests;
