//! Proof that an author signed two different vertices for one position of its chain.
//!
//! Each half is a signed [`Claim`]: network, author, position and vertex id, with the author's
//! composite signature. Two of them that differ in the id alone, together with the key that the
//! author id is the hash of, convince anyone: without either vertex, and without having heard of
//! the author before. That keeps the validity of a vertex that carries a proof independent of what
//! a node happens to know. An honest node cannot be framed: it stores a vertex before it sends it,
//! and never signs a second one for the same position.

use serde_bytes::ByteBuf;

use super::vertex::Claim;
use super::{Error, Payload, SignedVertex, VertexId, cbor};
use crate::crypto::sign::{Context, PUBLIC_KEY_BYTES, PublicKey, Signature};
use crate::identity::{AuthorId, NetworkId};
use crate::limits;

const HALF_BOUNDS: cbor::Bounds =
    cbor::Bounds { bytes_max: limits::CLAIM_BYTES_MAX, items_max: 3, depth_max: 1 };
const CLAIM_BOUNDS: cbor::Bounds =
    cbor::Bounds { bytes_max: limits::CLAIM_BYTES_MAX, items_max: 5, depth_max: 1 };

/// Two signed claims of one author for one position, and the author's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EquivocationProof {
    network: NetworkId,
    author: AuthorId,
    key: Box<[u8; PUBLIC_KEY_BYTES]>,
    seq: u64,
    first: (VertexId, Signature),
    second: (VertexId, Signature),
}

impl EquivocationProof {
    /// The proof that two vertices make, if they make one; `key` is their author's. Their
    /// signatures are taken as verified.
    pub fn of(one: &SignedVertex, other: &SignedVertex, key: &PublicKey) -> Option<Self> {
        let Claim(network, author, seq, _) = one.claim();
        let same = other.claim();
        if (same.0, same.1, same.2) != (network, author, seq)
            || one.id() == other.id()
            || AuthorId::of(key) != author
        {
            return None;
        }
        let (first, second) = if one.id() < other.id() { (one, other) } else { (other, one) };
        Some(Self {
            network,
            author,
            key: Box::new(*key.as_bytes()),
            seq,
            first: (first.id(), first.signature().clone()),
            second: (second.id(), second.signature().clone()),
        })
    }

    /// Reads a proof from the fields of its payload; says nothing yet about its signatures.
    ///
    /// # Errors
    /// [`Error::Encoding`] for a half that is no signed claim, [`Error::Proof`] for two that do
    /// not contradict each other or a key of the wrong length.
    pub fn from_fields(public_key: &[u8], first: &[u8], second: &[u8]) -> Result<Self, Error> {
        let (one, first_signature) = read_half(first)?;
        let (other, second_signature) = read_half(second)?;
        let Claim(network, author, seq, first_id) = one;
        let Claim(other_network, other_author, other_seq, second_id) = other;
        let wrong = |reason| Err(Error::Proof { reason });
        if network != other_network {
            return wrong("its halves belong to two networks");
        }
        if author != other_author {
            return wrong("its halves have two authors");
        }
        if seq != other_seq {
            return wrong("its halves are for two positions");
        }
        if first_id >= second_id {
            return wrong("its halves must name two vertices, the smaller id first");
        }
        let Ok(key) = <[u8; PUBLIC_KEY_BYTES]>::try_from(public_key) else {
            return wrong("the accused's key has a wrong length");
        };
        Ok(Self {
            network,
            author,
            key: Box::new(key),
            seq,
            first: (first_id, first_signature),
            second: (second_id, second_signature),
        })
    }

    /// The payload that carries this proof.
    pub fn to_payload(&self) -> Payload {
        Payload::Equivocation {
            public_key: self.key.to_vec(),
            first: self.half(&self.first),
            second: self.half(&self.second),
        }
    }

    /// Verifies that the key is the accused's and signed both claims.
    ///
    /// # Errors
    /// [`Error::Proof`], [`Error::ForeignKey`], or [`Error::Signature`] for the claim that is not
    /// the accused's.
    pub fn verify(&self) -> Result<(), Error> {
        let key = PublicKey::from_bytes(self.key.as_slice())
            .map_err(|_| Error::Proof { reason: "the accused's key is malformed" })?;
        let key_of = AuthorId::of(&key);
        if key_of != self.author {
            return Err(Error::ForeignKey { author: self.author, key_of });
        }
        for (id, signature) in [&self.first, &self.second] {
            let claim = Claim(self.network, self.author, self.seq, *id);
            key.verify(Context::Vertex, &claim.encode(), signature)
                .map_err(|source| Error::Signature { id: *id, author: self.author, source })?;
        }
        Ok(())
    }

    /// The network in which it happened.
    pub fn network(&self) -> NetworkId {
        self.network
    }

    /// Who equivocated.
    pub fn author(&self) -> AuthorId {
        self.author
    }

    /// The position that was filled twice.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The two vertices, the smaller id first.
    pub fn vertices(&self) -> (VertexId, VertexId) {
        (self.first.0, self.second.0)
    }

    fn half(&self, (id, signature): &(VertexId, Signature)) -> Vec<u8> {
        let claim = Claim(self.network, self.author, self.seq, *id).encode();
        cbor::encode_pair(&claim, signature.as_bytes())
    }
}

fn read_half(bytes: &[u8]) -> Result<(Claim, Signature), Error> {
    let wrong = |source| Error::Encoding { what: "half of an equivocation proof", source };
    let (claim, signature): (ByteBuf, ByteBuf) =
        cbor::decode(bytes, &HALF_BOUNDS).map_err(wrong)?;
    let claim: Claim = cbor::decode(&claim, &CLAIM_BOUNDS).map_err(wrong)?;
    let signature = Signature::from_bytes(&signature)
        .map_err(|error| wrong(cbor::Error::Shape { reason: error.to_string() }))?;
    Ok((claim, signature))
}
