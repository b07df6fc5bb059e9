//! Collecting everything needed to replay a run.
//!
//! That is the head aggregate with all that it and those before it name and the whole causal past,
//! and the blobs of every valid aggregate in it: their updates, to recompute them, and their
//! weights, to name the first byte that differs.
//! Whether that fits one file is known from sizes alone, before anything is read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::blobs::Blobs;
use super::commands::lost_problem;
use crate::dag::{BlobId, Graph, VertexId, car};
use crate::event::Problem;
use crate::federated::{Run, Standing};
use crate::limits;

/// Blobs asked of the store at once.
const LOADS_MAX: usize = 16;

/// An export under way.
#[derive(Debug)]
pub(super) struct Export {
    run: VertexId,
    vertices: Vec<VertexId>,
    missing: BTreeSet<BlobId>,
    blobs: BTreeMap<BlobId, Vec<u8>>,
    lost: Option<BlobId>,
}

impl Export {
    /// Fixes what belongs to the export of a run as it is now.
    ///
    /// # Errors
    /// When it is more than one file holds.
    pub(super) fn new(graph: &Graph, run: &Run, blobs: &Blobs) -> Result<Self, Problem> {
        let past = graph.whole_past(&named(run), &run.head()).map_err(|_| dropped_problem())?;
        let vertices: Vec<VertexId> = past.iter().map(|signed| signed.id()).collect();
        let mut missing = BTreeSet::new();
        for record in vertices.iter().filter_map(|id| run.aggregate(id)) {
            if record.standing == Standing::Valid {
                missing.insert(record.weights);
                let updates = record.updates.iter().filter_map(|id| run.update(id));
                missing.extend(updates.map(|update| update.delta));
            }
        }
        let sizes = missing.iter().filter_map(|blob| blobs.size(blob));
        let bytes = car::bytes_max(&past, sizes);
        if bytes > u64::try_from(limits::CAR_BYTES_MAX).unwrap_or(u64::MAX) {
            return Err(too_large_problem(bytes));
        }
        Ok(Self { run: run.id(), vertices, missing, blobs: BTreeMap::new(), lost: None })
    }

    /// The blobs to read next.
    pub(super) fn next(&self) -> Vec<BlobId> {
        self.missing.iter().take(LOADS_MAX).copied().collect()
    }

    /// A blob was read, or cannot be.
    pub(super) fn loaded(&mut self, blob: &BlobId, bytes: Option<&Arc<[u8]>>) {
        if !self.missing.remove(blob) {
            return;
        }
        match bytes {
            Some(bytes) => {
                self.blobs.insert(*blob, bytes.to_vec());
            }
            None => self.lost = Some(*blob),
        }
    }

    /// The CAR file, once everything is there.
    pub(super) fn finish(&self, graph: &Graph) -> Option<Result<Vec<u8>, Problem>> {
        if let Some(lost) = &self.lost {
            return Some(Err(lost_problem(lost)));
        }
        if !self.missing.is_empty() {
            return None;
        }
        let vertices: Vec<_> = self.vertices.iter().filter_map(|id| graph.get(id)).collect();
        if vertices.len() < self.vertices.len() {
            return Some(Err(dropped_problem()));
        }
        let file = car::write(graph.network(), self.run, &vertices, &self.blobs);
        Some(file.map_err(|error| Problem {
            code: error.code(),
            message: format!("the run cannot be exported: {}", error.cause),
            hint: "runs of this size are beyond one file; export earlier in the run".to_owned(),
        }))
    }
}

/// What the aggregates on the way to the head name: nothing obliges an aggregate to follow it.
fn named(run: &Run) -> Vec<VertexId> {
    let (mut named, mut next) = (Vec::new(), run.head());
    while let Some(record) = run.aggregate(&next) {
        named.extend(record.updates.iter().copied().chain([record.base]));
        let opened = |id: &VertexId| Some(run.committed()?.reveal(id)?.commitment);
        named.extend(record.updates.iter().filter_map(opened));
        next = record.base;
    }
    named
}

fn dropped_problem() -> Problem {
    Problem {
        code: "history-dropped",
        message: "the run cannot be exported: a part of the history before it was dropped here"
            .to_owned(),
        hint: "export it from a node that keeps the whole history (option `history`: `all`)"
            .to_owned(),
    }
}

fn too_large_problem(bytes: u64) -> Problem {
    let (needed, most) = (bytes >> 20, limits::CAR_BYTES_MAX >> 20);
    Problem {
        code: "car-too-large",
        message: format!("the run cannot be exported: it takes {needed} MiB, one file {most} MiB"),
        hint: "runs of this size are beyond one file; export earlier in the run".to_owned(),
    }
}
