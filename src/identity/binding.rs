//! The tie between an author and the transport key its connections use.
//!
//! A binding is a statement of the author, "connections of this transport key are mine, from then
//! until then", with an epoch that only rises: of two bindings the one with the higher epoch
//! counts. It is signed by itself, not only by the vertex that carries it, so that it can be shown
//! to a peer that does not know the history yet.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{AuthorId, Error, NetworkId, TransportId};
use crate::crypto::sign::{Context, PublicKey, Signature, SigningKey};
use crate::limits::{BINDING_CLOCK_SKEW_MS, BINDING_SPAN_MS_MAX};

/// An author's signed statement that a transport key is its own for a span of time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Binding {
    /// The transport key.
    pub transport: TransportId,
    /// Rises with every new binding of the author.
    pub epoch: u32,
    /// Start of validity, milliseconds since 1970.
    pub valid_from_ms: u64,
    /// End of validity, milliseconds since 1970.
    pub valid_until_ms: u64,
    /// The author's signature over network, author and the fields above.
    #[serde(serialize_with = "signature_out", deserialize_with = "signature_in")]
    pub signature: Signature,
}

/// What a binding says, before it is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The transport key.
    pub transport: TransportId,
    /// Rises with every new binding of the author.
    pub epoch: u32,
    /// Start of validity, milliseconds since 1970.
    pub valid_from_ms: u64,
    /// End of validity, milliseconds since 1970.
    pub valid_until_ms: u64,
}

impl Binding {
    /// Signs `terms` with the author's `key`. `hedge` is fresh randomness.
    ///
    /// # Errors
    /// [`Error::BindingSpan`] when the span is empty or longer than the limit.
    pub fn sign(
        key: &SigningKey,
        network: &NetworkId,
        terms: Terms,
        hedge: [u8; 32],
    ) -> Result<Self, Error> {
        check_span(terms.epoch, terms.valid_from_ms, terms.valid_until_ms)?;
        let author = AuthorId::of(key.public());
        let message = message(network, &author, &terms);
        let signature = key.sign(Context::Binding, &message, hedge);
        let Terms { transport, epoch, valid_from_ms, valid_until_ms } = terms;
        Ok(Self { transport, epoch, valid_from_ms, valid_until_ms, signature })
    }

    /// Checks the span and the signature against `key`, for the author that `key` is. This does
    /// not look at a clock: whether it holds *now* is [`Binding::check_time`].
    ///
    /// # Errors
    /// [`Error::BindingSpan`] or [`Error::Signature`].
    pub fn verify(&self, key: &PublicKey, network: &NetworkId) -> Result<(), Error> {
        check_span(self.epoch, self.valid_from_ms, self.valid_until_ms)?;
        let message = message(network, &AuthorId::of(key), &self.terms());
        key.verify(Context::Binding, &message, &self.signature)?;
        Ok(())
    }

    /// Checks that the binding holds at `unix_ms`, give or take the clock skew of the limits.
    ///
    /// # Errors
    /// [`Error::BindingTime`] when it does not.
    pub fn check_time(&self, unix_ms: u64) -> Result<(), Error> {
        let earliest_ms = self.valid_from_ms.saturating_sub(BINDING_CLOCK_SKEW_MS);
        let latest_ms = self.valid_until_ms.saturating_add(BINDING_CLOCK_SKEW_MS);
        if (earliest_ms..=latest_ms).contains(&unix_ms) {
            return Ok(());
        }
        Err(Error::BindingTime {
            epoch: self.epoch,
            from_ms: self.valid_from_ms,
            until_ms: self.valid_until_ms,
            now_ms: unix_ms,
        })
    }

    /// What the binding says, without its signature.
    pub fn terms(&self) -> Terms {
        Terms {
            transport: self.transport.clone(),
            epoch: self.epoch,
            valid_from_ms: self.valid_from_ms,
            valid_until_ms: self.valid_until_ms,
        }
    }
}

fn check_span(epoch: u32, from_ms: u64, until_ms: u64) -> Result<(), Error> {
    match until_ms.checked_sub(from_ms) {
        Some(span_ms) if span_ms > 0 && span_ms <= BINDING_SPAN_MS_MAX => Ok(()),
        _ => Err(Error::BindingSpan { epoch, from_ms, until_ms, span_ms_max: BINDING_SPAN_MS_MAX }),
    }
}

/// The signed bytes: deterministic CBOR of `[network, author, transport, epoch, from, until]`.
fn message(network: &NetworkId, author: &AuthorId, terms: &Terms) -> Vec<u8> {
    let fields =
        (network, author, &terms.transport, terms.epoch, terms.valid_from_ms, terms.valid_until_ms);
    serde_ipld_dagcbor::to_vec(&fields).expect("byte strings and integers always encode")
}

fn signature_out<S: Serializer>(signature: &Signature, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_bytes(signature.as_bytes())
}

fn signature_in<'de, D: Deserializer<'de>>(input: D) -> Result<Signature, D::Error> {
    let bytes = serde_bytes::ByteBuf::deserialize(input)?;
    Signature::from_bytes(&bytes).map_err(serde::de::Error::custom)
}
