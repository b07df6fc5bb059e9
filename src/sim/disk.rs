//! A disk that survives its node: writes take time, and a crash forgets what was not confirmed.
//!
//! A batch is all or nothing, which every store of the product promises. So what a power cut can do
//! is this: of the batches that were not acknowledged, the first few are there and the rest is not.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use crate::dag::{BlobId, VertexId};
use crate::effect::Write;
use crate::limits;
use crate::node::{self, Restored};

/// What is durable, and what is on its way.
#[derive(Debug, Default)]
pub struct Disk {
    vertices: BTreeMap<VertexId, Rc<[u8]>>,
    blobs: BTreeMap<BlobId, Rc<[u8]>>,
    meta: BTreeMap<String, Vec<u8>>,
    under_way: VecDeque<Write>,
    bytes: u64,
    /// Of these, what is neither vertices nor blobs.
    meta_bytes: u64,
}

/// Bytes that several disks of a simulation hold, kept once.
#[derive(Debug, Default)]
pub struct Pool {
    vertices: BTreeMap<VertexId, Rc<[u8]>>,
    blobs: BTreeMap<BlobId, Rc<[u8]>>,
}

impl Pool {
    /// Forgets what no disk holds any more.
    pub fn sweep(&mut self) {
        self.vertices.retain(|_, bytes| Rc::strong_count(bytes) > 1);
    }

    fn vertex(&mut self, id: VertexId, bytes: Vec<u8>) -> Rc<[u8]> {
        let kept = self.vertices.entry(id).or_insert_with(|| bytes.as_slice().into());
        // One vertex can be signed twice with different hedges: each disk keeps what it was given.
        if **kept == *bytes { Rc::clone(kept) } else { bytes.into() }
    }

    fn blob(&mut self, id: BlobId, bytes: &[u8]) -> Rc<[u8]> {
        Rc::clone(self.blobs.entry(id).or_insert_with(|| bytes.into()))
    }
}

impl Disk {
    /// Takes a batch in; it is durable once [`Disk::complete`] was called for it.
    pub fn begin(&mut self, write: Write) {
        self.under_way.push_back(write);
    }

    /// Makes the oldest batch under way durable; gives its number.
    pub fn complete(&mut self, pool: &mut Pool) -> Option<u64> {
        let write = self.under_way.pop_front()?;
        let number = write.write;
        self.apply(write, pool);
        Some(number)
    }

    /// Drops the oldest batch under way; gives its number.
    pub fn refuse(&mut self) -> Option<u64> {
        self.under_way.pop_front().map(|write| write.write)
    }

    /// The power is cut: of the batches under way the first `kept` are there, the rest is lost.
    pub fn cut(&mut self, kept: usize, pool: &mut Pool) {
        for _ in 0..kept {
            self.complete(pool);
        }
        self.under_way.clear();
    }

    /// Batches under way.
    pub fn under_way(&self) -> usize {
        self.under_way.len()
    }

    /// Whether this vertex is durable.
    pub fn has_vertex(&self, id: &VertexId) -> bool {
        self.vertices.contains_key(id)
    }

    /// Forgets a durable vertex, as no disk may: for a control that has to be caught.
    pub fn lose_vertex(&mut self, id: &VertexId) {
        self.vertices.remove(id);
    }

    /// A durable blob.
    pub fn blob(&self, id: &BlobId) -> Option<Vec<u8>> {
        self.blobs.get(id).map(|bytes| bytes.to_vec())
    }

    /// Bytes of everything durable, as if no other disk held them.
    pub fn size_bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes of everything durable that is neither vertices nor blobs: names of blobs, addresses,
    /// and what stays of vertices that were dropped.
    pub fn meta_bytes(&self) -> u64 {
        self.meta_bytes
    }

    /// What a node finds that starts from this disk.
    pub fn restored(&self) -> Restored {
        let size = |bytes: &Rc<[u8]>| u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let meta: Vec<(String, Vec<u8>)> = self.meta.clone().into_iter().collect();
        Restored {
            vertices: self.vertices.values().map(|bytes| bytes.to_vec()).collect(),
            blobs: self.blobs.iter().map(|(id, bytes)| (*id, size(bytes))).collect(),
            chunks: node::chunks_of(&meta).iter().filter_map(|id| self.blob(id)).collect(),
            meta,
        }
    }

    fn apply(&mut self, write: Write, pool: &mut Pool) {
        for (id, bytes) in write.vertices {
            let length = bytes.len() as u64;
            if self.vertices.insert(id, pool.vertex(id, bytes)).is_none() {
                self.bytes += length;
            }
        }
        for (id, bytes) in write.blobs {
            if self.blobs.insert(id, pool.blob(id, &bytes)).is_none() {
                self.bytes += bytes.len() as u64;
            }
        }
        for (name, value) in write.meta {
            let length = value.len() as u64;
            let old = self.meta.insert(name, value).map_or(0, |old| old.len() as u64);
            self.bytes = self.bytes + length - old;
            self.meta_bytes = self.meta_bytes + length - old;
        }
        for id in write.removed {
            if let Some(old) = self.vertices.remove(&id) {
                self.bytes -= old.len() as u64;
            }
        }
        for id in write.removed_blobs {
            if let Some(old) = self.blobs.remove(&id) {
                self.bytes -= old.len() as u64;
            }
        }
    }
}

/// Whether a store takes a batch at once; a node that asks for more is wrong.
pub fn fits(write: &Write) -> bool {
    let vertices = write.vertices.iter().map(|(_, bytes)| (32, bytes.len()));
    let blobs = write.blobs.iter().map(|(_, bytes)| (32, bytes.len()));
    let meta = write.meta.iter().map(|(name, bytes)| (name.len(), bytes.len()));
    let (mut count, mut sum) = (0, 0);
    let removed = write.removed.iter().map(|_| (32, 0));
    let removed = removed.chain(write.removed_blobs.iter().map(|_| (32, 0)));
    for (key, value) in vertices.chain(blobs).chain(meta).chain(removed) {
        count += 1;
        sum += key + value;
        if value > limits::STORE_VALUE_BYTES_MAX {
            return false;
        }
    }
    count <= limits::STORE_BATCH_OPERATIONS_MAX && sum <= limits::STORE_BATCH_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(number: u64) -> Write {
        let bytes = number.to_le_bytes().to_vec();
        Write {
            write: number,
            vertices: vec![(VertexId::of(&bytes), bytes.clone())],
            meta: vec![("last".to_owned(), bytes)],
            ..Write::default()
        }
    }

    #[test]
    fn a_cut_keeps_whole_batches_from_the_front() {
        for kept in 0..=3 {
            let (mut disk, mut pool) = (Disk::default(), Pool::default());
            (1..=3).for_each(|number| disk.begin(write(number)));
            disk.cut(kept, &mut pool);
            let restored = disk.restored();
            assert_eq!(restored.vertices.len(), kept);
            let last = restored.meta.first().map(|(_, value)| value[0]);
            assert_eq!(last.map(usize::from), (kept > 0).then_some(kept));
            assert_eq!(disk.size_bytes(), 8 * kept as u64 + if kept > 0 { 8 } else { 0 });
            assert_eq!(disk.under_way(), 0);
        }
    }
}
