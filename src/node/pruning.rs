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
//! What checkpoints decided is stored once, as what is handed to those that come late: chunks,
//! which are blobs, and the entries after them, in the last record ([`crate::snapshot`]).
//!
//! A crash is harmless at any write: either the record is there or nothing was removed, and what
//! was not removed yet is dropped again.

use std::cell::Cell;

use super::records::{self, Batch};
use super::snapshots::Snapshots;
use super::{Error, History, Node, Phase, writing};
use crate::clock::Now;
use crate::consensus::{Item, Past, Record, State};
use crate::dag::cbor::{self, Bounds};
use crate::dag::{BlobId, Coverage, Graph, SignedVertex, VertexId, settled_height};
use crate::identity::{AuthorId, NetworkId};
use crate::limits;
use crate::snapshot::Entry;

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

/// The records among named values, in their order.
fn records_in(meta: &[(String, Vec<u8>)]) -> Vec<&(String, Vec<u8>)> {
    let is_record = |name: &str| name.starts_with(NAME) && name != COVERED;
    let mut found: Vec<_> = meta.iter().filter(|(name, _)| is_record(name)).collect();
    found.sort_unstable();
    found
}

/// The blobs that a start needs whole, by what the records among named values say.
pub fn chunks_of(meta: &[(String, Vec<u8>)]) -> Vec<BlobId> {
    let last = records_in(meta).pop().and_then(|(_, bytes)| Batch::decode(bytes).ok());
    let cover = last.and_then(|last| last.cover);
    cover.map(|cover| cover.log().chunks().to_vec()).unwrap_or_default()
}

/// How far the history was pruned.
#[derive(Debug, Default)]
pub(super) struct Pruning {
    /// Records in the store, and what they hold of the list of what is final.
    pub(super) batches: usize,
    pub(super) finalised: usize,
    /// The height up to which checkpoints may cover vertices that are not here.
    pub(super) dropped_to: u64,
    /// Covered positions in the store, beside those of records (count).
    covered: u64,
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

    /// So many records of a snapshot of this height were added.
    pub(super) fn handed(&mut self, records: usize, height: u64, mute: Option<u64>) {
        self.batches += records;
        (self.dropped_to, self.mute) = (height, mute);
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
        let found = records_in(meta);
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

    /// Lets an empty graph know how far it is covered.
    fn restore_coverage(&self, graph: &mut Graph) {
        if let Some(cover) = self.batches.last().and_then(|last| last.cover.as_ref()) {
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
    if let Some(last) = pruned.batches.last() {
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
        if pruned.batches.is_empty() {
            return Ok(());
        }
        let mut items: Vec<Item> =
            self.graph.iter().flat_map(|signed| Record::of(signed).items).collect();
        let mut past = Past::default();
        self.pruning.batches = pruned.batches.len();
        if let Some(last) = pruned.batches.last() {
            self.snapshots = last.cover.as_ref().map(Snapshots::restore).unwrap_or_default();
            self.pruning.dropped_to = self.snapshots.log.height;
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
        let Some(engine) = self.deciding.engine.quorum_mut() else { return Ok(()) };
        engine.note_covered(self.graph.coverage().tips());
        engine.resume(past, items, now).map_err(|error| Error::Pruned(error.to_string()))?;
        for checkpoint in engine.checkpoints().to_vec() {
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
        self.pruning.next_ms = now.mono_ms.saturating_add(limits::PRUNE_INTERVAL_MS);
        // What is dropped has to be in a snapshot, and none may be on its way here.
        let is_busy = !self.snapshots.pending.is_empty() || self.joining.is_under_way();
        if self.cut.is_some() || self.writer.is_failing() || is_busy {
            return;
        }
        let Some(engine) = self.deciding.engine.quorum() else { return };
        let uncut = engine.decisions().len().saturating_sub(engine.certified_decisions().len());
        let height = engine.checkpoints().last().map_or(0, |last| last.height);
        let log = &self.snapshots.log;
        let is_here = log.height == height && log.chunks().iter().all(|id| self.blobs.is_local(id));
        if uncut > records::UNCUT_MAX || !is_here {
            return self.counters.count("history-not-dropped");
        }
        let room = Room::default();
        let keep = keep.min(self.graph.len() / 3 * 2);
        let ids = self.graph.prune(keep, |signed| room.takes(signed, engine));
        if ids.is_empty() {
            return;
        }
        self.counters.count("history-pruned");
        self.pruning.dropped_to = settled_height(self.snapshots.log.height);
        let Some(batch) = self.batch(&ids) else { return };
        self.pruning.finalised += batch.finalised.len();
        let names = (self.pruning.batches..).map(name_of);
        let records = batch.into_records();
        self.pruning.batches += records.len();
        self.writer.add_unit(UNIT, names.zip(records).collect(), Vec::new());
        if let Some(engine) = self.deciding.engine.quorum_mut() {
            engine.forget(&ids);
        }
        self.pruning.under_way = Some(ids);
    }

    fn batch(&self, ids: &[VertexId]) -> Option<Batch> {
        let engine = self.deciding.engine.quorum()?;
        let finalised = self.deciding.finalised.get(self.pruning.finalised..);
        // The others are in the entries of their checkpoints.
        let lost = |item: &&Item| item.keys.iter().any(|key| engine.decided(key) != Some(item.id));
        Some(Batch {
            ended: self.graph.ended().collect(),
            items: ids.iter().flat_map(|id| engine.items_of(id)).filter(lost).cloned().collect(),
            past: engine.past(engine.checkpoints().len(), engine.certified_decisions().len()),
            finalised: finalised.unwrap_or_default().to_vec(),
            cover: Some(self.snapshots.cover(self.graph.coverage().clone())),
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
