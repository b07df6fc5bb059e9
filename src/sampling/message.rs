//! What is said in a poll: a question, and a signed answer.
//!
//! Both are canonical DAG-CBOR. An answer's signature covers the list
//! `[network, asker, poll, key, preference]` in a context of its own, so it counts in one poll of
//! one asker and nowhere else: it cannot be replayed to another, in another poll, or for another
//! key.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Error;
use crate::crypto::sign::{self, Context, PublicKey, SigningKey};
use crate::dag::cbor;
use crate::dag::vote::{CheckpointSignature, ConflictKey, ItemId};
use crate::identity::{AuthorId, NetworkId};
use crate::limits;

/// Numbers, strings and lists of the longest message, and some to spare.
const BOUNDS: cbor::Bounds =
    cbor::Bounds { bytes_max: limits::POLL_MESSAGE_BYTES_MAX, items_max: 16, depth_max: 3 };

/// Name of one poll of one asker: 16 random bytes, so that nobody knows it before it is asked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PollId(#[serde(with = "serde_bytes")] [u8; 16]);

impl PollId {
    /// Takes the 16 bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for PollId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PollId({})", data_encoding::HEXLOWER.encode(&self.0))
    }
}

/// Which item has this key, in your opinion?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The poll.
    pub poll: PollId,
    /// The key.
    pub key: ConflictKey,
}

/// What a member says in a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ballot {
    /// The poll.
    pub poll: PollId,
    /// The key that was asked about.
    pub key: ConflictKey,
    /// The item that the member prefers now, or has decided on; `None` if it knows of none. It may
    /// be another one a moment later, and that is no offence.
    pub preference: Option<ItemId>,
}

/// A ballot with the signature of the member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// What is said.
    pub ballot: Ballot,
    /// The member's signature.
    pub signature: CheckpointSignature,
}

impl Question {
    /// The canonical bytes, some 70.
    ///
    /// # Panics
    /// Never: byte strings always encode.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(self).expect("byte strings always encode")
    }

    /// Reads one, whatever the bytes are.
    ///
    /// # Errors
    /// [`Error::Encoding`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        Ok(cbor::decode(bytes, &BOUNDS)?)
    }
}

impl Ballot {
    /// Signs the ballot for whoever asked. `hedge` is fresh randomness. 0.7 ms natively, 1.1 ms in
    /// wasm.
    pub fn sign(
        self,
        network: &NetworkId,
        asker: &AuthorId,
        key: &SigningKey,
        hedge: [u8; 32],
    ) -> Answer {
        let bytes = self.signed_bytes(network, asker);
        let signature = CheckpointSignature(key.sign(Context::Poll, &bytes, hedge));
        Answer { ballot: self, signature }
    }

    fn signed_bytes(&self, network: &NetworkId, asker: &AuthorId) -> Vec<u8> {
        cbor::encode(&(network, asker, self.poll, self.key, self.preference))
            .expect("byte strings, a link and a number always encode")
    }
}

impl Answer {
    /// Whether the member with this key said this to `asker` on `network`.
    ///
    /// # Errors
    /// [`sign::Error`] for the half of the signature that does not verify.
    pub fn verify(
        &self,
        network: &NetworkId,
        asker: &AuthorId,
        key: &PublicKey,
    ) -> Result<(), sign::Error> {
        let bytes = self.ballot.signed_bytes(network, asker);
        key.verify(Context::Poll, &bytes, &self.signature.0)
    }

    /// The canonical bytes, some 3,550.
    ///
    /// # Panics
    /// Never: byte strings, links and numbers always encode.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(self).expect("byte strings, a link and a number always encode")
    }

    /// Reads one, whatever the bytes are. It says nothing about the signature.
    ///
    /// # Errors
    /// [`Error::Encoding`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        Ok(cbor::decode(bytes, &BOUNDS)?)
    }
}
