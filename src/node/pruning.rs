//! Dropping old vertices, so that a history may go on for ever with the room that there is.
//!
//! ```text
//!  too many vertices -> [ what an old checkpoint covers, is not among the newest, and is
//!                         settled ] -> dropped from the graph
//!                       |  one write: how far chains are covered, and    ("pruned/<n>", ...)
//!                       |  where deciding is
//!                       |  acknowledged
//!                       `-> writes that remove the vertices
//! ```
//!
//! Vertices that only carry votes, committees and operations are dropped once the engine says that
//! all of it is settled ([`State::is_past`]). What a run or a binding states stays. Of other
//! vertices nothing stays but that their positions are covered ([`crate::dag::Coverage`]), and
//! nodes that drop nothing do not ask for more either, so both agree for ever. Who never saw what
//! was dropped is handed a snapshot ([`super::joining`]). Without a committee there are no
//! checkpoints, and nothing is dropped.
//!
//! What checkpoints decided is stored once, as what is handed to those that come late: parts, which
//! are blobs, and the entries after them, in the record ([`crate::snapshot`]). Decisions are
//! forgotten by generations, and the parts of a forgotten one are removed from the store with the
//! second record after that.
//!
//! A crash is harmless at any write: either the record is there or nothing was removed, and what
//! was not removed yet is dropped again.

use std::cell::Cell;
use std::collections::BTreeSet;

use super::ends::Ends;
use super::numbered::Numbered;
use super::records::{self, Batch};
use super::snapshots::Snapshots;
use super::{Error, History, Node, Phase, writing};
use crate::clock::Now;
use crate::consensus::{Item, Record, State};
use crate::dag::cbor::{self, Bounds};
use crate::dag::{BlobId, Coverage, Graph, SignedVertex, VertexId, settled_height};
use crate::identity::{AuthorId, NetworkId};
use crate::limits;
use crate::snapshot::{Entry, Start};

/// The first part of the names of records in the store.
const NAME: &str = "pruned/";
/// The name of how far chains were covered when a vertex was accepted whose parents are not here;
/// after all records.
const COVERED: &str = "pruned/covered";
/// The unit of a write that holds a record; groups count theirs from 0.
const UNIT: u64 = u64::MAX;

/// How far chains are covered by what these values say whose names begin with `pruned/`, for who
/// reads a store beside its node. What cannot be read says nothing.
pub fn coverage_of(values: &[Vec<u8>]) -> Coverage {
    let of_record = |bytes: &Vec<u8>| Some(Batch::decode(bytes).ok()?.cover?.coverage);
    let all = values.iter().filter_map(|bytes| of_record(bytes).or_else(|| read_coverage(bytes)));
    all.max_by_key(Coverage::positions).unwrap_or_default()
}

fn read_coverage(bytes: &[u8]) -> Option<Coverage> {
    let bytes_max = limits::STORE_VALUE_BYTES_MAX;
    let bounds = Bounds { bytes_max, items_max: bytes_max, depth_max: cbor::DEPTH_MAX };
    cbor::decode(bytes, &bounds).ok()
}

/// The records among named values, in their order, and how many names they have used.
fn records_in(meta: &[(String, Vec<u8>)]) -> (Vec<&(String, Vec<u8>)>, usize) {
    let is_record = |name: &str| name.starts_with(NAME) && name != COVERED;
    let mut found: Vec<_> = meta.iter().filter(|(name, _)| is_record(name)).collect();
    let names = found.len();
    found.retain(|(_, bytes)| !bytes.is_empty());
    found.sort_unstable();
    (found, names)
}

/// The blobs that a start needs whole, by what the records among named values say.
pub fn chunks_of(meta: &[(String, Vec<u8>)]) -> Vec<BlobId> {
    let last = records_in(meta).0.pop().and_then(|(_, bytes)| Batch::decode(bytes).ok());
    let cover = last.and_then(|last| last.cover);
    cover.map(|cover| cover.log().needed()).unwrap_or_default()
}

/// How far the history was pruned.
#[derive(Debug, Default)]
pub(super) struct Pruning {
    /// Names of records in the store (count).
    pub(super) records: usize,
    /// The height up to which checkpoints may cover vertices that are not here.
    pub(super) dropped_to: u64,
    /// Covered positions in the store, beside those of records (count).
    covered: u64,
    /// The epoch in which nothing more may be said.
    pub(super) mute: Option<u64>,
    /// Vertices to remove when the record is durable, and parts that the record before had no use
    /// for.
    under_way: Option<(Vec<VertexId>, Vec<BlobId>)>,
    /// Parts that the last record has no use for.
    pub(super) unused: Vec<BlobId>,
    /// Certificates of ended epochs.
    pub(super) ends: Ends,
    /// Not before this time again.
    next_ms: u64,
}

impl Pruning {
    /// Whether vertices are about to be dropped.
    pub(super) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// So many records of a snapshot of this height were added.
    pub(super) fn handed(&mut self, records: usize, height: u64, mute: Option<u64>) {
        self.records = self.records.max(records);
        (self.dropped_to, self.mute) = (height, mute);
    }
}

/// What the records in a store say.
#[derive(Debug, Default)]
pub(super) struct Pruned {
    batch: Option<Batch>,
    records: usize,
    /// What entries go on from, and checkpoints with what they decided.
    start: Option<Start>,
    entries: Vec<Entry>,
    ends: Ends,
}

impl Pruned {
    /// Reads the records of a store.
    fn read(meta: &[(String, Vec<u8>)], chunks: &[Vec<u8>]) -> Result<Self, Error> {
        let (found, records) = records_in(meta);
        let mut batches = Vec::with_capacity(found.len());
        for (place, (name, bytes)) in found.into_iter().enumerate() {
            if *name != name_of(place) {
                return Err(Error::Pruned("a record is missing".to_owned()));
            }
            batches.push(Batch::decode(bytes)?);
        }
        let batch = (!batches.is_empty()).then(|| Batch::join(batches));
        let cover = batch.as_ref().and_then(|batch| batch.cover.as_ref());
        let read = cover.map(|cover| cover.log().read(chunks)).transpose();
        let (start, entries) =
            read.map_err(|error| Error::Pruned(error.to_string()))?.unwrap_or_default();
        Ok(Self { batch, records, start, entries, ends: Ends::restore(meta) })
    }

    /// Lets an empty graph know how far it is covered.
    fn restore_coverage(&self, graph: &mut Graph) {
        if let Some(cover) = self.batch.as_ref().and_then(|batch| batch.cover.as_ref()) {
            graph.restore_coverage(cover.coverage.clone());
        }
    }
}

/// Rebuilds the graph from a store, without the vertices that were dropped.
pub(super) fn restore(
    network: NetworkId,
    me: &AuthorId,
    vertices: &[Vec<u8>],
    meta: &[(String, Vec<u8>)],
    chunks: &[Vec<u8>],
) -> Result<(writing::History, Pruned), Error> {
    let pruned = Pruned::read(meta, chunks)?;
    let mut empty = Graph::new(network);
    pruned.restore_coverage(&mut empty);
    if let Some((_, bytes)) = meta.iter().find(|(name, _)| name == COVERED) {
        let damaged = || Error::Pruned("how far chains are covered cannot be read".to_owned());
        empty.foresee_coverage(read_coverage(bytes).ok_or_else(damaged)?);
    }
    let mut history = writing::restore(empty, me, vertices)?;
    if let Some(last) = &pruned.batch {
        history.graph.restore_ended(&last.ended);
    }
    Ok((history, pruned))
}

impl Node {
    /// Makes it durable that the parents of a vertex which are not here are covered: the next start
    /// finds checkpoints again after the vertices.
    pub(super) fn remember_coverage_for(&mut self, signed: &SignedVertex) {
        if self.graph.has_parents(signed) {
            return;
        }
        let positions = self.graph.coverage().positions();
        if positions > self.pruning.covered {
            self.pruning.covered = positions;
            let bytes = cbor::encode(self.graph.coverage());
            self.writer.add_meta(COVERED, bytes.expect("lists, bytes and numbers always encode"));
        }
    }

    /// Lets a new engine know what dropped vertices led to.
    pub(super) fn restore_past(&mut self, pruned: Pruned, now: Now) -> Result<(), Error> {
        let Pruned { batch, records, start, entries, ends } = pruned;
        self.pruning.ends = ends;
        let Some(batch) = batch else { return Ok(()) };
        let cover = batch.cover.as_ref();
        let restored = cover.map(|cover| Snapshots::restore(cover, start.as_ref(), &entries));
        self.snapshots = restored.unwrap_or_default();
        self.pruning.records = records;
        self.pruning.unused.clone_from(&self.snapshots.retired);
        self.pruning.dropped_to = self.snapshots.log.height;
        self.pruning.mute = batch.mute;
        self.deciding.finalised = Numbered::from(batch.first);
        for item in batch.finalised {
            self.deciding.finalised.push(item);
        }
        for (number, item) in batch.own {
            self.deciding.own.keep(number, item);
        }
        let kept = self.graph.iter().flat_map(|signed| Record::of(signed).items);
        let mut items: Vec<Item> = kept.chain(batch.items).collect();
        let steps: Vec<_> = entries.iter().map(Entry::step).collect();
        items.extend(entries.into_iter().flat_map(|entry| entry.items));
        let Some(engine) = self.deciding.engine.quorum_mut() else { return Ok(()) };
        engine.note_covered(self.graph.coverage().tips());
        let base = start.as_ref().map(Start::footing);
        let resumed = engine.resume(base, &steps, batch.past, items, now);
        resumed.map_err(|error| Error::Pruned(error.to_string()))?;
        self.forget_finalised(Vec::new());
        let Some(engine) = self.deciding.engine.quorum() else { return Ok(()) };
        for checkpoint in engine.checkpoints().cloned().collect::<Vec<_>>() {
            self.on_checkpoint(checkpoint);
        }
        Ok(())
    }

    /// Drops old vertices when there are too many.
    pub(super) fn prune(&mut self, now: Now) {
        let History::Newest(keep) = self.config.history else { return };
        let many = self.graph.len() >= keep.saturating_add(keep / 2)
            || self.graph.size_bytes() >= limits::GRAPH_BYTES_MAX / 4 * 3;
        let free = self.pruning.under_way.is_none() && !self.writer.is_removing();
        if !many || !free || self.phase != Phase::Running || now.mono_ms < self.pruning.next_ms {
            return;
        }
        self.pruning.next_ms = now.mono_ms.saturating_add(limits::PRUNE_RETRY_MS);
        // What is dropped has to be in a snapshot, and none may be on its way here.
        let is_busy = !self.snapshots.pending.is_empty() || self.joining.is_under_way();
        if self.cut.is_some() || self.writer.is_failing() || is_busy {
            return;
        }
        let Some(engine) = self.deciding.engine.quorum() else { return };
        let uncut = engine.decisions().len().saturating_sub(engine.certified_decisions().len());
        let height = engine.last_checkpoint().map_or(0, |last| last.height);
        let log = &self.snapshots.log;
        let is_here = log.height == height && log.parts().all(|id| self.blobs.is_local(&id));
        let fits = uncut <= records::UNCUT_MAX && is_here;
        // Nobody could come late where members do not sign.
        let Some(certified) = fits.then(|| self.last_certified()).flatten() else {
            return self.counters.count("history-not-dropped");
        };
        let Some(engine) = self.deciding.engine.quorum() else { return };
        self.pruning.next_ms = now.mono_ms.saturating_add(limits::PRUNE_INTERVAL_MS);
        let room = Room::default();
        let keep = keep.min(self.graph.len() / 3 * 2);
        let ids = self.graph.prune(keep, |signed| room.takes(signed, engine));
        if ids.is_empty() {
            return;
        }
        self.counters.count("history-pruned");
        self.snapshots.dropped = Some(certified);
        self.pruning.dropped_to = settled_height(self.snapshots.log.height);
        let used: BTreeSet<BlobId> = self.snapshots.log.parts().collect();
        let unused = std::mem::take(&mut self.pruning.unused).into_iter();
        let parts: BTreeSet<BlobId> = unused.filter(|part| !used.contains(part)).collect();
        self.snapshots.retired.retain(|part| !used.contains(part));
        // The record names those too that go after it, or a crash would leave them for ever.
        let Some(batch) = self.batch() else { return };
        self.snapshots.retired.retain(|part| !parts.contains(part));
        self.pruning.unused.clone_from(&self.snapshots.retired);
        let records = batch.into_records();
        let count = records.len();
        self.writer.add_unit(UNIT, named(records, self.pruning.records), Vec::new());
        self.pruning.records = self.pruning.records.max(count);
        if let Some(engine) = self.deciding.engine.quorum_mut() {
            engine.forget(&ids);
        }
        self.pruning.under_way = Some((ids, parts.into_iter().collect()));
    }

    fn batch(&self) -> Option<Batch> {
        let engine = self.deciding.engine.quorum()?;
        let finalised = &self.deciding.finalised;
        // The others are in the entries of their checkpoints.
        let lost = |item: &&Item| {
            item.author == self.me && item.keys.iter().any(|k| engine.decided(k) != Some(item.id))
        };
        Some(Batch {
            ended: self.graph.ended().collect(),
            items: engine.items().filter(lost).cloned().collect(),
            past: engine.past(),
            first: finalised.first(),
            finalised: finalised.since(0).map(|(_, item)| item).collect(),
            own: self.deciding.own.since(0).map(|(n, item)| (n, item.clone())).collect(),
            cover: Some(self.snapshots.cover(self.graph.coverage().clone())),
            mute: self.pruning.mute,
        })
    }

    /// Units of writes are durable: what was dropped may leave the store, if the record is there.
    pub(super) fn record_durable(&mut self, units: &[u64]) {
        if units.contains(&UNIT)
            && let Some((ids, mut parts)) = self.pruning.under_way.take()
        {
            let used: BTreeSet<BlobId> = self.snapshots.log.parts().collect();
            parts.retain(|part| !used.contains(part));
            for part in &parts {
                self.blobs.remove(part);
            }
            self.writer.remove(ids, parts);
        }
    }
}

/// What one record still holds.
struct Room {
    vertices: Cell<usize>,
    bytes: Cell<usize>,
}

impl Default for Room {
    fn default() -> Self {
        Self {
            vertices: Cell::new(limits::PRUNE_VERTICES_MAX),
            bytes: Cell::new(limits::STORE_VALUE_BYTES_MAX / 4),
        }
    }
}

impl Room {
    /// Whether a vertex is dropped: nothing in it is open, and there is room for what it decided.
    fn takes(&self, signed: &SignedVertex, engine: &State) -> bool {
        if signed.is_lasting() {
            return false;
        }
        let record = Record::of(signed);
        // An item has its fields, and 32 bytes for each of its keys.
        let bytes = if record.items.is_empty() { 0 } else { 2 * signed.size_bytes() };
        let (vertices, left) = (self.vertices.get(), self.bytes.get());
        if vertices == 0 || left < bytes || !engine.is_past(&record) {
            return false;
        }
        self.vertices.set(vertices - 1);
        self.bytes.set(left - bytes);
        true
    }
}

/// Records under their names, whose order is theirs, and empty ones for the rest of so many names.
pub(super) fn named(records: Vec<Vec<u8>>, names: usize) -> Vec<(String, Vec<u8>)> {
    let empty = names.saturating_sub(records.len());
    let all = records.into_iter().chain(std::iter::repeat_n(Vec::new(), empty));
    all.enumerate().map(|(place, bytes)| (name_of(place), bytes)).collect()
}

fn name_of(place: usize) -> String {
    format!("{NAME}{place:010}")
}
