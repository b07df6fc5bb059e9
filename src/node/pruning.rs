//! Dropping old vertices, so that a history may go on for ever with the room that there is.
//!
//! ```text
//!  too many vertices -> [ what is behind the frontier of an old checkpoint, is not among the
//!                         newest, and is settled ] -> dropped from the graph
//!                       |  one write: stubs, and how far deciding is     ("pruned/<n>", ...)
//!                       |  acknowledged
//!                       `-> writes that remove the vertices
//! ```
//!
//! Vertices that only carry votes, committees and operations are dropped once the engine says that
//! all of it is settled ([`State::is_past`]). What a run or a binding states stays. A graph with
//! stubs judges new vertices as one that has everything, so nodes that prune and nodes that do not
//! agree for ever. Who never saw what was dropped is handed a snapshot ([`super::joining`]).
//! Without a committee there are no checkpoints, and nothing is dropped.
//!
//! What checkpoints decided is stored once, as what is handed to those that come late: chunks,
//! which are blobs, and the entries after them, in the last record ([`crate::snapshot`]).
//!
//! A crash is harmless at any write: either the record is there or nothing was removed, and what
//! was not removed yet is recognised by its stub at the next start.

use std::cell::Cell;

use super::records::{self, Batch};
use super::snapshots::Snapshots;
use super::{Error, History, Node, Phase, writing};
use crate::clock::Now;
use crate::consensus::{Item, Past, Record, State};
use crate::dag::{BlobId, Graph, SignedVertex, Stubs, VertexId};
use crate::identity::{AuthorId, NetworkId};
use crate::limits;
use crate::snapshot::Entry;

/// The first part of the names of records in the store.
const NAME: &str = "pruned/";
/// The unit of a write that holds a record; groups count theirs from 0.
const UNIT: u64 = u64::MAX;

/// What a stored record says about dropped vertices, for who reads a store beside its node.
///
/// # Errors
/// [`Error::Pruned`] when it cannot be read.
pub fn stubs_of(record: &[u8]) -> Result<Stubs, Error> {
    Ok(Batch::decode(record)?.stubs)
}

/// The blobs that a start needs whole, by what the records among named values say.
pub fn chunks_of(meta: &[(String, Vec<u8>)]) -> Vec<BlobId> {
    let records = meta.iter().filter(|(name, _)| name.starts_with(NAME));
    let last = records.max().and_then(|(_, bytes)| Batch::decode(bytes).ok());
    let cover = last.and_then(|last| last.cover);
    cover.map(|cover| cover.log().chunks().to_vec()).unwrap_or_default()
}

/// How far the history was pruned.
#[derive(Debug, Default)]
pub(super) struct Pruning {
    /// Records in the store, and what they hold of the list of what is final.
    pub(super) batches: usize,
    pub(super) finalised: usize,
    /// The epoch in which nothing more may be said.
    pub(super) mute: Option<u64>,
    /// Vertices to remove when the record is durable.
    under_way: Option<Vec<VertexId>>,
    /// Not before this time again.
    next_ms: u64,
}

impl Pruning {
    /// Whether vertices are about to be dropped.
    pub(super) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// So many records of a snapshot were added.
    pub(super) fn handed(&mut self, records: usize, mute: Option<u64>) {
        self.batches += records;
        self.mute = mute;
    }
}

/// What the records in a store say.
#[derive(Debug, Default)]
pub(super) struct Pruned {
    batches: Vec<Batch>,
    /// Checkpoints with what they decided.
    entries: Vec<Entry>,
}

impl Pruned {
    /// Reads the records of a store.
    fn read(meta: &[(String, Vec<u8>)], chunks: &[Vec<u8>]) -> Result<Self, Error> {
        let mut found: Vec<&(String, Vec<u8>)> =
            meta.iter().filter(|(name, _)| name.starts_with(NAME)).collect();
        found.sort_unstable();
        let mut batches = Vec::with_capacity(found.len());
        for (place, (name, bytes)) in found.into_iter().enumerate() {
            if *name != name_of(place) {
                return Err(Error::Pruned("a record is missing".to_owned()));
            }
            batches.push(Batch::decode(bytes)?);
        }
        let cover = batches.last().and_then(|last| last.cover.as_ref());
        let entries = cover.map_or(Ok(Vec::new()), |cover| cover.log().entries(chunks));
        let entries = entries.map_err(|error| Error::Pruned(error.to_string()))?;
        Ok(Self { batches, entries })
    }

    /// Lets an empty graph know what was dropped.
    fn restore_stubs(&self, graph: &mut Graph) -> Result<(), Error> {
        for batch in &self.batches {
            let restored = graph.restore_stubs(&batch.stubs);
            restored.map_err(|error| Error::Pruned(error.to_string()))?;
        }
        Ok(())
    }

    /// Lets a restored graph know who equivocated.
    fn restore_ended(&self, graph: &mut Graph) {
        if let Some(last) = self.batches.last() {
            graph.restore_ended(&last.ended);
            graph.restore_cover(last.cover.as_ref().map_or(&[], |cover| &cover.tips));
        }
    }
}

/// Rebuilds the graph from a store, with what stays of vertices that were dropped.
pub(super) fn restore(
    network: NetworkId,
    me: &AuthorId,
    vertices: &[Vec<u8>],
    meta: &[(String, Vec<u8>)],
    chunks: &[Vec<u8>],
) -> Result<(writing::History, Pruned), Error> {
    let pruned = Pruned::read(meta, chunks)?;
    let mut empty = Graph::new(network);
    pruned.restore_stubs(&mut empty)?;
    let mut history = writing::restore(empty, me, vertices)?;
    pruned.restore_ended(&mut history.graph);
    Ok((history, pruned))
}

impl Node {
    /// Lets a new engine know what dropped vertices led to, and removes those that have not left
    /// the store.
    pub(super) fn restore_past(
        &mut self,
        pruned: Pruned,
        leftover: Vec<VertexId>,
        now: Now,
    ) -> Result<(), Error> {
        self.writer.remove_vertices(leftover);
        if pruned.batches.is_empty() {
            return Ok(());
        }
        let mut items: Vec<Item> =
            self.graph.iter().flat_map(|signed| Record::of(signed).items).collect();
        let mut past = Past::default();
        self.pruning.batches = pruned.batches.len();
        if let Some(last) = pruned.batches.last() {
            self.snapshots = last.cover.as_ref().map(Snapshots::restore).unwrap_or_default();
            self.pruning.mute = last.mute;
        }
        for entry in pruned.entries {
            past.checkpoints.push(entry.checkpoint);
            past.certified.extend(entry.decisions);
            items.extend(entry.items);
        }
        for batch in pruned.batches {
            items.extend(batch.items);
            past = past.then(batch.past);
            for item in batch.finalised {
                self.deciding.note_final(item);
            }
        }
        self.pruning.finalised = self.deciding.finalised.len();
        self.note_seen();
        let Some(engine) = self.deciding.engine.quorum_mut() else { return Ok(()) };
        engine.resume(past, items, now).map_err(|error| Error::Pruned(error.to_string()))?;
        for checkpoint in engine.checkpoints().to_vec() {
            self.on_checkpoint(checkpoint);
        }
        Ok(())
    }

    /// Tells the engine of every vertex that the graph knows, and be it as a stub: the frontier of
    /// a block may name it.
    pub(super) fn note_seen(&mut self) {
        let timeline = self.graph.timeline();
        if let Some(engine) = self.deciding.engine.quorum_mut() {
            engine.note_seen(timeline.range(0..timeline.len()).map(|key| key.id));
        }
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
        self.pruning.next_ms = now.mono_ms.saturating_add(limits::PRUNE_INTERVAL_MS);
        // What is dropped has to be in a snapshot, and none may be on its way here.
        let is_busy = !self.snapshots.pending.is_empty() || self.joining.is_under_way();
        if self.cut.is_some() || self.writer.is_failing() || is_busy {
            return;
        }
        let Some(engine) = self.deciding.engine.quorum() else { return };
        let Some(frontier) = engine.old_frontier() else { return };
        let uncut = engine.decisions().len().saturating_sub(engine.certified_decisions().len());
        let height = engine.checkpoints().last().map_or(0, |last| last.height);
        let log = &self.snapshots.log;
        let is_here = log.height == height && log.chunks().iter().all(|id| self.blobs.is_local(id));
        if uncut > records::UNCUT_MAX || !is_here {
            return self.counters.count("history-not-dropped");
        }
        let room = Room::default();
        let keep = keep.min(self.graph.len() / 3 * 2);
        let dropped = self.graph.prune(frontier, keep, |signed| room.takes(signed, engine));
        let Some((stubs, ids)) = dropped else { return };
        self.counters.count("history-pruned");
        let Some(batch) = self.batch(stubs, &ids) else { return };
        self.pruning.finalised += batch.finalised.len();
        let names = (self.pruning.batches..).map(name_of);
        let records = batch.into_records();
        self.pruning.batches += records.len();
        self.writer.add_unit(UNIT, names.zip(records).collect(), Vec::new());
        if let Some(engine) = self.deciding.engine.quorum_mut() {
            engine.forget();
        }
        self.pruning.under_way = Some(ids);
    }

    fn batch(&self, stubs: Stubs, ids: &[VertexId]) -> Option<Batch> {
        let engine = self.deciding.engine.quorum()?;
        let finalised = self.deciding.finalised.get(self.pruning.finalised..);
        // The others are in the entries of their checkpoints.
        let lost = |item: &&Item| item.keys.iter().any(|key| engine.decided(key) != Some(item.id));
        Some(Batch {
            stubs,
            ended: self.graph.ended().collect(),
            items: ids.iter().flat_map(|id| engine.items_of(id)).filter(lost).cloned().collect(),
            past: engine.past(engine.checkpoints().len(), engine.certified_decisions().len()),
            finalised: finalised.unwrap_or_default().to_vec(),
            cover: Some(self.snapshots.cover(self.graph.covered_tips())),
            mute: self.pruning.mute,
        })
    }

    /// Units of writes are durable: what was dropped may leave the store, if the record is there.
    pub(super) fn record_durable(&mut self, units: &[u64]) {
        if units.contains(&UNIT)
            && let Some(ids) = self.pruning.under_way.take()
        {
            self.writer.remove_vertices(ids);
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

/// The name of a record; their order is that of their names.
pub(super) fn name_of(batch: usize) -> String {
    format!("{NAME}{batch:010}")
}
