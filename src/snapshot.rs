//! What a network hands to those that come late, in parts that a quorum certified.
//!
//! Members drop old vertices ([`crate::dag::Graph::prune`]), and who comes late cannot fetch them
//! from anybody. It can be handed what the dropped ones amounted to. Each checkpoint adds an
//! [`Entry`]: the checkpoint, its decisions with their items, and how far its frontier covers the
//! chains of authors. All of it follows from decided blocks and named vertices, so every honest
//! node has the same entries.
//!
//! ```text
//!  entries     1 2 3 4 | 5 6 7 | 8 9 10 11 | 12 13      a chunk is closed at 16 KiB, for ever
//!              chunk 0   chunk 1   chunk 2     tail
//!                 \         |        /          /
//!                  manifest of height 13: ids of the chunks, the tail, where deciding goes on
//!                           |
//!                  its digest is part of what members sign of checkpoint 13
//! ```
//!
//! So one certificate, reached from the genesis through every change of committee as in a proof,
//! covers the manifest, and the manifest names each chunk by its hash: a part is checked when it
//! comes, from whomever, and a wrong one shows who sent it. Chunks are blobs, fetched, stored and
//! served as any other.
//!
//! Cost: appending an entry hashes it once; a manifest hashes 36 bytes for each chunk.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::consensus::{Checkpoint, Item, Onward};
use crate::crypto::hash::Digest;
use crate::dag::cbor::{self, Bounds};
use crate::dag::vote::Decision;
use crate::dag::{BlobId, Layer};
use crate::limits;

/// Domain of the digests of manifests.
const MANIFEST_DOMAIN: &str = "synaptic-mesh 2026 snapshot v1";

/// Why a snapshot was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is not newer than what is here, or than an offer that was verified before.
    #[error("a snapshot of height {height}, and height {known} is known; ask another peer")]
    Stale {
        /// Its height.
        height: u64,
        /// What is known.
        known: u64,
    },
    /// The certificate does not verify.
    #[error("the certificate of a snapshot does not hold: {0}")]
    Certificate(#[from] crate::consensus::Error),
    /// The bytes are not those that the quorum certified.
    #[error("{what} is not what members signed")]
    Digest {
        /// Which part.
        what: &'static str,
    },
    /// Certified parts do not fit one another, or what is known here: a third of the committee or
    /// more broke the rules, or runs another version of this program.
    #[error("a certified snapshot does not hold together: {reason}")]
    Broken {
        /// What does not fit.
        reason: String,
    },
    /// The store cannot take it at once.
    #[error("a snapshot of {bytes} bytes; at most {bytes_max} are taken")]
    TooLarge {
        /// Its size as records.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
}

impl Error {
    /// Stable name of the cause.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Stale { .. } => "snapshot-stale",
            Error::Certificate(_) => "snapshot-certificate",
            Error::Digest { .. } => "snapshot-digest",
            Error::Broken { .. } => "snapshot-broken",
            Error::TooLarge { .. } => "snapshot-too-large",
        }
    }

    /// Whether the peer that sent it did something that no honest one does.
    pub fn blames_sender(&self) -> bool {
        matches!(self, Error::Certificate(_) | Error::Digest { .. })
    }

    #[expect(clippy::needless_pass_by_value, reason = "handed to `map_err`")]
    pub(crate) fn broken(reason: impl ToString) -> Self {
        Error::Broken { reason: reason.to_string() }
    }
}

/// What one checkpoint adds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The checkpoint, not sealed.
    pub checkpoint: Checkpoint,
    /// Its decisions, in their order.
    pub decisions: Vec<Decision>,
    /// What was decided, each item once.
    pub items: Vec<Item>,
    /// How far it covers chains beyond those before it.
    pub layer: Layer,
}

/// Everything up to a height, in as many bytes as one answer takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The height of the last entry.
    pub height: u64,
    /// Closed chunks, in their order.
    pub chunks: Vec<BlobId>,
    /// Encoded entries after them.
    pub tail: Vec<ByteBuf>,
    /// Where deciding goes on.
    pub onward: Onward,
}

/// The entries so far, as far as they have to be remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// The height of the last entry.
    pub height: u64,
    chunks: Vec<BlobId>,
    tail: Vec<ByteBuf>,
}

impl Entry {
    /// Its canonical bytes.
    fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads canonical bytes that were certified.
    ///
    /// # Errors
    /// [`Error::Broken`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        decode(bytes, limits::BLOB_BYTES_MAX)
    }
}

impl Manifest {
    /// Its canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// What members sign.
    pub fn digest_of(bytes: &[u8]) -> [u8; 32] {
        Digest::derive(MANIFEST_DOMAIN, &[bytes]).0
    }

    /// Reads the manifest that belongs to a checkpoint, which a quorum sealed and signed.
    ///
    /// # Errors
    /// [`Error::Digest`] when these are other bytes, [`Error::Broken`] when they are no manifest.
    pub fn open(bytes: &[u8], sealed: &Checkpoint) -> Result<Self, Error> {
        if Self::digest_of(bytes) != sealed.snapshot {
            return Err(Error::Digest { what: "a manifest" });
        }
        let manifest: Self = decode(bytes, limits::RESPONSE_BYTES_MAX)?;
        if manifest.height != sealed.height {
            return Err(Error::broken("a manifest is of another height than its checkpoint"));
        }
        Ok(manifest)
    }
}

impl Log {
    /// Adds an entry. When that closes a chunk, gives the chunk and its bytes.
    pub fn push(&mut self, entry: &Entry) -> Option<(BlobId, Vec<u8>)> {
        self.height = entry.checkpoint.height;
        self.tail.push(ByteBuf::from(entry.encode()));
        let bytes: usize = self.tail.iter().map(|entry| entry.len()).sum();
        if bytes < limits::SNAPSHOT_CHUNK_BYTES {
            return None;
        }
        let chunk = encode(&std::mem::take(&mut self.tail));
        let id = BlobId::of(&chunk);
        self.chunks.push(id);
        Some((id, chunk))
    }

    /// Closed chunks, in their order.
    pub fn chunks(&self) -> &[BlobId] {
        &self.chunks
    }

    /// All entries, out of the contents of the closed chunks.
    ///
    /// # Errors
    /// [`Error::Broken`] when these are not the chunks.
    pub fn entries(&self, chunks: &[Vec<u8>]) -> Result<Vec<Entry>, Error> {
        if !self.chunks.iter().copied().eq(chunks.iter().map(|chunk| BlobId::of(chunk))) {
            return Err(Error::broken("a chunk is missing or damaged"));
        }
        let mut entries = Vec::new();
        for chunk in chunks {
            entries.extend(entries_of(chunk)?);
        }
        for bytes in &self.tail {
            entries.push(Entry::decode(bytes)?);
        }
        Ok(entries)
    }

    /// What there is to hand out now.
    pub fn manifest(&self, onward: Onward) -> Manifest {
        let (height, chunks, tail) = (self.height, self.chunks.clone(), self.tail.clone());
        Manifest { height, chunks, tail, onward }
    }

    /// The log of who was handed a manifest with all its chunks.
    pub fn of(manifest: &Manifest) -> Self {
        let Manifest { height, chunks, tail, .. } = manifest.clone();
        Self { height, chunks, tail }
    }
}

/// The entries of a chunk, whose bytes were compared with its id.
///
/// # Errors
/// [`Error::Broken`].
pub fn entries_of(chunk: &[u8]) -> Result<Vec<Entry>, Error> {
    let entries: Vec<ByteBuf> = decode(chunk, limits::BLOB_BYTES_MAX)?;
    entries.iter().map(|bytes| Entry::decode(bytes)).collect()
}

/// Checks that entries are all those up to a certified checkpoint, each on top of the one before.
///
/// # Errors
/// [`Error::Broken`].
pub fn check_chain(entries: &[Entry], certified: &Checkpoint) -> Result<(), Error> {
    let (mut prev, mut decided) = ([0; 32], 0);
    for (entry, height) in entries.iter().zip(1..) {
        let checkpoint = &entry.checkpoint;
        decided += u64::try_from(entry.decisions.len()).unwrap_or(u64::MAX);
        if (checkpoint.height, checkpoint.prev, checkpoint.decided) != (height, prev, decided) {
            return Err(Error::broken("a checkpoint does not follow from the one before"));
        }
        prev = checkpoint.id();
    }
    if prev != certified.id() {
        return Err(Error::broken("the entries do not end in the certified checkpoint"));
    }
    Ok(())
}

fn encode(value: &impl Serialize) -> Vec<u8> {
    cbor::encode(value).expect("byte strings, numbers, texts and links always encode")
}

fn decode<T: DeserializeOwned + Serialize>(bytes: &[u8], bytes_max: usize) -> Result<T, Error> {
    let bounds = Bounds { bytes_max, items_max: bytes_max, depth_max: cbor::DEPTH_MAX };
    cbor::decode(bytes, &bounds).map_err(Error::broken)
}

#[cfg(test)]
mod tests;
