//! What a network hands to those that come late, in parts that a quorum certified.
//!
//! Members drop old vertices ([`crate::dag::Graph::prune`]), and who comes late cannot fetch them
//! from anybody. It can be handed what the dropped ones amounted to. Each checkpoint adds an
//! [`Entry`]: the checkpoint, its decisions with their items, and how far its frontier covers the
//! chains of authors. All of it follows from decided blocks and named vertices, so every honest
//! node has the same entries.
//!
//! ```text
//!  entries        1 2 3 4 | 5 6 7 | 8 9 10 11 | 12 13 | 14 15 16 17 | 18 19
//!                 chunk     chunk   chunk       chunk   chunk         tail
//!  generations    ------ the first ---------->| state of 11           a chunk is closed at 16 KiB,
//!                                             |--- the second --->    a generation at 4 MiB
//!  manifest of height 19: both generations, the tail, where deciding goes on;
//!                         its digest is part of what members sign of checkpoint 19
//! ```
//!
//! Entries are not kept for ever. When those of a generation have grown to
//! [`limits::SNAPSHOT_GENERATION_BYTES`], the next one begins with the [`Start`] that they lead to:
//! the ledger, the peaks over all decisions, how far chains are covered. When a third one begins,
//! the first is forgotten, by everybody at the same height. So what is remembered is between one
//! and two generations long, whatever happened before.
//!
//! So one certificate, reached from the genesis through every change of committee as in a proof,
//! covers the manifest, and the manifest names each part by its hash: a part is checked when it
//! comes, from whomever, and a wrong one shows who sent it. Parts are blobs, fetched, stored and
//! served as any other.
//!
//! Cost: appending an entry hashes it once; a manifest hashes 36 bytes for each part; a new
//! generation takes a walk over the ledger.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::consensus::{Base, Checkpoint, Item, Onward};
use crate::crypto::hash::Digest;
use crate::dag::cbor::{self, Bounds};
use crate::dag::vote::Decision;
use crate::dag::{BlobId, Citation, Coverage, Layer, VertexId};
use crate::limits;

/// Generations that are remembered (count): a decision is, for one more at least.
const GENERATIONS: usize = 2;

/// Domain of the digests of manifests.
const MANIFEST_DOMAIN: &str = "synaptic-mesh 2026 snapshot v2";

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

/// Everything up to a height that whoever goes on from there needs, beside vertices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// What the engine goes on from.
    pub base: Base,
    /// How far chains are covered.
    pub coverage: Coverage,
    /// Vertices that are needed whole, ascending: what layers up to there name.
    pub lasting: Vec<VertexId>,
}

/// Entries that are forgotten together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Generation {
    /// The height of the last entry before them; 0 if they are the first of all.
    pub height: u64,
    /// Parts of the encoded [`Start`] at that height, in their order; none if they are the first.
    pub start: Vec<BlobId>,
    /// Closed chunks, in their order.
    pub chunks: Vec<BlobId>,
}

/// Everything up to a height, in as many bytes as one answer takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// What there is to hand out.
    pub log: Log,
    /// Where deciding goes on.
    pub onward: Onward,
}

/// The entries that are remembered, by the names of what holds them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// The height of the last entry.
    pub height: u64,
    /// One or two.
    generations: Vec<Generation>,
    /// Bytes of the entries of the last generation.
    bytes: u64,
    /// Encoded entries after the last chunk.
    tail: Vec<ByteBuf>,
}

/// A part of what is handed out, with its name.
pub type Part = (BlobId, Vec<u8>);

impl Entry {
    /// Its canonical bytes.
    fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// What an engine replays.
    pub fn step(&self) -> (Checkpoint, Vec<Decision>) {
        (self.checkpoint.clone(), self.decisions.clone())
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
        if manifest.log.height != sealed.height {
            return Err(Error::broken("a manifest is of another height than its checkpoint"));
        }
        manifest.log.check()?;
        Ok(manifest)
    }
}

impl Start {
    /// What an engine goes on from, and the last covered vertices of authors there.
    pub fn footing(&self) -> (Base, Vec<Citation>) {
        (self.base.clone(), self.coverage.tips().copied().collect())
    }

    /// Reads the parts of one, whose names were compared.
    ///
    /// # Errors
    /// [`Error::Broken`].
    pub fn decode(parts: &[Vec<u8>]) -> Result<Self, Error> {
        decode(&parts.concat(), limits::SNAPSHOT_START_BYTES_MAX)
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { height: 0, generations: vec![Generation::default()], bytes: 0, tail: Vec::new() }
    }
}

impl Log {
    /// Adds an entry. When that closes a chunk, gives it.
    pub fn push(&mut self, entry: &Entry) -> Option<Part> {
        self.height = entry.checkpoint.height;
        let entry = entry.encode();
        self.bytes = self.bytes.saturating_add(u64::try_from(entry.len()).unwrap_or(u64::MAX));
        self.tail.push(ByteBuf::from(entry));
        let bytes: usize = self.tail.iter().map(|entry| entry.len()).sum();
        (bytes >= limits::SNAPSHOT_CHUNK_BYTES).then(|| self.close_chunk())
    }

    fn close_chunk(&mut self) -> Part {
        let chunk = encode(&std::mem::take(&mut self.tail));
        let id = BlobId::of(&chunk);
        if let Some(last) = self.generations.last_mut() {
            last.chunks.push(id);
        }
        (id, chunk)
    }

    /// Whether a generation has to begin after the entry that was added last: its own has as many
    /// bytes as one may have, `bytes_max`.
    pub fn is_full(&self, bytes_max: u64) -> bool {
        self.bytes >= bytes_max
    }

    /// Begins a generation with what the entries so far lead to, and forgets the one before the
    /// last. Gives the parts that are new.
    pub fn begin(&mut self, start: &Start) -> Vec<Part> {
        let mut parts = Vec::new();
        if !self.tail.is_empty() {
            parts.push(self.close_chunk());
        }
        let bytes = encode(start);
        let pieces = bytes.chunks(limits::SNAPSHOT_CHUNK_BYTES);
        let of_start: Vec<Part> = pieces.map(|piece| (BlobId::of(piece), piece.to_vec())).collect();
        let (height, start) = (self.height, of_start.iter().map(|(id, _)| *id).collect());
        self.generations.push(Generation { height, start, chunks: Vec::new() });
        self.bytes = 0;
        if self.generations.len() > GENERATIONS {
            self.generations.remove(0);
        }
        parts.extend(of_start);
        parts
    }

    /// The heights after which the generations begin, in their order.
    pub fn begins(&self) -> impl Iterator<Item = u64> {
        self.generations.iter().map(|generation| generation.height)
    }

    /// Parts that [`Log::read`] reads, in their order.
    pub fn needed(&self) -> Vec<BlobId> {
        let first = self.generations.iter().take(1).flat_map(|first| &first.start);
        let chunks = self.generations.iter().flat_map(|generation| &generation.chunks);
        first.chain(chunks).copied().collect()
    }

    /// All parts.
    pub fn parts(&self) -> impl Iterator<Item = BlobId> {
        let of = |generation: &Generation| [&generation.start[..], &generation.chunks].concat();
        self.generations.iter().flat_map(of)
    }

    /// What entries go on from, and all entries, out of the contents of the parts that are
    /// [needed](Log::needed).
    ///
    /// # Errors
    /// [`Error::Broken`] when these are not the parts.
    pub fn read(&self, parts: &[Vec<u8>]) -> Result<(Option<Start>, Vec<Entry>), Error> {
        if !self.needed().into_iter().eq(parts.iter().map(|part| BlobId::of(part))) {
            return Err(Error::broken("a part is missing or damaged"));
        }
        let count = self.generations.first().map_or(0, |first| first.start.len());
        let (first, chunks) = parts.split_at(count.min(parts.len()));
        let start = (!first.is_empty()).then(|| Start::decode(first)).transpose()?;
        let mut entries = Vec::new();
        for chunk in chunks {
            entries.extend(entries_of(chunk)?);
        }
        for bytes in &self.tail {
            entries.push(Entry::decode(bytes)?);
        }
        let of_start = start.as_ref().map_or(0, |start| start.base.checkpoint.height);
        if self.begins().next() != Some(of_start) {
            return Err(Error::broken("a generation begins at another height than its start"));
        }
        Ok((start, entries))
    }

    /// What there is to hand out now.
    pub fn manifest(&self, onward: Onward) -> Manifest {
        Manifest { log: self.clone(), onward }
    }

    /// Whether generations follow one another as they do everywhere.
    fn check(&self) -> Result<(), Error> {
        let begins: Vec<u64> = self.begins().chain([self.height.saturating_add(1)]).collect();
        let ascends = begins.iter().zip(begins.iter().skip(1)).all(|(left, right)| left < right);
        let starts = self.generations.iter().all(|of| (of.height == 0) == of.start.is_empty());
        if (1..=GENERATIONS).contains(&self.generations.len()) && ascends && starts {
            return Ok(());
        }
        Err(Error::broken("its generations do not follow one another"))
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

/// How far chains are covered after these.
pub fn coverage_of<'a>(
    start: Option<&Start>,
    entries: impl IntoIterator<Item = &'a Entry>,
) -> Coverage {
    let first = start.map(|start| start.coverage.clone()).unwrap_or_default();
    first.then(entries.into_iter().map(|entry| &entry.layer))
}

/// Vertices that these name, and that are needed whole.
pub fn lasting_of(start: Option<&Start>, entries: &[Entry]) -> BTreeSet<VertexId> {
    let of_start = start.into_iter().flat_map(|start| &start.lasting);
    let of_layers = entries.iter().flat_map(|entry| &entry.layer.lasting);
    of_start.chain(of_layers).copied().collect()
}

/// Checks that entries are all those from a start up to a certified checkpoint, each on top of the
/// one before.
///
/// # Errors
/// [`Error::Broken`].
pub fn check_chain(
    start: Option<&Start>,
    entries: &[Entry],
    certified: &Checkpoint,
) -> Result<(), Error> {
    let first = start.map(|start| &start.base.checkpoint);
    let mut prev = first.map_or([0; 32], Checkpoint::id);
    let (height, mut decided) = first.map_or((0, 0), |first| (first.height, first.decided));
    for (entry, height) in entries.iter().zip(height.saturating_add(1)..) {
        let checkpoint = &entry.checkpoint;
        let more = u64::try_from(entry.decisions.len()).unwrap_or(u64::MAX);
        decided = u64::saturating_add(decided, more);
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
