//! One vertex: its fields, its exact bytes, its name and its signature.
//!
//! The name is the CID of the exact bytes. What the author signs is the deterministic CBOR list
//! `[network, author, seq, link to the vertex]`, a *claim* of about 120 bytes that commits to the
//! exact bytes through the link. Signing the claim instead of the bytes keeps a proof of
//! equivocation small (two claims and two signatures, 7 KiB, whatever the vertices held), and lets
//! a proof be checked by someone who has neither vertex; see decision record 0004.
//!
//! On the wire and in the store a vertex is the DAG-CBOR list `[vertex bytes, signature bytes]`.
//! Its vertex bytes are a byte string and never re-encoded on the way.

#[cfg(feature = "sim")]
mod shared;

use std::sync::{Arc, OnceLock};

#[cfg(feature = "sim")]
pub(crate) use shared::forget_decoded;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::mutant::{self, Check};
use super::payload::{ascending, count, range};
use super::{Error, Payload, VertexId, cbor};
use crate::crypto::sign::{Context, PublicKey, SUITE, Signature, SigningKey};
use crate::identity::{AuthorId, Binding, NetworkId};
use crate::limits;

/// The version of vertex this program writes and reads.
pub const VERSION: u8 = 2;

/// Bounds of the encoded fields.
const VERTEX_BOUNDS: cbor::Bounds = cbor::Bounds {
    bytes_max: limits::VERTEX_BYTES_MAX,
    items_max: limits::VERTEX_ITEMS_MAX,
    depth_max: limits::VERTEX_DEPTH_MAX,
};

/// Bounds of the list around them.
const ENVELOPE_BOUNDS: cbor::Bounds =
    cbor::Bounds { bytes_max: limits::SIGNED_VERTEX_BYTES_MAX, items_max: 3, depth_max: 1 };

/// What a vertex says of another one: enough to go on from it without having it.
///
/// In DAG-CBOR the list `[link to the vertex, author, seq, lamport]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "CitationFields", into = "CitationFields")]
pub struct Citation {
    /// Its name.
    pub id: VertexId,
    /// Who wrote it.
    pub author: AuthorId,
    /// Its position in the author's chain.
    pub seq: u64,
    /// Its Lamport time.
    pub lamport: u64,
}

type CitationFields = (VertexId, AuthorId, u64, u64);

/// The fields of a vertex, as they stand in its DAG-CBOR map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vertex {
    /// [`VERSION`].
    pub version: u8,
    /// The network it belongs to.
    pub network: NetworkId,
    /// Who says this.
    pub author: AuthorId,
    /// Position in the author's chain, from 0.
    pub seq: u64,
    /// The author's vertex before this one; `None` at position 0 only.
    pub prev: Option<VertexId>,
    /// What the author had seen: at most 16, ids strictly ascending, `prev` among them. Empty at
    /// position 0 only.
    pub parents: Vec<Citation>,
    /// One more than the greatest Lamport time of the parents; 1 at position 0.
    pub lamport: u64,
    /// The author's clock, milliseconds since 1970. Advisory: nothing depends on it.
    pub time_ms: u64,
    /// The statements, 1 to 128.
    pub payloads: Vec<Payload>,
}

/// A vertex with its exact bytes, its name and its author's signature.
///
/// That it exists means that the bytes are canonical and every local rule holds. That the
/// signature verifies is checked against the author's key, by [`super::Graph`]. Clones share it.
#[derive(Clone, Debug, PartialEq)]
pub struct SignedVertex(Arc<Signed>);

#[derive(Debug, PartialEq)]
struct Signed {
    vertex: Vertex,
    id: VertexId,
    bytes: Vec<u8>,
    signature: Signature,
    known: Known,
}

/// What was found out about a vertex, once for all who share it. It follows from the bytes, so it
/// makes no difference between two.
#[derive(Debug, Default)]
struct Known {
    /// The key in an identity vertex, if it is the author's: expanding one takes a while.
    key: OnceLock<PublicKey>,
    /// That the signature verifies with the author's key. In a simulation a thousand nodes would
    /// find out the same.
    #[cfg(feature = "sim")]
    verified: OnceLock<()>,
}

impl PartialEq for Known {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// What an author signs for a vertex.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claim(pub NetworkId, pub AuthorId, pub u64, pub VertexId);

impl Claim {
    /// The signed bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        cbor::encode(self).expect("byte strings, a number and a link always encode")
    }
}

impl From<CitationFields> for Citation {
    fn from((id, author, seq, lamport): CitationFields) -> Self {
        Self { id, author, seq, lamport }
    }
}

impl From<Citation> for CitationFields {
    fn from(Citation { id, author, seq, lamport }: Citation) -> Self {
        (id, author, seq, lamport)
    }
}

impl Vertex {
    /// The first vertex of an author's chain: its key and its first binding.
    pub fn identity(network: NetworkId, key: &PublicKey, binding: Binding, time_ms: u64) -> Vertex {
        let public_key = key.as_bytes().to_vec();
        let payload =
            Payload::Identity { suite: SUITE, public_key, binding, sealing_key: None, pass: None };
        Vertex {
            version: VERSION,
            network,
            author: AuthorId::of(key),
            seq: 0,
            prev: None,
            parents: Vec::new(),
            lamport: 1,
            time_ms: time_ms.min(limits::VERTEX_NUMBER_MAX),
            payloads: vec![payload],
        }
    }

    /// An identity vertex with the author's sealing key; any other as it is.
    #[must_use]
    pub fn with_sealing_key(mut self, key: &[u8]) -> Vertex {
        if let [Payload::Identity { sealing_key, .. }] = self.payloads.as_mut_slice() {
            *sealing_key = Some(ByteBuf::from(key));
        }
        self
    }

    /// An identity vertex with what its author enters a permissioned network with.
    #[must_use]
    pub fn with_pass(mut self, bytes: Option<Vec<u8>>) -> Vertex {
        if let [Payload::Identity { pass, .. }] = self.payloads.as_mut_slice() {
            *pass = bytes.map(ByteBuf::from);
        }
        self
    }

    /// The pass in an identity vertex.
    pub fn pass(&self) -> Option<&[u8]> {
        match self.payloads.first() {
            Some(Payload::Identity { pass, .. }) => pass.as_ref().map(|pass| &pass[..]),
            _ => None,
        }
    }

    /// The sealing key in an identity vertex.
    pub fn sealing_key(&self) -> Option<&[u8]> {
        match self.payloads.first() {
            Some(Payload::Identity { sealing_key, .. }) => sealing_key.as_ref().map(|key| &key[..]),
            _ => None,
        }
    }

    /// Checks every rule that needs no other vertex.
    fn validate(&self) -> Result<(), Error> {
        if self.version != VERSION {
            return Err(Error::Version { found: self.version, known: VERSION });
        }
        range("seq", self.seq, 0, limits::VERTEX_NUMBER_MAX)?;
        range("lamport", self.lamport, 1, limits::VERTEX_NUMBER_MAX)?;
        range("time_ms", self.time_ms, 0, limits::VERTEX_NUMBER_MAX)?;
        count("payloads", self.payloads.len(), 1, limits::VERTEX_PAYLOADS_MAX)?;
        count("parents", self.parents.len(), 0, limits::VERTEX_PARENTS_MAX)?;
        let ids: Vec<VertexId> = self.parent_ids().collect();
        ascending("parents", &ids)?;
        for parent in &self.parents {
            range("seq", parent.seq, 0, limits::VERTEX_NUMBER_MAX)?;
            range("lamport", parent.lamport, 1, limits::VERTEX_NUMBER_MAX)?;
        }
        self.validate_position()?;
        let lamport = 1 + self.parents.iter().map(|parent| parent.lamport).max().unwrap_or(0);
        if self.lamport != lamport && !mutant::skips(Check::Lamport) {
            return Err(Error::Lamport { found: self.lamport, expected: lamport });
        }
        self.payloads.iter().try_for_each(|payload| payload.validate(&self.network))
    }

    /// The rules of position 0 and of every other.
    fn validate_position(&self) -> Result<(), Error> {
        let identities =
            self.payloads.iter().filter(|payload| matches!(payload, Payload::Identity { .. }));
        if self.seq == 0 {
            let reason = match (identities.count(), self.payloads.len()) {
                (1, 1) if self.prev.is_some() || !self.parents.is_empty() => {
                    "it has neither prev nor parents"
                }
                (1, 1) => return Ok(()),
                _ => "position 0 holds the identity payload and no other",
            };
            return Err(Error::Identity { reason });
        }
        if identities.count() > 0 {
            return Err(Error::Identity { reason: "the identity payload is for position 0 only" });
        }
        let Some(prev) = self.prev else {
            return Err(Error::Prev { seq: self.seq, reason: "only position 0 has no prev" });
        };
        if mutant::skips(Check::Prev) {
            return Ok(());
        }
        let Some(cited) = self.parents.iter().find(|parent| parent.id == prev) else {
            return Err(Error::Prev { seq: self.seq, reason: "prev must be one of the parents" });
        };
        if cited.author != self.author {
            return Err(Error::PrevForeign { prev, found: cited.author, author: self.author });
        }
        let expected = cited.seq.saturating_add(1);
        if self.seq != expected {
            return Err(Error::Seq { found: self.seq, expected });
        }
        Ok(())
    }

    /// The names of the parents.
    pub fn parent_ids(&self) -> impl Iterator<Item = VertexId> {
        self.parents.iter().map(|parent| parent.id)
    }
}

impl SignedVertex {
    /// Encodes and signs a vertex. `hedge` is fresh randomness.
    ///
    /// The fields are read back from the bytes, so that the author holds exactly what everybody
    /// else will read (a negative zero, for one, becomes zero).
    ///
    /// # Errors
    /// Every local rule that a receiver would refuse it for, and [`Error::ForeignKey`].
    pub fn sign(vertex: &Vertex, key: &SigningKey, hedge: [u8; 32]) -> Result<Self, Error> {
        let key_of = AuthorId::of(key.public());
        if key_of != vertex.author {
            return Err(Error::ForeignKey { author: vertex.author, key_of });
        }
        let bytes = cbor::encode(vertex).map_err(of("vertex"))?;
        let vertex = read(&bytes)?;
        let id = VertexId::of(&bytes);
        let claim = Claim(vertex.network, vertex.author, vertex.seq, id);
        let signature = key.sign(Context::Vertex, &claim.encode(), hedge);
        Ok(Self(Arc::new(Signed { vertex, id, bytes, signature, known: Known::default() })))
    }

    /// Puts a vertex together from its exact bytes and its signature.
    ///
    /// # Errors
    /// As [`SignedVertex::decode`].
    pub fn from_parts(bytes: Vec<u8>, signature: Signature) -> Result<Self, Error> {
        let vertex = read(&bytes)?;
        let id = VertexId::of(&bytes);
        Ok(Self(Arc::new(Signed { vertex, id, bytes, signature, known: Known::default() })))
    }

    /// Reads the wire form. Total and bounded: nothing is allocated on a stranger's word.
    ///
    /// # Errors
    /// [`Error::Encoding`] for anything but the canonical bytes of a vertex, otherwise the first
    /// local rule that is broken.
    pub fn decode(encoded: &[u8]) -> Result<Self, Error> {
        #[cfg(feature = "sim")]
        return shared::decoded(encoded, Self::read);
        #[cfg(not(feature = "sim"))]
        Self::read(encoded)
    }

    fn read(encoded: &[u8]) -> Result<Self, Error> {
        let (bytes, signature): (ByteBuf, ByteBuf) =
            cbor::decode(encoded, &ENVELOPE_BOUNDS).map_err(of("signed vertex"))?;
        let signature = Signature::from_bytes(&signature).map_err(|error| Error::Encoding {
            what: "signed vertex",
            source: cbor::Error::Shape { reason: error.to_string() },
        })?;
        Self::from_parts(bytes.into_vec(), signature)
    }

    /// The wire form: the DAG-CBOR list `[vertex bytes, signature bytes]`.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode_pair(&self.0.bytes, self.0.signature.as_bytes())
    }

    /// The fields.
    pub fn vertex(&self) -> &Vertex {
        &self.0.vertex
    }

    /// The name.
    pub fn id(&self) -> VertexId {
        self.0.id
    }

    /// What another one says of it as a parent.
    pub fn citation(&self) -> Citation {
        let Vertex { author, seq, lamport, .. } = self.0.vertex;
        Citation { id: self.0.id, author, seq, lamport }
    }

    /// The exact bytes that the name is the hash of.
    pub fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// The author's signature over the claim.
    pub fn signature(&self) -> &Signature {
        &self.0.signature
    }

    /// Bytes of memory and storage this vertex is counted with.
    pub fn size_bytes(&self) -> usize {
        self.0.bytes.len() + self.0.signature.as_bytes().len()
    }

    /// Upper bound of the length of [`SignedVertex::encode`], without encoding.
    pub fn encoded_bytes(&self) -> usize {
        // A list head, and two string heads of at most five bytes.
        self.size_bytes() + 11
    }

    /// Verifies both halves of the signature with the author's key.
    ///
    /// # Errors
    /// [`Error::ForeignKey`] when the key is not the author's, else [`Error::Signature`].
    pub fn verify(&self, key: &PublicKey) -> Result<(), Error> {
        let key_of = AuthorId::of(key);
        if key_of != self.0.vertex.author {
            return Err(Error::ForeignKey { author: self.0.vertex.author, key_of });
        }
        self.verify_by(key)
    }

    /// The same with a key that is known to be the author's: the hash of a key is 2 KB of work.
    pub(super) fn verify_by(&self, key: &PublicKey) -> Result<(), Error> {
        #[cfg(feature = "sim")]
        if self.0.known.verified.get().is_some() {
            return Ok(());
        }
        let verified = self.check_signature(key);
        #[cfg(feature = "sim")]
        if verified.is_ok() {
            let _ = self.0.known.verified.set(());
        }
        verified
    }

    /// The author's key, which was found in this identity vertex before.
    pub(super) fn known_key(&self) -> Option<&PublicKey> {
        self.0.known.key.get()
    }

    /// Remembers that this is the author's key.
    pub(super) fn keep_key(&self, key: &PublicKey) {
        let _ = self.0.known.key.set(key.clone());
    }

    fn check_signature(&self, key: &PublicKey) -> Result<(), Error> {
        key.verify(Context::Vertex, &self.claim().encode(), &self.0.signature).map_err(|source| {
            Error::Signature { id: self.0.id, author: self.0.vertex.author, source }
        })
    }

    /// What the author signed.
    pub(super) fn claim(&self) -> Claim {
        Claim(self.0.vertex.network, self.0.vertex.author, self.0.vertex.seq, self.0.id)
    }
}

/// Reads the exact bytes of a vertex.
fn read(bytes: &[u8]) -> Result<Vertex, Error> {
    let vertex: Vertex = cbor::decode(bytes, &VERTEX_BOUNDS).map_err(of("vertex"))?;
    vertex.validate()?;
    Ok(vertex)
}

fn of(what: &'static str) -> impl FnOnce(cbor::Error) -> Error {
    move |source| Error::Encoding { what, source }
}
