//! What is to be made durable, one write at a time.
//!
//! Two rules make a crash at any moment harmless. An own vertex is signed only when nothing else of
//! this node is being written, and it becomes part of the graph (and so can be sent) only after the
//! store acknowledged it: there is never a second vertex for a position of which the first may be
//! known to anyone. And there is one write under way at a time, in the order of acceptance, so that
//! the parents of a durable vertex are durable too. A write is no larger than what a store takes at
//! once; a longer backlog becomes several, and an own vertex is part of the last.
//!
//! A failed write is repeated with the same bytes after a while. That also is what keeps a store
//! that lied about failing from making the node equivocate.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::dag::{BlobId, Payload, SignedVertex, VertexId};
use crate::effect::Write;
use crate::limits;

/// Bytes of an id as a key of the store.
const ID_BYTES: usize = 32;

/// The backlog and the write under way.
#[derive(Debug, Default)]
pub(super) struct Writer {
    /// Own payloads that are in no vertex yet.
    queue: VecDeque<Queued>,
    /// When the queue is due; it waits a little for company.
    flush_ms: Option<u64>,
    /// Own payloads wait whatever is due: there is no identity to write them under yet.
    held: bool,
    vertices: VecDeque<(VertexId, Vec<u8>)>,
    blobs: VecDeque<(BlobId, Arc<[u8]>)>,
    meta: VecDeque<(String, Vec<u8>)>,
    /// Named values that belong together, in order.
    units: VecDeque<Unit>,
    /// Vertices and blobs to remove.
    removed: VecDeque<VertexId>,
    removed_blobs: VecDeque<BlobId>,
    /// Bytes of vertices and blobs here and under way.
    backlog_bytes: usize,
    under_way: Option<UnderWay>,
    failures: u32,
    last_write: u64,
}

/// An own payload and the command it answers.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) payload: Payload,
    pub(super) command: Option<u64>,
}

/// An own vertex that is being written.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) signed: SignedVertex,
    /// The commands its payloads answer, each with the place of its payload.
    pub(super) commands: Vec<(u64, u32)>,
}

/// Named values of which a store must never have only a part.
#[derive(Debug)]
struct Unit {
    number: u64,
    values: Vec<(String, Vec<u8>)>,
    /// Vertices that are written with them.
    vertices: Vec<(VertexId, Vec<u8>)>,
}

#[derive(Debug)]
struct UnderWay {
    write: Write,
    units: Vec<u64>,
    own: Option<Own>,
    /// The last attempt failed; the next one is due then.
    retry_ms: Option<u64>,
}

/// What an acknowledged write made durable.
#[derive(Debug)]
pub(super) struct Durable {
    /// The own vertex in it, which may be sent now.
    pub(super) own: Option<Own>,
    /// The blobs in it, with their sizes in bytes.
    pub(super) blobs: Vec<(BlobId, u64)>,
    /// The units in it.
    pub(super) units: Vec<u64>,
}

impl Writer {
    /// Queues an own payload; `urgent` ones are due at once. `false` when the queue is full.
    pub(super) fn queue(
        &mut self,
        payload: Payload,
        command: Option<u64>,
        urgent: bool,
        now_ms: u64,
    ) -> bool {
        if self.is_queue_full() {
            return false;
        }
        let wait_ms = if urgent { 0 } else { limits::FLUSH_MS };
        let due_ms = now_ms.saturating_add(wait_ms);
        self.flush_ms = Some(self.flush_ms.map_or(due_ms, |flush_ms| flush_ms.min(due_ms)));
        self.queue.push_back(Queued { payload, command });
        true
    }

    /// Lets own payloads wait, or no longer.
    pub(super) fn hold(&mut self, held: bool) {
        self.held = held;
    }

    /// Adds an accepted vertex of somebody else, or a restored one.
    pub(super) fn add_vertex(&mut self, id: VertexId, bytes: Vec<u8>) {
        self.backlog_bytes += bytes.len();
        self.vertices.push_back((id, bytes));
    }

    /// Adds a blob.
    pub(super) fn add_blob(&mut self, id: BlobId, bytes: Arc<[u8]>) {
        self.backlog_bytes += bytes.len();
        self.removed_blobs.retain(|removed| *removed != id);
        self.blobs.push_back((id, bytes));
    }

    /// Adds a named value; replaces one of the same name that is not under way.
    pub(super) fn add_meta(&mut self, name: &str, value: Vec<u8>) {
        self.meta.retain(|(known, _)| known != name);
        self.meta.push_back((name.to_owned(), value));
    }

    /// Adds named values and vertices that are written all or none; `unit` comes back when they are
    /// durable. They have to fit one write.
    pub(super) fn add_unit(
        &mut self,
        unit: u64,
        values: Vec<(String, Vec<u8>)>,
        vertices: Vec<(VertexId, Vec<u8>)>,
    ) {
        self.backlog_bytes += vertices.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
        self.units.push_back(Unit { number: unit, values, vertices });
    }

    /// Removes stored vertices and blobs, with the next writes that have room.
    pub(super) fn remove(&mut self, vertices: Vec<VertexId>, blobs: Vec<BlobId>) {
        self.removed.extend(vertices);
        self.removed_blobs.extend(blobs);
    }

    /// Whether something is still to be removed.
    pub(super) fn is_removing(&self) -> bool {
        !(self.removed.is_empty() && self.removed_blobs.is_empty())
    }

    /// Whether nothing more may be accepted from peers until the store works again.
    pub(super) fn is_full(&self) -> bool {
        self.backlog_bytes >= limits::BACKLOG_BYTES_MAX
    }

    /// Own payloads that are not in the history yet, in their order.
    pub(super) fn unwritten(&self) -> impl Iterator<Item = &Payload> {
        let own = self.under_way.iter().filter_map(|under_way| under_way.own.as_ref());
        let written = own.flat_map(|own| &own.signed.vertex().payloads);
        written.chain(self.queue.iter().map(|queued| &queued.payload))
    }

    /// Whether no further own payload is taken.
    pub(super) fn is_queue_full(&self) -> bool {
        self.queue.len() >= limits::OWN_QUEUE_MAX
    }

    /// Whether the last write failed and none has succeeded since.
    pub(super) fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// Whether no write is under way.
    pub(super) fn is_free(&self) -> bool {
        self.under_way.is_none()
    }

    /// Whether nothing waits and nothing is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.under_way.is_none() && self.queue.is_empty() && !self.has_backlog()
    }

    /// Drops own payloads that can never be written; gives the commands they would have answered.
    pub(super) fn drop_queue(&mut self) -> Vec<u64> {
        self.flush_ms = None;
        self.queue.drain(..).filter_map(|queued| queued.command).collect()
    }

    /// Bytes accepted and not durable.
    #[cfg(test)]
    pub(super) fn backlog_bytes(&self) -> usize {
        self.backlog_bytes
    }

    /// Drops own votes that are in no vertex yet: they were never said.
    pub(super) fn drop_votes(&mut self) {
        self.queue.retain(|queued| !matches!(queued.payload, Payload::Votes(_)));
    }

    /// When something is due; `None` while a write is under way or nothing waits.
    pub(super) fn next_ms(&self) -> Option<u64> {
        match &self.under_way {
            Some(under_way) => under_way.retry_ms,
            None if self.has_backlog() => Some(0),
            None => self.flush_ms.filter(|_| !self.held),
        }
    }

    /// The failed write, when it is due again, under a new number.
    pub(super) fn retry(&mut self, now_ms: u64) -> Option<Write> {
        let under_way = self.under_way.as_mut()?;
        if under_way.retry_ms.is_none_or(|retry_ms| retry_ms > now_ms) {
            return None;
        }
        under_way.retry_ms = None;
        self.last_write += 1;
        under_way.write.write = self.last_write;
        Some(under_way.write.clone())
    }

    /// Whether a new write should start now.
    pub(super) fn is_due(&self, now_ms: u64) -> bool {
        self.under_way.is_none() && self.next_ms().is_some_and(|next_ms| next_ms <= now_ms)
    }

    /// Whether own payloads have waited long enough for company.
    pub(super) fn is_queue_due(&self, now_ms: u64) -> bool {
        !self.held && self.flush_ms.is_some_and(|flush_ms| flush_ms <= now_ms)
    }

    /// The own payloads of the next vertex: as many as fit, and at most one of those that later
    /// statements refer to by the id of the vertex.
    pub(super) fn take_payloads(&mut self) -> Vec<Queued> {
        let (mut taken, mut bytes, mut named) = (Vec::new(), 0, false);
        while let Some(next) = self.queue.front() {
            let size = encoded_len(&next.payload);
            let is_named = crate::federated::is_named_by_vertex(&next.payload);
            let fits = taken.is_empty()
                || (taken.len() < limits::VERTEX_PAYLOADS_MAX
                    && bytes + size <= limits::FLUSH_BYTES
                    && !(named && is_named));
            if !fits {
                break;
            }
            bytes += size;
            named |= is_named;
            taken.extend(self.queue.pop_front());
        }
        if self.queue.is_empty() {
            self.flush_ms = None;
        }
        taken
    }

    /// Whether the next write would hold the whole backlog and an own vertex of any size. Before
    /// that none is signed: its parents may be in the backlog.
    pub(super) fn has_room_for_own(&self) -> bool {
        let mut room = Room::new();
        room.take(ID_BYTES + limits::SIGNED_VERTEX_BYTES_MAX)
            && self.vertices.iter().all(|(_, bytes)| room.take(ID_BYTES + bytes.len()))
            && self.blobs.iter().all(|(_, bytes)| room.take(ID_BYTES + bytes.len()))
            && self.meta.iter().all(|(name, bytes)| room.take(name.len() + bytes.len()))
            && self.units.iter().all(|unit| room.take_all(unit))
    }

    /// Starts a write of as much of the backlog as a store takes at once and, last, the own vertex,
    /// for which there is room ([`Writer::has_room_for_own`]).
    ///
    /// Vertices go first, in the order of acceptance, so that what is durable is closed under
    /// "parent of"; named values go last, because they speak of the others. A crash between a
    /// vertex whose parents are covered and the value that says so costs fetching it again.
    pub(super) fn start(&mut self, own: Option<Own>) -> Write {
        self.last_write += 1;
        let mut room = Room::new();
        let own_vertex = own.as_ref().map(|own| (own.signed.id(), own.signed.encode()));
        if let Some((_, bytes)) = &own_vertex {
            self.backlog_bytes += bytes.len();
            room.take(ID_BYTES + bytes.len());
        }
        let size = |(_, bytes): &(VertexId, Vec<u8>)| ID_BYTES + bytes.len();
        let mut vertices = room.fill(&mut self.vertices, size);
        vertices.extend(own_vertex);
        let size = |(_, bytes): &(BlobId, Arc<[u8]>)| ID_BYTES + bytes.len();
        let blobs = room.fill(&mut self.blobs, size);
        let blobs = blobs.into_iter().map(|(id, bytes)| (id, bytes.to_vec())).collect();
        let size = |(name, bytes): &(String, Vec<u8>)| name.len() + bytes.len();
        let mut meta = room.fill(&mut self.meta, size);
        let mut units = Vec::new();
        let fitting = self.units.iter().take_while(|unit| room.take_all(unit)).count();
        for unit in self.units.drain(..fitting) {
            units.push(unit.number);
            meta.extend(unit.values);
            vertices.extend(unit.vertices);
        }
        let removed = room.fill(&mut self.removed, |_| ID_BYTES);
        let removed_blobs = room.fill(&mut self.removed_blobs, |_| ID_BYTES);
        let write = self.last_write;
        let write = Write { write, vertices, blobs, meta, removed, removed_blobs };
        self.under_way = Some(UnderWay { write: write.clone(), units, own, retry_ms: None });
        write
    }

    /// The store acknowledged a write; `None` for a number that is not under way.
    pub(super) fn acknowledged(&mut self, write: u64) -> Option<Durable> {
        let done = self.under_way.take_if(|under_way| under_way.is(write))?;
        self.failures = 0;
        let vertices = done.write.vertices.iter().map(|(_, bytes)| bytes.len());
        let blobs = done.write.blobs.iter().map(|(_, bytes)| bytes.len());
        let bytes: usize = vertices.chain(blobs).sum();
        self.backlog_bytes = self.backlog_bytes.saturating_sub(bytes);
        let size = |bytes: &Vec<u8>| u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let blobs = done.write.blobs.iter().map(|(id, bytes)| (*id, size(bytes))).collect();
        Some(Durable { own: done.own, blobs, units: done.units })
    }

    /// The store failed a write, which will be repeated. Returns the commands that wait for it, or
    /// `None` for a number that is not under way.
    pub(super) fn failed(&mut self, write: u64, now_ms: u64) -> Option<Vec<u64>> {
        let under_way = self.under_way.as_mut().filter(|under_way| under_way.is(write))?;
        let doublings = self.failures.min(16);
        let wait_ms = (limits::STORE_RETRY_MS_MIN << doublings).min(limits::STORE_RETRY_MS_MAX);
        self.failures = self.failures.saturating_add(1);
        under_way.retry_ms = Some(now_ms.saturating_add(wait_ms));
        let own =
            under_way.own.iter().flat_map(|own| own.commands.iter().map(|(command, _)| *command));
        Some(own.chain(self.queue.iter().filter_map(|queued| queued.command)).collect())
    }

    fn has_backlog(&self) -> bool {
        !(self.vertices.is_empty()
            && self.blobs.is_empty()
            && self.meta.is_empty()
            && self.units.is_empty()
            && !self.is_removing())
    }
}

/// What a write has left of the limits of one batch of a store.
struct Room {
    operations: usize,
    bytes: usize,
}

impl Room {
    fn new() -> Self {
        Self {
            operations: limits::STORE_BATCH_OPERATIONS_MAX,
            bytes: limits::STORE_BATCH_BYTES_MAX,
        }
    }

    /// Takes one operation of so many bytes, key included; once one did not fit, none does.
    fn take(&mut self, bytes: usize) -> bool {
        let fits = self.operations > 0 && bytes <= self.bytes;
        self.operations = if fits { self.operations - 1 } else { 0 };
        self.bytes = if fits { self.bytes - bytes } else { 0 };
        fits
    }

    /// Takes the operations of a unit, or none that would follow.
    fn take_all(&mut self, unit: &Unit) -> bool {
        let values = unit.values.iter().map(|(name, bytes)| name.len() + bytes.len());
        let vertices = unit.vertices.iter().map(|(_, bytes)| ID_BYTES + bytes.len());
        let count = unit.values.len() + unit.vertices.len();
        if count > self.operations {
            self.operations = 0;
        }
        let fits = self.take(values.chain(vertices).sum());
        self.operations = self.operations.saturating_sub(count.saturating_sub(1));
        fits
    }

    /// Takes as much from the front of a queue as fits.
    fn fill<T>(&mut self, queue: &mut VecDeque<T>, size: impl Fn(&T) -> usize) -> Vec<T> {
        let count = queue.iter().take_while(|entry| self.take(size(entry))).count();
        queue.drain(..count).collect()
    }
}

impl UnderWay {
    fn is(&self, write: u64) -> bool {
        self.write.write == write && self.retry_ms.is_none()
    }
}

fn encoded_len(payload: &Payload) -> usize {
    crate::dag::cbor::encode(payload).map_or(0, |bytes| bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An own vertex of a snapshot without its records would be taken for a damaged store.
    #[test]
    fn a_unit_with_vertices_is_in_one_write_however_long_the_backlog() {
        let mut writer = Writer::default();
        let vertex = |number: u8, bytes: usize| (VertexId::of(&[number]), vec![number; bytes]);
        for number in 0..5 {
            let (id, bytes) = vertex(number, limits::STORE_VALUE_BYTES_MAX);
            writer.add_vertex(id, bytes);
        }
        let (own, records) = (vertex(9, 1_000), vec![("record".to_owned(), vec![1; 1_000])]);
        writer.add_unit(7, records.clone(), vec![own.clone()]);
        let mut count = 0;
        while writer.has_backlog() {
            let write = writer.start(None);
            count += 1;
            let durable = writer.acknowledged(write.write).unwrap();
            let is_whole = write.meta == records && write.vertices.contains(&own);
            let is_none = write.meta.is_empty() && !write.vertices.contains(&own);
            assert!(if durable.units == [7] { is_whole } else { is_none });
        }
        assert_eq!((count, writer.backlog_bytes()), (2, 0));
    }
}
